"""Ends of calls that nobody planned: no ports, a fault before the answer, a server that goes, an engine that hangs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import ActorCrashed, BusEvent, VerbEnded
from offhook.media.events import AudioArrived
from offhook.server.config import MediaSettings
from offhook.sip.dialog.events import Cause
from offhook.testing.phone import PhoneCall
from offhook.testing.speech import FakeSpeech
from offhook.testing.web import Answer, twiml

from .kit import World, config_for, poison_call, poison_leg, world

LONG = twiml('<Say>Hello</Say><Pause length="600"/>')


async def test_without_a_free_port_a_call_is_refused_and_the_next_one_has_it(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    config = attrs.evolve(config_for(tmp_path), media=MediaSettings(rtp_ports="20000-20003"))
    async with world(tmp_path, config=config) as it:
        it.web.on("/voice", LONG)
        calls = [await it.call() for _ in range(3)]
        up = [call for call in calls if await call.answered()]
        [refused] = [call for call in calls if call not in up]
        assert refused.status is not None
        assert refused.status >= 500
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause) == ("failed", "no-media")
        await up[0].hang_up()
        await trio.sleep(1)
        later = await it.call()
        assert await later.answered()
        for call in (up[1], later):
            await call.hang_up()
        await it.idle()


@pytest.mark.parametrize("poison", [poison_call, poison_leg])
async def test_a_fault_before_the_answer_is_500(
    autojump_clock: MockClock, tmp_path: Path, poison: Callable[[World, str], None]
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml("<Say>never</Say>", delay_s=14))
        call = await it.call()
        [asked] = await it.web.wait_for(1, "/voice")
        poison(it, asked.params["CallSid"])
        assert not await call.answered()
        assert call.status == 500
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause) == ("failed", "crash")
        [status] = await it.web.wait_for(1, "/status")
        assert status.params["CallStatus"] == "failed"
        assert len(it.of(ActorCrashed)) == 1
        await it.idle()
        assert it.speech.spoken == []


async def test_a_call_that_is_shut_down_is_told_bye(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", LONG)
        calls = [await it.call() for _ in range(3)]
        for call in calls:
            assert await call.answered()
        await it.server.tree.hang_up_all()
        for call in calls:
            await call.over()
            assert call.cause is Cause.HUNG_UP
        assert {(event.status, event.cause) for event in await it.ends(3)} == {("completed", "shutdown")}
        assert len(await it.web.wait_for(3, "/status")) == 3


async def test_a_drain_that_takes_too_long_says_so(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", LONG)
        call = await it.call()
        assert await call.answered()
        started = trio.current_time()
        assert not await it.server.drain(within_s=7)
        assert trio.current_time() - started == pytest.approx(7)
        assert not call.is_over
        await call.hang_up()
        assert await it.server.drain(within_s=7)


async def over_in_time(it: World, call: PhoneCall) -> None:
    """The caller hangs up; application and registry hear of it at once, whatever the program waits for."""
    await trio.sleep(1)
    await call.hang_up()
    hung_up = trio.current_time()
    [status] = await it.web.wait_for(1, "/status")
    assert status.params["CallStatus"] == "completed"
    assert trio.current_time() - hung_up < 0.1
    await it.idle()


async def test_a_caller_need_not_wait_for_an_engine_that_hangs(autojump_clock: MockClock, tmp_path: Path) -> None:
    speech = FakeSpeech(delay_s=1000)
    async with world(tmp_path, speech=speech) as it:
        it.web.on("/voice", twiml("<Say>Hello</Say><Redirect>/next</Redirect>"))
        call = await it.call()
        assert await call.answered()
        await over_in_time(it, call)
        assert it.web.asked("/next") == []


async def test_who_waits_for_the_same_words_gets_them_though_the_first_has_gone(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    speech = FakeSpeech(delay_s=30)
    async with world(tmp_path, speech=speech) as it:
        it.web.on("/voice", twiml("<Say>Hello</Say><Redirect>/next</Redirect>"))
        it.web.on("/next", twiml("<Hangup/>"))
        first = await it.call()
        await trio.sleep(0.1)
        second = await it.call()
        assert await second.answered()
        await first.hang_up()
        await second.over()
        assert len(it.web.asked("/next")) == 1
        await it.idle()


async def test_a_caller_need_not_wait_for_a_file_that_drips(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/clip.wav", Answer(b"RIFF", content_type="audio/wav", delay_s=14))
        it.web.on("/voice", twiml("<Play>/clip.wav</Play><Redirect>/next</Redirect>"))
        call = await it.call()
        assert await call.answered()
        await over_in_time(it, call)
        assert it.web.asked("/next") == []


async def test_a_function_that_raises_is_an_application_that_failed(autojump_clock: MockClock, tmp_path: Path) -> None:
    async def broken(params: dict[str, str]) -> str:
        raise ZeroDivisionError("a bug of the customer's")

    async with world(tmp_path, voice_url=broken) as it:
        call = await it.call()
        assert await call.answered()
        await call.over()
        assert it.has_heard_notice(call)
        assert it.codes() == [11200]


async def test_a_function_that_does_not_return_has_15_seconds(autojump_clock: MockClock, tmp_path: Path) -> None:
    async def stuck(params: dict[str, str]) -> str:
        await trio.sleep(1000)
        return ""

    async def fallback(params: dict[str, str]) -> str:
        return f"<Response><Say>{params['ErrorCode']}</Say></Response>"

    async with world(tmp_path, voice_url=stuck, voice_fallback_url=fallback) as it:
        started = trio.current_time()
        call = await it.call()
        assert await call.answered()
        assert trio.current_time() - started == pytest.approx(15)
        await call.over()
        assert [spoken.text for spoken in it.speech.spoken] == ["11203"]


async def test_news_of_sound_that_comes_just_as_the_program_ends_is_no_fault(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:

        def more_news(event: BusEvent) -> None:
            if isinstance(event, VerbEnded):
                [entry] = it.server.tree.services.registry.calls.values()
                entry.ref.post(AudioArrived())  # type: ignore[arg-type]  # more than the registry lets others say

        it.server.bus.listen(more_news)
        it.web.on("/voice", twiml("<Say>Hello</Say>"))
        call = await it.call()
        await call.over()
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause) == ("completed", "document-ended")
