"""`open_server(config)`: the whole house as an async context manager, inside any Trio program."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import attrs
import structlog
import trio

from ..actors.bus import Bus, Subscription
from ..actors.media import RandomMediaIds
from ..actors.messages.events import BusEvent
from ..actors.registry import CallView
from ..actors.services import SidSource
from ..actors.settings import Settings
from ..actors.speaker import EspeakSpeech, Offload
from ..actors.supervisor import Plan, Seams, Supervisor, open_tree
from ..media.files import write_mp3
from ..media.plane import MediaIds
from ..media.speech import Speech
from ..sip.digest import DigestServer
from ..sip.registration import Bounds
from ..sip.timers import Timers
from ..store.recordings import RecordingFiles
from ..store.repository import Repository
from ..store.sql import open_sqlite
from ..transport.network import Address, Network
from ..transport.random_ids import RandomIds
from ..transport.rtp import PortRange
from ..transport.speech import SpeechHelpers
from ..transport.trio_network import TrioNetwork
from ..transport.webhook import WebhookClient
from ..twiml.signature import sign
from ..web.app import Health, make_app
from ..web.auth import Credentials
from ..web.rest.recordings import RecordingMedia
from ..web.serve import serve
from .account import Account, open_account
from .certificates import Certificates, open_certificates
from .config import Config
from .data_dir import hold
from .log import hide, set_up_plainly
from .metrics import Metrics
from .pcap import capture_files
from .recover import recover_calls, recover_recordings
from .seed import (
    capture_rules,
    domain_directory,
    house_of,
    number_directory,
    redirects_of,
    registered_trunks,
    trunks_of,
)
from .values import HostPort

log = structlog.get_logger(__name__)

DATABASE: Final = "offhook.db"
"""In `data_dir`."""


@attrs.frozen(kw_only=True)
class Parts:
    """What a test or an embedding program may bring along; None: the real one."""

    network: Network | None = None
    ids: SidSource | None = None
    media_ids: MediaIds | None = None
    speech: Speech | None = None
    repository: Repository | None = None
    """None: SQLite in `data_dir`. Tests on virtual time take a `MemoryRepository`, which needs no disk."""
    timers: Timers = attrs.field(factory=Timers)
    offload: Offload = trio.to_thread.run_sync
    """How decoding and disk work leave the event loop."""
    http: bool = True
    """Whether the HTTP surface is served; it needs real sockets."""


@attrs.define(eq=False)
class Server:
    """A running server."""

    config: Config
    account: Account
    tree: Supervisor
    bus: Bus
    repository: Repository
    http_address: Address | None
    """Where HTTP is served, with its real port."""
    certificates: Certificates | None
    """Of TLS; None: it is not served."""
    _state: _State

    @property
    def calls(self) -> list[CallView]:
        """The live calls, the oldest first."""
        return [entry.view for entry in self.tree.services.registry.calls.values()]

    @property
    def addresses(self) -> dict[str, list[Address]]:
        """Where SIP is served, by `udp` and `tcp`, with the real ports."""
        return self.tree.addresses

    @property
    def status(self) -> str:
        """`ready` or `draining`."""
        return self._state.status

    @contextmanager
    def _subscribed(self, kinds: tuple[type[BusEvent], ...] | None, capacity: int) -> Iterator[Subscription]:
        with self.bus.subscribe(kinds, capacity) as subscription:
            yield subscription

    @asynccontextmanager
    async def events(
        self, kinds: tuple[type[BusEvent], ...] | None = None, capacity: int = 1000
    ) -> AsyncIterator[Subscription]:
        """Facts as they happen: `async for event in events`. Too slow a reader gets a `Gap` in place of the oldest."""
        with self._subscribed(kinds, capacity) as subscription:
            yield subscription

    async def drain(self, within_s: float | None = None) -> bool:
        """Refuse new calls and wait for the live ones; whether the last ended in time (`server.drain_s`)."""
        patience = self.config.server.drain_s if within_s is None else within_s
        self._state.status = "draining"
        log.info("draining", calls=len(self.calls), within_s=patience)
        return await self.tree.drain(trio.current_time() + patience)

    def reload(self) -> None:
        """Take the files of certificates anew; what SIGHUP does. Connections and calls go on."""
        if self.certificates is not None:
            self.certificates.ask()

    async def wait(self) -> None:
        """Wait until the server ends; it does so by raising, or by being cancelled."""
        await trio.sleep_forever()


@attrs.define
class _State:
    """What health checks are told; shared by the HTTP surface, which starts first, and the handle."""

    status: str = "starting"
    tree: Supervisor | None = None

    def health(self) -> Health:
        listeners = {} if self.tree is None else {name: "up" if up else "down" for name, up in self.tree.health()}
        status = self.status
        if self.tree is not None and self.tree.services.registry.draining:
            status = "draining"
        return Health(status, listeners)

    def unwritten(self) -> int:
        """Changes that the store does not have yet."""
        return 0 if self.tree is None else len(self.tree.services.journal.pending.changes)

    def uncaptured(self) -> int:
        """Packets that no capture has, for want of room."""
        return 0 if self.tree is None else self.tree.services.captures.dropped


@asynccontextmanager
async def open_server(config: Config, parts: Parts = Parts()) -> AsyncIterator[Server]:
    """Start everything; the block runs while the server serves. Leaving it drains like a SIGTERM, then ends.

    Raises ConfigError, DataDirInUse or StoreUnusable before anything is bound, AddressInUse or AddressUnavailable when
    an address cannot be bound.
    """
    if not structlog.is_configured():
        set_up_plainly()
    account = open_account(config)
    hide(account.auth_token)
    _say_account(account)
    network = parts.network or TrioNetwork()
    files = RecordingFiles(config.server.data_dir / "recordings")
    bus, metrics, state = Bus(), Metrics(), _State()
    bus.listen(metrics.observe)
    metrics.watch(state.unwritten, state.uncaptured)
    webhooks = WebhookClient(
        network,
        sign=lambda url, params: sign(account.auth_token, url, params),
        allowed_networks=config.webhooks.allowed_networks,
        ca_file=config.webhooks.ca_file,
        user_agent=config.sip.server_header or "offhook",
        now_utc=config.now_utc,
    )
    async with (
        _records(config, parts, files) as repository,
        _certificates(config, parts, metrics) as certificates,
        webhooks,
        _speech(parts) as speech,
        trio.open_nursery() as nursery,
    ):
        http_address: Address | None = None
        if parts.http:
            media = RecordingMedia(
                Credentials(account.sid, account.auth_token), files, repository, encode_mp3=write_mp3
            )
            app = make_app(
                credentials=media.credentials,
                exposed=config.http.exposed,
                health=state.health,
                metrics=metrics.render,
                recordings=media,
                authority=certificates.authority if certificates is not None else None,
            )
            http_address = await nursery.start(serve, app, tuple(config.http.bind))
        plan = _plan(config, account, http_address, files, certificates)
        seams = Seams(
            network=network,
            ids=parts.ids or RandomIds(),
            media_ids=parts.media_ids or RandomMediaIds(),
            now_utc=config.now_utc,
            speech=speech,
            timers=parts.timers,
            offload=parts.offload,
        )
        async with open_tree(plan, seams, webhooks, repository, bus) as tree:
            state.tree, state.status = tree, "ready"
            server = Server(config, account, tree, bus, repository, http_address, certificates, state)
            if certificates is not None:
                nursery.start_soon(certificates.run, name="certificates")
            log.info(
                "ready",
                udp=[str(HostPort(*a)) for a in tree.addresses.get("udp", [])],
                tcp=[str(HostPort(*a)) for a in tree.addresses.get("tcp", [])],
                tls=[str(HostPort(*a)) for a in tree.addresses.get("tls", [])],
                http=str(HostPort(*http_address)) if http_address else None,
            )
            try:
                yield server
            except BaseException:
                raise
            else:
                await server.drain()
        bus.close()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _records(config: Config, parts: Parts, files: RecordingFiles) -> AsyncIterator[Repository]:
    """The store and the recordings, for this server alone, with what a crash left behind put in order."""
    with hold(config.server.data_dir):
        await parts.offload(recover_recordings, files)
        async with _repository(config, parts) as repository:
            await recover_calls(repository, config.now_utc())
            yield repository


@asynccontextmanager
async def _certificates(config: Config, parts: Parts, metrics: Metrics) -> AsyncIterator[Certificates | None]:
    """The TLS of this server; only once `data_dir` is its alone, as missing certificates are made there."""
    certificates = open_certificates(config, parts.offload)
    if certificates is not None:
        metrics.watch_certificate(certificates.expires_in_s)
    yield certificates


@asynccontextmanager
async def _repository(config: Config, parts: Parts) -> AsyncIterator[Repository]:
    if parts.repository is not None:
        yield parts.repository
        return
    async with open_sqlite(config.server.data_dir / DATABASE, parts.offload) as repository:
        yield repository


def _plan(
    config: Config,
    account: Account,
    http: Address | None,
    files: RecordingFiles,
    certificates: Certificates | None,
) -> Plan:
    base = config.http.base_url(http or (config.http.bind.host, config.http.bind.port))
    settings = Settings(
        account=account.sid,
        server_header=config.sip.server_header,
        header_prefix=config.sip.header_prefix,
        advertised_host=config.server.advertised_address,
        public_url=base,
        media_timeout_s=config.media.timeout_s,
    )
    domains, trunks, numbers = domain_directory(config, account.sid), trunks_of(config), number_directory(config)
    return Plan(
        settings=settings,
        domains=domains,
        house=house_of(config, trunks, numbers),
        redirects=redirects_of(config),
        trunks=trunks,
        numbers=numbers,
        registered=registered_trunks(config),
        registration=Bounds(min_expires=config.sip.registration_min_s, max_expires=config.sip.registration_max_s),
        digest=DigestServer(os.urandom(32), config.sip.auth_realm, config.sip.digest_algorithms),
        udp=tuple((each.host, each.port) for each in config.sip.udp),
        tcp=tuple((each.host, each.port) for each in config.sip.tcp),
        tls=tuple((each.host, each.port) for each in config.sip.tls),
        tls_server=certificates.server if certificates is not None else None,
        tls_clients=certificates.clients if certificates is not None else None,
        rtp_ports=PortRange(*config.media.rtp_ports),
        sip_allowed=config.dial.allowed_networks,
        service_records=config.dial.service_records,
        recordings=files,
        captures=capture_rules(config),
        capture_files=capture_files(config),
    )


def _say_account(account: Account) -> None:
    if account.kept_in is not None:
        log.info("account", sid=account.sid, kept_in=str(account.kept_in), made_now=account.made)


@asynccontextmanager
async def _speech(parts: Parts) -> AsyncIterator[Speech]:
    """The engine that was brought along, or espeak-ng in helper processes."""
    if parts.speech is not None:
        yield parts.speech
        return
    async with SpeechHelpers() as helpers:
        yield EspeakSpeech(helpers)
