"""What somebody sends who does not hold the key: made up, replayed, reflected, broken and cut off, RTP and RTCP."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

import attrs

from offhook.media import rtcp, rtp
from offhook.media.rtcp import Goodbye, ReceiverReport, SdesChunk, SourceDescription

from .srtp_reference import Reference

LOUD = b"\x80" * 160
"""PCMU of a constant at full scale: nobody overhears it."""
EVENT = bytes((5, 0x8A, 3, 32))
"""The end of key 5, 100 ms long (RFC 4733)."""


@attrs.define(eq=False)
class Forger:
    """Draws from what was seen on the wire, and from nothing else."""

    rng: random.Random

    def packet(self, seen: Sequence[bytes], newest: bytes) -> bytes:
        """A datagram for an RTP port: `seen` went there or came from there before, `newest` was the last of them."""
        rng = self.rng
        sequence, timestamp, ssrc = struct.unpack_from("!HII", newest, 2)
        sequence = (sequence + rng.randrange(1, 40)) & 0xFFFF
        timestamp = (timestamp + 160) & 0xFFFF_FFFF
        match rng.randrange(8):
            case 0:
                return rtp.build_plain(0, sequence, timestamp, ssrc, LOUD)
            case 1:
                return rtp.build_plain(101, sequence, timestamp, ssrc, EVENT) + rng.randbytes(10)
            case 2:
                return Reference(rng.randbytes(30), rng.choice((4, 10))).rtp(
                    rtp.build_plain(0, sequence, timestamp, ssrc, LOUD)
                )
            case 3 | 4:
                return rng.choice(seen)
            case 5:
                return self._broken(rng.choice(seen))
            case 6:
                whole = rng.choice(seen)
                return whole[: rng.randrange(len(whole))]
            case _:
                return rng.randbytes(rng.randrange(1500))

    def report(self, seen: Sequence[bytes], ssrc: int) -> bytes:
        """A datagram for an RTCP port."""
        rng = self.rng
        clear = rtcp.build(
            ReceiverReport(ssrc), SourceDescription((SdesChunk(ssrc, ((1, b"forged"),)),)), Goodbye((ssrc,))
        )
        match rng.randrange(5):
            case 0:
                return clear
            case 1:
                return Reference(rng.randbytes(30)).rtcp(clear, rng.randrange(2**31))
            case 2 if seen:
                return self._broken(rng.choice(seen))
            case 3 if seen:
                return rng.choice(seen)
            case _:
                return rng.randbytes(rng.randrange(200))

    def _broken(self, data: bytes) -> bytes:
        broken = bytearray(data)
        broken[self.rng.randrange(len(broken))] ^= 1 << self.rng.randrange(8)
        return bytes(broken)
