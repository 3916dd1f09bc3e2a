"""Telephone events (RFC 4733): digits out of a peer's packets, and digits into ours."""

from __future__ import annotations

import math
import re
import struct
from collections import deque
from typing import Final, TypeAlias

import attrs

from .errors import BadDigits, BadEvent
from .frames import FRAME_SAMPLES, SAMPLES_PER_MS
from .rtp import RtpPacket
from .sequence import distance32

__all__ = [
    "DIGITS",
    "FLASH",
    "DigitEnded",
    "DigitEvent",
    "DigitStarted",
    "DtmfReceiver",
    "DtmfSender",
    "EventPacket",
    "EventPayload",
    "check_digits",
]

DIGITS: Final = "0123456789*#ABCD!"
"""The character of each event code 0 to 16 (RFC 4733 section 3.2)."""
FLASH: Final = "!"
"""What a hook flash (event 16) reads as."""

# |     event     |E|R| volume    |          duration             |     RFC 4733 section 2.3
_EVENT = struct.Struct("!BBH")
_END: Final = 0x80
_LONGEST: Final = 0xFFFF
"""Samples in one segment of a long event; the next goes on from there (section 2.5.1.3)."""
_LOST_AFTER_S: Final = 0.2
"""An event that no packet has mentioned for so long is over: three packets of 60 ms, the longest that we accept."""
_REMEMBERED: Final = 64
"""Finished events whose late copies are known as such."""


@attrs.frozen
class EventPayload:
    """One event report as it stands in a packet."""

    event: int
    end: bool
    volume: int
    """Below 0 dBm0, in dB, 0 to 63."""
    duration: int
    """Samples since the event's (or this segment's) timestamp."""

    def build(self) -> bytes:
        """The four octets."""
        return _EVENT.pack(self.event, (_END if self.end else 0) | self.volume, self.duration)


def parse_events(payload: bytes) -> list[EventPayload]:
    """Read a payload: one report, or several that follow on one another (section 2.5.1.5)."""
    if not payload or len(payload) % _EVENT.size:
        raise BadEvent(f"{len(payload)} octets are no telephone-event payload")
    return [
        EventPayload(event, bool(flags & _END), flags & 0x3F, duration)
        for event, flags, duration in _EVENT.iter_unpack(payload)
    ]


@attrs.frozen
class DigitStarted:
    """The peer pressed a key; said once per press, when the first packet of it arrives, whichever that is."""

    digit: str


@attrs.frozen
class DigitEnded:
    """The key came up again, or its packets ceased; follows its DigitStarted, at once if all but the end was lost."""

    digit: str
    duration_ms: int


DigitEvent: TypeAlias = DigitStarted | DigitEnded
