"""Courier: which way a message leaves, and what becomes of one that cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from offhook.actors.courier import Courier
from offhook.actors.mailbox import Mailbox
from offhook.actors.messages.leg import LegMessage, TransmitFailed
from offhook.sip.build import request, respond
from offhook.sip.message import Request, Response
from offhook.sip.parse import parse_datagram
from offhook.sip.routing import Hop
from offhook.sip.transaction.events import SendRequest, SendResponse
from offhook.sip.via import Via
from offhook.testing.network import FakeNetwork
from offhook.transport.arrivals import stamp
from offhook.transport.connections import Connections
from offhook.transport.errors import AddressNotAllowed, ConnectionLost
from offhook.transport.flow import Flow
from offhook.transport.network import UdpSocket
from offhook.transport.policy import parse_networks
from offhook.transport.resolve import Resolver
from offhook.transport.udp import UdpTransport

US, PEER = "10.0.0.1", "10.0.0.2"


@attrs.define(eq=False)
class Desk:
    """A courier with a UDP socket, and a peer that listens on both transports."""

    network: FakeNetwork
    courier: Courier
    udp: UdpTransport
    peer: UdpSocket
    box: Mailbox[LegMessage]
    arrived: list[bytes]
    """What came to the peer over TCP."""

    async def next_datagram(self) -> bytes:
        await self.peer.readable()
        datagram = self.peer.recv_nowait()
        assert datagram is not None
        return datagram.data


@asynccontextmanager
async def desk(
    *, allowed: tuple[str, ...] = ("0.0.0.0/0",), tcp: bool = True, advertised: str | None = None
) -> AsyncIterator[Desk]:
    network = FakeNetwork(seed=1)
    ours, theirs = network.host(US), network.host(PEER)
    arrived: list[bytes] = []
    async with trio.open_nursery() as nursery:
        connections = Connections(ours, nobody_listens)
        await nursery.start(connections.run)
        courier = Courier(ours, connections, Resolver(ours, allowed=parse_networks(allowed)), nursery, advertised)
        udp = UdpTransport(await ours.udp((US, 5060)), ours)
        courier.add_udp(udp)
        courier.add_stream("TCP", (US, 5060))
        peer = await theirs.udp((PEER, 5060))
        if tcp:
            listener = await theirs.listen_tcp((PEER, 5060))

            async def accept() -> None:
                while True:
                    stream = await listener.accept()
                    while data := await stream.receive_some(65_536):
                        arrived.append(data)

            nursery.start_soon(accept)
        yield Desk(network, courier, udp, peer, Mailbox("leg", 8), arrived)
        nursery.cancel_scope.cancel()


def options(body: bytes = b"", branch: str = "z9hG4bKb1") -> Request:
    return request(
        "OPTIONS",
        f"sip:{PEER}",
        via=Via.parse(f"SIP/2.0/UDP placeholder.invalid;branch={branch}"),
        from_="<sip:us@example.com>;tag=1",
        to="<sip:them@example.com>",
        call_id="c1",
        cseq=1,
        body=body,
        content_type="text/plain" if body else None,
    )


def came_by(via: str) -> Request:
    """A request of the peer's with this Via, as it is after its arrival."""
    headers = options().headers.with_("Via", f"{via};branch=z9hG4bKx")
    return stamp(options().with_headers(headers), (PEER, 5060))


async def nobody_listens(message: object) -> None:
    """Takes what connections deliver."""


def out(message: Request, hop: Hop | None = None, flow: Flow | None = None) -> SendRequest:
    return SendRequest(message, hop or Hop(PEER, None, "UDP"), flow, message.via.branch or "")


async def test_a_small_request_leaves_as_a_datagram_with_our_address_in_the_via(autojump_clock: MockClock) -> None:
    async with desk() as it:
        it.courier.request(out(options()))
        sent = parse_datagram(await it.next_datagram())
        assert (sent.via.transport, sent.via.host, sent.via.port) == ("UDP", US, 5060)
        assert sent.via.branch == "z9hG4bKb1"
        assert sent.via.wants_rport


async def test_the_advertised_address_is_what_peers_are_told(autojump_clock: MockClock) -> None:
    async with desk(advertised="203.0.113.9") as it:
        it.courier.request(out(options()))
        sent = parse_datagram(await it.next_datagram())
        assert (sent.via.host, sent.via.port) == ("203.0.113.9", 5060)
        contact = it.courier.contact_for(Hop(PEER, None, "UDP"), "100")
        assert str(contact.uri) == "sip:100@203.0.113.9:5060"


