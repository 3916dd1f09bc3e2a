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

log = structlog.get_logger(__name__)

FLUSH_LOOK_S = 0.01
"""How often `flush` looks."""

Key = tuple[str, Address]
"""Transport and remote address."""


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
    peer's own socket. It never goes over a connection that a peer opened from another port only because the peer
    *says* that it listens there (the `alias` parameter of RFC 5923): without TLS anybody behind that address could
    say so. Answers and requests to a registered phone go by their Flow, which names the connection itself.
    """

    network: Network
    deliver: DeliverAsync
    settings: StreamSettings = attrs.field(factory=StreamSettings)
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

    def find(self, address: Address, transport: str = "TCP") -> StreamConnection | None:
        """The usable connection to that very address and port, if there is one."""
        connection = self._open.get((transport, address))
        return connection if connection is not None and not connection.closed else None

    async def open(self, address: Address, *, local: str | None = None) -> StreamConnection:
        """The connection to a numeric address: an open one, or a new one. Raises Unreachable or ConnectionLost.

        Many may ask at once: one connect is made, and each gets its outcome. Being cancelled while waiting does not
        disturb the others.
        """
        key = ("TCP", address)
        found = self.find(address)
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
            connection = await self._connect(address, local)
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

    async def _connect(self, address: Address, local: str | None) -> StreamConnection:
        if not self.make_room(address[0]):
            raise Unreachable(show(address), f"all {self.settings.max_connections} connections are in use")
        stream = None
        with trio.move_on_after(self.settings.connect_s):
            stream = await self.network.connect_tcp(address, local)
        if stream is None:
            raise Unreachable(show(address), f"no connection within {self.settings.connect_s:g} s")
        return self.adopt(stream, accepted=False)

    def adopt(self, stream: Stream, *, accepted: bool) -> StreamConnection:
        """Enter a plain TCP stream into the table; `carry` must follow."""
        connection = StreamConnection(
            stream,
            transport="TCP",
            local=stream.local,
            remote=stream.remote,
            settings=self.settings,
            counts=self.counts,
            deliver=self.deliver,
            accepted=accepted,
        )
        self._open[connection.flow.transport, stream.remote] = connection
        self._per_host[stream.remote[0]] += 1
        return connection

    async def carry(self, connection: StreamConnection) -> None:
        """Run a connection until it ends, and take it out of the table. Its faults stay in it."""
        try:
            await connection.run()
        except Exception as error:
            self.counts.faults += 1
            log.error("connection failed in an unforeseen way", remote=str(connection.flow), exc_info=error)
        finally:
            key = (connection.flow.transport, connection.flow.remote)
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
