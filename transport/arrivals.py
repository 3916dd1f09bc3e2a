"""What becomes of a message on arrival, and which way its answer goes (RFC 3261 18.2, RFC 3581). Pure."""

from __future__ import annotations

import attrs

from ..sip.errors import EmptyMessage, SipError
from ..sip.grammar import split_commas
from ..sip.message import Request, Response
from ..sip.parse import Limits, parse_datagram
from ..sip.salvage import head_of
from ..sip.validate import validate_request, validate_response
from ..sip.via import Via, default_port, parse_vias
from .flow import Flow, Malformed, Received
from .network import Address

KEPT_BYTES = 4096
"""Of a malformed message, for logs."""


def read_datagram(data: bytes, flow: Flow, now: float, limits: Limits) -> Received | Malformed | None:
    """What a datagram says; None for a keep-alive."""
    try:
        message = parse_datagram(data, limits)
    except EmptyMessage:
        return None
    except SipError as error:
        return refuse(data, flow, error)
    return admit(message, flow, now, data)


def admit(message: Request | Response, flow: Flow, now: float, data: bytes = b"") -> Received | Malformed:
    """Stamp a request and check every header that the house relies on; `data` is the message as it came."""
    try:
        if isinstance(message, Request):
            message = stamp(message, flow.remote)
            validate_request(message)
        else:
            validate_response(message)
    except SipError as error:
        if error.request_head is None and isinstance(message, Request):
            error.request_head = head_of(message)
        return refuse(data, flow, error)
    return Received(message, flow, now, data)


def refuse(data: bytes, flow: Flow, error: SipError) -> Malformed:
    """The fact that something could not be read; what is saved of its Via is stamped like any other."""
    head = error.request_head
    if head is not None and head.vias:
        try:
            first = _stamp_line(head.vias[0], flow.remote)
        except SipError:
            pass  # an unreadable Via: the answer goes to where the bytes came from, with the header as it came
        else:
            error.request_head = attrs.evolve(head, vias=(first, *head.vias[1:]))
    return Malformed(data[:KEPT_BYTES], flow, error)


def stamp(request: Request, remote: Address) -> Request:
    """Write where the request really came from into its topmost Via (18.2.1, RFC 3581 section 4).

    The same object when there is nothing to write. Raises SipError for an unreadable or missing Via.
    """
    via = request.via
    stamped = _stamped(via, remote)
    if stamped is via:
        return request
    headers = request.headers
    made = request.with_headers(headers.with_first("Via", _with_first(headers.all("via")[0], stamped)))
    made.__dict__["vias"] = (stamped, *request.vias[1:])  # as the lines now say
    return made


def _stamped(via: Via, remote: Address) -> Via:
    return via.stamped(remote[0].partition("%")[0], remote[1])


def _stamp_line(line: str, remote: Address) -> str:
    """A Via line with its first value stamped."""
    return _with_first(line, _stamped(parse_vias(line)[0], remote))


def _with_first(line: str, via: Via) -> str:
    """A Via line with another first value; further values of the same line stay as they are."""
    values = split_commas(line) if "," in line else None
    return ", ".join([str(via), *values[1:]]) if values else str(via)


def response_destination(via: Via, flow: Flow) -> Address:
    """Where the answer to a request goes that came by `flow` with this topmost Via (18.2.2).

    Datagrams: to the source address, at the source port when the sender asked for it by `rport`, else at the port it
    named in the Via. Streams: over the connection; this address is for when that one is gone.

    The host is always the one the request came from. `received` is the same by construction, and `maddr` is not
    followed: no multicast is spoken here, and it would let any stranger aim our answers at a third party.
    """
    if not flow.reliable and via.wants_rport:
        return flow.remote
    return flow.remote[0], via.port or default_port(flow.transport)


def reply_flow(response: Response, flow: Flow) -> Flow:
    """The flow to send `response` on, to a request that came by `flow` as a datagram: `flow` itself, mostly.

    For a stream it is `flow`; when that is no longer alive, open a connection to `response_destination`.
    """
    if flow.reliable:
        return flow
    try:
        target = response_destination(response.via, flow)
    except SipError:  # an answer to a malformed request, with its Via as it came
        return flow
    return flow if target == flow.remote else attrs.evolve(flow, remote=target)
