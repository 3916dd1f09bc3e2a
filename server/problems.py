"""What is wrong with a configuration: every problem with its place, never only the first."""

from __future__ import annotations

import attrs


@attrs.frozen
class Problem:
    """One thing that is wrong: where, and what would be right."""

    path: str
    """Key path such as `sip.udp` or `domain[2].credential[1].username` (tables of an array count from 1)."""
    text: str
    source: str = ""
    """File or environment variable; empty when the configuration was built in code."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, self.path, self.text) if part)


class ConfigError(ValueError):
    """The configuration cannot be used; `problems` has everything that is wrong with it, never only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
