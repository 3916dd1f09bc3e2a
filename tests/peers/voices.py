"""The voice of a phone whose signalling is SIPp's: it speaks RTP without a pause, and keeps every packet it hears."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from offhook.media import rtp

FRAME_S = 0.02
SAMPLES = 160
SILENCE = 0xFF


@attrs.define(eq=False)
class Voice:
    """Speaks PCMU: each frame holds its own number, so that what arrives tells what is missing."""

    socket: trio.socket.SocketType
    ssrc: int
    heard: list[rtp.RtpPacket] = attrs.field(factory=list)

    @property
    def port(self) -> int:
        port: int = self.socket.getsockname()[1]
        return port

    async def speaks(self, port: int) -> None:
        """For ever, to that port of 127.0.0.1."""
        begun = trio.current_time()
        for number in itertools.count():
            payload = number.to_bytes(4, "big").ljust(SAMPLES, bytes([SILENCE]))
            packet = rtp.build_plain(0, number & 0xFFFF, number * SAMPLES, self.ssrc, payload)
            await self.socket.sendto(packet, ("127.0.0.1", port))
            await trio.sleep_until(begun + (number + 1) * FRAME_S)

    async def listens(self) -> None:
        """For ever."""
        while True:
            self.heard.append(rtp.parse(await self.socket.recv(2048)))

    def numbers(self, since: int = 0) -> list[int]:
        """The numbers of the frames of the other voice, as they came; ringing and the like is none of its."""
        return [
            int.from_bytes(packet.payload[:4], "big")
            for packet in self.heard[since:]
            if packet.payload[4:] == bytes([SILENCE]) * (SAMPLES - 4) and packet.payload[:4] != bytes([SILENCE]) * 4
        ]


@asynccontextmanager
async def open_voice(ssrc: int) -> AsyncIterator[Voice]:
    """On a free port of 127.0.0.1; it listens while the block runs."""
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        await sock.bind(("127.0.0.1", 0))
        voice = Voice(sock, ssrc)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(voice.listens)
            yield voice
            nursery.cancel_scope.cancel()
