"""The playout buffer: packets in as the network brings them, one frame out each 20 ms, whatever happens in between."""

from __future__ import annotations

import bisect
import enum
import math
from typing import Final

import attrs

from . import pcm
from .conceal import FADE_SAMPLES, Concealer
from .frames import (
    FRAME_BYTES,
    FRAME_MS,
    FRAME_SAMPLES,
    SAMPLE_BYTES,
    SAMPLE_RATE_HZ,
    SAMPLES_PER_MS,
    SILENCE,
    Frame,
)
from .rtp import RtpPacket
from .sequence import distance16, distance32
from .transit import Transit

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
    """Frames made up, in whole or in part, because a packet was lost or late."""
    stretched: int = 0
    """Of those: frames put in to gain delay."""
    dropped: int = 0
    """Frames taken out to lose delay, or for lack of room."""
    late: int = 0
    duplicate: int = 0
    restarts: int = 0
    """New sources, timestamp jumps, sequence restarts."""


_MAX_DROPOUT: Final = 3000
_MAX_MISORDER: Final = 100
"""How far a sequence number may be ahead and behind (RFC 3550 A.1)."""
_SEEN_MASK: Final = (1 << _MAX_MISORDER) - 1
_MOST_CHUNKS: Final = 256
_WINDOW_TICKS: Final = 50
_URGENT_TICKS: Final = 10
_PATIENCE_TICKS: Final = 25
"""How long a change of the delay waits for a quiet frame in which nobody hears it."""
_QUIET_RMS: Final = 250


def _transit_of(buffer: JitterBuffer) -> Transit:
    """Before anything is known of the network, the initial delay is taken for the right one."""
    rules = buffer.rules
    return Transit(float(rules.highest_ms * SAMPLES_PER_MS), float((rules.initial_ms - FRAME_MS) * SAMPLES_PER_MS))


