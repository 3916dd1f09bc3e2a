"""All open stream connections by peer: reuse, one connect at a time for each address, room for new ones."""

from __future__ import annotations

import math
from collections import Counter

import attrs
import structlog
import trio

from .connection import DeliverAsync, StreamConnection, StreamCounts, StreamSettings
from .errors import ConnectionLost, TransportError, Unreachable
from .network import Address, Network, Stream, show
from .tls import TlsClients
from .tls_stream import TlsStream, connect_tls

log = structlog.get_logger(__name__)

FLUSH_LOOK_S = 0.01
"""How often `flush` looks."""

Key = tuple[str, Address, str]
"""Transport, remote address, and the name that a server we called has proved by its certificate; else empty."""


def key_of(transport: str, address: Address, name: str) -> Key:
    """Under which a connection that we opened is kept."""
    return transport, address, name.lower() if transport == "TLS" else ""


@attrs.define(eq=False)
class _Opening:
    """A connect under way, and those who wait for it."""

    done: trio.Event = attrs.field(factory=trio.Event)
    connection: StreamConnection | None = None
    error: TransportError | None = None


@attrs.define(eq=False)
class Connections:
    """The table of open connections. `run` carries those that we opened; a StreamTransport carries accepted ones.

    A request to an address goes over a connection to exactly that address and port, whoever opened it: that is the
    peer's own socket. Over TLS it must also be one on which the server has proved the very name that was called (RFC
    5922 7.3): customers of one provider may share an address. It never goes over a connection that a peer opened from
    another port only because the peer *says* that it listens there (the `alias` parameter of RFC 5923): without a
    certificate of its own anybody behind that address could say so. Answers and requests to a registered phone go by
    their Flow, which names the connection itself.
    """

    network: Network
    deliver: DeliverAsync
    settings: StreamSettings = attrs.field(factory=StreamSettings)
    tls: TlsClients | None = None
    """How servers are called over TLS; None: they are not."""
    counts: StreamCounts = attrs.field(factory=StreamCounts, init=False)
    _open: dict[Key, StreamConnection] = attrs.field(factory=dict, init=False)
    _per_host: Counter[str] = attrs.field(factory=Counter, init=False)
    _opening: dict[Key, _Opening] = attrs.field(factory=dict, init=False)
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)

    def __len__(self) -> int:
        return len(self._open)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry the connections that `open` makes, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def find(self, address: Address, transport: str = "TCP", name: str = "") -> StreamConnection | None:
        """The usable connection to that very address and port, if there is one; `name`: of the server, for TLS."""
        connection = self._open.get(key_of(transport, address, name))
        return connection if connection is not None and not connection.closed else None

    async def open(
        self, address: Address, *, transport: str = "TCP", name: str = "", local: str | None = None
    ) -> StreamConnection:
        """The connection to a numeric address: an open one, or a new one. Raises Unreachable or ConnectionLost.

        `transport` is TCP or TLS; for TLS `name` is the host as it was called, which the certificate must be for.
        Many may ask at once: one connect is made, and each gets its outcome. Being cancelled while waiting does not
        disturb the others.
        """
        key = key_of(transport, address, name)
        found = self.find(address, transport, name)
        if found is not None:
            return found
        opening = self._opening.get(key)
        if opening is None:
            if self._nursery is None:
                raise Unreachable(show(address), "the transport is not running")
            opening = self._opening[key] = _Opening()
            self._nursery.start_soon(self._carry_opened, key, opening, local)
        await opening.done.wait()
        if opening.connection is None:
            raise opening.error or Unreachable(show(address), "the transport was stopped")
        if opening.connection.closed:
            raise ConnectionLost(show(address), "closed by the peer at once")
        return opening.connection

    async def _carry_opened(self, key: Key, opening: _Opening, local: str | None) -> None:
        """Connect, tell those who wait, and carry the connection until it ends."""
        address = key[1]
        try:
            connection = await self._connect(key, local)
            opening.connection = connection
        except TransportError as error:
            opening.error = error
            return
        except Exception as error:
            log.error("connect failed in an unforeseen way", remote=show(address), exc_info=error)
            opening.error = Unreachable(show(address), str(error))
            return
        finally:
            del self._opening[key]
            opening.done.set()
        await self.carry(connection)

    async def _connect(self, key: Key, local: str | None) -> StreamConnection:
        transport, address, name = key
        if not self.make_room(address[0]):
            raise Unreachable(show(address), f"all {self.settings.max_connections} connections are in use")

        async def connect() -> Stream:
            with trio.move_on_after(self.settings.connect_s):
                return await self.network.connect_tcp(address, local)
            raise Unreachable(show(address), f"no connection within {self.settings.connect_s:g} s")

        if transport == "TCP":
            return self.adopt(await connect(), accepted=False)
        if self.tls is None:
            raise Unreachable(show(address), f"{transport} is not served")
        secured, stream = await connect_tls(connect, name, address, self.tls)
        return self._enter(key, secured, stream.local, accepted=False)

    def adopt(self, stream: Stream, *, accepted: bool) -> StreamConnection:
        """Enter a plain TCP stream into the table; `carry` must follow."""
        return self._enter(("TCP", stream.remote, ""), stream, stream.local, accepted=accepted)

    def adopt_secured(self, stream: TlsStream, local: Address, remote: Address) -> StreamConnection:
        """Enter an accepted stream whose TLS handshake is done; `carry` must follow."""
        return self._enter(("TLS", remote, ""), stream, local, accepted=True)

    def _enter(self, key: Key, stream: trio.abc.Stream, local: Address, *, accepted: bool) -> StreamConnection:
        connection = StreamConnection(
            stream,
            transport=key[0],
            local=local,
            remote=key[1],
            settings=self.settings,
            counts=self.counts,
            deliver=self.deliver,
            accepted=accepted,
            name=key[2],
        )
        self._open[key] = connection
        self._per_host[key[1][0]] += 1
        return connection

    async def carry(self, connection: StreamConnection) -> None:
        """Run a connection until it ends, and take it out of the table. Its faults stay in it."""
        try:
            await connection.run()
        except Exception as error:
            self.counts.faults += 1
            log.error("connection failed in an unforeseen way", remote=str(connection.flow), exc_info=error)
        finally:
            key = (connection.flow.transport, connection.flow.remote, connection.name)
            if self._open.get(key) is connection:
                del self._open[key]
            host = connection.flow.remote[0]
            self._per_host[host] -= 1
            if self._per_host[host] <= 0:
                del self._per_host[host]

    def make_room(self, host: str) -> bool:
        """Whether one more connection with `host` may be entered; at the limit an idle one is closed for it.

        Those that are closing or never brought a message go first, then the longest idle; those that are held stay.
        """
        whole = len(self._open) >= self.settings.max_connections
        if not whole and self._per_host[host] < self.settings.max_per_host:
            return True
        victim, victim_rank = None, (True, math.inf)
        for connection in self._open.values():
            needed = connection.held and not connection.closed
            if needed or connection.stopped or not (whole or connection.flow.remote[0] == host):
                continue
            wanted = not connection.closed and (connection.useful or not connection.accepted)
            rank = (wanted, connection.active_at)
            if rank < victim_rank:
                victim, victim_rank = connection, rank
        if victim is None:
            return False
        self.counts.evicted += 1
        victim.close()
        return True

    async def flush(self, within_s: float) -> bool:
        """Wait until everything queued is written, `within_s` at most; whether it was."""
        until = trio.current_time() + within_s
        while any(connection.queued and not connection.closed for connection in self._open.values()):
            if trio.current_time() >= until:
                return False
            await trio.sleep(FLUSH_LOOK_S)
        return True

    def close_all(self) -> None:
        """Close every connection at once, dropping what is queued."""
        for connection in list(self._open.values()):
            connection.close()
