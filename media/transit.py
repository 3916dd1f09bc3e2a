"""How unevenly packets arrive: what a playout delay has to make up for."""

from __future__ import annotations

import math
from typing import Final

import attrs

__all__ = ["Transit"]

_WINDOW_PACKETS: Final = 500


@attrs.define(eq=False)
class Transit:
    """How much later than the fastest packets of the last seconds the others come; samples.

    The floor is the least transit time within two windows, so that a drifting clock moves it along; the peak follows
    the lateness up by a quarter of each step, so that one stray packet is no reason for a longer delay, and sinks by
    half in about seven seconds of 20 ms packets.
    """

    most: float
    """A lateness beyond this is counted as this much: no delay that is allowed would help."""
    peak: float
    """How much later than the fastest the late ones come; starts as a guess."""
    _floor: float = math.inf
    _before: float = math.inf
    _count: int = 0

    def note(self, transit: float) -> None:
        """Take a packet's arrival minus its timestamp, both in samples, each from any zero."""
        if transit < self._floor:
            self._floor = transit
        lateness = min(transit - min(self._floor, self._before), self.most)
        if lateness > self.peak:
            self.peak += (lateness - self.peak) / 4
        else:
            self.peak *= 0.998
        self._count += 1
        if self._count == _WINDOW_PACKETS:
            self._before, self._floor, self._count = self._floor, math.inf, 0

    def restart(self) -> None:
        """Another clock from here on; the peak stays, the network being the same."""
        self._floor = self._before = math.inf
        self._count = 0
