"""One bound address: pumps what arrives to the switchboard."""

from __future__ import annotations

from typing import Final

import attrs

from ..sip.build import respond
from ..sip.message import Request
from ..sip.transaction.events import SendResponse
from ..transport.flow import Malformed, Received
from ..transport.network import Address, Listener
from ..transport.stream import StreamTransport
from ..transport.udp import UdpTransport
from .actor import Actor
from .courier import Courier
from .mailbox import Mailbox, Ref
from .messages.lifecycle import Stop
from .router import NetworkInput

RETRY_AFTER_S: Final = "1"
"""What a flooded switchboard asks for."""


@attrs.define(eq=False)
class UdpListener(Actor[Stop]):
    """Reads one UDP socket. What the switchboard has no room for is refused if it would start something, else dropped.

    The socket is bound before the actor exists, so a restart goes on with the same one.
    """

    transport: UdpTransport
    switchboard: Ref[NetworkInput]
    courier: Courier

    async def run(self) -> None:
        self.courier.add_udp(self.transport)
        await self.transport.run(self._deliver)
        self.mailbox.close()

    async def handle(self, message: Stop) -> None:
        """Nothing is told to a listener: it ends by cancellation."""

    def _deliver(self, message: Received | Malformed) -> bool:
        if self.switchboard.offer(message):
            return True
        if isinstance(message, Received) and isinstance(message.message, Request):
            request = message.message
            if request.method in ("INVITE", "REGISTER") and request.to_tag is None:
                response = respond(request, 503, headers=(("Retry-After", RETRY_AFTER_S),))
                self.courier.respond(SendResponse(response, message.flow))
        return False


@attrs.define(eq=False)
class StreamListener(Actor[Stop]):
    """Accepts connections at one address; each waits its turn at the switchboard, so TCP itself pushes back."""

    listener: Listener
    transport: StreamTransport
    courier: Courier

    async def run(self) -> None:
        self.courier.add_stream("TCP" if self.transport.tls is None else "TLS", self.listener.local)
        await self.transport.serve(self.listener)
        self.mailbox.close()

    async def handle(self, message: Stop) -> None:
        """Nothing is told to a listener: it ends by cancellation."""


def listener_mailbox(transport: str, bound: Address) -> Mailbox[Stop]:
    return Mailbox(f"{transport} listener {bound[0]}:{bound[1]}", 1)
