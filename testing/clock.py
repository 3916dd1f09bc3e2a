"""Wall time for tests: a calendar clock that follows trio's clock, virtual or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import trio

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@attrs.define(eq=False)
class WallClock:
    """A `now_utc` callable: `start` when it is first asked inside trio, then as much later as trio's clock says.

    With `autojump_clock` an hour of virtual time is an hour of wall time, so dates in records and callbacks can be
    compared exactly.
    """

    start: datetime = NOON
    _began: float | None = attrs.field(default=None, init=False)

    def __call__(self) -> datetime:
        now = trio.current_time()
        if self._began is None:
            self._began = now
        return self.start + timedelta(seconds=now - self._began)

    def shift(self, seconds: float) -> None:
        """Move wall time alone, as an administrator or NTP does."""
        self.start += timedelta(seconds=seconds)
