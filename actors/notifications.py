"""What one call tells its application beside documents: status and recording callbacks, in order."""

from __future__ import annotations

import datetime

import attrs
import structlog

from ..store.records import WebhookTarget
from ..transport.webhook import CallSession, Purpose, Reply
from ..twiml.params import CallStatus, status_parameters
from ..twiml.steps import Parameters
from .call_identity import ChildCallbacks, Identity
from .call_state import CallState
from .mailbox import ActorGone, MailboxFull, Ref
from .messages.lifecycle import Stop
from .notifier import Callback, Notifier, NotifierInput
from .services import Services
from .webhooks import Asked

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class Notifications:
    """Starts the call's notifier when there is something to tell, and not before: most calls tell nothing."""

    services: Services
    identity: Identity
    session: CallSession = attrs.field(factory=CallSession)
    """Cookies and credentials of this call's requests, its documents included."""
    _notifier: Ref[NotifierInput] | None = None
    _sequence: int = 0

    def tell(
        self,
        target: WebhookTarget,
        method: str,
        params: tuple[tuple[str, str], ...],
        *,
        purpose: str,
        final: bool = True,
    ) -> None:
        """Deliver one callback, after those told before."""
        if self._notifier is None:
            self._notifier = self._start()
        try:
            self._notifier.post(Callback(target=target, method=method, params=params, purpose=purpose, final=final))
        except (ActorGone, MailboxFull) as error:
            log.error("a callback is lost", call_sid=self.identity.sid, purpose=purpose, why=str(error))

    def completed(self, state: CallState, sip_status: int | None, at: datetime.datetime) -> None:
        """The status callback of an inbound call: one, at its end."""
        application = self.identity.application
        if application.status_callback_url is None or self.identity.parent_sid is not None:
            return
        facts = self.identity.facts(state.status.public)
        params = status_parameters(
            facts, at=at, sequence=self._sequence, duration_s=state.duration_s, sip_response_code=sip_status
        )
        self._sequence += 1
        self.tell(
            application.status_callback_url, application.status_callback_method, params, purpose="status-callback"
        )

    def child_event(
        self,
        callbacks: ChildCallbacks,
        status: CallStatus,
        at: datetime.datetime,
        *,
        duration_s: float,
        sip_status: int | None,
        final: bool,
        recording: Parameters = (),
    ) -> None:
        """A status callback of a dialled call."""
        params = status_parameters(
            self.identity.facts(status),
            at=at,
            sequence=self._sequence,
            duration_s=duration_s if final else None,
            sip_response_code=sip_status if final else None,
            recording=recording,
        )
        self._sequence += 1
        self.tell(callbacks.url, callbacks.method, params, purpose="status-callback", final=final)

    def close(self) -> None:
        """Nothing more will be told; what has been is still delivered."""
        if self._notifier is not None:
            self._notifier.offer(Stop("the call is over"))

    def _start(self) -> Ref[NotifierInput]:
        box = Notifier.new_mailbox(self.identity.sid)
        self.services.notifiers.start(Notifier(box, self._deliver, self._alert))
        return box.ref

    async def _deliver(self, callback: Callback) -> Reply:
        asked = Asked(
            call_sid=self.identity.sid,
            account=self.identity.account,
            target=callback.target,
            method=callback.method,
            purpose=callback.purpose,
            params=callback.params,
            kind=Purpose.CALLBACK,
        )
        return await self.services.webhooks.ask(asked, self.session)

    def _alert(self, code: int, detail: str) -> None:
        self.services.alert(code, detail, call_sid=self.identity.sid, domain=self.identity.domain_name)
