"""What is wrong in a document, and where."""

from __future__ import annotations

import attrs

from .codes import Level, describe
from .nodes import Position
from .xml import Element


@attrs.frozen(kw_only=True)
class Problem:
    """One thing that is wrong. `line` and `column` count from 1; 0 is the document as a whole."""

    line: int
    column: int
    code: int
    element: str
    attribute: str | None = None
    message: str
    """What was found, and what would be right."""

    @property
    def level(self) -> Level:
        return describe(self.code).level

    @property
    def name(self) -> str:
        return describe(self.code).name

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.level.value} {self.code} {self.message}"


class Problems:
    """Problems as they are found."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, code: int, at: Position, element: str, message: str, attribute: str | None = None) -> None:
        self._found.append(
            Problem(line=at.line, column=at.column, code=code, element=element, attribute=attribute, message=message)
        )

    def in_order(self) -> tuple[Problem, ...]:
        """All of them, by place."""
        return tuple(sorted(self._found, key=lambda problem: (problem.line, problem.column)))


@attrs.frozen
class Context:
    """Where the element that is being checked stands."""

    element: Element
    parent: str
    problems: Problems

    def report(self, code: int, message: str, attribute: str | None = None) -> None:
        at = self.element.where(attribute) if attribute else self.element.at
        self.problems.add(code, at, self.element.name, message, attribute)
