"""TLS under SIP: handshakes of both sides on the fake network, who is believed, and what refused ones are told."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.testing.network import FakeHost, FakeNetwork
from offhook.transport.connection import Arrival
from offhook.transport.connections import Connections
from offhook.transport.errors import CertificateRefused, TlsFailed, TlsTooOld, Unreachable
from offhook.transport.flow import Received
from offhook.transport.handshakes import Handshakes
from offhook.transport.network import Stream
from offhook.transport.stream import StreamTransport
from offhook.transport.tls import KeyPair, TlsClients, TlsPolicy, TlsProfile, TlsServer, TlsUnusable, server_context
from offhook.transport.tls_stream import HANDSHAKE_S

from .certificates import authority, files, issued, tls_clients, tls_server
from .sample import options

SERVER = ("10.0.0.1", 5061)
NAME = "acme.sip.test"
MESSAGE = options(via="SIP/2.0/TLS 10.0.0.2:5061;branch=z9hG4bK1")


@attrs.define(eq=False)
class Bench:
    """A served TLS listener and a caller's table of connections."""

    network: FakeNetwork
    server: Connections
    caller: Connections
    streams: StreamTransport
    got: list[Arrival] = attrs.field(factory=list)
    too_old: list[TlsTooOld] = attrs.field(factory=list)

    @property
    def phone(self) -> FakeHost:
        return self.network.host("10.0.0.2")


@asynccontextmanager
async def bench(tls: TlsServer, clients: TlsClients | None) -> AsyncIterator[Bench]:
    network = FakeNetwork()
    got: list[Arrival] = []

    async def deliver(arrival: Arrival) -> None:
        got.append(arrival)

    server = Connections(network.host(SERVER[0]), deliver)
    caller = Connections(network.host("10.0.0.2"), deliver, tls=clients)
    streams = StreamTransport(server, tls)
    made = Bench(network, server, caller, streams, got)
    streams.too_old = made.too_old.append
    listener = await network.host(SERVER[0]).listen_tcp(SERVER)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(streams.serve, listener)
        await nursery.start(caller.run)
        yield made
        nursery.cancel_scope.cancel()


def client_context(tmp_path: Path, **changes: object) -> ssl.SSLContext:
    """Of a phone: trusts the tests' authority."""
    ca = tmp_path / "phone-ca.pem"
    ca.write_bytes(authority().certificate)
    context = ssl.create_default_context(cafile=str(ca))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name, value in changes.items():
            setattr(context, name, value)
    return context


async def until(true: Callable[[], object]) -> None:
    """Let others run until `true` says so."""
    with trio.fail_after(60):
        while not true():  # noqa: ASYNC110 - virtual time: nobody waits, and nothing here can set an event
            await trio.sleep(0.01)


async def test_a_message_arrives_over_a_verified_connection_which_is_used_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tls_server(tmp_path), tls_clients(tmp_path)) as it:
        connection = await it.caller.open(SERVER, transport="TLS", name=NAME)
        assert connection.flow.transport == "TLS"
        connection.send(MESSAGE)
        await until(lambda: it.got)
        (arrival,) = it.got
        assert isinstance(arrival, Received)
        assert arrival.flow.transport == "TLS"
        assert arrival.flow.remote == connection.flow.local
        assert await it.caller.open(SERVER, transport="TLS", name=NAME.upper()) is connection
        assert it.caller.find(SERVER, "TLS", NAME) is connection
        assert it.caller.find(SERVER, "TCP") is None


async def test_another_name_at_the_same_address_gets_a_connection_of_its_own(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tls_server(tmp_path), tls_clients(tmp_path)) as it:
        first = await it.caller.open(SERVER, transport="TLS", name=NAME)
        assert await it.caller.open(SERVER, transport="TLS", name="other.sip.test") is not first
        with pytest.raises(CertificateRefused):
            await it.caller.open(SERVER, transport="TLS", name="acme.example.com")
        assert await it.caller.open(SERVER, transport="TLS", name=NAME) is first


async def test_an_address_is_believed_when_it_stands_in_the_certificate(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tls_server(tmp_path), tls_clients(tmp_path)) as it:
        assert not (await it.caller.open(SERVER, transport="TLS", name=SERVER[0])).closed
    async with bench(tls_server(tmp_path, [NAME]), tls_clients(tmp_path)) as it:
        with pytest.raises(CertificateRefused, match="is for another"):
            await it.caller.open(SERVER, transport="TLS", name=SERVER[0])


