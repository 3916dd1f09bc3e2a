"""CPU of one packet of a playing leg, and how evenly packets leave, at 100 and at 400 legs.

Calls are answered and each plays a file without end to one port, where another process listens. Measured are the
middle seconds, when all calls are up.
"""

# ruff: noqa: ASYNC110, ASYNC240 - a process is looked at now and then, and its log is a small file

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from statistics import median

import attrs
import trio

from . import contestants, sipp
from .processes import Failed, running, tail, usage

LEGS = (100, 400)
SECONDS = 10.0
ROUNDS = 3
CALLS_A_SECOND = 50
"""How fast the legs are set up."""
MARGIN_S = 2.0
"""Between the last call's start and the measuring, and after it."""
PACKETS_A_SECOND = 50


@attrs.frozen
class Run:
    """So many legs, once."""

    legs: int
    heard: int
    """Legs that were heard; all, when nothing is wrong."""
    cpu_percent: float
    """Of one core."""
    cpu_us: float
    """Per packet sent."""
    lost: int
    """Packets missing in their leg's sequence."""
    error_p50_ms: float
    """Distance from the leg's own 20 ms grid."""
    error_p99_ms: float
    error_max_ms: float


async def measure(place: Path, *, quick: bool = False) -> list[Run]:
    """Every number of legs, in turns."""
    counts, seconds, rounds = ((100,), 3.0, 1) if quick else (LEGS, SECONDS, ROUNDS)
    runs = []
    async with contestants.application(place / "application") as port:
        for turn in range(rounds):
            for legs in counts:
                run = await one_run(place / f"{turn}-{legs}", port, legs, seconds)
                print(f"  {legs} legs: {run.cpu_percent:.0f} % of a core, p99 {run.error_p99_ms:.1f} ms", flush=True)
                runs.append(run)
    return runs


async def one_run(place: Path, application_port: int, legs: int, seconds: float) -> Run:
    """Set up the calls, measure, and let them hang up."""
    setup_s = legs / CALLS_A_SECOND
    stay_s = setup_s + seconds + 3 * MARGIN_S
    place.mkdir(parents=True, exist_ok=True)
    log = place / "listener.log"
    async with (
        contestants.offhook(place, application_port, "/play") as server,
        running([sys.executable, "-m", "benchmarks.listener", str(seconds)], log) as listener,
        trio.open_nursery() as nursery,
    ):
        port = int((await said(log, 1))[0])
        nursery.start_soon(stayers, place, server.port, legs, port, stay_s)
        await trio.sleep(setup_s + MARGIN_S)
        listener.send_signal(signal.SIGUSR1)
        before, began = usage(server.pid), trio.current_time()
        await trio.sleep(seconds)
        after, lasted = usage(server.pid), trio.current_time() - began
        heard = json.loads((await said(log, 2))[1])
        nursery.cancel_scope.cancel()
    cpu = (after.cpu_s - before.cpu_s) / lasted
    return Run(
        legs=legs,
        heard=heard["legs"],
        cpu_percent=round(cpu * 100, 1),
        cpu_us=round(cpu / (legs * PACKETS_A_SECOND) * 1e6, 2),
        lost=heard["lost"],
        error_p50_ms=heard["error_p50_ms"],
        error_p99_ms=heard["error_p99_ms"],
        error_max_ms=heard["error_max_ms"],
    )


async def stayers(place: Path, port: int, legs: int, media_port: int, stay_s: float) -> None:
    """Callers who stay for a while."""
    await sipp.call(
        place, port, scenario="staying", rate=CALLS_A_SECOND, count=legs, media_port=media_port, stay_s=stay_s
    )


async def said(log: Path, lines: int) -> list[str]:
    """The lines a process has printed, once there are so many."""
    with trio.move_on_after(30):
        while len(found := log.read_text().splitlines()) < lines:
            await trio.sleep(0.05)
        return found
    raise Failed(f"{log} holds too little:\n{tail(log)}")


def summarize(runs: list[Run]) -> list[Run]:
    """Medians of the rounds, for each number of legs."""
    summaries = []
    for legs in dict.fromkeys(run.legs for run in runs):
        rounds = [run for run in runs if run.legs == legs]
        summaries.append(
            Run(
                legs=legs,
                heard=min(run.heard for run in rounds),
                cpu_percent=round(median(run.cpu_percent for run in rounds), 1),
                cpu_us=round(median(run.cpu_us for run in rounds), 2),
                lost=max(run.lost for run in rounds),
                error_p50_ms=round(median(run.error_p50_ms for run in rounds), 3),
                error_p99_ms=round(median(run.error_p99_ms for run in rounds), 3),
                error_max_ms=round(median(run.error_max_ms for run in rounds), 3),
            )
        )
    return summaries
