"""What never changes about a call: who calls whom, through which domain, by which signalling."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ..media.watching import PacketWatch
from ..sip.message import Request
from ..store.records import Application, DomainRecord
from ..transport.flow import Flow
from ..twiml.nouns import Method
from ..twiml.params import API_VERSION, CallFacts, CallStatus, Direction, SipFacts
from .admission import Admitted
from .messages.media import MediaPolicy
from .settings import Settings


@attrs.frozen(kw_only=True)
class Identity:
    """Fixed at the INVITE."""

    sid: str
    account: str
    domain: DomainRecord | None
    """The domain it came to; None: a trunk brought it."""
    application: Application
    """Who is asked for its documents."""
    from_: str
    """URI of the From header; of a call by a trunk the number."""
    to: str
    """The Request-URI; of a call by a trunk the number."""
    sip_domain: str | None
    """Host the INVITE was sent to, when it is a domain of ours."""
    sip_call_id: str
    username: str | None
    """Digest user, where one was asked for."""
    remote_host: str
    """Address the INVITE came from; of a dialled call where its answer came from, empty before that."""
    local_host: str
    """Address it came to."""
    passed_headers: tuple[tuple[str, str], ...] = ()
    """The X- headers and User-to-User of the INVITE, names as received."""
    direction: Direction = "inbound"
    parent_sid: str | None = None
    """Call SID of the call that dialled this one."""
    trunk: str | None = None
    """Name of the trunk that brought it."""
    custom_headers: bool = True
    """Whether its application is shown custom headers; those of a call by a trunk, either way, are discarded."""
    forwarded_from: str | None = None
    """The number that diverted the call to ours."""

    @classmethod
    def of_invite(
        cls,
        sid: str,
        account: str,
        admitted: Admitted,
        request: Request,
        flow: Flow,
    ) -> Identity:
        """A call that has come in. `account` is that of calls which come to no domain."""
        domain, carried = admitted.domain, admitted.carried
        return cls(
            sid=sid,
            account=account if domain is None else domain.account_sid,
            domain=domain,
            application=admitted.application,
            from_=str(request.from_.uri) if carried is None else carried.from_,
            to=request.request_uri if carried is None else carried.to,
            sip_domain=None if domain is None else request.uri.host,
            sip_call_id=request.call_id,
            username=admitted.username,
            remote_host=flow.remote[0],
            local_host=flow.local[0],
            passed_headers=tuple(passed_headers(request.headers)) if carried is None else (),
            trunk=None if carried is None else carried.trunk.name,
            custom_headers=carried is None,
            forwarded_from=None if carried is None else carried.forwarded_from,
        )

    @property
    def domain_name(self) -> str | None:
        """NAME of the domain it came to."""
        return None if self.domain is None else self.domain.name

    def facts(self, status: CallStatus) -> CallFacts:
        """The call as its application is told of it."""
        return CallFacts(
            call_sid=self.sid,
            account_sid=self.account,
            from_=self.from_,
            to=self.to,
            status=status,
            direction=self.direction,
            parent_call_sid=self.parent_sid,
            forwarded_from=self.forwarded_from,
            sip=SipFacts(
                call_id=self.sip_call_id,
                domain=self.sip_domain,
                domain_sid=self.domain.sid if self.domain is not None and self.sip_domain is not None else None,
                username=self.username,
                source_ip=self.remote_host or None,
                headers=self.passed_headers,
            ),
        )

    def picked_up(self, call_id: str, host: str, headers: Iterable[tuple[str, str]]) -> Identity:
        """A call of ours, once somebody at `host` has answered: of the answer's headers only `X-` ones are shown."""
        shown = ((name, value) for name, value in headers if is_custom(name)) if self.custom_headers else ()
        return attrs.evolve(self, sip_call_id=call_id, remote_host=host, passed_headers=tuple(shown))

    def answer_headers(self, settings: Settings) -> tuple[tuple[str, str], ...]:
        """What our 200 carries beside the session description."""
        return ((f"{settings.header_prefix}CallSid", self.sid),)

    def child(self, sid: str, *, from_: str, to: str, number: bool) -> Identity:
        """A call that this one dials; `number`: by a trunk, so that no domain has to do with it."""
        return attrs.evolve(
            self,
            sid=sid,
            from_=from_,
            to=to,
            direction="outbound-dial",
            parent_sid=self.sid,
            sip_call_id="",
            remote_host="",
            sip_domain=None if number else self.sip_domain,
            username=None,
            passed_headers=(),
            trunk=None,
            custom_headers=not number,
            forwarded_from=None,
        )

    def invite_headers(self, settings: Settings) -> tuple[tuple[str, str], ...]:
        """What an INVITE of ours says about the call."""
        prefix = settings.header_prefix
        return (
            (f"{prefix}ApiVersion", API_VERSION),
            (f"{prefix}AccountSid", self.account),
            (f"{prefix}CallSid", self.sid),
        )

    def media_policy(
        self,
        settings: Settings,
        host: str | None = None,
        peer: str | None = None,
        *,
        secure: bool = False,
        watch: PacketWatch | None = None,
    ) -> MediaPolicy:
        """How media is described and bound: at `host` (where the signalling came to, when not given)."""
        host = host or self.local_host
        return MediaPolicy(
            bind_host=settings.media_bind_host or host,
            advertised_host=settings.advertised_host or host,
            signalled_from=peer if self.parent_sid is not None else self.remote_host,
            session_name=settings.session_name,
            silent_after_s=settings.media_timeout_s,
            secure=secure,
            watch=watch,
        )


@attrs.frozen
class ChildCallbacks:
    """Whom a child's status is told."""

    url: str
    method: Method
    events: tuple[str, ...]
    """Names of the events that are told."""


def is_custom(name: str) -> bool:
    return name[:2].lower() == "x-"


def passed_headers(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """The header fields of an INVITE that an application is shown."""
    return ((name, value) for name, value in headers if is_custom(name) or name.lower() == "user-to-user")
