"""CPU of one relayed RTP packet and the delay that relaying adds, beside rtpengine 10.5, with many bridged calls.

Each call carries PCMU in 20 ms packets both ways; one process is all phones, the same for both servers, and the way of
a packet is timed from its sending to the kernel's stamp of its arrival. offhook bridges `<Dial>`ed calls and speaks SIP
for them; rtpengine relays in user space (its kernel module is not used) what another server would signal.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import attrs

from . import contestants
from .beside import OURS, ratio, turns
from .processes import Failed, completed, free_port, tail

CALLS = (50, 200)
SECONDS = 10.0
ROUNDS = 3
GRACE_S = 60.0
"""For setting the calls up, and warming up."""
PEER = "rtpengine"


@attrs.frozen
class Run:
    """One server with so many calls."""

    server: str
    calls: int
    cpu_us: float
    """Per packet relayed."""
    cpu_percent: float
    """Of one core."""
    sent: int
    lost: int
    p50_ms: float
    """From phone to phone."""
    p99_ms: float


async def measure(place: Path, *, quick: bool = False) -> list[Run]:
    """Every number of calls, every server, in turns."""
    counts, seconds, rounds = ((50,), 3.0, 1) if quick else (CALLS, SECONDS, ROUNDS)
    runs = []
    async with contestants.application(place / "application") as port:
        for turn, calls, name in turns(rounds, counts, PEER):
            run = await one_run(place / f"{turn}-{calls}-{name}", port, name, calls, seconds)
            told = f"{run.cpu_us:.1f} µs a packet, {run.lost} of {run.sent} lost, p99 {run.p99_ms:.2f} ms"
            print(f"  {name:9} {calls:4} calls  {told}", flush=True)
            runs.append(run)
    return runs


async def one_run(place: Path, application_port: int, name: str, calls: int, seconds: float) -> Run:
    """Set the calls up, talk, and let the server end with them."""
    far = free_port()
    ours = name == OURS
    server = contestants.offhook_dialling(place, application_port, far) if ours else contestants.rtpengine(place)
    async with server as contestant:
        log = place / "phones.log"
        command = [sys.executable, "-m", "benchmarks.relaying", name, str(contestant.port), str(far), str(calls)]
        if await completed([*command, str(seconds), str(contestant.pid)], log, seconds + GRACE_S):
            raise Failed(f"the phones failed, through {name}:\n{tail(log)}")
        figures: dict[str, Any] = json.loads(tail(log, 1))
    if not figures["received"] or figures["p50_ms"] is None:
        raise Failed(f"{name} relays nothing; see {place}")
    return Run(
        server=name,
        calls=calls,
        cpu_us=round(figures["cpu_s"] / figures["received"] * 1e6, 2),
        cpu_percent=round(figures["cpu_s"] / seconds * 100, 1),
        sent=figures["sent"],
        lost=figures["sent"] - figures["received"],
        p50_ms=figures["p50_ms"],
        p99_ms=figures["p99_ms"],
    )


@attrs.frozen
class Summary:
    """Medians of the rounds with so many calls; what was lost in all of them."""

    calls: int
    offhook_us: float
    rtpengine_us: float
    ratio: float
    """Median of the rounds' ratios, offhook by rtpengine."""
    offhook_p50_ms: float
    offhook_p99_ms: float
    rtpengine_p50_ms: float
    rtpengine_p99_ms: float
    sent: int
    """Packets, to each."""
    offhook_lost: int
    rtpengine_lost: int


def summarize(runs: list[Run]) -> list[Summary]:
    """One line for each number of calls."""
    summaries = []
    for calls in dict.fromkeys(run.calls for run in runs):
        ours = [run for run in runs if run.calls == calls and run.server == OURS]
        theirs = [run for run in runs if run.calls == calls and run.server != OURS]
        summaries.append(
            Summary(
                calls=calls,
                offhook_us=round(median(run.cpu_us for run in ours), 2),
                rtpengine_us=round(median(run.cpu_us for run in theirs), 2),
                ratio=round(ratio([run.cpu_us for run in ours], [run.cpu_us for run in theirs]), 2),
                offhook_p50_ms=median(run.p50_ms for run in ours),
                offhook_p99_ms=median(run.p99_ms for run in ours),
                rtpengine_p50_ms=median(run.p50_ms for run in theirs),
                rtpengine_p99_ms=median(run.p99_ms for run in theirs),
                sent=sum(run.sent for run in ours),
                offhook_lost=sum(run.lost for run in ours),
                rtpengine_lost=sum(run.lost for run in theirs),
            )
        )
    return summaries
