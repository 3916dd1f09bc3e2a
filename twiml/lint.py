"""Everything that is wrong in a document, for people who write one."""

from __future__ import annotations

from .errors import DocumentError
from .nodes import Position
from .parse import parse
from .places import Place
from .problems import Problem, Problems


def lint(
    data: bytes,
    base: str | None = None,
    *,
    charset: str | None = None,
    place: Place = Place.CALL,
    inline: bool = False,
    long_calls: bool = False,
) -> list[Problem]:
    """All problems, by line and column; one only when the document cannot be read at all.

    `base` is the document's URL, when it has been fetched from one. `inline` reads it as the `Twiml` of a REST request,
    in which every URL has to be absolute.
    """
    try:
        document = parse(data, charset=charset, place=place, inline=inline and base is None, long_calls=long_calls)
    except DocumentError as error:
        problems = Problems()
        problems.add(error.code, Position(error.line, error.column), "Response", error.message)
        return list(problems.in_order())
    return list(document.problems)
