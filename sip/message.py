"""Request and Response: frozen, with typed views of the headers that a stack needs.

Parsing a message reads no header but Content-Length. Each view is made when it is first asked for and kept with the
message; it raises `BadHeader`, `MissingHeader` or `BadUri` when the header is not what it should be. For a message that
passed `validate_request` or `validate_response` no view raises.
"""

from __future__ import annotations

import attrs

from .address import STAR, NameAddr, parse_addresses
from .errors import BadHeader, MissingHeader
from .fields import (
    CSeq,
    Event,
    MediaType,
    MinSE,
    RAck,
    Reason,
    Replaces,
    RetryAfter,
    SessionExpires,
    SubscriptionState,
    UserToUser,
    parse_max_forwards,
    parse_rseq,
    parse_seconds,
    parse_timestamp,
    parse_tokens,
)
from .grammar import CALL_ID
from .headers import Headers
from .lazy import lazy
from .uri import Uri
from .via import Via, parse_vias


def _without_length(headers: Headers) -> Headers:
    """What two messages are compared by: Content-Length belongs to the framing, and `render` always writes it right."""
    return headers.without("Content-Length")


class Message:
    """What requests and responses have in common."""

    headers: Headers
    body: bytes

    @lazy
    def vias(self) -> tuple[Via, ...]:
        """All Vias, topmost first; at least one."""
        lines = self.headers.all("via")
        vias = tuple(parse_vias(lines[0]) if len(lines) == 1 else [via for line in lines for via in parse_vias(line)])
        if not vias:
            raise MissingHeader("Via")
        return vias

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return self.vias[0]

    @lazy
    def from_(self) -> NameAddr:
        return NameAddr.parse(self._one("From"), "From")

    @lazy
    def to(self) -> NameAddr:
        return NameAddr.parse(self._one("To"), "To")

    @property
    def from_tag(self) -> str | None:
        """`None` for a peer of RFC 2543 that sent none."""
        return self.from_.tag

    @property
    def to_tag(self) -> str | None:
        """`None` outside a dialog."""
        return self.to.tag

    @lazy
    def call_id(self) -> str:
        value = self._one("Call-ID")
        if CALL_ID.fullmatch(value) is None:
            raise BadHeader("Call-ID", value)
        return value

    @lazy
    def cseq(self) -> CSeq:
        return CSeq.parse(self._one("CSeq"))

    @lazy
    def max_forwards(self) -> int | None:
        """Hops left; `None` when the sender set no limit (RFC 2543 peers), which counts as 70 (RFC 3261 16.3)."""
        value = self._one_or_none("Max-Forwards")
        return None if value is None else parse_max_forwards(value)

    @lazy
    def contacts(self) -> tuple[NameAddr, ...]:
        """All Contacts; `(STAR,)` for `Contact: *`."""
        lines = self.headers.all("contact")
        if "*" in lines:
            if len(lines) > 1:
                raise BadHeader("Contact", ", ".join(lines))
            return (STAR,)
        return self._addresses("Contact")

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact; `None` when there is none, or only `*`."""
        contacts = self.contacts
        return None if not contacts or contacts[0].is_star else contacts[0]

    @lazy
    def routes(self) -> tuple[NameAddr, ...]:
        return self._addresses("Route")

    @lazy
    def record_routes(self) -> tuple[NameAddr, ...]:
        return self._addresses("Record-Route")

    @lazy
    def paths(self) -> tuple[NameAddr, ...]:
        """Proxies that a request to a registered contact must visit (RFC 3327)."""
        return self._addresses("Path")

    @lazy
    def media_type(self) -> MediaType | None:
        """Content-Type with its parameters."""
        value = self._one_or_none("Content-Type")
        return None if value is None else MediaType.parse(value)

    @property
    def content_type(self) -> str | None:
        """Lower-case `type/subtype` of the body."""
        media_type = self.media_type
        return None if media_type is None else media_type.essence

    @lazy
    def content_length(self) -> int | None:
        """The header's value; the body itself is always whole. `None` when a datagram had none."""
        value = self._one_or_none("Content-Length")
        return None if value is None else parse_seconds("Content-Length", value)

    @lazy
    def require(self) -> tuple[str, ...]:
        return parse_tokens("Require", self.headers.split("require"))

    @lazy
    def proxy_require(self) -> tuple[str, ...]:
        return parse_tokens("Proxy-Require", self.headers.split("proxy-require"))

    @lazy
    def supported(self) -> tuple[str, ...]:
        return parse_tokens("Supported", self.headers.split("supported"))

    @lazy
    def unsupported(self) -> tuple[str, ...]:
        return parse_tokens("Unsupported", self.headers.split("unsupported"))

    @lazy
    def allow(self) -> tuple[str, ...]:
        return parse_tokens("Allow", self.headers.split("allow"))

    @lazy
    def content_encoding(self) -> tuple[str, ...]:
        """Codings applied to the body, in lower case; `identity` is none."""
        codings = parse_tokens("Content-Encoding", self.headers.split("content-encoding"))
        return tuple(coding.lower() for coding in codings if coding.lower() != "identity")

    @lazy
    def accept(self) -> tuple[MediaType, ...] | None:
        """Media ranges that may be answered with; `None` when nothing is said, () when nothing is accepted (20.1)."""
        if "accept" not in self.headers:
            return None
        return tuple(MediaType.parse(value, "Accept") for value in self.headers.split("accept") if value)

    @lazy
    def expires(self) -> int | None:
        """Seconds."""
        value = self._one_or_none("Expires")
        return None if value is None else parse_seconds("Expires", value)

    @lazy
    def min_expires(self) -> int | None:
        """Seconds (20.23)."""
        value = self._one_or_none("Min-Expires")
        return None if value is None else parse_seconds("Min-Expires", value)

    @lazy
    def session_expires(self) -> SessionExpires | None:
        value = self._one_or_none("Session-Expires")
        return None if value is None else SessionExpires.parse(value)

    @lazy
    def min_se(self) -> MinSE | None:
        value = self._one_or_none("Min-SE")
        return None if value is None else MinSE.parse(value)

    @lazy
    def retry_after(self) -> RetryAfter | None:
        value = self._one_or_none("Retry-After")
        return None if value is None else RetryAfter.parse(value)

    @lazy
    def reasons(self) -> tuple[Reason, ...]:
        """One for each protocol (RFC 3326)."""
        return tuple(Reason.parse(value) for value in self.headers.split("reason"))

    @lazy
    def user_to_user(self) -> tuple[UserToUser, ...]:
        return tuple(UserToUser.parse(value) for value in self.headers.split("user-to-user"))

    @lazy
    def rack(self) -> RAck | None:
        value = self._one_or_none("RAck")
        return None if value is None else RAck.parse(value)

    @lazy
    def rseq(self) -> int | None:
        value = self._one_or_none("RSeq")
        return None if value is None else parse_rseq(value)

    @lazy
    def event(self) -> Event | None:
        value = self._one_or_none("Event")
        return None if value is None else Event.parse(value)

    @lazy
    def subscription_state(self) -> SubscriptionState | None:
        value = self._one_or_none("Subscription-State")
        return None if value is None else SubscriptionState.parse(value)

    @lazy
    def replaces(self) -> Replaces | None:
        value = self._one_or_none("Replaces")
        return None if value is None else Replaces.parse(value)

    @lazy
    def refer_to(self) -> NameAddr | None:
        value = self._one_or_none("Refer-To")
        return None if value is None else NameAddr.parse(value, "Refer-To")

    @lazy
    def referred_by(self) -> NameAddr | None:
        value = self._one_or_none("Referred-By")
        return None if value is None else NameAddr.parse(value, "Referred-By")

    @lazy
    def timestamp(self) -> str | None:
        value = self._one_or_none("Timestamp")
        return None if value is None else parse_timestamp(value)

    def _one(self, name: str) -> str:
        value = self._one_or_none(name)
        if value is None:
            raise MissingHeader(name)
        return value

    def _one_or_none(self, name: str) -> str | None:
        """The value of a header that may occur once only (RFC 3261 7.3.1)."""
        lines = self.headers.all(name)
        if not lines:
            return None
        if len(lines) > 1:
            raise BadHeader(name, ", ".join(lines))
        return lines[0]

    def _addresses(self, name: str) -> tuple[NameAddr, ...]:
        lines = self.headers.all(name)
        if len(lines) == 1:
            return tuple(parse_addresses(lines[0], name))
        return tuple([address for line in lines for address in parse_addresses(line, name)])


