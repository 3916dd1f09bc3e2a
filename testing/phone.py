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
from ..actors.listener import TcpListener, UdpListener, listener_mailbox
from ..actors.mailbox import Mailbox, Ref, Reply
from ..actors.media import CAPACITY as MEDIA_CAPACITY
from ..actors.media import MediaActor, RandomMediaIds
from ..actors.messages.call import CallMessage, LegNews
from ..actors.messages.leg import Incoming, LegOrder
from ..actors.messages.lifecycle import Stop
from ..actors.messages.media import (
    LocalDescription,
    MakeOffer,
    MediaCommand,
    MediaPolicy,
    Prepare,
    Reoffer,
    Settle,
    Tap,
    Track,
)
from ..actors.planes.beat import BeatPlane, PlaneActor
from ..actors.registry import Registry
from ..actors.router import NetworkInput, Router
from ..media.errors import MediaError
from ..media.events import DigitHeard, Play, Played, SendDigits
from ..media.plane import MediaIds
from ..media.sinks import Ring
from ..media.sources import Source
from ..sip.address import NameAddr
from ..sip.dialog.config import LegConfig
from ..sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    CancelInvite,
    Cause,
    Credentials,
    Invite,
    LegAnswered,
    LegEnded,
    LegFact,
    LegOfferAnswered,
    LegOfferRefused,
    LegProgressed,
    LegRefused,
    LegReoffered,
    Offer,
    Refuse,
)
from ..sip.dialog.events import Ring as RingOrder
from ..sip.dialog.leg import Leg
from ..sip.message import Request, Response
from ..sip.routing import hop_of
from ..sip.timers import Timers
from ..sip.transaction.key import server_key
from ..sip.uri import Uri
from ..transport.connections import Connections
from ..transport.errors import AddressInUse
from ..transport.flow import Received
from ..transport.network import Listener, Network
from ..transport.random_ids import RandomIds
from ..transport.resolve import Resolver
from ..transport.rtp import PortRange, RtpPorts
from ..transport.stream import StreamTransport
from ..transport.udp import UdpTransport
from .ids import CountingIds
from .registering import Exchange, Registration

RTP_PORTS: Final = "40000-48999"
BIND_TRIES: Final = 10
HEARD_FRAMES: Final = 1_000_000
"""A call's worth of frames: nothing that a phone hears is dropped."""


@attrs.frozen
class Seen:
    """One step of a SIP ladder."""

    at: float
    """trio seconds."""
    sent: bool
    message: Request | Response

    def __str__(self) -> str:
        arrow = "->" if self.sent else "<-"
        message = self.message
        if isinstance(message, Request):
            return f"{arrow} {message.method} {message.request_uri}"
        return f"{arrow} {message.status} {message.reason}"


