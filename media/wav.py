"""WAV files of our own recordings: playable after a crash at any moment, repaired, and trimmed of silence."""

from __future__ import annotations

import os
import struct
from collections import deque
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from .errors import BadAudio
from .frames import FRAME_SAMPLES, SAMPLE_BYTES, SAMPLE_RATE_HZ, Frame
from .pcm import array_of, interleave

__all__ = ["HEADER_BYTES", "WavWriter", "header", "repair", "trim", "trim_span"]

HEADER_BYTES: Final = 44
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_MOST_DATA_BYTES: Final = 0xFFFF_FFFF - HEADER_BYTES
"""A WAV file counts its bytes in 32 bits: 37 hours in stereo."""
_COPY_BYTES: Final = 1 << 20


def header(data_bytes: int, channels: int) -> bytes:
    """The head of a file with that much sound: 8 kHz, 16 bits."""
    block = channels * SAMPLE_BYTES
    return _HEADER.pack(
        b"RIFF",
        HEADER_BYTES - 8 + data_bytes,
        b"WAVE",
        b"fmt ",
        16,
        1,
        channels,
        SAMPLE_RATE_HZ,
        SAMPLE_RATE_HZ * block,
        block,
        8 * SAMPLE_BYTES,
        b"data",
        data_bytes,
    )


class WavWriter:
    """Takes frames without ever waiting and writes them when told to.

    `write` only queues, so the beat may call it. `flush` and `close` wait for the disk: call them on a worker thread,
    one at a time; `write` may go on meanwhile. After each flush the file is whole: first the samples are appended,
    then the header is rewritten to count them. When the process is killed in between, the header counts a little less
    than there is, which every player accepts and `repair` puts right. Nothing is ever synced: a killed process loses
    no written byte, and a recording is not worth stalling the disk for a power cut.
    """

    def __init__(self, path: Path, channels: int = 1) -> None:
        """Create the file (OSError when that fails), 1 or 2 channels."""
        if channels not in (1, 2):
            raise ValueError("a recording is mono or stereo")
        self.path, self.channels = path, channels
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._taken = 0
        self._on_disk = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            self._put(header(0, channels), 0)
        except OSError:
            self.close()
            raise

    @property
    def duration_s(self) -> float:
        """Length of all that was given to `write`."""
        return self._queued / (self.channels * SAMPLE_BYTES * SAMPLE_RATE_HZ)

    @property
    def pending_bytes(self) -> int:
        """What waits in memory for the next flush."""
        return self._queued - self._taken

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._fd < 0

    def write(self, samples: bytes) -> None:
        """Queue samples of one channel, or interleaved ones of two."""
        self._queue.append(samples)
        self._queued += len(samples)

    def write_pair(self, left: Frame, right: Frame) -> None:
        """Queue a frame of each channel."""
        self.write(interleave(left, right))

    def flush(self) -> None:
        """Append what is queued and make the header true; on OSError everything is kept for another try."""
        if self.closed:
            raise ValueError("the recording is closed")
        parts = [self._queue.popleft() for _ in range(len(self._queue))]
        if not parts:
            return
        chunk = b"".join(parts)
        try:
            room = _MOST_DATA_BYTES - self._on_disk
            self._put(chunk[:room], HEADER_BYTES + self._on_disk)
            size = self._on_disk + min(len(chunk), room)
            self._put(header(size, self.channels), 0)
        except OSError:
            self._queue.appendleft(chunk)
            raise
        self._on_disk = size
        self._taken += len(chunk)

    def close(self) -> None:
        """Flush and close; the file is closed even when the flush fails. Closing twice does nothing."""
        if self.closed:
            return
        try:
            self.flush()
        finally:
            os.close(self._fd)
            self._fd = -1

    def _put(self, data: bytes, at: int) -> None:
        view = memoryview(data)
        while view:
            count = os.pwrite(self._fd, view, at)
            view, at = view[count:], at + count


def _layout(head: bytes, path: Path) -> int:
    """The channels of a file that begins with `head`, if it is one of ours."""
    if len(head) < HEADER_BYTES:
        raise BadAudio(f"{path.name} is shorter than a WAV header")
    riff, _, wave, fmt, length, coding, channels, rate_hz, _, _, bits, data, _ = _HEADER.unpack(head)
    fixed = (riff, wave, fmt, length, coding, rate_hz, bits, data)
    if fixed != (b"RIFF", b"WAVE", b"fmt ", 16, 1, SAMPLE_RATE_HZ, 8 * SAMPLE_BYTES, b"data") or channels not in (1, 2):
        raise BadAudio(f"{path.name} is no recording of ours")
    return int(channels)


