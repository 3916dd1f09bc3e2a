"""Sinks: where a leg's audio goes besides the network. None of them ever makes the beat wait.

`Ring` hands frames to a reader that may be slow (a stream, a coupled leg): full means the oldest frame is lost and
counted. `Recording` collects samples for a writer on another thread: full means the *file* gets silence of the same
length in that place, so what follows stays at its time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import attrs

from .frames import SAMPLE_BYTES, SAMPLE_RATE_HZ

RING_FRAMES = 10
"""200 ms."""
RECORDING_BUFFER_BYTES = 60 * SAMPLE_RATE_HZ * SAMPLE_BYTES
"""A minute of one channel: what a stuck disk may hold up before samples are lost."""


class Sink(Protocol):
    """Takes one track's audio, a frame at each 20 ms step."""

    def write(self, frame: bytes) -> None: ...


@attrs.define(eq=False)
class Ring:
    """A short queue of frames that drops its oldest."""

    notify: Callable[[], None] | None = None
    """Called when a frame arrives in an empty ring; must not wait."""
    capacity: int = RING_FRAMES
    dropped: int = 0
    """Frames lost because the reader was slow."""
    _frames: deque[bytes] = attrs.field(factory=deque, init=False)

    def write(self, frame: bytes) -> None:
        frames = self._frames
        if len(frames) >= self.capacity:
            frames.popleft()
            self.dropped += 1
        frames.append(frame)
        if self.notify is not None and len(frames) == 1:
            self.notify()

    def take(self) -> bytes | None:
        """The oldest frame, or None."""
        return self._frames.popleft() if self._frames else None

    def take_newest(self, most: int) -> bytes | None:
        """The oldest of the newest `most` frames; what is older is dropped and counted."""
        frames = self._frames
        while len(frames) > most:
            frames.popleft()
            self.dropped += 1
        return frames.popleft() if frames else None

    def take_all(self) -> list[bytes]:
        frames = list(self._frames)
        self._frames.clear()
        return frames

    def __len__(self) -> int:
        return len(self._frames)


@attrs.define(eq=False)
class Recording:
    """One file's samples on their way from the beat to the thread that writes.

    The beat calls `write` and `end`; the writer's side calls `take`. Both do so on the event loop's thread, only the
    bytes that `take` gives go to another one.
    """

    id: str
    path: Path
    limit_bytes: int = RECORDING_BUFFER_BYTES
    """For each channel."""
    channels: int = 1
    """With two, what is written are samples of either in turn."""
    samples: int = 0
    """All samples of one channel so far, lost ones included: the recording's length."""
    lost_samples: int = 0
    """Of one channel."""
    ended: bool = False
    on_end: Callable[[], None] | None = None
    """Called when the last sample is in; must not wait."""
    _buffer: bytearray = attrs.field(factory=bytearray, init=False)
    _gap_bytes: int = attrs.field(default=0, init=False)
    """Length of the silence that stands behind the buffer for samples that found no room."""

    def write(self, frame: bytes) -> None:
        if self.ended:
            return
        count = len(frame) // (SAMPLE_BYTES * self.channels)
        self.samples += count
        if self._gap_bytes or len(self._buffer) + len(frame) > self.limit_bytes * self.channels:
            # Once lossy, stay so until the writer has been here: the gap is one piece and costs no memory.
            self._gap_bytes += len(frame)
            self.lost_samples += count
        else:
            self._buffer += frame

    def skip(self, size: int) -> None:
        """Audio of `size` bytes that never existed for us (the machine was asleep): silence in the file."""
        if self.ended:
            return
        self.samples += size // (SAMPLE_BYTES * self.channels)
        if self._gap_bytes or len(self._buffer) + size > self.limit_bytes * self.channels:
            self._gap_bytes += size
        else:
            self._buffer += bytes(size)

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            if self.on_end is not None:
                self.on_end()

    def take(self) -> Batch:
        """Everything collected since the last call."""
        batch = Batch(bytes(self._buffer), self._gap_bytes)
        self._buffer = bytearray()
        self._gap_bytes = 0
        return batch

    @property
    def pending(self) -> bool:
        return bool(self._buffer or self._gap_bytes)


@attrs.frozen
class Batch:
    """Samples to append to a file, then that many bytes of silence."""

    samples: bytes
    silence_bytes: int
