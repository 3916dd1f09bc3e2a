"""From a hop to the addresses to try, in order (RFC 3263): number, explicit port, NAPTR, SRV, A and AAAA."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs
import structlog

from ..sip.routing import Hop
from ..sip.via import default_port
from .errors import NameLookupFailed, NameNotFound, Unreachable
from .network import Address, Network, SrvRecord, bare, is_numeric
from .policy import EVERYWHERE, IpNetwork, check_allowed, is_allowed

log = structlog.get_logger(__name__)

LARGE_REQUEST_BYTES = 1300
"""A larger request goes over a congestion-controlled transport (RFC 3261 18.1.1)."""
MAX_RECORDS = 16
"""SRV targets followed for one hop, and"""
MAX_TARGETS = 32
"""addresses tried in the end: a stranger's name server must not keep us busy."""

# RFC 3263 4.1, RFC 7118 section 8
NAPTR_SERVICES = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS", "SIP+D2W": "WS", "SIPS+D2W": "WSS"}
SRV_PREFIXES = {"UDP": "_sip._udp.", "TCP": "_sip._tcp.", "TLS": "_sips._tcp.", "WS": "_sip._ws.", "WSS": "_sips._ws."}
SECURE = frozenset({"TLS", "WSS"})


@attrs.frozen
class Target:
    """One address to try."""

    transport: str
    """UDP, TCP, TLS, WS or WSS."""
    address: Address
    name: str = ""
    """The host as the hop named it: what a certificate has to be for (RFC 5922)."""


@attrs.define(eq=False)
class Resolver:
    """Finds the addresses of hops. It keeps no state: name servers and `Network` cache."""

    network: Network
    transports: Sequence[str] = ("UDP", "TCP")
    """Those that we speak, best first: the order of SRV questions when neither URI nor NAPTR chooses."""
    addresses_only: bool = False
    """Ask for A and AAAA only, never NAPTR nor SRV."""
    allowed: Sequence[IpNetwork] = EVERYWHERE
    """Addresses outside of these are left out; when none is left the hop is AddressNotAllowed."""

    async def resolve(self, hop: Hop) -> list[Target]:
        """The addresses of a hop in the order to try; at least one.

        Raises Unreachable: a transport that we do not speak, a name without addresses (NameNotFound), a name server
        that does not answer (NameLookupFailed), addresses that are not allowed (AddressNotAllowed).
        """
        transport = self._transport_of(hop)
        host = bare(hop.host)
        if is_numeric(host):
            check_allowed(host, self.allowed)
            return [Target(transport, (host, hop.port or default_port(transport)), host)]
        targets: list[Target] = []
        if hop.port is None and not self.addresses_only and not _is_local_name(host):
            targets = await self._by_service(hop, host)
        if not targets:
            found = await self.network.lookup(host, hop.port or default_port(transport))
            targets = [Target(transport, address, host) for address in found]
        targets = list(dict.fromkeys(targets))[:MAX_TARGETS]
        allowed = [target for target in targets if is_allowed(target.address[0], self.allowed)]
        if not allowed:
            check_allowed(targets[0].address[0], self.allowed)
        return allowed

    def _transport_of(self, hop: Hop) -> str:
        """The transport when DNS does not choose one. Raises Unreachable when we cannot speak it."""
        transport = hop.transport
        if hop.secure and transport not in SECURE:
            transport = "TLS"
        if transport in self.transports:
            return transport
        if hop.named_transport or hop.secure or not self.transports:
            raise Unreachable(hop.host, f"transport {transport} is not available")
        return self.transports[0]

    async def _by_service(self, hop: Hop, host: str) -> list[Target]:
        """Addresses by NAPTR and SRV; empty when the name has no such records, or its name server is in trouble.

        In trouble the addresses are tried all the same: they may stand in /etc/hosts, and a name server that does not
        know of NAPTR may know them.
        """
        try:
            services = await self._services(hop, host)
            targets: list[Target] = []
            refused, followed, last = False, 0, None
            for transport, name in services:
                records = await self.network.srv(name)
                refused = refused or [record.host for record in records] == [""]
                for record in records[: MAX_RECORDS - followed]:
                    followed += 1
                    try:
                        targets += await self._of_record(transport, record, host)
                    except Unreachable as error:
                        last = error
        except NameLookupFailed as error:
            log.info("service records cannot be asked for", host=host, error=str(error))
            return []
        if not targets and last is not None:
            raise last
        if not targets and refused:
            raise NameNotFound(host, "its SRV record says that the service is not offered")
        return targets

    async def _services(self, hop: Hop, host: str) -> list[tuple[str, str]]:
        """Transports with the name to ask for SRV, in order (4.1)."""
        if hop.named_transport:
            transport = self._transport_of(hop)
            return [(transport, SRV_PREFIXES[transport] + host)] if transport in SRV_PREFIXES else []
        usable = [
            transport
            for transport in self.transports
            if transport in SRV_PREFIXES and (not hop.secure or transport in SECURE)
        ]
        chosen = [
            (NAPTR_SERVICES[record.service], record.replacement)
            for record in await self.network.naptr(host)
            if record.flags == "S" and record.replacement and NAPTR_SERVICES.get(record.service) in usable
        ]
        return chosen[:MAX_RECORDS] or [(transport, SRV_PREFIXES[transport] + host) for transport in usable]

    async def _of_record(self, transport: str, record: SrvRecord, host: str) -> list[Target]:
        if not record.host or not record.port:
            return []
        return [Target(transport, address, host) for address in await self.network.lookup(record.host, record.port)]


def streams_first(targets: Iterable[Target], size: int, *, limit: int = LARGE_REQUEST_BYTES) -> list[Target]:
    """The targets of a request of `size` bytes: a large one tries TCP at each UDP address first, UDP after that.

    RFC 3261 18.1.1: a request over 1,300 bytes is sent over TCP, and over UDP when that connection cannot be made.
    The Via of each attempt names the transport of its target.
    """
    if size <= limit:
        return list(targets)
    ordered: list[Target] = []
    for target in targets:
        if target.transport == "UDP":
            ordered.append(attrs.evolve(target, transport="TCP"))
        ordered.append(target)
    return list(dict.fromkeys(ordered))


def _is_local_name(host: str) -> bool:
    """`localhost` and names below it are never asked of a name server (RFC 6761 6.3)."""
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")
