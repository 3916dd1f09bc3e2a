"""Via: one hop of the way back (RFC 3261 section 20.42, RFC 3581)."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final

import attrs

from .errors import BadHeader, BadUri
from .grammar import HOST, PORT, PORT_MAX, TOKEN_CHARS, split_commas
from .params import NO_PARAMS, Params
from .uri import format_hostport, host_key, parse_host

MAGIC_COOKIE: Final = "z9hG4bK"
_COOKIE_KEY: Final = MAGIC_COOKIE.lower()
_DEFAULT_PORTS: Final = {"TLS": 5061, "TLS-SCTP": 5061, "WSS": 443, "WS": 80}

# via-parm      = sent-protocol LWS sent-by *( SEMI via-params )
# sent-protocol = protocol-name SLASH protocol-version SLASH transport        SLASH = SWS "/" SWS
# sent-by       = host [ COLON port ]                                        COLON = SWS ":" SWS
_VIA = re.compile(
    rf"[ \t]*+([{TOKEN_CHARS}]++)[ \t]*+/[ \t]*+([{TOKEN_CHARS}]++)[ \t]*+/[ \t]*+([{TOKEN_CHARS}]++)[ \t]++"
    rf"({HOST})[ \t]*+(?::[ \t]*+({PORT})[ \t]*+)?(;.*+)?",
    re.DOTALL,
)


@attrs.frozen
class Via:
    """One Via value."""

    transport: str
    """UDP, TCP, TLS, WS …: in upper case, any token."""
    host: str
    """The sent-by host; IPv6 without brackets."""
    port: int | None = None
    params: Params = NO_PARAMS
    protocol: str = "SIP/2.0"

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one value. Raises `BadHeader`."""
        match = _VIA.fullmatch(text)
        if match is None:
            raise BadHeader("Via", text)
        name, version, transport, host, port, rest = match.groups()
        params = Params.parse(rest) if rest else Params()
        number = None if port is None else int(port)
        if params is None or (number is not None and number > PORT_MAX):
            raise BadHeader("Via", text)
        try:
            sent_by = parse_host(host, text)
        except BadUri:
            raise BadHeader("Via", text) from None
        return cls(transport.upper(), sent_by, number, params, f"{name.upper()}/{version}")

    @property
    def branch(self) -> str | None:
        """Transaction identifier; `None` when there is none, as from an RFC 2543 peer."""
        return self.params.get("branch") or None

    @property
    def has_cookie(self) -> bool:
        """Whether the branch is unique as RFC 3261 8.1.1.7 says. The bare cookie is not: it tells nothing apart."""
        branch = self.branch
        return branch is not None and is_unique(branch)

    @property
    def received(self) -> str | None:
        """Address the request came from, when it was stamped; IPv6 without brackets (RFC 5118 4.5)."""
        value = self.params.get("received")
        return value.strip("[]").replace(":::", "::") if value else None

    @property
    def rport(self) -> int | None:
        """Port the request came from, when it was stamped; `None` also for an `rport` that only asks for it."""
        value = self.params.get("rport")
        if not value or len(value) > 5 or not value.isascii() or not value.isdigit():
            return None
        return int(value) if 0 < int(value) <= PORT_MAX else None

    @property
    def wants_rport(self) -> bool:
        """Whether the sender asks for symmetric response routing (RFC 3581)."""
        return "rport" in self.params

    @property
    def maddr(self) -> str | None:
        """Multicast or other address to answer to."""
        value = self.params.get("maddr")
        return value.strip("[]") if value else None

    def stamped(self, host: str, port: int) -> Via:
        """This Via of a request that came from `host` and `port` (RFC 3261 18.2.1, RFC 3581 section 4).

        `received` is written when it says more than the sent-by, or when `rport` was asked for; what the sender
        wrote there itself is overwritten.
        """
        asked = False
        lines: list[tuple[str, str | None]] = []
        for line in self.params.lines:
            name = line[0].lower()
            if name == "rport":
                asked = True
                lines.append((line[0], str(port)))
            elif name != "received":
                lines.append(line)
        if asked or _address_key(host) != _address_key(self.host):
            lines.append(("received", host))
        params = tuple(lines)
        if params == self.params.lines:
            return self
        return Via(self.transport, self.host, self.port, Params(params), self.protocol)

    @property
    def sent_by(self) -> str:
        """Host and port as they stand in the header."""
        return format_hostport(self.host, self.port)

    def sent_by_key(self) -> tuple[str, int | None]:
        """What is compared when transactions are matched (17.2.3): host and port, the default port made explicit."""
        return host_key(self.host), self.port or default_port(self.transport)

    def __str__(self) -> str:
        return f"{self.protocol}/{self.transport} {self.sent_by}{self.params}"


def is_unique(branch: str) -> bool:
    """Whether a branch begins with the magic cookie, and goes on."""
    return len(branch) > len(MAGIC_COOKIE) and branch[:7].lower() == _COOKIE_KEY


def default_port(transport: str) -> int:
    """5061 for TLS, 443 and 80 for WebSocket (RFC 7118 section 4.2), else 5060."""
    return _DEFAULT_PORTS.get(transport.upper(), 5060)


def parse_vias(text: str) -> list[Via]:
    """Read all the comma-separated Vias of one header line. Raises `BadHeader`, also for an empty one."""
    if "," not in text:
        return [Via.parse(text)]
    pieces = split_commas(text)
    if pieces is None:
        raise BadHeader("Via", text)
    return [Via.parse(piece) for piece in pieces]


@lru_cache(maxsize=4096)
def _address_key(host: str) -> str:
    """Addresses in one form, an IPv4 address that came through an IPv6 socket as plain IPv4."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower()
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
