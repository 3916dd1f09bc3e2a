"""Where a scripted phone meets the network: its two sockets of one port, and the board that routes what comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from ..actors.router import NetworkInput, Router
from ..sip.message import Request, Response
from ..transport.errors import AddressInUse
from ..transport.flow import Flow, Received
from ..transport.network import Listener, Network
from ..transport.tls import TlsClients, TlsServer
from ..transport.udp import UdpTransport

BIND_TRIES: Final = 10


@attrs.define(eq=False)
class PhoneBoard(Router):
    """Routes what comes to a phone, and lets it ring."""

    note: Callable[[bool, Request | Response, Flow], None]
    take: Callable[[Request, Received], bool]
    """Takes an INVITE from outside any dialog; False: the phone is not to be called."""

    async def handle(self, message: NetworkInput) -> None:
        if isinstance(message, Received):
            self.note(False, message.message, message.flow)
        await super().handle(message)

    async def outside_dialog(self, request: Request, received: Received) -> None:
        if request.method != "INVITE":
            self.answer(request, received.flow, 405)
        elif not self.take(request, received):
            self.answer(request, received.flow, 486)


@attrs.frozen
class PhoneTls:
    """What a phone that speaks TLS shows and demands."""

    server: TlsServer
    clients: TlsClients


@asynccontextmanager
async def bound(
    network: Network, host: str, port: int, *, secured: bool = False
) -> AsyncIterator[tuple[UdpTransport, Listener, Listener | None]]:
    """The sockets a phone listens on: UDP and TCP of one port, and where it is `secured` TLS one port above.

    They outlive its calls, which say BYE when they are cut off.
    """
    udp, tcp = await _bind(network, host, port)
    tls: Listener | None = None
    try:
        if secured:
            tls = await network.listen_tcp((host, port + 1 if port else 0))
        yield udp, tcp, tls
    finally:
        udp.socket.close()
        await trio.aclose_forcefully(tcp)
        if tls is not None:
            await trio.aclose_forcefully(tls)


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
