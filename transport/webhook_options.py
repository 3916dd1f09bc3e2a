"""Connection overrides: the `#ct=2000&rc=2&rp=ct,5xx` behind a webhook's URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

import attrs

from .webhook_errors import BadEdge, BadRetryPolicy, EdgeNotAllowed, EdgeUnsupported, WebhookError

POLICIES = frozenset({"ct", "rt", "4xx", "5xx", "all"})

EDGES = frozenset(
    {"ashburn", "umatilla", "dublin", "frankfurt", "singapore", "sydney", "tokyo", "sao-paulo", "roaming"}
)
"""Edge names that URLs written for the original may carry. Requests leave from here whatever they say."""

EDGE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
INTERCONNECT = "-ix"


@attrs.frozen
class Options:
    """How one delivery connects, waits and retries. Times are seconds."""

    connect_s: float = 5.0
    """`ct`: for one attempt to connect (looking the host up included); the TLS handshake gets the same again."""
    read_s: float = 15.0
    """`rt`: for the first byte and between packets."""
    total_s: float = 15.0
    """`tt`: for all attempts and redirects together."""
    retries: int = 1
    """`rc`: further attempts after the first."""
    policy: frozenset[str] = frozenset({"ct"})
    """`rp`: what another attempt is made for."""
    sni: bool = True
    """`sni`: whether TLS names the host in its ClientHello."""
    edges: tuple[str, ...] = ()
    """`e`: in the order given."""

    def retries_error(self, error: WebhookError) -> bool:
        """Whether the policy asks for another attempt after `error`."""
        if error.retried_by is None:
            return False
        return "all" in self.policy or error.retried_by in self.policy

    def retries_status(self, status: int) -> bool:
        """Whether the policy asks for another attempt after an answer with `status` (400 to 599)."""
        return not self.policy.isdisjoint(("all", "4xx" if status < 500 else "5xx"))


DEFAULT = Options()


def parse_options(fragment: str, default: Options = DEFAULT) -> Options:
    """Read the overrides of a URL fragment; unknown keys are ignored, as a fragment may also be an anchor.

    A time or count outside its range is moved to the nearer end; one that is no number leaves the default. A bad
    retry policy or edge fails the delivery (`BadRetryPolicy`, `BadEdge`, `EdgeUnsupported`, `EdgeNotAllowed`).
    """
    if "=" not in fragment:
        return default
    options = default
    for pair in fragment.split("&"):
        key, _, value = pair.partition("=")
        reader = READERS.get(key.strip())
        if reader is not None:
            options = reader(options, unquote(value).strip())
    return options


def _number(value: str, low: int, high: int) -> int | None:
    """An integer moved into `low` to `high`; None when `value` is no integer."""
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        return None
    return min(max(int(value), low), high)


def _connect(options: Options, value: str) -> Options:
    ms = _number(value, 100, 10_000)
    return options if ms is None else attrs.evolve(options, connect_s=ms / 1000)


def _read(options: Options, value: str) -> Options:
    ms = _number(value, 100, 15_000)
    return options if ms is None else attrs.evolve(options, read_s=ms / 1000)


def _total(options: Options, value: str) -> Options:
    ms = _number(value, 100, 15_000)
    return options if ms is None else attrs.evolve(options, total_s=ms / 1000)


def _retries(options: Options, value: str) -> Options:
    count = _number(value, 0, 5)
    return options if count is None else attrs.evolve(options, retries=count)


def _policy(options: Options, value: str) -> Options:
    policy = frozenset(name.strip().lower() for name in value.split(","))
    if not policy <= POLICIES:
        raise BadRetryPolicy(f"rp={value}: a retry policy is a list of {', '.join(sorted(POLICIES))}")
    return attrs.evolve(options, policy=policy)


def _edges(options: Options, value: str) -> Options:
    names = tuple(name.strip() for name in value.split(","))
    if not all(EDGE.fullmatch(name) for name in names):
        raise BadEdge(f"e={value}: not a list of edge names")
    usable = tuple(name for name in names if name in EDGES)
    if not usable:
        if any(name.endswith(INTERCONNECT) for name in names):
            raise EdgeNotAllowed(f"e={value}: there is no private interconnect")
        raise EdgeUnsupported(f"e={value}: no such edge")
    return attrs.evolve(options, edges=usable)


def _sni(options: Options, value: str) -> Options:
    return attrs.evolve(options, sni={"y": True, "n": False}.get(value.lower(), options.sni))


READERS: Mapping[str, Callable[[Options, str], Options]] = {
    "ct": _connect,
    "rt": _read,
    "tt": _total,
    "rc": _retries,
    "rp": _policy,
    "e": _edges,
    "sni": _sni,
}
