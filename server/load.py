"""From `offhook.toml` and the environment to a `Config`, with everything that is wrong reported at once.

The classes of `config.py` are the schema: cattrs structures them with unknown keys forbidden and every value read by
the reader that is the field's converter, collects all failures in one group, and `problems_of` turns that group into
sentences with key paths.
"""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError
from cattrs.gen import make_dict_structure_fn, override

from . import config as tree
from .config import Config, misfits, misfits_of_captures, misfits_of_tls
from .environment import overrides
from .problems import ConfigError, Problem
from .trunk_config import InboundSettings, NumberSettings, TrunkSettings, misfits_of_trunks
from .values import Wrong, suggest

S = TypeVar("S")

SECTIONS: dict[str, type[Any]] = {
    "server": tree.ServerSettings,
    "account": tree.AccountSettings,
    "sip": tree.SipSettings,
    "tls": tree.TlsSettings,
    "media": tree.MediaSettings,
    "http": tree.HttpSettings,
    "webhooks": tree.WebhooksSettings,
    "dial": tree.DialSettings,
    "captures": tree.CapturesSettings,
}
"""The plain tables of the file."""
TOP_ARRAYS: dict[str, type[Any]] = {
    "domain": tree.DomainSettings,
    "trunk": TrunkSettings,
    "number": NumberSettings,
}
"""Tables that may be given many times, written `[[name]]`."""
ARRAYS: dict[str, type[Any]] = {**TOP_ARRAYS, "credential": tree.CredentialSettings}
"""The same, with those inside of others."""
INNER: dict[str, type[Any]] = {"inbound": InboundSettings}
"""Plain tables inside of others."""
SHOWN: dict[str, str] = {"credential": "[[domain.credential]]", "inbound": "inbound = { … } of a [[trunk]]"}
"""How tables inside of others are written."""


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check the file at `path` and the `OFFHOOK_…` variables. Raises ConfigError."""
    try:
        data = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise ConfigError(
            (
                Problem(
                    "", "there is no such file; name one with --config, or write one (docs/configuration.md)", str(path)
                ),
            )
        ) from None
    except OSError as error:
        raise ConfigError((Problem("", f"cannot be read: {error.strerror}", str(path)),)) from None
    except UnicodeDecodeError:
        raise ConfigError((Problem("", "should be text in UTF-8", str(path)),)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((Problem("", f"is not TOML: {error}", str(path)),)) from None
    return build(data, path, environ)


def build(data: Mapping[str, Any], path: Path, environ: Mapping[str, str] = {}) -> Config:
    """A Config of parsed TOML; `path` names the file in messages, and relative paths start at its folder."""
    given, sources, problems = overrides(environ, SECTIONS)
    parts: dict[str, Any] = {}
    for key in data:
        if key not in SECTIONS and key not in TOP_ARRAYS:
            problems.append(Problem(key, unknown_section(key)))
    for name, cls in SECTIONS.items():
        section = data.get(name, {})
        if isinstance(section, dict):
            section = {**section, **given.get(name, {})}
        parts[name] = structure(section, cls, name, problems)
    arrays = {name: read_array(name, data.get(name, []), problems) for name in TOP_ARRAYS}
    problems += misfits(parts["sip"], parts["http"], parts["account"], arrays["domain"])
    problems += misfits_of_tls(parts["sip"], parts["tls"], arrays["trunk"])
    problems += misfits_of_trunks(arrays["trunk"], arrays["number"])
    problems += misfits_of_captures(parts["captures"])
    if problems:
        raise ConfigError(tuple(attrs.evolve(p, source=sources.get(p.path, p.source or str(path))) for p in problems))
    base = path.resolve().parent
    parts = {name: rooted(settings, base) for name, settings in parts.items()}
    trunks = tuple(rooted(trunk, base) for trunk in arrays["trunk"])
    return Config(domains=arrays["domain"], trunks=trunks, numbers=arrays["number"], **parts)


def rooted(settings: S, base: Path) -> S:
    """The same with every relative path made to start at `base`."""
    found: dict[str, Any] = {name: getattr(settings, name) for name in keys_of(type(settings))}
    changed = {name: base / value for name, value in found.items() if isinstance(value, Path)}
    return attrs.evolve(settings, **changed)  # type: ignore[misc]  # every settings class is one of attrs


def structure(value: object, cls: type[Any], path: str, problems: list[Problem]) -> Any:
    """An instance of `cls`, or None after adding what is wrong to `problems`."""
    try:
        return converter().structure(value, cls)
    except Exception as error:
        problems += problems_of(error, path, cls)
        return None


def read_array(name: str, value: object, problems: list[Problem]) -> tuple[Any, ...]:
    """The tables of an array; None for each that could not be read, and for what is no array at all."""
    if not isinstance(value, list):
        problems.append(Problem(name, f"should be an array of tables: write [[{name}]], with two brackets"))
        return (None,)
    return tuple(
        structure(item, TOP_ARRAYS[name], f"{name}[{place}]", problems) for place, item in enumerate(value, start=1)
    )


def keys_of(cls: type[Any]) -> dict[str, str]:
    """Attribute name to TOML key of a settings class."""
    return {field.name: field.metadata.get("key", field.name) for field in attrs.fields(cls)}


@functools.cache
def converter() -> cattrs.Converter:
    """cattrs with one strict hook a class; every class is known, so nothing is coerced behind our back."""
    made = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for cls in (*SECTIONS.values(), *ARRAYS.values(), *INNER.values()):
        made.register_structure_hook(cls, strict_hook(cls, made))
    return made


def strict_hook(cls: type[Any], made: cattrs.Converter) -> Callable[[Any, type[Any]], Any]:
    """Structures one table: each key by its field's reader, tables inside it by their own hook."""
    readers: dict[str, Any] = {}
    for field in attrs.fields(cls):
        key, inner = field.metadata.get("key"), field.metadata.get("table")
        read: Any = field.converter
        if key is not None:
            read = functools.partial(many, cls=ARRAYS[key], key=key, made=made)
        elif inner is not None:
            read = functools.partial(made.structure, cl=INNER[inner])
        readers[field.name] = override(rename=key, struct_hook=functools.partial(without_type, read))
    table = make_dict_structure_fn(
        cls, made, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True, **readers
    )

    def hook(value: Any, kind: type[Any]) -> Any:
        if not isinstance(value, dict):
            raise Wrong(value, "a table of keys and values")
        return table(value, kind)

    return hook


