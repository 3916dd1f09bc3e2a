"""Bridged calls that are talked over: SIPp calls and is dialled, and behind its phones voices count every packet.

    python -m tests.peers.conversations [--calls 200] [--seconds 60] [--rate 20] [--transport UDP] [--folder …]

`offhook serve`, web application, SIPp and voices (`talkers.py`) are processes of their own. When all calls are up and
every phone hears the other one, each sends 50 packets a second for `--seconds`. Exit status 0 when no call failed,
everybody heard the far end and nobody else, and fewer than 0.1 % of the packets were lost.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from .application import ROOT, open_application
from .callees import CALLED, Callee
from .house import DOMAIN, TOKEN, open_offhook
from .programs import come_first, end, free_port, until, write_files
from .scenarios import ROW, Caller
from .sipp import Run, Transport, open_callee, open_sipp
from .talkers import LATE_S

SETTLE_S = 10.0
"""Longest time between the last call's start and the first packet that its phones hear."""
LOST_MOST = 0.001


@attrs.frozen(kw_only=True)
class Heard:
    """What one phone heard of its far end while packets counted."""

    phone: int
    of_far_end: int
    """Packets sent to it."""
    heard: int
    lost: int
    doubled: int
    strange: int
    """Packets of other calls."""


@attrs.frozen
class Conversations:
    """All calls of a run."""

    caller: Run
    callee: Run
    phones: tuple[Heard, ...]

    @property
    def sent(self) -> int:
        return sum(phone.of_far_end for phone in self.phones)

    @property
    def lost(self) -> int:
        return sum(phone.lost for phone in self.phones)

    def problems(self, calls: int) -> Iterator[str]:
        """What may not be, whatever the machine; losses are the caller's to judge."""
        for run in (self.caller, self.callee):
            counts = run.counts
            if (run.status, counts.successful, counts.failed, counts.unexpected) != (0, calls, 0, 0):
                yield f"SIPp ended with {run.status}: {counts}\n{run.trouble}"
        if len(self.phones) != 2 * calls:
            yield f"{len(self.phones)} phones"
        for phone in self.phones:
            if not phone.heard or phone.doubled or phone.strange:
                yield str(phone)

    def line(self) -> str:
        worst = max(self.phones, key=lambda phone: phone.lost)
        silent = sum(not phone.heard for phone in self.phones)
        return (
            f"{self.caller.counts.successful} calls, {self.caller.counts.failed} failed; "
            f"{self.sent} packets sent, {self.sent - self.lost} received, {self.lost} lost "
            f"({100 * self.lost / max(self.sent, 1):.4f} %, at worst {worst.lost} of {worst.of_far_end} of one phone), "
            f"{sum(phone.doubled for phone in self.phones)} doubled, "
            f"{sum(phone.strange for phone in self.phones)} of other calls; {silent} phones without audio"
        )


@attrs.define(eq=False)
class Talkers:
    """The voices, running."""

    process: trio.Process
    ports: list[int] = attrs.field(factory=list)
    """Phones 2n and 2n + 1 talk to each other."""
    _read: bytes = b""

    async def ask(self, order: str) -> object:
        assert self.process.stdin is not None
        await self.process.stdin.send_all(f"{order}\n".encode())
        return await self.told()

    async def told(self) -> object:
        """The next line, which is JSON."""
        assert self.process.stdout is not None
        while b"\n" not in self._read:
            some = await self.process.stdout.receive_some()
            assert some, "the voices have ended; talkers.log says why"
            self._read += some
        line, _, self._read = self._read.partition(b"\n")
        return json.loads(line)

    async def all_hear(self) -> bool:
        return await self.ask("ready") == len(self.ports)

    async def count(self, seconds: float) -> tuple[Heard, ...]:
        with trio.fail_after(seconds + LATE_S + 30):
            told = await self.ask(f"count {seconds}")
        assert isinstance(told, list)
        return tuple(Heard(**each) for each in told)


