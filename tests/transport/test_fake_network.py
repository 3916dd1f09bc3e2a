"""The fake network behaves as a network does, and the same for the same seed."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from offhook.testing.network import Conditions, FakeHost, FakeNetwork, Sent, lossy
from offhook.transport.errors import (
    AddressInUse,
    AddressUnavailable,
    ConnectRefused,
    NameLookupFailed,
    NameNotFound,
    Unreachable,
)
from offhook.transport.network import IPV6, Datagram, Network, Stream, UdpSocket

ONE, TWO = "10.0.0.1", "10.0.0.2"


def two_hosts(network: FakeNetwork) -> tuple[FakeHost, FakeHost]:
    return network.host(ONE, "fd00::1"), network.host(TWO, "fd00::2")


async def drain(sock: UdpSocket, seconds: float) -> list[tuple[float, bytes]]:
    """What arrives within some time, with its time of arrival."""
    began = trio.current_time()
    got: list[tuple[float, bytes]] = []
    with trio.move_on_after(seconds):
        while True:
            await sock.readable()
            while (datagram := sock.recv_nowait()) is not None:
                got.append((round(trio.current_time() - began, 6), datagram.data))
    return got


async def send_numbers(network: FakeNetwork, count: int) -> list[tuple[float, bytes]]:
    one, two = two_hosts(network)
    sender, receiver = await one.udp((ONE, 0)), await two.udp((TWO, 4000))
    for number in range(count):
        sender.send_nowait(b"%d" % number, (TWO, 4000))
    return await drain(receiver, 5)


async def connected(network: FakeNetwork) -> tuple[Stream, Stream]:
    one, two = two_hosts(network)
    listener = await two.listen_tcp((TWO, 5060))
    ours = await one.connect_tcp((TWO, 5060))
    return ours, await listener.accept()


def test_a_host_is_a_network() -> None:
    network: Network = FakeNetwork().host(ONE)
    assert network.source_for("192.0.2.7") == ONE


async def test_a_datagram_arrives_after_its_delay_with_both_addresses(autojump_clock: MockClock) -> None:
    network = FakeNetwork(conditions=Conditions(delay_s=0.25))
    one, two = two_hosts(network)
    sender, receiver = await one.udp((ONE, 0)), await two.udp((TWO, 4000))
    assert sender.send_nowait(b"ping", receiver.local)
    assert receiver.recv_nowait() is None
    began = trio.current_time()
    await receiver.readable()
    assert trio.current_time() - began == pytest.approx(0.25)
    assert receiver.recv_nowait() == Datagram(b"ping", sender.local, receiver.local)
    assert network.counts == {"datagrams": 1, "datagram_bytes": 4, "delivered": 1}


async def test_a_wildcard_socket_hears_every_address_of_its_family_and_answers_from_it(
    autojump_clock: MockClock,
) -> None:
    network = FakeNetwork()
    server, phone = network.host(ONE, "10.0.0.9", "fd00::1"), network.host(TWO, "fd00::2")
    four, six = await server.udp(("0.0.0.0", 5060)), await server.udp(("::", 5060))
    caller = await phone.udp((TWO, 5060))
    caller.send_nowait(b"a", ("10.0.0.9", 5060))
    asked = four.recv_nowait()
    assert asked is not None
    assert asked == Datagram(b"a", (TWO, 5060), ("10.0.0.9", 5060))
    four.send_nowait(b"b", asked.remote, asked.local[0])
    four.send_nowait(b"c", asked.remote)
    assert [(d.remote[0], d.data) for d in (caller.recv_nowait(), caller.recv_nowait()) if d] == [
        ("10.0.0.9", b"b"),
        (ONE, b"c"),
    ]
    six_caller = await phone.udp(("::", 0))
    six_caller.send_nowait(b"d", ("fd00::1", 5060))
    assert six.recv_nowait() == Datagram(b"d", ("fd00::2", six_caller.local[1]), ("fd00::1", 5060))


async def test_loopback_stays_inside_a_host(autojump_clock: MockClock) -> None:
    one, two = two_hosts(FakeNetwork())
    mine, theirs = await one.udp(("127.0.0.1", 9000)), await two.udp(("127.0.0.1", 9000))
    sender = await one.udp(("127.0.0.1", 0))
    sender.send_nowait(b"x", ("127.0.0.1", 9000))
    assert mine.recv_nowait() is not None
    assert theirs.recv_nowait() is None


async def test_the_same_seed_loses_the_same_datagrams(autojump_clock: MockClock) -> None:
    first = await send_numbers(lossy(3, loss=0.3, duplicate=0.2, reorder=0.2), 200)
    again = await send_numbers(lossy(3, loss=0.3, duplicate=0.2, reorder=0.2), 200)
    other = await send_numbers(lossy(4, loss=0.3, duplicate=0.2, reorder=0.2), 200)
    assert first == again != other
    numbers = [int(data) for _, data in first]
    assert 100 < len(set(numbers)) < 180
    assert len(numbers) > len(set(numbers))
    assert numbers != sorted(numbers)


async def test_every_fate_is_counted(autojump_clock: MockClock) -> None:
    network = lossy(1, loss=0.2, duplicate=0.2, reorder=0.2)
    taped: list[Sent] = []
    network.taps.append(taped.append)
    got = await send_numbers(network, 300)
    counts = network.counts
    assert counts["datagrams"] == len(taped) == 300
    assert counts["delivered"] + counts["lost"] + counts["duplicated"] + counts["late"] == 300
    assert len(got) == 300 - counts["lost"] + counts["duplicated"]


async def test_one_chosen_datagram_is_lost(autojump_clock: MockClock) -> None:
    network = FakeNetwork()
    network.lose(lambda sent: sent.data in (b"1", b"2"), times=2)
    network.lose(lambda sent: sent.data == b"4")
    assert [data for _, data in await send_numbers(network, 6)] == [b"0", b"3", b"5"]


async def test_links_have_conditions_of_their_own(autojump_clock: MockClock) -> None:
    network = FakeNetwork(conditions=Conditions(loss=1.0))
    network.link(ONE, TWO, Conditions(delay_s=1.0))
    assert await send_numbers(network, 2) == [(1.0, b"0"), (1.0, b"1")]


async def test_a_partition_swallows_datagrams_and_holds_streams(autojump_clock: MockClock) -> None:
    network = FakeNetwork()
    ours, theirs = await connected(network)
    network.partition(ONE, TWO)
    assert await send_numbers(network, 3) == []
    await ours.send_all(b"patience")
    with trio.move_on_after(60) as gave_up:
        await theirs.receive_some()
    assert gave_up.cancelled_caught
    network.heal(ONE, TWO)
    assert await theirs.receive_some() == b"patience"


async def test_a_connect_waits_for_a_partition_to_heal(autojump_clock: MockClock) -> None:
    network = FakeNetwork()
    one, two = two_hosts(network)
    await two.listen_tcp(("0.0.0.0", 80))
    network.partition(ONE, TWO)

    async def heal() -> None:
        await trio.sleep(30)
        network.heal()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(heal)
        stream = await one.connect_tcp((TWO, 80))
        assert trio.current_time() == pytest.approx(30)
        assert stream.local[0] == ONE


async def test_streams_carry_bytes_both_ways_with_delay_and_end_by_halves(autojump_clock: MockClock) -> None:
    network = FakeNetwork(conditions=Conditions(delay_s=0.1))
    ours, theirs = await connected(network)
    assert trio.current_time() == pytest.approx(0.2)
    assert (theirs.local, theirs.remote) == (ours.remote, ours.local)
    await ours.send_all(b"question")
    await ours.send_eof()
    assert await theirs.receive_some() == b"question"
    assert trio.current_time() == pytest.approx(0.3)
    assert await theirs.receive_some() == b""
    await theirs.send_all(b"answer")
    await theirs.aclose()
    assert await ours.receive_some(3) == b"ans"
    assert await ours.receive_some() == b"wer"
    assert await ours.receive_some() == b""
    with pytest.raises(trio.ClosedResourceError):
        await ours.send_all(b"after the end")


async def test_chunks_are_cut_as_asked(autojump_clock: MockClock) -> None:
    ours, theirs = await connected(FakeNetwork(stream_chunk=1))
    await ours.send_all(b"abc")
    assert [await theirs.receive_some() for _ in range(3)] == [b"a", b"b", b"c"]


async def test_a_full_window_holds_the_sender_until_the_peer_reads(autojump_clock: MockClock) -> None:
    ours, theirs = await connected(FakeNetwork(stream_window=10))
    with trio.move_on_after(5) as stuck:
        await ours.send_all(bytes(25))
    assert stuck.cancelled_caught
    assert len(await theirs.receive_some()) == 10
    await ours.wait_send_all_might_not_block()


async def test_writing_to_a_peer_that_has_gone_breaks(autojump_clock: MockClock) -> None:
    ours, theirs = await connected(FakeNetwork())
    await theirs.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await ours.send_all(b"x")


async def test_closing_wakes_our_own_reader_and_a_stuck_sender(autojump_clock: MockClock) -> None:
    ours, _ = await connected(FakeNetwork(stream_window=4))

    async def expect_closed(action: str) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await (ours.receive_some() if action == "read" else ours.send_all(bytes(9)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_closed, "read")
        nursery.start_soon(expect_closed, "write")
        await trio.testing.wait_all_tasks_blocked()
        await ours.aclose()


async def test_a_reset_breaks_both_ends_at_once(autojump_clock: MockClock) -> None:
    network = FakeNetwork()
    ours, theirs = await connected(network)
    assert len(network.open_streams) == 2
    assert network.reset((TWO, 5060)) == 1
    for end in (ours, theirs):
        with pytest.raises(trio.BrokenResourceError):
            await end.receive_some()
    assert network.open_streams == []
    assert network.reset((TWO, 5060)) == 0


async def test_refusals_black_holes_and_missing_machines(autojump_clock: MockClock) -> None:
    network = FakeNetwork()
    one, two = two_hosts(network)
    await two.listen_tcp((TWO, 80))
    with pytest.raises(ConnectRefused):
        await one.connect_tcp((TWO, 81))
    with pytest.raises(Unreachable, match="no route"):
        await one.connect_tcp(("10.9.9.9", 80))
    network.refuse((TWO, 80))
    with pytest.raises(ConnectRefused):
        await one.connect_tcp((TWO, 80))
    network.restore((TWO, 80))
    network.blackhole((TWO, 80))
    with trio.move_on_after(1000) as scope:
        await one.connect_tcp((TWO, 80))
    assert scope.cancelled_caught
    network.restore((TWO, 80))
    await one.connect_tcp((TWO, 80))


async def test_ports_are_taken_once_and_given_back(autojump_clock: MockClock) -> None:
    one, _ = two_hosts(FakeNetwork())
    sock = await one.udp(("0.0.0.0", 5060))
    with pytest.raises(AddressInUse, match=r"UDP 10\.0\.0\.1:5060"):
        await one.udp((ONE, 5060))
    await one.udp(("::", 5060))
    await one.listen_tcp((ONE, 5060))
    sock.close()
    await one.udp((ONE, 5060))
    with pytest.raises(AddressUnavailable, match="no such address"):
        await one.udp((TWO, 0))
    with pytest.raises(AddressUnavailable, match="not a numeric"):
        await one.listen_tcp(("localhost", 0))


async def test_a_full_receive_buffer_drops(autojump_clock: MockClock) -> None:
    one, two = two_hosts(FakeNetwork())
    receiver = await two.udp((TWO, 4000), receive_buffer_bytes=10)
    sender = await one.udp((ONE, 0))
    for _ in range(3):
        sender.send_nowait(b"12345", (TWO, 4000))
    assert receiver.dropped == 1
    with pytest.raises(Unreachable):
        sender.send_nowait(bytes(70_000), (TWO, 4000))
    with pytest.raises(Unreachable):
        sender.send_nowait(b"", ("two.example", 4000))


async def test_names_fail_hang_and_recover(autojump_clock: MockClock) -> None:
    network = FakeNetwork()
    one, _ = two_hosts(network)
    network.dns.delay_s = 0.5
    network.dns.address("pbx.example", TWO, "fd00::2")
    assert await one.lookup("PBX.example.", 5060) == [(TWO, 5060), ("fd00::2", 5060)]
    assert trio.current_time() == pytest.approx(0.5)
    assert await one.lookup("pbx.example", family=IPV6) == [("fd00::2", 0)]
    assert await one.lookup("localhost", 80) == [("127.0.0.1", 80), ("::1", 80)]
    with pytest.raises(NameNotFound):
        await one.lookup("nobody.example")
    network.dns.fail("pbx.example")
    with pytest.raises(NameLookupFailed):
        await one.lookup("pbx.example")
    network.dns.recover("pbx.example")
    network.dns.hang("pbx.example")
    with trio.move_on_after(99) as scope:
        await one.lookup("pbx.example")
    assert scope.cancelled_caught
    assert network.dns.asked["A pbx.example"] == 4
