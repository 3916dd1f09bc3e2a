"""One leg on the beat plane: its two sockets, its session, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import attrs
import structlog
import trio

from ...media.events import MediaEvent, MediaOrder, QualityMeasured, Record, RecordingDone
from ...media.plane import LegListener, LegSpec
from ...media.session import MediaSession
from ...media.sinks import Recording
from ...transport.errors import Unreachable
from ...transport.network import UdpSocket
from ...transport.rtp import PortPair
from .disk import RecordingDisk

DRAIN: Final = 32
"""Datagrams read from one socket at a time, so that a flood on one leg cannot hold up the others."""

log = structlog.get_logger(__name__)


class Home(Protocol):
    """What a leg needs of its plane."""

    @property
    def disk(self) -> RecordingDisk: ...

    def remove(self, leg: BeatLeg) -> None:
        """Take the leg off the beat, uncouple it and free its ports."""
        ...


@attrs.define(eq=False)
class Inlet:
    """One socket of one leg."""

    leg: BeatLeg
    socket: UdpSocket
    receive: Callable[[bytes, tuple[str, int], float], None]

    def drain(self, now: float) -> None:
        for _ in range(DRAIN):
            datagram = self.socket.recv_nowait()
            if datagram is None:
                return
            self.receive(datagram.data, datagram.remote, now)


@attrs.define(eq=False)
class BeatLeg:
    """One leg on the beat (a `PlaneLeg`): its sockets, its session, and whom it tells."""

    plane: Home
    spec: LegSpec
    listener: LegListener
    ports: PortPair
    session: MediaSession
    send_failures: int = 0
    """Packets that could not be sent at all: no route, no room."""
    closed: bool = False
    hearer: BeatLeg | None = None
    """The coupled leg whose far end hears this one's: what passes straight through goes out from its port."""
    _recordings: int = 0
    """Files that are not closed yet."""
    _last: QualityMeasured | None = None
    _done: trio.Event = attrs.field(factory=trio.Event, init=False)
    _inlets: tuple[Inlet, ...] = attrs.field(default=(), init=False)

    def __attrs_post_init__(self) -> None:
        self._inlets = (
            Inlet(self, self.ports.rtp, self._receive),
            Inlet(self, self.ports.rtcp, self.session.receive_report),
        )

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def rtp_address(self) -> tuple[str, int]:
        return self.ports.rtp.local

    @property
    def rtcp_address(self) -> tuple[str, int]:
        return self.ports.rtcp.local

    @property
    def inlets(self) -> tuple[Inlet, ...]:
        return self._inlets

    def apply(self, order: MediaOrder) -> None:
        if self.closed:
            return
        if isinstance(order, Record):
            recording = Recording(order.id, order.path, channels=order.track.channels)
            self._recordings += 1
            self.plane.disk.start(recording, self._recording_done, order.trim)
            self.session.record(recording, order.track)
        else:
            self.session.apply(order, trio.current_time())

    def let_hear(self, hearer: BeatLeg | None) -> None:
        """One direction of a coupling: `hearer`'s far end hears this leg's from now on, or nobody does."""
        self.hearer = hearer
        self.session.let_hear(None if hearer is None else hearer.session)

    def _receive(self, data: bytes, source: tuple[str, int], now: float) -> None:
        passed = self.session.receive(data, source, now)
        if passed and self.hearer is not None:
            for packet, remote in passed:
                self.hearer._send(self.hearer.ports.rtp, packet, remote)

    def tick(self, now: float) -> None:
        """One beat: send what is due, tell what has happened."""
        for data, remote in self.session.tick(now):
            self._send(self.ports.rtp, data, remote)
        if self.session.reports_due:
            self._send_reports()
        if self.session.events:
            self.listener.media_events(self.session.take_events())

    def close(self) -> None:
        if self.closed:
            return
        self.session.close(trio.current_time())
        self._send_reports()
        self.plane.remove(self)
        events: list[MediaEvent] = []
        for event in self.session.take_events():
            if isinstance(event, QualityMeasured):
                self._last = event  # told when the recordings are closed
            else:
                events.append(event)
        self._tell_after_close(events)
        self._settle()

    async def wait_closed(self) -> None:
        if not self._done.is_set():  # mostly it is: without a recording nothing is waited for
            await self._done.wait()

    def broke(self, error: Exception) -> None:
        """The plane has caught `error` from this leg: out with it, and nobody else."""
        self.plane.remove(self)
        self.session.end_recordings()
        try:
            self.listener.media_failed(error)
        except Exception as failure:
            log.error("a leg's owner could not be told of its failure", leg=self.name, error=repr(failure))
        self._settle()

    def shut(self) -> None:
        """Mark closed and free the ports; the plane's part of `close` and `broke`."""
        self.closed = True
        self._inlets = ()
        self.ports.close()

    def _send(self, socket: UdpSocket, data: bytes, remote: tuple[str, int]) -> None:
        try:
            sent = socket.send_nowait(data, remote)
        except Unreachable as error:
            # A peer may name an address that no route leads to: its fault and not ours, and it may name another later.
            sent = False
            if not self.send_failures:
                log.warning("media cannot be sent", leg=self.name, error=str(error))
        if not sent:
            self.send_failures += 1

    def _send_reports(self) -> None:
        for data, remote in self.session.take_reports():
            self._send(self.ports.rtcp, data, remote)

    def _recording_done(self, done: RecordingDone) -> None:
        self._recordings -= 1
        if self.closed:
            self._tell_after_close([done])
            self._settle()
        else:
            try:
                self.listener.media_events([done])
            except Exception as error:
                self.broke(error)

    def _tell_after_close(self, events: Sequence[MediaEvent]) -> None:
        if not events:
            return
        try:
            self.listener.media_events(events)
        except Exception as error:
            # The owner has usually gone before its leg: the facts have nobody left to go to.
            log.debug("nobody hears of a closed leg", leg=self.name, error=repr(error))

    def _settle(self) -> None:
        """After the last recording, the figures: the last word of a leg."""
        if self._recordings or self._done.is_set():
            return
        if self._last is not None:
            self._tell_after_close([self._last])
        self._done.set()
