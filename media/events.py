"""What a media leg is told and what it reports, whatever plane carries it; all frozen.

Commands are imperatives and may be applied at any time in a leg's life. Events are past tense and come in batches,
at most one batch for each 20 ms step of a leg; no event stands for a single packet.
"""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TypeAlias

import attrs

from .dtmf import DIGITS
from .errors import BadDigits
from .sdp.negotiate import Agreed
from .sinks import Ring
from .sources import Source

Address: TypeAlias = tuple[str, int]
"""IP address as text, and port."""


class Track(enum.Enum):
    """Which side of a leg: what the far end says, what is said to it, or the two of them."""

    INBOUND = "inbound"
    """What the far end says."""
    OUTBOUND = "outbound"
    """What is said to it: what plays, and what a coupled leg's far end says meanwhile."""
    BOTH = "both"
    """The sum of the two, on one channel."""
    DUAL = "dual"
    """The two side by side: inbound on the first (left) channel, outbound on the second, in step to the sample."""

    @property
    def channels(self) -> int:
        return 2 if self is Track.DUAL else 1


@attrs.frozen
class SetRemote:
    """The outcome of an offer and its answer; also of every later one. May move, hold, resume, change the codec."""

    agreed: Agreed
    signalled_from: str | None = None
    """IP address the peer's signalling comes from; vouches for media from there (a phone behind a NAT)."""


@attrs.frozen
class Play:
    """Play `source` when all that was queued before has been played; answered by `Played(id, …)`, once."""

    id: str
    source: Source


@attrs.frozen
class StopPlaying:
    """Drop what is playing and queued under `id` (None: everything); each gets `Played(id, whole=False)`."""

    id: str | None = None


@attrs.frozen
class SendDigits:
    """Send telephone-events in the play queue's order: `0-9 A-D * #`, `w` waits 0.5 s and `W` 1 s.

    Answered by `Played(id, …)`; `whole` is False when the peer takes no telephone-events, or holds us. Other characters
    are a bug of whoever ordered it: `BadDigits` is raised.
    """

    id: str
    digits: str


@attrs.frozen
class Record:
    """Write a track to a WAV file from the next 20 ms step on; answered by `RecordingDone(id, …)` at its end.

    Of two coupled legs one is recorded: `BOTH` or `DUAL` at the leg of the parent call is the whole conversation, with
    what was announced to the parent and without what was announced to the other. As long as a recording runs it gets
    160 samples a channel in each step, whatever comes or does not come.
    """

    id: str
    path: Path
    track: Track = Track.INBOUND
    trim: bool = False
    """Cut silence off both ends of the finished file."""


@attrs.frozen
class StopRecording:
    """End a recording (None: all); the samples of the present step are its last."""

    id: str | None = None


@attrs.frozen
class WatchSpeech:
    """Report, or no longer report, where speech starts and stops in the received audio."""

    on: bool


@attrs.frozen
class Tap:
    """Copy a track's frames into a ring from now on; the ring drops its oldest when its reader is slow.

    A frame of `Track.DUAL` is twice as long: samples of the two channels in turn.
    """

    ring: Ring
    track: Track


@attrs.frozen
class Untap:
    ring: Ring


@attrs.frozen
class Feed:
    """Queue samples (8 kHz, signed 16-bit) behind what is queued; they play without a gap and without an answer."""

    samples: bytes = attrs.field(repr=lambda samples: f"<{len(samples)} bytes>")


@attrs.frozen
class Mute:
    """Keep what the far end says from the coupled leg; this leg's recordings and taps still hear it, and keys pass."""

    on: bool


def _keys(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not set(value) <= set(DIGITS):
        raise BadDigits(f"{value[:40]!r} has characters that are no keys")


@attrs.frozen
class InterceptDigits:
    """Keep these keys from the coupled leg from the next press on; `DigitHeard` is told all the same.

    The keys are `0-9 A-D * #`, and `!` for a hook flash. Replaces what was ordered before, so that an empty string lets
    all keys pass again. Other characters are a bug of whoever ordered it: `BadDigits` is raised.
    """

    digits: str = attrs.field(validator=_keys)


MediaOrder: TypeAlias = (
    SetRemote
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
)
"""What any plane's leg can be ordered to do; coupling is between two legs and therefore the plane's own method."""


@attrs.frozen
class MediaFlowing:
    """Valid media has arrived from `remote` for the first time, or from a new place; we send there now."""

    remote: Address


@attrs.frozen
class Played:
    """A `Play` or `SendDigits` is over; `whole` when all of it was sent."""

    id: str
    whole: bool


@attrs.frozen
class DigitHeard:
    """The far end pressed a key; once for each press, however many packets told of it."""

    digit: str
    duration_ms: int


@attrs.frozen
class SpeechStarted:
    """The received audio became speech."""


@attrs.frozen
class SpeechStopped:
    """The received audio is silent. Also told at the start of watching when the first audio is silent already."""

    after_ms: int
    """How long the speech before it lasted; 0 when there was none."""
    silent_ms: int = 0
    """How long it has been silent when this is told: the detector waits that long to be sure."""


@attrs.frozen
class AudioLost:
    """While speech is watched: no audio arrives (any more), which is not the same as silence."""


@attrs.frozen
class AudioArrived:
    """While speech is watched: audio arrives (again) after `AudioLost`."""


@attrs.frozen
class RecordingDone:
    """The recording's file is closed."""

    id: str
    path: Path
    duration_s: float
    """From its start to its stop."""
    kept_s: float
    """Of the audio in the file: less after trimming."""
    lost_samples: int = 0
    """Samples that are silence in the file because the disk could not keep up; 0 in life."""
    error: str | None = None
    """Why the file is incomplete or missing; None for a whole one."""


@attrs.frozen
class FeedOverflowed:
    """More was fed than the play queue holds; the samples of that length were dropped."""

    lost_ms: float


@attrs.frozen
class MediaSilent:
    """No packet has arrived for that long although both were to speak; told once for each silence.

    A peer that holds the session (`sendonly`, `c=0.0.0.0`) may send music or nothing at all, for as long as it likes.
    """

    for_s: float


@attrs.frozen
class KeyExhausted:
    """The peer has sent as many packets as the lifetime of its SRTP key allows; what follows under it is not taken.

    It may offer another key. If it does not, `MediaSilent` is next.
    """


@attrs.frozen(kw_only=True)
class Quality:
    """One leg's media figures over its life (RFC 3550 section 6.4; MOS by the E-model of ITU-T G.107)."""

    codec: str
    packets_sent: int
    packets_received: int
    packets_lost: int
    packets_late: int
    """Arrived after their playing time and were not heard."""
    packets_ignored: int
    """From sources that were not this leg's peer, or not valid media."""
    packets_refused: int = 0
    """Datagrams of RTP and RTCP that SRTP refused: forged, replayed, cut off, or under another key."""
    jitter_ms: float
    round_trip_ms: float | None
    mos: float | None
    """1.0 to 4.5; None when nothing was received."""


@attrs.frozen
class QualityMeasured:
    """The leg is closed, and these were its figures."""

    stats: Quality


MediaEvent: TypeAlias = (
    MediaFlowing
    | Played
    | DigitHeard
    | SpeechStarted
    | SpeechStopped
    | AudioLost
    | AudioArrived
    | RecordingDone
    | FeedOverflowed
    | MediaSilent
    | KeyExhausted
    | QualityMeasured
)
