"""Memory of one live call: what the process holds with 300 answered calls up, less what it held with none.

The calls run a long `<Pause>`; their media flows. Some calls before have loaded what is loaded once.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

import attrs
import trio

from . import contestants, sipp
from .processes import usage

CALLS = 300
CALLS_A_SECOND = 50
ROUNDS = 3
WARM_UP = 50
SETTLE_S = 2.0


@attrs.frozen
class Run:
    """One server, once."""

    calls: int
    idle_mib: float
    """Resident, with no call."""
    live_mib: float
    """Resident, with all calls up."""
    kib_a_call: float


async def measure(place: Path, *, quick: bool = False) -> list[Run]:
    """A fresh server for each round."""
    calls, rounds = (100, 1) if quick else (CALLS, ROUNDS)
    runs = []
    async with contestants.application(place / "application") as port:
        for turn in range(rounds):
            run = await one_run(place / str(turn), port, calls)
            print(f"  {calls} calls: {run.kib_a_call:.0f} KiB a call", flush=True)
            runs.append(run)
    return runs


async def one_run(place: Path, application_port: int, calls: int) -> Run:
    """Resident memory before and with `calls` calls."""
    setup_s = calls / CALLS_A_SECOND
    async with (
        contestants.offhook(place, application_port, "/pause") as server,
        trio.open_nursery() as nursery,
    ):
        await stay(place, server.port, WARM_UP, 0.5)
        await trio.sleep(SETTLE_S)
        idle = usage(server.pid).rss_bytes
        nursery.start_soon(stay, place, server.port, calls, setup_s + 3 * SETTLE_S)
        await trio.sleep(setup_s + SETTLE_S)
        live = usage(server.pid).rss_bytes
        nursery.cancel_scope.cancel()
    return Run(
        calls=calls,
        idle_mib=round(idle / 2**20, 1),
        live_mib=round(live / 2**20, 1),
        kib_a_call=round((live - idle) / calls / 1024, 1),
    )


async def stay(place: Path, port: int, calls: int, stay_s: float) -> None:
    await sipp.call(place, port, scenario="staying", rate=CALLS_A_SECOND, count=calls, stay_s=stay_s)


def summarize(runs: list[Run]) -> list[Run]:
    """The median round."""
    middle = sorted(runs, key=lambda run: run.kib_a_call)[len(runs) // 2]
    return [attrs.evolve(middle, kib_a_call=round(median(run.kib_a_call for run in runs), 1))] if runs else []
