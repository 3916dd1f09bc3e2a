"""Settings from environment variables, such as `OFFHOOK_SIP_DOMAIN_SUFFIX`: section, then key; they win over the file.

Arrays are written with commas. Domains, trunks and numbers have no variables: they come from the file, which
`OFFHOOK_CONFIG` names.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import attrs

from .problems import Problem
from .values import suggest

PREFIX = "OFFHOOK_"
OWN = ("OFFHOOK_CONFIG", "OFFHOOK_LOG_FORMAT", "OFFHOOK_LOG_LEVEL")
"""Variables of the command line; no keys of the file."""


def overrides(
    environ: Mapping[str, str], sections: Mapping[str, type[Any]]
) -> tuple[dict[str, dict[str, object]], dict[str, str], list[Problem]]:
    """Section → key → value as TOML would give it; key path → name of its variable; what is wrong."""
    known = {
        f"{PREFIX}{section}_{field.name}".upper(): (section, field.name, typing.get_type_hints(cls)[field.name])
        for section, cls in sections.items()
        for field in attrs.fields(cls)
    }
    given: dict[str, dict[str, object]] = {}
    sources: dict[str, str] = {}
    problems: list[Problem] = []
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in OWN:
            continue
        if variable not in known:
            problems.append(Problem("", f"no such setting{suggest(variable, [*known, *OWN])}", variable))
            continue
        section, key, kind = known[variable]
        given.setdefault(section, {})[key] = typed(text, kind)
        sources[f"{section}.{key}"] = variable
    return given, sources, problems


def typed(text: str, kind: Any) -> object:
    """The text as the value TOML would hold; what does not fit stays text, and its reader says what it should be."""
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind in (int, float):
        try:
            number: int | float = kind(text)
        except ValueError:
            return text
        return number
    if typing.get_origin(kind) is tuple:
        return [item.strip() for item in text.split(",") if item.strip()]
    return text
