"""The URLs of a verb made absolute, when the verb is reached."""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

from . import urls
from .attributes import Link
from .errors import BadUrl
from .nodes import Node, shape

N = TypeVar("N", bound=Node)

_SOCKETS = {"http": "ws", "https": "wss"}


def resolved(node: N, base: str | None) -> tuple[N, tuple[BadUrl, ...]]:
    """`node` and all inside it with absolute URLs, and what was wrong with those that had to be dropped.

    Raises `BadUrl` for one that decides how the call goes on (a document, a file to play). `base` is the URL of the
    document; `None` when it has none.
    """
    dropped: list[BadUrl] = []
    return _resolved(node, base, dropped), tuple(dropped)


def _resolved(node: N, base: str | None, dropped: list[BadUrl]) -> N:
    form = shape(type(node))
    changes: dict[str, Any] = {}
    rules = [(attribute.field, attribute.rule) for attribute in form.attributes.values()]
    if form.body is not None:
        rules.append((form.body[0], form.body[1].rule))
    for field, rule in rules:
        text = getattr(node, field)
        if not isinstance(rule, Link) or text is None or (not text and not (rule.empty and rule.vital)):
            continue
        try:
            url = _one(text, rule, base)
        except BadUrl as error:
            if rule.vital:
                raise
            dropped.append(error)
            url = None
        if url != text:
            changes[field] = url
    if form.children is not None:
        children: tuple[Node, ...] = getattr(node, form.children[0])
        after = tuple(_resolved(child, base, dropped) for child in children)
        if any(new is not old for new, old in zip(after, children, strict=True)):
            changes[form.children[0]] = after
    return attrs.evolve(node, **changes) if changes else node


def _one(text: str, rule: Link, base: str | None) -> str:
    if urls.Parts.of(text).scheme is not None:
        return urls.resolve(None, text, schemes=rule.schemes)
    url = urls.resolve(base, text)
    return urls.with_scheme(url, _SOCKETS) if "wss" in rule.schemes else url
