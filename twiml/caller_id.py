"""As whom somebody is dialled: what `callerId` may be for each kind of target, and what is shown without it."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Final

import attrs

from ..sip.uri import unescape
from .errors import BadNumber, TwimlError
from .numbers import Kind, is_client_name, normalise, party

MAX_CALLER_ID: Final = 255

_SIP_CALLER = re.compile(r"[A-Za-z0-9+\-_.]+")
_HOST = re.compile(r"\[[^\]]*\]|[^:;?]*")
_VISIBLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


class BadCallerId(TwimlError):
    """A target cannot be called by somebody of this name."""

    code = 13214


@attrs.frozen(kw_only=True)
class CallerId:
    """Who calls."""

    text: str
    """What the `From` of the child's requests reads."""
    user: str
    """User part of the From header, without escapes."""

    @property
    def display(self) -> str | None:
        """Display name of the From header: the same; `None` when it holds what no header may."""
        return self.user if _VISIBLE.fullmatch(self.user) else None


@attrs.frozen(kw_only=True)
class Caller:
    """The call that dials."""

    from_: str
    """As its application knows it: a number, a SIP URI, `client:NAME` or a word such as `anonymous`."""
    to: str
    kind: Kind
    """How it came: SIP for a call to a domain of ours, CLIENT for one of a client, NUMBER for one that a trunk brought
    or that was made to a number."""

    @property
    def own(self) -> CallerId:
        """Its own identity."""
        return CallerId(text=self.from_, user=user_of(self.from_))


def user_of(text: str) -> str:
    """The user part that a From header has for somebody."""
    who = party(text)
    if who.kind is Kind.CLIENT:
        return who.text.removeprefix("client:")
    if who.kind is not Kind.SIP:
        return who.text
    _, _, rest = who.text.partition(":")
    user, at, _ = rest.partition("@")
    if not at:
        found = _HOST.match(rest)
        return "" if found is None else found[0]
    return unescape(user.partition(":")[0])


def for_number(
    given: str | None,
    caller: Caller,
    owned: Set[str],
    of_trunk: str | None = None,
) -> CallerId:
    """The caller of a telephone number. Raises `BadCallerId`.

    `owned` are the numbers that the account owns or has verified, `of_trunk` is the number that the trunk is known by.
    The other side of the current call will do too, unless that came over SIP: there anybody can write anything.
    """
    if not given:
        own = _number(caller.from_)
        if own is None and caller.kind is Kind.SIP:
            own = _number(caller.own.user)
        if own is not None and (own in owned or own == of_trunk or caller.kind is Kind.NUMBER):
            return CallerId(text=own, user=own)
        if caller.kind is not Kind.CLIENT and of_trunk is not None:
            return CallerId(text=of_trunk, user=of_trunk)
        raise BadCallerId("a callerId is needed to dial a number: one that the account owns or has verified")
    number = _number(given)
    if number is None:
        raise BadCallerId(f"callerId {given[:80]!r} is not a telephone number", code=13247)
    of_call = caller.kind is Kind.NUMBER and number in (_number(caller.from_), _number(caller.to))
    if number in owned or number == of_trunk or of_call:
        return CallerId(text=number, user=number)
    raise BadCallerId(f"callerId {number} is neither owned nor verified")


def for_sip(given: str | None, caller: Caller) -> CallerId:
    """The caller of a SIP address: anything that is short and plain. Raises `BadCallerId`."""
    if not given or given == caller.from_:
        return caller.own
    if len(given) > MAX_CALLER_ID:
        raise BadCallerId(f"callerId has {len(given)} characters; it must have at most {MAX_CALLER_ID}", code=13248)
    if _SIP_CALLER.fullmatch(given) is None:
        raise BadCallerId(f"callerId {given[:80]!r} must be letters, digits and + - _ .", code=13247)
    return CallerId(text=given, user=given)


def for_client(given: str | None, caller: Caller) -> CallerId:
    """The caller of a client: a number or a client. Raises `BadCallerId`."""
    if not given or given == caller.from_:
        return caller.own
    if given.startswith("client:"):
        name = given.removeprefix("client:")
        if is_client_name(name):
            return CallerId(text=given, user=name)
    number = _number(given)
    if number is None:
        raise BadCallerId(f"callerId {given[:80]!r} is neither a telephone number nor client:NAME")
    return CallerId(text=number, user=number)


def _number(text: str) -> str | None:
    try:
        return normalise(text)
    except BadNumber:
        return None
