"""A scripted phone: a user agent made of offhook's own stack, for tests and for the demo.

    async with open_phone(network, "10.0.0.2", name="alice") as phone:
        call = await phone.call("sip:100@acme.sip.test", username="alice", password="secret")
        await call.answered()
        await call.press("42#")
        await call.over()
        assert call.heard ...

It shares our parser, so it must never be the only judge of what we send (docs/architecture.md, "Tests").
"""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from ..actors.courier import Courier
from ..actors.dialog import LegActor
from ..actors.guard import Nest, open_nest
from ..actors.linger import Held, Linger, LingerMessage
from ..actors.listener import StreamListener, UdpListener, listener_mailbox
from ..actors.mailbox import Mailbox
from ..actors.media import CAPACITY as MEDIA_CAPACITY
from ..actors.media import MediaActor, RandomMediaIds
from ..actors.messages.call import CallMessage, LegNews
from ..actors.messages.leg import Incoming, LegOrder
from ..actors.messages.lifecycle import Stop
from ..actors.messages.media import MediaCommand, MediaPolicy
from ..actors.planes.beat import BeatPlane, PlaneActor
from ..actors.registry import Registry
from ..actors.router import NetworkInput
from ..media.plane import MediaIds
from ..sip.address import NameAddr
from ..sip.dialog.config import LegConfig
from ..sip.dialog.events import Credentials, Invite
from ..sip.dialog.leg import Leg
from ..sip.message import Request, Response
from ..sip.routing import hop_of
from ..sip.timers import Timers
from ..sip.transaction.key import server_key
from ..sip.uri import Uri
from ..transport.connections import Connections
from ..transport.flow import Flow, Received
from ..transport.network import Network
from ..transport.random_ids import RandomIds
from ..transport.resolve import Resolver
from ..transport.rtp import PortRange, RtpPorts
from ..transport.stream import StreamTransport
from .handset import Handset
from .ids import CountingIds
from .ladder import Seen
from .phone_call import PhoneCall
from .phone_line import PhoneBoard, PhoneTls, bound
from .registering import Exchange, Registration

__all__ = ["Phone", "PhoneCall", "Seen", "open_phone"]

RTP_PORTS: Final = "40000-48999"


