"""Media of recordings: `…/Recordings/{Sid}` without suffix or with `.wav` gives WAV, with `.mp3` MP3."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import attrs
import structlog
import trio
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ...store.recordings import MP3, RecordingFiles
from ...store.repository import Repository
from ..auth import Credentials
from .errors import ApiError, not_found

log = structlog.get_logger(__name__)

MEDIA_TYPES = {"": "audio/x-wav", ".wav": "audio/x-wav", ".mp3": "audio/mpeg"}

EncodeMp3 = Callable[[Path, Path], None]
"""Reads the WAV file at the first path and writes an MP3 file at the second; runs in a worker thread."""


@attrs.define(eq=False)
class RecordingMedia:
    """Answers requests for recorded audio."""

    credentials: Credentials
    files: RecordingFiles
    repository: Repository
    encode_mp3: EncodeMp3
    _encoding: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1), init=False)
    _locks: dict[str, trio.Lock] = attrs.field(factory=dict, init=False)

    async def get(self, request: Request) -> Response:
        """GET and HEAD, with ranges."""
        self.credentials.check_account(request, request.path_params["account_sid"])
        sid, dot, kind = str(request.path_params["name"]).partition(".")
        suffix = dot + kind
        if suffix not in MEDIA_TYPES:
            raise not_found(request)
        record = await self.repository.recording(sid)
        wav = self.files.find(sid)
        if wav is None or (record is not None and record.status != "completed"):
            raise not_found(request)
        check_channels(request, record.channels if record is not None else 1)
        path = await self._mp3(sid, wav) if suffix == MP3 else wav
        name = f"{sid}{suffix or '.wav'}"
        return FileResponse(path, media_type=MEDIA_TYPES[suffix], filename=name, content_disposition_type="inline")

    async def _mp3(self, sid: str, wav: Path) -> Path:
        """The MP3 file of a recording: made once, by whoever asks first; the others wait for it."""
        path = self.files.path(sid, MP3)
        lock = self._locks.setdefault(sid, trio.Lock())
        try:
            async with lock:
                if not path.is_file():
                    await trio.to_thread.run_sync(self._encode, wav, path, limiter=self._encoding)
        finally:
            if not lock.statistics().tasks_waiting:
                self._locks.pop(sid, None)
        return path

    def _encode(self, wav: Path, path: Path) -> None:
        draft = path.with_name(f"{path.stem}.{secrets.token_hex(4)}.part{MP3}")
        try:
            self.encode_mp3(wav, draft)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def check_channels(request: Request, channels: int) -> None:
    """`RequestedChannels` asks for one or two; two of a mono recording is 16113."""
    asked = request.query_params.get("RequestedChannels")
    if asked is None:
        return
    if asked not in ("1", "2"):
        raise ApiError(400, 20422, "Invalid parameter: RequestedChannels should be 1 or 2")
    if int(asked) > channels:
        raise ApiError(400, 16113, "Requested channels are not available: the recording is mono")
