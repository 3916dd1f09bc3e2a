"""Bytes of a stream to messages, by Content-Length (RFC 3261 18.3), with the keep-alive of RFC 5626 4.4.1."""

from __future__ import annotations

import re
from typing import Final

import attrs

from .errors import LengthRequired, MessageTooLarge, SipError
from .grammar import LWS, TOKEN_CHARS, decode, parse_digits
from .headers import key_of
from .message import Request, Response
from .parse import Head, Limits, content_length, parse_head
from .salvage import salvage

_END: Final = b"\r\n\r\n"
# What at least looks like the first line of a SIP message, of whatever version.
_START = re.compile(rf"SIP/[0-9]|[{TOKEN_CHARS}]++ [^\r\n]* SIP/[0-9]")


@attrs.frozen
class KeepAlive:
    """A ping, CRLF CRLF between messages: answer it with one CRLF (`PONG`)."""


PONG: Final = b"\r\n"
PING: Final = b"\r\n\r\n"


@attrs.frozen
class Malformed:
    """A message that cannot be read. The stream goes on behind it unless the framer says `broken`."""

    data: bytes
    """Its head, or as much as had come."""
    error: SipError
    """With `request_head` set when it can be answered (`respond_to_malformed`)."""


@attrs.frozen
class _Waiting:
    """A head whose body has not come whole: what it parsed to, and the body's length in bytes."""

    head: bytes
    outcome: Head | SipError
    length: int


@attrs.define(eq=False)
class StreamFramer:
    """Cuts one connection's bytes into messages.

    Holds at most one message and what was fed with it: more than `limits.max_message` without an end breaks the stream.
    """

    limits: Limits = attrs.field(factory=Limits)
    broken: bool = attrs.field(default=False, init=False)
    """The end of a message can no longer be told: answer what `feed` returned, then close. More bytes are ignored."""
    _buffer: bytearray = attrs.field(factory=bytearray, init=False)
    _searched: int = attrs.field(default=0, init=False)
    """No blank line begins before this place."""
    _waiting: _Waiting | None = attrs.field(default=None, init=False)
    """Head of the message whose body has not come whole."""
    _whole: bytes = attrs.field(default=b"", init=False)
    """The bytes of the last message that `_next` gave."""

    def feed(self, data: bytes) -> list[Request | Response | KeepAlive | Malformed]:
        """What `data` completes, in order."""
        return [item for item, _ in self.feed_whole(data)]

    def feed_whole(self, data: bytes) -> list[tuple[Request | Response | KeepAlive | Malformed, bytes]]:
        """The same, each message with its bytes as they came; nothing is beside anything else."""
        found: list[tuple[Request | Response | KeepAlive | Malformed, bytes]] = []
        if self.broken:
            return found
        self._buffer += data
        while (item := self._next()) is not None:
            found.append((item, self._whole))
            self._whole = b""
        return found

    @property
    def mid_message(self) -> bool:
        """Whether a message has begun and not ended: closing now would lose it."""
        return self._waiting is not None or bool(self._buffer.strip(b"\r\n"))

    def _next(self) -> Request | Response | KeepAlive | Malformed | None:
        """One item off the front of the buffer; `None` when it takes more bytes."""
        if self._waiting is None:
            while self._buffer.startswith(PONG):
                if self._buffer.startswith(PING):
                    del self._buffer[:4]
                    return KeepAlive()
                if PING.startswith(self._buffer):
                    return None
                del self._buffer[:2]
            end = self._buffer.find(_END, self._searched)
            if end < 0:
                self._searched = max(0, len(self._buffer) - 3)
                if len(self._buffer) > self.limits.max_message:
                    head = bytes(self._buffer)
                    return self._break(head, MessageTooLarge(f"{len(head)} bytes without an end"))
                return None
            head = bytes(self._buffer[: end + 2])
            del self._buffer[: end + 4]
            self._searched = 0
            failed = self._begin(head)
            if failed is not None:
                return failed
        return self._finish()

    def _begin(self, head: bytes) -> Malformed | None:
        """Read a head; what comes back is the end of the stream, as nobody can say where the body ends."""
        outcome: Head | SipError
        try:
            outcome = parse_head(head, self.limits)
            length = content_length(outcome.headers)
        except SipError as error:
            outcome = error
            length = _plain_length(head)
        if length is None:
            missing = outcome if isinstance(outcome, SipError) else LengthRequired()
            return self._break(head, missing)
        if len(head) + 2 + length > self.limits.max_message:
            return self._break(head, MessageTooLarge(f"Content-Length {length}"))
        self._waiting = _Waiting(head, outcome, length)
        return None

    def _finish(self) -> Request | Response | Malformed | None:
        waiting = self._waiting
        if waiting is None or len(self._buffer) < waiting.length:
            return None
        body = bytes(self._buffer[: waiting.length])
        del self._buffer[: waiting.length]
        self._waiting = None
        if isinstance(waiting.outcome, SipError):
            waiting.outcome.request_head = salvage(waiting.head)
            return Malformed(waiting.head, waiting.outcome)
        self._whole = b"".join((waiting.head, b"\r\n", body))
        return waiting.outcome.message(body)

    def _break(self, head: bytes, error: SipError) -> Malformed:
        self.broken = True
        self._buffer.clear()
        error.request_head = salvage(head)
        return Malformed(head, error)


def _plain_length(head: bytes) -> int | None:
    """Content-Length of a head that is malformed elsewhere; `None` unless nobody could read it in another way."""
    text = decode(head)
    lines = text.split("\r\n")
    if text.count("\r") != len(lines) - 1 or text.count("\n") != len(lines) - 1 or not _START.match(lines[0]):
        return None
    lengths = []
    for at, line in enumerate(lines):
        name, colon, value = line.partition(":")
        if colon and key_of(name.strip(LWS)) == "content-length":
            folded = lines[at + 1][:1] in (" ", "\t")
            lengths.append(None if folded or name[:1] in (" ", "\t") else parse_digits(value.strip(LWS), 2**31 - 1))
    return lengths[0] if len(lengths) == 1 else None
