"""Whom a call from the telephone network is for: applications of our numbers, and of the trunks that bring calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import attrs

from .records import Application


@attrs.define(eq=False)
class NumberDirectory:
    """The telephone numbers of a server."""

    _numbers: dict[str, Application | None] = attrs.field(factory=dict)
    _by_trunk: dict[str, Application] = attrs.field(factory=dict)

    @classmethod
    def of(cls, numbers: Mapping[str, Application | None], by_trunk: Mapping[str, Application]) -> NumberDirectory:
        """By number in E.164 (None: ours, or verified, but without an application), and by name of trunk."""
        return cls(dict(numbers), dict(by_trunk))

    @property
    def owned(self) -> Set[str]:
        """All of them; the view follows what is put and removed."""
        return self._numbers.keys()

    def ours(self, spellings: Iterable[str]) -> str | None:
        """The first of these that is a number of ours."""
        return next((number for number in spellings if number in self._numbers), None)

    def application(self, number: str | None, trunk: str) -> Application | None:
        """Who answers a call to `number` that `trunk` brings; None: nobody does."""
        own = self._numbers.get(number) if number is not None else None
        return own or self._by_trunk.get(trunk)

    def put(self, number: str, application: Application | None) -> None:
        self._numbers[number] = application

    def remove(self, number: str) -> None:
        self._numbers.pop(number, None)

    def __len__(self) -> int:
        return len(self._numbers)