@asynccontextmanager
async def open_talkers(folder: Path, calls: int, notes: Mapping[str, Path]) -> AsyncIterator[Talkers]:
    write_files(folder, {})
    command = [sys.executable, "-m", "tests.peers.talkers", str(calls), str(notes["caller"]), str(notes["callee"])]
    with (folder / "talkers.log").open("wb") as log:
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=ROOT
        )
    try:
        talkers = Talkers(process)
        with trio.fail_after(20):
            ports = await talkers.told()
        assert isinstance(ports, list)
        talkers.ports = ports
        yield talkers
    finally:
        with trio.move_on_after(10, shield=True):
            await end(process, 5)


def documents(callee_port: int, transport: Transport) -> dict[str, str]:
    """Whoever calls is put through to the phone he names."""
    callee = f"sip:CALLED@127.0.0.1:{callee_port};transport={transport.lower()}"
    return {"/talk": f"<Response><Dial><Sip>{callee}</Sip></Dial></Response>", "/status-talk": ""}


async def converse(
    server: tuple[str, int],
    folder: Path,
    *,
    transport: Transport,
    callee_port: int,
    calls: int,
    rate: float,
    seconds: float,
) -> Conversations:
    """Set the calls up, count, and let the callers hang up."""
    stay_s = calls / rate + SETTLE_S + seconds + LATE_S + 2
    most_s = stay_s + calls / rate + 30
    notes = {side: folder / side / "notes.log" for side in ("caller", "callee")}
    async with open_talkers(folder, calls, notes) as talkers:
        # A phone that is called has its port for its name, so that its call is the one that its voice is for.
        ports = zip(talkers.ports[::2], talkers.ports[1::2], strict=True)
        caller = Caller(f"sip:[field1]@{DOMAIN}", ROW, notes_audio=True).dials().is_answered()
        async with (
            open_callee(
                Callee(CALLED, notes_audio=True).is_called().rings().answers().is_hung_up_on(),
                folder / "callee",
                port=callee_port,
                transport=transport,
                calls=calls,
                most_s=most_s,
            ) as far,
            open_sipp(
                caller.waits(int(stay_s * 1000)).hangs_up(),
                server,
                folder / "caller",
                transport=transport,
                calls=calls,
                rate=rate,
                most_s=most_s,
                table=[f"{port};{far_port}" for port, far_port in ports],
            ) as near,
        ):
            await until(talkers.all_hear, calls / rate + SETTLE_S, "every phone hears its far end", near.process)
            phones = await talkers.count(seconds)
            return Conversations(await near.finished(), await far.finished(), phones)


async def measure(options: argparse.Namespace, folder: Path) -> bool:
    callee_port = free_port()
    async with (
        open_application(folder / "application", TOKEN, documents(callee_port, options.transport)) as application,
        open_offhook(folder / "offhook", application.base, ("talk",)) as offhook,
    ):
        result = await converse(
            offhook.sip,
            folder,
            transport=options.transport,
            callee_port=callee_port,
            calls=options.calls,
            rate=options.rate,
            seconds=options.seconds,
        )
        crashes = await offhook.metric("offhook_actor_crashes_total")
    print(result.line(), flush=True)
    problems = list(result.problems(options.calls))
    for problem in problems:
        print(problem, file=sys.stderr)
    return not problems and not crashes and result.lost < LOST_MOST * result.sent


def main() -> int:
    parser = argparse.ArgumentParser(description="Talk over calls that offhook serve bridges, and count every packet.")
    parser.add_argument("--calls", type=int, default=200, help="calls at once (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="how long packets count (%(default)s)")
    parser.add_argument("--rate", type=float, default=20, help="calls begun a second (%(default)s)")
    parser.add_argument("--transport", choices=("UDP", "TCP"), default="UDP", help="of SIP (%(default)s)")
    parser.add_argument("--folder", type=Path, help="keep scenarios, statistics and logs there")
    parser.add_argument("--first", action="store_true", help="before other work of the machine; needs root")
    options = parser.parse_args()
    if options.first:
        come_first()
    if options.folder is not None:
        return 0 if trio.run(measure, options, options.folder.resolve()) else 1
    with tempfile.TemporaryDirectory(prefix="offhook-conversations-") as folder:
        return 0 if trio.run(measure, options, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
