"""Keeping a recording: move its file to its place, write its record, tell the outside."""

from __future__ import annotations

from ..store.records import RecordingRecord
from .call_identity import Identity
from .messages.events import RecordingReady
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
