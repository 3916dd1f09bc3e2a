"""The machine: clock, limits, disk, speech engine."""

from __future__ import annotations

import ctypes
import datetime
import os
import resource
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import espeakng_loader

from ..config import Config
from ..run import FILES
from .findings import Finding, failure, fine, warning

FILES_AT_LEAST: Final = 1024
FILES_A_CALL: Final = 4
"""Of a bridged call: RTP and RTCP of two legs."""
FILES_ELSE: Final = 4200
"""For connections of phones, the database and what a process needs anyway."""
FREE_BYTES: Final = 1 << 30
TIME_ERROR: Final = 5
"""What adjtimex(2) gives when the clock is not synchronized."""
TIMEX_BYTES: Final = 512
"""More than struct timex has; its field `modes`, 0 here, says that nothing is to be changed."""


def examine_machine(config: Config) -> Iterator[Finding]:
    yield _clock(config.now_utc())
    yield _synchronized()
    yield _files(config)
    yield from _data_dir(config.server.data_dir)
    yield _speech()


def _clock(now: datetime.datetime) -> Finding:
    """A clock before the day this program was installed is wrong; certificates and signatures hang on it."""
    installed = datetime.datetime.fromtimestamp(Path(__file__).stat().st_mtime, datetime.UTC)
    if now < installed - datetime.timedelta(days=1):
        text = f"it reads {now:%Y-%m-%d %H:%M} UTC, before offhook was installed ({installed:%Y-%m-%d})"
        return failure("clock", text, "set the clock: certificates, digest and signatures depend on it")
    return fine("clock", f"{now:%Y-%m-%d %H:%M} UTC")


def _synchronized() -> Finding:
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        state = -1
    if state == TIME_ERROR:
        text = "the kernel does not know it to be synchronized"
        return warning("clock", text, "run a time service (chrony, systemd-timesyncd), unless the host keeps the clock")
    if state < 0:
        return fine("clock", "this system does not tell whether it is synchronized")
    return fine("clock", "synchronized")


def _files(config: Config) -> Finding:
    """Whether as many files may be open as the RTP ports allow calls."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    may = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    ports = config.media.rtp_ports
    wanted = (ports.last - ports.first) + FILES_ELSE
    calls = max(0, (may - FILES_ELSE) // FILES_A_CALL)
    remedy = "raise it: LimitNOFILE=65536 in the systemd unit, or ulimit -n"
    if may < FILES_AT_LEAST:
        return failure("open files", f"at most {may}", remedy)
    if may < wanted:
        return warning("open files", f"at most {may}: about {calls} bridged calls at once", remedy)
    return fine("open files", f"at most {may}")


def _data_dir(path: Path) -> Iterator[Finding]:
    about = "server.data_dir"
    if not path.exists():
        parent = next(each for each in path.resolve().parents if each.exists())
        if os.access(parent, os.W_OK):
            yield fine(about, f"{path} is made at the first start")
        else:
            yield failure(about, f"{path} cannot be made: {parent} is not writable", "make it, owned by offhook's user")
        return
    if not path.is_dir() or not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield failure(about, f"{path} cannot be written by this user", "make it a folder that offhook's user owns")
        return
    yield fine(about, f"{path} can be written")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield warning(about, f"{path} is open to other users: recordings and keys are in it", f"chmod 700 {path}")
    free = shutil.disk_usage(path).free
    if free < FREE_BYTES:
        yield warning(
            "disk", f"{free / FREE_BYTES:.2f} GiB are free at {path}", "make room: a minute of recording takes 1 MB"
        )
    else:
        yield fine("disk", f"{free / FREE_BYTES:.0f} GiB are free")


def _speech() -> Finding:
    path = Path(espeakng_loader.get_library_path())
    if path.exists():
        return fine("speech", "espeak-ng is here, for Say")
    return failure("speech", f"{path} is missing: Say cannot speak", "install offhook anew")
