"""Which trunk takes a number, and which of its gateways are tried in what order.

Nothing outside the configured prefixes has a way out. `now` is trio seconds. The numbers of calls and gateways are
small, so nothing here is indexed but the prefixes.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

import attrs

from .routing import hop_of
from .uri import Uri

EMERGENCY: Final = frozenset(("911", "112", "933", "999"))
"""Numbers that go to a trunk for emergencies and to no other."""

BACK_OFF_S: Final = 30.0
"""How long a gateway is avoided after its first failure; doubled with every further one."""
BACK_OFF_MAX_S: Final = 300.0
RETRY_AFTER_MAX_S: Final = 3600.0
"""No gateway is believed to be away for longer."""


@attrs.frozen(kw_only=True)
class Trunk:
    """One way into the telephone network, as configured."""

    name: str
    uris: tuple[Uri, ...]
    """Its gateways, the best first."""
    prefixes: tuple[str, ...] = ()
    """Beginnings of the numbers it takes, such as `+44`; none: it takes no calls from us."""
    max_calls: int | None = None
    """At once, both ways together; None: any number."""
    calls_per_s: float | None = None
    """New calls to it; None: any number."""
    caller_id: str | None = None
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    emergency: bool = False
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Sources of the calls that it brings us."""


class Why(enum.Enum):
    """Why a number has no way out now."""

    NOT_ALLOWED = "outside the prefixes"
    """No trunk takes it: it may not be dialled."""
    FULL = "as many calls as the trunk may have"
    TOO_FAST = "more calls a second than the trunk may get"
    AWAY = "all gateways have asked to be left alone"


@attrs.frozen
class NoRoute:
    """No call can be made."""

    why: Why
    retry_s: float | None = None
    """After how many seconds it is worth another try; None: nobody knows."""


@attrs.frozen(eq=False)
class Route:
    """A call that may be made: it counts as one of the trunk's until it is given back."""

    trunk: Trunk
    gateways: tuple[Uri, ...]
    """In the order in which they are tried; at least one."""


class Health(enum.Enum):
    """Best first."""

    UP = "up"
    SUSPECT = "suspect"
    """It has failed lately; tried when no other is left."""
    AWAY = "away"
    """It has said when to come back (Retry-After); not tried before."""


@attrs.define(eq=False)
class _Gateway:
    uri: Uri
    failures: int = 0
    until: float = -math.inf
    """Until when it is avoided."""
    asked: bool = False
    """Whether it asked for that itself."""

    def health(self, now: float) -> Health:
        if now >= self.until:
            return Health.UP
        return Health.AWAY if self.asked else Health.SUSPECT


@attrs.define(eq=False)
class _Line:
    """What is known of one trunk."""

    trunk: Trunk
    gateways: list[_Gateway]
    calls: int = 0
    tokens: float = 0.0
    filled_at: float = -math.inf
    hosts: frozenset[str] = attrs.field(init=False)
    """Of its gateways, as `Hop.host` has them."""

    def __attrs_post_init__(self) -> None:
        self.hosts = frozenset(hop_of(gateway.uri).host for gateway in self.gateways)

    @property
    def burst(self) -> float:
        return max(1.0, self.trunk.calls_per_s or 0.0)

    def refill(self, now: float) -> None:
        """The bucket of its call rate, as full as it is now."""
        rate = self.trunk.calls_per_s or 0.0
        grown = self.burst if self.filled_at == -math.inf else self.tokens + max(now - self.filled_at, 0.0) * rate
        self.tokens, self.filled_at = min(grown, self.burst), now

    def obstacle(self, now: float) -> NoRoute | None:
        """Why it cannot take a call; nothing is counted."""
        if all(gateway.health(now) is Health.AWAY for gateway in self.gateways):
            return NoRoute(Why.AWAY, min((gateway.until - now for gateway in self.gateways), default=None))
        if self.trunk.max_calls is not None and self.calls >= self.trunk.max_calls:
            return NoRoute(Why.FULL)
        if self.trunk.calls_per_s is not None:
            self.refill(now)
            if self.tokens < 1.0 - 1e-9:
                wait = (1.0 - self.tokens) / self.trunk.calls_per_s if self.trunk.calls_per_s > 0 else None
                return NoRoute(Why.TOO_FAST, wait)
        return None

    def in_order(self, now: float, *, all_of_them: bool = False) -> tuple[Uri, ...]:
        """Those that are up as configured, then the suspects, the one that recovers first before the others.

        Those that asked to be left alone are left out, or come last when `all_of_them` are wanted.
        """
        ordered: list[_Gateway] = []
        for health in Health if all_of_them else (Health.UP, Health.SUSPECT):
            alike = [gateway for gateway in self.gateways if gateway.health(now) is health]
            ordered += alike if health is Health.UP else sorted(alike, key=lambda gateway: gateway.until)
        return tuple(gateway.uri for gateway in ordered)


