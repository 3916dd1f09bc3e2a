"""One direction of a coupling: what one leg's peer sends, on its way to the other leg's peer.

Audio passes straight through wherever it can: a packet that comes is a packet that goes, at once, under our own
numbers. Its octets are the same when both legs speak one law; between the two laws each octet is replaced by a table,
which is what decoding and encoding it would give. No playout buffer is in the way, as the far end has one anyhow.

- Losses stay visible: a gap in the numbers that come is a gap in those that go, so that the far end conceals what is
  missing and does not play on over it. A packet that was overtaken takes the number that was left free for it. Copies
  are dropped. What cannot be told from a new beginning (another SSRC, another numbering, timestamps that do not fit)
  goes on without a gap.
- Not faster than real time, but for a second that came late: a flood at one leg is none at the other, and between two
  peers that echo what they hear no packet runs in circles as fast as it can.
- While the leg plays something of its own, or sends digits, nothing passes; afterwards the next packet does.
- When nothing has come for `FLOW_S`, the leg sends silence of its own, as it does when it is not coupled: the far end
  cannot tell a quiet leg from a broken one, and NATs forget who does not speak.

Audio that comes in packets of another length than the far end asks for (a=ptime) goes through the playout buffer,
frame by frame, and is packed anew on the far leg's beat. So does what the far leg's recordings and taps hear.

Keys are not passed packet by packet but press by press (`keys.py`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from .frames import Frame
from .g711 import Law
from .rtp import RtpPacket
from .sequence import distance16
from .sinks import Ring
from .speaking import NOTHING, Outgoing, Speaking

__all__ = ["FLOW_S", "Relay"]

FLOW_S: Final = 0.2
"""For so long after its last packet a stream counts as flowing."""
_MOST_WAITING: Final = 2
"""Frames that may wait for the far leg. Both are on one beat, so more is left over from a stall and only delay."""
_MOST_LOST: Final = 10
"""Packets in a row whose loss is shown to the far end; more is a new beginning."""
_MOST_OVERTAKEN: Final = 64
"""How far behind the newest a packet may come."""
_SEEN_MASK: Final = (1 << _MOST_OVERTAKEN) - 1


@functools.cache
def _table(come: Law, go: Law) -> bytes:
    """For each octet of one law, that of the other."""
    return go.encode(come.decode(bytes(range(256))))


@attrs.define(eq=False)
class Relay:
    """From one leg's listening half to another's speaking half."""

    speaking: Speaking
    """The far leg's."""
    changed: Callable[[], None]
    """Called when `wants_frames` may have changed."""
    _ring: Ring = attrs.field(factory=Ring, init=False)
    _straight: bool = attrs.field(default=True, init=False)
    """Whether packets pass as they are; else frames do."""
    _tapped: bool = attrs.field(default=False, init=False)
    """Whether the far leg's sinks want to hear what it says."""
    _size: int = attrs.field(default=0, init=False)
    """Octets in the packets that come; 0 before the first."""
    _odd: int = attrs.field(default=0, init=False)
    """Octets in the last packet, when it was of another length."""
    _heard_at: float = attrs.field(default=-math.inf, init=False)
    _ssrc: int | None = attrs.field(default=None, init=False)
    """Of the stream that is passing; None when the next packet begins anew."""
    _sequence: int = attrs.field(default=0, init=False)
    """Of the newest packet that came."""
    _due: int = attrs.field(default=0, init=False)
    """The timestamp that should come next."""
    _next: int = attrs.field(default=0, init=False)
    """Our number for the next; another one stands there when the far leg has sent packets of its own meanwhile."""
    _shift: int = attrs.field(default=0, init=False)
    """Our timestamps minus those that come."""
    _seen: int = attrs.field(default=0, init=False)
    """Bit n: the packet n before the newest has come, or came before these numbers began."""
    _pressing: bool = attrs.field(default=False, init=False)
    """Whether the key that is down is one that passes."""

    # ------------------------------------------------------------------------------------- audio comes in

    def audio(self, packet: RtpPacket, law: Law, now: float) -> Sequence[Outgoing]:
        """A packet of audio has come: what is to be sent at once because of it, from the far leg."""
        payload = packet.payload
        size = len(payload)
        if size != self._size or self._odd:
            self._measure(size)
        resumed = now - self._heard_at >= FLOW_S
        self._heard_at = now
        if not self._straight:
            return NOTHING
        speaking = self.speaking
        destination = speaking.open_to
        if destination is None:
            self._ssrc = None
            return NOTHING
        if law is not speaking.law:
            payload = payload.translate(_table(law, speaking.law))
        stream = speaking.stream
        if stream.flooded:
            return NOTHING
        payload_type = speaking.payload_type
        ahead = distance16(packet.sequence, self._sequence)
        sequence: int | None
        if packet.ssrc != self._ssrc or stream.sequence != self._next:
            ahead, sequence = 0, None
        elif ahead == 1 and packet.timestamp == self._due:  # nearly every packet there is
            sequence = self._next
        elif 1 < ahead <= _MOST_LOST and packet.timestamp == (self._due + (ahead - 1) * size) & 0xFFFF_FFFF:
            sequence = (self._next + ahead - 1) & 0xFFFF
        elif -_MOST_OVERTAKEN < ahead <= 0:
            if self._seen >> -ahead & 1:
                return NOTHING
            self._seen |= 1 << -ahead
            timestamp = (packet.timestamp + self._shift) & 0xFFFF_FFFF
            late = stream.pass_late(payload_type, (self._next - 1 + ahead) & 0xFFFF, timestamp, payload)
            return ((late, destination),)
        else:
            sequence = None
        marker = packet.marker
        if sequence is None:
            marker = marker or resumed or packet.ssrc != self._ssrc
            sequence = self._begin(packet)
        else:
            self._seen = (self._seen << ahead | 1) & _SEEN_MASK
        self._sequence = packet.sequence
        self._due = (packet.timestamp + size) & 0xFFFF_FFFF
        self._next = (sequence + 1) & 0xFFFF
        timestamp = (packet.timestamp + self._shift) & 0xFFFF_FFFF
        return ((stream.pass_on(payload_type, sequence, timestamp, payload, marker), destination),)

    def _begin(self, packet: RtpPacket) -> int:
        """Fit a stream in behind what the far leg has sent; its first number."""
        self.speaking.drop_held()
        stream = self.speaking.stream
        self._ssrc = packet.ssrc
        self._shift = stream.timestamp - packet.timestamp
        self._seen = _SEEN_MASK
        return stream.sequence

    def _measure(self, size: int) -> None:
        """A packet of another length: one alone may be the end of something, two of them are a habit."""
        if size == self._size:
            self._odd = 0
        elif self._size and size != self._odd:
            self._odd = size
        else:
            self._size, self._odd = size, 0
            self.settle()

    def settle(self) -> None:
        """Find out whether packets can pass as they are: after they, or what the far end asks for, have changed."""
        straight = self._size in (0, self.speaking.packet_octets)
        if straight is not self._straight:
            self._straight = straight
            self._ssrc = None
            self.changed()

    def restart(self) -> None:
        """The far leg's stream has another key: what was overtaken before stays behind with the old one."""
        self._ssrc = None

    def cease(self) -> None:
        """No audio is to be expected: the peer said that it is silent, or may not speak."""
        self._heard_at = -math.inf

    # ------------------------------------------------------------------------------------------- in frames

    @property
    def wants_frames(self) -> bool:
        """Whether what comes must be played out into `write`."""
        return self._tapped or not self._straight

    def tap(self, on: bool) -> None:
        """Whether somebody at the far leg listens to what it says."""
        if on is not self._tapped:
            self._tapped = on
            self.changed()

    def write(self, frame: Frame) -> None:
        self._ring.write(frame)

    def take(self) -> Frame | None:
        """The far leg's step: a frame, if there is one."""
        return self._ring.take_newest(_MOST_WAITING)

    def carries(self, now: float) -> bool:
        """Whether the far leg is to say nothing of its own, as packets pass."""
        return self._straight and now - self._heard_at < FLOW_S

    # ------------------------------------------------------------------------------------------------ keys

    def press(self, digit: str) -> None:
        """A key went down; where nobody listens it is not made up for later."""
        self._pressing = self.speaking.destination is not None and self.speaking.keys.press(digit)

    def hold(self, samples: int, now: float) -> None:
        """An event packet came; the key that is down, if one is, has been so for that long.

        Whose key is down sends no audio, and is there all the same.
        """
        self._heard_at = now
        self._next = -1  # events have taken some of the numbers that came: no gap can be told from them
        if self._pressing:
            self.speaking.keys.hold(samples)

    def release(self, samples: int) -> None:
        """The key that is down has come up after so long."""
        if self._pressing:
            self.speaking.keys.hold(samples)
            self.speaking.keys.release()
            self._pressing = False

    def close(self) -> None:
        """The legs are parted: a key that is down comes up."""
        if self._pressing:
            self.speaking.keys.release()
            self._pressing = False
