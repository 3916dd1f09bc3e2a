"""Servers beside one another: what each spends on its work, and the ratios of rounds that take turns.

What counts is the CPU time of a server's processes from before the first piece of work until every timer of the last
transaction has fired, less what they use when idle, divided by the pieces carried through. The servers of a round are
fresh, so that none pays for another's heap; while one still waits for its timers the next is already at work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from statistics import median
from typing import Generic, Protocol, TypeVar

import attrs
import trio

from .processes import usage

SETTLE_S = 1.0
"""After the warming up: what it left to be written has been written."""
IDLE_S = 2.0
TIMERS_S = 34.0
"""After the last transaction: 64·T1 = 32 s (timers H, J, L of RFC 3261 and RFC 6026) and some."""
OURS = "offhook"

T = TypeVar("T")
L = TypeVar("L")


@attrs.frozen
class Spent(Generic[T]):
    """What a piece of work has cost a server."""

    outcome: T
    cpu_s: float
    """Its timers included, less idling."""
    cpu_at_once_s: float
    """Without what the timers cost afterwards."""
    idle: float
    """Share of one core that the server uses when idle."""


async def spend(pid: int, work: Callable[[], Awaitable[T]], done: Callable[[], None]) -> Spent[T]:
    """Measure the processes of `pid` while `work` is done; `done` is called when it is, before the timers."""
    await trio.sleep(SETTLE_S)
    before = usage(pid)
    await trio.sleep(IDLE_S)
    started, start = usage(pid), trio.current_time()
    idle = (started.cpu_s - before.cpu_s) / IDLE_S
    outcome = await work()
    at_once, taken_s = usage(pid), trio.current_time() - start
    done()
    await trio.sleep(TIMERS_S)
    ended, lasted_s = usage(pid), trio.current_time() - start
    return Spent(
        outcome=outcome,
        cpu_s=ended.cpu_s - started.cpu_s - idle * lasted_s,
        cpu_at_once_s=at_once.cpu_s - started.cpu_s - idle * taken_s,
        idle=idle,
    )


def turns(rounds: int, loads: Sequence[L], peer: str) -> Iterator[tuple[int, L, str]]:
    """Round, load and server, in the order to measure them: who was first is second the next time."""
    for turn in range(rounds):
        for load in loads:
            for server in (OURS, peer) if turn % 2 == 0 else (peer, OURS):
                yield turn, load, server


class Rated(Protocol):
    """A run at a rate."""

    @property
    def server(self) -> str: ...
    @property
    def rate(self) -> int: ...
    @property
    def cpu_ms(self) -> float: ...
    @property
    def reached(self) -> float: ...
    @property
    def failed(self) -> int: ...


@attrs.frozen
class Summary:
    """The rounds at one rate."""

    rate: int
    offhook_ms: float
    """Median."""
    peer: str
    peer_ms: float
    ratio: float
    """Median of the rounds' ratios, offhook by its peer."""
    offhook_spread: tuple[float, float]
    """Least and most of the rounds, CPU ms."""
    peer_spread: tuple[float, float]
    offhook_reached: float
    """A second; the least of the rounds."""
    peer_reached: float
    offhook_failed: int
    """Of all rounds."""
    peer_failed: int


def summarize(runs: Sequence[Rated]) -> list[Summary]:
    """One line for each rate."""
    summaries = []
    for rate in dict.fromkeys(run.rate for run in runs):
        ours = [run for run in runs if run.rate == rate and run.server == OURS]
        theirs = [run for run in runs if run.rate == rate and run.server != OURS]
        summaries.append(
            Summary(
                rate=rate,
                offhook_ms=round(median(run.cpu_ms for run in ours), 3),
                peer=theirs[0].server,
                peer_ms=round(median(run.cpu_ms for run in theirs), 3),
                ratio=round(ratio([run.cpu_ms for run in ours], [run.cpu_ms for run in theirs]), 2),
                offhook_spread=spread([run.cpu_ms for run in ours]),
                peer_spread=spread([run.cpu_ms for run in theirs]),
                offhook_reached=min(run.reached for run in ours),
                peer_reached=min(run.reached for run in theirs),
                offhook_failed=sum(run.failed for run in ours),
                peer_failed=sum(run.failed for run in theirs),
            )
        )
    return summaries


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the rounds' ratios."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def spread(figures: Sequence[float]) -> tuple[float, float]:
    """Least and most."""
    return min(figures), max(figures)
