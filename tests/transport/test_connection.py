"""One stream connection: framing, keep-alive, time limits, the bounded writer, and its ends."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from offhook.sip.build import respond
from offhook.sip.framing import StreamFramer
from offhook.sip.message import Request, Response
from offhook.sip.render import render
from offhook.testing.network import FakeNetwork
from offhook.transport.connection import StreamSettings
from offhook.transport.errors import ConnectionLost, TransportError, WriterStuck
from offhook.transport.flow import Received

from .sample import options
from .stream_bench import StreamBench, read_all, stream_bench

VIA = "SIP/2.0/TCP 10.0.0.2:5060;branch=z9hG4bK1"


def message(call_id: str, body: bytes = b"") -> bytes:
    return options(via=VIA, call_id=call_id, body=body)


def flow_of(bench: StreamBench, at: int = 0) -> Received:
    arrival = bench.got[at]
    assert isinstance(arrival, Received)
    return arrival


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 16, 61, 257, 4096, None])
async def test_messages_come_whole_whatever_the_chunks(autojump_clock: MockClock, chunk: int | None) -> None:
    async with stream_bench(FakeNetwork(stream_chunk=chunk)) as it:
        stream = await it.connect()
        await stream.send_all(
            b"\r\n" + message("a", b"body\r\n\r\n") + message("b") + b"\r\n" + message("c", b"x" * 999)
        )
        await trio.testing.wait_all_tasks_blocked()
        assert it.call_ids == ["a", "b", "c"]
        first = flow_of(it)
        assert first.message.body == b"body\r\n\r\n"
        assert first.flow.reliable
        assert (first.flow.transport, first.flow.local, first.flow.remote) == ("TCP", stream.remote, stream.local)


async def test_answers_go_back_over_the_same_connection(autojump_clock: MockClock) -> None:
    async with stream_bench() as it:
        stream = await it.connect()
        await stream.send_all(message("a"))
        await trio.testing.wait_all_tasks_blocked()
        request = flow_of(it).message
        assert isinstance(request, Request)
        flow_of(it).flow.send(render(respond(request, 200)))
        (answer,) = StreamFramer().feed(bytes(await stream.receive_some()))
        assert isinstance(answer, Response)
        assert answer.status == 200


async def test_a_ping_gets_one_crlf(autojump_clock: MockClock) -> None:
    async with stream_bench() as it:
        stream = await it.connect()
        await stream.send_all(b"\r\n\r\n")
        assert await stream.receive_some() == b"\r\n"
        await stream.send_all(b"\r\n\r\n" + message("a") + b"\r\n\r\n")
        assert await stream.receive_some() == b"\r\n"
        assert it.connections.counts.keepalives == 3


async def test_reading_stops_while_the_house_is_full(autojump_clock: MockClock) -> None:
    async with stream_bench(FakeNetwork(stream_window=1000)) as it:
        it.gate = trio.Event()
        stream = await it.connect()
        with trio.move_on_after(3600) as held_back:
            await stream.send_all(b"".join(message(str(number)) for number in range(200)))
        assert held_back.cancelled_caught
        it.gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert len(it.got) > 1
        assert it.closings == []  # the wait was ours, so the half message in hand is not late


async def test_a_malformed_message_costs_itself_only(autojump_clock: MockClock) -> None:
    async with stream_bench() as it:
        stream = await it.connect()
        bad = message("bad").replace(b"CSeq: 1 OPTIONS", b"CSeq: one OPTIONS")
        await stream.send_all(bad + message("good"))
        await trio.testing.wait_all_tasks_blocked()
        assert it.call_ids == ["good"]
        (malformed,) = it.malformed
        assert malformed.error.status == 400
        assert not malformed.answered
        assert malformed.flow.alive


async def test_a_broken_stream_is_answered_and_closed(autojump_clock: MockClock) -> None:
    async with stream_bench(settings=StreamSettings(answer_headers=(("Server", "offhook"),))) as it:
        stream = await it.connect()
        await stream.send_all(
            message("a") + message("b").replace(b"Content-Length: 0", b"Content-Length: many") + b"rest"
        )
        (answer,) = StreamFramer().feed(await read_all(stream))
        assert isinstance(answer, Response)
        assert (answer.status, answer.call_id, answer.headers.get("server")) == (400, "b", "offhook")
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert it.call_ids == ["a"]
        assert [malformed.answered for malformed in it.malformed] == [True]
        assert len(it.closings) == 1
        assert len(it.connections) == 0


async def test_what_came_before_rubbish_on_the_same_connection_is_still_answered(autojump_clock: MockClock) -> None:
    async with stream_bench() as it:
        stream = await it.connect()
        await stream.send_all(message("a") + b"rubbish\r\n\r\n")
        await trio.sleep(0.4)
        request = flow_of(it).message
        assert isinstance(request, Request)
        flow_of(it).flow.send(render(respond(request, 200)))
        (answer,) = StreamFramer().feed(await read_all(stream))
        assert isinstance(answer, Response)
        assert (answer.status, answer.call_id) == (200, "a")
        assert trio.current_time() == pytest.approx(0.5)


async def test_a_peer_that_never_closes_after_its_last_answer_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with stream_bench() as it:
        stream = await it.connect()
        await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        await trio.sleep(3)
        assert len(it.connections) == 0
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"more")


async def test_a_slow_message_is_cut_off(autojump_clock: MockClock) -> None:
    async with stream_bench(settings=StreamSettings(message_s=20)) as it:
        stream = await it.connect()
        await stream.send_all(message("a"))
        began = trio.current_time()

        async def trickle() -> None:
            for byte in message("b"):
                await stream.send_all(bytes([byte]))
                await trio.sleep(1)

        with pytest.raises(trio.BrokenResourceError):
            await trickle()
        assert 20 <= trio.current_time() - began <= 22
        await trio.testing.wait_all_tasks_blocked()
        assert it.call_ids == ["a"]
        (closed,) = it.closings
        assert isinstance(closed.error, ConnectionLost)
        assert "more than 20 s" in closed.error.reason


async def test_a_silent_stranger_is_closed_soon_and_not_reported(autojump_clock: MockClock) -> None:
    async with stream_bench(settings=StreamSettings(first_message_s=30)) as it:
        stream = await it.connect()
        assert await stream.receive_some() == b""
        assert trio.current_time() == pytest.approx(30)
        assert it.got == []


async def test_an_idle_connection_is_closed_unless_somebody_holds_it(autojump_clock: MockClock) -> None:
    async with stream_bench(settings=StreamSettings(idle_s=300)) as it:
        idle, held = await it.connect(), await it.connect()
        await idle.send_all(message("idle"))
        await trio.testing.wait_all_tasks_blocked()
        await held.send_all(message("held"))
        await trio.testing.wait_all_tasks_blocked()
        connection = flow_of(it, 1).flow.connection
        assert connection is not None
        connection.hold()
        assert await idle.receive_some() == b""
        assert trio.current_time() == pytest.approx(300)
        await trio.sleep(5000)
        assert not connection.closed
        connection.release()
        assert await held.receive_some() == b""
        assert trio.current_time() == pytest.approx(5300)
        await trio.testing.wait_all_tasks_blocked()
        assert [closed.error for closed in it.closings] == [None, None]


async def test_writing_counts_as_life(autojump_clock: MockClock) -> None:
    async with stream_bench(settings=StreamSettings(idle_s=300)) as it:
        stream = await it.connect()
        await stream.send_all(message("a"))
        await trio.sleep(200)
        flow_of(it).flow.send(b"NOTIFY")
        await trio.sleep(200)
        assert flow_of(it).flow.alive
        await trio.sleep(200)
        assert not flow_of(it).flow.alive


async def test_a_full_queue_closes_and_tells_those_who_wait(autojump_clock: MockClock) -> None:
    lost: list[TransportError] = []
    async with stream_bench(FakeNetwork(stream_window=1000), StreamSettings(max_queue=50_000)) as it:
        stream = await it.connect()
        await stream.send_all(message("a"))
        await trio.testing.wait_all_tasks_blocked()
        flow = flow_of(it).flow
        flow.send(bytes(30_000), lost.append)
        with pytest.raises(WriterStuck):
            flow.send(bytes(30_000))
        assert not flow.alive
        with pytest.raises(ConnectionLost):
            flow.send(b"more")
        await trio.testing.wait_all_tasks_blocked()
        assert [type(error) for error in lost] == [WriterStuck]
        assert it.connections.counts.stuck == 1


async def test_a_peer_that_stops_reading_is_given_ten_seconds(autojump_clock: MockClock) -> None:
    lost: list[TransportError] = []
    async with stream_bench(FakeNetwork(stream_window=20_000)) as it:
        stream = await it.connect()
        await stream.send_all(message("a"))
        await trio.testing.wait_all_tasks_blocked()
        flow = flow_of(it).flow
        flow.send(bytes(100_000), lost.append)
        for _ in range(2):  # a slow reader makes progress, so it stays
            await trio.sleep(8)
            await stream.receive_some(16_384)
        await trio.sleep(9)
        assert lost == []
        await trio.sleep(2)
        assert [type(error) for error in lost] == [WriterStuck]


async def test_a_large_message_arrives_whole_and_small_ones_in_order(autojump_clock: MockClock) -> None:
    async with stream_bench(FakeNetwork(stream_window=5000)) as it:
        stream = await it.connect()
        await stream.send_all(message("a"))
        await trio.testing.wait_all_tasks_blocked()
        flow = flow_of(it).flow
        sent = [b"%05d" % number for number in range(5000)] + [b"L" * 70_000, b"end"]
        for data in sent:
            flow.send(data)
        await stream.send_eof()
        assert await read_all(stream) == b"".join(sent)


async def test_a_reset_is_reported_to_recent_senders_only(autojump_clock: MockClock) -> None:
    old: list[TransportError] = []
    recent: list[TransportError] = []

    def broken(error: TransportError) -> None:
        raise RuntimeError("a bug in the one who is told")

    async with stream_bench() as it:
        stream = await it.connect()
        await stream.send_all(message("a"))
        await trio.testing.wait_all_tasks_blocked()
        flow = flow_of(it).flow
        flow.send(b"x", old.append)
        await trio.sleep(40)
        flow.send(b"y", broken)
        flow.send(b"z", recent.append)
        it.network.reset(stream.local)
        await trio.testing.wait_all_tasks_blocked()
        assert old == []
        assert [type(error) for error in recent] == [ConnectionLost]
        assert it.closings[0].error is recent[0]


async def test_a_fault_of_our_own_costs_one_message(autojump_clock: MockClock) -> None:
    async with stream_bench() as it:
        it.fault = RuntimeError("a bug")
        stream = await it.connect()
        await stream.send_all(message("a") + message("b"))
        await trio.testing.wait_all_tasks_blocked()
        assert it.call_ids == ["b"]
        assert it.connections.counts.faults == 1


async def test_closing_from_our_side_is_told_to_senders_and_seen_by_the_peer(autojump_clock: MockClock) -> None:
    lost: list[TransportError] = []
    async with stream_bench() as it:
        stream = await it.connect()
        await stream.send_all(message("a"))
        await trio.testing.wait_all_tasks_blocked()
        connection = flow_of(it).flow.connection
        assert connection is not None
        connection.send(b"x", lost.append)
        connection.close()
        assert await read_all(stream) in (b"", b"x")
        await trio.testing.wait_all_tasks_blocked()
        assert "from our side" in str(lost[0])
