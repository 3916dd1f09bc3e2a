"""Which addresses a customer's URL may reach: public ones, and the networks that the configuration allows."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import attrs

from .network import Address
from .policy import NAT64, IpAddress, IpNetwork, parse_networks, unwrapped
from .webhook_errors import HostForbidden

NEVER_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b:1::/48",  # RFC 8215: local NAT64, leads to any IPv4 address
        "::/96",  # RFC 4291 2.5.5.1: IPv4-compatible, deprecated
        "100::/64",  # RFC 6666: discard
        "192.88.99.0/24",  # RFC 7526: 6to4 relays, deprecated
        "fec0::/10",  # RFC 3879: site-local, deprecated
    )
)


@attrs.frozen
class AddressGuard:
    """Tells public addresses from those behind our own walls."""

    allowed_networks: tuple[IpNetwork, ...] = ()
    """Networks that may be reached although they are not public."""

    def permits(self, host: str) -> bool:
        """Whether the numeric address `host` may be connected to."""
        try:
            address: IpAddress = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        inner = embedded(address)
        if any(candidate in network for network in self.allowed_networks for candidate in (address, inner)):
            return True
        return is_public(address) and is_public(inner)

    def sift(self, host: str, addresses: Iterable[Address]) -> list[Address]:
        """Those of a host's addresses that may be connected to; raises `HostForbidden` when none is left."""
        found = list(addresses)
        permitted = [address for address in found if self.permits(address[0])]
        if not permitted:
            shown = ", ".join(address[0] for address in found[:4])
            raise HostForbidden(f"{host} is {shown}: not a public address, and not in allowed_networks")
        return permitted


def embedded(address: IpAddress) -> IpAddress:
    """The IPv4 address that a packet to `address` ends up at (mapped, 6to4, Teredo, NAT64), else `address` itself."""
    if isinstance(address, ipaddress.IPv6Address) and address.teredo is not None:
        return address.teredo[1]
    return unwrapped(address)


def is_public(address: IpAddress) -> bool:
    """Whether `address` is a unicast address of the open internet."""
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped is not None or address in NAT64):
        return is_public(embedded(address))
    if address.is_multicast or address.is_reserved or address.is_unspecified or not address.is_global:
        return False
    return not any(address in network for network in NEVER_PUBLIC if network.version == address.version)


def guard_of(networks: Iterable[str | IpNetwork]) -> AddressGuard:
    """A guard from networks as they stand in the configuration (`127.0.0.0/8`, `::1`). Raises ValueError."""
    return AddressGuard(parse_networks(networks))
