"""Switchboard: admits calls and starts them, hands registrations on; routing and containment are the router's."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable
from typing import Final

import attrs
import trio

from ..sip.digest import DigestServer
from ..sip.message import Request
from ..sip.tokens import Method
from ..sip.transaction.key import server_key
from ..store.domains import DomainDirectory
from ..transport.flow import Flow, FlowClosed, Received
from .admission import ACCEPT_HEADER, ALLOW_HEADER, SUPPORTED_HEADER, Admitted, Refused, admit, screen
from .call_setup import inbound_call
from .mailbox import ActorGone
from .messages.leg import Incoming
from .messages.registrar import RegisterReceived
from .refusals import tell
from .registration import enrol, has_credentials
from .router import Router
from .services import Services

RETRY_AFTER_S: Final = 5
"""What a 503 asks for while the server drains or is flooded."""


@attrs.define(eq=False)
class Switchboard(Router):
    """Decides, for what belongs to no call yet, whether a call comes of it."""

    services: Services
    domains: DomainDirectory
    digest: DigestServer

    def contained(self, error: Exception) -> None:
        self.services.contained(self.mailbox.name, error)

    async def outside_dialog(self, request: Request, received: Received) -> None:
        refused = screen(request)
        if refused is not None:
            self._refuse(request, received.flow, refused)
        elif request.method == Method.OPTIONS:
            abilities = (ALLOW_HEADER, SUPPORTED_HEADER, ACCEPT_HEADER, ("Accept-Language", "en"))
            self.answer(request, received.flow, 200, headers=abilities)
        elif request.method == Method.REGISTER:
            self._register(request, received)
        else:
            self._invite(request, received)

    def _invite(self, request: Request, received: Received) -> None:
        key = server_key(request)
        invite = (request.call_id, request.from_tag or "", request.cseq.number)
        if self.registry.invites.get(invite, key) != key:
            self.answer(request, received.flow, 482)
            return
        if self.registry.draining:
            self.answer(request, received.flow, 503, headers=(("Retry-After", str(RETRY_AFTER_S)),))
            return
        decision = admit(
            request,
            source=received.flow.remote[0],
            transport=received.flow.transport,
            domains=self.domains,
            digest=self.digest,
            now=trio.current_time(),
        )
        if isinstance(decision, Refused):
            self._refuse(request, received.flow, decision)
        else:
            self._start(request, received, decision, key, invite)

    def _start(
        self,
        request: Request,
        received: Received,
        admitted: Admitted,
        key: Hashable,
        invite: tuple[str, str, int],
    ) -> None:
        call = inbound_call(self.services, admitted, request, received.flow, keys=(key,), invite=invite)
        leg, registry = call.leg.mailbox.ref, self.registry
        registry.transactions[key] = leg
        registry.invites[invite] = key
        registry.add_leg(request.call_id, call.leg.leg.local_tag, leg)
        registry.add_call(call.identity.sid, call.mailbox.ref, call.news.view())
        for alert in admitted.warnings:
            self.services.alert(alert.code, alert.detail, call_sid=call.identity.sid, domain=admitted.domain.name)
        self.services.calls.start(call, call.news.down)
        leg.post(Incoming(request, received.flow, received.at))

    async def flow_closed(self, closed: FlowClosed) -> None:
        # Nobody repeats this news, so it waits for room; the registrar waits for nobody.
        with contextlib.suppress(ActorGone):
            await self.services.registrar.send(closed)

    def _register(self, request: Request, received: Received) -> None:
        """Without credentials it is answered here, statelessly; the rest is the registrar's."""
        flow = received.flow
        if not has_credentials(request):
            judged = enrol(
                request,
                transport=flow.transport,
                domains=self.domains,
                digest=self.digest,
                now=trio.current_time(),
            )
            if isinstance(judged, Refused):
                self._refuse(request, flow, judged)
                return
        if not self.services.registrar.offer(RegisterReceived(request, flow)):
            self.answer(request, flow, 503, headers=(("Retry-After", str(RETRY_AFTER_S)),))

    def _refuse(self, request: Request, flow: Flow, refused: Refused) -> None:
        headers = tell(self.services, request, flow, refused)
        self.answer(request, flow, refused.status, refused.reason, headers)
