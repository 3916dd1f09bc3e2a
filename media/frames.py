"""The unit of audio inside offhook: a frame is 20 ms of 8 kHz signed 16-bit mono, little endian, as 320 bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, TypeAlias

__all__ = [
    "FRAMES_PER_S",
    "FRAME_BYTES",
    "FRAME_MS",
    "FRAME_S",
    "FRAME_SAMPLES",
    "SAMPLES_PER_MS",
    "SAMPLE_BYTES",
    "SAMPLE_RATE_HZ",
    "SILENCE",
    "Frame",
    "bytes_of_ms",
    "duration_ms",
    "duration_s",
    "frames_of",
    "padded",
]

Frame: TypeAlias = bytes
"""Exactly FRAME_BYTES bytes."""

SAMPLE_RATE_HZ: Final = 8000
SAMPLE_BYTES: Final = 2
SAMPLES_PER_MS: Final = 8
FRAME_MS: Final = 20
FRAME_S: Final = 0.020
FRAMES_PER_S: Final = 50
FRAME_SAMPLES: Final = 160
"""Also the RTP timestamp step of one frame: both clocks are 8 kHz."""
FRAME_BYTES: Final = 320
SILENCE: Final[Frame] = bytes(FRAME_BYTES)


def frames_of(samples: bytes) -> Iterator[Frame]:
    """Cut s16 samples into frames; the last one is filled up with silence."""
    for start in range(0, len(samples), FRAME_BYTES):
        frame = samples[start : start + FRAME_BYTES]
        yield frame if len(frame) == FRAME_BYTES else frame.ljust(FRAME_BYTES, b"\0")


def padded(samples: bytes) -> bytes:
    """The same samples, filled up with silence to whole frames."""
    return samples.ljust(math.ceil(len(samples) / FRAME_BYTES) * FRAME_BYTES, b"\0")


def bytes_of_ms(ms: float) -> int:
    """How many bytes hold `ms` milliseconds; always whole samples."""
    return round(ms * SAMPLES_PER_MS) * SAMPLE_BYTES


def duration_ms(byte_count: int) -> float:
    """How many milliseconds `byte_count` bytes of s16 samples last."""
    return byte_count / (SAMPLE_BYTES * SAMPLES_PER_MS)


def duration_s(byte_count: int) -> float:
    """How many seconds `byte_count` bytes of s16 samples last."""
    return byte_count / (SAMPLE_BYTES * SAMPLE_RATE_HZ)
