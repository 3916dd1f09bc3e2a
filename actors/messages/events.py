"""Facts for the outside, published on the bus: one frozen class each.

Every event says when (`at`, UTC) and for which account; events of a call carry its SID.
"""

from __future__ import annotations

import datetime
from typing import TypeAlias

import attrs


@attrs.frozen(kw_only=True)
class Event:
    """What all facts share."""

    at: datetime.datetime
    """UTC."""
    account: str
    """Account SID, or an empty string where no account is concerned."""


@attrs.frozen(kw_only=True)
class CallEvent(Event):
    call_sid: str


@attrs.frozen(kw_only=True)
class CallStarted(CallEvent):
    """A call exists: an INVITE was admitted, or one is about to be sent."""

    direction: str
    """`inbound`, `outbound-api` or `outbound-dial`."""
    from_: str
    to: str
    domain: str | None = None
    sip_call_id: str | None = None
    parent_call_sid: str | None = None


@attrs.frozen(kw_only=True)
class CallRinging(CallEvent):
    """A provisional answer above 100 went out or came in."""


@attrs.frozen(kw_only=True)
class CallAnswered(CallEvent):
    """The call is in progress."""


@attrs.frozen(kw_only=True)
class CallEnded(CallEvent):
    """The call has its final status; exactly one a call."""

    status: str
    """`completed`, `busy`, `no-answer`, `failed` or `canceled`."""
    duration_s: int
    """Seconds from answer to end; 0 when it never was answered."""
    sip_response_code: int | None
    cause: str
    """Who or what ended it, in a word: `hung-up` (the far end), `cancelled` (the caller, before the answer),
    `document-ended`, `hangup`, `rejected`, `application-error`, `max-duration`, `no-audio`, `no-ack`, `no-prack`,
    `expired`, `lost`, `no-media`, `bad-answer`, `no-session`, `crash`, `shutdown`; `dial` for a call that a `Dial`
    made, whose verb knows more."""


@attrs.frozen(kw_only=True)
class VerbStarted(CallEvent):
    verb: str
    position: tuple[int, int] | None = None
    """Line and column in its document, from 1."""
    detail: str = ""


@attrs.frozen(kw_only=True)
class VerbEnded(CallEvent):
    verb: str
    outcome: str = ""


@attrs.frozen(kw_only=True)
class WebhookRequested(CallEvent):
    """A request to the application was answered."""

    method: str
    url: str
    purpose: str
    """`voice`, `fallback`, `action`, `redirect`, `status-callback`, `recording-status-callback` …"""
    params: tuple[tuple[str, str], ...]
    status: int
    body: str
    """The answer, cut to 64 KiB."""
    duration_ms: float


@attrs.frozen(kw_only=True)
class WebhookFailed(CallEvent):
    """A request to the application could not be carried out; an alert with the same code follows."""

    url: str
    code: int
    detail: str


@attrs.frozen(kw_only=True)
class AlertRaised(Event):
    """An error or warning of the public catalogue."""

    code: int
    name: str
    level: str
    """`error` or `warning`."""
    detail: str
    call_sid: str | None = None
    domain: str | None = None


@attrs.frozen(kw_only=True)
class DigitsHeard(CallEvent):
    digits: str
    duration_ms: int


@attrs.frozen(kw_only=True)
class RecordingReady(CallEvent):
    recording_sid: str
    path: str
    duration_s: int
    status: str
    """`completed` or `absent`."""


@attrs.frozen(kw_only=True)
class QualityMeasured(CallEvent):
    """Media statistics of a leg, at its end."""

    codec: str
    packets_sent: int
    packets_received: int
    packets_lost: int
    jitter_ms: float
    mos: float | None
    packets_refused: int = 0
    """Datagrams that SRTP refused: forged, replayed, or under another key."""


@attrs.frozen(kw_only=True)
class ActorCrashed(Event):
    actor: str
    error: str
    call_sid: str | None = None


@attrs.frozen(kw_only=True)
class CallRefused(Event):
    """An INVITE was refused before a call existed."""

    domain: str | None
    status: int
    source: str
    """Address of the peer."""
    code: int | None = None
    """The alert's code, when there was one."""


@attrs.frozen(kw_only=True)
class Registered(Event):
    """A user can be reached at a contact, now or for longer."""

    domain: str | None
    aor: str
    """The user's address of record: `sip:USER@DOMAIN`."""
    contact: str
    expires_s: int
    """Seconds, as granted, or what is left of them."""
    refreshed: bool
    """The contact was bound before; False: it is new."""
    transport: str | None
    """As in a Via; None when the phone is reached through a proxy, as with `source`."""
    source: str | None
    """Address of the phone, or of the NAT before it."""
    user_agent: str | None = None
    restored: bool = False
    """Nothing has just come from the phone: it had registered with the process before this one."""


@attrs.frozen(kw_only=True)
class Unregistered(Event):
    """A user is no longer reached at a contact."""

    domain: str | None
    aor: str
    contact: str
    reason: str
    """`removed` (by the user), `expired`, `connection-closed` or `evicted` (by the house)."""


@attrs.frozen(kw_only=True)
class RegistrationRefused(Event):
    """A REGISTER was refused; a challenge is no refusal."""

    domain: str | None
    status: int
    source: str
    """Address of the peer."""
    code: int | None = None
    """The alert's code, when there was one."""


@attrs.frozen(kw_only=True)
class TrunkRegistered(Event):
    """We are registered with a gateway of a trunk, now or for longer."""

    trunk: str
    gateway: str
    """Its SIP URI, as configured."""
    expires_s: int
    """Seconds, as granted."""
    refreshed: bool
    """We were registered there before; False: it is new."""


@attrs.frozen(kw_only=True)
class TrunkUnregistered(Event):
    """We are registered with a gateway no longer."""

    trunk: str
    gateway: str
    reason: str
    """`expired` (no renewal came about in time) or `withdrawn` (the server ends)."""


@attrs.frozen(kw_only=True)
class TrunkUnavailable(Event):
    """A registration with a gateway of a trunk has failed, for now; one from before lasts until it expires."""

    trunk: str
    gateway: str
    status: int | None
    """Of the refusal; None when there was no response, or no way."""
    detail: str
    retry_s: float
    """Seconds until it is tried again."""


@attrs.frozen(kw_only=True)
class GatewayUnavailable(Event):
    """Calls avoid a gateway of a trunk from now on: it gave no response, could not be reached, or answered 503."""

    trunk: str
    gateway: str
    status: int
    """Of the response, or what stands for it: 408 for silence, 503 for no way."""


@attrs.frozen(kw_only=True)
class GatewayRecovered(Event):
    """A gateway that calls had avoided has responded to one."""

    trunk: str
    gateway: str


BusEvent: TypeAlias = (
    CallStarted
    | CallRinging
    | CallAnswered
    | CallEnded
    | VerbStarted
    | VerbEnded
    | WebhookRequested
    | WebhookFailed
    | AlertRaised
    | DigitsHeard
    | RecordingReady
    | QualityMeasured
    | ActorCrashed
    | CallRefused
    | Registered
    | Unregistered
    | RegistrationRefused
    | TrunkRegistered
    | TrunkUnregistered
    | TrunkUnavailable
    | GatewayUnavailable
    | GatewayRecovered
)
