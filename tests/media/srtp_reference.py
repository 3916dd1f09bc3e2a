"""SRTP once more, written from RFC 3711 alone and checked against its appendix B: judges what libsrtp does for us.

For the default transforms only: AES in counter mode, HMAC-SHA1, no key derivation rate, no MKI.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

import attrs
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

MASTER_KEY_OCTETS = 16
AUTH_OCTETS = 20


def keystream(key: bytes, salt: bytes, index: int, octets: int, ssrc: int = 0) -> bytes:
    """AES-CM (section 4.1.1): `salt` has 14 octets, `index` is that of the packet."""
    counter = int.from_bytes(salt, "big") << 16 ^ ssrc << 64 ^ index << 16
    return Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(16, "big"))).encryptor().update(bytes(octets))


def derive(master: bytes, label: int, octets: int) -> bytes:
    """A session key (section 4.3.1), at a key derivation rate of zero."""
    key, salt = master[:MASTER_KEY_OCTETS], master[MASTER_KEY_OCTETS:]
    x = int.from_bytes(salt, "big") ^ label << 48
    return keystream(key, x.to_bytes(14, "big"), 0, octets)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


@attrs.frozen
class Reference:
    """Protects by one master key and salt (30 octets together)."""

    master: bytes
    tag_octets: int = 10
    """Of RTP; of RTCP there are always ten."""

    def rtp(self, packet: bytes, roc: int = 0) -> bytes:
        """A packet with a plain header of 12 octets; `roc`: how often the numbers have wrapped."""
        sequence, _, ssrc = struct.unpack_from("!HII", packet, 2)
        index = roc << 16 | sequence
        stream = keystream(derive(self.master, 0, 16), derive(self.master, 2, 14), index, len(packet) - 12, ssrc)
        body = packet[:12] + _xor(packet[12:], stream)
        tag = hmac.new(derive(self.master, 1, AUTH_OCTETS), body + struct.pack("!I", roc), hashlib.sha1).digest()
        return body + tag[: self.tag_octets]

    def rtcp(self, packet: bytes, index: int) -> bytes:
        """A compound packet, as the one of that index under its key (section 3.4)."""
        (ssrc,) = struct.unpack_from("!I", packet, 4)
        stream = keystream(derive(self.master, 3, 16), derive(self.master, 5, 14), index, len(packet) - 8, ssrc)
        body = packet[:8] + _xor(packet[8:], stream) + struct.pack("!I", 1 << 31 | index)
        return body + hmac.new(derive(self.master, 4, AUTH_OCTETS), body, hashlib.sha1).digest()[:10]
