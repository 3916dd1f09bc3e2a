"""A long load: SIPp calls `offhook serve` over UDP and TCP, and nothing may be lost, doubled or left behind.

    python -m tests.peers.campaign [--kind say dial …] [--transport UDP] [--calls 3000] [--rate 50] [--settle 40] …

Server, web application and SIPp, which calls and is dialled, are processes of their own. Each kind of call (`kinds.py`)
is run over each transport. No call may fail, no message may be unexpected; every webhook, action and callback must come
once for each call, and one end event for each call and each that it dials. `--settle` seconds after its last call the
server must have as many tasks as before the first one. Exit status 0 when all of that held.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import attrs
import trio

from .application import Application, open_application
from .callees import Callee, Registration, credentials
from .house import PHONES, TOKEN, Offhook, open_offhook
from .kinds import KINDS, Kind
from .programs import come_first, free_port
from .scenarios import Caller
from .sipp import Counts, Run, Transport, media_sink, open_callee, run_sipp

WARM_UP_S = 20
"""Of each kind of call before the server at rest is measured: caches fill, and so do the allocator's arenas."""
LOOKS = 10
RESIDENT_GROWTH = 1.25
"""Resident memory that may stay, of what a warm server has: allocators keep some of what a peak took."""
TRANSPORTS: tuple[Transport, ...] = ("UDP", "TCP")


@attrs.frozen(kw_only=True)
class Rest:
    """The server when nothing happens."""

    tasks: int
    resident_mib: float


@attrs.frozen(kw_only=True)
class Result:
    """One run."""

    name: str
    caller: Counts
    callee: Counts | None
    """The far side, where the calls dial one."""
    told: dict[str, int]
    """Requests to the application by path and CallStatus."""
    repeated: int
    forged: int
    ended: dict[str, float]
    """End events by status."""
    peak_mib: float
    idle: Rest
    problems: tuple[str, ...]

    def line(self) -> str:
        sides = [self.caller] if self.callee is None else [self.caller, self.callee]
        counted = " | ".join(
            f"{side.successful} ok {side.failed} failed {side.unexpected} unexpected {side.retransmissions} repeated"
            for side in sides
        )
        return (
            f"{self.name:<16} {counted}  {sum(self.told.values())} requests, each once: {not self.repeated}  "
            f"RSS {self.peak_mib:.0f} MiB after the last call, {self.idle.resident_mib:.0f} settled  "
            f"tasks {self.idle.tasks}  {'good' if not self.problems else '; '.join(self.problems)}"
        )


async def rest(offhook: Offhook) -> Rest:
    """The fewest tasks of several looks: each look is a request that takes one or two itself."""
    tasks = [int(await offhook.metric("offhook_tasks")) for _ in range(LOOKS)]
    return Rest(tasks=min(tasks), resident_mib=offhook.resident_bytes() / 2**20)


@attrs.frozen
class Load:
    """One kind of call over one transport: it has its own domain, documents and phone to dial."""

    kind: Kind
    name: str
    transport: Transport
    callee_port: int

    @property
    def documents(self) -> dict[str, str]:
        return self.kind.documents(self.name, self.callee_port, self.transport)

    async def register(self, offhook: Offhook, folder: Path) -> None:
        """All PHONES register, from the port where they are called."""
        run = await run_sipp(
            Registration(f"{self.name}.sip.test", self.callee_port),
            offhook.sip,
            folder / f"{self.name}-registration",
            transport="UDP",
            calls=len(PHONES),
            rate=100,
            port=self.callee_port,
            table=[f"{phone.username};{credentials(phone.username, phone.password)}" for phone in PHONES],
        )
        run.all_succeeded(len(PHONES))

    async def calls(self, offhook: Offhook, folder: Path, calls: int, rate: float) -> tuple[Run, Run | None]:
        """Make so many; the caller's run and the callee's."""
        most_s = 60 + 3 * calls / rate
        with media_sink() as port:

            async def calling() -> Run:
                return await run_sipp(
                    self.kind.caller(Caller(f"sip:{self.kind.target}@{self.name}.sip.test", port)),
                    offhook.sip,
                    folder / "caller",
                    transport=self.transport,
                    calls=calls,
                    rate=rate,
                    most_s=most_s,
                    table=[phone.username for phone in PHONES] if self.kind.to_phones else (),
                )

            if self.kind.callee is None:
                return await calling(), None
            async with open_callee(
                self.kind.callee(Callee(port)),
                folder / "callee",
                port=self.callee_port,
                transport="UDP" if self.kind.to_phones else self.transport,
                calls=calls,
                most_s=most_s,
            ) as callee:
                run = await calling()
                return run, await callee.finished()


