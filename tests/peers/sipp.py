"""Runs SIPp (3.6.1) without a terminal and reads what it counted."""

from __future__ import annotations

import csv
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

import attrs
import trio

from .programs import end, free_port, need, running, tail, write_files
from .scenarios import Caller

Transport = Literal["UDP", "TCP"]
MODES: dict[str, str] = {"UDP": "u1", "TCP": "t1"}
"""SIPp's `-t`: one socket, or one connection, for all calls."""

COUNTED = {
    "created": "TotalCallCreated",
    "successful": "SuccessfulCall(C)",
    "failed": "FailedCall(C)",
    "unexpected": "FailedUnexpectedMessage(C)",
    "retransmissions": "Retransmissions(C)",
    "out_of_call": "OutOfCallMsgs(C)",
    "late": "DeadCallMsgs(C)",
}
"""Field of `Counts` by column of SIPp's statistics."""


@attrs.frozen(kw_only=True)
class Counts:
    """What SIPp counted over a whole run."""

    created: int
    successful: int
    failed: int
    unexpected: int
    """Calls that failed because of a message that the scenario does not expect."""
    retransmissions: int
    """Requests that SIPp had to repeat."""
    out_of_call: int
    """Messages that belong to no call of SIPp's."""
    late: int
    """Messages for a call that was over; copies of its last ones, mostly."""


@attrs.frozen
class Run:
    """A finished run."""

    status: int
    """0: every call succeeded; 1: at least one failed; others: SIPp itself failed."""
    counts: Counts
    trouble: str
    """End of SIPp's error log; empty when it had nothing to say."""

    def all_succeeded(self, calls: int) -> None:
        """Fails unless each of `calls` went exactly as the scenario tells."""
        wanted = attrs.evolve(self.counts, created=calls, successful=calls, failed=0, unexpected=0, out_of_call=0)
        assert (self.status, self.counts) == (0, wanted), (
            f"SIPp ended with {self.status}: {self.counts}\n{self.trouble}"
        )


@attrs.define(eq=False)
class Sipp:
    """A SIPp that is running."""

    process: trio.Process
    folder: Path
    most_s: float
    """Seconds after which it is stuck."""

    async def finished(self) -> Run:
        """Wait for the last call, and read the counts."""
        try:
            with trio.fail_after(self.most_s):
                status = await self.process.wait()
        except trio.TooSlowError:
            await end(self.process, 2)
            raise AssertionError(f"SIPp was not done after {self.most_s:g} s\n{self.trouble()}") from None
        try:
            counts = read_counts(self.folder / "statistics.csv")
        except (OSError, LookupError) as error:
            raise AssertionError(f"SIPp ended with {status} and left no counts\n{self.trouble()}") from error
        return Run(status, counts, self.trouble())

    def trouble(self) -> str:
        return tail(self.folder / "errors.log") or (
            tail(self.folder / "output.log") if self.process.returncode not in (0, 1) else ""
        )


def read_counts(path: Path) -> Counts:
    """The last row of SIPp's statistics file, which holds the totals."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return Counts(**{field: int(rows[-1][column]) for field, column in COUNTED.items()})


@contextmanager
def media_sink() -> Iterator[int]:
    """A UDP port on 127.0.0.1 that takes RTP and reads none of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sink.bind(("127.0.0.1", 0))
        yield sink.getsockname()[1]


@asynccontextmanager
async def open_sipp(
    caller: Caller,
    server: tuple[str, int],
    folder: Path,
    *,
    transport: Transport,
    calls: int,
    rate: float,
    at_once: int = 2000,
    most_s: float = 60.0,
) -> AsyncIterator[Sipp]:
    """Start `calls` calls of the scenario, `rate` a second; SIPp lives in the block."""
    program = need("sipp", "sip-tester")
    write_files(folder, {"scenario.xml": caller.xml()})
    command = [
        program,
        f"{server[0]}:{server[1]}",
        *("-sf", str(folder / "scenario.xml")),
        *("-t", MODES[transport]),
        *("-i", "127.0.0.1"),
        *("-p", str(free_port())),
        *("-m", str(calls)),
        *("-r", str(rate)),
        *("-l", str(at_once)),
        "-nostdin",
        *("-trace_stat", "-stf", str(folder / "statistics.csv"), "-fd", "1"),
        *("-trace_err", "-error_file", str(folder / "errors.log")),
        *("-timeout", f"{int(most_s)}s", "-timeout_error"),
    ]
    async with running(command, folder / "output.log", folder=folder, environment={"TERM": "xterm"}) as process:
        yield Sipp(process, folder, most_s + 5)


async def run_sipp(
    caller: Caller,
    server: tuple[str, int],
    folder: Path,
    *,
    transport: Transport,
    calls: int,
    rate: float,
    most_s: float = 60.0,
) -> Run:
    """Make all the calls and wait for the last one."""
    async with open_sipp(caller, server, folder, transport=transport, calls=calls, rate=rate, most_s=most_s) as sipp:
        return await sipp.finished()
