"""Certificates while the server runs: taken anew when files change or SIGHUP comes, renewed, watched for their end."""

from __future__ import annotations

import datetime
import math
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import structlog
import trio
from cryptography import x509

from ..actors.speaker import Offload
from ..transport.own_authority import RENEWED_BEFORE
from ..transport.tls import Contexts, KeyPair, TlsClients, TlsServer, TlsUnusable, server_context
from .config import Config
from .problems import ConfigError
from .tls import configured_pair, own_files, own_pair, root_files, tls_clients, tls_server

LOOK_S: Final = 5.0
"""How often the files are looked at. A change counts when two looks agree, so that half a rotation is not taken."""
WARN_BEFORE: Final = datetime.timedelta(days=30)
"""The end of a certificate."""
WARN_EVERY_S: Final = 24 * 3600.0
RENEW_AGAIN_S: Final = 3600.0
"""After a renewal that failed."""

Marks: TypeAlias = tuple[tuple[int, int, int] | None, ...]
"""Of each file: inode, size, time of its last change; None: it is not there."""

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class Certificates:
    """The TLS of a running server, both sides. What is bad keeps nothing from going on with what was good before."""

    config: Config
    server: TlsServer
    clients: TlsClients
    offload: Offload
    """Runs what reads files and makes keys."""
    _taken: Marks = attrs.field(init=False)
    _pending: Marks | None = attrs.field(default=None, init=False)
    _warned_at: float = attrs.field(default=-math.inf, init=False)
    _renew_at: float = attrs.field(default=-math.inf, init=False)
    _asked: trio.Event = attrs.field(factory=trio.Event, init=False)
    not_after: datetime.datetime = attrs.field(init=False)
    """When the certificate that is shown ends."""

    def __attrs_post_init__(self) -> None:
        self._taken = marks(self.files)
        self.not_after = end_of(self.pair)

    @property
    def pair(self) -> KeyPair:
        """The files of the certificate that we show."""
        return configured_pair(self.config) or own_files(self.config)

    @property
    def ca_file(self) -> Path | None:
        """The authority that phones need; None where the configuration brings the certificate."""
        return None if configured_pair(self.config) is not None else root_files(self.config).certificate

    @property
    def files(self) -> list[Path]:
        """All that matter, each once."""
        found = [self.pair.certificate, self.pair.key, self.config.tls.ca_file]
        for trunk in self.config.trunks:
            found += [trunk.ca_file, trunk.client_certificate, trunk.client_key]
        return list(dict.fromkeys(path for path in found if path is not None))

    def authority(self) -> bytes | None:
        """Our own authority's certificate in PEM, for phones; None where the configuration brings the certificate."""
        return None if self.ca_file is None else self.ca_file.read_bytes()

    def expires_in_s(self) -> float:
        """Until the certificate that is shown ends; below 0 when it has ended."""
        return (self.not_after - self.config.now_utc()).total_seconds()

    async def run(self) -> None:
        """Keep watch until cancelled. A fault here is told and ends nothing: calls do not hang on it."""
        while True:
            try:
                await self.look()
            except Exception as error:
                log.error("certificates cannot be watched now", exc_info=error)
            with trio.move_on_after(LOOK_S):
                await self._asked.wait()

    def ask(self) -> None:
        """Take all files anew now, whether they have changed or not (SIGHUP)."""
        self._asked.set()

    async def look(self) -> None:
        """One look: renew what is about to end, take what has changed, warn."""
        asked, self._asked = self._asked.is_set(), trio.Event()
        if configured_pair(self.config) is None and self.expires_in_s() < RENEWED_BEFORE.total_seconds():
            await self._renew()
        found = marks(self.files)
        if asked or (found != self._taken and found == self._pending):
            await self._take(found)
        self._pending = found
        self._warn()

    async def _renew(self) -> None:
        """Have our own authority issue the next certificate; the look that follows takes it."""
        if trio.current_time() < self._renew_at:
            return
        try:
            await self.offload(own_pair, self.config)
        except ConfigError as error:
            self._renew_at = trio.current_time() + RENEW_AGAIN_S
            log.error("the certificate cannot be renewed", error=str(error))
        else:
            self._pending = marks(self.files)  # it is whole: no second look is needed

    async def _take(self, found: Marks) -> None:
        """Make everything anew from the files, or leave everything as it is."""
        self._taken = found
        try:
            made = await self.offload(self._make)
        except (TlsUnusable, OSError, ValueError) as error:
            log.error("certificates not taken; what was good before stays", error=str(error))
            return
        self.server.context, clients, self.not_after = made
        self.clients.take(clients)
        log.info("certificates taken", certificate=str(self.pair.certificate), valid_until=self.not_after.isoformat())

    def _make(self) -> tuple[ssl.SSLContext, Contexts, datetime.datetime]:
        return server_context(self.pair, self.server.policy), self.clients.anew(), end_of(self.pair)

    def _warn(self) -> None:
        """Say so once a day when the certificate is about to end, or has ended."""
        left = self.expires_in_s()
        if left < WARN_BEFORE.total_seconds() and trio.current_time() - self._warned_at >= WARN_EVERY_S:
            self._warned_at = trio.current_time()
            log.warning(
                "the certificate has expired: phones refuse it" if left < 0 else "the certificate expires soon",
                certificate=str(self.pair.certificate),
                valid_until=self.not_after.isoformat(),
            )


def open_certificates(config: Config, offload: Offload) -> Certificates | None:
    """The TLS of a server from its configuration; None: it is not served. Raises ConfigError."""
    server, clients = tls_server(config), tls_clients(config)
    if server is None or clients is None:
        return None
    return Certificates(config, server, clients, offload)


def end_of(pair: KeyPair) -> datetime.datetime:
    """When a certificate ends. Raises OSError, ValueError for no certificate in PEM."""
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes()).not_valid_after_utc


def marks(files: Iterable[Path]) -> Marks:
    """What tells whether files have changed."""
    return tuple(mark(path) for path in files)


def mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
