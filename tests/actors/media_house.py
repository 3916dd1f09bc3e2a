"""Media actors on a beat plane and a fake network, and a phone for them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import trio

from offhook.actors.guard import open_nest
from offhook.actors.mailbox import Mailbox, Reply
from offhook.actors.media import CAPACITY, MediaActor, RandomMediaIds
from offhook.actors.messages.lifecycle import Down
from offhook.actors.messages.media import (
    LocalDescription,
    MediaCommand,
    MediaEvent,
    MediaPolicy,
    Prepare,
    Reoffer,
    Settle,
)
from offhook.actors.planes.beat import BeatPlane
from offhook.actors.planes.disk import RecordingDisk
from offhook.media import rtp, sdp
from offhook.media.g711 import PCMU, Law
from offhook.media.rtp import RtpPacket
from offhook.testing.network import Conditions, FakeNetwork
from offhook.transport.network import UdpSocket
from offhook.transport.rtp import PortRange, RtpPorts

SERVER, PHONE, ADVERTISED = "10.0.0.1", "10.0.0.2", "203.0.113.9"
POLICY = MediaPolicy(bind_host=SERVER, advertised_host=ADVERTISED)


async def at_once(function: Callable[[], None], /) -> None:
    function()


@attrs.define(eq=False)
class House:
    """A plane on a fake network, and nests for media actors."""

    network: FakeNetwork
    plane: BeatPlane
    start: Callable[[], Media]


@attrs.define(eq=False)
class Media:
    """One media actor with its call's mailbox."""

    mailbox: Mailbox[MediaCommand]
    call: Mailbox[MediaEvent]
    actor: MediaActor
    downs: list[Down] = attrs.field(factory=list)
    ended: trio.Event = attrs.field(factory=trio.Event)

    def down(self, down: Down) -> None:
        self.downs.append(down)
        self.ended.set()

    async def prepare(self, offer: bytes | None, policy: MediaPolicy = POLICY) -> sdp.SessionDescription:
        def question(reply: Reply[LocalDescription]) -> Prepare:
            return Prepare(offer, policy, reply)

        return sdp.parse((await self.mailbox.ref.ask(question, within=5)).sdp)

    async def reoffer(self, offer: bytes) -> sdp.SessionDescription:
        def question(reply: Reply[LocalDescription]) -> Reoffer:
            return Reoffer(offer, reply)

        return sdp.parse((await self.mailbox.ref.ask(question, within=5)).sdp)

    async def settle(self, answer: bytes, offer: bytes | None = None) -> None:
        def question(reply: Reply[None]) -> Settle:
            return Settle(answer, reply, offer)

        await self.mailbox.ref.ask(question, within=5)

    async def tell(self, command: MediaCommand) -> None:
        await self.mailbox.ref.send(command)

    async def event(self, kind: type[MediaEvent]) -> MediaEvent:
        """The next event of that kind; others before it are dropped."""
        with trio.fail_after(120):
            while True:
                event = await self.call.receive()
                if isinstance(event, kind):
                    return event


@attrs.define(eq=False)
class Phone:
    """A peer with a port and an SDP of its own."""

    socket: UdpSocket
    law: Law = PCMU
    sequence: int = 0
    timestamp: int = 0
    heard: list[RtpPacket] = attrs.field(factory=list)

    def describe(
        self,
        *lines: str,
        host: str = PHONE,
        formats: str | None = None,
        port: int | None = None,
        profile: str = "RTP/AVP",
    ) -> bytes:
        port = self.socket.local[1] if port is None else port
        text = [
            "v=0",
            f"o=phone 1 1 IN IP4 {PHONE}",
            "s=-",
            f"c=IN IP4 {host}",
            "t=0 0",
            f"m=audio {port} {profile} {formats or self.law.payload_type} 101",
            "a=rtpmap:101 telephone-event/8000",
            *lines,
        ]
        return "".join(f"{line}\r\n" for line in text).encode()

    async def receive(self, count: int) -> list[RtpPacket]:
        fresh: list[RtpPacket] = []
        with trio.fail_after(60):
            while len(fresh) < count:
                datagram = self.socket.recv_nowait()
                if datagram is None:
                    await self.socket.readable()
                    continue
                fresh.append(rtp.parse(datagram.data))
        self.heard += fresh
        return fresh

    def drain(self) -> list[RtpPacket]:
        fresh = []
        while (datagram := self.socket.recv_nowait()) is not None:
            fresh.append(rtp.parse(datagram.data))
        return fresh

    def send(self, samples: bytes, port: int) -> None:
        payload = self.law.encode(samples)
        data = rtp.build_plain(self.law.payload_type, self.sequence, self.timestamp, 5, payload)
        self.sequence += 1
        self.timestamp += 160
        self.socket.send_nowait(data, (SERVER, port))


@asynccontextmanager
async def a_house(ports: str = "20000-20099", call_capacity: int = 256) -> AsyncIterator[House]:
    network = FakeNetwork(seed=1, conditions=Conditions(delay_s=0.003))
    rng = random.Random(1)
    ids = RandomMediaIds(rng)
    plane = BeatPlane(
        RtpPorts(network.host(SERVER), PortRange.parse(ports), rng.randrange),
        ids,
        unix_time=lambda: trio.current_time() + 1_700_000_000,
        disk=RecordingDisk(at_once),
    )
    async with trio.open_nursery() as nursery, open_nest("media") as nest:
        nursery.start_soon(plane.run)

        def start() -> Media:
            mailbox = Mailbox[MediaCommand]("media", CAPACITY)
            call = Mailbox[MediaEvent]("call", call_capacity)
            media = Media(mailbox, call, MediaActor(mailbox, plane, call.ref, ids))
            nest.start(media.actor, media.down)
            return media

        yield House(network, plane, start)
        nursery.cancel_scope.cancel()


async def a_phone(house: House, law: Law = PCMU, port: int = 4000) -> Phone:
    return Phone(await house.network.host(PHONE).udp((PHONE, port)), law)


def port_of(description: sdp.SessionDescription) -> int:
    return description.media[0].port
