"""One INVITE of ours, the first or a later one: forks, 401 and 407, CANCEL, an answer that is too late (13.2, 9.1)."""

from __future__ import annotations

from typing import Final

import attrs

from ..build import cancel_for
from ..machine import Row, Symbol, Table, step
from ..message import Response
from ..transaction.events import SendRequest
from ..transaction.invite_client import InviteClient
from .config import HeaderItems
from .forks import Forks
from .line import Line
from .state import Dialog

MAX_TRIES: Final = 4
"""INVITEs sent for one intent: a proxy and the callee may both ask for credentials, and a nonce may be stale."""


class State(Symbol):
    CALLING = "calling"
    PROCEEDING = "proceeding"
    CANCEL_HELD = "to be cancelled"
    CANCELLING = "cancelling"
    ANSWERED = "answered"
    CLOSED = "closed"


class Input(Symbol):
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    ACCEPTED = "2xx to a re-INVITE"
    CHALLENGE = "401, 407 or 422 that we can meet"
    REFUSAL = "any other final response"
    TIMED_OUT = "no response, or none to the CANCEL, for 64*T1"
    UNDELIVERED = "transport error"
    CANCEL = "cancel"


class Act(Symbol):
    PROGRESS = "report progress"
    ANSWER = "report the answer"
    RETRY = "send the INVITE again with what is asked for"
    REFUSE = "report the refusal"
    HOLD = "CANCEL as soon as anything comes back"
    CANCEL = "send CANCEL"
    HANG_UP = "acknowledge, then BYE: it was answered on the way"
    GIVE_UP = "report that the cancelled INVITE is done"
    FORK = "acknowledge another fork's answer, then BYE"


# 9.1: no CANCEL before a provisional response. A new transaction with credentials has had none yet. In a dialog that
# goes on, an answer that crosses the CANCEL has changed the session all the same.
TABLE: Final = Table(
    "INVITE sent",
    {
        (State.CALLING, Input.PROVISIONAL): Row(State.PROCEEDING, Act.PROGRESS),
        (State.CALLING, Input.SUCCESS): Row(State.ANSWERED, Act.ANSWER),
        (State.CALLING, Input.ACCEPTED): Row(State.ANSWERED, Act.ANSWER),
        (State.CALLING, Input.CHALLENGE): Row(State.CALLING, Act.RETRY),
        (State.CALLING, Input.REFUSAL): Row(State.CLOSED, Act.REFUSE),
        (State.CALLING, Input.TIMED_OUT): Row(State.CLOSED, Act.REFUSE),
        (State.CALLING, Input.UNDELIVERED): Row(State.CLOSED, Act.REFUSE),
        (State.CALLING, Input.CANCEL): Row(State.CANCEL_HELD, Act.HOLD),
        (State.PROCEEDING, Input.PROVISIONAL): Row(State.PROCEEDING, Act.PROGRESS),
        (State.PROCEEDING, Input.SUCCESS): Row(State.ANSWERED, Act.ANSWER),
        (State.PROCEEDING, Input.ACCEPTED): Row(State.ANSWERED, Act.ANSWER),
        (State.PROCEEDING, Input.CHALLENGE): Row(State.CALLING, Act.RETRY),
        (State.PROCEEDING, Input.REFUSAL): Row(State.CLOSED, Act.REFUSE),
        (State.PROCEEDING, Input.CANCEL): Row(State.CANCELLING, Act.CANCEL),
        (State.CANCEL_HELD, Input.PROVISIONAL): Row(State.CANCELLING, Act.CANCEL),
        (State.CANCEL_HELD, Input.SUCCESS): Row(State.CLOSED, Act.HANG_UP),
        (State.CANCEL_HELD, Input.ACCEPTED): Row(State.ANSWERED, Act.ANSWER),
        (State.CANCEL_HELD, Input.CHALLENGE): Row(State.CLOSED, Act.GIVE_UP),
        (State.CANCEL_HELD, Input.REFUSAL): Row(State.CLOSED, Act.GIVE_UP),
        (State.CANCEL_HELD, Input.TIMED_OUT): Row(State.CLOSED, Act.GIVE_UP),
        (State.CANCEL_HELD, Input.UNDELIVERED): Row(State.CLOSED, Act.GIVE_UP),
        (State.CANCELLING, Input.SUCCESS): Row(State.CLOSED, Act.HANG_UP),
        (State.CANCELLING, Input.ACCEPTED): Row(State.ANSWERED, Act.ANSWER),
        (State.CANCELLING, Input.CHALLENGE): Row(State.CLOSED, Act.GIVE_UP),
        (State.CANCELLING, Input.REFUSAL): Row(State.CLOSED, Act.GIVE_UP),
        (State.CANCELLING, Input.TIMED_OUT): Row(State.CLOSED, Act.GIVE_UP),
        (State.ANSWERED, Input.SUCCESS): Row(State.ANSWERED, Act.FORK),
        (State.CLOSED, Input.SUCCESS): Row(State.CLOSED, Act.FORK),
    },
    wire=frozenset(
        {
            Input.PROVISIONAL,
            Input.SUCCESS,
            Input.ACCEPTED,
            Input.CHALLENGE,
            Input.REFUSAL,
            Input.TIMED_OUT,
            Input.UNDELIVERED,
        }
    ),
)


