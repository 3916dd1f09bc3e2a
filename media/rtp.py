"""One RTP packet: bytes to value and back (RFC 3550 section 5)."""

from __future__ import annotations

import struct
from typing import Final

import attrs

from .errors import BadRtp

__all__ = ["COMFORT_NOISE", "RtpExtension", "RtpPacket", "build", "build_plain", "is_rtcp", "parse"]

#  0                   1                   2                   3
#  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
# |V=2|P|X|  CC   |M|     PT      |       sequence number         |
# |                           timestamp                           |
# |           synchronization source (SSRC) identifier            |     RFC 3550 section 5.1
_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")
_VERSION: Final = 2 << 6
_PADDING: Final = 0x20
_EXTENDED: Final = 0x10

COMFORT_NOISE: Final = 13
"""The static payload type of RFC 3389; known whether or not it was negotiated."""


@attrs.frozen
class RtpExtension:
    """A header extension (section 5.3.1): `data` is a multiple of four octets."""

    profile: int
    data: bytes


@attrs.frozen
class RtpPacket:
    """A packet; numbers are unsigned and of their width on the wire."""

    payload_type: int
    sequence: int
    timestamp: int
    """In samples of the payload's clock, 8 kHz for all we speak."""
    ssrc: int
    payload: bytes
    """Without the padding."""
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension: RtpExtension | None = None
    padding: int = 0
    """Octets of padding after the payload, the counting one included; 0 means the P bit is off."""


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram claims to be RTCP when both share a port (RFC 5761 section 4: types 192 to 223)."""
    return len(data) > 1 and 192 <= data[1] <= 223


def parse(data: bytes) -> RtpPacket:
    """Read one datagram; every length in it is checked before it is used."""
    size = len(data)
    if size < 12:
        raise BadRtp(f"{size} octets are no RTP header")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first == _VERSION:  # no padding, extension or CSRC: nearly every packet there is
        return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[12:], second > 0x7F)
    if first & 0xC0 != _VERSION:
        raise BadRtp(f"version {first >> 6}")
    return _parse_rest(data, first, RtpPacket(second & 0x7F, sequence, timestamp, ssrc, b"", second > 0x7F))


def _parse_rest(data: bytes, first: int, plain: RtpPacket) -> RtpPacket:
    start, end = 12 + 4 * (first & 0x0F), len(data)
    if start > end:
        raise BadRtp("the CSRC list is cut off")
    csrcs = struct.unpack_from(f"!{first & 0x0F}I", data, 12)
    extension = None
    if first & _EXTENDED:
        if start + 4 > end:
            raise BadRtp("the header extension is cut off")
        profile, words = _EXTENSION.unpack_from(data, start)
        start += 4
        if start + 4 * words > end:
            raise BadRtp("the header extension is longer than the packet")
        extension = RtpExtension(profile, data[start : start + 4 * words])
        start += 4 * words
    padding = 0
    if first & _PADDING:
        padding = data[-1]
        if not 0 < padding <= end - start:
            raise BadRtp(f"{padding} octets of padding in {end - start} octets")
    return attrs.evolve(plain, payload=data[start : end - padding], csrcs=csrcs, extension=extension, padding=padding)


def build(packet: RtpPacket) -> bytes:
    """The packet as a datagram; a field out of its range is our own fault and raises struct.error or ValueError."""
    first = _VERSION | len(packet.csrcs)
    if len(packet.csrcs) > 15:
        raise ValueError("at most 15 contributing sources fit into a packet")
    middle = struct.pack(f"!{len(packet.csrcs)}I", *packet.csrcs)
    if packet.extension is not None:
        if len(packet.extension.data) % 4:
            raise ValueError("a header extension is a multiple of four octets")
        first |= _EXTENDED
        middle += _EXTENSION.pack(packet.extension.profile, len(packet.extension.data) // 4) + packet.extension.data
    tail = b""
    if packet.padding:
        first |= _PADDING
        tail = bytes(packet.padding - 1) + packet.padding.to_bytes(1, "big")
    second = packet.payload_type | (0x80 if packet.marker else 0)
    return _HEADER.pack(first, second, packet.sequence, packet.timestamp, packet.ssrc) + middle + packet.payload + tail


def build_plain(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, marker: bool = False
) -> bytes:
    """The datagram of a packet without padding, extension and CSRC, with no value made on the way (hot path)."""
    return _HEADER.pack(_VERSION, payload_type | 0x80 if marker else payload_type, sequence, timestamp, ssrc) + payload
