"""A SIP peer that says exactly what a test writes: no transactions, no timers, no answer of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import trio

from offhook.sip.framing import StreamFramer
from offhook.sip.message import Request, Response
from offhook.sip.parse import Limits, parse_datagram
from offhook.testing.network import FakeNetwork
from offhook.transport.network import UdpSocket

from .kit import HOST, PHONE, SERVER

PORT = 5070
NO_LIMIT = Limits(1 << 20, 10_000)
SDP = (
    f"v=0\r\no=- 1 1 IN IP4 {PHONE}\r\ns=-\r\nc=IN IP4 {PHONE}\r\nt=0 0\r\n"
    "m=audio 39000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
).encode()


@attrs.define(eq=False)
class Peer:
    """At 10.0.0.2:5070. What it got lies in `inbox`, with the trio seconds at which it came."""

    transport: str
    _send: Callable[[bytes], None]
    inbox: list[tuple[float, Request | Response]] = attrs.field(factory=list)
    _taken: int = 0
    _arrived: trio.Event = attrs.field(factory=trio.Event)

    # --- what it says ----------------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        *,
        call_id: str = "c1",
        branch: str = "z9hG4bK-1",
        cseq: int = 1,
        tag: str = "peer",
        to_tag: str | None = None,
        uri: str = f"sip:100@{HOST}",
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
        port: int = PORT,
    ) -> Request:
        """Send a request, and give it back."""
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport} {PHONE}:{PORT};rport;branch={branch}",
            "Max-Forwards: 70",
            f"From: <sip:peer@{HOST}>;tag={tag}",
            f"To: <sip:100@{HOST}>" + (f";tag={to_tag}" if to_tag is not None else ""),
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:peer@{PHONE}:{port};transport={self.transport.lower()}>",
            *(f"{name}: {value}" for name, value in headers),
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        data = "\r\n".join([*lines, "", ""]).encode() + body
        self._send(data)
        request = parse_datagram(data, NO_LIMIT)
        assert isinstance(request, Request)
        return request

    def invite(
        self,
        *,
        branch: str = "z9hG4bK-1",
        cseq: int = 1,
        to_tag: str | None = None,
        body: bytes = SDP,
        headers: tuple[tuple[str, str], ...] = (),
        port: int = PORT,
    ) -> Request:
        return self.request("INVITE", branch=branch, cseq=cseq, to_tag=to_tag, body=body, headers=headers, port=port)

    def ack(self, answer: Response, body: bytes = b"") -> None:
        """Acknowledge a 200, in a transaction of its own."""
        number = answer.cseq.number
        self.request("ACK", branch=f"z9hG4bK-ack-{number}", cseq=number, to_tag=answer.to_tag, body=body)

    def cancel(self, invite: Request) -> None:
        self.request(
            "CANCEL", branch=invite.via.branch or "", cseq=invite.cseq.number, call_id=invite.call_id, tag="peer"
        )

    def bye(self, answer: Response, cseq: int = 9) -> None:
        self.request("BYE", branch=f"z9hG4bK-bye-{cseq}", cseq=cseq, to_tag=answer.to_tag)

    def respond(
        self,
        request: Request,
        status: int = 200,
        *,
        tag: str | None = None,
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answer a request of the server's; `tag` goes to a To that has none, as that of the fork which answers."""
        kept = [(name, value) for name, value in request.headers if name in ("Via", "From", "To", "Call-ID", "CSeq")]
        if tag is not None and request.to_tag is None:
            kept = [(name, f"{value};tag={tag}" if name == "To" else value) for name, value in kept]
        lines = [
            f"SIP/2.0 {status} Fine",
            *(f"{name}: {value}" for name, value in (*kept, *headers)),
            *(
                [f"Contact: <sip:{tag or 'peer'}@{PHONE}:{PORT}>"]
                if request.method == "INVITE" and status > 100
                else []
            ),
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._send("\r\n".join([*lines, "", ""]).encode() + body)

    # --- what it hears ---------------------------------------------------------------------------------------

    def take_in(self, message: Request | Response) -> None:
        self.inbox.append((trio.current_time(), message))
        self._arrived.set()
        self._arrived = trio.Event()

    async def response(self, status: int, method: str = "INVITE") -> Response:
        """The next response that is no other than this one, 100 and 180 aside."""
        while True:
            message = await self._next()
            if isinstance(message, Response) and (message.status == status or message.status not in (100, 180)):
                assert (message.status, message.cseq.method) == (status, method), message.status
                return message

    def skip(self) -> None:
        """What has come so far is not asked for any more."""
        self._taken = len(self.inbox)

    async def asked(self, method: str) -> Request:
        """The next request, which is a `method`; responses before it are passed over."""
        request = await self.asked_any()
        assert request.method == method
        return request

    async def asked_any(self) -> Request:
        """The next request, whatever it is; responses before it are passed over."""
        while True:
            message = await self._next()
            if isinstance(message, Request):
                return message

    async def _next(self) -> Request | Response:
        with trio.fail_after(200):
            while self._taken == len(self.inbox):
                await self._arrived.wait()
        self._taken += 1
        return self.inbox[self._taken - 1][1]

    def statuses(self, method: str = "INVITE") -> list[int]:
        """Statuses of all responses so far to requests of that method."""
        return [
            message.status
            for _, message in self.inbox
            if isinstance(message, Response) and message.cseq.method == method
        ]

    async def up(self) -> Response:
        """Call, and acknowledge the answer; gives the 200."""
        self.invite()
        answer = await self.response(200)
        self.ack(answer)
        return answer


async def _read_datagrams(socket: UdpSocket, peer: Peer) -> None:
    while True:
        await socket.readable()
        while (datagram := socket.recv_nowait()) is not None:
            peer.take_in(parse_datagram(datagram.data))


async def _read_stream(stream: trio.abc.Stream, peer: Peer) -> None:
    framer = StreamFramer()
    while data := await stream.receive_some(65_536):
        for message in framer.feed(bytes(data)):
            if isinstance(message, Request | Response):
                peer.take_in(message)


@asynccontextmanager
async def udp_peer(network: FakeNetwork, port: int = PORT) -> AsyncIterator[Peer]:
    socket = await network.host(PHONE).udp((PHONE, port))
    peer = Peer("UDP", lambda data: _post(socket, data))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_read_datagrams, socket, peer)
        yield peer
        nursery.cancel_scope.cancel()
    socket.close()


def _post(socket: UdpSocket, data: bytes) -> None:
    assert socket.send_nowait(data, (SERVER, 5060))


@asynccontextmanager
async def tcp_peer(network: FakeNetwork) -> AsyncIterator[Peer]:
    stream = await network.host(PHONE).connect_tcp((SERVER, 5060))
    send, receive = trio.open_memory_channel[bytes](100)

    async def write() -> None:
        async for data in receive:
            await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        peer = Peer("TCP", send.send_nowait)
        nursery.start_soon(write)
        nursery.start_soon(_read_stream, stream, peer)
        yield peer
        nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(stream)


__all__ = ["PORT", "SDP", "Peer", "tcp_peer", "udp_peer"]
