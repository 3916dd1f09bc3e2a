"""What a stateless answer needs, saved from a request that cannot be accepted."""

from __future__ import annotations

import re
from typing import Final

from .errors import RequestHead
from .grammar import LWS, TOKEN_CHARS, decode
from .headers import key_of
from .message import Request

_METHOD = re.compile(rf"([{TOKEN_CHARS}]++)[ \t]")
_FOLD = re.compile(r"\r\n[ \t]++")
_BYTES: Final = 16 * 1024
_LINES: Final = 256
_FIELDS: Final = {"from": "from_", "to": "to", "call-id": "call_id", "cseq": "cseq"}


def salvage(data: bytes) -> RequestHead | None:
    """What a stateless answer needs, picked out of bytes that are no valid request; `None` when they are no request."""
    start = data[:_BYTES].lstrip(b"\r\n")
    head, blank_line, _ = start.partition(b"\r\n\r\n")
    if not blank_line:  # the last line may have been cut
        head = head.rpartition(b"\r\n")[0]
    first, _, rest = decode(head).partition("\r\n")
    method = _METHOD.match(first)
    if method is None or first[:4].upper() == "SIP/" or " " not in first[method.end() :]:
        return None
    lines = (line.partition(":") for line in _FOLD.sub(" ", rest).split("\r\n"))
    return _head_of(method[1], [(name, value) for name, _, value in lines])


def head_of(request: Request) -> RequestHead:
    """What a stateless answer needs, of a request that parsed but is not valid."""
    return _head_of(request.method, list(request.headers))


def _head_of(method: str, lines: list[tuple[str, str]]) -> RequestHead:
    vias: list[str] = []
    fields: dict[str, str] = {}
    for name, value in lines[:_LINES]:
        key = key_of(name.strip(LWS))
        value = value.strip(LWS)
        if "\r" in value or "\n" in value:
            continue
        if key == "via":
            vias.append(value)
        elif key in _FIELDS:
            fields.setdefault(_FIELDS[key], value)
    return RequestHead(method, tuple(vias), **fields)
