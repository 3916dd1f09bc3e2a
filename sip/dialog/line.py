"""What the parts of a leg share: its transactions, its dialog, and the outputs that gather while it takes one input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from ..build import respond
from ..ids import Ids
from ..message import Message, Response
from ..transaction.events import SendRequest, SendResponse, TransactionOutput
from ..transaction.layer import Transactions
from .auth import Authorizer
from .config import RELIABLE, HeaderItems, LegConfig
from .events import LegOutput
from .session_timer import SessionTimer
from .state import SDP, Dialog

if TYPE_CHECKING:
    from ..transaction.events import Client, Server

MAX_REQUESTS: Final = 64
"""Requests of one dialog that are remembered at a time (32 s each over UDP): one dialog may not fill our memory."""


@attrs.define(eq=False)
class Line:
    """One leg's desk: its parts read the dialog here and put what is to be sent into `out`, in order."""

    config: LegConfig
    ids: Ids
    call_id: str
    local_tag: str
    transactions: Transactions
    authorizer: Authorizer
    session: SessionTimer
    dialog: Dialog | None = None
    """The confirmed dialog, or the one that our 1xx or 2xx makes; None while only the other side can make one."""

    out: list[LegOutput] = attrs.field(factory=list)
    allow: tuple[str, str] = attrs.field(init=False)
    abilities: HeaderItems = attrs.field(init=False)
    """What a first INVITE, a response that makes a dialog and a 2xx tell about us (13.2.1, 13.3.1.4, section 11)."""

    abilities_within: HeaderItems = attrs.field(init=False)
    """What a re-INVITE tells: its provisional responses change nothing, so none of them need be reliable."""

    _server: HeaderItems = attrs.field(init=False)
    _contact: HeaderItems = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._server = self.transactions.headers
        self._contact = (("Contact", str(self.config.contact)),)
        self.allow = ("Allow", ", ".join(self.config.allow))
        supported = self.config.supported
        self.abilities = (self.allow, *_supported(supported))
        self.abilities_within = (self.allow, *_supported(tuple(tag for tag in supported if tag != RELIABLE)))

    @classmethod
    def open(cls, config: LegConfig, ids: Ids, call_id: str, local_tag: str) -> Line:
        headers = (("Server", config.server),) if config.server else ()
        transactions = Transactions(config.timers, local_tag, headers, MAX_REQUESTS)
        return cls(config, ids, call_id, local_tag, transactions, Authorizer(ids), SessionTimer(config))

    def can_meet(self, response: Response) -> bool:
        """Whether a 401, 407 or 422 is worth sending the request again, with what it asks for."""
        return self.authorizer.learn(response) or self.session.learn(response)

    def respond(
        self,
        server: Server,
        status: int,
        now: float,
        reason: str | None = None,
        headers: HeaderItems = (),
        body: bytes | None = None,
        *,
        contact: bool = False,
    ) -> SendResponse:
        """Answer a request; the response goes to `out` and is given back for keeping."""
        response = respond(
            server.request,
            status,
            reason,
            to_tag=self.local_tag,
            headers=(*(self._contact if contact else ()), *headers, *self._server),
            body=body or b"",
            content_type=SDP if body else None,
        )
        outputs = self.transactions.respond(server, response, now)
        self.pass_on(outputs)
        return SendResponse(response, server.flow)

    def send(self, sending: SendRequest, now: float) -> Client:
        """Send a request other than ACK, in a transaction of its own."""
        client, first = self.transactions.send(sending, now)
        self.out.append(first)
        return client

    def pass_on(self, outputs: list[TransactionOutput]) -> None:
        """Put a transaction's messages into `out`; its facts are not for here."""
        self.out += [output for output in outputs if isinstance(output, SendRequest | SendResponse)]

    def description(self, message: Message) -> bytes | None:
        """The session description that a message carries; None: none that we can use."""
        if not message.body:
            return None
        media_type = message.content_type
        return message.body if media_type is None or media_type in self.config.accept else None

    def retry_later(self, server: Server, now: float) -> None:
        """500 to what comes too early, and when to try again: at random, 0 to 10 s (14.2, RFC 3311 5.2)."""
        delay = int(self.ids.token(4), 16) % 11
        self.respond(server, 500, now, headers=(("Retry-After", str(delay)),))


def _supported(tags: tuple[str, ...]) -> HeaderItems:
    return (("Supported", ", ".join(tags)),) if tags else ()
