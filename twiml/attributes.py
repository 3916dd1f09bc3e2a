"""How the text of one attribute (or of an element's body) is read: one small rule object a kind of value.

A rule returns the value or raises `Unacceptable`, whose text says what would have been right; it never repairs. The
parser turns the refusal into a problem with the rule's public code and goes on with the default.
"""

from __future__ import annotations

import abc
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar, get_args

import attrs

from . import urls
from .errors import BadUrl

T = TypeVar("T")

SCHEMA = 12200
"""The warning for anything that has no code of its own."""

_WHOLE = re.compile(r"\+?[0-9]{1,9}")
_DECIMAL = re.compile(r"\+?[0-9]{1,12}(?:\.[0-9]{0,6})?|\.[0-9]{1,6}")
_SPACE = re.compile(r"[ \t\r\n]+")


class Unacceptable(Exception):
    """A value is not of its kind; the text says what would be."""


@attrs.frozen(kw_only=True)
class Setting:
    """Where the element stands whose attribute is read."""

    parent: str = ""
    long_calls: bool = False
    """Whether calls (so recordings too) may last 24 hours instead of 4."""


@attrs.frozen(kw_only=True)
class Rule(abc.ABC, Generic[T]):
    """One kind of value."""

    code: int = SCHEMA
    """The public code of the problem that a bad value is."""
    name: str | None = None
    """The XML name, where it is not the field's name in camelCase."""
    required: bool = False

    @abc.abstractmethod
    def read(self, text: str, setting: Setting) -> T:
        """The value of `text`, or `Unacceptable`."""

    def keeps_bad(self) -> bool:
        """Whether a bad value stays in the verb, so that carrying it out fails instead of taking a default."""
        return False


@attrs.frozen
class Text(Rule[str]):
    """Free text, trimmed, of `least` to `most` characters."""

    least: int = 0
    most: int | None = None

    def read(self, text: str, setting: Setting) -> str:
        text = text.strip()
        if len(text) < self.least:
            raise Unacceptable("some text" if self.least == 1 else f"at least {self.least} characters")
        if self.most is not None and len(text) > self.most:
            raise Unacceptable(f"at most {self.most} characters (it has {len(text)})")
        return text


@attrs.frozen
class Pattern(Rule[str]):
    """Text that matches a regular expression; `expected` says in words what that is."""

    pattern: str
    expected: str

    def read(self, text: str, setting: Setting) -> str:
        text = text.strip()
        if re.fullmatch(self.pattern, text) is None:  # re keeps compiled patterns
            raise Unacceptable(self.expected)
        return text


@attrs.frozen
class Flag(Rule[bool]):
    """`true` or `false`, literally."""

    def read(self, text: str, setting: Setting) -> bool:
        text = text.strip()
        if text not in ("true", "false"):
            raise Unacceptable("true or false")
        return text == "true"


@attrs.frozen
class Whole(Rule[int]):
    """A whole number from `low` to `high`; `long_high` is the upper bound where long calls are allowed."""

    low: int = 0
    high: int | None = None
    long_high: int | None = None

    def read(self, text: str, setting: Setting) -> int:
        high = self.long_high if self.long_high is not None and setting.long_calls else self.high
        text = text.strip()
        value = int(text) if _WHOLE.fullmatch(text) else -1
        if value < self.low or (high is not None and value > high):
            raise Unacceptable(
                f"a whole number of at least {self.low}"
                if high is None
                else f"a whole number from {self.low} to {high}"
            )
        return value


@attrs.frozen
class WholeOrAuto(Rule["int | None"]):
    """A whole number of at least `low`, or `auto`, which reads as `None`."""

    low: int = 1

    def read(self, text: str, setting: Setting) -> int | None:
        text = text.strip()
        if text == "auto":
            return None
        if not _WHOLE.fullmatch(text) or int(text) < self.low:
            raise Unacceptable(f"a whole number of at least {self.low}, or auto")
        return int(text)


