"""Rows of the store, frozen: what is known of a call, a recording, a binding, a SIP domain and its users."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import math
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import TypeAlias

import attrs

IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
WebhookFunction: TypeAlias = Callable[[Mapping[str, str]], Awaitable[str]]
"""Stands in for a webhook URL in an embedding program: gets the parameters, gives the TwiML (empty: none)."""
WebhookTarget: TypeAlias = str | WebhookFunction


@attrs.frozen(kw_only=True)
class Application:
    """Who is asked for the documents of a call, and who is told of its end."""

    voice_url: WebhookTarget
    voice_method: str = "POST"
    voice_fallback_url: WebhookTarget | None = None
    voice_fallback_method: str = "POST"
    status_callback_url: WebhookTarget | None = None
    status_callback_method: str = "POST"


@attrs.frozen
class CredentialRecord:
    """A digest user of a domain."""

    sid: str
    username: str
    password: str = attrs.field(repr=False)
    calls: bool = True
    """May place calls to the domain."""
    registrations: bool = True
    """May register with the domain."""


@attrs.frozen(kw_only=True)
class DomainRecord:
    """A SIP domain: who may call it and which application answers."""

    sid: str
    account_sid: str
    name: str
    """NAME alone, lower case."""
    full_name: str
    """NAME with the suffix."""
    voice_url: WebhookTarget | None = None
    """None: calls to the domain find nobody (404)."""
    voice_method: str = "POST"
    voice_fallback_url: WebhookTarget | None = None
    voice_fallback_method: str = "POST"
    status_callback_url: WebhookTarget | None = None
    status_callback_method: str = "POST"
    secure: bool = False
    """TLS and SRTP only."""
    sip_registration: bool = False
    ip_access_control: tuple[IpNetwork, ...] = ()
    """Sources that calls may come from; empty: no such list is mapped."""
    credentials: tuple[CredentialRecord, ...] = ()

    @property
    def application(self) -> Application | None:
        """None: calls to the domain find nobody."""
        if self.voice_url is None:
            return None
        return Application(
            voice_url=self.voice_url,
            voice_method=self.voice_method,
            voice_fallback_url=self.voice_fallback_url,
            voice_fallback_method=self.voice_fallback_method,
            status_callback_url=self.status_callback_url,
            status_callback_method=self.status_callback_method,
        )

    @property
    def call_credentials(self) -> tuple[CredentialRecord, ...]:
        """Users that may call; empty: no credential list is mapped for calls."""
        return tuple(one for one in self.credentials if one.calls)

    @property
    def registration_credentials(self) -> tuple[CredentialRecord, ...]:
        return tuple(one for one in self.credentials if one.registrations)

    @cached_property
    def registration_passwords(self) -> Mapping[str, str]:
        """Of the users that may register, by name; empty: no credential list is mapped for registrations.

        A table, so that looking up one user takes as long as any other, and there may be many.
        """
        return {one.username: one.password for one in reversed(self.registration_credentials)}


@attrs.frozen(kw_only=True)
class CallRecord:
    """One call, from its start on; its final row has `status` and `ended_at`."""

    sid: str
    account_sid: str
    direction: str
    """`inbound`, `outbound-api` or `outbound-dial`."""
    from_: str
    to: str
    status: str
    """`queued`, `ringing`, `in-progress`, `completed`, `busy`, `failed`, `no-answer` or `canceled`."""
    started_at: datetime.datetime
    """UTC, as all times here."""
    answered_at: datetime.datetime | None = None
    ended_at: datetime.datetime | None = None
    duration_s: int = 0
    """Whole seconds from answer to end."""
    parent_call_sid: str | None = None
    domain_sid: str | None = None
    sip_call_id: str | None = None
    sip_response_code: int | None = None


@attrs.frozen(kw_only=True)
class RecordingRecord:
    """One recording; its audio is in the recordings directory under its SID."""

    sid: str
    account_sid: str
    call_sid: str
    status: str
    """`in-progress`, `completed`, `absent` or `failed`; only a completed one has media."""
    created_at: datetime.datetime
    source: str = "RecordVerb"
    channels: int = 1
    duration_s: int | None = None
    """None while it is in progress."""


@attrs.frozen(kw_only=True)
class BindingRecord:
    """One contact of a registered user, so that it outlives the process it registered with."""

    id: str
    """`binding_id` of its address of record and what tells it from the others there."""
    aor: str
    contact: str
    """Contact value as registered, without its expires parameter."""
    q: float
    refreshed_at: datetime.datetime
    expires_at: datetime.datetime
    call_id: str
    cseq: int
    path: str = ""
    """Path value of the REGISTER; empty: none."""
    instance: str | None = None
    reg_id: int | None = None
    agent: str | None = None
    transport: str | None = None
    """Of the flow that the phone keeps, as in a Via; None, as with both addresses, when a proxy stands between."""
    local_host: str | None = None
    local_port: int | None = None
    remote_host: str | None = None
    remote_port: int | None = None


@attrs.frozen
class BindingGone:
    """In place of the record: the binding has ended."""

    id: str


@attrs.frozen
class Heartbeat:
    """The process was alive then, and with it the calls that have no end yet."""

    at: datetime.datetime


Change: TypeAlias = CallRecord | RecordingRecord | BindingRecord | BindingGone | Heartbeat
"""What can be written. Each is absolute: of two about the same row the later counts alone."""


def cut_off(record: CallRecord, alive_at: datetime.datetime | None, now: datetime.datetime) -> CallRecord:
    """What becomes of a call without an end whose process was last alive at `alive_at`; None: nobody knows.

    It ends there, as the time until the restart was nobody's call; never before what its own row says, nor after `now`,
    should the wall clock have been set meanwhile.
    """
    own = record.answered_at or record.started_at
    end = own if alive_at is None else max(own, min(alive_at, now))
    talked_s = 0.0 if record.answered_at is None else (end - record.answered_at).total_seconds()
    return attrs.evolve(record, status="failed", ended_at=end, duration_s=math.ceil(talked_s))


def binding_id(aor: str, key: str) -> str:
    """32 hexadecimal digits for the binding that `key` tells from the others of its address of record."""
    raw = f"{len(aor)} {aor}{key}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(raw).hexdigest()[:32]