@attrs.define(eq=False)
class InviteUac:
    """The asking side of one INVITE. It reports acts; what they mean for the leg is the leg's to say."""

    line: Line
    dialog: Dialog
    """What the INVITE is made of: for a first one, a dialog without a remote tag."""

    headers: HeaderItems
    offer: bytes | None
    """None: a 2xx or a reliable 1xx brings the offer, and is acknowledged with our answer."""

    state: State = attrs.field(default=State.CALLING, init=False)
    forks: Forks = attrs.field(init=False)
    """The early dialogs that a first INVITE makes; a re-INVITE makes none."""

    cancel_headers: HeaderItems = attrs.field(default=(), init=False)
    _client: InviteClient | None = attrs.field(default=None, init=False)
    _tries: int = attrs.field(default=0, init=False)
    _taken: Dialog | None = attrs.field(default=None, init=False)
    _taken_tag: str | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.forks = Forks(self.line, self.dialog, offered=self.offer is not None)

    @property
    def client(self) -> InviteClient:
        """The transaction of the last INVITE sent."""
        assert self._client is not None
        return self._client

    @property
    def taken(self) -> Dialog:
        """The dialog that the first 2xx confirmed."""
        assert self._taken is not None
        return self._taken

    @property
    def refreshes(self) -> bool:
        """It speaks of the session timer, as every INVITE does."""
        return True

    @property
    def over(self) -> bool:
        """It has had its final response, or none is waited for any more."""
        return self.state in (State.ANSWERED, State.CLOSED)

    def start(self, now: float) -> None:
        """Send the INVITE, or send it again with what was asked for."""
        self._tries += 1
        line = self.line
        abilities = line.abilities_within if self.dialog.confirmed else line.abilities
        headers = (*abilities, *line.session.request_headers(), *self.headers)
        client = line.send(self.dialog.request("INVITE", headers, self.offer), now)
        assert isinstance(client, InviteClient)
        self._client = client

    def cancel(self, headers: HeaderItems, now: float, *, unheard: bool = False) -> None:
        """Give the INVITE up, as soon as that may be said; `unheard`: without asking any more for a response."""
        self.cancel_headers = headers
        if self._take(Input.CANCEL, now) is Act.HOLD and unheard:
            self.client.fall_silent()

    def responded(self, response: Response, now: float) -> Act | None:
        """Take a response to the last INVITE; the act that was done, or is for the leg to do."""
        status = response.status
        if status < 200:
            given = Input.PROVISIONAL
        elif status < 300:
            given = Input.ACCEPTED if self.dialog.confirmed else Input.SUCCESS
        elif self._tries < MAX_TRIES and self.line.can_meet(response):
            given = Input.CHALLENGE
        else:
            given = Input.REFUSAL
        return self._take(given, now, response)

    def timed_out(self, now: float) -> Act | None:
        """The INVITE got no response at all, or no final one after its CANCEL."""
        return self._take(Input.TIMED_OUT, now)

    def undelivered(self, now: float) -> Act | None:
        """The INVITE could not be sent."""
        return self._take(Input.UNDELIVERED, now)

    def acknowledge(self, dialog: Dialog, body: bytes | None) -> None:
        """Send the ACK of the 2xx that made `dialog`, and leave it with the transaction for copies of the 2xx."""
        ack = dialog.ack(self.client.request, body)
        self.client.acknowledge(dialog.remote_tag, ack)
        self.line.out.append(ack)

    def _take(self, given: Input, now: float, response: Response | None = None) -> Act | None:
        row = step(TABLE, self.state, given)
        if row is None:
            return None
        self.state = row.state
        match row.act:
            case Act.ANSWER:
                assert response is not None
                self._taken_tag = response.to_tag
                if given is Input.SUCCESS:
                    self._taken = self.forks.confirmed(response)
            case Act.RETRY:
                self.forks.clear()
                self.start(now)
            case Act.CANCEL:
                cancel = cancel_for(self.client.request, self.cancel_headers)
                sent = self.client.sending
                self.line.send(SendRequest(cancel, sent.hop, sent.flow, sent.branch), now)
                # 9.1: an INVITE that stays unanswered for 64*T1 after its CANCEL is done.
                self.line.transactions.expire(self.client, now + self.line.config.timers.patience)
            case Act.HANG_UP:
                assert response is not None
                self._hang_up(response, now)
            case Act.FORK:
                # A copy of the 2xx whose ACK is held back for our answer is no fork.
                assert response is not None
                if self.state is State.CLOSED or response.to_tag != self._taken_tag:
                    self._hang_up(response, now)
            case Act.REFUSE | Act.GIVE_UP:
                self.forks.clear()
            case Act.PROGRESS | Act.HOLD:
                pass
        return row.act

    def _hang_up(self, response: Response, now: float) -> None:
        """13.2.2.4: every 2xx is acknowledged, and a session that is not wanted ends by BYE."""
        dialog = self.forks.confirmed(response)
        self.acknowledge(dialog, None)
        self.line.send(dialog.request("BYE"), now)