async def test_a_large_request_goes_over_tcp(autojump_clock: MockClock) -> None:
    async with desk() as it:
        it.courier.request(out(options(b"x" * 1400)))
        await trio.sleep(1)
        assert b"SIP/2.0/TCP" in b"".join(it.arrived)
        assert it.peer.recv_nowait() is None


async def test_a_large_request_falls_back_to_a_datagram_where_nobody_takes_tcp(autojump_clock: MockClock) -> None:
    async with desk(tcp=False) as it:
        it.courier.request(out(options(b"x" * 1400)))
        sent = parse_datagram(await it.next_datagram())
        assert sent.via.transport == "UDP"


async def test_what_belongs_to_a_branch_takes_the_way_of_its_first_request(autojump_clock: MockClock) -> None:
    async with desk() as it:
        it.courier.request(out(options(b"x" * 1400)))
        await trio.sleep(1)
        it.arrived.clear()
        it.courier.request(out(options()))
        await trio.sleep(1)
        assert it.arrived
        assert it.peer.recv_nowait() is None


async def test_a_request_that_reaches_no_address_is_reported_with_its_branch(autojump_clock: MockClock) -> None:
    async with desk() as it:
        it.courier.request(out(options(), Hop("nowhere.example.com", None, "UDP")), it.box.ref)
        failed = await it.box.receive()
        assert isinstance(failed, TransmitFailed)
        assert failed.branch == "z9hG4bKb1"


async def test_who_is_called_by_a_connection_that_has_gone_is_called_nowhere_else(autojump_clock: MockClock) -> None:
    async with desk() as it:
        connection = await it.courier.connections.open((PEER, 5060))
        connection.close()
        await trio.testing.wait_all_tasks_blocked()
        assert not connection.flow.alive
        it.courier.request(out(options(), Hop(PEER, None, "TCP"), connection.flow), it.box.ref)
        failed = await it.box.receive()
        assert isinstance(failed, TransmitFailed)
        assert (failed.branch, type(failed.error)) == ("z9hG4bKb1", ConnectionLost)
        inside = options().with_headers(options().headers.with_("To", "<sip:them@example.com>;tag=2"))
        it.courier.request(out(inside, Hop(PEER, None, "TCP"), connection.flow), it.box.ref)
        await trio.testing.wait_all_tasks_blocked()
        assert [data.startswith(b"OPTIONS") for data in it.arrived] == [True]


async def test_an_address_outside_the_allowed_networks_gets_nothing(autojump_clock: MockClock) -> None:
    async with desk(allowed=("192.0.2.0/24",)) as it:
        it.courier.request(out(options()), it.box.ref)
        failed = await it.box.receive()
        assert isinstance(failed, TransmitFailed)
        assert isinstance(failed.error, AddressNotAllowed)
        assert it.peer.recv_nowait() is None


@pytest.mark.parametrize(("via", "port"), [(f"{PEER}:5090;rport", 5060), (f"{PEER}:5090", 5090)])
async def test_a_response_goes_to_the_source_port_only_where_rport_asks_for_it(
    autojump_clock: MockClock, via: str, port: int
) -> None:
    async with desk() as it:
        other = await it.network.host(PEER).udp((PEER, 5090))
        asked = stamp(
            options().with_headers(options().headers.with_("Via", f"SIP/2.0/UDP {via};branch=z9hG4bKx")), (PEER, 5060)
        )
        flow = Flow("UDP", (US, 5060), (PEER, 5060), port=it.udp)
        it.courier.respond(SendResponse(respond(asked, 200), flow))
        target = it.peer if port == 5060 else other
        await target.readable()
        datagram = target.recv_nowait()
        assert datagram is not None
        message = parse_datagram(datagram.data)
        assert isinstance(message, Response)
        assert message.status == 200


async def test_a_response_whose_connection_is_gone_opens_another_to_the_via(autojump_clock: MockClock) -> None:
    async with desk() as it:
        connection = await it.courier.connections.open((PEER, 5060))
        flow = connection.flow
        connection.close()
        await trio.sleep(1)
        it.arrived.clear()
        asked = stamp(
            options().with_headers(options().headers.with_("Via", f"SIP/2.0/TCP {PEER}:5060;branch=z9hG4bKx")),
            (PEER, 5060),
        )
        it.courier.respond(SendResponse(respond(asked, 200), flow))
        await trio.sleep(1)
        assert b"SIP/2.0 200 OK" in b"".join(it.arrived)
