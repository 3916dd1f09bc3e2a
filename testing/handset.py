"""The media half of a scripted phone's call: what it describes, says, presses and hears."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio

from ..actors.mailbox import Ref, Reply
from ..actors.messages.lifecycle import Stop
from ..actors.messages.media import (
    LocalDescription,
    MakeOffer,
    MediaCommand,
    MediaPolicy,
    Prepare,
    Reoffer,
    Settle,
    Tap,
    Track,
)
from ..media.errors import MediaError
from ..media.events import DigitHeard, Play, Played, SendDigits
from ..media.sinks import Ring
from ..media.sources import Source
from ..sip.dialog.events import Accept, Refuse

HEARD_FRAMES: Final = 1_000_000
"""A call's worth of frames: nothing that a phone hears is dropped."""
WITHIN_S: Final = 5.0
"""How long the phone's own media actor may take to answer."""


@attrs.define(eq=False)
class Handset:
    """Drives the media actor of one call."""

    media: Ref[MediaCommand]
    policy: MediaPolicy
    digits: list[DigitHeard] = attrs.field(factory=list)
    _described: bytes | None = None
    _early: bytes | None = None
    """The last answer to our first offer."""
    _ring: Ring = attrs.field(factory=lambda: Ring(capacity=HEARD_FRAMES))
    _played: dict[str, trio.Event] = attrs.field(factory=dict)

    # --- session descriptions --------------------------------------------------------------------------------

    async def describe(self, offer: bytes | None) -> bytes:
        """Our answer to the far end's offer, or our offer where there is none; made once."""
        if self._described is None:
            described: LocalDescription = await self.media.ask(
                lambda reply: Prepare(offer, self.policy, reply), WITHIN_S
            )
            self._described = described.sdp
            await self.media.send(Tap(self._ring, Track.INBOUND))
        return self._described

    async def offer_anew(self, *, new_key: bool = False) -> bytes:
        """A later offer of ours; under another SRTP key when asked for."""
        described: LocalDescription = await self.media.ask(lambda reply: MakeOffer(reply, new_key), WITHIN_S)
        return described.sdp

    async def settle(self, answer: bytes) -> None:
        """Take the far end's answer to an offer of ours."""
        settled: Reply[None] = Reply("settle")
        await self.media.send(Settle(answer, settled))
        await settled.wait(WITHIN_S)

    async def settle_early(self, answer: bytes | None) -> None:
        """Take an answer to our first offer, unless its early media has said the same."""
        if answer is not None and answer != self._early:
            self._early = answer
            await self.settle(answer)

    async def answer(self, offer: bytes | None) -> Accept | Refuse:
        """What to say to a later offer of the far end; None asks for one of ours."""
        try:
            if offer is None:
                return Accept(await self.offer_anew())
            described: LocalDescription = await self.media.ask(lambda reply: Reoffer(offer, reply), WITHIN_S)
            return Accept(described.sdp)
        except MediaError as error:
            return Refuse(error.status)

    # --- what is said and heard ------------------------------------------------------------------------------

    async def say(self, source: Source) -> None:
        """Play something to the far end, to its end."""
        await self._play(Play(f"say-{len(self._played)}", source))

    async def press(self, digits: str) -> None:
        """Press keys; returns when they have been sent."""
        await self._play(SendDigits(f"press-{len(self._played)}", digits))

    async def _play(self, order: Play | SendDigits) -> None:
        done = self._played[order.id] = trio.Event()
        await self.media.send(order)
        await done.wait()

    def heard(self) -> bytes:
        """All that has been heard so far: 8 kHz, signed 16-bit, silence included."""
        return b"".join(self._ring._frames)

    async def hears(self, what: Callable[[bytes], bool], over: trio.Event) -> bool:
        """Listen until `what` is true of all that was heard so far; False when `over` comes first."""
        while not over.is_set():
            if what(self.heard()):
                return True
            await trio.sleep(0.1)
        return what(self.heard())

    # --- what happens to it ----------------------------------------------------------------------------------

    def take(self, message: object) -> None:
        """An event of the media actor."""
        if isinstance(message, Played):
            self._played[message.id].set()
        elif isinstance(message, DigitHeard):
            self.digits.append(message)

    def hang_up(self) -> None:
        """The call is over: the media ends, and nobody waits for it any more."""
        self.media.offer(Stop("over"))
        for event in self._played.values():
            event.set()
