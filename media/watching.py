"""Shows the packets of one leg to somebody else, in the clear: as they are behind SRTP when they come, before it when
they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs

from .events import Address

PacketWatch: TypeAlias = Callable[[bool, bool, bytes, Address, Address], object]
"""Told whether we sent it, whether it is of RTCP, the packet, our address and the other. Must not wait nor raise."""


@attrs.frozen
class Watching:
    """One leg with its two ports."""

    tell: PacketWatch
    rtp: Address
    """Where its sockets are bound."""
    rtcp: Address

    def heard(self, packet: bytes, source: Address) -> None:
        self.tell(False, False, packet, self.rtp, source)

    def said(self, packet: bytes, target: Address) -> None:
        self.tell(True, False, packet, self.rtp, target)

    def heard_report(self, packet: bytes, source: Address) -> None:
        self.tell(False, True, packet, self.rtcp, source)

    def said_report(self, packet: bytes, target: Address) -> None:
        self.tell(True, True, packet, self.rtcp, target)
