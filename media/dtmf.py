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
    "LONGEST_SEGMENT",
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
LONGEST_SEGMENT: Final = 0xFFFF
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
    samples: int = attrs.field(default=0, eq=False)
    """The same length, exactly."""


DigitEvent: TypeAlias = DigitStarted | DigitEnded


@attrs.define(eq=False)
class _Press:
    """The event that is going on."""

    event: int
    ssrc: int
    timestamp: int
    """Of the event, or of its latest segment."""
    heard_at: float
    duration: int
    """Samples in the latest segment."""
    earlier: int = 0
    """Samples in the segments before."""

    @property
    def samples(self) -> int:
        return self.earlier + self.duration

    def ended(self) -> DigitEnded:
        return DigitEnded(DIGITS[self.event], self.samples // SAMPLES_PER_MS, self.samples)


@attrs.define(eq=False)
class DtmfReceiver:
    """Tells each press once, known by source and timestamp alone: marker bits get lost, and some never set them."""

    _press: _Press | None = None
    _done: deque[tuple[int, int]] = attrs.field(factory=lambda: deque(maxlen=_REMEMBERED))

    def receive(self, packet: RtpPacket, now: float) -> list[DigitEvent]:
        """Take a packet of the negotiated payload type; raises BadEvent when its payload is none."""
        heard: list[DigitEvent] = []
        timestamp = packet.timestamp
        for report in parse_events(packet.payload):
            if report.event < len(DIGITS):
                self._take(report, packet.ssrc, timestamp, now, heard)
            # What follows in the same packet began where this one stopped.
            timestamp = (timestamp + report.duration) & 0xFFFF_FFFF
        return heard

    @property
    def held_for(self) -> int:
        """Samples that the key which is down has been so, as far as was reported; 0 when none is."""
        return 0 if self._press is None else self._press.samples

    def wake_at(self) -> float:
        """When an event whose packets ceased counts as over; infinity while none is going on."""
        return math.inf if self._press is None else self._press.heard_at + _LOST_AFTER_S

    def wake(self, now: float) -> list[DigitEvent]:
        """End the event of which nothing was heard for too long; its length is the last one reported."""
        return self.finish() if self.wake_at() <= now else []

    def finish(self) -> list[DigitEvent]:
        """End the event that is going on, if any: the peer speaks again, or the call is over."""
        heard: list[DigitEvent] = []
        self._end(heard)
        return heard

    def _take(self, report: EventPayload, ssrc: int, timestamp: int, now: float, heard: list[DigitEvent]) -> None:
        press = self._press
        if press is not None and press.timestamp == timestamp and press.ssrc == ssrc:
            press.heard_at = now
            press.duration = max(press.duration, report.duration)  # packets may come out of order
        elif (ssrc, timestamp) in self._done:
            return
        elif (
            press is not None
            and press.ssrc == ssrc
            and press.event == report.event
            and distance32(timestamp, press.timestamp) == LONGEST_SEGMENT
        ):
            self._done.append((ssrc, press.timestamp))
            press.earlier += LONGEST_SEGMENT
            press.timestamp, press.duration, press.heard_at = timestamp, report.duration, now
        else:
            self._end(heard)
            self._press = _Press(report.event, ssrc, timestamp, now, report.duration)
            heard.append(DigitStarted(DIGITS[report.event]))
        if report.end:
            self._end(heard)

    def _end(self, heard: list[DigitEvent]) -> None:
        if self._press is not None:
            self._done.append((self._press.ssrc, self._press.timestamp))
            heard.append(self._press.ended())
            self._press = None


# ------------------------------------------------------------------------------------------------- sending

_PAUSES: Final = {"w": 25, "W": 50}
"""Frames of 20 ms: half a second and a second."""
_SENDABLE = re.compile(r"[0-9A-Da-d*#wW]*")
_END_COPIES: Final = 3
"""The end is sent three times, as any of them may be lost (RFC 4733 section 2.5.1.4)."""
_GAP_MIN_MS: Final = 40
_TONE_MAX_MS: Final = 8000
"""Below one segment of 0xFFFF samples, so that a digit of ours never needs a second one."""


def check_digits(digits: str) -> str:
    """The digits in their sendable spelling: 0-9, A-D, *, #, w (0.5 s pause), W (1 s pause); raises BadDigits."""
    if _SENDABLE.fullmatch(digits) is None:
        raise BadDigits(f"{digits[:40]!r} has characters other than 0-9, A-D, *, #, w and W")
    return digits.translate(str.maketrans("abcd", "ABCD"))


@attrs.frozen
class EventPacket:
    """What goes out in place of this tick's audio; sequence number and payload type are the stream's."""

    payload: bytes
    timestamp: int
    """Of the event's start, the same in all its packets."""
    marker: bool
    """Set on the first packet of each event (section 2.4)."""


@attrs.define(eq=False)
class DtmfSender:
    """Plays out queued digits, one packet each tick of 20 ms while a digit sounds, none in pauses."""

    tone_ms: int = attrs.field(default=100, validator=[attrs.validators.ge(40), attrs.validators.le(_TONE_MAX_MS)])
    """How long each digit lasts; rounded up to whole frames."""
    gap_ms: int = attrs.field(default=60, validator=attrs.validators.ge(_GAP_MIN_MS))
    """From the end of a digit to the start of the next; rounded up to whole frames."""
    volume: int = attrs.field(default=10, validator=[attrs.validators.ge(0), attrs.validators.le(63)])
    """Decibels below 0 dBm0."""
    _waiting: deque[str] = attrs.field(factory=deque, init=False)
    _event: int | None = attrs.field(default=None, init=False)
    _timestamp: int = attrs.field(default=0, init=False)
    _duration: int = attrs.field(default=0, init=False)
    _ends: int = attrs.field(default=0, init=False)
    _rest: int = attrs.field(default=0, init=False)

    @property
    def active(self) -> bool:
        """Whether anything is still to be sent or waited for."""
        return self._event is not None or bool(self._waiting) or self._rest > 0

    def queue(self, digits: str) -> None:
        """Append digits to what is being sent; raises BadDigits and then appends nothing."""
        self._waiting.extend(check_digits(digits))

    def cancel(self) -> None:
        """Forget what has not begun; a digit that sounds is ended properly over the next ticks."""
        self._waiting.clear()
        if self._event is None:
            self._rest = 0
        elif not self._ends:
            self._ends = -1  # the next packet is the first of its end copies

    def tick(self, timestamp: int) -> EventPacket | None:
        """The packet for the 20 ms that begin at `timestamp`; None means that audio goes out as usual."""
        if self._event is None and not self._begin(timestamp):
            return None
        assert self._event is not None, "_begin says whether it set one"
        marker = self._duration == 0
        if self._ends <= 0:  # it still sounds through these 20 ms; the copies of the end repeat its last duration
            self._duration += FRAME_SAMPLES
            if self._ends < 0 or self._duration >= self.tone_ms * SAMPLES_PER_MS:
                self._ends = 1
        else:
            self._ends += 1
        report = EventPayload(self._event, self._ends > 0, self.volume, self._duration)
        packet = EventPacket(report.build(), self._timestamp, marker)
        if self._ends == _END_COPIES:
            # The copies after the first have used up two ticks of the gap.
            gap = -(-self.gap_ms * SAMPLES_PER_MS // FRAME_SAMPLES)
            self._event, self._rest = None, gap - (_END_COPIES - 1)
        return packet

    def _begin(self, timestamp: int) -> bool:
        """Start the next digit, if one is due now."""
        if self._rest:
            self._rest -= 1
            return False
        if not self._waiting:
            return False
        digit = self._waiting.popleft()
        if digit in _PAUSES:
            self._rest = _PAUSES[digit] - 1
            return False
        self._event, self._timestamp = DIGITS.index(digit), timestamp & 0xFFFF_FFFF
        self._duration = self._ends = 0
        return True
