"""Arithmetic on sample arrays: bytes of signed 16-bit little-endian mono, saturating, never wrapping."""

from __future__ import annotations

import sys
import warnings
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import soxr

from .frames import SAMPLE_BYTES, SAMPLE_RATE_HZ

with warnings.catch_warnings():
    # The standard library's audioop announces its removal in 3.13, from where on audioop-lts takes its place
    # under the same name; the announcement must not become an error in programs that turn warnings into errors.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

__all__ = [
    "FULL_SCALE",
    "Resampler",
    "Samples",
    "add",
    "array_of",
    "audioop",
    "bytes_of",
    "crossfade",
    "faded",
    "interleave",
    "mix",
    "mono",
    "peak",
    "resample",
    "rms",
    "scale",
]

Samples: TypeAlias = npt.NDArray[np.int16]
"""One-dimensional, 8 kHz, in native byte order; the read-only view of a frame when made by `array_of`."""

FULL_SCALE = 32767
_LITTLE = np.dtype("<i2")


def array_of(samples: bytes) -> Samples:
    """The samples as an array without a copy; an odd last byte is an error of the caller (ValueError)."""
    view: npt.NDArray[np.int16] = np.frombuffer(samples, dtype=_LITTLE)
    return view if sys.byteorder == "little" else view.astype(np.int16)


def bytes_of(array: npt.NDArray[Any]) -> bytes:
    """An array of any number type, in units of one 16-bit step, to samples: rounded, clipped at full scale."""
    if array.dtype.kind == "f":
        array = np.nan_to_num(np.rint(array), nan=0.0, posinf=FULL_SCALE, neginf=-FULL_SCALE - 1)
    clipped: npt.NDArray[np.int16] = np.clip(array, -FULL_SCALE - 1, FULL_SCALE).astype(_LITTLE)
    return clipped.tobytes()


def add(left: bytes, right: bytes) -> bytes:
    """Sum of two arrays of the same length, saturated at full scale."""
    return audioop.add(left, right, SAMPLE_BYTES)


def scale(samples: bytes, factor: float) -> bytes:
    """Louder or quieter by `factor`, saturated at full scale."""
    return audioop.mul(samples, SAMPLE_BYTES, factor)


def mix(parts: list[bytes]) -> bytes:
    """Sum of any number of arrays of one length, saturated once at the end, so that order does not matter."""
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        return audioop.add(parts[0], parts[1], SAMPLE_BYTES)
    total = np.zeros(len(parts[0]) // SAMPLE_BYTES, dtype=np.int32)
    for part in parts:
        total += array_of(part)
    return bytes_of(total)


def rms(samples: bytes) -> int:
    """Root mean square, 0 to 32768."""
    return audioop.rms(samples, SAMPLE_BYTES)


def peak(samples: bytes) -> int:
    """The largest magnitude, 0 to 32768."""
    return audioop.max(samples, SAMPLE_BYTES)


def interleave(left: bytes, right: bytes) -> bytes:
    """Two mono arrays of one length to one stereo array, left first."""
    return audioop.add(
        audioop.tostereo(left, SAMPLE_BYTES, 1.0, 0.0), audioop.tostereo(right, SAMPLE_BYTES, 0.0, 1.0), SAMPLE_BYTES
    )


def crossfade(old: bytes, new: bytes) -> bytes:
    """Glide from `old` to `new` in a straight line over their common length."""
    count = len(new) // SAMPLE_BYTES
    rise = np.arange(1, count + 1, dtype=np.float32) / (count + 1)
    before, after = array_of(old).astype(np.float32), array_of(new).astype(np.float32)
    return bytes_of(before + (after - before) * rise)


def faded(samples: bytes, start: float, stop: float) -> bytes:
    """Gain that moves in a straight line from `start` at the first sample to `stop` after the last."""
    array = array_of(samples).astype(np.float32)
    return bytes_of(array * np.linspace(start, stop, array.size, endpoint=False, dtype=np.float32))


def mono(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Float samples (frames,) or (frames, channels), full scale 1.0, to one channel: the mean of all."""
    if array.ndim == 1:
        return array.astype(np.float32, copy=False)
    if array.shape[1] == 1:
        return array[:, 0].astype(np.float32, copy=False)
    mean: npt.NDArray[np.float32] = array.mean(axis=1, dtype=np.float32)
    return mean


def _as_float(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Integers by their type's full scale, floats as they are, to float32 with full scale 1.0."""
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    if array.dtype.kind == "u":
        half = 2.0 ** (8 * array.dtype.itemsize - 1)
        return ((array.astype(np.float64) - half) / half).astype(np.float32)
    return (array.astype(np.float64) / 2.0 ** (8 * array.dtype.itemsize - 1)).astype(np.float32)


def resample(array: npt.NDArray[Any], rate_hz: int) -> bytes:
    """Any array, (frames,) or (frames, channels), ints of full range or floats in ±1, to our 8 kHz s16 mono bytes."""
    one = mono(_as_float(array))
    if rate_hz != SAMPLE_RATE_HZ:
        one = soxr.resample(np.ascontiguousarray(one), rate_hz, SAMPLE_RATE_HZ)
    return bytes_of(one * (FULL_SCALE + 1))


class Resampler:
    """The same in pieces, for what is too long to hold at once: feed pieces in order, then `finish`."""

    def __init__(self, rate_hz: int) -> None:
        """Start a stream of float arrays at `rate_hz`."""
        self._stream = (
            None if rate_hz == SAMPLE_RATE_HZ else soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
        )

    def feed(self, array: npt.NDArray[Any]) -> bytes:
        """What can be given out so far; the filter keeps some milliseconds back."""
        return self._run(mono(_as_float(array)), last=False)

    def finish(self) -> bytes:
        """The rest."""
        return self._run(np.zeros(0, dtype=np.float32), last=True)

    def _run(self, one: npt.NDArray[np.float32], *, last: bool) -> bytes:
        if self._stream is not None:
            one = self._stream.resample_chunk(np.ascontiguousarray(one), last=last)
        return bytes_of(one * (FULL_SCALE + 1))
