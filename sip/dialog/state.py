"""A dialog: tags, sequence numbers, route set, remote target, and the requests made of them (RFC 3261 section 12)."""

from __future__ import annotations

from typing import Final

import attrs

from ..address import NameAddr
from ..build import request as build_request
from ..errors import SipError
from ..ids import Ids
from ..message import Message, Request, Response
from ..params import Params
from ..routing import Hop, hop_of, reply_hop, route_request
from ..transaction.events import Flow, SendRequest
from ..uri import Uri
from ..via import Via
from .auth import Authorizer
from .config import TIMER, HeaderItems, LegConfig
from .events import Invite
from .offer_answer import OfferAnswer

SDP: Final = "application/sdp"
_CREDENTIALS: Final = ("Authorization", "Proxy-Authorization")
_TARGET_REFRESH: Final = ("INVITE", "UPDATE")


@attrs.define(eq=False)
class Dialog:
    """One dialog of a leg, early or confirmed; before the first response, what the INVITE is made of."""

    config: LegConfig
    ids: Ids
    authorizer: Authorizer
    call_id: str
    local: NameAddr
    """With our tag."""

    remote: NameAddr
    """With the other side's tag, once it has given one."""

    target: Uri
    """Where the other side wants its requests (its Contact)."""

    route_set: tuple[NameAddr, ...]
    local_cseq: int
    remote_cseq: int | None
    """None until the other side has sent a request."""

    flow: Flow | None
    """An open path to the other side, used when no proxy asked to stay in between."""

    fallback: Hop
    """Where to send when `target` is no address that can be sent to."""

    way: Hop | None = None
    """Where `target` is reached when it was given to us as another place than its URI says; None: where that says."""

    offers: OfferAnswer = attrs.field(factory=OfferAnswer)
    allow: frozenset[str] = frozenset()
    """The methods that the other side takes, as far as it has said."""

    confirmed: bool = False
    """The INVITE that made it has been answered and acknowledged."""

    @classmethod
    def called(
        cls,
        invite: Request,
        flow: Flow,
        tag: str,
        target: NameAddr,
        config: LegConfig,
        ids: Ids,
        authorizer: Authorizer,
    ) -> Dialog:
        """The UAS's side of the dialog that a 101 to 299 with `tag` makes (12.1.1)."""
        return cls(
            config,
            ids,
            authorizer,
            invite.call_id,
            invite.to.with_tag(tag),
            invite.from_,
            target.uri,
            invite.record_routes,
            0,
            invite.cseq.number,
            flow if _needs_flow(invite, flow) else None,
            reply_hop(invite.via, reliable=flow.reliable),
            allow=frozenset(invite.allow),
        )

    @classmethod
    def calling(
        cls, command: Invite, call_id: str, tag: str, config: LegConfig, ids: Ids, authorizer: Authorizer
    ) -> Dialog:
        """What a first INVITE is made of: a dialog that has no remote tag yet (8.1.1). Raises `UnsupportedScheme`."""
        # 19.1.5: a URI's headers and method are about the request, and no part of the Request-URI.
        target = command.target.without_headers().without_params("method")
        first = command.routes[0].uri if command.routes else command.hop or target
        return cls(
            config,
            ids,
            authorizer,
            call_id,
            command.from_.without_params().with_tag(tag),
            NameAddr(target) if command.to is None else command.to,
            target,
            command.routes,
            0,
            None,
            command.via,
            hop_of(first),
            None if command.hop is None else hop_of(command.hop),
        )

    @property
    def local_tag(self) -> str | None:
        return self.local.tag

    @property
    def remote_tag(self) -> str | None:
        return self.remote.tag

    def forked(self, response: Response) -> Dialog:
        """The UAC's side of the dialog that a 101 to 299 to our INVITE makes (12.1.2)."""
        contact = response.contact
        return attrs.evolve(
            self,
            remote=response.to,
            target=self.target if contact is None else contact.uri,
            way=self.way if contact is None else None,
            route_set=tuple(reversed(response.record_routes)),
            # Each fork counts the requests it gets for itself, on from the INVITE.
            local_cseq=response.cseq.number,
            remote_cseq=None,
            offers=self.offers.forked(),
            allow=frozenset(response.allow),
        )

    def confirm(self, response: Response) -> None:
        """A 2xx answers what made this early dialog: the route set is that of the 2xx (13.2.2.4)."""
        self.remote = response.to
        self.route_set = tuple(reversed(response.record_routes))
        self.refresh(response)

    def refresh(self, message: Message) -> None:
        """Take a new remote target from a re-INVITE, an UPDATE or a 2xx to it (12.2); the route set never changes."""
        contact = message.contact
        if contact is not None:
            self.target, self.way = contact.uri, None
        if "allow" in message.headers:
            self.allow = frozenset(message.allow)

    def in_order(self, request: Request) -> bool:
        """Whether a request from the other side comes after all before it; if so it counts (12.2.2)."""
        number = request.cseq.number
        if self.remote_cseq is not None and number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def request(self, method: str, headers: HeaderItems = (), body: bytes | None = None) -> SendRequest:
        """The next request of ours, other than an ACK."""
        self.local_cseq += 1
        return self._make(method, headers, body, self.local_cseq)

    def ack(self, invite: Request, body: bytes | None = None) -> SendRequest:
        """The ACK of a 2xx to `invite`, with that one's number and its very credentials (13.2.2.4, 22.1)."""
        given = invite.headers
        credentials = [(name, value) for name in _CREDENTIALS for value in given.all(name)]
        return self._make("ACK", tuple(credentials), body, invite.cseq.number)

    def _make(self, method: str, headers: HeaderItems, body: bytes | None, cseq: int) -> SendRequest:
        config = self.config
        uri, routes = route_request(self.target, self.route_set)
        branch = self.ids.branch()
        flow = self.flow if not self.route_set else None
        hop = self._hop(uri, routes)
        text = str(uri)
        extra = list(headers)
        if method != "ACK":
            extra += self.authorizer.headers(method, text, body or b"")
            if config.session_s is not None and method != "INVITE":
                extra.append(("Supported", TIMER))  # RFC 4028 7.1: in every request; an INVITE says more
        if config.server:
            extra.append(("User-Agent", config.server))
        request = build_request(
            method,
            text,
            via=Via(
                flow.transport if flow is not None else hop.transport,
                config.contact.uri.host,
                config.contact.uri.port,
                Params((("rport", None), ("branch", branch))),
            ),
            from_=self.local,
            to=self.remote,
            call_id=self.call_id,
            cseq=cseq,
            contact=config.contact if method in _TARGET_REFRESH else None,
            routes=routes,
            max_forwards=config.max_forwards,
            headers=extra,
            body=body or b"",
            content_type=SDP if body else None,
        )
        return SendRequest(request, hop, flow, branch)

    def _hop(self, uri: Uri, routes: tuple[NameAddr, ...]) -> Hop:
        """As `next_hop` has it, from what the request is made of; the fallback when the other side's URI is no use."""
        if self.way is not None and not routes:
            return self.way
        loose = bool(routes) and routes[0].is_loose
        try:
            return hop_of(routes[0].uri if loose else uri, secure=uri.scheme == "sips" and not loose)
        except SipError:
            return self.fallback


def _needs_flow(invite: Request, flow: Flow) -> bool:
    """Whether requests to the caller have to go back the way its INVITE came.

    So over a connection, which the caller may be unable to accept from us, and from behind an address translator, which
    shows in the Via (RFC 3581); and where a peer of RFC 2543 gave no Contact. A proxy in between stands nearer than the
    caller, and its connection is no way to it unless it asks for that by Record-Route.
    """
    if len(invite.vias) != 1:
        return False
    via = invite.via
    if flow.reliable or invite.contact is None:
        return True
    moved = via.received is not None and via.received != via.host
    return moved or (via.rport is not None and via.rport != (via.port or 5060))
