"""STUN on the SIP port (RFC 8489, RFC 5626 section 8): a phone behind a NAT asks what it looks like from here. Pure.

That keeps the NAT's mapping open, and tells the phone when it has changed. No credentials are asked for: an answer is
hardly longer than its question, and says nothing but where the question came from.
"""

from __future__ import annotations

import ipaddress
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from .network import Address

COOKIE: Final = b"\x21\x12\xa4\x42"  # RFC 8489 section 5
HEADER_BYTES: Final = 20

BINDING_REQUEST: Final = 0x0001
BINDING_SUCCESS: Final = 0x0101
BINDING_ERROR: Final = 0x0111

ERROR_CODE: Final = 0x0009
UNKNOWN_ATTRIBUTES: Final = 0x000A
XOR_MAPPED_ADDRESS: Final = 0x0020
FINGERPRINT: Final = 0x8028
FINGERPRINT_XOR: Final = 0x5354554E
FINGERPRINT_BYTES: Final = 8

# USERNAME, MESSAGE-INTEGRITY, REALM, NONCE, and what RFC 8489 adds to them: credentials, which nobody asked for.
IGNORED: Final = frozenset({0x0006, 0x0008, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E})
OPTIONAL_FROM: Final = 0x8000
"""From here on an attribute may be passed over by who does not know it (section 14)."""
UNKNOWN_NAMED: Final = 8
"""Unknown attributes that an error names at most, so that it stays short."""


def is_stun(data: bytes) -> bool:
    """Whether a datagram is STUN: its two first bits are zero and the cookie is in its place (RFC 8489 section 5)."""
    return len(data) >= HEADER_BYTES and data[0] < 4 and data[4:8] == COOKIE


def answer_stun(data: bytes, source: Address) -> bytes | None:
    """The answer to a STUN message that came from `source`; None for all but a well-formed binding request."""
    kind, length = struct.unpack_from("!HH", data)
    if kind != BINDING_REQUEST or length != len(data) - HEADER_BYTES or length % 4:
        return None
    kinds = list(_attributes(data))
    if None in kinds:
        return None
    transaction, signed = data[4:HEADER_BYTES], FINGERPRINT in kinds
    if signed and (kinds[-1] != FINGERPRINT or data[-4:] != _fingerprint(data[:-FINGERPRINT_BYTES])):
        return None
    unknown = [each for each in kinds if each is not None and each < OPTIONAL_FROM and each not in IGNORED]
    if unknown:
        named = struct.pack(f"!{len(unknown[:UNKNOWN_NAMED])}H", *unknown[:UNKNOWN_NAMED])
        body = _attribute(ERROR_CODE, b"\0\0\x04\x14Unknown Attribute") + _attribute(UNKNOWN_ATTRIBUTES, named)
        return _message(BINDING_ERROR, transaction, body, signed=signed)
    return _message(BINDING_SUCCESS, transaction, _mapped(source, transaction), signed=signed)


def _attributes(data: bytes) -> Iterator[int | None]:
    """The types of the attributes, in order; None when one is cut short."""
    at = HEADER_BYTES
    while at < len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        at += 4 + length + -length % 4
        if at > len(data):
            yield None
            return
        yield kind


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _mapped(source: Address, transaction: bytes) -> bytes:
    """XOR-MAPPED-ADDRESS (section 14.2); `transaction` begins with the cookie."""
    host, port = source
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    family = 1 if address.version == 4 else 2
    packed = bytes(one ^ other for one, other in zip(address.packed, transaction, strict=False))
    return _attribute(XOR_MAPPED_ADDRESS, struct.pack("!BBH", 0, family, port ^ 0x2112) + packed)


def _message(kind: int, transaction: bytes, body: bytes, *, signed: bool) -> bytes:
    length = len(body) + (FINGERPRINT_BYTES if signed else 0)
    message = struct.pack("!HH", kind, length) + transaction + body
    return message + _attribute(FINGERPRINT, _fingerprint(message)) if signed else message


def _fingerprint(message: bytes) -> bytes:
    """FINGERPRINT (section 14.7) of all before it, whose length field counts it already."""
    return struct.pack("!I", zlib.crc32(message) ^ FINGERPRINT_XOR)
