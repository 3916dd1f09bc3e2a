"""One SIP leg: a dialog with every transaction of its Call-ID and local tag, as plain computation.

Three inputs drive it: messages (`receive`), the call's commands (`handle`) and the clock (`wake`). Each gives a list
of outputs. The phase table says what may happen when, and `Course` does it with its parts: `InviteUas` or `InviteUac`
for the INVITE that makes the dialog, `Reoffers` and `Reoffered` for what changes its session, ours and theirs. `Inbox`
reads what the transactions have to say.
"""

from __future__ import annotations

import contextlib
from typing import assert_never

import attrs

from ..build import respond
from ..errors import SipError
from ..ids import Ids
from ..message import Message, Request
from ..transaction.absorber import Absorber
from ..transaction.events import Flow, Lingering, SendResponse
from ..transaction.invite_client import InviteClient
from ..transaction.invite_server import InviteServer
from .config import HeaderItems, LegConfig
from .course import Course
from .events import (
    Accept,
    Answer,
    Bye,
    CancelInvite,
    Cause,
    Invite,
    LegCommand,
    LegOutput,
    Offer,
    Refuse,
    RefuseOffer,
    Ring,
)
from .inbox import Inbox
from .inside import read_all
from .line import Line
from .orphan import OrphanInvite, orphaned
from .phases import Input, Phase
from .reoffer import Reoffers
from .reoffered import Reoffered
from .state import Dialog
from .uac import State as UacState


