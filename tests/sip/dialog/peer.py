"""The other side of one leg, by hand: each message is made here, so that wrong ones can be made too."""

from __future__ import annotations

import abc
import itertools
from typing import Any

import attrs

from offhook.sip.build import request as build_request
from offhook.sip.build import respond
from offhook.sip.dialog.config import LegConfig
from offhook.sip.dialog.events import LegCommand, LegFact, LegOutput
from offhook.sip.dialog.leg import Leg
from offhook.sip.message import Request, Response
from offhook.sip.params import Params
from offhook.sip.via import Via
from tests.sip.dialog.pair import (
    OFFER,
    UDP,
    Path,
    callee_leg,
    caller_leg,
    facts,
    invite_command,
    over_the_wire,
    requests,
    responses,
)

HeaderItems = tuple[tuple[str, str], ...]

REQUIRED: HeaderItems = (("Require", "100rel"),)
CONTACT = ("Contact", "<sip:bob@peer.test:5070>")


@attrs.define(eq=False, kw_only=True)
class Peer(abc.ABC):
    """What both kinds have in common. `now` moves only when told to."""

    flow: Path = UDP
    now: float = 0.0
    out: list[LegOutput] = attrs.field(factory=list)
    """What the leg did last."""

    @property
    @abc.abstractmethod
    def ours(self) -> Leg:
        """The leg; fails when there is none yet."""

    def tell(self, command: LegCommand) -> list[LegFact]:
        self.out = self.ours.handle(command, self.now)
        return facts(self.out)

    def answer(
        self,
        request: Request,
        status: int,
        *,
        tag: str | None = "peer",
        body: bytes | None = None,
        headers: HeaderItems = (("Contact", "<sip:bob@peer.test:5070>"),),
    ) -> list[LegFact]:
        """Respond to a request of the leg."""
        made = respond(
            request,
            status,
            to_tag=tag,
            headers=headers,
            body=body or b"",
            content_type="application/sdp" if body else None,
        )
        read = over_the_wire(made)
        assert isinstance(read, Response)
        self.out = self.ours.receive(read, self.flow, self.now)
        return facts(self.out)

    def last(self, method: str) -> Request:
        """The last request of that method among what the leg did last."""
        read = over_the_wire(requests(self.out, method)[-1])
        assert isinstance(read, Request)
        return read

    def wait(self, until: float) -> list[tuple[float, LegOutput]]:
        """Let the clock run; what the leg did, and when."""
        done: list[tuple[float, LegOutput]] = []
        while (due := self.ours.wake_at()) <= until:
            self.now = max(self.now, due)
            done += [(self.now, output) for output in self.ours.wake(self.now)]
        self.now = until
        self.out = [output for _, output in done]
        return done

    @property
    def methods(self) -> list[str]:
        """Of the requests the leg sent last."""
        return [request.method for request in requests(self.out)]

    @property
    def statuses(self) -> list[int]:
        """Of the leg's last responses."""
        return [response.status for response in responses(self.out)]


@attrs.define(eq=False)
class CallingPeer(Peer):
    """Calls a leg of ours."""

    leg: Leg | None = None
    cseq: int = 1
    config: LegConfig | None = None
    """The leg's; None: the usual one."""

    call_id: str = "call-peer"
    tag: str = "peer"
    invite: Request = attrs.field(init=False)
    _branches: itertools.count[int] = attrs.field(factory=lambda: itertools.count(1))

    @property
    def ours(self) -> Leg:
        assert self.leg is not None
        return self.leg

    def __attrs_post_init__(self) -> None:
        self.invite = self.make("INVITE", to_tag=None, body=OFFER)

    def make(
        self,
        method: str,
        *,
        to_tag: str | None = "leg",
        from_tag: str | None = None,
        cseq: int | None = None,
        branch: str | None = None,
        body: bytes | None = None,
        headers: HeaderItems = (),
        content_type: str = "application/sdp",
        contact: str | None = "<sip:ann@peer.test:5070>",
        host: str = "peer.test",
    ) -> Request:
        """A request to the leg; the To tag "leg" stands for the leg's own."""
        tag = self.ours.local_tag if to_tag == "leg" else to_tag
        made = build_request(
            method,
            "sip:bob@callee.test",
            via=Via("UDP", host, None, Params((("branch", branch or f"z9hG4bK{self.tag}{next(self._branches)}"),))),
            from_=f"<sip:ann@peer.test>;tag={from_tag or self.tag}",
            to="<sip:bob@callee.test>" + (f";tag={tag}" if tag else ""),
            call_id=self.call_id,
            cseq=self.cseq if cseq is None else cseq,
            contact=contact,
            headers=headers,
            body=body or b"",
            content_type=content_type if body else None,
        )
        read = over_the_wire(made)
        assert isinstance(read, Request)
        return read

    def call(self, invite: Request | None = None) -> list[LegFact]:
        """Send the INVITE to a new leg."""
        if invite is not None:
            self.invite = invite
        self.leg = callee_leg(self.invite, config=self.config)
        return self.send(self.invite)

    def send(self, message: Request) -> list[LegFact]:
        self.out = self.ours.receive(message, self.flow, self.now)
        return facts(self.out)

    def next(self, method: str, *, body: bytes | None = None, headers: HeaderItems = ()) -> Request:
        """The next request of the dialog, not sent yet."""
        self.cseq += 1
        return self.make(method, body=body, headers=headers)

    def ack(self, body: bytes | None = None) -> list[LegFact]:
        """Acknowledge a 2xx."""
        return self.send(self.make("ACK", body=body))

    def prack(self, *, body: bytes | None = None, rseq: int | None = None, cseq: int = 1) -> list[LegFact]:
        """Acknowledge the leg's last reliable response, or the one with that number."""
        if rseq is None:
            rseq = responses(self.out)[-1].rseq
        assert rseq is not None
        return self.send(self.next("PRACK", body=body, headers=(("RAck", f"{rseq} {cseq} INVITE"),)))

    def cancel(self, invite: Request, headers: HeaderItems = ()) -> list[LegFact]:
        cancel = self.make(
            "CANCEL", to_tag=invite.to_tag, cseq=invite.cseq.number, branch=invite.via.branch, headers=headers
        )
        return self.send(cancel)


@attrs.define(eq=False)
class CalledPeer(Peer):
    """Is called by a leg of ours."""

    leg: Leg = attrs.field(factory=caller_leg)

    @property
    def ours(self) -> Leg:
        return self.leg

    def dial(self, body: bytes | None = OFFER, **how: Any) -> Request:
        """Have the leg call; its INVITE."""
        command = attrs.evolve(invite_command(body), **how)
        self.tell(command)
        return self.last("INVITE")

    def ring(
        self, invite: Request, rseq: int, *, status: int = 183, body: bytes | None = None, tag: str = "peer"
    ) -> list[LegFact]:
        """Answer the leg's INVITE reliably."""
        allow = ("Allow", "INVITE, ACK, BYE, PRACK, UPDATE")
        return self.answer(invite, status, tag=tag, body=body, headers=(CONTACT, *REQUIRED, ("RSeq", str(rseq)), allow))

    def asks(self, *, tag: str = "peer", cseq: int = 0) -> CallingPeer:
        """The same peer when it sends requests itself; they go on from `cseq`."""
        return CallingPeer(self.leg, flow=self.flow, now=self.now, cseq=cseq, call_id=self.leg.call_id, tag=tag)
