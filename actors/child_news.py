"""What the outside learns of a child call: events, its row in the journal, its status callbacks."""

from __future__ import annotations

import datetime

import attrs
import trio

from ..sip.headers import Headers
from ..store.records import CallRecord
from ..twiml.params import CallStatus, begun_seconds
from .call_identity import ChildCallbacks, Identity
from .call_news import CallReporter
from .messages.child import TellChildStatus
from .messages.events import CallAnswered, CallEnded, CallRinging, CallStarted
from .notifications import Notifications
from .services import Services


@attrs.define(eq=False)
class ChildNews(CallReporter):
    """Speaks for one child. The status itself is the core of Dial's to decide; nothing here waits."""

    services: Services
    identity: Identity
    notifications: Notifications
    callbacks: ChildCallbacks | None
    began: datetime.datetime
    record: CallRecord = attrs.field(init=False)
    ended: bool = False
    answered_at: float | None = None
    """Trio seconds; None: never."""

    def __attrs_post_init__(self) -> None:
        who = self.identity
        self.record = CallRecord(
            sid=who.sid,
            account_sid=who.account,
            direction=who.direction,
            from_=who.from_,
            to=who.to,
            status="queued",
            started_at=self.began,
            parent_call_sid=who.parent_sid,
            domain_sid=who.domain.sid if who.domain is not None else None,
        )

    def started(self) -> None:
        who = self.identity
        self._write()
        self.services.bus.publish(
            CallStarted(
                at=self.began,
                account=who.account,
                call_sid=who.sid,
                direction=who.direction,
                from_=who.from_,
                to=who.to,
                domain=who.domain_name,
                parent_call_sid=who.parent_sid,
            )
        )

    def dialled(self, call_id: str) -> None:
        """An INVITE goes out; the call is known by the Call-ID of its latest."""
        self._identify(attrs.evolve(self.identity, sip_call_id=call_id))

    def answered(self, call_id: str, host: str, headers: Headers) -> None:
        """A leg was picked up: its headers are what a screening document is shown."""
        self._identify(self.identity.picked_up(call_id, host, headers))

    def changed(self, news: TellChildStatus) -> None:
        at, who, bus = self.services.now_utc(), self.identity, self.services.bus
        final = news.event == "completed"
        if news.event == "answered":
            self.answered_at = trio.current_time()
        self.record = attrs.evolve(
            self.record,
            status=news.status,
            answered_at=at if news.event == "answered" else self.record.answered_at,
            ended_at=at if final else None,
            duration_s=begun_seconds(news.duration_s),
            sip_response_code=news.sip_status,
            sip_call_id=who.sip_call_id or None,
        )
        self._write()
        if news.event == "ringing":
            bus.publish(CallRinging(at=at, account=who.account, call_sid=who.sid))
        elif news.event == "answered":
            bus.publish(CallAnswered(at=at, account=who.account, call_sid=who.sid))
        elif final:
            self.ended = True
            bus.publish(
                CallEnded(
                    at=at,
                    account=who.account,
                    call_sid=who.sid,
                    status=news.status,
                    duration_s=begun_seconds(news.duration_s),
                    sip_response_code=news.sip_status,
                    cause="dial",
                )
            )
        callbacks = self.callbacks
        if callbacks is not None and news.event in callbacks.events:
            self.notifications.child_event(
                callbacks,
                news.status,
                at,
                duration_s=news.duration_s,
                sip_status=news.sip_status,
                final=final,
                recording=news.recording,
            )

    def close(self) -> None:
        """The last word; a child that was cut off without one has failed."""
        if not self.ended:
            status: CallStatus = "failed"
            talked_s = 0.0 if self.answered_at is None else trio.current_time() - self.answered_at
            self.changed(TellChildStatus(event="completed", status=status, duration_s=talked_s))
        self.notifications.close()

    def _identify(self, identity: Identity) -> None:
        self.identity = self.notifications.identity = identity
