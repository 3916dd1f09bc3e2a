"""The beat plane: one task, one 20 ms beat for every media leg, plain non-blocking sockets.

A task for each leg costs a scheduler round a packet; a loop that calls a plain `tick` of each leg does not
(docs/architecture.md, "The beat"). The beat paces itself by absolute time: beat n is due at start + n · 20 ms, so
nothing drifts. After a late wake-up it catches up by at most `BURST` packets a leg at a time, and what lies further
back than `LONGEST_LAG` beats is given up: timestamps jump over it, sequence numbers do not.

A leg that raises, in its tick, on a packet or because its owner takes no more events, is taken out alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import attrs
import structlog
import trio

from ...media.frames import FRAME_S
from ...media.plane import LegListener, LegSpec, MediaIds, PlaneLeg
from ...media.session import MediaSession
from ...media.watching import Watching
from ...transport.rtp import Readiness, RtpPorts
from ..actor import Actor
from ..messages.lifecycle import Stop
from .beat_leg import BeatLeg, Inlet
from .disk import RecordingDisk

BURST: Final = 3
"""Packets that a leg sends at once at most, when the beat is late."""
CATCH_UP_GAP_S: Final = FRAME_S / 2
"""Between two such bursts."""
LONGEST_LAG: Final = 50
"""Beats (1 s) that are made up for; a machine that slept longer skips the rest."""
READ_GAP_S: Final = 0.004
"""Packets that arrive within that time are read in one go: precise enough for jitter, and at most five reads a beat."""

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class BeatPlane:
    """The plane: opens legs, couples them, and beats while `run` runs (a `MediaPlane`).

    `run` may be started again after a crash: the legs are still there and go on.
    """

    ports: RtpPorts
    ids: MediaIds
    unix_time: Callable[[], float]
    """Wall-clock seconds since 1970, for the NTP timestamps of RTCP."""
    disk: RecordingDisk = attrs.field(factory=RecordingDisk)
    beats_skipped: int = 0
    """Beats given up because the process was stopped for too long."""
    _legs: dict[BeatLeg, None] = attrs.field(factory=dict, init=False)
    _coupled: dict[BeatLeg, BeatLeg] = attrs.field(factory=dict, init=False)
    _readiness: Readiness[Inlet] = attrs.field(factory=Readiness, init=False)
    _opened: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when a leg is opened: wakes the beat that sleeps without any."""

    async def open(self, spec: LegSpec, listener: LegListener) -> BeatLeg:
        ports = await self.ports.open(spec.bind_host)
        now = trio.current_time()
        session = MediaSession(
            ids=self.ids,
            silent_after_s=math.inf if spec.silent_after_s is None else spec.silent_after_s,
            unix_offset_s=self.unix_time() - now,
            watching=None if spec.watch is None else Watching(spec.watch, ports.rtp.local, ports.rtcp.local),
        )
        leg = BeatLeg(self, spec, listener, ports, session)
        self._legs[leg] = None
        self._opened.set()
        for inlet in leg.inlets:
            self._readiness.add(inlet.socket, inlet)
        return leg

    def couple(self, one: PlaneLeg, other: PlaneLeg, *, one_way: bool = False) -> None:
        first, second = self._own(one), self._own(other)
        if first.closed or second.closed:
            return
        if self._coupled.get(first) is not second:
            self.uncouple(first)
            self.uncouple(second)
        self._coupled[first], self._coupled[second] = second, first
        second.let_hear(first)
        if first is not second:
            first.let_hear(None if one_way else second)

    def uncouple(self, leg: PlaneLeg) -> None:
        one = self._own(leg)
        other = self._coupled.pop(one, None)
        if other is None:
            return
        self._coupled.pop(other, None)
        one.let_hear(None)
        other.let_hear(None)

    def remove(self, leg: BeatLeg) -> None:
        """Take a leg out: for the leg itself, when it closes or breaks."""
        self.uncouple(leg)
        if self._legs.pop(leg, self) is None:
            for inlet in leg.inlets:
                self._readiness.remove(inlet.socket)
        leg.shut()

    def _own(self, leg: PlaneLeg) -> BeatLeg:
        if not isinstance(leg, BeatLeg) or leg.plane is not self:
            raise ValueError(f"{leg.name} is no leg of this plane")
        return leg

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.disk.run, name="recordings to disk")
            await self._beat()

    async def _beat(self) -> None:
        while True:
            while not self._legs:
                self._opened = trio.Event()
                await self._opened.wait()
            await self._beat_while_needed()

    async def _beat_while_needed(self) -> None:
        """Beat until the last leg is gone: a server without calls sleeps."""
        start = trio.current_time()
        done = 0
        while self._legs:
            await self._read_until(start + (done + 1) * FRAME_S)
            now = trio.current_time()
            # A clock that is woken exactly at its time may read a hair less.
            due = math.floor((now - start) / FRAME_S + 1e-6) - done
            if due > LONGEST_LAG:
                self._skip(due - LONGEST_LAG)
                done += due - LONGEST_LAG
                due = LONGEST_LAG
            self._drain(now)
            ticks = min(due, BURST)
            for _ in range(ticks):
                self._tick(now)
            done += ticks
            if due > ticks:
                await self._read_until(now + CATCH_UP_GAP_S)

    async def _read_until(self, due: float) -> None:
        """Read what arrives until the next beat; returns at `due`, and lets other tasks run in any case."""
        while trio.current_time() < due:
            with trio.move_on_at(due) as scope:
                await self._readiness.wait()
            if scope.cancelled_caught:
                return
            now = trio.current_time()
            self._drain(now)
            await trio.sleep_until(min(due, now + READ_GAP_S))
        await trio.lowlevel.checkpoint()

    def _drain(self, now: float) -> None:
        for inlet in self._readiness.ready():
            if inlet.leg.closed:
                continue
            try:
                inlet.drain(now)
            except Exception as error:
                self._broke(inlet.leg, error)

    def _tick(self, now: float) -> None:
        # A copy, as a leg may be closed by what its events set off.
        for leg in list(self._legs):
            if leg.closed:
                continue
            try:
                leg.tick(now)
            except Exception as error:
                self._broke(leg, error)

    def _skip(self, beats: int) -> None:
        self.beats_skipped += beats
        log.warning("the beat was stopped for too long", skipped_ms=round(beats * FRAME_S * 1000))
        for leg in list(self._legs):
            leg.session.skip(beats)

    def _broke(self, leg: BeatLeg, error: Exception) -> None:
        # No traceback here: to render one takes long, and the leg's actor fails with this error and shows it.
        log.error("a media leg failed", leg=leg.name, error=repr(error))
        leg.broke(error)


@attrs.define(eq=False)
class PlaneActor(Actor[Stop]):
    """Runs a beat plane under a guard (policy RESTART): a crash of the beat itself leaves the legs in place."""

    plane: BeatPlane
    _stopped: bool = False

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.plane.run, name="beat")
            await super().run()
            nursery.cancel_scope.cancel()

    async def handle(self, message: Stop) -> None:
        self._stopped = True

    def finished(self) -> bool:
        return self._stopped
