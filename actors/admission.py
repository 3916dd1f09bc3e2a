"""Who may call: the checks on a request outside a dialog, and the admission table of a domain. Pure.

The order is fixed: Max-Forwards (483), scheme (416), method (405, 481), extensions (420), body type (415), acceptable
answers (406), session interval (422); then domain, address list, digest, session description. What is malformed never
gets here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

import attrs

from ..media.errors import MediaError, SdpError, SecureMediaNotAccepted, SecureMediaRequired
from ..media.sdp.negotiate import Policy, check
from ..media.sdp.parse import parse as parse_sdp
from ..sip.dialog.config import ALLOW, MIN_SESSION_S, SUPPORTED
from ..sip.dialog.session_timer import too_brief
from ..sip.digest import DigestServer, Outcome
from ..sip.errors import SipError
from ..sip.message import Request
from ..sip.registration import SUPPORTED as REGISTER_SUPPORTED
from ..sip.tokens import Method
from ..sip.trunks import Trunk
from ..store.domains import DomainDirectory
from ..store.records import Application, DomainRecord, IpNetwork

ALLOW_OUTSIDE: Final = (*ALLOW, "REGISTER")
"""All methods that are carried out."""
IN_DIALOG: Final = (Method.UPDATE, Method.PRACK)
"""Those of them that make sense in a dialog only."""
ACCEPT: Final = ("application/sdp",)

ALLOW_HEADER: Final = ("Allow", ", ".join(ALLOW_OUTSIDE))
ACCEPT_HEADER: Final = ("Accept", ", ".join(ACCEPT))
SUPPORTED_HEADER: Final = ("Supported", ", ".join(SUPPORTED))

PROXY_CHALLENGE_PHRASE: Final = "Proxy Authentication required"
SECURE_TRANSPORTS: Final = ("TLS", "WSS")


@attrs.frozen
class Alert:
    """An entry of the public error catalogue, raised by this request."""

    code: int
    detail: str


@attrs.frozen
class Refused:
    """The request is answered with this, and no call comes of it."""

    status: int
    reason: str | None = None
    """Reason phrase; None: the usual one."""
    headers: tuple[tuple[str, str], ...] = ()
    alert: Alert | None = None
    domain: DomainRecord | None = None
    """None: nobody's account is concerned, and nothing is logged to one."""


@attrs.frozen(kw_only=True)
class Carried:
    """What a call from the telephone network has instead of a domain."""

    trunk: Trunk
    from_: str
    """The caller's number in E.164; a word, or an address, where none is given."""
    to: str
    """The number that was called; an address, where it cannot be read as one."""
    forwarded_from: str | None = None
    """The number that diverted the call to the called one."""


@attrs.frozen
class Admitted:
    """The request may become a call."""

    domain: DomainRecord | None
    """The domain it came to; None: a trunk brought it."""
    application: Application
    """Who is asked what to do with it."""
    username: str | None = None
    """The digest user, where a credential was asked for."""
    warnings: tuple[Alert, ...] = ()
    carried: Carried | None = None
    """Of a call that a trunk brought."""


Decision: TypeAlias = Admitted | Refused
Answering: TypeAlias = Callable[[Request, DomainRecord], Application | Refused]
"""Who is asked what to do with a call that may come to a domain."""


def answered_by_domain(request: Request, domain: DomainRecord) -> Application | Refused:
    """The domain's own application."""
    return domain.application or Refused(404, domain=domain)


def screen(
    request: Request, allow: tuple[str, ...] = ALLOW_OUTSIDE, min_session_s: int = MIN_SESSION_S
) -> Refused | None:
    """What is wrong with a request outside any dialog, before it is asked whom it is for; None when nothing is.

    RFC 3261 8.2.1 to 8.2.3, with the hop count in front and the session interval (RFC 4028 section 9) behind.
    """
    if request.max_forwards == 0:
        return Refused(483, alert=Alert(32006, "Max-Forwards was used up; send at least 20"))
    if request.uri.scheme not in ("sip", "sips"):
        return Refused(416)
    if request.method not in allow:
        return Refused(405, headers=(("Allow", ", ".join(allow)),))
    if request.method in IN_DIALOG:
        return Refused(481)
    required = request.require + request.proxy_require
    if required:
        supported = REGISTER_SUPPORTED if request.method == Method.REGISTER else SUPPORTED
        unknown = [tag for tag in required if tag.lower() not in supported]
        if unknown:
            return Refused(420, headers=(("Unsupported", ", ".join(unknown)),))
    if request.body and not _readable(request):
        return Refused(415, headers=(ACCEPT_HEADER, ("Accept-Encoding", "identity"), ("Accept-Language", "en")))
    if request.method != Method.INVITE:
        return None
    if not _takes_sdp(request):
        return Refused(406, headers=(ACCEPT_HEADER,))
    brief = too_brief(request, min_session_s)
    return None if brief is None else Refused(brief.status, headers=brief.headers)


def _readable(request: Request) -> bool:
    """Whether a body is of a type and a coding we can read, or need not be read (20.11, handling=optional)."""
    if request.content_encoding:
        return False
    if request.content_type in ACCEPT:
        return True
    return "handling=optional" in (request.headers.get("Content-Disposition") or "").lower().replace(" ", "")


def _takes_sdp(request: Request) -> bool:
    """Whether the sender accepts a session description in our answer (20.1)."""
    ranges = request.accept
    if ranges is None:
        return True
    return any(each.essence in ("*/*", "application/*", "application/sdp") for each in ranges)


