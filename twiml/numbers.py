"""Telephone numbers, SIP addresses and client names: what a `From` or `To` is, and what it reads as."""

from __future__ import annotations

import contextlib
import enum
import re

import attrs

from ..sip.uri import Uri
from .errors import BadNumber

# E.164: "+", a country code that does not begin with 0, at most 15 digits in all
E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_DECORATION = re.compile(r"[ \t.()/-]")
_SHORT = re.compile(r"[0-9*#]{3,15}")
_SIP = re.compile(r"sips?:", re.IGNORECASE)
# Identities are at most 256 characters without control characters, spaces or delimiters
_CLIENT = re.compile(r"[^\x00-\x20\x7f<>\"(),;:\\\[\]{}@/?=]{1,256}")

COUNTRY_CODES = frozenset(
    """
    1 7 20 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238 239 240 241
    242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 27 290
    291 297 298 299 30 31 32 33 34 350 351 352 353 354 355 356 357 358 359 36 370 371 372 373 374 375 376 377 378 379
    380 381 382 383 385 386 387 389 39 40 41 420 421 423 43 44 45 46 47 48 49 500 501 502 503 504 505 506 507 508 509
    51 52 53 54 55 56 57 58 590 591 592 593 594 595 596 597 598 599 60 61 62 63 64 65 66 670 672 673 674 675 676 677
    678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 808 81 82 84 86 850 852 853 855 856 870 878 880 881 882
    883 886 888 90 91 92 93 94 95 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 979 98 992 993
    994 995 996 998
    """.split()  # noqa: SIM905 - two hundred quoted codes are harder to read
)
"""Those that are assigned (ITU-T E.164)."""

PLAIN_LENGTH = 8
"""Digits from which on a number without a plus may be one with its country code, and is no short code."""

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


def is_short(text: str) -> bool:
    """Whether the telephone network may know it without its being a number: emergency, short and star codes."""
    return _SHORT.fullmatch(text) is not None


def refusal_code(number: str) -> int:
    """Why no trunk takes a number: 13226 when there is no such country, else 13224."""
    if is_e164(number) and not any(number[1:end] in COUNTRY_CODES for end in (2, 3, 4)):
        return 13226
    return 13224


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


def spellings(uri: Uri) -> tuple[str, ...]:
    """The numbers in E.164 that the user part of a SIP URI, or a `tel:` URI, may stand for; the likeliest first.

    Carriers leave out the plus, write 00 for it, dial nationally or with a `phone-context` (RFC 3966 5.1.5).
    """
    text = (uri.user or "") if uri.scheme == "tel" else (uri.user_text or "")
    dialled, *params = text.split(";")
    context = uri.param("phone-context") if uri.scheme == "tel" else None
    for param in params:
        name, _, value = param.partition("=")
        context = value if name.lower() == "phone-context" else context
    digits = _DECORATION.sub("", dialled)
    found: list[str] = []
    if context is not None and context.startswith("+") and digits.isdecimal():
        found.append(_DECORATION.sub("", context) + digits)
    with contextlib.suppress(BadNumber):
        found.append(normalise(dialled))
    if len(digits) >= PLAIN_LENGTH:
        found.append(f"+{digits}")
    return tuple(dict.fromkeys(number for number in found if is_e164(number)))


def user_number(uri: Uri) -> str | None:
    """The number that a SIP URI's user part is; `None` when it is none."""
    try:
        return normalise(uri.user_text or "")
    except BadNumber:
        return None
