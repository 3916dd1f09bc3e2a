"""What the outside learns of a call: events on the bus, its row in the journal, its status callback."""

from __future__ import annotations

import datetime

import attrs

from ..media.events import Quality
from ..store.records import CallRecord
from .call_identity import Identity
from .call_state import CallState, Status
from .messages.events import (
    ActorCrashed,
    CallAnswered,
    CallEnded,
    CallRinging,
    CallStarted,
    DigitsHeard,
    QualityMeasured,
)
from .messages.lifecycle import Down
from .notifications import Notifications
from .registry import CallView
from .services import Services


class CallReporter:
    """What the two kinds of calls tell in the same way. Nothing here waits."""

    services: Services
    identity: Identity
    record: CallRecord

    def view(self) -> CallView:
        """The picture for whoever lists the live calls."""
        record = self.record
        return CallView(
            sid=record.sid,
            account=record.account_sid,
            direction=record.direction,
            from_=record.from_,
            to=record.to,
            status=record.status,
            started_at=record.started_at,
            domain=self.identity.domain_name,
            answered_at=record.answered_at,
        )

    def digit(self, digit: str, duration_ms: int) -> None:
        self.services.bus.publish(
            DigitsHeard(
                at=self.services.now_utc(),
                account=self.identity.account,
                call_sid=self.identity.sid,
                digits=digit,
                duration_ms=duration_ms,
            )
        )

    def quality(self, stats: Quality) -> None:
        self.services.bus.publish(
            QualityMeasured(
                at=self.services.now_utc(),
                account=self.identity.account,
                call_sid=self.identity.sid,
                codec=stats.codec,
                packets_sent=stats.packets_sent,
                packets_received=stats.packets_received,
                packets_lost=stats.packets_lost,
                packets_refused=stats.packets_refused,
                jitter_ms=stats.jitter_ms,
                mos=stats.mos,
            )
        )

    def alert(self, code: int, detail: str) -> None:
        self.services.alert(code, detail, call_sid=self.identity.sid, domain=self.identity.domain_name)

    def down(self, down: Down) -> None:
        """The call itself has ended; its last words have been said."""
        if down.error is not None:
            self.crashed(down)

    def crashed(self, down: Down) -> None:
        """An actor of the call has crashed."""
        self.services.bus.publish(
            ActorCrashed(
                at=self.services.now_utc(),
                account=self.identity.account,
                actor=down.name,
                error=f"{type(down.error).__name__}: {down.error}",
                call_sid=self.identity.sid,
            )
        )

    def _write(self) -> None:
        self.services.journal.write_call(self.record)
        entry = self.services.registry.calls.get(self.identity.sid)
        if entry is not None:
            entry.view = self.view()


@attrs.define(eq=False)
class CallNews(CallReporter):
    """Speaks for one call. Nothing here waits."""

    services: Services
    identity: Identity
    notifications: Notifications
    started_at: datetime.datetime
    answered_at: datetime.datetime | None = None
    record: CallRecord = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        who = self.identity
        self.record = CallRecord(
            sid=who.sid,
            account_sid=who.account,
            direction=who.direction,
            from_=who.from_,
            to=who.to,
            status=Status.RINGING.value,
            started_at=self.started_at,
            domain_sid=who.domain.sid if who.domain is not None else None,
            sip_call_id=who.sip_call_id,
        )

    def started(self) -> None:
        self._write()
        who = self.identity
        self.services.bus.publish(
            CallStarted(
                at=self.started_at,
                account=who.account,
                call_sid=who.sid,
                direction=who.direction,
                from_=who.from_,
                to=who.to,
                domain=who.domain_name,
                sip_call_id=who.sip_call_id,
            )
        )

    def changed(self, state: CallState) -> None:
        """The status has changed, not finally."""
        at = self.services.now_utc()
        answered = state.status is Status.IN_PROGRESS
        self.record = attrs.evolve(
            self.record, status=state.status.value, answered_at=at if answered else self.record.answered_at
        )
        self._write()
        kind = CallAnswered if answered else CallRinging
        self.services.bus.publish(kind(at=at, account=self.identity.account, call_sid=self.identity.sid))

    def ended(self, state: CallState, cause: str, sip_status: int | None = None) -> None:
        """The final word; called once a call."""
        at = self.services.now_utc()
        self.record = attrs.evolve(
            self.record,
            status=state.status.value,
            ended_at=at,
            duration_s=state.duration_s,
            sip_response_code=sip_status,
        )
        self._write()
        self.services.bus.publish(
            CallEnded(
                at=at,
                account=self.identity.account,
                call_sid=self.identity.sid,
                status=state.status.value,
                duration_s=state.duration_s,
                sip_response_code=sip_status,
                cause=cause,
            )
        )
        self.notifications.completed(state, sip_status, at)