@attrs.define(eq=False)
class JitterBuffer:
    """Lays packets on a line of samples by their timestamps and plays along it, a frame a tick.

    The line never wraps and never jumps: whatever breaks in the stream (a new source, a leap of the timestamps, a new
    talkspurt at another delay) is laid down right behind what is still to be played. The delay is what lies between
    the place being played and the end of the line. It grows when playout has to wait for a late packet, and by
    repeated frames; it shrinks by merging two frames into one. All of that happens in quiet frames where possible.
    """

    rules: PlayoutRules = attrs.field(factory=PlayoutRules)
    counts: PlayoutCounts = attrs.field(factory=PlayoutCounts, init=False)
    _ssrc: int | None = attrs.field(default=None, init=False)
    _sequence: int = attrs.field(default=0, init=False)
    """Endless, of the newest packet; `_timestamp` and `_position` are the same packet's."""
    _timestamp: int = attrs.field(default=0, init=False)
    _position: int = attrs.field(default=0, init=False)
    _media: int = attrs.field(default=0, init=False)
    """Endless timestamp of the newest packet since the last restart."""
    _seen: int = attrs.field(default=0, init=False)
    """Bit n: the packet n before the newest has come."""
    _restart_at: int | None = attrs.field(default=None, init=False)
    """The sequence number that would prove a restart after a stray one."""
    _chunks: list[tuple[int, int, bytes]] = attrs.field(factory=list, init=False)
    """(place on the line, endless sequence number, samples), in order; no samples is comfort noise."""
    _cursor: int = attrs.field(default=0, init=False)
    """The place on the line that is played next."""
    _tail: int = attrs.field(default=0, init=False)
    """Where the line ends."""
    _played: int | None = attrs.field(default=None, init=False)
    """Endless sequence number of what was played last."""
    _hush: bool = attrs.field(default=True, init=False)
    """Nothing has come yet, or the peer said it would be silent: missing sound is no loss."""
    _debt: int = attrs.field(default=0, init=False)
    """Samples that playout has waited at this place."""
    _conceal: Concealer = attrs.field(factory=Concealer, init=False)
    _transit: Transit = attrs.field(default=attrs.Factory(_transit_of, takes_self=True), init=False)
    _ticks: int = attrs.field(default=0, init=False)
    _least: int = attrs.field(default=1 << 30, init=False)
    """The shortest line after a tick within the window."""
    _adjust: int = attrs.field(default=0, init=False)
    """1: take a frame out, -1: put one in, 0: all is well."""
    _patience: int = attrs.field(default=0, init=False)

    @property
    def target_ms(self) -> float:
        """The delay aimed at, from the arrival of a punctual packet to its end being played."""
        return min(max(FRAME_MS + self._transit.peak / SAMPLES_PER_MS, self.rules.lowest_ms), self.rules.highest_ms)

    @property
    def delay_ms(self) -> float:
        """What is on the line and not yet played."""
        return max(0, self._tail - self._cursor) / SAMPLES_PER_MS

    # ---------------------------------------------------------------------------------------------- in

    def put(self, packet: RtpPacket, samples: bytes, now: float) -> Arrival:
        """Lay down a packet whose payload decodes to `samples` (s16; empty for comfort noise, RFC 3389)."""
        if packet.ssrc != self._ssrc:
            self._ssrc = packet.ssrc
            return self._restart(packet, samples, now)
        ahead = distance16(packet.sequence, self._sequence & 0xFFFF)
        if ahead >= _MAX_DROPOUT or ahead <= -_MAX_MISORDER:
            if packet.sequence == self._restart_at:
                return self._restart(packet, samples, now)
            self._restart_at = (packet.sequence + 1) & 0xFFFF
            return Arrival.STRAY
        self._restart_at = None
        if ahead <= 0:
            return self._put_older(packet, samples, ahead)
        shift = distance32(packet.timestamp, self._timestamp)
        position = self._position + shift
        self._sequence += ahead
        self._seen = (self._seen << ahead | 1) & _SEEN_MASK
        if shift <= 0 or position - max(self._cursor, self._tail) > self._highest:
            return self._lay_anew(packet, samples, now)
        self._media += shift
        if not self._chunks and self._off_time(packet, position, len(samples)):
            position = self._start_of_stretch()
            if packet.marker:  # a talkspurt: its clock need not have run on through the silence
                self._transit.restart()
        self._transit.note(now * SAMPLE_RATE_HZ - self._media)
        self._lay(packet.timestamp, position, samples)
        return Arrival.QUEUED

    def _lay(self, timestamp: int, position: int, samples: bytes) -> None:
        """Put the newest packet on the line."""
        self._timestamp, self._position = timestamp, position
        self._chunks.append((position, self._sequence, samples))
        self._tail = max(self._tail, position + len(samples) // SAMPLE_BYTES)
        if self._tail - self._cursor > self._highest + FADE_SAMPLES or len(self._chunks) > _MOST_CHUNKS:
            self._make_room()

    @property
    def _highest(self) -> int:
        return self.rules.highest_ms * SAMPLES_PER_MS

    @property
    def _reserve(self) -> int:
        """What should still be on the line right before a punctual packet comes; samples."""
        return round((self.target_ms - FRAME_MS) * SAMPLES_PER_MS)

    def _off_time(self, packet: RtpPacket, position: int, size: int) -> bool:
        """Whether a packet that finds the line empty should be laid down elsewhere than its timestamp says.

        It should when its time is over (then the network has become slower, and so would be all that follow), and at
        the start of a talkspurt when it would be played at another delay than the one aimed at.
        """
        if position + size // SAMPLE_BYTES <= self._cursor:
            return True
        return packet.marker and not self._cursor <= position <= self._cursor + self._reserve + 2 * FRAME_SAMPLES

    def _put_older(self, packet: RtpPacket, samples: bytes, ahead: int) -> Arrival:
        """A packet that others have overtaken: its place may still be free."""
        if self._seen >> -ahead & 1:
            self.counts.duplicate += 1
            return Arrival.DUPLICATE
        self._seen |= 1 << -ahead
        position = self._position + distance32(packet.timestamp, self._timestamp)
        if position + len(samples) // SAMPLE_BYTES <= self._cursor or position > self._tail:
            self.counts.late += 1
            return Arrival.LATE
        bisect.insort(self._chunks, (position, self._sequence + ahead, samples))
        return Arrival.QUEUED

    def _restart(self, packet: RtpPacket, samples: bytes, now: float) -> Arrival:
        """Another source, or another numbering of the same."""
        self._restart_at = None
        # One beyond what could be next, so that the silence in between is not taken for part of the same stream, and
        # with the wire's number in the lower bits.
        self._sequence = ((self._sequence >> 16) + 2 << 16) | packet.sequence
        self._seen = 1
        return self._lay_anew(packet, samples, now)

    def _lay_anew(self, packet: RtpPacket, samples: bytes, now: float) -> Arrival:
        """Begin a stretch of the line behind what is still to be played, or at the delay aimed at."""
        if self._played is not None:
            self.counts.restarts += 1
        self._transit.restart()
        self._media = packet.timestamp
        self._transit.note(now * SAMPLE_RATE_HZ - self._media)
        self._lay(packet.timestamp, self._start_of_stretch(), samples)
        return Arrival.QUEUED

    def _start_of_stretch(self) -> int:
        """Where to lay down what does not follow on what came before.

        Whole frames ahead of the cursor when the line is empty: packets of 20 ms then come out without being cut.
        """
        self._debt = 0
        frames = math.ceil(self._reserve / FRAME_SAMPLES - 0.25)
        return max(self._tail if self._chunks else 0, self._cursor + frames * FRAME_SAMPLES)

    def _make_room(self) -> None:
        """The line is longer than any delay we accept: give up the oldest part."""
        start = max(self._cursor, self._tail - self._highest)
        if len(self._chunks) > _MOST_CHUNKS:
            start = max(start, self._chunks[len(self._chunks) - _MOST_CHUNKS][0])
        self.counts.dropped += (start - self._cursor) // FRAME_SAMPLES
        self._cursor = start
        self._forget_played()
        del self._chunks[:-_MOST_CHUNKS]

    def _forget_played(self) -> None:
        """Let go of chunks that lie before the cursor altogether."""
        chunks = self._chunks
        while chunks and chunks[0][2] and chunks[0][0] + len(chunks[0][2]) // SAMPLE_BYTES <= self._cursor:
            self._played = chunks.pop(0)[1]

    # --------------------------------------------------------------------------------------------- out

    def get(self) -> Frame | None:
        """The next 20 ms, to be asked for once a tick; None when there is nothing to hear."""
        chunks = self._chunks
        if (
            chunks
            and chunks[0][0] == self._cursor
            and len(chunks[0][2]) == FRAME_BYTES
            and not (self._conceal.made_up or self._adjust or self._debt)
        ):  # nearly every tick
            _, self._played, frame = chunks.pop(0)
            self._cursor += FRAME_SAMPLES
            self._hush = False
            self.counts.played += 1
        else:
            made = self._adjusted() if self._adjust else self._assemble()
            if made is None:
                self._conceal.note(SILENCE)
                return None
            frame = made
        self._conceal.note(frame)
        self._watch()
        return frame

    def _watch(self) -> None:
        """Once a second: has the line been longer, or shorter, than the delay aimed at all the time?"""
        level = self._tail - self._cursor
        if level < self._least:
            self._least = level
        self._ticks += 1
        if self._ticks < _WINDOW_TICKS:
            return
        surplus = self._least - self._reserve
        waiting, self._adjust = self._adjust, (surplus > FRAME_SAMPLES) - (surplus < -FRAME_SAMPLES)
        # Far too long a line is looked at again soon, so that it shrinks by several frames a second.
        urgent = surplus > 5 * FRAME_SAMPLES
        self._ticks = _WINDOW_TICKS - _URGENT_TICKS if urgent else 0
        self._least = 1 << 30
        if self._adjust != waiting:
            self._patience = _URGENT_TICKS // 2 if urgent else _PATIENCE_TICKS

    def _adjusted(self) -> Frame | None:
        """Carry out a change of the delay, or wait for a better moment."""
        self._patience -= 1
        if pcm.rms(self._conceal.last) > _QUIET_RMS and self._patience > 0:
            return self._assemble()
        if self._adjust < 0:
            self._adjust = 0
            if self._hush or self._conceal.made_up:
                return self._assemble()
            self.counts.stretched += 1
            return self._conceal.make_up(FRAME_SAMPLES)
        self._adjust = 0
        first = self._assemble()
        if first is None or self._tail - self._cursor < FRAME_SAMPLES:
            return first
        second = self._assemble()
        self.counts.dropped += 1
        return first if second is None else pcm.crossfade(first, second)

    def _assemble(self) -> Frame | None:
        """A frame from whatever lies at the cursor: parts of packets, gaps that are losses, gaps that are silence."""
        made = b""
        heard = real = False
        while (need := FRAME_SAMPLES - len(made) // SAMPLE_BYTES) > 0:
            self._forget_played()
            if not self._chunks:
                size, part = need, self._run_dry(need)
            else:
                position, sequence, samples = self._chunks[0]
                gap = position - self._cursor
                if gap > 0:
                    gap -= self._settle(gap)
                    size = min(gap, need)
                    part = self._bridge(size, sequence) if size else b""
                elif samples:
                    part = self._take(samples[-gap * SAMPLE_BYTES : (need - gap) * SAMPLE_BYTES])
                    size, real = len(part) // SAMPLE_BYTES, True
                else:
                    self._chunks.pop(0)
                    self._played, self._hush = sequence, True
                    continue
            heard = heard or bool(part)
            made += bytes(size * SAMPLE_BYTES) if part is None else part
        self.counts.played += real
        return made if heard else None

    def _take(self, part: bytes) -> bytes:
        """Real sound, blended in if what came before was made up."""
        self._cursor += len(part) // SAMPLE_BYTES
        if self._debt:  # the packet that playout waited for was late, not lost: the delay has grown
            self.counts.stretched += self._debt // FRAME_SAMPLES
            self._debt = 0
        self._hush = False
        return self._conceal.blend(part)

    def _settle(self, gap: int) -> int:
        """Step over as much of a gap as playout has spent waiting in front of it."""
        paid = min(gap, self._debt)
        self._cursor += paid
        self._debt -= paid
        return paid

    def _bridge(self, size: int, sequence: int) -> bytes | None:
        """Stand in for `size` samples that are missing before the packet `sequence`; None is silence."""
        self._cursor += size
        # A peer that sends nothing in silence leaves a gap in time but none in the numbers.
        if self._hush or self._played is None or sequence == self._played + 1 or sequence - self._played > 0xFFFF:
            return None
        return self._made_up(size)

    def _run_dry(self, need: int) -> bytes | None:
        """Nothing is left on the line: wait a little for what may come late, then let the line run on."""
        if self._hush:
            self._cursor += need
            return None
        if self._debt + need <= FADE_SAMPLES:
            self._debt += need
        else:
            self._cursor += need
        return self._made_up(need)

    def _made_up(self, size: int) -> bytes | None:
        part = self._conceal.make_up(size)
        self.counts.concealed += part is not None
        return part
