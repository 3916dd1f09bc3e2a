"""`offhook pcap`: the capture of a call as one file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from ..store.captures import CaptureFiles, NoCapture
from ..store.sids import Kind, is_sid
from .config import Config
from .run import FAILED, MISCONFIGURED, OK
from .version import VERSION

FOLDER: Final = "captures"
"""In `data_dir`."""


def capture_files(config: Config) -> CaptureFiles:
    return CaptureFiles(config.server.data_dir / FOLDER, f"offhook {VERSION}")


def write_capture(config: Config, sid: str, output: Path | None, *, only: bool) -> int:
    """Write what was captured of a call; the exit status."""
    if not is_sid(sid, Kind.CALL):
        return _say(f"{sid[:60]!r} should be a CallSid: CA and 32 hexadecimal digits", MISCONFIGURED)
    if output is None and sys.stdout.isatty():
        return _say("a capture is no text: write it to a file, with > call.pcapng or --output FILE", MISCONFIGURED)
    files = capture_files(config)
    try:
        data = files.read(sid, only=only)
    except NoCapture:
        return _say(f"{files.root} has no capture of {sid}: {_why(config)}", FAILED)
    except OSError as error:
        return _say(f"{error.filename or files.root} cannot be read: {error.strerror}", FAILED)
    try:
        if output is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            _write(output, data)
    except OSError as error:
        return _say(f"{output or 'standard output'} cannot be written: {error.strerror}", FAILED)
    return OK


def _write(path: Path, data: bytes) -> None:
    """Readable by its owner alone, as the original is."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)


def _why(config: Config) -> str:
    wanted = config.captures
    if not wanted.enabled:
        return "captures.enabled is false"
    return (
        f"there was no such call, it began less than a second ago, or its capture is gone (they are kept for "
        f"{wanted.days:g} days and {wanted.total_mb} MB, see [captures])"
    )


def _say(problem: str, status: int) -> int:
    print(f"offhook: {problem}", file=sys.stderr)
    return status
