"""PCAPNG as Wireshark reads it: blocks to bytes, and the packets of such a file back. Pure.

(draft-ietf-opsawg-pcapng.) A file of ours is one section with one interface, whose packets begin with their IP header
and whose times are nanoseconds. It grows at its end only, so what a crash leaves is whole up to its last block.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
"""Block types."""
MAGIC: Final = 0x1A2B3C4D
"""In our byte order, which is little-endian on every machine."""
LINKTYPE_RAW: Final = 101
"""Packets begin with an IPv4 or IPv6 header."""
NANOSECONDS: Final = 9
"""if_tsresol: a power of ten."""
COMMENT, APPLICATION = 1, 4
"""Options of a section header; the first is one of every block."""
NAME, DESCRIPTION, RESOLUTION = 2, 3, 9
"""Options of an interface."""
FLAGS: Final = 2
"""Option of a packet; its lowest bits are the direction."""
INBOUND, OUTBOUND = 1, 2
DROPPED: Final = 5
"""Option of statistics: packets that the interface had no room for (isb_ifdrop)."""
LONGEST: Final = 0xFFFF
"""Octets of an option."""

_HEAD = struct.Struct("<II")
_PACKET = struct.Struct("<IIIII")
_OPTION = struct.Struct("<HH")
_END: Final = _OPTION.pack(0, 0)
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")


class Captured(NamedTuple):
    """A packet block of a file."""

    at_ns: int
    """Since 1970."""
    block: bytes
    """The whole block, to be written again as it is."""
    data: bytes
    """The packet from its IP header on."""


def option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + _PADDING[len(value) & 3]


def text(code: int, value: str) -> bytes:
    """An option in UTF-8, cut where it is longer than one may be."""
    return option(code, value.encode()[:LONGEST].decode(errors="ignore").encode())


def block(kind: int, body: bytes) -> bytes:
    """`body` has been filled up to a multiple of four octets."""
    length = len(body) + 12
    return b"".join((_HEAD.pack(kind, length), body, length.to_bytes(4, "little")))


def header(application: str, comment: str) -> bytes:
    """How a file begins: its section, which `comment` describes, and the one interface."""
    about = text(APPLICATION, application) + text(COMMENT, comment) + _END
    section = struct.pack("<IHHq", MAGIC, 1, 0, -1) + about
    known = text(NAME, "offhook") + option(RESOLUTION, bytes((NANOSECONDS,)))
    known += text(DESCRIPTION, "Messages as they were sent and received; the IP and UDP headers are made up") + _END
    interface = struct.pack("<HHI", LINKTYPE_RAW, 0, 0) + known
    return block(SECTION, section) + block(INTERFACE, interface)


def packet(at_ns: int, data: bytes, *, outbound: bool, comment: str = "") -> bytes:
    """One packet from its IP header on, with its direction as we see it."""
    about = option(FLAGS, (OUTBOUND if outbound else INBOUND).to_bytes(4, "little"))
    if comment:
        about = text(COMMENT, comment) + about
    size = len(data)
    head = _PACKET.pack(0, at_ns >> 32, at_ns & 0xFFFF_FFFF, size, size)
    return block(PACKET, b"".join((head, data, _PADDING[size & 3], about, _END)))


def statistics(at_ns: int, dropped: int) -> bytes:
    """How many packets are missing so far."""
    head = struct.pack("<III", 0, at_ns >> 32, at_ns & 0xFFFF_FFFF)
    return block(STATISTICS, head + option(DROPPED, dropped.to_bytes(8, "little")) + _END)


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and whole block of each, up to one that is cut off or is none."""
    at = 0
    while at + 12 <= len(data):
        kind, length = _HEAD.unpack_from(data, at)
        if length < 12 or length % 4 or at + length > len(data):
            return
        if int.from_bytes(data[at + length - 4 : at + length], "little") != length:
            return
        yield kind, data[at : at + length]
        at += length


def packets(data: bytes) -> Iterator[Captured]:
    """The packets of a file of ours; what a crash has cut off at its end is left out."""
    for kind, whole in blocks(data):
        if kind == PACKET and len(whole) >= 32:
            _, high, low, size = struct.unpack_from("<IIII", whole, 8)
            yield Captured(high << 32 | low, whole, whole[28 : 28 + size])


def missing(data: bytes) -> int:
    """How many packets a file of ours says that it lacks."""
    counts = [int.from_bytes(whole[24:32], "little") for kind, whole in blocks(data) if kind == STATISTICS]
    return counts[-1] if counts else 0
