"""The two laws of ITU-T G.711, one octet a sample at 8 kHz."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from .frames import SAMPLE_BYTES
from .pcm import audioop

__all__ = ["LAWS", "PCMA", "PCMU", "Law"]


@attrs.frozen(repr=False)
class Law:
    """One of the laws, as SDP names it (RFC 3551 section 4.5.14)."""

    name: str
    payload_type: int
    """The static one of RFC 3551 section 6."""
    silence: bytes
    """One octet that decodes to (next to) zero."""

    def encode(self, samples: bytes) -> bytes:
        """Signed 16-bit samples to octets, one each."""
        if self.payload_type == 0:
            return audioop.lin2ulaw(samples, SAMPLE_BYTES)
        return audioop.lin2alaw(samples, SAMPLE_BYTES)

    def decode(self, octets: bytes) -> bytes:
        """Octets to signed 16-bit samples, two bytes each."""
        if self.payload_type == 0:
            return audioop.ulaw2lin(octets, SAMPLE_BYTES)
        return audioop.alaw2lin(octets, SAMPLE_BYTES)

    def __repr__(self) -> str:
        return self.name


PCMU: Final = Law("PCMU", 0, b"\xff")
PCMA: Final = Law("PCMA", 8, b"\xd5")
LAWS: Final[Mapping[str, Law]] = MappingProxyType({law.name: law for law in (PCMU, PCMA)})
