"""`record` of `<Dial>` in whole calls: what is on the file in every mode, and what the application is told of it."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallStarted, RecordingReady
from offhook.media.sources import Clip
from offhook.media.tones import ringback
from offhook.testing.listen import match
from offhook.testing.phone import PhoneCall

from .kit import ACCOUNT, STATUS_TAKEN
from .office import ALICES, BOB, BOBS, Office, dial, office

RINGING = ringback("us")[:9600]


def channels_of(recording: RecordingReady) -> list[bytes]:
    """The samples of each channel of the file."""
    with wave.open(recording.path) as file:
        assert (file.getframerate(), file.getsampwidth()) == (8000, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return [samples[at :: file.getnchannels()].tobytes() for at in range(file.getnchannels())]


def seconds(samples: bytes) -> float:
    return len(samples) / 16_000


async def conversation(here: Office, attributes: str, *, silence_s: float = 1.0) -> PhoneCall:
    """Bob rings for 3 s; then Alice speaks, and after her Bob, with silence around both; Bob hangs up."""
    alice = await here.alice_dials(dial(attributes))
    bob = await here.bob.called()
    await bob.ring()
    await trio.sleep(3)
    assert await bob.pick_up()
    await trio.sleep(silence_s)
    await alice.say(Clip(ALICES))
    await bob.say(Clip(BOBS))
    await trio.sleep(silence_s)
    await bob.hang_up()
    await alice.over()
    return alice


@pytest.mark.parametrize(
    ("mode", "channels", "ringing"),
    [
        ("record-from-answer", 1, False),
        ("record-from-ringing", 1, True),
        ("record-from-answer-dual", 2, False),
        ("record-from-ringing-dual", 2, True),
        ("true", 1, False),
    ],
)
async def test_every_mode_holds_both_sides_from_its_moment_on(
    autojump_clock: MockClock, tmp_path: Path, mode: str, channels: int, ringing: bool
) -> None:
    async with office(tmp_path) as here:
        await conversation(here, f'record="{mode}"')
        [recording] = here.it.of(RecordingReady)
        tracks = channels_of(recording)
        assert len(tracks) == channels
        assert seconds(tracks[0]) == pytest.approx(3.2 + (3 if ringing else 0), abs=0.15)
        callers, callees = tracks[0], tracks[-1]
        assert match(callers, ALICES) > 0.95
        assert match(callees, BOBS) > 0.95
        assert (match(callees, RINGING) > 0.95) is ringing
        if channels == 2:
            assert match(callers, BOBS) < 0.5
            assert match(callees, ALICES) < 0.5
            assert match(callers, RINGING) < 0.5
        parent = here.it.of(CallStarted)[0]
        assert recording.call_sid == parent.call_sid
        await here.it.idle()


@pytest.mark.parametrize("attributes", ["", 'record="do-not-record"', 'record="false"', 'record="maybe"'])
async def test_what_is_not_to_be_recorded_is_not(autojump_clock: MockClock, tmp_path: Path, attributes: str) -> None:
    async with office(tmp_path) as here:
        await conversation(here, attributes)
        assert here.it.of(RecordingReady) == []
        told = await here.outcome()
        assert not [name for name in told if name.startswith("Recording")]
        assert here.it.codes() == ([13217] if "maybe" in attributes else [])
        await here.it.idle()


@pytest.mark.parametrize(
    ("track", "mine", "yours"), [("inbound", True, False), ("outbound", False, True), ("both", True, True)]
)
@pytest.mark.parametrize("mode", ["record-from-answer", "record-from-answer-dual"])
async def test_one_track_alone_is_one_side_in_mono(
    autojump_clock: MockClock, tmp_path: Path, mode: str, track: str, mine: bool, yours: bool
) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/recording", STATUS_TAKEN)
        await conversation(here, f'record="{mode}" recordingTrack="{track}" recordingStatusCallback="/recording"')
        [recording] = here.it.of(RecordingReady)
        tracks = channels_of(recording)
        channels = 2 if mode.endswith("dual") and track == "both" else 1
        assert len(tracks) == channels
        assert (match(tracks[0], ALICES) > 0.95, match(tracks[-1], BOBS) > 0.95) == (mine, yours)
        [told] = await here.it.web.wait_for(1, "/recording")
        assert (told.params["RecordingTrack"], told.params["RecordingChannels"]) == (track, str(channels))
        await here.it.idle()


@pytest.mark.parametrize(("trim", "length_s"), [("trim-silence", 1.2), ("do-not-trim", 11.2), ("", 11.2)])
async def test_silence_at_both_ends_is_cut_off_when_asked_for(
    autojump_clock: MockClock, tmp_path: Path, trim: str, length_s: float
) -> None:
    async with office(tmp_path) as here:
        attributes = 'record="record-from-answer-dual"' + (f' trim="{trim}"' if trim else "")
        await conversation(here, attributes, silence_s=5)
        [recording] = here.it.of(RecordingReady)
        callers, callees = channels_of(recording)
        assert seconds(callers) == pytest.approx(length_s, abs=0.5)
        assert (match(callers, ALICES) > 0.95, match(callees, BOBS) > 0.95) == (True, True)
        await here.it.idle()


async def test_the_action_is_told_where_the_recording_is(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        await conversation(here, 'record="record-from-answer"')
        [recording] = here.it.of(RecordingReady)
        told = await here.outcome()
        assert told["RecordingSid"] == recording.recording_sid
        assert told["RecordingUrl"].endswith(f"/Recordings/{recording.recording_sid}")
        assert told["RecordingDuration"] == "3"
        await here.it.idle()


@pytest.mark.parametrize(
    ("attributes", "statuses"),
    [
        ("", ["completed"]),
        ('recordingStatusCallbackEvent="in-progress completed absent"', ["in-progress", "completed"]),
        ('recordingStatusCallbackEvent="in-progress"', ["in-progress"]),
        ('recordingStatusCallbackEvent="absent"', []),
    ],
    ids=["default", "all", "in-progress", "absent"],
)
async def test_the_recording_callback_hears_of_the_events_it_asks_for_in_order(
    autojump_clock: MockClock, tmp_path: Path, attributes: str, statuses: list[str]
) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/recording", STATUS_TAKEN)
        await conversation(here, f'record="record-from-answer-dual" recordingStatusCallback="/recording" {attributes}')
        await here.it.idle()
        told = here.it.web.asked("/recording")
        assert [asked.params["RecordingStatus"] for asked in told] == statuses
        parent = here.it.of(CallStarted)[0]
        for asked in told:
            params = asked.params
            assert asked.method == "POST"
            assert (params["AccountSid"], params["CallSid"]) == (ACCOUNT, parent.call_sid)
            assert (params["RecordingSource"], params["RecordingTrack"]) == ("DialVerb", "both")
            assert (params["RecordingChannels"], params["RecordingSid"][:2]) == ("2", "RE")
            assert params["RecordingUrl"].endswith(params["RecordingSid"])
            assert params["RecordingStartTime"].endswith("+0000")
        assert ["RecordingDuration" in asked.params for asked in told] == [status == "completed" for status in statuses]


async def test_the_recording_callback_is_asked_by_its_method(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/recording", STATUS_TAKEN)
        await conversation(
            here,
            'record="true" recordingStatusCallback="/recording" recordingStatusCallbackMethod="GET"',
        )
        [told] = await here.it.web.wait_for(1, "/recording")
        assert (told.method, told.body) == ("GET", b"")
        assert told.params["RecordingStatus"] == "completed"
        await here.it.idle()


async def test_what_nobody_answered_is_recorded_from_ringing_on_and_told(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial('record="record-from-ringing"'))
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(3)
        await bob.decline()
        told = await here.outcome()
        await alice.over()
        [recording] = here.it.of(RecordingReady)
        [track] = channels_of(recording)
        assert match(track, RINGING) > 0.95
        assert (told["DialCallStatus"], told["RecordingSid"]) == ("busy", recording.recording_sid)
        await here.it.idle()


async def test_of_what_nobody_answered_nothing_is_recorded_from_answer_on(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/recording", STATUS_TAKEN)
        alice = await here.alice_dials(dial('record="true" recordingStatusCallback="/recording"'))
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(3)
        await bob.decline()
        await alice.over()
        await here.it.idle()
        assert here.it.of(RecordingReady) == []
        assert "RecordingUrl" not in await here.outcome()
        assert here.it.web.asked("/recording") == []


async def test_a_caller_who_hangs_up_leaves_a_recording_that_is_told(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/recording", STATUS_TAKEN)
        alice = await here.alice_dials(dial('record="true" recordingStatusCallback="/recording"'))
        bob = await here.bob.called()
        assert await bob.pick_up()
        await trio.sleep(1)
        assert await here.connected(alice, bob)
        await alice.hang_up()
        await bob.over()
        [told] = await here.it.web.wait_for(1, "/recording")
        assert told.params["RecordingStatus"] == "completed"
        assert (await here.outcome())["RecordingSid"] == told.params["RecordingSid"]
        [recording] = here.it.of(RecordingReady)
        [track] = channels_of(recording)
        assert min(match(track, ALICES), match(track, BOBS)) > 0.5
        await here.it.idle()


async def test_with_answer_on_bridge_the_recording_begins_with_the_bridge(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        await conversation(here, 'answerOnBridge="true" record="record-from-ringing-dual"')
        [recording] = here.it.of(RecordingReady)
        callers, callees = channels_of(recording)
        assert seconds(callers) == pytest.approx(3.2, abs=0.15)
        assert (match(callers, ALICES) > 0.95, match(callees, BOBS) > 0.95) == (True, True)
        await here.it.idle()


async def test_the_status_callback_of_the_callee_is_told_of_the_recording(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/events", STATUS_TAKEN)
        alice = await here.alice_dials(
            dial(
                'record="true"',
                f'<Sip statusCallback="/events" statusCallbackEvent="answered completed">{BOB}</Sip>',
            )
        )
        bob = await here.bob.called()
        assert await bob.pick_up()
        await trio.sleep(2)
        await bob.hang_up()
        await alice.over()
        answered, completed = await here.it.web.wait_for(2, "/events")
        [recording] = here.it.of(RecordingReady)
        assert "RecordingSid" not in answered.params
        assert completed.params["RecordingSid"] == recording.recording_sid
        assert completed.params["RecordingUrl"].endswith(recording.recording_sid)
        assert completed.params["RecordingDuration"] == "2"
        await here.it.idle()
