"""What makes a message usable beyond its syntax."""

from __future__ import annotations

import pytest

from offhook.sip.build import respond
from offhook.sip.errors import BadHeader, BadUri, MissingHeader, SipError
from offhook.sip.headers import Headers
from offhook.sip.message import Request, Response
from offhook.sip.validate import validate_request, validate_response
from tests.sip.messages import invite, options


def test_a_good_request_and_its_response_pass() -> None:
    validate_request(invite())
    validate_request(options())
    validate_response(respond(invite(), 200))


@pytest.mark.parametrize("name", ["To", "From", "Call-ID", "CSeq", "Via"])
def test_a_mandatory_header_must_be_there(name: str) -> None:
    headers = invite().headers.without(name)
    with pytest.raises(MissingHeader) as refused:
        validate_request(invite().with_headers(headers))
    assert refused.value.name == name
    with pytest.raises(MissingHeader):
        validate_response(Response(200, "OK", headers))


def test_what_old_peers_leave_out_may_be_missing() -> None:
    validate_request(
        invite().with_headers(invite().headers.without("Max-Forwards", "Contact").with_("From", "sip:a@b"))
    )


def test_the_method_must_be_that_of_the_cseq() -> None:
    request = invite()
    with pytest.raises(BadHeader, match="CSeq"):
        validate_request(Request("OPTIONS", request.request_uri, request.headers))


def test_the_request_uri_must_be_readable_but_may_be_of_any_scheme() -> None:
    headers = options().headers
    with pytest.raises(BadUri):
        validate_request(Request("OPTIONS", "sip:", headers))
    validate_request(Request("OPTIONS", "mailto:bob@example.com", headers))
    validate_request(Request("OPTIONS", "tel:+1555", headers))


def test_every_error_can_be_answered() -> None:
    with pytest.raises(SipError) as refused:
        validate_request(options(("Contact", "<nothing>")))
    head = refused.value.request_head
    assert head is not None
    assert (head.method, head.vias, head.call_id) == ("OPTIONS", options().headers.all("via"), "o1@192.0.2.10")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Expires", "-1"),
        ("Min-SE", "x"),
        ("Reason", ";cause=1"),
        ("Supported", '"x"'),
        ("Timestamp", "noon"),
        ("Event", ""),
        ("Replaces", "x"),
        ("Accept", "anything"),
        ("Path", "<sip:a@b>,"),
        ("Referred-By", "bob"),
        ("User-to-User", '"x'),
        ("Subscription-State", ""),
        ("Record-Route", "<sip:a>;;"),
        ("Content-Encoding", "a b"),
    ],
)
def test_a_header_that_is_relied_on_must_be_readable(name: str, value: str) -> None:
    with pytest.raises(BadHeader):
        validate_request(options((name, value)))


def test_a_header_that_nobody_relies_on_may_hold_anything() -> None:
    validate_request(options(("Warning", ";;,,"), ("Date", "yesterday"), ("X-Own", '"'), ("Authorization", "?")))


def test_star_is_for_register_only() -> None:
    with pytest.raises(BadHeader, match="Contact"):
        validate_request(options(("Contact", "*")))
    with pytest.raises(BadHeader, match="Contact"):
        validate_response(Response(200, "OK", options(("Contact", "*")).headers))
    register = options(("Contact", "*"), ("CSeq", "1 REGISTER"), ("Expires", "0"))
    validate_request(Request("REGISTER", "sip:example.com", register.headers))


def test_an_empty_message_lacks_everything() -> None:
    with pytest.raises(MissingHeader):
        validate_request(Request("OPTIONS", "sip:a", Headers()))
