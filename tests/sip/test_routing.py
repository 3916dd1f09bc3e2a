"""The next hop of requests and responses."""

from __future__ import annotations

import pytest

from offhook.sip.address import NameAddr
from offhook.sip.errors import BadHeader, UnsupportedScheme
from offhook.sip.message import Request
from offhook.sip.routing import Hop, hop_of, next_hop, reply_hop, route_request
from offhook.sip.uri import Uri
from offhook.sip.via import Via
from tests.sip.messages import options


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:bob@Example.com", Hop("example.com", None, "UDP")),
        ("sip:bob@example.com:5080", Hop("example.com", 5080, "UDP")),
        ("sip:example.com;transport=tcp", Hop("example.com", None, "TCP", named_transport=True)),
        ("sip:example.com;transport=TLS", Hop("example.com", None, "TLS", secure=True, named_transport=True)),
        ("sips:example.com", Hop("example.com", None, "TLS", secure=True)),
        ("sips:example.com;transport=tcp", Hop("example.com", None, "TLS", secure=True, named_transport=True)),
        ("sips:example.com:443;transport=ws", Hop("example.com", 443, "WSS", secure=True, named_transport=True)),
        ("sip:example.com;maddr=192.0.2.9", Hop("192.0.2.9", None, "UDP")),
        ("sip:[2001:DB8:0::9]:5070", Hop("2001:db8::9", 5070, "UDP")),
    ],
)
def test_a_uri_says_where_to_send(uri: str, hop: Hop) -> None:
    assert hop_of(Uri.parse(uri)) == hop


@pytest.mark.parametrize(("transport", "port"), [("UDP", 5060), ("TCP", 5060), ("TLS", 5061), ("WS", 80), ("WSS", 443)])
def test_each_transport_has_its_default_port(transport: str, port: int) -> None:
    assert Hop("a", None, transport).default_port == port
    assert Hop("A", None, transport).key == Hop("a", port, transport).key


@pytest.mark.parametrize("uri", ["tel:+1555", "mailto:a@b"])
def test_only_sip_uris_can_be_sent_to(uri: str) -> None:
    with pytest.raises(UnsupportedScheme) as refused:
        hop_of(Uri.parse(uri))
    assert refused.value.status == 416


def test_a_loose_route_comes_before_the_request_uri() -> None:
    request = options(("Route", "<sip:edge.example.com:5070;transport=tcp;lr>, <sip:core.example.com;lr>"))
    assert next_hop(request) == Hop("edge.example.com", 5070, "TCP", named_transport=True)


def test_a_strict_route_is_already_in_the_request_uri() -> None:
    request = options(("Route", "<sip:other.example.com>"))
    assert next_hop(request).host == "example.com"
    secure = Request("OPTIONS", "sips:bob@example.com", request.headers)
    assert next_hop(secure) == Hop("example.com", None, "TLS", secure=True)


def test_a_sips_request_uri_asks_for_tls_whatever_the_route_says() -> None:
    request = Request("OPTIONS", "sips:bob@example.com", options(("Route", "<sip:edge.example.com;lr>")).headers)
    assert next_hop(request) == Hop("edge.example.com", None, "TLS", secure=True)


def test_a_broken_route_is_an_error() -> None:
    with pytest.raises(BadHeader):
        next_hop(options(("Route", "edge")))


def test_a_route_set_of_loose_routers_stays_as_it_is() -> None:
    routes = [NameAddr.parse("<sip:a;lr>"), NameAddr.parse("<sip:b;lr>")]
    target = Uri.parse("sip:bob@192.0.2.1")
    assert route_request(target, routes) == (target, tuple(routes))
    assert route_request(target, []) == (target, ())


def test_a_strict_router_takes_the_place_of_the_target() -> None:
    # RFC 3261 12.2.1.1
    routes = [NameAddr.parse(f"<sip:proxy{number}>") for number in (1, 2, 3)]
    uri, rest = route_request(Uri.parse("sip:user@remoteua"), routes)
    assert str(uri) == "sip:proxy1"
    assert [str(route) for route in rest] == ["<sip:proxy2>", "<sip:proxy3>", "<sip:user@remoteua>"]


def test_what_may_not_be_in_a_request_uri_is_left_out_of_it() -> None:
    uri, _ = route_request(Uri.parse("sip:u@r"), [NameAddr.parse("<sip:proxy1;method=INVITE;x?Subject=a>")])
    assert str(uri) == "sip:proxy1;x"


@pytest.mark.parametrize(
    ("via", "reliable", "host", "port"),
    [
        ("SIP/2.0/UDP 192.0.2.1", False, "192.0.2.1", None),
        ("SIP/2.0/UDP 192.0.2.1:5070", False, "192.0.2.1", 5070),
        ("SIP/2.0/UDP phone.example.com;received=192.0.2.7", False, "192.0.2.7", 5060),
        ("SIP/2.0/UDP phone.example.com:5090;received=192.0.2.7", False, "192.0.2.7", 5090),
        ("SIP/2.0/UDP a:5090;rport=4000;received=192.0.2.7", False, "192.0.2.7", 4000),
        ("SIP/2.0/UDP a;maddr=239.1.1.1;received=192.0.2.7", False, "239.1.1.1", 5060),
        ("SIP/2.0/TCP a:5090;rport=4000;received=192.0.2.7", True, "192.0.2.7", 5090),
        ("SIP/2.0/TLS a;received=192.0.2.7", True, "192.0.2.7", 5061),
        ("SIP/2.0/UDP [2001:DB8:0::1];received=[2001:db8::2]", False, "2001:db8::2", 5060),
    ],
)
def test_a_response_goes_where_the_via_says(via: str, reliable: bool, host: str, port: int | None) -> None:
    hop = reply_hop(Via.parse(via), reliable=reliable)
    assert (hop.host, hop.port) == (host, port)
