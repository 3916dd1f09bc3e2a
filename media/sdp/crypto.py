"""The a=crypto line (RFC 4568): keys of SRTP that the signalling carries.

What a line says is taken whole or not at all. A line that asks for anything we do not do (an MKI, several keys, clear
or unauthenticated packets, a suite of another name) is unusable and is skipped, as section 5.1.2 wants it. No error
here repeats a key: its text goes into logs, alerts and Warning headers.
"""

from __future__ import annotations

import base64
import enum
import re
from collections.abc import Iterable
from typing import Final

import attrs

from ..errors import BadCrypto

__all__ = ["KEY_OCTETS", "REPORTS_MAX", "RTP_MAX", "Crypto", "Keys", "Suite", "parse_crypto", "usable"]

KEY_OCTETS: Final = 30
"""Of a master key (16) with its master salt (14)."""
RTP_MAX: Final = 2**48
"""Packets that one master key may protect, and its default lifetime (RFC 3711 section 9.2)."""
REPORTS_MAX: Final = 2**31
"""The same for RTCP packets."""
LONGEST: Final = 512
"""Characters of a line that is looked at."""
MOST: Final = 16
"""Lines of a stream that are looked at."""


class Suite(enum.Enum):
    """How packets are encrypted and authenticated (section 6.2); the value is the name on the wire."""

    AES_80 = "AES_CM_128_HMAC_SHA1_80"
    AES_32 = "AES_CM_128_HMAC_SHA1_32"
    """Its tag is shorter for RTP; for RTCP it is not (section 6.2.2)."""


_SUITES: Final = {suite.value: suite for suite in Suite}


@attrs.frozen
class Crypto:
    """One a=crypto line with an inline key."""

    tag: int
    """Names the line among those of its stream; an answer repeats the tag it has chosen."""
    suite: Suite
    key: bytes = attrs.field(repr=False)
    """Master key and master salt of what the writer of the line sends."""
    lifetime: int | None = None
    """Packets that the key may protect, of RTP and of RTCP each; None for as many as SRTP allows."""

    def __str__(self) -> str:
        """The attribute's value."""
        line = f"{self.tag} {self.suite.value} inline:{base64.b64encode(self.key).decode()}"
        if self.lifetime is None:
            return line
        power = self.lifetime.bit_length() - 1
        return f"{line}|2^{power}" if self.lifetime == 1 << power > 1 else f"{line}|{self.lifetime}"


@attrs.frozen
class Keys:
    """What two lines that belong together settle. Each side encrypts with the key it wrote (section 5.1.3)."""

    tag: int
    suite: Suite
    ours: bytes = attrs.field(repr=False)
    theirs: bytes = attrs.field(repr=False)
    lifetime: int | None = None
    """Of theirs, see `Crypto`. Ours has none but what SRTP allows."""


# crypto-attribute = tag 1*WSP crypto-suite 1*WSP key-params *(1*WSP session-param)           RFC 4568 section 9.1
# tag              = 1*9DIGIT
_LINE = re.compile(r"([0-9]{1,9})[ \t]+([A-Za-z0-9_]+)[ \t]+([!-~]+)((?:[ \t]+[!-~]+)*)[ \t]*")
# key-params = key-param *(";" key-param);  key-param = "inline:" key-salt ["|" lifetime] ["|" mki]      section 9.2
# 30 octets are 40 characters of base64 and no padding.
_KEY = re.compile(r"[Ii][Nn][Ll][Ii][Nn][Ee]:([A-Za-z0-9+/]{40})((?:\|[^|]*)*)")
# lifetime = ["2^"] 1*(DIGIT), without leading zeros and not 0 (section 6.1)
_LIFETIME = re.compile(r"(2\^)?([1-9][0-9]{0,15})")
# "WSH=" minimum-value: how large a replay window the sender would like (section 6.3.7). Ours is as large as the
# smallest that may be named, or larger.
_WINDOW = re.compile(r"WSH=([1-9][0-9]{1,4})")
_WINDOW_RANGE: Final = range(64, 65_536)


def parse_crypto(value: str) -> Crypto:
    """Read the value of an a=crypto line. Raises BadCrypto when it is malformed or wants what we do not do."""
    if len(value) > LONGEST:
        raise BadCrypto(f"longer than {LONGEST} characters")
    match = _LINE.fullmatch(value.strip(" \t"))
    if match is None:
        raise BadCrypto("wants a tag, a suite and a key")
    tag, name, key_parameters, session_parameters = int(match[1]), match[2], match[3], match[4].split()
    suite = _SUITES.get(name.upper())
    if suite is None:
        raise BadCrypto(f"suite {name[:60]} is not spoken here")
    if ";" in key_parameters:
        raise BadCrypto("several keys, which only an MKI could tell apart")
    key = _KEY.fullmatch(key_parameters)
    if key is None:
        raise BadCrypto(f"no inline key of {KEY_OCTETS} octets")
    for parameter in session_parameters:
        _check_session_parameter(parameter)
    return Crypto(tag, suite, base64.b64decode(key[1], validate=True), _lifetime(key[2].split("|")[1:]))


def _lifetime(fields: list[str]) -> int | None:
    """What stands behind the key: a lifetime, an MKI, or the two in that order."""
    if any(":" in field for field in fields):
        raise BadCrypto("an MKI, which is not spoken here")
    if not fields:
        return None
    if len(fields) > 1:
        raise BadCrypto("more than a lifetime behind the key")
    match = _LIFETIME.fullmatch(fields[0])
    if match is None or (match[1] and len(match[2]) > 2):
        raise BadCrypto("a lifetime that is none")
    lifetime = 1 << int(match[2]) if match[1] else int(match[2])
    if lifetime > RTP_MAX:
        raise BadCrypto("a lifetime beyond 2^48 packets")
    return lifetime


def _check_session_parameter(parameter: str) -> None:
    """Section 6.3.8: what begins with a dash may be passed over, everything else must be understood."""
    if parameter.startswith("-"):
        return
    window = _WINDOW.fullmatch(parameter.upper())
    if window is None or int(window[1]) not in _WINDOW_RANGE:
        raise BadCrypto(f"session parameter {parameter.partition('=')[0][:40]} is not supported")


def usable(values: Iterable[str], *, not_key: bytes | None = None) -> tuple[Crypto, ...] | BadCrypto:
    """The lines that can be used, in their order; what is wrong with the first when there is none.

    `not_key` is our own key: a line that repeats it was made of what we sent, and would have two senders use one
    keystream. Of lines with the same tag an answer could mean either, so only the first counts.
    """
    found: list[Crypto] = []
    fault: BadCrypto | None = None
    tags: set[int] = set()
    for value in list(values)[:MOST]:
        try:
            line = parse_crypto(value)
            if line.tag in tags:
                raise BadCrypto(f"a second line with the tag {line.tag}")
            tags.add(line.tag)
            if line.key == not_key:
                raise BadCrypto("the key is our own")
        except BadCrypto as error:
            fault = fault or error
        else:
            found.append(line)
    return tuple(found) or fault or BadCrypto("there is no a=crypto line")
