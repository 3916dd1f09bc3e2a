"""What each verb does to a call: what the phone sees and hears, and what the application is told, to the second."""

from __future__ import annotations

import wave
from itertools import pairwise
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallAnswered, VerbEnded, VerbStarted
from offhook.media.sources import Clip
from offhook.sip.dialog.events import Cause
from offhook.sip.message import Response
from offhook.testing.listen import beep_in
from offhook.testing.network import Sent
from offhook.testing.phone import PhoneCall
from offhook.testing.speech import tone, wav
from offhook.testing.web import Answer, Asked, twiml

from .kit import ACCOUNT, BASE, PHONE, RTP_FROM, World, world
from .peer import udp_peer

HANGUP = twiml("<Hangup/>")


async def answered(it: World, document: Answer) -> PhoneCall:
    """A call that has been answered by `document`."""
    it.web.on("/voice", document)
    call = await it.call()
    assert await call.answered()
    return call


def lasted(it: World, verb: str) -> list[float]:
    """Seconds that each verb of that name took."""
    began = [event.at for event in it.of(VerbStarted) if event.verb == verb]
    ended = [event.at for event in it.of(VerbEnded) if event.verb == verb]
    return [(end - begin).total_seconds() for begin, end in zip(began, ended, strict=True)]


def statuses(it: World) -> list[tuple[float, int]]:
    """When the phone got which answers to its INVITE."""
    return [
        (seen.at, seen.message.status)
        for seen in it.phone.ladder
        if isinstance(seen.message, Response) and seen.message.cseq.method == "INVITE" and not seen.sent
    ]


# --- Say, Play, Pause ------------------------------------------------------------------------------------------------


