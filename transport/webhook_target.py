"""The URL of a webhook: what is connected to, what goes on the wire, what is signed, and what stays here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote, urljoin, urlsplit

import attrs

from .webhook_errors import BadUrl

Params = tuple[tuple[str, str], ...]
"""Form parameters in the order they are sent."""

PLAIN = re.compile(r"[0-9A-Za-z_.~-]*")

DEFAULT_PORTS = {"http": 80, "https": 443}

# reg-name of RFC 3986 section 3.2.2 narrowed to what can be a DNS name; underscores occur in the wild
LABEL = re.compile(r"[0-9A-Za-z_](?:[0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?")
HOST_MAX = 253
URL_MAX = 8192
"""Longer URLs are refused: no server takes them in a request line, and nobody writes them by hand."""

# What may stand unescaped in a path or query (RFC 3986 section 3.3, 3.4), and % so that escapes are left alone
SAFE = "/?:@!$&'()*+,;=-._~%[]|"


@attrs.frozen
class Target:
    """Where one request goes."""

    scheme: str
    """`http` or `https`."""
    host: str
    """As written, in ASCII; an IPv6 address without brackets."""
    port: int
    authority: str
    """Host and port as written: the Host header, and that part of the signed URL."""
    path: str
    """Path with query, at least `/`."""
    user: str | None = None
    """From `user:password@`, unescaped; None: the URL names nobody."""
    password: str = ""
    fragment: str = ""

    @property
    def url(self) -> str:
        """The URL as the server can rebuild it from the request: what is signed, cached by, and shown in logs."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return (self.scheme, self.host.lower(), self.port)

    @property
    def base(self) -> str:
        """What relative URLs in the document resolve against; keeps the user, so that they are asked as the same."""
        if self.user is None:
            return self.url
        who = quote(self.user, safe="")
        if self.password:
            who = f"{who}:{quote(self.password, safe='')}"
        return f"{self.scheme}://{who}@{self.authority}{self.path}"

    def with_query(self, params: Params) -> Target:
        """The same with `params` appended to the query that is there."""
        if not params:
            return self
        joint = "&" if "?" in self.path else "?"
        if self.path.endswith(("?", "&")):
            joint = ""
        return attrs.evolve(self, path=f"{self.path}{joint}{encode(params)}")

    def follow(self, location: str) -> Target:
        """The target that a `Location` header names; the user is kept within the origin only (RFC 9110 15.4)."""
        try:
            url = urljoin(self.url, location.strip())
        except ValueError:
            raise BadUrl(f"no URL: {location!r}") from None
        target = parse_target(url)
        if target.user is None and target.origin == self.origin:
            return attrs.evolve(target, user=self.user, password=self.password)
        return target


@lru_cache(maxsize=512)
def parse_target(url: str) -> Target:
    """Read an absolute http or https URL; raises `BadUrl` for everything else.

    Characters that a URL may not contain (spaces, other alphabets) are escaped as browsers do; the host becomes its
    IDNA form. White space around the URL is ignored.
    """
    text = url.strip()
    if len(text) > URL_MAX:
        raise BadUrl(f"a URL of {len(text)} characters", url=text[:100] + "…")
    if any(ord(char) < 0x20 or ord(char) == 0x7F or 0xD800 <= ord(char) < 0xE000 for char in text):
        raise BadUrl("a control character in the URL")
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        raise BadUrl(f"{text!r} is no URL: {error}") from None
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise BadUrl(f"{text!r} is no http or https URL")
    if port == 0:
        raise BadUrl("port 0 cannot be connected to")
    userinfo, at, location = parts.netloc.rpartition("@")
    shown, authority = _host(host, location, port)
    path = quote(parts.path or "/", safe=SAFE)
    if parts.query:  # a bare "?" is left out: the official SDKs lose it when they check the signature
        path = f"{path}?{quote(parts.query, safe=SAFE)}"
    user, _, password = userinfo.partition(":")
    return Target(
        scheme=scheme,
        host=shown,
        port=port or DEFAULT_PORTS[scheme],
        authority=authority,
        path=path,
        user=unquote(user) if at else None,
        password=unquote(password),
        fragment=parts.fragment,
    )


def _host(host: str, location: str, port: int | None) -> tuple[str, str]:
    """The host to connect to, and the authority as it goes on the wire."""
    suffix = "" if port is None else f":{port}"
    if location.startswith("["):
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            raise BadUrl(f"{location!r} is no IPv6 address") from None
        if address.scope_id is not None:
            raise BadUrl("a scoped address means nothing to others")
        return host, f"[{host}]{suffix}"
    # hostname is lower case already; the name is sent as it was written.
    written = location[: len(location) - len(location.rpartition(":")[2]) - 1] if ":" in location else location
    try:
        ascii_name = written if written.isascii() else written.encode("idna").decode("ascii")
    except UnicodeError:
        raise BadUrl(f"{written!r} is no host name") from None
    labels = ascii_name.removesuffix(".").split(".")
    if len(ascii_name) > HOST_MAX or not all(LABEL.fullmatch(label) for label in labels):
        raise BadUrl(f"{written!r} is no host name")
    if labels[-1].isdigit():
        # An IPv4 address in any but the plain form ("127.1", "2130706433") is a way round checks, not a name.
        try:
            ipaddress.IPv4Address(ascii_name)
        except ValueError:
            raise BadUrl(f"{written!r} is neither a host name nor an address") from None
    return ascii_name, f"{ascii_name}{suffix}"


def encode(params: Iterable[tuple[str, str]]) -> str:
    """`application/x-www-form-urlencoded`, UTF-8."""
    return "&".join([f"{_escape(name)}={_escape(value)}" for name, value in params])


def _escape(text: str) -> str:
    # Most names and values need no escape, and quote_plus costs 5 µs to find that out.
    return text if PLAIN.fullmatch(text) else quote_plus(text)


def clean(params: Iterable[tuple[str, str]]) -> Params:
    """The parameters with lone surrogates (bytes of SIP headers that were no UTF-8) replaced by question marks."""
    return tuple((_clean(name), _clean(value)) for name, value in params)


def _clean(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def resolve(base: str, reference: str) -> str:
    """The URL that `reference`, as it stands in a document fetched from `base`, means (RFC 3986 section 5).

    The fragment of the reference is kept: it may hold connection overrides. An empty reference is the document.
    """
    reference = reference.strip()
    if not reference:
        return base
    try:
        return urljoin(base, reference)
    except ValueError:
        return reference  # no URL at all: whoever fetches it says so