def without_type(read: Callable[[object], object], value: object, _: object) -> object:
    """A reader in the shape of a cattrs hook, which is told the type too."""
    return read(value)


def many(value: object, *, cls: type[Any], key: str, made: cattrs.Converter) -> Any:
    if not isinstance(value, list):
        raise Wrong(value, f"an array of tables: write [[…{key}]], with two brackets", show=False)
    return made.structure(value, list[cls])  # type: ignore[valid-type]  # the class is a value here


def problems_of(error: Any, path: str, cls: type[Any]) -> Iterator[Problem]:
    """Flatten cattrs' nested groups to one sentence a fault."""
    if isinstance(error, ClassValidationError):
        keys = keys_of(cls)
        noted, bare = error.group_exceptions()
        for inner, note in noted:
            key = keys.get(note.name, note.name)
            yield from problems_of(inner, f"{path}.{key}", ARRAYS.get(str(key)) or INNER.get(str(key), cls))
        for inner in bare:
            yield from problems_of(inner, path, cls)
    elif isinstance(error, IterableValidationError):
        for inner, place in error.group_exceptions()[0]:
            yield from problems_of(inner, f"{path}[{int(place.index) + 1}]", cls)
    elif isinstance(error, ForbiddenExtraKeysError):
        for key in sorted(error.extra_fields):
            yield Problem(f"{path}.{key}", unknown_key(key, cls))
    elif isinstance(error, KeyError):
        yield Problem(path, "is required")
    else:
        yield Problem(path, str(error))


def unknown_section(key: str) -> str:
    for name, cls in SECTIONS.items():
        if key in keys_of(cls).values():
            return f"no such table; {key} belongs into [{name}]"
    if key in SHOWN:
        return f"no such table here; write {SHOWN[key]}"
    return f"no such table{suggest(key, [*SECTIONS, *TOP_ARRAYS])}"


def unknown_key(key: str, cls: type[Any]) -> str:
    """What to say about a key that its table does not have: a near one, or the table it belongs into."""
    near = suggest(key, keys_of(cls).values())
    if near:
        return f"no such key{near}"
    tables = {**SECTIONS, **ARRAYS, **INNER}
    inside = [name for name in keys_of(cls).values() if name in tables]
    for name in (*inside, *tables):
        if key in keys_of(tables[name]).values():
            shown = SHOWN.get(name) or (f"[[{name}]]" if name in ARRAYS else f"[{name}]")
            return f"no such key here; it belongs into {shown}"
    return f"no such key; there are: {', '.join(keys_of(cls).values())}"
