"""Headers: the ordered, case-blind header fields of one message (RFC 3261 section 7.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from .errors import BadHeader
from .grammar import LWS, split_commas

# Compact forms: RFC 3261 7.3.3, and the IANA registry for those of later RFCs.
COMPACT: Final[dict[str, str]] = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

_COMMON: Final = tuple(
    """
    Accept Allow Allow-Events Authorization Call-ID Contact Content-Disposition Content-Encoding Content-Length
    Content-Type CSeq Date Event Expires From Max-Forwards MIME-Version Min-Expires Min-SE P-Asserted-Identity
    Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason Record-Route Refer-To Referred-By Replaces
    Require Retry-After Route RSeq Server Session-Expires Subject Subscription-State Supported Timestamp To
    Unsupported User-Agent User-to-User Via Warning WWW-Authenticate
    """.split()  # noqa: SIM905 - forty quoted names are harder to read
)

# Every usual spelling straight to its key, so that the usual lookup costs one dictionary access.
_KEYS: Final[dict[str, str]] = {
    **{name: name.lower() for name in _COMMON},
    **{name.lower(): name.lower() for name in _COMMON},
    **{short.upper(): long for short, long in COMPACT.items()},
    **COMPACT,
}

# RFC 3261 7.3.1 and 20: commas in these do not separate values.
_UNSPLIT: Final = frozenset(
    {
        "authorization",
        "call-id",
        "cseq",
        "date",
        "from",
        "organization",
        "proxy-authenticate",
        "proxy-authorization",
        "retry-after",
        "server",
        "subject",
        "timestamp",
        "to",
        "user-agent",
        "www-authenticate",
    }
)


def key_of(name: str) -> str:
    """The lower-case long name that `name`, in whatever case or compact form, stands for."""
    key = _KEYS.get(name)
    if key is None:
        key = name.lower()
        key = COMPACT.get(key, key)
    return key


def is_usual_name(name: str) -> bool:
    """Whether `name` is a spelling known beforehand, hence certainly a token."""
    return name in _KEYS


@attrs.frozen(eq=False, repr=False, init=False)
class Headers:
    """Header lines in order, as they were spelled; immutable.

    Names are looked up without regard to case, and compact forms are the same as long ones. Two `Headers` are equal
    when they have equal values under the same names in the same order.
    """

    lines: tuple[tuple[str, str], ...]
    _index: dict[str, tuple[str, ...]] | None

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        object.__setattr__(self, "lines", tuple((name, value.strip(LWS)) for name, value in items))
        object.__setattr__(self, "_index", None)

    @classmethod
    def from_lines(cls, lines: tuple[tuple[str, str], ...]) -> Headers:
        """Headers of lines whose values are known to be stripped."""
        headers = cls.__new__(cls)
        object.__setattr__(headers, "lines", lines)
        object.__setattr__(headers, "_index", None)
        return headers

    def _by_key(self) -> dict[str, tuple[str, ...]]:
        index = self._index
        if index is None:
            index = {}
            known = _KEYS
            for name, value in self.lines:
                key = known.get(name) or key_of(name)
                index[key] = (*index[key], value) if key in index else (value,)
            object.__setattr__(self, "_index", index)
        return index

    def get(self, name: str) -> str | None:
        """The value of the first line of that name; `None` when there is none."""
        values = (self._index or self._by_key()).get(_KEYS.get(name) or key_of(name))
        return None if values is None else values[0]

    def all(self, name: str) -> tuple[str, ...]:
        """The value of each line of that name."""
        return (self._index or self._by_key()).get(_KEYS.get(name) or key_of(name), ())

    def split(self, name: str) -> tuple[str, ...]:
        """The comma-separated values of all lines of that name; an empty line has none, an empty value stays "".

        Headers in which a comma separates nothing (Date, Authorization and so on) give one value a line.
        Raises `BadHeader` when a quote or an angle bracket is left open.
        """
        key = key_of(name)
        lines = self._by_key().get(key)
        if lines is None:
            return ()
        values: list[str] = []
        for line in lines:
            if key in _UNSPLIT:
                values.append(line)
            elif line:
                pieces = split_commas(line)
                if pieces is None:
                    raise BadHeader(name, line)
                values.extend(pieces)
        return tuple(values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and key_of(name) in self._by_key()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def keys(self) -> tuple[str, ...]:
        """The lower-case long names present, each once, in order of first appearance."""
        return tuple(self._by_key())

    def with_(self, name: str, value: str) -> Headers:
        """The same with one line of that name: in the place of the first such line, else at the end."""
        key = key_of(name)
        if key not in self._by_key():
            return self.appended(name, value)
        lines: list[tuple[str, str]] = []
        placed = False
        for line in self.lines:
            if key_of(line[0]) != key:
                lines.append(line)
            elif not placed:
                lines.append((name, value.strip(LWS)))
                placed = True
        return Headers.from_lines(tuple(lines))

    def with_first(self, name: str, value: str) -> Headers:
        """The same with another value in the first line of that name, whose spelling stays. There must be one."""
        key, index = key_of(name), self._by_key()
        lines, value, at = list(self.lines), value.strip(LWS), 0
        while key_of(lines[at][0]) != key:
            at += 1
        lines[at] = (lines[at][0], value)
        headers = Headers.from_lines(tuple(lines))
        object.__setattr__(headers, "_index", {**index, key: (value, *index[key][1:])})
        return headers

    def appended(self, name: str, value: str) -> Headers:
        """The same with one more line at the end."""
        return Headers.from_lines((*self.lines, (name, value.strip(LWS))))

    def prepended(self, name: str, value: str) -> Headers:
        """The same with one more line before all others, as a Via or Record-Route is added."""
        return Headers.from_lines(((name, value.strip(LWS)), *self.lines))

    def without(self, *names: str) -> Headers:
        """The same without any line of these names."""
        keys = {key_of(name) for name in names}
        if keys.isdisjoint(self._by_key()):
            return self
        return Headers.from_lines(tuple(line for line in self.lines if key_of(line[0]) not in keys))

    def _comparable(self) -> tuple[tuple[str, str], ...]:
        return tuple((key_of(name), value) for name, value in self.lines)

    def __eq__(self, other: object) -> bool:
        return self._comparable() == other._comparable() if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._comparable())

    def __repr__(self) -> str:
        return f"Headers({list(self.lines)!r})"
