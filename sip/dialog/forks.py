"""The early dialogs of an INVITE of ours: one for each fork that rings, and what each has said (12.1.2, RFC 3262)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from ..fields import RAck
from ..message import Response
from ..transaction.client import NonInviteClient
from ..transaction.invite_client import MAX_FORKS
from .line import Line
from .offer_answer import Input as Turn
from .reliable import ReliableHearing, Reply, is_reliable
from .state import Dialog

if TYPE_CHECKING:
    from ..transaction.events import Transaction

MAX_TRIES: Final = 4
"""PRACKs sent for one response: a proxy and the callee may both ask for credentials."""

MAX_PRACKS: Final = 64
"""PRACKs of one INVITE at work at a time: a callee that never stops ringing may not fill our memory."""


@attrs.define(eq=False)
class Fork:
    """One early dialog."""

    dialog: Dialog
    hearing: ReliableHearing = attrs.field(factory=ReliableHearing)
    description: bytes | None = None
    """The last one in an unreliable response: the answer, should the 2xx leave it out (RFC 6337 3.1.1)."""


@attrs.frozen
class Progress:
    """What a provisional response tells."""

    body: bytes | None
    needs_answer: bool = False


@attrs.frozen
class _Prack:
    fork: Fork
    rack: RAck
    body: bytes | None
    tries: int = 1


@attrs.define(eq=False)
class Forks:
    """The forks of one INVITE by the callee's tag, and the PRACKs that are on their way to them."""

    line: Line
    template: Dialog
    """What the INVITE was made of."""

    offered: bool
    """Whether the INVITE brought the offer."""

    _forks: dict[str, Fork] = attrs.field(factory=dict, init=False)
    _pracks: dict[NonInviteClient, _Prack] = attrs.field(factory=dict, init=False)

    def dialog(self, tag: str | None) -> Dialog | None:
        """The early dialog with this tag; for None, the only one there is."""
        fork = self._find(tag)
        return None if fork is None else fork.dialog

    @property
    def dialogs(self) -> dict[str, Dialog]:
        """All early dialogs by tag."""
        return {tag: fork.dialog for tag, fork in self._forks.items()}

    def progressed(self, response: Response, now: float) -> Progress | None:
        """Take a response of 101 to 199, and acknowledge it when that is due. None: it tells nothing new."""
        line, body = self.line, self.line.description(response)
        fork = self._fork(response)
        reliable = is_reliable(response, line.config)
        if fork is None:
            return None if reliable and response.to_tag is not None else Progress(body)
        offers = fork.dialog.offers
        if offers.agreed:
            body = None  # RFC 3261 13.2.1: what follows an answer says nothing
        if not reliable:
            fork.description = body or fork.description
            return Progress(body)
        if len(self._pracks) >= MAX_PRACKS:
            return None  # it comes again
        reply = fork.hearing.hear(response, offer=body is not None and not self.offered)
        match reply:
            case Reply.DROP:
                return None
            case Reply.ASK:
                offers.take(Turn.RECEIVE_OFFER, body)
                return Progress(body, needs_answer=True)
            case Reply.PRACK:
                if body is not None:
                    offers.take(Turn.RECEIVE_ANSWER, body)
                assert fork.hearing.rack is not None
                self._send(_Prack(fork, fork.hearing.rack, None), now)
                return Progress(body)

    def asks(self, tag: str | None) -> bool:
        """Whether a PRACK waits for our answer."""
        return self._asking(tag) is not None

    def answer(self, tag: str | None, body: bytes, now: float) -> None:
        """Send the PRACK that waits for it, with our answer."""
        fork = self._asking(tag)
        assert fork is not None
        fork.dialog.offers.take(Turn.SEND_ANSWER, body)
        self._send(_Prack(fork, fork.hearing.answer(), body), now)

    def confirmed(self, response: Response) -> Dialog:
        """The dialog that a 2xx makes, of the early one if there is one."""
        fork = None if response.to_tag is None else self._forks.get(response.to_tag)
        if fork is None:
            return self.template.forked(response)
        fork.dialog.confirm(response)
        return fork.dialog

    def described(self, tag: str | None) -> bytes | None:
        """The last description that a fork gave, unreliably."""
        fork = None if tag is None else self._forks.get(tag)
        return None if fork is None else fork.description

    def drop(self, tag: str) -> None:
        """One of them is over."""
        self._forks.pop(tag, None)

    def clear(self) -> None:
        """All of them are over (12.3)."""
        self._forks.clear()

    # ---- PRACKs --------------------------------------------------------------------------------------------------

    def owns(self, client: Transaction) -> bool:
        """Whether a transaction is that of a PRACK."""
        return client in self._pracks

    def pracked(self, client: NonInviteClient, response: Response, now: float) -> None:
        """A response to a PRACK came. What it refuses comes to light with the INVITE.

        500 is what one gets that was overtaken by a later request of ours (12.2.2); a new one is the latest.
        """
        if response.status < 200:
            return
        prack = self._pracks.pop(client)
        if prack.tries < MAX_TRIES and (response.status == 500 or self.line.can_meet(response)):
            self._send(attrs.evolve(prack, tries=prack.tries + 1), now)

    def forget(self, client: Transaction) -> None:
        """A PRACK got no response, or could not be sent."""
        if isinstance(client, NonInviteClient):
            self._pracks.pop(client, None)

    def _send(self, prack: _Prack, now: float) -> None:
        sending = prack.fork.dialog.request("PRACK", (("RAck", str(prack.rack)),), prack.body)
        client = self.line.send(sending, now)
        assert isinstance(client, NonInviteClient)
        self._pracks[client] = prack

    # ---- which one -----------------------------------------------------------------------------------------------

    def _fork(self, response: Response) -> Fork | None:
        """The one that a response comes from; None when it makes no dialog, or one too many."""
        tag = response.to_tag
        if tag is None:
            return None
        fork = self._forks.get(tag)
        if fork is None and len(self._forks) < MAX_FORKS:
            fork = self._forks[tag] = Fork(self.template.forked(response))
        elif fork is not None and "allow" in response.headers:
            fork.dialog.allow = frozenset(response.allow)
        return fork

    def _find(self, tag: str | None) -> Fork | None:
        if tag is not None:
            return self._forks.get(tag)
        return next(iter(self._forks.values())) if len(self._forks) == 1 else None

    def _asking(self, tag: str | None) -> Fork | None:
        if tag is not None:
            fork = self._forks.get(tag)
            return fork if fork is not None and fork.hearing.asked else None
        return next((fork for fork in self._forks.values() if fork.hearing.asked), None)
