"""Speech or silence, told by energy against a noise floor that follows the line, with hangover."""

from __future__ import annotations

import math
from typing import Final

import attrs

from . import pcm
from .frames import FRAME_MS, Frame

__all__ = ["SpeechDetector", "level_db"]

_SOUND_DB: Final = -70.0
"""Below this nobody hears anything, whatever the floor."""
_LOUD_DB: Final = -32.0
"""Above this it counts as speech even when the floor has crept up: a floor never excuses what is this loud."""
_ABOVE_DB: Final = 9.0
"""How far speech stands out from the noise."""
_START_FLOOR_DB: Final = -60.0
_SINK: Final = 0.2
"""Share of the way down to a quieter frame that the floor takes at once."""
_RISE_DB: Final = 0.06
"""How far the floor rises in a frame that is louder: 3 dB in a second."""
_ONSET_FRAMES: Final = 3
"""A click is shorter."""


def level_db(frame: Frame) -> float:
    """RMS level, decibels below full scale; -100 for digital silence."""
    rms = pcm.rms(frame)
    return 20 * math.log10(rms / 32_768) if rms else -100.0


@attrs.define(eq=False)
class SpeechDetector:
    """Fed each frame that was received, in order; frames that never came are not fed (silence is then not measured)."""

    hangover_ms: int = 200
    """How long speech goes on after its last loud frame: the pauses between syllables are no silence."""
    speaking: bool = attrs.field(default=False, init=False)
    heard: bool = attrs.field(default=False, init=False)
    """Whether there has been speech at all."""
    silent_ms: int = attrs.field(default=0, init=False)
    """Since the last loud frame, or since the beginning; counted in frames fed."""
    speech_ms: int = attrs.field(default=0, init=False)
    """Length of all speech so far, hangovers not counted."""
    _floor_db: float = attrs.field(default=_START_FLOOR_DB, init=False)
    _onset: int = attrs.field(default=0, init=False)

    @property
    def floor_db(self) -> float:
        """The noise floor as assumed at present."""
        return self._floor_db

    def feed(self, frame: Frame | None) -> bool:
        """Judge a frame (None: the peer is known to be silent) and say whether the peer is speaking."""
        level = -100.0 if frame is None else level_db(frame)
        loud = level > _SOUND_DB and (level > self._floor_db + _ABOVE_DB or level > _LOUD_DB)
        if level < self._floor_db:
            self._floor_db += (max(level, _SOUND_DB) - self._floor_db) * _SINK
        elif level > _SOUND_DB:
            # Speech is as loud as its noise in its pauses: the slow rise of words is undone in each of them.
            self._floor_db = min(self._floor_db + _RISE_DB, level)
        if not loud:
            self._onset = 0
            self.silent_ms += FRAME_MS
            if self.silent_ms >= self.hangover_ms:
                self.speaking = False
            return self.speaking
        self._onset += 1
        if self.speaking or self._onset >= _ONSET_FRAMES:
            self.speech_ms += FRAME_MS if self.speaking else self._onset * FRAME_MS
            self.speaking = self.heard = True
            self.silent_ms = 0
        else:
            self.silent_ms += FRAME_MS
        return self.speaking

    def restart(self) -> None:
        """Measure silence from here, keeping what has been learnt of the noise."""
        self.speaking = self.heard = False
        self.silent_ms = self.speech_ms = self._onset = 0
