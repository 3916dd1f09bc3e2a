"""One INVITE sent to us, the first or a later one: provisional, 2xx until its ACK, refusal, CANCEL (13.3, 14.2)."""

from __future__ import annotations

import enum
import math
from typing import Final

import attrs

from ..fields import RAck
from ..machine import Row, Symbol, Table, step
from ..message import Request
from ..transaction.events import SendResponse
from ..transaction.invite_server import InviteServer
from .config import HeaderItems
from .line import Line
from .offer_answer import Input as Turn
from .reliable import Provisional, ReliableResponses
from .state import Dialog

PROGRESS_EVERY_S: Final = 60.0
"""How often a provisional response is repeated while the INVITE waits (13.3.1.1)."""


class State(Symbol):
    PENDING = "pending"
    ANSWERED = "answered"
    CONFIRMED = "confirmed"
    CLOSED = "closed"


class Input(Symbol):
    ACK = "ACK"
    CANCEL = "CANCEL"
    RING = "ring"
    ANSWER = "answer"
    REFUSE = "refuse"
    TERMINATE = "the dialog ends"
    PROGRESS_DUE = "a minute without a response"
    REPEAT_DUE = "the 2xx is due again"
    PATIENCE_OVER = "64*T1 without an ACK"


class Act(Symbol):
    PROGRESS = "send the provisional response"
    PROGRESS_AGAIN = "send the provisional response again"
    ANSWER = "send the 2xx until its ACK comes"
    ANSWER_AGAIN = "send the 2xx again, double the interval up to T2"
    REFUSE = "send the refusal"
    TERMINATE = "send 487"
    STOP = "repeat nothing any more"
    NOTHING = "it crossed the end on its way"


TABLE: Final = Table(
    "INVITE received",
    {
        (State.PENDING, Input.RING): Row(State.PENDING, Act.PROGRESS),
        (State.PENDING, Input.PROGRESS_DUE): Row(State.PENDING, Act.PROGRESS_AGAIN),
        (State.PENDING, Input.ANSWER): Row(State.ANSWERED, Act.ANSWER),
        (State.PENDING, Input.REFUSE): Row(State.CLOSED, Act.REFUSE),
        (State.PENDING, Input.CANCEL): Row(State.CLOSED, Act.TERMINATE),
        (State.PENDING, Input.TERMINATE): Row(State.CLOSED, Act.TERMINATE),
        (State.ANSWERED, Input.REPEAT_DUE): Row(State.ANSWERED, Act.ANSWER_AGAIN),
        (State.ANSWERED, Input.PATIENCE_OVER): Row(State.CLOSED, Act.STOP),
        (State.ANSWERED, Input.ACK): Row(State.CONFIRMED, Act.STOP),
        (State.ANSWERED, Input.TERMINATE): Row(State.CLOSED, Act.STOP),
        (State.CONFIRMED, Input.TERMINATE): Row(State.CLOSED, Act.NOTHING),
        (State.CLOSED, Input.TERMINATE): Row(State.CLOSED, Act.NOTHING),
        (State.CLOSED, Input.RING): Row(State.CLOSED, Act.NOTHING),
        (State.CLOSED, Input.ANSWER): Row(State.CLOSED, Act.NOTHING),
        (State.CLOSED, Input.REFUSE): Row(State.CLOSED, Act.NOTHING),
    },
    wire=frozenset({Input.ACK, Input.CANCEL}),
)


class Overdue(enum.Enum):
    """What the other side has not acknowledged in time."""

    ACK = "the 2xx"
    PRACK = "a reliable 1xx"


