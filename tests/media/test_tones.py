"""Tones: what is heard, and for how long."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from offhook.media import pcm, tones
from offhook.media.frames import bytes_of_ms, duration_ms

NAMES = sorted(
    {
        *("at", "au", "be", "bg", "br", "ch", "cl", "cn", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr", "hu", "il"),
        *("in", "it", "jp", "lt", "mx", "my", "nl", "no", "nz", "ph", "pl", "pt", "ru", "se", "sg", "th", "tw", "uk"),
        *("us", "us-old", "ve", "za"),
    }
)


def strongest(samples: bytes, count: int) -> list[int]:
    """The `count` strongest frequencies, in rising order."""
    array = pcm.array_of(samples).astype(float)
    spectrum = np.abs(np.fft.rfft(array * np.hanning(array.size), n=8000 * 4))
    found: list[int] = []
    while len(found) < count:
        at = int(spectrum.argmax())
        found.append(round(at / 4))
        spectrum[max(0, at - 120) : at + 120] = 0
    return sorted(found)


def test_every_ring_tone_of_the_language_has_both_its_tones() -> None:
    assert set(tones.RINGBACK) == set(tones.BUSY) == set(NAMES) == tones.COUNTRIES


@pytest.mark.parametrize("country", NAMES)
@pytest.mark.parametrize("make", [tones.ringback, tones.busy])
def test_a_round_is_as_long_as_its_steps_and_silent_where_it_should_be(
    country: str, make: Callable[[str], bytes]
) -> None:
    table = tones.RINGBACK if make is tones.ringback else tones.BUSY
    samples = make(country)
    cadence = table[country]
    assert duration_ms(len(samples)) == cadence.period_ms
    at = 0
    for n, step_ms in enumerate(cadence.steps_ms):
        part = samples[bytes_of_ms(at) : bytes_of_ms(at + step_ms)]
        if n % 2:
            assert pcm.peak(part) == 0
        else:
            assert 2000 < pcm.rms(part) < 6000
            assert pcm.peak(part) < 20_000
        at += step_ms


def test_frequencies_are_those_of_the_country() -> None:
    assert strongest(tones.ringback("us")[: bytes_of_ms(1000)], 2) == [440, 480]
    assert strongest(tones.ringback("de")[: bytes_of_ms(1000)], 1) == [425]
    assert strongest(tones.busy("us")[: bytes_of_ms(500)], 2) == [480, 620]
    assert strongest(tones.ringback("uk")[: bytes_of_ms(400)], 2) == [400, 450]


def test_an_old_generator_swells_and_ebbs() -> None:
    samples = tones.ringback("us-old")[: bytes_of_ms(1000)]
    levels = [pcm.rms(samples[at : at + bytes_of_ms(2.5)]) for at in range(0, bytes_of_ms(1000), bytes_of_ms(2.5))]
    assert max(levels[10:]) > 5 * min(levels[10:])


def test_an_unknown_country_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        tones.ringback("xx")


@pytest.mark.parametrize(
    ("digit", "expected"),
    [("1", [697, 1209]), ("5", [770, 1336]), ("0", [941, 1336]), ("#", [941, 1477]), ("D", [941, 1633])],
)
def test_keys_sound_as_they_must(digit: str, expected: list[int]) -> None:
    got = strongest(tones.dtmf(digit, 200), 2)
    assert got == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("digit", ["", "x", "12", "!"])
def test_what_is_no_key_has_no_sound(digit: str) -> None:
    with pytest.raises(KeyError):
        tones.dtmf(digit)


def test_the_beep_is_half_a_second_of_one_kilohertz_without_clicks() -> None:
    samples = tones.beep()
    assert duration_ms(len(samples)) == 500
    assert strongest(samples, 1) == [1000]
    array = pcm.array_of(samples).astype(int)
    assert abs(array[0]) < 100
    assert abs(array[-1]) < 500


def test_a_tone_of_no_length_is_nothing() -> None:
    assert tones.tone(440, length_ms=0) == b""
