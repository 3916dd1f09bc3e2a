"""The table of connections: reuse, one connect for many, room for new peers."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from offhook.testing.network import Conditions, FakeNetwork
from offhook.transport.connection import StreamConnection, StreamSettings
from offhook.transport.connections import Connections
from offhook.transport.errors import ConnectRefused, TransportError, Unreachable

from .sample import options
from .stream_bench import PHONE, stream_bench

TARGET = (PHONE, 5070)


def message(call_id: str = "a") -> bytes:
    return options(via=f"SIP/2.0/TCP {PHONE}:5070;branch=z9hG4bK1", call_id=call_id)


async def test_many_who_ask_at_once_share_one_connect(autojump_clock: MockClock) -> None:
    async with stream_bench(FakeNetwork(conditions=Conditions(delay_s=0.5))) as it:
        await it.phone.listen_tcp(TARGET)
        found: list[StreamConnection] = []

        async def ask() -> None:
            found.append(await it.connections.open(TARGET))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(ask)
        assert len(found) == 10
        assert len(set(map(id, found))) == 1
        assert it.network.counts["connects"] == 1
        assert it.connections.find(TARGET) is found[0]
        assert await it.connections.open(TARGET) is found[0]
        assert not found[0].accepted


async def test_one_who_gives_up_does_not_disturb_the_others(autojump_clock: MockClock) -> None:
    async with stream_bench(FakeNetwork(conditions=Conditions(delay_s=1.0))) as it:
        await it.phone.listen_tcp(TARGET)

        async def impatient() -> None:
            with trio.move_on_after(0.5):
                await it.connections.open(TARGET)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(impatient)
            connection = await it.connections.open(TARGET)
        assert not connection.closed
        assert it.network.counts["connects"] == 1


async def test_failures_reach_everybody_and_the_next_one_tries_anew(autojump_clock: MockClock) -> None:
    async with stream_bench() as it:
        refusals = 0

        async def ask() -> None:
            nonlocal refusals
            with pytest.raises(ConnectRefused):
                await it.connections.open(TARGET)
            refusals += 1

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
        assert refusals == 3
        await it.phone.listen_tcp(TARGET)
        assert not (await it.connections.open(TARGET)).closed


async def test_a_silent_address_is_given_five_seconds(autojump_clock: MockClock) -> None:
    async with stream_bench() as it:
        it.network.blackhole(TARGET)
        with pytest.raises(Unreachable, match="within 5 s"):
            await it.connections.open(TARGET)
        assert trio.current_time() == pytest.approx(5)


async def test_requests_reuse_the_peers_own_socket_but_never_a_port_it_only_names(autojump_clock: MockClock) -> None:
    async with stream_bench() as it:
        stream = await it.connect()
        via = f"SIP/2.0/TCP {PHONE}:5070;branch=z9hG4bK1;alias"
        await stream.send_all(options(via=via))
        await trio.testing.wait_all_tasks_blocked()
        reused = await it.connections.open(stream.local)
        assert reused.accepted
        assert it.connections.find(TARGET) is None
        with pytest.raises(ConnectRefused):
            await it.connections.open(TARGET)


async def test_a_lost_connection_is_replaced_and_reported_once(autojump_clock: MockClock) -> None:
    lost: list[TransportError] = []
    async with stream_bench() as it:
        listener = await it.phone.listen_tcp(TARGET)
        first = await it.connections.open(TARGET)
        first.send(message(), lost.append)
        theirs = await listener.accept()
        assert (await theirs.receive_some()).startswith(b"OPTIONS")
        it.network.reset(TARGET)
        await trio.testing.wait_all_tasks_blocked()
        assert len(lost) == 1
        assert [closed.flow for closed in it.closings] == [first.flow]
        second = await it.connections.open(TARGET)
        assert second is not first
        assert len(it.connections) == 1


async def test_the_longest_idle_makes_room_and_strangers_go_first(autojump_clock: MockClock) -> None:
    async with stream_bench(settings=StreamSettings(max_connections=3)) as it:
        streams = []
        for number in range(3):
            stream = await it.connect()
            if number != 1:
                await stream.send_all(message(str(number)))
            await trio.sleep(1)
            streams.append(stream)
        await it.connect()  # the one that never said anything goes
        assert await streams[1].receive_some() == b""
        fifth = await it.connect()  # then the fourth, as silent
        await fifth.send_all(message("5"))
        await trio.sleep(1)
        await it.connect()  # then the longest idle
        assert await streams[0].receive_some() == b""
        assert it.connections.counts.evicted == 3
        assert it.connections.counts.refused == 0


async def test_connections_that_are_held_stay_and_the_newcomer_is_refused(autojump_clock: MockClock) -> None:
    async with stream_bench(settings=StreamSettings(max_connections=2)) as it:
        await it.phone.listen_tcp(TARGET)
        (await it.connections.open(TARGET)).hold()
        stream = await it.connect()
        await trio.testing.wait_all_tasks_blocked()
        accepted = it.connections.find(stream.local)
        assert accepted is not None
        accepted.hold()
        newcomer = await it.connect()
        assert await newcomer.receive_some() == b""
        assert it.connections.counts.refused == 1
        with pytest.raises(Unreachable, match="all 2 connections are in use"):
            await it.connections.open((PHONE, 5099))


async def test_one_host_cannot_push_out_the_others(autojump_clock: MockClock) -> None:
    async with stream_bench(settings=StreamSettings(max_connections=10, max_per_host=2)) as it:
        other = it.network.host("10.0.0.3")
        quiet = await it.connect(other)
        await quiet.send_all(message("quiet"))
        await trio.sleep(1)
        for _ in range(5):
            await it.connect()
            await trio.sleep(1)
        assert len(it.connections) == 3
        assert it.connections.find(quiet.local) is not None


async def test_stopping_ends_those_who_wait(autojump_clock: MockClock) -> None:
    network = FakeNetwork()
    network.blackhole(TARGET)

    async def deliver(arrival: object) -> None:
        raise AssertionError("nothing can arrive")

    connections = Connections(network.host("10.0.0.1"), deliver)
    with pytest.raises(Unreachable, match="not running"):
        await connections.open(TARGET)

    async def ask() -> None:
        with pytest.raises(Unreachable, match="stopped"):
            await connections.open(TARGET)

    async with trio.open_nursery() as nursery, trio.open_nursery() as inner:
        await inner.start(connections.run)
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        inner.cancel_scope.cancel()


async def test_all_can_be_closed_at_once(autojump_clock: MockClock) -> None:
    async with stream_bench() as it:
        streams = [await it.connect() for _ in range(5)]
        await trio.testing.wait_all_tasks_blocked()
        it.connections.close_all()
        for stream in streams:
            assert await stream.receive_some() == b""
        await trio.testing.wait_all_tasks_blocked()
        assert len(it.connections) == 0
