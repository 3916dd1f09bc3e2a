"""RTCP: compound packets of SR, RR, SDES and BYE to values and back (RFC 3550 section 6)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

import attrs

from .errors import BadRtcp

__all__ = [
    "CNAME",
    "Goodbye",
    "ReceiverReport",
    "ReportBlock",
    "RtcpPacket",
    "SdesChunk",
    "SenderReport",
    "SourceDescription",
    "build",
    "ntp_of",
    "ntp_short",
    "parse",
]

# |V=2|P|   RC    |   PT          |             length            |     length in 32-bit words minus one
_HEADER = struct.Struct("!BBH")
_SENDER = struct.Struct("!QIII")
_BLOCK = struct.Struct("!IIIIII")
_WORD = struct.Struct("!I")
_SR: Final = 200
_RR: Final = 201
_SDES: Final = 202
_BYE: Final = 203
_MOST: Final = 31
"""Blocks, chunks or sources that the five bits of a header can count."""

CNAME: Final = 1
"""The SDES item that every compound packet carries (section 6.5.1)."""

_NTP_EPOCH_S: Final = 2_208_988_800
"""Seconds from 1900, where NTP counts from, to 1970."""


def ntp_of(unix_s: float) -> int:
    """A time of day as the 64 bits of a sender report: 32 of seconds since 1900, 32 of fractions (section 4)."""
    return round((unix_s + _NTP_EPOCH_S) * (1 << 32)) & 0xFFFF_FFFF_FFFF_FFFF


def ntp_short(ntp: int) -> int:
    """The middle 32 bits of a 64-bit NTP time, in which report blocks speak: units of 1/65536 s."""
    return ntp >> 16 & 0xFFFF_FFFF


@attrs.frozen
class ReportBlock:
    """How one source is received (section 6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Since the last report, in 1/256."""
    cumulative_lost: int
    """Packets, -2**23 to 2**23 - 1: duplicates make it negative."""
    highest_sequence: int
    """Extended by the count of cycles, 32 bits."""
    jitter: int
    """In timestamp units."""
    last_sr: int
    """The middle of the NTP time in the last SR from this source; 0 when none has come."""
    delay_since_last_sr: int
    """In 1/65536 s; 0 when no SR has come."""


@attrs.frozen
class SenderReport:
    """What a source has sent, with what it receives."""

    ssrc: int
    ntp: int
    """64 bits, see `ntp_of`."""
    timestamp: int
    """The same moment on the RTP clock."""
    packets: int
    octets: int
    """Of payload, without headers and padding."""
    blocks: tuple[ReportBlock, ...] = ()


@attrs.frozen
class ReceiverReport:
    """What a participant that sends nothing receives."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@attrs.frozen
class SdesChunk:
    """What one source says of itself: (item type, text) pairs, as sent (section 6.5)."""

    ssrc: int
    items: tuple[tuple[int, bytes], ...] = ()

    @property
    def cname(self) -> str | None:
        """The canonical name; None when the chunk lacks it."""
        return next((text.decode("utf-8", "replace") for kind, text in self.items if kind == CNAME), None)


@attrs.frozen
class SourceDescription:
    """An SDES packet."""

    chunks: tuple[SdesChunk, ...]


@attrs.frozen
class Goodbye:
    """Sources that leave (section 6.6)."""

    ssrcs: tuple[int, ...]
    reason: bytes | None = None
    """Text in UTF-8, as sent; None when not given."""


RtcpPacket: TypeAlias = SenderReport | ReceiverReport | SourceDescription | Goodbye


def parse(data: bytes) -> list[RtcpPacket]:
    """Read one datagram after the checks of appendix A.2; packets of other types are stepped over.

    Raises BadRtcp on anything that is not a whole compound packet; nothing of such a datagram is believed.
    """
    found: list[RtcpPacket] = []
    for at, (kind, count, body) in enumerate(_split(data)):
        if at == 0 and kind not in (_SR, _RR):
            raise BadRtcp(f"a compound packet begins with a report, not with type {kind}")
        match kind:
            case 200:
                found.append(_sender_report(body, count))
            case 201:
                found.append(_receiver_report(body, count))
            case 202:
                found.append(_source_description(body, count))
            case 203:
                found.append(_goodbye(body, count))
    return found


def _split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, count and body of each packet, padding taken off."""
    start, size = 0, len(data)
    if size < 8:
        raise BadRtcp(f"{size} octets are no RTCP packet")
    while start < size:
        if start + 4 > size:
            raise BadRtcp("a packet's header is cut off")
        first, kind, words = _HEADER.unpack_from(data, start)
        end = start + 4 + 4 * words
        if first >> 6 != 2:
            raise BadRtcp(f"version {first >> 6}")
        if end > size:
            raise BadRtcp("a packet is longer than the datagram")
        body = data[start + 4 : end]
        if first & 0x20:
            # Only the last packet may be padded, and the first never is when it is not the last (A.2).
            if end != size:
                raise BadRtcp("padding inside a compound packet")
            padding = body[-1] if body else 0
            if padding == 0 or padding % 4 or padding > len(body):
                raise BadRtcp(f"{padding} octets of padding in {len(body)} octets")
            body = body[:-padding]
        yield kind, first & 0x1F, body
        start = end


def _blocks(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    if start + _BLOCK.size * count > len(body):
        raise BadRtcp(f"{count} report blocks do not fit into {len(body)} octets")
    return tuple(
        ReportBlock(ssrc, loss >> 24, ((loss & 0xFF_FFFF) ^ 0x80_0000) - 0x80_0000, highest, jitter, last_sr, since)
        for ssrc, loss, highest, jitter, last_sr, since in (
            _BLOCK.unpack_from(body, start + _BLOCK.size * index) for index in range(count)
        )
    )


def _sender_report(body: bytes, count: int) -> SenderReport:
    if len(body) < 24:
        raise BadRtcp("a sender report is cut off")
    (ssrc,) = _WORD.unpack_from(body)
    ntp, timestamp, packets, octets = _SENDER.unpack_from(body, 4)
    return SenderReport(ssrc, ntp, timestamp, packets, octets, _blocks(body, 24, count))


def _receiver_report(body: bytes, count: int) -> ReceiverReport:
    if len(body) < 4:
        raise BadRtcp("a receiver report is cut off")
    return ReceiverReport(_WORD.unpack_from(body)[0], _blocks(body, 4, count))


def _source_description(body: bytes, count: int) -> SourceDescription:
    chunks: list[SdesChunk] = []
    at = 0
    for _ in range(count):
        if at + 4 > len(body):
            raise BadRtcp("an SDES chunk is cut off")
        (ssrc,) = _WORD.unpack_from(body, at)
        at += 4
        items: list[tuple[int, bytes]] = []
        while True:
            if at >= len(body):
                raise BadRtcp("an SDES chunk has no end")
            kind = body[at]
            if kind == 0:
                at += 4 - at % 4  # one to four null octets, up to the next word
                break
            if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
                raise BadRtcp("an SDES item is cut off")
            items.append((kind, body[at + 2 : at + 2 + body[at + 1]]))
            at += 2 + body[at + 1]
        chunks.append(SdesChunk(ssrc, tuple(items)))
    return SourceDescription(tuple(chunks))


def _goodbye(body: bytes, count: int) -> Goodbye:
    if 4 * count > len(body):
        raise BadRtcp(f"{count} sources do not fit into a BYE of {len(body)} octets")
    rest = body[4 * count :]
    reason = None
    if rest:
        if 1 + rest[0] > len(rest):
            raise BadRtcp("the reason of a BYE is cut off")
        reason = rest[1 : 1 + rest[0]]
    return Goodbye(struct.unpack_from(f"!{count}I", body), reason)


def build(*packets: RtcpPacket) -> bytes:
    """A compound packet, a report first; a field out of its range is our own fault (ValueError, struct.error)."""
    if not packets or not isinstance(packets[0], SenderReport | ReceiverReport):
        raise ValueError("a compound packet begins with a report")
    return b"".join(_built(packet) for packet in packets)


def _built(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport():
            body = _WORD.pack(packet.ssrc) + _SENDER.pack(
                packet.ntp, packet.timestamp, packet.packets & 0xFFFF_FFFF, packet.octets & 0xFFFF_FFFF
            )
            return _framed(_SR, len(packet.blocks), body + b"".join(map(_built_block, packet.blocks)))
        case ReceiverReport():
            body = _WORD.pack(packet.ssrc) + b"".join(map(_built_block, packet.blocks))
            return _framed(_RR, len(packet.blocks), body)
        case SourceDescription():
            return _framed(_SDES, len(packet.chunks), b"".join(map(_built_chunk, packet.chunks)))
        case Goodbye():
            body = struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs)
            if packet.reason is not None:
                text = _counted(packet.reason)
                body += text + bytes(-len(text) % 4)
            return _framed(_BYE, len(packet.ssrcs), body)


def _framed(kind: int, count: int, body: bytes) -> bytes:
    if count > _MOST:
        raise ValueError(f"at most {_MOST} entries fit into a packet")
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body


def _built_block(block: ReportBlock) -> bytes:
    lost = max(-0x80_0000, min(block.cumulative_lost, 0x7F_FFFF)) & 0xFF_FFFF
    return _BLOCK.pack(
        block.ssrc,
        block.fraction_lost << 24 | lost,
        block.highest_sequence,
        block.jitter,
        block.last_sr,
        block.delay_since_last_sr,
    )


def _built_chunk(chunk: SdesChunk) -> bytes:
    text = _WORD.pack(chunk.ssrc) + b"".join(bytes((kind,)) + _counted(value) for kind, value in chunk.items)
    return text + bytes(4 - len(text) % 4)


def _counted(text: bytes) -> bytes:
    if len(text) > 255:
        raise ValueError("at most 255 octets fit into an SDES item or a reason")
    return bytes((len(text),)) + text
