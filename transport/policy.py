"""Which addresses we may send to: `allowed_networks` of the configuration. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from .errors import AddressNotAllowed
from .network import bare

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERYWHERE: tuple[IpNetwork, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address that a translator sends to."""


def parse_networks(networks: Iterable[str | IpNetwork]) -> tuple[IpNetwork, ...]:
    """Networks of texts such as `10.0.0.0/8` or `2001:db8::1`. Raises ValueError, also for host bits that are set."""
    return tuple(ipaddress.ip_network(item) if isinstance(item, str) else item for item in networks)


def unwrapped(address: IpAddress) -> IpAddress:
    """The IPv4 address in an IPv6 one that is mapped, 6to4 or NAT64, else `address` itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


@lru_cache(maxsize=4096)
def effective_address(host: str) -> IpAddress:
    """The address that packets to a numeric host end up at: an IPv4 one that is wrapped in IPv6 is unwrapped.

    Otherwise `::ffff:127.0.0.1` or `64:ff9b::7f00:1` would slip past a rule about 127.0.0.0/8. Raises ValueError.
    """
    return unwrapped(ipaddress.ip_address(bare(host).partition("%")[0]))


def is_allowed(host: str, networks: Iterable[IpNetwork]) -> bool:
    """Whether something may be sent to a numeric host.

    Never to what is no single host: "any" (which reaches our own loopback), multicast, broadcast. A name is not
    allowed: look it up, and ask about each address.
    """
    try:
        address = effective_address(host)
    except ValueError:
        return False
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        return False
    return any(address.version == network.version and address in network for network in networks)


def check_allowed(host: str, networks: Iterable[IpNetwork]) -> None:
    """Raise AddressNotAllowed unless `is_allowed`."""
    if not is_allowed(host, networks):
        raise AddressNotAllowed(host, "the address is outside the allowed networks")
