"""The speech helpers: real processes, so real time."""

from __future__ import annotations

import sys

import pytest
import trio

from offhook.transport.speech import TEXT_MAX, Sound, SpeechFailed, SpeechHelpers, SpeechRefused, speakable

pytestmark = pytest.mark.wire

ENGLISH = ("en-us",)


def seconds(sound: Sound) -> float:
    return len(sound.samples) / 2 / sound.rate_hz


async def test_a_sentence_is_spoken_and_longer_texts_take_longer() -> None:
    async with SpeechHelpers() as helpers:
        short = await helpers.speak("Hello.", voices=ENGLISH)
        long = await helpers.speak("Hello, and thank you for calling us today.", voices=ENGLISH)
        assert 0.3 < seconds(short) < 1.5 < seconds(long) < 5
        assert max(short.samples) > 0
        assert helpers.starts == 1


async def test_the_first_voice_that_exists_is_taken() -> None:
    async with SpeechHelpers() as helpers:
        fallback = await helpers.speak("Hello", voices=("tlh-xx", "en-us"))
        assert seconds(fallback) == pytest.approx(seconds(await helpers.speak("Hello", voices=ENGLISH)), abs=0.05)
        with pytest.raises(SpeechRefused):
            await helpers.speak("Hello", voices=("tlh-xx",))
        assert seconds(await helpers.speak("Still here", voices=ENGLISH)) > 0
        assert helpers.starts == 1


async def test_mark_up_is_carried_out() -> None:
    async with SpeechHelpers() as helpers:
        plain = await helpers.speak("one two", voices=ENGLISH, ssml=True)
        broken = await helpers.speak('one <break time="2s"/> two', voices=ENGLISH, ssml=True)
        assert seconds(broken) > seconds(plain) + 1.5


async def test_text_that_only_looks_like_mark_up_is_spoken_as_text() -> None:
    async with SpeechHelpers() as helpers:
        sound = await helpers.speak('one <break time="9s"/> two', voices=ENGLISH)
        assert seconds(sound) < 9


def test_elements_that_reach_the_machine_are_left_out() -> None:
    assert speakable('a <audio src="/etc/passwd">x</audio> b') == "a  x  b"
    assert (
        speakable("<speak>a <emphasis level='strong'>b</emphasis></speak>")
        == " a <emphasis level='strong'>b</emphasis> "
    )
    assert speakable('a <mark name="x"/><!-- c --><?pi?> b').split() == ["a", "b"]
    assert speakable("a < b").split() == ["a"]


async def test_a_helper_that_was_killed_is_replaced() -> None:
    async with SpeechHelpers(workers=1) as helpers:
        await helpers.speak("one", voices=ENGLISH)
        helpers._idle[0].process.kill()
        await helpers._idle[0].process.wait()
        assert seconds(await helpers.speak("two", voices=ENGLISH)) > 0
        assert helpers.starts == 2


async def test_cancelling_frees_the_helper_for_others() -> None:
    async with SpeechHelpers(workers=1) as helpers:
        with trio.move_on_after(0.05) as scope:
            while True:
                await helpers.speak("a long text " * 300, voices=ENGLISH)
        assert scope.cancelled_caught
        assert seconds(await helpers.speak("next", voices=ENGLISH)) > 0


CHILDREN = {
    "dies": "import sys; sys.stdin.buffer.read(4)",
    "babbles": "import sys; sys.stdout.write('x' * 100); sys.stdout.flush(); sys.stdin.buffer.read()",
    "hangs": "import sys, time; sys.stdin.buffer.read(4); time.sleep(60)",
}


@pytest.mark.parametrize(("child", "starts"), [("dies", 2), ("babbles", 1), ("hangs", 1)])
async def test_an_evil_helper_costs_an_error_and_its_life(child: str, starts: int) -> None:
    helpers = SpeechHelpers(timeout_s=0.5, command=(sys.executable, "-I", "-c", CHILDREN[child]))
    async with helpers:
        with pytest.raises(SpeechFailed):
            await helpers.speak("Hello", voices=ENGLISH)
        assert helpers.starts == starts
        assert helpers._idle == []


async def test_a_helper_that_cannot_be_started_is_an_error() -> None:
    async with SpeechHelpers(command=("/nonexistent/helper",)) as helpers:
        with pytest.raises(SpeechFailed):
            await helpers.speak("Hello", voices=ENGLISH)


async def test_texts_and_voices_are_checked_before_a_helper_sees_them() -> None:
    async with SpeechHelpers() as helpers:
        for text, voices in [("x" * (TEXT_MAX + 1), ENGLISH), ("x", ()), ("x", ("../../etc",))]:
            with pytest.raises(SpeechRefused):
                await helpers.speak(text, voices=voices)
        assert helpers.starts == 0


async def test_closed_helpers_speak_no_more() -> None:
    helpers = SpeechHelpers()
    await helpers.speak("Hello", voices=ENGLISH)
    await helpers.aclose()
    with pytest.raises(SpeechFailed):
        await helpers.speak("Hello", voices=ENGLISH)
