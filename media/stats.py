"""How well media flows: loss, jitter, round trip (RFC 3550 A.1, A.3, A.8), and what a listener would say of it."""

from __future__ import annotations

import enum
import math
from typing import Final

import attrs

from .frames import SAMPLE_RATE_HZ, SAMPLES_PER_MS
from .rtcp import ReportBlock, SenderReport, ntp_short
from .sequence import distance32

__all__ = ["Quality", "ReceiverStats", "SenderStats", "Verdict", "mos_of", "round_trip_s"]

_MIN_SEQUENTIAL: Final = 2
_MAX_DROPOUT: Final = 3000
_MAX_MISORDER: Final = 100
_SEQ_MOD: Final = 1 << 16


class Verdict(enum.Enum):
    """What the validity check of RFC 3550 A.1 says of a packet."""

    VALID = "valid"
    PROBATION = "probation"
    """From a source of which not enough packets in sequence have come yet."""
    STRAY = "stray"
    """A leap in the sequence; only a second packet in line with it makes it a restart."""


@attrs.define(eq=False)
class ReceiverStats:
    """Counts what one source sends us; another SSRC begins anew, on probation."""

    clock_hz: int = SAMPLE_RATE_HZ
    ssrc: int | None = None
    received: int = 0
    jitter: float = 0.0
    """Interarrival jitter in timestamp units (A.8)."""
    _base: int = 0
    _highest: int = 0
    _cycles: int = 0
    _bad: int | None = None
    _probation: int = 0
    _expected_before: int = 0
    _received_before: int = 0
    _transit: int | None = None
    _last_sr: int = 0
    _last_sr_at: float = 0.0

    def receive(self, ssrc: int, sequence: int, timestamp: int, now: float) -> Verdict:
        """Count a packet that arrived at `now`, seconds of any steady clock."""
        if ssrc != self.ssrc:
            self.ssrc = ssrc
            self._begin(sequence)
            self._highest = (sequence - 1) & 0xFFFF
            self._probation = _MIN_SEQUENTIAL
        verdict = self._check(sequence)
        if verdict is Verdict.VALID:
            self._note_transit(timestamp, now)
        return verdict

    def _begin(self, sequence: int) -> None:
        self._base = self._highest = sequence
        self._bad = None
        self._cycles = self.received = self._received_before = self._expected_before = 0
        self._transit, self.jitter = None, 0.0
        self._last_sr, self._last_sr_at = 0, 0.0

    def _check(self, sequence: int) -> Verdict:
        """The update_seq of A.1."""
        if self._probation:
            if sequence == (self._highest + 1) & 0xFFFF:
                self._probation -= 1
                self._highest = sequence
                if self._probation == 0:
                    self._begin(sequence)
                    self.received = 1
                    return Verdict.VALID
            else:
                self._probation = _MIN_SEQUENTIAL - 1
                self._highest = sequence
            return Verdict.PROBATION
        ahead = (sequence - self._highest) & 0xFFFF
        if ahead < _MAX_DROPOUT:
            if sequence < self._highest:
                self._cycles += _SEQ_MOD
            self._highest = sequence
        elif ahead <= _SEQ_MOD - _MAX_MISORDER:
            if sequence != self._bad:
                self._bad = (sequence + 1) & 0xFFFF
                return Verdict.STRAY
            last_sr, at = self._last_sr, self._last_sr_at
            self._begin(sequence)
            self._last_sr, self._last_sr_at = last_sr, at
        self.received += 1
        return Verdict.VALID

    def _note_transit(self, timestamp: int, now: float) -> None:
        transit = (int(now * self.clock_hz) - timestamp) & 0xFFFF_FFFF
        if self._transit is not None:
            self.jitter += (abs(distance32(transit, self._transit)) - self.jitter) / 16
        self._transit = transit

    @property
    def valid(self) -> bool:
        """Whether the source has passed its probation."""
        return self.ssrc is not None and self._probation == 0

    @property
    def highest_sequence(self) -> int:
        """Extended by the cycles, 32 bits."""
        return (self._cycles + self._highest) & 0xFFFF_FFFF

    @property
    def expected(self) -> int:
        """How many packets the numbers seen so far speak of."""
        return self._cycles + self._highest - self._base + 1 if self.valid else 0

    @property
    def lost(self) -> int:
        """Expected minus received; negative when there were more duplicates than losses."""
        return self.expected - self.received

    @property
    def jitter_ms(self) -> float:
        """The jitter in milliseconds."""
        return self.jitter * 1000 / self.clock_hz

    def note_sender_report(self, report: SenderReport, now: float) -> None:
        """Remember when the source's last SR came, for the block about it; one of another source is ignored."""
        if report.ssrc == self.ssrc:
            self._last_sr, self._last_sr_at = ntp_short(report.ntp), now

    def report_block(self, now: float) -> ReportBlock | None:
        """The block about this source, closing the interval of its fraction lost (A.3); None before it is valid."""
        if not self.valid or self.ssrc is None:
            return None
        expected = self.expected - self._expected_before
        lost = expected - (self.received - self._received_before)
        self._expected_before, self._received_before = self.expected, self.received
        since = min(round((now - self._last_sr_at) * 65_536), 0xFFFF_FFFF) if self._last_sr else 0
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(255, (lost << 8) // expected) if expected > 0 and lost > 0 else 0,
            cumulative_lost=max(-0x80_0000, min(self.lost, 0x7F_FFFF)),
            highest_sequence=self.highest_sequence,
            jitter=min(int(self.jitter), 0xFFFF_FFFF),
            last_sr=self._last_sr,
            delay_since_last_sr=since,
        )


