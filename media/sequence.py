"""Arithmetic on counters that wrap: RTP sequence numbers (16 bits) and timestamps (32 bits)."""

from __future__ import annotations

import attrs

__all__ = ["Unwrapped", "distance16", "distance32"]


def distance16(newer: int, older: int) -> int:
    """How far `newer` lies ahead of `older`, -32768 to 32767, the short way round."""
    return ((newer - older + 0x8000) & 0xFFFF) - 0x8000


def distance32(newer: int, older: int) -> int:
    """How far `newer` lies ahead of `older`, -2**31 to 2**31 - 1, the short way round."""
    return ((newer - older + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000


@attrs.define(eq=False)
class Unwrapped:
    """Makes one endless number of a counter of `bits` bits (RFC 3550 A.1's cycles), going either way."""

    bits: int
    last: int | None = None
    """The endless form of the number that was given last; None before the first."""

    def follow(self, value: int) -> int:
        """The endless form of `value`: the one nearest to the number given last."""
        if self.last is None:
            self.last = value
        else:
            half = 1 << (self.bits - 1)
            self.last += ((value - self.last + half) & ((1 << self.bits) - 1)) - half
        return self.last
