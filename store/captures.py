"""Capture files under one directory: where each call's is, how it grows, whose belong together, and when they go.

`ROOT/ab/CAab….pcapng` is the capture of a call, `ROOT/ab/CAab….CAcd….pcapng` beside it that of a call which the first
one dialled. Names are made of checked SIDs only. A file grows by whole packets, at its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from .pcapng import Captured, header, missing, packets, statistics
from .sids import Kind, is_sid

SUFFIX = ".pcapng"


@attrs.frozen
class NoCapture(Exception):
    """There is no capture of that call."""

    sid: str

    def __str__(self) -> str:
        return f"no capture of {self.sid[:40]!r}"


@attrs.define(eq=False)
class CaptureFiles:
    """The directory of captures. Methods do file work, and are called by one thread at a time."""

    root: Path
    application: str = "offhook"
    """Named in each file."""
    total_bytes: int = 0
    """Of all files, as of the last `tidy` and what was written since."""

    def path(self, sid: str, parent: str | None = None) -> Path:
        """Where the capture of a call is, or would be; `parent` dialled it."""
        name = sid if parent is None else f"{parent}.{sid}"
        return self.root / (parent or sid)[2:4].lower() / f"{name}{SUFFIX}"

    def append(self, sid: str, parent: str | None, written: bytes) -> None:
        """Add blocks to the capture of a call, which begins with them if need be.

        Raises OSError, and then the file is as it was; one that could not be made so is removed.
        """
        path = self.path(sid, parent)
        try:
            descriptor = _open(path)
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = _open(path)
        try:
            before = os.fstat(descriptor).st_size
            if not before:
                written = header(self.application, _about(sid, parent)) + written
            self._write(descriptor, path, before, written)
        finally:
            os.close(descriptor)
        self.total_bytes += len(written)

    def _write(self, descriptor: int, path: Path, before: int, written: bytes) -> None:
        try:
            rest = memoryview(written)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            try:
                os.ftruncate(descriptor, before)
            except OSError:
                path.unlink(missing_ok=True)  # half a block would hide what comes behind it
                raise
            if not before:
                path.unlink(missing_ok=True)
            raise

    def find(self, sid: str) -> Path | None:
        """The capture of a call, or None; also when `sid` is no SID at all."""
        if not is_sid(sid, Kind.CALL):
            return None
        own = self.path(sid)
        return own if own.is_file() else next(self.root.glob(f"*/*.{sid}{SUFFIX}"), None)

    def family(self, sid: str) -> list[Path]:
        """The captures of a call, of those that it dialled, and so on; its own first. Raises NoCapture."""
        own = self.find(sid)
        dialled = sorted(self.path(sid).parent.glob(f"{sid}.*{SUFFIX}")) if is_sid(sid, Kind.CALL) else []
        found = [] if own is None else [own]
        for path in dialled:
            found += self.family(path.name.removesuffix(SUFFIX).partition(".")[2])
        if not found:
            raise NoCapture(sid)
        return found

    def read(self, sid: str, *, only: bool = False) -> bytes:
        """One file with everything that was captured of a call and of those it dialled, in the order of time.

        `only`: of the call itself. Raises NoCapture and OSError.
        """
        if only:
            own = self.find(sid)
            if own is None:
                raise NoCapture(sid)
            paths = [own]
        else:
            paths = self.family(sid)
        return merge([path.read_bytes() for path in paths], self.application, sid)

    def tidy(self, before_s: float, most_bytes: int) -> int:
        """Remove what was last written before that time (of the file system's clock), and the oldest of what is too
        much; how many files went."""
        found = sorted(self._sizes())
        total = sum(size for _, size, _ in found)
        gone = 0
        for written_at, size, path in found:
            if written_at >= before_s and total <= most_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
            gone += 1
        self.total_bytes = total
        return gone

    def _sizes(self) -> Iterator[tuple[float, int, Path]]:
        for path in self.root.glob(f"*/*{SUFFIX}"):
            try:
                stat = path.stat()
            except FileNotFoundError:  # removed meanwhile
                continue
            yield stat.st_mtime, stat.st_size, path


def merge(files: Iterable[bytes], application: str, sid: str) -> bytes:
    """The packets of several captures as one, by time; those of the same time as they were written."""
    found: list[Captured] = []
    lost = 0
    for data in files:
        found += packets(data)
        lost += missing(data)
    found.sort(key=lambda each: each.at_ns)
    made = [header(application, _about(sid, None)), *(each.block for each in found)]
    if lost and found:
        made.append(statistics(found[-1].at_ns, lost))
    return b"".join(made)


def _about(sid: str, parent: str | None) -> str:
    return f"CallSid {sid}" if parent is None else f"CallSid {sid}, dialled by {parent}"


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
