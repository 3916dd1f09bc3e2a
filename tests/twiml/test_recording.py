"""Record, walked through with numbers for time."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.twiml.recording import (
    TABLE,
    Cause,
    Input,
    Outcome,
    PlayBeep,
    Recorded,
    Recording,
    RecordingFacts,
    RecordStep,
    StartRecording,
    State,
    StopRecording,
    record_parameters,
    recording_status_parameters,
    wants_status,
    whole_seconds,
)
from offhook.twiml.verbs import Record

FACTS = RecordingFacts(sid="RE1", url="http://h/Recordings/RE1", started="Fri, 20 Aug 2010 01:13:42 +0000")


def recording(now: float = 0.0, **options: Any) -> Recording:
    """A recording that has begun at `now`."""
    core = Recording(Record(**options))
    core.begin(now)
    core.beep_ended(now)
    return core


def test_the_beep_comes_first() -> None:
    core = Recording(Record(timeout=5, max_length=30))
    assert core.begin(0.0) == [PlayBeep()]
    assert core.wake_at() == math.inf
    assert core.beep_ended(0.5) == [StartRecording(trim=True, limit_s=30)]
    assert core.beep_ended(0.6) == []


def test_without_a_beep_it_records_at_once() -> None:
    core = Recording(Record(play_beep=False, trim="do-not-trim"))
    assert core.begin(0.0) == [StartRecording(trim=False, limit_s=3600)]


def test_silence_ends_it() -> None:
    core = recording(10.0, timeout=3)
    assert core.wake_at() == 13.0
    assert core.wake(12.9) == []
    assert core.wake(13.0) == [StopRecording()]
    assert core.written(3.0, 13.1) == [Recorded(outcome=Outcome.COMPLETED, cause=Cause.SILENCE, duration_s=3.0)]
    assert core.finished


def test_speech_puts_silence_off() -> None:
    core = recording(timeout=3)
    core.voice_started(1.0)
    assert core.wake_at() == 3600.0
    core.voice_stopped(20.0, 0.5)
    assert core.wake_at() == 22.5
    assert core.wake(22.5) == [StopRecording()]


def test_a_timeout_of_zero_never_ends_it() -> None:
    assert recording(timeout=0, max_length=60).wake_at() == 60.0


def test_silence_is_not_counted_while_no_audio_arrives() -> None:
    core = recording(timeout=5)
    core.audio_lost(2.0)
    assert core.wake_at() == 3600.0
    core.audio_arrived(100.0)
    assert core.wake_at() == 103.0
    core.audio_arrived(101.0)
    assert core.wake_at() == 103.0


def test_a_phone_that_sends_nothing_is_recorded_to_the_longest_length() -> None:
    core = Recording(Record(timeout=5, max_length=20, play_beep=False), receiving=False)
    core.begin(0.0)
    assert core.wake_at() == 20.0
    assert core.wake(20.0) == [StopRecording()]
    assert core.written(0.0, 20.1) == [Recorded(outcome=Outcome.ABSENT, cause=Cause.LENGTH)]


def test_audio_that_arrives_while_speaking_is_no_silence() -> None:
    core = recording(timeout=5)
    core.voice_started(1.0)
    core.audio_lost(2.0)
    core.audio_arrived(3.0)
    assert core.wake_at() == 3600.0


def test_the_longest_length_ends_it() -> None:
    core = recording(5.0, max_length=10, timeout=0)
    assert core.wake(14.9) == []
    assert core.wake(15.0) == [StopRecording()]
    (ended,) = core.written(10.0, 15.1)
    assert ended == Recorded(outcome=Outcome.COMPLETED, cause=Cause.LENGTH, duration_s=10.0)


@pytest.mark.parametrize(
    ("keys", "key", "ends"),
    [("1234567890*#", "5", True), ("#", "5", False), ("#*", "*", True), ("", "#", False), ("#", "A", False)],
)
def test_only_the_finishing_keys_end_it(keys: str, key: str, ends: bool) -> None:
    core = recording(finish_on_key=keys)
    assert core.key(key, 1.0) == ([StopRecording()] if ends else [])
    if ends:
        assert core.written(1.0, 1.1) == [
            Recorded(outcome=Outcome.COMPLETED, cause=Cause.KEY, duration_s=1.0, digits=key)
        ]


def test_a_key_during_the_beep_is_too_early() -> None:
    core = Recording(Record())
    core.begin(0.0)
    assert core.key("#", 0.1) == []
    assert core.beep_ended(0.5) != []


def test_hanging_up_ends_it() -> None:
    core = recording()
    assert core.hung_up(4.0) == [StopRecording()]
    assert core.written(4.0, 4.1) == [
        Recorded(outcome=Outcome.COMPLETED, cause=Cause.HANGUP, duration_s=4.0, digits="hangup")
    ]


def test_hanging_up_during_the_beep_leaves_nothing() -> None:
    core = Recording(Record())
    core.begin(0.0)
    assert core.hung_up(0.1) == [Recorded(outcome=Outcome.ABSENT, cause=Cause.HANGUP, digits="hangup")]


def test_hanging_up_after_the_key_does_not_change_what_ended_it() -> None:
    core = recording()
    core.key("#", 1.0)
    assert core.hung_up(1.01) == []
    (ended,) = core.written(1.0, 1.1)
    assert ended == Recorded(outcome=Outcome.COMPLETED, cause=Cause.KEY, duration_s=1.0, digits="#")


def test_a_recording_that_is_lost_has_failed() -> None:
    core = recording()
    assert core.lost(2.0) == [Recorded(outcome=Outcome.FAILED, cause=Cause.MEDIA)]
    core = recording()
    core.key("#", 1.0)
    assert core.lost(2.0) == [Recorded(outcome=Outcome.FAILED, cause=Cause.KEY, digits="#")]


def test_the_media_may_end_it_on_its_own() -> None:
    assert recording().written(2.5, 2.5) == [Recorded(outcome=Outcome.COMPLETED, cause=Cause.MEDIA, duration_s=2.5)]


def test_the_result_is_kept() -> None:
    core = recording()
    assert core.result is None
    core.lost(1.0)
    assert core.result == Recorded(outcome=Outcome.FAILED, cause=Cause.MEDIA)


# ---- parameters ----------------------------------------------------------------------------------------------------


def test_the_action_is_told_where_the_recording_is() -> None:
    result = Recorded(outcome=Outcome.COMPLETED, cause=Cause.KEY, duration_s=3.6, digits="#")
    assert dict(record_parameters(result, FACTS)) == {
        "RecordingUrl": "http://h/Recordings/RE1",
        "RecordingSid": "RE1",
        "RecordingDuration": "4",
        "Digits": "#",
    }


def test_the_action_is_told_nothing_of_a_recording_that_is_not_there() -> None:
    result = Recorded(outcome=Outcome.ABSENT, cause=Cause.HANGUP, digits="hangup")
    assert dict(record_parameters(result, FACTS)) == {"RecordingDuration": "0", "Digits": "hangup"}


def test_the_status_callback_is_told_everything() -> None:
    told = dict(recording_status_parameters("AC1", "CA1", FACTS, status="completed", duration_s=0.2))
    assert told == {
        "AccountSid": "AC1",
        "CallSid": "CA1",
        "RecordingSid": "RE1",
        "RecordingUrl": "http://h/Recordings/RE1",
        "RecordingStatus": "completed",
        "RecordingChannels": "1",
        "RecordingStartTime": "Fri, 20 Aug 2010 01:13:42 +0000",
        "RecordingSource": "RecordVerb",
        "RecordingTrack": "inbound",
        "ErrorCode": "0",
        "RecordingDuration": "1",
    }
    absent = dict(recording_status_parameters("AC1", "CA1", FACTS, status="absent", error_code=16101))
    assert "RecordingUrl" not in absent
    assert absent["ErrorCode"] == "16101"


def test_durations_are_rounded_and_never_nothing_for_something() -> None:
    assert [whole_seconds(value) for value in (0.0, 0.1, 1.4, 1.6, 60.0)] == ["0", "1", "1", "2", "60"]


def test_events_are_told_to_those_who_asked() -> None:
    assert wants_status(("completed",), "completed")
    assert not wants_status(("completed",), "in-progress")
    assert wants_status(("absent",), "failed")
    assert not wants_status(("in-progress",), "failed")


# ---- the table -----------------------------------------------------------------------------------------------------


def test_the_table_is_complete_but_for_what_cannot_be() -> None:
    timers = {Input.SILENCE, Input.LENGTH}
    impossible = {(State.DONE, given) for given in Input} | {
        *((State.BEEPING, given) for given in timers | {Input.WRITTEN}),
        *((State.WRITING, given) for given in timers | {Input.BEEP_ENDED}),
        (State.RECORDING, Input.BEEP_ENDED),
    }
    assert set(TABLE) == {(state, given) for state in State for given in Input} - impossible


EVENTS = ["beep", "#", "voice", "quiet", "lost-audio", "audio", "hangup", "written", "empty", "lost", "wake"]


@given(st.lists(st.sampled_from(EVENTS), max_size=15), st.booleans(), st.sampled_from([0, 5]))
def test_any_order_of_events_ends_at_most_once_and_never_raises(events: list[str], beep: bool, timeout: int) -> None:
    core = Recording(Record(play_beep=beep, timeout=timeout))
    steps: list[RecordStep] = core.begin(0.0)
    now = 0.0
    for event in events:
        now += 1.0
        match event:
            case "beep":
                steps += core.beep_ended(now)
            case "#":
                steps += core.key("#", now)
            case "voice":
                core.voice_started(now)
            case "quiet":
                core.voice_stopped(now, 0.2)
            case "lost-audio":
                core.audio_lost(now)
            case "audio":
                core.audio_arrived(now)
            case "hangup":
                steps += core.hung_up(now)
            case "written":
                steps += core.written(1.0, now)
            case "empty":
                steps += core.written(0.0, now)
            case "lost":
                steps += core.lost(now)
            case _:
                now = core.wake_at() if core.wake_at() < math.inf else now
                steps += core.wake(now)
    kinds = [type(step) for step in steps]
    assert kinds.count(Recorded) == core.finished
    assert kinds.count(StartRecording) <= 1
    assert kinds.count(StopRecording) <= 1
