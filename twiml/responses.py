"""What an answer to a TwiML request is, by its status and Content-Type: mark-up, words to speak, audio, or nothing."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from . import xml
from .errors import DocumentError, TooLarge

TWIML_TYPES = frozenset(("text/xml", "application/xml", "text/html"))
TEXT_TYPE = "text/plain"
AUDIO_TYPES = frozenset(
    (
        "audio/mpeg",
        "audio/wav",
        "audio/wave",
        "audio/x-wav",
        "audio/aiff",
        "audio/x-aifc",
        "audio/x-aiff",
        "audio/x-gsm",
        "audio/gsm",
        "audio/ulaw",
    )
)
"""What `Play` plays, and what may come in place of a document."""

FETCH_FAILED = 11200
EMPTY = 11770
BAD_TYPE = 12300


@attrs.frozen
class Markup:
    """A document to parse."""

    body: bytes
    charset: str | None


@attrs.frozen
class Words:
    """Plain text: speak it, then hang up."""

    text: str


@attrs.frozen
class Audio:
    """Audio: play it, then hang up."""

    body: bytes
    content_type: str


@attrs.frozen
class Empty:
    """Nothing, which is a document without verbs. `code` is the warning that goes with it, `None` for a 204, which
    says so itself."""

    code: int | None


@attrs.frozen
class Unusable:
    """No document: `code` says why, and the fallback is next."""

    code: int
    detail: str


Answer: TypeAlias = Markup | Words | Audio | Empty | Unusable


def classify(status: int, content_type: str | None, body: bytes) -> Answer:
    """What an answer is."""
    if not 200 <= status < 300:
        return Unusable(FETCH_FAILED, f"the request was answered with status {status}")
    if status == 204 or not body:
        return Empty(None if status == 204 else EMPTY)
    kind, charset = media_type(content_type)
    if not kind:
        return Unusable(BAD_TYPE, "the answer has no Content-Type")
    if kind in TWIML_TYPES:
        return Markup(body, charset)
    if kind == TEXT_TYPE:
        return _plain(body, charset)
    if kind in AUDIO_TYPES:
        return Audio(body, kind)
    return Unusable(BAD_TYPE, f"the Content-Type {kind[:80]!r} is not supported")


def media_type(content_type: str | None) -> tuple[str, str | None]:
    """Type and charset of a Content-Type (RFC 9110 section 8.3.1); an empty type when there is none."""
    kind, *parameters = (content_type or "").split(";")
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if equals and name.strip().lower() == "charset":
            return kind.strip().lower(), value.strip().strip("\"'") or None
    return kind.strip().lower(), None


def _plain(body: bytes, charset: str | None) -> Answer:
    """Text is TwiML when it reads as TwiML."""
    try:
        if xml.read(body, charset=charset).name == "Response":
            return Markup(body, charset)
    except TooLarge as error:
        return Unusable(error.code, error.message)
    except DocumentError:
        pass
    try:
        text = xml.decode(body, charset)
    except DocumentError:
        text = body.decode("utf-8", "replace")
    return Words(text.strip()) if text.strip() else Empty(EMPTY)
