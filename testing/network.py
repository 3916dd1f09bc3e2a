"""`FakeNetwork`: many machines, their sockets, cables and name server in one test, on virtual time.

Give each program its own host and it sees a `Network` like any other::

    network = FakeNetwork(seed=7)
    server, phone = network.host("10.0.0.1"), network.host("10.0.0.2")
    network.conditions = Conditions(delay_s=0.02, loss=0.05)
    network.dns.srv("_sip._udp.example.com", SrvRecord("pbx.example.com", 5060))
    network.dns.address("pbx.example.com", "10.0.0.1")

Everything is decided when bytes are sent, from one seeded generator, so the same seed and the same sending order give
the same losses. Nothing runs in the background: what is under way lies in the receiver's queue with its due time, and
`readable()` or `receive_some()` sleep until then. Use it with `autojump_clock`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Literal

import attrs
import trio

from ..transport.errors import AddressInUse, AddressUnavailable, ConnectRefused, NameNotFound, Unreachable
from ..transport.network import (
    ANY_FAMILY,
    RECEIVE_BUFFER_BYTES,
    Address,
    Datagram,
    NaptrRecord,
    SrvRecord,
    bare,
    family_of,
    is_numeric,
    is_wildcard,
    show,
)
from .names import FakeDns
from .pipes import FakeListener, FakeStream, Pipe
from .ports import FakeUdpSocket

FIRST_FREE_PORT = 49_152

Fate = Literal["delivered", "lost", "duplicated", "late", "cut", "unheard"]
"""`late`: held back behind later ones; `cut`: a partition; `unheard`: nobody had that port."""


@attrs.frozen
class Conditions:
    """What a cable does to what is sent on it. The default is a perfect one."""

    delay_s: float = 0.0
    """One way, for datagrams and streams."""
    jitter_s: float = 0.0
    """Up to this much more, drawn for each datagram: enough of it reorders."""
    loss: float = 0.0
    """Share of datagrams that vanish, 0 to 1. Streams lose nothing, as TCP repeats."""
    duplicate: float = 0.0
    """Share of datagrams that arrive twice."""
    reorder: float = 0.0
    """Share of datagrams that are held back by `reorder_s`, so that later ones overtake them."""
    reorder_s: float = 0.02


@attrs.frozen
class Sent:
    """One datagram as a tap sees it."""

    at: float
    """trio seconds."""
    source: Address
    target: Address
    data: bytes
    fate: Fate


@attrs.define(eq=False)
class FakeNetwork:
    """A whole network for one test; see the module's head."""

    seed: int = 0
    conditions: Conditions = Conditions()
    """Of every cable that `link` has not been told about."""
    stream_chunk: int | None = None
    """At most so many bytes per `receive_some` (1 gives a parser every possible cut); None: as they come."""
    stream_window: int = 65_536
    """Bytes that a stream takes before its sender has to wait for the reader, per direction."""
    dns: FakeDns = attrs.field(factory=FakeDns)
    counts: Counter[str] = attrs.field(factory=Counter, init=False)
    """`datagrams`, `datagram_bytes`, and one count for each `Fate`; `connects`, `refused`, `resets`."""
    taps: list[Callable[[Sent], None]] = attrs.field(factory=list, init=False)
    """Called with every datagram that is sent."""
    _random: random.Random = attrs.field(init=False)
    _hosts: dict[str, FakeHost] = attrs.field(factory=dict, init=False)
    _links: dict[frozenset[str], Conditions] = attrs.field(factory=dict, init=False)
    _cuts: set[frozenset[str]] = attrs.field(factory=set, init=False)
    _refusing: set[Address] = attrs.field(factory=set, init=False)
    _silent: set[Address] = attrs.field(factory=set, init=False)
    _losing: list[_Losing] = attrs.field(factory=list, init=False)
    _streams: list[FakeStream] = attrs.field(factory=list, init=False)
    _healed: trio.Event = attrs.field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def host(self, *addresses: str) -> FakeHost:
        """A machine with these numeric addresses (IPv4 and IPv6), or the one that already has the first of them.

        Every machine also has its own 127.0.0.0/8 and ::1, which nobody else can reach.
        """
        if not addresses:
            raise ValueError("a host needs an address")
        known = self._hosts.get(addresses[0])
        if known is not None:
            return known
        host = FakeHost(self, addresses)
        for address in addresses:
            if not is_numeric(address) or address in self._hosts:
                raise ValueError(f"{address} is not numeric, or has a host already")
            self._hosts[address] = host
        return host

    def link(self, one: str, other: str, conditions: Conditions) -> None:
        """Give the cable between two addresses its own conditions, both ways."""
        self._links[frozenset((one, other))] = conditions

    def partition(self, one: str, other: str) -> None:
        """Cut the cable between two addresses: datagrams vanish, streams and connects stand still until `heal`."""
        self._cuts.add(frozenset((one, other)))

    def heal(self, one: str | None = None, other: str | None = None) -> None:
        """Mend one cable, or all of them when called without addresses; what streams hold back then goes on."""
        if one is None or other is None:
            self._cuts.clear()
        else:
            self._cuts.discard(frozenset((one, other)))
        healed, self._healed = self._healed, trio.Event()
        healed.set()

    def refuse(self, address: Address) -> None:
        """Answer every connect to `address` with a refusal, listener or not, until `restore`."""
        self._refusing.add(address)

    def blackhole(self, address: Address) -> None:
        """Let every connect to `address` hang for ever, and every datagram to it vanish, until `restore`."""
        self._silent.add(address)

    def restore(self, address: Address) -> None:
        """End `refuse` and `blackhole` for `address`."""
        self._refusing.discard(address)
        self._silent.discard(address)

    def lose(self, matching: Callable[[Sent], bool], times: int = 1) -> None:
        """Lose exactly the next `times` datagrams for which `matching` says so."""
        self._losing.append(_Losing(matching, times))

    def reset(self, address: Address) -> int:
        """Break every open stream with an end at `address` as a RST does, both sides at once; how many there were."""
        self._streams = [stream for stream in self._streams if not stream.over]
        broken = [stream for stream in self._streams if address in (stream.local, stream.remote)]
        for stream in broken:
            stream.break_both_ways()
        self.counts["resets"] += len(broken) // 2
        return len(broken) // 2

    @property
    def open_streams(self) -> list[FakeStream]:
        """The ends of streams that are not over: two for each connection."""
        self._streams = [stream for stream in self._streams if not stream.over]
        return list(self._streams)

    # What the hosts and sockets ask.

    def between(self, one: str, other: str) -> Conditions:
        """The conditions of the cable between two addresses."""
        return self._links.get(frozenset((one, other)), self.conditions) if self._links else self.conditions

    def is_cut(self, one: str, other: str) -> bool:
        """Whether `partition` holds between two addresses."""
        return bool(self._cuts) and frozenset((one, other)) in self._cuts

    async def wait_healed(self, one: str, other: str) -> None:
        """Return when no partition holds between two addresses."""
        while self.is_cut(one, other):
            await self._healed.wait()

    def carry(self, sender: FakeHost, source: Address, target: Address, data: bytes) -> None:
        """Decide what becomes of one datagram, and put it into its receiver's queue with its due time."""
        now = trio.current_time()
        fate, dues = self._decide(now, source, target, data)
        receiver = self._reach(sender, target[0]) if dues else None
        socket = receiver.find_udp(target) if receiver is not None else None
        if dues and socket is None:
            fate = "unheard"
        self.counts["datagrams"] += 1
        self.counts["datagram_bytes"] += len(data)
        self.counts[fate] += 1
        if socket is not None:
            for due in dues:
                socket.arrive(due, Datagram(data, source, target))
        if self.taps:
            sent = Sent(now, source, target, data, fate)
            for tap in self.taps:
                tap(sent)

    def _decide(self, now: float, source: Address, target: Address, data: bytes) -> tuple[Fate, tuple[float, ...]]:
        if self.is_cut(source[0], target[0]) or target in self._silent:
            return "cut", ()
        for losing in self._losing:
            if losing.matching(Sent(now, source, target, data, "lost")):
                losing.times -= 1
                if losing.times <= 0:
                    self._losing.remove(losing)
                return "lost", ()
        cable = self.between(source[0], target[0])
        draw = self._random.random
        if cable.loss and draw() < cable.loss:
            return "lost", ()
        due = now + cable.delay_s + (draw() * cable.jitter_s if cable.jitter_s else 0.0)
        if cable.reorder and draw() < cable.reorder:
            return "late", (due + cable.reorder_s,)
        if cable.duplicate and draw() < cable.duplicate:
            return "duplicated", (due, due + draw() * cable.reorder_s)
        return "delivered", (due,)

    async def connect(self, client: FakeHost, source: Address, target: Address) -> FakeStream:
        """Open a stream as TCP does: a round trip, then the two ends; or a refusal, or silence."""
        self.counts["connects"] += 1
        if target in self._silent:
            await trio.sleep_forever()
        await self.wait_healed(source[0], target[0])
        delay = self.between(source[0], target[0]).delay_s
        await trio.sleep(2 * delay)
        await self.wait_healed(source[0], target[0])
        receiver = self._reach(client, target[0])
        if receiver is None:
            raise Unreachable(show(target), "no route to host")
        listener = None if target in self._refusing else receiver.find_listener(target)
        if listener is None:
            self.counts["refused"] += 1
            raise ConnectRefused(show(target), "connection refused")
        there = Pipe(self, source, target, delay)
        back = Pipe(self, target, source, delay)
        ours = FakeStream(source, target, reading=back, writing=there)
        theirs = FakeStream(target, source, reading=there, writing=back)
        if len(self._streams) >= 64:
            self._streams = [stream for stream in self._streams if not stream.over]
        self._streams += [ours, theirs]
        listener.arrive(theirs)
        return ours

    def _reach(self, sender: FakeHost, address: str) -> FakeHost | None:
        return sender if _is_loopback(address) else self._hosts.get(address)


