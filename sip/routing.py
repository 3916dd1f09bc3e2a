"""Where a message goes next: the hop of a request (RFC 3261 8.1.2, 12.2.1.1) and of a response (18.2.2, RFC 3581)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .address import NameAddr
from .errors import UnsupportedScheme
from .message import Request
from .uri import Uri, host_key
from .via import Via, default_port

_SECURE = {"TCP": "TLS", "UDP": "TLS", "TLS": "TLS", "WS": "WSS", "WSS": "WSS", "SCTP": "TLS-SCTP"}


@attrs.frozen
class Hop:
    """A next hop before its name is resolved (RFC 3263)."""

    host: str
    """Name or address; IPv6 without brackets, in its shortest form."""
    port: int | None
    """As named; `None`: none is named, so SRV records may name one, else it is `default_port`."""
    transport: str = "UDP"
    """UDP, TCP, TLS, WS, WSS; in upper case."""
    secure: bool = False
    """Whether only TLS will do."""
    named_transport: bool = False
    """Whether the URI named the transport; if not, NAPTR records may change it (RFC 3263 4.1)."""

    @property
    def default_port(self) -> int:
        """The port when none is named and none is found in DNS."""
        return default_port(self.transport)

    @property
    def key(self) -> tuple[str, int, str]:
        """What two hops that are the same have in common."""
        return host_key(self.host), self.port or self.default_port, self.transport


def next_hop(request: Request) -> Hop:
    """Where `request` is sent: its topmost Route when that router is a loose one, else its Request-URI.

    A strict router is already in the Request-URI (`route_request`). A sips Request-URI asks for TLS whatever the Route
    says (8.1.2). Raises `UnsupportedScheme` when that URI is not
    one to send to, `SipError` when it cannot be read.
    """
    routes = request.routes
    uri = routes[0].uri if routes and routes[0].is_loose else request.uri
    return hop_of(uri, secure=request.uri.scheme == "sips")


def hop_of(uri: Uri, *, secure: bool = False) -> Hop:
    """Where a request to `uri` is sent (RFC 3263 4): maddr before host, transport as named, TLS for sips."""
    if not uri.is_sip:
        raise UnsupportedScheme(f"cannot send to {uri}")
    named = uri.param("transport")
    transport = named.upper() if named else "UDP"
    secure = secure or uri.scheme == "sips" or transport in ("TLS", "WSS")
    if secure:
        transport = _SECURE.get(transport, transport)
    host = uri.param("maddr") or uri.host
    return Hop(host_key(host.strip("[]")), uri.port, transport, secure, bool(named))


def reply_hop(via: Via, *, reliable: bool) -> Hop:
    """Where the response to a request with this topmost Via, stamped on arrival, goes (18.2.2, RFC 3581 section 4).

    Over a reliable transport this counts only when the connection the request came in on is gone.
    """
    transport = via.transport
    secure = transport in ("TLS", "WSS")
    if not reliable and via.maddr is not None:
        return Hop(host_key(via.maddr), via.port or default_port(transport), transport, secure, True)
    host = host_key(via.received or via.host)
    if not reliable and via.rport is not None:
        return Hop(host, via.rport, transport, secure, True)
    port = via.port or default_port(transport) if via.received else via.port
    return Hop(host, port, transport, secure, True)


def route_request(target: Uri, route_set: Sequence[NameAddr]) -> tuple[Uri, tuple[NameAddr, ...]]:
    """Request-URI and Routes of a request in a dialog (12.2.1.1).

    A first router without `lr` is a strict one: it takes the place of `target`, which moves to the end of the routes.
    """
    if not route_set or route_set[0].is_loose:
        return target, tuple(route_set)
    first = route_set[0].uri.without_headers().without_params("method")
    return first, (*route_set[1:], NameAddr(target))
