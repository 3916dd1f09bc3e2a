"""One media leg as an actor: takes commands, negotiates SDP, and posts what the plane reports to its call.

Packets never pass through here; the plane carries them (`media/plane.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import attrs
import structlog
import trio

from ..media import sdp
from ..media.errors import MediaError
from ..media.events import MediaEvent, SetRemote
from ..media.g711 import LAWS
from ..media.plane import LegSpec, MediaIds, MediaPlane, PlaneLeg
from ..media.sdp.crypto import KEY_OCTETS, Keys
from ..media.sdp.model import SessionDescription
from ..media.sdp.negotiate import Agreed, LocalMedia
from ..media.sdp.securing import OFFERED_SUITE, need_new_key
from ..transport.errors import TransportError
from .actor import Actor
from .messages.media import (
    Couple,
    GetLeg,
    LocalDescription,
    MakeOffer,
    MediaCommand,
    MediaPolicy,
    Prepare,
    Reoffer,
    Settle,
    Stop,
    Uncouple,
)

CAPACITY: Final = 32
"""Of a media actor's mailbox: the call waits when it is full."""
LAST_EVENTS_S: Final = 5.0
"""How long a stopped leg waits for its recordings to be closed."""

log = structlog.get_logger(__name__)


class LegNotOpen(Exception):
    """A bug of ours: a command came before `Prepare`, or a second `Prepare`, or `Settle` without an offer."""


@attrs.define(eq=False)
class _Negotiation:
    """Whose turn it is, and what was said last (RFC 3264)."""

    local: LocalMedia
    signalled_from: str | None
    new_key: Callable[[], bytes]
    """Draws an SRTP master key; asked when the media is encrypted and a key must not be used any longer."""
    said: SessionDescription | None = None
    """The last description of ours that the peer has seen."""
    offered: SessionDescription | None = None
    """Our offer that is not answered yet."""
    offered_text: bytes = b""
    """As it was sent."""
    agreed: Agreed | None = None
    """What is in force; None before the first exchange."""

    @property
    def keys(self) -> Keys | None:
        """Those in force; None before the first exchange, and while the media is clear."""
        return None if self.agreed is None else self.agreed.keys

    def answer(self, theirs: SessionDescription) -> tuple[bytes, Agreed]:
        """Our answer to the peer's offer. Raises MediaError, and then nothing has changed."""
        if self.agreed is not None and sdp.switches_off(theirs):
            return self._switch_off(theirs, self.agreed)
        local = self.local
        description, agreed = sdp.answer(theirs, local)
        if need_new_key(self.keys, agreed.keys):
            local = attrs.evolve(local, key=self.new_key())
            description, agreed = sdp.answer(theirs, local)
        if self.said is not None and description != self.said:
            # Another description of the same session counts one up, the same one does not (RFC 3264 section 8).
            local = local.renewed()
            description, agreed = sdp.answer(theirs, local)
        self.local, self.said, self.offered, self.agreed = local, description, None, agreed
        return sdp.render(description), agreed

    def _switch_off(self, theirs: SessionDescription, agreed: Agreed) -> tuple[bytes, Agreed]:
        """A session may lose its audio and get it back (RFC 3264 sections 8.2, 8.1): a hold, in what it comes to."""
        description = sdp.answer_switched_off(theirs, self.local)
        if description != self.said:
            self.local = self.local.renewed()
            description = sdp.answer_switched_off(theirs, self.local)
        self.said, self.offered, self.agreed = description, None, attrs.evolve(agreed, send=False, receive=False)
        return sdp.render(description), self.agreed

    def offer(self, new_key: bool = False) -> bytes:
        """Our offer: the first one, or another for a re-INVITE without one."""
        if self.keys is not None and (new_key or self.keys.suite is not OFFERED_SUITE):
            # Our offers name one suite. If it is not the one in use, what follows is a new context, under a new key.
            self.local = attrs.evolve(self.local, key=self.new_key())
        description = sdp.offer(self.local, self.said)
        if self.said is not None and description != self.said:
            self.local = self.local.renewed()
            description = sdp.offer(self.local, self.said)
        self.said = self.offered = description
        self.offered_text = sdp.render(description)
        return self.offered_text

    def settle(self, answer: bytes, offer: bytes | None) -> Agreed:
        """What the peer's answer makes of our offer. Raises MediaError, and then nothing has changed."""
        offered = self.offered
        if offer is not None and (offered is None or offer != self.offered_text):
            offered = sdp.parse(offer)
        if offered is None:
            raise LegNotOpen("an answer came, but no offer of ours is open")
        answered = sdp.parse(answer)
        if self.agreed is not None and sdp.switches_off(offered):
            self.agreed = attrs.evolve(self.agreed, send=False, receive=False)
        else:
            self.agreed = sdp.accept(offered, answered, self.local)
        return self.agreed


class Listener(Protocol):
    """Whom a media actor tells; mostly the `Ref` of its call."""

    def post(self, message: MediaEvent) -> None: ...


