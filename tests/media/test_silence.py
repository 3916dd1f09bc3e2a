"""Speech or silence."""

from __future__ import annotations

import numpy as np

from offhook.media import pcm
from offhook.media.frames import FRAME_SAMPLES, SILENCE
from offhook.media.silence import SpeechDetector, level_db

CHANCE = np.random.default_rng(5)


def noise(rms: float, count: int = 1) -> list[bytes]:
    return [pcm.bytes_of(CHANCE.normal(0, rms, FRAME_SAMPLES)) for _ in range(count)]


def test_levels_are_decibels_below_full_scale() -> None:
    assert level_db(SILENCE) == -100
    assert round(level_db(pcm.bytes_of(np.full(160, 3277)))) == -20


def test_digital_silence_is_silence() -> None:
    detector = SpeechDetector()
    assert not any(detector.feed(SILENCE) for _ in range(100))
    assert detector.silent_ms == 2000
    assert not detector.heard


def test_speech_is_told_after_its_onset_and_ends_after_the_hangover() -> None:
    detector = SpeechDetector(hangover_ms=200)
    for frame in noise(10, 50):
        detector.feed(frame)
    told = [detector.feed(frame) for frame in noise(2000, 25)]
    assert told == [False] * 2 + [True] * 23
    assert detector.speech_ms == 500
    assert detector.silent_ms == 0
    told = [detector.feed(frame) for frame in noise(10, 20)]
    assert told == [True] * 9 + [False] * 11
    assert detector.silent_ms == 400
    assert detector.heard


def test_a_click_is_no_speech() -> None:
    detector = SpeechDetector()
    for frame in [*noise(10, 20), *noise(8000, 2), *noise(10, 20)]:
        assert not detector.feed(frame)
    assert not detector.heard
    assert detector.silent_ms == 840


def test_a_noisy_line_becomes_silence_once_its_noise_is_known() -> None:
    detector = SpeechDetector()
    for frame in noise(250, 500):  # -42 dB: a fan
        detector.feed(frame)
    assert not detector.speaking
    assert detector.silent_ms > 2000
    for frame in noise(3000, 10):
        detector.feed(frame)
    assert detector.speaking


def test_long_speech_with_its_pauses_stays_speech() -> None:
    detector = SpeechDetector()
    said = 0
    for _ in range(40):
        for frame in [*noise(2500, 20), *noise(20, 5)]:
            said += detector.feed(frame)
    assert said >= 40 * 25 - 2


def test_a_peer_that_says_it_is_silent_counts_as_silence() -> None:
    detector = SpeechDetector()
    for _ in range(5):
        detector.feed(None)
    assert detector.silent_ms == 100


def test_measuring_can_begin_anew_with_the_noise_known() -> None:
    detector = SpeechDetector()
    for frame in noise(250, 500):
        detector.feed(frame)
    floor = detector.floor_db
    detector.restart()
    assert (detector.heard, detector.silent_ms, detector.floor_db) == (False, 0, floor)
