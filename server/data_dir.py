"""One server for each data directory: a second one would take the calls and recordings of the first for a crash's."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FILE: Final = "lock"


class DataDirInUse(Exception):
    """Another running server has the directory."""

    def __init__(self, directory: Path, pid: str) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{directory} is in use by {who}: end that server, or set another server.data_dir")


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Keep other servers out of an existing directory. The system lets go when the process ends, however it does.

    Raises DataDirInUse.
    """
    descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirInUse(directory, os.read(descriptor, 20).decode("ascii", "replace").strip()) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
