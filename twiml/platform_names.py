"""Which addresses are ours, and who may be dialled there: registered users of our own domains, and nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Final

import attrs

from .errors import TwimlError

REGIONS: Final = frozenset(("us1", "us2", "ie1", "de1", "sg1", "jp1", "br1", "au1"))
"""The older names of places."""
EDGES: Final = frozenset(
    (
        "ashburn",
        "umatilla",
        "san-jose",
        "dublin",
        "london",
        "frankfurt",
        "tokyo",
        "singapore",
        "sydney",
        "sao-paulo",
        "roaming",
    )
)
"""The newer ones; each may have `-ix` after it, its private interconnect."""


def is_edge(name: str) -> bool:
    return name.removesuffix("-ix") in EDGES


def is_region(name: str) -> bool:
    return name.removesuffix("-ix") in REGIONS


class NotDialable(TwimlError):
    """An address of ours that may not be dialled."""

    code = 13255


@attrs.frozen(kw_only=True)
class OwnDomain:
    """A domain of the account."""

    registrations: bool = True
    """Whether phones may register there."""


@attrs.frozen(kw_only=True)
class Resident:
    """A user of a domain of ours."""

    user: str
    domain: str
    """NAME."""
    absent: int
    """The code when they are not registered."""


@attrs.frozen(kw_only=True)
class PlatformNames:
    """The names of the house."""

    suffix: str
    """Lower case: a domain is NAME.suffix, or NAME.sip.PLACE.rest when the suffix is `sip.rest`."""
    places: Set[str] = frozenset()
    """Region and edge labels that are in use; empty: any."""
    domains: Mapping[str, OwnDomain] = attrs.field(factory=dict)
    """By NAME, lower case."""
    others: Set[str] = frozenset()
    """NAMEs of domains that belong to other accounts."""
    default_domain: str = ""
    """NAME of the domain for what names none; empty: none."""

    def full(self, name: str) -> str:
        """The host of a domain."""
        return f"{name}.{self.suffix}"

    def is_ours(self, host: str) -> bool:
        """Whether a host is a name of the house, dialable or not."""
        return self._read(host) is not None

    def resident(self, user: str | None, host: str) -> Resident | None:
        """Who `user@host` is; `None`: somebody elsewhere. Raises `NotDialable`.

        `user` is without escapes; `None` when the address has none.
        """
        read = self._read(host)
        if read is None:
            return None
        name, place = read
        if not name:
            raise NotDialable(f"{host} is not somebody who can be called")
        domain = self.domains.get(name)
        if domain is None:
            if name in self.others:
                raise NotDialable(f"the domain {host} belongs to another account", code=32214)
            raise NotDialable(f"there is no domain {host}", code=32002)
        if not user:
            raise NotDialable(f"{host} needs a user before it: only registered users can be called", code=32223)
        if place and not is_region(place):
            raise NotDialable(f"registered users are called at {self.full(name)}, without an edge", code=32220)
        if not domain.registrations:
            raise NotDialable(f"nobody registers at {host}, and a domain itself cannot be called")
        return Resident(user=user, domain=name, absent=32221 if place else 32009)

    def _read(self, host: str) -> tuple[str, str] | None:
        """NAME and place of a host of ours, both may be empty; `None` for a foreign one."""
        host = host.lower().removesuffix(".")
        if host == self.suffix:
            return "", ""
        if host.endswith(f".{self.suffix}"):
            return host.removesuffix(f".{self.suffix}"), ""
        first, _, rest = self.suffix.partition(".")
        if not rest or not host.endswith(f".{rest}"):
            return None
        *name, before, place = ["", "", *host.removesuffix(f".{rest}").split(".")]
        known = place in self.places or place.removesuffix("-ix") in self.places
        full = ".".join(name[2:])
        if before != first or (self.places and not known):
            return None
        # Any place is taken where none are listed, but then only the known names are told from a neighbour's.
        if known or is_edge(place) or is_region(place) or full in self.domains or full in self.others:
            return full, place
        return None
