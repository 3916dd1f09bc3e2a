"""Announcer: prompts as clips, fetched or spoken, each made once however many calls want it.

An object without a task of its own. Whoever asks waits; programs do, calls never (docs/architecture.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs
import trio

from ..media.errors import AudioTooLong, BadAudio
from ..media.files import LONGEST_S, PLAYABLE_TYPES, decode
from ..media.sources import Clip
from ..media.speech import Speech, SpeechError
from ..transport.errors import WebhookFailed
from ..transport.webhook import MEDIA_BYTES_MAX, Purpose, WebhookClient, WebhookRequest
from .flights import Flights, Shelf
from .speaker import Offload
from .voices import DEFAULT_LANGUAGE, DEFAULT_VOICE, Family, voice_of

ERROR_NOTICE: Final = Path(__file__).with_name("assets") / "error_notice.wav"
"""A recording, so that the notice of a failure needs nothing that can fail."""

SPOKEN_BYTES: Final = 32 * 1024 * 1024
"""Half an hour of spoken prompts is kept."""
FETCHED_BYTES: Final = 128 * 1024 * 1024
"""More than two hours of files."""
DECODERS: Final = 2
"""Files decoded at a time, on worker threads."""

LIMITS: Final = {Family.BASIC: 4096, Family.POLLY: 3000, Family.GOOGLE: 5000}
"""Characters of one `<Say>`; Polly's are counted without tags, Google's with them."""

TEXT_MISSING, TEXT_TOO_LONG, ENGINE_FAILED = 13520, 13521, 12400
NO_CONTENT_TYPE, NOT_AUDIO, MISMATCH = 12300, 13420, 11200


class PromptFailed(Exception):
    """A prompt cannot be heard; `code` is the public error code, `url` that of its file (empty for speech)."""

    def __init__(self, code: int, detail: str, url: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.url = code, detail, url


@attrs.frozen
class Words:
    """What is to be spoken, and how."""

    text: str
    """Plain words, or the content of an SSML document."""
    ssml: bool
    voice: str
    language: str


@attrs.define(eq=False)
class Announcer:
    """Fetches, speaks, decodes and keeps prompts."""

    client: WebhookClient
    speech: Speech
    offload: Offload = trio.to_thread.run_sync
    """How decoding leaves the event loop."""
    error_notice: Clip = attrs.field(factory=lambda: load_notice())
    """What a caller hears when an application failed and its fallback too."""
    _spoken: Shelf[Words] = attrs.field(factory=lambda: Shelf(SPOKEN_BYTES))
    _fetched: Shelf[int] = attrs.field(factory=lambda: Shelf(FETCHED_BYTES))
    _speaking: Flights[Words] = attrs.field(factory=lambda: Flights())
    _fetching: Flights[str] = attrs.field(factory=lambda: Flights())
    _decoders: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(DECODERS))

    async def say(
        self, text: str, ssml: str | None = None, *, voice: str | None = None, language: str | None = None
    ) -> Clip:
        """Speak `text`; `ssml` is the same with its mark-up (without the `speak` element) when it has some.

        Raises `PromptFailed`: 13520 for nothing to say, 13521 for too much, 12400 when the engine failed.
        """
        wanted = voice_of(voice, language)
        if not text.strip():
            raise PromptFailed(TEXT_MISSING, "there is no text to speak")
        length = len(ssml) if ssml is not None and wanted.family is Family.GOOGLE else len(text)
        if length > LIMITS[wanted.family]:
            raise PromptFailed(TEXT_TOO_LONG, f"{length} characters; this voice takes {LIMITS[wanted.family]}")
        # The basic voices of the original ignore mark-up: they are given the words alone.
        marked = ssml is not None and wanted.family is not Family.BASIC
        words = Words(
            f"<speak>{ssml}</speak>" if marked else text,
            marked,
            voice or DEFAULT_VOICE,
            language or DEFAULT_LANGUAGE,
        )
        clip = self._spoken.find(words)
        if clip is None:
            clip = await self._speaking.share(words, lambda: self._speak(words))
        return clip

    async def fetch(self, url: str) -> Clip:
        """The file at an absolute URL.

        Files are fetched with GET, without the parameters of webhooks, and kept as far as HTTP allows: as long as the
        server says it is still the same file, it is neither loaded nor decoded again. Raises `PromptFailed` with the
        code of the webhook client, 12300 without a content type, 13420 when it is none of sound, 11200 when the
        content is not what the type says.
        """
        return await self._fetching.share(url, lambda: self._fetch(url))

    async def decode(self, audio: bytes, content_type: str | None, url: str = "") -> Clip:
        """Sound that is here already (it came in a document's place). Raises `PromptFailed` as `fetch` does."""
        if content_type is None:
            raise PromptFailed(NO_CONTENT_TYPE, "the file has no Content-Type", url)
        kind = content_type.partition(";")[0].strip().lower()
        if kind not in PLAYABLE_TYPES:
            raise PromptFailed(NOT_AUDIO, f"{kind} cannot be played", url)
        try:
            async with self._decoders:
                return Clip(await self.offload(_decode, audio, kind))
        except AudioTooLong as error:
            raise PromptFailed(MISMATCH, str(error), url) from error
        except BadAudio as error:
            raise PromptFailed(MISMATCH, f"the file is not {kind}: {error}", url) from error

    async def _speak(self, words: Words) -> Clip:
        try:
            clip = await self.speech.synthesize(words.text, ssml=words.ssml, voice=words.voice, language=words.language)
        except SpeechError as error:
            raise PromptFailed(ENGINE_FAILED, f"the text could not be spoken: {error}") from error
        self._spoken.put(words, clip)
        return clip

    async def _fetch(self, url: str) -> Clip:
        try:
            reply = await self.client.fetch(WebhookRequest(url, "GET", purpose=Purpose.MEDIA))
        except WebhookFailed as error:
            raise PromptFailed(error.code, error.detail, error.url) from error
        known = self._fetched.find(reply.version) if reply.version is not None else None
        if known is not None:
            return known
        clip = await self.decode(reply.body, reply.content_type, reply.url)
        if reply.version is not None:
            self._fetched.put(reply.version, clip)
        return clip


def _decode(audio: bytes, content_type: str) -> bytes:
    return decode(audio, content_type, limit_s=LONGEST_S, limit_bytes=MEDIA_BYTES_MAX)


def load_notice() -> Clip:
    """The recorded error notice; raises OSError or BadAudio at the start when the installation is broken."""
    return Clip(decode(ERROR_NOTICE.read_bytes(), "audio/wav"))
