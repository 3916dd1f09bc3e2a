"""A served TCP listener on the fake network, and what it delivered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from offhook.testing.network import FakeHost, FakeNetwork
from offhook.transport.connection import Arrival, StreamSettings
from offhook.transport.connections import Connections
from offhook.transport.flow import FlowClosed, Malformed, Received
from offhook.transport.network import Stream
from offhook.transport.stream import StreamTransport

SERVER = ("10.0.0.1", 5060)
PHONE = "10.0.0.2"


class StreamBench:
    """`deliver` keeps what comes; `gate` can hold it up, `fault` makes it fail once."""

    def __init__(self, network: FakeNetwork, settings: StreamSettings) -> None:
        self.network = network
        self.server, self.phone = network.host(SERVER[0]), network.host(PHONE)
        self.connections = Connections(self.server, self.deliver, settings)
        self.got: list[Arrival] = []
        self.gate: trio.Event | None = None
        self.fault: Exception | None = None

    async def deliver(self, arrival: Arrival) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        self.got.append(arrival)

    async def connect(self, host: FakeHost | None = None) -> Stream:
        return await (host or self.phone).connect_tcp(SERVER)

    @property
    def call_ids(self) -> list[str]:
        return [arrival.message.call_id for arrival in self.got if isinstance(arrival, Received)]

    @property
    def malformed(self) -> list[Malformed]:
        return [arrival for arrival in self.got if isinstance(arrival, Malformed)]

    @property
    def closings(self) -> list[FlowClosed]:
        return [arrival for arrival in self.got if isinstance(arrival, FlowClosed)]


@asynccontextmanager
async def stream_bench(
    network: FakeNetwork | None = None, settings: StreamSettings | None = None
) -> AsyncIterator[StreamBench]:
    bench = StreamBench(network or FakeNetwork(), settings or StreamSettings())
    listener = await bench.server.listen_tcp(SERVER)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(StreamTransport(bench.connections).serve, listener)
        await nursery.start(bench.connections.run)
        yield bench
        nursery.cancel_scope.cancel()


async def read_all(stream: Stream) -> bytes:
    """Everything until the peer closes."""
    return b"".join([bytes(chunk) async for chunk in stream])
