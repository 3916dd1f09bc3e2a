"""The TwiML actor of a call: fetches documents, performs verbs in order, and ends when the interpreter says so.

It waits for the network and for its call; nobody waits for it. A caller who hangs up does not cancel it: the running
verb still reports to its application, once, within a limit.
"""

from __future__ import annotations

from typing import Final, assert_never
from urllib.parse import urlsplit

import attrs
import structlog
import trio

from ..store.records import WebhookTarget
from ..transport.errors import WebhookFailed
from ..twiml.answering import Answering
from ..twiml.nouns import Method
from ..twiml.params import call_parameters
from ..twiml.places import Place
from ..twiml.program import Program, Source
from ..twiml.steps import (
    Alert,
    Ending,
    Failed,
    Fetch,
    Fetched,
    FetchFailed,
    Finish,
    HungUp,
    Perform,
    Purpose,
    Result,
)
from .actor import Actor
from .announcer import PromptFailed
from .call_identity import Identity
from .mailbox import ActorGone, Mailbox, Ref
from .messages.call import CallMessage, ProgramFact
from .messages.call_requests import ProgramEnded, ProgramRequest, RefuseCall
from .messages.events import VerbEnded, VerbStarted
from .notifications import Notifications
from .services import Services
from .verbs import PROCEDURES, Outcome
from .verbs.stage import FACTS, CallerLeft, Stage
from .webhooks import Asked

PURPOSES: Final[dict[Purpose, str]] = {
    Purpose.DOCUMENT: "document",
    Purpose.FALLBACK: "fallback",
    Purpose.FINAL: "final",
}

