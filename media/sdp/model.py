"""What a session description says (RFC 8866 section 5), as frozen values that render back to the same text."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable
from functools import cached_property, lru_cache

import attrs

__all__ = [
    "Attribute",
    "Bandwidth",
    "Codec",
    "Connection",
    "Direction",
    "Media",
    "Origin",
    "SessionDescription",
    "Timing",
]


class Direction(enum.Enum):
    """Where media flows, seen from who wrote the description (RFC 8866 section 6.7); the value is (send, receive)."""

    SENDRECV = (True, True)
    SENDONLY = (True, False)
    RECVONLY = (False, True)
    INACTIVE = (False, False)

    @property
    def sends(self) -> bool:
        """Whether the writer sends."""
        return self.value[0]

    @property
    def receives(self) -> bool:
        """Whether the writer receives."""
        return self.value[1]

    @property
    def seen_from_the_peer(self) -> Direction:
        """The same flow in the peer's words: what one sends, the other receives."""
        return Direction((self.receives, self.sends))

    def __and__(self, other: Direction) -> Direction:
        """What both allow."""
        return Direction((self.sends and other.sends, self.receives and other.receives))

    def __str__(self) -> str:
        """The attribute's name."""
        return self.name.lower()


@attrs.frozen
class Attribute:
    """An a= line; `value` is None for a property attribute such as a=sendrecv."""

    name: str
    value: str | None = None


@attrs.frozen
class Bandwidth:
    """A b= line; kilobits per second for AS and CT, other units by other names (RFC 8866 section 5.8)."""

    kind: str
    value: int


@attrs.frozen
class Origin:
    """The o= line (section 5.2)."""

    username: str
    session_id: int
    version: int
    address: str
    address_type: str = "IP4"
    network: str = "IN"


