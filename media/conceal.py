"""Sound in place of lost sound: the last pitch period again and again, dying away (the idea of G.711 appendix I)."""

from __future__ import annotations

from typing import Final

import attrs

from . import pcm
from .frames import FRAME_SAMPLES, SAMPLE_BYTES, SILENCE, Frame

__all__ = ["FADE_SAMPLES", "Concealer"]

FADE_SAMPLES: Final = 3 * FRAME_SAMPLES
"""How long a made-up sound takes to die away: 60 ms."""
_BLEND: Final = 40
"""Samples over which real sound comes back in after a made-up one: 5 ms."""
_SHORTEST_PERIOD: Final = 40
"""Samples: 200 Hz. A higher voice is repeated by several of its periods at once."""
_PATTERN: Final = 80
"""Samples at the end of what was heard that are looked for in what was heard before, to find the period."""


@attrs.define(eq=False)
class Concealer:
    """Remembers the last 40 ms that were played and goes on from there when told to."""

    made_up: int = attrs.field(default=0, init=False)
    """Samples of made-up sound since the last real one."""
    last: Frame = attrs.field(default=SILENCE, init=False)
    _before_last: Frame = attrs.field(default=SILENCE, init=False)
    _period: bytes = attrs.field(default=b"", init=False)

    def note(self, frame: Frame) -> None:
        """Remember a frame that is being played."""
        self._before_last, self.last = self.last, frame

    def make_up(self, size: int) -> bytes | None:
        """The next `size` samples that are missing; None when the sound has died away, or there was none."""
        if self.made_up == 0:
            self._period = self._last_period()
        part = self._repeated(size) if self._period and self.made_up < FADE_SAMPLES else None
        self.made_up += size
        return part

    def blend(self, real: bytes) -> bytes:
        """Real samples that come next, gliding over from the made-up ones; ends the making up."""
        if self._period and 0 < self.made_up < FADE_SAMPLES:
            size = min(_BLEND * SAMPLE_BYTES, len(real))
            real = pcm.crossfade(self._repeated(size // SAMPLE_BYTES), real[:size]) + real[size:]
        self.made_up = 0
        return real

    def _repeated(self, size: int) -> bytes:
        """`size` samples of the repeated period from where it stands, with the gain of that place."""
        phase = self.made_up * SAMPLE_BYTES % len(self._period)
        wanted = size * SAMPLE_BYTES
        repeated = (self._period * (2 + wanted // len(self._period)))[phase : phase + wanted]
        start = max(0.0, 1 - self.made_up / FADE_SAMPLES)
        return pcm.faded(repeated, start, max(0.0, start - size / FADE_SAMPLES))

    def _last_period(self) -> bytes:
        """The last pitch period (or a multiple) of what was played: how far back its end is found once more."""
        history = self._before_last + self.last
        if not pcm.peak(history):
            return b""
        pattern = history[-_PATTERN * SAMPLE_BYTES :]
        offset, _ = pcm.audioop.findfit(history[: -_SHORTEST_PERIOD * SAMPLE_BYTES], pattern)
        return history[(offset + _PATTERN) * SAMPLE_BYTES :]
