"""Processes under measurement: what they have used, by the kernel's own books in /proc, and how they begin and end."""

# ruff: noqa: ASYNC110, ASYNC220 - processes are looked at now and then; starting one holds up nobody who measures

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STOP_S = 5.0
"""How long a process may take to end before it is killed."""


@attrs.frozen
class Usage:
    """What a process and its living children have used since they began."""

    cpu_s: float
    """User and system; children that have ended and were waited for are in it."""
    rss_bytes: int
    threads: int


def usage(pid: int) -> Usage:
    """Read /proc/PID/stat of the process and of everything below it (proc(5), fields 14 to 17, 20 and 24)."""
    cpu = threads = pages = 0
    for each in family(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        cpu += sum(int(field) for field in fields[11:15])
        threads += int(fields[17])
        pages += int(fields[21])
    return Usage(cpu * TICK_S, pages * PAGE_BYTES, threads)


def family(pid: int) -> Iterator[int]:
    """The process and its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            yield from family(int(child))


def free_port() -> int:
    """A port of 127.0.0.1 that is free for UDP and TCP at this moment.

    It lies below those that the kernel hands out by itself, so that no client's connection takes it meanwhile, and
    below offhook's usual ports for media.
    """
    for _ in range(1000):
        port = random.randrange(10_000, 20_000)
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
    raise Failed("no free ports on 127.0.0.1")


class Failed(Exception):
    """A process did not do what a measurement needs of it."""


@asynccontextmanager
async def running(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Run a process while the block lasts; its output goes to the file `log`."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield process
    finally:
        with trio.CancelScope(shield=True):
            await stop(process)


async def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM twice (the first one drains a server), then SIGKILL."""
    for number, patience_s in ((signal.SIGTERM, 0.5), (signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        with trio.move_on_after(patience_s):
            while process.poll() is None:
                await trio.sleep(0.02)


async def completed(command: Sequence[str], log: Path, within_s: float) -> int:
    """Run a process to its end and give its status; it is stopped and the measurement fails after `within_s`."""
    async with running(command, log) as process:
        with trio.move_on_after(within_s):
            while process.poll() is None:
                await trio.sleep(0.05)
        if process.poll() is None:
            raise Failed(f"{command[0]} did not end within {within_s:g} s; see {log}")
    return process.returncode


async def until_tcp(port: int, process: subprocess.Popen[bytes], log: Path, within_s: float = 20.0) -> None:
    """Wait until a loopback port takes connections."""
    with trio.move_on_after(within_s):
        while process.poll() is None:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(0.05)
                continue
            await stream.aclose()
            return
    raise Failed(f"{process.args!r} did not listen; see {log}:\n{tail(log)}")


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