@attrs.define(eq=False)
class PhoneCall:
    """One call of a phone, seen from the person who holds it."""

    phone: Phone
    leg: LegActor
    mailbox: Mailbox[CallMessage]
    media: Ref[MediaCommand]
    progress: list[int] = attrs.field(factory=list)
    """Provisional answers, in order."""
    facts: list[LegFact] = attrs.field(factory=list)
    digits: list[DigitHeard] = attrs.field(factory=list)
    status: int | None = None
    """Of the refusal; 200 once answered."""
    cause: Cause | None = None
    """Why an answered or cancelled call ended."""
    invite: Request | None = None
    """Of a call that came in."""
    has_media: bool = False
    _described: bytes | None = None
    _early: bytes | None = None
    """The last answer to our first offer."""
    _ring: Ring = attrs.field(factory=lambda: Ring(capacity=HEARD_FRAMES))
    _answered: trio.Event = attrs.field(factory=trio.Event)
    _over: trio.Event = attrs.field(factory=trio.Event)
    _played: dict[str, trio.Event] = attrs.field(factory=dict)
    _settled: trio.Event = attrs.field(factory=trio.Event)

    # --- what a person does ----------------------------------------------------------------------------------

    async def ring(self, status: int = 180, *, early: bool = False) -> None:
        """Let a call that came in ring; `early`: with a session of ours, so that the caller hears what we `say`."""
        body = await self._describe() if early else None
        await self.leg.mailbox.ref.send(LegOrder(RingOrder(status, body)))

    async def pick_up(self, headers: tuple[tuple[str, str], ...] = ()) -> bool:
        """Answer a call that came in; False when it was over first."""
        await self.leg.mailbox.ref.send(LegOrder(Answer(await self._describe(), headers)))
        return await self.answered()

    async def decline(self, status: int = 486, headers: tuple[tuple[str, str], ...] = ()) -> None:
        await self.leg.mailbox.ref.send(LegOrder(Refuse(status, None, headers)))
        await self._over.wait()

    async def _describe(self) -> bytes:
        """Our answer to the caller's offer (or our offer, where it made none); made once."""
        if self._described is None:
            offer = self.invite.body or None if self.invite is not None else None
            described: LocalDescription = await self.media.ask(
                lambda reply: Prepare(offer, self.phone.policy, reply), 5.0
            )
            self._described = described.sdp
            self.has_media = True
            await self.media.send(Tap(self._ring, Track.INBOUND))
        return self._described

    async def answered(self) -> bool:
        """Wait until the far end picks up (True) or the call is over (False)."""
        await self._answered.wait()
        return self.status == 200

    async def over(self) -> None:
        await self._over.wait()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    async def say(self, source: Source) -> None:
        """Play something to the far end, to its end."""
        await self._play(Play(f"say-{len(self._played)}", source))

    async def press(self, digits: str) -> None:
        """Press keys; returns when they have been sent."""
        await self._play(SendDigits(f"press-{len(self._played)}", digits))

    async def _play(self, order: Play | SendDigits) -> None:
        done = self._played[order.id] = trio.Event()
        await self.media.send(order)
        await done.wait()

    async def hang_up(self, headers: tuple[tuple[str, str], ...] = ()) -> None:
        await self.leg.mailbox.ref.send(LegOrder(Bye(headers=headers)))
        await self._over.wait()

    async def cancel(self) -> None:
        await self.leg.mailbox.ref.send(LegOrder(CancelInvite()))
        await self._over.wait()

    async def reoffer(self, edit: Callable[[bytes], bytes]) -> LegFact:
        """Offer anew, after `edit` has changed our description (to hold, say); the answer or the refusal."""
        described = await self.media.ask(MakeOffer, 5.0)
        self._settled = trio.Event()
        await self.leg.mailbox.ref.send(LegOrder(Offer(edit(described.sdp))))
        await self._settled.wait()
        return self.facts[-1]

    def heard(self) -> bytes:
        """All that has been heard so far: 8 kHz, signed 16-bit, silence included."""
        return b"".join(self._ring._frames)

    async def hears(self, what: Callable[[bytes], bool]) -> bool:
        """Listen until `what` is true of all that was heard so far; False when the call ends first."""
        while not self.is_over:
            if what(self.heard()):
                return True
            await trio.sleep(0.1)
        return what(self.heard())

    # --- what happens to it ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carries the call; runs in the phone."""
        if self.has_media:
            await self.media.send(Tap(self._ring, Track.INBOUND))
        while True:
            message = await self.mailbox.receive()
            if isinstance(message, LegNews):
                self.facts.append(message.fact)
                await self._on_leg(message.fact)
            elif isinstance(message, Played):
                self._played[message.id].set()
            elif isinstance(message, DigitHeard):
                self.digits.append(message)

    async def _on_leg(self, fact: LegFact) -> None:
        match fact:
            case LegProgressed():
                self.progress.append(fact.status)
                await self._settle_once(fact.body)
            case LegAnswered():
                if fact.needs_answer:
                    await self._reoffered(fact.body)
                elif fact.body is not None:
                    await self._settle(fact.body)
                self.status = 200
                self._answered.set()
            case LegReoffered():
                await self._reoffered(fact.body)
            case LegOfferAnswered():
                await self._settle(fact.body)
                self._settled.set()
            case LegOfferRefused():
                self._settled.set()
            case LegRefused():
                self.status = fact.status
                self._end()
            case LegEnded():
                self.cause = fact.cause
                self._end()
            case _:
                pass

    async def _settle_once(self, answer: bytes | None) -> None:
        """Take an answer to our first offer, unless its early media has said the same."""
        if answer is not None and answer != self._early:
            self._early = answer
            await self._settle(answer)

    async def _settle(self, answer: bytes) -> None:
        settled: Reply[None] = Reply("settle")
        await self.media.send(Settle(answer, settled))
        await settled.wait(5.0)

    async def _reoffered(self, offer: bytes | None) -> None:
        command: Accept | Refuse
        try:
            described: LocalDescription = (
                await self.media.ask(MakeOffer, 5.0)
                if offer is None
                else await self.media.ask(lambda reply: Reoffer(offer, reply), 5.0)
            )
            command = Accept(described.sdp)
        except MediaError as error:
            command = Refuse(error.status)
        await self.leg.mailbox.ref.send(LegOrder(command))

    def _end(self) -> None:
        self.media.offer(Stop("over"))
        for event in (*self._played.values(), self._answered, self._settled, self._over):
            event.set()


