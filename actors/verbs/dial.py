"""Dial: carries out what the core of `twiml/forking.py` asks for, and tells it what happens.

The core decides who rings, who wins and how it ends; this makes calls, couples media and reports.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final, assert_never

import attrs
import structlog
import trio

from ...media.events import DigitHeard, InterceptDigits, Play, RecordingDone, StopPlaying
from ...media.plane import PlaneLeg
from ...media.sources import Tone
from ...media.tones import ringback
from ...sip.address import NameAddr
from ...sip.fields import RetryAfter
from ...sip.headers import Headers
from ...sip.uri import Uri
from ...twiml.caller_id import Caller
from ...twiml.dial_result import ChildFacts, dial_parameters, outcome
from ...twiml.dial_targets import Plan, plan
from ...twiml.errors import CannotExecute
from ...twiml.forking import Forking, Verdict
from ...twiml.forking_steps import (
    AnswerCaller,
    Bridge,
    CancelLeg,
    ChildChanged,
    Contact,
    Dialled,
    Finished,
    ForkingStep,
    HangUpLeg,
    PassEarlyMedia,
    PlayRingback,
    SendDigits,
    StartChild,
    StartLeg,
    StartRecording,
    StartScreening,
    StopEarlyMedia,
    StopRecording,
    StopRingback,
    Unbridge,
    Warn,
)
from ...twiml.nouns import Sip
from ...twiml.numbers import Kind, party
from ...twiml.redirection import NotFollowed, follow
from ...twiml.steps import Ending, Failed, HungUp, Performed
from ...twiml.targets import Target
from ...twiml.verbs import Dial
from ..call_identity import ChildCallbacks
from ..dialling import Branches, Nowhere, Path, path_of
from ..mailbox import ActorGone, NoReply, Ref, Reply
from ..messages import child as to_child
from ..messages.call import CoupleWith, MakeChild, OpenEarly, Separate
from ..messages.call_requests import CallOver, Listen
from ..messages.child import (
    ByeAnswered,
    ChildInput,
    ChildScreened,
    ChildStopped,
    LegFailed,
    LegGone,
    LegKeysSent,
    LegPickedUp,
    LegRang,
    LegSent,
    LegTried,
)
from .dial_recording import DialRecording
from .stage import CallerLeft, Stage

ANSWERS_WITHIN_S: Final = 5.0
PARTS_WITHIN_S: Final = 1.0
"""How long the caller waits for the callee's answer to our BYE."""
DEFAULT_TONE: Final = "us"
log = structlog.get_logger(__name__)


async def dial(stage: Stage, verb: Dial) -> Performed | HungUp | Failed:
    """Call others, connect one of them; ends when the core says so."""
    services, who = stage.services, stage.identity
    caller = Caller(from_=who.from_, to=who.to, kind=Kind.NUMBER if who.trunk is not None else party(who.from_).kind)
    try:
        planned = plan(verb, caller, services.dialling.house, who.domain_name)
    except CannotExecute as error:
        return Failed(code=error.code, detail=error.message)
    for alert in planned.alerts:
        stage.alert(alert.code, alert.detail)
    return await _Session(stage, verb, planned).run()


@attrs.define
class _Child:
    """What is known of a child call."""

    sid: str
    ref: Ref[ChildInput]
    branches: Branches = ()
    tried: list[Uri] = attrs.field(factory=list)
    redirects: int = 0


@attrs.define
class _Leg:
    child: int
    contact: Contact
    headers: Headers = attrs.field(factory=Headers)
    """Of the final refusal, or of the BYE at the end or its answer."""
    parting: bool = False
    """Whether our BYE has not been answered yet."""
    call_id: str | None = None
    sent_at: float = 0.0
    heard: bool = False
    """Whether anything at all has come back."""