FUNCTION_URL: Final = "http://{name}.function.invalid/"
"""Stands for a function of an embedding program; relative URLs in its documents come back to the same function."""

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class ProgramActor(Actor[ProgramFact]):
    """Reads its mailbox only where a verb waits: `stage` does."""

    services: Services
    identity: Identity
    stage: Stage
    core: Program

    @classmethod
    def of_call(
        cls, services: Services, identity: Identity, call: Ref[CallMessage], notifications: Notifications
    ) -> ProgramActor:
        box: Mailbox[ProgramFact] = Mailbox(f"program of {identity.sid}", FACTS)
        application = identity.application
        functions: dict[str, WebhookTarget] = {}
        fallback = application.voice_fallback_url
        core = Program(
            Source(url_of(application.voice_url, "voice", functions), method_of(application.voice_method)),
            None
            if fallback is None
            else Source(url_of(fallback, "fallback", functions), method_of(application.voice_fallback_method)),
        )
        stage = Stage(services, identity, call, box, notifications, call, functions)
        return cls(box, services, identity, stage, core)

    @classmethod
    def of_child(
        cls,
        services: Services,
        identity: Identity,
        call: Ref[ProgramRequest],
        notifications: Notifications,
        url: str,
        method: Method,
        functions: dict[str, WebhookTarget],
    ) -> ProgramActor:
        """The screening document of a dialled call, which is up already."""
        box: Mailbox[ProgramFact] = Mailbox(f"program of {identity.sid}", FACTS)
        core = Program(Source(url, method), None, answered=True, place=Place.SCREENING)
        stage = Stage(services, identity, call, box, notifications, None, functions, answered=True)
        return cls(box, services, identity, stage, core)

    async def run(self) -> None:
        try:
            how = await self._interpret()
            self.stage.over = True
            self.mailbox.close()
            self._tell_end(how)
        finally:
            self.last_words()

    async def handle(self, message: ProgramFact) -> None:
        """Facts are read by the stage, where a verb waits for them."""

    async def _interpret(self) -> Ending:
        step = self.core.begin(trio.current_time())
        while True:
            for alert in step.alerts:
                self._alert(alert)
            match step:
                case Fetch():
                    result = await self._fetch(step)
                case Perform():
                    result = await self._perform(step)
                case Finish():
                    await self._finish(step)
                    return step.how
                case _:
                    assert_never(step)
            self.stage.catch_up()
            if self.stage.over and not isinstance(result, HungUp) and not self._final(step):
                result = HungUp()
            step = self.core.resume(result, trio.current_time())

    @staticmethod
    def _final(step: Fetch | Perform) -> bool:
        return isinstance(step, Fetch) and step.purpose is Purpose.FINAL

    # --- documents -------------------------------------------------------------------------------------------

    async def _fetch(self, step: Fetch) -> Result:
        asked = Asked(
            call_sid=self.identity.sid,
            account=self.identity.account,
            target=self.stage.functions.get(urlsplit(step.url).hostname or "", step.url),
            method=step.method,
            purpose=PURPOSES[step.purpose],
            params=(),
            verb_params=step.parameters,
        )
        if step.purpose is Purpose.FINAL:
            with trio.move_on_after(self.services.settings.final_request_s):
                return await self._ask(asked, step.url)
            return HungUp()
        if step.not_before > trio.current_time():
            try:
                await self.stage.wait_until(step.not_before)
            except CallerLeft:
                return HungUp()
        return await self._ask(asked, step.url)

    async def _ask(self, asked: Asked, url: str) -> Result:
        # The status is read at the last moment: the call may have been answered, or ended, since the verb began.
        asked = attrs.evolve(asked, params=call_parameters(self.stage.facts()))
        try:
            reply = await self.services.webhooks.ask(asked, self.stage.notifications.session)
        except WebhookFailed as error:
            return FetchFailed(code=error.code, detail=error.detail, url=error.url)
        return Fetched(
            status=reply.status,
            content_type=reply.header("content-type"),
            body=reply.body,
            url=reply.url if isinstance(asked.target, str) and not same_place(reply.url, url) else None,
        )

    # --- verbs -----------------------------------------------------------------------------------------------

    async def _perform(self, step: Perform) -> Outcome:
        verb = step.verb
        name = verb.element()
        who, services = self.identity, self.services
        try:
            if step.answering is Answering.ANSWER:
                await self.stage.answer()
            services.bus.publish(
                VerbStarted(
                    at=services.now_utc(),
                    account=who.account,
                    call_sid=who.sid,
                    verb=name,
                    position=(verb.at.line, verb.at.column) if verb.at.line else None,
                )
            )
            outcome: Outcome = await PROCEDURES[type(verb)](self.stage, verb)
        except CallerLeft:
            outcome = HungUp()
        except PromptFailed as error:
            outcome = Failed(code=error.code, detail=error.detail, url=error.url)
        services.bus.publish(
            VerbEnded(
                at=services.now_utc(),
                account=who.account,
                call_sid=who.sid,
                verb=name,
                outcome=type(outcome).__name__.lower(),
            )
        )
        return outcome

    async def _finish(self, step: Finish) -> None:
        if self.stage.over or self.stage.answered:
            return
        try:
            if step.refusal is not None:
                refusal = step.refusal
                await self.stage.tell(RefuseCall(refusal.status, refusal.reason, busy=refusal.call_status == "busy"))
            elif step.answer_first:
                await self.stage.answer()
        except CallerLeft:
            pass  # nothing is left to answer or refuse

    def _tell_end(self, how: Ending) -> None:
        try:
            self.stage.call.post(ProgramEnded(how.value))
        except ActorGone:
            log.debug("the call was gone before its program", call_sid=self.identity.sid)

    def _alert(self, alert: Alert) -> None:
        self.stage.alert(alert.code, alert.detail if alert.url is None else f"{alert.detail} ({alert.url})")


def url_of(target: WebhookTarget, name: str, functions: dict[str, WebhookTarget]) -> str:
    """The URL that stands for a target; a function is entered into `functions` under its host name."""
    if isinstance(target, str):
        return target
    url = FUNCTION_URL.format(name=name)
    functions[urlsplit(url).hostname or ""] = target
    return url


def method_of(text: str) -> Method:
    """`GET` or `POST`, as the configuration has checked."""
    return "GET" if text == "GET" else "POST"


def same_place(one: str, other: str) -> bool:
    """Whether two URLs name the same document, whatever their query, user and fragment."""
    if one == other:
        return True
    left, right = urlsplit(one), urlsplit(other)
    return (left.scheme, left.hostname, left.port, left.path or "/") == (
        right.scheme,
        right.hostname,
        right.port,
        right.path or "/",
    )
