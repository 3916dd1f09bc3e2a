"""What a peer can do wrong, each error with the status it is answered with."""

from __future__ import annotations

import attrs


@attrs.frozen
class RequestHead:
    """What could be saved of a request that cannot be accepted: enough for a stateless answer (RFC 3261 8.2.6.2).

    Values are raw header values, unfolded. A field is `None` when the request had no such header.
    """

    method: str
    vias: tuple[str, ...] = ()
    from_: str | None = None
    to: str | None = None
    call_id: str | None = None
    cseq: str | None = None


class SipError(Exception):
    """Something a peer did wrong; `status` is what it is answered with.

    `request_head` is filled in when the error was met in a request, so that it can be answered although
    no `Request` exists. It is `None` for a response, and for bytes that are no SIP message at all.
    """

    status: int = 400
    reason: str | None = None
    """Reason phrase to answer with; `None` stands for the status's own phrase."""

    def __init__(self, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        if status is not None:
            self.status = status
        self.request_head: RequestHead | None = None


class BadMessage(SipError):
    """The bytes are no SIP message: start line, header lines or framing do not follow the grammar."""


class EmptyMessage(BadMessage):
    """Nothing but CRLFs or NULs: a keep-alive (RFC 5626 3.5.1, and what phones send over UDP). Never answered."""


class BadHeader(SipError):
    """A header's value does not follow its grammar, or occurs more often than it may."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(f"{name}: {shorten(value)!r}")
        self.name, self.value = name, value
        self.reason = f"Bad {name} header"


class MissingHeader(SipError):
    """A header that every request or response carries (RFC 3261 8.1.1) is absent."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no {name} header")
        self.name = name
        self.reason = f"Missing {name} header"


class LengthRequired(MissingHeader):
    """A message on a stream does not say where it ends (RFC 3261 20.14).

    411 is the status of RFC 2543 for it, and only its peers still forget the header. RFC 3261 left the status out; who
    does not know it takes it for a 400 (8.1.3.2).
    """

    status = 411

    def __init__(self) -> None:
        super().__init__("Content-Length")
        self.reason = "Length Required"


class BadUri(SipError):
    """A URI does not follow its grammar."""

    def __init__(self, value: str) -> None:
        super().__init__(f"bad URI: {shorten(value)!r}")
        self.value = value


class UnsupportedScheme(SipError):
    """The URI is well formed but of a scheme that SIP requests are not sent to (RFC 3261 8.2.2.1)."""

    status = 416


class UnsupportedVersion(SipError):
    """The SIP version is not 2.0."""

    status = 505


class MessageTooLarge(SipError):
    """More bytes or more header fields than `Limits` allow."""

    status = 513


class CannotRender(SipError):
    """A message of our own making that must not reach the wire, such as one with a line break in a header value."""

    status = 500


class NoUsableChallenge(SipError):
    """No challenge of a 401 or 407 can be answered (unknown scheme, algorithm or qop only)."""

    status = 401


def shorten(value: str, limit: int = 120) -> str:
    """`value` cut to what fits a log line."""
    return value if len(value) <= limit else value[:limit] + "…"
