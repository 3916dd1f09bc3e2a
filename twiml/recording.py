"""The rules of `Record`: the beep, what ends the recording, and what the application is told about it.

The actor plays the beep, drives the media and tells the core what happens; the core answers with steps. Times are
seconds on the caller's clock. Silence is counted only while audio arrives: from a phone that sends nothing the silence
timer does not run, and the longest length ends the recording.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from .steps import Parameters
from .verbs import Record


class State(enum.Enum):
    BEEPING = "beeping"
    RECORDING = "recording"
    WRITING = "writing"
    """Stopped; the file is being closed."""
    DONE = "done"


class Input(enum.Enum):
    BEEP_ENDED = "beep-ended"
    KEY = "key"
    """One of the finishing keys."""
    SILENCE = "silence"
    LENGTH = "length"
    HANGUP = "hangup"
    WRITTEN = "written"
    LOST = "lost"
    """The recording could not be made or kept."""


class Act(enum.Enum):
    NOTHING = "nothing"
    START = "start"
    STOP = "stop"
    END = "end"
    END_WITHOUT = "end-without"


TABLE: Mapping[tuple[State, Input], tuple[State, Act]] = {
    (State.BEEPING, Input.BEEP_ENDED): (State.RECORDING, Act.START),
    (State.BEEPING, Input.KEY): (State.BEEPING, Act.NOTHING),  # pressed too early: nothing is recorded yet
    (State.BEEPING, Input.HANGUP): (State.DONE, Act.END_WITHOUT),
    (State.BEEPING, Input.LOST): (State.DONE, Act.END_WITHOUT),
    (State.RECORDING, Input.KEY): (State.WRITING, Act.STOP),
    (State.RECORDING, Input.SILENCE): (State.WRITING, Act.STOP),
    (State.RECORDING, Input.LENGTH): (State.WRITING, Act.STOP),
    (State.RECORDING, Input.HANGUP): (State.WRITING, Act.STOP),
    (State.RECORDING, Input.WRITTEN): (State.DONE, Act.END),  # the media ended it on its own
    (State.RECORDING, Input.LOST): (State.DONE, Act.END_WITHOUT),
    (State.WRITING, Input.WRITTEN): (State.DONE, Act.END),
    (State.WRITING, Input.LOST): (State.DONE, Act.END_WITHOUT),
    (State.WRITING, Input.KEY): (State.WRITING, Act.NOTHING),
    (State.WRITING, Input.HANGUP): (State.WRITING, Act.NOTHING),
}
"""Pairs that are missing cannot happen: timers run only while recording. When done, everything is too late."""


class Cause(enum.Enum):
    """What ended a recording."""

    KEY = "key"
    SILENCE = "silence"
    LENGTH = "length"
    HANGUP = "hangup"
    MEDIA = "media"


class Outcome(enum.Enum):
    """What became of a recording; the value is its public status."""

    COMPLETED = "completed"
    ABSENT = "absent"
    """There was nothing to keep."""
    FAILED = "failed"


@attrs.frozen
class PlayBeep:
    """Play the tone, then say `beep_ended`."""


@attrs.frozen(kw_only=True)
class StartRecording:
    """Record the caller's audio from now on; `status` is reported as `in-progress`."""

    trim: bool
    """Whether silence at both ends is cut off afterwards."""
    limit_s: int


@attrs.frozen
class StopRecording:
    """Close the file, then say `written` (or `lost`)."""


@attrs.frozen(kw_only=True)
class Recorded:
    """The end."""

    outcome: Outcome
    cause: Cause
    duration_s: float = 0.0
    """Before silence is cut off."""
    digits: str = ""
    """The key that ended it, `hangup`, or nothing."""


RecordStep: TypeAlias = PlayBeep | StartRecording | StopRecording | Recorded


