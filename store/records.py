"""Rows of the store, frozen: what is known of a call, a recording, a SIP domain and its users."""

from __future__ import annotations

import datetime
import ipaddress
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
