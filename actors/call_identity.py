"""What never changes about a call: who calls whom, through which domain, by which signalling."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ..sip.message import Request
from ..store.records import DomainRecord
from ..transport.flow import Flow
from ..twiml.params import CallFacts, CallStatus, SipFacts
from .messages.media import MediaPolicy
from .settings import Settings


@attrs.frozen(kw_only=True)
class Identity:
    """Fixed at the INVITE."""

    sid: str
    account: str
    domain: DomainRecord
    from_: str
    """URI of the From header."""
    to: str
    """The Request-URI."""
    sip_domain: str
    """Host the INVITE was sent to."""
    sip_call_id: str
    username: str | None
    """Digest user, where one was asked for."""
    remote_host: str
    """Address the INVITE came from."""
    local_host: str
    """Address it came to."""
    passed_headers: tuple[tuple[str, str], ...] = ()
    """The X- headers and User-to-User of the INVITE, names as received."""
    direction: str = "inbound"

    @classmethod
    def of_invite(cls, sid: str, domain: DomainRecord, request: Request, flow: Flow, username: str | None) -> Identity:
        return cls(
            sid=sid,
            account=domain.account_sid,
            domain=domain,
            from_=str(request.from_.uri),
            to=request.request_uri,
            sip_domain=request.uri.host,
            sip_call_id=request.call_id,
            username=username,
            remote_host=flow.remote[0],
            local_host=flow.local[0],
            passed_headers=tuple(passed_headers(request.headers)),
        )

    def facts(self, status: CallStatus) -> CallFacts:
        """The call as its application is told of it."""
        return CallFacts(
            call_sid=self.sid,
            account_sid=self.account,
            from_=self.from_,
            to=self.to,
            status=status,
            direction="inbound",
            sip=SipFacts(
                call_id=self.sip_call_id,
                domain=self.sip_domain,
                domain_sid=self.domain.sid,
                username=self.username,
                source_ip=self.remote_host,
                headers=self.passed_headers,
            ),
        )

    def answer_headers(self, settings: Settings) -> tuple[tuple[str, str], ...]:
        """What our 200 carries beside the session description."""
        return ((f"{settings.header_prefix}CallSid", self.sid),)

    def media_policy(self, settings: Settings) -> MediaPolicy:
        return MediaPolicy(
            bind_host=settings.media_bind_host or self.local_host,
            advertised_host=settings.advertised_host or self.local_host,
            signalled_from=self.remote_host,
            session_name=settings.session_name,
            silent_after_s=settings.media_timeout_s,
        )


def passed_headers(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """The header fields an application is shown."""
    return ((name, value) for name, value in headers if name[:2].lower() == "x-" or name.lower() == "user-to-user")
