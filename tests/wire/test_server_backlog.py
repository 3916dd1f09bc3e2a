"""A connection with a backlog writes it as fast as the peer takes it, not a piece a turn of the event loop."""

from __future__ import annotations

import pytest
import trio

from offhook.transport.connection import Arrival
from offhook.transport.connections import Connections
from offhook.transport.network import Stream
from offhook.transport.trio_network import TrioNetwork

pytestmark = pytest.mark.wire

MESSAGE = b"x" * 1000
BACKLOG = 1000
TURNS = 40
"""One for every piece of 16 KiB would be more than 60."""


async def test_a_backlog_needs_few_turns_of_the_event_loop() -> None:
    network = TrioNetwork()
    async with await network.listen_tcp(("127.0.0.1", 0)) as listener, trio.open_nursery() as nursery:
        connections = Connections(network, ignore)
        await nursery.start(connections.run)
        connection = await connections.open(listener.local)
        nursery.start_soon(drain, await listener.accept())
        for _ in range(BACKLOG):
            connection.send(MESSAGE)
        turns = 0
        with trio.fail_after(10):
            while connection.queued:
                await trio.lowlevel.checkpoint()
                turns += 1
        nursery.cancel_scope.cancel()
    assert turns < TURNS


async def ignore(arrival: Arrival) -> None:
    """Nothing of interest comes back."""


async def drain(peer: Stream) -> None:
    """Read until cancelled."""
    async with peer:
        while await peer.receive_some(1 << 20):
            pass
