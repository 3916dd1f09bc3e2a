"""Identifiers that must be unique: what makes them, and how they are shaped."""

from __future__ import annotations

import hashlib
from typing import Protocol

from .via import MAGIC_COOKIE


class Ids(Protocol):
    """Source of unique identifiers: random in life, counting in tests, so that whole messages can be compared."""

    def branch(self) -> str:
        """A Via branch, magic cookie included (RFC 3261 8.1.1.7)."""
        ...

    def tag(self) -> str:
        """A From or To tag with at least 32 bits of chance (19.3)."""
        ...

    def call_id(self) -> str:
        """A Call-ID."""
        ...

    def nonce_salt(self) -> str:
        """Hexadecimal salt that makes one digest nonce unlike another of the same second; also a client's cnonce."""
        ...

    def token(self, n: int) -> str:
        """`n` hexadecimal digits."""
        ...


def branch_of(token: str) -> str:
    """A branch with the magic cookie before `token`."""
    return MAGIC_COOKIE + token


def stateless_tag(*parts: str | None) -> str:
    """A To tag that is the same for every copy of one request (RFC 3261 8.2.7): made of what identifies it."""
    text = "\0".join(part or "" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