def carry_views(made: Message, source: Message, *names: str) -> None:
    """Let `made`, whose headers of these views are `source`'s word for word, have what was read of them there."""
    for name in names:
        if name in source.__dict__:
            made.__dict__[name] = source.__dict__[name]


def _body_headers(headers: Headers, body: bytes, content_type: str | None) -> Headers:
    headers = headers.without("Content-Type") if content_type is None else headers.with_("Content-Type", content_type)
    if "Content-Length" in headers:
        headers = headers.with_("Content-Length", str(len(body)))
    return headers


# Not slotted: the views are kept in the instance's dictionary.
@attrs.frozen(slots=False)
class Request(Message):
    """A request (RFC 3261 7.1)."""

    method: str
    request_uri: str
    """As on the wire; `uri` is the same, read."""
    headers: Headers = attrs.field(default=Headers(), eq=_without_length)
    body: bytes = b""

    @lazy
    def uri(self) -> Uri:
        return Uri.parse(self.request_uri)

    def with_headers(self, headers: Headers) -> Request:
        """The same request with these headers."""
        return Request(self.method, self.request_uri, headers, self.body)

    def with_body(self, body: bytes, content_type: str | None = None) -> Request:
        """The same request with this body; without a `content_type` it has none."""
        headers = _body_headers(self.headers, body, content_type)
        return Request(self.method, self.request_uri, headers, body)


# Not slotted: the views are kept in the instance's dictionary.
@attrs.frozen(slots=False)
class Response(Message):
    """A response (RFC 3261 7.2)."""

    status: int
    """100 to 699."""
    reason: str
    headers: Headers = attrs.field(default=Headers(), eq=_without_length)
    body: bytes = b""

    @property
    def is_provisional(self) -> bool:
        return self.status < 200

    @property
    def is_final(self) -> bool:
        return self.status >= 200

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def with_headers(self, headers: Headers) -> Response:
        """The same response with these headers."""
        return Response(self.status, self.reason, headers, self.body)

    def with_body(self, body: bytes, content_type: str | None = None) -> Response:
        """The same response with this body; without a `content_type` it has none."""
        return Response(self.status, self.reason, _body_headers(self.headers, body, content_type), body)
