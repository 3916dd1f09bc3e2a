"""A long load: SIPp calls `offhook serve` over UDP and TCP, and nothing may be lost, doubled or left behind.

    python -m tests.peers.campaign [--calls 5000] [--rate 100] [--settle 40] [--document say] [--transport UDP] …

Server, web application and SIPp are processes of their own. Each of four runs (a document that speaks and hangs up, one
that rejects; UDP and TCP) must have no failed call, no unexpected message, one webhook, one status callback and one end
event a call; `--settle` seconds after its last call the server must have as many tasks as before the first one.
Exit status 0 when all of that held.
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
from .house import TOKEN, Offhook, open_offhook
from .scenarios import Caller
from .sipp import Counts, Transport, media_sink, run_sipp

DOCUMENTS = {
    "/say": "<Response><Say>Thank you for calling.</Say><Hangup/></Response>",
    "/reject": "<Response><Reject/></Response>",
    "/status-say": "",
    "/status-reject": "",
}
STATUS = {"say": "completed", "reject": "no-answer"}
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

    document: str
    transport: str
    sipp: Counts
    webhooks: dict[str, int]
    """Requests by path."""
    calls_seen: dict[str, int]
    """Distinct calls by path."""
    forged: int
    ended: dict[str, float]
    """End events by status."""
    peak_mib: float
    idle: Rest
    problems: tuple[str, ...]

    def line(self) -> str:
        sipp = self.sipp
        return (
            f"{self.document:<7} {self.transport}  {sipp.successful:>6} ok {sipp.failed:>3} failed"
            f" {sipp.unexpected:>3} unexpected {sipp.retransmissions:>4} repeated  "
            f"RSS {self.peak_mib:.0f} MiB after the last call, {self.idle.resident_mib:.0f} settled  "
            f"tasks {self.idle.tasks}  {'good' if not self.problems else '; '.join(self.problems)}"
        )


async def rest(offhook: Offhook) -> Rest:
    """The fewest tasks of several looks: each look is a request that takes one or two itself."""
    tasks = [int(await offhook.metric("offhook_tasks")) for _ in range(LOOKS)]
    return Rest(tasks=min(tasks), resident_mib=offhook.resident_bytes() / 2**20)


async def call(offhook: Offhook, folder: Path, document: str, transport: Transport, calls: int, rate: float) -> Counts:
    with media_sink() as port:
        caller = Caller(f"sip:100@{document}.sip.test", port).dials()
        if document == "say":
            caller.is_answered().is_hung_up_on()
        else:
            caller.is_refused(404)
        run = await run_sipp(
            caller, offhook.sip, folder, transport=transport, calls=calls, rate=rate, most_s=60 + 3 * calls / rate
        )
    if run.status:
        print(run.trouble, file=sys.stderr)
    return run.counts


async def measure(
    offhook: Offhook,
    application: Application,
    folder: Path,
    document: str,
    transport: Transport,
    options: argparse.Namespace,
    before: Rest,
) -> Result:
    calls: int = options.calls
    ended_before = await offhook.metrics("offhook_calls_ended_total")
    await application.report(forget=True)
    sipp = await call(offhook, folder / f"{document}-{transport}", document, transport, calls, options.rate)
    peak_mib = offhook.resident_bytes() / 2**20
    await trio.sleep(options.settle)
    idle = await rest(offhook)
    report = await application.report()
    ended_after = await offhook.metrics("offhook_calls_ended_total")
    ended = {labels: count - ended_before.get(labels, 0) for labels, count in ended_after.items()}
    ended = {labels: count for labels, count in ended.items() if count}
    each_once = {f"/{document}": calls, f"/status-{document}": calls}
    checks = {
        "SIPp calls failed": (sipp.successful, sipp.failed, sipp.unexpected) != (calls, 0, 0),
        "messages of no call": sipp.out_of_call != 0,
        "not one request of each kind a call": report.requests != each_once or report.calls != each_once,
        "signatures not accepted": report.forged != 0,
        "not one end event a call": ended != {f'{{status="{STATUS[document]}"}}': calls},
        f"{idle.tasks} tasks, {before.tasks} before": idle.tasks > before.tasks,
        "memory kept": idle.resident_mib > before.resident_mib * RESIDENT_GROWTH,
        "crashes": await offhook.metric("offhook_actor_crashes_total") != 0,
    }
    return Result(
        document=document,
        transport=transport,
        sipp=sipp,
        webhooks=report.requests,
        calls_seen=report.calls,
        forged=report.forged,
        ended=ended,
        peak_mib=peak_mib,
        idle=idle,
        problems=tuple(problem for problem, there in checks.items() if there),
    )


async def campaign(options: argparse.Namespace, folder: Path) -> bool:
    async with (
        open_application(folder / "application", TOKEN, DOCUMENTS) as application,
        open_offhook(folder / "offhook", application.base, ("say", "reject")) as offhook,
    ):
        cold = await rest(offhook)
        for document in options.document:
            for transport in options.transport:
                warm_up = folder / f"warm-{document}-{transport}"
                await call(offhook, warm_up, document, transport, int(WARM_UP_S * options.rate), options.rate)
        await trio.sleep(options.settle)
        before = await rest(offhook)
        print(f"idle: {before.tasks} tasks, RSS {before.resident_mib:.0f} MiB ({cold.resident_mib:.0f} at start)")
        results: list[Result] = []
        for document in options.document:
            for transport in options.transport:
                result = await measure(offhook, application, folder, document, transport, options, before)
                results.append(result)
                print(result.line(), flush=True)
    if options.json:
        record = {"before": attrs.asdict(before), "results": [attrs.asdict(result) for result in results]}
        await trio.Path(options.json).write_text(json.dumps(record, indent=2))
    return not any(result.problems for result in results)


def main() -> int:
    parser = argparse.ArgumentParser(description="Load offhook serve with SIPp and count everything.")
    parser.add_argument("--calls", type=int, default=5000, help="calls of each run (%(default)s)")
    parser.add_argument("--rate", type=float, default=100, help="calls begun a second (%(default)s)")
    parser.add_argument("--settle", type=float, default=40, help="seconds after the last call (%(default)s)")
    parser.add_argument(
        "--document", nargs="+", choices=tuple(STATUS), default=tuple(STATUS), help="say, reject (both)"
    )
    parser.add_argument("--transport", nargs="+", choices=TRANSPORTS, default=TRANSPORTS, help="UDP, TCP (both)")
    parser.add_argument("--json", help="file for all figures")
    parser.add_argument("--folder", type=Path, help="keep scenarios, statistics and logs there")
    options = parser.parse_args()
    if options.folder is not None:
        return 0 if trio.run(campaign, options, options.folder.resolve()) else 1
    with tempfile.TemporaryDirectory(prefix="offhook-campaign-") as folder:
        return 0 if trio.run(campaign, options, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
