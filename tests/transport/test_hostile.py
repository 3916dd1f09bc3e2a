"""Strangers send rubbish: the listeners live on, and the next honest peer is served."""

from __future__ import annotations

import contextlib
import random

import trio
import trio.testing
from trio.testing import MockClock

from offhook.testing.network import FakeNetwork
from offhook.transport.connection import StreamSettings
from offhook.transport.flow import Malformed, Received
from offhook.transport.udp import UdpTransport

from .sample import ok, options
from .stream_bench import SERVER, stream_bench


def rubbish(seed: int, count: int) -> list[bytes]:
    """Bytes, broken messages, and messages run together."""
    draw = random.Random(seed)
    good = options(body=b"v=0\r\n") + ok()
    made = []
    for _ in range(count):
        data = bytearray(
            draw.choice((good, good * 3, draw.randbytes(draw.randrange(200)), b"\r\n" * draw.randrange(9)))
        )
        for _ in range(draw.randrange(4)):
            at = draw.randrange(len(data) + 1)
            data[at : at + draw.randrange(12)] = draw.choice(
                (b"", b"\r\n", b"\0\xff", b": ", b"9" * 12, b"\r\n\r\n", b"<")
            )
        made.append(bytes(data))
    return made


async def test_no_stream_of_bytes_ends_the_listener(autojump_clock: MockClock) -> None:
    network = FakeNetwork(stream_chunk=97)
    async with stream_bench(network, StreamSettings(max_connections=50)) as it:
        for data in rubbish(1, 300):
            stream = await it.connect()
            with contextlib.suppress(trio.BrokenResourceError):  # another stranger has been given its room
                await stream.send_all(data)
        await trio.testing.wait_all_tasks_blocked()
        assert len(it.connections) <= 50
        honest = await it.connect()
        await honest.send_all(options(via="SIP/2.0/TCP 10.0.0.2;branch=z9hG4bK1", call_id="honest"))
        await trio.testing.wait_all_tasks_blocked()
        assert it.call_ids[-1] == "honest"
        assert it.connections.counts.faults == 0


async def test_no_datagram_ends_the_reader(autojump_clock: MockClock) -> None:
    network = FakeNetwork()
    server, stranger = network.host(SERVER[0]), await network.host("10.0.0.2").udp(("10.0.0.2", 0))
    transport = UdpTransport(await server.udp(SERVER), server)
    got: list[Received | Malformed] = []

    def deliver(arrival: Received | Malformed) -> bool:
        got.append(arrival)
        return True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(transport.run, deliver)
        for data in rubbish(2, 500):
            stranger.send_nowait(data, SERVER)
        stranger.send_nowait(options(call_id="honest"), SERVER)
        await trio.testing.wait_all_tasks_blocked()
        transport.socket.close()
    assert isinstance(got[-1], Received)
    assert got[-1].message.call_id == "honest"
    assert transport.counts.faults == 0
    assert transport.counts.datagrams == 501
