"""RFC 3263: which addresses a hop has, and in which order."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from offhook.sip.routing import Hop, hop_of
from offhook.sip.uri import Uri
from offhook.testing.network import FakeNetwork
from offhook.transport.errors import AddressNotAllowed, NameLookupFailed, NameNotFound, Unreachable
from offhook.transport.network import NaptrRecord, SrvRecord
from offhook.transport.policy import parse_networks
from offhook.transport.resolve import MAX_TARGETS, Resolver, Target, streams_first


def world() -> FakeNetwork:
    network = FakeNetwork()
    dns = network.dns
    dns.address("example.com", "192.0.2.1", "2001:db8::1")
    dns.address("a.example.com", "192.0.2.10", "2001:db8::10")
    dns.address("b.example.com", "192.0.2.11")
    dns.address("only-a.example", "198.51.100.1")
    return network


def resolver(network: FakeNetwork, **settings: object) -> Resolver:
    made = Resolver(network.host("192.0.2.200"))
    for name, value in settings.items():
        setattr(made, name, value)
    return made


async def ask(made: Resolver, uri: str) -> list[str]:
    """Targets of a URI as short texts."""
    return [f"{t.transport} {t.address[0]} {t.address[1]}" for t in await made.resolve(hop_of(Uri.parse(uri)))]


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("sip:192.0.2.7", "UDP 192.0.2.7 5060"),
        ("sip:192.0.2.7:5080", "UDP 192.0.2.7 5080"),
        ("sip:192.0.2.7;transport=tcp", "TCP 192.0.2.7 5060"),
        ("sip:[2001:db8::7]:5080;transport=TCP", "TCP 2001:db8::7 5080"),
        ("sips:192.0.2.7", "TLS 192.0.2.7 5061"),
        ("sip:bob@nowhere.example;maddr=192.0.2.9", "UDP 192.0.2.9 5060"),
    ],
)
async def test_a_number_needs_no_lookup(autojump_clock: MockClock, uri: str, target: str) -> None:
    network = world()
    assert await ask(resolver(network, transports=("UDP", "TCP", "TLS")), uri) == [target]
    assert not network.dns.asked


async def test_an_explicit_port_asks_for_addresses_only(autojump_clock: MockClock) -> None:
    network = world()
    network.dns.srv("_sip._udp.example.com", SrvRecord("a.example.com", 5099))
    assert await ask(resolver(network), "sip:example.com:5070") == ["UDP 192.0.2.1 5070", "UDP 2001:db8::1 5070"]
    assert dict(network.dns.asked) == {"A example.com": 1}


async def test_naptr_chooses_transport_and_srv_name_in_its_order(autojump_clock: MockClock) -> None:
    network = world()
    network.dns.naptr(
        "example.com",
        NaptrRecord("SIPS+D2T", "_sips._tcp.example.com"),
        NaptrRecord("SIP+D2T", "_sip._tcp.example.com"),
        NaptrRecord("SIP+D2U", "_sip._udp.example.com"),
        NaptrRecord("SIP+D2U", "bad.example.com", flags="U"),
        NaptrRecord("E2U+SIP", "other.example.com"),
    )
    network.dns.srv("_sips._tcp.example.com", SrvRecord("a.example.com", 5061))
    network.dns.srv("_sip._tcp.example.com", SrvRecord("b.example.com", 5060))
    network.dns.srv("_sip._udp.example.com", SrvRecord("a.example.com", 5090), SrvRecord("b.example.com", 5091))
    plain = ["TCP 192.0.2.11 5060", "UDP 192.0.2.10 5090", "UDP 2001:db8::10 5090", "UDP 192.0.2.11 5091"]
    assert await ask(resolver(network), "sip:example.com") == plain
    secure = ["TLS 192.0.2.10 5061", "TLS 2001:db8::10 5061"]
    with_tls = resolver(network, transports=("UDP", "TCP", "TLS"))
    assert await ask(with_tls, "sip:example.com") == secure + plain
    assert await ask(with_tls, "sips:example.com") == secure


async def test_without_naptr_every_transport_is_asked_in_our_order(autojump_clock: MockClock) -> None:
    network = world()
    network.dns.srv("_sip._udp.example.com", SrvRecord("b.example.com", 5062))
    network.dns.srv("_sip._tcp.example.com", SrvRecord("b.example.com", 5063))
    assert await ask(resolver(network), "sip:example.com") == ["UDP 192.0.2.11 5062", "TCP 192.0.2.11 5063"]
    tcp_first = resolver(network, transports=("TCP", "UDP"))
    assert await ask(tcp_first, "sip:example.com") == ["TCP 192.0.2.11 5063", "UDP 192.0.2.11 5062"]


async def test_a_named_transport_asks_its_own_srv_and_no_naptr(autojump_clock: MockClock) -> None:
    network = world()
    network.dns.naptr("example.com", NaptrRecord("SIP+D2U", "_sip._udp.example.com"))
    network.dns.srv("_sip._tcp.example.com", SrvRecord("b.example.com", 5063))
    assert await ask(resolver(network), "sip:example.com;transport=tcp") == ["TCP 192.0.2.11 5063"]
    assert "NAPTR example.com" not in network.dns.asked


async def test_without_service_records_the_addresses_get_the_default_port(autojump_clock: MockClock) -> None:
    network = world()
    assert await ask(resolver(network), "sip:only-a.example") == ["UDP 198.51.100.1 5060"]
    assert await ask(resolver(network), "sip:only-a.example;transport=tcp") == ["TCP 198.51.100.1 5060"]


async def test_the_addresses_only_switch_never_asks_for_service_records(autojump_clock: MockClock) -> None:
    network = world()
    network.dns.srv("_sip._udp.example.com", SrvRecord("b.example.com", 5062))
    made = resolver(network, addresses_only=True)
    assert await ask(made, "sip:example.com") == ["UDP 192.0.2.1 5060", "UDP 2001:db8::1 5060"]
    assert dict(network.dns.asked) == {"A example.com": 1}


async def test_localhost_is_never_asked_of_a_name_server(autojump_clock: MockClock) -> None:
    network = world()
    assert await ask(resolver(network), "sip:localhost") == ["UDP 127.0.0.1 5060", "UDP ::1 5060"]
    assert not network.dns.asked


async def test_one_dead_srv_target_does_not_hide_the_others(autojump_clock: MockClock) -> None:
    network = world()
    records = (SrvRecord("gone.example.com", 1), SrvRecord("b.example.com", 2), SrvRecord("zero.example.com", 0))
    network.dns.srv("_sip._udp.example.com", *records)
    assert await ask(resolver(network), "sip:example.com") == ["UDP 192.0.2.11 2"]
    network.dns.srv("_sip._udp.example.com", SrvRecord("gone.example.com", 1))
    with pytest.raises(NameNotFound, match=r"gone\.example\.com"):
        await ask(resolver(network), "sip:example.com")


async def test_a_service_that_is_declared_absent_is_unreachable(autojump_clock: MockClock) -> None:
    network = world()
    network.dns.srv("_sip._udp.example.com", SrvRecord("", 0))
    with pytest.raises(NameNotFound, match="not offered"):
        await ask(resolver(network), "sip:example.com")


async def test_a_name_server_in_trouble_leaves_the_addresses(autojump_clock: MockClock) -> None:
    network = world()
    network.dns.fail("_sip._udp.example.com")
    assert (await ask(resolver(network), "sip:example.com"))[0] == "UDP 192.0.2.1 5060"
    network.dns.fail("example.com")
    with pytest.raises(NameLookupFailed):
        await ask(resolver(network), "sip:example.com")


async def test_an_unknown_name_is_unreachable_with_a_reason(autojump_clock: MockClock) -> None:
    with pytest.raises(NameNotFound, match=r"nobody\.example: no such host"):
        await ask(resolver(world()), "sip:nobody.example")


@pytest.mark.parametrize("uri", ["sip:192.0.2.7;transport=sctp", "sip:example.com;transport=tls", "sips:192.0.2.7"])
async def test_a_transport_that_we_do_not_speak_is_refused(autojump_clock: MockClock, uri: str) -> None:
    with pytest.raises(Unreachable, match="is not available"):
        await ask(resolver(world()), uri)


async def test_addresses_outside_the_allowed_networks_are_left_out(autojump_clock: MockClock) -> None:
    made = resolver(world(), allowed=parse_networks(["2001:db8::/32"]))
    assert await ask(made, "sip:example.com") == ["UDP 2001:db8::1 5060"]
    for uri in ("sip:192.0.2.7", "sip:only-a.example"):
        with pytest.raises(AddressNotAllowed):
            await ask(made, uri)


async def test_a_flood_of_records_is_cut(autojump_clock: MockClock) -> None:
    network = world()
    for number in range(100):
        network.dns.address(f"h{number}.example.com", f"198.51.100.{number}", f"203.0.113.{number}", f"10.0.0.{number}")
    network.dns.srv("_sip._udp.example.com", *[SrvRecord(f"h{number}.example.com", 5060) for number in range(100)])
    assert len(await resolver(network).resolve(Hop("example.com", None))) == MAX_TARGETS
    assert sum(count for name, count in network.dns.asked.items() if name.startswith("A h")) == 16


async def test_a_caller_may_give_up_on_a_silent_name_server(autojump_clock: MockClock) -> None:
    network = world()
    network.dns.hang("example.com")
    with trio.move_on_after(4) as scope:
        await ask(resolver(network), "sip:example.com")
    assert scope.cancelled_caught


def test_large_requests_try_tcp_before_udp_at_each_address() -> None:
    one, two = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
    targets = [Target("UDP", one, "x"), Target("TCP", two, "x"), Target("UDP", two, "x")]
    assert streams_first(targets, 1300) == targets
    assert [(target.transport, target.address) for target in streams_first(targets, 1301)] == [
        ("TCP", one),
        ("UDP", one),
        ("TCP", two),
        ("UDP", two),
    ]
