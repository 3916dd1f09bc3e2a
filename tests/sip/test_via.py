"""Via: reading, stamping on arrival, and what transactions compare."""

from __future__ import annotations

import pytest

from offhook.sip.errors import BadHeader
from offhook.sip.via import Via, parse_vias


def test_a_via_is_read_with_spaces_where_the_grammar_lets_them() -> None:
    via = Via.parse("SIP / 2.0 / udp first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1")
    assert (via.transport, via.host, via.port, via.maddr) == ("UDP", "first.example.com", 4000, "224.2.0.1")
    assert via.branch == "z9hG4bKa7c6a8dlze.1"
    assert str(via) == "SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7c6a8dlze.1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0 host",
        "SIP/2.0/UDP host:x",
        "SIP/2.0/UDP host;;",
        "SIP/2.0/UDPhost",
        "SIP/2.0/UDP [::g]",
    ],
)
def test_a_broken_via_is_refused(text: str) -> None:
    with pytest.raises(BadHeader):
        Via.parse(text)


def test_vias_of_one_line_are_split() -> None:
    assert [via.host for via in parse_vias('SIP/2.0/UDP a;x="1,2", SIP/2.0/TCP b')] == ["a", "b"]
    with pytest.raises(BadHeader):
        parse_vias("SIP/2.0/UDP a,")


def test_a_request_from_its_own_sent_by_is_not_stamped() -> None:
    via = Via.parse("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1")
    assert via.stamped("192.0.2.1", 5060) is via
    assert via.stamped("::ffff:192.0.2.1", 5060) is via
    assert Via.parse("SIP/2.0/UDP [2001:db8::0:1]").stamped("2001:db8::1", 1).received is None


def test_received_is_stamped_when_the_address_is_another() -> None:
    via = Via.parse("SIP/2.0/UDP phone.example.com;branch=z9hG4bK1").stamped("192.0.2.9", 4444)
    assert str(via) == "SIP/2.0/UDP phone.example.com;branch=z9hG4bK1;received=192.0.2.9"
    assert via.rport is None


def test_rport_is_filled_in_and_received_with_it() -> None:
    via = Via.parse("SIP/2.0/UDP 192.0.2.9;rport;branch=z9hG4bK1").stamped("192.0.2.9", 4444)
    assert (via.received, via.rport) == ("192.0.2.9", 4444)
    assert str(via) == "SIP/2.0/UDP 192.0.2.9;rport=4444;branch=z9hG4bK1;received=192.0.2.9"


def test_what_the_sender_claims_to_have_been_received_is_overwritten() -> None:
    via = Via.parse("SIP/2.0/UDP 192.0.2.9;received=203.0.113.1;rport=1;branch=z9hG4bK1").stamped("192.0.2.9", 4444)
    assert (via.received, via.rport) == ("192.0.2.9", 4444)
    assert Via.parse("SIP/2.0/UDP 192.0.2.9;received=203.0.113.1").stamped("192.0.2.9", 4444).received is None


@pytest.mark.parametrize("value", ["x", "0", "65536", "123456", "-1", "\u0663"])
def test_an_rport_that_is_no_port_is_none(value: str) -> None:
    assert Via.parse(f"SIP/2.0/UDP a;rport={value}").rport is None


def test_the_cookie_alone_is_no_unique_branch() -> None:
    assert Via.parse("SIP/2.0/UDP a;branch=z9hG4bKx").has_cookie
    assert not Via.parse("SIP/2.0/UDP a;branch=z9hG4bK").has_cookie
    assert not Via.parse("SIP/2.0/UDP a;branch=1").has_cookie
    assert not Via.parse("SIP/2.0/UDP a").has_cookie


def test_sent_by_is_compared_with_the_default_port_made_explicit() -> None:
    assert Via.parse("SIP/2.0/UDP Host").sent_by_key() == Via.parse("SIP/2.0/TCP host:5060").sent_by_key()
    assert Via.parse("SIP/2.0/TLS [2001:DB8:0::1]").sent_by_key() == ("2001:db8::1", 5061)
