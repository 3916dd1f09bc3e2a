"""Room for TLS handshakes under way: who opens many and says nothing must not keep others out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import attrs
import trio

MAX: Final = 1024
"""Under way at once. After a restart all phones come back together, so this is many."""


@attrs.define(eq=False)
class Handshakes:
    """Those under way, by the host they come from."""

    most: int = MAX
    _places: dict[str, list[trio.CancelScope]] = attrs.field(factory=dict, init=False)

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    @contextmanager
    def place(self, host: str) -> Iterator[trio.CancelScope]:
        """A place while the block lasts: enter the scope. When there is none left, the host with the most gives up its
        oldest one, whose scope is cancelled."""
        if len(self) >= self.most:
            max(self._places.values(), key=len).pop(0).cancel()
        place = trio.CancelScope()
        self._places.setdefault(host, []).append(place)
        try:
            yield place
        finally:
            mine = self._places.get(host, [])
            if place in mine:
                mine.remove(place)
            if not mine:
                self._places.pop(host, None)
