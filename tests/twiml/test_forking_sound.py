"""What the caller of a Dial hears until the bridge, and how the dial is recorded."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from offhook.twiml.dial_recording import MODES, callback_parameters, from_ringing, recording_of
from offhook.twiml.forking import Verdict
from offhook.twiml.forking_steps import (
    PassEarlyMedia,
    PlayRingback,
    StartRecording,
    StopEarlyMedia,
    StopRecording,
    StopRingback,
)
from offhook.twiml.recording import RecordingFacts
from offhook.twiml.verbs import RING_TONES, Dial, DialRecord
from tests.twiml.dials import bridged, calling, client, contact, dial, kinds, only, said, sip

URL = "https://app.test/screen"


def test_a_caller_hears_ringing_from_the_first_phone_that_rings_on() -> None:
    core = calling(sip("a"), sip("b"))
    assert not only(core.trying(1, 0.5), PlayRingback)
    assert said(core.progressed(1, 1.0), PlayRingback) == [(None,)]
    assert core.progressed(2, 1.5) != []
    assert not only(core.progressed(2, 1.6), PlayRingback)


def test_ringing_stops_at_the_bridge() -> None:
    core = calling(sip())
    core.progressed(1, 1.0)
    assert kinds(core.answered(1, 2.0)) == ["ChildChanged", "StopRingback", "Bridge"]


def test_ringing_stops_when_the_dial_fails() -> None:
    core = calling(sip())
    core.progressed(1, 1.0)
    assert StopRingback() in core.refused(1, 486, 2.0)


def test_ringing_goes_on_between_calls_in_turn() -> None:
    core = dial(sip("a"), sip("b"), sequential=True)
    core.located(0, [[contact("a")]], 0.0)
    core.progressed(1, 1.0)
    assert StopRingback() not in core.refused(1, 486, 2.0)
    core.located(1, [[contact("b")]], 2.0)
    assert not only(core.progressed(2, 3.0), PlayRingback)


@pytest.mark.parametrize("country", RING_TONES.split("|"))
def test_the_tone_of_every_country_can_be_chosen(country: str) -> None:
    core = calling(sip(), ring_tone=country)
    assert said(core.progressed(1, 1.0), PlayRingback) == [(country,)]


def test_early_media_of_the_only_far_end_is_passed_on() -> None:
    core = calling(sip())
    assert said(core.progressed(1, 1.0, early_media=True), PassEarlyMedia) == [(1,)]


def test_early_media_takes_the_place_of_ringing() -> None:
    core = calling(sip())
    core.progressed(1, 1.0)
    assert kinds(core.progressed(1, 2.0, early_media=True)) == ["StopRingback", "PassEarlyMedia"]


def test_early_media_is_not_stopped_before_the_bridge_with_the_same_leg() -> None:
    core = calling(sip())
    core.progressed(1, 1.0, early_media=True)
    assert kinds(core.answered(1, 2.0)) == ["ChildChanged", "Bridge"]


def test_early_media_stops_when_its_leg_fails() -> None:
    core = calling(sip())
    core.progressed(1, 1.0, early_media=True)
    assert said(core.refused(1, 404, 2.0), StopEarlyMedia) == [(1,)]


def test_a_chosen_tone_takes_the_place_of_early_media() -> None:
    core = calling(sip(), ring_tone="de")
    steps = core.progressed(1, 1.0, early_media=True)
    assert said(steps, PlayRingback) == [("de",)]
    assert not only(steps, PassEarlyMedia)


def test_of_several_far_ends_none_is_passed_on() -> None:
    core = calling(sip("a"), sip("b"))
    steps = core.progressed(1, 1.0, early_media=True)
    assert not only(steps, PassEarlyMedia)
    assert only(steps, PlayRingback)


def test_early_media_is_passed_on_when_the_others_have_failed() -> None:
    core = calling(sip("a"), sip("b"))
    core.progressed(1, 1.0, early_media=True)
    assert kinds(core.refused(2, 404, 2.0))[-2:] == ["StopRingback", "PassEarlyMedia"]


def test_early_media_waits_for_callees_that_are_still_being_looked_for() -> None:
    core = dial(sip("a"), client("b"))
    core.located(0, [[contact("a")]], 0.0)
    assert not only(core.progressed(1, 1.0, early_media=True), PassEarlyMedia)
    assert only(core.unreachable(1, 2.0), PassEarlyMedia)


# ---- a caller who is not answered ----------------------------------------------------------------------------------


def waiting(*targets: Any, **attributes: Any) -> Any:
    return calling(*targets, caller_answered=False, answer_on_bridge=True, **attributes)


def test_the_phone_of_an_unanswered_caller_rings_by_itself() -> None:
    assert kinds(waiting(sip()).progressed(1, 1.0)) == ["ChildChanged"]


def test_an_unanswered_caller_hears_a_tone_that_is_asked_for() -> None:
    assert said(waiting(sip(), ring_tone="fr").progressed(1, 1.0), PlayRingback) == [("fr",)]


def test_an_unanswered_caller_gets_early_media() -> None:
    assert said(waiting(sip()).progressed(1, 1.0, early_media=True), PassEarlyMedia) == [(1,)]


def test_a_caller_who_had_early_media_hears_ringing_from_us_afterwards() -> None:
    core = dial(sip("a"), sip("b"), sequential=True, caller_answered=False, answer_on_bridge=True)
    core.located(0, [[contact("a")]], 0.0)
    core.progressed(1, 1.0, early_media=True)
    steps = core.refused(1, 404, 2.0)
    assert said(steps, StopEarlyMedia) == [(1,)]
    assert only(steps, PlayRingback)


# ---- screening -----------------------------------------------------------------------------------------------------


def test_ringing_goes_on_while_the_callee_is_screened() -> None:
    core = calling(sip(url=URL))
    core.progressed(1, 1.0)
    assert StopRingback() not in core.answered(1, 2.0)
    assert StopRingback() in core.screened(1, Verdict.ACCEPTED, 3.0)


def test_a_callee_who_answers_without_ringing_is_screened_under_ringing() -> None:
    steps = calling(sip(url=URL)).answered(1, 2.0)
    assert kinds(steps) == ["ChildChanged", "PlayRingback", "StartScreening"]


def test_the_screened_callee_is_not_heard_by_the_caller() -> None:
    core = calling(sip(url=URL))
    core.progressed(1, 1.0, early_media=True)
    assert kinds(core.answered(1, 2.0)) == ["ChildChanged", "StopEarlyMedia", "PlayRingback", "StartScreening"]


def test_an_unanswered_caller_rings_on_during_screening() -> None:
    core = waiting(sip(url=URL))
    core.progressed(1, 1.0)
    assert kinds(core.answered(1, 2.0)) == ["ChildChanged", "StartScreening"]


# ---- recording -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "when", "channels"),
    [
        ("do-not-record", "never", 0),
        ("record-from-answer", "bridge", 1),
        ("record-from-ringing", "ringing", 1),
        ("record-from-answer-dual", "bridge", 2),
        ("record-from-ringing-dual", "ringing", 2),
    ],
)
def test_every_mode_begins_when_it_says_with_its_channels(record: DialRecord, when: str, channels: int) -> None:
    core = calling(sip(), record=record)
    ringing = only(core.progressed(1, 1.0), StartRecording)
    bridge = only(core.answered(1, 2.0), StartRecording)
    assert (len(ringing), len(bridge)) == (int(when == "ringing"), int(when == "bridge"))
    for start in (*ringing, *bridge):
        assert start == StartRecording(channels=1 if channels == 1 else 2, track="both", trim=False)
    assert bool(only(core.ended(1, 9.0), StopRecording)) is (when != "never")


def test_the_table_of_modes_has_every_value_of_the_attribute() -> None:
    assert set(MODES) == set(get_args(DialRecord))


@pytest.mark.parametrize("track", ["inbound", "outbound"])
def test_one_track_alone_is_mono(track: Any) -> None:
    start = recording_of(Dial(record="record-from-answer-dual", recording_track=track))
    assert start == StartRecording(channels=1, track=track, trim=False)


@pytest.mark.parametrize(("trim", "cut"), [("trim-silence", True), ("do-not-trim", False)])
def test_silence_is_cut_off_when_asked_for(trim: Any, cut: bool) -> None:
    assert recording_of(Dial(record="record-from-ringing", trim=trim)) == StartRecording(
        channels=1, track="both", trim=cut
    )


def test_a_recording_from_ringing_that_nobody_answers_is_kept_too() -> None:
    core = calling(sip(), record="record-from-ringing")
    core.progressed(1, 1.0)
    steps = core.refused(1, 486, 5.0)
    assert kinds(steps)[-1] == "StopRecording"
    assert core.recording_written(4.0, 5.1) != []
    assert core.result is not None
    assert core.result.recorded_s == 4.0


def test_a_recording_from_ringing_begins_at_the_bridge_when_nobody_rang() -> None:
    assert only(calling(sip(), record="record-from-ringing").answered(1, 1.0), StartRecording)


def test_a_recording_of_an_unanswered_caller_begins_with_the_session() -> None:
    core = waiting(sip(), record="record-from-ringing")
    assert not only(core.progressed(1, 1.0), StartRecording)
    assert only(core.progressed(1, 2.0, early_media=True), StartRecording)


def test_there_is_one_recording_a_dial() -> None:
    core = calling(sip(), record="record-from-ringing")
    core.progressed(1, 1.0)
    assert core.recording_lost(1.5) == []
    assert not only(core.answered(1, 2.0), StartRecording)
    assert not only(core.ended(1, 3.0), StopRecording)


def test_screening_is_not_recorded_from_answer_on() -> None:
    core = calling(sip(url=URL), record="record-from-answer")
    assert not only(core.answered(1, 1.0), StartRecording)
    assert kinds(core.screened(1, Verdict.ACCEPTED, 2.0))[-2:] == ["Bridge", "StartRecording"]


def test_only_the_ringing_modes_begin_before_the_answer() -> None:
    assert [mode for mode in MODES if from_ringing(Dial(record=mode))] == [
        "record-from-ringing",
        "record-from-ringing-dual",
    ]
    assert only(bridged(record="do-not-record").ended(1, 20.0), StopRecording) == []


@pytest.mark.parametrize(("record", "channels"), [("record-from-answer", "1"), ("record-from-ringing-dual", "2")])
def test_the_callback_of_a_recording_says_that_it_is_of_a_dial(record: DialRecord, channels: str) -> None:
    start = recording_of(Dial(record=record))
    assert start is not None
    facts = RecordingFacts(sid="RE1", url="http://host.test/RE1", started="Fri, 20 Aug 2010 01:13:42 +0000")
    told = dict(callback_parameters("AC1", "CA1", facts, start, status="completed", duration_s=9.6))
    assert told["RecordingSource"] == "DialVerb"
    assert told["CallSid"] == "CA1"
    assert told["RecordingChannels"] == channels
    assert told["RecordingTrack"] == "both"
    assert told["RecordingStatus"] == "completed"
    assert told["RecordingDuration"] == "10"