@attrs.define(eq=False)
class InviteUas:
    """The answering side of one INVITE. It answers; what that means for the dialog is the leg's to say."""

    line: Line
    server: InviteServer
    dialog: Dialog
    offer: bytes | None
    """The description in the INVITE; None: our 2xx, or a reliable 1xx, carries the offer."""

    reliable: ReliableResponses | None = None
    """How its provisional responses are sent; None: as ordinary ones."""

    state: State = attrs.field(default=State.PENDING, init=False)
    owed: bool = attrs.field(default=False, init=False)
    """Our 2xx made an offer, and the ACK has to bring the answer."""

    _progress: Provisional | None = attrs.field(default=None, init=False)
    _progress_at: float = attrs.field(default=math.inf, init=False)
    _answer: SendResponse | None = attrs.field(default=None, init=False)
    _interval: float = attrs.field(default=0.0, init=False)
    _repeat_at: float = attrs.field(default=math.inf, init=False)
    _give_up_at: float = attrs.field(default=math.inf, init=False)

    @property
    def request(self) -> Request:
        return self.server.request

    @property
    def pending(self) -> bool:
        """It has no final response yet."""
        return self.state is State.PENDING

    @property
    def unacknowledged(self) -> bool:
        """Its 2xx has no ACK yet."""
        return self.state is State.ANSWERED

    @property
    def withholds(self) -> bool:
        """The 2xx has to wait for the PRACK of a description (RFC 3262 section 3)."""
        return self.reliable is not None and self.reliable.withholds

    def ring(self, status: int, headers: HeaderItems, body: bytes | None, now: float) -> None:
        """Send a provisional response, 101 to 199. Raises OutOfTurn for a description that may not be in one."""
        self._take(Input.RING, now, status, None, headers, body)

    def answer(self, headers: HeaderItems, body: bytes | None, now: float) -> bool:
        """Send a 200; False when the INVITE was cancelled meanwhile. Raises OutOfTurn when it was answered before."""
        return self._take(Input.ANSWER, now, 200, None, headers, body) is Act.ANSWER

    def refuse(self, status: int, reason: str | None, headers: HeaderItems, now: float) -> bool:
        """Send a refusal; False when the INVITE was cancelled meanwhile. Raises OutOfTurn once it is answered."""
        return self._take(Input.REFUSE, now, status, reason, headers) is Act.REFUSE

    def cancel(self, now: float) -> bool:
        """A CANCEL came; False when it came too late."""
        return self._take(Input.CANCEL, now) is Act.TERMINATE

    def terminate(self, now: float) -> None:
        """The dialog ends: 487 to a pending INVITE (15.1.2), no more copies of a 2xx."""
        self._take(Input.TERMINATE, now)

    def acknowledge(self, ack: Request) -> bool:
        """An ACK came; False for a late copy, or when it belongs to another INVITE."""
        if ack.cseq.number != self.request.cseq.number:
            return False
        return self._take(Input.ACK, 0.0) is Act.STOP

    def acknowledge_by_later(self) -> None:
        """A later INVITE came, so the other side has our 2xx and the ACK was lost (RFC 5407 3.1.4)."""
        self._take(Input.ACK, 0.0)

    def pracked(self, rack: RAck, now: float) -> bool:
        """A PRACK came; False when it acknowledges nothing that waits for it."""
        return self.reliable is not None and self.reliable.acknowledge(rack, now)

    def wake_at(self) -> float:
        """When `wake` next has work."""
        soonest = min(self._progress_at, self._repeat_at, self._give_up_at)
        return soonest if self.reliable is None else min(soonest, self.reliable.wake_at())

    def wake(self, now: float) -> Overdue | None:
        """Fire what is due. What has waited 64*T1 for the other side in vain, if anything has."""
        if self._give_up_at <= now:
            self._take(Input.PATIENCE_OVER, now)
            return Overdue.ACK
        if self._repeat_at <= now:
            self._take(Input.REPEAT_DUE, now)
        if self._progress_at <= now:
            self._take(Input.PROGRESS_DUE, now)
        if self.reliable is not None and self.reliable.wake_at() <= now and self.reliable.wake(now):
            return Overdue.PRACK
        return None

    def _take(
        self,
        given: Input,
        now: float,
        status: int = 0,
        reason: str | None = None,
        headers: HeaderItems = (),
        body: bytes | None = None,
    ) -> Act | None:
        row = step(TABLE, self.state, given)
        if row is None:
            return None
        self.state = row.state
        line, server, timers = self.line, self.server, self.line.config.timers
        match row.act:
            case Act.PROGRESS:
                self._ring(Provisional(status, headers, body), now)
                # A description in a reliable one has arrived, and is not said twice.
                self._progress = Provisional(status, headers, body if self.reliable is None else None)
                self._progress_at = now + PROGRESS_EVERY_S
            case Act.PROGRESS_AGAIN:
                assert self._progress is not None
                self._ring(self._progress, now)
                self._progress_at = now + PROGRESS_EVERY_S
            case Act.ANSWER:
                self._stop(now)
                # 13.3.1.4: over every transport, as a later hop may be an unreliable one.
                self._interval = timers.t1
                self._repeat_at, self._give_up_at = now + timers.t1, now + timers.patience
                if self.reliable is not None and self.reliable.described:
                    body = None
                else:
                    self.owed = self.offer is None
                    self.dialog.offers.take(Turn.SEND_OFFER if self.owed else Turn.SEND_ANSWER, body)
                session = line.session.answer(server.request, now)
                self._answer = line.respond(
                    server, status, now, reason, (*line.abilities, *session, *headers), body, contact=True
                )
            case Act.ANSWER_AGAIN:
                assert self._answer is not None
                self._interval = min(self._interval * 2, timers.t2)
                due = self._repeat_at + self._interval
                self._repeat_at = due if due > now else now + self._interval
                # Past the transaction, which may be gone by now and would only pass it through (RFC 6026 7.1).
                line.out.append(SendResponse(self._answer.response, server.flow))
            case Act.REFUSE:
                self._stop(now)
                self.dialog.offers.take(Turn.WITHDRAW)
                line.respond(server, status, now, reason, headers)
            case Act.TERMINATE:
                self._stop(now)
                self.dialog.offers.take(Turn.WITHDRAW)
                line.respond(server, 487, now)
            case Act.STOP:
                self._stop(now)
            case Act.NOTHING:
                pass
        return row.act

    def _ring(self, response: Provisional, now: float) -> None:
        if self.reliable is not None:
            self.reliable.ring(response, now)
            return
        if response.body is not None:
            self.dialog.offers.take(Turn.SEND_EARLY_ANSWER)
        headers = (*self.line.abilities, *response.headers)
        self.line.respond(self.server, response.status, now, None, headers, response.body, contact=True)

    def _stop(self, now: float) -> None:
        self._progress_at = self._repeat_at = self._give_up_at = math.inf
        if self.reliable is not None:
            self.reliable.stop(now)
