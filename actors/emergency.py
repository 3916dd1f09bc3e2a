"""Calls to emergency numbers from phones of a domain: no application is asked, they go to the trunk for emergencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import quoteattr

import attrs

from ..sip.message import Request
from ..sip.trunks import EMERGENCY, Trunk, Trunks
from ..sip.uri import Uri
from ..store.numbers import NumberDirectory
from ..store.records import Application, DomainRecord
from ..twiml.numbers import user_number
from .admission import Alert, Refused, answered_by_domain

RING_S: Final = 600
"""How long an emergency centre may let a caller wait."""

NO_TRUNK: Final = 13224
NO_CALLER: Final = 13214


@attrs.frozen
class Emergencies:
    """Decides who answers a call to a domain: its application, or for an emergency nobody but the centre."""

    trunks: Trunks
    numbers: NumberDirectory

    def __call__(self, request: Request, domain: DomainRecord) -> Application | Refused:
        dialled = emergency_number(request.uri)
        if dialled is None:
            return answered_by_domain(request, domain)
        trunk = self.trunks.trunk_of(dialled)
        if trunk is None:
            alert = Alert(NO_TRUNK, f"{dialled} was dialled, and no trunk takes emergency calls")
            return Refused(404, alert=alert, domain=domain)
        caller = self._caller(request, trunk)
        if caller is None:
            alert = Alert(
                NO_CALLER,
                f"{dialled} was dialled by {request.from_.uri}, which is no number of ours, and trunk {trunk.name} "
                "has no caller_id",
            )
            return Refused(403, alert=alert, domain=domain)
        return Application(
            voice_url=EmergencyDocument(dialled, caller),
            status_callback_url=domain.status_callback_url,
            status_callback_method=domain.status_callback_method,
        )

    def _caller(self, request: Request, trunk: Trunk) -> str | None:
        """Whom the centre can call back: the phone's own number, else the trunk's."""
        own = user_number(request.from_.uri)
        if own is not None and (own in self.numbers.owned or own == trunk.caller_id):
            return own
        return trunk.caller_id


def emergency_number(uri: Uri) -> str | None:
    """The emergency number that a URI means."""
    dialled = (uri.user_text or "").partition(";")[0]
    return dialled if dialled in EMERGENCY else None


@attrs.frozen
class EmergencyDocument:
    """The document of an emergency call; stands in for a voice URL. The phone rings until the centre answers."""

    number: str
    caller: str

    async def __call__(self, params: Mapping[str, str]) -> str:
        return (
            f'<Response><Dial answerOnBridge="true" timeout="{RING_S}" callerId={quoteattr(self.caller)}>'
            f'<Number>{self.number}</Number></Dial><Reject reason="busy"/></Response>'
        )
