"""What the server sends as RTP, packet by packet: a network that writes it down on its way to the real one."""

from __future__ import annotations

from collections import defaultdict

import attrs
import numpy
import trio

from offhook.media import rtp
from offhook.media.errors import MediaError
from offhook.media.g711 import PCMU
from offhook.transport.network import (
    ANY_FAMILY,
    RECEIVE_BUFFER_BYTES,
    Address,
    Datagram,
    Listener,
    NaptrRecord,
    SrvRecord,
    Stream,
    UdpSocket,
)
from offhook.transport.trio_network import TrioNetwork, TrioUdpSocket

from .sound import Samples


@attrs.define(eq=False)
class TappedNetwork:
    """The machine's network; keeps the audio (PCMU) that was sent, by the port it was sent to."""

    plain: TrioNetwork = attrs.field(factory=TrioNetwork)
    _sent: dict[int, list[tuple[float, bytes]]] = attrs.field(factory=lambda: defaultdict(list))
    """Trio's time and the samples of each packet."""

    def ports(self) -> set[int]:
        """Where audio has gone to."""
        return set(self._sent)

    def audio(self, port: int, begin: float, end: float) -> Samples:
        """What went to this port between two moments of trio's clock."""
        data = b"".join(samples for at, samples in self._sent[port] if begin <= at < end)
        return numpy.frombuffer(data, "<i2").astype(numpy.float64) / 32768

    def sizes(self, port: int, begin: float, end: float) -> set[int]:
        """Octets of the payloads that went to this port between two moments, with what SRTP has put behind them."""
        return {len(samples) // 2 for at, samples in self._sent[port] if begin <= at < end}

    def note(self, data: bytes, remote: Address) -> None:
        if rtp.is_rtcp(data):
            return
        try:
            packet = rtp.parse(data)
        except MediaError:
            return  # SIP
        if packet.payload_type == PCMU.payload_type:
            self._sent[remote[1]].append((trio.current_time(), PCMU.decode(packet.payload)))

    async def udp(
        self, address: Address, *, receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES, max_datagram: int = 65_535
    ) -> UdpSocket:
        socket = await self.plain.udp(address, receive_buffer_bytes=receive_buffer_bytes, max_datagram=max_datagram)
        return TappedSocket(socket, self)

    async def listen_tcp(self, address: Address) -> Listener:
        return await self.plain.listen_tcp(address)

    async def connect_tcp(self, address: Address, local: str | None = None) -> Stream:
        return await self.plain.connect_tcp(address, local)

    async def lookup(self, host: str, port: int = 0, *, family: int = ANY_FAMILY) -> list[Address]:
        return await self.plain.lookup(host, port, family=family)

    async def srv(self, name: str) -> list[SrvRecord]:
        return await self.plain.srv(name)

    async def naptr(self, name: str) -> list[NaptrRecord]:
        return await self.plain.naptr(name)

    def source_for(self, remote: str) -> str:
        return self.plain.source_for(remote)


@attrs.define(eq=False)
class TappedSocket:
    """A `UdpSocket` whose network is told what it sends."""

    plain: TrioUdpSocket
    network: TappedNetwork

    @property
    def local(self) -> Address:
        return self.plain.local

    def fileno(self) -> int:
        return self.plain.fileno()

    def recv_nowait(self) -> Datagram | None:
        return self.plain.recv_nowait()

    def send_nowait(self, data: bytes, remote: Address, source: str | None = None) -> bool:
        self.network.note(data, remote)
        return self.plain.send_nowait(data, remote, source)

    async def readable(self) -> None:
        await self.plain.readable()

    def close(self) -> None:
        self.plain.close()
