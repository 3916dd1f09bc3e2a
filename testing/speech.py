"""Speech and files without engine, process or thread: what goes with virtual time."""

from __future__ import annotations

import io
import math
import struct
import wave
from collections.abc import Callable
from typing import Any

import attrs
import trio

from ..media.sources import Clip
from ..media.speech import SpeechError

RATE_HZ = 8000


@attrs.frozen
class Spoken:
    """What a `FakeSpeech` was asked to say."""

    text: str
    ssml: bool
    voice: str
    language: str


@attrs.define(eq=False)
class FakeSpeech:
    """A `Speech` whose clips are a tone, as long as the text: `ms_per_character` for each."""

    ms_per_character: float = 20.0
    delay_s: float = 0.0
    """How long the engine takes, on the trio clock."""
    failing: bool = False
    """Whether it fails with `SpeechError`."""
    spoken: list[Spoken] = attrs.field(factory=list, init=False)
    """In the order it was asked."""

    async def synthesize(self, text: str, *, ssml: bool = False, voice: str = "", language: str = "") -> Clip:
        self.spoken.append(Spoken(text, ssml, voice, language))
        await trio.sleep(self.delay_s)
        if self.failing:
            raise SpeechError("the engine was told to fail")
        return Clip(tone(len(text) * self.ms_per_character, 300 + sum(text.encode("utf-8", "replace")) % 400))


async def inline(function: Callable[..., Any], *args: Any) -> Any:
    """Runs `function` here and now: stands in for a worker thread, which virtual time does not wait for."""
    await trio.lowlevel.checkpoint()
    return function(*args)


def tone(duration_ms: float, hertz: float = 440.0, level: float = 0.3) -> bytes:
    """A sine as 8 kHz samples."""
    count = round(duration_ms * RATE_HZ / 1000)
    peak = level * 32767
    step = 2 * math.pi * hertz / RATE_HZ
    return struct.pack(f"={count}h", *(round(peak * math.sin(step * index)) for index in range(count)))


def wav(samples: bytes, rate_hz: int = RATE_HZ) -> bytes:
    """Mono samples as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples)
    return out.getvalue()
