"""The interpreter: which document, which verb, and what when something fails.

It asks its actor for one thing at a time (see `steps`) and knows neither network, media nor clock. Documents replace
one another: the answer to an action request, a redirect or an update from outside ends the one before. When a document
cannot be fetched or carried out the fallback URL is asked once; when that fails too the caller hears a notice.
"""

from __future__ import annotations

import enum

import attrs

from . import urls, verbs
from .answering import NEVER_ANSWERED, REFUSALS, Answering, Refusal, answering
from .errors import BadUrl, DocumentError
from .links import resolved
from .nouns import Method
from .pacing import Pacing
from .parse import Document, parse
from .places import Place
from .problems import Problem
from .responses import Audio, Empty, Markup, Unusable, Words, classify
from .signature import signed_url
from .steps import (
    Alert,
    Ending,
    Failed,
    Fetch,
    Fetched,
    FetchFailed,
    Finish,
    HungUp,
    Parameters,
    Perform,
    Performed,
    Purpose,
    Redirected,
    Replaced,
    Result,
    Step,
)
from .support import CARRIED_OUT, shortfall
from .verbs import Verb

MAX_ALERTS = 100
"""As many problems of one document are told; a hostile one can have thousands."""

_BAD_URLS = (11100, 15004)


@attrs.frozen
class Source:
    """Where a document comes from."""

    url: str
    method: Method = "POST"


@attrs.frozen
class Inline:
    """A document that was given as such, and has no URL."""

    document: bytes


class State(enum.Enum):
    NEW = "new"
    FETCHING = "fetching"
    PERFORMING = "performing"
    NOTICE = "notice"
    """The caller is told that the application has failed."""
    REPORTING = "reporting"
    """The call is over; a verb's action URL is being told."""
    ENDED = "ended"


class Misused(RuntimeError):
    """The actor told the program something that it did not ask: a bug on our side."""


