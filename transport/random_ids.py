"""`RandomIds`: identifiers that nobody can guess, from the system's generator."""

from __future__ import annotations

import os

from ..sip.ids import branch_of

BRANCH_DIGITS = 24
TAG_DIGITS = 16
"""64 bits of chance; RFC 3261 19.3 asks for 32."""
CALL_ID_DIGITS = 32
SALT_DIGITS = 16
SID_DIGITS = 32


class RandomIds:
    """The `Ids` of a running server (sip/ids.py), and SIDs."""

    def branch(self) -> str:
        return branch_of(self.token(BRANCH_DIGITS))

    def tag(self) -> str:
        return self.token(TAG_DIGITS)

    def call_id(self) -> str:
        # No host part: it would tell the peer our inner address, and 128 bits need no help to be unique.
        return self.token(CALL_ID_DIGITS)

    def nonce_salt(self) -> str:
        return self.token(SALT_DIGITS)

    def token(self, n: int) -> str:
        return os.urandom((n + 1) // 2).hex()[:n]

    def sid(self, prefix: str) -> str:
        """A SID: two letters (`CA` for a call) and 32 hexadecimal digits."""
        return prefix + self.token(SID_DIGITS)
