"""Arithmetic on counters that wrap: RTP sequence numbers (16 bits) and timestamps (32 bits)."""

from __future__ import annotations

__all__ = ["distance16", "distance32"]


def distance16(newer: int, older: int) -> int:
    """How far `newer` lies ahead of `older`, -32768 to 32767, the short way round."""
    return ((newer - older + 0x8000) & 0xFFFF) - 0x8000


def distance32(newer: int, older: int) -> int:
    """How far `newer` lies ahead of `older`, -2**31 to 2**31 - 1, the short way round."""
    return ((newer - older + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
