"""Sound for calls with foreign phones: making it, keeping it in WAV files, and telling whether two are alike."""

from __future__ import annotations

import math
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import attrs
import numpy
import numpy.typing

Samples: TypeAlias = numpy.typing.NDArray[numpy.float64]
"""8 kHz, full scale 1."""

RATE_HZ = 8000


def speech_like(duration_s: float, seed: int) -> Samples:
    """Syllables: voiced sounds of changing pitch and colour between short pauses. Never the same twice in a file."""
    dice = numpy.random.default_rng(seed)
    pieces: list[Samples] = []
    length = 0
    while length < duration_s * RATE_HZ:
        time = numpy.arange(int(dice.uniform(0.12, 0.3) * RATE_HZ)) / RATE_HZ
        pitch_hz = dice.uniform(95, 220) * (1 + dice.uniform(-0.6, 0.6) * time)
        phase = 2 * numpy.pi * numpy.cumsum(pitch_hz) / RATE_HZ
        formants_hz = (dice.uniform(300, 800), dice.uniform(900, 2300))
        voiced = numpy.zeros_like(time)
        for harmonic in range(1, 16):
            near = [numpy.exp(-(((harmonic * pitch_hz - formant) / 250) ** 2)) for formant in formants_hz]
            voiced += (0.03 + near[0] + 0.6 * near[1]) * numpy.sin(harmonic * phase)
        voiced *= numpy.hanning(len(time)) * dice.uniform(0.6, 1.0)
        pause = numpy.zeros(int(dice.uniform(0.02, 0.08) * RATE_HZ))
        pieces += [voiced, pause]
        length += len(voiced) + len(pause)
    sound = numpy.concatenate(pieces)[: int(duration_s * RATE_HZ)]
    loudest = float(numpy.abs(sound).max())
    return sound * (0.5 / loudest)


def write_wav(path: Path, samples: Samples) -> None:
    """16 bits, mono, 8 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def read_wav(path: Path) -> Samples:
    """A file of 16 bits, mono, 8 kHz. A head that was not finished (its writer still has it open) is no obstacle."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ), path
        data = file.readframes(file.getnframes())
    return numpy.frombuffer(data, "<i2").astype(numpy.float64) / 32768


ALIKE = 0.95
"""Likeness from which two sounds are the same; G.711 leaves 0.999."""
PIECE_S = 0.25
WANDER_S = 0.2
"""Most that a playout delay may change over a recording."""


@attrs.frozen
class Found:
    """Where a sound was found in another one."""

    likeness: float
    """Normalised correlation: 1 for the same sound, however loud."""
    at: int
    """Sample at which it begins."""


def likeness(part: Samples, whole: Samples) -> float:
    """How much `part` is like the stretch of `whole` that is most like it."""
    return find(part, whole).likeness


def share_found(part: Samples, whole: Samples, alike: float = ALIKE) -> float:
    """Which share of `part`, piece by piece and silence left out, is in `whole`, in the same order and at its place.

    For what went through a playout buffer: on a busy machine its delay changes by a frame now and then, which takes
    nothing from what was said but shifts what follows.
    """
    size = int(PIECE_S * RATE_HZ)
    pieces = [(start, part[start : start + size]) for start in range(0, len(part) - size + 1, size)]
    found = [
        (spot.likeness, spot.at - start)
        for start, piece in pieces
        if numpy.abs(piece).max() > 0.01
        for spot in [find(piece, whole)]
    ]
    place = float(numpy.median([shift for _, shift in found])) if found else 0.0
    good = [likeness > alike and abs(shift - place) <= WANDER_S * RATE_HZ for likeness, shift in found]
    return sum(good) / max(1, len(good))


def find(part: Samples, whole: Samples) -> Found:
    """The stretch of `whole` that is most like `part`; it may begin a little before `whole` or end a little after."""
    margin = numpy.zeros(len(part) // 20)
    around = numpy.concatenate([margin, whole, margin])
    if len(around) < len(part) or not part.any() or not whole.any():
        return Found(0.0, 0)
    size = 1 << (len(around) + len(part)).bit_length()
    spectrum = numpy.fft.rfft(around, size) * numpy.conj(numpy.fft.rfft(part, size))
    products = numpy.fft.irfft(spectrum, size)[: len(around) - len(part) + 1]
    energy = numpy.concatenate([[0.0], numpy.cumsum(around**2)])
    stretches = energy[len(part) :] - energy[: -len(part)]
    # A stretch of near silence is like nothing, and must not be divided by.
    floor = 1e-6 * stretches.max()
    alike = products / numpy.sqrt(numpy.maximum(stretches, floor) * (part**2).sum())
    best = int(alike.argmax())
    return Found(float(alike[best]), best - len(margin))


def recognised(heard: Samples, said: Samples, alike: float = ALIKE) -> list[float | None]:
    """At which second of `said` is each piece of `heard`, in order; None where it is something else, or silence."""
    size = int(PIECE_S * RATE_HZ)
    spots = [find(heard[start : start + size], said) for start in range(0, len(heard) - size + 1, size)]
    return [spot.at / RATE_HZ if spot.likeness > alike else None for spot in spots]


def stretches(places: Sequence[float | None]) -> list[tuple[float, float]]:
    """From where to where in what was said each stretch goes that `recognised` found unbroken, in the order heard.

    A piece that was not recognised breaks nothing when the sound goes on behind it as if it had been.
    """
    found: list[tuple[float, float]] = []
    last_shift = math.inf
    for number, place in enumerate(places):
        if place is None:
            continue
        shift = place - number * PIECE_S
        if abs(shift - last_shift) <= WANDER_S:
            found[-1] = (found[-1][0], place + PIECE_S)
        else:
            found.append((place, place + PIECE_S))
        last_shift = shift
    return found
