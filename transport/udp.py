"""SIP over UDP: one task drains one socket; sending is a plain call."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import structlog
import trio

from ..sip.parse import Limits
from .arrivals import read_datagram
from .errors import TransportError
from .flow import Flow, Malformed, Received
from .network import Address, Datagram, Network, UdpSocket, is_wildcard
from .stun import answer_stun, is_stun

log = structlog.get_logger(__name__)

BATCH = 32
"""Datagrams read in a row before other tasks get their turn."""
PAUSE_AFTER_FAULT_S = 0.05
"""When the system cannot give us a datagram (out of memory, say), it gets this long to recover."""

Deliver = Callable[[Received | Malformed], bool]
"""Takes a message without waiting; False when there is no room and it is dropped (the peer will repeat it)."""


@attrs.define(eq=False)
class UdpCounts:
    """What a UDP transport has seen since it started."""

    datagrams: int = 0
    keepalives: int = 0
    """CRLFs or NULs; nobody waits for an answer to them over UDP (RFC 5626 uses STUN there)."""
    stun: int = 0
    """STUN messages; a binding request is answered."""
    malformed: int = 0
    overflowed: int = 0
    """Messages that `deliver` had no room for."""
    faults: int = 0
    """Messages that made our own code fail; each is in the log."""
    sent: int = 0
    unsent: int = 0
    """Datagrams that the kernel had no room for."""


@attrs.define(eq=False)
class UdpTransport:
    """One bound socket that speaks SIP. Whoever makes it closes it."""

    socket: UdpSocket
    network: Network
    limits: Limits = attrs.field(factory=Limits)
    counts: UdpCounts = attrs.field(factory=UdpCounts, init=False)

    @property
    def local(self) -> Address:
        """The bound address; its host may be a wildcard."""
        return self.socket.local

    async def run(self, deliver: Deliver) -> None:
        """Read until the socket is closed or the task cancelled. No datagram and no fault of `deliver` ends it."""
        socket = self.socket
        while True:
            try:
                await socket.readable()
                for _ in range(BATCH):
                    datagram = socket.recv_nowait()
                    if datagram is None:
                        break
                    self._take(datagram, deliver)
            except trio.ClosedResourceError:
                return
            except OSError as error:
                self.counts.faults += 1
                log.error("UDP socket cannot be read", local=self.local, error=str(error))
                await trio.sleep(PAUSE_AFTER_FAULT_S)

    def _take(self, datagram: Datagram, deliver: Deliver) -> None:
        counts = self.counts
        counts.datagrams += 1
        data, remote, local = datagram
        try:
            flow = Flow("UDP", local, remote, port=self)
            if is_stun(data):
                counts.stun += 1
                self._answer_stun(data, flow)
                return
            arrival = read_datagram(data, flow, trio.current_time(), self.limits)
            if arrival is None:
                counts.keepalives += 1
                return
            if isinstance(arrival, Malformed):
                counts.malformed += 1
            if not deliver(arrival):
                counts.overflowed += 1
        except Exception as error:
            counts.faults += 1
            log.error("datagram could not be handled", remote=remote, exc_info=error)

    def _answer_stun(self, data: bytes, flow: Flow) -> None:
        answer = answer_stun(data, flow.remote)
        if answer is not None:
            try:
                self.send(answer, flow)
            except TransportError:
                self.counts.unsent += 1  # no way back to where it claims to come from

    def send(self, data: bytes, flow: Flow) -> bool:
        """Send one datagram from `flow.local` to `flow.remote`; False when it was dropped here. Raises Unreachable."""
        done = self.socket.send_nowait(data, flow.remote, flow.local[0])
        if done:
            self.counts.sent += 1
        else:
            self.counts.unsent += 1
        return done

    def flow_to(self, remote: Address) -> Flow:
        """A flow for requests of our own to a numeric address. Raises Unreachable when no route leads there."""
        host, port = self.local
        if is_wildcard(host):
            host = self.network.source_for(remote[0])
        return Flow("UDP", (host, port), remote, port=self)
