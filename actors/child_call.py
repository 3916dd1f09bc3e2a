"""A child call: one party of a `<Dial>`, with a leg for each of its phones, inside the nest of the call that dials.

It decides nothing about the dial: the core of Dial does, in the program of the parent. It keeps its own identity, its
own status callbacks and, when its noun has a screening document, its own program.
"""

from __future__ import annotations

import contextlib
from typing import Final, TypeVar, assert_never

import attrs
import structlog

from ..media.events import (
    DigitHeard,
    InterceptDigits,
    KeyExhausted,
    MediaEvent,
    MediaSilent,
    Play,
    Played,
    QualityMeasured,
    Record,
    SendDigits,
    StopPlaying,
    StopRecording,
    WatchSpeech,
)
from ..sip.address import NameAddr
from ..sip.dialog.events import (
    Accept,
    Bye,
    CancelInvite,
    Invite,
    LegAnswered,
    LegCommand,
    LegEnded,
    LegFact,
    LegOfferAnswered,
    LegParted,
    LegProgressed,
    LegRefreshed,
    LegRefused,
    LegReoffered,
    LegTrying,
)
from ..sip.dialog.leg import Leg
from ..sip.errors import SipError
from ..sip.headers import Headers
from ..sip.routing import hop_of
from ..sip.transaction.invite_client import MAX_FORKS
from ..transport.errors import TlsTooOld, TransportError
from .actor import Actor
from .call_media import CallMedia, NoDescription
from .child_news import ChildNews
from .dialog import LegActor, leg_mailbox
from .guard import Nest, open_nest
from .mailbox import ActorGone, Mailbox, Ref
from .media import CAPACITY as MEDIA_CAPACITY
from .media import MediaActor
from .messages.call import CallHungUp, CallMessage, ProgramFact
from .messages.call_requests import AnswerCall, HangUp, Listen, ProgramEnded, ProgramRequest, RefuseCall
from .messages.child import (
    ByeAnswered,
    CancelDial,
    ChildFact,
    ChildInput,
    ChildLegNews,
    ChildMediaNews,
    ChildScreened,
    ChildStopped,
    DialLeg,
    FinishChild,
    GetPlaneLeg,
    HangUpLeg,
    LegFailed,
    LegGone,
    LegKeysSent,
    LegPickedUp,
    LegRang,
    LegSent,
    LegTried,
    PressKeys,
    Screen,
    TellChildStatus,
)
from .messages.lifecycle import Down
from .messages.media import GetLeg, MediaCommand
from .program import ProgramActor
from .services import Services

CAPACITY: Final = 256
NO_HEADERS: Final = Headers()

M = TypeVar("M")

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class ChildLeg:
    """One INVITE of the child, and the media that goes with it."""

    number: int
    actor: LegActor
    media: CallMedia
    offer: bytes
    """Of its INVITE."""
    remote: bytes | None = None
    """The callee's description in force."""
    tried: bool = False
    rang: bool | None = None
    """Whether there was early media when it was last told that the leg rings; None: it was not told yet."""
    forks: dict[str | None, bytes] = attrs.field(factory=dict)
    """What each fork of the callee has described last, by its tag, before one of them has answered."""
    answered: bool = False
    over: bool = False


@attrs.frozen
class Numbered:
    """Gives what one leg and its media tell the leg's number, on the way to the child."""

    child: Ref[ChildInput]
    leg: int

    def post(self, message: MediaEvent) -> None:
        self.child.post(ChildMediaNews(self.leg, message))

    def post_leg(self, fact: LegFact) -> None:
        self.child.post(ChildLegNews(self.leg, fact))


