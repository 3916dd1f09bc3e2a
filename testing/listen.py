"""What was heard: finding a sound in samples, for tests and for the demo. Samples are 8 kHz, signed 16-bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..media.pcm import array_of

RATE_HZ = 8000


def match(heard: bytes, wanted: bytes) -> float:
    """How well the best place in `heard` is `wanted`: the highest normalised cross-correlation, 0 to 1."""
    return best_match(array_of(heard), array_of(wanted))


def best_match(heard: Sequence[int] | npt.NDArray[np.int16], wanted: Sequence[int] | npt.NDArray[np.int16]) -> float:
    """`match` for arrays of samples."""
    long, short = np.asarray(heard, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    if long.size < short.size or not short.any():
        return 0.0
    size = 1 << (long.size + short.size).bit_length()
    spectrum = np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size))
    products = np.fft.irfft(spectrum, size)[: long.size - short.size + 1]
    squares = np.concatenate(([0.0], np.cumsum(long**2)))
    energies = squares[short.size :] - squares[: -short.size]
    scale = np.sqrt(np.maximum(energies, 1.0) * float((short**2).sum()))
    return float(np.max(products / scale))


def beep_in(samples: bytes) -> bool:
    """Whether the record beep (1 kHz) stands in the last half second, and has just ended."""
    array = np.asarray(array_of(samples), dtype=np.float64)
    if array.size < 8000:
        return False
    half = array[-6000:-2000]
    spectrum = np.abs(np.fft.rfft(half * np.hanning(half.size)))
    peak = float(np.fft.rfftfreq(half.size, 1 / RATE_HZ)[int(spectrum.argmax())])
    tail = array[-800:]
    loud, quiet = float(np.sqrt((half**2).mean())), float(np.sqrt((tail**2).mean()))
    return abs(peak - 1000) < 10 and loud > 1000 and quiet < loud / 10