@pytest.mark.parametrize(
    ("hosts", "age_days", "trusted", "told"),
    [
        ([NAME], 500, True, ["has expired", "valid until", "renew"]),
        (["pbx.example.com"], 0, True, ["pbx.example.com", "is for another host"]),
        ([NAME], 0, False, ["the authority of these tests", "not known here", "ca_file"]),
    ],
    ids=["expired", "wrong name", "untrusted"],
)
async def test_a_refused_certificate_is_named_with_the_remedy(
    tmp_path: Path, autojump_clock: MockClock, hosts: list[str], age_days: int, trusted: bool, told: list[str]
) -> None:
    clients = tls_clients(tmp_path, trusting=None if trusted else authority("another authority"))
    async with bench(tls_server(tmp_path, hosts, age_days=age_days), clients) as it:
        with pytest.raises(CertificateRefused) as caught:
            await it.caller.open(SERVER, transport="TLS", name=NAME)
        for words in ["acme.sip.test (10.0.0.1:5061)", f"CN={hosts[0]}", *told, "verify_certificate"]:
            assert words in str(caught.value)
        assert len(it.caller) == 0
        assert it.got == []


async def test_a_wildcard_counts_for_nothing_where_the_configuration_says_so(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tls_server(tmp_path), tls_clients(tmp_path, wildcards=False)) as it:
        with pytest.raises(CertificateRefused, match="is for another host"):
            await it.caller.open(SERVER, transport="TLS", name=NAME)
    async with bench(tls_server(tmp_path, [NAME]), tls_clients(tmp_path, wildcards=False)) as it:
        assert not (await it.caller.open(SERVER, transport="TLS", name=NAME)).closed