def repair(path: Path) -> float:
    """Make the header of a recording that was cut off count all that is there; gives its length in seconds.

    A half sample at the end is cut away; a file that is in order is left alone. Raises BadAudio when it is not one
    that `WavWriter` made.
    """
    with path.open("r+b") as file:
        head = file.read(HEADER_BYTES)
        channels = _layout(head, path)
        block = channels * SAMPLE_BYTES
        there = file.seek(0, os.SEEK_END) - HEADER_BYTES
        size = min(there, _MOST_DATA_BYTES) // block * block
        if size != there:
            file.truncate(HEADER_BYTES + size)
        if head != header(size, channels):
            file.seek(0)
            file.write(header(size, channels))
    return size / (block * SAMPLE_RATE_HZ)


# ------------------------------------------------------------------------------------------------ trimming

_QUIETEST_DB: Final = -60.0
_LOUDEST_DB: Final = -40.0
"""Bounds of what may be taken for silence, below full scale."""
_ABOVE_FLOOR_DB: Final = 10.0
_FLOOR_SHARE: Final = 10
"""The floor is what this many percent of the frames stay below."""
_KEPT_FRAMES: Final = 5
"""100 ms stay at either end, or words would lose their soft beginnings and endings."""


def _levels_db(samples: bytes, channels: int) -> npt.NDArray[np.float64]:
    """RMS level of each whole or last partial frame, the louder channel counting, in decibels below full scale."""
    array = array_of(samples).astype(np.float64)
    per_frame = FRAME_SAMPLES * channels
    array = np.pad(array, (0, -array.size % per_frame)).reshape(-1, FRAME_SAMPLES, channels)
    power: npt.NDArray[np.float64] = np.square(array).mean(axis=1).max(axis=1)
    levels: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(power, 1e-3)) - 20 * np.log10(32_768)
    return levels


def _span(levels_db: npt.NDArray[np.float64]) -> tuple[int, int] | None:
    """First frame of sound and the one after the last, margins included; None when all is silence."""
    if levels_db.size == 0:
        return None
    floor_db = float(np.percentile(levels_db, _FLOOR_SHARE))
    loud = np.flatnonzero(levels_db > min(max(floor_db + _ABOVE_FLOOR_DB, _QUIETEST_DB), _LOUDEST_DB))
    if loud.size == 0:
        return None
    return max(0, int(loud[0]) - _KEPT_FRAMES), min(levels_db.size, int(loud[-1]) + 1 + _KEPT_FRAMES)


def trim_span(samples: bytes, channels: int = 1) -> tuple[int, int]:
    """Where the sound in s16 samples begins and ends, in bytes; all of it when there is nothing but silence."""
    span = _span(_levels_db(samples, channels))
    if span is None:
        return 0, len(samples)
    frame = FRAME_SAMPLES * channels * SAMPLE_BYTES
    return span[0] * frame, min(span[1] * frame, len(samples))


def trim(path: Path) -> float:
    """Cut silence off both ends of a recording (`trim-silence`); gives the new length in seconds.

    A recording of nothing but silence is kept whole. The old file is there until the new one is complete.
    """
    partial = path.with_name(path.name + ".part")
    try:
        with path.open("rb") as source:
            channels = _layout(source.read(HEADER_BYTES), path)
            frame = FRAME_SAMPLES * channels * SAMPLE_BYTES
            block = channels * SAMPLE_BYTES
            total = (path.stat().st_size - HEADER_BYTES) // block * block
            levels = []
            while chunk := source.read(_COPY_BYTES // frame * frame):
                levels.append(_levels_db(chunk[: len(chunk) // block * block], channels))
            span = _span(np.concatenate(levels)) if levels else None
            start, stop = (0, total) if span is None else (span[0] * frame, min(span[1] * frame, total))
            if (start, stop) != (0, total):
                source.seek(HEADER_BYTES + start)
                with partial.open("wb") as target:
                    target.write(header(stop - start, channels))
                    left = stop - start
                    while left and (chunk := source.read(min(left, _COPY_BYTES))):
                        target.write(chunk)
                        left -= len(chunk)
                partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return (stop - start) / (block * SAMPLE_RATE_HZ)
