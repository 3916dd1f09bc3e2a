"""Changing the session of a dialog that is up: re-INVITEs of both sides, and their glare (RFC 3261 section 14)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import attrs

from ..message import Request, Response
from ..transaction.invite_server import InviteServer
from .events import (
    LegOfferAnswered,
    LegOfferRefused,
    LegReoffered,
    LegReofferWithdrawn,
    Offer,
)
from .line import Line
from .offer_answer import Input as Turn
from .uac import Act as Sent
from .uac import InviteUac
from .uas import InviteUas

if TYPE_CHECKING:
    from ..transaction.events import Transaction

MAX_GLARES: Final = 4
"""491s to one offer before it counts as refused: the other side then has a pending INVITE that never ends."""


@attrs.define(eq=False)
class Reoffers:
    """At most one re-INVITE each way, and never both at work."""

    line: Line
    owns_call_id: bool
    """Whether we made the Call-ID, which decides who waits longer after a glare (14.1)."""

    incoming: InviteUas | None = attrs.field(default=None, init=False)
    outgoing: InviteUac | None = attrs.field(default=None, init=False)
    _offer: Offer | None = attrs.field(default=None, init=False)
    """Ours, while it is unanswered."""

    _glares: int = attrs.field(default=0, init=False)
    _retry_at: float = attrs.field(default=math.inf, init=False)

    # ---- ours --------------------------------------------------------------------------------------------------

    def offer(self, offer: Offer, now: float) -> None:
        """Send a re-INVITE, unless an exchange is under way."""
        if self._offer is not None or not self._free():
            self._report_refusal(491, "Request Pending", local=True)
            return
        self._offer, self._glares = offer, 0
        self._send(now)

    def refuse_ours(self) -> None:
        """Report that an offer which came at the wrong moment came to nothing."""
        self._report_refusal(491, "Request Pending", local=True)

    def owns(self, client: Transaction) -> bool:
        """Whether a transaction is that of our last re-INVITE."""
        return self.outgoing is not None and self.outgoing.client is client

    def responded(self, response: Response, now: float) -> bool:
        """Take a response to our re-INVITE. False when it says that the dialog is gone (12.2.1.2)."""
        uac = self.outgoing
        assert uac is not None
        match uac.responded(response, now):
            case Sent.ANSWER:
                self._answered(uac, response)
            case Sent.PROGRESS if self._offer is None:
                self._expire(uac, now)
            case Sent.REFUSE if self._offer is not None:
                if response.status == 491 and self._glares < MAX_GLARES:
                    self.line.offers.take(Turn.WITHDRAW)
                    self._glares += 1
                    self._retry_at = now + self._glare_delay()
                elif response.status in (408, 481):
                    self._give_up()
                    return False
                else:
                    self._give_up()
                    self._report_refusal(response.status, response.reason, local=False)
            case _:
                pass
        return True

    def undelivered(self, now: float) -> None:
        """Our re-INVITE could not be sent; the dialog may yet be reached."""
        assert self.outgoing is not None
        if self.outgoing.undelivered(now) is Sent.REFUSE and self._offer is not None:
            self._give_up()
            self._report_refusal(503, "Service Unavailable", local=True)

    def timed_out(self, now: float) -> bool:
        """Our re-INVITE got no response. True when it still mattered: then the dialog is gone (12.2.1.2)."""
        assert self.outgoing is not None
        if self.outgoing.timed_out(now) is not Sent.REFUSE or self._offer is None:
            return False
        self._give_up()
        return True

    # ---- the other side's --------------------------------------------------------------------------------------

    def reoffered(self, server: InviteServer, now: float) -> None:
        """A re-INVITE came in, in order and with a body we can read."""
        line, request = self.line, server.request
        if self.incoming is not None and self.incoming.pending:
            # 14.2: at random, 0 to 10 s.
            delay = int(line.ids.token(4), 16) % 11
            line.respond(server, 500, now, headers=(("Retry-After", str(delay)),))
            return
        if self.outgoing is not None and not self.outgoing.over:
            line.respond(server, 491, now)
            return
        if not line.offers.settled:
            # Our 2xx offered and the ACK with the answer is missing still (RFC 5407 3.1.4).
            line.respond(server, 491, now)
            return
        if self.incoming is not None:
            self.incoming.acknowledge_by_later()
        body = line.description(request)
        if body is not None:
            line.offers.take(Turn.RECEIVE_OFFER)
        self.incoming = InviteUas(line, server, body)
        line.out.append(LegReoffered(request, body))

    def accept(self, body: bytes, headers: tuple[tuple[str, str], ...], now: float) -> None:
        """Answer the pending re-INVITE with 200. Nothing when it was withdrawn meanwhile."""
        uas = self.incoming
        # Without any re-INVITE to answer, this raises OutOfTurn.
        if uas is None or (uas.answer(headers, body, now)):
            self.line.offers.take(Turn.SEND_OFFER if uas is not None and uas.offer is None else Turn.SEND_ANSWER)
        if uas is not None and uas.unacknowledged and self.line.dialog is not None:
            self.line.dialog.refresh(uas.request.contact)

    def refuse_theirs(self, status: int, reason: str | None, headers: tuple[tuple[str, str], ...], now: float) -> None:
        """Refuse the pending re-INVITE; the session stays as it was. Nothing when it was withdrawn meanwhile."""
        uas = self.incoming
        if uas is not None and uas.refuse(status, reason, headers, now):
            self.line.offers.take(Turn.WITHDRAW)

    def cancelled(self, server: InviteServer, now: float) -> None:
        """A CANCEL of a re-INVITE came."""
        uas = self.incoming
        if uas is not None and uas.server is server and uas.cancel(now):
            self.line.offers.take(Turn.WITHDRAW)
            self.line.out.append(LegReofferWithdrawn())

    def acknowledged(self, ack: Request) -> None:
        """An ACK came that may be that of our 2xx to a re-INVITE."""
        uas = self.incoming
        if uas is None or not uas.acknowledge(ack) or uas.offer is not None:
            return
        body = self.line.description(ack)
        if body is not None and self.line.offers.take(Turn.RECEIVE_ANSWER):
            self.line.out.append(LegOfferAnswered(body, ack.headers))
        else:
            self.line.offers.take(Turn.WITHDRAW)
            self._report_refusal(488, "No answer in the ACK", local=True)

    # ---- both --------------------------------------------------------------------------------------------------

    def close(self, now: float) -> None:
        """The dialog ends: 487 to what is pending, nothing more of ours."""
        if self.incoming is not None:
            self.incoming.terminate(now)
        if self.outgoing is not None and not self.outgoing.over:
            self._expire(self.outgoing, now)
        self._retry_at = math.inf
        self._offer = None

    def wake_at(self) -> float:
        """When `wake` next has work."""
        return self._retry_at if self.incoming is None else min(self._retry_at, self.incoming.wake_at())

    def wake(self, now: float) -> bool:
        """Fire what is due. True when our 2xx to a re-INVITE was never acknowledged."""
        if self._retry_at <= now:
            self._retry_at = math.inf
            if self._free():
                self._send(now)
            else:
                self._retry_at = now + self.line.config.timers.t1
        return self.incoming is not None and self.incoming.wake_at() <= now and self.incoming.wake(now)

    def _free(self) -> bool:
        uas, uac = self.incoming, self.outgoing
        return (
            self.line.offers.settled
            and (uas is None or not (uas.pending or uas.unacknowledged))
            and (uac is None or uac.over)
        )

    def _send(self, now: float) -> None:
        line, offer = self.line, self._offer
        assert offer is not None
        assert line.dialog is not None
        line.offers.take(Turn.SEND_OFFER)
        self.outgoing = InviteUac(line, line.dialog, offer.headers, offer.body)
        self.outgoing.start(now)

    def _answered(self, uac: InviteUac, response: Response) -> None:
        line = self.line
        assert line.dialog is not None
        line.dialog.refresh(response.contact)
        uac.acknowledge(line.dialog, None)
        if self._offer is None:
            return  # we have hung up meanwhile
        body = line.description(response)
        if body is not None and line.offers.take(Turn.RECEIVE_ANSWER):
            self._offer = None
            line.out.append(LegOfferAnswered(body, response.headers))
        else:
            self._give_up()
            self._report_refusal(488, "No answer in the 2xx", local=True)

    def _expire(self, uac: InviteUac, now: float) -> None:
        """The dialog has ended: the answer to our re-INVITE has nobody left to wait for it, and may never come."""
        self.line.transactions.expire(uac.client, now + self.line.config.timers.patience)

    def _give_up(self) -> None:
        """Our offer came to nothing."""
        self.line.offers.take(Turn.WITHDRAW)
        self._offer = None

    def _report_refusal(self, status: int, reason: str, *, local: bool) -> None:
        self.line.out.append(LegOfferRefused(status, reason, local))

    def _glare_delay(self) -> float:
        """14.1, in units of 10 ms: 2.1 to 4 s for who made the Call-ID, 0 to 2 s for the other."""
        chance = int(self.line.ids.token(4), 16)
        return 2.1 + (chance % 191) * 0.01 if self.owns_call_id else (chance % 201) * 0.01
