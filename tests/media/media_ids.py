"""`FixedIds`: the numbers of a leg in a test."""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class FixedIds:
    """Every leg gets the numbers set here; RTCP intervals are 5 s · (0.5 + `part`) / 1.218."""

    ssrc_value: int = 0x0FF0_0001
    first_sequence: int = 100
    first_timestamp: int = 1_000_000
    part: float = 0.5

    def ssrc(self) -> int:
        return self.ssrc_value

    def sequence(self) -> int:
        return self.first_sequence

    def timestamp(self) -> int:
        return self.first_timestamp

    def cname(self) -> str:
        return "leg@test"

    def session_id(self) -> int:
        return 4711

    def master_key(self) -> bytes:
        return bytes(range(100, 130))

    def fraction(self) -> float:
        return self.part
