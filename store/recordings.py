"""Recording files under one directory: where each is written, how it is found again, and when it goes.

`ROOT/ab/REab….wav` is a finished recording, `….wav.part` one that is being written, `….mp3` what was made of it when
somebody first asked. The two digits keep directories small. Names are made of checked SIDs only, so no request can
reach outside the directory.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import attrs

from .sids import Kind, is_sid

WAV, MP3, PART = ".wav", ".mp3", ".wav.part"


class BadSid(ValueError):
    """What should name a recording does not."""

    def __init__(self, sid: str) -> None:
        super().__init__(f"not the SID of a recording: {sid[:40]!r}")
        self.sid = sid


@attrs.frozen
class StoredRecording:
    """A finished file."""

    sid: str
    path: Path
    size_bytes: int
    finished_at: datetime.datetime
    """UTC."""


@attrs.frozen
class RecordingFiles:
    """The directory of recordings. Methods do quick file work; none reads or writes audio."""

    root: Path

    def path(self, sid: str, suffix: str = WAV) -> Path:
        """Where the file of that recording is, or would be. Raises BadSid."""
        if not is_sid(sid, Kind.RECORDING):
            raise BadSid(sid)
        return self.root / sid[2:4].lower() / f"{sid}{suffix}"

    def draft(self, sid: str) -> Path:
        """Where to write a new recording; its directory exists when this returns."""
        path = self.path(sid, PART)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def finish(self, sid: str) -> Path:
        """The draft is whole: from now on the recording is found. Raises FileNotFoundError without a draft."""
        path = self.path(sid)
        os.replace(self.path(sid, PART), path)
        return path

    def discard(self, sid: str) -> None:
        """Drop the draft, e.g. of a recording in which nothing was heard."""
        self.path(sid, PART).unlink(missing_ok=True)

    def find(self, sid: str) -> Path | None:
        """The finished WAV file, or None (also when `sid` is no SID at all)."""
        try:
            path = self.path(sid)
        except BadSid:
            return None
        return path if path.is_file() else None

    def list(self) -> Iterator[StoredRecording]:
        """All finished recordings, the oldest first."""
        found = [stored for path in self.root.glob(f"*/*{WAV}") if (stored := self._stored(path)) is not None]
        return iter(sorted(found, key=lambda stored: stored.finished_at))

    def _stored(self, path: Path) -> StoredRecording | None:
        sid = path.name.removesuffix(WAV)
        try:
            stat = path.stat()
        except FileNotFoundError:  # removed meanwhile
            return None
        if not is_sid(sid, Kind.RECORDING):
            return None
        finished = datetime.datetime.fromtimestamp(stat.st_mtime, datetime.UTC)
        return StoredRecording(sid, path, stat.st_size, finished)

    def remove(self, sid: str) -> bool:
        """Remove the recording in all its forms; whether there was one."""
        wav = self.path(sid)
        existed = wav.is_file()
        for suffix in (WAV, MP3, PART):
            self.path(sid, suffix).unlink(missing_ok=True)
        return existed

    def expire(self, before: datetime.datetime) -> tuple[str, ...]:
        """Remove what was finished before that time; the SIDs removed."""
        gone = []
        for stored in self.list():
            if stored.finished_at >= before:
                break
            self.remove(stored.sid)
            gone.append(stored.sid)
        return tuple(gone)

    def drafts(self) -> tuple[Path, ...]:
        """Drafts that are there now. At start, before any call: what a crash left behind."""
        return tuple(sorted(self.root.glob(f"*/*{PART}")))


def media_path(account_sid: str, recording_sid: str) -> str:
    """Path of a recording's media, to be joined to the base URL: the RecordingUrl of webhooks."""
    return f"/2010-04-01/Accounts/{account_sid}/Recordings/{recording_sid}"
