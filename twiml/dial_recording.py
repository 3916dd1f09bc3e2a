"""How a Dial is recorded: from when, on how many channels, which sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import attrs

from .forking_steps import StartRecording
from .recording import RecordingFacts, recording_status_parameters
from .steps import Parameters
from .verbs import Dial, DialRecord


@attrs.frozen
class Mode:
    """One value of `record`."""

    from_ringing: bool
    """From when it rings; otherwise from the bridge on."""
    channels: Literal[1, 2]


MODES: Final[Mapping[DialRecord, Mode | None]] = {
    "do-not-record": None,
    "record-from-answer": Mode(from_ringing=False, channels=1),
    "record-from-ringing": Mode(from_ringing=True, channels=1),
    "record-from-answer-dual": Mode(from_ringing=False, channels=2),
    "record-from-ringing-dual": Mode(from_ringing=True, channels=2),
}


def from_ringing(dial: Dial) -> bool:
    """Whether the recording begins before anybody has answered."""
    mode = MODES[dial.record]
    return mode is not None and mode.from_ringing


def recording_of(dial: Dial) -> StartRecording | None:
    """The recording that `dial` asks for; `None` when it asks for none. One track alone is mono in any mode."""
    mode = MODES[dial.record]
    if mode is None:
        return None
    return StartRecording(
        channels=mode.channels if dial.recording_track == "both" else 1,
        track=dial.recording_track,
        trim=dial.trim == "trim-silence",
    )


def callback_parameters(
    account_sid: str,
    call_sid: str,
    facts: RecordingFacts,
    start: StartRecording,
    *,
    status: str,
    duration_s: float | None = None,
    error_code: int | None = None,
) -> Parameters:
    """What the `recordingStatusCallback` of a Dial says; `call_sid` is the caller's call."""
    return recording_status_parameters(
        account_sid,
        call_sid,
        facts,
        status=status,
        source="DialVerb",
        track=start.track,
        channels=start.channels,
        duration_s=duration_s,
        error_code=error_code,
    )
