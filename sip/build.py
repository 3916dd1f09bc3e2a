"""Messages of our own: requests, responses (RFC 3261 8.2.6), ACK (17.1.1.3), CANCEL (9.1), answers to malformed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .address import NameAddr
from .errors import SipError
from .fields import CSeq
from .grammar import LWS
from .headers import Headers
from .ids import stateless_tag
from .message import Request, Response, carry_views
from .tokens import Method, reason_phrase
from .uri import Uri
from .via import Via

MAX_FORWARDS: Final = 70  # 8.1.1.6

_DIALOG_METHODS: Final = frozenset({Method.INVITE, Method.SUBSCRIBE, Method.REFER, Method.NOTIFY})


def request(
    method: str,
    uri: Uri | str,
    *,
    via: Via,
    from_: NameAddr | str,
    to: NameAddr | str,
    call_id: str,
    cseq: int,
    contact: NameAddr | str | None = None,
    routes: Iterable[NameAddr | str] = (),
    max_forwards: int = MAX_FORWARDS,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
) -> Request:
    """A request with its mandatory headers (8.1.1) in the usual order, then `headers`, then those of the body."""
    lines = [("Via", str(via)), ("Max-Forwards", str(max_forwards))]
    lines += [("Route", str(route)) for route in routes]
    lines += [("From", str(from_)), ("To", str(to)), ("Call-ID", call_id), ("CSeq", str(CSeq(cseq, method)))]
    if contact is not None:
        lines.append(("Contact", str(contact)))
    lines += headers
    if content_type is not None:
        lines.append(("Content-Type", content_type))
    lines.append(("Content-Length", str(len(body))))
    return Request(method, str(uri), Headers(lines), body)


def respond(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
) -> Response:
    """A response to `request` (8.2.6).

    Via, From, To, Call-ID and CSeq are copied as they came; Record-Route into 101 to 299 of a request that makes
    a dialog (12.1.1); Timestamp into a 100. A To without a tag gets `to_tag`, or one that is the same for every
    copy of the request (8.2.7), except in a 100.
    """
    given = request.headers  # whose values are stripped already
    lines = [("Via", value) for value in given.all("via")]
    if 100 < status < 300 and request.method in _DIALOG_METHODS:
        lines += [("Record-Route", value) for value in given.all("record-route")]
    lines += [("From", value) for value in given.all("from")]
    lines.append(("To", _tagged(request, status, to_tag)))
    lines += [("Call-ID", value) for value in given.all("call-id")]
    lines += [("CSeq", value) for value in given.all("cseq")]
    if status == 100:
        lines += [("Timestamp", value) for value in given.all("timestamp")]
    lines += [(name, value.strip(LWS)) for name, value in headers]
    if content_type is not None:
        lines.append(("Content-Type", content_type))
    lines.append(("Content-Length", str(len(body))))
    made = Response(status, reason_phrase(status) if reason is None else reason, Headers.from_lines(tuple(lines)), body)
    carry_views(made, request, "vias", "from_", "call_id", "cseq")
    return made


def ack_for(invite: Request, response: Response) -> Request:
    """The ACK of a final response that is no 2xx: part of the INVITE's own transaction (17.1.1.3).

    The Via is `invite`'s topmost, so `invite` must be as it was sent. (The ACK of a 2xx is a request of its own.)
    """
    lines = [("Via", str(invite.via)), ("Max-Forwards", str(MAX_FORWARDS))]
    lines += [("Route", value) for value in invite.headers.all("route")]
    lines += [("From", invite.headers.get("from") or str(invite.from_))]
    lines += [("To", response.headers.get("to") or str(response.to)), ("Call-ID", invite.call_id)]
    lines += [("CSeq", str(CSeq(invite.cseq.number, Method.ACK))), ("Content-Length", "0")]
    return Request(Method.ACK.value, invite.request_uri, Headers(lines))


def cancel_for(invite: Request, headers: Iterable[tuple[str, str]] = ()) -> Request:
    """The CANCEL of a pending `invite` as it was sent (9.1); `headers` may carry a Reason (RFC 3326)."""
    lines = [("Via", str(invite.via)), ("Max-Forwards", str(MAX_FORWARDS))]
    lines += [("Route", value) for value in invite.headers.all("route")]
    lines += [("From", invite.headers.get("from") or str(invite.from_))]
    lines += [("To", invite.headers.get("to") or str(invite.to)), ("Call-ID", invite.call_id)]
    lines += [("CSeq", str(CSeq(invite.cseq.number, Method.CANCEL)))]
    lines += [*headers, ("Content-Length", "0")]
    return Request(Method.CANCEL.value, invite.request_uri, Headers(lines))


def respond_to_malformed(error: SipError, headers: Iterable[tuple[str, str]] = ()) -> Response | None:
    """The stateless answer to a request that raised `error`.

    `None` when nothing may be answered: a response, an ACK, bytes that are no request, a request without any Via.
    Headers that the request lacks are lacking in the answer too.
    """
    head = error.request_head
    if head is None or head.method == Method.ACK or not head.vias:
        return None
    lines = [("Via", value) for value in head.vias]
    if head.from_ is not None:
        lines.append(("From", head.from_))
    if head.to is not None:
        lines.append(("To", _with_tag(head.to, stateless_tag(head.vias[0], head.from_, head.call_id, head.cseq))))
    if head.call_id is not None:
        lines.append(("Call-ID", head.call_id))
    if head.cseq is not None:
        lines.append(("CSeq", head.cseq))
    lines += [*headers, ("Content-Length", "0")]
    return Response(error.status, error.reason or reason_phrase(error.status), Headers(lines))


def _tagged(request: Request, status: int, to_tag: str | None) -> str:
    value = request.headers.get("to")
    if value is None or status == 100 or request.to_tag is not None:
        return value or str(request.to)
    if to_tag is None:
        get = request.headers.get
        to_tag = stateless_tag(get("via"), get("from"), get("call-id"), get("cseq"))
    # A bare addr-spec takes header parameters behind it just as well (20.10).
    return f"{value};tag={to_tag}"


def _with_tag(to: str, tag: str) -> str:
    """A To that may be unreadable, with a tag when it is readable and has none."""
    try:
        return to if NameAddr.parse(to, "To").tag is not None else f"{to};tag={tag}"
    except SipError:
        return to
