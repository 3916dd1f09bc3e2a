"""The one door to the outside: everything in offhook that opens a socket or asks for a name goes through a `Network`.

`TrioNetwork` (trio_network.py) is the real one; `offhook.testing.network.FakeNetwork` stands in for it in tests, on
virtual time. Nothing here does I/O.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from typing import NamedTuple, Protocol

import attrs
import trio

Address = tuple[str, int]
"""`(host, port)`: host is a numeric IPv4 or IPv6 address without brackets; a link-local one has its `%scope`."""

ANY_FAMILY = int(socket.AF_UNSPEC)
IPV4 = int(socket.AF_INET)
IPV6 = int(socket.AF_INET6)

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
"""Asked of the kernel for a socket that serves many peers: half a second of a busy trunk while we collect garbage."""


def show(address: Address) -> str:
    """`192.0.2.1:5060` or `[2001:db8::1]:5060`."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_wildcard(host: str) -> bool:
    """Whether a bind address means "every address of this family"."""
    return host in ("", "0.0.0.0", "::")


def family_of(host: str) -> int:
    """The address family of a numeric host."""
    return IPV6 if ":" in host else IPV4


@lru_cache(maxsize=4096)
def is_numeric(host: str) -> bool:
    """Whether `host` is an IP address (brackets and `%scope` allowed) and so needs no lookup."""
    try:
        ipaddress.ip_address(bare(host))
    except ValueError:
        return False
    return True


def bare(host: str) -> str:
    """An IPv6 host without the brackets it wears in URIs and Via headers."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


class Datagram(NamedTuple):
    """One received UDP datagram."""

    data: bytes
    remote: Address
    local: Address
    """The address of ours that it was sent to, also when the socket is bound to a wildcard."""


class UdpSocket(Protocol):
    """A bound UDP socket: plain calls that never wait, and one that waits for the next datagram.

    A reader drains it: `await readable()`, then `recv_nowait()` until None (at most 32 times, so that others run).
    """

    @property
    def local(self) -> Address:
        """The bound address with its real port; the host is the wildcard when bound to one."""
        ...

    def recv_nowait(self) -> Datagram | None:
        """The next datagram, or None when there is none now."""
        ...

    def send_nowait(self, data: bytes, remote: Address, source: str | None = None) -> bool:
        """Send one datagram at once; False when the kernel has no room for it (it is lost, as on any wire).

        `source` chooses the local host to send from on a wildcard socket; a peer hears us only from the address it
        spoke to. Raises Unreachable when there is no way to `remote`, e.g. no route or a datagram that is too big.
        """
        ...

    async def readable(self) -> None:
        """Wait until `recv_nowait` has something. Raises trio.ClosedResourceError when closed meanwhile."""
        ...

    def close(self) -> None:
        """Close; safe to call twice."""
        ...


class Stream(trio.abc.HalfCloseableStream):
    """A byte stream that knows both its ends. Wrap it in `trio.SSLStream` for TLS.

    As with every trio stream: BrokenResourceError when the peer has gone, ClosedResourceError when we have.
    """

    local: Address
    remote: Address

    def send_nowait(self, data: bytes | bytearray | memoryview) -> int:
        """Write what goes without waiting, while no `send_all` is under way; how many bytes that was.

        0 says only that `send_all` is to be used. Raises as `send_all` does.
        """
        return 0


class Listener(trio.abc.Listener[Stream]):
    """Accepts streams; `accept` raises OSError when the process is out of descriptors (wait a little, then go on)."""

    local: Address
    """The bound address with its real port."""


@attrs.frozen
class SrvRecord:
    """One SRV record (RFC 2782); lists of them come in the order to try."""

    host: str
    """Without the trailing dot; empty when the record says "this service is not offered" (target ".")."""
    port: int
    priority: int = 0
    weight: int = 0


@attrs.frozen
class NaptrRecord:
    """One NAPTR record (RFC 3403); lists of them come in the order to try."""

    service: str
    """Upper case, e.g. `SIP+D2U`."""
    replacement: str
    """The name to ask next, without the trailing dot."""
    flags: str = "S"
    """Upper case; `S`: the replacement is to be asked for SRV."""
    order: int = 0
    preference: int = 0


class Network(Protocol):
    """Opens sockets and finds addresses. Time limits are the caller's: wrap a call in `trio.fail_after`."""

    async def udp(
        self, address: Address, *, receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES, max_datagram: int = 65_535
    ) -> UdpSocket:
        """Bind a UDP socket; port 0 takes a free one. Raises AddressInUse or AddressUnavailable.

        Longer datagrams than `max_datagram` bytes are cut off there. `::` means IPv6 only, so `0.0.0.0` and `::` may
        be bound side by side.
        """
        ...

    async def listen_tcp(self, address: Address) -> Listener:
        """Listen for TCP; port 0 takes a free one. Raises AddressInUse or AddressUnavailable."""
        ...

    async def connect_tcp(self, address: Address, local: str | None = None) -> Stream:
        """Connect to one numeric address, from host `local` when given. Raises Unreachable or ConnectRefused."""
        ...

    async def lookup(self, host: str, port: int = 0, *, family: int = ANY_FAMILY) -> list[Address]:
        """The addresses (A and AAAA, and what /etc/hosts says) of a name, in the order to try, each with `port`.

        A numeric host gives itself. Raises NameNotFound or NameLookupFailed; the list is never empty.
        """
        ...

    async def srv(self, name: str) -> list[SrvRecord]:
        """SRV records in the order to try (weights drawn); empty when there are none. Raises NameLookupFailed."""
        ...

    async def naptr(self, name: str) -> list[NaptrRecord]:
        """NAPTR records in the order to try; empty when there are none. Raises NameLookupFailed."""
        ...

    def source_for(self, remote: str) -> str:
        """The host of ours that packets to the numeric host `remote` leave from. Raises Unreachable without a route."""
        ...
