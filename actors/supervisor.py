"""The root of the tree: starts services, nests, switchboard and listeners in order, and brings them down in the other.

What all calls share may be restarted; what belongs to a call may not. Calls live in a nest of their own, so that a
switchboard that is restarted leaves them alone, and notifiers in another, as they outlive their calls.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import attrs
import structlog
import trio

from ..media.plane import MediaIds
from ..media.speech import Speech
from ..sip.digest import DigestServer
from ..sip.registration import Bounds
from ..sip.timers import Timers
from ..sip.trunks import Trunk, Trunks
from ..store.captures import CaptureFiles
from ..store.domains import DomainDirectory
from ..store.numbers import NumberDirectory
from ..store.recordings import RecordingFiles
from ..store.repository import Repository
from ..transport.connections import Connections
from ..transport.errors import TlsTooOld
from ..transport.network import Address, Listener, Network, show
from ..transport.policy import IpNetwork
from ..transport.resolve import Resolver
from ..transport.rtp import PortRange, RtpPorts
from ..transport.stream import StreamTransport
from ..transport.tls import TlsClients, TlsServer
from ..transport.udp import UdpTransport
from ..transport.webhook import WebhookClient
from ..twiml.dial_house import House
from ..twiml.redirection import RedirectRules
from .announcer import Announcer
from .bus import Bus
from .capture_disk import CaptureDisk, Filled, capture_mailbox
from .captures import CaptureRules, Captures
from .courier import Courier
from .dialling import Dialling
from .gateways import Gateways
from .guard import Nest, Policy, open_nest
from .herald import Herald
from .journal import Journal, journal_mailbox
from .linger import CAPACITY as LINGER_CAPACITY
from .linger import Held, Linger, LingerMessage
from .listener import StreamListener, UdpListener, listener_mailbox
from .mailbox import Mailbox
from .messages.call_requests import HangUp
from .messages.lifecycle import Stop
from .messages.registrar import RegistrarMessage
from .planes.beat import BeatPlane, PlaneActor
from .planes.disk import RecordingDisk
from .registrar import Held as RegistrarHeld
from .registrar import Registrar, registrar_mailbox
from .registry import Registry
from .restoring import restore_bindings
from .router import CAPACITY as SWITCHBOARD_CAPACITY
from .router import NetworkInput
from .services import Services, SidSource
from .settings import Settings
from .speaker import Offload
from .switchboard import Switchboard
from .trunks import TrunkMessage, TrunkRegistrations, registrations_of, trunks_mailbox
from .webhooks import Webhooks

HANG_UP_S: Final = 2.0
"""What calls that are told to end get for their BYE."""
FLUSH_S: Final = 1.0
"""What the network gets for what is already on its way out."""
LAST_REQUESTS_S: Final = 10.0
"""What final status callbacks get after the last call."""
HURRIED_S: Final = 1.0
"""The same when the server is told a second time to end."""

log = structlog.get_logger(__name__)


@attrs.frozen(kw_only=True)
class Seams:
    """What tests and embedding programs may replace."""

    network: Network
    ids: SidSource
    media_ids: MediaIds
    now_utc: Callable[[], datetime.datetime]
    speech: Speech
    timers: Timers = attrs.field(factory=Timers)
    offload: Offload = trio.to_thread.run_sync
    """How decoding and disk work leave the event loop."""


@attrs.frozen(kw_only=True)
class Plan:
    """What to start, from the configuration."""

    settings: Settings
    domains: DomainDirectory
    digest: DigestServer
    udp: tuple[Address, ...]
    tcp: tuple[Address, ...]
    tls: tuple[Address, ...]
    rtp_ports: PortRange
    sip_allowed: tuple[IpNetwork, ...]
    """Where SIP requests may be sent."""
    service_records: bool
    """Whether a host without a port is looked for by NAPTR and SRV, else by its addresses only."""
    recordings: RecordingFiles
    captures: CaptureRules
    capture_files: CaptureFiles
    house: House
    """Whom a dial may call."""
    redirects: RedirectRules
    trunks: Trunks
    numbers: NumberDirectory
    """Telephone numbers of ours, and who answers what trunks bring."""
    tls_server: TlsServer | None = None
    """Our side of TLS; to be given where `tls` has an address."""
    tls_clients: TlsClients | None = None
    """How servers are called over TLS; None: they are not."""
    registered: tuple[Trunk, ...] = ()
    """Trunks with whose gateways we register."""
    registration: Bounds = attrs.field(factory=Bounds)
    """What the registrar grants."""


@attrs.define(eq=False)
class Supervisor:
    """The running tree."""

    services: Services
    switchboard: Mailbox[NetworkInput]
    linger: Linger
    listeners: dict[str, bool] = attrs.field(factory=dict)
    """Name of each bound address, and whether its listener is up."""
    addresses: dict[str, list[Address]] = attrs.field(factory=dict)
    """By transport: where we listen, with the real ports."""
    outbound: Mailbox[TrunkMessage] | None = None
    """Of our registrations with gateways; None: there are none."""
    withdrawn: trio.Event = attrs.field(factory=trio.Event)
    """Set when they have been taken back."""

    def bound(self, transport: str, address: Address) -> None:
        """A listener is started on this address."""
        self.listeners[f"{transport} {show(address)}"] = True
        self.addresses.setdefault(transport, []).append(address)

    def health(self) -> list[tuple[str, bool]]:
        """Each bound address, and whether its listener is up."""
        return list(self.listeners.items())

    async def drain(self, until: float = math.inf) -> bool:
        """Refuse new calls and wait for the live ones; whether the last was gone by `until` (trio seconds)."""
        self.services.registry.draining = True
        return await self.services.registry.wait_no_calls(until)

    async def hang_up_all(self) -> None:
        """Tell every call to end, and give them a moment for it."""
        registry = self.services.registry
        registry.draining = True
        for entry in list(registry.calls.values()):
            entry.ref.offer(HangUp("shutdown"))
        if not await registry.wait_no_calls(trio.current_time() + HANG_UP_S):
            log.warning("calls cut off", calls=len(registry.calls))


@asynccontextmanager
async def open_tree(
    plan: Plan, seams: Seams, webhook_client: WebhookClient, repository: Repository, bus: Bus
) -> AsyncIterator[Supervisor]:
    """Everything between the sockets and the applications; ends what is left when the block is left.

    Raises AddressInUse or AddressUnavailable when an address cannot be bound; nothing stays bound then.
    """
    journal = Journal(journal_mailbox(), repository, seams.now_utc)
    registry, box = Registry(), capture_mailbox()
    captures = Captures(plan.captures, seams.now_utc, wake=lambda: box.ref.offer(Filled()))
    disk = CaptureDisk(box, captures, plan.capture_files, registry.calls.__contains__, seams.offload)
    try:
        async with _open_tree(plan, seams, webhook_client, journal, disk, registry, bus) as tree:
            yield tree
    finally:
        # When whoever may write has ended.
        await disk.close()
        await journal.close()


@asynccontextmanager
async def _open_tree(
    plan: Plan,
    seams: Seams,
    webhook_client: WebhookClient,
    journal: Journal,
    captures: CaptureDisk,
    registry: Registry,
    bus: Bus,
) -> AsyncIterator[Supervisor]:
    repository = journal.repository
    board: Mailbox[NetworkInput] = Mailbox("switchboard", SWITCHBOARD_CAPACITY)
    async with trio.open_nursery() as carriers:
        connections = Connections(seams.network, board.ref.send, tls=plan.tls_clients)
        await carriers.start(connections.run)
        spoken = ("UDP", "TCP") if plan.tls_clients is None else ("UDP", "TCP", "TLS")
        resolver = Resolver(seams.network, spoken, not plan.service_records, plan.sip_allowed)
        courier = Courier(seams.network, connections, resolver, carriers, plan.settings.advertised_host)
        if plan.captures.enabled:
            courier.watch = captures.captures.sent
        async with open_nest("services") as shared, open_nest("notifiers") as notifiers, open_nest("calls") as calls:
            linger = _start_linger(shared, courier, registry)
            plane = BeatPlane(
                RtpPorts(seams.network, plan.rtp_ports),
                seams.media_ids,
                lambda: seams.now_utc().timestamp(),
                RecordingDisk(seams.offload),
            )
            plane_box: Mailbox[Stop] = Mailbox("plane", 1)
            shared.start_made(plane_box, lambda: PlaneActor(plane_box, plane), policy=Policy.RESTART)
            shared.start_made(
                journal.mailbox, lambda: Journal(journal.mailbox, repository, seams.now_utc, journal.pending)
            )
            if plan.captures.enabled:
                shared.start_made(captures.mailbox, lambda: attrs.evolve(captures))
            registrar_box = registrar_mailbox()
            herald = Herald(settings=plan.settings, now_utc=seams.now_utc, bus=bus)
            services = Services(
                settings=plan.settings,
                ids=seams.ids,
                now_utc=seams.now_utc,
                bus=bus,
                registry=registry,
                courier=courier,
                linger=linger,
                registrar=registrar_box.ref,
                dialling=Dialling(plan.house, plan.redirects, plan.trunks, registrar_box.ref),
                gateways=Gateways(plan.trunks, herald),
                plane=plane,
                media_ids=seams.media_ids,
                announcer=Announcer(webhook_client, seams.speech, seams.offload),
                webhooks=Webhooks(webhook_client, bus, seams.now_utc),
                journal=journal,
                captures=captures.captures,
                recordings=plan.recordings,
                calls=calls,
                notifiers=notifiers,
                timers=seams.timers,
                offload=seams.offload,
            )
            _start_registrar(shared, registrar_box, services, plan)
            supervisor = Supervisor(services, board, linger)
            async with _bind(plan, seams.network) as bound, open_nest("front") as front:
                await restore_bindings(
                    repository,
                    journal,
                    registrar_box.ref,
                    sockets=bound.udp,
                    network=seams.network,
                    domains=plan.domains,
                    longest_s=plan.registration.max_expires,
                    now_utc=seams.now_utc,
                    offload=seams.offload,
                )
                front.start_made(
                    board,
                    lambda: Switchboard(
                        board,
                        registry,
                        courier,
                        plan.settings.server_header,
                        services,
                        plan.domains,
                        plan.digest,
                        plan.numbers,
                    ),
                    policy=Policy.RESTART,
                )
                _listen(front, bound, supervisor, StreamTransport(connections))
                if plan.tls_server is not None:
                    refusing = partial(_tell_too_old, herald, plan.domains)
                    secured = StreamTransport(connections, plan.tls_server, refusing)
                    _listen_for_streams(front, "tls", bound.tls, supervisor, secured)
                _start_registrations(shared, supervisor, plan, herald)
                hurried = True
                try:
                    yield supervisor
                    hurried = False
                finally:
                    await _end(supervisor, connections, hurried=hurried)
        carriers.cancel_scope.cancel()


async def _end(tree: Supervisor, connections: Connections, *, hurried: bool) -> None:
    """Bring the calls down and let what is on its way out get there; `hurried`: cut the calls off at once.

    Shielded: the server ends in order, within a known time, whatever is being cancelled around it.
    """
    services = tree.services
    services.registry.draining = True
    leaving = tree.outbound is not None and tree.outbound.ref.offer(Stop("shutdown"))
    with trio.move_on_after(0 if hurried else HANG_UP_S + FLUSH_S, shield=True):
        await tree.hang_up_all()
        if leaving:
            # Before the cancellation: it ends the listeners too, and gateways answer.
            await tree.withdrawn.wait()
    services.calls.cancel()
    with trio.move_on_after(FLUSH_S, shield=True):
        # Legs that were cut off say BYE in their last words; it has to reach the wire.
        await services.calls.wait_empty()
        await connections.flush(FLUSH_S)
    with trio.move_on_after(HURRIED_S if hurried else LAST_REQUESTS_S, shield=True):
        await services.notifiers.wait_empty()


def _start_linger(nest: Nest, courier: Courier, registry: Registry) -> Linger:
    box: Mailbox[LingerMessage] = Mailbox("linger", LINGER_CAPACITY)
    held = Held()
    nest.start_made(box, lambda: Linger(box, courier, registry, held), policy=Policy.RESTART)
    # Legs hand over to this one; a restarted task works on the same transactions through the same mailbox.
    return Linger(box, courier, registry, held)


def _start_registrations(nest: Nest, tree: Supervisor, plan: Plan, herald: Herald) -> None:
    """Register with the gateways that want it; they know our address only while we do."""
    services = tree.services
    held = registrations_of(
        plan.registered, services.ids, services.timers, plan.settings.server_header, trio.current_time()
    )
    if held:
        box = tree.outbound = trunks_mailbox()
        nest.start_made(
            box,
            lambda: TrunkRegistrations(box, herald, services.courier, services.registry, held),
            lambda down: tree.withdrawn.set(),
            policy=Policy.RESTART,
        )


def _start_registrar(nest: Nest, box: Mailbox[RegistrarMessage], services: Services, plan: Plan) -> None:
    held = RegistrarHeld.empty(services.timers, plan.registration)
    nest.start_made(
        box,
        lambda: Registrar(box, services, services.courier, plan.domains, plan.digest, held, services.journal),
        policy=Policy.RESTART,
    )


@attrs.define(eq=False)
class Bound:
    """The sockets we listen on. They are bound before any listener runs, and outlive a listener's restart."""

    udp: list[UdpTransport] = attrs.field(factory=list)
    tcp: list[Listener] = attrs.field(factory=list)
    tls: list[Listener] = attrs.field(factory=list)

    async def close(self) -> None:
        for transport in self.udp:
            transport.socket.close()
        # The calls' nest around us is cancelled by now: unshielded, its Cancelled would take the place of whatever
        # error ends the server, and nobody would hear of it.
        with trio.CancelScope(shield=True):
            for listener in (*self.tcp, *self.tls):
                await trio.aclose_forcefully(listener)


