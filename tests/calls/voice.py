"""An RTP endpoint that sends and takes exactly what a test says: no buffer, no lock on a source, no reports."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import attrs
import trio

from offhook.media import rtp
from offhook.media.g711 import PCMA, PCMU, Law
from offhook.media.rtp import RtpPacket
from offhook.sip.message import Message
from offhook.testing.network import FakeNetwork
from offhook.transport.network import Address, UdpSocket

FRAME = 160
"""Samples, and octets of G.711, in 20 ms."""


def sdp(
    address: Address,
    *,
    formats: Iterable[int] = (0, 101),
    direction: str = "sendrecv",
    version: int = 1,
    connection: str | None = None,
    port: int | None = None,
) -> bytes:
    """A description of an endpoint; `connection` and `port` stand in for what `address` says."""
    names = {0: "PCMU", 8: "PCMA"}
    types = list(formats)
    maps = "".join(f"a=rtpmap:{kind} {names.get(kind, 'telephone-event')}/8000\r\n" for kind in types)
    return (
        f"v=0\r\no=- 7 {version} IN IP4 {address[0]}\r\ns=-\r\nc=IN IP4 {connection or address[0]}\r\nt=0 0\r\n"
        f"m=audio {address[1] if port is None else port} RTP/AVP {' '.join(map(str, types))}\r\n{maps}a={direction}\r\n"
    ).encode()


def media_of(message: Message) -> Address:
    """Where a description wants its RTP."""
    lines = message.body.decode().split("\r\n")
    [host] = [line.split()[-1] for line in lines if line.startswith("c=")]
    [port] = [int(line.split()[1]) for line in lines if line.startswith("m=audio")]
    return host, port


def direction_of(body: bytes) -> str:
    """The direction attribute of a description."""
    [found] = {b"sendrecv", b"sendonly", b"recvonly", b"inactive"} & {
        line.removeprefix(b"a=") for line in body.split(b"\r\n")
    }
    return found.decode()


@attrs.define(eq=False)
class Voice:
    """One socket. What came lies in `packets`, with the trio seconds at which it came."""

    address: Address
    _socket: UdpSocket
    ssrc: int
    packets: list[tuple[float, RtpPacket]] = attrs.field(factory=list)
    _sequence: int = 1000
    _timestamp: int = 50_000

    async def say(self, samples: bytes, to: Address, law: Law = PCMU) -> None:
        """Send samples in packets of 20 ms, at their pace."""
        octets = law.encode(samples)
        for start in range(0, len(octets) - FRAME + 1, FRAME):
            self.send(law.payload_type, octets[start : start + FRAME], to)
            await trio.sleep(0.02)

    def send(self, payload_type: int, payload: bytes, to: Address, *, marker: bool = False, step: int = FRAME) -> None:
        """One packet; `step` is what the timestamp grows by after it."""
        packet = RtpPacket(payload_type, self._sequence, self._timestamp, self.ssrc, payload, marker)
        self._sequence, self._timestamp = self._sequence + 1, self._timestamp + step
        assert self._socket.send_nowait(rtp.build(packet), to)

    def since(self, moment: float) -> list[RtpPacket]:
        """What has come since then."""
        return [packet for at, packet in self.packets if at >= moment]

    def heard(self, moment: float = 0.0) -> bytes:
        """The audio that has come since then, in order; both laws."""
        laws = {law.payload_type: law for law in (PCMU, PCMA)}
        return b"".join(
            laws[packet.payload_type].decode(packet.payload)
            for packet in self.since(moment)
            if packet.payload_type in laws
        )

    async def run(self) -> None:
        while True:
            await self._socket.readable()
            while (datagram := self._socket.recv_nowait()) is not None:
                self.packets.append((trio.current_time(), rtp.parse(datagram.data)))


_SSRCS = itertools.count(0xB0B0)


@asynccontextmanager
async def voice(network: FakeNetwork, host: str, port: int) -> AsyncIterator[Voice]:
    socket = await network.host(host).udp((host, port))
    made = Voice((host, port), socket, next(_SSRCS))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        yield made
        nursery.cancel_scope.cancel()
    socket.close()
