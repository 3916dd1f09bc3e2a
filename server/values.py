"""Readers of configuration values: each takes what TOML (or Python code) gives and returns the typed value, or says
what would have been right. They are idempotent, so `attrs` runs them as converters too."""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

from ..store.records import IpNetwork, WebhookFunction, WebhookTarget

LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123 section 2.1
HEADER_TOKEN = re.compile(r"[-.!%*_+`'~0-9A-Za-z]+")  # token, RFC 3261 section 25.1
T = TypeVar("T")

HOUR_S = 3600
SHOWN = 60  # characters of a wrong value that a message repeats


class Wrong(ValueError):
    """A value that cannot be used; the message says what it should be."""

    def __init__(self, value: object, should: str, *, show: bool = True, whole: bool = False) -> None:
        """`show`: repeat the value (never a secret); `whole`: `should` is the whole sentence already."""
        text = repr(value)
        text = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
        super().__init__(should if whole else f"{text} should be {should}" if show else f"should be {should}")


class HostPort(NamedTuple):
    """A numeric address and a port, to bind to; compares equal to the plain `(host, port)` pair."""

    host: str
    """IPv4 or IPv6, without brackets."""
    port: int
    """0: any free one."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback


class PortRange(NamedTuple):
    """UDP ports from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def suggest(word: str, known: Collection[str]) -> str:
    """`; did you mean "x"?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def text(value: object) -> str:
    """A string without control characters; may be empty."""
    if not isinstance(value, str) or any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise Wrong(value, "a text in quotes, without control characters")
    return value


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong(value, "true or false (without quotes)")
    return value


def seconds(value: object) -> float:
    """A finite number of seconds, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise Wrong(value, "a number of seconds, 0 or more")
    return value


def lifetime(value: object) -> int:
    """Whole seconds that something is kept for, 1 to an hour."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= HOUR_S:
        raise Wrong(value, f"a whole number of seconds from 1 to {HOUR_S} (without quotes)")
    return value


def patience(value: object) -> float:
    """Seconds that may pass before something is given up: more than 0."""
    if seconds(value) == 0:
        raise Wrong(value, "a number of seconds above 0")
    return seconds(value)


def megabytes(value: object) -> int:
    """Whole megabytes (10^6 bytes), 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Wrong(value, "a whole number of megabytes, 1 or more (without quotes)")
    return value


def days(value: object) -> float:
    """How long something is kept: a number above 0, up to a hundred years."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 36_500:
        raise Wrong(value, "a number of days above 0, e.g. 7 or 0.5")
    return value


def array(value: object, of: str, read: Callable[[object], T]) -> tuple[T, ...]:
    """The items of a TOML array (or of a tuple, in code), each read; one Wrong tells all that is wrong among them."""
    if not isinstance(value, list | tuple):
        example = f" in brackets, e.g. [{value!r}]" if isinstance(value, str) else ""
        raise Wrong(value, f"an array of {of}{example}")
    found: list[T] = []
    wrong: list[str] = []
    for item in value:
        try:
            one = read(item)
        except Wrong as error:
            wrong.append(str(error))
            continue
        if one in found and not (isinstance(one, HostPort) and one.port == 0):
            wrong.append(f"{item!r} should be given only once")
        found.append(one)
    if wrong:
        raise Wrong(value, "; ".join(wrong), whole=True)
    return tuple(found)


def instances(value: object, cls: type[T]) -> tuple[T, ...]:
    """Settings classes inside others; the file's tables have become such when this sees them."""
    items = tuple(value) if isinstance(value, list | tuple) else ()
    good = tuple(item for item in items if isinstance(item, cls))
    if not isinstance(value, list | tuple) or len(good) < len(items):
        raise Wrong(value, f"a list of {cls.__name__}", show=False)
    return good


def bind(value: object) -> HostPort:
    """`127.0.0.1:5060`, `[::1]:5060`: an address to listen on."""
    should = 'a numeric IP address with a port, e.g. "127.0.0.1:5060" or "[::1]:5060" (port 0 takes a free one)'
    if isinstance(value, HostPort):
        return value
    if isinstance(value, tuple) and len(value) == 2:
        value = str(HostPort(*value))
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})", value) if isinstance(value, str) else None
    if match is None or int(match[3]) > 65_535:
        raise Wrong(value, should)
    try:
        host = ipaddress.ip_address(match[1] or match[2])
    except ValueError:
        raise Wrong(value, should) from None
    if (host.version == 6) is not bool(match[1]):
        raise Wrong(value, should)
    return HostPort(str(host), int(match[3]))


def binds(value: object) -> tuple[HostPort, ...]:
    """Addresses to listen on; an empty array listens nowhere."""
    return array(value, "addresses", bind)


def address(value: object) -> str | None:
    """One numeric IP address; an empty text means none."""
    if value is None or value == "":
        return None
    try:
        found = ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise Wrong(value, 'a numeric IP address, e.g. "203.0.113.9"')
    if found.is_unspecified:
        raise Wrong(value, "an address that others can send to, not the wildcard")
    return str(found)


def network(value: object) -> IpNetwork:
    """`10.0.0.0/8`, `2001:db8::/32`; a single address is a network of one."""
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    should = 'a network such as "192.0.2.0/24", or one address'
    if not isinstance(value, str):
        raise Wrong(value, should)
    try:
        found = ipaddress.ip_network(value, strict=False)
        given = ipaddress.ip_address(value.partition("/")[0])
    except ValueError:
        raise Wrong(value, should) from None
    if given != found.network_address:
        raise Wrong(value, f'the network itself, "{found}", or the one address, "{given}"')
    return found


