"""Addresses: which ports are free, what peers are told, whether names can be found."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ...transport.errors import TransportError, Unreachable
from ...transport.network import Network, family_of, is_numeric, is_wildcard
from ...transport.trio_network import TrioNetwork
from ..config import Config
from ..data_dir import holder
from ..values import HostPort, PortRange
from .findings import Finding, failure, fine, warning

ELSEWHERE: Final = "192.0.2.1"
"""An address of no network (RFC 5737): nothing is sent to it, only the way there is asked for."""
EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
BUSY_SHARE: Final = 0.1


def examine_network(config: Config) -> Iterator[Finding]:
    """What this machine alone can tell."""
    running = holder(config.server.data_dir)
    if running is not None:
        yield fine("ports", f"not looked at: offhook runs on this data_dir (process {running})")
    else:
        for key, kind, address in _binds(config):
            yield _bindable(key, kind, address)
        yield _rtp(config)
    yield from _ephemeral(config.media.rtp_ports)
    yield _advertised(config)


async def examine_names(config: Config, network: Network) -> list[Finding]:
    """Whether the names that calls and webhooks go to are known; asks the name server."""
    hosts = {uri.host: f"trunk {trunk.name}" for trunk in config.trunks for uri in trunk.uris}
    for domain in config.domains:
        if isinstance(domain.voice_url, str):
            hosts.setdefault(urlsplit(domain.voice_url).hostname or "", f"domain {domain.name}")
    found = []
    for host, about in hosts.items():
        if not host or is_numeric(host):
            continue
        try:
            addresses = await network.lookup(host)
        except TransportError as error:
            remedy = "check the name, and the name server of this machine; a gateway may still be found by SRV records"
            found.append(warning(about, str(error), remedy))
        else:
            found.append(fine(about, f"{host} is {', '.join(address for address, _ in addresses)}"))
    return found


def _binds(config: Config) -> Iterator[tuple[str, socket.SocketKind, HostPort]]:
    for address in config.sip.udp:
        yield "sip.udp", socket.SOCK_DGRAM, address
    for key in ("tcp", "tls"):
        for address in getattr(config.sip, key):
            yield f"sip.{key}", socket.SOCK_STREAM, address
    yield "http.bind", socket.SOCK_STREAM, config.http.bind


BIND_ERRORS: Final = {
    errno.EADDRINUSE: ("is taken by another program", "end that program (ss -lunpt shows it), or change {key}"),
    errno.EADDRNOTAVAIL: ("is no address of this machine", "change {key}; 0.0.0.0 stands for all addresses"),
    errno.EACCES: ("needs a privilege", "take a port above 1023, or give the service CAP_NET_BIND_SERVICE"),
}


def _bindable(key: str, kind: socket.SocketKind, address: HostPort) -> Finding:
    error = _bind(kind, address)
    if error is None:
        return fine(key, f"{address} is free")
    text, remedy = BIND_ERRORS.get(error.errno or 0, (f"cannot be bound: {error.strerror}", "change {key}"))
    return failure(key, f"{address} {text}", remedy.format(key=key))


def _bind(kind: socket.SocketKind, address: HostPort) -> OSError | None:
    """Bind for a moment."""
    with socket.socket(family_of(address.host), kind) as probe:
        if kind is socket.SOCK_STREAM:
            # As the listener does: connections that have just ended are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(tuple(address))
        except OSError as error:
            return error
    return None


def _rtp(config: Config) -> Finding:
    """How many RTP ports others have."""
    ports = config.media.rtp_ports
    evens = range(ports.first + ports.first % 2, ports.last, 2)
    busy = sum(_bind(socket.SOCK_DGRAM, HostPort("0.0.0.0", port)) is not None for port in evens)
    text = f"{len(evens) - busy} of {len(evens)} port pairs of {ports} are free"
    if busy > BUSY_SHARE * len(evens):
        return warning("media.rtp_ports", text, "choose a range that nothing else uses")
    return fine("media.rtp_ports", text)


def _ephemeral(ports: PortRange) -> Iterator[Finding]:
    """Ports that the kernel hands out by itself must not be those of calls."""
    try:
        first, last = map(int, EPHEMERAL.read_text().split())
    except (OSError, ValueError):
        return
    if ports.first <= last and first <= ports.last:
        text = f"{ports} overlaps the ports {first}-{last} that the system gives to any program"
        yield warning("media.rtp_ports", text, "choose a range outside, or change net.ipv4.ip_local_port_range")


def _advertised(config: Config) -> Finding:
    told, binds = config.server.advertised_address, (*config.sip.udp, *config.sip.tcp, *config.sip.tls)
    about = "server.advertised_address"
    if told is None and binds and all(address.loopback for address in binds):
        return fine(about, "not needed: only this machine can call")
    ours = _own_address()
    if told is None and ours is not None and ipaddress.ip_address(ours).is_private:
        remedy = "for phones elsewhere set it to the public address, and forward SIP and RTP ports"
        return warning(about, f"not set: peers are told {ours}, which is a private address", remedy)
    if told is None:
        return fine(about, f"not set: peers are told the address that reaches them, such as {ours or 'none now'}")
    if told == ours or any(address.host == told for address in binds):
        return fine(about, f"{told} is an address of this machine")
    if ours is not None and any(is_wildcard(address.host) or address.host == ours for address in binds):
        remedy = "the router must forward SIP and RTP ports to this machine, port numbers unchanged"
        return warning(about, f"{told} is not an address of this machine ({ours}): it is behind NAT", remedy)
    return fine(about, f"{told} is what peers are told")


def _own_address() -> str | None:
    """The address that packets to the internet leave from; None without a way there. Sends nothing."""
    try:
        return TrioNetwork().source_for(ELSEWHERE)
    except Unreachable:
        return None
