"""SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966); a URI of any other scheme is kept whole."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import attrs

from .errors import BadUri
from .grammar import HOST, PORT, PORT_MAX
from .params import NO_PARAMS, Params

KEPT_LENGTH: Final = 256
"""The last URIs up to this length are kept as they were read: each message of a call brings the same few."""

KEPT: Final = 16_384
"""So many of them, as of addresses: each phone that registers brings the same three addresses again and again."""

_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
_ESCAPED = r"%[0-9A-Fa-f]{2}"

# SIP-URI  = "sip:" [ userinfo ] hostport uri-parameters [ headers ]
# userinfo = ( user / telephone-subscriber ) [ ":" password ] "@"
# user     = 1*( unreserved / escaped / user-unreserved ), user-unreserved = "&=+$,;?/"
#            ("#" is not in the rule; phones send it unescaped when someone dials it)
# password = *( unreserved / escaped / "&=+$," )
# uri-parameters = *( ";" pname [ "=" pvalue ] ), paramchar = param-unreserved / unreserved / escaped
# param-unreserved = "[" / "]" / "/" / ":" / "&" / "+" / "$"
# headers  = "?" header *( "&" header )
_PARAM_CHARS = rf"(?:[{_UNRESERVED}\[\]/:&+$]|{_ESCAPED})++"
_SIP = re.compile(
    rf"(?:((?:[{_UNRESERVED}&=+$,;?/#]|{_ESCAPED})++)(?::((?:[{_UNRESERVED}&=+$,]|{_ESCAPED})*+))?@)?"
    rf"({HOST})(?::({PORT}))?"
    rf"((?:;{_PARAM_CHARS}(?:={_PARAM_CHARS})?)*+)"
    rf"(?:\?((?:[{_UNRESERVED}\[\]/?:+$&=]|{_ESCAPED})++))?"
)

# telephone-uri = "tel:" ( global-number / local-number ), RFC 3966 section 3
# global-number-digits = "+" *phonedigit DIGIT *phonedigit; local digits are hexadecimal, "*" or "#"
_TEL = re.compile(
    rf"(\+(?=[\-.()]*+[0-9])[0-9\-.()]++|[0-9A-Fa-f*#\-.()]++)((?:;{_PARAM_CHARS}(?:={_PARAM_CHARS})?)*+)"
)
_TEL_SEPARATORS = str.maketrans("", "", "-.()")

# absoluteURI = scheme ":" ( hier-part / opaque-part ); the rest is kept as it is
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):")
_OPAQUE = re.compile(r"[^\x00-\x20\x7f<>\"]++")

_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
# What stands for itself where it is compared or built: escaping anything else is always allowed.
_USER_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,;?/")
_PASSWORD_PLAIN: Final = _USER_PLAIN - frozenset(b";?/")
_PARAM_PLAIN: Final = (_USER_PLAIN - frozenset(b"=,;?")) | frozenset(b"[]:")
_HEADER_PLAIN: Final = (_USER_PLAIN - frozenset(b"&=,;")) | frozenset(b"[]:")
_RESERVED: Final = frozenset(b";/?:@&=+$,%")

# 19.1.4: parameters that make a difference when only one of the two URIs has them.
_TELLING_PARAMS: Final = ("user", "ttl", "method", "maddr", "transport")


@attrs.frozen(eq=False, kw_only=True)
class Uri:
    """One URI. Parts are kept as written, escapes included, so that `str(Uri.parse(text))` gives the text back.

    `==` compares as RFC 3261 19.1.4 says: that relation is not transitive, so never rely on a set of URIs to
    find equal ones. Use `of` to build a URI from plain text.
    """

    scheme: str = "sip"
    """In lower case."""
    user: str | None = None
    """User part as written, or the number of a tel URI; `user_text` is the same without escapes."""
    password: str | None = None
    host: str = ""
    """Host name or address as written; IPv6 without brackets. Empty for tel and unknown schemes."""
    port: int | None = None
    """`None`: none is named, which is not the same as naming the default (RFC 3263 4.2)."""
    params: Params = NO_PARAMS
    headers: tuple[tuple[str, str], ...] = ()
    """Escaped names and values of the header part; `header_items` is the same without escapes."""
    opaque: str | None = None
    """All after the colon, for a scheme that is neither sip, sips nor tel."""

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Read a URI. Raises `BadUri`."""
        return _kept(text) if len(text) <= KEPT_LENGTH else cls._read(text)

    @classmethod
    def _read(cls, text: str) -> Uri:
        start = _SCHEME.match(text)
        if start is None:
            raise BadUri(text)
        scheme, rest = start[1].lower(), text[start.end() :]
        if scheme in ("sip", "sips"):
            return cls._parse_sip(scheme, rest, text)
        if scheme == "tel":
            match = _TEL.fullmatch(rest)
            if match is None:
                raise BadUri(text)
            return cls(scheme=scheme, user=match[1], params=_params(match[2], text))
        if _OPAQUE.fullmatch(rest) is None:
            raise BadUri(text)
        return cls(scheme=scheme, opaque=rest)

    @classmethod
    def _parse_sip(cls, scheme: str, rest: str, text: str) -> Uri:
        match = _SIP.fullmatch(rest)
        if match is None:
            raise BadUri(text)
        user, password, host, port, params, headers = match.groups()
        number = None if port is None else int(port)
        if number is not None and number > PORT_MAX:
            raise BadUri(text)
        return cls(
            scheme=scheme,
            user=user,
            password=password,
            host=parse_host(host, text),
            port=number,
            params=_params(params, text) if params else NO_PARAMS,
            headers=_headers(headers) if headers else (),
        )

    @classmethod
    def of(
        cls,
        user: str | None,
        host: str,
        port: int | None = None,
        *,
        scheme: str = "sip",
        params: Iterable[tuple[str, str | None]] = (),
        headers: Iterable[tuple[str, str]] = (),
    ) -> Uri:
        """A SIP URI of plain parts, which are escaped where they must be."""
        return cls(
            scheme=scheme,
            user=None if user is None else escape_user(user),
            host=host.strip("[]"),
            port=port,
            params=Params(tuple((name, None if value is None else escape_param(value)) for name, value in params)),
            headers=tuple((escape_header(name), escape_header(value)) for name, value in headers),
        )

    @property
    def is_sip(self) -> bool:
        """Whether a SIP request can be sent there: scheme sip or sips."""
        return self.scheme in ("sip", "sips")

    @property
    def user_text(self) -> str | None:
        """The user part without escapes. A byte that is not UTF-8 becomes a surrogate, as everywhere in a message."""
        return None if self.user is None else unescape(self.user)

    @property
    def header_items(self) -> tuple[tuple[str, str], ...]:
        """The header part (`?name=value&…`) without escapes."""
        return tuple((unescape(name), unescape(value)) for name, value in self.headers)

    @property
    def hostport(self) -> str:
        """Host, bracketed when it is IPv6, and the port when one is named."""
        return format_hostport(self.host, self.port)

    def param(self, name: str) -> str | None:
        """A parameter's value without escapes; "" when it has none, `None` when it is absent."""
        wanted = name.lower()
        for key, value in self.params:
            if unescape(key).lower() == wanted:
                return "" if value is None else unescape(value)
        return None

    def with_param(self, name: str, value: str | None) -> Uri:
        """The same with parameter `name` set to the plain text `value`."""
        escaped = None if value is None else escape_param(value)
        lines = self.without_params(name).params.lines
        return attrs.evolve(self, params=Params((*lines, (name, escaped))))

    def without_params(self, *names: str) -> Uri:
        """The same without these parameters."""
        unwanted = {name.lower() for name in names}
        lines = tuple(line for line in self.params if unescape(line[0]).lower() not in unwanted)
        return attrs.evolve(self, params=Params(lines))

    def without_headers(self) -> Uri:
        """The same without its header part, as a Request-URI must be (RFC 3261 19.1.1)."""
        return attrs.evolve(self, headers=())

    def __str__(self) -> str:
        if self.opaque is not None:
            return f"{self.scheme}:{self.opaque}" if self.scheme else self.opaque
        if self.scheme == "tel":
            return f"tel:{self.user}{self.params}"
        user = "" if self.user is None else self.user
        if self.password is not None:
            user = f"{user}:{self.password}"
        at = "" if self.user is None else "@"
        headers = "?" + "&".join(f"{name}={value}" for name, value in self.headers) if self.headers else ""
        return f"{self.scheme}:{user}{at}{self.hostport}{self.params}{headers}"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Uri):
            return NotImplemented
        if self._identity() != other._identity():
            return False
        if self.scheme == "tel":
            return _escaped_params(self) == _escaped_params(other)
        mine, theirs = _escaped_params(self), _escaped_params(other)
        if any(mine[name] != theirs[name] for name in mine.keys() & theirs.keys()):
            return False
        if any((name in mine) != (name in theirs) for name in _TELLING_PARAMS):
            return False
        return _header_key(self) == _header_key(other)

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        """The parts that must be equal in any case; the rest depends on the URI compared with."""
        if self.scheme == "tel" and self.user is not None:
            return ("tel", self.user.translate(_TEL_SEPARATORS).lower())
        return (
            self.scheme,
            None if self.user is None else comparable(self.user),
            None if self.password is None else comparable(self.password),
            host_key(self.host),
            self.port,
            self.opaque,
        )


