"""Walks the torture messages: every `.sip` file is read as its `.expect` file says.

A message is one datagram, byte for byte. Beside it lies a TOML file of the same name.

`valid/`: each key is a path into the parsed message (`vias.0.host`), or `header:Name` for a raw value, or one of

- `body`: the text of the body
- `hop`: the host that `next_hop` finds
- `exact`: rendering gives the same bytes back
- `stream`: what the same bytes are on a stream, as listed for `invalid/`; without it, the one message

"none" stands for `None`.

`invalid/`: `status` and `error` of the `SipError`, whether it can be `answered`, and sometimes `stream`: methods of the
requests, KEEPALIVE, or the status of what is malformed with " close" behind it when the stream ends there.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from offhook.sip import (
    Headers,
    KeepAlive,
    Malformed,
    Message,
    Request,
    Response,
    SipError,
    StreamFramer,
    next_hop,
    parse_datagram,
    render,
    respond,
    respond_to_malformed,
    validate_request,
    validate_response,
)

HERE = Path(__file__).parent
VALID = sorted((HERE / "valid").glob("*.sip"))
INVALID = sorted((HERE / "invalid").glob("*.sip"))


def accept(data: bytes) -> Request | Response:
    message = parse_datagram(data)
    if isinstance(message, Request):
        validate_request(message)
    else:
        validate_response(message)
    return message


def expectations(case: Path) -> dict[str, Any]:
    return tomllib.loads(case.with_suffix(".expect").read_text("utf-8"))


def look_up(message: Request | Response, path: str) -> object:
    kind, colon, name = path.partition(":")
    if colon:
        assert kind == "header"
        return message.headers.get(name)
    value: object = message
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() and isinstance(value, tuple) else getattr(value, step)
    return plain(value)


def plain(value: object) -> object:
    """What TOML can say of a value."""
    if value is None:
        return "none"
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | int | float | str):
        return value
    return str(value)


def on_a_stream(data: bytes, step: int) -> list[str]:
    framer, heard = StreamFramer(), list[str]()
    for start in range(0, len(data), step):
        for item in framer.feed(data[start : start + step]):
            match item:
                case Request():
                    heard.append(item.method)
                case Response():
                    heard.append(str(item.status))
                case KeepAlive():
                    heard.append("KEEPALIVE")
                case Malformed():
                    heard.append(f"{item.error.status}{' close' if framer.broken else ''}")
    return heard


def test_there_are_cases_and_each_has_its_expectations() -> None:
    assert len(VALID) > 40
    assert len(INVALID) > 60
    assert {case.with_suffix("") for case in VALID + INVALID} == {
        found.with_suffix("") for kind in ("valid", "invalid") for found in (HERE / kind).glob("*.expect")
    }


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.stem)
def test_a_strange_but_valid_message_reads_as_expected(case: Path) -> None:
    message = accept(case.read_bytes())
    expected = expectations(case)
    expected.pop("stream", None)
    if expected.pop("exact", False):
        assert render(message) == case.read_bytes()
    if "hop" in expected:
        assert isinstance(message, Request)
        assert next_hop(message).host == expected.pop("hop")
    found = {path: look_up(message, path) for path in expected}
    assert found == expected


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.stem)
def test_a_strange_but_valid_message_survives_rendering(case: Path) -> None:
    message = accept(case.read_bytes())
    again = accept(render(message))
    assert again == message
    assert render(again) == render(message)
    if isinstance(message, Request):
        answer = respond(message, 200)
        assert accept(render(answer)) == answer


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.stem)
@pytest.mark.parametrize("step", [1, 100_000], ids=["byte by byte", "at once"])
def test_a_strange_but_valid_message_comes_out_of_a_stream(case: Path, step: int) -> None:
    data = case.read_bytes()
    message = parse_datagram(data)
    alone = message.method if isinstance(message, Request) else str(message.status)
    assert on_a_stream(data, step) == expectations(case).get("stream", [alone])


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.stem)
def test_an_invalid_message_is_refused_with_its_status(case: Path) -> None:
    expected = expectations(case)
    with pytest.raises(SipError) as refused:
        accept(case.read_bytes())
    error = refused.value
    assert (error.status, type(error).__name__) == (expected["status"], expected["error"])
    answer = respond_to_malformed(error)
    assert (answer is not None) == expected["answered"]
    if answer is not None:
        assert answer.status == error.status
        assert render(answer).startswith(b"SIP/2.0 %d " % error.status)
        assert error.request_head is not None
        assert answer.headers.all("via") == error.request_head.vias


@pytest.mark.parametrize(
    "case", [case for case in INVALID if "stream" in expectations(case)], ids=lambda case: case.stem
)
@pytest.mark.parametrize("step", [1, 100_000], ids=["byte by byte", "at once"])
def test_an_invalid_message_on_a_stream_ends_it_or_not(case: Path, step: int) -> None:
    assert on_a_stream(case.read_bytes(), step) == expectations(case)["stream"]


def test_every_typed_view_of_an_accepted_message_can_be_read() -> None:
    views = [name for name, value in vars(Message).items() if not name.startswith("_") and hasattr(value, "__get__")]
    views = [name for name in views if not name.startswith("with_")]
    for case in VALID:
        message = accept(case.read_bytes())
        for view in views:
            getattr(message, view)
        assert isinstance(message.headers, Headers)