@attrs.define(eq=False)
class _Session:
    """One `<Dial>` under way."""

    stage: Stage
    verb: Dial
    planned: Plan
    core: Forking = attrs.field(init=False)
    children: dict[int, _Child] = attrs.field(factory=dict)
    legs: dict[int, _Leg] = attrs.field(factory=dict)
    ringback: str | None = None
    """Id of the ringback that plays."""
    recording: DialRecording = attrs.field(init=False)
    last_word: tuple[int, to_child.TellChildStatus] | None = None
    """How the callee's call ended; it is told when the recording of it is written."""
    answering: Reply[None] | None = None
    """The caller is being answered; the two are connected meanwhile."""
    result: Dialled | None = None

    def __attrs_post_init__(self) -> None:
        self.recording = DialRecording(self.stage, self.verb)
        self.core = Forking(
            self.verb,
            self.planned.targets,
            caller_answered=self.stage.answered,
            longest_s=self.stage.services.settings.max_call_s,
        )

    async def run(self) -> Performed | HungUp:
        try:
            return await self._dial()
        finally:
            for child in self.children.values():
                self._give_back(child)

    async def _dial(self) -> Performed | HungUp:
        left = False
        steps: Sequence[ForkingStep] = self.core.begin(trio.current_time())
        while True:
            try:
                await self._carry_out(steps)
                if self.result is not None:
                    break
                fact = await self.stage.fact(self.core.wake_at())
                steps = await self._feed(fact)
            except CallerLeft:
                if left:
                    break
                left = True
                steps = self.core.caller_left(trio.current_time())
        return await self._end(left=left)

    # --- facts to the core -----------------------------------------------------------------------------------

    async def _feed(self, fact: object) -> Sequence[ForkingStep]:
        now, core = trio.current_time(), self.core
        match fact:
            case None:
                return core.wake(now)
            case LegSent():
                self.legs[fact.leg].call_id = fact.call_id
                return ()
            case LegTried():
                self._something_came(fact.leg, trying=True)
                return core.trying(fact.leg, now)
            case LegRang():
                self._something_came(fact.leg)
                return core.progressed(fact.leg, now, early_media=fact.early_media)
            case LegPickedUp():
                self._something_came(fact.leg)
                return core.answered(fact.leg, now)
            case LegFailed():
                return self._failed(fact, now)
            case LegGone():
                self._heard(fact.leg, fact.headers, last=True)
                return core.ended(fact.leg, now)
            case ByeAnswered():
                self._heard(fact.leg, fact.headers, last=True)
                return ()
            case LegKeysSent():
                return core.digits_sent(fact.leg, now)
            case ChildScreened():
                how = Ending(fact.how) if fact.how in {ending.value for ending in Ending} else Ending.APPLICATION_ERROR
                return core.screened(fact.leg, Verdict.of(how), now)
            case ChildStopped():
                return core.stop_child(fact.child, now)
            case DigitHeard():
                return core.key(fact.digit, now)
            case RecordingDone() if self.recording.concerns(fact):
                kept = await self.recording.written(fact)
                return core.recording_written(fact.duration_s, now) if kept else core.recording_lost(now)
            case _:
                return ()

    def _heard(self, number: int, headers: Headers, *, last: bool = False) -> None:
        leg = self.legs.get(number)
        if leg is not None and len(headers):
            leg.headers = headers
            leg.parting = leg.parting and not last

    def _failed(self, fact: LegFailed, now: float) -> Sequence[ForkingStep]:
        self._heard(fact.leg, fact.headers)
        leg = self.legs.get(fact.leg)
        if leg is None:
            return ()
        path = path_of(leg.contact)
        self._judge_gateway(fact.leg, leg, path, fact, now)
        if 300 <= fact.status < 400:
            return self._redirected(leg, fact, now)
        return self.core.refused(fact.leg, fact.status, now, fact.why)

    def _redirected(self, leg: _Leg, fact: LegFailed, now: float) -> Sequence[ForkingStep]:
        child, dialling = self.children[leg.child], self.stage.services.dialling
        path = path_of(leg.contact)
        followed = follow(
            fact.status,
            [address.uri for address in fact.contacts],
            dialling.rules,
            tried=child.tried,
            redirects=child.redirects,
            registered=path.registered,
            objection=partial(dialling.objection, path),
            secure=path.secure,
        )
        if isinstance(followed, NotFollowed):
            self.stage.alert(followed.code, followed.detail)
            return self.core.refused(fact.leg, fact.status, now)
        child.redirects += 1
        contacts = [Contact(uri=uri, way=dialling.redirected(path, uri)) for uri in followed.uris]
        return self.core.redirected(fact.leg, contacts, now, fact.status)

    # --- gateways --------------------------------------------------------------------------------------------

    def _something_came(self, number: int, *, trying: bool = False) -> None:
        """A response has come: the gateway, if it is one, is there. A 100 may still be followed by a 503."""
        leg = self.legs.get(number)
        if leg is None:
            return
        leg.heard = True
        path = path_of(leg.contact)
        if path.trunk is not None and not trying:
            self.stage.services.gateways.answered(path.trunk, path.hop, trio.current_time())

    def _judge_gateway(self, number: int, leg: _Leg, path: Path, fact: LegFailed, now: float) -> None:
        """Remember a gateway that is away, so that the next call tries another first."""
        if fact.status == 503 or (fact.local and fact.status == 408):
            if path.trunk is not None:
                wait = retry_after(fact.headers)
                self.stage.services.gateways.failed(path.trunk, path.hop, fact.status, now, wait)
        elif not fact.local:
            self._something_came(number)

    def _given_up(self, number: int, now: float) -> bool:
        """A leg is cancelled; whether it has been silent all the while. A gateway that was is away."""
        leg = self.legs.get(number)
        if leg is None or leg.heard or now - leg.sent_at < self.core.silence_s:
            return False
        path = path_of(leg.contact)
        if path.trunk is not None:
            self.stage.services.gateways.failed(path.trunk, path.hop, 408, now)
        return True

    # --- steps of the core -----------------------------------------------------------------------------------

    async def _carry_out(self, steps: Sequence[ForkingStep]) -> None:
        """Do as the core says, in its order: what it says to what comes of a step at once follows all it has said."""
        todo = deque(steps)
        while todo:
            todo += await self._step(todo.popleft())

    async def _step(self, step: ForkingStep) -> Sequence[ForkingStep]:
        stage, now = self.stage, trio.current_time()
        match step:
            case StartChild():
                return await self._start_child(step.child)
            case StartLeg():
                await self._start_leg(step)
            case CancelLeg():
                silent = self._given_up(step.leg, now)
                await self._to_leg(step.leg, to_child.CancelDial(step.leg, step.why.value, unheard=silent))
            case HangUpLeg():
                self.legs[step.leg].parting = True
                await self._to_leg(step.leg, to_child.HangUpLeg(step.leg, step.why.value))
            case ChildChanged():
                await self._child_changed(step)
            case PlayRingback():
                await self._ring(step.country)
            case StopRingback():
                await self._stop_ringing()
            case PassEarlyMedia():
                await self._open_early()
                await self._couple(step.leg, one_way=True)
            case Bridge():
                await self._bridge(step.leg)
            case StopEarlyMedia() | Unbridge():
                await stage.ask_dial(Separate())
            case AnswerCaller():
                self.answering = await stage.begin_answer()
            case SendDigits():
                await self._to_leg(step.leg, to_child.PressKeys(step.leg, step.digits))
            case StartScreening():
                await self._to_leg(step.leg, to_child.Screen(step.leg, step.url, step.method, stage.functions))
            case StartRecording():
                await self.recording.start(step)
            case StopRecording():
                if not await self.recording.stop():
                    return self.core.recording_lost(now)
            case Warn():
                stage.alert(step.alert.code, step.alert.detail)
            case Finished():
                self.result = step.result
            case _:
                assert_never(step)
        return ()

    async def _start_child(self, number: int) -> Sequence[ForkingStep]:
        stage, services = self.stage, self.stage.services
        target = self.planned.targets[number]
        if not isinstance(target, Target):
            return ()
        sid = services.ids.sid("CA")
        identity = stage.identity.child(sid, from_=target.caller.text, to=target.to, number=target.is_number)
        noun = target.noun
        callbacks = (
            ChildCallbacks(noun.status_callback, noun.status_callback_method, noun.status_callback_event)
            if noun.status_callback is not None
            else None
        )
        reply: Reply[Ref[ChildInput]] = Reply(sid)
        await stage.ask_dial(MakeChild(number, identity, callbacks, reply))
        child = self.children[number] = _Child(sid, await reply.wait(ANSWERS_WITHIN_S))
        found = await services.dialling.find(target, trio.current_time())
        now = trio.current_time()  # the registrar may have taken its time
        if isinstance(found, Nowhere):
            self.stage.alert(found.code, found.detail)
            return self.core.unreachable(number, now, sip_status=found.sip_status)
        child.branches = found
        return self.core.located(number, found, now)

    async def _child_changed(self, step: ChildChanged) -> None:
        if step.event == "completed" and step.child in self.children:
            self._give_back(self.children[step.child])
        told = to_child.TellChildStatus(
            event=step.event, status=step.status, sip_status=step.sip_status, duration_s=step.duration_s
        )
        if step.event == "completed" and step.status == "completed" and self.recording.under_way:
            self.last_word = (step.child, told)
        else:
            await self._to_child(step.child, told)

    async def _start_leg(self, step: StartLeg) -> None:
        path = path_of(step.contact)
        child = self.children[step.child]
        target = self.planned.targets[step.child]
        assert isinstance(target, Target), "legs are started for targets only"
        child.tried.append(step.contact.uri if path.trunk is not None else path.hop)
        self.legs[step.leg] = _Leg(step.child, step.contact, sent_at=trio.current_time())
        caller = target.caller
        await self._to_child(
            step.child,
            to_child.DialLeg(
                leg=step.leg,
                target=step.contact.uri,
                hop=path.hop,
                to=path.to,
                from_=NameAddr(Uri.of(caller.user, path.host), caller.display),
                headers=path.headers,
                auth=path.auth,
                flow=path.flow,
                routes=path.routes,
                secure=path.secure,
            ),
        )

    def _give_back(self, child: _Child) -> None:
        """The child's call is over: it is none of its trunk's calls any more."""
        self.stage.services.dialling.release(child.branches)
        child.branches = ()

    async def _to_leg(self, number: int, command: to_child.ChildCommand) -> None:
        leg = self.legs.get(number)
        if leg is not None:
            await self._to_child(leg.child, command)

    async def _to_child(self, number: int, command: to_child.ChildCommand) -> None:
        child = self.children.get(number)
        if child is None:
            return
        try:
            await child.ref.send(command)
        except ActorGone:
            log.info("order to a child that has ended", command=type(command).__name__)

    # --- what the caller hears -------------------------------------------------------------------------------

    async def _ring(self, country: str | None) -> None:
        await self._open_early()
        await self._stop_ringing()
        self.ringback = self.stage.new_id()
        await self.stage.tell(Play(self.ringback, Tone(ringback(country or DEFAULT_TONE))))

    async def _stop_ringing(self) -> None:
        if self.ringback is not None:
            await self.stage.tell(StopPlaying(self.ringback))
            self.ringback = None

    async def _open_early(self) -> None:
        """A caller who is not answered gets a session first."""
        if not self.stage.answered:
            opened: Reply[None] = Reply("early media")
            await self.stage.ask_dial(OpenEarly(opened))
            try:
                await opened.wait(ANSWERS_WITHIN_S)
            except (NoReply, ActorGone, CallOver) as error:
                log.info("the caller cannot hear anything before the answer", why=str(error))

    async def _bridge(self, number: int) -> None:
        """Connect the two: before the ACK of an answer under way, as what the callee says until then would be lost."""
        coupled = await self._couple(number, one_way=False)
        if self.answering is not None:
            answering, self.answering = self.answering, None
            await self.stage.has_answered(answering)
        if coupled and self.verb.hangup_on_star:
            await self.stage.tell(InterceptDigits("*"))
            await self.stage.tell(Listen(True))

    async def _couple(self, number: int, *, one_way: bool) -> bool:
        """Let the two hear each other, or the caller that leg; whether there was still somebody to hear."""
        handle: Reply[PlaneLeg] = Reply(f"leg {number}")
        await self._to_leg(number, to_child.GetPlaneLeg(number, handle))
        try:
            peer = await handle.wait(ANSWERS_WITHIN_S)
        except (ActorGone, NoReply) as error:
            log.info("a leg went before it could be connected", leg=number, why=str(error))
            return False
        await self.stage.ask_dial(CoupleWith(peer, one_way=one_way))
        return True

    # --- the end ---------------------------------------------------------------------------------------------

    async def _end(self, *, left: bool) -> Performed | HungUp:
        if self.last_word is not None:
            callee, told = self.last_word
            await self._to_child(callee, attrs.evolve(told, recording=self.recording.kept))
        for number in self.children:
            await self._to_child(number, to_child.FinishChild())
        if self.result is None:
            return HungUp()
        if not left and self.verb.hangup_on_star:
            await self.stage.tell(Listen(False))
            await self.stage.tell(InterceptDigits(""))
        await self._hear_parting(self.result)
        parameters = dial_parameters(self.result, self._child_facts(self.result), self.recording.facts)
        return outcome(self.result, parameters) or HungUp()

    async def _hear_parting(self, result: Dialled) -> None:
        """Wait for what the callee has to say to our BYE, where the application would be told of it."""
        leg = self.legs.get(result.leg) if result.leg is not None else None
        if leg is None or self.verb.action is None or not self._is_sip(result):
            return
        until = trio.current_time() + PARTS_WITHIN_S
        while leg.parting:
            try:
                fact = await self.stage.fact(until)
            except CallerLeft:
                self.result = attrs.evolve(result, caller_left=True)
                continue
            if fact is None:
                return
            if isinstance(fact, ByeAnswered | LegGone):
                self._heard(fact.leg, fact.headers, last=True)

    def _is_sip(self, result: Dialled) -> bool:
        target = self.planned.targets[result.child] if result.child is not None else None
        return isinstance(target, Target) and isinstance(target.noun, Sip)

    def _child_facts(self, result: Dialled) -> ChildFacts | None:
        child = self.children.get(result.child) if result.child is not None else None
        if child is None or result.child is None:
            return None
        leg = self.legs.get(result.leg) if result.leg is not None else None
        return ChildFacts(
            sid=child.sid,
            sip=self._is_sip(result),
            sip_call_id=leg.call_id if leg is not None else None,
            headers=tuple(leg.headers) if leg is not None else (),
        )


def retry_after(headers: Headers) -> float | None:
    """Seconds of the Retry-After of a response, which its leg could read; None when there is none."""
    value = headers.get("Retry-After")
    return None if value is None else RetryAfter.parse(value).seconds
