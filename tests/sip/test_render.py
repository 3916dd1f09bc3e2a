"""A message to bytes, and what is never let out."""

from __future__ import annotations

import pytest

from offhook.sip.errors import CannotRender
from offhook.sip.headers import Headers
from offhook.sip.message import Request, Response
from offhook.sip.render import render
from tests.sip.messages import INVITE_BYTES, invite


def test_a_canonical_message_is_rendered_byte_for_byte() -> None:
    assert render(invite()) == INVITE_BYTES


def test_content_length_is_right_wherever_it_stands() -> None:
    wrong = Headers([("l", "7"), ("To", "x"), ("Content-Length", "9")])
    assert render(Response(200, "OK", wrong, b"abc")) == b"SIP/2.0 200 OK\r\nl: 3\r\nTo: x\r\n\r\nabc"
    assert render(Response(200, "OK")) == b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("value", ["a\r\nInjected: x", "a\nb", "a\rb", "x\r\n\r\nbody"])
def test_a_line_break_never_leaves_in_a_value(value: str) -> None:
    for message in (
        Response(200, "OK", Headers([("X-Own", value)])),
        Response(200, value),
        Request("OPTIONS", "sip:a", Headers([("To", value)])),
        Request("OPTIONS", f"sip:{value}"),
        Request(value, "sip:a"),
    ):
        with pytest.raises(CannotRender):
            render(message)


@pytest.mark.parametrize("name", ["", "Two Words", "X:", "X\r\nY", "\u00e4"])
def test_a_name_that_is_no_token_never_leaves(name: str) -> None:
    with pytest.raises(CannotRender):
        render(Response(200, "OK", Headers([(name, "x")])))


@pytest.mark.parametrize("uri", ["", "sip:a b", "sip:a\tb"])
def test_a_request_uri_is_one_word(uri: str) -> None:
    with pytest.raises(CannotRender):
        render(Request("OPTIONS", uri))


@pytest.mark.parametrize("status", [0, 99, 700, 1000])
def test_a_status_is_of_three_digits(status: int) -> None:
    with pytest.raises(CannotRender):
        render(Response(status, "x"))


def test_text_that_stands_for_no_bytes_never_leaves() -> None:
    with pytest.raises(CannotRender):
        render(Response(200, "OK", Headers([("X", "\ud800")])))


def test_bytes_that_are_no_utf8_leave_as_they_came() -> None:
    assert b"X: \xff\r\n" in render(Response(200, "OK", Headers([("X", "\udcff")])))
