"""What a dial has to know about the server: names, numbers, trunks, networks; and choices that hang on them alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, TypeAlias

import attrs

from .nouns import SipUri
from .platform_names import PlatformNames

Network: TypeAlias = IPv4Network | IPv6Network
ANYWHERE: Final = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


@attrs.frozen(kw_only=True)
class TrunkFacts:
    """What is known of the trunk that would take a number."""

    caller_id: str | None = None
    """The number it is known by."""


def _no_trunk(number: str) -> TrunkFacts | None:
    return None


def _first(total: int) -> int:
    return 0


@attrs.frozen(kw_only=True)
class House:
    """What a dial has to know about the server."""

    names: PlatformNames
    numbers: Set[str] = frozenset()
    """Telephone numbers that the account owns or has verified, in E.164."""
    trunk_of: Callable[[str], TrunkFacts | None] = _no_trunk
    """The trunk that takes a number; `None`: nobody may dial it."""
    networks: Sequence[Network] = ANYWHERE
    """Where SIP requests may be sent, as far as an address says it; names are looked at when they are resolved."""
    tls: bool = False
    """Whether TLS and SRTP are carried out."""
    header_prefix: str = ""
    """Of the headers that the house itself sends."""
    draw: Callable[[int], int] = _first
    """A number below `total`, by chance: shares the load among the `Uri`s of a `Sip`."""


def is_public(host: str, networks: Sequence[Network]) -> bool:
    """Whether requests may be sent to a host; a name is looked at again when it has been resolved."""
    try:
        address = ip_address(host)
    except ValueError:
        return True
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped.version == network.version and mapped in network for network in networks)


def in_order(uris: Sequence[SipUri], draw: Callable[[int], int] = _first) -> tuple[SipUri, ...]:
    """By priority, the lower first; by chance and weight among equals, as SRV records are (RFC 2782).

    Without weights the order of the document stays.
    """
    ordered: list[SipUri] = []
    for priority in sorted({uri.priority or 0 for uri in uris}):
        left = [uri for uri in uris if (uri.priority or 0) == priority]
        while left:
            total = sum(uri.weight or 0 for uri in left)
            chosen, at = left[0], draw(total) if total else -1
            for uri in left:
                if at < 0:
                    break
                chosen, at = uri, at - (uri.weight or 0)
            left.remove(chosen)
            ordered.append(chosen)
    return tuple(ordered)
