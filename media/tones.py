"""Tones as samples: what a country's exchange plays while it rings or is busy, the record beep, the keypad."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from .frames import SAMPLE_RATE_HZ, SAMPLES_PER_MS
from .pcm import bytes_of

__all__ = [
    "BUSY",
    "COUNTRIES",
    "RINGBACK",
    "Cadence",
    "beep",
    "busy",
    "cadence",
    "dtmf",
    "dtmf_second",
    "ringback",
    "tone",
]

_OVERLOAD: Final = 32_124
"""The largest G.711 value on 16 bits; a sine that reaches it is +3.17 dBm0."""
_RAMP_MS: Final = 3
"""A tone begins and ends over this time, without which it would click."""


@attrs.frozen
class Cadence:
    """A tone that comes and goes: `steps_ms` are on, off, on, off …, and then it all begins again."""

    frequencies_hz: tuple[float, ...]
    steps_ms: tuple[int, ...]
    modulation_hz: float = 0
    """When not 0, the one frequency swells and ebbs this often, as old generators and a few countries have it."""

    @property
    def period_ms(self) -> int:
        """How long one round lasts."""
        return sum(self.steps_ms)


def _on_off(*steps_ms: int, hz: tuple[float, ...] = (425,), by_hz: float = 0) -> Cadence:
    return Cadence(hz, steps_ms, by_hz)


_DOUBLE = (400, 200, 400, 2000)

RINGBACK: Final[Mapping[str, Cadence]] = MappingProxyType(
    {
        "at": _on_off(1000, 5000, hz=(420,)),
        "au": _on_off(*_DOUBLE, hz=(413, 438)),
        "be": _on_off(1000, 3000),
        "bg": _on_off(1000, 4000),
        "br": _on_off(1000, 4000),
        "ch": _on_off(1000, 4000),
        "cl": _on_off(1000, 3000, hz=(400,)),
        "cn": _on_off(1000, 4000, hz=(450,)),
        "cz": _on_off(1000, 4000),
        "de": _on_off(1000, 4000),
        "dk": _on_off(1000, 4000),
        "ee": _on_off(1000, 4000),
        "es": _on_off(1500, 3000),
        "fi": _on_off(1000, 4000),
        "fr": _on_off(1500, 3500, hz=(440,)),
        "gr": _on_off(1000, 4000),
        "hu": _on_off(1250, 3750),
        "il": _on_off(1000, 3000, hz=(400,)),
        "in": _on_off(*_DOUBLE, hz=(400,), by_hz=25),
        "it": _on_off(1000, 4000),
        "jp": _on_off(1000, 2000, hz=(400,), by_hz=16),
        "lt": _on_off(1000, 4000),
        "mx": _on_off(1000, 4000),
        "my": _on_off(*_DOUBLE),
        "nl": _on_off(1000, 4000),
        "no": _on_off(1000, 4000),
        "nz": _on_off(*_DOUBLE, hz=(400, 450)),
        "ph": _on_off(1000, 4000, hz=(425, 480)),
        "pl": _on_off(1000, 4000),
        "pt": _on_off(1000, 5000),
        "ru": _on_off(800, 3200),
        "se": _on_off(1000, 5000),
        "sg": _on_off(*_DOUBLE, by_hz=24),
        "th": _on_off(1000, 5000, hz=(420,)),
        "tw": _on_off(1000, 2000, hz=(440, 480)),
        "uk": _on_off(*_DOUBLE, hz=(400, 450)),
        "us": _on_off(2000, 4000, hz=(440, 480)),
        "us-old": _on_off(2000, 4000, hz=(420,), by_hz=40),
        "ve": _on_off(1000, 4000),
        "za": _on_off(*_DOUBLE, hz=(400,), by_hz=33),
    }
)
"""What the caller hears while the called phone rings, by the `ringTone` names of TwiML (after ITU-T E.180)."""

BUSY: Final[Mapping[str, Cadence]] = MappingProxyType(
    {
        "at": _on_off(400, 400, hz=(420,)),
        "au": _on_off(375, 375),
        "be": _on_off(500, 500),
        "bg": _on_off(500, 500),
        "br": _on_off(250, 250),
        "ch": _on_off(500, 500),
        "cl": _on_off(500, 500, hz=(400,)),
        "cn": _on_off(350, 350, hz=(450,)),
        "cz": _on_off(330, 330),
        "de": _on_off(480, 480),
        "dk": _on_off(500, 500),
        "ee": _on_off(300, 300),
        "es": _on_off(200, 200),
        "fi": _on_off(300, 300),
        "fr": _on_off(500, 500, hz=(440,)),
        "gr": _on_off(300, 300),
        "hu": _on_off(300, 300),
        "il": _on_off(500, 500, hz=(400,)),
        "in": _on_off(750, 750, hz=(400,)),
        "it": _on_off(500, 500),
        "jp": _on_off(500, 500, hz=(400,)),
        "lt": _on_off(350, 350),
        "mx": _on_off(250, 250),
        "my": _on_off(500, 500),
        "nl": _on_off(500, 500),
        "no": _on_off(500, 500),
        "nz": _on_off(500, 500, hz=(400,)),
        "ph": _on_off(500, 500, hz=(480, 620)),
        "pl": _on_off(500, 500),
        "pt": _on_off(500, 500),
        "ru": _on_off(350, 350),
        "se": _on_off(250, 250),
        "sg": _on_off(750, 750),
        "th": _on_off(500, 500, hz=(400,)),
        "tw": _on_off(500, 500, hz=(480, 620)),
        "uk": _on_off(375, 375, hz=(400,)),
        "us": _on_off(500, 500, hz=(480, 620)),
        "us-old": _on_off(500, 500, hz=(500,), by_hz=100),
        "ve": _on_off(500, 500),
        "za": _on_off(500, 500, hz=(400,)),
    }
)
"""What the caller hears when the called phone is taken."""

COUNTRIES: Final = frozenset(RINGBACK)

# Row and column of each key (ITU-T Q.23).
_ROWS_HZ: Final = (697, 770, 852, 941)
_COLUMNS_HZ: Final = (1209, 1336, 1477, 1633)
_KEYPAD: Final = ("123A", "456B", "789C", "*0#D")
_KEY_DBM0: Final = -8.0


def _sines(frequencies_hz: tuple[float, ...], count: int, level_dbm0: float) -> npt.NDArray[np.float64]:
    """The sum of sines at that level each."""
    seconds = np.arange(count) / SAMPLE_RATE_HZ
    amplitude = _OVERLOAD * 10 ** ((level_dbm0 - 3.17) / 20)
    wave = np.zeros(count)
    for hz in frequencies_hz:
        wave += amplitude * np.sin(2 * np.pi * hz * seconds)
    return wave


def _wave(frequencies_hz: tuple[float, ...], length_ms: float, level_dbm0: float) -> npt.NDArray[np.float64]:
    """Sines at that level each, with their ends rounded off."""
    count = round(length_ms * SAMPLES_PER_MS)
    wave = _sines(frequencies_hz, count, level_dbm0)
    ramp = min(_RAMP_MS * SAMPLES_PER_MS, count // 2)
    if ramp:
        rise = np.sin(np.linspace(0, np.pi / 2, ramp, endpoint=False)) ** 2
        wave[:ramp] *= rise
        wave[-ramp:] *= rise[::-1]
    return wave


def tone(*frequencies_hz: float, length_ms: float, level_dbm0: float = -13) -> bytes:
    """Samples of a steady tone of one or more frequencies, each at `level_dbm0`."""
    return bytes_of(_wave(frequencies_hz, length_ms, level_dbm0))


@functools.lru_cache(maxsize=128)
def cadence(it: Cadence, level_dbm0: float = -16) -> bytes:
    """Samples of one round; repeat them for as long as the tone is wanted."""
    parts = []
    for at, step_ms in enumerate(it.steps_ms):
        if at % 2:
            parts.append(np.zeros(step_ms * SAMPLES_PER_MS))
            continue
        wave = _wave(it.frequencies_hz, step_ms, level_dbm0)
        if it.modulation_hz:
            seconds = np.arange(wave.size) / SAMPLE_RATE_HZ
            wave *= (1 + 0.9 * np.sin(2 * np.pi * it.modulation_hz * seconds)) / 1.9 * 1.4
        parts.append(wave)
    return bytes_of(np.concatenate(parts))


def ringback(country: str = "us") -> bytes:
    """One round of a country's ringing tone; KeyError for a name that is not in COUNTRIES."""
    return cadence(RINGBACK[country])


def busy(country: str = "us") -> bytes:
    """One round of a country's busy tone; KeyError for a name that is not in COUNTRIES."""
    return cadence(BUSY[country])


@functools.cache
def beep() -> bytes:
    """What says "speak now" before a recording: 0.5 s of 1 kHz."""
    return tone(1000, length_ms=500, level_dbm0=-10)


def _key_hz(digit: str) -> tuple[float, float]:
    for row_hz, keys in zip(_ROWS_HZ, _KEYPAD, strict=True):
        if len(digit) == 1 and digit in keys:
            return row_hz, _COLUMNS_HZ[keys.index(digit)]
    raise KeyError(digit)


@functools.lru_cache(maxsize=64)
def dtmf(digit: str, length_ms: int = 100) -> bytes:
    """The two frequencies of a key, for a peer that takes no telephone-events; KeyError for another character."""
    return tone(*_key_hz(digit), length_ms=length_ms, level_dbm0=_KEY_DBM0)


@functools.cache
def dtmf_second(digit: str) -> bytes:
    """One second of a key's tones with bare ends: their frequencies are whole, so it may be repeated without a seam."""
    return bytes_of(_sines(_key_hz(digit), SAMPLE_RATE_HZ, _KEY_DBM0))
