"""Bindings as rows and back: what comes back after a restart, and what does not."""

from __future__ import annotations

import datetime
from typing import Any

import attrs
import pytest

from offhook.actors.restoring import Lost, Restoring, Ways, find_ways, row_id, row_of
from offhook.sip.address import NameAddr
from offhook.sip.bindings import Binding, Bindings
from offhook.store.domains import DomainDirectory, DomainNames
from offhook.store.records import BindingRecord, CredentialRecord, DomainRecord
from offhook.testing.network import FakeNetwork
from offhook.transport.flow import Flow
from offhook.transport.network import Address
from offhook.transport.udp import UdpTransport

SUFFIX = "sip.example.test"
HOST = f"acme.{SUFFIX}"
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
SERVER: Address = ("10.0.0.1", 5060)
PHONE: Address = ("192.0.2.7", 40_000)
ACME = DomainRecord(
    sid="SD1",
    account_sid="AC1",
    name="acme",
    full_name=HOST,
    sip_registration=True,
    credentials=(
        CredentialRecord("CR1", "ann", "secret"),
        CredentialRecord("CR2", "bob", "secret", registrations=False),
        CredentialRecord("CR3", "zoë o", "secret"),
    ),
)


def seconds(number: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=number)


def binding(aor: str = f"sip:ann@{HOST}", **fields: Any) -> Binding:
    """Registered at noon, trio's clock reading 1000, for an hour."""
    made = Binding(
        aor=aor,
        contact=NameAddr.parse('"Ann" <sip:ann@192.168.1.7;ob>;q=0.5', "Contact"),
        q=0.5,
        until=4600.0,
        call_id="c1",
        cseq=7,
        flow=Flow("UDP", SERVER, PHONE),
    )
    return attrs.evolve(made, **fields)


async def udp(*addresses: Address) -> tuple[FakeNetwork, list[UdpTransport]]:
    fake = FakeNetwork()
    host = fake.host("10.0.0.1", "10.0.0.2", "2001:db8::1")
    return fake, [UdpTransport(await host.udp(address), host) for address in addresses]


@pytest.fixture
async def socket() -> UdpTransport:
    _, [socket] = await udp(SERVER)
    return socket


def restoring(ways: Ways, domain: DomainRecord = ACME, **fields: Any) -> Restoring:
    """In the next process, 600 s later; its clock reads 50."""
    domains = DomainDirectory.of(DomainNames(SUFFIX), [domain])
    given: dict[str, Any] = {"now": 50.0, "now_utc": NOON + seconds(600), "longest_s": 3600.0, **fields}
    return Restoring(domains=domains, ways=ways, **given)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"instance": "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>", "reg_id": 2, "agent": "Desk 9"},
        {"contact": NameAddr.parse('"Z\udce9" <sip:%C3%A4@[2001:db8::7]:5070;transport=udp>;x="a,b"', "Contact")},
        {"aor": f"sip:zo%C3%AB%20o@{HOST}"},
        {"path": (NameAddr.parse("<sip:edge.test;lr;ob>"), NameAddr.parse("<sip:core.test;lr>")), "flow": None},
    ],
)
async def test_a_binding_comes_back_as_it_was_with_what_is_left_of_its_time(socket: UdpTransport, fields: Any) -> None:
    before = binding(**fields)
    after = restoring({SERVER: socket}).binding(row_of(before, 1000.0, NOON))
    same = [field for field in attrs.fields_dict(Binding) if field not in ("until", "flow")]
    assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]
    assert after.until == pytest.approx(50 + 3600 - 600)
    if before.flow is None:
        assert after.flow is None
    else:
        assert isinstance(after.flow, Flow)
        assert (after.flow.transport, after.flow.local, after.flow.remote) == ("UDP", SERVER, PHONE)
        assert (after.flow.port, after.flow.reliable) == (socket, False)


def why(record: BindingRecord, ways: Ways, domain: DomainRecord = ACME, **fields: Any) -> str:
    with pytest.raises(Lost) as caught:
        restoring(ways, domain, **fields).binding(record)
    return str(caught.value)


async def test_what_has_expired_meanwhile_does_not_come_back(socket: UdpTransport) -> None:
    row = row_of(binding(), 1000.0, NOON)
    assert why(row, {SERVER: socket}, now_utc=NOON + seconds(3600)) == "expired"


