"""CPU of one TwiML call beside one call through sippy's B2BUA, at several rates, in interleaved rounds.

A call: INVITE, 100, 180, 200, ACK, then BYE from our side, 200. offhook asks the application for the document
`<Hangup/>` while the phone rings; sippy passes the call on to a SIPp that answers and hangs up.

What counts is the CPU time of the server's process, its children included, from before the first call until every
timer of the last transaction has fired, less what the process uses when idle, divided by the calls carried through.
The servers of a round are fresh, so that none pays for another's heap; while one still waits for its timers the next
is already called.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from statistics import median

import attrs
import trio

from . import contestants, sipp
from .contestants import Contestant
from .processes import Usage, usage

RATES = (50, 200, 500)
SECONDS = 10.0
"""Calls are made for so long at each rate."""
ROUNDS = 3
WARM_UP = 100
"""Calls made before anything is measured: modules, caches, connections."""
IDLE_S = 2.0
TIMERS_S = 34.0
"""After the last call: 64·T1 = 32 s (timers H, J, L of RFC 3261 and RFC 6026) and some."""


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
        for turn in range(rounds):
            for rate in rates:
                names = ("offhook", "sippy") if turn % 2 == 0 else ("sippy", "offhook")
                for name in names:
                    spot = place / f"{turn}-{rate}-{name}"
                    server = (
                        contestants.offhook(spot, port, "/hangup") if name == "offhook" else contestants.sippy(spot)
                    )
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
        pid, port = contestant.pid, contestant.sip_port
        await sipp.call(place, port, scenario="caller", rate=50, count=WARM_UP)
        before = usage(pid)
        await trio.sleep(IDLE_S)
        started, start = usage(pid), trio.current_time()
        idle = (started.cpu_s - before.cpu_s) / IDLE_S
        outcome = await sipp.call(place, port, scenario="caller", rate=rate, count=round(rate * seconds))
        at_once, taken_s = usage(pid), trio.current_time() - start
        print(f"  {name:8} {rate:4}/s  {outcome.successful} calls, {outcome.failed} failed", flush=True)
        task_status.started()
        await trio.sleep(TIMERS_S)
        ended = usage(pid)

    def each(usage_then: Usage, lasted_s: float) -> float:
        return (usage_then.cpu_s - started.cpu_s - idle * lasted_s) / max(1, outcome.successful) * 1000

    runs.append(
        Run(
            server=name,
            rate=rate,
            cpu_ms=round(each(ended, taken_s + TIMERS_S), 3),
            cpu_at_once_ms=round(each(at_once, taken_s), 3),
            idle_percent=round(idle * 100, 2),
            reached=round(outcome.rate, 1),
            failed=outcome.failed,
            retransmissions=outcome.retransmissions,
            setup_ms=round(outcome.setup_ms, 1),
        )
    )


@attrs.frozen
class Summary:
    """Medians of the rounds at one rate."""

    rate: int
    offhook_ms: float
    sippy_ms: float
    ratio: float
    """Median of the rounds' ratios, offhook by sippy."""
    offhook_spread: tuple[float, float]
    """Least and most of the rounds, CPU ms."""
    sippy_spread: tuple[float, float]
    offhook_failed: int
    sippy_failed: int


def summarize(runs: list[Run]) -> list[Summary]:
    """One line for each rate."""
    summaries = []
    for rate in dict.fromkeys(run.rate for run in runs):
        ours = [run for run in runs if run.rate == rate and run.server == "offhook"]
        theirs = [run for run in runs if run.rate == rate and run.server == "sippy"]
        ratios = [one.cpu_ms / other.cpu_ms for one, other in zip(ours, theirs, strict=True)]
        summaries.append(
            Summary(
                rate=rate,
                offhook_ms=round(median(run.cpu_ms for run in ours), 2),
                sippy_ms=round(median(run.cpu_ms for run in theirs), 2),
                ratio=round(median(ratios), 2),
                offhook_spread=(min(run.cpu_ms for run in ours), max(run.cpu_ms for run in ours)),
                sippy_spread=(min(run.cpu_ms for run in theirs), max(run.cpu_ms for run in theirs)),
                offhook_failed=sum(run.failed for run in ours),
                sippy_failed=sum(run.failed for run in theirs),
            )
        )
    return summaries
