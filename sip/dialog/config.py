"""What every leg of a listener has in common: timers, contact, capabilities."""

from typing import Final

import attrs

from ..address import NameAddr
from ..timers import Timers

ALLOW: Final = ("INVITE", "ACK", "CANCEL", "OPTIONS", "BYE")
"""The methods a leg carries out, in the order of the Allow header; `Leg` has a handler for each and for no other."""

HeaderItems = tuple[tuple[str, str], ...]
"""Header fields to add, as name and value, in order."""


@attrs.frozen
class LegConfig:
    """Fixed for the life of a leg."""

    contact: NameAddr
    """Where in-dialog requests reach us. Its host and port also stand in our Via until the courier corrects them."""

    timers: Timers = attrs.field(factory=Timers)
    server: str = ""
    """Value of Server on responses and User-Agent on requests; empty: neither is sent."""

    allow: tuple[str, ...] = ALLOW
    supported: tuple[str, ...] = ()
    """Option tags we understand; a Require with any other is answered 420."""

    accept: tuple[str, ...] = ("application/sdp",)
    """Media types a body may have, lower case; anything else is answered 415."""

    max_forwards: int = 70