@lru_cache(maxsize=1024)
def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@attrs.frozen
class Connection:
    """A c= line (section 5.7); a multicast address carries its /TTL and /count along."""

    address: str
    address_type: str = "IP4"
    network: str = "IN"

    @classmethod
    def to(cls, host: str) -> Connection:
        """The line for an address literal of either family."""
        return cls(host, "IP6" if ":" in host else "IP4")

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The address; None when it is a name or carries a multicast suffix."""
        return _ip(self.address)

    @property
    def on_hold(self) -> bool:
        """Whether this is the all-zero address that meant "hold" before RFC 3264 (its section 8.4)."""
        return self.ip is not None and self.ip.is_unspecified


@attrs.frozen
class Timing:
    """A t= line with the r= lines below it (sections 5.9, 5.10); 0 0 is the permanent session of every call."""

    start: int = 0
    stop: int = 0
    repeats: tuple[str, ...] = ()


@attrs.frozen
class Codec:
    """One payload format of a stream: a number of the m= line with what a=rtpmap and a=fmtp say of it."""

    payload_type: int
    name: str
    """Upper or lower case as written; compare it blind to case. Empty for an unknown number without an rtpmap."""
    clock_hz: int
    channels: int = 1
    parameters: str | None = None
    """The text of a=fmtp; None without one."""

    def is_(self, name: str, clock_hz: int = 8000) -> bool:
        """Whether this is the mono format of that name and clock."""
        return self.name.upper() == name.upper() and self.clock_hz == clock_hz and self.channels == 1


# The static payload types that a stream may use without an a=rtpmap (RFC 3551 section 6), those of telephony.
_STATIC = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    4: ("G723", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    13: ("CN", 8000),
    15: ("G728", 8000),
    18: ("G729", 8000),
}


_DIRECTIONS = {str(direction): direction for direction in Direction}


def _first(attributes: Iterable[Attribute], name: str) -> Attribute | None:
    return next((attribute for attribute in attributes if attribute.name == name), None)


def _direction(attributes: Iterable[Attribute]) -> Direction | None:
    return next((_DIRECTIONS[each.name] for each in attributes if each.name in _DIRECTIONS), None)


@attrs.frozen
class Media:
    """An m= line with the lines below it (section 5.14)."""

    kind: str
    """audio, video, image, application …"""
    port: int
    """0 is a stream that is refused or switched off (RFC 3264 section 6)."""
    profile: str
    """The transport, such as RTP/AVP."""
    formats: tuple[str, ...]
    """Payload types for RTP, in order of preference; other words for other transports."""
    port_count: int = 1
    title: str | None = None
    connections: tuple[Connection, ...] = ()
    bandwidths: tuple[Bandwidth, ...] = ()
    key: str | None = None
    attributes: tuple[Attribute, ...] = ()

    def attribute(self, name: str) -> str | None:
        """The value of the first a= line of that name; "" when it has none, None when there is no such line."""
        found = _first(self.attributes, name)
        return None if found is None else found.value or ""

    def values(self, name: str) -> tuple[str, ...]:
        """The values of every a= line of that name."""
        return tuple(attribute.value or "" for attribute in self.attributes if attribute.name == name)

    @property
    def direction(self) -> Direction | None:
        """What the stream itself says; None leaves it to the session."""
        return _direction(self.attributes)

    @cached_property
    def codecs(self) -> tuple[Codec, ...]:
        """The RTP payload formats in order of preference; words that are no payload type are passed over."""
        maps = _by_payload_type(self.values("rtpmap"))
        parameters = _by_payload_type(self.values("fmtp"))
        found = []
        for word in self.formats:
            if not (word.isascii() and word.isdigit() and len(word) <= 3 and int(word) <= 127):
                continue
            number = int(word)
            name, clock_hz, channels = _rtpmap(maps[number]) if number in maps else (*_STATIC.get(number, ("", 0)), 1)
            found.append(Codec(number, name, clock_hz, channels, parameters.get(number)))
        return tuple(found)


def _by_payload_type(values: Iterable[str]) -> dict[int, str]:
    """The values of a=rtpmap or a=fmtp by the payload type they begin with; the first of two wins."""
    found: dict[int, str] = {}
    for value in values:
        number, _, rest = value.strip().partition(" ")
        if number.isascii() and number.isdigit() and len(number) <= 3:
            found.setdefault(int(number), rest.strip())
    return found


def _rtpmap(value: str) -> tuple[str, int, int]:
    """`PCMU/8000` or `L16/44100/2`; what cannot be read has the clock 0 and so fits nothing."""
    name, _, rest = value.partition("/")
    clock, _, channels = rest.partition("/")
    if not (clock.isascii() and clock.isdigit() and len(clock) <= 9):
        return name, 0, 1
    # For audio the last part is the channel count, 1 when left out (RFC 8866 section 6.6).
    return name, int(clock), int(channels) if channels.isascii() and channels.isdigit() and len(channels) <= 3 else 1


@attrs.frozen
class SessionDescription:
    """A whole description; lines that may stand only once are None when missing."""

    origin: Origin
    name: str = "-"
    information: str | None = None
    uri: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    connection: Connection | None = None
    bandwidths: tuple[Bandwidth, ...] = ()
    times: tuple[Timing, ...] = (Timing(),)
    zone: str | None = None
    key: str | None = None
    attributes: tuple[Attribute, ...] = ()
    media: tuple[Media, ...] = ()

    def attribute(self, name: str) -> str | None:
        """The value of the first session-level a= line of that name; "" when it has none, None without such a line."""
        found = _first(self.attributes, name)
        return None if found is None else found.value or ""

    def connection_of(self, media: Media) -> Connection | None:
        """Where the stream's media goes: its own c= line, else the session's."""
        return media.connections[0] if media.connections else self.connection

    def direction_of(self, media: Media) -> Direction:
        """The stream's own direction, else the session's, else sendrecv (RFC 8866 section 6.7.1)."""
        return media.direction or _direction(self.attributes) or Direction.SENDRECV

    def attribute_of(self, media: Media, name: str) -> str | None:
        """An attribute that may stand at either level: the stream's own wins."""
        own = media.attribute(name)
        return self.attribute(name) if own is None else own
