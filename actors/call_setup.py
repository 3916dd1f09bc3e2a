"""Puts an inbound call together: its SID, its leg, its status, its voice to the outside."""

from __future__ import annotations

from collections.abc import Hashable

import trio

from ..sip.dialog.leg import Leg
from ..sip.message import Request
from ..transport.flow import Flow
from .admission import Admitted
from .call import Call, call_mailbox
from .call_identity import Identity
from .call_news import CallNews
from .call_state import CallState, Status
from .dialog import LegActor, leg_mailbox
from .messages.call import LegNews
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
    identity = Identity.of_invite(sid, services.settings.account, admitted, request, flow)
    config = services.leg_config(services.courier.contact_on(flow))
    box = call_mailbox(sid)
    leg = LegActor(
        leg_mailbox(sid),
        Leg.called(request, config, services.ids),
        lambda fact: box.ref.post(LegNews(fact)),
        services.courier,
        services.registry,
        services.linger,
        keys,
        invite,
    )
    news = CallNews(services, identity, Notifications(services, identity), services.now_utc())
    state = CallState(Status.QUEUED, trio.current_time())
    return Call(box, services, identity, state, news, leg)
