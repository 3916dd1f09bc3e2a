"""One SIP leg: a dialog with every transaction of its Call-ID and local tag, as plain computation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from ..ids import Ids
    from ..message import Message, Request
    from ..transaction.events import Transaction
    from .config import LegConfig
    from .events import Flow, LegCommand, LegOutput


@attrs.define(eq=False)
class Leg:
    """Made by `called` or `calling`; then driven by messages, commands and the clock until `finished`.

    `now` is trio seconds everywhere. Outputs are in the order in which they are to be carried out.
    """

    config: LegConfig
    ids: Ids
    call_id: str
    local_tag: str
    remote_tag: str | None
    """Of the confirmed or last early dialog; None while the other side has none (or never sends any, RFC 2543)."""

    @classmethod
    def called(cls, invite: Request, config: LegConfig, ids: Ids) -> Leg:
        """A leg for an INVITE that came in and passed `validate_request`; give the INVITE to `receive` next."""
        raise RuntimeError(invite, config, ids)

    @classmethod
    def calling(cls, config: LegConfig, ids: Ids) -> Leg:
        """A leg that calls; give it an `Invite` command next."""
        raise RuntimeError(config, ids)

    def receive(self, message: Message, flow: Flow, now: float) -> list[LegOutput]:
        """Take a message of this Call-ID: a response to our branch, or a request to our tag or transaction."""
        raise RuntimeError(message, flow, now)

    def handle(self, command: LegCommand, now: float) -> list[LegOutput]:
        """Carry out what the call asks for. Raises OutOfTurn when the state has no place for it: a bug of the caller."""
        raise RuntimeError(command, now)

    def wake_at(self) -> float:
        """When `wake` next has work; infinity when nothing is waited for."""
        raise RuntimeError

    def wake(self, now: float) -> list[LegOutput]:
        """Fire every timer that is due."""
        raise RuntimeError(now)

    def transport_failed(self, branch: str, now: float) -> list[LegOutput]:
        """The request with this branch could not be sent to any address of its hop."""
        raise RuntimeError(branch, now)

    @property
    def finished(self) -> bool:
        """The dialog is over and nothing in it needs this leg any more; `linger` has the rest."""
        raise RuntimeError

    def linger(self) -> list[Transaction]:
        """The transactions still open, handed over: each has `key`, `receive(message, flow, now)`, `wake_at()`, `wake(now)`,
        `transport_failed(now)` and `finished`, and may give `Adopt(transaction)` among its outputs."""
        raise RuntimeError

    def last_words(self, now: float) -> list[LegOutput]:
        """What to send when the leg's actor crashes or is cancelled, in any state: 500, CANCEL or BYE. Then `linger`."""
        raise RuntimeError(now)

    @property
    def last_status(self) -> int | None:
        """Status of the last response to the INVITE, either way; None: none yet."""
        raise RuntimeError

    @property
    def local_uri(self) -> str:
        """Our URI in From or To."""
        raise RuntimeError

    @property
    def remote_uri(self) -> str:
        """The other side's URI in To or From."""
        raise RuntimeError
