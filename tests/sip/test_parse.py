"""One datagram to one message, and what is saved of those that are none."""

from __future__ import annotations

import pytest

from offhook.sip.errors import BadMessage, EmptyMessage, MessageTooLarge, SipError, UnsupportedVersion
from offhook.sip.message import Request, Response
from offhook.sip.parse import Limits, is_keepalive, parse_datagram
from tests.sip.messages import INVITE_BYTES, INVITE_TEXT, invite, wire


def refusal(data: bytes, limits: Limits | None = None) -> SipError:
    with pytest.raises(SipError) as refused:
        parse_datagram(data, limits or Limits())
    return refused.value


def test_a_request_is_read_whole() -> None:
    request = invite()
    assert (request.method, request.request_uri) == ("INVITE", "sip:+14155550100@acme.sip.example.com")
    assert request.body == b"hello"
    assert len(request.headers) == 13


def test_a_response_is_read_whole() -> None:
    response = parse_datagram(wire("SIP/2.0 486 Busy Here\nCSeq: 1 INVITE"))
    assert isinstance(response, Response)
    assert (response.status, response.reason, response.body) == (486, "Busy Here", b"")


def test_folded_lines_are_joined_by_a_space() -> None:
    message = parse_datagram(b"SIP/2.0 200 OK\r\nSubject: a\r\n  b\r\n\tc \r\nX:\r\n y\r\n\r\n")
    assert message.headers.lines == (("Subject", "a b c"), ("X", "y"))


def test_a_body_without_a_length_is_the_rest_of_the_datagram() -> None:
    assert parse_datagram(b"SIP/2.0 200 OK\r\nTo: x\r\n\r\nrest").body == b"rest"


def test_what_is_behind_the_body_is_discarded() -> None:
    assert parse_datagram(INVITE_BYTES + b"garbage").body == b"hello"


def test_a_body_cut_short_is_an_error_that_can_be_answered() -> None:
    error = refusal(INVITE_BYTES[:-1])
    assert isinstance(error, BadMessage)
    assert error.request_head is not None
    assert error.request_head.method == "INVITE"
    assert len(error.request_head.vias) == 2
    assert error.request_head.from_ == '"Bob" <sip:bob@acme.sip.example.com>;tag=77'
    assert error.request_head.cseq == "1 INVITE"


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0\0\0\0", b"\0", b"\r\n" * 1000])
def test_a_keep_alive_is_no_message(data: bytes) -> None:
    assert is_keepalive(data)
    error = refusal(data)
    assert isinstance(error, EmptyMessage)
    assert error.request_head is None


def test_a_version_is_compared_without_case_and_must_be_two() -> None:
    assert isinstance(parse_datagram(INVITE_BYTES.replace(b" SIP/2.0\r", b" sip/2.0\r", 1)), Request)
    error = refusal(INVITE_BYTES.replace(b" SIP/2.0\r", b" SIP/2.1\r", 1))
    assert isinstance(error, UnsupportedVersion)
    assert error.status == 505
    assert error.request_head is not None


def test_more_bytes_or_headers_than_allowed_are_too_large() -> None:
    exact = Limits(max_message=len(INVITE_BYTES), max_headers=13)
    assert parse_datagram(INVITE_BYTES, exact) == invite()
    for limits in (Limits(max_message=len(INVITE_BYTES) - 1), Limits(max_headers=12)):
        error = refusal(INVITE_BYTES, limits)
        assert isinstance(error, MessageTooLarge)
        assert error.status == 513
        assert error.request_head is not None
        assert error.request_head.call_id == "c1@192.0.2.10"


def test_the_usual_limits_are_64_kib_and_256_headers() -> None:
    many = wire(INVITE_TEXT.rstrip() + "\nX: y" * 243, b"hello")
    assert len(parse_datagram(many).headers) == 256
    assert refusal(wire(INVITE_TEXT.rstrip() + "\nX: y" * 244, b"hello")).status == 513
    head = INVITE_BYTES[:-5].replace(b"Content-Length: 5", b"Content-Length: 65000")
    assert len(parse_datagram(head + bytes(65000)).body) == 65000
    assert refusal(head + bytes(65536)).status == 513


@pytest.mark.parametrize(
    "line",
    ["no colon", ": no name", "two words: x", "a\x00b: x", "\u00e4: x", "X: a\rb", "X: a\nb", "\x0b: x", "X\u00a0: y"],
)
def test_a_line_that_is_no_header_is_an_error(line: str) -> None:
    for place in ("\r\nMax-Forwards", "\r\nContent-Length"):
        data = INVITE_BYTES.replace(place.encode(), b"\r\n" + line.encode() + place.encode())
        assert isinstance(refusal(data), BadMessage)


def test_a_swallowed_header_cannot_hide_behind_a_bare_line_end() -> None:
    # As many line ends as headers: only their kinds tell that something is wrong.
    assert isinstance(refusal(b"SIP/2.0 200 OK\r\nbad line\nTo: x\r\nFrom: y\r\n\r\n"), BadMessage)
    assert isinstance(refusal(b"SIP/2.0 200 OK\r\na: b\nc: d\r\n\r\n"), BadMessage)


def test_nothing_is_saved_of_what_is_no_request() -> None:
    for data in (b"SIP/2.0 999 x\r\n\r\n", b"\x16\x03\x01\x02\x00garbage\r\n\r\n", b"hello\r\n\r\n", b"GET /\r\n\r\n"):
        error = refusal(data)
        assert error.request_head is None


def test_folded_and_compact_headers_are_saved_too() -> None:
    error = refusal(
        b"INVITE sip:a@b c SIP/2.0\r\nv: SIP/2.0/UDP a\r\n ;branch=1\r\nf: x\r\nT:y\r\ni : z\r\nFrom: w\r\n\r\n"
    )
    head = error.request_head
    assert head is not None
    assert (head.vias, head.from_, head.to, head.call_id, head.cseq) == (
        ("SIP/2.0/UDP a ;branch=1",),
        "x",
        "y",
        "z",
        None,
    )


def test_bytes_that_are_no_utf8_are_kept() -> None:
    message = parse_datagram(b"SIP/2.0 200 caf\xe9\r\nSubject: \xff\xfe \xe2\x82\xac\r\n\r\n")
    assert message.headers.get("subject") == "\udcff\udcfe €"
