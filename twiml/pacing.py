"""How fast documents may follow one another when nothing between them takes time.

Applications loop with `Redirect`, and may do so for hours; what must not happen is that a loop without any pause turns
into thousands of requests. So there is no limit on how many, only on how fast: a few at once, then one a second.
"""

from __future__ import annotations

import attrs

BURST = 8
INTERVAL_S = 1.0


@attrs.define(eq=False)
class Pacing:
    """A leaky bucket in its virtual-scheduling form (ITU-T I.371)."""

    burst: int = BURST
    interval_s: float = INTERVAL_S
    _expected: float = attrs.field(init=False, default=float("-inf"))

    def next_at(self, now: float) -> float:
        """When a request that is wanted `now` may be made; it is counted as made."""
        at = max(now, self._expected - (self.burst - 1) * self.interval_s)
        self._expected = max(self._expected, at) + self.interval_s
        return at