def admit(
    request: Request,
    *,
    source: str,
    transport: str,
    domains: DomainDirectory,
    digest: DigestServer,
    now: float,
    answering: Answering = answered_by_domain,
) -> Decision:
    """The admission table, row by row, for an INVITE that passed `screen`.

    `source` is the sender's IP address, `transport` as in a Via; `now` is trio seconds. The digest server's table of
    used nonce counts is the only state.
    """
    domain = domains.find(request.uri.host)
    if domain is None:
        return Refused(403)
    refused = _check_access(request, domain, source)
    if refused is not None:
        return refused
    username: str | None = None
    if domain.call_credentials:
        checked = authenticated(
            request,
            request.headers.all("Proxy-Authorization"),
            lambda user: password_for_calls(domain, user),
            domain=domain,
            digest=digest,
            now=now,
        )
        if isinstance(checked, Refused):
            return checked
        username = checked
    refused = check_media(request, domain, transport)
    if refused is not None:
        return refused
    application = answering(request, domain)
    if isinstance(application, Refused):
        return application
    return Admitted(domain, application, username, warnings_of(request, source, username))


def _check_access(request: Request, domain: DomainRecord, source: str) -> Refused | None:
    if not domain.ip_access_control and not domain.call_credentials:
        return Refused(
            403, alert=Alert(32200, "no address list and no credential list is mapped to the domain"), domain=domain
        )
    if domain.ip_access_control and not listed(source, domain.ip_access_control):
        return Refused(
            403,
            alert=Alert(32201, "Authentication failure - source IP Address not in ACL"),
            domain=domain,
        )
    return None


def listed(address: str, networks: Iterable[IpNetwork]) -> bool:
    """Whether one of the networks holds this IP address."""
    source = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(source, ipaddress.IPv6Address) and source.ipv4_mapped is not None:
        source = source.ipv4_mapped
    return any(source in network for network in networks)


def password_for_calls(domain: DomainRecord, username: str) -> str | None:
    """The digest password of a user who may call; None when there is none of that name."""
    return next((each.password for each in domain.call_credentials if each.username == username), None)


def authenticated(
    request: Request,
    credentials: Sequence[str],
    password_of: Callable[[str], str | None],
    *,
    domain: DomainRecord,
    digest: DigestServer,
    now: float,
) -> Refused | str:
    """The authenticated user, or the refusal. A wrong user and a wrong password cannot be told apart."""
    verdict = digest.check(credentials, request.method, request.request_uri, password_of, now)
    match verdict.outcome:
        case Outcome.ACCEPTED:
            return verdict.username or ""
        case Outcome.WRONG:
            return Refused(403, "Invalid credentials", alert=Alert(32202, "wrong user name or password"), domain=domain)
        case Outcome.MALFORMED:
            return Refused(400, "Bad Proxy-Authorization header", domain=domain)
        case _:
            return challenge(digest, domain, now, stale=verdict.outcome in (Outcome.STALE, Outcome.REPLAYED))


def challenge(digest: DigestServer, domain: DomainRecord, now: float, *, stale: bool) -> Refused:
    """The 407 that asks for credentials; with `stale` when the password was right already."""
    return Refused(
        407,
        PROXY_CHALLENGE_PHRASE,
        headers=tuple(("Proxy-Authenticate", value) for value in digest.challenge(now, stale=stale)),
        domain=domain,
    )


def check_transport(domain: DomainRecord, transport: str, what: str) -> Refused | None:
    """Whether signalling is as secure as the domain wants it; `what` came over it, for people."""
    if not domain.secure or transport in SECURE_TRANSPORTS:
        return None
    return Refused(
        488,
        "Secure SIP transport required",
        alert=Alert(32209, f"the domain is secure, the {what} came over {transport}"),
        domain=domain,
    )


def check_media(request: Request, domain: DomainRecord | None, transport: str) -> Refused | None:
    """Whether the session that is offered can come about; without a domain it need not be secure."""
    insecure = check_transport(domain, transport, "call") if domain is not None else None
    if insecure is not None:
        return insecure
    if not request.body:
        if request.content_type in ACCEPT:
            return Refused(
                400,
                "Empty session description",
                alert=Alert(32103, "Content-Type names a session description, but the body is empty"),
                domain=domain,
            )
        return None  # no offer: ours goes into the 200 (13.2.1)
    if request.content_type not in ACCEPT:
        return None  # an optional body that we need not read
    try:
        check(parse_sdp(request.body), Policy(secure=domain is not None and domain.secure))
    except SecureMediaNotAccepted as error:
        return Refused(488, "Secure media not accepted", alert=Alert(32207, str(error)), domain=domain)
    except SecureMediaRequired as error:
        return Refused(488, "Secure media required", alert=Alert(32208, str(error)), domain=domain)
    except MediaError as error:
        alert = Alert(error.alert, str(error)) if isinstance(error, SdpError) else None
        warning = getattr(error, "warning", None)
        headers = (("Warning", f'{warning} offhook "{_quotable(str(error))}"'),) if warning else ()
        return Refused(error.status, headers=headers, alert=alert, domain=domain)
    return None


def _quotable(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def warnings_of(request: Request, source: str, username: str | None = None) -> tuple[Alert, ...]:
    """What is odd about an admitted INVITE but does not refuse it."""
    warnings: list[Alert] = []
    contact = request.contact
    if (
        contact is not None
        and contact.uri.scheme in ("sip", "sips")
        and _loopback(contact.uri.host)
        and not _loopback(source)
    ):
        warnings.append(Alert(32105, f"Contact {contact.uri} cannot be reached from here"))
    if username is not None:
        try:
            user = request.from_.uri.user
        except SipError:
            user = None
        if user != username:
            warnings.append(Alert(32106, f"authorization name {username!r} differs from the SIP user {user!r}"))
    return tuple(warnings)


def _loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return False
