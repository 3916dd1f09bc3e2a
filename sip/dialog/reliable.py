"""Provisional responses that are sent until they are acknowledged, on the side that sends and the one that hears them.

RFC 3262. A description in such a response counts as offer or answer, because it is sure to arrive (section 5).
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from ..fields import RAck
from ..machine import Row, Symbol, Table, step
from ..message import Message, Response
from ..transaction.events import SendResponse
from ..transaction.invite_server import InviteServer
from .config import RELIABLE, HeaderItems, LegConfig, Reliability
from .line import Line
from .offer_answer import Input as Turn
from .offer_answer import OfferAnswer


class State(Symbol):
    READY = "nothing waits for a PRACK"
    SENT = "the last one waits for its PRACK"
    CLOSED = "the INVITE is answered"


class Input(Symbol):
    RING = "ring"
    PRACK = "PRACK of the last one"
    REPEAT_DUE = "the last one is due again"
    PATIENCE_OVER = "64*T1 without a PRACK"
    STOP = "the INVITE is answered, or the dialog ends"


class Act(Symbol):
    SEND = "send it until its PRACK comes"
    QUEUE = "keep it until the PRACK of the last one"
    ACKNOWLEDGE = "repeat it no more"
    REPEAT = "send it again, double the interval"
    GIVE_UP = "report that no PRACK comes"
    STOP = "repeat nothing, drop what is kept"


# Section 3: no second one before the first is acknowledged, and a PRACK may come after the final response yet.
TABLE: Final = Table(
    "reliable responses sent",
    {
        (State.READY, Input.RING): Row(State.SENT, Act.SEND),
        (State.READY, Input.STOP): Row(State.CLOSED, Act.STOP),
        (State.SENT, Input.RING): Row(State.SENT, Act.QUEUE),
        (State.SENT, Input.PRACK): Row(State.READY, Act.ACKNOWLEDGE),
        (State.SENT, Input.REPEAT_DUE): Row(State.SENT, Act.REPEAT),
        (State.SENT, Input.PATIENCE_OVER): Row(State.CLOSED, Act.GIVE_UP),
        (State.SENT, Input.STOP): Row(State.CLOSED, Act.STOP),
        (State.CLOSED, Input.PRACK): Row(State.CLOSED, Act.ACKNOWLEDGE),
        (State.CLOSED, Input.STOP): Row(State.CLOSED, Act.STOP),
    },
    wire=frozenset({Input.PRACK}),
)


@attrs.frozen
class Provisional:
    """A response of the call's, 101 to 199, as it is to be sent."""

    status: int
    headers: HeaderItems
    body: bytes | None


