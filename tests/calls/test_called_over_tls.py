"""Foreign addresses called over TLS: what reaches a server that proves its name, what is told of one that does not."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import AlertRaised
from offhook.server.config import DialSettings, SipSettings, TlsSettings
from offhook.sip.message import Request
from offhook.testing.network import FakeNetwork
from offhook.transport.connection import Arrival
from offhook.transport.connections import Connections
from offhook.transport.flow import Received
from offhook.transport.network import SrvRecord
from offhook.transport.stream import StreamTransport
from offhook.transport.tls import TlsServer

from ..transport.certificates import authority, tls_server
from .kit import SERVER, SUFFIX, World, config_for, world

FAR, FAR_HOST = "far.example", "10.0.0.9"
DIAL = f'<Dial action="/after" timeout="5"><Sip>sip:bob@{FAR};transport=tls</Sip></Dial>'


@attrs.define(eq=False)
class FarServer:
    """A server that only listens."""

    got: list[Arrival] = attrs.field(factory=list)
    came: trio.Event = attrs.field(factory=trio.Event)

    async def deliver(self, arrival: Arrival) -> None:
        self.got.append(arrival)
        self.came.set()


@asynccontextmanager
async def far_server(network: FakeNetwork, tls: TlsServer | None) -> AsyncIterator[FarServer]:
    network.dns.address(FAR, FAR_HOST)
    host, far = network.host(FAR_HOST), FarServer()
    listener = await host.listen_tcp((FAR_HOST, 5061))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(StreamTransport(Connections(host, far.deliver), tls).serve, listener)
        yield far
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def house(
    tmp_path: Path, *, trusting: str = "the authority of these tests", service_records: bool = True
) -> AsyncIterator[World]:
    """A server that serves TLS and trusts one authority beside the system's."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority(trusting).certificate)
    sip = SipSettings(domain_suffix=SUFFIX, udp=(f"{SERVER}:5060",), tcp=(f"{SERVER}:5060",), tls=(f"{SERVER}:5061",))
    dial = DialSettings(service_records=service_records)
    config = attrs.evolve(config_for(tmp_path), sip=sip, tls=TlsSettings(ca_file=ca), dial=dial)
    async with world(tmp_path, config=config) as it:
        yield it


async def test_an_invite_reaches_a_server_that_proves_its_name(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with house(tmp_path) as it, far_server(it.network, tls_server(tmp_path, [FAR])) as far:
        call = await it.dials(DIAL)
        with trio.fail_after(10):
            await far.came.wait()
        arrival = far.got[0]
        assert isinstance(arrival, Received)
        invite = arrival.message
        assert isinstance(invite, Request)
        assert invite.request_uri == f"sip:bob@{FAR}"
        assert (invite.via.transport, invite.via.host, invite.via.port) == ("TLS", SERVER, 5061)
        assert invite.contact is not None
        assert (invite.contact.uri.port, invite.contact.uri.param("transport")) == (5061, "tls")
        assert arrival.flow.transport == "TLS"
        await call.over()


@pytest.mark.parametrize(
    ("hosts", "age_days", "trusting", "told"),
    [
        ([FAR], 500, "the authority of these tests", [f"CN={FAR}", "has expired", "renew"]),
        (["pbx.example"], 0, "the authority of these tests", ["CN=pbx.example", "is for another host"]),
        ([FAR], 0, "another authority", ["the authority of these tests", "not known here", "ca_file"]),
    ],
    ids=["expired", "wrong name", "untrusted"],
)
async def test_a_refused_certificate_fails_the_call_and_is_named_in_the_alert(
    autojump_clock: MockClock, tmp_path: Path, hosts: list[str], age_days: int, trusting: str, told: list[str]
) -> None:
    tls = tls_server(tmp_path, hosts, age_days=age_days)
    async with house(tmp_path, trusting=trusting) as it, far_server(it.network, tls) as far:
        call = await it.dials(DIAL)
        [after] = await it.web.wait_for(1, "/after")
        await call.over()
        assert after.params["DialCallStatus"] == "failed"
        assert far.got == []
        [alert] = it.of(AlertRaised)
        assert alert.code == 32011
        for words in [f"{FAR} ({FAR_HOST}:5061)", *told]:
            assert words in alert.detail


async def test_a_server_of_the_old_kind_fails_the_call_with_an_alert_of_its_own(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    tls = tls_server(tmp_path, [FAR], deprecated=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tls.context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with house(tmp_path) as it, far_server(it.network, tls):
        call = await it.dials(DIAL)
        [after] = await it.web.wait_for(1, "/after")
        await call.over()
        assert after.params["DialCallStatus"] == "failed"
        assert it.codes() == [32222, 32011]


@pytest.mark.parametrize("service_records", [True, False])
async def test_a_host_is_looked_for_by_service_records_unless_the_configuration_says_no(
    autojump_clock: MockClock, tmp_path: Path, service_records: bool
) -> None:
    async with (
        house(tmp_path, service_records=service_records) as it,
        far_server(it.network, tls_server(tmp_path, [FAR])) as far,
    ):
        it.network.dns.address("elsewhere.example", "10.0.0.77")
        it.network.dns.srv(f"_sips._tcp.{FAR}", SrvRecord("elsewhere.example", 5061))
        call = await it.dials(DIAL)
        await call.over()
        assert bool(far.got) is not service_records


async def test_a_server_without_tls_fails_the_call(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with house(tmp_path) as it, far_server(it.network, None):
        call = await it.dials(DIAL.replace('"5"', '"30"'))
        [after] = await it.web.wait_for(1, "/after")
        await call.over()
        assert after.params["DialCallStatus"] == "failed"
        [alert] = it.of(AlertRaised)
        assert alert.code == 32011
        assert "no TLS handshake within 10 s" in alert.detail
