"""`FakeUdpSocket`: the UDP socket of a fake host."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import trio

from ..transport.errors import Unreachable
from ..transport.network import Address, Datagram, bare, family_of, is_numeric, is_wildcard, show

if TYPE_CHECKING:
    from .network import FakeHost

MAX_PAYLOAD = 65_507


class FakeUdpSocket:
    """A `UdpSocket` (see there). Its queue holds what is under way to it, each datagram with its due time."""

    __slots__ = (
        "_bytes",
        "_closed",
        "_count",
        "_host",
        "_known",
        "_limit",
        "_local",
        "_max",
        "_queue",
        "_waiters",
        "dropped",
    )

    def __init__(self, host: FakeHost, local: Address, receive_buffer_bytes: int, max_datagram: int) -> None:
        self._host = host
        self._local = local
        self._limit = receive_buffer_bytes
        self._max = max_datagram
        self._queue: list[tuple[float, int, Datagram]] = []
        self._bytes = 0
        self._count = 0
        self._closed = False
        self._known: set[Address] = set()
        self._waiters = trio.lowlevel.ParkingLot()
        self.dropped = 0
        """Datagrams that found the receive buffer full."""

    @property
    def local(self) -> Address:
        return self._local

    def arrive(self, due: float, datagram: Datagram) -> None:
        """Take a datagram that reaches this socket at trio time `due`."""
        if self._bytes + len(datagram.data) > self._limit:
            self.dropped += 1
            return
        self._count += 1
        self._bytes += len(datagram.data)
        heapq.heappush(self._queue, (due, self._count, datagram))
        if self._waiters:
            self._waiters.unpark_all()

    def recv_nowait(self) -> Datagram | None:
        if self._closed:
            raise trio.ClosedResourceError("this UDP socket is closed")
        queue = self._queue
        if not queue or queue[0][0] > trio.current_time():
            return None
        datagram = heapq.heappop(queue)[2]
        self._bytes -= len(datagram.data)
        if len(datagram.data) > self._max:
            return datagram._replace(data=datagram.data[: self._max])
        return datagram

    def send_nowait(self, data: bytes, remote: Address, source: str | None = None) -> bool:
        host, port = bare(remote[0]), remote[1]
        if self._closed:
            raise Unreachable(show(remote), "bad file descriptor")
        if remote not in self._known:
            if not is_numeric(host) or family_of(host) != family_of(self._local[0]) or not 0 < port < 65_536:
                raise Unreachable(show(remote), "not a numeric address of this family with a port")
            self._known.add(remote)
        if len(data) > MAX_PAYLOAD:
            raise Unreachable(show(remote), "message too long")
        ours = self._local[0]
        if is_wildcard(ours):
            ours = source if source is not None and not is_wildcard(source) else self._host.source_for(host)
        self._host.network.carry(self._host, (ours, self._local[1]), (host, port), bytes(data))
        return True

    async def readable(self) -> None:
        await trio.lowlevel.checkpoint()
        while True:
            if self._closed:
                raise trio.ClosedResourceError("this UDP socket is closed")
            if not self._queue:
                await self._waiters.park()
                continue
            due = self._queue[0][0]
            if due <= trio.current_time():
                return
            with trio.move_on_at(due):
                await self._waiters.park()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._host.forget_udp(self._local)
            self._queue.clear()
            self._waiters.unpark_all()