_kept = lru_cache(maxsize=KEPT)(Uri._read)


def parse_host(text: str, context: str) -> str:
    """A `host` as the patterns deliver it: brackets taken off, IPv6 checked. Raises `BadUri` about `context`.

    RFC 3261's own grammar yields three colons before an embedded IPv4 address; they are read as the two that
    are meant (RFC 5118 4.10).
    """
    if not text.startswith("["):
        return text
    address = text[1:-1].replace(":::", "::")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        raise BadUri(context) from None
    return address


def host_key(host: str) -> str:
    """What two ways of writing one host have in common: lower case, addresses in their shortest form."""
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).compressed
        except ValueError:
            return host.lower()
    return host.lower()


def format_host(host: str) -> str:
    """`host` as it stands in a URI or Via: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def format_hostport(host: str, port: int | None) -> str:
    """`host` and, when it is not `None`, `:port`."""
    return format_host(host) if port is None else f"{format_host(host)}:{port}"


def unescape(text: str) -> str:
    """`text` with its %-escapes replaced; bytes that are not UTF-8 become surrogates."""
    if "%" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    return _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), raw).decode("utf-8", "surrogateescape")


def escape_user(text: str) -> str:
    """Plain text as a URI's user part."""
    return _escape(text, _USER_PLAIN)