@attrs.define(eq=False)
class Recording:
    """One `Record` under way."""

    verb: Record
    receiving: bool = True
    """Whether audio arrives at all."""
    state: State = attrs.field(init=False, default=State.BEEPING)
    result: Recorded | None = attrs.field(init=False, default=None)
    """The end, once it has come."""
    _speaking: bool = attrs.field(init=False, default=False)
    _silent_since: float | None = attrs.field(init=False, default=None)
    """Since when silence is being counted; `None` while it is not."""
    _silent_for: float = attrs.field(init=False, default=0.0)
    """Silence counted before audio stopped arriving."""
    _length_due: float = attrs.field(init=False, default=math.inf)
    _cause: Cause = attrs.field(init=False, default=Cause.MEDIA)
    _digits: str = attrs.field(init=False, default="")

    def begin(self, now: float) -> list[RecordStep]:
        """The first steps: the beep, or the recording at once."""
        return [PlayBeep()] if self.verb.play_beep else self.beep_ended(now)

    @property
    def finished(self) -> bool:
        return self.state is State.DONE

    def beep_ended(self, now: float) -> list[RecordStep]:
        """The tone has been played (or could not be: the recording is worth more than its beep)."""
        return self._feed(Input.BEEP_ENDED, now)

    def key(self, key: str, now: float) -> list[RecordStep]:
        """A key was pressed."""
        if not key or key not in self.verb.finish_on_key:
            return []
        if self.state is State.RECORDING:
            self._digits, self._cause = key, Cause.KEY
        return self._feed(Input.KEY, now)

    def voice_started(self, now: float) -> None:
        """The caller speaks (or makes any noise)."""
        self.receiving, self._speaking = True, True
        self._silent_since, self._silent_for = None, 0.0

    def voice_stopped(self, now: float, silent_for_s: float = 0.0) -> None:
        """The caller has been silent for `silent_for_s` seconds, and audio of that silence arrives."""
        self.receiving, self._speaking = True, False
        self._silent_since, self._silent_for = now - max(silent_for_s, 0.0), 0.0

    def audio_lost(self, now: float) -> None:
        """No audio arrives any more: what is not received is not silence."""
        self.receiving = False
        if self._silent_since is not None:
            self._silent_for += max(now - self._silent_since, 0.0)
            self._silent_since = None

    def audio_arrived(self, now: float) -> None:
        """Audio arrives (again)."""
        if self.receiving:
            return
        self.receiving = True
        if self.state is State.RECORDING and not self._speaking:
            self._silent_since = now

    def hung_up(self, now: float) -> list[RecordStep]:
        """The call is over."""
        if self.state in (State.BEEPING, State.RECORDING):
            self._digits, self._cause = "hangup", Cause.HANGUP
        return self._feed(Input.HANGUP, now)

    def written(self, duration_s: float, now: float) -> list[RecordStep]:
        """The file is closed and holds `duration_s` seconds."""
        if duration_s <= 0:
            return self._feed(Input.LOST, now, outcome=Outcome.ABSENT)
        return self._feed(Input.WRITTEN, now, duration_s=duration_s)

    def lost(self, now: float) -> list[RecordStep]:
        """The recording could not be made or kept."""
        return self._feed(Input.LOST, now, outcome=Outcome.FAILED)

    def wake_at(self) -> float:
        """When `wake` next has work; infinity while nothing is recorded."""
        if self.state is not State.RECORDING:
            return math.inf
        return min(self._length_due, self._silence_due())

    def wake(self, now: float) -> list[RecordStep]:
        """The timers, if one is due."""
        if self.state is not State.RECORDING:
            return []
        if now >= self._length_due:
            self._cause = Cause.LENGTH
            return self._feed(Input.LENGTH, now)
        if now >= self._silence_due():
            self._cause = Cause.SILENCE
            return self._feed(Input.SILENCE, now)
        return []

    def _silence_due(self) -> float:
        if self.verb.timeout == 0 or self._silent_since is None:
            return math.inf
        return self._silent_since + self.verb.timeout - self._silent_for

    def _feed(
        self, given: Input, now: float, *, duration_s: float = 0.0, outcome: Outcome = Outcome.ABSENT
    ) -> list[RecordStep]:
        if self.state is State.DONE:
            return []
        row = TABLE.get((self.state, given))
        if row is None:  # a late word of the media: a second end of the beep
            return []
        self.state, act = row
        match act:
            case Act.NOTHING:
                return []
            case Act.START:
                self._length_due = now + self.verb.limit_s
                self._silent_for = 0.0
                self._silent_since = now if self.receiving and not self._speaking else None
                return [StartRecording(trim=self.verb.trim == "trim-silence", limit_s=self.verb.limit_s)]
            case Act.STOP:
                return [StopRecording()]
            case Act.END:
                return self._ended(Outcome.COMPLETED, duration_s)
            case Act.END_WITHOUT:
                return self._ended(outcome, 0.0)

    def _ended(self, outcome: Outcome, duration_s: float) -> list[RecordStep]:
        self.result = Recorded(outcome=outcome, cause=self._cause, duration_s=duration_s, digits=self._digits)
        return [self.result]


@attrs.frozen(kw_only=True)
class RecordingFacts:
    """A recording as the outside knows it."""

    sid: str
    url: str
    """Absolute, without a suffix."""
    started: str
    """RFC 2822 (`params.rfc2822`)."""


def whole_seconds(duration_s: float) -> str:
    """A duration as parameters give it: rounded, and never 0 for something that is there."""
    return str(max(round(duration_s), 1 if duration_s > 0 else 0))


def recording_parameters(facts: RecordingFacts, duration_s: float) -> Parameters:
    """What requests say of a recording that can be fetched."""
    return (
        ("RecordingUrl", facts.url),
        ("RecordingSid", facts.sid),
        ("RecordingDuration", whole_seconds(duration_s)),
    )


def record_parameters(result: Recorded, facts: RecordingFacts) -> Parameters:
    """What the action request says. Of a recording that does not exist there is no URL and no SID."""
    parameters: list[tuple[str, str]] = []
    if result.outcome is Outcome.COMPLETED:
        parameters += [("RecordingUrl", facts.url), ("RecordingSid", facts.sid)]
    parameters += [("RecordingDuration", whole_seconds(result.duration_s)), ("Digits", result.digits)]
    return tuple(parameters)


def recording_status_parameters(
    account_sid: str,
    call_sid: str,
    facts: RecordingFacts,
    *,
    status: str,
    source: str = "RecordVerb",
    track: str = "inbound",
    channels: int = 1,
    duration_s: float | None = None,
    error_code: int | None = None,
) -> Parameters:
    """What a `recordingStatusCallback` says. `status` is `in-progress` or an `Outcome`'s value."""
    parameters = [
        ("AccountSid", account_sid),
        ("CallSid", call_sid),
        ("RecordingSid", facts.sid),
        ("RecordingStatus", status),
        ("RecordingChannels", str(channels)),
        ("RecordingStartTime", facts.started),
        ("RecordingSource", source),
        ("RecordingTrack", track),
        ("ErrorCode", str(error_code or 0)),
    ]
    if status in ("in-progress", "completed"):
        parameters.insert(3, ("RecordingUrl", facts.url))
    if duration_s is not None:
        parameters.append(("RecordingDuration", whole_seconds(duration_s)))
    return tuple(parameters)


def wants_status(events: tuple[str, ...], status: str) -> bool:
    """Whether a subscription to `events` hears of `status`; a failure is told to whoever waits for an end."""
    if status == "failed":
        return "completed" in events or "absent" in events
    return status in events
