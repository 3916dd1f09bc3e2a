"""The headers that an application may have sent with an INVITE, read from an address's header part or from elements.

Nothing that could end a header line, or that no header may hold, gets through in whatever encoding; what is not
allowed is left out with its code, and the call goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

import attrs

from ..sip.uri import unescape

HeaderItems: TypeAlias = tuple[tuple[str, str], ...]

PASSED_HEADERS: Final = frozenset(("user-to-user", "remote-party-id", "p-preferred-identity", "p-called-party-id"))
"""Headers beside `X-` that may be sent."""
RESERVED_PREFIX: Final = "x-twilio"
"""What the house itself says begins so, or with a prefix of its own choice."""

# token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~" )         RFC 3261 section 25.1
_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# C0 and C1 controls, DEL, the line ends of Unicode, and what is left of bytes that are not UTF-8.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@attrs.frozen
class LeftOut:
    """Something that is not sent, or not taken as it is written."""

    code: int
    detail: str


def is_sendable(value: str) -> bool:
    """Whether text can be the value of a header."""
    return _FORBIDDEN.search(value) is None


def pieces(part: str) -> Iterator[tuple[str, str] | LeftOut]:
    """The plain names and values of a header part (`X-A=1&X-B=2`), without its `?`."""
    for piece in part.split("&"):
        if not piece:
            continue
        name, equals, value = piece.partition("=")
        if not equals or not name or _BAD_ESCAPE.search(piece):
            yield LeftOut(32110, f"{piece[:80]!r} is not NAME=VALUE with right escapes")
        else:
            yield unescape(name), unescape(value)


def check(name: str, value: str, reserved: str = "") -> tuple[str, str] | LeftOut:
    """The header as it is sent; `reserved` is the prefix of the house's own choice, empty for none."""
    folded = name.lower()
    if _TOKEN.fullmatch(name) is None:
        return LeftOut(32111, f"{name[:80]!r} is not a header name")
    if folded.startswith(RESERVED_PREFIX) or (reserved and folded.startswith(reserved.lower())):
        return LeftOut(32113, f"the header {name} is reserved")
    if not folded.startswith("x-") and folded not in PASSED_HEADERS:
        return LeftOut(13252, f"the header {name} is not passed on; its name should begin with X-")
    if not is_sendable(value):
        return LeftOut(32112, f"the value of {name} holds control characters or bytes that are not UTF-8")
    return name, value.strip()


def read(items: Iterable[tuple[str, str] | LeftOut], reserved: str = "") -> tuple[HeaderItems, tuple[LeftOut, ...]]:
    """The headers to send, in order, and what is left out."""
    sent: list[tuple[str, str]] = []
    left_out: list[LeftOut] = []
    for item in items:
        checked = item if isinstance(item, LeftOut) else check(*item, reserved)
        if isinstance(checked, LeftOut):
            left_out.append(checked)
        else:
            sent.append(checked)
    return tuple(sent), tuple(left_out)
