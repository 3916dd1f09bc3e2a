"""To and from a media actor. What needs no answer of its own is the plane's order itself (`media/events.py`)."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ...media.events import (
    Address,
    AudioArrived,
    AudioLost,
    DigitHeard,
    Feed,
    FeedOverflowed,
    InterceptDigits,
    KeyExhausted,
    MediaEvent,
    MediaFlowing,
    MediaSilent,
    Mute,
    Play,
    Played,
    Quality,
    QualityMeasured,
    Record,
    RecordingDone,
    SendDigits,
    SpeechStarted,
    SpeechStopped,
    StopPlaying,
    StopRecording,
    Tap,
    Track,
    Untap,
    WatchSpeech,
)
from ...media.plane import SILENT_AFTER_S, PlaneLeg
from ...media.watching import PacketWatch
from ..mailbox import Reply
from .lifecycle import Stop


@attrs.frozen(kw_only=True)
class MediaPolicy:
    """What a leg's SDP may say, and where its ports are."""

    bind_host: str
    """Local address of the RTP and RTCP sockets; `0.0.0.0` or `::` for any."""
    advertised_host: str
    """The address our SDP names: what the peer can reach us at, which behind a NAT is not the bound one."""
    signalled_from: str | None = None
    """IP address the peer's signalling comes from; media from there needs less proof (a phone behind a NAT)."""
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    """What we offer, best first; in an answer the offer's order counts."""
    session_name: str = "offhook"
    silent_after_s: float | None = SILENT_AFTER_S
    """When `MediaSilent` is told; None for never."""
    secure: bool = False
    """Whether the media must be SRTP; otherwise it must be clear."""
    watch: PacketWatch | None = None
    """Shown every packet in the clear."""


@attrs.frozen
class LocalDescription:
    """The answer to `Prepare`, `Reoffer` and `MakeOffer`: our SDP, an offer or an answer."""

    sdp: bytes


@attrs.frozen
class Prepare:
    """Call to media: open the ports and describe them.

    With an `offer` the reply is our answer to it and media flows from now on; without one (an offerless INVITE, or a
    call of our own) the reply is our offer, and `Settle` brings the peer's answer. Fails with a `MediaError` (no common
    codec, malformed SDP) or a `TransportError` (no free ports).
    """

    offer: bytes | None
    policy: MediaPolicy
    reply: Reply[LocalDescription]


@attrs.frozen
class Settle:
    """Call to media: the peer's answer to an offer of ours. Fails with a `MediaError`, and then changes nothing."""

    answer: bytes
    reply: Reply[None]
    offer: bytes | None = None
    """The description of ours that it answers, where that is not our last offer; None: it is."""


@attrs.frozen
class Reoffer:
    """Call to media: the peer offers anew (re-INVITE): hold, resume, another address, another codec.

    The reply is our answer. Fails with a `MediaError`, and then the session goes on as it was (answer 488).
    """

    offer: bytes
    reply: Reply[LocalDescription]


@attrs.frozen
class MakeOffer:
    """Call to media: describe what we have, for a re-INVITE without an offer; `Settle` follows."""

    reply: Reply[LocalDescription]
    new_key: bool = False
    """Offer another SRTP key than the one in use, where the media is encrypted."""


@attrs.frozen
class Couple:
    """Call to media: let this leg and `peer` hear each other. Undone by `Uncouple` at either side.

    One command to one side is enough; the same from both sides does no harm.
    """

    peer: PlaneLeg
    one_way: bool = False
    """Only this leg hears `peer`: early media. A later `Couple` opens the other direction and disturbs nothing."""


@attrs.frozen
class Uncouple:
    """Call to media: hear nobody but what is played."""


@attrs.frozen
class GetLeg:
    """Call to media: the plane's handle of this leg, for a peer's `Couple`."""

    reply: Reply[PlaneLeg]


MediaCommand: TypeAlias = (
    Prepare
    | Settle
    | Reoffer
    | MakeOffer
    | Play
    | StopPlaying
    | SendDigits
    | Record
    | StopRecording
    | WatchSpeech
    | Tap
    | Untap
    | Feed
    | Mute
    | InterceptDigits
    | Couple
    | Uncouple
    | GetLeg
    | Stop
)

__all__ = [
    "Address",
    "AudioArrived",
    "AudioLost",
    "Couple",
    "DigitHeard",
    "Feed",
    "FeedOverflowed",
    "GetLeg",
    "InterceptDigits",
    "KeyExhausted",
    "LocalDescription",
    "MakeOffer",
    "MediaCommand",
    "MediaEvent",
    "MediaFlowing",
    "MediaPolicy",
    "MediaSilent",
    "Mute",
    "Play",
    "Played",
    "Prepare",
    "Quality",
    "QualityMeasured",
    "Record",
    "RecordingDone",
    "Reoffer",
    "SendDigits",
    "Settle",
    "SpeechStarted",
    "SpeechStopped",
    "Stop",
    "StopPlaying",
    "StopRecording",
    "Tap",
    "Track",
    "Uncouple",
    "Untap",
    "WatchSpeech",
]
