"""A small shared cache of GET answers (RFC 9111): bounded in bytes, validated by ETag and Last-Modified."""

from __future__ import annotations

import datetime
import itertools
import math
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping

import attrs

from .webhook_session import parse_date

DIRECTIVE = re.compile(r'[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^ \t,]*)))?[ \t]*(?:,|$)')

CAPACITY_BYTES = 64 * 1024 * 1024
SHARE_MAX = 4
"""One entry may take at most a quarter of the capacity."""

_versions = itertools.count(1)


@attrs.define(eq=False)
class Entry:
    """One stored answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes
    fresh_until: float
    """trio seconds."""
    version: int = attrs.field(factory=_versions.__next__)
    """Another number whenever the body may be another: what was made of the body can be kept by it."""

    @property
    def size(self) -> int:
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers)

    def conditions(self) -> list[tuple[str, str]]:
        """The headers that ask whether it is still good (RFC 9110 section 13.1)."""
        known = dict(self.headers)
        wanted = []
        if "etag" in known:
            wanted.append(("If-None-Match", known["etag"]))
        if "last-modified" in known:
            wanted.append(("If-Modified-Since", known["last-modified"]))
        return wanted


@attrs.define(eq=False)
class Cache:
    """Answers by URL, the least recently used one goes first."""

    capacity_bytes: int = CAPACITY_BYTES
    _entries: OrderedDict[str, Entry] = attrs.field(factory=OrderedDict)
    _size: int = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    def find(self, url: str) -> Entry | None:
        """What is stored for `url`, fresh or not."""
        entry = self._entries.get(url)
        if entry is not None:
            self._entries.move_to_end(url)
        return entry

    def store(
        self,
        url: str,
        status: int,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        *,
        now: float,
        utc: datetime.datetime,
    ) -> Entry | None:
        """Keep an answer to a GET when its headers allow a shared cache to; None when they do not."""
        self.drop(url)
        lowered = tuple((name.lower(), value) for name, value in headers)
        known = dict(lowered)
        until = fresh_until(status, known, now=now, utc=utc)
        if until is None:
            return None
        entry = Entry(status, lowered, body, until)
        if entry.size * SHARE_MAX > self.capacity_bytes:
            return None
        self._entries[url] = entry
        self._size += entry.size
        while self._size > self.capacity_bytes:
            _, oldest = self._entries.popitem(last=False)
            self._size -= oldest.size
        return entry

    def refresh(
        self, url: str, entry: Entry, headers: Iterable[tuple[str, str]], *, now: float, utc: datetime.datetime
    ) -> None:
        """A 304 says that `entry` is still good: its headers are brought up to date (RFC 9111 section 4.3.4)."""
        newer = {name.lower(): value for name, value in headers if name.lower() not in NOT_UPDATED}
        kept = tuple((name, value) for name, value in entry.headers if name not in newer)
        before = entry.size
        entry.headers = (*kept, *newer.items())
        until = fresh_until(entry.status, dict(entry.headers), now=now, utc=utc)
        entry.fresh_until = -math.inf if until is None else until
        if self._entries.get(url) is entry:
            self._size += entry.size - before
            if until is None:
                self.drop(url)

    def drop(self, url: str) -> None:
        entry = self._entries.pop(url, None)
        if entry is not None:
            self._size -= entry.size


NOT_UPDATED = frozenset({"content-length", "content-encoding", "content-range", "transfer-encoding", "set-cookie"})


def directives(value: str) -> dict[str, str]:
    """A `Cache-Control` value as names in lower case with their arguments (RFC 9111 section 5.2)."""
    found: dict[str, str] = {}
    for name, quoted, plain in DIRECTIVE.findall(value):
        found.setdefault(name.lower(), quoted or plain)
    return found


def fresh_until(status: int, headers: Mapping[str, str], *, now: float, utc: datetime.datetime) -> float | None:
    """Until when (trio seconds) an answer may be used unasked; minus infinity: ask each time; None: do not store.

    `headers` have names in lower case. No freshness is guessed from `Last-Modified`: who says nothing is asked.
    """
    control = directives(headers.get("cache-control", ""))
    varies = {name.strip().lower() for name in headers.get("vary", "").split(",") if name.strip()}
    if status != 200 or "no-store" in control or "private" in control or "set-cookie" in headers:
        return None
    if not varies <= {"accept-encoding"}:
        return None
    lifetime = _lifetime(control, headers, utc)
    if "no-cache" in control or (not control and headers.get("pragma", "").lower() == "no-cache"):
        lifetime = 0
    if lifetime > 0:
        age = headers.get("age", "")
        lifetime -= int(age) if age.isdigit() and len(age) < 10 else 0
    if lifetime > 0:
        return now + lifetime
    can_ask = "etag" in headers or "last-modified" in headers
    return -math.inf if can_ask else None


def _lifetime(control: Mapping[str, str], headers: Mapping[str, str], utc: datetime.datetime) -> float:
    for name in ("s-maxage", "max-age"):
        if name in control:
            seconds = control[name]
            return min(int(seconds), 365 * 86_400) if seconds.isdigit() and len(seconds) < 12 else 0
    if "expires" in headers:
        expires = parse_date(headers["expires"])
        date = parse_date(headers.get("date", "")) or utc
        return 0 if expires is None else (expires - date).total_seconds()
    return 0
