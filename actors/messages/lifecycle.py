"""Between owner and owned: drain, stop, and the news of an end."""

from __future__ import annotations

import attrs


@attrs.frozen
class Down:
    """Guard to owner: the actor of that name has ended."""

    name: str
    error: Exception | None
    """None after a normal end."""


@attrs.frozen
class Drain:
    """Owner to owned: take no new work; end when the present work is done."""


@attrs.frozen
class Stop:
    """Owner to owned: end now, in order."""

    reason: str