async def measure(
    load: Load, offhook: Offhook, application: Application, folder: Path, options: argparse.Namespace, before: Rest
) -> Result:
    calls: int = options.calls
    ended_before = await offhook.metrics("offhook_calls_ended_total")
    await application.report(forget=True)
    caller, callee = await load.calls(offhook, folder / load.name, calls, options.rate)
    peak_mib = offhook.resident_bytes() / 2**20
    await trio.sleep(options.settle)
    idle = await rest(offhook)
    report = await application.report()
    ended_after = await offhook.metrics("offhook_calls_ended_total")
    ended = {labels: count - ended_before.get(labels, 0) for labels, count in ended_after.items()}
    ended = {labels: count for labels, count in ended.items() if count}
    ends = {f'{{status="{status}"}}': count for status, count in load.kind.ends(calls).items()}
    sides = [run for run in (caller, callee) if run is not None]
    for run in sides:
        if run.status:
            print(run.trouble, file=sys.stderr)
    counted = [(run.counts.successful, run.counts.failed, run.counts.unexpected) for run in sides]
    checks = {
        "SIPp calls failed": counted != [(calls, 0, 0)] * len(sides),
        "messages of no call": any(run.counts.out_of_call for run in sides),
        f"told {report.told}": report.told != load.kind.requests(load.name, calls),
        f"{report.repeated} told twice": report.repeated != 0,
        "signatures not accepted": report.forged != 0,
        f"end events {ended}": ended != ends,
        f"{idle.tasks} tasks, {before.tasks} before": idle.tasks > before.tasks,
        "calls are live": await offhook.metric("offhook_calls_live") != 0,
        "memory kept": idle.resident_mib > before.resident_mib * RESIDENT_GROWTH,
        "crashes": await offhook.metric("offhook_actor_crashes_total") != 0,
    }
    return Result(
        name=load.name,
        caller=caller.counts,
        callee=None if callee is None else callee.counts,
        told=report.told,
        repeated=report.repeated,
        forged=report.forged,
        ended=ended,
        peak_mib=peak_mib,
        idle=idle,
        problems=tuple(problem for problem, there in checks.items() if there),
    )


async def campaign(options: argparse.Namespace, folder: Path) -> bool:
    loads = [
        Load(KINDS[name], f"{name}-{transport.lower()}", transport, free_port())
        for name in options.kind
        for transport in options.transport
    ]
    documents = {path: text for load in loads for path, text in load.documents.items()}
    async with (
        open_application(folder / "application", TOKEN, documents) as application,
        open_offhook(folder / "offhook", application.base, tuple(load.name for load in loads)) as offhook,
    ):
        cold = await rest(offhook)
        for load in loads:
            if load.kind.to_phones:
                await load.register(offhook, folder)
            await load.calls(offhook, folder / f"warm-{load.name}", int(WARM_UP_S * options.rate), options.rate)
        await trio.sleep(options.settle)
        before = await rest(offhook)
        print(f"idle: {before.tasks} tasks, RSS {before.resident_mib:.0f} MiB ({cold.resident_mib:.0f} at start)")
        results: list[Result] = []
        for load in loads:
            result = await measure(load, offhook, application, folder, options, before)
            results.append(result)
            print(result.line(), flush=True)
    if options.json:
        record = {"before": attrs.asdict(before), "results": [attrs.asdict(result) for result in results]}
        await trio.Path(options.json).write_text(json.dumps(record, indent=2))
    return not any(result.problems for result in results)


def main() -> int:
    parser = argparse.ArgumentParser(description="Load offhook serve with SIPp and count everything.")
    parser.add_argument("--calls", type=int, default=3000, help="calls of each run (%(default)s)")
    parser.add_argument("--rate", type=float, default=50, help="calls begun a second (%(default)s)")
    parser.add_argument("--settle", type=float, default=40, help="seconds after the last call (%(default)s)")
    parser.add_argument(
        "--kind", nargs="+", choices=tuple(KINDS), default=tuple(KINDS), help=f"{', '.join(KINDS)} (all)"
    )
    parser.add_argument("--transport", nargs="+", choices=TRANSPORTS, default=TRANSPORTS, help="UDP, TCP (both)")
    parser.add_argument("--json", help="file for all figures")
    parser.add_argument("--folder", type=Path, help="keep scenarios, statistics and logs there")
    parser.add_argument("--first", action="store_true", help="before other work of the machine; needs root")
    options = parser.parse_args()
    if options.first:
        come_first()
    if options.folder is not None:
        return 0 if trio.run(campaign, options, options.folder.resolve()) else 1
    with tempfile.TemporaryDirectory(prefix="offhook-campaign-") as folder:
        return 0 if trio.run(campaign, options, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
