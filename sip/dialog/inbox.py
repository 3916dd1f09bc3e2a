"""What comes in by a leg's transactions, requests, responses, ACKs and failures, and which part it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import attrs

from ..message import Request, Response
from ..transaction.client import NonInviteClient
from ..transaction.events import (
    Acknowledged,
    Adopt,
    Requested,
    Responded,
    SendRequest,
    SendResponse,
    Stray,
    TimedOut,
    TransactionOutput,
    Undelivered,
)
from ..transaction.invite_client import InviteClient
from ..transaction.invite_server import InviteServer
from ..transaction.server import NonInviteServer
from .course import MAX_BYES, Course
from .events import Cause, LegOfferAnswered, LegOfferRefused, LegProgressed, LegTrying
from .inside import lacks, refusal_of
from .line import Line
from .offer_answer import Input as Turn
from .offer_answer import State as Exchange
from .phases import Input, Phase
from .reliable import ReliableResponses, wanted
from .state import Dialog
from .uac import Act as Sent
from .uas import InviteUas

if TYPE_CHECKING:
    from ..transaction.events import Server, Transaction


@attrs.define(eq=False)
class Inbox:
    """Reads what the transactions report and gives the course its inputs."""

    line: Line
    course: Course
    last_status: int | None = None
    """Of the last response to our first INVITE."""

    def take_all(self, outputs: list[TransactionOutput], now: float) -> None:
        """Act on what the transactions made of a message, of the clock or of a failure to send."""
        for output in outputs:
            match output:
                case SendRequest() | SendResponse():
                    self.line.out.append(output)
                case Requested(server):
                    self._request(server, now)
                case Responded(client, response):
                    self._response(client, response, now)
                case Stray(message):
                    if isinstance(message, Request):
                        self._ack(message, now)
                case Acknowledged(_, ack):
                    self._ack(ack, now)
                case TimedOut(transaction):
                    self._timed_out(transaction, now)
                case Undelivered(transaction):
                    self._undelivered(transaction, now)
                case Adopt():
                    pass  # only what lingers has others to adopt
                case _:
                    assert_never(output)

    def _request(self, server: Server, now: float) -> None:
        request, line = server.request, self.line
        if request.method == "CANCEL":
            self._cancel(request, server, now)
            return
        if self.course.phase is Phase.NEW and isinstance(server, InviteServer):
            self._invite(server, now)
            return
        dialog = self._dialog_of(request)
        if dialog is None:
            line.respond(server, 481, now)
            return
        if not dialog.in_order(request):
            line.respond(server, 500, now)
            return
        refusal = refusal_of(request, self.line.config)
        if refusal is not None:
            line.respond(server, refusal.status, now, headers=refusal.headers)
        elif isinstance(server, InviteServer):
            self._reinvite(server, dialog, now)
        elif request.method == "UPDATE":
            self._update(server, dialog, now)
        elif request.method == "PRACK":
            self._prack(server, dialog, now)
        elif request.method == "BYE":
            line.respond(server, 200, now)
            if request.from_tag is not None and self.course.uac is not None:
                # 15: the callee must not, but a proxy's timer may end one of its early dialogs this way.
                self.course.uac.forks.drop(request.from_tag)
            self.course.take(Input.BYE, now, message=request, cause=Cause.HUNG_UP)
        else:
            accept = (("Accept", ", ".join(self.line.config.accept)),)
            line.respond(server, 200, now, headers=(*line.abilities, *accept), contact=True)

    def _invite(self, server: InviteServer, now: float) -> None:
        """The INVITE that makes the dialog."""
        request, line = server.request, self.line
        contact = request.contact
        if contact is None and not request.via.has_cookie:
            # In RFC 2543 (6.13, 6.39) Contact was optional, and requests went to the address of the From.
            contact = request.from_
        if contact is None:
            line.respond(server, 400, now, "Missing Contact header")
            self.course.take(Input.UNUSABLE, now)
            return
        refusal = lacks(request, line.config) or line.session.refusal(request)
        if refusal is not None:
            line.respond(server, refusal.status, now, headers=refusal.headers)
            self.course.take(Input.UNUSABLE, now)
            return
        body = line.description(request)
        dialog = line.dialog = Dialog.called(
            request, server.flow, line.local_tag, contact, line.config, line.ids, line.authorizer
        )
        if body is not None:
            dialog.offers.take(Turn.RECEIVE_OFFER, body)
        reliable = None
        if wanted(request, line.config):
            reliable = ReliableResponses(line, server, dialog.offers, offered=body is not None)
        self.course.uas = InviteUas(line, server, dialog, body, reliable)
        self.course.take(Input.INVITE, now, message=request)

    def _reinvite(self, server: InviteServer, dialog: Dialog, now: float) -> None:
        """An INVITE in the dialog, in order."""
        line, course = self.line, self.course
        if course.phase in (Phase.ANSWERED, Phase.PARTING) and dialog.offers.settled:
            # The other side has our 2xx; its ACK was lost.
            assert course.uas is not None
            course.uas.acknowledge_by_later()
            course.take(Input.CONFIRMED, now, message=server.request, cause=Cause.LOCAL)
        match course.phase:
            case Phase.UP:
                course.reoffered.invited(server, dialog, now, crossing=course.reoffers.crossing)
            case Phase.CALLED | Phase.WITHHOLDING:
                line.retry_later(server, now)  # 14.2: the first INVITE has no final response yet
            case Phase.LEAVING | Phase.OVER:
                line.respond(server, 481, now)
            case _:
                line.respond(server, 491, now)

    def _update(self, server: NonInviteServer, dialog: Dialog, now: float) -> None:
        """An UPDATE in the dialog, early or not, in order (RFC 3311 5.2)."""
        course = self.course
        match course.phase:
            case Phase.CALLED | Phase.WITHHOLDING | Phase.ANSWERED | Phase.CALLING | Phase.UP:
                course.reoffered.updated(server, dialog, now, crossing=course.reoffers.crossing)
            case Phase.PARTING:
                self.line.retry_later(server, now)  # only to meet our BYE
            case _:
                self.line.respond(server, 481, now)

    def _prack(self, server: NonInviteServer, dialog: Dialog, now: float) -> None:
        """A PRACK in the dialog, in order (RFC 3262 section 3)."""
        line, uas, request = self.line, self.course.uas, server.request
        if request.rack is None:
            line.respond(server, 400, now, "Missing RAck header")
            return
        if uas is None or uas.reliable is None or not uas.pracked(request.rack, now):
            line.respond(server, 481, now)
            return
        if uas.pending and dialog.offers.state is Exchange.OFFERED and not dialog.offers.agreed:
            line.respond(server, 200, now)
            self._early_answer(request, dialog, uas.reliable)
        else:
            self.course.reoffered.pracked(server, dialog, now, crossing=self.course.reoffers.crossing)
        self.course.take(Input.PRACKED, now)
        uas.reliable.go_on(now)

    def _early_answer(self, prack: Request, dialog: Dialog, reliable: ReliableResponses) -> None:
        """A PRACK came that owes us the answer to the offer in a reliable response (RFC 3262 section 5)."""
        body = self.line.description(prack)
        if body is not None and dialog.offers.take(Turn.RECEIVE_ANSWER, body):
            self.line.out.append(LegOfferAnswered(body, prack.headers))
        else:
            dialog.offers.take(Turn.WITHDRAW)
            reliable.unanswered()
            self.line.out.append(LegOfferRefused(488, "No answer in the PRACK", local=True))

    def _cancel(self, request: Request, server: Server, now: float) -> None:
        invite = self.line.transactions.cancelled(request)
        if invite is None:
            self.line.respond(server, 481, now)
            return
        self.line.respond(server, 200, now)
        if self.course.uas is not None and self.course.uas.server is invite:
            self.course.take(Input.CANCEL, now, message=request, cause=Cause.CANCELLED)
        else:
            self.course.reoffered.cancelled(invite, now)

    def _ack(self, ack: Request, now: float) -> None:
        dialog = self._dialog_of(ack)
        if dialog is None:
            return
        uas = self.course.uas
        if uas is None or not uas.acknowledge(ack):
            self.course.reoffered.acknowledged(ack)
            return
        body = self.line.description(ack) if uas.owed else None
        if uas.owed and (body is None or not dialog.offers.take(Turn.RECEIVE_ANSWER, body)):
            dialog.offers.take(Turn.WITHDRAW)
            self.course.take(Input.NO_SESSION, now, cause=Cause.NO_SESSION)
            return
        self.course.take(Input.CONFIRMED, now, message=ack, body=body)

    def _response(self, client: InviteClient | NonInviteClient, response: Response, now: float) -> None:
        uac = self.course.uac
        if client is self.course.bye:
            if response.status < 200:
                return
            if self.course.byes < MAX_BYES and self.line.authorizer.learn(response):
                self.course.send_bye(now)
            else:
                self.course.take(Input.BYE_DONE, now, message=response)
        elif uac is not None and client is uac.client:
            self.last_status = response.status
            self._sent(uac.responded(response, now), response, now)
        elif uac is not None and isinstance(client, NonInviteClient) and uac.forks.owns(client):
            uac.forks.pracked(client, response, now)
        elif self.course.reoffers.owns(client) and not self.course.reoffers.responded(response, now):
            self.course.take(Input.LOST, now, cause=Cause.LOST)

    def _sent(self, act: Sent | None, response: Response, now: float) -> None:
        """What a response to our first INVITE did."""
        match act:
            case Sent.PROGRESS if response.status == 100:
                self.line.out.append(LegTrying())
            case Sent.PROGRESS:
                self._progressed(response, now)
            case Sent.ANSWER:
                self._answered(response, now)
            case Sent.RETRY:
                # Its early dialogs have ended with the INVITE that was refused.
                self._go_on_with(None, now)
            case Sent.REFUSE | Sent.HANG_UP | Sent.GIVE_UP:
                self.course.take(Input.REFUSED, now, message=response)
            case _:
                pass

    def _progressed(self, response: Response, now: float) -> None:
        assert self.course.uac is not None
        told = self.course.uac.forks.progressed(response, now)
        if told is not None:
            self.line.out.append(
                LegProgressed(
                    response.status, response.reason, told.body, response.headers, response.to_tag, told.needs_answer
                )
            )

    def _answered(self, response: Response, now: float) -> None:
        """The first 2xx to our INVITE."""
        uac, line = self.course.uac, self.line
        assert uac is not None
        dialog = line.dialog = uac.taken
        offers = dialog.offers
        early, asked = offers.agreed, offers.state is Exchange.OWING
        body = offers.remote if early else line.description(response)
        if body is None and uac.offer is not None:
            body = uac.forks.described(response.to_tag)  # RFC 6337 3.1.1 has the 2xx repeat it; some leave that out
        self._go_on_with(dialog, now)
        line.session.agreed(response, now)
        if body is None and not asked:
            offers.take(Turn.WITHDRAW)
            uac.acknowledge(dialog, None)
            self.course.take(Input.NO_SESSION, now, cause=Cause.NO_SESSION)
            return
        if early:
            uac.acknowledge(dialog, None)
        elif uac.offer is None:
            offers.take(Turn.RECEIVE_OFFER, body)
            self.course.owes_ack = True
        else:
            offers.take(Turn.RECEIVE_ANSWER, body)
            uac.acknowledge(dialog, None)
        # Whoever has been asked for the answer to an early offer is not asked again: the ACK takes it instead.
        asks = self.course.owes_ack and not asked
        self.course.take(Input.CONFIRMED, now, message=response, body=body, asks=asks, early=early)

    def _go_on_with(self, dialog: Dialog | None, now: float) -> None:
        """What was under way in other early dialogs comes to nothing."""
        self.course.reoffers.forsake(dialog)
        self.course.reoffered.forsake(dialog, now)

    def _timed_out(self, transaction: Transaction, now: float) -> None:
        if transaction is self.course.bye:
            self.course.take(Input.BYE_DONE, now)
        elif self.course.uac is not None and transaction is self.course.uac.client:
            if self.course.uac.timed_out(now) is not None:
                self.course.take(Input.REFUSED, now, status=408)
        elif self.course.reoffers.owns(transaction):
            if self.course.reoffers.timed_out(now):
                self.course.take(Input.LOST, now, cause=Cause.LOST)
        elif self.course.uac is not None:
            self.course.uac.forks.forget(transaction)

    def _undelivered(self, transaction: Transaction, now: float) -> None:
        if transaction is self.course.bye:
            self.course.take(Input.BYE_DONE, now)
        elif self.course.uac is not None and transaction is self.course.uac.client:
            if self.course.uac.undelivered(now) is not None:
                self.course.take(Input.REFUSED, now, status=503)
        elif self.course.reoffers.owns(transaction):
            self.course.reoffers.undelivered(now)
        elif self.course.uac is not None:
            self.course.uac.forks.forget(transaction)

    def _dialog_of(self, request: Request) -> Dialog | None:
        """The dialog a request belongs to, by both tags (12.2.2); None: none of ours, or none any more."""
        if request.to_tag != self.line.local_tag or self.course.phase is Phase.OVER:
            return None
        dialog = self.line.dialog
        if dialog is not None:
            return dialog if request.from_tag == dialog.remote_tag else None
        if self.course.uac is None or request.from_tag is None:
            return None
        return self.course.uac.forks.dialog(request.from_tag)
