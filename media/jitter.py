"""The playout buffer: packets in as the network brings them, one frame out each 20 ms, whatever happens in between."""

from __future__ import annotations

import enum

import attrs

from .frames import Frame
from .rtp import RtpPacket

__all__ = ["Arrival", "JitterBuffer", "PlayoutCounts", "PlayoutRules"]


class Arrival(enum.Enum):
    """What became of a packet."""

    QUEUED = "queued"
    LATE = "late"
    """Its place has been played already."""
    DUPLICATE = "duplicate"
    STRAY = "stray"
    """Its sequence number is far off; the next in line shows whether the stream begins anew (RFC 3550 A.1)."""


@attrs.frozen
class PlayoutRules:
    """Bounds of the delay, milliseconds."""

    initial_ms: int = 40
    lowest_ms: int = 20
    highest_ms: int = 200


@attrs.define(eq=False)
class PlayoutCounts:
    """Since the buffer was made."""

    played: int = 0
    """Frames that came (also in part) from the peer."""
    concealed: int = 0
    """Frames made up because a packet was lost or late."""
    stretched: int = 0
    """Of those: frames put in to gain delay."""
    dropped: int = 0
    """Frames taken out to lose delay, or for lack of room."""
    late: int = 0
    duplicate: int = 0
    restarts: int = 0
    """New sources, timestamp jumps, sequence restarts."""