@attrs.define(eq=False)
class Program:
    """One run of an application on one leg."""

    source: Source | Inline
    fallback: Source | None = None
    answered: bool = False
    """Whether the leg is answered; from then on the program keeps it itself."""
    place: Place = Place.CALL
    long_calls: bool = False
    carried_out: frozenset[type[Verb]] = CARRIED_OUT
    pacing: Pacing = attrs.field(factory=Pacing)

    state: State = attrs.field(init=False, default=State.NEW)
    document_url: str | None = attrs.field(init=False, default=None)
    """The document that runs; `None` for an inline one, or before the first."""
    verb: Verb | None = attrs.field(init=False, default=None)
    """The verb being carried out, with absolute URLs."""
    _document: Document = attrs.field(init=False, default=Document(()))
    _next: int = attrs.field(init=False, default=0)
    _fetch: Fetch | None = attrs.field(init=False, default=None)
    _in_fallback: bool = attrs.field(init=False, default=False)
    _alerts: list[Alert] = attrs.field(init=False, factory=list)

    def begin(self, now: float) -> Step:
        """The first step."""
        if self.state is not State.NEW:
            raise Misused("a program begins once")
        if isinstance(self.source, Inline):
            return self._inline(self.source.document, now)
        return self._go_to(self.source.url, self.source.method, (), now)

    def resume(self, result: Result, now: float) -> Step:
        """The next step, after what became of the last one."""
        match self.state, result:
            case State.ENDED | State.REPORTING, HungUp():
                return self._finish(Ending.CALLER_LEFT)
            case _, HungUp(parameters=parameters):
                return self._hung_up(parameters)
            case State.FETCHING | State.PERFORMING | State.NOTICE, Redirected():
                if result.fallback_url is not None:
                    self.fallback = Source(result.fallback_url, result.fallback_method)
                self.verb, self.document_url = None, None
                return self._go_to(result.url, result.method, (), now)
            case State.FETCHING | State.PERFORMING | State.NOTICE, Replaced():
                return self._inline(result.document, now)
            case State.FETCHING, Fetched():
                return self._fetched(result, now)
            case State.FETCHING, FetchFailed():
                return self._fail(result.code, result.detail, result.url or self._fetched_url, now)
            case State.PERFORMING, Performed(parameters=None):
                return self._following(now)
            case State.PERFORMING, Performed(parameters=tuple() as parameters):
                return self._act(parameters, now)
            case State.PERFORMING, Failed():
                return self._fail(result.code, result.detail, result.url or self.document_url, now)
            case State.NOTICE, Performed() | Failed():
                return self._finish(Ending.APPLICATION_ERROR)
            case State.REPORTING, FetchFailed():
                self._alert(result.code, result.detail, result.url or self._fetched_url)
                return self._finish(Ending.CALLER_LEFT)
            case State.REPORTING, Fetched():
                if not 200 <= result.status < 300:
                    self._alert(11200, f"the request was answered with status {result.status}", self._fetched_url)
                return self._finish(Ending.CALLER_LEFT)
        raise Misused(f"{type(result).__name__} in state {self.state.name}")

    # ---- documents -------------------------------------------------------------------------------------------------

    def _go_to(self, url: str, method: Method, parameters: Parameters, now: float) -> Step:
        """Another document, from outside or by the running one.

        Only its being absolute is looked at: an application may live in this very program, under a scheme of its own.
        """
        if urls.Parts.of(url).scheme is None:
            return self._fail(11100, f"{url!r} should be an absolute URL", self.document_url, now)
        self._in_fallback = False
        return self._request(Fetch(url=url, method=method, parameters=parameters), now)

    def _request(self, fetch: Fetch, now: float, *, paced: bool = True) -> Step:
        self.state, self.verb = State.FETCHING, None
        not_before = self.pacing.next_at(now) if paced else now
        self._fetch = attrs.evolve(fetch, not_before=not_before, alerts=self._taken())
        return self._fetch

    @property
    def _fetched_url(self) -> str | None:
        return None if self._fetch is None else self._fetch.url

    def _fetched(self, result: Fetched, now: float) -> Step:
        url = result.url or self._fetched_url
        answer = classify(result.status, result.content_type, result.body)
        match answer:
            case Unusable():
                return self._fail(answer.code, answer.detail, url, now)
            case Empty():
                if answer.code is not None:
                    self._alert(answer.code, "the answer has no body; it is taken for an empty document", url)
                return self._run(Document(()), url, now)
            case Words():
                return self._run(Document((verbs.Say(content=(answer.text,)), verbs.Hangup())), url, now)
            case Audio():
                audio = verbs.PlayAudio(audio=answer.body, content_type=answer.content_type)
                return self._run(Document((audio, verbs.Hangup())), url, now)
            case Markup():
                return self._parsed(answer.body, answer.charset, url, now)

    def _inline(self, data: bytes, now: float) -> Step:
        self._in_fallback, self._fetch = False, None
        self.document_url = None
        return self._parsed(data, None, None, now)

    def _parsed(self, data: bytes, charset: str | None, url: str | None, now: float) -> Step:
        try:
            document = parse(data, charset=charset, place=self.place, inline=url is None, long_calls=self.long_calls)
        except DocumentError as error:
            where = f" (line {error.line}, column {error.column})" if error.line else ""
            return self._fail(error.code, error.message + where, url, now)
        return self._run(document, url, now)

    def _run(self, document: Document, url: str | None, now: float) -> Step:
        self._document, self._next, self.document_url = document, 0, url
        for problem in document.problems[:MAX_ALERTS]:
            self._alerts.append(_alert_of(problem, url))
        if len(document.problems) > MAX_ALERTS:
            self._alert(12200, f"{len(document.problems) - MAX_ALERTS} more problems are not told", url)
        return self._following(now)

    # ---- verbs -----------------------------------------------------------------------------------------------------

    def _following(self, now: float) -> Step:
        """The next verb of the document, or its end."""
        while self._next < len(self._document.verbs):
            verb = self._document.verbs[self._next]
            self._next += 1
            missing = shortfall(verb, self.carried_out)
            if missing is not None:
                if missing.fatal:
                    return self._fail(missing.code, missing.detail, self.document_url, now, verb)
                self._alert(missing.code, missing.detail, self.document_url, verb)
            match verb:
                case verbs.Hangup():
                    return self._finish(Ending.HANGUP)
                case verbs.Reject():
                    return self._rejected(verb)
                case verbs.Gather(fault=int()):
                    continue  # it fails, which its alert has said, and the next verb runs
                case _:
                    step = self._perform(verb, now)
                    if step is not None:
                        return step
        return self._document_ended()

    def _perform(self, verb: Verb, now: float) -> Step | None:
        if verb.fault in _BAD_URLS:
            return self._fail(verb.fault, f"{verb.element()} has no usable URL", self.document_url, now, verb)
        try:
            absolute, dropped = resolved(verb, self.document_url)
        except BadUrl as error:
            detail = f"a URL of {verb.element()} should be {error.message}"
            return self._fail(error.code, detail, self.document_url, now, verb)
        for left_out in dropped:
            detail = f"a URL of {verb.element()} is left out: it should be {left_out.message}"
            self._alert(left_out.code, detail, self.document_url, verb)
        if isinstance(absolute, verbs.Redirect):
            return self._go_to(absolute.url, absolute.method, (), now)
        how = answering(absolute)
        if how is Answering.ANSWER:
            self.answered = True
        self.state, self.verb = State.PERFORMING, absolute
        return Perform(verb=absolute, answering=how, document_url=self.document_url, alerts=self._taken())

    def _act(self, parameters: Parameters, now: float) -> Step:
        """A verb asks for its action request."""
        target = self._action()
        if target is None:
            return self._following(now)
        if not target.url:
            verb = self.verb
            name = "the verb" if verb is None else verb.element()
            return self._fail(11100, f"{name} needs an action, as its document has no URL", None, now, verb)
        return self._go_to(target.url, target.method, parameters, now)

    def _action(self) -> Source | None:
        """Where the running verb's action request goes: `None` when it makes none, an empty URL when it should but
        cannot."""
        match self.verb:
            case verbs.Gather(action=action, method=method) | verbs.Record(action=action, method=method):
                return Source(self.document_url or "" if action is None else action, method)
            case verbs.Pay(action=action, method=method):
                return Source(self.document_url or "" if action is None else action, method)
            case (
                verbs.Dial(action=str(action), method=method)
                | verbs.Enqueue(action=str(action), method=method)
                | verbs.Refer(action=str(action), method=method)
                | verbs.Connect(action=str(action), method=method)
                | verbs.Sms(action=str(action), method=method)
            ):
                return Source(action, method)
            case _:
                return None

    # ---- failures and ends -----------------------------------------------------------------------------------------

    def _fail(self, code: int, detail: str, url: str | None, now: float, verb: Verb | None = None) -> Step:
        """A document could not be fetched or carried out."""
        self._alert(code, detail, url, verb or self.verb)
        if self.fallback is not None and not self._in_fallback:
            self._in_fallback = True
            parameters: list[tuple[str, str]] = [("ErrorCode", str(code))]
            if url is not None:
                parameters.append(("ErrorUrl", signed_url(url)))
            fetch = Fetch(
                url=self.fallback.url,
                method=self.fallback.method,
                parameters=tuple(parameters),
                purpose=Purpose.FALLBACK,
            )
            return self._request(fetch, now, paced=False)
        self.state, self.answered = State.NOTICE, True
        self.verb = verbs.ErrorNotice()
        return Perform(verb=self.verb, answering=Answering.ANSWER, document_url=self.document_url, alerts=self._taken())

    def _hung_up(self, parameters: Parameters | None) -> Step:
        target = self._action() if self.state is State.PERFORMING and parameters is not None else None
        if target is None or not target.url or parameters is None:
            return self._finish(Ending.CALLER_LEFT)
        self.state = State.REPORTING
        self._fetch = Fetch(
            url=target.url,
            method=target.method,
            parameters=parameters,
            purpose=Purpose.FINAL,
            alerts=self._taken(),
        )
        return self._fetch

    def _rejected(self, verb: verbs.Reject) -> Step:
        if self.answered:
            return self._finish(Ending.HANGUP)
        return self._finish(Ending.REJECTED, REFUSALS[verb.reason])

    def _document_ended(self) -> Step:
        """A document that only lets the phone ring never answers it; any other that ends has."""
        only_rings = any(isinstance(verb, verbs.Pause) for verb in self._document.verbs) and all(
            answering(verb) in (Answering.RING, Answering.LATER) for verb in self._document.verbs
        )
        refusal = NEVER_ANSWERED if only_rings and not self.answered else None
        return self._finish(Ending.DOCUMENT_ENDED, refusal)

    def _finish(self, how: Ending, refusal: Refusal | None = None) -> Finish:
        answer_first = not self.answered and refusal is None and how is not Ending.CALLER_LEFT
        self.state, self.verb = State.ENDED, None
        return Finish(how=how, answer_first=answer_first, refusal=refusal, alerts=self._taken())

    # ---- alerts ----------------------------------------------------------------------------------------------------

    def _alert(self, code: int, detail: str, url: str | None, verb: Verb | None = None) -> None:
        self._alerts.append(
            Alert(
                code=code,
                detail=detail,
                url=None if url is None else signed_url(url),
                verb=None if verb is None else verb.element(),
            )
        )

    def _taken(self) -> tuple[Alert, ...]:
        taken = tuple(self._alerts)
        self._alerts.clear()
        return taken


def _alert_of(problem: Problem, url: str | None) -> Alert:
    return Alert(
        code=problem.code,
        detail=f"{problem.message} (line {problem.line}, column {problem.column})",
        url=None if url is None else signed_url(url),
        verb=problem.element,
    )
