"""Recordings on their way to disk: one task collects what all of them have gathered, one thread hop writes it.

The beat only appends to memory (`media/sinks.py`). A disk that stands still holds up nobody but this task; when it
stands still for longer than a recording's buffer, the recording gets silence in that place and says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import attrs
import structlog
import trio

from ...media.errors import MediaError
from ...media.events import RecordingDone
from ...media.files import WavWriter
from ...media.frames import SAMPLE_RATE_HZ
from ...media.sinks import Batch, Recording

FLUSH_S: Final = 0.5
"""How much of a recording a power cut may take."""
LAST_FLUSH_S: Final = 5.0
"""What the last writing may take when the plane ends."""
SILENCE_CHUNK: Final = 1 << 16

log = structlog.get_logger(__name__)


class InThread(Protocol):
    """Runs a blocking function elsewhere: `trio.to_thread.run_sync`, or at once in tests on virtual time."""

    def __call__(self, function: Callable[[], None], /) -> Awaitable[None]: ...


async def in_worker_thread(function: Callable[[], None], /) -> None:
    await trio.to_thread.run_sync(function)


@attrs.define(eq=False)
class _File:
    """One recording and its file. `write` and `close` run on the worker thread, one at a time."""

    recording: Recording
    done: Callable[[RecordingDone], None]
    writer: WavWriter | None = None
    error: str | None = None

    def write(self, batch: Batch, last: bool) -> None:
        if self.error is not None:
            return
        try:
            if self.writer is None:
                self.writer = WavWriter(self.recording.path)
            if batch.samples:
                self.writer.write(batch.samples)
            for at in range(0, batch.silence_bytes, SILENCE_CHUNK):
                self.writer.write(bytes(min(SILENCE_CHUNK, batch.silence_bytes - at)))
            if last:
                self.writer.close()
        except (OSError, MediaError) as error:
            self.error = str(error)


@attrs.define(eq=False)
class RecordingDisk:
    """Writes recordings while `run` runs; may be run again after a crash."""

    in_thread: InThread = in_worker_thread
    _files: dict[Recording, _File] = attrs.field(factory=dict, init=False)
    _wake: trio.Event = attrs.field(factory=trio.Event, init=False)

    def start(self, recording: Recording, done: Callable[[RecordingDone], None]) -> None:
        """Take a recording; `done` is called once, after it has ended and its file is closed. Must not raise."""
        self._files[recording] = _File(recording, done)
        recording.on_end = self._woken

    def _woken(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        try:
            while True:
                with trio.move_on_after(FLUSH_S):
                    await self._wake.wait()
                self._wake = trio.Event()
                await self._flush()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + LAST_FLUSH_S):
                await self._flush()

    async def _flush(self) -> None:
        jobs: list[tuple[_File, Batch, bool]] = []
        for file in self._files.values():
            recording = file.recording
            if recording.pending or recording.ended:
                jobs.append((file, recording.take(), recording.ended))
        if not jobs:
            return

        def write_all() -> None:
            for file, batch, last in jobs:
                file.write(batch, last)

        await self.in_thread(write_all)
        for file, _, last in jobs:
            if last:
                del self._files[file.recording]
                self._report(file)

    def _report(self, file: _File) -> None:
        recording = file.recording
        if file.error is not None:
            log.error("a recording could not be written", path=str(recording.path), error=file.error)
        file.done(
            RecordingDone(
                recording.id,
                recording.path,
                recording.samples / SAMPLE_RATE_HZ,
                recording.lost_samples,
                file.error,
            )
        )
