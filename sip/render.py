"""A message to the bytes on the wire."""

from __future__ import annotations

from .errors import CannotRender, shorten
from .grammar import encode, is_token
from .headers import is_usual_name, key_of
from .message import Request, Response


def render(message: Request | Response) -> bytes:
    """The bytes of `message`: headers in their order and spelling, Content-Length always right (18.3, 20.14).

    Content-Length is written where the message has one, else at the end. A line break in any value, a name that is
    no token or a Request-URI with white space raises `CannotRender`: such a message would say other things than
    its headers do. They are kept with the message, which does not change: it may be sent again, or looked at by length.
    """
    wire: bytes | None = message.__dict__.get("wire")
    if wire is None:
        wire = message.__dict__["wire"] = _render(message)
    return wire


def _render(message: Request | Response) -> bytes:
    if isinstance(message, Request):
        if not is_token(message.method) or not message.request_uri or not _is_one_word(message.request_uri):
            raise CannotRender(f"request line: {shorten(message.method)!r} {shorten(message.request_uri)!r}")
        lines = [f"{message.method} {message.request_uri} SIP/2.0"]
    else:
        if not 100 <= message.status <= 699:
            raise CannotRender(f"status {message.status}")
        lines = [f"SIP/2.0 {message.status} {message.reason}"]
    length = str(len(message.body))
    has_length = False
    for name, value in message.headers.lines:
        if not is_usual_name(name) and not is_token(name):
            raise CannotRender(f"header name {shorten(name)!r}")
        if key_of(name) == "content-length":
            if has_length:
                continue
            has_length, value = True, length
        lines.append(f"{name}: {value}")
    if not has_length:
        lines.append(f"Content-Length: {length}")
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\r") != breaks or text.count("\n") != breaks:
        line = next(line for line in lines if "\r" in line or "\n" in line)
        raise CannotRender(f"line break in {shorten(line)!r}")
    try:
        head = encode(text)
    except UnicodeEncodeError:
        raise CannotRender("text that stands for no bytes") from None
    return head + b"\r\n\r\n" + message.body


def _is_one_word(text: str) -> bool:
    return not any(character in text for character in " \t\r\n")
