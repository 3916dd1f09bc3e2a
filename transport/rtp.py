"""RTP and RTCP port pairs out of a range, and which of many media sockets have something to read."""

from __future__ import annotations

import secrets
import select
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
import trio

from .errors import AddressInUse, TransportError
from .network import Network, UdpSocket

MAX_RTP_DATAGRAM = 2048
"""More than any packet of a telephone codec; what is longer is cut and then refused by the parser."""
RECEIVE_BUFFER_BYTES = 256 * 1024
"""For one leg: some seconds of packets, should the process be stopped for a moment."""
COOLING_S = 10.0
"""How long a freed pair is left alone, so that late packets of its old call do not reach a new one."""

T = TypeVar("T")


class NoFreePorts(TransportError):
    """Every port pair of the range is in use."""

    def __init__(self, host: str, ports: PortRange) -> None:
        super().__init__(f"no free RTP ports on {host} in {ports}")
        self.host, self.ports = host, ports


@attrs.frozen
class PortRange:
    """An inclusive range of UDP ports; RTP takes the even ones and RTCP the odd ones above (RFC 3550 section 11)."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> PortRange:
        """Read `20000-29999`. Raises ValueError, with what would be right."""
        first, dash, last = (part.strip() for part in text.partition("-"))
        if not (dash and _is_port(first) and _is_port(last)):
            raise ValueError(f"{text!r} is no port range such as 20000-29999")
        ports = cls(int(first), int(last))
        if not ports.pairs:
            raise ValueError(f"{text!r} holds no even port with an odd one above it")
        return ports

    @property
    def pairs(self) -> int:
        """How many pairs it holds."""
        return max(0, (self.last - self._first_even + 1) // 2)

    @property
    def _first_even(self) -> int:
        return self.first + self.first % 2

    def even_ports(self) -> list[int]:
        return list(range(self._first_even, self._first_even + 2 * self.pairs, 2))

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65_535


@attrs.define(eq=False)
class PortPair:
    """One leg's two sockets, on adjacent ports of one address."""

    rtp: UdpSocket
    rtcp: UdpSocket
    _release: Callable[[int], None]
    _open: bool = True

    def close(self) -> None:
        """Close both and give the ports back; safe to call twice."""
        if self._open:
            self._open = False
            port = self.rtp.local[1]
            self.rtp.close()
            self.rtcp.close()
            self._release(port)


@attrs.define(eq=False)
class _Ports:
    """The pairs of one local host that are not in use."""

    free: list[int]
    cooling: deque[tuple[float, int]] = attrs.field(factory=deque)

    def take(self, choose: Callable[[int], int], now: float) -> int | None:
        while self.cooling and self.cooling[0][0] <= now:
            self.free.append(self.cooling.popleft()[1])
        if self.free:
            at = choose(len(self.free))
            self.free[at], self.free[-1] = self.free[-1], self.free[at]
            return self.free.pop()
        # Better a pair that is still warm than a call without media.
        return self.cooling.popleft()[1] if self.cooling else None


@attrs.define(eq=False)
class RtpPorts:
    """Hands out port pairs at random: a port that can be guessed is the first step to injected media."""

    network: Network
    ports: PortRange
    choose: Callable[[int], int] = secrets.randbelow
    """A number from 0 up to, not including, its argument; counting in tests."""
    _by_host: dict[str, _Ports] = attrs.field(factory=dict, init=False)

    async def open(self, host: str) -> PortPair:
        """Bind a pair on `host` (an IPv4 or IPv6 literal, also a wildcard).

        Raises NoFreePorts, and AddressUnavailable when `host` is not an address of this machine.
        """
        book = self._by_host.get(host)
        if book is None:
            book = self._by_host[host] = _Ports(self.ports.even_ports())
        taken_by_others: list[int] = []
        try:
            while True:
                port = book.take(self.choose, trio.current_time())
                if port is None:
                    raise NoFreePorts(host, self.ports)
                try:
                    rtp, rtcp = await self._bind_pair(host, port)
                except AddressInUse:
                    taken_by_others.append(port)
                except BaseException:
                    book.free.append(port)
                    raise
                else:
                    return PortPair(rtp, rtcp, lambda freed: self._freed(host, freed))
        finally:
            # They may be free again the next time somebody asks.
            book.free += taken_by_others

    async def _bind_pair(self, host: str, port: int) -> tuple[UdpSocket, UdpSocket]:
        rtp = await self._bind(host, port)
        try:
            rtcp = await self._bind(host, port + 1)
        except BaseException:
            rtp.close()
            raise
        return rtp, rtcp

    async def _bind(self, host: str, port: int) -> UdpSocket:
        return await self.network.udp(
            (host, port), receive_buffer_bytes=RECEIVE_BUFFER_BYTES, max_datagram=MAX_RTP_DATAGRAM
        )

    def _freed(self, host: str, port: int) -> None:
        self._by_host[host].cooling.append((trio.current_time() + COOLING_S, port))


@attrs.define(eq=False)
class Readiness(Generic[T]):
    """Watches many sockets at the price of one: all descriptors sit in one epoll, which is itself waited for.

    A socket without a descriptor counts as ready whenever `ready` is asked.
    """

    _epoll: select.epoll = attrs.field(factory=select.epoll, init=False)
    _owners: dict[int, T] = attrs.field(factory=dict, init=False)
    _unwatched: dict[UdpSocket, T] = attrs.field(factory=dict, init=False)

    def add(self, socket: UdpSocket, owner: T) -> None:
        """Watch `socket`; `ready` then gives `owner` for it."""
        descriptor = _descriptor(socket)
        if descriptor is not None:
            self._epoll.register(descriptor, select.EPOLLIN)
            self._owners[descriptor] = owner
        else:
            self._unwatched[socket] = owner

    def remove(self, socket: UdpSocket) -> None:
        """Watch it no longer; to be called before it is closed."""
        descriptor = _descriptor(socket)
        if descriptor is None:
            self._unwatched.pop(socket, None)
        elif self._owners.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def ready(self) -> list[T]:
        """The owners whose sockets may have something now; never waits."""
        owners = self._owners
        found = [owners[descriptor] for descriptor, _ in self._epoll.poll(0, max(1, len(owners)))] if owners else []
        found += self._unwatched.values()
        return found

    async def wait(self) -> None:
        """Wait until a watched socket has something; for ever when none is watched."""
        if self._owners:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
        else:
            await trio.sleep_forever()

    def close(self) -> None:
        if not self._epoll.closed:
            self._epoll.close()


def _descriptor(socket: UdpSocket) -> int | None:
    """What the kernel can watch; None for a socket of the fake network, which is looked at instead."""
    fileno: Callable[[], int] | None = getattr(socket, "fileno", None)
    return None if fileno is None else fileno()
