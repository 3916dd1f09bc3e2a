"""`TrioNetwork`: the real network. Streams and names through trio, datagrams by plain non-blocking calls.

Which local address a datagram came to: a socket bound to one address knows it. A socket bound to a wildcard asks the
kernel (IP_PKTINFO, IPV6_RECVPKTINFO) and pins the source of what it sends in the same way. One socket per address was
the other way; it misses addresses that come up later, and needs a rescan of the interfaces to follow them.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import struct
from collections.abc import Sequence

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.rdtypes.IN.NAPTR
import dns.rdtypes.IN.SRV
import dns.resolver
import trio

from .errors import (
    AddressInUse,
    AddressUnavailable,
    ConnectRefused,
    NameLookupFailed,
    NameNotFound,
    Unreachable,
)
from .network import (
    ANY_FAMILY,
    IPV6,
    RECEIVE_BUFFER_BYTES,
    Address,
    Datagram,
    Listener,
    NaptrRecord,
    SrvRecord,
    Stream,
    bare,
    family_of,
    is_numeric,
    is_wildcard,
    show,
)

BACKLOG = 1024
LOOKUP_THREADS = 32
"""Of our own, so that a dead name server cannot starve the workers of the store."""
DNS_LIFETIME_S = 4.0
"""For one SRV or NAPTR question, all name servers and repeats together."""
KNOWN_TARGETS = 4096

# <linux/in.h>; the socket module names it only from Python 3.14 on. SO_RCVBUFFORCE is in no version.
IP_PKTINFO = 8
SO_RCVBUFFORCE = 33
IN_PKTINFO = struct.Struct("=i4s4s")  # ifindex, spec_dst (ours), addr (of the header)
IN6_PKTINFO = struct.Struct("=16si")  # addr, ifindex

SockAddr = tuple[str, int] | tuple[str, int, int, int]
"""What the socket module takes for an address of either family."""


class TrioUdpSocket:
    """A `UdpSocket` on a plain socket; trio only waits for it (its own calls cost 3.5 times as much a packet)."""

    def __init__(self, sock: socket.socket, max_datagram: int) -> None:
        self._socket = sock
        self._v6 = sock.family == socket.AF_INET6
        self._max = max_datagram
        name = sock.getsockname()
        self._local: Address = (name[0], name[1])
        self._wildcard = is_wildcard(name[0])
        self._closed = False
        self._targets: dict[Address, SockAddr] = {}
        self._ours: dict[bytes, Address] = {}

    @property
    def local(self) -> Address:
        return self._local

    def fileno(self) -> int:
        """The descriptor, for who watches many sockets at once; -1 when closed."""
        return self._socket.fileno()

    def recv_nowait(self) -> Datagram | None:
        try:
            if self._wildcard:
                data, control, _, source = self._socket.recvmsg(self._max, 64)
                local = self._destination(control)
            else:
                data, source = self._socket.recvfrom(self._max)
                local = self._local
        except BlockingIOError:
            return None
        except OSError:
            if self._closed:
                raise trio.ClosedResourceError("this UDP socket is closed") from None
            raise
        remote: Address = source if not self._v6 else _from_v6(source)
        return Datagram(data, remote, local)

    def send_nowait(self, data: bytes, remote: Address, source: str | None = None) -> bool:
        target = self._targets.get(remote) or self._learn(remote)
        try:
            if source is not None and self._wildcard and not is_wildcard(source):
                self._socket.sendmsg([data], [self._pin(source)], 0, target)
            else:
                self._socket.sendto(data, target)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                return False
            raise Unreachable(show(remote), _words(error)) from error
        return True

    async def readable(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this UDP socket is closed")
        await trio.lowlevel.wait_readable(self._socket)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            # Outside of a trio run (a test's clean-up) nobody can be waiting.
            if trio.lowlevel.in_trio_run():
                trio.lowlevel.notify_closing(self._socket)
            self._socket.close()

    def _learn(self, remote: Address) -> SockAddr:
        """Check a target once. A name must never reach `sendto`: the C library would look it up while all wait."""
        host, port = remote
        if not 0 < port < 65_536:
            raise Unreachable(show(remote), "no such port")
        if not is_numeric(host) or (":" in host) != self._v6:
            raise Unreachable(show(remote), f"not a numeric {'IPv6' if self._v6 else 'IPv4'} address")
        target = _sockaddr(host, port)
        if len(self._targets) >= KNOWN_TARGETS:
            self._targets.clear()
        self._targets[remote] = target
        return target

    def _destination(self, control: list[tuple[int, int, bytes]]) -> Address:
        wanted = socket.IPV6_PKTINFO if self._v6 else IP_PKTINFO
        for _, kind, packed in control:
            if kind == wanted:
                known = self._ours.get(packed)
                return known if known is not None else self._learn_own(packed)
        return self._local

    def _learn_own(self, packed: bytes) -> Address:
        if self._v6:
            address, index = IN6_PKTINFO.unpack_from(packed)
            host = socket.inet_ntop(socket.AF_INET6, address)
            if address[:2] == b"\xfe\x80":
                host = f"{host}%{index}"
        else:
            _, ours, _ = IN_PKTINFO.unpack_from(packed)
            host = socket.inet_ntop(socket.AF_INET, ours)
        if len(self._ours) >= KNOWN_TARGETS:
            self._ours.clear()
        self._ours[packed] = (host, self._local[1])
        return self._ours[packed]

    def _pin(self, source: str) -> tuple[int, int, bytes]:
        host, _, scope = source.partition("%")
        if self._v6:
            index = _scope_id(scope, (source, 0))
            packed = IN6_PKTINFO.pack(socket.inet_pton(socket.AF_INET6, host), index)
            return (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packed)
        packed = IN_PKTINFO.pack(0, socket.inet_pton(socket.AF_INET, host), bytes(4))
        return (socket.IPPROTO_IP, IP_PKTINFO, packed)


class TcpStream(Stream):
    """A `Stream` on a trio socket."""

    def __init__(self, stream: trio.SocketStream, local: Address, remote: Address) -> None:
        self._stream = stream
        self.local, self.remote = local, remote

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    def send_nowait(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return os.write(self._stream.socket.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno == errno.EBADF:
                raise trio.ClosedResourceError("this stream was closed") from None
            raise trio.BrokenResourceError(f"the connection broke: {error}") from error

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


class TcpListener(Listener):
    """A `Listener` on a trio socket."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self._listener = trio.SocketListener(sock)
        self.local = _address(sock.getsockname())

    async def accept(self) -> Stream:
        while True:
            stream = await self._listener.accept()
            try:
                remote = _address(stream.socket.getpeername())
            except OSError:  # reset between the handshake and now
                stream.socket.close()
                continue
            return TcpStream(stream, _address(stream.socket.getsockname()), remote)

    async def aclose(self) -> None:
        await self._listener.aclose()


