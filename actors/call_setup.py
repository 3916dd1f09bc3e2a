"""Puts an inbound call together: its SID, its leg, its status, its voice to the outside."""

from __future__ import annotations

from collections.abc import Hashable

import trio

from ..sip.dialog.config import LegConfig
from ..sip.dialog.leg import Leg
from ..sip.message import Request
from ..transport.flow import Flow
from .admission import Admitted
from .call import Call, call_mailbox
from .call_identity import Identity
from .call_news import CallNews
from .call_state import CallState, Status
from .dialog import LegActor, leg_mailbox
from .notifications import Notifications
from .services import Services


def inbound_call(
    services: Services,
    admitted: Admitted,
    request: Request,
    flow: Flow,
    *,
    keys: tuple[Hashable, ...],
    invite: tuple[str, str, int],
) -> Call:
    """A call that has not been started; give the INVITE to its leg's mailbox."""
    sid = services.ids.sid("CA")
    identity = Identity.of_invite(sid, admitted.domain, request, flow, admitted.username)
    settings = services.settings
    config = LegConfig(
        contact=services.courier.contact_on(flow),
        timers=services.timers,
        server=settings.server_header,
    )
    box = call_mailbox(sid)
    leg = LegActor(
        leg_mailbox(sid),
        Leg.called(request, config, services.ids),
        box.ref,
        services.courier,
        services.registry,
        services.linger,
        keys,
        invite,
    )
    news = CallNews(services, identity, Notifications(services, identity), services.now_utc())
    state = CallState(Status.QUEUED, trio.current_time())
    return Call(box, services, identity, state, news, leg)
