"""Whose turn it is to offer a session description, and who owes an answer (RFC 3264 section 4, RFC 6337)."""

from typing import Final

import attrs

from ..machine import Row, Symbol, Table, step


class State(Symbol):
    SETTLED = "nobody owes an answer"
    OFFERED = "the other side owes us an answer"
    OWING = "we owe the other side an answer"


class Input(Symbol):
    RECEIVE_OFFER = "an offer comes"
    RECEIVE_ANSWER = "an answer comes"
    SEND_OFFER = "we offer"
    SEND_EARLY_ANSWER = "we answer in an unreliable 1xx"
    SEND_ANSWER = "we answer"
    WITHDRAW = "the exchange came to nothing"


class Act(Symbol):
    OPEN = "an exchange begins"
    KEEP = "it goes on"
    CLOSE = "it ends in a session"
    DROP = "it ends without one"


# An answer in a 1xx that nobody acknowledges may be lost: the 2xx repeats it and ends the exchange (RFC 6337 3.1.1).
TABLE: Final = Table(
    "offer/answer",
    {
        (State.SETTLED, Input.RECEIVE_OFFER): Row(State.OWING, Act.OPEN),
        (State.SETTLED, Input.SEND_OFFER): Row(State.OFFERED, Act.OPEN),
        (State.SETTLED, Input.WITHDRAW): Row(State.SETTLED, Act.KEEP),
        (State.OFFERED, Input.RECEIVE_ANSWER): Row(State.SETTLED, Act.CLOSE),
        (State.OFFERED, Input.WITHDRAW): Row(State.SETTLED, Act.DROP),
        (State.OWING, Input.SEND_EARLY_ANSWER): Row(State.OWING, Act.KEEP),
        (State.OWING, Input.SEND_ANSWER): Row(State.SETTLED, Act.CLOSE),
        (State.OWING, Input.WITHDRAW): Row(State.SETTLED, Act.DROP),
    },
    wire=frozenset({Input.RECEIVE_OFFER, Input.RECEIVE_ANSWER}),
)


@attrs.define(eq=False)
class OfferAnswer:
    """The offers and answers of one dialog, in the order in which they may pass. Descriptions stay opaque."""

    state: State = State.SETTLED

    @property
    def settled(self) -> bool:
        """A new offer may be made, either way."""
        return self.state is State.SETTLED

    def take(self, given: Input) -> bool:
        """Whether `given` has its turn; if so it is taken. Raises OutOfTurn when we ourselves speak out of turn."""
        row = step(TABLE, self.state, given)
        if row is None:
            return False
        self.state = row.state
        return True
