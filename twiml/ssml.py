"""Speech mark-up inside `Say`: the elements, what each may hold, and how a tree becomes text again.

The tree is kept as it was written, minus what is not allowed, so that an engine which reads SSML gets it whole and one
which does not gets the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape, quoteattr

import attrs

ANY = frozenset(("break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"))

CHILDREN: Mapping[str, frozenset[str]] = {
    "break": frozenset(),
    "emphasis": frozenset(("break", "emphasis", "lang", "phoneme", "prosody", "say-as", "sub", "w")),
    "lang": ANY,
    "p": ANY - {"p"},
    "s": ANY - {"p", "s"},
    "phoneme": frozenset(),
    "prosody": ANY,
    "say-as": frozenset(),
    "sub": frozenset(),
    "w": frozenset(("break", "emphasis", "phoneme", "prosody", "say-as", "sub")),
}
"""Which elements may stand inside which; text may stand in all but `break`."""


@attrs.frozen
class Values:
    """What an SSML attribute may say: a pattern, and the same in words."""

    pattern: re.Pattern[str]
    expected: str
    required: bool = False


def _one_of(*words: str, also: str = "", said: str = "", required: bool = False) -> Values:
    pattern = "|".join([*map(re.escape, words), *([also] if also else [])])
    return Values(re.compile(pattern), "one of " + ", ".join([*words, *([said] if said else [])]), required)


def _text(required: bool) -> Values:
    return Values(re.compile(r"(?s)\s*\S.*"), "some text", required)


_PERCENT = r"[+-]?[0-9]{1,3}(?:\.[0-9]{1,2})?%"

ATTRIBUTES: Mapping[str, Mapping[str, Values]] = {
    "break": {
        "strength": _one_of("none", "x-weak", "weak", "medium", "strong", "x-strong"),
        "time": Values(re.compile(r"\+?[0-9]{1,5}(?:\.[0-9]{1,3})?(?:s|ms)"), "a time such as 2s or 500ms"),
    },
    "emphasis": {"level": _one_of("strong", "moderate", "reduced")},
    "lang": {"xml:lang": Values(re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*"), "a language tag", required=True)},
    "p": {},
    "s": {},
    "phoneme": {
        "alphabet": _one_of(
            "ipa",
            "x-sampa",
            "x-amazon-jyutping",
            "x-amazon-pinyin",
            "x-amazon-pron-kana",
            "x-amazon-yomigana",
        ),
        "ph": _text(required=True),
    },
    "prosody": {
        "volume": _one_of(
            *("default", "silent", "x-soft", "soft", "medium", "loud", "x-loud"),
            also=r"[+-][0-9]{1,2}(?:\.[0-9]{1,2})?dB",
            said="a change such as +6dB",
        ),
        "rate": _one_of(*("x-slow", "slow", "medium", "fast", "x-fast"), also=_PERCENT, said="a share such as 80%"),
        "pitch": _one_of(
            *("default", "x-low", "low", "medium", "high", "x-high"), also=_PERCENT, said="a change such as +10%"
        ),
    },
    "say-as": {
        "interpret-as": _one_of(
            *("characters", "spell-out", "cardinal", "number", "ordinal", "digits", "fraction", "unit"),
            *("date", "time", "address", "expletive", "telephone"),
            required=True,
        ),
        "format": _one_of("mdy", "dmy", "ymd", "md", "dm", "ym", "my", "d", "m", "y", "yyyymmdd"),
    },
    "sub": {"alias": _text(required=True)},
    "w": {"role": _text(required=False)},
}
"""The attributes of each element."""


@attrs.frozen
class Markup:
    """One SSML element."""

    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    content: tuple[str | Markup, ...] = ()


def words(content: Iterable[str | Markup]) -> str:
    """What is spoken, without the tags; a `sub` speaks its alias, a `break` is a gap."""
    parts: list[str] = []
    for item in content:
        if isinstance(item, str):
            parts.append(item)
        elif item.name == "sub":
            parts.append(dict(item.attributes).get("alias") or words(item.content))
        elif item.name in ("break", "p", "s"):
            parts.append(f" {words(item.content)} ")
        else:
            parts.append(words(item.content))
    return "".join(parts)


def written(content: Iterable[str | Markup]) -> str:
    """The content as SSML again, without the `speak` element round it."""
    parts: list[str] = []
    for item in content:
        if isinstance(item, str):
            parts.append(escape(item))
            continue
        start = item.name + "".join(f" {name}={quoteattr(value)}" for name, value in item.attributes)
        parts.append(f"<{start}>{written(item.content)}</{item.name}>" if item.content else f"<{start}/>")
    return "".join(parts)


def without_tags(content: Iterable[str | Markup]) -> str:
    """The characters between the tags, as the character limits count them."""
    return "".join(item if isinstance(item, str) else without_tags(item.content) for item in content)
