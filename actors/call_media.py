"""A call's dealings with its media actor: the two exchanges of descriptions, orders, and the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import attrs
import structlog

from ..media.errors import MediaError
from ..sip.dialog.events import Accept, RefuseOffer
from ..transport.errors import TransportError
from .mailbox import ActorGone, NoReply, Ref, Reply
from .messages.call_requests import AudioOrder
from .messages.lifecycle import Stop
from .messages.media import (
    Couple,
    LocalDescription,
    MakeOffer,
    MediaCommand,
    MediaPolicy,
    Prepare,
    Reoffer,
    Settle,
    Uncouple,
)

ANSWERS_WITHIN_S: Final = 5.0
"""Media only binds ports and reads a description; longer means that it is stuck."""

_Ask: TypeAlias = Callable[[Reply[LocalDescription]], MediaCommand]

log = structlog.get_logger(__name__)


@attrs.frozen
class NoDescription:
    """There is no session: refuse with this status."""

    status: int
    why: str


Described: TypeAlias = LocalDescription | NoDescription


@attrs.define(eq=False)
class CallMedia:
    """Knows the media actor by its `Ref` only; a media actor that has gone ends the call by its own news."""

    ref: Ref[MediaCommand]
    policy: MediaPolicy

    async def prepare(self, offer: bytes | None) -> Described:
        """Open the ports; our answer to the caller's offer, or our offer when there was none."""
        return await self._describe(lambda reply: Prepare(offer, self.policy, reply))

    async def reoffered(self, offer: bytes | None) -> Accept | RefuseOffer:
        """What the leg is told to do with a later offer of the far end's; None: it asked for one of ours."""
        described = await self._describe(MakeOffer if offer is None else lambda reply: Reoffer(offer, reply))
        if isinstance(described, NoDescription):
            return RefuseOffer(described.status)
        return Accept(described.sdp)

    async def settle(self, answer: bytes, offer: bytes | None = None) -> str | None:
        """Take the far end's answer to `offer` (our last one, where it is None); what is wrong with it, or None."""
        try:
            settled: Reply[None] = Reply(self.ref.name)
            await self.ref.send(Settle(answer, settled, offer))
            await settled.wait(ANSWERS_WITHIN_S)
        except MediaError as error:
            return str(error)
        except (NoReply, ActorGone) as error:
            log.error("media does not answer", why=str(error))
            return str(error)
        return None

    async def order(self, order: AudioOrder | Couple | Uncouple) -> None:
        try:
            await self.ref.send(order)
        except ActorGone:
            log.info("order to media that has ended", order=type(order).__name__)

    def stop(self) -> None:
        self.ref.offer(Stop("the call is over"))

    async def _describe(self, ask: _Ask) -> Described:
        try:
            return await self.ref.ask(ask, ANSWERS_WITHIN_S)
        except MediaError as error:
            return NoDescription(error.status, str(error))
        except (TransportError, NoReply, ActorGone) as error:
            log.error("no media for a call", why=str(error))
            return NoDescription(500, str(error))
