"""Offer and answer (RFC 3264) for one audio stream of G.711 with telephone-event, clear or encrypted (RFC 4568).

Which of the two is settled before: there is no "either", and nothing falls back to clear media.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeAlias

import attrs

from ..errors import (
    BadAnswer,
    MediaError,
    NoAudioStream,
    NoCommonCodec,
    OfferRefused,
    UnusableAddress,
)
from ..frames import FRAME_MS, SAMPLE_RATE_HZ
from ..g711 import PCMA, PCMU, Law
from .crypto import Crypto, Keys
from .model import Attribute, Codec, Connection, Direction, Media, Origin, SessionDescription
from .securing import PLAIN, SECURE, choose, line_of_ours, paired, settled

__all__ = [
    "Address",
    "Agreed",
    "LocalMedia",
    "Policy",
    "accept",
    "answer",
    "answer_switched_off",
    "check",
    "offer",
    "switches_off",
]

Address: TypeAlias = tuple[str, int]

PTIME_MIN_MS: Final = 10
PTIME_MAX_MS: Final = 60
_EVENTS: Final = "0-16"
"""The events we take: the keypad's 16 and flash (RFC 4733 section 3.2)."""


@attrs.frozen
class Policy:
    """What an account allows."""

    secure: bool = False
    """Whether media must be encrypted; otherwise it must not be (there is no "either")."""


@attrs.frozen
class LocalMedia:
    """Our end of one leg, as it is to be described."""

    address: str
    """The advertised address literal, of either family."""
    rtp_port: int
    rtcp_port: int | None = None
    """None is the port above `rtp_port`; another number is announced by a=rtcp (RFC 3605)."""
    session_id: int = 1
    """Of the o= line: the same through the whole life of the leg."""
    version: int = 1
    """Of the o= line: see `renewed`."""
    session_name: str = "offhook"
    origin_user: str = "-"
    laws: tuple[Law, ...] = (PCMU, PCMA)
    """What an offer lists, in this order, and what an answer may choose from."""
    event_type: int = 101
    """Payload type of telephone-event in our offers; an answer echoes the offerer's."""
    direction: Direction = Direction.SENDRECV
    """What we would like; an answer gives no more than the offer allows."""
    key: bytes | None = attrs.field(default=None, repr=False)
    """Our SRTP master key with its salt, drawn by the caller; None: the media is clear. Decides which it must be."""

    def renewed(self) -> LocalMedia:
        """For the next description of the same leg that differs from the last: one version up (RFC 3264 section 8)."""
        return attrs.evolve(self, version=self.version + 1)


@attrs.frozen
class Agreed:
    """What an exchange settled, in our terms."""

    codec: Law
    """What we send."""
    payload_type: int
    """The number under which we send it."""
    receive_types: Mapping[int, Law]
    """Which numbers the peer may send, and what each decodes by; G.711 only."""
    event_type: int | None
    """Payload type of telephone-event that we send; None when the peer does not take it."""
    event_receive_types: frozenset[int]
    """Payload types of telephone-event that the peer may send."""
    remote: Address | None
    """Where RTP goes; None while the peer gives no usable address (hold by 0.0.0.0, or a host name)."""
    remote_rtcp: Address | None
    send: bool
    """Whether we may send; false while the peer holds us."""
    receive: bool
    """Whether the peer may send."""
    ptime_ms: int
    """How much a packet that we send holds: 10 to 60, a multiple of 10, as the peer asks for; 20 unless it does."""
    media_index: int
    """Which m= line carries the audio, from 0."""
    keys: Keys | None = None
    """What the packets are protected with; None: they are clear."""


