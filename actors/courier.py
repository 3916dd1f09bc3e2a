"""Courier: what leaves. Finds the way of a message, opens the connection, sends; failures come back as messages.

An object, not an actor: where the way is known, sending is a plain call; else one task finds it. Nobody waits for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeAlias

import attrs
import structlog
import trio

from ..sip.address import NameAddr
from ..sip.message import Request, Response
from ..sip.render import render
from ..sip.routing import Hop
from ..sip.transaction.events import SendRequest, SendResponse
from ..sip.uri import Uri
from ..transport.arrivals import reply_flow, response_destination
from ..transport.connections import Connections
from ..transport.errors import ConnectionLost, TransportError, Unreachable
from ..transport.flow import Flow
from ..transport.network import Address, Network, bare, family_of, is_numeric, is_wildcard
from ..transport.policy import check_allowed
from ..transport.resolve import Resolver, Target, streams_first
from ..transport.udp import UdpTransport
from .mailbox import Ref
from .messages.leg import LegMessage, TransmitFailed

DATAGRAM_MAX: Final = 1300
"""A longer request goes over TCP when its transport was UDP (RFC 3261 18.1.1)."""
PATH_KEPT_S: Final = 64.0
"""How long a branch keeps its way: copies, the ACK of a refusal and a CANCEL must take the same (17.1.1.3, 9.1)."""
PATHS_MAX: Final = 100_000
STREAMS: Final = ("TCP", "TLS")

Watch: TypeAlias = Callable[[Request | Response, bytes, Flow], None]

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class Courier:
    """One for the process; listeners enter their sockets."""

    network: Network
    connections: Connections
    resolver: Resolver
    nursery: trio.Nursery
    """Where the tasks run that find a way."""
    advertised_host: str | None = None
    """What our Via and Contact say; None: the address a message leaves from."""
    watch: Watch | None = None
    """Told of every message that goes out, and of its bytes. Must not wait nor raise."""
    _udp: list[UdpTransport] = attrs.field(factory=list)
    _streams: list[tuple[str, Address]] = attrs.field(factory=list)
    """TCP and TLS, with the addresses we listen on."""
    _paths: OrderedDict[str, tuple[float, Flow]] = attrs.field(factory=OrderedDict)

    # --- what listeners tell ---------------------------------------------------------------------------------

    def add_udp(self, transport: UdpTransport) -> None:
        """Send from this socket, too. It outlives its listener, which may be restarted or end before the last BYE."""
        if transport not in self._udp:
            self._udp.append(transport)

    def add_stream(self, transport: str, bound: Address) -> None:
        """Peers reach us here over `transport`, TCP or TLS."""
        if (transport, bound) not in self._streams:
            self._streams.append((transport, bound))

    @property
    def listening(self) -> bool:
        """Whether listeners of datagrams and of streams have entered what they listen on."""
        return bool(self._udp) and bool(self._streams)

    # --- responses -------------------------------------------------------------------------------------------

    def respond(self, out: SendResponse) -> None:
        """Send a response the way RFC 3261 18.2.2 and RFC 3581 say. Its loss is nobody's business but the peer's."""
        data = render(out.response)
        flow = reply_flow(out.response, _real(out.flow))
        if not flow.alive:
            self.nursery.start_soon(self._respond_anew, data, out, name="response on a new connection")
            return
        try:
            flow.send(data)
        except TransportError as error:
            log.info("response not sent", to=str(flow), error=str(error))
        else:
            if self.watch is not None:
                self.watch(out.response, data, flow)

    async def _respond_anew(self, data: bytes, out: SendResponse) -> None:
        """The connection the request came by is gone: open one to where the Via says."""
        flow, via = _real(out.flow), out.response.via
        address = response_destination(via, flow)
        try:
            connection = await self.connections.open(address, transport=flow.transport, name=bare(via.host))
            connection.send(data)
        except TransportError as error:
            log.info("response not sent", to=str(address), error=str(error))
        else:
            if self.watch is not None:
                self.watch(out.response, data, connection.flow)

    # --- requests --------------------------------------------------------------------------------------------

    def request(self, out: SendRequest, failed: Ref[LegMessage] | None = None) -> None:
        """Send a request; `TransmitFailed` with its branch goes to `failed` when it reaches no address."""
        try:
            known = self._known_path(out)
            if known is not None:
                self._send(out, known, failed)
                return
        except TransportError as error:
            self._report(out, failed, error)
            return
        self.nursery.start_soon(self._find_way, out, failed, name=f"way of {out.request.method}")

    def _known_path(self, out: SendRequest) -> Flow | None:
        """A way that needs no waiting: kept, given, or plain from the hop."""
        kept = self._paths.get(out.branch)
        if kept is not None and kept[1].alive:
            return kept[1]
        given = _real(out.flow) if out.flow is not None else None
        if given is not None and given.alive:
            return given
        if given is not None and out.request.to_tag is None:
            # A phone is called by its flow or not at all (RFC 5626 section 5.3): its Contact is only what it says.
            raise ConnectionLost(str(given), "the phone's connection is gone")
        hop = out.hop
        if not is_numeric(hop.host):
            return None
        check_allowed(hop.host, self.resolver.allowed)
        if hop.transport == "UDP" and _fits_a_datagram(out.request):
            return self._udp_flow((hop.host, hop.port or hop.default_port))
        if hop.transport in STREAMS:
            address = (hop.host, hop.port or hop.default_port)
            connection = self.connections.find(address, hop.transport, hop.host)
            return connection.flow if connection is not None else None
        return None

    async def _find_way(self, out: SendRequest, failed: Ref[LegMessage] | None) -> None:
        """Resolve the hop and try its addresses in order (RFC 3263 4.3)."""
        error: TransportError = Unreachable(out.hop.host, "no address")
        try:
            for target in await self._targets(out):
                try:
                    flow = await self._open(target)
                    self._send(out, flow, failed)
                    self._keep_path(out.branch, flow)
                    return
                except TransportError as problem:
                    log.info("no way", to=str(target), error=str(problem))
                    error = problem
        except TransportError as problem:
            error = problem
        self._report(out, failed, error)

    async def _targets(self, out: SendRequest) -> list[Target]:
        """The addresses to try; what is too long for a datagram goes over a stream first (18.1.1)."""
        targets = await self.resolver.resolve(out.hop)
        return streams_first(targets, len(render(out.request)))

    async def _open(self, target: Target) -> Flow:
        if target.transport == "UDP":
            flow = self._udp_flow(target.address)
            if flow is None:
                raise Unreachable(target.address[0], "no UDP listener of its address family")
            return flow
        if target.transport in STREAMS:
            opened = await self.connections.open(target.address, transport=target.transport, name=target.name)
            return opened.flow
        raise Unreachable(target.address[0], f"{target.transport} is not served")

    def _udp_flow(self, remote: Address) -> Flow | None:
        """A flow from the socket that suits best: bound to the very address packets would leave from, or a wildcard."""
        family = family_of(remote[0])
        fitting = [each for each in self._udp if family_of(each.local[0]) == family]
        if not fitting:
            return None
        best = fitting[0]
        if len(fitting) > 1:
            source = self.network.source_for(remote[0])
            suited = next((each for each in fitting if each.local[0] == source), None)
            best = suited or next((each for each in fitting if is_wildcard(each.local[0])), best)
        return best.flow_to(remote)

    def _send(self, out: SendRequest, flow: Flow, failed: Ref[LegMessage] | None) -> None:
        branch = out.branch

        def lost(error: TransportError) -> None:
            if failed is not None:
                failed.offer(TransmitFailed(branch, error))

        request = self._addressed(out.request, flow)
        data = render(request)
        flow.send(data, lost)
        if self.watch is not None:
            self.watch(request, data, flow)

    def _report(self, out: SendRequest, failed: Ref[LegMessage] | None, error: TransportError) -> None:
        log.info("request not sent", method=out.request.method, hop=str(out.hop.host), error=str(error))
        if failed is not None:
            failed.offer(TransmitFailed(out.branch, error))

    def _keep_path(self, branch: str, flow: Flow) -> None:
        now = trio.current_time()
        self._paths[branch] = (now, flow)
        while self._paths and (len(self._paths) > PATHS_MAX or next(iter(self._paths.values()))[0] < now - PATH_KEPT_S):
            self._paths.popitem(last=False)

    # --- our own addresses -----------------------------------------------------------------------------------

    def _addressed(self, request: Request, flow: Flow) -> Request:
        """The request with the topmost Via that fits the flow: transport, and where answers reach us."""
        host, port = self._own_address(flow)
        via = request.via
        own = attrs.evolve(via, transport=flow.transport, host=host, port=port, params=via.params.with_("rport", None))
        headers = request.headers.without("Via")
        for line in reversed(request.vias[1:]):
            headers = headers.prepended("Via", str(line))
        return request.with_headers(headers.prepended("Via", str(own)))

    def _own_address(self, flow: Flow) -> Address:
        host = self.advertised_host or flow.local[0]
        if not flow.reliable:
            return host, flow.local[1]
        family = family_of(flow.local[0])
        bound = self.bound(flow.transport)
        listening = next((port for each, port in bound if family_of(each) == family), None)
        return host, listening if listening is not None else flow.local[1]

    def bound(self, transport: str) -> list[Address]:
        """Where we listen for streams of `transport`."""
        return [address for kind, address in self._streams if kind == transport]

    def contact_on(self, flow: Flow, user: str = "") -> NameAddr:
        """Our Contact in a dialog that runs over `flow`."""
        host, port = self._own_address(flow)
        return contact(host, port, flow.transport, user)

    def contact_for(self, hop: Hop, user: str = "") -> NameAddr:
        """Our Contact in a dialog that we begin towards `hop`."""
        remote = hop.host if is_numeric(hop.host) else None
        candidates = [each.local for each in self._udp] if hop.transport == "UDP" else self.bound(hop.transport)
        family = family_of(remote) if remote is not None else None
        bound = next((each for each in candidates if family is None or family_of(each[0]) == family), None)
        if bound is None:
            raise Unreachable(hop.host, f"no {hop.transport} listener of its address family")
        host = self.advertised_host or bound[0]
        if is_wildcard(host):
            host = self.network.source_for(remote) if remote is not None else self.network.source_for("192.0.2.1")
        return contact(host, bound[1], hop.transport, user)


def _fits_a_datagram(request: Request) -> bool:
    """Whether a request is short enough for UDP; told without rendering it where every character is one byte."""
    size = len(request.method) + len(request.request_uri) + len(request.body) + len("  SIP/2.0\r\n\r\n")
    for name, value in request.headers.lines:
        if not value.isascii():
            return len(render(request)) <= DATAGRAM_MAX
        size += len(name) + len(value) + len(": \r\n")
    return size <= DATAGRAM_MAX


def _real(flow: object) -> Flow:
    """The flow behind what a core hands back: it only ever got flows of the transport."""
    if not isinstance(flow, Flow):
        raise TypeError(f"{flow!r} is no flow of the transport")
    return flow


def contact(host: str, port: int, transport: str, user: str = "") -> NameAddr:
    """A Contact at one of our own addresses. `user` is plain text."""
    params = () if transport == "UDP" else (("transport", transport.lower()),)
    return NameAddr(Uri.of(user or None, host, port, params=params))
