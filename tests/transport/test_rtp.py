"""RTP port pairs: even and odd, at random, given back, and what happens when there are none."""

from __future__ import annotations

import socket

import pytest
import trio
from trio.testing import MockClock

from offhook.testing.network import FakeNetwork
from offhook.transport.errors import AddressUnavailable
from offhook.transport.rtp import COOLING_S, NoFreePorts, PortRange, Readiness, RtpPorts
from offhook.transport.trio_network import TrioNetwork, TrioUdpSocket


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("20000-20005", [20000, 20002, 20004]),
        ("20000-20004", [20000, 20002]),
        ("20001-20004", [20002]),
        ("20001 - 20003", [20002]),
        ("65534-65535", [65534]),
    ],
)
def test_a_range_holds_even_ports_with_the_odd_one_above(text: str, ports: list[int]) -> None:
    assert PortRange.parse(text).even_ports() == ports


@pytest.mark.parametrize("text", ["", "20000", "20000-", "a-b", "20001-20002", "30000-20000", "0-9", "1-65536", "-5-9"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="port"):
        PortRange.parse(text)


async def test_all_pairs_are_given_out_once_and_then_none(autojump_clock: MockClock) -> None:
    ports = RtpPorts(FakeNetwork().host("10.0.0.1"), PortRange(20_000, 20_009))
    pairs = [await ports.open("10.0.0.1") for _ in range(5)]
    assert sorted(pair.rtp.local[1] for pair in pairs) == [20_000, 20_002, 20_004, 20_006, 20_008]
    assert all(pair.rtcp.local[1] == pair.rtp.local[1] + 1 for pair in pairs)
    with pytest.raises(NoFreePorts, match="20000-20009"):
        await ports.open("10.0.0.1")
    pairs[3].close()
    pairs[3].close()
    assert (await ports.open("10.0.0.1")).rtp.local == pairs[3].rtp.local


async def test_each_address_has_its_own_ports_of_either_family(autojump_clock: MockClock) -> None:
    ports = RtpPorts(FakeNetwork().host("10.0.0.1", "2001:db8::1"), PortRange(20_000, 20_001))
    assert (await ports.open("10.0.0.1")).rtp.local == ("10.0.0.1", 20_000)
    assert (await ports.open("2001:db8::1")).rtcp.local == ("2001:db8::1", 20_001)


async def test_a_port_that_another_program_has_is_passed_over(autojump_clock: MockClock) -> None:
    host = FakeNetwork().host("10.0.0.1")
    theirs = await host.udp(("10.0.0.1", 20_001))
    ports = RtpPorts(host, PortRange(20_000, 20_003), lambda count: 0)
    pair = await ports.open("10.0.0.1")
    assert pair.rtp.local[1] == 20_002
    with pytest.raises(NoFreePorts):
        await ports.open("10.0.0.1")
    theirs.close()
    assert (await ports.open("10.0.0.1")).rtp.local[1] == 20_000


async def test_a_foreign_address_is_refused_and_costs_no_ports(autojump_clock: MockClock) -> None:
    ports = RtpPorts(FakeNetwork().host("10.0.0.1"), PortRange(20_000, 20_001))
    for _ in range(3):
        with pytest.raises(AddressUnavailable):
            await ports.open("10.9.9.9")


async def test_a_freed_pair_cools_before_it_serves_again(autojump_clock: MockClock) -> None:
    ports = RtpPorts(FakeNetwork().host("10.0.0.1"), PortRange(20_000, 20_003), lambda count: 0)
    first = await ports.open("10.0.0.1")
    port = first.rtp.local[1]
    first.close()
    other = await ports.open("10.0.0.1")
    assert other.rtp.local[1] != port
    await trio.sleep(COOLING_S)
    assert (await ports.open("10.0.0.1")).rtp.local[1] == port


@pytest.mark.wire
async def test_real_pairs_are_bound_and_what_arrives_is_ready() -> None:
    ports = RtpPorts(TrioNetwork(), PortRange(40_000, 49_999))
    one, other = await ports.open("127.0.0.1"), await ports.open("127.0.0.1")
    readiness: Readiness[str] = Readiness()
    readiness.add(one.rtp, "one")
    readiness.add(one.rtcp, "one's reports")
    other.rtp.send_nowait(b"hello", one.rtp.local)
    with trio.fail_after(5):
        await one.rtp.readable()
    assert "one" in readiness.ready()
    datagram = one.rtp.recv_nowait()
    assert datagram is not None
    assert datagram.data == b"hello"
    assert datagram.remote == other.rtp.local
    readiness.remove(one.rtp)
    readiness.remove(one.rtcp)
    assert readiness.ready() == []
    readiness.close()
    one.close()
    other.close()


class WatchedSocket(TrioUdpSocket):
    """A real socket that the kernel can watch for us."""

    def fileno(self) -> int:
        return self._socket.fileno()


def watched_socket() -> WatchedSocket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    return WatchedSocket(sock, 2048)


@pytest.mark.wire
async def test_many_sockets_are_waited_for_at_once_and_only_those_with_something_are_ready() -> None:
    sockets = [watched_socket() for _ in range(20)]
    readiness: Readiness[int] = Readiness()
    for number, one in enumerate(sockets):
        readiness.add(one, number)
    assert readiness.ready() == []
    sockets[0].send_nowait(b"hello", sockets[7].local)
    sockets[0].send_nowait(b"hello", sockets[9].local)
    with trio.fail_after(5):
        await readiness.wait()
    assert sorted(readiness.ready()) == [7, 9]  # loopback delivers within the call that sends
    assert sockets[7].recv_nowait() is not None
    assert readiness.ready() == [9]
    readiness.remove(sockets[9])
    assert readiness.ready() == []
    readiness.remove(sockets[9])
    with trio.move_on_after(0.05) as scope:
        await readiness.wait()
    assert scope.cancelled_caught
    for one in sockets:
        one.close()
    readiness.close()
    readiness.close()
