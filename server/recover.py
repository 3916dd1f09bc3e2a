"""What a crash left behind, put in order at the next start."""

from __future__ import annotations

import structlog

from ..media.errors import MediaError
from ..media.files import repair
from ..store.recordings import PART, RecordingFiles

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
