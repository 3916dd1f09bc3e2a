"""To and from a call: what its program asks of it, and what it tells its program.

What concerns audio only is the media order or event itself (`media/events.py`), passed through by the call.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ...media.events import (
    AudioArrived,
    AudioLost,
    DigitHeard,
    MediaEvent,
    Play,
    Played,
    Record,
    RecordingDone,
    SendDigits,
    SpeechStarted,
    SpeechStopped,
    StopPlaying,
    StopRecording,
    WatchSpeech,
)
from ...sip.dialog.events import LegFact
from ..mailbox import Reply
from .lifecycle import Down


class CallOver(Exception):
    """The call ended before what was asked of it could be done."""


# --- program to call -------------------------------------------------------------------------------------------


@attrs.frozen
class AnswerCall:
    """Pick up. Answered once the dialog is confirmed; fails with `CallOver` when the call ends first."""

    reply: Reply[None]


@attrs.frozen
class RefuseCall:
    """Do not pick up: answer the INVITE with this status."""

    status: int
    reason: str
    busy: bool
    """Whether the call's status becomes `busy`, else `no-answer`."""


@attrs.frozen
class Listen:
    """Whether keys are wanted now: what is pressed while nobody listens is not kept."""

    on: bool


@attrs.frozen
class HangUp:
    """End the call in order."""

    reason: str


@attrs.frozen
class ProgramEnded:
    """The program has nothing more to do."""

    how: str


AudioOrder: TypeAlias = Play | StopPlaying | SendDigits | Record | StopRecording | WatchSpeech
ProgramRequest: TypeAlias = AnswerCall | RefuseCall | Listen | HangUp | ProgramEnded | AudioOrder


# --- others to call --------------------------------------------------------------------------------------------


@attrs.frozen
class LegNews:
    """Leg to call."""

    fact: LegFact


CallMessage: TypeAlias = ProgramRequest | LegNews | MediaEvent | Down
"""Media posts its events as they are."""


# --- call to program -------------------------------------------------------------------------------------------


@attrs.frozen
class CallHungUp:
    """The call is over: finish the running verb's last request, then end."""

    cause: str


ProgramFact: TypeAlias = (
    CallHungUp | Played | DigitHeard | SpeechStarted | SpeechStopped | RecordingDone | AudioArrived | AudioLost
)
