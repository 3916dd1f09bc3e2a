"""Non-INVITE server transaction (RFC 3261 17.2.2)."""

from typing import Final

import attrs

from ..machine import Row, Symbol, Table, step
from ..message import Message, Request, Response
from ..timers import Timers
from .base import Machine
from .events import Flow, SendResponse, TransactionOutput, Undelivered
from .key import ServerKey


class State(Symbol):
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    TERMINATED = "terminated"


class Input(Symbol):
    REQUEST = "the request again"
    UNDELIVERED = "transport error"
    PROVISIONAL = "1xx from our user"
    FINAL = "200-699 from our user"
    TIMER_J = "timer J"


class Act(Symbol):
    RESPOND = "send the response"
    COMPLETE = "send the response, repeat it to copies of the request"
    REPEAT = "send the last response again"
    FAIL = "report the transport error"
    FINISH = "end"


TABLE: Final = Table(
    "non-INVITE server",
    {
        (State.TRYING, Input.PROVISIONAL): Row(State.PROCEEDING, Act.RESPOND),
        (State.TRYING, Input.FINAL): Row(State.COMPLETED, Act.COMPLETE),
        (State.PROCEEDING, Input.PROVISIONAL): Row(State.PROCEEDING, Act.RESPOND),
        (State.PROCEEDING, Input.FINAL): Row(State.COMPLETED, Act.COMPLETE),
        (State.PROCEEDING, Input.REQUEST): Row(State.PROCEEDING, Act.REPEAT),
        (State.PROCEEDING, Input.UNDELIVERED): Row(State.TERMINATED, Act.FAIL),
        (State.COMPLETED, Input.REQUEST): Row(State.COMPLETED, Act.REPEAT),
        (State.COMPLETED, Input.UNDELIVERED): Row(State.TERMINATED, Act.FAIL),
        (State.COMPLETED, Input.TIMER_J): Row(State.TERMINATED, Act.FINISH),
    },
    wire=frozenset({Input.REQUEST, Input.UNDELIVERED}),
)


@attrs.define(eq=False)
class NonInviteServer(Machine[Input]):
    """Answers a request other than INVITE and ACK, and its copies with the same response."""

    request: Request
    flow: Flow
    """Where the latest copy came from, and so where responses go."""

    state: State = attrs.field(default=State.TRYING, init=False)
    last: Response | None = attrs.field(default=None, init=False)

    @classmethod
    def start(cls, key: ServerKey, request: Request, flow: Flow, timers: Timers) -> "NonInviteServer":
        return cls(key, timers, request, flow)

    @property
    def finished(self) -> bool:
        return self.state is State.TERMINATED

    @property
    def answered(self) -> bool:
        """A final response has been given."""
        return self.state in (State.COMPLETED, State.TERMINATED)

    def receive(self, message: Message, flow: Flow, now: float) -> list[TransactionOutput]:
        """Take a copy of the request."""
        if not isinstance(message, Request):
            return []
        self.flow = flow
        return self._take(Input.REQUEST, now)

    def respond(self, response: Response, now: float) -> list[TransactionOutput]:
        """Send a response of our user. Raises OutOfTurn after a final one."""
        return self._take(Input.PROVISIONAL if response.status < 200 else Input.FINAL, now, response)

    def transport_failed(self, now: float) -> list[TransactionOutput]:
        """A response could not be sent."""
        return self._take(Input.UNDELIVERED, now)

    def _take(self, given: Input, now: float, response: Response | None = None) -> list[TransactionOutput]:
        row = step(TABLE, self.state, given)
        if row is None:
            return []
        self.state = row.state
        match row.act:
            case Act.RESPOND:
                pass
            case Act.COMPLETE:
                delay = self.timers.j(self.flow.reliable)
                if delay > 0:
                    self._end_after(delay, Input.TIMER_J, now)
                else:
                    self.state = State.TERMINATED
            case Act.REPEAT:
                assert self.last is not None
                return [SendResponse(self.last, self.flow)]
            case Act.FAIL:
                self._stop()
                return [Undelivered(self)]
            case Act.FINISH:
                self._stop()
                return []
        assert response is not None
        self.last = response
        return [SendResponse(response, self.flow)]
