"""What an element class says about itself: its attributes, its body and its children, read once from its annotations.

    length: Annotated[int, Whole(1, code=13910)] = 1

is all there is to know about an attribute: its name (`length`), type, rule, public code and default. The parser, `lint`
and the tests walk these rows; nothing lists the attributes a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, get_origin, get_type_hints

import attrs

from .attributes import SCHEMA, AnyRule


@attrs.frozen
class Position:
    """Where an element starts in its document, line and column from 1; `0, 0` for one that no document holds."""

    line: int
    column: int


NOWHERE = Position(0, 0)


@attrs.frozen(kw_only=True)
class Node:
    """Any element of the language. Nodes are equal when they say the same, wherever they stand."""

    at: Position = attrs.field(default=NOWHERE, eq=False, repr=False)
    fault: int | None = None
    """The public code of why this cannot be carried out (a verb or leg that ends as failed); `None` when it can."""

    tag: ClassVar[str] = ""
    """The element's name, where it is not the class's."""
    codes: ClassVar[Mapping[str, int]] = {}
    """Codes of inherited attributes that differ for this element."""
    codes_inside: ClassVar[Mapping[str, Mapping[str, int]]] = {}
    """The same where they differ inside a certain parent."""

    @classmethod
    def element(cls) -> str:
        return cls.tag or cls.__name__


@attrs.frozen(kw_only=True)
class Body:
    """Marks the field that takes the element's text. A rule with `required` makes text obligatory."""

    rule: AnyRule


@attrs.frozen(kw_only=True)
class Speech:
    """Marks the field that takes text mixed with SSML."""


@attrs.frozen
class Children:
    """Marks the field that takes the child elements: which are allowed, and the problem that any other is."""

    classes: tuple[type[Node], ...]
    code: int = SCHEMA


@attrs.frozen
class Attribute:
    """One attribute of an element."""

    name: str
    field: str
    rule: AnyRule


@attrs.frozen
class Shape:
    """All that the annotations of an element class say."""

    cls: type[Node]
    attributes: Mapping[str, Attribute]
    body: tuple[str, Body] | None
    speech: str | None
    children: tuple[str, Children] | None

    def code(self, attribute: Attribute, parent: str) -> int:
        """The public code of a bad value of `attribute` under `parent`."""
        inside = self.cls.codes_inside.get(parent, {})
        return inside.get(attribute.name) or self.cls.codes.get(attribute.name) or attribute.rule.code


def camel(field: str) -> str:
    head, *rest = field.split("_")
    return head + "".join(word.capitalize() for word in rest)


_SHAPES: dict[type[Node], Shape] = {}


def shape(cls: type[Node]) -> Shape:
    """The shape of an element class, read when it is first asked for."""
    known = _SHAPES.get(cls)
    if known is None:
        known = _SHAPES[cls] = _read(cls)
    return known


def _read(cls: type[Node]) -> Shape:
    attributes: dict[str, Attribute] = {}
    body: tuple[str, Body] | None = None
    speech: str | None = None
    children: tuple[str, Children] | None = None
    hints: dict[str, Any] = get_type_hints(cls, include_extras=True)
    for field in attrs.fields(cls):
        hint = hints[field.name]
        if get_origin(hint) is not Annotated:
            continue
        mark = hint.__metadata__[0]
        match mark:
            case Body():
                body = (field.name, mark)
            case Speech():
                speech = field.name
            case Children():
                children = (field.name, mark)
            case _:
                name = mark.name or camel(field.name)
                attributes[name] = Attribute(name, field.name, mark)
    return Shape(cls, attributes, body, speech, children)
