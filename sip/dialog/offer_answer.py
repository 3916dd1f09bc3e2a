"""Whose turn it is to offer a session description, and who owes an answer (RFC 3264 section 4, RFC 6337)."""

import copy
from typing import Final

import attrs

from ..machine import Row, Symbol, Table, step


class State(Symbol):
    SETTLED = "nobody owes an answer"
    OFFERED = "the other side owes us an answer"
    OWING = "we owe the other side an answer"
    DELIVERING = "our answer waits for its PRACK"


class Input(Symbol):
    RECEIVE_OFFER = "an offer comes"
    RECEIVE_ANSWER = "an answer comes"
    SEND_OFFER = "we offer"
    SEND_EARLY_ANSWER = "we answer in an unreliable 1xx"
    SEND_RELIABLE_ANSWER = "we answer in a reliable 1xx"
    DELIVERED = "PRACK"
    SEND_ANSWER = "we answer"
    WITHDRAW = "the exchange came to nothing"


class Act(Symbol):
    OPEN = "an exchange begins"
    KEEP = "it goes on"
    ANSWERED = "our offer is answered"
    ANSWER = "theirs is answered"
    CLOSE = "both sides have the answer"
    DROP = "it ends without a session"


# An answer in a 1xx that nobody acknowledges may be lost: the 2xx repeats it and ends the exchange (RFC 6337 3.1.1).
TABLE: Final = Table(
    "offer/answer",
    {
        (State.SETTLED, Input.RECEIVE_OFFER): Row(State.OWING, Act.OPEN),
        (State.SETTLED, Input.SEND_OFFER): Row(State.OFFERED, Act.OPEN),
        (State.SETTLED, Input.WITHDRAW): Row(State.SETTLED, Act.KEEP),
        (State.OFFERED, Input.RECEIVE_ANSWER): Row(State.SETTLED, Act.ANSWERED),
        (State.OFFERED, Input.WITHDRAW): Row(State.SETTLED, Act.DROP),
        (State.OWING, Input.SEND_EARLY_ANSWER): Row(State.OWING, Act.KEEP),
        (State.OWING, Input.SEND_RELIABLE_ANSWER): Row(State.DELIVERING, Act.ANSWER),
        (State.OWING, Input.SEND_ANSWER): Row(State.SETTLED, Act.ANSWER),
        (State.OWING, Input.WITHDRAW): Row(State.SETTLED, Act.DROP),
        (State.DELIVERING, Input.DELIVERED): Row(State.SETTLED, Act.CLOSE),
        (State.DELIVERING, Input.WITHDRAW): Row(State.SETTLED, Act.CLOSE),
    },
    wire=frozenset({Input.RECEIVE_OFFER, Input.RECEIVE_ANSWER, Input.DELIVERED}),
)


@attrs.define(eq=False)
class OfferAnswer:
    """The offers and answers of one dialog, in the order in which they may pass. Descriptions stay opaque."""

    state: State = State.SETTLED
    local: bytes | None = None
    """Our description, as it was agreed last; None: nothing has been agreed yet."""

    remote: bytes | None = None
    """The other side's."""

    _offer: bytes | None = None
    """The one that waits for an answer."""

    @property
    def settled(self) -> bool:
        """A new offer may be made, either way."""
        return self.state is State.SETTLED

    @property
    def agreed(self) -> bool:
        """There is a session."""
        return self.remote is not None

    def take(self, given: Input, description: bytes | None = None) -> bool:
        """Whether `given` has its turn; if so it is taken. Raises OutOfTurn when we ourselves speak out of turn."""
        row = step(TABLE, self.state, given)
        if row is None:
            return False
        self.state = row.state
        match row.act:
            case Act.OPEN:
                self._offer = description
            case Act.ANSWERED:
                self.local, self.remote = self._offer, description
            case Act.ANSWER:
                self.local, self.remote = description, self._offer
            case Act.DROP:
                self._offer = None
            case Act.KEEP | Act.CLOSE:
                pass
        return True

    def forked(self) -> "OfferAnswer":
        """The same exchange, as one of the callee's forks goes on with it."""
        return copy.copy(self)
