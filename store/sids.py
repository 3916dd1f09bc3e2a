"""Identifiers of everything an account owns: two capital letters for the kind, then 32 hexadecimal digits."""

from __future__ import annotations

import enum
import hashlib
import os
import re
from collections.abc import Callable

PATTERN = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")


class Kind(enum.StrEnum):
    """What a SID names; the value is its prefix."""

    ACCOUNT = "AC"
    CALL = "CA"
    RECORDING = "RE"
    CONFERENCE = "CF"
    QUEUE = "QU"
    STREAM = "MZ"
    NOTIFICATION = "NO"
    DOMAIN = "SD"
    CREDENTIAL_LIST = "CL"
    CREDENTIAL = "CR"
    ADDRESS_LIST = "AL"
    ADDRESS = "IP"
    KEY = "SK"
    REQUEST = "RQ"


def make(kind: Kind, entropy: Callable[[int], bytes] = os.urandom) -> str:
    """A new SID; `entropy(n)` gives n random bytes."""
    return f"{kind.value}{entropy(16).hex()}"


def derive(kind: Kind, *parts: str) -> str:
    """The SID that these parts always have, e.g. a configured domain's from its account and name."""
    digest = hashlib.sha256()
    for part in (kind.value, *parts):
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return f"{kind.value}{digest.hexdigest()[:32]}"


def is_sid(text: str, kind: Kind | None = None) -> bool:
    """Whether `text` is a well-formed SID (of that kind, when one is given)."""
    return PATTERN.fullmatch(text) is not None and (kind is None or text.startswith(kind.value))
