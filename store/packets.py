"""IP packets made around what was sent and received, so that every tool can read it. Pure.

What really went over TCP, TLS or UDP is shown as one UDP datagram each, between the addresses and ports that it had. A
message that no datagram can hold is shown as a TCP segment or more, with a sequence of its own in each direction.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final, NamedTuple

import attrs

Address = tuple[str, int]

UDP, TCP = 17, 6
"""Protocols."""
DATAGRAM_MAX: Final = 65_507
"""What fits into one UDP datagram over IPv4."""
SEGMENT_MAX: Final = 65_000
_HOPS: Final = 64
_PUSH_ACK: Final = 0x18
_WINDOW: Final = 0xFFFF
_MAPPED: Final = {4: bytes(10) + b"\xff\xff", 16: b""}
"""Before an IPv4 address beside one of IPv6 (RFC 4291 section 2.5.5.2)."""


class Packet(NamedTuple):
    """Something that was sent or received."""

    at_ns: int
    """Since 1970."""
    sent: bool
    """By us."""
    kind: str
    """How it went: `UDP`, `TCP`, `TLS`; `RTP` and `RTCP` are media."""
    local: Address
    remote: Address
    data: bytes

    @property
    def media(self) -> bool:
        return self.kind[0] == "R"


@attrs.define(eq=False)
class Wrapper:
    """Makes the IP packets of one file."""

    _sequence: dict[tuple[Address, Address], int] = attrs.field(factory=dict)
    """Octets that were shown as TCP, by direction."""

    def wrap(self, source: Address, target: Address, data: bytes) -> list[bytes]:
        if len(data) <= DATAGRAM_MAX:
            return [_ip(source, target, UDP, _ports(source, target) + (len(data) + 8).to_bytes(2, "big"), data, 6)]
        made = []
        for at in range(0, len(data), SEGMENT_MAX):
            part = data[at : at + SEGMENT_MAX]
            sequence = self._sequence.get((source, target), 1)
            other_way = self._sequence.get((target, source), 1)
            self._sequence[source, target] = (sequence + len(part)) & 0xFFFF_FFFF
            head = _ports(source, target) + sequence.to_bytes(4, "big") + other_way.to_bytes(4, "big")
            head += bytes((5 << 4, _PUSH_ACK)) + _WINDOW.to_bytes(2, "big")
            made.append(_ip(source, target, TCP, head, b"\0\0" + part, 16))
        return made


def _ports(source: Address, target: Address) -> bytes:
    return (source[1] << 16 | target[1]).to_bytes(4, "big")


def _ip(source: Address, target: Address, protocol: int, head: bytes, rest: bytes, checksum_at: int) -> bytes:
    """A packet of which `head` lies before the checksum of its payload, and `rest` behind."""
    assert len(head) == checksum_at
    size = len(head) + 2 + len(rest)
    ours, theirs = _octets(source[0]), _octets(target[0])
    if len(ours) != len(theirs):
        ours, theirs = _MAPPED[len(ours)] + ours, _MAPPED[len(theirs)] + theirs
    addresses = ours + theirs
    # The pseudo-header (RFC 768, RFC 9293, RFC 8200 section 8.1); zeros more or less do not change a sum.
    summed = b"".join((addresses, size.to_bytes(4, "big"), protocol.to_bytes(4, "big"), head, b"\0\0", rest))
    payload = b"".join((head, _checksum(summed), rest))
    if len(addresses) == 32:
        return b"".join((b"\x60\0\0\0", size.to_bytes(2, "big"), bytes((protocol, _HOPS)), addresses, payload))
    first = b"".join((b"\x45\0", (size + 20).to_bytes(2, "big"), b"\0\0\x40\0", bytes((_HOPS, protocol))))
    return b"".join((first, _checksum(first + addresses), addresses, payload))


def _checksum(data: bytes) -> bytes:
    """The ones' complement of the ones' complement sum (RFC 1071): a remainder, as 2**16 is 1 modulo 2**16 - 1."""
    if len(data) & 1:
        data += b"\0"
    rest = int.from_bytes(data, "big") % 0xFFFF
    return (0xFFFF - rest or 0xFFFF).to_bytes(2, "big")


@lru_cache(maxsize=4096)
def _octets(host: str) -> bytes:
    return ipaddress.ip_address(host.partition("%")[0]).packed