@attrs.define(eq=False)
class Phone:
    """A user agent at one address."""

    name: str
    host: str
    courier: Courier
    registry: Registry
    linger: Linger
    plane: BeatPlane
    media_ids: MediaIds
    ids: RandomIds | CountingIds
    nest: Nest
    nursery: trio.Nursery
    timers: Timers
    ladder: list[Seen] = attrs.field(factory=list)
    """Every message that came or went, in order."""
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    rings: bool = True
    """Whether it takes calls; otherwise it is busy."""
    secure: bool = False
    """Whether its media is encrypted (SRTP), in calls it makes and takes; otherwise it is clear."""
    _count: int = 0
    _incoming: deque[PhoneCall] = attrs.field(factory=deque)
    _came: trio.Event = attrs.field(factory=trio.Event)

    async def called(self) -> PhoneCall:
        """The next call that comes in; nothing has been answered to it but 100."""
        while not self._incoming:
            self._came = trio.Event()
            await self._came.wait()
        return self._incoming.popleft()

    def take(self, request: Request, received: Received) -> bool:
        """An INVITE came in."""
        if not self.rings:
            return False
        self._count += 1
        config = LegConfig(
            contact=self.courier.contact_on(received.flow, self.name), timers=self.timers, server=f"{self.name}'s phone"
        )
        box, leg, media = self._parts(Leg.called(request, config, self.ids), (server_key(request),))
        self.registry.transactions[server_key(request)] = leg.mailbox.ref
        call = PhoneCall(leg, box, Handset(media.mailbox.ref, self.policy), invite=request)
        self.nest.start(leg)
        self.nest.start(media)
        self.nursery.start_soon(call.run)
        leg.mailbox.ref.post(Incoming(request, received.flow, received.at))
        self._incoming.append(call)
        self._came.set()
        return True

    def _parts(self, core: Leg, keys: tuple[Hashable, ...] = ()) -> tuple[Mailbox[CallMessage], LegActor, MediaActor]:
        """The actors of a call of ours, not yet started."""
        box: Mailbox[CallMessage] = Mailbox(f"{self.name}'s call {self._count}", 100_000)
        leg = LegActor(
            Mailbox(f"{self.name}'s leg {self._count}", 1024),
            core,
            lambda fact: box.ref.post(LegNews(fact)),
            self.courier,
            self.registry,
            self.linger,
            keys,
        )
        self.registry.add_leg(core.call_id, core.local_tag, leg.mailbox.ref)
        media_box: Mailbox[MediaCommand] = Mailbox(f"{self.name}'s media {self._count}", MEDIA_CAPACITY)
        return box, leg, MediaActor(media_box, self.plane, box.ref, self.media_ids)

    @property
    def policy(self) -> MediaPolicy:
        return MediaPolicy(
            bind_host=self.host,
            advertised_host=self.host,
            codecs=self.codecs,
            silent_after_s=None,
            secure=self.secure,
        )

    async def call(
        self,
        target: str,
        *,
        username: str | None = None,
        password: str = "",
        from_: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        via: str | None = None,
        offerless: bool = False,
        edit: Callable[[bytes], bytes] = lambda offer: offer,
    ) -> PhoneCall:
        """Send an INVITE to `target`; over `via` (a SIP URI of an outbound proxy) when given."""
        self._count += 1
        uri = Uri.parse(target)
        route = NameAddr(Uri.parse(f"{via};lr")) if via is not None else None
        hop = hop_of(Uri.parse(via) if via is not None else uri)
        config = LegConfig(
            contact=self.courier.contact_for(hop, self.name), timers=self.timers, server=f"{self.name}'s phone"
        )
        box, leg, media = self._parts(Leg.calling(config, self.ids))
        self.nest.start(leg)
        self.nest.start(media)
        call = PhoneCall(leg, box, Handset(media.mailbox.ref, self.policy))
        described = await call.handset.describe(None)
        self.nursery.start_soon(call.run)
        host = uri.host if ":" not in uri.host else f"[{uri.host}]"
        caller = from_ or f"sip:{username or self.name}@{host}"
        order = Invite(
            target=uri,
            from_=NameAddr(Uri.parse(caller)),
            body=None if offerless else edit(described),
            headers=headers,
            auth=Credentials(username, password) if username is not None else None,
            routes=(route,) if route is not None else (),
        )
        await leg.mailbox.ref.send(LegOrder(order))
        return call

    async def register(
        self,
        domain: str,
        *,
        username: str | None = None,
        password: str = "",
        user: str | None = None,
        via: str | None = None,
        transport: str = "udp",
        contact: str | None = None,
        params: str = "",
        expires: int | None = 3600,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Registration:
        """REGISTER with `domain` (a host name), over `via` (a SIP URI of the server or of a proxy) when given.

        The user registered is `user`, else `username`, else the phone's name. `params` goes behind the Contact
        (`;q=0.5`); a `contact` of your own replaces it whole, and an empty one only asks for the bindings.
        """
        over = f";transport={transport.lower()}" if transport.lower() != "udp" else ""
        uri = Uri.parse(f"sip:{domain}")
        proxy = Uri.parse(f"{via}{over}") if via is not None else None
        hop = hop_of(proxy if proxy is not None else Uri.parse(f"sip:{domain}{over}"))
        name = user or username or self.name
        registration = Registration(
            exchange=Exchange(self.courier, self.registry, self.linger, self.timers),
            ids=self.ids,
            domain=uri,
            aor=NameAddr(Uri.of(name, uri.host)),
            hop=hop,
            routes=(NameAddr(proxy.with_param("lr", None)),) if proxy is not None else (),
            contact=f"{self.courier.contact_for(hop, self.name)}{params}" if contact is None else contact,
            username=username or self.name,
            password=password,
            call_id=self.ids.call_id(),
            tag=self.ids.tag(),
            expires=expires,
            headers=headers,
        )
        await registration.send()
        return registration


@asynccontextmanager
async def open_phone(
    network: Network,
    host: str,
    *,
    name: str = "phone",
    port: int = 0,
    ids: RandomIds | CountingIds | None = None,
    media_ids: MediaIds | None = None,
    timers: Timers | None = None,
    codecs: tuple[str, ...] = ("PCMU", "PCMA"),
    rtp_ports: str = RTP_PORTS,
    tls: PhoneTls | None = None,
    secure: bool = False,
    watch: Callable[[Seen], None] = lambda seen: None,
) -> AsyncIterator[Phone]:
    """A phone that listens on UDP and TCP at `host`, and on TLS one port above when it is given its settings.

    Everything of it ends with the block. `secure`: its media is encrypted. `watch` is told of every message that
    comes or goes.
    """
    media_ids = media_ids or RandomMediaIds()
    registry = Registry()
    ladder: list[Seen] = []

    def note(sent: bool, message: Request | Response, flow: Flow) -> None:
        seen = Seen(trio.current_time(), sent, message, flow.transport)
        ladder.append(seen)
        watch(seen)

    phones: list[Phone] = []

    def take(request: Request, received: Received) -> bool:
        return bool(phones) and phones[0].take(request, received)

    board: Mailbox[NetworkInput] = Mailbox(f"{name}'s board", 4096)
    async with trio.open_nursery() as nursery:
        connections = Connections(network, board.ref.send, tls=None if tls is None else tls.clients)
        await nursery.start(connections.run)
        spoken = ("UDP", "TCP") if tls is None else ("UDP", "TCP", "TLS")
        courier = Courier(network, connections, Resolver(network, spoken), nursery)
        courier.watch = lambda message, data, flow: note(True, message, flow)
        async with (
            bound(network, host, port, secured=tls is not None) as (udp, tcp, tls_listener),
            open_nest(name) as nest,
        ):
            linger_box: Mailbox[LingerMessage] = Mailbox(f"{name}'s linger", 1024)
            linger = Linger(linger_box, courier, registry, Held())
            nest.start(linger)
            plane = BeatPlane(
                RtpPorts(network, PortRange.parse(rtp_ports)),
                media_ids,
                lambda: datetime.datetime.now(datetime.UTC).timestamp(),
            )
            plane_box: Mailbox[Stop] = Mailbox(f"{name}'s plane", 1)
            nest.start(PlaneActor(plane_box, plane))
            nest.start(UdpListener(listener_mailbox("udp", udp.local), udp, board.ref, courier))
            nest.start(StreamListener(listener_mailbox("tcp", tcp.local), tcp, StreamTransport(connections), courier))
            if tls is not None and tls_listener is not None:
                secured = StreamTransport(connections, tls.server)
                nest.start(StreamListener(listener_mailbox("tls", tls_listener.local), tls_listener, secured, courier))
            nest.start(PhoneBoard(board, registry, courier, f"{name}'s phone", note, take))
            while not courier.listening or (tls is not None and not courier.bound("TLS")):
                await trio.lowlevel.checkpoint()
            phone = Phone(
                name,
                host,
                courier,
                registry,
                linger,
                plane,
                media_ids,
                ids or RandomIds(),
                nest,
                nursery,
                timers or Timers(),
                ladder,
                codecs,
                secure=secure,
            )
            phones.append(phone)
            yield phone
        nursery.cancel_scope.cancel()
