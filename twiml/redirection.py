"""Whether a 3xx of a dialled leg is followed, and where to.

An answer from elsewhere decides whom we call next, so it is followed only to places that could have been dialled, not
too often, and never twice to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Final

import attrs

from ..sip.uri import Uri, host_key
from .dial_house import ANYWHERE, Network, is_public
from .platform_names import PlatformNames

MAX_REDIRECTS: Final = 5
"""As many 3xx are followed for one noun."""
MAX_CONTACTS: Final = 5
"""As many contacts of one 3xx are tried."""
REFUSED: Final = 32219

FOLLOWED: Final = frozenset((300, 301, 302))
NOT_FOLLOWED: Final = {
    305: "it names a proxy to go through",
    380: "it offers another service",
}
"""The rest of the class is 300 (RFC 3261 8.1.3.2)."""


@attrs.frozen(kw_only=True)
class RedirectRules:
    """What the server allows."""

    names: PlatformNames
    networks: Sequence[Network] = ANYWHERE
    denied: Set[str] = frozenset()
    """Hosts that are never called, in lower case; one stands for all below it too."""
    tls: bool = False


@attrs.frozen
class Followed:
    """The contacts to try, best first: scheme sip, without header part."""

    uris: tuple[Uri, ...]


@attrs.frozen
class NotFollowed:
    """The leg has failed."""

    detail: str
    code: int = REFUSED


def _no_objection(contact: Uri) -> str | None:
    return None


def follow(
    sip_status: int,
    contacts: Sequence[Uri],
    rules: RedirectRules,
    *,
    tried: Sequence[Uri],
    redirects: int,
    registered: bool = False,
    secure: bool = False,
    objection: Callable[[Uri], str | None] = _no_objection,
) -> Followed | NotFollowed:
    """What becomes of a 3xx. `contacts` are its own, best first.

    `tried` are all URIs that the noun has been called at, `redirects` how many 3xx of it were followed before;
    `registered`: the call is one to a user of ours, `secure`: it must not leave TLS; `objection`: what else there is
    against a contact.
    """
    if registered:
        return NotFollowed("a registered user's phone cannot send the call elsewhere")
    if sip_status in NOT_FOLLOWED:
        return NotFollowed(f"{sip_status} is not followed: {NOT_FOLLOWED[sip_status]}")
    if redirects >= MAX_REDIRECTS:
        return NotFollowed(f"{MAX_REDIRECTS} redirects have been followed already")
    good: list[Uri] = []
    why = "it has no Contact"
    for contact in contacts:
        if len(good) == MAX_CONTACTS:
            break
        uri = _cleaned(contact, secure)
        reason = _objection(contact, rules, secure) or objection(uri)
        if reason is None and any(uri == other for other in (*tried, *good)):
            reason = f"{uri} has been tried"
        if reason is None:
            good.append(uri)
        elif why == "it has no Contact":
            why = reason
    if not good:
        return NotFollowed(f"the redirect is refused: {why}")
    return Followed(tuple(good))


def _objection(contact: Uri, rules: RedirectRules, secure: bool) -> str | None:
    if not contact.is_sip:
        return f"{contact.scheme or 'its Contact'}: is no SIP URI"
    wants_tls = secure or contact.scheme == "sips" or (contact.param("transport") or "").lower() == "tls"
    if wants_tls and not rules.tls:
        return f"{contact.host} is to be reached over TLS, which is not supported"
    for host in dict.fromkeys((contact.host, (contact.param("maddr") or contact.host).strip("[]"))):
        key = host_key(host).removesuffix(".")
        if rules.names.is_ours(key):
            return f"{host} is a domain of ours"
        if any(key == denied or key.endswith(f".{denied}") for denied in rules.denied):
            return f"{host} is on the deny list"
        if not is_public(key, rules.networks):
            return f"{host} may not be called"
    return None


def _cleaned(contact: Uri, secure: bool) -> Uri:
    uri = contact.without_headers().without_params("method")
    if secure or uri.scheme == "sips":
        uri = attrs.evolve(uri, scheme="sip").with_param("transport", "tls")
    return uri
