"""To a leg: what came from the network for it, what its call orders, what could not be sent.

What a leg tells its call is the fact of the same name in `sip.dialog.events`, carried by `LegNews`.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ...sip.dialog.events import LegCommand, LegFact
from ...sip.message import Request, Response
from ...transport.errors import TransportError
from ...transport.flow import Flow


@attrs.frozen
class Incoming:
    """Switchboard to leg or linger: a message of one of its transactions."""

    message: Request | Response
    flow: Flow
    at: float
    """trio seconds."""


@attrs.frozen
class LegOrder:
    """Call to leg."""

    command: LegCommand


@attrs.frozen
class TransmitFailed:
    """Courier to whoever sent: the request with that branch reached no address."""

    branch: str
    error: TransportError


LegMessage: TypeAlias = Incoming | LegOrder | TransmitFailed

__all__ = ["Incoming", "LegCommand", "LegFact", "LegMessage", "LegOrder", "TransmitFailed"]