@attrs.define(eq=False)
class Trunks:
    """All trunks of a server."""

    _lines: dict[str, _Line] = attrs.field(factory=dict)
    _by_prefix: dict[str, list[_Line]] = attrs.field(factory=dict)

    @classmethod
    def of(cls, trunks: Iterable[Trunk]) -> Trunks:
        """In the order of the configuration; of names that come twice the last one counts."""
        lines = {trunk.name: _Line(trunk, [_Gateway(uri) for uri in trunk.uris]) for trunk in trunks}
        by_prefix: dict[str, list[_Line]] = {}
        for line in lines.values():
            for prefix in dict.fromkeys(line.trunk.prefixes):
                if line.trunk.uris:
                    by_prefix.setdefault(prefix, []).append(line)
        return cls(lines, by_prefix)

    def __len__(self) -> int:
        return len(self._lines)

    def trunks_of(self, number: str) -> tuple[Trunk, ...]:
        """The trunks that take `number`, the first one first; none: nobody may dial it."""
        return tuple(line.trunk for line in self._lines_for(number))

    def trunk_of(self, number: str) -> Trunk | None:
        """The trunk that takes `number` when it has room; None: nobody may dial it."""
        return next(iter(self.trunks_of(number)), None)

    def route(self, number: str, now: float) -> Route | NoRoute:
        """A way out for one call to `number`, E.164 or a short code. Give it back with `release`.

        Where several trunks have the same longest prefix, those after the first take what it cannot. A shorter prefix
        is never fallen back to: it may cost another price. A call to an emergency number is never kept from its trunk.
        """
        lines = self._lines_for(number)
        first: NoRoute | None = None
        for line in lines:
            obstacle = line.obstacle(now)
            if obstacle is None:
                line.calls += 1
                if line.trunk.calls_per_s is not None:
                    line.tokens -= 1.0
                return Route(line.trunk, line.in_order(now))
            first = first or obstacle
        if number in EMERGENCY and lines:
            # No limit of ours, and no Retry-After, keeps such a call from being tried.
            lines[0].calls += 1
            return Route(lines[0].trunk, lines[0].in_order(now, all_of_them=True))
        return first or NoRoute(Why.NOT_ALLOWED)

    def enter(self, name: str) -> bool:
        """Count a call that the trunk brings; False, and it is not counted, when it has as many as it may."""
        line = self._lines.get(name)
        if line is None or (line.trunk.max_calls is not None and line.calls >= line.trunk.max_calls):
            return False
        line.calls += 1
        return True

    def release(self, name: str) -> None:
        """A call of the trunk has ended."""
        line = self._lines.get(name)
        if line is not None and line.calls > 0:
            line.calls -= 1

    def calls(self, name: str) -> int:
        """How many calls the trunk has now."""
        line = self._lines.get(name)
        return 0 if line is None else line.calls

    def failed(self, name: str, gateway: Uri, now: float, retry_after_s: float | None = None) -> bool:
        """A gateway gave no response, could not be reached, or answered 503; whether that is news.

        Several calls that fail at once count as one failure.
        """
        found = self._gateway(name, gateway)
        if found is None:
            return False
        was_up = found.health(now) is Health.UP
        if retry_after_s is not None:
            found.asked = True
            found.until = now + min(max(retry_after_s, 0.0), RETRY_AFTER_MAX_S)
        elif was_up:
            found.asked = False
            found.until = now + min(BACK_OFF_S * 2 ** min(found.failures, 16), BACK_OFF_MAX_S)
        if was_up:
            found.failures += 1
        return was_up and found.health(now) is not Health.UP

    def answered(self, name: str, gateway: Uri, now: float) -> bool:
        """A gateway has responded, whatever it said (but for 503): it is there; whether that is news."""
        found = self._gateway(name, gateway)
        if found is None:
            return False
        news = found.failures > 0
        found.failures, found.until, found.asked = 0, -math.inf, False
        return news

    def health(self, name: str, now: float) -> tuple[tuple[Uri, Health], ...]:
        """How the gateways of a trunk are, in their order."""
        line = self._lines.get(name)
        return () if line is None else tuple((gateway.uri, gateway.health(now)) for gateway in line.gateways)

    def source(self, host: str) -> Trunk | None:
        """The trunk that a request from this address is of: the narrowest network wins. None: it is of no trunk."""
        try:
            address = ip_address(host)
        except ValueError:
            return None
        mapped = getattr(address, "ipv4_mapped", None) or address
        best: tuple[int, Trunk] | None = None
        for line in self._lines.values():
            for network in line.trunk.networks:
                if mapped.version == network.version and mapped in network:
                    narrow = network.prefixlen - network.max_prefixlen  # so that both families compare
                    if best is None or narrow > best[0]:
                        best = (narrow, line.trunk)
        return None if best is None else best[1]

    def at(self, host: str) -> tuple[Trunk, ...]:
        """The trunks that have a gateway at this host (`Hop.host`), or whose calls come from this address."""
        found = [line.trunk for line in self._lines.values() if host in line.hosts]
        source = self.source(host)
        return tuple(found) if source is None or source in found else (*found, source)

    def _lines_for(self, number: str) -> list[_Line]:
        if number in EMERGENCY:
            return [line for line in self._lines.values() if line.trunk.emergency and line.trunk.uris]
        for length in range(len(number), 0, -1):
            lines = self._by_prefix.get(number[:length])
            if lines:
                return lines
        return []

    def _gateway(self, name: str, uri: Uri) -> _Gateway | None:
        line = self._lines.get(name)
        if line is None:
            return None
        return next((gateway for gateway in line.gateways if gateway.uri == uri), None)
