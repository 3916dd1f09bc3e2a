"""What a crash left behind, put in order at the next start."""

from __future__ import annotations

import datetime

import structlog

from ..media.errors import MediaError
from ..media.files import repair
from ..store.recordings import PART, RecordingFiles
from ..store.repository import Repository

log = structlog.get_logger(__name__)


def recover_recordings(files: RecordingFiles) -> tuple[str, ...]:
    """Make whole recordings of the drafts that nobody writes any more; their SIDs. Run it before any call."""
    found = []
    for draft in files.drafts():
        sid = draft.name.removesuffix(PART)
        try:
            duration_s = repair(draft)
            if duration_s > 0:
                files.finish(sid)
                found.append(sid)
                log.info("recording recovered", recording_sid=sid, duration_s=round(duration_s, 2))
                continue
        except (MediaError, OSError, ValueError) as error:
            log.warning("recording not recovered", path=str(draft), error=str(error))
        draft.unlink(missing_ok=True)
    return tuple(found)


async def recover_calls(repository: Repository, now_utc: datetime.datetime) -> int:
    """End the calls that the last process could not: they become `failed`. Run it before any call."""
    count = await repository.fail_unfinished_calls(now_utc)
    if count:
        log.warning("calls cut off by the end of the last process", calls=count)
    return count
