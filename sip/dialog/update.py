"""Changing or refreshing a session by a request that is answered at once: UPDATE (RFC 3311), or an offer in a PRACK.

Both sides look like those of an INVITE, but for what takes time there: no provisional responses, no ACK, no CANCEL.
"""

from __future__ import annotations

from typing import Final

import attrs

from ..machine import Row, Symbol, Table, step
from ..message import Request, Response
from ..transaction.client import NonInviteClient
from ..transaction.server import NonInviteServer
from .config import HeaderItems
from .line import Line
from .offer_answer import Input as Turn
from .state import Dialog

MAX_TRIES: Final = 4
"""UPDATEs sent for one intent: a proxy and the other side may both ask for credentials or a longer session."""


class Answering(Symbol):
    PENDING = "pending"
    ANSWERED = "answered"
    CLOSED = "closed"


class Said(Symbol):
    ANSWER = "answer"
    REFUSE = "refuse"
    TERMINATE = "the dialog ends"


class Deed(Symbol):
    ANSWER = "send the 2xx"
    REFUSE = "send the refusal"
    TERMINATE = "send 487"
    NOTHING = "it crossed the end on its way"


ANSWERING: Final = Table(
    "UPDATE received",
    {
        (Answering.PENDING, Said.ANSWER): Row(Answering.ANSWERED, Deed.ANSWER),
        (Answering.PENDING, Said.REFUSE): Row(Answering.ANSWERED, Deed.REFUSE),
        (Answering.PENDING, Said.TERMINATE): Row(Answering.CLOSED, Deed.TERMINATE),
        (Answering.ANSWERED, Said.TERMINATE): Row(Answering.CLOSED, Deed.NOTHING),
        **{(Answering.CLOSED, said): Row(Answering.CLOSED, Deed.NOTHING) for said in Said},
    },
    wire=frozenset(),
)


@attrs.define(eq=False)
class UpdateUas:
    """The answering side of one UPDATE or PRACK that brought an offer."""

    line: Line
    server: NonInviteServer
    dialog: Dialog
    offer: bytes
    state: Answering = attrs.field(default=Answering.PENDING, init=False)

    @property
    def request(self) -> Request:
        return self.server.request

    @property
    def pending(self) -> bool:
        """It has no final response yet."""
        return self.state is Answering.PENDING

    def answer(self, headers: HeaderItems, body: bytes, now: float) -> bool:
        """Send a 200; False when the dialog ended meanwhile. Raises OutOfTurn when it was answered before."""
        return self._take(Said.ANSWER, now, 200, None, headers, body) is Deed.ANSWER

    def refuse(self, status: int, reason: str | None, headers: HeaderItems, now: float) -> bool:
        """Send a refusal; False when the dialog ended meanwhile. Raises OutOfTurn once it is answered."""
        return self._take(Said.REFUSE, now, status, reason, headers) is Deed.REFUSE

    def terminate(self, now: float) -> None:
        """The dialog ends: 487 to a pending one (RFC 3261 15.1.2)."""
        self._take(Said.TERMINATE, now)

    def _take(
        self,
        said: Said,
        now: float,
        status: int = 487,
        reason: str | None = None,
        headers: HeaderItems = (),
        body: bytes | None = None,
    ) -> Deed:
        row = step(ANSWERING, self.state, said)
        assert row is not None
        self.state = row.state
        match row.act:
            case Deed.ANSWER:
                self.dialog.offers.take(Turn.SEND_ANSWER, body)
                if self.request.method == "UPDATE":
                    answer_update(self.line, self.server, self.dialog, now, headers, body)
                else:
                    self.line.respond(self.server, status, now, None, headers, body)
            case Deed.REFUSE | Deed.TERMINATE:
                self.dialog.offers.take(Turn.WITHDRAW)
                self.line.respond(self.server, status, now, reason, headers)
            case Deed.NOTHING:
                pass
        return row.act


def answer_update(
    line: Line,
    server: NonInviteServer,
    dialog: Dialog,
    now: float,
    headers: HeaderItems = (),
    body: bytes | None = None,
) -> None:
    """Accept an UPDATE: it moves the remote target, and refreshes the session of a dialog that is up."""
    dialog.refresh(server.request)
    session = line.session.answer(server.request, now) if dialog.confirmed else ()
    line.respond(server, 200, now, None, (*line.abilities, *session, *headers), body, contact=True)


class State(Symbol):
    SENT = "sent"
    CLOSED = "closed"


class Input(Symbol):
    SUCCESS = "2xx"
    CHALLENGE = "401, 407 or 422 that we can meet"
    REFUSAL = "any other final response"
    TIMED_OUT = "no response for 64*T1"
    UNDELIVERED = "transport error"


class Act(Symbol):
    ANSWER = "report the answer"
    RETRY = "send it again with what is asked for"
    REFUSE = "report the refusal"


TABLE: Final = Table(
    "UPDATE sent",
    {
        (State.SENT, Input.SUCCESS): Row(State.CLOSED, Act.ANSWER),
        (State.SENT, Input.CHALLENGE): Row(State.SENT, Act.RETRY),
        (State.SENT, Input.REFUSAL): Row(State.CLOSED, Act.REFUSE),
        (State.SENT, Input.TIMED_OUT): Row(State.CLOSED, Act.REFUSE),
        (State.SENT, Input.UNDELIVERED): Row(State.CLOSED, Act.REFUSE),
    },
    wire=frozenset(Input),
)


@attrs.define(eq=False)
class UpdateUac:
    """The asking side of one UPDATE. It reports acts; what they mean is the leg's to say."""

    line: Line
    dialog: Dialog
    headers: HeaderItems
    offer: bytes | None
    """None: it only refreshes the session."""

    state: State = attrs.field(default=State.SENT, init=False)
    refreshes: bool = attrs.field(default=False, init=False)
    """It speaks of the session timer, which one that was sent in an early dialog does not."""

    _client: NonInviteClient | None = attrs.field(default=None, init=False)
    _tries: int = attrs.field(default=0, init=False)

    @property
    def client(self) -> NonInviteClient:
        """The transaction of the last UPDATE sent."""
        assert self._client is not None
        return self._client

    @property
    def over(self) -> bool:
        """It has had its final response, or none is waited for any more."""
        return self.state is State.CLOSED

    def start(self, now: float) -> None:
        """Send the UPDATE, or send it again with what was asked for."""
        self._tries += 1
        line = self.line
        self.refreshes = self.dialog.confirmed
        session = line.session.request_headers() if self.refreshes else ()
        headers = (line.allow, *session, *self.headers)
        client = line.send(self.dialog.request("UPDATE", headers, self.offer), now)
        assert isinstance(client, NonInviteClient)
        self._client = client

    def responded(self, response: Response, now: float) -> Act | None:
        """Take a response to the last UPDATE; the act that was done, or is for the leg to do."""
        status = response.status
        if status < 200:
            return None
        if status < 300:
            return self._take(Input.SUCCESS, now)
        retry = self._tries < MAX_TRIES and self.line.can_meet(response)
        return self._take(Input.CHALLENGE if retry else Input.REFUSAL, now)

    def timed_out(self, now: float) -> Act | None:
        """The UPDATE got no response."""
        return self._take(Input.TIMED_OUT, now)

    def undelivered(self, now: float) -> Act | None:
        """The UPDATE could not be sent."""
        return self._take(Input.UNDELIVERED, now)

    def _take(self, given: Input, now: float) -> Act | None:
        row = step(TABLE, self.state, given)
        if row is None:
            return None
        self.state = row.state
        if row.act is Act.RETRY:
            self.start(now)
        return row.act
