"""What arrives is stamped, checked, and answered by the right way (RFC 3261 18.2, RFC 3581)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.sip.build import respond, respond_to_malformed
from offhook.sip.errors import SipError
from offhook.sip.message import Request
from offhook.sip.parse import Limits, parse_datagram
from offhook.sip.via import Via
from offhook.transport.arrivals import read_datagram, reply_flow, response_destination
from offhook.transport.flow import Flow, Malformed, Received
from offhook.transport.network import Address

from .sample import ok, options

LOCAL = ("10.0.0.1", 5060)
REMOTE = ("192.0.2.7", 40_000)
UDP = Flow("UDP", LOCAL, REMOTE)


def arrive(data: bytes, remote: Address = REMOTE) -> Received | Malformed | None:
    return read_datagram(data, Flow("UDP", LOCAL, remote), 7.5, Limits())


def arrived_via(via: str, remote: Address = REMOTE) -> str:
    arrival = arrive(options(via=via), remote)
    assert isinstance(arrival, Received)
    assert arrival.at == 7.5
    return arrival.message.headers.all("via")[0]


@pytest.mark.parametrize(
    ("via", "remote", "stamped"),
    [
        (
            "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1;rport",
            REMOTE,
            "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1;rport=40000;received=192.0.2.7",
        ),
        (
            "SIP/2.0/UDP 192.0.2.7:9;branch=z9hG4bK1;rport",
            REMOTE,
            "SIP/2.0/UDP 192.0.2.7:9;branch=z9hG4bK1;rport=40000;received=192.0.2.7",
        ),
        (
            "SIP/2.0/UDP pc.example;branch=z9hG4bK1",
            REMOTE,
            "SIP/2.0/UDP pc.example;branch=z9hG4bK1;received=192.0.2.7",
        ),
        ("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1", REMOTE, "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1"),
        (
            "SIP/2.0/UDP [2001:DB8::1]:5070;branch=z9hG4bK1",
            ("2001:db8::1", 5070),
            "SIP/2.0/UDP [2001:DB8::1]:5070;branch=z9hG4bK1",
        ),
        (
            "SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2",
            REMOTE,
            "SIP/2.0/UDP a;branch=z9hG4bK1;received=192.0.2.7, SIP/2.0/UDP b;branch=z9hG4bK2",
        ),
        (
            "SIP/2.0/UDP a;branch=z9hG4bK1;received=203.0.113.1",
            REMOTE,
            "SIP/2.0/UDP a;branch=z9hG4bK1;received=192.0.2.7",
        ),
        ("SIP/2.0/UDP a;branch=z9hG4bK1", ("fe80::1%2", 5060), "SIP/2.0/UDP a;branch=z9hG4bK1;received=fe80::1"),
    ],
)
def test_the_topmost_via_says_where_the_request_came_from(via: str, remote: Address, stamped: str) -> None:
    assert arrived_via(via, remote) == stamped


def test_a_request_that_needs_no_stamp_is_left_alone() -> None:
    data = options(via="SIP/2.0/UDP 192.0.2.7:40000;branch=z9hG4bK1")
    arrival = arrive(data)
    assert isinstance(arrival, Received)
    assert arrival.message == parse_datagram(data)


def test_only_the_topmost_via_is_stamped_and_the_order_of_headers_is_kept() -> None:
    arrival = arrive(options(extra="Via: SIP/2.0/TCP far;branch=z9hG4bK0\r\n"))
    assert isinstance(arrival, Received)
    names = [name for name, _ in arrival.message.headers]
    assert names == ["Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Via", "Content-Length"]
    assert arrival.message.headers.all("via")[1] == "SIP/2.0/TCP far;branch=z9hG4bK0"


# Via, transport, source, and where the answer goes (18.2.2; RFC 3581 section 4)
ROUTES = [
    ("SIP/2.0/UDP 10.0.0.2:5070;branch=z9hG4bK1;rport", "UDP", REMOTE, REMOTE),
    ("SIP/2.0/UDP 10.0.0.2:5070;branch=z9hG4bK1", "UDP", REMOTE, ("192.0.2.7", 5070)),
    ("SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1", "UDP", REMOTE, ("192.0.2.7", 5060)),
    ("SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK1", "UDP", REMOTE, ("192.0.2.7", 5070)),
    ("SIP/2.0/UDP pc.example;branch=z9hG4bK1;maddr=203.0.113.5", "UDP", REMOTE, ("192.0.2.7", 5060)),
    ("SIP/2.0/UDP pc.example;branch=z9hG4bK1;maddr=239.1.1.1;ttl=9", "UDP", REMOTE, ("192.0.2.7", 5060)),
    ("SIP/2.0/UDP pc.example;branch=z9hG4bK1;received=203.0.113.5", "UDP", REMOTE, ("192.0.2.7", 5060)),
    ("SIP/2.0/UDP pc.example;branch=z9hG4bK1;rport=1", "UDP", REMOTE, REMOTE),
    ("SIP/2.0/UDP [2001:db8::9];branch=z9hG4bK1", "UDP", ("2001:db8::1", 7), ("2001:db8::1", 5060)),
    ("SIP/2.0/TCP 10.0.0.2:5070;branch=z9hG4bK1", "TCP", REMOTE, ("192.0.2.7", 5070)),
    ("SIP/2.0/TCP 10.0.0.2:5070;branch=z9hG4bK1;rport", "TCP", REMOTE, ("192.0.2.7", 5070)),
    ("SIP/2.0/TCP 10.0.0.2;branch=z9hG4bK1", "TCP", REMOTE, ("192.0.2.7", 5060)),
    ("SIP/2.0/TLS 10.0.0.2;branch=z9hG4bK1", "TLS", REMOTE, ("192.0.2.7", 5061)),
]


@pytest.mark.parametrize(("via", "transport", "source", "target"), ROUTES)
def test_answers_go_where_rfc_3261_sends_them(via: str, transport: str, source: Address, target: Address) -> None:
    flow = Flow(transport, LOCAL, source, reliable=transport != "UDP")
    stamped = Via.parse(via).stamped(*source)
    assert response_destination(stamped, flow) == target


def test_the_flow_of_an_answer_is_the_one_the_request_came_by_whenever_it_can_be() -> None:
    symmetric, fixed = arrive(options()), arrive(options(via="SIP/2.0/UDP pc.example:5070;branch=z9hG4bK1"))
    assert isinstance(symmetric, Received)
    assert isinstance(fixed, Received)
    assert isinstance(symmetric.message, Request)
    assert isinstance(fixed.message, Request)
    assert reply_flow(respond(symmetric.message, 200), symmetric.flow) is symmetric.flow
    other = reply_flow(respond(fixed.message, 200), fixed.flow)
    assert (other.local, other.remote) == (LOCAL, ("192.0.2.7", 5070))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (options().replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1), 505),
        (options().replace(b"CSeq: 1 OPTIONS", b"CSeq: 1 INVITE"), 400),
        (options().replace(b"To: <sip:bob@example.com>\r\n", b""), 400),
        (options().replace(b"Content-Length: 0", b"Content-Length: 9"), 400),
        (options(extra="X: y\r\n" * 300), 513),
        (options(extra="Contact: <<sip:a>\r\n"), 400),
    ],
)
def test_a_bad_request_can_be_answered_with_its_own_status_along_the_stamped_via(data: bytes, status: int) -> None:
    arrival = arrive(data)
    assert isinstance(arrival, Malformed)
    assert arrival.error.status == status
    response = respond_to_malformed(arrival.error)
    assert response is not None
    assert response.status == status
    assert response.via.received == "192.0.2.7"
    assert reply_flow(response, arrival.flow) is arrival.flow


def test_an_answer_with_an_unreadable_via_goes_back_to_the_source() -> None:
    arrival = arrive(options(via="SIP/2.0/UDP"))
    assert isinstance(arrival, Malformed)
    response = respond_to_malformed(arrival.error)
    assert response is not None
    assert reply_flow(response, arrival.flow) is arrival.flow


def test_a_bad_response_is_malformed_and_has_no_answer() -> None:
    arrival = arrive(ok().replace(b"CSeq: 1 OPTIONS", b"CSeq: one"))
    assert isinstance(arrival, Malformed)
    assert respond_to_malformed(arrival.error) is None
    assert isinstance(arrive(ok()), Received)


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0"])
def test_keepalives_say_nothing(data: bytes) -> None:
    assert arrive(data) is None


def test_only_the_beginning_of_malformed_bytes_is_kept() -> None:
    arrival = arrive(b"x" * 50_000)
    assert isinstance(arrival, Malformed)
    assert len(arrival.data) == 4096
    assert isinstance(arrival.error, SipError)


@settings(max_examples=200)
@given(data=st.binary(max_size=300), cut=st.integers(0, 400), put=st.binary(max_size=8))
def test_no_bytes_raise(data: bytes, cut: int, put: bytes) -> None:
    whole = options(via="SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b;rport")
    for candidate in (data, whole[:cut] + put + whole[cut:], whole[:cut] + put + whole[cut + len(put) :]):
        arrival = arrive(candidate)
        if isinstance(arrival, Malformed):
            response = respond_to_malformed(arrival.error)
            if response is not None:
                reply_flow(response, arrival.flow)
