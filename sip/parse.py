"""One datagram, or one message cut out of a stream, to a Request or Response; what is malformed becomes an error."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import attrs

from .errors import BadHeader, BadMessage, EmptyMessage, MessageTooLarge, SipError, UnsupportedVersion
from .grammar import HEADER_LINE, HEADER_LINES, LWS, REQUEST_LINE, STATUS_LINE, decode, parse_digits
from .headers import Headers
from .message import Request, Response
from .salvage import salvage

_END: Final = b"\r\n\r\n"
_FOLD = re.compile(r"\r\n[ \t]++")


@attrs.frozen
class Limits:
    """How much of a message is accepted; more is answered with 513."""

    max_message: int = 65536
    """Bytes, head and body together."""
    max_headers: int = 256
    """Header lines."""


_DEFAULT_LIMITS = Limits()


def parse_datagram(data: bytes, limits: Limits = _DEFAULT_LIMITS) -> Request | Response:
    """Read the one message of a datagram (RFC 3261 18.3).

    Bytes after the body are discarded, a body shorter than its Content-Length is an error (400), and without a
    Content-Length the body is the rest of the datagram. Raises `SipError` and nothing else: its `request_head` is set
    when the bytes were a request that can be answered; `EmptyMessage` is a keep-alive.
    """
    try:
        return _parse_datagram(data, limits)
    except SipError as error:
        error.request_head = salvage(data)
        raise


def is_keepalive(data: bytes) -> bool:
    """Whether a datagram holds nothing but CRLFs or NULs, as phones send them to keep a NAT binding open."""
    return not data.strip(b"\r\n\0")


def _parse_datagram(data: bytes, limits: Limits) -> Request | Response:
    if len(data) > limits.max_message:
        if is_keepalive(data):
            raise EmptyMessage("keep-alive")
        raise MessageTooLarge(f"{len(data)} bytes")
    start = 0
    if data[:1] in (b"\r", b"\n", b"\0", b""):
        if is_keepalive(data):
            raise EmptyMessage("keep-alive")
        while data.startswith(b"\r\n", start):  # 7.5: CRLFs before the start line are ignored
            start += 2
    end = data.find(_END, start)
    if end < 0:
        raise BadMessage("no blank line after the headers")
    head = parse_head(data[start : end + 2], limits)
    body = data[end + 4 :]
    length = content_length(head.headers)
    if length is None or length == len(body):
        return head.message(body)
    if length > len(body):
        raise BadMessage(f"Content-Length {length}, but {len(body)} bytes follow")
    return head.message(body[:length])


class Head(NamedTuple):
    """A message that still lacks its body."""

    method: str | None
    """`None`: it is a response."""
    request_uri: str
    status: int
    reason: str
    headers: Headers

    def message(self, body: bytes) -> Request | Response:
        if self.method is not None:
            return Request(self.method, self.request_uri, self.headers, body)
        return Response(self.status, self.reason, self.headers, body)


def parse_head(head: bytes, limits: Limits = _DEFAULT_LIMITS) -> Head:
    """Read start line and header lines, each ended by CRLF. Raises `SipError`."""
    text = decode(head)
    line_end = text.find("\r\n")
    start_line = text[:line_end]
    request = REQUEST_LINE.fullmatch(start_line)
    if request is not None:
        method, uri, version = request.groups()
        _check_version(version)
        return Head(method, uri, 0, "", _parse_headers(text, line_end + 2, limits))
    status_line = STATUS_LINE.fullmatch(start_line)
    if status_line is None:
        raise BadMessage(f"bad start line: {start_line[:120]!r}")
    version, code, reason = status_line.groups()
    _check_version(version)
    status = parse_digits(code, 699)
    if status is None or status < 100:
        raise BadMessage(f"bad status code: {code[:20]!r}")
    return Head(None, "", status, reason or "", _parse_headers(text, line_end + 2, limits))


def _check_version(version: str) -> None:
    if version != "SIP/2.0" and version.upper() != "SIP/2.0":
        raise UnsupportedVersion(f"version {version[:20]!r}")


def _parse_headers(text: str, start: int, limits: Limits) -> Headers:
    lines = HEADER_LINES.findall(text, start)
    # Every line was a header exactly when there are as many matches as line ends, and no CR or LF beside those.
    count = text.count("\n", start)
    if count != len(lines) or " \r\n" in text or "\t\r\n" in text:
        lines = _unfolded(text[start:])
    if len(lines) > limits.max_headers:
        raise MessageTooLarge(f"{len(lines)} header lines")
    return Headers.from_lines(tuple(lines))


def _unfolded(text: str) -> list[tuple[str, str]]:
    """Header lines the careful way: folded ones joined by one space (7.3.1), white space at the ends taken off."""
    if text[:1] in (" ", "\t"):
        raise BadMessage("first header line is a continuation")
    lines = []
    for line in _FOLD.sub(" ", text).split("\r\n")[:-1]:
        match = HEADER_LINE.fullmatch(line)
        if match is None or "\r" in line or "\n" in line:
            raise BadMessage(f"bad header line: {line[:120]!r}")
        lines.append((match[1], match[2].strip(LWS)))
    return lines


def content_length(headers: Headers) -> int | None:
    """The body's length as the headers give it; `None` when they do not. Raises `BadHeader`."""
    values = headers.all("content-length")
    if not values:
        return None
    length = parse_digits(values[0], 2**31 - 1) if len(values) == 1 else None
    if length is None:
        raise BadHeader("Content-Length", ", ".join(values))
    return length