@attrs.frozen
class Decimals(Rule[Decimal]):
    """A decimal number from `low` to `high`."""

    low: Decimal
    high: Decimal

    def read(self, text: str, setting: Setting) -> Decimal:
        text = text.strip()
        try:
            value = Decimal(text) if _DECIMAL.fullmatch(text) else None
        except InvalidOperation:  # pragma: no cover - the pattern admits nothing that Decimal refuses
            value = None
        if value is None or not self.low <= value <= self.high:
            raise Unacceptable(f"a number from {self.low} to {self.high}")
        return value


@attrs.frozen
class Choice(Rule[str]):
    """One of the values of a `Literal`; `aliases` are other spellings of them."""

    values: tuple[str, ...] = attrs.field(converter=get_args)
    aliases: dict[str, str] = attrs.field(factory=dict, hash=False)
    fold: bool = False
    """Whether upper and lower case are the same (HTTP methods, which many write in lower case)."""

    def read(self, text: str, setting: Setting) -> str:
        text = text.strip()
        if self.fold:
            text = text.upper()
        text = self.aliases.get(text, text)
        if text not in self.values:
            raise Unacceptable("one of " + ", ".join([*self.values, *self.aliases]))
        return text


@attrs.frozen
class Several(Rule["tuple[str, ...]"]):
    """Values of a `Literal`, separated by spaces: at least one, in the order given, each once."""

    values: tuple[str, ...] = attrs.field(converter=get_args)

    def read(self, text: str, setting: Setting) -> tuple[str, ...]:
        given = [word for word in _SPACE.split(text.strip()) if word]
        if not given or any(word not in self.values for word in given):
            raise Unacceptable("one or more, separated by spaces, of " + ", ".join(self.values))
        return tuple(dict.fromkeys(given))


@attrs.frozen
class Listed(Rule["tuple[str, ...]"]):
    """Phrases separated by commas: at most `entries`, each of at most `most` characters."""

    entries: int
    most: int

    def read(self, text: str, setting: Setting) -> tuple[str, ...]:
        given = tuple(phrase for phrase in (part.strip() for part in text.split(",")) if phrase)
        if len(given) > self.entries or any(len(phrase) > self.most for phrase in given):
            raise Unacceptable(f"at most {self.entries} phrases of at most {self.most} characters, separated by commas")
        return given


@attrs.frozen
class Keys(Rule[str]):
    """Telephone keys out of `alphabet`; at most `most`, none at all only where `empty` says so."""

    alphabet: str
    most: int | None = None
    empty: bool = True

    def read(self, text: str, setting: Setting) -> str:
        text = text.strip()
        if set(text) - set(self.alphabet) or (self.most is not None and len(text) > self.most):
            raise Unacceptable(f"{'one' if self.most == 1 else 'any'} of the keys {self.alphabet}")
        if not text and not self.empty:
            raise Unacceptable(f"at least one of the keys {self.alphabet}")
        return text


@attrs.frozen
class Link(Rule[str]):
    """A URL or a relative reference, kept as written; the interpreter resolves it when its verb is reached.

    A bad link that decides how the call goes on (`vital`) stays in the verb: reaching it is an execution error. Any
    other is dropped.
    """

    schemes: tuple[str, ...] = ("http", "https")
    vital: bool = False
    empty: bool = False
    """Whether an empty reference has a meaning: silence, or the current document."""
    callback: bool = False
    """A callback's host must not have an underscore in it."""
    absolute: bool = False

    def read(self, text: str, setting: Setting) -> str:
        text = text.strip()
        if not text and not self.empty:
            raise Unacceptable("a URL")
        try:
            urls.check(text, schemes=self.schemes, absolute=self.absolute)
            if self.callback:
                urls.check_callback(text)
        except BadUrl as error:
            raise Unacceptable(error.message) from error
        return text

    def keeps_bad(self) -> bool:
        return self.vital


AnyRule = Rule[Any]
