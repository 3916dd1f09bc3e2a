"""Small typed header values: CSeq, RAck, Session-Expires, Reason, User-to-User and their like."""

from __future__ import annotations

import re
from typing import Final

import attrs

from .errors import BadHeader
from .grammar import DELTA_MAX, DIGITS, LWS, QUOTED, TOKEN_CHARS, is_token, parse_digits, quote
from .params import NO_PARAMS, Params

CSEQ_MAX: Final = 2**31 - 1  # RFC 3261 8.1.1.5
MAX_FORWARDS_MAX: Final = 255  # 20.22

# CSeq = 1*DIGIT LWS Method                               RFC 3261 section 25.1
_CSEQ = re.compile(rf"([0-9]++)[ \t]++([{TOKEN_CHARS}]++)")
# RAck = response-num LWS CSeq-num LWS Method             RFC 3262 section 10
_RACK = re.compile(rf"([0-9]++)[ \t]++([0-9]++)[ \t]++([{TOKEN_CHARS}]++)")
# media-type = m-type SLASH m-subtype *(SEMI m-parameter)
_MEDIA_TYPE = re.compile(rf"([{TOKEN_CHARS}]++)[ \t]*+/[ \t]*+([{TOKEN_CHARS}]++)(.*+)", re.DOTALL)
# value *( SEMI generic-param ), value a token
_TOKEN_VALUE = re.compile(rf"([{TOKEN_CHARS}]++)(.*+)", re.DOTALL)
# Retry-After = delta-seconds [ comment ] *( SEMI retry-param )
_RETRY_AFTER = re.compile(r"([0-9]++)[ \t]*+(?:\(([^()]*+)\)[ \t]*+)?(;.*+)?", re.DOTALL)
# Timestamp = 1*(DIGIT) [ "." *(DIGIT) ] [ LWS delay ]
_TIMESTAMP = re.compile(r"[0-9]++(?:\.[0-9]*+)?(?:[ \t]++[0-9]*+(?:\.[0-9]*+)?)?")
# UUI-value = 1*(hex-data) / quoted-string, RFC 7433 section 4.1
_UUI = re.compile(rf"({QUOTED}|[^\s;,\"<>]++)(.*+)", re.DOTALL)