def offer(local: LocalMedia, previous: SessionDescription | None = None) -> SessionDescription:
    """Describe us first: for an INVITE, for the 200 of an offerless one, or for a re-INVITE.

    `previous` is the last description we sent on this leg, if any: a new offer keeps its m= lines in their places,
    and those that are not our audio stay switched off (RFC 3264 section 8).
    """
    codecs = [Codec(law.payload_type, law.name, SAMPLE_RATE_HZ) for law in local.laws]
    codecs.append(Codec(local.event_type, "telephone-event", SAMPLE_RATE_HZ, 1, _EVENTS))
    crypto = line_of_ours(local.key)
    ours = _our_media(local, codecs, PLAIN if crypto is None else SECURE, local.direction, crypto)
    if previous is None or not previous.media:
        return _description(local, (ours,))
    index = next((at for at, media in enumerate(previous.media) if media.port and media.kind == "audio"), None)
    if index is None:
        index = next((at for at, media in enumerate(previous.media) if media.kind == "audio"), len(previous.media))
    streams = [_disabled(media) for media in previous.media]
    streams[index : index + 1] = [ours]
    return _description(local, tuple(streams))


def answer(offered: SessionDescription, local: LocalMedia) -> tuple[SessionDescription, Agreed]:
    """Accept the first audio stream that we can, refuse the others by port 0; raises OfferRefused when there is none.

    Also answers re-offers: give the same `local`, renewed when what it says may have changed, and with another key when
    the peer has another (see `need_new_key`).
    """
    policy = Policy(secure=local.key is not None)
    agreed, direction, chosen = _agree_on_any(offered, local.laws, local.direction, policy, local.key)
    crypto = None
    if chosen is not None and local.key is not None:
        crypto = Crypto(chosen.tag, chosen.suite, local.key)
        agreed = attrs.evolve(agreed, keys=paired(chosen, local.key))
    codecs = [Codec(agreed.payload_type, agreed.codec.name, SAMPLE_RATE_HZ)]
    if agreed.event_type is not None:
        codecs.append(Codec(agreed.event_type, "telephone-event", SAMPLE_RATE_HZ, 1, _EVENTS))
    streams = [_disabled(other) for other in offered.media]
    profile = offered.media[agreed.media_index].profile
    streams[agreed.media_index] = _our_media(local, codecs, profile, direction, crypto)
    return _description(local, tuple(streams)), agreed


def check(offered: SessionDescription, policy: Policy = Policy(), laws: tuple[Law, ...] = (PCMU, PCMA)) -> None:
    """Raise OfferRefused where `answer` would: before there is anything to answer with."""
    _agree_on_any(offered, laws, Direction.SENDRECV, policy)


def switches_off(described: SessionDescription) -> bool:
    """Whether there is audio in a description and all of it is off (port 0, RFC 3264 section 8.2)."""
    ports = [media.port for media in described.media if media.kind == "audio"]
    return bool(ports) and not any(ports)


def answer_switched_off(offered: SessionDescription, local: LocalMedia) -> SessionDescription:
    """Our answer to an offer that switches a session's audio off: every stream keeps its place, and none is on."""
    return _description(local, tuple(_disabled(media) for media in offered.media))


def accept(offered: SessionDescription, answered: SessionDescription, local: LocalMedia) -> Agreed:
    """What the peer's answer to our offer settles; raises BadAnswer when no audio is left or it does not fit."""
    index = next((at for at, media in enumerate(offered.media) if media.kind == "audio" and media.port), None)
    if index is None:
        raise BadAnswer("our offer had no audio to be answered")
    if len(answered.media) <= index:
        raise BadAnswer(f"{len(answered.media)} m= lines answer {len(offered.media)}")
    ours, theirs = offered.media[index], answered.media[index]
    if theirs.kind != "audio" or theirs.port == 0:
        raise BadAnswer("the audio stream was refused")
    if theirs.profile.upper() != ours.profile:
        raise BadAnswer(f"{theirs.profile} answers {ours.profile}")
    chosen = _first_law(theirs.codecs, local.laws)
    if chosen is None:
        raise BadAnswer("the answer has none of the offered codecs")
    law, payload_type = chosen
    receive_types = {codec.payload_type: PCMU if codec.is_("PCMU") else PCMA for codec in ours.codecs if _law(codec)}
    # Who answers may number a codec differently than we did: it then sends by our number and we by its (section 5.1),
    # but some send by their own.
    for codec in theirs.codecs:
        its = _law(codec)
        if its is not None and its in local.laws:
            receive_types.setdefault(codec.payload_type, its)
    event = _event(theirs.codecs)
    event_receive = {codec.payload_type for codec in (_event(ours.codecs), event) if codec is not None}
    return _agreed(
        answered,
        theirs,
        index=index,
        law=law,
        payload_type=payload_type,
        receive_types=receive_types,
        event_type=None if event is None else event.payload_type,
        event_receive_types=frozenset(event_receive - receive_types.keys()),
        ours=offered.direction_of(ours) & _peer_direction(answered, theirs).seen_from_the_peer,
        error=BadAnswer,
        keys=settled(ours, theirs),
    )


