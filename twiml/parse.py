"""A document to verbs, with everything that is wrong in it.

The element classes say what is allowed (see `nodes`); this walks the XML along them. Only a document that is no TwiML
at all raises; anything smaller is a problem, and the call goes on without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import attrs

from . import ssml, xml
from .attributes import SCHEMA, Setting, Unacceptable
from .checks import check
from .errors import WrongRoot, WrongVersion
from .nodes import Node, Position, Shape, shape
from .places import ALLOWED, Place
from .problems import Problem, Problems
from .verbs import VERBS, Say, Verb

ROOT = "Response"
VERSIONS = ("2008-08-01", "2010-04-01")
"""Once a document named its version; none is needed."""

_VERBS: dict[str, type[Verb]] = {cls.element(): cls for cls in VERBS}
N = TypeVar("N", bound=Node)


@attrs.frozen
class Document:
    """What a document says, and what is wrong with it, in the order of the text."""

    verbs: tuple[Verb, ...]
    problems: tuple[Problem, ...] = ()


def parse(
    data: bytes,
    *,
    charset: str | None = None,
    place: Place = Place.CALL,
    inline: bool = False,
    long_calls: bool = False,
) -> Document:
    """Read a document. Raises `DocumentError`.

    `charset` is HTTP's; `inline` is a document without a URL of its own, in which no relative URL means anything;
    `long_calls` admits the lengths of an account whose calls may last 24 hours.
    """
    root = xml.read(data, charset=charset)
    if root.name != ROOT:
        raise WrongRoot(
            f"the root element is {root.name!r}; it must be Response", line=root.at.line, column=root.at.column
        )
    return _Reader(place, inline, long_calls).document(root)


class _Reader:
    def __init__(self, place: Place, inline: bool, long_calls: bool) -> None:
        self._allowance = ALLOWED.get(place)
        self._inline = inline
        self._long_calls = long_calls
        self._problems = Problems()

    def document(self, root: xml.Element) -> Document:
        for name, value in root.attributes.items():
            if name == "version":
                if value.strip() not in VERSIONS:
                    at = root.where(name)
                    raise WrongVersion(
                        f"there is no version {value.strip()[:40]!r}; leave the attribute out",
                        line=at.line,
                        column=at.column,
                    )
            elif not _is_foreign(name):
                self._unknown_attribute(root, name, "it takes none")
        verbs: list[Verb] = []
        for child in root.children:
            if isinstance(child, str):
                if child.strip():
                    self._problems.add(
                        SCHEMA, root.at, ROOT, f"text {_shown(child)} stands outside any verb; it is ignored"
                    )
                continue
            cls = _VERBS.get(child.name)
            if cls is None:
                self._unknown_verb(child)
            elif self._allowance is not None and cls not in self._allowance.verbs:
                allowed = ", ".join(sorted(verb.element() for verb in self._allowance.verbs))
                self._problems.add(
                    self._allowance.code_of(cls),
                    child.at,
                    child.name,
                    f"{child.name} is not allowed in {self._allowance.where}; allowed are {allowed}",
                )
            else:
                verb = self._node(cls, child, ROOT)
                if verb is not None:
                    verbs.append(verb)
        return Document(tuple(verbs), self._problems.in_order())

    def _node(self, cls: type[N], element: xml.Element, parent: str) -> N | None:
        """An element of a known class; `None` when what is left of it is not worth keeping."""
        form = shape(cls)
        setting = Setting(parent=parent, long_calls=self._long_calls)
        values: dict[str, Any] = {"at": element.at}
        self._attributes(form, element, setting, values)
        if form.speech is not None:
            values[form.speech] = self._speech(element)
        else:
            self._body(form, element, setting, values)
            self._children(form, element, values)
        return check(cls(**values), element, parent, self._problems, inline=self._inline)

    def _attributes(self, form: Shape, element: xml.Element, setting: Setting, values: dict[str, Any]) -> None:
        for name, text in element.attributes.items():
            attribute = form.attributes.get(name)
            if attribute is None:
                if not _is_foreign(name):
                    self._unknown_attribute(element, name, _one_of(form.attributes))
                continue
            try:
                values[attribute.field] = attribute.rule.read(text, setting)
            except Unacceptable as error:
                if attribute.rule.keeps_bad():
                    values[attribute.field] = text.strip()
                self._problems.add(
                    form.code(attribute, setting.parent),
                    element.where(name),
                    element.name,
                    f"{name}={_shown(text)} should be {error}",
                    name,
                )
        for attribute in form.attributes.values():
            if attribute.rule.required and attribute.name not in element.attributes:
                code = form.code(attribute, setting.parent)
                values["fault"] = code
                self._problems.add(
                    code,
                    element.at,
                    element.name,
                    f"{element.name} needs the attribute {attribute.name}",
                    attribute.name,
                )

    def _body(self, form: Shape, element: xml.Element, setting: Setting, values: dict[str, Any]) -> None:
        text = element.text
        if form.body is None:
            if text.strip():
                self._problems.add(
                    SCHEMA, element.at, element.name, f"{element.name} takes no text; {_shown(text)} is ignored"
                )
            return
        field, body = form.body
        try:
            if body.rule.required and not text.strip():
                raise Unacceptable("some text")
            values[field] = body.rule.read(text, setting) if text.strip() else ""
        except Unacceptable as error:
            code = form.cls.codes.get("") or body.rule.code
            values["fault"] = code
            if body.rule.keeps_bad():
                values[field] = text.strip()
                del values["fault"]
            self._problems.add(
                code, element.at, element.name, f"the text of {element.name}, {_shown(text)}, should be {error}"
            )

    def _children(self, form: Shape, element: xml.Element, values: dict[str, Any]) -> None:
        if not element.elements:
            return
        field, allowed, code = (None, {}, SCHEMA)
        if form.children is not None:
            field, marks = form.children
            allowed, code = {cls.element(): cls for cls in marks.classes}, marks.code
        kept: list[Node] = []
        for child in element.elements:
            cls = allowed.get(child.name)
            if cls is None:
                inside = f"it may hold {', '.join(allowed)}" if allowed else "it holds no elements"
                self._problems.add(
                    code,
                    child.at,
                    child.name,
                    f"{child.name} is not allowed inside {element.name} and is ignored; {inside}",
                )
                continue
            node = self._node(cls, child, element.name)
            if node is not None:
                kept.append(node)
        if field is not None:
            values[field] = tuple(kept)

    def _speech(self, element: xml.Element) -> tuple[str | ssml.Markup, ...]:
        return self._markup(element, ssml.ANY, Say.element())

    def _markup(self, element: xml.Element, allowed: frozenset[str], parent: str) -> tuple[str | ssml.Markup, ...]:
        content: list[str | ssml.Markup] = []
        for child in element.children:
            if isinstance(child, str):
                if parent == "break" and child.strip():
                    self._problems.add(SCHEMA, element.at, parent, "break takes no text; it is ignored")
                elif parent != "break":
                    content.append(child)
            elif child.name not in allowed:
                known = f"it may hold {', '.join(sorted(allowed))}" if allowed else "it holds text only"
                self._problems.add(
                    SCHEMA, child.at, child.name, f"{child.name} is not allowed inside {parent} and is ignored; {known}"
                )
            else:
                markup = self._ssml(child)
                if markup is not None:
                    content.append(markup)
                else:  # an element that cannot be used still has words to be spoken
                    content.extend(self._markup(child, ssml.CHILDREN[child.name], child.name))
        return tuple(content)

    def _ssml(self, element: xml.Element) -> ssml.Markup | None:
        known = ssml.ATTRIBUTES[element.name]
        kept: list[tuple[str, str]] = []
        usable = True
        for name, text in element.attributes.items():
            if name not in known:
                if not _is_foreign(name):
                    self._unknown_attribute(element, name, _one_of(known))
            elif known[name].pattern.fullmatch(text.strip()) is None:
                usable = usable and not known[name].required
                self._problems.add(
                    SCHEMA,
                    element.where(name),
                    element.name,
                    f"{name}={_shown(text)} should be {known[name].expected}",
                    name,
                )
            else:
                kept.append((name, text.strip()))
        for name, values in known.items():
            if values.required and name not in element.attributes:
                usable = False
                self._problems.add(SCHEMA, element.at, element.name, f"{element.name} needs the attribute {name}", name)
        if not usable:
            return None
        return ssml.Markup(element.name, tuple(kept), self._markup(element, ssml.CHILDREN[element.name], element.name))

    def _unknown_attribute(self, element: xml.Element, name: str, known: str) -> None:
        self._problems.add(
            SCHEMA, element.where(name), element.name, f"{element.name} has no attribute {_shown(name)}; {known}", name
        )

    def _unknown_verb(self, element: xml.Element) -> None:
        alike = next((name for name in _VERBS if name.lower() == element.name.lower()), None)
        hint = f"; write {alike}" if alike else f"; the verbs are {', '.join(_VERBS)}"
        self._problems.add(SCHEMA, element.at, element.name, f"there is no verb {_shown(element.name)}{hint}")


def _is_foreign(name: str) -> bool:
    """Attributes of XML itself, which say nothing to us."""
    return name in ("xmlns", "xml:space", "xml:base", "xml:id") or name.startswith(("xmlns:", "xsi:"))


def _one_of(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f"it takes {listed}" if listed else "it takes none"


def _shown(text: str) -> str:
    """A piece of a document in a message: quoted, and not too long."""
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")


__all__ = ["Document", "Place", "Position", "Problem", "parse"]
