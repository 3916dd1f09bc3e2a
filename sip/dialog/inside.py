"""Which requests a dialog takes: method, extensions and body, in the order of RFC 3261 section 8.2."""

import attrs

from ..message import Request
from .config import HeaderItems, LegConfig


@attrs.frozen
class Refusal:
    """How a request is turned down."""

    status: int
    headers: HeaderItems


def refusal_of(request: Request, config: LegConfig) -> Refusal | None:
    """Why a request in a dialog cannot be carried out; None when it can."""
    if request.method not in config.allow:
        return Refusal(405, (("Allow", ", ".join(config.allow)),))
    if "require" in request.headers:
        known = {tag.lower() for tag in config.supported}
        unknown = [tag for tag in request.require if tag.lower() not in known]
        if unknown:
            return Refusal(420, (("Unsupported", ", ".join(unknown)),))
    if request.body and request.method == "INVITE":
        if request.content_encoding:
            return Refusal(415, (("Accept-Encoding", "identity"),))
        media_type = request.content_type
        if media_type is not None and media_type not in config.accept:
            return Refusal(415, (("Accept", ", ".join(config.accept)),))
    return None
