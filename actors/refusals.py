"""What is told of a refused request: the error header to the peer, the alert and the event to the outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..sip.message import Request
from ..sip.tokens import Method
from ..transport.flow import Flow
from ..twiml.codes import describe
from .admission import Refused
from .herald import Herald
from .messages.events import CallRefused, RegistrationRefused

ERROR_TEXTS: Final = {32201: "Authentication failure - source IP Address not in ACL"}
"""What an error header says where the catalogue's name is not what peers were seen to be told."""

KINDS: Final[Mapping[str, type[CallRefused | RegistrationRefused]]] = {
    Method.INVITE: CallRefused,
    Method.REGISTER: RegistrationRefused,
}


def tell(herald: Herald, request: Request, flow: Flow, refused: Refused) -> tuple[tuple[str, str], ...]:
    """Raise the alert and publish the event of a refusal; the headers that its answer carries."""
    headers = refused.headers
    alert, domain = refused.alert, refused.domain
    if alert is not None:
        text = ERROR_TEXTS.get(alert.code) or describe(alert.code).name
        headers += ((f"{herald.settings.header_prefix}Error", f"{alert.code} {text}"),)
        herald.alert(alert.code, alert.detail, domain=domain.name if domain is not None else None)
    kind = KINDS.get(request.method)
    if kind is not None and refused.status != 407:
        herald.bus.publish(
            kind(
                at=herald.now_utc(),
                account=domain.account_sid if domain is not None else "",
                domain=domain.name if domain is not None else None,
                status=refused.status,
                source=flow.remote[0],
                code=alert.code if alert is not None else None,
            )
        )
    return headers
