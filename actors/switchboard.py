"""Switchboard: admits calls and starts them, hands registrations on; routing and containment are the router's."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable
from typing import Final

import attrs
import trio

from ..sip.digest import DigestServer
from ..sip.message import Request, Response
from ..sip.tokens import Method
from ..sip.transaction.key import server_key
from ..sip.trunks import Trunks
from ..store.domains import DomainDirectory
from ..store.numbers import NumberDirectory
from ..transport.flow import Flow, FlowClosed, Malformed, Received
from .admission import (
    ACCEPT_HEADER,
    ALLOW_HEADER,
    SUPPORTED_HEADER,
    Admitted,
    Alert,
    Carried,
    Decision,
    Refused,
    admit,
    screen,
)
from .call_setup import inbound_call
from .emergency import Emergencies
from .mailbox import ActorGone
from .messages.leg import Incoming
from .messages.registrar import RegisterReceived
from .refusals import tell
from .registration import enrol, has_credentials
from .router import Router
from .services import Services
from .trunk_admission import admit_carried, bringing

RETRY_AFTER_S: Final = 5
"""What a 503 asks for while the server drains or is flooded."""


@attrs.define(eq=False)
class Switchboard(Router):
    """Decides, for what belongs to no call yet, whether a call comes of it."""

    services: Services
    domains: DomainDirectory
    digest: DigestServer
    numbers: NumberDirectory

    def contained(self, error: Exception) -> None:
        self.services.contained(self.mailbox.name, error)

    def heard(self, received: Received) -> None:
        self.services.captures.received(received.message, received.data, received.flow, received.at)

    def unread(self, message: Malformed, answer: Response) -> None:
        self.services.captures.unread(answer, message.data, message.flow)

    async def outside_dialog(self, request: Request, received: Received) -> None:
        refused = screen(request, min_session_s=self.services.settings.min_session_s)
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
        decision = self._decide(request, received.flow)
        if isinstance(decision, Refused):
            self._refuse(request, received.flow, decision)
            return
        carried = decision.carried
        if carried is not None and not self._trunks.enter(carried.trunk.name):
            self._refuse(request, received.flow, too_many(carried))
            return
        try:
            self._start(request, received, decision, key, invite)
        except BaseException:
            # The call that would give the place back did not come about.
            if carried is not None:
                self._trunks.release(carried.trunk.name)
            raise

    @property
    def _trunks(self) -> Trunks:
        return self.services.dialling.trunks

    def _decide(self, request: Request, flow: Flow) -> Decision:
        source, transport = flow.remote[0], flow.transport
        trunk = bringing(request, source, self._trunks, self.domains)
        if trunk is not None:
            return admit_carried(request, trunk, source=source, transport=transport, numbers=self.numbers)
        return admit(
            request,
            source=source,
            transport=transport,
            domains=self.domains,
            digest=self.digest,
            now=trio.current_time(),
            answering=Emergencies(self._trunks, self.numbers),
        )

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
        self.services.captures.begin(call.identity.sid, request.call_id, request.from_tag or "")
        for alert in admitted.warnings:
            call.news.alert(alert.code, alert.detail)
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


def too_many(carried: Carried) -> Refused:
    """The trunk has as many calls as it may have."""
    trunk = carried.trunk
    return Refused(
        503,
        headers=(("Retry-After", str(RETRY_AFTER_S)),),
        alert=Alert(10004, f"trunk {trunk.name} has {trunk.max_calls} calls already"),
    )