def lossy(seed: int, *, loss: float = 0.0, duplicate: float = 0.0, reorder: float = 0.0) -> FakeNetwork:
    """A network whose cables all lose, double and hold back those shares of the datagrams (0 to 1), 1 ms a way."""
    return FakeNetwork(seed, Conditions(delay_s=0.001, loss=loss, duplicate=duplicate, reorder=reorder))


@attrs.define(eq=False)
class FakeHost:
    """One machine: a `Network` (see there for each call) bound to its own addresses."""

    network: FakeNetwork
    addresses: tuple[str, ...]
    hosts_file: dict[str, tuple[str, ...]] = attrs.field(
        factory=lambda: {"localhost": ("127.0.0.1", "::1")}, init=False
    )
    """Names that this machine knows without asking the name server."""
    _udp: dict[Address, FakeUdpSocket] = attrs.field(factory=dict, init=False)
    _tcp: dict[Address, FakeListener] = attrs.field(factory=dict, init=False)
    _next_port: int = attrs.field(default=FIRST_FREE_PORT, init=False)

    async def udp(
        self, address: Address, *, receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES, max_datagram: int = 65_535
    ) -> FakeUdpSocket:
        await trio.lowlevel.checkpoint()
        local = self._claim("UDP", address, self._udp)
        socket = FakeUdpSocket(self, local, receive_buffer_bytes, max_datagram)
        self._udp[local] = socket
        return socket

    async def listen_tcp(self, address: Address) -> FakeListener:
        await trio.lowlevel.checkpoint()
        local = self._claim("TCP", address, self._tcp)
        listener = FakeListener(self._tcp, local)
        self._tcp[local] = listener
        return listener

    async def connect_tcp(self, address: Address, local: str | None = None) -> FakeStream:
        await trio.lowlevel.checkpoint()
        target = (bare(address[0]), address[1])
        if not is_numeric(target[0]) or not 0 < target[1] < 65_536:
            raise Unreachable(show(address), "not a numeric address with a port")
        source = local if local is not None and not is_wildcard(local) else self.source_for(target[0])
        return await self.network.connect(self, (source, self._free_port()), target)

    async def lookup(self, host: str, port: int = 0, *, family: int = ANY_FAMILY) -> list[Address]:
        host = bare(host).lower().rstrip(".")
        known = (host,) if is_numeric(host) else self.hosts_file.get(host)
        found = known if known is not None else await self.network.dns.ask_addresses(host)
        addresses = [(address, port) for address in found if family in (ANY_FAMILY, family_of(address))]
        await trio.lowlevel.checkpoint()
        if not addresses:
            raise NameNotFound(host, "no such host")
        return addresses

    async def srv(self, name: str) -> list[SrvRecord]:
        return await self.network.dns.ask_srv(name)

    async def naptr(self, name: str) -> list[NaptrRecord]:
        return await self.network.dns.ask_naptr(name)

    def source_for(self, remote: str) -> str:
        remote = bare(remote)
        if _is_loopback(remote):
            return "::1" if ":" in remote else "127.0.0.1"
        for address in self.addresses:
            if family_of(address) == family_of(remote):
                return address
        raise Unreachable(remote, "no route to host")

    # What the network and the sockets ask.

    def find_udp(self, target: Address) -> FakeUdpSocket | None:
        """The socket that a datagram to `target` reaches here."""
        return self._udp.get(target) or self._udp.get((_wildcard_for(target[0]), target[1]))

    def find_listener(self, target: Address) -> FakeListener | None:
        """The listener that a connect to `target` reaches here."""
        return self._tcp.get(target) or self._tcp.get((_wildcard_for(target[0]), target[1]))

    def forget_udp(self, local: Address) -> None:
        """A socket was closed."""
        self._udp.pop(local, None)

    def _claim(
        self, kind: str, address: Address, taken: dict[Address, FakeUdpSocket] | dict[Address, FakeListener]
    ) -> Address:
        host, port = bare(address[0]) or "0.0.0.0", address[1]
        if not is_numeric(host):
            raise AddressUnavailable(kind, address, "not a numeric address")
        if not is_wildcard(host) and not _is_loopback(host) and host not in self.addresses:
            raise AddressUnavailable(kind, address, "this machine has no such address")
        if port == 0:
            return host, self._free_port()
        for used_host, used_port in taken:
            same = used_host == host or (
                family_of(used_host) == family_of(host) and (is_wildcard(used_host) or is_wildcard(host))
            )
            if used_port == port and same:
                raise AddressInUse(kind, address)
        return host, port

    def _free_port(self) -> int:
        """The next port, never one in use; even the hosts of one network count apart, so traces read alike."""
        used = {port for _, port in self._udp} | {port for _, port in self._tcp}
        while True:
            port = self._next_port
            self._next_port = port + 1 if port < 65_535 else FIRST_FREE_PORT
            if port not in used:
                return port


@attrs.define(eq=False)
class _Losing:
    matching: Callable[[Sent], bool]
    times: int


def _is_loopback(host: str) -> bool:
    return host == "::1" or host.startswith("127.")


def _wildcard_for(host: str) -> str:
    return "::" if ":" in host else "0.0.0.0"
