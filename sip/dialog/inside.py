"""Which requests a dialog takes: method, extensions and body, in the order of RFC 3261 section 8.2."""

from typing import Final

import attrs

from ..message import Message, Request
from .config import HeaderItems, LegConfig

_VIEWS: Final = (
    "vias",
    "from_tag",
    "to_tag",
    "call_id",
    "cseq",
    "contacts",
    "record_routes",
    "media_type",
    "require",
    "content_encoding",
)

# Header to the view that reads it, for what most messages lack.
_OPTIONAL: Final = (
    ("allow", "allow"),
    ("supported", "supported"),
    ("session-expires", "session_expires"),
    ("min-se", "min_se"),
    ("retry-after", "retry_after"),
    ("rseq", "rseq"),
    ("rack", "rack"),
)
_DESCRIBING: Final = ("INVITE", "UPDATE", "PRACK")


def read_all(message: Message) -> None:
    """Read every header that a leg relies on, so that nothing is half done when one cannot be. Raises `SipError`.

    The views are kept with the message: for one that was validated this costs next to nothing.
    """
    for view in _VIEWS:
        getattr(message, view)
    for name, view in _OPTIONAL:
        if name in message.headers:
            getattr(message, view)


@attrs.frozen
class Refusal:
    """How a request is turned down."""

    status: int
    headers: HeaderItems


def refusal_of(request: Request, config: LegConfig) -> Refusal | None:
    """Why a request in a dialog cannot be carried out; None when it can."""
    if request.method not in config.allow:
        return Refusal(405, (("Allow", ", ".join(config.allow)),))
    lacking = lacks(request, config)
    if lacking is not None:
        return lacking
    if request.body and request.method in _DESCRIBING:
        if request.content_encoding:
            return Refusal(415, (("Accept-Encoding", "identity"),))
        media_type = request.content_type
        if media_type is not None and media_type not in config.accept:
            return Refusal(415, (("Accept", ", ".join(config.accept)),))
    return None


def lacks(request: Request, config: LegConfig) -> Refusal | None:
    """Whether a request requires an extension that we do not have (8.2.2.3)."""
    if "require" not in request.headers:
        return None
    unknown = [tag for tag in request.require if tag.lower() not in config.supported]
    return Refusal(420, (("Unsupported", ", ".join(unknown)),)) if unknown else None
