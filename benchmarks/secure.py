"""What encryption costs: a call over TLS beside one over UDP and TCP, a relayed SRTP packet beside a clear one.

The same callers, calls and application for each transport; `tls-each` opens a connection for every call, so that each
has a handshake. Packets are relayed by the media plane alone (see bridge.py), encrypted on none, one and both sides.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import attrs
import trio

from . import bridge, calling, contestants
from .beside import spend
from .processes import Failed, completed, tail

RATE = 200
SECONDS = 10.0
ROUNDS = 3
WARM_UP = 100
WARM_UP_RATE = 50
GRACE_S = 30.0
CALLS = 50
"""Bridged at once."""
BRIDGES = ("straight", "half", "encrypted")


@attrs.frozen
class Run:
    """One kind of call or of bridge, once."""

    kind: str
    cpu_us: float
    """A call, or a relayed packet."""
    reached: float
    """Calls a second; packets a second of a bridge."""
    failed: int
    """Calls; packets lost."""


async def measure(place: Path, *, quick: bool = False) -> list[Run]:
    """Every kind, in turns."""
    seconds, rounds = (3.0, 1) if quick else (SECONDS, ROUNDS)
    runs: list[Run] = []
    async with contestants.application(place / "application") as port, trio.open_nursery() as nursery:
        for turn in range(rounds):
            kinds = calling.KINDS if turn % 2 == 0 else calling.KINDS[::-1]
            for kind in kinds:
                await nursery.start(one_run, place / f"{turn}-{kind}", port, kind, seconds, runs)
    for turn in range(rounds):
        for kind in BRIDGES if turn % 2 == 0 else BRIDGES[::-1]:
            measured = await trio.to_thread.run_sync(partial(bridge.measure, kind, CALLS, seconds))
            runs.append(of_bridge(kind, measured, seconds))
            print(f"  {kind:9} {runs[-1].cpu_us:.1f} µs a packet", flush=True)
    return runs


def of_bridge(kind: str, measured: dict[str, Any], seconds: float) -> Run:
    packets = measured["packets"]
    lost = round(packets * measured["lost_percent"] / 100)
    return Run(f"bridge {kind}", measured["cpu_us_per_packet"], round(packets / seconds, 1), lost)


async def one_run(
    place: Path,
    application_port: int,
    kind: str,
    seconds: float,
    runs: list[Run],
    task_status: trio.TaskStatus[None],
) -> None:
    """One run; the next may begin (`task_status`) as soon as its calls have been made."""
    async with contestants.offhook_over(place, application_port, "/hangup", kind) as (contestant, ca_file):
        await call(place, kind, contestant.port, WARM_UP_RATE, WARM_UP, ca_file)

        async def work() -> dict[str, Any]:
            outcome = await call(place, kind, contestant.port, RATE, round(RATE * seconds), ca_file)
            told = f"{outcome['successful']} calls, {outcome['failed']} failed {outcome['failures'] or ''}"
            print(f"  {kind:9} {RATE}/s  {told}", flush=True)
            return outcome

        spent = await spend(contestant.pid, work, task_status.started)
    outcome = spent.outcome
    if not outcome["successful"]:
        raise Failed(f"no call over {kind} succeeds; see {place}")
    cpu_us = round(spent.cpu_s / outcome["successful"] * 1e6, 1)
    runs.append(Run(f"call {kind}", cpu_us, outcome["rate"], outcome["failed"]))


async def call(place: Path, kind: str, port: int, rate: float, count: int, ca_file: Path) -> dict[str, Any]:
    """Call `count` times, and what the callers say of it. Bounded in time whatever the server does."""
    log = place / f"callers-{rate:g}-{count}.log"
    command = [sys.executable, "-m", "benchmarks.calling", kind, str(port), str(rate), str(count), str(ca_file)]
    if await completed(command, log, count / rate + calling.GIVE_UP_S + GRACE_S):
        raise Failed(f"the callers failed:\n{tail(log)}")
    outcome: dict[str, Any] = json.loads(tail(log, 1))
    return outcome


@attrs.frozen
class Summary:
    """The rounds of one kind."""

    kind: str
    cpu_us: float
    """Median: a call, or a relayed packet."""
    spread: tuple[float, float]
    beside_clear: float
    """Median of the rounds' ratios, by a call over UDP or a bridge without encryption."""
    reached: float
    """A second; the least of the rounds."""
    failed: int


def summarize(runs: list[Run]) -> list[Summary]:
    """One line for each kind."""
    summaries = []
    for kind in dict.fromkeys(run.kind for run in sorted(runs, key=lambda run: run.kind.startswith("bridge"))):
        mine = [run for run in runs if run.kind == kind]
        clear = [run for run in runs if run.kind == ("bridge straight" if kind.startswith("bridge") else "call udp")]
        summaries.append(
            Summary(
                kind=kind,
                cpu_us=round(median(run.cpu_us for run in mine), 1),
                spread=(min(run.cpu_us for run in mine), max(run.cpu_us for run in mine)),
                beside_clear=round(
                    median(one.cpu_us / other.cpu_us for one, other in zip(mine, clear, strict=True)), 2
                ),
                reached=min(run.reached for run in mine),
                failed=sum(run.failed for run in mine),
            )
        )
    return summaries
