"""What we ask of the session: offers of the call's, refreshes of the session timer's, one at a time (14.1, RFC 3311).

Whichever of them meets one of the other side's is sent again a little later (glare).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import attrs

from ..message import Response
from .events import LegOfferAnswered, LegOfferRefused, LegRefreshed, Offer
from .line import Line
from .offer_answer import Input as Turn
from .reoffered import Reoffered
from .state import Dialog
from .uac import Act as Invited
from .uac import InviteUac
from .update import Act as Updated
from .update import UpdateUac

if TYPE_CHECKING:
    from ..transaction.events import Transaction

MAX_GLARES: Final = 4
"""491s to one offer before it counts as refused: the other side then has a pending INVITE that never ends."""

MAX_RETRY_AFTER_S: Final = 10
"""The longest delay that a 500 to an offer that came too early may ask for (14.2)."""


@attrs.define(eq=False)
class _Sent:
    """A request that changes or refreshes the session, as it is under way."""

    exchange: InviteUac | UpdateUac
    dialog: Dialog
    wish: Offer | None
    """What it is for; None: a refresh."""

    patience_at: float = math.inf
    """When a re-INVITE is cancelled that gets nothing but provisional responses."""


@attrs.define(eq=False)
class Reoffers:
    """At most one request of ours at work, and one that waits for its turn."""

    line: Line
    theirs: Reoffered
    owns_call_id: bool
    """Whether we made the Call-ID, which decides who waits longer after a glare (14.1)."""

    _sent: _Sent | None = attrs.field(default=None, init=False)
    _waiting: tuple[Offer, Dialog] | None = attrs.field(default=None, init=False)
    """For the end of a glare, or of a refresh."""

    _glares: int = attrs.field(default=0, init=False)
    _retry_at: float = attrs.field(default=math.inf, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    @property
    def crossing(self) -> bool:
        """One is under way that the other side's offers collide with; an UPDATE without an offer is none."""
        return self._under_way and self._sent is not None and self._sent.exchange.offer is not None

    @property
    def _under_way(self) -> bool:
        return self._sent is not None and not self._sent.exchange.over

    # ---- what is wanted ------------------------------------------------------------------------------------------

    def offer(self, offer: Offer, dialog: Dialog, now: float) -> None:
        """Send an offer of the call's, unless an exchange is under way. A refresh is let pass first."""
        possible = dialog.confirmed or ("UPDATE" in dialog.allow and dialog.offers.agreed)
        if not possible or self._waiting is not None:
            self.refuse_ours()
        elif self._free(dialog):
            self._glares = 0
            self._send(offer, dialog, now)
        elif self._under_way and self._sent is not None and self._sent.wish is None:
            self._glares = 0
            self._waiting = (offer, dialog)
        else:
            self.refuse_ours()

    def refresh(self, dialog: Dialog, now: float) -> None:
        """Refresh the session: by UPDATE, or by a re-INVITE that offers what was agreed last (RFC 4028 7.4).

        What else is at work refreshes it as well, so then there is time.
        """
        if self._waiting is not None or not dialog.offers.agreed or not self._free(dialog):
            self.line.session.failed(now)
            return
        self._send(None, dialog, now)

    def refuse_ours(self) -> None:
        """Report that an offer which came at the wrong moment came to nothing."""
        self._report_refusal(491, "Request Pending", local=True)

    # ---- what comes of it ----------------------------------------------------------------------------------------

    def owns(self, client: Transaction) -> bool:
        """Whether a transaction is that of our last request."""
        return self._sent is not None and self._sent.exchange.client is client

    def responded(self, response: Response, now: float) -> bool:
        """Take a response to it. False when it says that the dialog is gone (12.2.1.2)."""
        sent = self._sent
        assert sent is not None
        match sent.exchange.responded(response, now):
            case Invited.ANSWER | Updated.ANSWER:
                self._answered(sent, response, now)
            case Invited.PROGRESS if self._closed:
                self._expire(sent, now)
            case Invited.REFUSE | Invited.GIVE_UP | Updated.REFUSE:
                return self._refused(sent, response, now)
            case _:
                pass
        return True

    def undelivered(self, now: float) -> None:
        """It could not be sent; the dialog may yet be reached."""
        sent = self._sent
        assert sent is not None
        if sent.exchange.undelivered(now) is not None and not self._closed:
            self._give_up(sent, 503, "Service Unavailable", now, local=True)

    def timed_out(self, now: float) -> bool:
        """It got no response, or none to its CANCEL. True when it still mattered: the dialog is gone (12.2.1.2)."""
        sent = self._sent
        assert sent is not None
        if sent.exchange.timed_out(now) is None or self._closed:
            return False
        if sent.dialog.confirmed:
            self._withdraw(sent)
            return True
        self._give_up(sent, 408, "Request Timeout", now, local=True)
        return False

    def _answered(self, sent: _Sent, response: Response, now: float) -> None:
        line, dialog, exchange = self.line, sent.dialog, sent.exchange
        dialog.refresh(response)
        if isinstance(exchange, InviteUac):
            exchange.acknowledge(dialog, None)
        if self._closed:
            return
        sent.patience_at = math.inf
        if exchange.refreshes:
            line.session.agreed(response, now)
        if exchange.offer is not None:
            known, body = dialog.offers.remote, line.description(response)
            if body is not None and dialog.offers.take(Turn.RECEIVE_ANSWER, body):
                if sent.wish is not None:
                    line.out.append(LegOfferAnswered(body, response.headers))
                elif body != known:
                    line.out.append(LegRefreshed(exchange.offer, body, response.headers))
            else:
                self._give_up(sent, 488, "No answer in the 2xx", now, local=True)
        self._go_on(sent, now)

    def _refused(self, sent: _Sent, response: Response, now: float) -> bool:
        if self._closed:
            return True
        status, dialog, wish = response.status, sent.dialog, sent.wish
        if status in (408, 481) and dialog.confirmed:
            self._withdraw(sent)
            return False
        delay_s = self._delay(response)
        if status in (405, 501) and isinstance(sent.exchange, UpdateUac) and dialog.confirmed:
            # It said otherwise; a re-INVITE everybody knows.
            dialog.allow -= {"UPDATE"}
            delay_s = 0.0
        if wish is None:
            self._withdraw(sent)
            self.line.session.failed(now, delay_s)
            self._go_on(sent, now)
        elif delay_s is not None and self._glares < MAX_GLARES:
            self._withdraw(sent)
            self._glares += 1
            self._waiting = (wish, dialog)
            self._retry_at = now + delay_s
        else:
            self._give_up(sent, status, response.reason, now, local=False)
        return True

    def _delay(self, response: Response) -> float | None:
        """How long a refused one waits for its next try; None: it is not worth one."""
        if response.status == 491:
            # 14.1, in units of 10 ms: 2.1 to 4 s for who made the Call-ID, 0 to 2 s for the other.
            chance = int(self.line.ids.token(4), 16)
            return 2.1 + (chance % 191) * 0.01 if self.owns_call_id else (chance % 201) * 0.01
        after = response.retry_after
        if response.status == 500 and after is not None and after.seconds <= MAX_RETRY_AFTER_S:
            return max(float(after.seconds), self.line.config.timers.t1)
        return None

    def _give_up(self, sent: _Sent, status: int, reason: str, now: float, *, local: bool) -> None:
        """It came to nothing."""
        self._withdraw(sent)
        if sent.wish is None:
            self.line.session.failed(now)
        else:
            self._report_refusal(status, reason, local=local)
        self._go_on(sent, now)

    def _withdraw(self, sent: _Sent) -> None:
        sent.patience_at = math.inf
        if sent.exchange.offer is not None:
            sent.dialog.offers.take(Turn.WITHDRAW)

    def _go_on(self, sent: _Sent, now: float) -> None:
        """Let an offer have its turn that a refresh kept waiting."""
        if sent.wish is None and self._waiting is not None:
            self._retry_at = min(self._retry_at, now)

    def _report_refusal(self, status: int, reason: str, *, local: bool) -> None:
        self.line.out.append(LegOfferRefused(status, reason, local))

    # ---- the end, and the clock ----------------------------------------------------------------------------------

    def forsake(self, dialog: Dialog | None) -> None:
        """Only this dialog goes on, of several early ones; None: not even one of those."""
        lost = self._sent if self._under_way else None
        if lost is not None and lost.dialog is not dialog:
            self._sent = None
            self._report_refusal(481, "Call/Transaction Does Not Exist", local=True)
        if self._waiting is not None and self._waiting[1] is not dialog:
            self._waiting, self._retry_at = None, math.inf
            self._report_refusal(481, "Call/Transaction Does Not Exist", local=True)

    def close(self, now: float) -> None:
        """The dialog ends: nothing more of ours, and nobody to tell."""
        if self._under_way and self._sent is not None:
            self._sent.patience_at = math.inf
            self._expire(self._sent, now)
        self._waiting, self._retry_at, self._closed = None, math.inf, True

    def wake_at(self) -> float:
        """When `wake` next has work."""
        return self._retry_at if self._sent is None else min(self._retry_at, self._sent.patience_at)

    def wake(self, now: float) -> None:
        """Fire what is due."""
        sent = self._sent
        if sent is not None and sent.patience_at <= now:
            sent.patience_at = math.inf
            if isinstance(sent.exchange, InviteUac) and not sent.exchange.over:
                sent.exchange.cancel((), now)
        if self._retry_at <= now and self._waiting is not None:
            self._retry_at = math.inf
            offer, dialog = self._waiting
            if self._free(dialog):
                self._waiting = None
                self._send(offer, dialog, now)
            else:
                self._retry_at = now + self.line.config.timers.t1

    def _free(self, dialog: Dialog) -> bool:
        return dialog.offers.settled and not self.theirs.busy and not self._under_way

    def _send(self, offer: Offer | None, dialog: Dialog, now: float) -> None:
        line, takes_update = self.line, "UPDATE" in dialog.allow
        exchange: InviteUac | UpdateUac
        if offer is None:
            if takes_update:
                exchange = UpdateUac(line, dialog, (), None)
            else:
                exchange = InviteUac(line, dialog, (), dialog.offers.local)
        elif dialog.confirmed and not (offer.update and takes_update):
            exchange = InviteUac(line, dialog, offer.headers, offer.body)
        else:
            exchange = UpdateUac(line, dialog, offer.headers, offer.body)
        if exchange.offer is not None:
            dialog.offers.take(Turn.SEND_OFFER, exchange.offer)
        self._sent = _Sent(exchange, dialog, offer)
        if isinstance(exchange, InviteUac):
            # Nobody has to be asked for as long as that: the bound that proxies have, too (16.6 step 11).
            self._sent.patience_at = now + line.config.timers.c
        exchange.start(now)

    def _expire(self, sent: _Sent, now: float) -> None:
        """The dialog has ended: the answer to a re-INVITE has nobody left to wait for it, and may never come."""
        if isinstance(sent.exchange, InviteUac):
            self.line.transactions.expire(sent.exchange.client, now + self.line.config.timers.patience)