@attrs.frozen
class CSeq:
    """Sequence number and method (RFC 3261 20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        match = _CSEQ.fullmatch(text)
        number = parse_digits(match[1], CSEQ_MAX) if match else None
        if match is None or number is None:
            raise BadHeader("CSeq", text)
        return cls(number, match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@attrs.frozen
class RAck:
    """Which reliable provisional response a PRACK acknowledges (RFC 3262 7.2)."""

    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, text: str) -> RAck:
        match = _RACK.fullmatch(text)
        rseq = parse_digits(match[1], DELTA_MAX) if match else None
        cseq = parse_digits(match[2], CSEQ_MAX) if match else None
        if match is None or rseq is None or cseq is None:
            raise BadHeader("RAck", text)
        return cls(rseq, cseq, match[3])

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


@attrs.frozen
class SessionExpires:
    """Session interval in seconds and who refreshes it (RFC 4028 section 4)."""

    seconds: int
    refresher: str | None = None
    """"uac" or "uas"; `None` when it is left to the other side."""
    params: Params = NO_PARAMS
    """Parameters other than `refresher`."""

    @classmethod
    def parse(cls, text: str) -> SessionExpires:
        seconds, params = _seconds_and_params("Session-Expires", text)
        refresher = params.get("refresher")
        if refresher is not None:
            refresher = refresher.lower()
            if refresher not in ("uac", "uas"):
                raise BadHeader("Session-Expires", text)
        return cls(seconds, refresher, params.without("refresher"))

    def __str__(self) -> str:
        refresher = "" if self.refresher is None else f";refresher={self.refresher}"
        return f"{self.seconds}{refresher}{self.params}"


@attrs.frozen
class MinSE:
    """Smallest session interval accepted, in seconds (RFC 4028 section 5)."""

    seconds: int
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> MinSE:
        return cls(*_seconds_and_params("Min-SE", text))

    def __str__(self) -> str:
        return f"{self.seconds}{self.params}"


@attrs.frozen
class RetryAfter:
    """When to try again, in seconds (RFC 3261 20.33)."""

    seconds: int
    comment: str | None = None
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> RetryAfter:
        match = _RETRY_AFTER.fullmatch(text)
        params = Params.parse(match[3] or "") if match else None
        if match is None or params is None:
            raise BadHeader("Retry-After", text)
        return cls(parse_seconds("Retry-After", match[1]), match[2], params)

    def __str__(self) -> str:
        comment = "" if self.comment is None else f" ({self.comment})"
        return f"{self.seconds}{comment}{self.params}"


@attrs.frozen
class MediaType:
    """A Content-Type, or one range of an Accept."""

    type: str
    """In lower case; may be `*` in an Accept."""
    subtype: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str, name: str = "Content-Type") -> MediaType:
        match = _MEDIA_TYPE.fullmatch(text)
        params = Params.parse(match[3]) if match else None
        if match is None or params is None:
            raise BadHeader(name, text)
        return cls(match[1].lower(), match[2].lower(), params)

    @property
    def essence(self) -> str:
        """`type/subtype` in lower case, without parameters."""
        return f"{self.type}/{self.subtype}"

    def covers(self, essence: str) -> bool:
        """Whether this range of an Accept takes in `essence` (lower-case `type/subtype`); `q=0` takes in nothing."""
        if (q := self.params.get("q")) is not None and not q.strip("0."):
            return False
        main, _, sub = essence.partition("/")
        return self.type in ("*", main) and self.subtype in ("*", sub)

    def __str__(self) -> str:
        return f"{self.essence}{self.params}"


@attrs.frozen
class Reason:
    """Why a request was sent (RFC 3326): protocol with its cause and text."""

    protocol: str
    """SIP, Q.850 or another token."""
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Reason:
        return cls(*_token_and_params("Reason", text))

    @classmethod
    def of(cls, protocol: str, cause: int, text: str | None = None) -> Reason:
        """A Reason of plain values."""
        said: tuple[tuple[str, str | None], ...] = () if text is None else (("text", quote(text)),)
        return cls(protocol, Params((("cause", str(cause)), *said)))

    @property
    def cause(self) -> int | None:
        """Status or Q.850 cause; `None` when absent or no number."""
        value = self.params.get("cause")
        return None if value is None else parse_digits(value, 65535)

    @property
    def text(self) -> str | None:
        """The text for people."""
        return self.params.get("text")

    def __str__(self) -> str:
        return f"{self.protocol}{self.params}"


@attrs.frozen
class UserToUser:
    """User-to-user information (RFC 7433)."""

    data: str
    """As written, quotes included."""
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> UserToUser:
        match = _UUI.fullmatch(text)
        params = Params.parse(match[2]) if match else None
        if match is None or params is None:
            raise BadHeader("User-to-User", text)
        return cls(match[1], params)

    @property
    def encoding(self) -> str:
        """How `data` is encoded; hex when nothing is said."""
        return (self.params.get("encoding") or "hex").lower()

    def __str__(self) -> str:
        return f"{self.data}{self.params}"


@attrs.frozen
class Event:
    """Event package of a subscription (RFC 6665 8.2.1)."""

    package: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Event:
        return cls(*_token_and_params("Event", text))

    @property
    def id(self) -> str | None:
        """Which of several subscriptions of one dialog."""
        return self.params.get("id")

    def __str__(self) -> str:
        return f"{self.package}{self.params}"


@attrs.frozen
class SubscriptionState:
    """State of a subscription as a NOTIFY tells it (RFC 6665 8.2.3)."""

    state: str
    """active, pending, terminated or an extension, in lower case."""
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> SubscriptionState:
        state, params = _token_and_params("Subscription-State", text)
        return cls(state.lower(), params)

    @property
    def expires(self) -> int | None:
        """Seconds left; `None` when absent or no number."""
        value = self.params.get("expires")
        return None if value is None else parse_digits(value, DELTA_MAX)

    @property
    def reason(self) -> str | None:
        """Why it was terminated."""
        return self.params.get("reason")

    def __str__(self) -> str:
        return f"{self.state}{self.params}"


@attrs.frozen
class Replaces:
    """The dialog to be replaced (RFC 3891 section 6.1)."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Replaces:
        call_id, semicolon, rest = text.partition(";")
        params = Params.parse(semicolon + rest)
        call_id = call_id.strip(LWS)
        to_tag, from_tag = (params.get("to-tag"), params.get("from-tag")) if params is not None else (None, None)
        if params is None or not call_id or " " in call_id or not to_tag or not from_tag:
            raise BadHeader("Replaces", text)
        return cls(call_id, to_tag, from_tag, "early-only" in params)

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


def parse_seconds(name: str, text: str) -> int:
    """delta-seconds; more than 2**32-1 reads as that, since all it can mean is "very long". Raises `BadHeader`."""
    seconds = parse_digits(text, DELTA_MAX)
    if seconds is not None:
        return seconds
    if DIGITS.fullmatch(text) is None:
        raise BadHeader(name, text)
    return DELTA_MAX


def parse_max_forwards(text: str) -> int:
    """0 to 255. Raises `BadHeader`."""
    hops = parse_digits(text, MAX_FORWARDS_MAX)
    if hops is None:
        raise BadHeader("Max-Forwards", text)
    return hops


def parse_rseq(text: str) -> int:
    """RSeq, 1 to 2**32-1 (RFC 3262 7.1). Raises `BadHeader`."""
    number = parse_digits(text, DELTA_MAX)
    if not number:
        raise BadHeader("RSeq", text)
    return number


def parse_timestamp(text: str) -> str:
    """A Timestamp, checked and given back as it is (RFC 3261 20.38). Raises `BadHeader`."""
    if _TIMESTAMP.fullmatch(text) is None:
        raise BadHeader("Timestamp", text)
    return text


def parse_tokens(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Check a list of tokens such as Allow or Supported; empty places are passed over. Raises `BadHeader`."""
    tokens = tuple(value for value in values if value)
    for token in tokens:
        if not is_token(token):
            raise BadHeader(name, token)
    return tokens


def _seconds_and_params(name: str, text: str) -> tuple[int, Params]:
    seconds, semicolon, rest = text.partition(";")
    params = Params.parse(semicolon + rest)
    if params is None:
        raise BadHeader(name, text)
    return parse_seconds(name, seconds.strip(LWS)), params


def _token_and_params(name: str, text: str) -> tuple[str, Params]:
    match = _TOKEN_VALUE.fullmatch(text)
    params = Params.parse(match[2]) if match else None
    if match is None or params is None:
        raise BadHeader(name, text)
    return match[1], params
