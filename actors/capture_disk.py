"""Writes captures, behind the calls: what has gathered for a moment goes to the files in one go, on a worker thread.

Making packets of it, and hiding secrets, is the thread's work too. A disk that does not take it costs captures and
nothing else: what could not be written is dropped and counted, the log says so once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import attrs
import structlog
import trio

from ..sip.hidden import as_clear, hide
from ..store.captures import CaptureFiles
from ..store.packets import Packet
from ..store.pcapng import packet as packet_block
from ..store.pcapng import statistics
from .actor import Actor
from .captures import CaptureRules, Captures, Track
from .mailbox import Mailbox
from .speaker import Offload

GATHER_S: Final = 1.0
"""From the first packet to the file: what a killed process loses."""
LINGER_S: Final = 40.0
"""After the end of a call: its last transactions take 32 s."""
TIDY_S: Final = 600.0
"""How often old captures are looked for."""
LAST_WRITES_S: Final = 5.0
"""What the disk gets when the server stops."""

log = structlog.get_logger(__name__)


@attrs.frozen
class Filled:
    """To itself: something is to be written."""


@attrs.define(eq=False)
class Schedule:
    """What outlives a restart of the task; in trio seconds."""

    write_at: float = math.inf
    sweep_at: float = math.inf
    """When calls that have ended are looked for next."""
    tidy_at: float = -math.inf
    failing: bool = False
    """Whether the last writing failed."""


@attrs.define(eq=False)
class CaptureDisk(Actor[Filled]):
    captures: Captures
    files: CaptureFiles
    live: Callable[[str], bool]
    """Whether a call of that SID is going on."""
    offload: Offload
    schedule: Schedule = attrs.field(factory=Schedule)

    async def started(self) -> None:
        if self.captures.filled:  # what a crash left
            self._gather()

    async def handle(self, message: Filled) -> None:
        self._gather()

    def _gather(self) -> None:
        schedule, now = self.schedule, trio.current_time()
        schedule.write_at = min(schedule.write_at, now + GATHER_S)
        schedule.sweep_at = min(schedule.sweep_at, now + LINGER_S)

    def wake_at(self) -> float:
        schedule = self.schedule
        return min(schedule.write_at, schedule.sweep_at, schedule.tidy_at)

    async def wake(self, now: float) -> None:
        schedule = self.schedule
        if now >= schedule.write_at:
            schedule.write_at = math.inf
            await self.flush()
        if now >= schedule.sweep_at:
            self._sweep(now)
            schedule.sweep_at = now + LINGER_S if self.captures.tracks else math.inf
        if now >= schedule.tidy_at or self.files.total_bytes > self.captures.rules.total_bytes:
            schedule.tidy_at = now + TIDY_S
            await self._tidy()

    async def flush(self) -> None:
        """Write everything that has gathered."""
        jobs = self.captures.take()
        if not jobs:
            return
        outcomes: list[OSError | None] = []
        await self.offload(partial(_write_all, self.files, jobs, self.captures.rules, outcomes))
        failed = None
        for (track, packets), error in zip(jobs, outcomes, strict=True):
            if error is not None:
                failed = error
                self.captures.lose(track, len(packets))
        self._say(failed)

    def _say(self, failed: OSError | None) -> None:
        if failed is not None and not self.schedule.failing:
            log.error("captures cannot be written and are dropped; calls go on", error=str(failed))
        elif failed is None and self.schedule.failing:
            log.info("captures are written again", dropped=self.captures.dropped)
        self.schedule.failing = failed is not None

    def _sweep(self, now: float) -> None:
        """Calls that ended a while ago need no place in memory."""
        for track in list(self.captures.tracks.values()):
            if self.live(track.sid):
                continue
            track.ended_at = min(track.ended_at, now)
            if now - track.ended_at >= LINGER_S and not track.pending:
                self.captures.forget(track)

    async def _tidy(self) -> None:
        rules = self.captures.rules
        before = self.captures.now_utc().timestamp() - rules.days * 86_400
        try:
            # A little less than may be, or the next call would already be too much.
            most = rules.total_bytes if self.files.total_bytes <= rules.total_bytes else rules.total_bytes * 9 // 10
            await self.offload(partial(self.files.tidy, before, most))
        except OSError as error:
            log.error("old captures cannot be removed", error=str(error))

    async def close(self) -> None:
        """The last writes, when everything else has ended."""
        with trio.move_on_after(LAST_WRITES_S, shield=True) as patience:
            await self.flush()
        if patience.cancelled_caught:
            log.error("the disk did not take the last captures in time", within_s=LAST_WRITES_S)


def _write_all(
    files: CaptureFiles,
    jobs: list[tuple[Track, list[Packet]]],
    rules: CaptureRules,
    outcomes: list[OSError | None],
) -> None:
    """On a worker thread; one outcome for each job."""
    for track, packets in jobs:
        dropped = track.dropped
        made = [*rendered(track, packets, rules)]
        if dropped != track.told:
            made.append(statistics(packets[-1].at_ns, dropped))
        try:
            files.append(track.sid, track.parent, b"".join(made))
        except OSError as error:
            outcomes.append(error)
        else:
            track.told = dropped
            outcomes.append(None)


def rendered(track: Track, packets: list[Packet], rules: CaptureRules) -> Iterator[bytes]:
    """The blocks of these packets."""
    for each in packets:
        source, target = (each.local, each.remote) if each.sent else (each.remote, each.local)
        data = each.data if each.media else shown(each.data, rules)
        comment = "" if each.media else f"{track.sid} {'sent' if each.sent else 'received'} over {each.kind}"
        for wrapped in track.wrapper.wrap(source, target, data):
            yield packet_block(each.at_ns, wrapped, outbound=each.sent, comment=comment)


def shown(message: bytes, rules: CaptureRules) -> bytes:
    """A SIP message as a capture has it."""
    if rules.rtp:
        message = as_clear(message)
    return message if rules.secrets else hide(message)


def capture_mailbox() -> Mailbox[Filled]:
    return Mailbox("captures", 1)
