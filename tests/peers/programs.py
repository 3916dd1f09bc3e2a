"""Programs of others, run as child processes that a test always ends: by their own id, within bounds."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Protocol

import attrs
import pytest
import trio

POLL_S = 0.05
"""How often a condition of another process is looked at."""


def need(program: str, package: str) -> str:
    """The path of an installed program. Without it CI fails; elsewhere the test is skipped, saying what to install."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed: apt-get install {package} (make test does it)"
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def free_port() -> int:
    """A port that is free on 127.0.0.1 for UDP and for TCP.

    It lies below those that the kernel gives out by itself: a client that connects to one of those before anybody
    listens there can be given the very same port, and is then connected with itself.
    """
    for _ in range(50):
        port = random.randrange(10_000, 20_000)
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
    raise RuntimeError("no port is free for both UDP and TCP")


class Place(Protocol):
    """Where a program runs, as far as the network goes."""

    @property
    def host(self) -> str:
        """The address that others reach it at."""
        ...

    def command(self, *words: str) -> list[str]:
        """The command line that runs a program there."""
        ...

    async def connect(self, port: int) -> trio.SocketStream:
        """To a port of its loopback."""
        ...


@attrs.frozen
class Here:
    """This machine, all of it on loopback."""

    host: str = "127.0.0.1"

    def command(self, *words: str) -> list[str]:
        return list(words)

    async def connect(self, port: int) -> trio.SocketStream:
        return await trio.open_tcp_stream(self.host, port)


HERE = Here()


@asynccontextmanager
async def running(
    command: Sequence[str],
    log: Path | None,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    grace_s: float = 5.0,
) -> AsyncIterator[trio.Process]:
    """A child process whose output goes to `log`. Leaving the block ends it: SIGTERM, after `grace_s` SIGKILL.

    Without a log it is one to talk with: its input and output are pipes (`stdin` and `stdout` of the process).
    """
    with log.open("wb") if log is not None else nullcontext() as output:
        process = await trio.lowlevel.open_process(
            list(command),
            stdin=subprocess.PIPE if output is None else subprocess.DEVNULL,
            stdout=subprocess.PIPE if output is None else output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=os.environ | environment if environment is not None else None,
        )
    try:
        yield process
    finally:
        with trio.move_on_after(grace_s + 5, shield=True):
            await end(process, grace_s)


async def end(process: trio.Process, grace_s: float) -> None:
    """Ask a process to end; insist after `grace_s`."""
    if process.poll() is None:
        process.terminate()
        with trio.move_on_after(grace_s):
            await process.wait()
    if process.poll() is None:
        process.kill()
        await process.wait()


async def exit_status(process: trio.Process, within_s: float) -> int:
    """How the process ended; raises TooSlowError when it did not."""
    with trio.fail_after(within_s):
        return await process.wait()


async def until(
    condition: Callable[[], Awaitable[bool] | bool], within_s: float, what: str, alive: trio.Process | None = None
) -> None:
    """Look until `condition` holds. For what tells nobody when it changes: another process, a count.

    Fails after `within_s`, or as soon as the process `alive` has ended.
    """
    with trio.move_on_after(within_s):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            if alive is not None and alive.poll() is not None:
                raise AssertionError(f"{what}: the process ended with status {alive.returncode}")
            await trio.sleep(POLL_S)
    raise AssertionError(f"not within {within_s:g} s: {what}")


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Make the folder and write the files, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def tail(path: Path, lines: int = 30) -> str:
    """The last lines of a log, for a failure's message."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""


def tasks_alive() -> Counter[str]:
    """The tasks of this Trio program, by name."""
    names: Counter[str] = Counter()
    root = trio.lowlevel.current_root_task()
    waiting = [root] if root is not None else []
    while waiting:
        task = waiting.pop()
        names[task.name] += 1
        waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return names


def come_first() -> None:
    """Put this process, and all that it starts, before other work of the machine; needs root."""
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