async def test_say_speaks_with_its_voice_and_as_often_as_it_says(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        call = await answered(it, twiml('<Say voice="woman" language="en-GB" loop="3">Good morning</Say>'))
        await call.over()
        [spoken] = it.speech.spoken
        assert (spoken.text, spoken.voice, spoken.language, spoken.ssml) == ("Good morning", "woman", "en-GB", False)
        assert lasted(it, "Say") == [pytest.approx(3 * 0.24, abs=0.04)]


async def test_markup_in_say_reaches_the_engine_as_ssml(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        call = await answered(it, twiml('<Say voice="Polly.Joanna">One<break time="1s"/>two</Say>'))
        await call.over()
        [spoken] = it.speech.spoken
        assert (spoken.text, spoken.ssml) == ('<speak>One<break time="1s"/>two</speak>', True)


async def test_play_loops_without_a_gap_and_fetches_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    clip = tone(300, 600)
    async with world(tmp_path) as it:
        it.web.on("/a/clip.wav", Answer(wav(clip), content_type="audio/x-wav"))
        call = await answered(it, twiml('<Play loop="3">a/clip.wav</Play><Pause/>'))
        await call.over()
        assert it.has_heard(call, clip * 3)
        assert lasted(it, "Play") == [pytest.approx(0.9, abs=0.04)]
        [asked] = it.web.asked("/a/clip.wav")
        assert (asked.method, asked.params) == ("GET", {})


async def test_play_without_end_plays_until_the_caller_has_had_enough(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/clip.wav", Answer(wav(tone(300)), content_type="audio/wav"))
        call = await answered(it, twiml('<Play loop="0">/clip.wav</Play><Redirect>/never</Redirect>'))
        await trio.sleep(30)
        assert not call.is_over
        await call.hang_up()
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause, ended.duration_s) == ("completed", "hung-up", 30)
        await it.idle()
        assert it.web.asked("/never") == []


async def test_digits_that_are_played_arrive_as_key_presses(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        call = await answered(it, twiml('<Play digits="12wW*#AD" loop="2"/><Pause/>'))
        await call.over()
        assert "".join(event.digit for event in call.digits) == "12*#AD" * 2
        assert lasted(it, "Play")[0] > 2 * 1.5


async def test_a_pause_before_the_answer_lets_the_phone_ring(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        started = trio.current_time()
        call = await answered(it, twiml('<Pause length="4"/><Say>Hello</Say>'))
        assert statuses(it) == [(started, 100), (started, 180), (pytest.approx(started + 4), 200)]
        await call.over()
        [ended] = await it.ends(1)
        assert ended.duration_s == 1


async def test_a_pause_after_the_answer_is_silence(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        call = await answered(it, twiml('<Say>Hi</Say><Pause length="3"/>'))
        await call.over()
        assert lasted(it, "Pause") == [pytest.approx(3)]
        assert not any(call.heard()[-40_000:])
        assert len(call.heard()) == pytest.approx(3.04 * 16_000, abs=0.1 * 16_000)


async def test_a_document_that_only_pauses_is_never_answered(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml('<Pause length="2"/><Pause/>'))
        started = trio.current_time()
        call = await it.call()
        assert not await call.answered()
        assert call.status == 480
        assert trio.current_time() - started == pytest.approx(3)
        [ended] = await it.ends(1)
        assert ended.status == "no-answer"


# --- documents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "codes"),
    [
        (twiml(), []),
        (Answer(b"<Response/>"), []),
        (Answer(status=204, content_type=None), []),
        (Answer(b""), [11770]),
        (HANGUP, []),
        (twiml("<!-- nothing --><Hangup/><Say>never</Say>"), []),
    ],
)
async def test_an_empty_document_answers_and_hangs_up(
    autojump_clock: MockClock, tmp_path: Path, document: Answer, codes: list[int]
) -> None:
    async with world(tmp_path) as it:
        call = await answered(it, document)
        await call.over()
        assert call.cause is Cause.HUNG_UP
        [ended] = await it.ends(1)
        assert (ended.status, ended.sip_response_code) == ("completed", 200)
        assert it.codes() == codes
        assert it.speech.spoken == []


async def test_sound_in_place_of_a_document_is_played_and_ends_the_call(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    clip = tone(700, 500)
    async with world(tmp_path) as it:
        call = await answered(it, Answer(wav(clip), content_type="audio/wav"))
        await call.over()
        assert it.has_heard(call, clip[:-1600])


@pytest.mark.parametrize(
    ("text", "spoken"),
    [("Nobody is here.", ["Nobody is here."]), ("<Response><Say>Yes</Say><Say>no</Say></Response>", ["Yes", "no"])],
)
async def test_plain_text_is_spoken_unless_it_is_a_document(
    autojump_clock: MockClock, tmp_path: Path, text: str, spoken: list[str]
) -> None:
    async with world(tmp_path) as it:
        call = await answered(it, Answer(text.encode(), content_type="text/plain; charset=utf-8"))
        await call.over()
        assert [each.text for each in it.speech.spoken] == spoken


async def test_what_is_wrong_with_attributes_is_a_warning_and_the_default_counts(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        call = await answered(it, twiml('<Say loop="many">Hi</Say><Pause length="-2"/><Hangup/>'))
        await call.over()
        assert it.codes() == [13510, 13910]
        assert lasted(it, "Pause") == [pytest.approx(1)]


async def test_the_first_document_may_be_asked_with_get(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path, voice_url=f"{BASE}/voice?shop=1", voice_method="GET") as it:
        call = await answered(it, HANGUP)
        await call.over()
        [asked] = it.web.asked("/voice")
        assert (asked.method, asked.body, asked.query[0]) == ("GET", b"", ("shop", "1"))
        assert asked.params["AccountSid"] == ACCOUNT


async def test_a_function_may_stand_in_for_the_application(autojump_clock: MockClock, tmp_path: Path) -> None:
    heard: list[dict[str, str]] = []

    async def voice(params: dict[str, str]) -> str:
        heard.append(params)
        if "Digits" in params:
            return f"<Response><Say>{params['Digits']}</Say></Response>"
        return '<Response><Gather numDigits="2"/></Response>'

    async with world(tmp_path, voice_url=voice) as it:
        call = await it.call()
        assert await call.answered()
        await call.press("42")
        await call.over()
        assert [spoken.text for spoken in it.speech.spoken] == ["42"]
        assert [params["CallStatus"] for params in heard] == ["ringing", "in-progress"]


# --- Redirect, Reject, Hangup ----------------------------------------------------------------------------------------


async def test_redirects_keep_the_call_ringing_and_replace_the_document(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path, voice_url=f"{BASE}/menus/first?x=1") as it:
        it.web.on("/menus/first", twiml('<Redirect method="GET">second?y=2</Redirect><Say>never</Say>'))
        it.web.on("/menus/second", twiml("<Redirect>../third</Redirect>"))
        it.web.on("/third", twiml("<Reject/>"))
        call = await it.call()
        assert not await call.answered()
        assert [(asked.method, asked.target.partition("&")[0]) for asked in it.web.requests[:3]] == [
            ("POST", "/menus/first?x=1"),
            ("GET", "/menus/second?y=2"),
            ("POST", "/third"),
        ]
        assert {asked.params["CallStatus"] for asked in it.web.requests[:3]} == {"ringing"}
        assert [status for _, status in statuses(it)] == [100, 180, 404]
        assert it.of(CallAnswered) == []


async def test_an_empty_redirect_asks_the_same_document_again_at_a_bounded_pace(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", *([twiml("<Redirect/>")] * 19), HANGUP)
        call = await it.call()
        assert await call.answered()
        asked = it.web.asked("/voice")
        assert len(asked) == 20
        assert asked[7].at - asked[0].at < 0.1
        assert all(later.at - one.at == pytest.approx(1) for one, later in pairwise(asked[8:]))
        await call.over()


@pytest.mark.parametrize(("reason", "status", "ended"), [("busy", 486, "busy"), ("rejected", 404, "no-answer")])
async def test_reject_after_a_pause_still_refuses(
    autojump_clock: MockClock, tmp_path: Path, reason: str, status: int, ended: str
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml(f'<Pause length="2"/><Reject reason="{reason}"/><Say>never</Say>'))
        call = await it.call()
        assert not await call.answered()
        assert call.status == status
        [event] = await it.ends(1)
        assert event.status == ended


async def test_reject_in_an_answered_call_hangs_up(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        call = await answered(it, twiml("<Say>Hi</Say><Reject/><Say>never</Say>"))
        await call.over()
        [ended] = await it.ends(1)
        assert (ended.status, call.cause) == ("completed", Cause.HUNG_UP)
        assert len(it.speech.spoken) == 1


async def test_a_caller_who_hangs_up_mid_document_drops_the_rest(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        call = await answered(it, twiml('<Pause length="1"/><Say>Hello out there</Say><Redirect>/next</Redirect>'))
        await trio.sleep(0.1)
        await call.hang_up()
        await it.idle()
        assert it.web.asked("/next") == []
        [status] = it.web.asked("/status")
        assert (status.params["CallStatus"], status.params["CallDuration"]) == ("completed", "1")


async def test_a_caller_who_hangs_up_while_the_application_thinks_is_not_answered_to(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/next", twiml("<Say>too late</Say><Redirect>/more</Redirect>", delay_s=5))
        call = await answered(it, twiml("<Say>Hi</Say><Redirect>/next</Redirect>"))
        await it.web.wait_for(1, "/next")
        await call.hang_up()
        await it.idle()
        assert it.web.asked("/more") == []
        assert [spoken.text for spoken in it.speech.spoken] == ["Hi"]


# --- Gather ----------------------------------------------------------------------------------------------------------

GATHERS: list[tuple[str, str, str, tuple[str, str] | None]] = [
    # attributes, keys one second apart, the whole sentence, (Digits, FinishedOnKey) or None
    ("", "42#", "the finish key ends it and is no digit", ("42", "#")),
    ('finishOnKey="*"', "4#2*", "another finish key makes # a digit", ("4#2", "*")),
    ('numDigits="3"', "123", "the last digit ends it at once", ("123", "")),
    ('numDigits="3"', "1#", "the finish key ends it before the last digit", ("1", "#")),
    ('finishOnKey="" numDigits="4"', "1#*2", "without a finish key every key is data", ("1#*2", "")),
    ('finishOnKey="" timeout="2"', "1#", "without a finish key time ends it", ("1#", "")),
    ('timeout="2"', "77", "time ends it after the last digit", ("77", "")),
    ("", "#", "the finish key alone is nothing", None),
    ('actionOnEmptyResult="true"', "#", "the finish key alone is told when asked for", ("", "#")),
    ('timeout="2"', "", "nothing falls through", None),
    ('timeout="2" actionOnEmptyResult="true"', "", "nothing is told when asked for", ("", "")),
    ('numDigits="1"', "A", "letters are keys too", ("A", "")),
    ('input="dtmf speech" numDigits="1"', "5", "keys count where speech would", ("5", "")),
]


@pytest.mark.parametrize(("attributes", "keys", "sentence", "told"), GATHERS, ids=[row[2] for row in GATHERS])
async def test_gather(
    autojump_clock: MockClock,
    tmp_path: Path,
    attributes: str,
    keys: str,
    sentence: str,
    told: tuple[str, str] | None,
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/action", HANGUP)
        it.web.on("/next", HANGUP)
        call = await answered(it, twiml(f'<Gather action="/action" {attributes}/><Redirect>/next</Redirect>'))
        for key in keys:
            await call.press(key)
            await trio.sleep(1)
        await call.over()
        if told is None:
            assert (len(it.web.asked("/action")), len(it.web.asked("/next"))) == (0, 1)
        else:
            [asked] = it.web.asked("/action")
            assert (asked.params["Digits"], asked.params["FinishedOnKey"]) == told
            assert (asked.params["msg"], asked.params["CallStatus"]) == ("Gather End", "in-progress")
            assert it.web.asked("/next") == []


async def test_without_an_action_gather_asks_its_own_document_with_the_method_it_names(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml('<Gather numDigits="1" method="GET"/>'), HANGUP)
        call = await it.call()
        assert await call.answered()
        await call.press("9")
        await call.over()
        first, second = it.web.asked("/voice")
        assert (first.method, second.method, dict(second.query)["Digits"]) == ("POST", "GET", "9")


async def test_a_key_stops_every_prompt(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/clip.wav", Answer(wav(tone(5000)), content_type="audio/wav"))
        prompts = "<Say>Press</Say><Play>/clip.wav</Play><Say>Now</Say>"
        it.web.on("/voice", twiml(f'<Gather timeout="3">{prompts}</Gather>'), HANGUP)
        call = await it.call()
        assert await call.answered()
        await trio.sleep(1)
        pressed = trio.current_time()
        await call.press("1")
        await call.over()
        [_, action] = it.web.asked("/voice")
        assert action.at - pressed == pytest.approx(3, abs=0.2)
        assert not any(call.heard()[-40_000:])
        # Both texts were spoken before the first prompt began.
        assert [spoken.text for spoken in it.speech.spoken] == ["Press", "Now"]


async def test_the_timeout_begins_when_the_prompts_have_ended(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/next", HANGUP)
        started = trio.current_time()
        prompts = '<Say>0123456789</Say><Pause length="2"/><Say>0123456789</Say>'
        call = await answered(it, twiml(f'<Gather timeout="4">{prompts}</Gather><Redirect>/next</Redirect>'))
        await call.over()
        [asked] = it.web.asked("/next")
        assert asked.at - started == pytest.approx(0.2 + 2 + 0.2 + 4, abs=0.05)


async def test_every_digit_starts_the_timeout_anew(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/action", HANGUP)
        call = await answered(it, twiml('<Gather timeout="3" action="/action"/>'))
        for key in "12345":
            await trio.sleep(2.5)
            await call.press(key)
        last = trio.current_time()
        await call.over()
        [asked] = it.web.asked("/action")
        assert asked.params["Digits"] == "12345"
        assert asked.at - last == pytest.approx(3, abs=0.2)


async def test_digits_before_the_gather_are_not_kept(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/action", HANGUP)
        call = await answered(it, twiml('<Say>Hi</Say><Pause length="3"/><Gather timeout="2" action="/action"/>'))
        await trio.sleep(1)
        await call.press("11")
        await trio.sleep(2.5)
        await call.press("2")
        await call.over()
        assert it.web.asked("/action")[0].params["Digits"] == "2"


@pytest.mark.parametrize(("keys", "told"), [("73", True), ("", False)])
async def test_a_caller_who_hangs_up_in_a_gather_is_told_of_with_what_was_pressed(
    autojump_clock: MockClock, tmp_path: Path, keys: str, told: bool
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/action", twiml("<Say>never</Say>"))
        call = await answered(it, twiml('<Gather action="/action" actionOnEmptyResult="true"><Say>Hi</Say></Gather>'))
        if keys:
            await call.press(keys)
        await call.hang_up()
        await it.idle()
        asked = it.web.asked("/action")
        assert len(asked) == told
        if told:
            assert (asked[0].params["Digits"], asked[0].params["CallStatus"]) == ("73", "completed")
        assert [spoken.text for spoken in it.speech.spoken] == ["Hi"]
        assert len(it.web.asked("/status")) == 1


# --- Record ----------------------------------------------------------------------------------------------------------


def recorded(it: World, asked: Asked) -> bytes:
    """The samples of the recording that a request tells of."""
    path = it.server.tree.services.recordings.find(asked.params["RecordingSid"])
    assert path is not None
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        samples: bytes = file.readframes(file.getnframes())
        return samples


async def test_record_beeps_and_ends_on_silence(autojump_clock: MockClock, tmp_path: Path) -> None:
    words = tone(1500, 700)
    async with world(tmp_path) as it:
        it.web.on("/done", HANGUP)
        call = await answered(it, twiml('<Record action="/done" timeout="2"/><Say>never</Say>'))
        assert await call.hears(beep_in)
        await trio.sleep(0.5)
        await call.say(Clip(words))
        spoken = trio.current_time()
        await call.over()
        [done] = it.web.asked("/done")
        assert done.at - spoken == pytest.approx(2, abs=0.3)
        assert (done.params["Digits"], done.params["CallStatus"]) == ("", "in-progress")
        assert int(done.params["RecordingDuration"]) in (4, 5)
        assert done.params["RecordingUrl"].endswith(f"/Accounts/{ACCOUNT}/Recordings/{done.params['RecordingSid']}")
        assert 1.5 <= len(recorded(it, done)) / 16_000 < 2.0  # silence at both ends is cut off
        assert it.speech.spoken == []


async def test_record_keeps_everything_when_it_is_not_to_trim(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/done", HANGUP)
        call = await answered(
            it, twiml('<Record action="/done" trim="do-not-trim" playBeep="false" timeout="0" maxLength="5"/>')
        )
        started = trio.current_time()
        await trio.sleep(1)
        await call.say(Clip(tone(500)))
        await call.over()
        [done] = it.web.asked("/done")
        assert done.at - started == pytest.approx(5, abs=0.2)
        assert done.params["RecordingDuration"] == "5"
        assert len(recorded(it, done)) / 16_000 == pytest.approx(5, abs=0.1)
        assert not any(call.heard())


@pytest.mark.parametrize(("attributes", "keys", "digits"), [("", "7", "7"), ('finishOnKey="*#"', "12#", "#")])
async def test_record_ends_on_its_keys_and_no_other(
    autojump_clock: MockClock, tmp_path: Path, attributes: str, keys: str, digits: str
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/done", HANGUP)
        call = await answered(it, twiml(f'<Record action="/done" method="GET" playBeep="false" {attributes}/>'))
        await trio.sleep(1)
        await call.press(keys)
        await call.over()
        [done] = it.web.asked("/done")
        assert (done.method, done.params["Digits"]) == ("GET", digits)


async def test_a_caller_who_hangs_up_ends_the_recording_and_it_is_told(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/done", twiml("<Say>never</Say>"))
        call = await answered(it, twiml('<Record action="/done" playBeep="false"/>'))
        await call.say(Clip(tone(1000)))
        await call.hang_up()
        await it.idle()
        [done] = it.web.asked("/done")
        assert (done.params["Digits"], done.params["CallStatus"]) == ("hangup", "completed")
        assert len(recorded(it, done)) / 16_000 == pytest.approx(1, abs=0.15)
        assert it.speech.spoken == []


async def test_without_an_action_record_asks_its_own_document(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml('<Record playBeep="false" maxLength="2"/>'), HANGUP)
        call = await it.call()
        await call.over()
        [_, second] = it.web.asked("/voice")
        assert "RecordingSid" in second.params


async def test_the_recording_callback_hears_of_its_events_in_order(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/done", HANGUP)
        call = await answered(
            it,
            twiml(
                '<Record action="/done" maxLength="3" recordingStatusCallback="/recording"'
                ' recordingStatusCallbackEvent="in-progress completed absent"/>'
            ),
        )
        await trio.sleep(1.5)
        await call.say(Clip(tone(500)))
        await call.over()
        [done] = it.web.asked("/done")
        told = await it.web.wait_for(2, "/recording")
        assert [asked.params["RecordingStatus"] for asked in told] == ["in-progress", "completed"]
        assert {asked.params["RecordingSid"] for asked in told} == {done.params["RecordingSid"]}
        assert told[1].params["RecordingDuration"] == done.params["RecordingDuration"] == "3"
        assert (told[1].params["RecordingSource"], told[1].params["RecordingChannels"]) == ("RecordVerb", "1")


async def test_the_recording_callback_hears_of_the_end_alone_unless_it_asks_for_more(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/done", HANGUP)
        it.web.on("/recording", Answer(status=204, content_type=None))
        call = await answered(it, twiml('<Record action="/done" maxLength="2" recordingStatusCallback="/recording"/>'))
        await call.over()
        await it.idle()
        assert [asked.params["RecordingStatus"] for asked in it.web.asked("/recording")] == ["completed"]


async def test_a_caller_who_hangs_up_in_the_beep_leaves_nothing_to_keep(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/done", HANGUP)
        it.web.on("/recording", Answer(status=204, content_type=None))
        call = await answered(
            it,
            twiml(
                '<Record action="/done" recordingStatusCallback="/recording"'
                ' recordingStatusCallbackEvent="completed absent"/>'
            ),
        )
        await call.hang_up()
        await it.idle()
        [done] = it.web.asked("/done")
        assert (done.params["Digits"], done.params["RecordingDuration"]) == ("hangup", "0")
        assert "RecordingUrl" not in done.params
        assert [asked.params["RecordingStatus"] for asked in it.web.asked("/recording")] == ["absent"]
        assert list(it.server.tree.services.recordings.list()) == []
        assert it.server.tree.services.recordings.drafts() == ()


async def test_where_no_sound_arrives_at_all_no_silence_ends_a_recording(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/done", HANGUP)
        it.web.on(
            "/voice",
            twiml(
                '<Say>Hi</Say><Pause length="2"/><Record action="/done" playBeep="false" timeout="3" maxLength="9"/>'
            ),
        )
        await peer.up()
        await it.verb("Record")
        started = trio.current_time()
        await peer.asked("BYE")
        assert trio.current_time() - started == pytest.approx(9, abs=0.1)


async def test_sound_that_comes_and_goes_while_the_application_thinks_ends_no_call(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """A phone that sends nothing in its silences, say: each end of a silence is news that nobody waits for."""

    def holes(sent: Sent) -> bool:
        return sent.source[0] == PHONE and sent.target[1] >= RTP_FROM and sent.at % 0.3 < 0.26

    async with world(tmp_path) as it:
        it.web.on("/next", twiml("<Say>Still here</Say>", delay_s=14))
        call = await answered(it, twiml("<Say>Hi</Say><Redirect>/next</Redirect>"))
        it.network.lose(holes, 100_000)
        await call.over()
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause) == ("completed", "document-ended")
        assert [spoken.text for spoken in it.speech.spoken] == ["Hi", "Still here"]
