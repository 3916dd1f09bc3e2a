"""Keys that were pressed at a coupled leg, pressed again here: as telephone-events (RFC 4733), or as their two tones.

They are not forwarded packet by packet: the network between the presser and us may have lost or doubled any of them.
What is known of a press (that it began, how long it has lasted, that it is over) goes in, and a press with first
packet, updates and three ends of its own comes out, beginning at the next step and as long as the original.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from . import pcm, tones
from .dtmf import DIGITS, FLASH, LONGEST_SEGMENT, EventPacket, EventPayload
from .frames import FRAME_BYTES, FRAME_SAMPLES, SAMPLE_BYTES, SAMPLES_PER_MS, SILENCE, Frame

__all__ = ["PassedKeys"]

_MOST_WAITING: Final = 32
"""Presses that may wait for those before them; nobody types so fast, and what would is no person."""
_END_COPIES: Final = 3
"""RFC 4733 section 2.5.1.4."""
_VOLUME: Final = 10
"""Decibels below 0 dBm0."""
_LEAST_TONE: Final = 60 * SAMPLES_PER_MS
"""A detector of tones needs 40 ms (ITU-T Q.24); a shorter event is made that long."""
_GAP_STEPS: Final = 3
"""Between two tones, so that the same key twice is heard twice: 60 ms."""
_RAMP: Final = 3 * SAMPLES_PER_MS
"""Samples over which a tone rises and falls, without which it would click."""


@attrs.define(eq=False)
class _Press:
    digit: str
    samples: int = 0
    """How long it has lasted as far as is known."""
    over: bool = False

    @property
    def length(self) -> int:
        """Never nothing: a duration of 0 would say that the event has no end (RFC 4733 section 2.3.5)."""
        return max(self.samples, FRAME_SAMPLES)


@attrs.define(eq=False)
class PassedKeys:
    """The presses to be made, one after the other; asked once a step for an event packet or for a tone."""

    _presses: deque[_Press] = attrs.field(factory=deque)
    _elapsed: int = 0
    """Samples of the first press that are played; 0 before it has begun."""
    _timestamp: int = 0
    """Of the press, or of its present segment."""
    _earlier: int = 0
    """Samples in the segments before."""
    _told: int = 0
    """Duration in the last packet, segments before included."""
    _ends: int = 0
    _rest: int = 0
    """Steps without a tone after one."""

    @property
    def active(self) -> bool:
        """Whether a press is being made, or waits."""
        return bool(self._presses) or self._rest > 0

    # What is known of the presses.

    def press(self, digit: str) -> bool:
        """A key went down; False when so many wait that this one is not made."""
        if len(self._presses) >= _MOST_WAITING:
            return False
        self._presses.append(_Press(digit))
        return True

    def hold(self, samples: int) -> None:
        """The key that went down last has been down for so long."""
        if self._presses and not self._presses[-1].over:
            press = self._presses[-1]
            press.samples = max(press.samples, samples)

    def release(self) -> None:
        """It came up again."""
        if self._presses:
            self._presses[-1].over = True

    def forget(self) -> None:
        """Nobody is there to hear keys."""
        self._presses.clear()
        self._elapsed = self._ends = self._rest = 0

    # What is sent of them.

    def event(self, timestamp: int) -> EventPacket | None:
        """The packet for the step at `timestamp`; None when there is nothing new to say of a key that is down."""
        self._rest = 0
        if not self._presses:
            return None
        press = self._presses[0]
        begins = not self._elapsed
        if begins:
            self._timestamp, self._earlier, self._told, self._ends = timestamp, 0, 0, 0
        if not self._ends:
            self._elapsed += FRAME_SAMPLES
            total = min(press.length, self._elapsed)
            if total - self._earlier > LONGEST_SEGMENT:
                return self._close_segment(press)
            if press.over and total == press.length:
                self._ends = 1
            elif total == self._told:
                return None
            self._told = total
        else:
            self._ends += 1
        packet = self._packet(press, self._told - self._earlier, marker=begins)
        if self._ends == _END_COPIES:
            self._next()
        return packet

    def _close_segment(self, press: _Press) -> EventPacket:
        """The last report of a segment that is full; the next begins where it stops (section 2.5.1.3)."""
        packet = self._packet(press, LONGEST_SEGMENT, marker=False)
        self._earlier += LONGEST_SEGMENT
        self._timestamp = (self._timestamp + LONGEST_SEGMENT) & 0xFFFF_FFFF
        return packet

    def _packet(self, press: _Press, duration: int, marker: bool) -> EventPacket:
        payload = EventPayload(DIGITS.index(press.digit), self._ends > 0, _VOLUME, duration)
        return EventPacket(payload.build(), self._timestamp, marker)

    def tone(self) -> Frame | None:
        """The sound of the next step, silence between two tones; None when the line is free for other sound."""
        if self._rest:
            self._rest -= 1
            return SILENCE if self._presses else None
        while self._presses and self._presses[0].digit == FLASH:  # a flash has no sound
            self._next()
        if not self._presses:
            return None
        press, start = self._presses[0], self._elapsed
        self._elapsed += FRAME_SAMPLES
        end = max(press.length, _LEAST_TONE) if press.over else self._elapsed
        frame = _sound(press.digit, start, min(end, self._elapsed), last=end <= self._elapsed and press.over)
        if press.over and end <= self._elapsed:
            self._next()
            self._rest = _GAP_STEPS
        return frame

    def _next(self) -> None:
        self._presses.popleft()
        self._elapsed = self._ends = 0


def _sound(digit: str, start: int, stop: int, last: bool) -> Frame:
    """A frame of a key's tones from sample `start` on; from `stop` on it is silent."""
    second = tones.dtmf_second(digit)
    at = start * SAMPLE_BYTES % len(second)
    samples = (second[at : at + FRAME_BYTES] + second[:FRAME_BYTES])[:FRAME_BYTES]
    samples = samples[: max(0, stop - start) * SAMPLE_BYTES]
    ramp = _RAMP * SAMPLE_BYTES
    if start == 0:
        samples = pcm.faded(samples[:ramp], 0, 1) + samples[ramp:]
    if last and samples:
        samples = samples[:-ramp] + pcm.faded(samples[-ramp:], 1, 0)
    return samples.ljust(FRAME_BYTES, b"\0")
