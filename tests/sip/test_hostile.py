"""No input makes a parser raise anything but SipError, or take more than linear time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.sip import (
    Headers,
    Malformed,
    Request,
    Response,
    SipError,
    StreamFramer,
    UnsupportedScheme,
    next_hop,
    parse_datagram,
    render,
    reply_hop,
    respond,
    respond_to_malformed,
    validate_request,
    validate_response,
)
from offhook.sip.address import NameAddr, parse_addresses
from offhook.sip.digest import parse_auth_params
from offhook.sip.fields import CSeq, MediaType, Reason, RetryAfter, UserToUser
from offhook.sip.message import Message
from offhook.sip.uri import Uri
from offhook.sip.via import Via, parse_vias
from tests.sip.messages import INVITE_BYTES

VIEWS = [name for name, value in vars(Message).items() if hasattr(value, "__get__") and not callable(value)]
PIECES = [
    *(piece for piece in INVITE_BYTES.replace(b"\r\n", b"\n\r\n").split(b"\n") if piece),
    *(
        b"\r\n",
        b"\r",
        b"\n",
        b" ",
        b"\t",
        b"\0",
        b"\xff",
        b'"',
        b"<",
        b">",
        b",",
        b";",
        b":",
        b"=",
        b"\\",
        b"%",
        b"%00",
    ),
    *(b"l: 0\r\n", b"l: 99\r\n", b"SIP/2.0", b"SIP/7.0 200", b"ACK", b"*", b"sip:", b"tel:+", b"[::1]", b"9" * 30),
]


def handle(data: bytes) -> None:
    """All that is done with a datagram before anybody has looked at it."""
    try:
        message = parse_datagram(data)
        for view in VIEWS:
            with contextlib.suppress(SipError):
                getattr(message, view)
        if isinstance(message, Request):
            validate_request(message)
        else:
            validate_response(message)
    except SipError as error:
        answer = respond_to_malformed(error)
        if answer is not None:
            assert render(answer).endswith(b"\r\n\r\n")
        return
    assert parse_datagram(render(message)) == message
    reply_hop(message.via.stamped("192.0.2.1", 5060), reliable=False)
    if isinstance(message, Request):
        answer = respond(message, 400)
        assert parse_datagram(render(answer)) == answer
        try:
            next_hop(message)
        except UnsupportedScheme:
            assert not message.uri.is_sip or not message.routes[0].uri.is_sip


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    handle(data)
    handle(b"INVITE sip:a@b SIP/2.0\r\n" + data)
    handle(b"SIP/2.0 200 OK\r\n" + data + b"\r\n\r\n")


@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_any_mixture_of_pieces_is_a_message_or_an_error(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    handle(data)
    handle(INVITE_BYTES.replace(b"hello", b"") + data)


@given(st.integers(0, len(INVITE_BYTES)), st.integers(0, 12), st.sampled_from(PIECES) | st.binary(max_size=6))
@settings(max_examples=300)
def test_any_damage_to_a_message_leaves_a_message_or_an_error(at: int, length: int, patch: bytes) -> None:
    handle(INVITE_BYTES[:at] + patch + INVITE_BYTES[at + length :])


@given(st.lists(st.sampled_from(PIECES) | st.just(INVITE_BYTES), max_size=30), st.integers(1, 400))
def test_any_stream_is_messages_and_errors_however_it_is_cut(pieces: list[bytes], step: int) -> None:
    data = b"".join(pieces)
    framer, whole = StreamFramer(), StreamFramer()
    items: list[object] = []
    for start in range(0, len(data), step):
        items += framer.feed(data[start : start + step])
    at_once = whole.feed(data)
    assert [type(item) for item in items] == [type(item) for item in at_once]
    assert framer.broken == whole.broken
    for item in at_once:
        if isinstance(item, Malformed):
            respond_to_malformed(item.error)


@given(st.text(max_size=60), st.text(max_size=10), st.sampled_from(["Via", "Contact", "To", "CSeq", "X-Own", "l"]))
def test_any_text_in_a_header_is_rendered_to_the_same_message_or_not_at_all(text: str, name: str, header: str) -> None:
    for message in (
        Response(200, text.strip(" \t"), Headers([(header, text), (name, text)])),
        Request("OPTIONS", text or "x", Headers([(header, text)])),
    ):
        try:
            data = render(message)
        except SipError:
            continue
        assert parse_datagram(data).with_headers(message.headers) == message
        assert parse_datagram(data).headers.without("l") == message.headers.without("l")


SIZE = 60_000
HOSTILE = [
    "a" * SIZE,
    " " * SIZE,
    "\t" * SIZE + "x",
    '"' * SIZE,
    '"' + "\\" * SIZE,
    '"' + 'a"' * SIZE,
    "<" * SIZE,
    "," * SIZE,
    ";" * SIZE,
    ";a" * (SIZE // 2) + "\r",
    ";a=" * (SIZE // 3),
    ';a="b' * (SIZE // 5),
    "sip:" + "a:" * (SIZE // 2),
    "sip:" + "%41" * (SIZE // 3) + "%",
    "sip:" + "a;b=c" * (SIZE // 5) + "@",
    "sip:a@" + "a." * (SIZE // 2) + "!",
    "sip:a@b;" + "x=" * (SIZE // 2),
    "sip:a@b?" + "x=y&" * (SIZE // 4) + " ",
    "tel:" + "+" + "-." * (SIZE // 2) + "x",
    "tel:" + "1" * SIZE + "x",
    "SIP/2.0/UDP " + "a" * SIZE,
    "SIP / " + " " * SIZE + "2.0",
    "SIP/2.0/UDP a" + " " * SIZE + "x",
    "<sip:a@b>" + " ;" * (SIZE // 2),
    "<sip:a@b>" + "; a = " * (SIZE // 6),
    "a " * (SIZE // 2) + "<",
    "1" * SIZE + " INVITE",
    "1 " + " " * SIZE + ",",
    "1 (" + "(" * SIZE,
    "text/plain" + ";a" * (SIZE // 2) + ";",
    "Digest " + "a=b," * (SIZE // 4) + "=",
    "Digest " + 'a="' * (SIZE // 3),
    "Digest " + " " * SIZE + "=",
]
READERS: list[Callable[[str], object]] = [
    Uri.parse,
    NameAddr.parse,
    lambda text: parse_addresses(text, "Contact"),
    Via.parse,
    parse_vias,
    CSeq.parse,
    MediaType.parse,
    Reason.parse,
    RetryAfter.parse,
    UserToUser.parse,
    parse_auth_params,
    lambda text: Headers([("Contact", text), ("Allow", text)]).split("Contact"),
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_long_hostile_text_is_read_in_linear_time(text: str) -> None:
    began = time.process_time()
    for reader in READERS:
        try:
            reader(text)
        except SipError:
            continue
    raw = text.encode()
    for data in (
        b"INVITE sip:a@b SIP/2.0\r\nX: " + raw + b"\r\n\r\n",
        b"INVITE " + raw + b" SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 " + raw + b"\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\n" + raw + b":\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nX:" + raw + b"\rY\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\n" + b"X:a\r\n " * 10_000 + b"\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nX:a" + b"\r\n " * 20_000 + b"\r\n\r\n",
    ):
        handle(data)
    # Linear is some 10 ms here; one quadratic pattern would be seconds.
    assert time.process_time() - began < 1.0
