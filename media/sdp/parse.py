"""Text to model (RFC 8866): a line is understood or refused by its number; lenient where phones are known to stray."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import attrs

from ..errors import SdpError
from .model import Attribute, Bandwidth, Connection, Media, Origin, SessionDescription, Timing

__all__ = ["MAX_BYTES", "MAX_LINES", "MAX_MEDIA", "parse"]

MAX_BYTES: Final = 65_536
MAX_LINES: Final = 2_000
MAX_MEDIA: Final = 64

# token = 1*(token-char)                                        RFC 8866 section 9, also for names of attributes
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`{|}~0-9A-Za-z]+")
# media-field = %s"m" "=" media SP port ["/" integer] SP proto 1*(SP fmt) CRLF
_MEDIA = re.compile(r"([!#$%&'*+\-.^_`{|}~0-9A-Za-z]+) ([0-9]{1,5})(?:/([0-9]{1,5}))? (\S+)((?: \S+)+)")
# origin-field = %s"o" "=" username SP sess-id SP sess-version SP nettype SP addrtype SP unicast-address CRLF
# The user name has no blanks by the grammar, but some phones write their display name there.
_ORIGIN = re.compile(r"(\S.{0,200}?) ([0-9]{1,40}) ([0-9]{1,40}) (\S+) (\S+) (\S+)")
# connection-field = %s"c" "=" nettype SP addrtype SP connection-address CRLF
_CONNECTION = re.compile(r"(\S+) (\S+) (\S+)")
# bandwidth-field = %s"b" "=" bwtype ":" bandwidth CRLF
_BANDWIDTH = re.compile(r"([!#$%&'*+\-.^_`{|}~0-9A-Za-z]+):([0-9]{1,18})")
# time-field = %s"t" "=" start-time SP stop-time CRLF
_TIME = re.compile(r"([0-9]{1,20}) ([0-9]{1,20})")

_BLANKS = re.compile(r"[ \t]+")


@lru_cache(maxsize=32)
def parse(data: bytes | str) -> SessionDescription:
    """Read a description or raise SdpError.

    The last ones are kept: an offer is read when its call is admitted, and again when its media is opened.

    Lenient: bare LF as line end, blanks at the end of lines, more than one between the words of o=, c=, t= and m=,
    blanks in the user name of o=, empty lines at the end, any order within a section, and a missing s=, t= or c= line.
    Bytes that are no UTF-8 survive to `render` unharmed.
    """
    if len(data) > MAX_BYTES:
        raise SdpError(f"longer than {MAX_BYTES} bytes")
    text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip(" \t\r\0"):
        lines.pop()
    if not lines:
        raise SdpError("empty")
    if len(lines) > MAX_LINES:
        raise SdpError(f"more than {MAX_LINES} lines")
    if lines[0].rstrip() != "v=0":
        raise SdpError("a description begins with v=0", 1)
    reader = _Reader()
    for number, line in enumerate(lines[1:], start=2):
        reader.read(number, line)
    return reader.finish()


@attrs.define(eq=False)
class _Section:
    """The lines that a session and a stream have in common, gathered while reading."""

    information: str | None = None
    connections: list[Connection] = attrs.field(factory=list)
    bandwidths: list[Bandwidth] = attrs.field(factory=list)
    key: str | None = None
    attributes: list[Attribute] = attrs.field(factory=list)
    media: Media | None = None
    """The m= line that opened the section; None for the session."""


@attrs.define(eq=False)
class _Reader:
    """Takes line after line; knows which section it is in."""

    session: _Section = attrs.field(factory=_Section)
    streams: list[_Section] = attrs.field(factory=list)
    origin: Origin | None = None
    name: str | None = None
    uri: str | None = None
    zone: str | None = None
    emails: list[str] = attrs.field(factory=list)
    phones: list[str] = attrs.field(factory=list)
    times: list[Timing] = attrs.field(factory=list)

    def read(self, number: int, line: str) -> None:
        """Take in one line; `number` counts from 1."""
        if len(line) < 2 or line[1] != "=":
            raise SdpError(f"not a type=value line: {line[:40]!r}", number)
        kind, value = line[0], line[2:]
        if "\0" in value or "\r" in value:
            raise SdpError("NUL and CR may not stand in a value", number)
        if kind == "m":
            self._open(number, value)
        elif kind in "icbka":
            self._shared(number, kind, value, self.streams[-1] if self.streams else self.session)
        elif self.streams:
            raise SdpError(f"{kind}= may not stand below an m= line", number)
        else:
            self._session_only(number, kind, value)

    def finish(self) -> SessionDescription:
        """Everything read so far as one description."""
        if self.origin is None:
            raise SdpError("the o= line is missing")
        session = self.session
        return SessionDescription(
            origin=self.origin,
            name="-" if self.name is None else self.name,
            information=session.information,
            uri=self.uri,
            emails=tuple(self.emails),
            phones=tuple(self.phones),
            connection=session.connections[0] if session.connections else None,
            bandwidths=tuple(session.bandwidths),
            times=tuple(self.times) or (Timing(),),
            zone=self.zone,
            key=session.key,
            attributes=tuple(session.attributes),
            media=tuple(_closed(section) for section in self.streams),
        )

    def _open(self, number: int, value: str) -> None:
        match = _MEDIA.fullmatch(_tidy(value))
        if match is None or int(match[2]) > 65_535:
            raise SdpError(f"m= wants a medium, port, transport and formats: {value[:60]!r}", number)
        if len(self.streams) == MAX_MEDIA:
            raise SdpError(f"more than {MAX_MEDIA} m= lines", number)
        count = int(match[3]) if match[3] else 1
        if count == 0:
            raise SdpError("m= with a count of no ports", number)
        opened = Media(match[1], int(match[2]), match[4], tuple(match[5].split()), port_count=count)
        self.streams.append(_Section(media=opened))

    def _shared(self, number: int, kind: str, value: str, section: _Section) -> None:
        match kind:
            case "a":
                name, colon, rest = value.partition(":")
                name = name.rstrip()
                if _TOKEN.fullmatch(name) is None:
                    raise SdpError(f"a= wants a name: {value[:40]!r}", number)
                section.attributes.append(Attribute(name, rest.rstrip(" \t") if colon else None))
            case "c":
                if section.connections and section.media is None:
                    raise SdpError("a second c= line of the session", number)
                section.connections.append(_connection(number, value))
            case "b":
                match_ = _BANDWIDTH.fullmatch(value.strip())
                if match_ is None:
                    raise SdpError(f"b= wants a type and a number: {value[:40]!r}", number)
                section.bandwidths.append(Bandwidth(match_[1], int(match_[2])))
            case "i":
                section.information = _once(number, kind, section.information, value)
            case _:
                section.key = _once(number, kind, section.key, value)

    def _session_only(self, number: int, kind: str, value: str) -> None:
        match kind:
            case "o":
                if self.origin is not None:
                    raise SdpError("a second o= line", number)
                self.origin = _origin(number, value)
            case "s":
                self.name = _once(number, kind, self.name, value)
            case "u":
                self.uri = _once(number, kind, self.uri, value)
            case "e":
                self.emails.append(value)
            case "p":
                self.phones.append(value)
            case "t":
                match_ = _TIME.fullmatch(_tidy(value))
                if match_ is None:
                    raise SdpError(f"t= wants two numbers: {value[:40]!r}", number)
                self.times.append(Timing(int(match_[1]), int(match_[2])))
            case "r":
                if not self.times:
                    raise SdpError("r= before any t=", number)
                self.times[-1] = attrs.evolve(self.times[-1], repeats=(*self.times[-1].repeats, value))
            case "z":
                self.zone = _once(number, kind, self.zone, value)
            case _:
                # A parser must not act on a description with a type letter that it does not know (section 5).
                raise SdpError(f"unknown type letter {kind!r}", number)


def _closed(section: _Section) -> Media:
    assert section.media is not None, "only the session's section has no m= line"
    return attrs.evolve(
        section.media,
        title=section.information,
        connections=tuple(section.connections),
        bandwidths=tuple(section.bandwidths),
        key=section.key,
        attributes=tuple(section.attributes),
    )


def _tidy(value: str) -> str:
    return _BLANKS.sub(" ", value.strip(" \t"))


def _once(number: int, kind: str, before: str | None, value: str) -> str:
    if before is not None:
        raise SdpError(f"a second {kind}= line", number)
    return value


def _origin(number: int, value: str) -> Origin:
    match = _ORIGIN.fullmatch(_tidy(value))
    if match is None:
        raise SdpError(f"o= wants six words, the second and third numbers: {value[:60]!r}", number)
    return Origin(match[1], int(match[2]), int(match[3]), match[6], match[5], match[4])


def _connection(number: int, value: str) -> Connection:
    match = _CONNECTION.fullmatch(_tidy(value))
    if match is None:
        raise SdpError(f"c= wants three words: {value[:60]!r}", number)
    return Connection(match[3], match[2], match[1])
