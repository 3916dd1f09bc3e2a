"""Ordered `;name=value` parameters, as URIs and header fields carry them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

from .grammar import QUOTED, TOKEN_CHARS, quote, unquote

# generic-param = token [ EQUAL gen-value ]
# gen-value     = token / host / quoted-string      EQUAL = SWS "=" SWS, SEMI = SWS ";" SWS
# A bare value may hold what no rule forbids outright (User-to-User, IPv6 without brackets in received, RFC 5118 4.5).
_HEADER_PARAM = re.compile(rf'[ \t]*+;[ \t]*+([{TOKEN_CHARS}]++)[ \t]*+(?:=[ \t]*+({QUOTED}|[^\s;,"<>=]++=*+)[ \t]*+)?')
_BARE_VALUE = re.compile(r'[^\s;,"<>=]++=*+')


@attrs.frozen(eq=False, repr=False)
class Params:
    """Parameters in the order they were given; names are looked up without regard to case.

    `lines` holds each value as written, quotes included, and `None` for a parameter without one.
    Two `Params` are equal when they hold the same names with the same values, in whatever order.
    """

    lines: tuple[tuple[str, str | None], ...] = ()

    @classmethod
    def of(cls, *pairs: tuple[str, str | None]) -> Params:
        """Parameters of plain values; what is not a bare value is quoted."""
        return cls(tuple((name, _written(value)) for name, value in pairs))

    @classmethod
    def parse(cls, text: str) -> Params | None:
        """Read the parameters of a header value, from the first `;` on; `None` when they break the grammar.

        A name that is given twice breaks it too (RFC 3261 7.3.1).
        """
        lines: list[tuple[str, str | None]] = []
        seen: set[str] = set()
        at = 0
        while at < len(text):
            match = _HEADER_PARAM.match(text, at)
            if match is None:
                return None if text[at:].strip(" \t") else cls(tuple(lines))
            name = match[1].lower()
            if name in seen:
                return None
            seen.add(name)
            lines.append((match[1], match[2]))
            at = match.end()
        return cls(tuple(lines))

    def get(self, name: str) -> str | None:
        """The value without its quotes; `None` when the parameter is absent, "" when it has no value."""
        wanted = name.lower()
        for key, value in self.lines:
            if key.lower() == wanted:
                return "" if value is None else unquote(value)
        return None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        """Name and value as written."""
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def with_(self, name: str, value: str | None) -> Params:
        """The same with `name` set to the plain `value`: in its old place, or at the end."""
        wanted, written = name.lower(), _written(value)
        if name not in self:
            return Params((*self.lines, (name, written)))
        return Params(tuple((key, written if key.lower() == wanted else old) for key, old in self.lines))

    def without(self, *names: str) -> Params:
        """The same without `names`."""
        unwanted = {name.lower() for name in names}
        return Params(tuple(line for line in self.lines if line[0].lower() not in unwanted))

    def _key(self) -> dict[str, str | None]:
        return {name.lower(): None if value is None else unquote(value) for name, value in self.lines}

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Params) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._key().items()))

    def __str__(self) -> str:
        return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in self.lines)

    def __repr__(self) -> str:
        return f"Params({str(self)!r})"


NO_PARAMS: Final = Params()


def _written(value: str | None) -> str | None:
    if value is None or _BARE_VALUE.fullmatch(value):
        return value
    return quote(value)
