"""XML to elements, safely: no document types, no entities but the five built in, bounded size and depth.

Every element and attribute knows its line and column, so that whoever reads a problem finds its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pyexpat import ExpatError, ParserCreate
from typing import TypeAlias

import attrs

from .errors import NotWellFormed, TooLarge
from .nodes import Position

MAX_BYTES = 64 * 1024
MAX_DEPTH = 64

# EncName ::= [A-Za-z] ([A-Za-z0-9._] | '-')*                               XML 1.0 section 4.3.3
_DECLARED = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*(["'])([A-Za-z][A-Za-z0-9._-]*)\1""")
_CHARSETS = re.compile(
    r"utf-?(?:8|16(?:-?[lb]e)?)|us-ascii|ascii|iso-?8859-?(?:[1-9]|1[0-6])|latin-?1|windows-125[0-8]|cp125[0-8]"
    r"|koi8-[ru]|shift-?jis|euc-(?:jp|kr)|iso-2022-jp|gb2312|gbk|gb18030|big5(?:-hkscs)?"
)
"""Charsets that the web knows. Others of Python's codecs are not for the wire, and some cost quadratic time."""
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_NEWLINE = re.compile(r"\r\n|\r|\n")
# Attribute ::= Name Eq AttValue                                            XML 1.0 section 3.1
_ATTRIBUTE = re.compile(rb"""\s+([^\s=<>"'/]+)\s*=\s*(?:"[^"]*"|'[^']*')""")


@attrs.define(eq=False)
class Element:
    """One element. Text between children is kept where it stands."""

    name: str
    attributes: dict[str, str]
    at: Position
    children: list[Element | str]
    _source: bytes
    """The whole document in UTF-8, for the places of attributes, which are only looked for when one is wrong."""
    _offset: int
    _places: dict[str, Position] | None = attrs.field(init=False, default=None)

    def where(self, attribute: str) -> Position:
        """Where `attribute` stands in the start tag; the element's own place if it has none of that name."""
        if self._places is None:
            self._places = self._find_places()
        return self._places.get(attribute, self.at)

    def _find_places(self) -> dict[str, Position]:
        places: dict[str, Position] = {}
        seen, at = self._offset, self.at
        position = self._offset + 1 + len(self.name.encode())
        while match := _ATTRIBUTE.match(self._source, position):
            at = _moved(at, self._source[seen : match.start(1)].decode())
            seen, position = match.start(1), match.end()
            places[match[1].decode()] = at
        return places

    @property
    def text(self) -> str:
        """The text directly inside, without that of children."""
        return "".join(child for child in self.children if isinstance(child, str))

    @property
    def elements(self) -> list[Element]:
        return [child for child in self.children if isinstance(child, Element)]


def read(data: bytes, *, charset: str | None = None, max_bytes: int = MAX_BYTES) -> Element:
    """The root element of a document, or a `DocumentError`. `charset` is what HTTP said about it."""
    if len(data) > max_bytes:
        raise TooLarge(f"the document has {len(data)} bytes; at most {max_bytes} are read")
    text = decode(data, charset)
    source = text.encode()
    builder = _Builder(source)
    parser = ParserCreate("utf-8")  # overrides the declaration, which was heeded in decode()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.doctype
    builder.place = lambda: (
        Position(parser.CurrentLineNumber, parser.CurrentColumnNumber + 1),
        parser.CurrentByteIndex,
    )
    try:
        parser.Parse(source, True)
    except ExpatError as error:
        reason = str(error).partition(":")[0]
        raise NotWellFormed(f"not well-formed XML: {reason}", line=error.lineno, column=error.offset + 1) from error
    finally:
        builder.place = _nowhere  # parser and builder know each other: parted, both go at once
    assert builder.root is not None  # expat refuses a document without an element
    return builder.root


def decode(data: bytes, charset: str | None) -> str:
    """The text of a document: a byte order mark decides, then HTTP's charset, then the declaration, then UTF-8
    (RFC 7303 section 3)."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    if charset is not None and charset.strip():
        return _decoded(data, charset)
    if data.startswith(b"<\0"):
        return _decoded(data, "utf-16-le")
    if data.startswith(b"\0<"):
        return _decoded(data, "utf-16-be")
    declared = _DECLARED.match(data)
    return _decoded(data, declared[2].decode("ascii") if declared else "utf-8")


def _decoded(data: bytes, charset: str) -> str:
    name = charset.strip().strip("\"'").lower().replace("_", "-")
    if _CHARSETS.fullmatch(name) is None:
        raise NotWellFormed(f"the encoding {name[:40]!r} is not supported; write UTF-8")
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(name, "replace")
        place = _moved(Position(1, 1), before)
        raise NotWellFormed(
            f"the bytes are not {name.upper()}: {error.reason}", line=place.line, column=place.column
        ) from error
    except LookupError as error:
        raise NotWellFormed(f"the encoding {name!r} is not supported; write UTF-8") from error


def _moved(start: Position, text: str) -> Position:
    """The place after `text`, which begins at `start`."""
    lines = _NEWLINE.split(text)
    if len(lines) == 1:
        return Position(start.line, start.column + len(text))
    return Position(start.line + len(lines) - 1, len(lines[-1]) + 1)


Place: TypeAlias = "Callable[[], tuple[Position, int]]"


def _nowhere() -> tuple[Position, int]:
    return Position(1, 1), 0


class _Builder:
    """Expat's events to a tree."""

    def __init__(self, source: bytes) -> None:
        self.root: Element | None = None
        self.place: Place = _nowhere
        self._source = source
        self._open: list[Element] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        at, offset = self.place()
        if len(self._open) >= MAX_DEPTH:
            raise NotWellFormed(f"elements are nested more than {MAX_DEPTH} deep", line=at.line, column=at.column)
        element = Element(name, attributes, at, [], self._source, offset)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        if self._open:
            self._open[-1].children.append(data)

    def doctype(self, *_: object) -> None:
        at, _offset = self.place()
        raise NotWellFormed("document types are not allowed", line=at.line, column=at.column)
