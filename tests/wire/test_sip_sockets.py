"""SIP over real sockets on loopback: both transports, both families, and an end that does not lose the last answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from offhook.sip.build import respond
from offhook.sip.framing import StreamFramer
from offhook.sip.message import Request, Response
from offhook.sip.parse import parse_datagram
from offhook.sip.render import render
from offhook.transport.arrivals import reply_flow
from offhook.transport.connection import Arrival
from offhook.transport.connections import Connections
from offhook.transport.flow import FlowClosed, Malformed, Received
from offhook.transport.network import Address
from offhook.transport.stream import StreamTransport
from offhook.transport.trio_network import TrioNetwork
from offhook.transport.udp import UdpTransport

pytestmark = pytest.mark.wire


def options(via: str) -> bytes:
    return (
        f"OPTIONS sip:server SIP/2.0\r\nVia: SIP/2.0/{via};branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\n"
        "From: <sip:ann@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("bind", "host"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.3"), ("::1", "::1"), ("::", "::1")]
)
async def test_a_datagram_request_is_answered_from_where_it_was_sent_to(bind: str, host: str) -> None:
    network = TrioNetwork()
    server = UdpTransport(await network.udp((bind, 0)), network)
    phone = await network.udp(("::1" if ":" in host else "127.0.0.1", 0))

    def deliver(arrival: Received | Malformed) -> bool:
        assert isinstance(arrival, Received)
        assert isinstance(arrival.message, Request)
        response = respond(arrival.message, 200)
        reply_flow(response, arrival.flow).send(render(response))
        return True

    target: Address = (host, server.local[1])
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run, deliver)
            for _ in range(100):
                phone.send_nowait(options("UDP phone.example"), target)
                while (answer := phone.recv_nowait()) is None:
                    await phone.readable()
                assert answer.remote == target
                response = parse_datagram(answer.data)
                assert isinstance(response, Response)
                assert response.via.received == phone.local[0]
                assert response.via.rport == phone.local[1]
            server.socket.close()
    phone.close()
    assert server.counts.faults == 0


@asynccontextmanager
async def answering_server(host: str) -> AsyncIterator[tuple[Address, list[Arrival]]]:
    """A TCP server that answers every request with 200, and what it was told."""
    network = TrioNetwork()
    got: list[Arrival] = []

    async def deliver(arrival: Arrival) -> None:
        got.append(arrival)
        if isinstance(arrival, Received) and isinstance(arrival.message, Request):
            arrival.flow.send(render(respond(arrival.message, 200)))

    connections = Connections(network, deliver)
    listener = await network.listen_tcp((host, 0))
    async with listener, trio.open_nursery() as nursery:
        nursery.start_soon(StreamTransport(connections).serve, listener)
        with trio.fail_after(10):
            yield listener.local, got
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_stream_request_is_answered_on_its_connection(host: str) -> None:
    async with answering_server(host) as (address, got), await TrioNetwork().connect_tcp(address) as stream:
        await stream.send_all(b"\r\n\r\n" + options("TCP phone.example") * 50)
        framer = StreamFramer()
        answers: list[object] = []
        while sum(isinstance(item, Response) for item in answers) < 50:
            answers += framer.feed(bytes(await stream.receive_some()))
        assert len(got) == 50


async def test_two_servers_talk_over_one_connection_that_the_table_opened() -> None:
    network = TrioNetwork()
    got: list[Arrival] = []
    arrived = trio.Event()

    async def deliver(arrival: Arrival) -> None:
        got.append(arrival)
        arrived.set()

    async with answering_server("127.0.0.1") as (address, _), trio.open_nursery() as nursery:
        client = Connections(network, deliver)
        await nursery.start(client.run)
        connection = await client.open(address)
        connection.send(options("TCP client.example"))
        await arrived.wait()
        assert isinstance(got[0], Received)
        assert isinstance(got[0].message, Response)
        assert got[0].flow.connection is await client.open(address)
        nursery.cancel_scope.cancel()


async def test_the_last_answer_survives_the_close_behind_it() -> None:
    async with answering_server("127.0.0.1") as (address, got), await TrioNetwork().connect_tcp(address) as stream:
        broken = options("TCP phone.example").replace(b"Content-Length: 0", b"Content-Length: x")
        await stream.send_all(broken + b"unread " * 20_000)
        answer = b"".join([bytes(chunk) async for chunk in stream])
        assert answer.startswith(b"SIP/2.0 400 ")
    malformed = [arrival for arrival in got if isinstance(arrival, Malformed)]
    assert malformed[0].answered
    assert not any(isinstance(arrival, FlowClosed) for arrival in got)  # it never brought a message
