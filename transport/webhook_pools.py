"""Connections to applications: one pool for each origin, so that a slow application uses up nobody else's."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import trio

from .network import Network
from .webhook_connection import HttpConnection
from .webhook_guard import AddressGuard
from .webhook_open import Opener
from .webhook_target import Target

CONNECTIONS_MAX = 64
"""To one origin; further requests wait for one of them. There is no bound over all origins."""
IDLE_MAX = 16
"""Connections to one origin that are kept open while nothing is asked."""
IDLE_S = 4.0
"""A kept connection is closed after so long: a little less than the 5 s after which common servers do."""
POOL_IDLE_S = 60.0
"""An origin not asked for so long loses its pool."""
SWEEP_S = 10.0
CLOSE_S = 1.0
"""Connections are closed without ceremony, so this is a backstop."""

Key = tuple[str, str, int, bool]


def _room() -> trio.Semaphore:
    return trio.Semaphore(CONNECTIONS_MAX)


@attrs.define(eq=False)
class Pool:
    """The connections to one origin. Who took one gives it back or drops it, whatever happened meanwhile."""

    opener: Opener
    users: int = 0
    used_at: float = 0.0
    _room: trio.Semaphore = attrs.field(factory=_room)
    """Serves in the order of asking."""
    _idle: list[HttpConnection] = attrs.field(factory=list)
    """The one that was used last at the end: it is the likeliest to be alive."""

    async def take(self, within_s: float) -> HttpConnection:
        """An idle connection, or a new one, opened within `within_s` seconds. Raises `WebhookError`."""
        try:
            self._room.acquire_nowait()  # mostly there is room, and then no turn of the scheduler is spent
        except trio.WouldBlock:
            await self._room.acquire()
        try:
            await self.drop_stale()
            if self._idle:
                return self._idle.pop()
            return HttpConnection(await self.opener.open(within_s))
        except BaseException:
            self._room.release()
            raise

    async def give_back(self, connection: HttpConnection) -> None:
        """Keep the connection for others, if its exchange ended in order."""
        if len(self._idle) >= IDLE_MAX or not connection.reusable():
            await self.drop(connection)
            return
        connection.idle_until = trio.current_time() + IDLE_S
        self._idle.append(connection)
        self._room.release()

    async def drop(self, connection: HttpConnection) -> None:
        """Close the connection."""
        self._room.release()
        await _close([connection])

    async def drop_stale(self) -> None:
        """Close what has been idle for too long."""
        now = trio.current_time()
        if self._idle and self._idle[0].idle_until <= now:
            stale = [each for each in self._idle if each.idle_until <= now]
            self._idle = [each for each in self._idle if each.idle_until > now]
            await _close(stale)

    async def aclose(self) -> None:
        """Close what is idle."""
        idle, self._idle = self._idle, []
        await _close(idle)


async def _close(connections: Iterable[HttpConnection]) -> None:
    with trio.move_on_after(CLOSE_S, shield=True):  # nobody else has these any more
        for connection in connections:
            await connection.aclose()


@attrs.define(eq=False)
class Pools:
    """The pools of one client, made when first needed and dropped when no longer used."""

    network: Network
    guard: AddressGuard
    ca_file: str | Path | None = None
    _pools: dict[Key, Pool] = attrs.field(factory=dict)
    _contexts: dict[bool, ssl.SSLContext] = attrs.field(factory=dict)
    _swept_at: float = 0.0

    def __attrs_post_init__(self) -> None:
        if self.ca_file is not None:
            self._context(True)  # a bad file is told at the start, not at the first request

    def __len__(self) -> int:
        return len(self._pools)

    @contextmanager
    def use(self, target: Target, *, sni: bool) -> Iterator[Pool]:
        """The pool for `target`, which stays as long as the block runs."""
        key = (*target.origin, sni)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = self._make(target, sni)
        pool.users += 1
        try:
            yield pool
        finally:
            pool.users -= 1
            pool.used_at = trio.current_time()

    async def sweep(self) -> None:
        """Close the pools that nobody has used for a while; cheap when called often."""
        now = trio.current_time()
        if now - self._swept_at < SWEEP_S:
            return
        self._swept_at = now
        old = [key for key, pool in self._pools.items() if not pool.users and pool.used_at <= now - POOL_IDLE_S]
        for pool in [self._pools.pop(key) for key in old]:
            await pool.aclose()
        for pool in list(self._pools.values()):
            await pool.drop_stale()

    async def aclose(self) -> None:
        """Close everything that is idle; requests under way close theirs when they end."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.aclose()

    def _make(self, target: Target, sni: bool) -> Pool:
        context = self._context(sni) if target.scheme == "https" else None
        return Pool(Opener(self.network, self.guard, target.host, target.port, context, sni))

    def _context(self, sni: bool) -> ssl.SSLContext:
        """The TLS settings: public authorities and `ca_file`, TLS 1.2 or later.

        Without SNI the host name is checked by the opener instead, as the TLS library knows it only through SNI.
        """
        context = self._contexts.get(sni)
        if context is None:
            context = ssl.create_default_context()
            if self.ca_file is not None:
                context.load_verify_locations(cafile=str(self.ca_file))
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_alpn_protocols(["http/1.1"])
            if not sni:
                context.check_hostname = False
            self._contexts[sni] = context
        return context
