"""The real network on loopback, in real time: both address families, wildcards, errors that name the address."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from offhook.transport.errors import AddressInUse, AddressUnavailable, ConnectRefused, NameNotFound, Unreachable
from offhook.transport.network import IPV4, Address, Datagram, UdpSocket
from offhook.transport.trio_network import TrioNetwork, raise_file_limit

pytestmark = pytest.mark.wire

LOOPBACKS = ("127.0.0.1", "::1")


async def receive(sock: UdpSocket) -> Datagram:
    with trio.fail_after(5):
        while (datagram := sock.recv_nowait()) is None:
            await sock.readable()
    return datagram


@pytest.mark.parametrize("host", LOOPBACKS)
async def test_datagrams_go_there_and_back(host: str) -> None:
    network = TrioNetwork()
    one, two = await network.udp((host, 0)), await network.udp((host, 0))
    try:
        assert one.recv_nowait() is None
        assert one.send_nowait(b"ping", two.local)
        assert await receive(two) == Datagram(b"ping", one.local, two.local)
        assert two.send_nowait(b"x" * 60_000, one.local)
        assert (await receive(one)).data == b"x" * 60_000
    finally:
        one.close()
        two.close()


@pytest.mark.parametrize(("wildcard", "host"), [("0.0.0.0", "127.0.0.1"), ("0.0.0.0", "127.0.0.9"), ("::", "::1")])
async def test_a_wildcard_socket_knows_the_address_it_was_spoken_to_and_answers_from_it(
    wildcard: str, host: str
) -> None:
    network = TrioNetwork()
    server = await network.udp((wildcard, 0))
    phone = await network.udp(("::1" if host == "::1" else "127.0.0.1", 0))
    try:
        target: Address = (host, server.local[1])
        assert phone.send_nowait(b"ping", target)
        asked = await receive(server)
        assert asked == Datagram(b"ping", phone.local, target)
        assert server.send_nowait(b"pong", asked.remote, asked.local[0])
        assert await receive(phone) == Datagram(b"pong", target, phone.local)
    finally:
        server.close()
        phone.close()


async def test_wildcards_of_both_families_share_a_port() -> None:
    network = TrioNetwork()
    four = await network.udp(("0.0.0.0", 0))
    six = await network.udp(("::", four.local[1]))
    four.close()
    six.close()


async def test_a_datagram_never_waits_for_a_name_and_bad_targets_are_refused() -> None:
    sock = await TrioNetwork().udp(("127.0.0.1", 0))
    try:
        for target in (("localhost", 5060), ("::1", 5060), ("127.0.0.1", 0), ("127.0.0.1", 70_000)):
            with pytest.raises(Unreachable):
                sock.send_nowait(b"x", target)
        with pytest.raises(Unreachable):
            sock.send_nowait(b"x" * 70_000, ("127.0.0.1", 9))
    finally:
        sock.close()


async def test_closing_a_udp_socket_wakes_its_reader() -> None:
    sock = await TrioNetwork().udp(("127.0.0.1", 0))

    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await sock.readable()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        sock.close()
        sock.close()
    with pytest.raises(trio.ClosedResourceError):
        sock.recv_nowait()


@pytest.mark.parametrize("host", LOOPBACKS)
async def test_streams_know_both_ends_and_close_by_halves(host: str) -> None:
    network = TrioNetwork()
    listener = await network.listen_tcp((host, 0))

    async def echo() -> None:
        async with await listener.accept() as stream:
            assert stream.local == listener.local
            got = b"".join([chunk async for chunk in stream])
            await stream.send_all(got[::-1])

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery, listener:
            nursery.start_soon(echo)
            async with await network.connect_tcp(listener.local, host) as stream:
                assert stream.remote == listener.local
                assert stream.local[0] == host
                await stream.send_all(b"abc")
                await stream.send_eof()
                assert b"".join([chunk async for chunk in stream]) == b"cba"


async def test_a_taken_port_is_named() -> None:
    network = TrioNetwork()
    async with await network.listen_tcp(("127.0.0.1", 0)) as listener:
        with pytest.raises(AddressInUse, match=rf"TCP 127\.0\.0\.1:{listener.local[1]}: the port is already taken"):
            await network.listen_tcp(listener.local)
    sock = await network.udp(("::1", 0))
    with pytest.raises(AddressInUse, match=rf"UDP \[::1\]:{sock.local[1]}"):
        await network.udp(sock.local)
    sock.close()


async def test_an_address_that_is_not_ours_is_explained() -> None:
    network = TrioNetwork()
    with pytest.raises(AddressUnavailable, match="no such address"):
        await network.udp(("192.0.2.1", 0))
    with pytest.raises(AddressUnavailable, match="not a numeric address"):
        await network.listen_tcp(("localhost", 0))
    with pytest.raises(AddressUnavailable, match="no such port"):
        await network.listen_tcp(("127.0.0.1", 70_000))


async def test_a_closed_port_refuses() -> None:
    network = TrioNetwork()
    async with await network.listen_tcp(("127.0.0.1", 0)) as listener:
        pass
    with pytest.raises(ConnectRefused):
        await network.connect_tcp(listener.local)
    with pytest.raises(Unreachable, match="numeric"):
        await network.connect_tcp(("localhost", 80))


async def test_names_come_from_the_hosts_file_and_numbers_need_no_lookup() -> None:
    network = TrioNetwork()
    assert await network.lookup("localhost", 5060, family=IPV4) == [("127.0.0.1", 5060)]
    assert await network.lookup("[::1]", 5060) == [("::1", 5060)]
    for bad in ("", "a..b", "x" * 64 + ".example", "a\0b"):
        with pytest.raises(NameNotFound):
            await network.lookup(bad)
    assert network.source_for("127.0.0.1") == "127.0.0.1"


async def test_the_file_limit_is_raised_to_what_is_allowed() -> None:
    assert raise_file_limit(1) >= 1
    assert raise_file_limit() >= raise_file_limit(1)
