"""Non-INVITE client transaction (RFC 3261 17.1.2)."""

from typing import Final

import attrs

from ..machine import Row, Symbol, Table, step
from ..message import Message, Request, Response
from ..timers import Timers
from .base import Machine
from .events import Flow, Responded, SendRequest, TimedOut, TransactionOutput, Undelivered
from .invite_client import is_reliable


class State(Symbol):
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    TERMINATED = "terminated"


class Input(Symbol):
    PROVISIONAL = "1xx"
    FINAL = "200-699"
    UNDELIVERED = "transport error"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_K = "timer K"


class Act(Symbol):
    REPEAT = "send the request again, double the interval up to T2"
    REPEAT_SLOWLY = "send the request again, every T2"
    PASS = "pass the response up"
    COMPLETE = "pass the final response up, absorb its copies"
    TIME_OUT = "report a time-out"
    FAIL = "report the transport error"
    FINISH = "end"


TABLE: Final = Table(
    "non-INVITE client",
    {
        (State.TRYING, Input.TIMER_E): Row(State.TRYING, Act.REPEAT),
        (State.TRYING, Input.TIMER_F): Row(State.TERMINATED, Act.TIME_OUT),
        (State.TRYING, Input.UNDELIVERED): Row(State.TERMINATED, Act.FAIL),
        (State.TRYING, Input.PROVISIONAL): Row(State.PROCEEDING, Act.PASS),
        (State.TRYING, Input.FINAL): Row(State.COMPLETED, Act.COMPLETE),
        (State.PROCEEDING, Input.TIMER_E): Row(State.PROCEEDING, Act.REPEAT_SLOWLY),
        (State.PROCEEDING, Input.TIMER_F): Row(State.TERMINATED, Act.TIME_OUT),
        (State.PROCEEDING, Input.UNDELIVERED): Row(State.TERMINATED, Act.FAIL),
        (State.PROCEEDING, Input.PROVISIONAL): Row(State.PROCEEDING, Act.PASS),
        (State.PROCEEDING, Input.FINAL): Row(State.COMPLETED, Act.COMPLETE),
        (State.COMPLETED, Input.TIMER_K): Row(State.TERMINATED, Act.FINISH),
    },
    wire=frozenset({Input.PROVISIONAL, Input.FINAL, Input.UNDELIVERED}),
)


@attrs.define(eq=False)
class NonInviteClient(Machine[Input]):
    """Sends a request other than INVITE and ACK until a final response comes."""

    sending: SendRequest
    reliable: bool
    """Whether the transport repeats what is lost: then timer E never runs and K is zero."""

    state: State = attrs.field(default=State.TRYING, init=False)

    @classmethod
    def start(cls, sending: SendRequest, timers: Timers, now: float) -> "NonInviteClient":
        """A transaction whose request goes out at `now`; the caller sends `sending` itself, this once."""
        reliable = is_reliable(sending.hop, sending.flow)
        made = cls((sending.branch, sending.request.method), timers, sending, reliable)
        if not reliable:
            made._repeat_every(timers.e, Input.TIMER_E, now)
        made._end_after(timers.f, Input.TIMER_F, now)
        return made

    @property
    def request(self) -> Request:
        return self.sending.request

    @property
    def finished(self) -> bool:
        return self.state is State.TERMINATED

    def receive(self, message: Message, flow: Flow, now: float) -> list[TransactionOutput]:
        """Take a response with this transaction's key."""
        if not isinstance(message, Response):
            return []
        return self._take(Input.PROVISIONAL if message.status < 200 else Input.FINAL, now, message)

    def transport_failed(self, now: float) -> list[TransactionOutput]:
        """The request could not be sent."""
        return self._take(Input.UNDELIVERED, now)

    def _take(self, given: Input, now: float, response: Response | None = None) -> list[TransactionOutput]:
        row = step(TABLE, self.state, given)
        if row is None:
            return []
        self.state = row.state
        match row.act:
            case Act.REPEAT:
                self._again(min(self._interval * 2, self.timers.t2), now)
                return [self.sending]
            case Act.REPEAT_SLOWLY:
                self._again(self.timers.t2, now)
                return [self.sending]
            case Act.PASS:
                pass
            case Act.COMPLETE:
                self._stop()
                delay = self.timers.k(self.reliable)
                if delay > 0:
                    self._end_after(delay, Input.TIMER_K, now)
                else:
                    self.state = State.TERMINATED
            case Act.TIME_OUT:
                self._stop()
                return [TimedOut(self)]
            case Act.FAIL:
                self._stop()
                return [Undelivered(self)]
            case Act.FINISH:
                self._stop()
                return []
        assert response is not None
        return [Responded(self, response)]
