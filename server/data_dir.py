"""One server for each data directory: a second one would take the calls and recordings of the first for a crash's."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .problems import ConfigError, Problem

FILE: Final = "lock"


class DataDirInUse(Exception):
    """Another running server has the directory."""

    def __init__(self, directory: Path, pid: str) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{directory} is in use by {who}: end that server, or set another server.data_dir")


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Keep other servers out of an existing directory. The system lets go when the process ends, however it does.

    Raises DataDirInUse, and ConfigError when it cannot be locked.
    """
    try:
        descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(directory, error) from error
    try:
        _lock(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def holder(directory: Path) -> str | None:
    """The process that holds a directory now, by its number (empty when it has not said so); None: nobody does."""
    try:
        descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _pid(descriptor: int) -> str:
    return os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()


def _lock(descriptor: int, directory: Path) -> None:
    """Lock the open file, and write into it who did."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    except BlockingIOError:
        raise DataDirInUse(directory, _pid(descriptor)) from None
    except OSError as error:  # a file system without locks, or without room
        raise _unusable(directory, error) from error


def _unusable(directory: Path, error: OSError) -> ConfigError:
    return ConfigError((Problem("server.data_dir", f"{directory / FILE}: {error.strerror}"),))