@attrs.define(eq=False)
class ChildCall(Actor[ChildInput]):
    """Runs in its parent's nest; facts go to the parent's call, which offers them to its program."""

    services: Services
    number: int
    """Which child of its dial it is."""
    news: ChildNews
    parent: Ref[CallMessage]
    _nest: Nest = attrs.field(init=False)
    _legs: dict[int, ChildLeg] = attrs.field(factory=dict)
    _program: Ref[ProgramFact] | None = None
    _screened_leg: int | None = None
    _keys: dict[str, int] = attrs.field(factory=dict)
    """Legs by the id of the key order that is being sent on them."""
    _running: set[str] = attrs.field(factory=set)
    _listening: bool = False
    _finishing: bool = False

    # --- life ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        structlog.contextvars.bind_contextvars(call_sid=self.news.identity.sid)
        async with open_nest(self.mailbox.name) as self._nest:
            await super().run()

    async def started(self) -> None:
        self.news.started()

    def finished(self) -> bool:
        return self._finishing and not self._running

    def last_words(self) -> None:
        self.news.close()
        self.services.registry.drop_call(self.news.identity.sid)

    # --- messages --------------------------------------------------------------------------------------------

    async def handle(self, message: ChildInput) -> None:
        match message:
            case DialLeg():
                await self._dial(message)
            case CancelDial():
                await self._order(message.leg, CancelInvite(message.reason, message.unheard))
            case HangUpLeg():
                self._stop_screening(message.leg)
                await self._order(message.leg, Bye(message.reason))
            case PressKeys():
                await self._press(message)
            case Screen():
                self._screen(message)
            case TellChildStatus():
                self.news.changed(message)
            case GetPlaneLeg():
                await self._hand_out(message)
            case ChildLegNews():
                leg = self._legs.get(message.leg)
                if leg is not None:
                    await self._on_leg(leg, message.fact)
            case ChildMediaNews():
                await self._on_media(message.leg, message.event)
            case Down():
                await self._on_down(message)
            case FinishChild():
                self._finishing = True
            case _:
                await self._on_program(message)

    async def _on_program(self, request: ProgramRequest) -> None:
        """What a screening document wants of the leg it runs on."""
        leg = self._legs.get(self._screened_leg) if self._screened_leg is not None else None
        match request:
            case AnswerCall():
                request.reply.set(None)  # it was up before the document was asked for
            case ProgramEnded():
                self._program = None
                if leg is not None:
                    self._tell(ChildScreened(self.number, leg.number, request.how))
            case RefuseCall():
                if leg is not None:
                    await leg.actor.order(Bye())
            case HangUp():
                # From outside: the dial is told first, and whatever it thinks, this call is to end.
                self._tell(ChildStopped(self.number))
                for each in self._legs.values():
                    if not each.over:
                        await each.actor.order(Bye())
            case Listen():
                self._listening = request.on
            case Play() | StopPlaying() | SendDigits() | Record() | StopRecording() | WatchSpeech() | InterceptDigits():
                if leg is not None:
                    await leg.media.order(request)
            case _:
                assert_never(request)

    # --- legs ------------------------------------------------------------------------------------------------

    async def _dial(self, order: DialLeg) -> None:
        """Describe our media, then send the INVITE."""
        services, who = self.services, self.news.identity
        try:
            contact = services.courier.contact_on(order.flow) if order.flow is not None else self._contact(order)
        except (TransportError, SipError) as error:
            log.info("no way to a contact", target=str(order.target), why=str(error))
            self._tell(
                LegFailed(child=self.number, leg=order.leg, status=503, headers=NO_HEADERS, local=True, why=str(error))
            )
            return
        host = str(contact.uri.host)
        box: Mailbox[MediaCommand] = Mailbox(f"media {order.leg} of {who.sid}", MEDIA_CAPACITY)
        numbered = Numbered(self.mailbox.ref, order.leg)
        media_actor = MediaActor(box, services.plane, numbered, services.media_ids)
        watch = services.captures.media(who.sid, host, parent=who.parent_sid)
        media = CallMedia(box.ref, who.media_policy(services.settings, host, secure=order.secure, watch=watch))
        self._start(media_actor)
        described = await media.prepare(None)
        if isinstance(described, NoDescription):
            media.stop()
            self._tell(LegFailed(child=self.number, leg=order.leg, status=500, headers=NO_HEADERS, local=True))
            return
        config = services.leg_config(contact)
        actor = LegActor(
            leg_mailbox(f"{order.leg} of {who.sid}"),
            Leg.calling(config, services.ids),
            numbered.post_leg,
            services.courier,
            services.registry,
            services.linger,
        )
        leg = self._legs[order.leg] = ChildLeg(order.leg, actor, media, described.sdp)
        services.registry.add_leg(actor.leg.call_id, actor.leg.local_tag, actor.mailbox.ref)
        services.captures.begin(who.sid, actor.leg.call_id, actor.leg.local_tag, parent=who.parent_sid, calling=True)
        self._start(actor)
        self.news.dialled(actor.leg.call_id)
        self._tell(LegSent(self.number, order.leg, actor.leg.call_id))
        await leg.actor.order(
            Invite(
                target=order.target,
                hop=order.hop,
                from_=order.from_,
                to=order.to,
                body=described.sdp,
                headers=(*self.news.identity.invite_headers(services.settings), *order.headers),
                auth=order.auth,
                via=order.flow,
                routes=order.routes,
            ),
        )

    def _contact(self, order: DialLeg) -> NameAddr:
        """Our Contact towards a hop that has no open way yet."""
        first = order.routes[0].uri if order.routes else order.hop
        return self.services.courier.contact_for(hop_of(first))

    async def _on_leg(self, leg: ChildLeg, fact: LegFact) -> None:
        match fact:
            case LegTrying():
                if not leg.tried:  # however often it is said, it is news once
                    leg.tried = True
                    self._tell(LegTried(self.number, leg.number))
            case LegProgressed():
                early = await self._early(leg, fact.tag, fact.body)
                if leg.rang is not early:  # as above
                    leg.rang = early
                    self._tell(LegRang(self.number, leg.number, fact.status, early))
            case LegAnswered():
                await self._answered(leg, fact)
            case LegRefused():
                leg.over = True
                leg.media.stop()
                why = leg.actor.unsent if fact.local else None
                if isinstance(why, TlsTooOld):
                    self.news.alert(32222, str(why))
                self._tell(
                    LegFailed(
                        child=self.number,
                        leg=leg.number,
                        status=fact.status,
                        headers=fact.headers,
                        contacts=fact.contacts,
                        local=fact.local,
                        why=str(why or ""),
                    )
                )
            case LegReoffered():
                told = await leg.media.reoffered(fact.body)
                if isinstance(told, Accept):
                    leg.remote = fact.body
                await leg.actor.order(told)
            case LegOfferAnswered():
                await self._settle(leg, fact.body)
            case LegRefreshed():
                await self._settle(leg, fact.answer, fact.offer)
            case LegEnded():
                self._gone(leg, fact.headers)
            case LegParted():
                self._tell(ByeAnswered(self.number, leg.number, fact.headers))
            case _:
                log.info("leg of a child", leg=leg.number, fact=type(fact).__name__)

    async def _early(self, leg: ChildLeg, tag: str | None, body: bytes | None) -> bool:
        """Whether there is early media to hear: of several forks, what the last one to describe any sends.

        One that only repeats itself (a lost 183, or the one of every minute) takes it from nobody.
        """
        news = body is not None and leg.forks.get(tag) != body and (tag in leg.forks or len(leg.forks) < MAX_FORKS)
        if body is not None and news:
            leg.forks[tag] = body
            if body != leg.remote and await leg.media.settle(body, leg.offer) is None:
                leg.remote = body
        return leg.remote is not None

    async def _answered(self, leg: ChildLeg, fact: LegAnswered) -> None:
        if fact.body is None:
            await self._unusable(leg, "the answer has no session description")
        elif fact.body == leg.remote or await self._settle(leg, fact.body, fact.local or leg.offer):
            self._picked_up(leg, fact)

    async def _settle(self, leg: ChildLeg, answer: bytes, offer: bytes | None = None) -> bool:
        """Take the callee's answer to `offer`, else to our last one; False for a bad one, which ends the leg."""
        problem = await leg.media.settle(answer, offer)
        if problem is None:
            leg.remote = answer
        else:
            await self._unusable(leg, problem)
        return problem is None

    async def _unusable(self, leg: ChildLeg, problem: str) -> None:
        self.news.alert(32102, problem)
        await leg.actor.order(Bye())

    def _picked_up(self, leg: ChildLeg, fact: LegAnswered) -> None:
        leg.answered = True
        core = leg.actor.leg
        self.news.answered(core.call_id, leg.actor.heard_from or "", fact.headers)
        self._tell(LegPickedUp(self.number, leg.number, fact.headers))

    def _gone(self, leg: ChildLeg, headers: Headers) -> None:
        if leg.over:
            return
        leg.over = True
        self._stop_screening(leg.number)
        leg.media.stop()
        self._tell(LegGone(self.number, leg.number, headers))

    async def _on_media(self, number: int, event: MediaEvent) -> None:
        leg = self._legs.get(number)
        match event:
            case Played() if event.id in self._keys:
                del self._keys[event.id]
                self._tell(LegKeysSent(self.number, number))
            case MediaSilent() if leg is not None and leg.answered:
                self.news.alert(32014, f"no audio was received for {event.for_s:g} s")
                await leg.actor.order(Bye('Q.850;cause=16;text="RTP timeout"'))
            case KeyExhausted():
                log.warning("the far end's SRTP key is used up", leg=number)
            case QualityMeasured():
                self.news.quality(event.stats)
            case DigitHeard():
                self.news.digit(event.digit, event.duration_ms)
                if self._listening:
                    self._tell_program(event)
            case _:
                self._tell_program(event)

    async def _press(self, order: PressKeys) -> None:
        leg = self._legs.get(order.leg)
        if leg is None or leg.over:
            self._tell(LegKeysSent(self.number, order.leg))
            return
        keys = SendDigits(f"keys-{order.leg}", order.digits)
        self._keys[keys.id] = order.leg
        await leg.media.order(keys)

    async def _hand_out(self, question: GetPlaneLeg) -> None:
        leg = self._legs.get(question.leg)
        if leg is None or leg.over:
            question.reply.fail(ActorGone(f"leg {question.leg}"))
            return
        with contextlib.suppress(ActorGone):
            await leg.media.ref.send(GetLeg(question.reply))
            return
        question.reply.fail(ActorGone(leg.media.ref.name))

    # --- screening -------------------------------------------------------------------------------------------

    def _screen(self, order: Screen) -> None:
        """Run the noun's document on this call; what it plays and hears is the leg's media."""
        program = ProgramActor.of_child(
            self.services,
            self.news.identity,
            self.mailbox.ref,
            self.news.notifications,
            order.url,
            order.method,
            order.functions,
        )
        self._program, self._screened_leg = program.mailbox.ref, order.leg
        self._start(program)

    def _stop_screening(self, number: int) -> None:
        if self._program is not None and self._screened_leg == number:
            self._program.offer(CallHungUp("hung-up"))

    def _tell_program(self, event: MediaEvent) -> None:
        if self._program is not None and not isinstance(event, MediaSilent | QualityMeasured):
            self._program.offer(event)  # type: ignore[arg-type]  # what is no fact of a program is passed over by it

    # --- parts -----------------------------------------------------------------------------------------------

    async def _on_down(self, down: Down) -> None:
        self._running.discard(down.name)
        if down.error is not None:
            self.news.crashed(down)
        for leg in self._legs.values():
            if down.name == leg.actor.mailbox.name:
                self._gone(leg, NO_HEADERS)
            elif down.name == leg.media.ref.name and down.error is not None and not leg.over:
                await leg.actor.order(Bye())

        if self._program is not None and down.name == self._program.name:
            self._program = None
            if down.error is not None and self._screened_leg is not None:
                self._tell(ChildScreened(self.number, self._screened_leg, "crash"))

    def _start(self, actor: Actor[M]) -> None:
        self._running.add(actor.mailbox.name)
        self._nest.start(actor, self._child_down)

    def _child_down(self, down: Down) -> None:
        if not self.mailbox.closed:
            self.mailbox.ref.post(down)

    async def _order(self, number: int, command: LegCommand) -> None:
        leg = self._legs.get(number)
        if leg is not None:
            await leg.actor.order(command)

    def _tell(self, fact: ChildFact) -> None:
        with contextlib.suppress(ActorGone):  # the parent is ending, and this call with it
            self.parent.post(fact)


def child_mailbox(sid: str) -> Mailbox[ChildInput]:
    return Mailbox(f"call {sid}", CAPACITY)
