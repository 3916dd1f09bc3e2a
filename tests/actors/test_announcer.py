"""Announcer: files and words become clips, once for all who want them; failures carry their codes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.announcer import Announcer, PromptFailed, load_notice
from offhook.media.pcm import rms
from offhook.testing.network import FakeNetwork
from offhook.testing.speech import FakeSpeech, Spoken, inline, tone, wav
from offhook.testing.web import Answer, Asked, CustomerApp
from offhook.transport.webhook import WebhookClient

SERVER = "93.184.216.34"
FILE = wav(tone(500))


@attrs.define(eq=False)
class World:
    app: CustomerApp
    speech: FakeSpeech
    announcer: Announcer


@asynccontextmanager
async def open_world() -> AsyncIterator[World]:
    network = FakeNetwork()
    app, speech = CustomerApp(), FakeSpeech(delay_s=0.5)
    client = WebhookClient(network.host("192.0.2.1"))
    async with app.serving(network.host(SERVER), (SERVER, 80)), client:
        yield World(app, speech, Announcer(client, speech, offload=inline))


def sound(body: bytes = FILE, kind: str | None = "audio/wav", *headers: tuple[str, str], delay_s: float = 0) -> Answer:
    return Answer(body, content_type=kind, headers=headers, delay_s=delay_s)


async def failure(world: World, path: str) -> PromptFailed:
    with pytest.raises(PromptFailed) as caught:
        await world.announcer.fetch(f"http://{SERVER}{path}")
    return caught.value


async def test_a_file_becomes_a_clip(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/hello.wav", sound())
        clip = await world.announcer.fetch(f"http://{SERVER}/hello.wav?x=1")
        assert clip.samples == tone(500)
        (asked,) = world.app.requests
        assert (asked.method, asked.target, asked.body) == ("GET", "/hello.wav?x=1", b"")


async def test_a_file_that_is_still_the_same_is_neither_loaded_nor_decoded_again(autojump_clock: MockClock) -> None:
    async with open_world() as world:

        def answer(asked: Asked) -> Answer:
            if asked.header("if-none-match") == "v1":
                return Answer(b"", 304, None)
            return sound(FILE, "audio/wav", ("ETag", "v1"))

        world.app.on("/a.wav", answer)
        clips = [await world.announcer.fetch(f"http://{SERVER}/a.wav") for _ in range(3)]
        assert clips[0] is clips[1] is clips[2]
        assert len(world.app.requests) == 3


async def test_many_calls_share_one_fetch(autojump_clock: MockClock) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        world.app.on("/a.wav", sound(delay_s=1))
        for _ in range(20):
            nursery.start_soon(world.announcer.fetch, f"http://{SERVER}/a.wav")
        await world.app.wait_for(1)
    assert len(world.app.requests) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (sound(b"<html/>", "text/html"), 13420),
        (sound(FILE, "application/json"), 13420),
        (sound(FILE, None), 12300),
        (sound(b"not a sound at all", "audio/mpeg"), 11200),
        (sound(b"", "audio/wav"), 11200),
        (sound(b"RIFF\x00\x00\x00\x00WAVE", "audio/wav"), 11200),
        (Answer(b"", 404, "text/plain"), 11200),
    ],
)
async def test_a_file_that_cannot_be_played_has_a_code(autojump_clock: MockClock, answer: Answer, code: int) -> None:
    async with open_world() as world:
        world.app.on("/a.wav", answer)
        error = await failure(world, "/a.wav")
        assert (error.code, error.url) == (code, f"http://{SERVER}/a.wav")


async def test_a_file_on_a_host_that_must_not_be_reached_has_the_code_of_the_client(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        with pytest.raises(PromptFailed) as caught:
            await world.announcer.fetch("http://127.0.0.1/a.wav")
        assert caught.value.code == 11210


async def test_sound_in_a_documents_place_is_decoded(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        clip = await world.announcer.decode(FILE, "audio/x-wav; rate=8000")
        assert clip.duration_ms == 500


async def test_a_text_is_spoken_once_for_each_voice_and_language(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        first = await world.announcer.say("Hello")
        assert await world.announcer.say("Hello", voice="man", language="en-US") is first
        assert await world.announcer.say("Hello", voice="woman") is not first
        assert [spoken.voice for spoken in world.speech.spoken] == ["man", "woman"]


async def test_many_calls_share_one_speaking(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(world.announcer.say, "Please hold")
        assert len(world.speech.spoken) == 1


async def test_mark_up_goes_to_voices_that_have_it_and_the_basic_ones_get_the_words(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        marked = "Hi <emphasis>you</emphasis>"
        await world.announcer.say("Hi you", marked, voice="Polly.Amy")
        await world.announcer.say("Hi you", marked, voice="alice")
        assert world.speech.spoken == [
            Spoken(f"<speak>{marked}</speak>", True, "Polly.Amy", "en-US"),
            Spoken("Hi you", False, "alice", "en-US"),
        ]


@pytest.mark.parametrize(("voice", "most"), [("man", 4096), ("Polly.Amy", 3000), ("Google.en-US-Standard-A", 5000)])
async def test_a_text_may_be_so_long_for_its_voice(autojump_clock: MockClock, voice: str, most: int) -> None:
    async with open_world() as world:
        world.speech.ms_per_character = 1
        await world.announcer.say("x" * most, voice=voice)
        with pytest.raises(PromptFailed) as caught:
            await world.announcer.say("x" * (most + 1), voice=voice)
        assert caught.value.code == 13521


async def test_google_counts_its_tags_and_polly_does_not(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        marked = "<p>" + "x" * 2999 + "</p>" + "<s/>" * 600
        await world.announcer.say("x" * 2999, marked, voice="Polly.Amy")
        with pytest.raises(PromptFailed):
            await world.announcer.say("x" * 2999, marked, voice="Google.en-US-Standard-A")


async def test_nothing_to_say_and_an_engine_that_fails_have_codes(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        with pytest.raises(PromptFailed) as caught:
            await world.announcer.say(" \n")
        assert caught.value.code == 13520
        world.speech.failing = True
        with pytest.raises(PromptFailed) as caught:
            await world.announcer.say("Hello")
        assert caught.value.code == 12400
        world.speech.failing = False
        assert (await world.announcer.say("Hello")).duration_ms > 0


def test_the_error_notice_is_a_recording_of_a_few_seconds() -> None:
    notice = load_notice()
    assert 1500 < notice.duration_ms < 6000
    assert rms(notice.samples) > 500