def networks(value: object) -> tuple[IpNetwork, ...]:
    return array(value, "networks", network)


def port_range(value: object) -> PortRange:
    """`20000-29999`: at least two ports, as each call takes one for RTP and the next for RTCP."""
    should = 'a range of at least two UDP ports from 1024 to 65535, e.g. "20000-29999"'
    if isinstance(value, PortRange):
        value = str(value)
    match = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", value) if isinstance(value, str) else None
    if match is None:
        raise Wrong(value, should)
    first, last = int(match[1]), int(match[2])
    if not 1024 <= first < last <= 65_535:
        raise Wrong(value, should)
    return PortRange(first, last)


def domain_name(value: object, *, should: str = 'a DNS name such as "sip.example.com"') -> str:
    """Lower-case DNS name: labels of letters, digits and hyphens."""
    name = value.lower().rstrip(".") if isinstance(value, str) else ""
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in name.split(".")):
        raise Wrong(value, should)
    return name


def domain_label(value: object) -> str:
    """NAME of a domain, without the suffix; may have several labels (`foo.acme`)."""
    return domain_name(
        value, should='a name of letters, digits and hyphens such as "acme"; the suffix is added from sip.domain_suffix'
    )


def optional_domain_label(value: object) -> str:
    return "" if value == "" else domain_label(value)


def region(value: object) -> str:
    label = value.lower() if isinstance(value, str) else ""
    if not LABEL.fullmatch(label):
        raise Wrong(value, 'one label such as "ie1" or "dublin"')
    return label


def regions(value: object) -> tuple[str, ...]:
    """Region and edge labels."""
    return array(value, "labels", region)


DIGEST_ALGORITHMS = ("MD5", "SHA-256")


def digest_algorithm(value: object) -> str:
    name = value.upper() if isinstance(value, str) else ""
    if name not in DIGEST_ALGORITHMS:
        raise Wrong(value, '"MD5" or "SHA-256"')
    return name


def digest_algorithms(value: object) -> tuple[str, ...]:
    """In the order in which they are offered."""
    found = array(value, "algorithm names", digest_algorithm)
    if not found:
        raise Wrong(value, 'at least one of "MD5" and "SHA-256"')
    return found


def cipher(value: object) -> str:
    """One cipher suite by its name in OpenSSL; lists and exclusions (`HIGH:!aNULL`) are not names."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z0-9]+(?:-[A-Z0-9]+)*", value):
        raise Wrong(value, 'the name of one cipher suite, e.g. "ECDHE-RSA-AES128-GCM-SHA256"')
    return value


def ciphers(value: object) -> tuple[str, ...]:
    return array(value, "cipher suites", cipher)


def realm(value: object) -> str:
    """A digest realm; quotes and backslashes would need escapes that some phones get wrong."""
    if '"' in text(value) or "\\" in text(value):
        raise Wrong(value, "a text without quotes and backslashes")
    return text(value)


def header_prefix(value: object) -> str:
    if not isinstance(value, str) or not HEADER_TOKEN.fullmatch(value):
        raise Wrong(value, 'the beginning of a header name, e.g. "X-Twilio-"')
    return value


def http_url(value: object) -> str:
    """An absolute http or https URL."""
    should = 'an absolute URL such as "https://app.example.com/voice"'
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        usable = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port if parts else None  # raises ValueError when it is no port
    except ValueError:
        usable = False
    if not usable or not isinstance(value, str) or re.search(r"[\x00-\x20\x7f]", value):
        raise Wrong(value, should)
    if "_" in (urlsplit(value).hostname or ""):
        raise Wrong(value, f"{should}; host names have no underscore")
    return value


def optional_base_url(value: object) -> str:
    """Base of links, kept without the slash at its end; empty: not set."""
    if value == "":
        return ""
    parts = urlsplit(http_url(value))
    if parts.query or parts.fragment or parts.username:
        raise Wrong(value, "a URL without credentials, query and fragment")
    return http_url(value).rstrip("/")


def webhook(value: object) -> WebhookTarget | None:
    """A webhook URL, or (in code) an async function standing in for it; an empty text means none."""
    if value is None or value == "":
        return None
    if callable(value):
        return cast(WebhookFunction, value)
    return http_url(value)


def method(value: object) -> str:
    if not isinstance(value, str) or value.upper() not in ("GET", "POST"):
        raise Wrong(value, '"GET" or "POST"')
    return value.upper()


def username(value: object) -> str:
    """A digest user name. `:` would make it ambiguous in A1 (RFC 7616 section 3.4.2)."""
    if not isinstance(value, str) or not value or re.search(r'[\x00-\x20\x7f:"\\@]', value):
        raise Wrong(value, 'a user name in quotes, without blanks and any of : " \\ @')
    return value


def secret(value: object) -> str:
    """A password or token; messages never repeat it."""
    if not isinstance(value, str) or not value or re.search(r"[\x00-\x1f\x7f]", value):
        raise Wrong(value, "a text in quotes that is not empty, without control characters", show=False)
    return value


def optional_secret(value: object) -> str:
    return "" if value == "" else secret(value)


def account_sid(value: object) -> str:
    if value != "" and (not isinstance(value, str) or not re.fullmatch(r"AC[0-9a-fA-F]{32}", value)):
        raise Wrong(value, 'an account SID: "AC" and 32 hexadecimal digits')
    return str(value)


def path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise Wrong(value, 'a path such as "offhook-data"')
    return Path(value).expanduser()


def optional_path(value: object) -> Path | None:
    return None if value is None or value == "" else path(value)