@attrs.define(eq=False)
class SenderStats:
    """Counts what we send, and keeps what the peer last said of how it arrives."""

    ssrc: int
    packets: int = 0
    octets: int = 0
    """Of payload."""
    round_trip_s: float | None = None
    """None until a report of the peer has shown it."""
    peer_fraction_lost: float = 0.0
    """0 to 1, of the peer's last report."""
    peer_jitter_ms: float = 0.0
    peer_lost: int = 0

    def sent(self, octets: int) -> None:
        """Count a packet with that much payload."""
        self.packets += 1
        self.octets += octets

    def report(self, ntp: int, timestamp: int, blocks: tuple[ReportBlock, ...] = ()) -> SenderReport:
        """The SR for the moment that is `ntp` on the wall and `timestamp` on our RTP clock."""
        return SenderReport(self.ssrc, ntp, timestamp, self.packets & 0xFFFF_FFFF, self.octets & 0xFFFF_FFFF, blocks)

    def heard_of(self, blocks: tuple[ReportBlock, ...], ntp: int) -> bool:
        """Take what the peer reports of us, at wall time `ntp` (64 bits); whether any block was about us."""
        for block in blocks:
            if block.ssrc == self.ssrc:
                self.peer_fraction_lost = block.fraction_lost / 256
                self.peer_jitter_ms = block.jitter / SAMPLES_PER_MS
                self.peer_lost = block.cumulative_lost
                took = round_trip_s(block, ntp)
                self.round_trip_s = self.round_trip_s if took is None else took
                return True
        return False


def round_trip_s(block: ReportBlock, ntp: int) -> float | None:
    """How long our SR, and the report about it, were under way (section 6.4.1); None when no SR of ours had come."""
    if block.last_sr == 0:
        return None
    took = distance32(ntp_short(ntp), (block.last_sr + block.delay_since_last_sr) & 0xFFFF_FFFF)
    # The clocks' grain may make it a little less than nothing.
    return max(0, took) / 65_536


def mos_of(*, loss: float, delay_ms: float, concealed: bool = True, burst_ratio: float = 1.0) -> float:
    """Estimate the mean opinion score, 1 to 4.5, of G.711 by the E-model (ITU-T G.107), simplified.

    `loss` is the share of packets lost or too late, 0 to 1; `delay_ms` is one way, mouth to ear, playout included.

        R      = 93.2 - Id - Ieff                                  (all other impairments at their defaults)
        Id     = 0.024 d + 0.11 (d - 177.3) H(d - 177.3)           (d = delay_ms; H is 0 below 0, else 1)
        Ieff   = Ie + (95 - Ie) Ppl / (Ppl / BurstR + Bpl)         (Ppl in percent; G.113: Ie = 0, Bpl = 25.1 with
                                                                    concealment, 4.3 without)
        MOS    = 1 + 0.035 R + R (R - 60) (100 - R) 7e-6           (1 for R <= 0, 4.5 for R >= 100)
    """
    percent = 100 * min(max(loss, 0.0), 1.0)
    robustness = 25.1 if concealed else 4.3
    delay = max(delay_ms, 0.0)
    by_delay = 0.024 * delay + 0.11 * max(0.0, delay - 177.3)
    by_loss = 95 * percent / (percent / max(burst_ratio, 1.0) + robustness)
    rating = 93.2 - by_delay - by_loss
    if rating <= 0 or math.isnan(rating):
        return 1.0
    # The cubic dips below 1 for ratings under 6.5.
    return min(4.5, max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6))


@attrs.frozen
class Quality:
    """One leg's media at a glance."""

    received: int
    """Packets from the peer's present source."""
    lost: int
    loss: float
    """Share of the expected packets that never came, 0 to 1."""
    jitter_ms: float
    round_trip_ms: float | None
    """None until the peer's reports have shown it."""
    sent: int
    peer_loss: float
    """Share of our packets that the peer missed, by its last report, 0 to 1."""
    mos: float
    """Of what we hear."""

    @classmethod
    def of(cls, receiver: ReceiverStats, sender: SenderStats, playout_delay_ms: float) -> Quality:
        """Put together from both directions; half of the round trip stands for the way here."""
        loss = max(0, receiver.lost) / receiver.expected if receiver.expected else 0.0
        way_ms = (sender.round_trip_s or 0.0) * 500
        return cls(
            received=receiver.received,
            lost=receiver.lost,
            loss=loss,
            jitter_ms=receiver.jitter_ms,
            round_trip_ms=None if sender.round_trip_s is None else sender.round_trip_s * 1000,
            sent=sender.packets,
            peer_loss=sender.peer_fraction_lost,
            mos=mos_of(loss=loss, delay_ms=way_ms + playout_delay_ms),
        )