def escape_param(text: str) -> str:
    """Plain text as the value of a URI parameter."""
    return _escape(text, _PARAM_PLAIN)


def escape_header(text: str) -> str:
    """Plain text as name or value in a URI's header part."""
    return _escape(text, _HEADER_PLAIN)


def comparable(text: str) -> str:
    """`text` with every escape undone that makes no difference (19.1.4: those of reserved characters do)."""
    if "%" not in text:
        return text

    def undo(match: re.Match[bytes]) -> bytes:
        octet = int(match[1], 16)
        return match[0].upper() if octet in _RESERVED else bytes((octet,))

    return _PERCENT.sub(undo, text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _escape(text: str, plain: frozenset[int]) -> str:
    if text.isascii() and text.isalnum():
        return text
    raw = text.encode("utf-8", "surrogateescape")
    return "".join(chr(octet) if octet in plain else f"%{octet:02X}" for octet in raw)


def _params(text: str, context: str) -> Params:
    lines: list[tuple[str, str | None]] = []
    seen: set[str] = set()
    for piece in text.split(";")[1:]:
        name, equals, value = piece.partition("=")
        key = unescape(name).lower()
        if key in seen:
            raise BadUri(context)
        seen.add(key)
        lines.append((name, value if equals else None))
    return Params(tuple(lines))


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    pieces = (piece.partition("=") for piece in text.split("&") if piece)
    return tuple((name, value) for name, _, value in pieces)


def _escaped_params(uri: Uri) -> dict[str, str | None]:
    return {
        comparable(name).lower(): None if value is None else comparable(value).lower() for name, value in uri.params
    }


def _header_key(uri: Uri) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in uri.header_items)
