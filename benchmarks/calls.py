"""CPU of one TwiML call beside one call through sippy's B2BUA, at several rates, in interleaved rounds.

A call: INVITE, 100, 180, 200, ACK, then BYE from our side, 200. offhook asks the application for the document
`<Hangup/>` while the phone rings; sippy passes the call on to a SIPp that answers and hangs up.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import attrs
import trio

from . import contestants, sipp
from .beside import OURS, spend, summarize, turns
from .contestants import Contestant

RATES = (50, 200, 500)
SECONDS = 10.0
"""Calls are made for so long at each rate."""
ROUNDS = 3
WARM_UP = 100
"""Calls made before anything is measured: modules, caches, connections."""
PEER = "sippy"

__all__ = ["measure", "summarize"]


@attrs.frozen
class Run:
    """One server at one rate."""

    server: str
    rate: int
    """Calls per second asked for."""
    cpu_ms: float
    """Per call carried through."""
    cpu_at_once_ms: float
    """The same without what the timers cost afterwards."""
    idle_percent: float
    """Of one core, before the first call."""
    reached: float
    """Calls per second carried through."""
    failed: int
    retransmissions: int
    setup_ms: float
    """INVITE to 200, mean."""


async def measure(place: Path, *, quick: bool = False) -> list[Run]:
    """Every rate, every server, in turns."""
    rates, seconds, rounds = ((200,), 3.0, 1) if quick else (RATES, SECONDS, ROUNDS)
    runs: list[Run] = []
    async with contestants.application(place / "application") as port, trio.open_nursery() as nursery:
        for turn, rate, name in turns(rounds, rates, PEER):
            spot = place / f"{turn}-{rate}-{name}"
            server = contestants.offhook(spot, port, "/hangup") if name == OURS else contestants.sippy(spot)
            await nursery.start(one_run, server, spot, name, rate, seconds, runs)
    return runs


async def one_run(
    server: AbstractAsyncContextManager[Contestant],
    place: Path,
    name: str,
    rate: int,
    seconds: float,
    runs: list[Run],
    task_status: trio.TaskStatus[None],
) -> None:
    """One run; the next may begin (`task_status`) as soon as its calls have been made."""
    async with server as contestant:
        port = contestant.port
        await sipp.call(place, port, scenario="caller", rate=50, count=WARM_UP)

        async def work() -> sipp.Outcome:
            outcome = await sipp.call(place, port, scenario="caller", rate=rate, count=round(rate * seconds))
            print(f"  {name:8} {rate:4}/s  {outcome.successful} calls, {outcome.failed} failed", flush=True)
            return outcome

        spent = await spend(contestant.pid, work, task_status.started)
    outcome = spent.outcome
    calls = max(1, outcome.successful)
    runs.append(
        Run(
            server=name,
            rate=rate,
            cpu_ms=round(spent.cpu_s / calls * 1000, 3),
            cpu_at_once_ms=round(spent.cpu_at_once_s / calls * 1000, 3),
            idle_percent=round(spent.idle * 100, 2),
            reached=round(outcome.rate, 1),
            failed=outcome.failed,
            retransmissions=outcome.retransmissions,
            setup_ms=round(outcome.setup_ms, 1),
        )
    )
