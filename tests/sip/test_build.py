"""Messages of our own making."""

from __future__ import annotations

import pytest

from offhook.sip.address import NameAddr
from offhook.sip.build import ack_for, cancel_for, request, respond, respond_to_malformed
from offhook.sip.errors import BadMessage, RequestHead, SipError, UnsupportedVersion
from offhook.sip.parse import parse_datagram
from offhook.sip.render import render
from offhook.sip.tokens import REASONS, Status, reason_phrase
from offhook.sip.uri import Uri
from offhook.sip.validate import validate_request
from offhook.sip.via import Via
from tests.sip.messages import invite, options


def test_a_response_copies_what_belongs_to_the_transaction() -> None:
    response = respond(invite(), 180, to_tag="x1", headers=[("Contact", "<sip:us@example.com>")])
    assert list(response.headers) == [
        ("Via", "SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bKa1"),
        ("Via", "SIP/2.0/TCP edge.example.com;branch=z9hG4bKa0"),
        ("Record-Route", "<sip:edge.example.com;lr>"),
        ("From", '"Bob" <sip:bob@acme.sip.example.com>;tag=77'),
        ("To", "<sip:+14155550100@acme.sip.example.com>;tag=x1"),
        ("Call-ID", "c1@192.0.2.10"),
        ("CSeq", "1 INVITE"),
        ("Contact", "<sip:us@example.com>"),
        ("Content-Length", "0"),
    ]
    assert (response.status, response.reason) == (180, "Ringing")


def test_a_body_comes_with_its_type() -> None:
    response = respond(invite(), 200, "Fine", body=b"v=0", content_type="application/sdp")
    assert (response.reason, response.content_type, response.content_length) == ("Fine", "application/sdp", 3)


def test_a_trying_has_no_tag_and_gives_the_timestamp_back() -> None:
    trying = respond(invite(), 100)
    assert trying.to_tag is None
    assert trying.timestamp == "54.2"
    assert "Record-Route" not in trying.headers
    assert respond(invite(), 180).timestamp is None


def test_a_refusal_and_a_response_outside_a_dialog_carry_no_record_route() -> None:
    assert "Record-Route" not in respond(invite(), 404).headers
    assert "Record-Route" not in respond(options(("Record-Route", "<sip:a;lr>")), 200).headers


def test_the_tag_of_a_stateless_answer_is_the_same_for_every_copy_of_a_request() -> None:
    first, again = respond(invite(), 407).to_tag, respond(invite(), 407).to_tag
    assert first is not None
    assert first == again
    other = invite().with_headers(invite().headers.with_("Call-ID", "other"))
    assert respond(other, 407).to_tag != first


def test_a_tag_of_the_request_stays() -> None:
    assert respond(options(("To", "<sip:bob@example.com>;tag=old")), 200, to_tag="new").to_tag == "old"


def test_a_bare_to_takes_its_tag_as_a_header_parameter() -> None:
    response = respond(options(("To", "sip:bob@example.com")), 200, to_tag="t")
    assert response.to_tag == "t"
    assert str(response.to.uri) == "sip:bob@example.com"


def test_an_ack_of_a_refusal_is_part_of_the_invites_transaction() -> None:
    sent = invite().with_headers(invite().headers.appended("Route", "<sip:edge.example.com;lr>"))
    ack = ack_for(sent, respond(sent, 486, to_tag="x1"))
    assert (ack.method, ack.request_uri) == ("ACK", sent.request_uri)
    assert ack.vias == (sent.via,)
    assert (ack.cseq.number, ack.cseq.method, ack.to_tag) == (1, "ACK", "x1")
    assert ack.routes == sent.routes
    assert (ack.from_, ack.call_id, ack.max_forwards, ack.body) == (sent.from_, sent.call_id, 70, b"")
    validate_request(ack)


def test_a_cancel_names_the_transaction_it_ends() -> None:
    sent = invite().with_headers(invite().headers.appended("Route", "<sip:edge.example.com;lr>"))
    cancel = cancel_for(sent, [("Reason", "SIP;cause=200")])
    assert (cancel.method, cancel.request_uri, cancel.vias) == ("CANCEL", sent.request_uri, (sent.via,))
    assert (cancel.cseq.number, cancel.cseq.method, cancel.to_tag) == (1, "CANCEL", None)
    assert (cancel.routes, cancel.to, cancel.from_) == (sent.routes, sent.to, sent.from_)
    assert cancel.reasons[0].cause == 200
    assert "Require" not in cancel.headers
    validate_request(cancel)


def test_a_request_has_its_mandatory_headers() -> None:
    made = request(
        "INVITE",
        Uri.of("bob", "example.com"),
        via=Via.parse("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        from_=NameAddr(Uri.of("ann", "example.com"), "Ann").with_tag("1"),
        to=NameAddr(Uri.of("bob", "example.com")),
        call_id="c",
        cseq=3,
        contact=NameAddr(Uri.of("ann", "192.0.2.1")),
        routes=["<sip:edge.example.com;lr>"],
        headers=[("X-Own", "1")],
        body=b"x",
        content_type="text/plain",
    )
    validate_request(made)
    assert parse_datagram(render(made)) == made
    assert (made.max_forwards, made.content_length, made.headers.get("x-own")) == (70, 1, "1")


def answer_to(head: RequestHead | None, error: SipError | None = None) -> object:
    error = error or BadMessage("x")
    error.request_head = head
    response = respond_to_malformed(error)
    return response and [response.status, *response.headers.lines]


def test_a_malformed_request_is_answered_with_what_it_had() -> None:
    head = RequestHead("INVITE", ("SIP/2.0/UDP a;;",), "<sip:a@b>;tag=1", "<sip:c@d>;tag=2", "id", "1 INVITE")
    assert answer_to(head, UnsupportedVersion("x")) == [
        505,
        ("Via", "SIP/2.0/UDP a;;"),
        ("From", "<sip:a@b>;tag=1"),
        ("To", "<sip:c@d>;tag=2"),
        ("Call-ID", "id"),
        ("CSeq", "1 INVITE"),
        ("Content-Length", "0"),
    ]
    assert answer_to(RequestHead("INVITE", ("v",))) == [400, ("Via", "v"), ("Content-Length", "0")]


def test_the_answer_to_a_malformed_request_gets_a_tag_where_one_can_be_added() -> None:
    for to, tagged in (("<sip:a@b>", True), ("sip:a@b", True), ("<sip:a@b>;tag=1", False), ('"open <sip:a>', False)):
        error = BadMessage("x")
        error.request_head = RequestHead("BYE", ("v",), to=to)
        response = respond_to_malformed(error)
        assert response is not None
        assert (response.headers.get("to") != to) == tagged


def test_a_malformed_response_or_ack_is_not_answered() -> None:
    assert answer_to(None) is None
    assert answer_to(RequestHead("ACK", ("v",))) is None
    assert answer_to(RequestHead("INVITE")) is None


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (100, "Trying"),
        (200, "OK"),
        (407, "Proxy Authentication Required"),
        (414, "Request-URI Too Long"),
        (416, "Unsupported URI Scheme"),
        (481, "Call/Transaction Does Not Exist"),
        (504, "Server Time-out"),
        (606, "Not Acceptable"),
        (499, "Request Failure"),
        (699, "Global Failure"),
    ],
)
def test_a_status_has_its_phrase(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase


def test_every_known_status_has_a_phrase_of_its_own() -> None:
    assert set(REASONS) == {status.value for status in Status}
    assert all(REASONS.values())
