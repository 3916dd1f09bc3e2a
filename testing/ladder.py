"""One step of a SIP ladder: a message that a scripted phone sent or was sent."""

from __future__ import annotations

import attrs

from ..sip.message import Request, Response


@attrs.frozen
class Seen:
    """One step of a SIP ladder."""

    at: float
    """trio seconds."""
    sent: bool
    message: Request | Response
    transport: str
    """`UDP`, `TCP` or `TLS`."""

    def __str__(self) -> str:
        arrow = "->" if self.sent else "<-"
        message = self.message
        if isinstance(message, Request):
            return f"{arrow} {message.method} {message.request_uri}"
        return f"{arrow} {message.status} {message.reason}"
