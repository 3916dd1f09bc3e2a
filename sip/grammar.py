"""The rules of RFC 3261 section 25 that the parsers share, as named patterns with their ABNF above them.

Every repetition that could meet the same character twice is possessive, so each pattern runs in linear time on any
input. Text is what `decode` makes of bytes: UTF-8 where it is UTF-8, one surrogate a byte where it is not, so that
`encode` gives the very same bytes back.
"""

from __future__ import annotations

import re
from typing import Final

LWS: Final = " \t"  # what may surround a value once lines are unfolded

# token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~" )
TOKEN_CHARS: Final = r"A-Za-z0-9\-.!%*_+`'~"
TOKEN: Final = re.compile(rf"[{TOKEN_CHARS}]++")

# quoted-string = SWS DQUOTE *(qdtext / quoted-pair ) DQUOTE
# quoted-pair   = "\" (%x00-09 / %x0B-0C / %x0E-7F)
QUOTED: Final = r'"(?:[^"\\\r\n]|\\[^\r\n])*+"'
QUOTED_STRING: Final = re.compile(QUOTED)

# Request-Line = Method SP Request-URI SP SIP-Version CRLF
# SIP-Version  = "SIP" "/" 1*DIGIT "." 1*DIGIT
REQUEST_LINE: Final = re.compile(rf"([{TOKEN_CHARS}]++) ([^ \t\r\n]++) ((?i:SIP)/[0-9]++\.[0-9]++)")

# Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF      (a missing SP before no phrase is let pass)
STATUS_LINE: Final = re.compile(r"((?i:SIP)/[0-9]++\.[0-9]++) ([0-9]++)(?: ([^\r\n]*+))?")

# message-header = header-name HCOLON header-value CRLF
# HCOLON         = *( SP / HTAB ) ":" SWS
HEADER_LINES: Final = re.compile(rf"^([{TOKEN_CHARS}]++)[ \t]*+:[ \t]*+([^\r\n]*+)\r\n", re.MULTILINE)
HEADER_LINE: Final = re.compile(rf"([{TOKEN_CHARS}]++)[ \t]*+:(.*+)", re.DOTALL)

# host          = hostname / IPv4address / IPv6reference      ("_" is not in the rule, yet in use)
# IPv6reference = "[" IPv6address "]"
HOST: Final = r"\[[0-9A-Fa-f:.]{2,48}\]|[A-Za-z0-9_\-.]{1,255}+"
# port = 1*DIGIT
PORT: Final = r"0{0,8}+[0-9]{1,5}"
PORT_MAX: Final = 65535

# callid = word [ "@" word ]      (word is all of visible ASCII but for a few; none of them can do harm here)
CALL_ID: Final = re.compile(r"[\x21-\x7e]{1,512}")

# delta-seconds = 1*DIGIT                     20.19: up to 2**32-1
DIGITS: Final = re.compile(r"[0-9]++")
DELTA_MAX: Final = 2**32 - 1

_ESCAPED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_PLAIN_PIECE = re.compile(rf'(?:[^",<]|{QUOTED}|<[^<>\r\n]*+>)*+')


def decode(data: bytes) -> str:
    """Bytes of a message head as text, without loss."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The bytes that `decode` made `text` of. Raises `UnicodeEncodeError` for surrogates that stand for no byte."""
    return text.encode("utf-8", "surrogateescape")


def is_token(text: str) -> bool:
    """Whether `text` is a token."""
    return TOKEN.fullmatch(text) is not None


def unquote(text: str) -> str:
    """The content of a quoted-string; any other text is given back as it is."""
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        inner = text[1:-1]
        return _ESCAPED_PAIR.sub(r"\1", inner) if "\\" in inner else inner
    return text


def quote(text: str) -> str:
    """`text` as a quoted-string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def split_commas(text: str) -> list[str] | None:
    """Split at the commas outside quotes and angle brackets (RFC 3261 7.3.1); `None` when one of those is left open.

    Pieces are stripped and may be empty: whether an empty one is an error is for the header to say.
    """
    if '"' not in text and "<" not in text:
        return [piece.strip(LWS) for piece in text.split(",")]
    pieces, at = [], 0
    while True:
        match = _PLAIN_PIECE.match(text, at)
        end = match.end() if match else at
        pieces.append(text[at:end].strip(LWS))
        if end == len(text):
            return pieces
        if text[end] != ",":
            return None
        at = end + 1


def parse_digits(text: str, maximum: int) -> int | None:
    """A run of digits as a number not above `maximum`; `None` when it is anything else, or too large."""
    if DIGITS.fullmatch(text) is None:
        return None
    digits = text.lstrip("0")
    if len(digits) > 20:
        return None
    number = int(digits or "0")
    return number if number <= maximum else None
