"""SIPp as caller and callee."""

# ruff: noqa: ASYNC240 - a few small files are written before anything is measured; nobody waits meanwhile

from __future__ import annotations

import csv
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from .processes import completed, free_port, running

SCENARIOS = Path(__file__).parent / "scenarios"
GRACE_S = 40.0
"""Beyond the time that the calls themselves take: a caller gives up after its last retransmission, 32 s."""


@attrs.frozen
class Outcome:
    """What SIPp says of its calls."""

    successful: int
    failed: int
    retransmissions: int
    took_s: float
    """From the first call to the last."""
    setup_ms: float
    """INVITE to 200, mean."""

    @property
    def rate(self) -> float:
        """Calls per second that were carried through."""
        return self.successful / self.took_s if self.took_s else 0.0


async def call(
    place: Path,
    port: int,
    *,
    scenario: str,
    rate: float,
    count: int,
    media_port: int = 0,
    stay_s: float = 0.0,
) -> Outcome:
    """Make `count` calls, `rate` a second, to 127.0.0.1:`port`. Bounded in time whatever the server does."""
    place.mkdir(parents=True, exist_ok=True)
    stem = f"caller-{scenario}-{rate:g}-{count}-{free_port()}"
    statistics = place / f"{stem}.csv"
    command = [
        *("sipp", f"127.0.0.1:{port}", "-sf", str(prepared(place, scenario, media_port))),
        *("-i", "127.0.0.1", "-p", str(free_port()), "-nostdin", "-bind_local"),
        *("-r", f"{rate:g}", "-m", str(count), "-l", str(count), "-d", str(round(stay_s * 1000))),
        *("-timeout", f"{count / rate + stay_s + GRACE_S:.0f}s", "-timeout_error"),
        *("-trace_stat", "-stf", str(statistics), "-fd", "1", "-nd", "-default_behaviors", "all,-bye"),
        *("-max_socket", "4096", "-buff_size", "4000000"),
    ]
    await completed(command, place / f"{stem}.log", count / rate + stay_s + GRACE_S + 10)
    return outcome(statistics)


def prepared(place: Path, scenario: str, media_port: int) -> Path:
    """The scenario's file, with the port that its session descriptions name."""
    path = place / f"{scenario}-{media_port}-{os.getpid()}.xml"
    # A port that nobody reads would answer with ICMP errors: without a reader it is the discard port.
    path.write_text((SCENARIOS / f"{scenario}.xml").read_text().replace("[rtp_port]", str(media_port or 9)))
    return path


def outcome(statistics: Path) -> Outcome:
    """The last line of SIPp's statistics; its cumulative columns end in (C)."""
    with statistics.open(newline="") as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    return Outcome(
        successful=int(last["SuccessfulCall(C)"]),
        failed=int(last["FailedCall(C)"]),
        retransmissions=int(last["Retransmissions(C)"]),
        took_s=seconds(last["ElapsedTime(C)"]),
        setup_ms=seconds(last["ResponseTime1(C)"]) * 1000,
    )


def seconds(text: str) -> float:
    """SIPp's `00:00:12:345000` (hours, minutes, seconds, microseconds) or `00:00:12`."""
    parts = [int(part) for part in text.split(":")]
    hours, minutes, whole = parts[:3]
    return hours * 3600 + minutes * 60 + whole + (parts[3] / 1e6 if len(parts) > 3 else 0.0)


@asynccontextmanager
async def callee(place: Path, port: int) -> AsyncIterator[None]:
    """A SIPp that answers calls on 127.0.0.1:`port` and hangs up."""
    command = [
        *("sipp", "-sf", str(prepared(place, "callee", 0)), "-i", "127.0.0.1", "-p", str(port), "-nostdin", "-nd"),
        *("-default_behaviors", "all,-bye", "-buff_size", "4000000", "-bind_local"),
    ]
    async with running(command, place / f"callee-{port}.log"):
        yield
