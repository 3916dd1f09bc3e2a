"""Log lines: their fields, the call they belong to, and what they must never hold."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from offhook.server import log as setup
from offhook.server.log import HIDDEN, Format, Redactor


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is written with JSON lines set up; everything is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    known, pattern = setup.REDACTOR.secrets, setup.REDACTOR._pattern
    stream = io.StringIO()
    setup.set_up(Format.JSON, "info", stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)
    setup.REDACTOR.secrets, setup.REDACTOR._pattern = known, pattern


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_name_and_fields(lines: io.StringIO) -> None:
    structlog.get_logger("offhook.test").info("call answered", seconds=3)
    (line,) = written(lines)
    assert line["event"] == "call answered"
    assert line["level"] == "info"
    assert line["logger"] == "offhook.test"
    assert line["seconds"] == 3
    assert line["timestamp"].endswith("Z")


def test_lines_of_a_call_carry_its_sid(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(call_sid="CA1"):
        structlog.get_logger().info("inside")
        logging.getLogger("some.library").warning("from a library: %s", "text")
    structlog.get_logger().info("outside")
    inside, library, outside = written(lines)
    assert inside["call_sid"] == library["call_sid"] == "CA1"
    assert library["event"] == "from a library: text"
    assert "call_sid" not in outside


def test_lines_below_the_level_are_left_out(lines: io.StringIO) -> None:
    structlog.get_logger().debug("too much")
    logging.getLogger("hpack").info("chatty")
    assert written(lines) == []


def test_known_secrets_are_hidden_wherever_they_turn_up(lines: io.StringIO) -> None:
    setup.hide("0123456789abcdef", "short")
    try:
        raise ValueError("bad token 0123456789abcdef")
    except ValueError:
        structlog.get_logger().exception("failed on 0123456789abcdef", data=["x", b"0123456789abcdef"])
    logging.getLogger("library").warning("0123456789abcdef")
    assert "0123456789abcdef" not in lines.getvalue()
    assert lines.getvalue().count(HIDDEN) >= 4
    assert "ValueError" in lines.getvalue()


def test_console_lines_hide_too() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        setup.set_up(Format.CONSOLE, "info", stream)
        structlog.get_logger().info("hello", password="pw", call="CA1")
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)
    assert "pw" not in stream.getvalue().replace("password", "")
    assert "CA1" in stream.getvalue()


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "Passwd",
        "auth_token",
        "authtoken",
        "Authorization",
        "proxy_authorization",
        "cookie",
        "ha1",
        "secret",
    ],
)
def test_fields_with_a_secret_name_are_hidden(key: str) -> None:
    redactor = Redactor()
    assert redactor(None, "info", {"event": "x", key: "value"})[key] == HIDDEN
    assert redactor(None, "info", {"event": "x", "inner": {key: "value"}})["inner"] == {key: HIDDEN}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET http://user:pass@host/x", f"GET http://{HIDDEN}@host/x"),
        ("Authorization: Digest username=a, response=b\r\nTo: x", f"Authorization: {HIDDEN}\r\nTo: x"),
        ("proxy-authorization: Digest nonce=1", f"proxy-authorization: {HIDDEN}"),
        ("Set-Cookie: a=b", f"Set-Cookie: {HIDDEN}"),
        ("mailto:a@b", "mailto:a@b"),
        ("sip:alice@acme.test", "sip:alice@acme.test"),
        ("https://host/path@x", "https://host/path@x"),
    ],
)
def test_credentials_inside_texts_are_hidden(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


def test_values_keep_their_kind_where_nothing_is_hidden() -> None:
    cleaned = Redactor().clean({"a": 1, "b": [True, None, 2.5], "c": ("x",), "d": ValueError("why")})
    assert cleaned == {"a": 1, "b": [True, None, 2.5], "c": ["x"], "d": "ValueError: why"}


def test_short_secrets_are_not_searched_for_in_texts() -> None:
    redactor = Redactor()
    redactor.know(["1234", ""])
    assert redactor.text("port 12345") == "port 12345"
