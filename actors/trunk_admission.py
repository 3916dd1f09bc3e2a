"""Calls that trunks bring: from whom, for which number, answered by which application. Pure.

What comes from a trunk's networks and is not addressed to a domain by its name is the trunk's, before any domain is
asked: carriers send to our address, or to whatever name of ours they were told.
"""

from __future__ import annotations

from ..sip.address import NameAddr
from ..sip.errors import SipError
from ..sip.message import Request
from ..sip.trunks import Trunk, Trunks
from ..sip.uri import Uri
from ..store.domains import DomainDirectory
from ..store.numbers import NumberDirectory
from ..twiml.numbers import is_withheld, reads_as, spellings
from .admission import Admitted, Carried, Decision, Refused, check_media, warnings_of


def bringing(request: Request, source: str, trunks: Trunks, domains: DomainDirectory) -> Trunk | None:
    """The trunk that brings an INVITE from this IP address; None: it is of no trunk, or for a domain."""
    trunk = trunks.source(source) if len(trunks) else None
    return trunk if trunk is not None and domains.named(request.uri.host) is None else None


def admit_carried(request: Request, trunk: Trunk, *, source: str, transport: str, numbers: NumberDirectory) -> Decision:
    """What becomes of an INVITE that a trunk brings. How many calls it may have is not looked at here."""
    refused = check_media(request, None, transport)
    if refused is not None:
        return refused
    called = called_number(request, numbers)
    application = numbers.application(called, trunk.name)
    if application is None:
        return Refused(404)
    carried = Carried(
        trunk=trunk,
        from_=caller_of(request.from_.uri),
        to=called or reads_as(request.uri),
        forwarded_from=diverted_by(request),
    )
    return Admitted(None, application, warnings=warnings_of(request, source), carried=carried)


def called_number(request: Request, numbers: NumberDirectory) -> str | None:
    """The number in E.164: one of ours if it can be read so.

    A carrier with which we have registered sends to our Contact; then the number stands in the To.
    """
    found = [*spellings(request.uri), *spellings(request.to.uri)]
    return numbers.ours(found) or next(iter(found), None)


def caller_of(uri: Uri) -> str:
    """Who calls: a number, or `anonymous` and the like, else the address itself."""
    found = spellings(uri)
    if found:
        return found[0]
    user = uri.user_text or ""
    return user.lower() if is_withheld(user) else reads_as(uri)


def diverted_by(request: Request) -> str | None:
    """The number of the topmost Diversion, which is the latest (RFC 5806); None when none can be read."""
    try:
        values = request.headers.split("Diversion")
        found = spellings(NameAddr.parse(values[0], "Diversion").uri) if values else ()
    except SipError:
        return None  # nothing else depends on it
    return next(iter(found), None)
