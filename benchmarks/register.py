"""CPU of one registration by digest beside Kamailio 5.6, at several rates, in interleaved rounds.

A registration: REGISTER, challenge, REGISTER with credentials, 200. The same users for both, who register again and
again, each from its own Contact. offhook writes what is bound to its store on disk; Kamailio keeps it in memory.
"""

from __future__ import annotations

import json
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import attrs
import trio

from . import contestants
from .beside import OURS, spend, summarize, turns
from .contestants import Contestant
from .processes import Failed, completed, tail
from .registering import GIVE_UP_S, USERS

RATES = (1000, 4000)
SECONDS = 10.0
"""Phones register for so long at each rate."""
ROUNDS = 3
WARM_UP_RATE = 500
"""Every user registers once before anything is measured."""
GRACE_S = 20.0
PEER = "kamailio"

__all__ = ["measure", "summarize"]


@attrs.frozen
class Run:
    """One server at one rate."""

    server: str
    rate: int
    """Registrations per second asked for."""
    cpu_ms: float
    """Per successful registration."""
    cpu_at_once_ms: float
    """The same without what the timers cost afterwards."""
    idle_percent: float
    """Of one core, before the first."""
    reached: float
    """Successful registrations per second."""
    failed: int
    retransmissions: int
    p50_ms: float
    """From the first REGISTER to the 200."""
    p99_ms: float
    phones_us: float
    """CPU of the phones' process for each registration."""


async def measure(place: Path, *, quick: bool = False) -> list[Run]:
    """Every rate, every server, in turns."""
    rates, seconds, rounds = ((1000,), 3.0, 1) if quick else (RATES, SECONDS, ROUNDS)
    runs: list[Run] = []
    async with trio.open_nursery() as nursery:
        for turn, rate, name in turns(rounds, rates, PEER):
            spot = place / f"{turn}-{rate}-{name}"
            server = contestants.offhook_registrar(spot) if name == OURS else contestants.kamailio(spot)
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
    """One run; the next may begin (`task_status`) as soon as its phones have registered."""
    async with server as contestant:
        warm = await register(place, contestant.port, WARM_UP_RATE, USERS)
        if warm["failed"]:
            raise Failed(f"{name} registers {warm['successful']} of {USERS} users: {warm['failures']}; see {place}")

        async def work() -> dict[str, Any]:
            outcome = await register(place, contestant.port, rate, round(rate * seconds))
            told = f"{outcome['successful']} registrations, {outcome['failed']} failed {outcome['failures'] or ''}"
            print(f"  {name:8} {rate:4}/s  {told}", flush=True)
            return outcome

        spent = await spend(contestant.pid, work, task_status.started)
    outcome = spent.outcome
    if not outcome["successful"]:
        raise Failed(f"{name} registers nobody at {rate}/s; see {place}")
    runs.append(
        Run(
            server=name,
            rate=rate,
            cpu_ms=round(spent.cpu_s / outcome["successful"] * 1000, 4),
            cpu_at_once_ms=round(spent.cpu_at_once_s / outcome["successful"] * 1000, 4),
            idle_percent=round(spent.idle * 100, 2),
            reached=outcome["rate"],
            failed=outcome["failed"],
            retransmissions=outcome["retransmissions"],
            p50_ms=outcome["p50_ms"],
            p99_ms=outcome["p99_ms"],
            phones_us=outcome["own_cpu_us"],
        )
    )


async def register(place: Path, port: int, rate: float, count: int) -> dict[str, Any]:
    """Register `count` times, and what the phones say of it. Bounded in time whatever the server does."""
    log = place / f"phones-{rate:g}-{count}.log"
    within_s = count / rate + GIVE_UP_S * 2 + GRACE_S
    command = [sys.executable, "-m", "benchmarks.registering", str(port), str(rate), str(count)]
    if await completed(command, log, within_s):
        raise Failed(f"the phones failed:\n{tail(log)}")
    outcome: dict[str, Any] = json.loads(tail(log, 1))
    return outcome
