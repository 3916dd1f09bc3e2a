"""What the webhook client is asked for, and what it answers."""

from __future__ import annotations

import enum

import attrs

from .webhook_target import Params

DOCUMENT_BYTES_MAX = 64 * 1024
MEDIA_BYTES_MAX = 100 * 1024 * 1024
"""Well above 40 minutes of MP3, or of uncompressed telephone audio."""
DOCUMENT_TYPES = frozenset({"text/xml", "application/xml", "text/html", "text/plain"})
"""Content types of documents; audio may come in a document's place too."""


class Purpose(enum.Enum):
    """What a request is for: decides which answers are good, and how large they may be."""

    DOCUMENT = "document"
    """2xx with a content type that can be a document; 64 KiB, audio as much as media."""
    CALLBACK = "callback"
    """Any 2xx; the body does not matter."""
    MEDIA = "media"
    """Any 2xx; 100 MiB."""


@attrs.frozen
class WebhookRequest:
    """One delivery to an application."""

    url: str
    """As configured, absolute, with user and connection overrides if it has them."""
    method: str = "POST"
    params: Params = ()
    """The standard parameters; they are sent again after a redirect."""
    verb_params: Params = ()
    """What the finished verb adds (`Digits` …); not sent again after a redirect."""
    purpose: Purpose = Purpose.DOCUMENT


@attrs.frozen
class Reply:
    """A good answer (2xx)."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")
    url: str
    """Where it came from after redirects: relative URLs in it resolve against this; has the user, no fragment."""
    elapsed_s: float = 0.0
    attempts: int = 1
    """How many the delivery took, as the retry policy counts: redirects, and requests that were repeated because a kept
    connection had been closed, belong to one attempt."""
    version: int | None = None
    """Set when the answer is cached: equal as long as the body is the same one."""

    def header(self, name: str) -> str | None:
        """The first header of that name (lower case)."""
        return next((value for known, value in self.headers if known == name), None)

    @property
    def content_type(self) -> str | None:
        """`type/subtype` in lower case, without parameters; None when there is none."""
        return media_type(self.header("content-type"))

    @property
    def charset(self) -> str | None:
        """The `charset` parameter of the content type, in lower case."""
        _, *params = (self.header("content-type") or "").split(";")
        for param in params:
            name, _, value = param.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip('"').lower() or None
        return None


def is_audio(content_type: str) -> bool:
    """Whether a content type (`type/subtype`) is one of sound."""
    return content_type.startswith("audio/")


def media_type(value: str | None) -> str | None:
    """`type/subtype` of a Content-Type value, in lower case; None when there is none."""
    kind = (value or "").partition(";")[0].strip().lower()
    return kind or None
