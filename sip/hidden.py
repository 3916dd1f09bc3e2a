"""Hides what whoever is shown a message must not learn of it: what passwords can be guessed from, and keys of media.

Every octet of a secret becomes an `x`, so that lengths and everything around stay as they were. What could be a secret
is taken for one: the bytes may be of somebody who would like to have one shown.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["as_clear", "hide"]

_SIGNS: Final = (b"authorization", b"authentication-info", b"inline:", b"k=clear:", b"k=base64:", b"key-mgmt:")
"""In lower case. Without any of these, which most messages have not, there is nothing to hide."""
# A header with its continuation lines (RFC 3261 section 7.3.1). Of a digest only what the password went into: user,
# realm and nonce are what one looks for when a call is refused.
_CREDENTIALS = re.compile(
    rb"(?:^|(?<=[\r\n]))((?:Proxy-)?Authorization|Authentication-Info)[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE
)
_DIGEST = re.compile(rb"\s*Digest\s", re.IGNORECASE)
_PROOF = re.compile(
    rb"(?<![\w-])((?:response|rspauth)\s*=\s*)(\"(?:[^\"\\]|\\.)*\"?|[^,\s]*)", re.IGNORECASE | re.DOTALL
)
_SCHEME = re.compile(rb"\s*\S+\s*")
# RFC 4568: key-param = "inline:" key-info; RFC 4566 section 5.12: k=clear: and k=base64:; RFC 4567: a=key-mgmt.
_KEYS = re.compile(
    rb"(inline:)([^|;\s]*)|(?:^|(?<=[\r\n]))(k=(?:clear|base64):|a=key-mgmt:[^\r\n ]*[ ])([^\r\n]*)", re.IGNORECASE
)
_STREAM = re.compile(rb"((?:^|(?<=[\r\n]))m=[^\r\n ]+ )([^\r\n ]+ RTP/)SAVP(?= )")
_SECRET: Final = re.compile(rb"[^\s\"]")


def hide(message: bytes) -> bytes:
    """The bytes of a message as they may be kept; the same object when there is nothing to hide."""
    folded = message.lower()
    if not any(sign in folded for sign in _SIGNS):
        return message
    return _KEYS.sub(_without_key, _CREDENTIALS.sub(_without_proof, message))


def as_clear(message: bytes) -> bytes:
    """As many bytes with SDP that says of encrypted streams that they are clear: `RTP/AVP`, and a zero before the port
    for the octet that is left over. For who shows the media in the clear: no tool would read it as what it is."""
    return _STREAM.sub(rb"\g<1>0\g<2>AVP", message) if b"RTP/SAVP " in message else message


def _without_proof(match: re.Match[bytes]) -> bytes:
    name, value = match[1], match[2]
    lead = match[0][: len(match[0]) - len(value)]
    if name.lower() == b"authentication-info" or _DIGEST.match(value) is not None:
        return lead + _PROOF.sub(lambda proof: proof[1] + _crossed(proof[2]), value)
    scheme = _SCHEME.match(value)
    end = scheme.end() if scheme is not None else 0
    return lead + value[:end] + _crossed(value[end:])


def _without_key(match: re.Match[bytes]) -> bytes:
    return match[1] + _crossed(match[2]) if match[1] is not None else match[3] + _crossed(match[4])


def _crossed(secret: bytes) -> bytes:
    return _SECRET.sub(b"x", secret)
