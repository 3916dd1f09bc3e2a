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
from .course import MAX_BYES, Course
from .events import Cause, LegProgressed
from .inside import refusal_of
from .line import Line
from .offer_answer import Input as Turn
from .phases import Input, Phase
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

    _early: tuple[str | None, bytes] | None = attrs.field(default=None, init=False)
    """The last early media description, with the tag of the fork it came from."""

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
            self._reinvite(server, now)
        elif request.method == "BYE":
            line.respond(server, 200, now)
            if request.from_tag is not None and self.course.uac is not None:
                # 15: the callee must not, but a proxy's timer may end one of its early dialogs this way.
                self.course.uac.early.pop(request.from_tag, None)
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
        body = line.description(request)
        line.dialog = Dialog.called(
            request, server.flow, self.line.local_tag, contact, self.line.config, self.line.ids, line.authorizer
        )
        if body is not None:
            line.offers.take(Turn.RECEIVE_OFFER)
        self.course.uas = InviteUas(line, server, body)
        self.course.take(Input.INVITE, now, message=request)

    def _reinvite(self, server: InviteServer, now: float) -> None:
        """An INVITE in the dialog, in order."""
        line = self.line
        if self.course.phase in (Phase.ANSWERED, Phase.PARTING) and line.offers.settled:
            # The other side has our 2xx; its ACK was lost.
            assert self.course.uas is not None
            self.course.uas.acknowledge_by_later()
            self.course.take(Input.CONFIRMED, now, message=server.request, cause=Cause.LOCAL)
        match self.course.phase:
            case Phase.UP:
                self.course.reoffers.reoffered(server, now)
            case Phase.CALLED:
                # 14.2: the first INVITE has no final response yet.
                line.respond(server, 500, now, headers=(("Retry-After", str(int(self.line.ids.token(4), 16) % 11)),))
            case Phase.LEAVING | Phase.OVER:
                line.respond(server, 481, now)
            case _:
                line.respond(server, 491, now)

    def _cancel(self, request: Request, server: Server, now: float) -> None:
        invite = self.line.transactions.cancelled(request)
        if invite is None:
            self.line.respond(server, 481, now)
            return
        self.line.respond(server, 200, now)
        if self.course.uas is not None and self.course.uas.server is invite:
            self.course.take(Input.CANCEL, now, message=request, cause=Cause.CANCELLED)
        else:
            self.course.reoffers.cancelled(invite, now)

    def _ack(self, ack: Request, now: float) -> None:
        if self._dialog_of(ack) is None:
            return
        uas, line = self.course.uas, self.line
        if uas is None or not uas.acknowledge(ack):
            self.course.reoffers.acknowledged(ack)
            return
        body = line.description(ack) if uas.offer is None else None
        if uas.offer is None and (body is None or not line.offers.take(Turn.RECEIVE_ANSWER)):
            line.offers.take(Turn.WITHDRAW)
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
                self.course.take(Input.BYE_DONE, now)
        elif uac is not None and client is uac.client:
            self.last_status = response.status
            self._sent(uac.responded(response, now), response, now)
        elif self.course.reoffers.owns(client) and not self.course.reoffers.responded(response, now):
            self.course.take(Input.LOST, now, cause=Cause.LOST)

    def _sent(self, act: Sent | None, response: Response, now: float) -> None:
        """What a response to our first INVITE did."""
        match act:
            case Sent.PROGRESS if response.status > 100:
                body = self.line.description(response)
                if body is not None:
                    self._early = (response.to_tag, body)
                self.line.out.append(
                    LegProgressed(response.status, response.reason, body, response.headers, response.to_tag)
                )
            case Sent.ANSWER:
                self._answered(response, now)
            case Sent.REFUSE | Sent.HANG_UP | Sent.GIVE_UP:
                self.course.take(Input.REFUSED, now, message=response)
            case _:
                pass

    def _answered(self, response: Response, now: float) -> None:
        """The first 2xx to our INVITE."""
        uac, line = self.course.uac, self.line
        assert uac is not None
        dialog = line.dialog = uac.dialog.forked(response)
        body = line.description(response)
        if body is None and self._early is not None and self._early[0] == response.to_tag and uac.offer is not None:
            body = self._early[1]  # RFC 6337 3.1.1 has the 2xx repeat it; some leave that out
        if body is None:
            line.offers.take(Turn.WITHDRAW)
            uac.acknowledge(dialog, None)
            self.course.take(Input.NO_SESSION, now, cause=Cause.NO_SESSION)
            return
        if uac.offer is None:
            line.offers.take(Turn.RECEIVE_OFFER)
            self.course.owes_ack = True
        else:
            line.offers.take(Turn.RECEIVE_ANSWER)
            uac.acknowledge(dialog, None)
        self.course.take(Input.CONFIRMED, now, message=response, body=body)

    def _timed_out(self, transaction: Transaction, now: float) -> None:
        if transaction is self.course.bye:
            self.course.take(Input.BYE_DONE, now)
        elif self.course.uac is not None and transaction is self.course.uac.client:
            if self.course.uac.timed_out(now) is not None:
                self.course.take(Input.REFUSED, now, status=408)
        elif self.course.reoffers.owns(transaction) and self.course.reoffers.timed_out(now):
            self.course.take(Input.LOST, now, cause=Cause.LOST)

    def _undelivered(self, transaction: Transaction, now: float) -> None:
        if transaction is self.course.bye:
            self.course.take(Input.BYE_DONE, now)
        elif self.course.uac is not None and transaction is self.course.uac.client:
            if self.course.uac.undelivered(now) is not None:
                self.course.take(Input.REFUSED, now, status=503)
        elif self.course.reoffers.owns(transaction):
            self.course.reoffers.undelivered(now)

    def _dialog_of(self, request: Request) -> Dialog | None:
        """The dialog a request belongs to, by both tags (12.2.2); None: none of ours, or none any more."""
        if request.to_tag != self.line.local_tag or self.course.phase is Phase.OVER:
            return None
        dialog = self.line.dialog
        if dialog is not None:
            return dialog if request.from_tag == dialog.remote_tag else None
        if self.course.uac is None or request.from_tag is None:
            return None
        return self.course.uac.early.get(request.from_tag)
