"""SIP as values and state machines (RFC 3261): no sockets, no clock, no event loop.

The names below are what other packages build messages with; transactions and dialogs are in the folders of those names.
"""

from .address import STAR, NameAddr
from .build import ack_for, cancel_for, request, respond, respond_to_malformed
from .digest import DigestServer, Outcome, Verdict, answer_challenge, ha1
from .errors import (
    BadHeader,
    BadMessage,
    BadUri,
    CannotRender,
    EmptyMessage,
    MessageTooLarge,
    MissingHeader,
    NoUsableChallenge,
    RequestHead,
    SipError,
    UnsupportedScheme,
    UnsupportedVersion,
)
from .fields import CSeq, Event, MediaType, MinSE, RAck, Reason, RetryAfter, SessionExpires, UserToUser
from .framing import PONG, KeepAlive, Malformed, StreamFramer
from .headers import Headers
from .ids import Ids
from .message import Message, Request, Response
from .params import Params
from .parse import Limits, is_keepalive, parse_datagram
from .render import render
from .routing import Hop, hop_of, next_hop, reply_hop, route_request
from .tokens import Method, Status, reason_phrase
from .uri import Uri
from .validate import validate_request, validate_response
from .via import Via

__all__ = [
    "PONG",
    "STAR",
    "BadHeader",
    "BadMessage",
    "BadUri",
    "CSeq",
    "CannotRender",
    "DigestServer",
    "EmptyMessage",
    "Event",
    "Headers",
    "Hop",
    "Ids",
    "KeepAlive",
    "Limits",
    "Malformed",
    "MediaType",
    "Message",
    "MessageTooLarge",
    "Method",
    "MinSE",
    "MissingHeader",
    "NameAddr",
    "NoUsableChallenge",
    "Outcome",
    "Params",
    "RAck",
    "Reason",
    "Request",
    "RequestHead",
    "Response",
    "RetryAfter",
    "SessionExpires",
    "SipError",
    "Status",
    "StreamFramer",
    "UnsupportedScheme",
    "UnsupportedVersion",
    "Uri",
    "UserToUser",
    "Verdict",
    "Via",
    "ack_for",
    "answer_challenge",
    "cancel_for",
    "ha1",
    "hop_of",
    "is_keepalive",
    "next_hop",
    "parse_datagram",
    "reason_phrase",
    "render",
    "reply_hop",
    "request",
    "respond",
    "respond_to_malformed",
    "route_request",
    "validate_request",
    "validate_response",
]
