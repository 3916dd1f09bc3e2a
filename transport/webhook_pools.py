"""Connections to applications: one pool for each origin, so that a slow application uses up nobody else's."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import httpcore2
import trio

from .network import Network
from .webhook_backend import Backend
from .webhook_guard import AddressGuard
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


@attrs.define(eq=False)
class _Slot:
    pool: httpcore2.AsyncConnectionPool
    users: int = 0
    used_at: float = 0.0


@attrs.define(eq=False)
class Pools:
    """The pools of one client, made when first needed and dropped when no longer used."""

    network: Network
    guard: AddressGuard
    ca_file: str | Path | None = None
    _slots: dict[Key, _Slot] = attrs.field(factory=dict)
    _contexts: dict[bool, ssl.SSLContext] = attrs.field(factory=dict)
    _swept_at: float = 0.0

    def __attrs_post_init__(self) -> None:
        if self.ca_file is not None:
            self._context(True)  # a bad file is told at the start, not at the first request

    def __len__(self) -> int:
        return len(self._slots)

    @contextmanager
    def use(self, target: Target, *, sni: bool) -> Iterator[httpcore2.AsyncConnectionPool]:
        """The pool for `target`, which stays as long as the block runs."""
        key = (*target.origin, sni)
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = _Slot(self._make(target.scheme, sni))
        slot.users += 1
        try:
            yield slot.pool
        finally:
            slot.users -= 1
            slot.used_at = trio.current_time()

    async def sweep(self) -> None:
        """Close the pools that nobody has used for a while; cheap when called often."""
        now = trio.current_time()
        if now - self._swept_at < SWEEP_S:
            return
        self._swept_at = now
        old = [key for key, slot in self._slots.items() if not slot.users and slot.used_at <= now - POOL_IDLE_S]
        closing = [self._slots.pop(key) for key in old]
        with trio.move_on_after(CLOSE_S) as scope:  # nobody else has these any more
            scope.shield = True
            for slot in closing:
                await slot.pool.aclose()

    async def aclose(self) -> None:
        """Close everything; requests under way fail."""
        slots, self._slots = list(self._slots.values()), {}
        with trio.move_on_after(CLOSE_S) as scope:
            scope.shield = True
            for slot in slots:
                await slot.pool.aclose()

    def _make(self, scheme: str, sni: bool) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            # A plain origin gets an empty context: loading the authorities is the dear part of a pool.
            ssl_context=self._context(sni) if scheme == "https" else None,
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=IDLE_MAX,
            keepalive_expiry=IDLE_S,
            network_backend=Backend(self.network, self.guard, sni),
        )

    def _context(self, sni: bool) -> ssl.SSLContext:
        """The TLS settings: public authorities and `ca_file`, TLS 1.2 or later.

        Without SNI the host name is checked by the backend instead, as the TLS library knows it only through SNI.
        """
        context = self._contexts.get(sni)
        if context is None:
            context = ssl.create_default_context()
            if self.ca_file is not None:
                context.load_verify_locations(cafile=str(self.ca_file))
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if not sni:
                context.check_hostname = False
            self._contexts[sni] = context
        return context