class TrioNetwork:
    """The machine's network (see `Network`).

    `nameservers` are asked for SRV and NAPTR instead of those in /etc/resolv.conf. Addresses of names come from the
    C library, as it knows /etc/hosts and the search order of the machine.
    """

    def __init__(self, nameservers: Sequence[Address] = ()) -> None:
        self._nameservers = nameservers
        self._threads = trio.CapacityLimiter(LOOKUP_THREADS)
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def udp(
        self, address: Address, *, receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES, max_datagram: int = 65_535
    ) -> TrioUdpSocket:
        # No checkpoint: nothing here waits, and each call opens two of these.
        host, port = _bindable("UDP", address)
        family = family_of(host)
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if family == IPV6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if is_wildcard(host) and family == IPV6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            elif is_wildcard(host):
                sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            _grow_receive_buffer(sock, receive_buffer_bytes)
            sock.bind(_sockaddr(host, port))
        except BaseException as error:
            sock.close()
            _explain_bind("UDP", address, error)
            raise
        return TrioUdpSocket(sock, max_datagram)

    async def listen_tcp(self, address: Address) -> TcpListener:
        host, port = _bindable("TCP", address)
        sock = trio.socket.socket(family_of(host), socket.SOCK_STREAM)
        try:
            # A restart must not wait for the old connections' TIME_WAIT.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            await sock.bind(_sockaddr(host, port))
            sock.listen(BACKLOG)
        except BaseException as error:
            sock.close()
            _explain_bind("TCP", address, error)
            raise
        return TcpListener(sock)

    async def connect_tcp(self, address: Address, local: str | None = None) -> TcpStream:
        host, port = bare(address[0]), address[1]
        if not is_numeric(host) or not 0 < port < 65_536:
            raise Unreachable(show(address), "not a numeric address with a port")
        sock = trio.socket.socket(family_of(host), socket.SOCK_STREAM)
        try:
            if local is not None and not is_wildcard(local):
                await sock.bind(_sockaddr(local, 0))
            await sock.connect(_sockaddr(host, port))
            ours = _address(sock.getsockname())
        except ConnectionRefusedError as error:
            sock.close()
            raise ConnectRefused(show(address), "connection refused") from error
        except OSError as error:
            sock.close()
            raise Unreachable(show(address), _words(error)) from error
        except BaseException:
            sock.close()
            raise
        return TcpStream(trio.SocketStream(sock), ours, address)

    async def lookup(self, host: str, port: int = 0, *, family: int = ANY_FAMILY) -> list[Address]:
        host = bare(host)
        if is_numeric(host):
            await trio.lowlevel.checkpoint()
            if family not in (ANY_FAMILY, family_of(host)):
                raise NameNotFound(host, "an address of the other family")
            return [(host, port)]
        if not host or "\0" in host:
            raise NameNotFound(host, "not a host name")

        def ask() -> list[Address]:
            found = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)
            return list(dict.fromkeys((_address(sockaddr)[0], port) for *_, sockaddr in found))

        try:
            return await trio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=self._threads)
        except socket.gaierror as error:
            if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
                raise NameNotFound(host, "no such host") from error
            raise NameLookupFailed(host, error.strerror or "name lookup failed") from error
        except UnicodeError as error:  # a label that is empty or too long
            raise NameNotFound(host, "not a host name") from error
        except OSError as error:
            raise NameLookupFailed(host, _words(error)) from error

    async def srv(self, name: str) -> list[SrvRecord]:
        answer = await self._ask(name, dns.rdatatype.SRV)
        return [
            SrvRecord(_text(record.target), record.port, record.priority, record.weight)
            for record in answer
            if isinstance(record, dns.rdtypes.IN.SRV.SRV)
        ]

    async def naptr(self, name: str) -> list[NaptrRecord]:
        answer = await self._ask(name, dns.rdatatype.NAPTR)
        return [
            NaptrRecord(
                record.service.decode("ascii", "replace").upper(),
                _text(record.replacement),
                record.flags.decode("ascii", "replace").upper(),
                record.order,
                record.preference,
            )
            for record in answer
            if isinstance(record, dns.rdtypes.IN.NAPTR.NAPTR)
        ]

    def source_for(self, remote: str) -> str:
        with socket.socket(family_of(remote), socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(_sockaddr(bare(remote), 9))  # no packet leaves: UDP only picks its route
            except (OSError, ValueError) as error:
                raise Unreachable(remote, _words(error)) from error
            return _address(probe.getsockname())[0]

    def _make_resolver(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=not self._nameservers)
        if self._nameservers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in self._nameservers]
        resolver.cache = dns.resolver.LRUCache(1000)
        return resolver

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> list[object]:
        try:
            if self._resolver is None:
                self._resolver = self._make_resolver()
            answer = await self._resolver.resolve(
                name,
                kind,
                raise_on_no_answer=False,
                search=False,
                lifetime=DNS_LIFETIME_S,
                backend=dns.asyncbackend.get_backend("trio"),
            )
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise NameLookupFailed(name, f"{dns.rdatatype.to_text(kind)}: {error}") from error
        return list(answer.rrset.processing_order()) if answer.rrset is not None else []