def _agree_on_any(
    offered: SessionDescription,
    laws: tuple[Law, ...],
    wish: Direction,
    policy: Policy,
    key: bytes | None = None,
) -> tuple[Agreed, Direction, Crypto | None]:
    """What the first audio stream that we can take settles, the direction it has in our words, and its crypto line."""
    refusals: list[OfferRefused] = []
    for index, media in enumerate(offered.media):
        if media.kind != "audio" or media.port == 0:
            continue
        try:
            return _agree_on(offered, index, laws, wish, policy, key)
        except OfferRefused as refusal:
            refusals.append(refusal)
    raise refusals[0] if refusals else NoAudioStream("the offer has no audio stream")


def _agree_on(
    offered: SessionDescription,
    index: int,
    laws: tuple[Law, ...],
    wish: Direction,
    policy: Policy,
    key: bytes | None,
) -> tuple[Agreed, Direction, Crypto | None]:
    media = offered.media[index]
    crypto = choose(offered, media, secure=policy.secure, key=key)
    chosen = _first_law(media.codecs, laws)
    if chosen is None:
        raise NoCommonCodec(f"none of {' '.join(media.formats)} is {' or '.join(law.name for law in laws)}")
    law, payload_type = chosen
    event = _event(media.codecs)
    if event is not None and event.payload_type == payload_type:
        event = None
    direction = wish & _peer_direction(offered, media).seen_from_the_peer
    agreed = _agreed(
        offered,
        media,
        index=index,
        law=law,
        payload_type=payload_type,
        receive_types={payload_type: law},
        event_type=None if event is None else event.payload_type,
        event_receive_types=frozenset(() if event is None else (event.payload_type,)),
        ours=direction,
        error=UnusableAddress,
    )
    return agreed, direction, crypto


def _agreed(
    described: SessionDescription,
    media: Media,
    *,
    index: int,
    law: Law,
    payload_type: int,
    receive_types: Mapping[int, Law],
    event_type: int | None,
    event_receive_types: frozenset[int],
    ours: Direction,
    error: type[MediaError],
    keys: Keys | None = None,
) -> Agreed:
    connection = described.connection_of(media)
    if connection is None:
        raise error("the audio stream has no c= line")
    host = _host(connection, error)
    remote = None if host is None else (host, media.port)
    return Agreed(
        codec=law,
        payload_type=payload_type,
        receive_types=receive_types,
        event_type=event_type,
        event_receive_types=event_receive_types,
        remote=remote,
        remote_rtcp=_rtcp_address(described, media, remote),
        send=ours.sends,
        receive=ours.receives,
        ptime_ms=_ptime_ms(described, media),
        media_index=index,
        keys=keys,
    )


def _first_law(codecs: tuple[Codec, ...], laws: tuple[Law, ...]) -> tuple[Law, int] | None:
    """The first codec in the peer's order that is one of `laws`, with its payload type."""
    return next(((law, codec.payload_type) for codec in codecs if (law := _law(codec)) in laws and law), None)


def _law(codec: Codec) -> Law | None:
    return next((law for law in (PCMU, PCMA) if codec.is_(law.name, SAMPLE_RATE_HZ)), None)


def _event(codecs: tuple[Codec, ...]) -> Codec | None:
    return next((codec for codec in codecs if codec.is_("telephone-event", SAMPLE_RATE_HZ)), None)


