"""Telephone numbers, SIP addresses and client names: what a `From` or `To` is, and what it reads as."""

from __future__ import annotations

import enum
import re

import attrs

from ..sip.uri import Uri
from .errors import BadNumber

# E.164: "+", a country code that does not begin with 0, at most 15 digits in all
E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_DECORATION = re.compile(r"[ \t.()/-]")
_SIP = re.compile(r"sips?:", re.IGNORECASE)
# Identities are at most 256 characters without control characters, spaces or delimiters
_CLIENT = re.compile(r"[^\x00-\x20\x7f<>\"(),;:\\\[\]{}@/?=]{1,256}")

WITHHELD = {
    "+266696687": "anonymous",
    "+7378742833": "restricted",
    "+2562533": "blocked",
    "+8656696": "unknown",
    "+86282452253": "unavailable",
}
"""Words that come spelt on the keypad where a caller gives no number."""


class Kind(enum.Enum):
    NUMBER = "number"
    SIP = "sip"
    CLIENT = "client"
    OTHER = "other"


@attrs.frozen
class Party:
    """One side of a call as applications write it."""

    kind: Kind
    text: str
    """As it is given on: a number in E.164 where it could be read as one."""


def is_e164(text: str) -> bool:
    return E164.fullmatch(text) is not None


def normalise(text: str, *, country: str = "1") -> str:
    """A number in E.164; ten digits (or eleven with the `country` code before them) are a national number.

    `BadNumber` when it cannot be read as one.
    """
    digits = _DECORATION.sub("", text.strip())
    if digits.startswith("00") and is_e164("+" + digits[2:]):
        return "+" + digits[2:]
    if is_e164(digits):
        return digits
    if re.fullmatch(r"[2-9][0-9]{9}", digits):
        return f"+{country}{digits}"
    if re.fullmatch(re.escape(country) + r"[2-9][0-9]{9}", digits):
        return f"+{digits}"
    raise BadNumber(f"{text.strip()!r} is not a telephone number; write it in E.164, such as +14155550100")


def is_withheld(text: str) -> bool:
    """Whether a caller gives no number: a word in its place, plain or spelt on the keypad."""
    return text in WITHHELD or text.lower() in WITHHELD.values()


def is_client_name(text: str) -> bool:
    return _CLIENT.fullmatch(text) is not None


def party(text: str) -> Party:
    """What a `To` or `From` is."""
    text = text.strip()
    if _SIP.match(text):
        return Party(Kind.SIP, text)
    if text.startswith("client:"):
        return Party(Kind.CLIENT, text)
    try:
        return Party(Kind.NUMBER, normalise(text))
    except BadNumber:
        return Party(Kind.OTHER, text)


def reads_as(uri: Uri) -> str:
    """What an application is told for a URI of a call: scheme, user, host and an explicit port.

    Parameters, headers and a password say how to get there, not who it is. A `tel:` URI reads as its number.
    """
    if not uri.is_sip:
        return _DECORATION.sub("", uri.user or "") if uri.scheme == "tel" else str(uri)
    user = "" if uri.user is None else f"{uri.user}@"
    return f"{uri.scheme}:{user}{uri.hostport}"


def user_number(uri: Uri) -> str | None:
    """The number that a SIP URI's user part is; `None` when it is none."""
    try:
        return normalise(uri.user_text or "")
    except BadNumber:
        return None