def raise_file_limit(wanted: int = 1 << 20) -> int:
    """Raise the soft limit of open files towards `wanted`, as far as the hard limit lets us; what it is now.

    200 bridged calls are 800 sockets with RTCP, and most systems start a process with 1,024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    goal = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= goal:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
    except (ValueError, OSError):  # e.g. above fs.nr_open
        return soft
    return goal


def _grow_receive_buffer(sock: socket.socket, size: int) -> None:
    """Ask for a large buffer: beyond net.core.rmem_max when we may, else as much as the system gives."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)
    except OSError:  # needs CAP_NET_ADMIN
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def _bindable(kind: str, address: Address) -> Address:
    host = bare(address[0]) or "0.0.0.0"
    if not is_numeric(host):
        raise AddressUnavailable(kind, address, "not a numeric address")
    if not 0 <= address[1] < 65_536:
        raise AddressUnavailable(kind, address, "no such port")
    return host, address[1]


def _explain_bind(kind: str, address: Address, error: BaseException) -> None:
    """Raise the error of ours that says what kept us from binding; return when it is none of the system's."""
    if not isinstance(error, OSError):
        return
    if error.errno == errno.EADDRINUSE:
        raise AddressInUse(kind, address) from error
    reasons = {
        errno.EADDRNOTAVAIL: "this machine has no such address",
        errno.EACCES: "no permission to use that port",
        errno.EAFNOSUPPORT: "this machine has no such address family",
    }
    raise AddressUnavailable(kind, address, reasons.get(error.errno or 0) or _words(error)) from error


def _sockaddr(host: str, port: int) -> SockAddr:
    bare_host, _, scope = host.partition("%")
    return (bare_host, port, 0, _scope_id(scope, (host, port))) if family_of(host) == IPV6 else (host, port)


def _scope_id(scope: str, address: Address) -> int:
    if not scope:
        return 0
    try:
        return int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)
    except OSError as error:
        raise Unreachable(show(address), "no such interface") from error


def _address(sockaddr: object) -> Address:
    """Host and port of what the socket module calls an address; a link-local one gets its scope."""
    assert isinstance(sockaddr, tuple)
    return _from_v6(sockaddr) if len(sockaddr) == 4 else (sockaddr[0], sockaddr[1])


def _from_v6(sockaddr: tuple[str, int, int, int]) -> Address:
    host, port, _, scope = sockaddr
    return (f"{host}%{scope}" if scope and "%" not in host else host, port)


def _text(name: object) -> str:
    return str(name).rstrip(".")


def _words(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else str(error)
