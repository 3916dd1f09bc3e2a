"""Registry: what lives now. Written by the owner that starts and ends an actor, read by whoever routes or lists.

A SIP message finds its leg by Call-ID *and* our tag, else by its server transaction, never by Call-ID alone: a stranger
who knows a Call-ID, or an INVITE that spirals back to us, must not reach a leg.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Hashable

import attrs
import trio

from .mailbox import Ref
from .messages.call_requests import HangUp
from .messages.leg import LegMessage


@attrs.frozen
class CallView:
    """The picture a call last published of itself, so that a list of calls asks nobody."""

    sid: str
    account: str
    direction: str
    from_: str
    to: str
    status: str
    started_at: datetime.datetime
    """UTC."""
    domain: str | None = None
    answered_at: datetime.datetime | None = None


@attrs.define(eq=False)
class CallEntry:
    ref: Ref[HangUp]
    view: CallView


@attrs.define(eq=False)
class Registry:
    """Live calls by SID; legs by Call-ID and local tag; open server transactions by key."""

    calls: dict[str, CallEntry] = attrs.field(factory=dict)
    legs: dict[tuple[str, str], Ref[LegMessage]] = attrs.field(factory=dict)
    transactions: dict[Hashable, Ref[LegMessage]] = attrs.field(factory=dict)
    """INVITE server transactions of legs, for what arrives without our tag: copies of the INVITE and its CANCEL."""
    invites: dict[tuple[str, str, int], Hashable] = attrs.field(factory=dict)
    """(Call-ID, From tag, CSeq number) of INVITEs being served: a second branch of one is merged (8.2.2.2)."""
    draining: bool = False
    """Whether new calls are refused."""
    _emptied: trio.Event = attrs.field(factory=trio.Event)

    def add_call(self, sid: str, ref: Ref[HangUp], view: CallView) -> None:
        self.calls[sid] = CallEntry(ref, view)

    def drop_call(self, sid: str) -> None:
        self.calls.pop(sid, None)
        if not self.calls:
            self._emptied.set()
            self._emptied = trio.Event()

    def add_leg(self, call_id: str, local_tag: str, ref: Ref[LegMessage]) -> None:
        self.legs[(call_id, local_tag)] = ref

    def drop_leg(self, call_id: str, local_tag: str) -> None:
        self.legs.pop((call_id, local_tag), None)

    async def wait_no_calls(self, until: float = math.inf) -> bool:
        """Whether the last call was gone by `until` (trio seconds)."""
        with trio.move_on_at(until):
            while self.calls:
                await self._emptied.wait()
        return not self.calls
