"""INVITE client transaction (RFC 3261 17.1.1, with the Accepted state of RFC 6026 section 7.2)."""

from typing import Final

import attrs

from ..build import ack_for
from ..machine import Row, Symbol, Table, step
from ..message import Message, Request, Response
from ..routing import Hop
from ..timers import Timers
from .base import Machine
from .events import Flow, Responded, SendRequest, TimedOut, TransactionOutput, Undelivered

MAX_FORKS: Final = 16
"""Forks whose answers are taken: each costs an ACK and a BYE, which a hostile callee must not multiply at will."""


class State(Symbol):
    CALLING = "calling"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


class Input(Symbol):
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    REFUSAL = "300-699"
    UNDELIVERED = "transport error"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_M = "timer M"
    EXPIRY = "64*T1 after a CANCEL"


class Act(Symbol):
    REPEAT = "send the INVITE again"
    PASS = "pass the response up"
    ACCEPT = "pass the 2xx up, wait for more of them"
    REFUSE = "acknowledge, pass the response up"
    ACKNOWLEDGE = "acknowledge again"
    MORE = "acknowledge a 2xx again, pass another one up"
    TIME_OUT = "report a time-out"
    FAIL = "report the transport error"
    FINISH = "end"


TABLE: Final = Table(
    "INVITE client",
    {
        (State.CALLING, Input.TIMER_A): Row(State.CALLING, Act.REPEAT),
        (State.CALLING, Input.TIMER_B): Row(State.TERMINATED, Act.TIME_OUT),
        (State.CALLING, Input.UNDELIVERED): Row(State.TERMINATED, Act.FAIL),
        (State.CALLING, Input.PROVISIONAL): Row(State.PROCEEDING, Act.PASS),
        (State.CALLING, Input.SUCCESS): Row(State.ACCEPTED, Act.ACCEPT),
        (State.CALLING, Input.REFUSAL): Row(State.COMPLETED, Act.REFUSE),
        (State.PROCEEDING, Input.PROVISIONAL): Row(State.PROCEEDING, Act.PASS),
        (State.PROCEEDING, Input.SUCCESS): Row(State.ACCEPTED, Act.ACCEPT),
        (State.PROCEEDING, Input.REFUSAL): Row(State.COMPLETED, Act.REFUSE),
        (State.PROCEEDING, Input.EXPIRY): Row(State.TERMINATED, Act.TIME_OUT),
        (State.COMPLETED, Input.REFUSAL): Row(State.COMPLETED, Act.ACKNOWLEDGE),
        (State.COMPLETED, Input.UNDELIVERED): Row(State.TERMINATED, Act.FAIL),
        (State.COMPLETED, Input.TIMER_D): Row(State.TERMINATED, Act.FINISH),
        (State.ACCEPTED, Input.SUCCESS): Row(State.ACCEPTED, Act.MORE),
        (State.ACCEPTED, Input.TIMER_M): Row(State.TERMINATED, Act.FINISH),
    },
    wire=frozenset({Input.PROVISIONAL, Input.SUCCESS, Input.REFUSAL, Input.UNDELIVERED}),
)


@attrs.define(eq=False)
class InviteClient(Machine[Input]):
    """Sends an INVITE until something comes back, and acknowledges a refusal.

    A 2xx is the dialog's to acknowledge, which leaves the ACK here: copies of the 2xx get it again (13.2.2.4), even
    when the dialog has ended meanwhile.
    """

    sending: SendRequest
    reliable: bool
    """Whether the transport repeats what is lost: then timer A never runs and D is zero."""

    state: State = attrs.field(default=State.CALLING, init=False)
    _ack: SendRequest | None = attrs.field(default=None, init=False)
    _acks: dict[str | None, SendRequest] = attrs.field(factory=dict, init=False)

    @classmethod
    def start(cls, sending: SendRequest, timers: Timers, now: float) -> "InviteClient":
        """A transaction whose INVITE goes out at `now`; the caller sends `sending` itself, this once."""
        reliable = is_reliable(sending.hop, sending.flow)
        made = cls((sending.branch, "INVITE"), timers, sending, reliable)
        if not reliable:
            made._repeat_every(timers.a, Input.TIMER_A, now)
        made._end_after(timers.b, Input.TIMER_B, now)
        return made

    @property
    def request(self) -> Request:
        return self.sending.request

    @property
    def finished(self) -> bool:
        return self.state is State.TERMINATED

    def acknowledge(self, tag: str | None, ack: SendRequest) -> None:
        """Keep the ACK of the 2xx from the fork with this To tag; the caller sends its first copy."""
        self._acks[tag] = ack

    def receive(self, message: Message, flow: Flow, now: float) -> list[TransactionOutput]:
        """Take a response with this transaction's key."""
        if not isinstance(message, Response):
            return []
        status = message.status
        given = Input.PROVISIONAL if status < 200 else Input.SUCCESS if status < 300 else Input.REFUSAL
        return self._take(given, now, message)

    def fall_silent(self) -> None:
        """Repeat the INVITE no more; whatever comes until timer B is still taken."""
        if self.state is State.CALLING:
            self._stop_repeating()

    def expire(self, at: float) -> None:
        """End at `at` unless a final response comes before: a cancelled INVITE is not waited for any longer (9.1)."""
        if self.state is State.PROCEEDING:
            self._end, self._end_at = Input.EXPIRY, at

    def transport_failed(self, now: float) -> list[TransactionOutput]:
        """The INVITE, or the ACK of its refusal, could not be sent."""
        return self._take(Input.UNDELIVERED, now)

    def _take(self, given: Input, now: float, response: Response | None = None) -> list[TransactionOutput]:
        row = step(TABLE, self.state, given)
        if row is None:
            return []
        self.state = row.state
        match row.act:
            case Act.REPEAT:
                self._again(self._interval * 2, now)
                return [self.sending]
            case Act.PASS:
                if self._end is Input.TIMER_B:
                    self._stop()
            case Act.ACCEPT:
                self._stop_repeating()
                self._end_after(self.timers.m, Input.TIMER_M, now)
            case Act.REFUSE:
                assert response is not None
                ack = ack_for(self.request, response)
                self._ack = SendRequest(ack, self.sending.hop, self.sending.flow, self.sending.branch)
                self._stop()
                delay = self.timers.d(self.reliable)
                if delay > 0:
                    self._end_after(delay, Input.TIMER_D, now)
                else:
                    self.state = State.TERMINATED
                return [self._ack, Responded(self, response)]
            case Act.ACKNOWLEDGE:
                assert self._ack is not None
                return [self._ack]
            case Act.MORE:
                assert response is not None
                ack_again = self._acks.get(response.to_tag)
                if ack_again is not None:
                    return [ack_again]
                if len(self._acks) >= MAX_FORKS:
                    return []
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


def is_reliable(hop: Hop, flow: Flow | None) -> bool:
    """Whether a request sent this way needs no copies."""
    return flow.reliable if flow is not None else hop.transport.upper() != "UDP"