@attrs.define(eq=False)
class MediaActor(Actor[MediaCommand]):
    """The media of one leg (policy REPORT). It is also the plane's listener: events go straight to the call.

    When the plane reports the leg broken, the actor fails with that very error.
    """

    plane: MediaPlane
    owner: Listener
    """The call."""
    ids: MediaIds
    leg: PlaneLeg | None = None
    _negotiation: _Negotiation | None = None
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _failure: Exception | None = None
    _stopped: bool = False

    async def run(self) -> None:
        with self._scope:
            await super().run()
        if self._failure is not None:
            raise self._failure

    # What the plane tells.

    def media_events(self, events: Sequence[MediaEvent]) -> None:
        for event in events:
            self.owner.post(event)

    def media_failed(self, error: Exception) -> None:
        self._failure = error
        self._scope.cancel()

    # What the call commands.

    async def handle(self, message: MediaCommand) -> None:
        match message:
            case Prepare():
                await self._prepare(message)
            case Reoffer():
                self._reoffer(message)
            case Settle():
                self._settle(message)
            case MakeOffer():
                message.reply.set(LocalDescription(self._negotiated().offer(message.new_key)))
            case GetLeg():
                message.reply.set(self._open_leg())
            case Couple():
                self.plane.couple(self._open_leg(), message.peer, one_way=message.one_way)
            case Uncouple():
                self.plane.uncouple(self._open_leg())
            case Stop():
                await self._stop()
            case _:
                self._open_leg().apply(message)

    async def _prepare(self, message: Prepare) -> None:
        if self.leg is not None:
            raise LegNotOpen("the leg has been prepared before")
        policy = message.policy
        spec = LegSpec(
            name=self.mailbox.name,
            bind_host=policy.bind_host,
            silent_after_s=policy.silent_after_s,
            watch=policy.watch,
        )
        try:
            # Read first: a peer that cannot be understood needs no ports.
            offer = None if message.offer is None else sdp.parse(message.offer)
            leg = await self.plane.open(spec, self)
        except (MediaError, TransportError) as error:
            message.reply.fail(error)
            return
        negotiation = _Negotiation(self._local_media(leg, policy), policy.signalled_from, self.ids.master_key)
        try:
            if offer is None:
                description = negotiation.offer()
            else:
                description, agreed = negotiation.answer(offer)
                leg.apply(SetRemote(agreed, policy.signalled_from))
        except MediaError as error:
            leg.close()
            message.reply.fail(error)
            return
        except BaseException:
            leg.close()
            raise
        self.leg, self._negotiation = leg, negotiation
        message.reply.set(LocalDescription(description))

    def _local_media(self, leg: PlaneLeg, policy: MediaPolicy) -> LocalMedia:
        return LocalMedia(
            address=policy.advertised_host,
            rtp_port=leg.rtp_address[1],
            rtcp_port=leg.rtcp_address[1],
            session_id=self.ids.session_id(),
            session_name=policy.session_name,
            laws=tuple(LAWS[name] for name in policy.codecs),
            key=self.ids.master_key() if policy.secure else None,
        )

    def _reoffer(self, message: Reoffer) -> None:
        negotiation = self._negotiated()
        try:
            description, agreed = negotiation.answer(sdp.parse(message.offer))
        except MediaError as error:
            message.reply.fail(error)
            return
        self._open_leg().apply(SetRemote(agreed, negotiation.signalled_from))
        message.reply.set(LocalDescription(description))

    def _settle(self, message: Settle) -> None:
        negotiation = self._negotiated()
        try:
            agreed = negotiation.settle(message.answer, message.offer)
        except MediaError as error:
            message.reply.fail(error)
            return
        self._open_leg().apply(SetRemote(agreed, negotiation.signalled_from))
        message.reply.set(None)

    async def _stop(self) -> None:
        self._stopped = True
        if self.leg is not None:
            self.leg.close()
            with trio.move_on_after(LAST_EVENTS_S) as patience:
                await self.leg.wait_closed()
            if patience.cancelled_caught:
                log.warning("recordings of a stopped leg are still being written", leg=self.leg.name)

    def finished(self) -> bool:
        return self._stopped

    def last_words(self) -> None:
        if self.leg is not None:
            self.leg.close()
            self.leg = None  # leg and actor know each other: parted, both go at once and not by a collection

    def _open_leg(self) -> PlaneLeg:
        if self.leg is None:
            raise LegNotOpen("the leg is not prepared yet")
        return self.leg

    def _negotiated(self) -> _Negotiation:
        if self._negotiation is None:
            raise LegNotOpen("the leg is not prepared yet")
        return self._negotiation


def _system_random() -> random.Random:
    return random.SystemRandom()


@attrs.define(eq=False)
class RandomMediaIds:
    """The `MediaIds` of life; with a seeded generator in place of the system's, the repeatable ones of a test."""

    generator: random.Random = attrs.field(factory=_system_random)

    def ssrc(self) -> int:
        return self.generator.getrandbits(32)

    def sequence(self) -> int:
        """Below 2**15, so that no stream wraps in its first minutes, which SRTP receivers cannot bear (RFC 3711)."""
        return self.generator.getrandbits(15)

    def timestamp(self) -> int:
        return self.generator.getrandbits(32)

    def master_key(self) -> bytes:
        """240 random bits (RFC 4568 section 7: from a cryptographic generator, which the system's is)."""
        return self.generator.getrandbits(8 * KEY_OCTETS).to_bytes(KEY_OCTETS, "big")

    def cname(self) -> str:
        """96 random bits (RFC 7022 section 4.2)."""
        return f"{self.generator.getrandbits(96):024x}"

    def session_id(self) -> int:
        return self.generator.getrandbits(62)

    def fraction(self) -> float:
        return self.generator.random()
