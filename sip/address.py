"""Addresses in header fields: From, To, Contact, Route, Refer-To and their like (RFC 3261 section 20.10)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import attrs

from .errors import BadHeader, BadUri
from .grammar import LWS, QUOTED, TOKEN, parse_digits, quote, split_commas, unquote
from .params import NO_PARAMS, Params
from .uri import KEPT, KEPT_LENGTH, Uri

# name-addr    = [ display-name ] LAQUOT addr-spec RAQUOT
# display-name = *(token LWS) / quoted-string
#                (unquoted text of other characters is let pass where it cannot be mistaken for anything else)
_NAME_ADDR = re.compile(rf'(?:({QUOTED})|([^"<>,;:\\\r\n]*+))[ \t]*+<([^<>\s]++)>(.*+)', re.DOTALL)
# from-spec = ( name-addr / addr-spec ) *( SEMI from-param )
# 20.10: without "<>" everything from the first ";" on belongs to the header, and "," or "?" may not occur.
_ADDR_SPEC = re.compile(r'([^<>"\s;,?]++)[ \t]*+(;.*+)?', re.DOTALL)
# qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?|\.[0-9]{1,3}")


@attrs.frozen
class NameAddr:
    """A URI with a display name and header parameters, none of which are part of the URI."""

    uri: Uri
    display: str | None = None
    """Plain text, without quotes; `None` when there is none."""
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str, name: str = "Address") -> NameAddr:
        """Read one value of the header called `name`. Raises `BadHeader`."""
        return _kept(text, name) if len(text) <= KEPT_LENGTH else cls._read(text, name)

    @classmethod
    def _read(cls, text: str, name: str) -> NameAddr:
        value = text.strip(LWS)
        match = _NAME_ADDR.fullmatch(value)
        if match is not None:
            display = unquote(match[1]) if match[1] is not None else match[2].strip(LWS) or None
            address, rest = match[3], match[4]
        else:
            bare = _ADDR_SPEC.fullmatch(value)
            if bare is None:
                raise BadHeader(name, text)
            display, address, rest = None, bare[1], bare[2] or ""
        params = Params.parse(rest)
        if params is None:
            raise BadHeader(name, text)
        try:
            return cls(Uri.parse(address), display, params)
        except BadUri:
            raise BadHeader(name, text) from None

    @property
    def is_star(self) -> bool:
        """Whether this is the `*` of a REGISTER that unbinds everything (10.2.2)."""
        return self.uri.opaque == "*" and not self.uri.scheme

    @property
    def tag(self) -> str | None:
        """The tag of a From or To."""
        return self.params.get("tag") or None

    @property
    def q(self) -> float | None:
        """Preference among Contacts, 0 to 1; `None` when absent. Raises `BadHeader` when it is no qvalue."""
        value = self.params.get("q")
        if value is None:
            return None
        if _QVALUE.fullmatch(value) is None:
            raise BadHeader("Contact", str(self))
        return float(value)

    @property
    def expires(self) -> int | None:
        """Seconds a Contact is asked or granted to live; `None` when absent. A malformed value reads as 3600 (10.3)."""
        value = self.params.get("expires")
        if value is None:
            return None
        seconds = parse_digits(value, 2**32 - 1)
        return 3600 if seconds is None else seconds

    @property
    def is_loose(self) -> bool:
        """Whether a Route's router is a loose one: `lr` in its URI (16.12.1.1)."""
        return self.uri.param("lr") is not None

    def with_tag(self, tag: str) -> NameAddr:
        """The same with this tag."""
        return attrs.evolve(self, params=self.params.with_("tag", tag))

    def without_params(self) -> NameAddr:
        """Only display name and URI."""
        return attrs.evolve(self, params=Params())

    def __str__(self) -> str:
        if self.is_star:
            return "*"
        display = "" if self.display is None else f"{_written(self.display)} "
        return f"{display}<{self.uri}>{self.params}"


_kept = lru_cache(maxsize=KEPT)(NameAddr._read)  # From and To of a dialog are the same in each of its messages

STAR: Final = NameAddr(Uri(scheme="", opaque="*"))
"""What `Contact: *` reads as."""


def parse_addresses(text: str, name: str) -> list[NameAddr]:
    """Read all the comma-separated addresses of one header line. Raises `BadHeader`, also for an empty one."""
    pieces = split_commas(text)
    if pieces is None:
        raise BadHeader(name, text)
    return [NameAddr.parse(piece, name) for piece in pieces]


def _written(display: str) -> str:
    return display if all(TOKEN.fullmatch(word) for word in display.split(" ")) else quote(display)