@attrs.define(eq=False)
class PhoneBoard(Router):
    """Routes what comes to a phone, and lets it ring."""

    note: Callable[[bool, Request | Response], None]
    take: Callable[[Request, Received], bool]
    """Takes an INVITE from outside any dialog; False: the phone is not to be called."""

    async def handle(self, message: NetworkInput) -> None:
        if isinstance(message, Received):
            self.note(False, message.message)
        await super().handle(message)

    async def outside_dialog(self, request: Request, received: Received) -> None:
        if request.method != "INVITE":
            self.answer(request, received.flow, 405)
        elif not self.take(request, received):
            self.answer(request, received.flow, 486)


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
        call = PhoneCall(self, leg, box, media.mailbox.ref, invite=request)
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
        return MediaPolicy(bind_host=self.host, advertised_host=self.host, codecs=self.codecs, silent_after_s=None)

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
        described: LocalDescription = await media.mailbox.ref.ask(lambda reply: Prepare(None, self.policy, reply), 5.0)
        call = PhoneCall(self, leg, box, media.mailbox.ref)
        call.has_media = True
        self.nursery.start_soon(call.run)
        host = uri.host if ":" not in uri.host else f"[{uri.host}]"
        caller = from_ or f"sip:{username or self.name}@{host}"
        order = Invite(
            target=uri,
            from_=NameAddr(Uri.parse(caller)),
            body=None if offerless else edit(described.sdp),
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
        tcp = ";transport=tcp" if transport.lower() == "tcp" else ""
        uri = Uri.parse(f"sip:{domain}")
        proxy = Uri.parse(f"{via}{tcp}") if via is not None else None
        hop = hop_of(proxy if proxy is not None else Uri.parse(f"sip:{domain}{tcp}"))
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
    watch: Callable[[Seen], None] = lambda seen: None,
) -> AsyncIterator[Phone]:
    """A phone that listens on UDP and TCP at `host`; everything of it ends with the block.

    `watch` is told of every message that comes or goes.
    """
    media_ids = media_ids or RandomMediaIds()
    registry = Registry()
    ladder: list[Seen] = []

    def note(sent: bool, message: Request | Response) -> None:
        seen = Seen(trio.current_time(), sent, message)
        ladder.append(seen)
        watch(seen)

    phones: list[Phone] = []

    def take(request: Request, received: Received) -> bool:
        return bool(phones) and phones[0].take(request, received)

    board: Mailbox[NetworkInput] = Mailbox(f"{name}'s board", 4096)
    async with trio.open_nursery() as nursery:
        connections = Connections(network, board.ref.send)
        await nursery.start(connections.run)
        courier = Courier(network, connections, Resolver(network), nursery)
        courier.watch = lambda message, flow: note(True, message)
        async with _bound(network, host, port) as (udp, tcp), open_nest(name) as nest:
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
            nest.start(TcpListener(listener_mailbox("tcp", tcp.local), tcp, StreamTransport(connections), courier))
            nest.start(PhoneBoard(board, registry, courier, f"{name}'s phone", note, take))
            while not courier.listening:
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
            )
            phones.append(phone)
            yield phone
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _bound(network: Network, host: str, port: int) -> AsyncIterator[tuple[UdpTransport, Listener]]:
    """The sockets a phone listens on, of one port. They outlive its calls, which say BYE when they are cut off."""
    udp, tcp = await _bind(network, host, port)
    try:
        yield udp, tcp
    finally:
        udp.socket.close()
        await trio.aclose_forcefully(tcp)


async def _bind(network: Network, host: str, port: int) -> tuple[UdpTransport, Listener]:
    for left in reversed(range(BIND_TRIES)):
        udp = UdpTransport(await network.udp((host, port)), network)
        try:
            return udp, await network.listen_tcp((host, udp.local[1]))
        except AddressInUse:
            # A port that the system chose is free on UDP, but perhaps not on TCP.
            udp.socket.close()
            if port or not left:
                raise
        except BaseException:
            udp.socket.close()
            raise
    raise AssertionError("the last try returns or raises")
