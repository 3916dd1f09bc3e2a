"""Whether a message may be used: mandatory headers, nothing twice that may occur once, every typed view readable."""

from __future__ import annotations

from typing import Final

from .errors import BadHeader, BadUri, SipError
from .message import Message, Request, Response
from .salvage import head_of

_MANDATORY: Final = ("vias", "from_", "to", "call_id", "cseq")

# Header (lower case) to the view that reads it. A header that is not here is nobody's to rely on.
_VIEWS: Final = {
    "accept": "accept",
    "allow": "allow",
    "contact": "contacts",
    "content-encoding": "content_encoding",
    "content-length": "content_length",
    "content-type": "media_type",
    "event": "event",
    "expires": "expires",
    "max-forwards": "max_forwards",
    "min-expires": "min_expires",
    "min-se": "min_se",
    "path": "paths",
    "proxy-require": "proxy_require",
    "rack": "rack",
    "reason": "reasons",
    "record-route": "record_routes",
    "refer-to": "refer_to",
    "referred-by": "referred_by",
    "replaces": "replaces",
    "require": "require",
    "retry-after": "retry_after",
    "route": "routes",
    "rseq": "rseq",
    "session-expires": "session_expires",
    "subscription-state": "subscription_state",
    "supported": "supported",
    "timestamp": "timestamp",
    "unsupported": "unsupported",
    "user-to-user": "user_to_user",
}


def validate_request(request: Request) -> None:
    """Raise `SipError` (400, with `request_head` set) unless every view of `request` can be relied on.

    A missing Max-Forwards and a missing From tag are let pass, as RFC 2543 peers have neither. Whether the
    scheme is one of ours (416), the method (405) or the extensions (420) is for the server to say.
    """
    try:
        _validate_views(request)
        if request.cseq.method != request.method:
            raise BadHeader("CSeq", str(request.cseq))
        if request.uri.opaque is None and not request.uri.host and request.uri.scheme != "tel":
            raise BadUri(request.request_uri)
        if request.method != "REGISTER" and any(contact.is_star for contact in request.contacts):
            raise BadHeader("Contact", "*")
    except SipError as error:
        error.request_head = head_of(request)
        raise


def validate_response(response: Response) -> None:
    """Raise `SipError` unless every view of `response` can be relied on. Nobody is told: a bad response is dropped."""
    _validate_views(response)
    for contact in response.contacts:
        if contact.is_star:
            raise BadHeader("Contact", "*")


def _validate_views(message: Message) -> None:
    for view in _MANDATORY:
        getattr(message, view)
    for key in message.headers.keys():  # noqa: SIM118 - Headers is no mapping: it iterates over lines
        view_of_key = _VIEWS.get(key)
        if view_of_key is not None:
            getattr(message, view_of_key)
