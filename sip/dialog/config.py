"""What every leg of a listener has in common: timers, contact, capabilities."""

import enum
from typing import Any, Final

import attrs

from ..address import NameAddr
from ..timers import Timers

ALLOW: Final = ("INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "UPDATE", "PRACK")
"""The methods a leg carries out, in the order of the Allow header; `Leg` has a handler for each and for no other."""

TIMER: Final = "timer"
"""Option tag of session timers (RFC 4028)."""

RELIABLE: Final = "100rel"
"""Option tag of reliable provisional responses (RFC 3262)."""

SUPPORTED: Final = (TIMER, RELIABLE)
"""The option tags that a leg of the default configuration understands."""

SESSION_S: Final = 1800
MIN_SESSION_S: Final = 90
"""The smallest interval that RFC 4028 section 4 lets anybody insist on; also what a missing Min-SE means."""

HeaderItems = tuple[tuple[str, str], ...]
"""Header fields to add, as name and value, in order."""


class Reliability(enum.Enum):
    """Which of our provisional responses are sent until they are acknowledged by PRACK (RFC 3262)."""

    NEVER = "never"
    """None, and 100rel is not among what we support: an INVITE that requires it is answered 420."""

    REQUIRED = "required"
    """Those to a caller that requires it."""

    SUPPORTED = "supported"
    """Those to a caller that supports it, too."""


def _check_interval(made: object, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and value < 1:
        raise ValueError(f"{field.name}: {value} is no interval")


@attrs.frozen
class LegConfig:
    """Fixed for the life of a leg."""

    contact: NameAddr
    """Where in-dialog requests reach us. Its host and port also stand in our Via until the courier corrects them."""

    timers: Timers = attrs.field(factory=Timers)
    server: str = ""
    """Value of Server on responses and User-Agent on requests; empty: neither is sent."""

    allow: tuple[str, ...] = ALLOW
    accept: tuple[str, ...] = ("application/sdp",)
    """Media types a body may have, lower case; anything else is answered 415."""

    max_forwards: int = 70
    session_s: int | None = attrs.field(default=SESSION_S, validator=_check_interval)
    """Session interval to ask for and the longest to agree to, in seconds (RFC 4028); None: no session timers."""

    min_session_s: int = attrs.field(default=MIN_SESSION_S, validator=_check_interval)
    """A shorter session interval is answered 422. The standard wants 90 at least; tests want less."""

    reliability: Reliability = Reliability.REQUIRED
    supported: tuple[str, ...] = attrs.field(init=False)
    """Option tags we understand; a Require with any other is answered 420."""

    def __attrs_post_init__(self) -> None:
        used = {TIMER: self.session_s is not None, RELIABLE: self.reliability is not Reliability.NEVER}
        object.__setattr__(self, "supported", tuple(tag for tag in SUPPORTED if used[tag]))
