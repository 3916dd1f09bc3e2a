"""RTCP of one leg: when reports are due, what they say, and whose reports are believed (RFC 3550 section 6)."""

from __future__ import annotations

import math
from typing import Final

import attrs

from .errors import BadRtcp
from .events import Address, Quality
from .plane import MediaIds
from .rtcp import (
    CNAME,
    Goodbye,
    ReceiverReport,
    RtcpPacket,
    SdesChunk,
    SenderReport,
    SourceDescription,
    build,
    ntp_of,
    parse,
)
from .rtp import RtpPacket
from .stats import ReceiverStats, SenderStats, mos_of

INTERVAL_S: Final = 5.0
"""Section 6.2: the least interval on average."""
_RECONSIDERATION: Final = math.e - 1.5
"""Section 6.3.1: what the average of the randomised interval is compensated by."""
_PLAYOUT_MS: Final = 60.0
"""What playout and packets add to the delay, for the MOS estimate."""


@attrs.define(eq=False)
class Reports:
    """Statistics of both directions and the reports made of them."""

    ids: MediaIds
    unix_offset_s: float
    """What added to `now` gives the seconds since 1970."""
    due_at: float = math.inf
    """When `make` is due; infinity before `begin`."""
    source: Address | None = None
    """Where believable reports came from last."""
    outgoing: list[tuple[bytes, Address]] = attrs.field(factory=list, init=False)
    sender: SenderStats = attrs.field(init=False)
    """Of what we send; whoever sends counts it there."""
    _cname: bytes = attrs.field(init=False)
    _receiver: ReceiverStats = attrs.field(factory=ReceiverStats, init=False)
    _reported: bool = attrs.field(default=False, init=False)
    _sent_before: int = attrs.field(default=0, init=False)
    """Packets that had been sent at the report before the last."""
    _sent_at_last: int = attrs.field(default=0, init=False)
    _received: int = attrs.field(default=0, init=False)
    _earlier_lost: int = attrs.field(default=0, init=False)
    """Lost packets, and `_earlier_expected` ones, of sources that the peer has replaced."""
    _earlier_expected: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.sender = SenderStats(self.ids.ssrc() & 0xFFFF_FFFF)
        self._cname = self.ids.cname().encode()[:255]

    def begin(self, now: float) -> None:
        """The session starts; the first report comes after half an interval (section 6.2)."""
        self.due_at = now + self._interval_s() / 2

    def heard(self, packet: RtpPacket, now: float, audio: bool) -> None:
        """Count a packet of the peer. Events may come from a source of their own (some gateways); it is not counted."""
        self._received += 1
        receiver = self._receiver
        if packet.ssrc != receiver.ssrc:
            if not audio:
                return
            self._earlier_expected += receiver.expected
            self._earlier_lost += max(0, receiver.lost)
        receiver.receive(packet.ssrc, packet.sequence, packet.timestamp, now)

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """An RTCP datagram from a host that media comes from, or that SDP named."""
        try:
            packets = parse(data)
        except BadRtcp:
            return
        for packet in packets:
            if isinstance(packet, SenderReport):
                self._receiver.note_sender_report(packet, now)
            if isinstance(packet, SenderReport | ReceiverReport):
                about_us = self.sender.heard_of(packet.blocks, self._ntp(now))
                if about_us or packet.ssrc == self._receiver.ssrc:
                    self.source = source

    def make(self, now: float, timestamp: int, destination: Address | None, bye: bool = False) -> None:
        """Put a compound packet into `outgoing`: SR or RR, SDES, and BYE at the end (sections 6.1, 6.3.7)."""
        self.due_at = math.inf if bye else now + self._interval_s()
        sender, block = self.sender, self._receiver.report_block(now)
        blocks = () if block is None else (block,)
        sending = sender.packets > self._sent_before
        self._sent_before, self._sent_at_last = self._sent_at_last, sender.packets
        silent_member = not self._reported and not sender.packets
        if destination is None or (bye and silent_member):  # who has never spoken does not say good-bye (6.3.7)
            return
        self._reported = True
        report: SenderReport | ReceiverReport
        if sending:
            report = sender.report(self._ntp(now), timestamp, blocks)
        else:
            report = ReceiverReport(sender.ssrc, blocks)
        compound: list[RtcpPacket] = [report, SourceDescription((SdesChunk(sender.ssrc, ((CNAME, self._cname),)),))]
        if bye:
            compound.append(Goodbye((sender.ssrc,)))
        self.outgoing.append((build(*compound), destination))

    def take(self) -> list[tuple[bytes, Address]]:
        taken, self.outgoing = self.outgoing, []
        return taken

    def quality(self, *, codec: str, late: int, ignored: int, refused: int) -> Quality:
        """The figures of the leg so far."""
        receiver, sender = self._receiver, self.sender
        expected = self._earlier_expected + receiver.expected
        lost = self._earlier_lost + max(0, receiver.lost)
        way_ms = (sender.round_trip_s or 0.0) * 500
        mos = mos_of(loss=(lost + late) / expected, delay_ms=way_ms + _PLAYOUT_MS) if expected else None
        return Quality(
            codec=codec,
            packets_sent=sender.packets,
            packets_received=self._received,
            packets_lost=lost,
            packets_late=late,
            packets_ignored=ignored,
            packets_refused=refused,
            jitter_ms=receiver.jitter_ms,
            round_trip_ms=None if sender.round_trip_s is None else sender.round_trip_s * 1000,
            mos=mos,
        )

    def _interval_s(self) -> float:
        return INTERVAL_S * (0.5 + self.ids.fraction()) / _RECONSIDERATION

    def _ntp(self, now: float) -> int:
        return ntp_of(now + self.unix_offset_s)
