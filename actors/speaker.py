"""`EspeakSpeech`: the built-in speech engine behind the `Speech` protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import attrs
import trio

from ..media.pcm import array_of, resample
from ..media.sources import Clip
from ..media.speech import SpeechError
from ..transport.speech import SpeechFailed, SpeechHelpers
from .voices import voice_of

Offload: TypeAlias = Callable[..., Awaitable[Any]]
"""Runs a plain function with its arguments off the event loop: `trio.to_thread.run_sync`, or a test's stand-in."""


@attrs.define(eq=False)
class EspeakSpeech:
    """espeak-ng in helper processes (see transport/speech.py); knows every voice, by language and gender."""

    helpers: SpeechHelpers
    offload: Offload = trio.to_thread.run_sync

    async def synthesize(self, text: str, *, ssml: bool = False, voice: str = "", language: str = "") -> Clip:
        """See `Speech.synthesize`."""
        wanted = voice_of(voice or None, language or None)
        try:
            sound = await self.helpers.speak(text, voices=wanted.engine_voices, ssml=ssml)
        except SpeechFailed as error:
            raise SpeechError(str(error)) from error
        samples = await self.offload(_to_telephone, sound.samples, sound.rate_hz)
        return Clip(samples)


def _to_telephone(samples: bytes, rate_hz: int) -> bytes:
    return resample(array_of(samples), rate_hz)
