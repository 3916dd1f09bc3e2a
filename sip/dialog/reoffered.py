"""What the other side asks of the session: its re-INVITEs, its UPDATEs, an offer in its PRACK (14.2, RFC 3311 5.2)."""

from __future__ import annotations

import math

import attrs

from ..message import Request
from ..transaction.invite_server import InviteServer
from ..transaction.server import NonInviteServer
from .config import HeaderItems
from .events import LegOfferAnswered, LegOfferRefused, LegReoffered, LegReofferWithdrawn
from .line import Line
from .offer_answer import Input as Turn
from .offer_answer import State as Exchange
from .state import Dialog
from .uas import InviteUas, Overdue
from .update import UpdateUas, answer_update


@attrs.define(eq=False)
class Reoffered:
    """At most one offer of the other side's at a time. `crossing` says that one of ours is under way meanwhile."""

    line: Line
    _incoming: InviteUas | UpdateUas | None = attrs.field(default=None, init=False)

    @property
    def busy(self) -> bool:
        """There is no room for an offer of ours: theirs waits for our answer, or that for its ACK."""
        uas = self._incoming
        return uas is not None and (uas.pending or (isinstance(uas, InviteUas) and uas.unacknowledged))

    # ---- what comes ----------------------------------------------------------------------------------------------

    def invited(self, server: InviteServer, dialog: Dialog, now: float, *, crossing: bool) -> None:
        """A re-INVITE came in, in order and with a body we can read."""
        line, request, incoming = self.line, server.request, self._incoming
        if incoming is not None and incoming.pending:
            line.retry_later(server, now)
            return
        if crossing or not dialog.offers.settled:
            # Or our 2xx offered and the ACK with the answer is missing still (RFC 5407 3.1.4).
            line.respond(server, 491, now)
            return
        refusal = line.session.refusal(request)
        if refusal is not None:
            line.respond(server, refusal.status, now, headers=refusal.headers)
            return
        if isinstance(incoming, InviteUas):
            incoming.acknowledge_by_later()
        body = line.description(request)
        if body is not None:
            dialog.offers.take(Turn.RECEIVE_OFFER, body)
        self._incoming = InviteUas(line, server, dialog, body)
        line.out.append(LegReoffered(request, body))

    def updated(self, server: NonInviteServer, dialog: Dialog, now: float, *, crossing: bool) -> None:
        """An UPDATE came in, in order and with a body we can read."""
        line, incoming = self.line, self._incoming
        if isinstance(incoming, UpdateUas) and incoming.pending and incoming.dialog is dialog:
            line.retry_later(server, now)  # whatever is in it
            return
        body = line.description(server.request)
        refusal = line.session.refusal(server.request) if dialog.confirmed else None
        if body is not None and not self._may_offer(server, dialog, now, crossing=crossing):
            return
        if refusal is not None:
            line.respond(server, refusal.status, now, headers=refusal.headers)
        elif body is None:
            answer_update(line, server, dialog, now)
        else:
            self._offered(server, dialog, body)

    def pracked(self, server: NonInviteServer, dialog: Dialog, now: float, *, crossing: bool) -> None:
        """A PRACK that acknowledged something brought an offer or nothing."""
        body = self.line.description(server.request)
        if body is None:
            self.line.respond(server, 200, now)
        elif self._may_offer(server, dialog, now, crossing=crossing):
            self._offered(server, dialog, body)

    def _may_offer(self, server: NonInviteServer, dialog: Dialog, now: float, *, crossing: bool) -> bool:
        """Whether an offer comes at its time; else it has been answered (RFC 3311 5.2)."""
        if crossing or dialog.offers.state is Exchange.OFFERED:
            self.line.respond(server, 491, now)
            return False
        if self.busy or not dialog.offers.settled or not dialog.offers.agreed:
            # Before the INVITE's own exchange there may be no other (RFC 3311 5.1), even when we are to offer in it.
            self.line.retry_later(server, now)
            return False
        return True

    def _offered(self, server: NonInviteServer, dialog: Dialog, body: bytes) -> None:
        dialog.offers.take(Turn.RECEIVE_OFFER, body)
        self._incoming = UpdateUas(self.line, server, dialog, body)
        self.line.out.append(LegReoffered(server.request, body))

    # ---- what the call says to it --------------------------------------------------------------------------------

    def accept(self, body: bytes, headers: HeaderItems, now: float) -> bool:
        """Answer with 200; nothing when it was withdrawn meanwhile. False when nobody has offered anything."""
        uas = self._incoming
        if uas is None:
            return False
        if uas.answer(headers, body, now) and isinstance(uas, InviteUas):
            uas.dialog.refresh(uas.request)
        return True

    def refuse(self, status: int, reason: str | None, headers: HeaderItems, now: float) -> bool:
        """Refuse it; the session stays as it was. False when nobody has offered anything."""
        if self._incoming is None:
            return False
        self._incoming.refuse(status, reason, headers, now)
        return True

    # ---- what comes of it ----------------------------------------------------------------------------------------

    def cancelled(self, server: InviteServer, now: float) -> None:
        """A CANCEL of a re-INVITE came."""
        uas = self._incoming
        if isinstance(uas, InviteUas) and uas.server is server and uas.cancel(now):
            self.line.out.append(LegReofferWithdrawn())

    def acknowledged(self, ack: Request) -> None:
        """An ACK came that may be that of our 2xx to a re-INVITE."""
        uas = self._incoming
        if not isinstance(uas, InviteUas) or not uas.acknowledge(ack) or not uas.owed:
            return
        body, offers = self.line.description(ack), uas.dialog.offers
        if body is not None and offers.take(Turn.RECEIVE_ANSWER, body):
            self.line.out.append(LegOfferAnswered(body, ack.headers))
        else:
            offers.take(Turn.WITHDRAW)
            self.line.out.append(LegOfferRefused(488, "No answer in the ACK", local=True))

    def forsake(self, dialog: Dialog | None, now: float) -> None:
        """Only this dialog goes on, of several early ones; None: not even one of those."""
        uas = self._incoming
        if uas is not None and uas.dialog is not dialog and uas.pending:
            uas.terminate(now)
            self.line.out.append(LegReofferWithdrawn())

    def close(self, now: float) -> None:
        """The dialog ends: 487 to what is pending."""
        if self._incoming is not None:
            self._incoming.terminate(now)

    def wake_at(self) -> float:
        """When `wake` next has work."""
        return self._incoming.wake_at() if isinstance(self._incoming, InviteUas) else math.inf

    def wake(self, now: float) -> Overdue | None:
        """Fire what is due. What has waited 64*T1 for the other side in vain, if anything has."""
        uas = self._incoming
        return uas.wake(now) if isinstance(uas, InviteUas) and uas.wake_at() <= now else None
