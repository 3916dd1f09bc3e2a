"""What a leg does as its phases pass: the acts of the phase table, from the first INVITE to the last BYE."""

from typing import Final

import attrs

from ..headers import Headers
from ..machine import OutOfTurn, step
from ..message import Message, Request, Response
from ..tokens import reason_phrase
from ..transaction.client import NonInviteClient
from .config import HeaderItems
from .events import (
    Accept,
    Answer,
    CancelInvite,
    Cause,
    Invite,
    LegAnswered,
    LegCommand,
    LegEnded,
    LegOffered,
    LegParted,
    LegRefused,
    Offer,
    Refuse,
    RefuseOffer,
    Ring,
)
from .line import Line
from .offer_answer import Input as Turn
from .phases import TABLE, Act, Input, Phase
from .reoffer import Reoffers
from .reoffered import Reoffered
from .session_timer import EXPIRED
from .session_timer import Act as Due
from .state import Dialog
from .uac import InviteUac
from .uas import InviteUas, Overdue

NO_HEADERS: Final = Headers()
MAX_BYES: Final = 3
"""BYEs sent to end one dialog: a proxy and the other side may both ask for credentials."""


@attrs.define(eq=False)
class Course:
    """A leg's phase, and the parts that were begun in it. `take` is the only way from one phase to the next."""

    line: Line
    reoffers: Reoffers
    """What we ask of the session once there is one."""

    reoffered: Reoffered
    """What the other side asks of it."""

    phase: Phase = Phase.NEW
    uas: InviteUas | None = None
    """The INVITE that made a called leg."""

    uac: InviteUac | None = None
    """The INVITE that made a calling leg."""

    owes_ack: bool = False
    """The 2xx to our INVITE brought an offer, and its ACK waits for our answer."""

    kept: Answer | None = None
    """The 2xx to come, while it waits for a PRACK."""

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
        asks: bool = False,
        early: bool = False,
    ) -> None:
        """Take one input. What comes with it is for the act: `body`, `asks` and `early` are an answer's."""
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
                    uas.ring(command.status, command.headers, command.body, now)
                case Act.ANSWER:
                    assert isinstance(command, Answer)
                    assert uas is not None
                    uas.answer(command.headers, command.body, now)
                case Act.WITHHOLD:
                    assert isinstance(command, Answer)
                    self.kept = command
                case Act.ANSWER_AT_LAST:
                    assert self.kept is not None
                    assert uas is not None
                    uas.answer(self.kept.headers, self.kept.body, now)
                case Act.REFUSE:
                    assert isinstance(command, Refuse)
                    self._turn_down(now, command.status, command.reason, command.headers)
                    line.out.append(LegEnded(cause, NO_HEADERS))
                case Act.DECLINE:
                    self._turn_down(now, 480, None, self.bye_headers)
                    line.out.append(LegEnded(cause, NO_HEADERS))
                case Act.TIME_OUT:
                    self._turn_down(now, 504)
                    line.out.append(LegEnded(cause, NO_HEADERS))
                case Act.CANCELLED:
                    assert message is not None
                    self._close(now)
                    line.out.append(LegEnded(Cause.CANCELLED, message.headers))
                case Act.FAIL:
                    self._turn_down(now, 500)
                case Act.DIAL:
                    assert isinstance(command, Invite)
                    self._dial(command, now)
                case Act.ABANDON:
                    assert uac is not None
                    self._close(now)
                    uac.cancel(self.bye_headers, now, unheard=isinstance(command, CancelInvite) and command.unheard)
                    line.out.append(LegEnded(Cause.CANCELLED, NO_HEADERS))
                case Act.CANCEL:
                    assert uac is not None
                    self._close(now)
                    uac.cancel((), now)
                case Act.REPORT_ANSWER:
                    assert message is not None
                    assert line.dialog is not None
                    line.dialog.confirmed = True
                    local = line.dialog.offers.local if early else None
                    line.out.append(LegAnswered(body, message.headers, needs_answer=asks, early=early, local=local))
                case Act.REPORT_REFUSAL:
                    self._close(now)
                    self._report_refusal(message, status)
                case Act.OFFER:
                    assert isinstance(command, Offer)
                    self._offer(command, now)
                case Act.REFUSE_OFFER:
                    self.reoffers.refuse_ours()
                case Act.ACCEPT:
                    assert isinstance(command, Accept)
                    if not self._accept(command, now):
                        raise OutOfTurn(TABLE.name, before, given)
                case Act.REFUSE_REOFFER:
                    assert isinstance(command, Refuse | RefuseOffer)
                    if not self.reoffered.refuse(command.status, command.reason, command.headers, now):
                        raise OutOfTurn(TABLE.name, before, given)
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
                case Act.REPORT_PARTING:
                    if message is not None:
                        line.out.append(LegParted(message.headers))
                case Act.NOTHING:
                    pass
        except Exception:
            # A command out of turn leaves the leg as it was, so that `last_words` finds the right ending.
            self.phase = before
            raise

    # ---- acts ----------------------------------------------------------------------------------------------------

    def _dial(self, command: Invite, now: float) -> None:
        line = self.line
        line.authorizer.credentials = command.auth
        dialog = Dialog.calling(command, line.call_id, line.local_tag, line.config, line.ids, line.authorizer)
        if command.body is not None:
            dialog.offers.take(Turn.SEND_OFFER, command.body)
        self.uac = InviteUac(line, dialog, command.headers, command.body)
        self.uac.start(now)

    def _turn_down(self, now: float, status: int, reason: str | None = None, headers: HeaderItems = ()) -> None:
        """Refuse the INVITE that made the leg."""
        assert self.uas is not None
        self.uas.refuse(status, reason, headers, now)
        self._close(now)

    def _offer(self, command: Offer, now: float) -> None:
        dialog = self.line.dialog
        if dialog is None and self.uac is not None:
            dialog = self.uac.forks.dialog(command.tag)
        if dialog is None:
            self.reoffers.refuse_ours()
        else:
            self.reoffers.offer(command, dialog, now)

    def _accept(self, command: Accept, now: float) -> bool:
        """Answer whatever asked for it; False when nothing did."""
        line, uac = self.line, self.uac
        if self.owes_ack:
            assert uac is not None
            assert line.dialog is not None
            line.dialog.offers.take(Turn.SEND_ANSWER, command.body)
            self.owes_ack = False
            uac.acknowledge(line.dialog, command.body)
            return True
        if uac is not None and self.phase is Phase.CALLING and uac.forks.asks(command.tag):
            uac.forks.answer(command.tag, command.body, now)
            return True
        return self.reoffered.accept(command.body, command.headers, now)

    def _report_refusal(self, message: Message | None, status: int) -> None:
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
        self.reoffered.close(now)
        self.line.session.stop(now)
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

    # ---- the clock -----------------------------------------------------------------------------------------------

    def wake_at(self) -> float:
        """When `wake` next has work; the transactions have dates of their own."""
        soonest = min(self.reoffers.wake_at(), self.reoffered.wake_at())
        if self.uas is not None:
            soonest = min(soonest, self.uas.wake_at())
        if self.phase is Phase.UP:
            soonest = min(soonest, self.line.session.wake_at())
        return soonest

    def wake(self, now: float) -> None:
        """Fire what is due."""
        first = self.uas.wake(now) if self.uas is not None and self.uas.wake_at() <= now else None
        if first is Overdue.PRACK:
            self.take(Input.UNPRACKED, now, cause=Cause.NO_PRACK)
        later = self.reoffered.wake(now)
        if Overdue.ACK in (first, later):
            self.take(Input.UNACKNOWLEDGED, now, cause=Cause.NO_ACK)
        if self.reoffers.wake_at() <= now:
            self.reoffers.wake(now)
        if self.phase is Phase.UP and self.line.session.wake_at() <= now:
            self._refresh_or_expire(now)

    def _refresh_or_expire(self, now: float) -> None:
        dialog = self.line.dialog
        assert dialog is not None
        match self.line.session.wake(now):
            case Due.REFRESH:
                self.reoffers.refresh(dialog, now)
            case Due.EXPIRE:
                self.bye_headers = (("Reason", EXPIRED),)
                self.take(Input.EXPIRED, now, cause=Cause.EXPIRED)
            case _:
                pass
