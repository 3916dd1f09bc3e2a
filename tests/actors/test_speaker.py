"""The built-in engine behind the Speech protocol: a real process and a real thread, so real time."""

from __future__ import annotations

import pytest

from offhook.actors.speaker import EspeakSpeech
from offhook.media.pcm import rms
from offhook.media.speech import Speech, SpeechError
from offhook.transport.speech import TEXT_MAX, SpeechHelpers

pytestmark = pytest.mark.wire


async def test_words_become_telephone_audio_in_every_kind_of_voice() -> None:
    async with SpeechHelpers() as helpers:
        speech: Speech = EspeakSpeech(helpers)
        for voice, language in [("", ""), ("alice", "de-DE"), ("Polly.Mizuki", ""), ("Google.xx-XX-Odd-Z", "tlh")]:
            clip = await speech.synthesize("Hello 1 2 3", voice=voice, language=language)
            assert 300 < clip.duration_ms < 4000
            assert rms(clip.samples) > 300


async def test_mark_up_is_heard() -> None:
    async with SpeechHelpers() as helpers:
        speech = EspeakSpeech(helpers)
        marked = '<speak>a<break time="1500ms"/>b</speak>'
        clip = await speech.synthesize(marked, ssml=True, voice="Polly.Amy")
        assert clip.duration_ms > 1700


async def test_what_cannot_be_spoken_is_a_speech_error() -> None:
    async with SpeechHelpers() as helpers:
        with pytest.raises(SpeechError):
            await EspeakSpeech(helpers).synthesize("x" * (TEXT_MAX + 1))