@asynccontextmanager
async def _bind(plan: Plan, network: Network) -> AsyncIterator[Bound]:
    """Bind every address, or none: nothing is served when one of them is taken."""
    bound = Bound()
    try:
        for address in plan.udp:
            bound.udp.append(UdpTransport(await network.udp(address), network))
        for address in plan.tcp:
            bound.tcp.append(await network.listen_tcp(address))
        for address in plan.tls:
            bound.tls.append(await network.listen_tcp(address))
        yield bound
    finally:
        await bound.close()


def _listen(nest: Nest, bound: Bound, tree: Supervisor, streams: StreamTransport) -> None:
    """Start a listener on each bound socket without TLS."""
    board, courier = tree.switchboard.ref, tree.services.courier
    for transport in bound.udp:
        box = listener_mailbox("udp", transport.local)
        tree.bound("udp", transport.local)
        nest.start_made(box, partial(UdpListener, box, transport, board, courier), policy=Policy.RESTART)
    _listen_for_streams(nest, "tcp", bound.tcp, tree, streams)


def _listen_for_streams(
    nest: Nest, kind: str, listeners: list[Listener], tree: Supervisor, streams: StreamTransport
) -> None:
    for listener in listeners:
        box = listener_mailbox(kind, listener.local)
        tree.bound(kind, listener.local)
        courier = tree.services.courier
        nest.start_made(box, partial(StreamListener, box, listener, streams, courier), policy=Policy.RESTART)


def _tell_too_old(herald: Herald, domains: DomainDirectory, error: TlsTooOld) -> None:
    """A client was refused for its version of TLS: the account of the domain that it asked for is told (32222)."""
    domain = domains.find(error.server_name) if error.server_name is not None else None
    if domain is not None:
        herald.alert(32222, str(error), domain=domain.sid, account=domain.account_sid)