@attrs.define(eq=False)
class ReliableResponses:
    """The reliable provisional responses to one INVITE: numbered, one at a time, each repeated until its PRACK."""

    line: Line
    server: InviteServer
    offers: OfferAnswer
    offered: bool
    """Whether the INVITE brought an offer, which the first description answers; else that one is our offer."""

    state: State = attrs.field(default=State.READY, init=False)
    described: bool = attrs.field(default=False, init=False)
    """A description has gone out, and no other may follow."""

    _rseq: int = attrs.field(init=False)
    _awaited: RAck | None = attrs.field(default=None, init=False)
    _last: SendResponse | None = attrs.field(default=None, init=False)
    _queue: list[Provisional] = attrs.field(factory=list, init=False)
    _interval: float = attrs.field(default=0.0, init=False)
    _repeat_at: float = attrs.field(default=math.inf, init=False)
    _give_up_at: float = attrs.field(default=math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self._rseq = int(self.line.ids.token(7), 16)  # section 3: at random, below 2**31

    @property
    def withholds(self) -> bool:
        """A description waits for its PRACK; until then there may be no 2xx (section 3)."""
        return self.state is State.SENT and self._last is not None and bool(self._last.response.body)

    def ring(self, response: Provisional, now: float) -> None:
        """Send it, as soon as the one before has been acknowledged."""
        self._take(Input.RING, now, response)

    def acknowledge(self, rack: RAck, now: float) -> bool:
        """A PRACK came; False when it acknowledges nothing that waits for it."""
        if self._awaited != rack:
            return False
        self._take(Input.PRACK, now)
        return True

    def go_on(self, now: float) -> None:
        """Send the next one, now that the PRACK of the last has been dealt with."""
        if self._queue and self.state is State.READY:
            self._take(Input.RING, now, self._queue.pop(0))

    def unanswered(self) -> None:
        """The PRACK brought no answer to our offer: it has to be made anew."""
        self.described = False

    def stop(self, now: float) -> None:
        """The INVITE has its final response, or will not get any."""
        self._take(Input.STOP, now)

    def wake_at(self) -> float:
        return min(self._repeat_at, self._give_up_at)

    def wake(self, now: float) -> bool:
        """Fire what is due. True when the last one has waited 64*T1 for its PRACK in vain."""
        if self._give_up_at <= now:
            self._take(Input.PATIENCE_OVER, now)
            return True
        if self._repeat_at <= now:
            self._take(Input.REPEAT_DUE, now)
        return False

    def _take(self, given: Input, now: float, response: Provisional | None = None) -> None:
        row = step(TABLE, self.state, given)
        if row is None:
            return
        self.state = row.state
        match row.act:
            case Act.SEND:
                assert response is not None
                self._send(response, now)
            case Act.QUEUE:
                assert response is not None
                if self._queue and (self._queue[-1].body is None or response.body is not None):
                    self._queue.pop()  # it would tell of a state that is past
                self._queue.append(response)
            case Act.ACKNOWLEDGE:
                self._awaited = None
                self._repeat_at = self._give_up_at = math.inf
                self.offers.take(Turn.DELIVERED)
            case Act.REPEAT:
                assert self._last is not None
                self._interval *= 2
                due = self._repeat_at + self._interval
                self._repeat_at = due if due > now else now + self._interval
                self.line.out.append(SendResponse(self._last.response, self.server.flow))
            case Act.GIVE_UP | Act.STOP:
                self._queue.clear()
                self._repeat_at = self._give_up_at = math.inf

    def _send(self, response: Provisional, now: float) -> None:
        line, timers = self.line, self.line.config.timers
        body = None if self.described else response.body
        if body is not None:
            self.offers.take(Turn.SEND_RELIABLE_ANSWER if self.offered else Turn.SEND_OFFER, body)
            self.described = True
        self._rseq += 1
        cseq = self.server.request.cseq
        self._awaited = RAck(self._rseq, cseq.number, cseq.method)
        headers = (("Require", RELIABLE), ("RSeq", str(self._rseq)), *line.abilities, *response.headers)
        self._last = line.respond(self.server, response.status, now, None, headers, body, contact=True)
        # Over every transport, as a later hop may be an unreliable one; without the bound of T2.
        self._interval = timers.t1
        self._repeat_at, self._give_up_at = now + timers.t1, now + timers.patience


class Hearing(Symbol):
    READY = "all that came is acknowledged"
    ASKED = "an offer waits for our answer"


class Heard(Symbol):
    NEXT = "the next in order"
    OFFER = "the next in order, with an offer"
    OTHER = "a copy, or out of order"
    ANSWER = "our answer"


class Reply(Symbol):
    PRACK = "send PRACK"
    ASK = "ask for the answer that the PRACK is to carry"
    DROP = "pass it over"


# Section 4: what comes out of order is not acknowledged, and comes again when it is its turn.
HEARING: Final = Table(
    "reliable responses heard",
    {
        (Hearing.READY, Heard.NEXT): Row(Hearing.READY, Reply.PRACK),
        (Hearing.READY, Heard.OFFER): Row(Hearing.ASKED, Reply.ASK),
        (Hearing.READY, Heard.OTHER): Row(Hearing.READY, Reply.DROP),
        (Hearing.ASKED, Heard.NEXT): Row(Hearing.ASKED, Reply.DROP),
        (Hearing.ASKED, Heard.OFFER): Row(Hearing.ASKED, Reply.DROP),
        (Hearing.ASKED, Heard.OTHER): Row(Hearing.ASKED, Reply.DROP),
        (Hearing.ASKED, Heard.ANSWER): Row(Hearing.READY, Reply.PRACK),
    },
    wire=frozenset({Heard.NEXT, Heard.OFFER, Heard.OTHER}),
)


@attrs.define(eq=False)
class ReliableHearing:
    """The reliable provisional responses of one early dialog, in their order."""

    state: Hearing = attrs.field(default=Hearing.READY, init=False)
    rack: RAck | None = attrs.field(default=None, init=False)
    """What the last one is to be acknowledged with; None: none has come."""

    @property
    def asked(self) -> bool:
        """Its PRACK waits for our answer."""
        return self.state is Hearing.ASKED

    def hear(self, response: Response, *, offer: bool) -> Reply:
        """What to do about a reliable response; `offer`: a description in it asks for an answer."""
        rseq, cseq = response.rseq, response.cseq
        assert rseq is not None
        given = Heard.OFFER if offer else Heard.NEXT
        if self.rack is not None and rseq != self.rack.rseq + 1:
            given = Heard.OTHER
        reply = self._take(given)
        if reply is not Reply.DROP:
            self.rack = RAck(rseq, cseq.number, cseq.method)
        return reply

    def answer(self) -> RAck:
        """Our answer is there: what the PRACK that carries it says."""
        self._take(Heard.ANSWER)
        assert self.rack is not None
        return self.rack

    def _take(self, given: Heard) -> Reply:
        row = step(HEARING, self.state, given)
        assert row is not None
        self.state = row.state
        return row.act


def wanted(message: Message, config: LegConfig) -> bool:
    """Whether the provisional responses to an INVITE are to be reliable ones."""
    if config.reliability is Reliability.NEVER:
        return False
    tags = message.require
    if config.reliability is Reliability.SUPPORTED:
        tags += message.supported
    return any(tag.lower() == RELIABLE for tag in tags)


def is_reliable(response: Response, config: LegConfig) -> bool:
    """Whether a provisional response asks for a PRACK."""
    if config.reliability is Reliability.NEVER or response.status <= 100 or response.rseq is None:
        return False
    return any(tag.lower() == RELIABLE for tag in response.require)
