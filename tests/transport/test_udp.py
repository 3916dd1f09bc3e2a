"""SIP over UDP on the fake network: what is delivered, what is counted, and that nothing ends the reader."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from offhook.sip.build import respond
from offhook.sip.message import Request, Response
from offhook.sip.parse import parse_datagram
from offhook.sip.render import render
from offhook.testing.network import FakeNetwork
from offhook.transport.arrivals import reply_flow
from offhook.transport.errors import Unreachable
from offhook.transport.flow import Malformed, Received
from offhook.transport.network import Datagram, UdpSocket
from offhook.transport.udp import UdpTransport

from .sample import ok, options

SERVER, PHONE = ("10.0.0.1", 5060), ("10.0.0.2", 5060)


class Bench:
    """A transport on one host, a bare socket on the other."""

    def __init__(self, transport: UdpTransport, phone: UdpSocket) -> None:
        self.transport, self.phone = transport, phone
        self.got: list[Received | Malformed] = []
        self.room = True
        self.fault: Exception | None = None

    def deliver(self, arrival: Received | Malformed) -> bool:
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        self.got.append(arrival)
        return self.room

    async def send(self, *datagrams: bytes) -> None:
        for data in datagrams:
            self.phone.send_nowait(data, SERVER)
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def bench(bind: str = SERVER[0]) -> AsyncIterator[Bench]:
    network = FakeNetwork()
    server, phone = network.host(SERVER[0], "10.0.0.8"), network.host(PHONE[0])
    made = Bench(UdpTransport(await server.udp((bind, 5060)), server), await phone.udp(PHONE))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.transport.run, made.deliver)
        yield made
        made.transport.socket.close()  # and so the reader ends by itself


async def test_requests_and_responses_arrive_stamped_with_their_flow(autojump_clock: MockClock) -> None:
    async with bench() as it:
        await it.send(options(), ok())
        request, response = it.got
        assert isinstance(request, Received)
        assert isinstance(request.message, Request)
        assert isinstance(response, Received)
        assert isinstance(response.message, Response)
        assert (request.flow.transport, request.flow.local, request.flow.remote) == ("UDP", SERVER, PHONE)
        assert request.message.via.rport == 5060
        assert not request.flow.reliable


async def test_an_answer_leaves_from_the_address_that_was_spoken_to(autojump_clock: MockClock) -> None:
    async with bench("0.0.0.0") as it:
        it.phone.send_nowait(options(), ("10.0.0.8", 5060))
        await trio.testing.wait_all_tasks_blocked()
        (request,) = it.got
        assert isinstance(request, Received)
        assert isinstance(request.message, Request)
        response = respond(request.message, 200)
        reply_flow(response, request.flow).send(render(response))
        answer = it.phone.recv_nowait()
        assert answer is not None
        assert answer.remote == ("10.0.0.8", 5060)
        assert parse_datagram(answer.data) == response
        assert it.transport.counts.sent == 1


async def test_our_own_requests_know_their_local_address_on_a_wildcard(autojump_clock: MockClock) -> None:
    async with bench("0.0.0.0") as it:
        flow = it.transport.flow_to(PHONE)
        assert (flow.local, flow.remote) == (SERVER, PHONE)
        flow.send(b"hello")
        assert it.phone.recv_nowait() is not None
        with pytest.raises(Unreachable):
            it.transport.flow_to(("fd00::9", 5060))


async def test_everything_that_is_not_sip_is_counted_and_dropped(autojump_clock: MockClock) -> None:
    async with bench() as it:
        await it.send(b"\r\n\r\n", b"\0", b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), b"GET / HTTP/1.1\r\n\r\n")
        (malformed,) = it.got
        assert isinstance(malformed, Malformed)
        counts = it.transport.counts
        assert (counts.datagrams, counts.keepalives, counts.stun, counts.malformed) == (4, 2, 1, 1)


async def test_a_fault_of_our_own_costs_one_message(autojump_clock: MockClock) -> None:
    async with bench() as it:
        it.fault = RuntimeError("a bug")
        await it.send(options(call_id="first"), options(call_id="second"))
        assert [arrival.message.call_id for arrival in it.got if isinstance(arrival, Received)] == ["second"]
        assert it.transport.counts.faults == 1


async def test_what_finds_no_room_is_counted(autojump_clock: MockClock) -> None:
    async with bench() as it:
        it.room = False
        await it.send(*[options(call_id=str(number)) for number in range(100)])
        assert len(it.got) == 100
        assert it.transport.counts.overflowed == 100


class OutOfMemory:
    """A socket that the kernel cannot serve once."""

    def __init__(self, inner: UdpSocket) -> None:
        self.inner = inner
        self.failures = 1
        self.local = inner.local
        self.send_nowait, self.close, self.readable = inner.send_nowait, inner.close, inner.readable

    def recv_nowait(self) -> Datagram | None:
        if self.failures:
            self.failures -= 1
            raise OSError(12, "out of memory")
        return self.inner.recv_nowait()


async def test_a_failing_read_is_tried_again(autojump_clock: MockClock) -> None:
    async with bench() as it:
        await it.send()
        it.transport.socket = OutOfMemory(it.transport.socket)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.transport.run, it.deliver)
            it.phone.send_nowait(options(), SERVER)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        assert len(it.got) == 1
