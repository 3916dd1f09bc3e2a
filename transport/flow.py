"""A flow is the way a message came and the way its answers go back (RFC 5626 section 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import attrs

from .errors import TransportError
from .network import Address, show

if TYPE_CHECKING:
    from ..sip.errors import SipError
    from ..sip.message import Request, Response

LossListener = Callable[[TransportError], None]
"""Told, at most once, that what was just sent will not arrive. Must not raise nor wait: post to a mailbox."""


class Connection(Protocol):
    """What a reliable flow sends on: one open TCP, TLS or WebSocket connection."""

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        ...

    def send(self, data: bytes, lost: LossListener | None = None) -> None:
        """Queue one whole message; never waits. Raises ConnectionLost when closed, WriterStuck when the queue is full.

        `lost` is told when the connection ends within the next 32 s (64 T1: later the transaction's own timers have
        ruled). A full queue closes the connection: half a message on a stream is worse than none.
        """
        ...

    def close(self) -> None:
        """Stop at once; what is queued is dropped."""
        ...

    def hold(self) -> None:
        """Somebody (a registration, a dialog) needs this connection even when it is idle. Counts."""
        ...

    def release(self) -> None:
        """Undo one `hold`."""
        ...


class DatagramPort(Protocol):
    """What an unreliable flow sends on: one bound UDP socket of a listener."""

    def send(self, data: bytes, flow: Flow) -> bool:
        """Send one datagram to `flow.remote`, from `flow.local`. False when it was dropped here. Raises Unreachable."""
        ...


@attrs.frozen(eq=False)
class Flow:
    """Where a message came from, or goes to. Two flows are equal only when they are the same object."""

    transport: str
    """`UDP`, `TCP`, `TLS` or `WS`."""
    local: Address
    """Our end, never a wildcard: replies must leave from it."""
    remote: Address
    connection: Connection | None = None
    """Set on reliable flows."""
    reliable: bool = False
    port: DatagramPort | None = None
    """Set on unreliable flows: the socket the datagram came in by."""

    @property
    def alive(self) -> bool:
        """Whether something can still be sent on it; a datagram flow always is."""
        return self.connection is None or not self.connection.closed

    def send(self, data: bytes, lost: LossListener | None = None) -> None:
        """Send to `remote` at once. Raises Unreachable or ConnectionLost (see Connection.send for `lost`)."""
        if self.connection is not None:
            self.connection.send(data, lost)
        elif self.port is not None:
            self.port.send(data, self)

    def __str__(self) -> str:
        return f"{self.transport} {show(self.remote)}"


@attrs.frozen
class Received:
    """Transport to switchboard: a well-formed message; a request's top Via is stamped (18.2.1, RFC 3581)."""

    message: Request | Response
    flow: Flow
    at: float
    """trio seconds."""
    data: bytes = attrs.field(default=b"", repr=False)
    """The message as it came."""


@attrs.frozen
class Malformed:
    """Transport to switchboard: bytes that are no acceptable message."""

    data: bytes
    """What came, cut to the first 4,096 bytes."""
    flow: Flow
    error: SipError
    """Carries the status to answer with, and `request_head` when enough was readable to answer at all."""
    answered: bool = False
    """The transport has already answered, because it had to close the connection right after."""


@attrs.frozen
class FlowClosed:
    """Transport to switchboard: a connection that had delivered messages has ended."""

    flow: Flow
    error: TransportError | None
    """None: the peer closed in order, or it was idle."""
