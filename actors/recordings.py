"""Keeping a recording: move its file to its place, write its record, tell the outside and the application."""

from __future__ import annotations

from ..store.records import RecordingRecord
from ..twiml.recording import RecordingFacts, recording_status_parameters, wants_status
from ..twiml.verbs import Dial, Record
from .call_identity import Identity
from .messages.events import RecordingReady
from .notifications import Notifications
from .services import Services


async def keep_recording(services: Services, identity: Identity, sid: str, duration_s: float) -> None:
    """Make the finished draft of `sid`, `duration_s` seconds long, a recording that can be fetched."""
    path = await services.offload(services.recordings.finish, sid)
    services.journal.write_recording(
        RecordingRecord(
            sid=sid,
            account_sid=identity.account,
            call_sid=identity.sid,
            status="completed",
            created_at=services.now_utc(),
            duration_s=round(duration_s),
        )
    )
    services.bus.publish(
        RecordingReady(
            at=services.now_utc(),
            account=identity.account,
            call_sid=identity.sid,
            recording_sid=sid,
            path=str(path),
            duration_s=round(duration_s),
            status="completed",
        )
    )


def tell_recording(
    notifications: Notifications,
    verb: Record | Dial,
    facts: RecordingFacts,
    status: str,
    duration_s: float | None = None,
    *,
    source: str = "RecordVerb",
    track: str = "inbound",
    channels: int = 1,
) -> None:
    """Tell the verb's status callback, if it has one that wants to hear of it, what became of a recording."""
    url, who = verb.recording_status_callback, notifications.identity
    if url is None or not wants_status(verb.recording_status_callback_event, status):
        return
    notifications.tell(
        url,
        verb.recording_status_callback_method,
        recording_status_parameters(
            who.account,
            who.sid,
            facts,
            status=status,
            source=source,
            track=track,
            channels=channels,
            duration_s=duration_s,
        ),
        purpose="recording-status-callback",
    )
