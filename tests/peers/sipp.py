"""Runs SIPp (3.6.1) without a terminal and reads what it counted."""

from __future__ import annotations

import csv
import re
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal, Protocol

import attrs
import trio

from .programs import end, free_port, need, running, tail, until, write_files

Transport = Literal["UDP", "TCP"]
MODES: dict[str, str] = {"UDP": "u1", "TCP": "t1"}
"""SIPp's `-t`: one socket, or one connection, for all calls."""


class Scenario(Protocol):
    """What SIPp shall do."""

    def xml(self) -> str:
        """The scenario file."""
        ...


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


_LOGGED = re.compile(
    r"^-+ \d{4}-\d\d-\d\d[^\n]*\n\w+ message (sent|received) [^\n]*\n\n(.*?)(?=^-+ \d{4}-|\Z)", re.DOTALL | re.MULTILINE
)


@attrs.frozen
class Wire:
    """A message as it stood on the wire."""

    text: str

    @property
    def start(self) -> str:
        """Its first line."""
        return self.text.partition("\r\n")[0]

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names and values, as they are written."""
        head = self.text.partition("\r\n\r\n")[0].split("\r\n")[1:]
        return [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in head)]

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name.lower()]


@attrs.define(eq=False)
class Sipp:
    """A SIPp that is running; what its scenario logs is in `folder / "notes.log"`."""

    process: trio.Process
    folder: Path
    most_s: float
    """Seconds after which it is stuck."""

    def received(self, method: str) -> list[Wire]:
        """The requests of that method that it has got, copies too; it has to log its messages."""
        text = (self.folder / "messages.log").read_bytes().decode(errors="surrogateescape")
        taken = [Wire(match[2]) for match in _LOGGED.finditer(text) if match[1] == "received"]
        return [message for message in taken if message.start.startswith(f"{method} ")]

    async def far_audio_port(self) -> int:
        """The port for audio that the server has named to the only phone; its scenario has to note it."""
        notes = self.folder / "notes.log"
        await until(lambda: notes.exists() and notes.read_bytes().endswith(b"\n"), 10, "audio is noted", self.process)
        return int(notes.read_text().split()[-1])

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
    caller: Scenario,
    server: tuple[str, int],
    folder: Path,
    *,
    transport: Transport,
    calls: int,
    rate: float,
    at_once: int = 2000,
    most_s: float = 60.0,
    host: str = "127.0.0.1",
    port: int | None = None,
    table: Sequence[str] = (),
    log_messages: bool = False,
) -> AsyncIterator[Sipp]:
    """Start `calls` calls of the scenario, `rate` a second; SIPp lives in the block.

    `host`, `port`: SIPp's own, None: any. `table`: rows of columns with `;` between them, a row a call.
    """
    pace = (f"{server[0]}:{server[1]}", *("-r", str(rate)), *("-l", str(at_once)))
    async with _running(
        caller,
        folder,
        pace,
        transport=transport,
        calls=calls,
        most_s=most_s,
        host=host,
        port=port or free_port(),
        table=table,
        log_messages=log_messages,
    ) as sipp:
        yield sipp


@asynccontextmanager
async def open_callee(
    callee: Scenario,
    folder: Path,
    *,
    port: int,
    transport: Transport,
    calls: int,
    most_s: float = 60.0,
    table: Sequence[str] = (),
    log_messages: bool = False,
) -> AsyncIterator[Sipp]:
    """A SIPp that takes `calls` calls on 127.0.0.1:`port` and is done then."""
    async with _running(
        callee,
        folder,
        (),
        transport=transport,
        calls=calls,
        most_s=most_s,
        port=port,
        table=table,
        log_messages=log_messages,
    ) as sipp:
        await until(lambda: is_bound(port, transport), 10, "SIPp listens", sipp.process)
        yield sipp


@asynccontextmanager
async def _running(
    scenario: Scenario,
    folder: Path,
    how: Sequence[str],
    *,
    transport: Transport,
    calls: int,
    most_s: float,
    port: int,
    table: Sequence[str],
    host: str = "127.0.0.1",
    log_messages: bool = False,
) -> AsyncIterator[Sipp]:
    program = need("sipp", "sip-tester")
    write_files(folder, {"scenario.xml": scenario.xml()})
    if table:
        write_files(folder, {"table.csv": "\n".join(["SEQUENTIAL", *table, ""])})
    command = [
        program,
        *how,
        *("-sf", str(folder / "scenario.xml")),
        *(("-inf", str(folder / "table.csv")) if table else ()),
        *("-t", MODES[transport]),
        *("-i", host),
        *("-p", str(port)),
        *("-m", str(calls)),
        "-nostdin",
        *("-trace_stat", "-stf", str(folder / "statistics.csv"), "-fd", "1"),
        *("-trace_err", "-error_file", str(folder / "errors.log")),
        *(("-trace_msg", "-message_file", str(folder / "messages.log")) if log_messages else ()),
        *("-trace_logs", "-log_file", str(folder / "notes.log")),
        *("-timeout", f"{int(most_s)}s", "-timeout_error"),
    ]
    async with running(command, folder / "output.log", folder=folder, environment={"TERM": "xterm"}) as process:
        yield Sipp(process, folder, most_s + 5)


def is_bound(port: int, transport: Transport) -> bool:
    """Somebody has the port of 127.0.0.1."""
    kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


async def run_sipp(
    caller: Scenario,
    server: tuple[str, int],
    folder: Path,
    *,
    transport: Transport,
    calls: int,
    rate: float,
    most_s: float = 60.0,
    host: str = "127.0.0.1",
    port: int | None = None,
    table: Sequence[str] = (),
) -> Run:
    """Make all the calls and wait for the last one."""
    async with open_sipp(
        caller,
        server,
        folder,
        transport=transport,
        calls=calls,
        rate=rate,
        most_s=most_s,
        host=host,
        port=port,
        table=table,
    ) as sipp:
        return await sipp.finished()
