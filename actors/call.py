"""One call: owns its leg, its media and its program, and coordinates them. Knows no SIP, RTP, XML or HTTP.

Waits run one way: the program may wait for the call, the call for its leg and media, and nobody for who stands to the
left. A call ends once; everything it owns ends with it, in order where there is time, by cancellation where not.
"""

from __future__ import annotations

import math
from typing import Final, TypeVar, assert_never

import attrs
import structlog
import trio

from ..media.events import (
    AudioArrived,
    AudioLost,
    DigitHeard,
    FeedOverflowed,
    InterceptDigits,
    KeyExhausted,
    MediaEvent,
    MediaFlowing,
    MediaSilent,
    Played,
    QualityMeasured,
    Record,
    RecordingDone,
    SendDigits,
    SpeechStarted,
    SpeechStopped,
    StopPlaying,
    StopRecording,
    WatchSpeech,
)
from ..media.events import Play as PlayOrder
from ..sip.dialog.events import (
    Answer,
    Bye,
    Cause,
    LegAnswered,
    LegEnded,
    LegFact,
    LegOfferAnswered,
    LegOffered,
    LegParted,
    LegRefreshed,
    LegReoffered,
    Refuse,
    RefuseOffer,
    Ring,
)
from .actor import Actor
from .call_identity import Identity
from .call_media import CallMedia, NoDescription
from .call_news import CallNews
from .call_state import CallState, Input
from .child_setup import child_of_call
from .dialog import LegActor
from .guard import Nest
from .mailbox import ActorGone, Mailbox, MailboxFull, Ref, Reply
from .media import CAPACITY as MEDIA_CAPACITY
from .media import MediaActor
from .messages.call import (
    CallHungUp,
    CallMessage,
    CoupleWith,
    DialRequest,
    LegNews,
    MakeChild,
    OpenEarly,
    ProgramFact,
    Separate,
)
from .messages.call_requests import (
    AnswerCall,
    AudioOrder,
    CallOver,
    HangUp,
    Listen,
    ProgramEnded,
    RefuseCall,
)
from .messages.child import (
    ByeAnswered,
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
from .messages.lifecycle import Down
from .messages.media import Couple, MediaCommand, Uncouple
from .program import ProgramActor
from .services import Services

CAPACITY: Final = 256
GRACE_S: Final = 1.0
"""Beyond the program's own limit for its last request."""

M = TypeVar("M")

log = structlog.get_logger(__name__)

ENDINGS: Final[dict[Cause, Input]] = {
    Cause.HUNG_UP: Input.ENDED,
    Cause.LOCAL: Input.ENDED,
    Cause.CANCELLED: Input.CANCELLED,
    Cause.REFUSED: Input.REFUSED,
    Cause.NO_ACK: Input.BROKE,
    Cause.NO_PRACK: Input.BROKE,
    Cause.LOST: Input.ENDED,
    Cause.EXPIRED: Input.ENDED,
    Cause.NO_SESSION: Input.BROKE,
}
"""How the end of a leg reads for the status of its call."""

ALERTS: Final[dict[Cause, tuple[int, str]]] = {
    Cause.NO_ACK: (32022, "no ACK came within 32 s of the 200"),
    Cause.NO_SESSION: (32103, "the ACK brought no answer to our offer"),
}

CLEARING: Final = 'Q.850;cause=16;text="Normal call clearing"'
REASONS: Final = {
    "max-duration": 'Q.850;cause=16;text="Time limit reached"',
    "no-audio": 'Q.850;cause=16;text="RTP timeout"',
    "bad-answer": 'SIP;cause=488;text="Not acceptable here"',
    "crash": 'Q.850;cause=41;text="Temporary failure"',
    "stuck": 'Q.850;cause=41;text="Temporary failure"',
}
"""Reason of our BYE by why we hang up (RFC 3326); `CLEARING` for every other."""


@attrs.define(eq=False)
class Call(Actor[CallMessage]):
    """Coordinates; each part decides for itself. `identity` never changes, `state` is the status table."""

    services: Services
    identity: Identity
    state: CallState
    news: CallNews
    leg: LegActor
    """The leg's actor, not yet running; its mailbox already takes what the switchboard has for it."""
    _nest: Nest = attrs.field(init=False)
    _media: CallMedia | None = None
    _program: Ref[ProgramFact] | None = None
    _waiting: list[Reply[None]] = attrs.field(factory=list)
    """Who asked for the answer and is told when the call is up."""
    _offer: bytes | None = None
    """The caller's session description, until it is answered."""
    _described: bytes | None = None
    """Our description, once it is made."""
    _listening: bool = False
    _ending: Input | None = None
    """What the next end of the leg means, where we brought it about."""
    _cause: str = ""
    _leg_started: bool = False
    _running: set[str] = attrs.field(factory=set)
    """Names of those that have not ended."""
    _abandon_at: float = math.inf
    """When the program is no longer waited for."""

    # --- life ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        # Whatever this task and those it starts write to the log carries the call's SID.
        structlog.contextvars.bind_contextvars(call_sid=self.identity.sid)
        async with trio.open_nursery() as nursery:  # open_nest, without the price of a generator for each call
            self._nest = Nest(self.mailbox.name, nursery)
            try:
                await super().run()
            finally:
                self._nest.cancel()

    async def started(self) -> None:
        self.news.started()
        self._start(self.leg)
        self._leg_started = True

    def finished(self) -> bool:
        return self.state.status.final and not self._running

    def last_words(self) -> None:
        if not self.state.status.final:
            # A crash or a cancellation: the leg says BYE by itself when the nest is cancelled right after this.
            self.state.apply(Input.BROKE, trio.current_time())
            self.news.ended(self.state, self._cause or "crash")
        for reply in self._waiting:
            reply.fail(CallOver())
        self.news.notifications.close()
        if not self._leg_started:
            self.leg.forget()  # a crash before it could run: nothing must be routed to it
        self.services.registry.drop_call(self.identity.sid)
        if self.identity.trunk is not None:
            self.services.dialling.trunks.release(self.identity.trunk)

    def wake_at(self) -> float:
        if self.state.status.final:
            return self._abandon_at
        if self.state.answered_at is None or self._ending is not None:
            return math.inf
        return self.state.answered_at + self.services.settings.max_call_s

    async def wake(self, now: float) -> None:
        if self.state.status.final:
            log.warning("gave up on what a call still had running", call_sid=self.identity.sid, actors=self._running)
            self._abandon_at = math.inf
            self._nest.cancel()
            self._running.clear()
        else:
            self.news.alert(32015, f"the call lasted {self.services.settings.max_call_s:g} s")
            await self._hang_up("max-duration", Input.ENDED)

    # --- messages --------------------------------------------------------------------------------------------

    async def handle(self, message: CallMessage) -> None:
        match message:
            case LegNews():
                await self._on_leg(message.fact)
            case Down():
                await self._on_down(message)
            case AnswerCall():
                await self._answer(message.reply)
            case RefuseCall():
                self._ending = Input.REFUSED_BUSY if message.busy else Input.REFUSED
                self._cause = "rejected"
                await self.leg.order(Refuse(message.status, message.reason))
            case Listen():
                self._listening = message.on
            case HangUp():
                await self._hang_up(message.reason, Input.ENDED)
            case ProgramEnded():
                await self._hang_up(message.how, Input.ENDED)
            case MakeChild() | CoupleWith() | Separate() | OpenEarly():
                await self._on_dial(message)
            case (
                LegSent()
                | LegTried()
                | LegRang()
                | LegPickedUp()
                | LegFailed()
                | LegGone()
                | ByeAnswered()
                | LegKeysSent()
                | ChildScreened()
                | ChildStopped()
            ):
                await self._tell_program(message)
            case (
                PlayOrder()
                | StopPlaying()
                | SendDigits()
                | Record()
                | StopRecording()
                | WatchSpeech()
                | InterceptDigits()
            ):
                await self._sound(message)
            case _:
                await self._on_media(message)

    async def _on_leg(self, fact: LegFact) -> None:
        match fact:
            case LegOffered():
                self._offer = fact.body
                await self.leg.order(Ring(180))
                self._apply(Input.RANG)
                self._start_program()
            case LegAnswered():
                await self._came_up(fact.body)
            case LegReoffered():
                told = await self._media.reoffered(fact.body) if self._media is not None else RefuseOffer()
                await self.leg.order(told)
            case LegOfferAnswered():
                await self._settle(fact.body)
            case LegRefreshed():
                await self._settle(fact.answer, fact.offer)
            case LegEnded():
                self._leg_ended(fact.cause)
            case LegParted():
                pass
            case _:
                log.info("leg", call_sid=self.identity.sid, fact=type(fact).__name__)

    async def _on_media(self, event: MediaEvent) -> None:
        match event:
            case DigitHeard():
                self.news.digit(event.digit, event.duration_ms)
                if self._listening:
                    await self._tell_program(event)
            case MediaSilent():
                self.news.alert(32014, f"no audio was received for {event.for_s:g} s")
                await self._hang_up("no-audio", Input.ENDED)
            case QualityMeasured():
                self.news.quality(event.stats)
            case Played() | SpeechStarted() | SpeechStopped() | RecordingDone() | AudioArrived() | AudioLost():
                await self._tell_program(event)
            case KeyExhausted():
                log.warning("the far end's SRTP key is used up")
            case MediaFlowing() | FeedOverflowed():
                pass
            case _:
                assert_never(event)

    async def _on_down(self, down: Down) -> None:
        self._running.discard(down.name)
        if down.error is not None:
            self.news.crashed(down)
            if down.name == self.leg.mailbox.name:
                self._end(Input.BROKE, "crash")
            else:
                await self._hang_up("crash", Input.BROKE)
        if self.state.status.final and not self._program_running:
            self._stop_media()

    # --- the session -----------------------------------------------------------------------------------------

    async def _answer(self, reply: Reply[None]) -> None:
        """Pick up, once: the description is made when the first verb wants the call answered, not before."""
        if self.state.status.final or self._ending is not None:
            reply.fail(CallOver())
        elif self.state.answered_at is not None:
            reply.set(None)
        else:
            self._waiting.append(reply)
            if len(self._waiting) == 1:
                described = await self._describe()
                if described is not None:
                    await self.leg.order(Answer(described, self.identity.answer_headers(self.services.settings)))

    async def _on_dial(self, request: DialRequest) -> None:
        """What a `<Dial>` needs of the call it runs on."""
        match request:
            case MakeChild():
                child = child_of_call(self.services, self.mailbox.ref, request)
                self.services.registry.add_call(request.identity.sid, child.mailbox.ref, child.news.view())
                self._start(child)
                request.reply.set(child.mailbox.ref)
            case CoupleWith():
                if self._described is not None:  # else it was refused meanwhile
                    await self._to_media(Couple(request.peer, request.one_way))
            case Separate():
                await self._to_media(Uncouple())
            case OpenEarly():
                await self._open_early(request.reply)
            case _:
                assert_never(request)

    async def _open_early(self, reply: Reply[None]) -> None:
        """A session before the answer (183): the 200 repeats its description."""
        if self.state.status.final or (self._offer is None and not self.leg.leg.rings_reliably):
            # A call that is over wants no session, and an offer of ours that no PRACK answers has to wait for the ACK.
            reply.fail(CallOver())
        elif self._described is not None:
            reply.set(None)
        else:
            described = await self._describe()
            if described is None:
                reply.fail(CallOver())
            else:
                await self.leg.order(Ring(183, described))
                reply.set(None)

    async def _to_media(self, command: Couple | Uncouple) -> None:
        if self._media is not None:
            await self._media.order(command)

    async def _describe(self) -> bytes | None:
        """Our session description, made once; None after refusing a call that can have no session."""
        if self._described is not None:
            return self._described
        box: Mailbox[MediaCommand] = Mailbox(f"media of {self.identity.sid}", MEDIA_CAPACITY)
        actor = MediaActor(box, self.services.plane, self.mailbox.ref, self.services.media_ids)
        identity = self.identity
        policy = identity.media_policy(
            self.services.settings,
            secure=identity.domain is not None and identity.domain.secure,
            watch=self.services.captures.media(identity.sid, identity.local_host),
        )
        self._media = CallMedia(actor.mailbox.ref, policy)
        self._start(actor)
        described = await self._media.prepare(self._offer)
        if isinstance(described, NoDescription):
            self._ending, self._cause = Input.BROKE, "no-media"
            await self.leg.order(Refuse(described.status))
            return None
        self._described = described.sdp
        return described.sdp

    async def _came_up(self, answer: bytes | None) -> None:
        if answer is not None:
            await self._settle(answer)
        if self._ending is None:
            self._apply(Input.ANSWERED)
            for reply in self._waiting:
                reply.set(None)
            self._waiting.clear()

    async def _settle(self, answer: bytes, offer: bytes | None = None) -> None:
        """Take the far end's answer to `offer`, else to our last one; a bad one ends the call."""
        problem = await self._media.settle(answer, offer) if self._media is not None else "no offer of ours is open"
        if problem is not None:
            self.news.alert(32102, problem)
            await self._hang_up("bad-answer", Input.BROKE)

    # --- parts -----------------------------------------------------------------------------------------------

    def _start(self, actor: Actor[M]) -> None:
        self._running.add(actor.mailbox.name)
        self._nest.start(actor, self._child_down)

    def _child_down(self, down: Down) -> None:
        if not self.mailbox.closed:
            self.mailbox.ref.post(down)

    def _start_program(self) -> None:
        program = ProgramActor.of_call(self.services, self.identity, self.mailbox.ref, self.news.notifications)
        self._program = program.mailbox.ref
        self._start(program)

    @property
    def _program_running(self) -> bool:
        return self._program is not None and self._program.name in self._running

    def _stop_media(self) -> None:
        if self._media is not None:
            self._media.stop()

    async def _sound(self, order: AudioOrder) -> None:
        if self._media is None:
            raise RuntimeError(f"{type(order).__name__} before the call was answered")
        await self._media.order(order)

    async def _tell_program(self, fact: ProgramFact) -> None:
        if self._program is None:
            return
        try:
            self._program.post(fact)
        except ActorGone:
            pass  # it has nothing more to do, and the news of that is on the way
        except MailboxFull:
            log.error("the program does not read what it is told", call_sid=self.identity.sid)
            await self._hang_up("stuck", Input.BROKE)

    # --- the end ---------------------------------------------------------------------------------------------

    async def _hang_up(self, cause: str, ending: Input) -> None:
        """Ask the leg to end; the status follows when it has."""
        if self.state.status.final or (self._ending is not None and ending is not Input.BROKE):
            return
        if self._ending is None:
            self._cause = cause
            self._ending = ending
            await self.leg.order(Bye(REASONS.get(cause, CLEARING)))
        else:
            self._ending = ending

    def _leg_ended(self, cause: Cause) -> None:
        alert = ALERTS.get(cause)
        if alert is not None:
            self.news.alert(*alert)
        self._end(self._ending or ENDINGS[cause], self._cause or cause.value.replace(" ", "-"))

    def _end(self, event: Input, cause: str) -> None:
        """The call is over: say so once, let the program finish its last request, stop the rest."""
        if self.state.status.final:
            return
        self._cause = cause
        now = trio.current_time()
        if not self.state.apply(event, now):
            # The table has no such end here, e.g. an orderly one before the answer: nobody picked up.
            self.state.apply(Input.CANCELLED if event is Input.ENDED else Input.BROKE, now)
        self.news.ended(self.state, cause, self.leg.leg.last_status)
        for reply in self._waiting:
            reply.fail(CallOver())
        self._waiting.clear()
        self._abandon_at = now + self.services.settings.final_request_s + GRACE_S
        if self._program_running and self._program is not None:
            self._program.offer(CallHungUp(cause))
        else:
            self._stop_media()

    def _apply(self, event: Input) -> None:
        if self.state.apply(event, trio.current_time()):
            self.news.changed(self.state)


def call_mailbox(sid: str) -> Mailbox[CallMessage]:
    return Mailbox(f"call {sid}", CAPACITY)
