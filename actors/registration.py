"""Who may register: the checks on a REGISTER before its bindings are touched. Pure.

The order is fixed: Request-URI, domain, address of record, the domain's own rules, digest, identity. All before the
digest depends on the domain alone, and the digest treats all users alike: an unknown user, a wrong password and a user
of another domain get the same answer after the same work.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ..sip.digest import DigestServer
from ..sip.errors import SipError
from ..sip.message import Request
from ..sip.registration import RegistrationRefused, TooManyBindings, TooManyRegisters, aor_of_uri
from ..sip.uri import Uri
from ..store.domains import DomainDirectory
from ..store.records import DomainRecord
from .admission import Alert, Refused, authenticated, check_transport

CREDENTIALS = ("Proxy-Authorization", "Authorization")
"""We challenge by 407, and some phones answer as if it had been a 401."""

ALERTS: dict[type[SipError], int] = {TooManyBindings: 32007, TooManyRegisters: 32008}


@attrs.frozen
class Enrolled:
    """The request may change the bindings of this address of record."""

    domain: DomainRecord
    aor: str
    username: str


Enrolment: TypeAlias = Enrolled | Refused


def has_credentials(request: Request) -> bool:
    """Whether the request brings any; one without is refused or challenged by `enrol` at no cost in state."""
    return any(name in request.headers for name in CREDENTIALS)


def enrol(request: Request, *, transport: str, domains: DomainDirectory, digest: DigestServer, now: float) -> Enrolment:
    """Judge a REGISTER that passed `screen`. `transport` as in a Via; `now` is trio seconds.

    The digest server's table of used nonce counts is the only state.
    """
    uri, to = request.uri, request.to.uri
    if uri.user is not None:
        return Refused(400, "User part in the Request-URI")  # RFC 3261 10.2
    domain = domains.find(uri.host)
    if domain is None:
        return Refused(403)
    if not to.is_sip:
        return Refused(416, domain=domain)
    ours = to.host == uri.host or domains.find(to.host) is domain
    aor = aor_of_uri(to, domain.full_name) if ours else None
    if aor is None:
        return Refused(404, domain=domain)  # 10.3 step 5
    refused = _check_domain(domain, transport)
    if refused is not None:
        return refused
    checked = authenticated(
        request,
        [value for name in CREDENTIALS for value in request.headers.all(name)],
        domain.registration_passwords.get,
        domain=domain,
        digest=digest,
        now=now,
    )
    if isinstance(checked, Refused):
        return checked
    if checked != to.user_text:
        return Refused(
            403,
            alert=Alert(32106, f"authorization name {checked!r} differs from the SIP user {to.user_text!r}"),
            domain=domain,
        )
    return Enrolled(domain, aor, checked)


def may_stay(aor: str, transport: str | None, domains: DomainDirectory) -> bool:
    """Whether what was once enrolled would be today, after a change of the configuration. `transport` None: unknown."""
    uri = Uri.parse(aor)
    domain = domains.find(uri.host)
    if domain is None or domain.full_name != uri.host or _check_domain(domain, transport or "") is not None:
        return False
    return uri.user_text in domain.registration_passwords


def _check_domain(domain: DomainRecord, transport: str) -> Refused | None:
    if not domain.sip_registration:
        return Refused(403, alert=Alert(32210, "the domain takes no registrations"), domain=domain)
    if not domain.registration_passwords:
        return Refused(403, alert=Alert(32212, "no credential list is mapped for registrations"), domain=domain)
    return check_transport(domain, transport, "registration")


def refusal(error: SipError, domain: DomainRecord) -> Refused:
    """How a REGISTER is refused that the bindings did not take."""
    code = ALERTS.get(type(error))
    return Refused(
        error.status,
        error.reason,
        headers=error.headers if isinstance(error, RegistrationRefused) else (),
        alert=Alert(code, str(error)) if code is not None else None,
        domain=domain,
    )
