"""What a program asks of the call it runs on.

What concerns audio only is the media order itself (`media/events.py`), passed through by the call.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ...media.events import InterceptDigits, Play, Record, SendDigits, StopPlaying, StopRecording, WatchSpeech
from ..mailbox import Reply


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


AudioOrder: TypeAlias = Play | StopPlaying | SendDigits | Record | StopRecording | WatchSpeech | InterceptDigits
ProgramRequest: TypeAlias = AnswerCall | RefuseCall | Listen | HangUp | ProgramEnded | AudioOrder
