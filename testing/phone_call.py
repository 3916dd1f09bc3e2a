"""One call of a scripted phone: what a person does with it, and what has happened to it."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from ..actors.dialog import LegActor
from ..actors.mailbox import Mailbox, Ref
from ..actors.messages.call import CallMessage, LegNews
from ..actors.messages.leg import LegOrder
from ..actors.messages.media import MediaCommand
from ..media.events import DigitHeard
from ..media.sources import Source
from ..sip.dialog.events import (
    Answer,
    Bye,
    CancelInvite,
    Cause,
    LegAnswered,
    LegEnded,
    LegFact,
    LegOfferAnswered,
    LegOfferRefused,
    LegProgressed,
    LegRefused,
    LegReoffered,
    Offer,
    Refuse,
    Ring,
)
from ..sip.message import Request
from .handset import Handset


@attrs.define(eq=False)
class PhoneCall:
    """One call of a phone, seen from the person who holds it."""

    leg: LegActor
    mailbox: Mailbox[CallMessage]
    handset: Handset
    progress: list[int] = attrs.field(factory=list)
    """Provisional answers, in order."""
    facts: list[LegFact] = attrs.field(factory=list)
    status: int | None = None
    """Of the refusal; 200 once answered."""
    cause: Cause | None = None
    """Why an answered or cancelled call ended."""
    invite: Request | None = None
    """Of a call that came in."""
    _answered: trio.Event = attrs.field(factory=trio.Event)
    _over: trio.Event = attrs.field(factory=trio.Event)
    _settled: trio.Event = attrs.field(factory=trio.Event)

    # --- what a person does ----------------------------------------------------------------------------------

    async def ring(self, status: int = 180, *, early: bool = False) -> None:
        """Let a call that came in ring; `early`: with a session of ours, so that the caller hears what we `say`."""
        body = await self._describe() if early else None
        await self._order(Ring(status, body))

    async def pick_up(self, headers: tuple[tuple[str, str], ...] = ()) -> bool:
        """Answer a call that came in; False when it was over first."""
        await self._order(Answer(await self._describe(), headers))
        return await self.answered()

    async def decline(self, status: int = 486, headers: tuple[tuple[str, str], ...] = ()) -> None:
        await self._order(Refuse(status, None, headers))
        await self._over.wait()

    async def answered(self) -> bool:
        """Wait until the far end picks up (True) or the call is over (False)."""
        await self._answered.wait()
        return self.status == 200

    async def over(self) -> None:
        await self._over.wait()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    async def hang_up(self, headers: tuple[tuple[str, str], ...] = ()) -> None:
        await self._order(Bye(headers=headers))
        await self._over.wait()

    async def cancel(self) -> None:
        await self._order(CancelInvite())
        await self._over.wait()

    async def reoffer(self, edit: Callable[[bytes], bytes], *, new_key: bool = False) -> LegFact:
        """Offer anew, after `edit` has changed our description (to hold, say); the answer or the refusal.

        `new_key`: under another SRTP key, as many phones do each time.
        """
        described = await self.handset.offer_anew(new_key=new_key)
        self._settled = trio.Event()
        await self._order(Offer(edit(described)))
        await self._settled.wait()
        return self.facts[-1]

    async def _describe(self) -> bytes:
        """Our answer to the caller's offer (or our offer, where it made none)."""
        return await self.handset.describe(self.invite.body or None if self.invite is not None else None)

    async def _order(self, order: Ring | Answer | Refuse | Bye | CancelInvite | Offer) -> None:
        await self.leg.mailbox.ref.send(LegOrder(order))

    # --- what a person says and hears ------------------------------------------------------------------------

    @property
    def media(self) -> Ref[MediaCommand]:
        return self.handset.media

    @property
    def digits(self) -> list[DigitHeard]:
        """Keys that the far end pressed, in order."""
        return self.handset.digits

    async def say(self, source: Source) -> None:
        """Play something to the far end, to its end."""
        await self.handset.say(source)

    async def press(self, digits: str) -> None:
        """Press keys; returns when they have been sent."""
        await self.handset.press(digits)

    def heard(self) -> bytes:
        """All that has been heard so far: 8 kHz, signed 16-bit, silence included."""
        return self.handset.heard()

    async def hears(self, what: Callable[[bytes], bool]) -> bool:
        """Listen until `what` is true of all that was heard so far; False when the call ends first."""
        return await self.handset.hears(what, self._over)

    # --- what happens to it ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carries the call; runs in the phone."""
        while True:
            message = await self.mailbox.receive()
            if isinstance(message, LegNews):
                self.facts.append(message.fact)
                await self._on_leg(message.fact)
            else:
                self.handset.take(message)

    async def _on_leg(self, fact: LegFact) -> None:
        match fact:
            case LegProgressed():
                self.progress.append(fact.status)
                if fact.needs_answer:
                    await self._reoffered(fact.body)
                else:
                    await self.handset.settle_early(fact.body)
            case LegAnswered():
                if fact.needs_answer:
                    await self._reoffered(fact.body)
                elif fact.body is not None and not fact.early:
                    await self.handset.settle(fact.body)
                self.status = 200
                self._answered.set()
            case LegReoffered():
                await self._reoffered(fact.body)
            case LegOfferAnswered():
                await self.handset.settle(fact.body)
                self._settled.set()
            case LegOfferRefused():
                self._settled.set()
            case LegRefused():
                self.status = fact.status
                self._end()
            case LegEnded():
                self.cause = fact.cause
                self._end()
            case _:
                pass

    async def _reoffered(self, offer: bytes | None) -> None:
        await self.leg.mailbox.ref.send(LegOrder(await self.handset.answer(offer)))

    def _end(self) -> None:
        self.handset.hang_up()
        for event in (self._answered, self._settled, self._over):
            event.set()
