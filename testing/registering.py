"""A scripted phone's registrations: REGISTER with digest, refreshed and ended on demand."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import trio

from ..actors.courier import Courier
from ..actors.linger import Linger
from ..actors.mailbox import Mailbox
from ..actors.messages.leg import Incoming, LegMessage, TransmitFailed
from ..actors.registry import Registry
from ..sip.address import NameAddr
from ..sip.build import request as build_request
from ..sip.digest import answer_challenge
from ..sip.ids import Ids
from ..sip.message import Request, Response
from ..sip.params import Params
from ..sip.routing import Hop
from ..sip.timers import Timers
from ..sip.transaction.client import NonInviteClient
from ..sip.transaction.events import Responded, SendRequest, TransactionOutput
from ..sip.uri import Uri
from ..sip.via import Via

CHALLENGES = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
TRIES = 3
"""A challenge, and one more when the nonce had grown old."""


class NoAnswer(Exception):
    """A request of the phone got no final response, or could not be sent."""


@attrs.define(eq=False)
class Exchange:
    """Carries one request other than INVITE from its first copy to its final response."""

    courier: Courier
    registry: Registry
    linger: Linger
    timers: Timers

    async def __call__(self, request: Request, hop: Hop) -> Response:
        """The final response. Raises NoAnswer."""
        branch = request.via.branch or ""
        sending = SendRequest(request, hop, None, branch)
        box: Mailbox[LegMessage] = Mailbox(f"{request.method} {branch}", 64)
        client = NonInviteClient.start(sending, self.timers, trio.current_time())
        self.registry.transactions[client.key] = box.ref
        self.courier.request(sending, box.ref)
        try:
            while True:
                message = await box.receive(until=client.wake_at())
                for output in _step(client, message):
                    if isinstance(output, SendRequest):
                        self.courier.request(output, box.ref)
                    elif not isinstance(output, Responded):
                        raise NoAnswer(f"{type(output).__name__}: {request.method} {request.request_uri}")
                    elif output.response.is_final:
                        return output.response
        finally:
            self.registry.transactions.pop(client.key, None)
            self.linger.adopt([client])


def _step(client: NonInviteClient, message: LegMessage | None) -> Sequence[TransactionOutput]:
    now = trio.current_time()
    match message:
        case None:
            return client.wake(now)
        case Incoming():
            return client.receive(message.message, message.flow, now)
        case TransmitFailed():
            return client.transport_failed(now)
        case _:
            raise TypeError(f"{message!r} is nothing to an exchange")


@attrs.define(eq=False, kw_only=True)
class Registration:
    """What a phone has registered: one Call-ID, a growing CSeq. Each `send` is one REGISTER and what it takes."""

    exchange: Exchange
    ids: Ids
    domain: Uri
    """The Request-URI."""
    aor: NameAddr
    """From and To."""
    to: NameAddr = attrs.field(init=False)
    """As `aor`; some phones keep the tag of an answer in it."""
    hop: Hop
    routes: tuple[NameAddr, ...]
    contact: str
    """Value of Contact; empty: none is sent."""
    username: str
    password: str
    call_id: str
    tag: str
    expires: int | None
    """Seconds in the Expires header; None: no such header."""
    headers: tuple[tuple[str, str], ...] = ()
    cseq: int = 0
    sent: list[Request] = attrs.field(factory=list)
    responses: list[Response] = attrs.field(factory=list)
    """Final ones, challenges included."""

    def __attrs_post_init__(self) -> None:
        self.to = self.aor

    @property
    def response(self) -> Response:
        """The last one."""
        return self.responses[-1]

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def bindings(self) -> dict[str, int]:
        """What the last answer listed: seconds left, by URI."""
        return {str(contact.uri): contact.expires or 0 for contact in self.response.contacts}

    async def refresh(self) -> Response:
        """REGISTER once more."""
        return await self.send()

    async def end(self) -> Response:
        """Take the contact back."""
        return await self.send(expires=0)

    async def query(self) -> Response:
        """Ask for the bindings, changing none."""
        return await self.send(contact="", expires=None)

    async def send(
        self,
        *,
        contact: str | None = None,
        expires: int | None = -1,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        """One REGISTER, sent again with credentials when challenged.

        `contact` and `expires` are for this one only; None and -1: as always.
        """
        credentials: tuple[tuple[str, str], ...] = ()
        for _ in range(TRIES):
            request = self._request(
                self.contact if contact is None else contact,
                self.expires if expires == -1 else expires,
                (*credentials, *self.headers, *headers),
            )
            self.sent.append(request)
            response = await self.exchange(request, self.hop)
            self.responses.append(response)
            names = CHALLENGES.get(response.status)
            if names is None or not self.password:
                break
            asked, given = names
            values = response.headers.all(asked)
            if credentials and not any("stale=true" in value for value in values):
                break
            answer = answer_challenge(
                values, "REGISTER", str(self.domain), self.username, self.password, cnonce=self.ids.nonce_salt()
            )
            credentials = ((given, answer),)
        return self.response

    def _request(self, contact: str, expires: int | None, headers: tuple[tuple[str, str], ...]) -> Request:
        self.cseq += 1
        if expires is not None:
            headers = (("Expires", str(expires)), *headers)
        branch = self.ids.branch()
        return build_request(
            "REGISTER",
            self.domain,
            # The courier puts in transport and sent-by.
            via=Via(self.hop.transport, "phone.invalid", params=Params((("branch", branch), ("rport", None)))),
            from_=self.aor.with_tag(self.tag),
            to=self.to,
            call_id=self.call_id,
            cseq=self.cseq,
            contact=contact or None,
            routes=self.routes,
            headers=headers,
        )
