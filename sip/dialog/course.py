"""What a leg does as its phases pass: the acts of the phase table, from the first INVITE to the last BYE."""

from typing import Final

import attrs

from ..headers import Headers
from ..machine import step
from ..message import Message, Request, Response
from ..tokens import reason_phrase
from ..transaction.client import NonInviteClient
from .config import HeaderItems
from .events import (
    Accept,
    Answer,
    Cause,
    Invite,
    LegAnswered,
    LegCommand,
    LegEnded,
    LegOffered,
    LegRefused,
    Offer,
    Refuse,
    Ring,
)
from .line import Line
from .offer_answer import Input as Turn
from .phases import TABLE, Act, Input, Phase
from .reoffer import Reoffers
from .state import Dialog
from .uac import InviteUac
from .uas import InviteUas

NO_HEADERS: Final = Headers()
MAX_BYES: Final = 3
"""BYEs sent to end one dialog: a proxy and the other side may both ask for credentials."""


@attrs.define(eq=False)
class Course:
    """A leg's phase, and the parts that were begun in it. `take` is the only way from one phase to the next."""

    line: Line
    reoffers: Reoffers
    phase: Phase = Phase.NEW
    uas: InviteUas | None = None
    """The INVITE that made a called leg."""

    uac: InviteUac | None = None
    """The INVITE that made a calling leg."""

    owes_ack: bool = False
    """The 2xx to our INVITE brought an offer, and its ACK waits for our answer."""

    bye: NonInviteClient | None = None
    """The last BYE sent."""

    byes: int = 0
    bye_headers: HeaderItems = ()
    """What the BYE or CANCEL to come is to carry."""

    def take(
        self,
        given: Input,
        now: float,
        *,
        message: Message | None = None,
        command: LegCommand | None = None,
        cause: Cause = Cause.LOCAL,
        status: int = 0,
        body: bytes | None = None,
    ) -> None:
        row = step(TABLE, self.phase, given)
        if row is None:
            return
        line, uas, uac = self.line, self.uas, self.uac
        before, self.phase = self.phase, row.state
        try:
            match row.act:
                case Act.TAKE_INVITE:
                    assert isinstance(message, Request)
                    assert uas is not None
                    line.respond(uas.server, 100, now)
                    line.out.append(LegOffered(message, uas.offer))
                case Act.RING:
                    assert isinstance(command, Ring)
                    assert uas is not None
                    if command.body is not None:
                        line.offers.take(Turn.SEND_EARLY_ANSWER)
                    uas.ring(command.status, command.headers, command.body, now)
                case Act.ANSWER:
                    assert isinstance(command, Answer)
                    assert uas is not None
                    line.offers.take(Turn.SEND_OFFER if uas.offer is None else Turn.SEND_ANSWER)
                    uas.answer(command.headers, command.body, now)
                case Act.REFUSE:
                    assert isinstance(command, Refuse)
                    assert uas is not None
                    uas.refuse(command.status, command.reason, command.headers, now)
                    line.out.append(LegEnded(cause, NO_HEADERS))
                case Act.DECLINE:
                    assert uas is not None
                    uas.refuse(480, None, self.bye_headers, now)
                    line.out.append(LegEnded(cause, NO_HEADERS))
                case Act.CANCELLED:
                    assert uas is not None
                    assert message is not None
                    uas.terminate(now)
                    line.out.append(LegEnded(Cause.CANCELLED, message.headers))
                case Act.FAIL:
                    assert uas is not None
                    uas.refuse(500, None, (), now)
                case Act.DIAL:
                    assert isinstance(command, Invite)
                    self._dial(command, now)
                case Act.ABANDON:
                    assert uac is not None
                    uac.cancel(self.bye_headers, now)
                    line.out.append(LegEnded(Cause.CANCELLED, NO_HEADERS))
                case Act.CANCEL:
                    assert uac is not None
                    uac.cancel((), now)
                case Act.REPORT_ANSWER:
                    assert message is not None
                    answer = (
                        line.description(message) if uac is None and uas is not None and uas.offer is None else body
                    )
                    line.out.append(LegAnswered(answer, message.headers, needs_answer=self.owes_ack))
                case Act.REPORT_REFUSAL:
                    self._report_refusal(message, status)
                case Act.OFFER:
                    assert isinstance(command, Offer)
                    self.reoffers.offer(command, now)
                case Act.REFUSE_OFFER:
                    self.reoffers.refuse_ours()
                case Act.ACCEPT:
                    assert isinstance(command, Accept)
                    self._accept(command, now)
                case Act.REFUSE_REOFFER:
                    assert isinstance(command, Refuse)
                    self.reoffers.refuse_theirs(command.status, command.reason, command.headers, now)
                case Act.TURN_AWAY:
                    line.out.append(LegEnded(Cause.REFUSED, NO_HEADERS))
                case Act.END:
                    assert message is not None
                    self._close(now)
                    line.out.append(LegEnded(cause, message.headers))
                case Act.BYE:
                    self._close(now)
                    self.send_bye(now)
                    line.out.append(LegEnded(cause, NO_HEADERS))
                case Act.BYE_UNHEARD:
                    self._close(now)
                    self.send_bye(now)
                case Act.NOTHING:
                    pass
        except Exception:
            # A command out of turn leaves the leg as it was, so that `last_words` finds the right ending.
            self.phase = before
            raise

    def _dial(self, command: Invite, now: float) -> None:
        line = self.line
        line.authorizer.credentials = command.auth
        dialog = Dialog.calling(command, line.call_id, line.local_tag, line.config, line.ids, line.authorizer)
        if command.body is not None:
            line.offers.take(Turn.SEND_OFFER)
        self.uac = InviteUac(line, dialog, command.headers, command.body)
        self.uac.start(now)

    def _accept(self, command: Accept, now: float) -> None:
        line, uac = self.line, self.uac
        if not self.owes_ack:
            self.reoffers.accept(command.body, command.headers, now)
            return
        assert uac is not None
        assert line.dialog is not None
        line.offers.take(Turn.SEND_ANSWER)
        self.owes_ack = False
        uac.acknowledge(line.dialog, command.body)

    def _report_refusal(self, message: Message | None, status: int) -> None:
        self.line.offers.take(Turn.WITHDRAW)
        if isinstance(message, Response):
            contacts = message.contacts if 300 <= message.status < 400 else ()
            ordered = tuple(sorted(contacts, key=lambda contact: -(1.0 if contact.q is None else contact.q)))
            fact = LegRefused(message.status, message.reason, message.headers, ordered, local=False)
        else:
            fact = LegRefused(status, reason_phrase(status), NO_HEADERS, (), local=True)
        self.line.out.append(fact)

    def _close(self, now: float) -> None:
        """The dialog ends, whoever wanted it: nothing is repeated, nothing stays pending."""
        if self.uas is not None:
            self.uas.terminate(now)
        self.reoffers.close(now)
        if self.owes_ack:
            # 13.2.2.4: the ACK may not be left out; without an answer in it the BYE has to follow.
            assert self.uac is not None
            assert self.line.dialog is not None
            self.owes_ack = False
            self.uac.acknowledge(self.line.dialog, None)

    def send_bye(self, now: float) -> None:
        dialog = self.line.dialog
        assert dialog is not None
        self.byes += 1
        client = self.line.send(dialog.request("BYE", self.bye_headers), now)
        assert isinstance(client, NonInviteClient)
        self.bye = client
