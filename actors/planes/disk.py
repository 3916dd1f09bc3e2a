"""Recordings on their way to disk: one task collects what all of them have gathered, one thread hop writes it.

The beat only appends to memory (`media/sinks.py`). A disk that stands still holds up nobody but this task; when it
stands still for longer than a recording's buffer, the recording gets silence in that place and says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

import attrs
import structlog
import trio

from ...media.errors import MediaError
from ...media.events import RecordingDone
from ...media.frames import SAMPLE_RATE_HZ
from ...media.sinks import Batch, Recording
from ...media.wav import WavWriter, trim

FLUSH_S: Final = 0.5
"""How much of a recording a killed process loses."""
LAST_FLUSH_S: Final = 5.0
"""What the last writing may take when the plane ends."""
SILENCE_CHUNK: Final = 1 << 16

log = structlog.get_logger(__name__)


class InThread(Protocol):
    """Runs a blocking function elsewhere: `trio.to_thread.run_sync`, or at once in tests on virtual time."""

    def __call__(self, function: Callable[[], None], /) -> Awaitable[None]: ...


async def in_worker_thread(function: Callable[[], None], /) -> None:
    """On one of trio's threads; a disk that never comes back keeps nobody when the scope is cancelled."""
    await trio.to_thread.run_sync(function, abandon_on_cancel=True)


@attrs.define(eq=False)
class _File:
    """One recording and its file. What touches the disk runs on a worker thread, one call at a time."""

    recording: Recording
    done: Callable[[RecordingDone], None]
    trim: bool
    writer: WavWriter | None = None
    error: str | None = None
    """Why the last try failed; a later one may still succeed."""
    kept_s: float = 0.0
    """Length of the finished file."""

    @property
    def behind(self) -> bool:
        """Whether the last try failed: what was taken is still in the writer, and no more is taken until it is out."""
        return self.error is not None and self.writer is not None

    def write(self, batch: Batch | None) -> None:
        """Append what was collected; on the worker thread."""
        self.error = None
        try:
            if self.writer is None:
                self.writer = WavWriter(self.recording.path, self.recording.channels)
            if batch is not None:
                self.writer.write(batch.samples)
                for at in range(0, batch.silence_bytes, SILENCE_CHUNK):
                    self.writer.write(bytes(min(SILENCE_CHUNK, batch.silence_bytes - at)))
            self.writer.flush()
        except OSError as error:
            self.error = str(error)

    def finish(self, batch: Batch | None) -> None:
        """Append the rest and close, then cut off silence where asked; on the worker thread."""
        self.write(batch)
        if self.writer is None:
            return
        try:
            self.writer.close()
            self.error = None
            self.kept_s = trim(self.recording.path) if self.trim else self.writer.duration_s
        except (OSError, MediaError) as error:
            self.error = str(error)


@attrs.define(eq=False)
class RecordingDisk:
    """Writes recordings while `run` runs; may be run again after a crash."""

    in_thread: InThread = in_worker_thread
    _files: dict[Recording, _File] = attrs.field(factory=dict, init=False)
    _wake: trio.Event = attrs.field(factory=trio.Event, init=False)

    def start(self, recording: Recording, done: Callable[[RecordingDone], None], trim: bool = False) -> None:
        """Take a recording; `done` is called once, after it has ended and its file is closed. Must not raise."""
        self._files[recording] = _File(recording, done, trim)
        recording.on_end = self._ended

    def _ended(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled, then write what is left, for `LAST_FLUSH_S` at most."""
        stopping = trio.Event()
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope(shield=True)
            nursery.start_soon(self._work, scope, stopping)
            try:
                await trio.sleep_forever()
            finally:
                scope.deadline = trio.current_time() + LAST_FLUSH_S
                stopping.set()
                self._wake.set()

    async def _work(self, scope: trio.CancelScope, stopping: trio.Event) -> None:
        # Shielded: what has been taken out of a recording must reach its file, whoever cancels meanwhile.
        with scope:
            async with trio.open_nursery() as nursery:
                last = False
                while not last:
                    last = stopping.is_set()
                    if not last:
                        with trio.move_on_after(FLUSH_S):
                            await self._wake.wait()
                        self._wake = trio.Event()
                    await self._flush()
                    for file in self._take_ended():
                        nursery.start_soon(self._finish, file)
        if scope.cancelled_caught:
            log.error("the disk did not take the last samples in time", within_s=LAST_FLUSH_S)

    async def _flush(self) -> None:
        """Write what all running recordings have gathered, in one go."""
        jobs: list[tuple[_File, Batch | None]] = []
        for file in self._files.values():
            if file.behind:
                jobs.append((file, None))
            elif file.recording.pending and not file.recording.ended:
                jobs.append((file, file.recording.take()))
        if not jobs:
            return

        def write_all() -> None:
            for file, batch in jobs:
                file.write(batch)

        await self.in_thread(write_all)
        for file, _ in jobs:
            if file.error is not None:
                log.warning("a recording cannot be written", path=str(file.recording.path), error=file.error)

    def _take_ended(self) -> list[_File]:
        ended = [file for file in self._files.values() if file.recording.ended]
        for file in ended:
            del self._files[file.recording]
        return ended

    async def _finish(self, file: _File) -> None:
        """Close one file. On its own thread hop, as cutting silence off an hour takes its time."""
        recording = file.recording
        await self.in_thread(partial(file.finish, recording.take()))
        if file.error is not None:
            log.error("a recording is incomplete", path=str(recording.path), error=file.error)
        file.done(
            RecordingDone(
                id=recording.id,
                path=recording.path,
                duration_s=recording.samples / SAMPLE_RATE_HZ,
                kept_s=file.kept_s,
                lost_samples=recording.lost_samples,
                error=file.error,
            )
        )
