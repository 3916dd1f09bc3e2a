"""What the core of Dial asks of its actor, and its result. Children and legs are known by their numbers.

A *child* is one noun's call with a SID of its own; a *leg* is one INVITE of it, to one contact. A child whose user has
several phones has several legs at once, one whose gateways are tried in turn has one after the other.
"""

from __future__ import annotations

import enum
from typing import Literal, TypeAlias

import attrs

from ..sip.uri import Uri
from .dial_status import DialStatus
from .nouns import CallEvent, Method, RecordingTrack
from .steps import Alert


@attrs.frozen(kw_only=True)
class Contact:
    """One place where a child's callee may be."""

    uri: Uri
    """The Request-URI of an INVITE there."""
    way: object | None = attrs.field(default=None, eq=False)
    """What only the actor needs to reach it: a kept connection, routes, a trunk's gateway. Never looked at here."""


class Why(enum.Enum):
    """Why a leg is ended by us; the value is that of its Reason header (RFC 3326)."""

    ANSWERED_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
    DECLINED_ELSEWHERE = 'SIP;cause=603;text="Declined elsewhere"'
    """Another device of the same user has spoken for all of them."""
    NO_ANSWER = 'SIP;cause=480;text="No answer"'
    """The ring time is over."""
    UNRESPONSIVE = 'SIP;cause=408;text="No response"'
    """Nothing came back, or nobody was found in a minute."""
    CALLER_LEFT = 'SIP;cause=487;text="Originator cancelled"'
    SCREENED_OUT = 'Q.850;cause=16;text="Screened out"'
    FINISHED = 'Q.850;cause=16;text="Normal call clearing"'
    TIME_LIMIT = 'Q.850;cause=16;text="Time limit reached"'
    CANCELLED = 'SIP;cause=487;text="Cancelled"'
    """Somebody outside wants it so."""


# ---- children and legs ---------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class StartChild:
    """Make the child's call and find out where its callee is; then say `located` or `unreachable`."""

    child: int


@attrs.frozen(kw_only=True)
class StartLeg:
    """Send an INVITE."""

    child: int
    leg: int
    contact: Contact


@attrs.frozen(kw_only=True)
class CancelLeg:
    """Cancel an INVITE. Whatever the leg says from now on is still told to the core."""

    leg: int
    why: Why


@attrs.frozen(kw_only=True)
class HangUpLeg:
    """End a leg that is up, and whatever runs on it."""

    leg: int
    why: Why


@attrs.frozen(kw_only=True)
class ChildChanged:
    """A child's call has a new status; the events come in order, each once, `completed` last."""

    child: int
    event: CallEvent
    status: Literal["initiated", "ringing", "in-progress", "completed", "busy", "no-answer", "failed", "canceled"]
    sip_status: int | None = None
    """The final response of the INVITE that `completed` is about; `None` when there was none."""
    duration_s: float = 0.0
    """From answer to end."""


# ---- what the caller hears -----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class PlayRingback:
    """Let the caller hear ringing; one who is not answered gets a session for it first (183)."""

    country: str | None
    """Whose tone; `None`: the house's usual one."""


@attrs.frozen
class StopRingback:
    pass


@attrs.frozen(kw_only=True)
class PassEarlyMedia:
    """Let the caller hear what this leg sends before it answers; one who is not answered gets a session first."""

    leg: int


@attrs.frozen(kw_only=True)
class StopEarlyMedia:
    """Stop that. Not said before a `Bridge` with the same leg, which then loses no sound."""

    leg: int


@attrs.frozen
class AnswerCaller:
    """Answer the caller's INVITE now."""


# ---- the callee ----------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class SendDigits:
    """Send keys to the callee, then say `digits_sent`."""

    leg: int
    digits: str


@attrs.frozen(kw_only=True)
class StartScreening:
    """Run the noun's document on the child's call, then say `screened`."""

    child: int
    leg: int
    url: str
    method: Method


@attrs.frozen(kw_only=True)
class Bridge:
    """Connect the caller and this leg."""

    leg: int


@attrs.frozen(kw_only=True)
class Unbridge:
    """Take the two apart; both may live on."""

    leg: int


# ---- recording -----------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class StartRecording:
    """Record the caller's call from now on."""

    channels: Literal[1, 2]
    """Two: the caller on the first, the callee on the second."""
    track: RecordingTrack
    """`inbound` is what the caller says, `outbound` what the caller hears."""
    trim: bool
    """Whether silence at both ends is cut off afterwards."""


@attrs.frozen
class StopRecording:
    """Close the file, then say `recording_written` or `recording_lost`."""


# ---- news and the end ----------------------------------------------------------------------------------------------


@attrs.frozen
class Warn:
    """Something the account should know."""

    alert: Alert


class How(enum.Enum):
    """What ended a dial."""

    NOBODY = "nobody"
    """Nobody could be reached."""
    CALLEE_LEFT = "callee-left"
    DECLINED = "declined"
    STAR = "star"
    TIME_LIMIT = "time-limit"
    STOPPED = "stopped"
    CALLER_LEFT = "caller-left"
    INTERRUPTED = "interrupted"


@attrs.frozen(kw_only=True)
class Dialled:
    """How a dial went: of the child that answered, else of the one that failed last."""

    how: How
    status: DialStatus
    child: int | None = None
    """`None` when no call was made at all."""
    leg: int | None = None
    """Whose Call-ID and last response the application is told of; `None` when no INVITE was sent."""
    sip_status: int | None = None
    bridged: bool = False
    """Whether the two were connected."""
    duration_s: float = 0.0
    """From the callee's answer to the end."""
    recorded_s: float | None = None
    """Length of the recording; `None` when there is none."""
    caller_left: bool = False
    """Whether the caller is gone, at whatever moment."""


@attrs.frozen
class Finished:
    """The end. Only `CancelLeg` and `HangUpLeg` may come after it, for legs that answer too late."""

    result: Dialled


ForkingStep: TypeAlias = (
    StartChild
    | StartLeg
    | CancelLeg
    | HangUpLeg
    | ChildChanged
    | PlayRingback
    | StopRingback
    | PassEarlyMedia
    | StopEarlyMedia
    | AnswerCaller
    | SendDigits
    | StartScreening
    | Bridge
    | Unbridge
    | StartRecording
    | StopRecording
    | Warn
    | Finished
)
