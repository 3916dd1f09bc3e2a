"""Readers of what stands in `[[trunk]]` and `[[number]]`: numbers, prefixes, gateways, limits. As those of `values`."""

from __future__ import annotations

import math
import re
from typing import Final

import attrs

from ..sip.errors import SipError
from ..sip.uri import Uri
from ..twiml.numbers import is_e164
from .values import Wrong, array, secret

NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
PREFIX: Final = re.compile(r"\+(?:[1-9][0-9]{0,14})?")
CARRIED: Final = ("udp", "tcp", "tls")
"""Transports that a gateway may be reached over."""


def trunk_name(value: object) -> str:
    """A name for logs and metrics."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise Wrong(value, "a short name of letters, digits, dots, hyphens and underscores")
    return value


def e164(value: object) -> str:
    """A telephone number with its country code."""
    if not isinstance(value, str) or not is_e164(value):
        raise Wrong(value, 'a telephone number in E.164 such as "+15550100", in quotes and without blanks')
    return value


def optional_e164(value: object) -> str | None:
    return None if value is None or value == "" else e164(value)


def prefix(value: object) -> str:
    if not isinstance(value, str) or not PREFIX.fullmatch(value):
        raise Wrong(value, 'the beginning of numbers in E.164 such as "+44" ("+" alone: every number)')
    return value


def prefixes(value: object) -> tuple[str, ...]:
    return array(value, "prefixes", prefix)


def gateway(value: object) -> Uri:
    """`sip:gw1.example.com`, with a port and `;transport=tcp` where needed."""
    should = 'a gateway such as "sip:gw1.example.com" or "sip:192.0.2.7:5070;transport=tcp"'
    try:
        uri = value if isinstance(value, Uri) else Uri.parse(value) if isinstance(value, str) else None
    except SipError:
        uri = None
    if uri is None or uri.scheme not in ("sip", "sips"):
        raise Wrong(str(value) if isinstance(value, Uri) else value, should)
    text = str(uri)
    if uri.user is not None or uri.password is not None:
        raise Wrong(text, f"{should}; the user goes into the key username", show=False)
    if uri.headers:
        raise Wrong(text, f"{should}; it may have no headers behind a question mark")
    unknown = [name for name, _ in uri.params if name.lower() != "transport"]
    if unknown:
        raise Wrong(text, f"{should}; {unknown[0]} is no parameter that a gateway may have")
    transport = uri.param("transport")
    if uri.scheme == "sips" and (transport or "tls").lower() not in ("tcp", "tls"):
        raise Wrong(text, f"{should}; sips goes over TLS only")
    if transport is not None and transport.lower() not in CARRIED:
        raise Wrong(text, f"{should}; its transport may be {', '.join(CARRIED[:-1])} or {CARRIED[-1]}")
    if uri.port == 0:
        raise Wrong(text, f"{should}; port 0 cannot be sent to")
    return attrs.evolve(uri, scheme="sip").with_param("transport", "tls") if uri.scheme == "sips" else uri


def over_tls(uri: Uri) -> bool:
    """Whether a gateway, as `gateway` reads it, is reached over TLS."""
    return (uri.param("transport") or "").lower() == "tls"


def gateways(value: object) -> tuple[Uri, ...]:
    """In the order in which they are tried."""
    found = array(value, "SIP URIs", gateway)
    if not found:
        raise Wrong(value, 'at least one SIP URI, e.g. ["sip:gw1.example.com"]')
    return found


def optional_user(value: object) -> str | None:
    """A digest user of a carrier's; carriers also give out addresses (`line1@carrier.example`)."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or re.search(r'[\x00-\x20\x7f:"\\]', value):
        raise Wrong(value, 'a user name in quotes, without blanks and any of : " \\')
    return value


def optional_password(value: object) -> str | None:
    return None if value is None or value == "" else secret(value)


def optional_count(value: object) -> int | None:
    """A whole number, 1 or more."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Wrong(value, "a whole number, 1 or more (leave it out for no limit)")
    return value


def optional_rate(value: object) -> float | None:
    """A finite number above 0."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise Wrong(value, "a number above 0, e.g. 5 or 0.5 (leave it out for no limit)")
    return float(value)