async def test_a_wall_clock_that_was_set_back_makes_no_binding_immortal(socket: UdpTransport) -> None:
    row = row_of(binding(), 1000.0, NOON)
    again = restoring({SERVER: socket}, now_utc=NOON - seconds(10**8)).binding(row)
    assert again.until == 50 + 3600


@pytest.mark.parametrize("transport", ["TCP", "TLS", "WS", "WSS"])
async def test_a_connection_has_ended_with_its_process(socket: UdpTransport, transport: str) -> None:
    row = row_of(binding(flow=Flow(transport, SERVER, PHONE, reliable=True)), 1000.0, NOON)
    assert why(row, {SERVER: socket}) == "connection closed"


def test_an_address_that_is_not_served_any_more_cannot_reach_the_phone() -> None:
    assert why(row_of(binding(), 1000.0, NOON), {}) == "address not served any more"


@pytest.mark.parametrize(
    ("aor", "changed"),
    [
        (f"sip:carol@{HOST}", {}),
        (f"sip:bob@{HOST}", {}),
        (f"sip:ann@other.{SUFFIX}", {}),
        ("sip:ann@elsewhere.test", {}),
        (f"sip:{HOST}", {}),
        (f"sip:ann@{HOST}", {"sip_registration": False}),
        (f"sip:ann@{HOST}", {"secure": True}),
        (f"sip:ann@{HOST}", {"credentials": ()}),
    ],
)
async def test_who_may_not_register_any_more_is_not_registered_any_more(
    socket: UdpTransport, aor: str, changed: dict[str, Any]
) -> None:
    row = row_of(binding(aor), 1000.0, NOON)
    assert why(row, {SERVER: socket}, attrs.evolve(ACME, **changed)) == "user may not register any more"


@pytest.mark.parametrize(
    "fields", [{"contact": "<sip:"}, {"path": "<sip:a"}, {"aor": "no uri"}, {"remote_host": None}, {"local_port": None}]
)
async def test_a_row_that_cannot_be_read_is_only_one_row(socket: UdpTransport, fields: dict[str, Any]) -> None:
    good = row_of(binding(), 1000.0, NOON)
    bad = attrs.evolve(good, id="bad", **fields)
    found, lost = restoring({SERVER: socket}).all([bad, good])
    assert len(found) == 1
    assert lost == {"bad": "unreadable"}


# --- which socket --------------------------------------------------------------------------------------------------


async def test_the_socket_of_an_address_is_the_one_that_is_bound_to_it() -> None:
    _, sockets = await udp(("0.0.0.0", 5060), ("10.0.0.1", 5070))
    rows = [row_of(binding(flow=Flow("UDP", local, PHONE)), 0.0, NOON) for local in (SERVER, ("10.0.0.1", 5070))]
    assert await find_ways(rows, sockets, sockets[0].network) == {SERVER: sockets[0], ("10.0.0.1", 5070): sockets[1]}


async def test_a_wildcard_sends_from_every_address_that_is_still_ours_and_of_its_family() -> None:
    _, sockets = await udp(("0.0.0.0", 5060))
    known: list[Address] = [("10.0.0.2", 5060), ("10.0.0.9", 5060), ("10.0.0.1", 5099), ("2001:db8::1", 5060)]
    rows = [row_of(binding(flow=Flow("UDP", local, PHONE)), 0.0, NOON) for local in known]
    rows.append(row_of(binding(flow=None), 0.0, NOON))
    assert await find_ways(rows, sockets, sockets[0].network) == {("10.0.0.2", 5060): sockets[0]}


# --- keys ----------------------------------------------------------------------------------------------------------


def test_a_refresh_keeps_the_row_and_other_devices_have_others() -> None:
    same = [binding(), binding(cseq=8, until=9000.0, flow=None)]
    assert len({row_id(each) for each in same}) == 1
    others = [
        binding(contact=NameAddr.parse("<sip:ann@192.168.1.8>")),
        binding(f"sip:bob@{HOST}"),
        binding(instance="<urn:uuid:1>"),
        binding(instance="<urn:uuid:1>", reg_id=1),
        binding(instance="<urn:uuid:1>", reg_id=2),
        binding(instance="<urn:uuid:2>"),
    ]
    assert len({row_id(each) for each in same + others}) == 1 + len(others)


def test_a_phone_that_has_registered_since_counts_more_than_its_row() -> None:
    core = Bindings()
    fresh = binding(cseq=1)
    assert core.restore(fresh) is not None
    assert core.restore(binding(until=99_999.0)) is None
    assert core.find(fresh.aor, 1000.0) == (fresh,)
    assert core.wake_at() == fresh.until
