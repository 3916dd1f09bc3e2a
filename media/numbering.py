"""Our RTP stream of one leg: sequence numbers and timestamps, whoever made what they are put on.

Sound of our own comes by the step, 160 samples in each 20 ms. What is passed on from a coupled leg comes when its
sender sends it, and is counted down by the steps that follow, so that either kind goes on where the other stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from .frames import FRAME_SAMPLES
from .rtp import build_plain
from .stats import SenderStats

__all__ = ["PacketStream"]

_WRAP_ROOM: Final = 500
"""Packets, 10 s of them: so far before its wrap no numbering begins under a new key (see `under`)."""

_MOST_AHEAD: Final = 50 * FRAME_SAMPLES
"""1 s: so far packets that came in a bunch may lie ahead of our steps."""

_RECOVERY: Final = FRAME_SAMPLES // 10
"""By so much the stream counts as less far ahead with each step of our own: a new second of it in ten seconds."""


@attrs.define(eq=False)
class PacketStream:
    """Numbers packets and makes datagrams of them."""

    stats: SenderStats
    """Counts what is sent; its SSRC is the stream's."""
    sequence: int
    """Of the next packet."""
    timestamp: int
    """Of the next sample."""
    watch: Callable[[bytes], object] | None = None
    """Shown each packet before it is sealed."""
    _talking: bool = False
    """Whether the packet before this one was sent: the first after a pause carries the marker (RFC 3551 4.1)."""
    _ahead: int = 0
    """Samples that were passed on before their step came."""
    _seal: Callable[[bytes], bytes] | None = None
    """Makes SRTP of each packet; None while the media is clear."""

    @property
    def clock(self) -> int:
        """The timestamp of this moment, right after a step (for sender reports)."""
        return (self.timestamp - self._ahead) & 0xFFFF_FFFF

    def under(self, seal: Callable[[bytes], bytes] | None) -> None:
        """Protect packets that way from now on, or no longer.

        How often the numbers have wrapped goes into the protection but not into the packet: a receiver counts for
        itself, from the first packet that it gets under a key. Were those before the wrap lost, it would be wrong for
        the rest of the call. So a numbering that is near its wrap starts behind it.
        """
        self._seal = seal
        if seal is not None and self.sequence > 0xFFFF - _WRAP_ROOM:
            self.sequence = 0

    def packet(self, payload_type: int, timestamp: int, payload: bytes, marker: bool = False) -> bytes:
        """The next packet of our own; `marker` starts a digit, a talkspurt has its own of itself."""
        sequence = self.sequence
        self.sequence = (sequence + 1) & 0xFFFF
        marker = marker or not self._talking
        self._talking = True
        self.stats.sent(len(payload))
        packet = build_plain(payload_type, sequence, timestamp, self.stats.ssrc, payload, marker)
        return packet if self._seal is None and self.watch is None else self._finished(packet)

    @property
    def flooded(self) -> bool:
        """Whether more was passed on than a second of time, or two echoing peers, could bring: no more for now."""
        return self._ahead >= _MOST_AHEAD

    def pass_on(self, payload_type: int, sequence: int, timestamp: int, payload: bytes, marker: bool) -> bytes:
        """Another leg's packet with numbers that fit into this stream, and beyond those that have been sent."""
        size = len(payload)
        self.sequence = (sequence + 1) & 0xFFFF
        self.timestamp = (timestamp + size) & 0xFFFF_FFFF
        self._ahead += size
        self._talking = True
        self.stats.sent(size)
        packet = build_plain(payload_type, sequence, timestamp, self.stats.ssrc, payload, marker)
        return packet if self._seal is None and self.watch is None else self._finished(packet)

    def pass_late(self, payload_type: int, sequence: int, timestamp: int, payload: bytes) -> bytes:
        """A packet that others have overtaken, with the numbers that were left free for it."""
        self.stats.sent(len(payload))
        packet = build_plain(payload_type, sequence, timestamp, self.stats.ssrc, payload)
        return packet if self._seal is None and self.watch is None else self._finished(packet)

    def _finished(self, packet: bytes) -> bytes:
        """The datagram of a packet that is watched or sealed."""
        if self.watch is not None:
            self.watch(packet)
        return packet if self._seal is None else self._seal(packet)

    def step(self) -> None:
        """The 20 ms at `timestamp` have been filled by us."""
        self.timestamp = (self.timestamp + FRAME_SAMPLES) & 0xFFFF_FFFF
        if self._ahead:
            self._ahead = max(0, self._ahead - _RECOVERY)

    def wait(self, steps: int = 1) -> None:
        """Time has passed that is not ours to fill: it was passed on before, or is going to be, or is nobody's."""
        behind = steps * FRAME_SAMPLES - self._ahead
        if behind <= 0:
            # A little more than was due: the sender's clock may be faster than ours, all day long.
            self._ahead = max(0, -behind - steps)
        else:
            self._ahead = 0
            self.timestamp = (self.timestamp + behind) & 0xFFFF_FFFF

    def fall_silent(self) -> None:
        """Nothing is sent for a while: what follows is the start of a talkspurt."""
        self._talking = False