def _peer_direction(described: SessionDescription, media: Media) -> Direction:
    """The peer's direction in its own words; a c= line of all zeros means that it does not listen (section 8.4)."""
    direction = described.direction_of(media)
    connection = described.connection_of(media)
    return direction & Direction.SENDONLY if connection is not None and connection.on_hold else direction


_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")


def _host(connection: Connection, error: type[MediaError]) -> str | None:
    """The literal that media may be sent to; None when there is none for now."""
    host, why_not = _judged(connection)
    if why_not:
        raise error(why_not)
    return host


@lru_cache(maxsize=1024)
def _judged(connection: Connection) -> tuple[str | None, str]:
    """The literal, if there is one, and what speaks against sending media to it."""
    ip = connection.ip
    if connection.network.upper() != "IN" or "/" in connection.address:
        return None, f"no call's media can go to {connection.network} {connection.address}"
    if ip is None or ip.is_unspecified:
        return None, ""
    if ip.is_multicast or ip == _BROADCAST:
        return None, f"no call's media can go to {ip}"
    return str(ip), ""


# rtcp-attribute = "a=rtcp:" port [nettype space addrtype space connection-address]       RFC 3605 section 2.1
_RTCP = re.compile(r"([0-9]{1,5})(?: +(\S+) +(\S+) +(\S+))? *")


def _rtcp_address(described: SessionDescription, media: Media, remote: Address | None) -> Address | None:
    """Where RTCP goes: by a=rtcp, else one port up; an attribute that makes no sense is as good as none."""
    if remote is None:
        return None
    host, port = remote[0], remote[1] + 1
    match = _RTCP.fullmatch(media.attribute("rtcp") or "")
    if match is not None and 0 < int(match[1]) <= 65_535:
        port = int(match[1])
        if match[4]:
            try:
                host = _host(Connection(match[4], match[3], match[2]), UnusableAddress) or host
            except UnusableAddress:
                host = remote[0]
    return (host, port) if port <= 65_535 else None


def _ptime_ms(described: SessionDescription, media: Media) -> int:
    """What the peer would like in a packet, within what we can do: whole tens from 10 to 60 ms."""
    wish = _whole(described.attribute_of(media, "ptime")) or FRAME_MS
    most = _whole(described.attribute_of(media, "maxptime")) or PTIME_MAX_MS
    return max(PTIME_MIN_MS, min(wish, most, PTIME_MAX_MS) // 10 * 10)


def _whole(value: str | None) -> int | None:
    match = re.match(r"[0-9]{1,6}", (value or "").strip())
    return int(match[0]) if match else None


def _our_media(
    local: LocalMedia, codecs: list[Codec], profile: str, direction: Direction, crypto: Crypto | None
) -> Media:
    attributes = [] if crypto is None else [Attribute("crypto", str(crypto))]
    attributes += [Attribute("rtpmap", f"{codec.payload_type} {codec.name}/{codec.clock_hz}") for codec in codecs]
    attributes += [
        Attribute("fmtp", f"{codec.payload_type} {codec.parameters}") for codec in codecs if codec.parameters
    ]
    attributes += [Attribute("ptime", str(FRAME_MS)), Attribute("maxptime", str(FRAME_MS))]
    if local.rtcp_port is not None and local.rtcp_port != local.rtp_port + 1:
        attributes.append(Attribute("rtcp", str(local.rtcp_port)))
    attributes.append(Attribute(str(direction)))
    return Media(
        "audio",
        local.rtp_port,
        profile,
        tuple(str(codec.payload_type) for codec in codecs),
        attributes=tuple(attributes),
    )


def _disabled(media: Media) -> Media:
    """The same m= line, refused or switched off: port 0, and nothing below it."""
    return Media(media.kind, 0, media.profile, media.formats)


def _description(local: LocalMedia, media: tuple[Media, ...]) -> SessionDescription:
    connection = Connection.to(local.address)
    origin = Origin(local.origin_user, local.session_id, local.version, connection.address, connection.address_type)
    return SessionDescription(origin, name=local.session_name, connection=connection, media=media)
