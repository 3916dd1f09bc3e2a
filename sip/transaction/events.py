"""What the four transaction machines answer with: messages to send, and facts for the user of the transaction.

Inputs need no classes of their own: they are the messages themselves, the passing of `now`, and a failed transmission.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import attrs

if TYPE_CHECKING:
    from ..message import Message, Request, Response
    from ..routing import Hop
    from .client import NonInviteClient
    from .invite_client import InviteClient
    from .invite_server import InviteServer
    from .server import NonInviteServer

    Client: TypeAlias = InviteClient | NonInviteClient
    Server: TypeAlias = InviteServer | NonInviteServer
    Transaction: TypeAlias = Client | Server


class Flow(Protocol):
    """The path a message came by. The core only asks what it may expect of it and hands it back."""

    @property
    def transport(self) -> str:
        """As in a Via: UDP, TCP, TLS, WS."""
        ...

    @property
    def reliable(self) -> bool:
        """Whether the transport repeats what was lost."""
        ...


@attrs.frozen
class SendRequest:
    """Send `request`. The top Via's transport and sent-by are the courier's to correct; its branch is not.

    Copies, the ACK of a refusal and a CANCEL carry the branch of what they belong to, and must go to the same address
    and over the same transport as the first request of that branch (RFC 3261 9.1, 17.1.1.3).
    """

    request: Request
    hop: Hop
    """Where RFC 3261 8.1.2 sends it."""

    flow: Flow | None
    """An open path to prefer (a phone behind NAT, a kept connection), `hop` being for when it is gone; None: none."""

    branch: str
    """What a failure to send is reported with."""


@attrs.frozen
class SendResponse:
    """Send `response` back by `flow`, as RFC 3261 18.2.2 says when the flow has died."""

    response: Response
    flow: Flow


@attrs.frozen
class Requested:
    """The layer started a transaction for a new request, which waits for a response."""

    transaction: Server


@attrs.frozen
class Stray:
    """A message that belongs to no transaction and starts none: a response to nothing, or the ACK of a 2xx."""

    message: Message
    flow: Flow


@attrs.frozen
class Responded:
    """A client transaction passes a response up: provisional, or the first final one, or another 2xx to an INVITE."""

    transaction: Client
    response: Response


@attrs.frozen
class TimedOut:
    """A client transaction got no final response in time (timers B, F), or a refusal no ACK (timer H)."""

    transaction: Transaction


@attrs.frozen
class Undelivered:
    """The transport could not send a transaction's message."""

    transaction: Transaction


@attrs.frozen
class Acknowledged:
    """An ACK reached an INVITE server transaction that had sent a 2xx: an old peer that reuses the branch."""

    transaction: InviteServer
    ack: Request


@attrs.frozen
class Adopt:
    """To whoever drives a lingering transaction: it has started another one, to be driven beside it."""

    transaction: Client


class Lingering(Protocol):
    """What outlives a leg: one exchange, driven from outside until `finished`."""

    queued_at: float
    """The driver's own: under which date its heap has it."""

    @property
    def key(self) -> tuple[object, ...]:
        """As `client_key` and `server_key` find it from a message."""
        ...

    @property
    def finished(self) -> bool: ...

    def receive(self, message: Message, flow: Flow, now: float) -> list[TransactionOutput]: ...

    def wake_at(self) -> float: ...

    def wake(self, now: float) -> list[TransactionOutput]: ...

    def transport_failed(self, now: float) -> list[TransactionOutput]: ...


TransactionFact: TypeAlias = Requested | Stray | Responded | TimedOut | Undelivered | Acknowledged | Adopt
TransactionOutput: TypeAlias = SendRequest | SendResponse | TransactionFact
