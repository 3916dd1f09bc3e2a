"""CPU of one call that `<Dial>`s a SIP phone beside one call through sippy's B2BUA, in interleaved rounds.

Both connect a SIPp that calls with a SIPp that rings, answers, and hangs up: two INVITEs and two BYEs a call. offhook
asks the application first, which says `<Dial answerOnBridge="true"><Sip>`, and couples the media of the two legs;
sippy asks nobody, and its media goes past it.
"""

from __future__ import annotations

from pathlib import Path

import trio

from . import contestants
from .beside import OURS, summarize, turns
from .calls import PEER, Run, one_run

RATES = (200, 500)
SECONDS = 10.0
ROUNDS = 3

__all__ = ["measure", "summarize"]


async def measure(place: Path, *, quick: bool = False) -> list[Run]:
    """Every rate, every server, in turns."""
    rates, seconds, rounds = ((200,), 3.0, 1) if quick else (RATES, SECONDS, ROUNDS)
    runs: list[Run] = []
    async with contestants.application(place / "application") as port, trio.open_nursery() as nursery:
        for turn, rate, name in turns(rounds, rates, PEER):
            spot = place / f"{turn}-{rate}-{name}"
            server = contestants.offhook_and_callee(spot, port) if name == OURS else contestants.sippy(spot)
            await nursery.start(one_run, server, spot, name, rate, seconds, runs)
    return runs
