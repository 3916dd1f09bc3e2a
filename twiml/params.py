"""The form parameters of every request that an application gets, from plain facts about the call."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal

import attrs

from .nouns import CallEvent
from .steps import Parameters

API_VERSION = "2010-04-01"

FINAL_STATUSES = frozenset(("completed", "busy", "no-answer", "failed", "canceled"))

CallStatus = Literal[
    "queued", "initiated", "ringing", "in-progress", "completed", "busy", "no-answer", "failed", "canceled"
]
Direction = Literal["inbound", "outbound-api", "outbound-dial"]


@attrs.frozen(kw_only=True)
class SipFacts:
    """What only a call over SIP has."""

    call_id: str
    domain: str | None = None
    """The domain the INVITE was sent to."""
    domain_sid: str | None = None
    username: str | None = None
    """The digest user; `None` when none was asked for."""
    source_ip: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """All headers as received; which of them an application sees is decided here."""


@attrs.frozen(kw_only=True)
class Place:
    """Where a number is; empty strings when that is not known."""

    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""


@attrs.frozen(kw_only=True)
class CallFacts:
    """A call as its application knows it."""

    call_sid: str
    account_sid: str
    from_: str
    to: str
    status: CallStatus
    direction: Direction
    api_version: str = API_VERSION
    forwarded_from: str | None = None
    caller_name: str | None = None
    parent_call_sid: str | None = None
    call_token: str | None = None
    application_sid: str | None = None
    stir_verstat: str | None = None
    from_place: Place | None = None
    to_place: Place | None = None
    sip: SipFacts | None = None
    answered_by: str | None = None
    machine_detection_ms: int | None = None

    def with_status(self, status: CallStatus) -> CallFacts:
        return attrs.evolve(self, status=status)


def rfc2822(at: datetime) -> str:
    """A moment as callbacks write it: `Fri, 20 Aug 2010 01:13:42 +0000`."""
    return format_datetime(at.astimezone(UTC).replace(microsecond=0))


def plain(text: str) -> str:
    """Text that can be sent: bytes of a SIP message that were not UTF-8 (surrogates, RFC 3629) become U+FFFD."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def call_parameters(call: CallFacts) -> Parameters:
    """What every request of a call says about it."""
    parameters = [
        ("CallSid", call.call_sid),
        ("AccountSid", call.account_sid),
        ("From", plain(call.from_)),
        ("To", plain(call.to)),
        ("Caller", plain(call.from_)),
        ("Called", plain(call.to)),
        ("CallStatus", call.status),
        ("ApiVersion", call.api_version),
        ("Direction", call.direction),
    ]
    optional = (
        ("ForwardedFrom", call.forwarded_from),
        ("CallerName", call.caller_name),
        ("ParentCallSid", call.parent_call_sid),
        ("CallToken", call.call_token),
        ("ApplicationSid", call.application_sid),
        ("StirVerstat", call.stir_verstat),
        ("AnsweredBy", call.answered_by),
    )
    parameters += [(name, plain(value)) for name, value in optional if value is not None]
    if call.machine_detection_ms is not None:
        parameters.append(("MachineDetectionDuration", str(call.machine_detection_ms)))
    for names, place in ((("From", "Caller"), call.from_place), (("To", "Called"), call.to_place)):
        if place is not None:
            for name in names:
                parameters += [
                    (f"{name}City", place.city),
                    (f"{name}State", place.state),
                    (f"{name}Zip", place.zip),
                    (f"{name}Country", place.country),
                ]
    if call.sip is not None:
        parameters += _sip_parameters(call.sip)
    return tuple(parameters)


def _sip_parameters(sip: SipFacts) -> Iterable[tuple[str, str]]:
    optional = (
        ("SipDomain", sip.domain),
        ("SipDomainSid", sip.domain_sid),
        ("SipUsername", sip.username),
        ("SipCallId", sip.call_id),
        ("SipSourceIp", sip.source_ip),
    )
    return [
        *((name, plain(value)) for name, value in optional if value),
        *header_parameters(sip.headers),
    ]


def header_parameters(
    headers: Iterable[tuple[str, str]], *, prefix: str = "SipHeader_", user_to_user: bool = True
) -> Parameters:
    """One parameter for each `X-` header (and `User-to-User`), its name kept as received.

    Headers of one name, however spelt, are joined with a comma under the first spelling.
    """
    found: dict[str, tuple[str, list[str]]] = {}
    for name, value in headers:
        folded = name.lower()
        if folded == "user-to-user":
            if not user_to_user:
                continue
            name = "User-to-User"
        elif not folded.startswith("x-"):
            continue
        found.setdefault(folded, (name, []))[1].append(value.strip())
    return tuple((plain(prefix + name), plain(",".join(values))) for name, values in found.values())


def begun_seconds(duration_s: float) -> int:
    """A call's length as its parameters give it: a begun second counts whole, a millisecond of noise does not."""
    return max(math.ceil(duration_s - 0.001), 0)


def status_parameters(
    call: CallFacts,
    *,
    at: datetime,
    sequence: int,
    duration_s: float | None = None,
    sip_response_code: int | None = None,
    recording: Parameters = (),
) -> Parameters:
    """What a call status callback says. `duration_s` is the time from answer to end, of a call that is over;
    `recording` the URL, SID and duration where the call itself was recorded."""
    parameters = list(call_parameters(call))
    if call.status in FINAL_STATUSES:
        seconds = begun_seconds(duration_s or 0.0)
        parameters += [("CallDuration", str(seconds)), ("Duration", str(-(-seconds // 60)))]
        if sip_response_code is not None:
            parameters.append(("SipResponseCode", str(sip_response_code)))
        parameters += recording
    parameters += [
        ("Timestamp", rfc2822(at)),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", str(sequence)),
    ]
    return tuple(parameters)


# ---- the children of a Dial ----------------------------------------------------------------------------------------

EVENT_STATUS: Mapping[CallEvent, CallStatus] = {
    "initiated": "initiated",
    "ringing": "ringing",
    "answered": "in-progress",
    "completed": "completed",
}
"""What `CallStatus` reads in the callback of each event; `completed` stands for whatever final status it was."""


def event_parameters(
    call: CallFacts,
    event: CallEvent,
    *,
    at: datetime,
    sequence: int,
    duration_s: float = 0.0,
    sip_response_code: int | None = None,
    recording: Parameters = (),
) -> Parameters:
    """What a status callback of a dialled party says about one event of its call.

    `call` has the final status when the event is `completed`; for the other events its status is the event's own,
    however far the call has come since. `sequence` counts the callbacks that this call has sent, from 0.
    """
    status = EVENT_STATUS[event]
    if event == "completed" and call.status in FINAL_STATUSES:
        status = call.status
    return status_parameters(
        call.with_status(status),
        at=at,
        sequence=sequence,
        duration_s=duration_s,
        sip_response_code=sip_response_code,
        recording=recording,
    )


def screening_parameters(call: CallFacts, *, called: str, caller: str) -> Parameters:
    """What the request for a screening document says: the child's call, with what the far end said in its 200.

    `called` and `caller` are the URIs of the To and From headers; `call.sip.headers` are the headers of the 200. Of
    those only the `X-` ones are shown.
    """
    sip = call.sip
    parameters = [
        (name, {"Called": plain(called), "Caller": plain(caller)}.get(name, value))
        for name, value in call_parameters(attrs.evolve(call, sip=None))
    ]
    if sip is not None:
        parameters += _sip_parameters(attrs.evolve(sip, headers=()))
        parameters += header_parameters(sip.headers, user_to_user=False)
    return tuple(parameters)