@attrs.define(eq=False)
class Leg:
    """Made by `called` or `calling`; then driven by messages, commands and the clock until `finished`.

    `now` is trio seconds everywhere. Outputs are in the order in which they are to be carried out.
    """

    config: LegConfig
    ids: Ids
    call_id: str
    local_tag: str
    _line: Line = attrs.field(init=False)
    _course: Course = attrs.field(init=False)
    _inbox: Inbox = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._line = Line.open(self.config, self.ids, self.call_id, self.local_tag)
        theirs = Reoffered(self._line)
        self._course = Course(self._line, Reoffers(self._line, theirs, owns_call_id=False), theirs)
        self._inbox = Inbox(self._line, self._course)

    @classmethod
    def called(cls, invite: Request, config: LegConfig, ids: Ids) -> Leg:
        """A leg for an INVITE that came in and passed `validate_request`; give the INVITE to `receive` next."""
        return cls(config, ids, invite.call_id, ids.tag())

    @classmethod
    def calling(cls, config: LegConfig, ids: Ids) -> Leg:
        """A leg that calls; give it an `Invite` command next."""
        leg = cls(config, ids, ids.call_id(), ids.tag())
        leg._course.reoffers.owns_call_id = True
        return leg

    # ---- what drives it ----------------------------------------------------------------------------------------

    def receive(self, message: Message, flow: Flow, now: float) -> list[LegOutput]:
        """Take a message of this Call-ID: a response to our branch, or a request to our tag or transaction.

        It should have passed `validate_request` or `validate_response`. One that cannot be read changes nothing: it is
        answered with the status of its error, or dropped when it is a response or an ACK.
        """
        out = self._begin()
        try:
            read_all(message)
        except SipError as error:
            self._unreadable(message, flow, error, now)
            return out
        self._inbox.take_all(self._line.transactions.receive(message, flow, now), now)
        return out

    def handle(self, command: LegCommand, now: float) -> list[LegOutput]:
        """Carry out what the call asks for. Raises OutOfTurn when the state has no place for it: the caller's bug.

        A command that crossed the leg's end on its way is ignored.
        """
        out = self._begin()
        match command:
            case Ring():
                self._course.take(Input.RING, now, command=command)
            case Answer():
                withheld = self._course.uas is not None and self._course.uas.withholds
                self._course.take(Input.ANSWER_EARLY if withheld else Input.ANSWER, now, command=command)
            case Refuse():
                self._course.take(Input.REFUSE, now, command=command, cause=Cause.REFUSED)
            case Invite():
                self._course.take(Input.DIAL, now, command=command)
            case CancelInvite():
                self._course.bye_headers = _with_reason(command.reason, ())
                self._course.take(Input.ABANDON, now, command=command, cause=Cause.LOCAL)
            case Offer():
                self._course.take(Input.OFFER, now, command=command)
            case Accept():
                self._course.take(Input.ACCEPT, now, command=command)
            case RefuseOffer():
                self._course.take(Input.REFUSE_OFFER, now, command=command)
            case Bye():
                self._course.bye_headers = _with_reason(command.reason, command.headers)
                self._course.take(Input.HANG_UP, now, command=command, cause=Cause.LOCAL)
            case _:
                assert_never(command)
        return out

    def wake_at(self) -> float:
        """When `wake` next has work; infinity when nothing is waited for."""
        return min(self._line.transactions.wake_at(), self._course.wake_at())

    def wake(self, now: float) -> list[LegOutput]:
        """Fire every timer that is due."""
        out = self._begin()
        self._inbox.take_all(self._line.transactions.wake(now), now)
        self._course.wake(now)
        return out

    def transport_failed(self, branch: str, now: float) -> list[LegOutput]:
        """The request with this branch could not be sent to any address of its hop."""
        out = self._begin()
        self._inbox.take_all(self._line.transactions.transport_failed(branch, now), now)
        return out

    def last_words(self, now: float) -> list[LegOutput]:
        """What to send when the leg's actor crashes or is cancelled: 500, CANCEL or BYE. Then `linger`."""
        out = self._begin()
        self._course.take(Input.LAST_WORDS, now)
        # A request whose handling failed half-way has had no answer at all.
        for server in self._line.transactions.unanswered():
            self._line.respond(server, 500, now)
        return out

    @property
    def finished(self) -> bool:
        """The dialog is over and nothing in it needs this leg any more; `linger` has the rest."""
        return self._course.phase is Phase.OVER

    def linger(self) -> list[Lingering]:
        """Hand the open transactions over to whoever drives them outside the leg, each under its `key`."""
        handed: list[Lingering] = []
        first = self._course.uac
        for transaction in self._line.transactions.take_all():
            if isinstance(transaction, InviteServer) and transaction.accepted:
                handed.append(Absorber(transaction.key, transaction.wake_at()))
            elif not isinstance(transaction, InviteClient) or not orphaned(transaction):
                handed.append(transaction)
            elif first is not None and first.client is transaction:
                settled = first.state not in (UacState.CALLING, UacState.PROCEEDING, UacState.CANCEL_HELD)
                handed.append(
                    OrphanInvite(transaction, first.dialog, first.cancel_headers, settled, first.forks.dialogs)
                )
            else:
                assert self._line.dialog is not None
                handed.append(OrphanInvite(transaction, self._line.dialog, cancelled=True))
        return handed

    # ---- what a call wants to know -----------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """How far the leg has come."""
        return self._course.phase

    @property
    def rings_reliably(self) -> bool:
        """Whether a `Ring` is acknowledged, so that it may carry our offer to an INVITE that brought none."""
        return self._course.uas is not None and self._course.uas.reliable is not None

    @property
    def last_status(self) -> int | None:
        """Status of the last response to the INVITE, either way; None: none yet."""
        uas = self._course.uas
        if uas is None:
            return self._inbox.last_status
        return None if uas.server.last is None else uas.server.last.status

    @property
    def remote_tag(self) -> str | None:
        """Of the dialog; None while the other side has given none (or gives none at all, RFC 2543)."""
        return None if self._line.dialog is None else self._line.dialog.remote_tag

    @property
    def local_uri(self) -> str:
        """Our URI, from From or To; empty before the INVITE."""
        dialog = self._some_dialog()
        return "" if dialog is None else str(dialog.local.uri)

    @property
    def remote_uri(self) -> str:
        """The other side's URI, from To or From; empty before the INVITE."""
        dialog = self._some_dialog()
        return "" if dialog is None else str(dialog.remote.uri)

    def _some_dialog(self) -> Dialog | None:
        return self._line.dialog or (None if self._course.uac is None else self._course.uac.dialog)

    def _unreadable(self, message: Message, flow: Flow, error: SipError, now: float) -> None:
        if isinstance(message, Request) and message.method != "ACK":
            with contextlib.suppress(SipError):
                self._line.out.append(SendResponse(respond(message, error.status, error.reason), flow))
        if self._course.phase is Phase.NEW:
            self._course.take(Input.UNUSABLE, now)

    def _begin(self) -> list[LegOutput]:
        out: list[LegOutput] = []
        self._line.out = out
        return out


def _with_reason(reason: str | None, headers: HeaderItems) -> HeaderItems:
    return headers if reason is None else (("Reason", reason), *headers)