async def test_a_gateway_whose_certificate_is_not_verified_is_believed_and_no_other(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    clients = tls_clients(tmp_path, trusting=authority("another authority"))
    clients.by_host = {"gw.example.com": TlsProfile(verify=False)}
    async with bench(tls_server(tmp_path), clients) as it:
        assert not (await it.caller.open(SERVER, transport="TLS", name="GW.example.com")).closed
        with pytest.raises(CertificateRefused):
            await it.caller.open(SERVER, transport="TLS", name=NAME)


async def test_a_server_that_asks_for_our_certificate_gets_that_of_the_gateway(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    server = tls_server(tmp_path / "server")
    server.context.load_verify_locations(cadata=authority().certificate.decode())
    server.context.verify_mode = ssl.CERT_REQUIRED
    # The server's refusal would come after a handshake of TLS 1.3, with the first bytes.
    server.context.maximum_version = ssl.TLSVersion.TLSv1_2
    mine = files(tmp_path / "mine", issued(("us.example.com",)))
    clients = tls_clients(tmp_path)
    clients.by_host = {"gw.sip.test": TlsProfile(clients.usual.ca_file, mine)}
    async with bench(server, clients) as it:
        with pytest.raises(TlsFailed):
            await it.caller.open(SERVER, transport="TLS", name=NAME)
        connection = await it.caller.open(SERVER, transport="TLS", name="gw.sip.test")
        connection.send(MESSAGE)
        await until(lambda: it.got)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_an_old_client_is_refused_and_told_of_with_the_host_it_asked_for(
    tmp_path: Path, autojump_clock: MockClock, newest: ssl.TLSVersion
) -> None:
    context = old(tmp_path, newest)
    async with bench(tls_server(tmp_path), None) as it:
        with pytest.raises(trio.BrokenResourceError) as caught:
            await shake(await it.phone.connect_tcp(SERVER), context)
        assert isinstance(caught.value.__cause__, ssl.SSLError)
        assert "PROTOCOL_VERSION" in caught.value.__cause__.reason
        await until(lambda: it.too_old)
        assert it.too_old[0].server_name == NAME
        assert newest.name[-1] in str(it.too_old[0]).replace("TLS 1.0", "TLSv1")
        assert it.server.counts.handshakes_failed == 1
    async with bench(tls_server(tmp_path, deprecated=True), None) as it:
        tls = await shake(await it.phone.connect_tcp(SERVER), context)
        await tls.send_all(MESSAGE)
        await until(lambda: it.got)
        assert it.too_old == []


async def test_an_old_server_is_refused_unless_old_versions_are_allowed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    server = tls_server(tmp_path, deprecated=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server.context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with bench(server, tls_clients(tmp_path)) as it:
        with pytest.raises(TlsTooOld):
            await it.caller.open(SERVER, transport="TLS", name=NAME)
    async with bench(server, tls_clients(tmp_path, deprecated=True)) as it:
        assert not (await it.caller.open(SERVER, transport="TLS", name=NAME)).closed


async def test_who_speaks_no_tls_is_closed_at_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with bench(tls_server(tmp_path), None) as it:
        stream = await it.phone.connect_tcp(SERVER)
        await stream.send_all(MESSAGE)
        await until(lambda: it.server.counts.handshakes_failed)
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(MESSAGE)
        assert it.got == []
        assert it.server.counts.handshakes_failed == 1


async def test_who_says_nothing_has_ten_seconds(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with bench(tls_server(tmp_path), None) as it:
        await it.phone.connect_tcp(SERVER)
        await trio.sleep(HANDSHAKE_S - 0.1)
        assert it.server.counts.handshakes_failed == 0
        await trio.sleep(0.2)
        assert it.server.counts.handshakes_failed == 1


async def test_a_server_that_never_answers_the_hello_is_given_ten_seconds(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    network = FakeNetwork()
    await network.host("10.0.0.9").listen_tcp(("10.0.0.9", 5061))

    async def deliver(arrival: Arrival) -> None:
        raise AssertionError(arrival)

    caller = Connections(network.host("10.0.0.2"), deliver, tls=tls_clients(tmp_path))
    async with trio.open_nursery() as nursery:
        await nursery.start(caller.run)
        started = trio.current_time()
        with pytest.raises(TlsFailed, match="no TLS handshake within 10 s"):
            await caller.open(("10.0.0.9", 5061), transport="TLS", name=NAME)
        assert trio.current_time() - started == pytest.approx(HANDSHAKE_S)
        nursery.cancel_scope.cancel()


async def test_without_tls_of_our_own_nobody_is_called_over_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with bench(tls_server(tmp_path), None) as it:
        with pytest.raises(Unreachable, match="TLS is not served"):
            await it.caller.open(SERVER, transport="TLS", name=NAME)


async def test_a_host_with_many_handshakes_loses_its_oldest_and_others_lose_none(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tls_server(tmp_path), tls_clients(tmp_path)) as it:
        it.streams._handshakes = Handshakes(most=5)
        quiet = it.network.host("10.0.0.3")
        patient = await quiet.connect_tcp(SERVER)
        flood: list[Stream] = [await it.phone.connect_tcp(SERVER) for _ in range(20)]
        await trio.testing.wait_all_tasks_blocked()
        assert it.server.counts.refused == 16
        assert len(flood) == 20
        tls = await shake(patient, client_context(tmp_path))
        await tls.send_all(MESSAGE)
        await until(lambda: it.got)
        assert not (await it.caller.open(SERVER, transport="TLS", name=NAME)).closed


async def test_a_new_certificate_is_shown_to_new_connections_and_old_ones_stay(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    server = tls_server(tmp_path, [NAME])
    async with bench(server, tls_clients(tmp_path)) as it:
        before = await it.caller.open(SERVER, transport="TLS", name=NAME)
        pair = files(tmp_path / "new", issued(("new.sip.test",)))
        server.context = server_context(pair, server.policy)
        assert not (await it.caller.open(SERVER, transport="TLS", name="new.sip.test")).closed
        before.send(MESSAGE)
        await until(lambda: it.got)


def test_a_certificate_or_key_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    good = files(tmp_path / "good", issued((NAME,)))
    other = files(tmp_path / "other", issued(("other.test",)))
    with pytest.raises(TlsUnusable, match="No such file"):
        server_context(KeyPair(tmp_path / "none.pem", good.key), TlsPolicy())
    with pytest.raises(TlsUnusable, match="belongs to another certificate"):
        server_context(KeyPair(good.certificate, other.key), TlsPolicy())
    (tmp_path / "rubbish.pem").write_text("rubbish")
    with pytest.raises(TlsUnusable, match=r"rubbish\.pem"):
        server_context(KeyPair(tmp_path / "rubbish.pem", good.key), TlsPolicy())
    with pytest.raises(TlsUnusable, match="NO-SUCH-CIPHER"):
        server_context(good, TlsPolicy(ciphers=("NO-SUCH-CIPHER",)))
    with pytest.raises(TlsUnusable, match=r"rubbish\.pem"):
        TlsClients(usual=TlsProfile(ca_file=tmp_path / "rubbish.pem")).anew()


def old(tmp_path: Path, newest: ssl.TLSVersion) -> ssl.SSLContext:
    context = client_context(tmp_path, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=newest)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


async def shake(stream: Stream, context: ssl.SSLContext) -> trio.SSLStream[Stream]:
    """A phone's side of the handshake."""
    tls = trio.SSLStream(stream, context, server_hostname=NAME, https_compatible=True)
    await tls.do_handshake()
    return tls
