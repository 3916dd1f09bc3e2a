"""A SIP address as documents write it: read leniently, with the parameters that are the house's own taken out.

What is not part of who and where (a parameter, a header) is left out with its code when it cannot be read; what is
makes the address unusable.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from ..sip.errors import BadUri
from ..sip.uri import Uri
from .errors import TwimlError
from .outgoing_headers import HeaderItems, LeftOut, pieces, read
from .platform_names import is_edge, is_region

MAX_URI: Final = 255
MAX_HEADER_PART: Final = 1024
"""An address and its header part each must have fewer characters."""

CONSUMED: Final = ("transport", "secure", "edge", "region", "tnx")
TRANSPORTS: Final = ("udp", "tcp", "tls")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL)
_FOREIGN_SCHEMES: Final = frozenset(("tel", "http", "https", "mailto"))


class BadSipAddress(TwimlError):
    """An address cannot be used at all."""

    code = 13243


@attrs.frozen(kw_only=True)
class Address:
    """One address, read."""

    uri: Uri
    """Scheme sip; without header part and without the parameters that are ours."""
    transport: str | None
    """`udp`, `tcp` or `tls`; `None` when none was named."""
    secure: bool
    """Media too."""
    tnx: str | None
    """The interconnect that was named."""
    headers: HeaderItems
    left_out: tuple[LeftOut, ...]


def split(text: str) -> tuple[str, str, str]:
    """Scheme (`sip` or `sips`, which may be missing in `text`), the rest, and the header part without its `?`.

    Raises `BadSipAddress` for another scheme.
    """
    address, _, headers = text.strip().partition("?")
    match = _SCHEME.fullmatch(address)
    if match is None or "@" in match[1]:
        return "sip", address, headers
    scheme = match[1].lower()
    if scheme in ("sip", "sips"):
        return scheme, match[2], headers
    if scheme in _FOREIGN_SCHEMES and "@" not in address:
        raise BadSipAddress(f"{scheme}: is not a SIP URI; write sip:user@host")
    return "sip", address, headers  # a host and its port, or a user and a password


def parse_address(text: str, reserved: str = "") -> Address:
    """Read an address. Raises `BadSipAddress`. `reserved` is the prefix of the house's own headers."""
    scheme, rest, part = split(text)
    length = len(text.strip().partition("?")[0])
    if length >= MAX_URI:
        raise BadSipAddress(f"the SIP URI has {length} characters; it must have fewer than {MAX_URI}")
    if len(part) >= MAX_HEADER_PART:
        raise BadSipAddress(
            f"the headers have {len(part)} characters; they must have fewer than {MAX_HEADER_PART}", code=13253
        )
    left_out: list[LeftOut] = []
    uri = _lenient(scheme, rest, left_out)
    transport, secure = _transport(uri, left_out)
    for name, known in (("edge", is_edge), ("region", is_region)):
        place = uri.param(name)
        if place is not None and not known(place.lower()):
            left_out.append(LeftOut(32114, f"there is no {name} {place[:40]!r}"))
    tnx = uri.param("tnx")
    headers, refused = read(pieces(part), reserved)
    uri = attrs.evolve(uri, scheme="sip").without_params(*CONSUMED)
    return Address(
        uri=uri,
        transport="tls" if secure or scheme == "sips" else transport,
        secure=secure,
        tnx=tnx,
        headers=headers,
        left_out=(*left_out, *refused),
    )


def _lenient(scheme: str, rest: str, left_out: list[LeftOut]) -> Uri:
    """The URI, without those of its parameters that cannot be read."""
    try:
        return Uri.parse(f"{scheme}:{rest}")
    except BadUri:
        pass
    at = rest.rfind("@") + 1
    where, *params = rest[at:].split(";")
    try:
        uri = Uri.parse(f"{scheme}:{rest[:at]}{where}")
    except BadUri:
        raise BadSipAddress(f"{rest[:60]!r} is not a SIP URI; write sip:user@host") from None
    for param in params:
        try:
            uri = Uri.parse(f"{uri};{param}")
        except BadUri:
            left_out.append(
                LeftOut(32110, f"the parameter {param[:40]!r} of the SIP URI cannot be read, or comes twice")
            )
    return uri


def _transport(uri: Uri, left_out: list[LeftOut]) -> tuple[str | None, bool]:
    transport = uri.param("transport")
    if transport is not None:
        transport = transport.lower()
        if transport not in TRANSPORTS:
            left_out.append(LeftOut(32114, f"transport {transport[:40]!r} should be udp, tcp or tls; udp is taken"))
            transport = None
    secure = uri.param("secure")
    if secure is not None and secure.lower() not in ("true", "false"):
        left_out.append(LeftOut(32114, f"secure {secure[:40]!r} should be true or false; false is taken"))
    return transport, secure is not None and secure.lower() == "true"
