"""INVITE server transaction (RFC 3261 17.2.1, with the Accepted state of RFC 6026 section 7.1)."""

from typing import Final

import attrs

from ..build import respond
from ..machine import Row, Symbol, Table, step
from ..message import Message, Request, Response
from ..timers import Timers
from .base import Machine
from .events import Acknowledged, Flow, SendResponse, TimedOut, TransactionOutput, Undelivered
from .key import ServerKey

TRYING_AFTER_S: Final = 0.2
"""A 100 goes out when our user has sent nothing by then (17.2.1)."""


class State(Symbol):
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


class Input(Symbol):
    INVITE = "INVITE"
    ACK = "ACK"
    UNDELIVERED = "transport error"
    PROVISIONAL = "1xx from our user"
    SUCCESS = "2xx from our user"
    REFUSAL = "300-699 from our user"
    TIMER_TRYING = "200 ms"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_L = "timer L"


class Act(Symbol):
    TRY = "send 100"
    RESPOND = "send the response"
    ACCEPT = "send the 2xx, absorb copies of the INVITE"
    REFUSE = "send the response until its ACK comes"
    REPEAT = "send the last response again"
    REPEAT_LATER = "send the last response again, double the interval"
    CONFIRM = "stop sending, absorb copies of the ACK"
    PASS = "pass the ACK up"
    TIME_OUT = "report the missing ACK"
    FAIL = "report the transport error"
    FINISH = "end"


# A transport error changes no state: another copy of the INVITE may find the way back open again (RFC 6026 7.1).
TABLE: Final = Table(
    "INVITE server",
    {
        (State.PROCEEDING, Input.INVITE): Row(State.PROCEEDING, Act.REPEAT),
        (State.PROCEEDING, Input.TIMER_TRYING): Row(State.PROCEEDING, Act.TRY),
        (State.PROCEEDING, Input.PROVISIONAL): Row(State.PROCEEDING, Act.RESPOND),
        (State.PROCEEDING, Input.SUCCESS): Row(State.ACCEPTED, Act.ACCEPT),
        (State.PROCEEDING, Input.REFUSAL): Row(State.COMPLETED, Act.REFUSE),
        (State.PROCEEDING, Input.UNDELIVERED): Row(State.PROCEEDING, Act.FAIL),
        (State.COMPLETED, Input.INVITE): Row(State.COMPLETED, Act.REPEAT),
        (State.COMPLETED, Input.TIMER_G): Row(State.COMPLETED, Act.REPEAT_LATER),
        (State.COMPLETED, Input.TIMER_H): Row(State.TERMINATED, Act.TIME_OUT),
        (State.COMPLETED, Input.ACK): Row(State.CONFIRMED, Act.CONFIRM),
        (State.COMPLETED, Input.UNDELIVERED): Row(State.COMPLETED, Act.FAIL),
        (State.CONFIRMED, Input.TIMER_I): Row(State.TERMINATED, Act.FINISH),
        (State.ACCEPTED, Input.SUCCESS): Row(State.ACCEPTED, Act.RESPOND),
        (State.ACCEPTED, Input.ACK): Row(State.ACCEPTED, Act.PASS),
        (State.ACCEPTED, Input.UNDELIVERED): Row(State.ACCEPTED, Act.FAIL),
        (State.ACCEPTED, Input.TIMER_L): Row(State.TERMINATED, Act.FINISH),
    },
    wire=frozenset({Input.INVITE, Input.ACK, Input.UNDELIVERED}),
)


@attrs.define(eq=False)
class InviteServer(Machine[Input]):
    """Answers an INVITE: repeats a refusal until its ACK; a 2xx is repeated by the dialog, and only passes through."""

    request: Request
    flow: Flow
    """Where the latest copy came from, and so where responses go."""

    headers: tuple[tuple[str, str], ...] = ()
    """Added to a 100 of the transaction's own."""

    state: State = attrs.field(default=State.PROCEEDING, init=False)
    last: Response | None = attrs.field(default=None, init=False)

    @classmethod
    def start(
        cls,
        key: ServerKey,
        request: Request,
        flow: Flow,
        timers: Timers,
        now: float,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> "InviteServer":
        """A transaction for an INVITE that came in at `now`."""
        made = cls(key, timers, request, flow, headers)
        made._repeat_every(TRYING_AFTER_S, Input.TIMER_TRYING, now)
        return made

    @property
    def finished(self) -> bool:
        return self.state is State.TERMINATED

    @property
    def answered(self) -> bool:
        """A final response has been given."""
        return self.state is not State.PROCEEDING

    @property
    def accepted(self) -> bool:
        """A 2xx has been given; copies of the INVITE are absorbed."""
        return self.state is State.ACCEPTED

    def receive(self, message: Message, flow: Flow, now: float) -> list[TransactionOutput]:
        """Take a copy of the INVITE, or an ACK with this transaction's key."""
        if not isinstance(message, Request):
            return []
        if message.method == "ACK":
            return self._take(Input.ACK, now, ack=message)
        self.flow = flow
        return self._take(Input.INVITE, now)

    def respond(self, response: Response, now: float) -> list[TransactionOutput]:
        """Send a response of our user. Raises OutOfTurn after a final one (a repeated 2xx excepted)."""
        status = response.status
        given = Input.PROVISIONAL if status < 200 else Input.SUCCESS if status < 300 else Input.REFUSAL
        return self._take(given, now, response)

    def transport_failed(self, now: float) -> list[TransactionOutput]:
        """A response could not be sent."""
        return self._take(Input.UNDELIVERED, now)

    def _take(
        self, given: Input, now: float, response: Response | None = None, ack: Request | None = None
    ) -> list[TransactionOutput]:
        row = step(TABLE, self.state, given)
        if row is None:
            return []
        self.state = row.state
        match row.act:
            case Act.TRY:
                response = respond(self.request, 100, headers=self.headers)
                self._stop()
            case Act.RESPOND:
                self._stop_repeating()
            case Act.ACCEPT:
                self._stop()
                self._end_after(self.timers.l, Input.TIMER_L, now)
            case Act.REFUSE:
                self._stop()
                if not self.flow.reliable:
                    self._repeat_every(self.timers.g, Input.TIMER_G, now)
                self._end_after(self.timers.h, Input.TIMER_H, now)
            case Act.REPEAT:
                return [] if self.last is None else [SendResponse(self.last, self.flow)]
            case Act.REPEAT_LATER:
                assert self.last is not None
                self._again(min(self._interval * 2, self.timers.t2), now)
                return [SendResponse(self.last, self.flow)]
            case Act.CONFIRM:
                self._stop()
                delay = self.timers.i(self.flow.reliable)
                if delay > 0:
                    self._end_after(delay, Input.TIMER_I, now)
                else:
                    self.state = State.TERMINATED
                return []
            case Act.PASS:
                assert ack is not None
                return [Acknowledged(self, ack)]
            case Act.TIME_OUT:
                self._stop()
                return [TimedOut(self)]
            case Act.FAIL:
                return [Undelivered(self)]
            case Act.FINISH:
                self._stop()
                return []
        assert response is not None
        self.last = response
        return [SendResponse(response, self.flow)]
