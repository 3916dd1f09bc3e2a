"""Pace: how often something may happen within any second, counted by key."""

from __future__ import annotations

from collections import OrderedDict, deque

import attrs

WINDOW_S = 1.0


@attrs.define(eq=False)
class Pace:
    """At most `per_second` times within any second for each key; keys that were quiet for a second cost nothing."""

    per_second: int
    _times: OrderedDict[str, deque[float]] = attrs.field(factory=OrderedDict, init=False)
    """The times within the last second, by key; the key that was heard last is the last one."""

    def __len__(self) -> int:
        return len(self._times)

    def wait_for(self, key: str, now: float) -> float:
        """Count one time of `key`, and return 0; or the seconds until there is room for one, which is not counted."""
        self._forget(now)
        times = self._times.setdefault(key, deque())
        while times and times[0] <= now - WINDOW_S:
            times.popleft()
        if len(times) >= self.per_second:
            return times[0] + WINDOW_S - now
        times.append(now)
        self._times.move_to_end(key)
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop the keys that have been quiet, the longest quiet first."""
        while self._times:
            key, times = next(iter(self._times.items()))
            if times and times[-1] > now - WINDOW_S:
                return
            del self._times[key]
