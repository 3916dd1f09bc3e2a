"""`CountingIds`: identifiers that count, so that whole messages can be compared in a test."""

from __future__ import annotations

from collections import Counter

import attrs

from ..sip.ids import branch_of


@attrs.define(eq=False)
class CountingIds:
    """The `Ids` of a test (sip/ids.py): the first branch is `z9hG4bK-1`, the first tag `tag-1`, and so on.

    Give each program of one test its own `name`, or their dialogs get the same identifiers.
    """

    name: str = ""
    """Stands in every identifier that peers see: `z9hG4bK-ann-1`."""
    _counts: Counter[str] = attrs.field(factory=Counter, init=False)

    def branch(self) -> str:
        return branch_of(f"-{self._next('branch')}")

    def tag(self) -> str:
        return f"tag-{self._next('tag')}"

    def call_id(self) -> str:
        return f"call-{self._next('call')}"

    def nonce_salt(self) -> str:
        return self.token(16)

    def token(self, n: int) -> str:
        """The next number in `n` hexadecimal digits (its last ones, when it has more)."""
        self._counts["token"] += 1
        return f"{self._counts['token']:0{n}x}"[-n:] if n > 0 else ""

    def sid(self, prefix: str) -> str:
        """`CA` and the next number of that prefix, in 32 digits."""
        self._counts[prefix] += 1
        return f"{prefix}{self._counts[prefix]:032x}"

    def _next(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{self.name}-{self._counts[kind]}" if self.name else str(self._counts[kind])
