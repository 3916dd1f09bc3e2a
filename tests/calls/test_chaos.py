"""Phones and applications that do anything at any time on cables that do the same: nothing crashes, nothing is left.

What each call was to hear is not judged here, only what must always hold: one end for each call, told once, on both
sides, and a server that afterwards looks as it did before.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.mailbox import ActorGone
from offhook.actors.messages.events import ActorCrashed, CallStarted, RecordingReady
from offhook.media.sources import Clip
from offhook.testing.network import Conditions
from offhook.testing.phone import PhoneCall
from offhook.testing.speech import tone, wav
from offhook.testing.web import Answer, Asked, Behaviour, HangUp, twiml

from .kit import World, world

CALLS: Final = 6
VERBS: Final = (
    "<Say>Hello out there</Say>",
    '<Say loop="3">Again</Say>',
    "<Play>/clip.wav</Play>",
    '<Play digits="1w2"/>',
    "<Pause/>",
    '<Pause length="4"/>',
    '<Gather numDigits="2" action="/next"><Say>Press</Say><Pause/></Gather>',
    '<Gather timeout="1" actionOnEmptyResult="true" action="/next"/>',
    '<Record maxLength="3" action="/next" recordingStatusCallback="/recording"/>',
    '<Record playBeep="false" timeout="1" action="/next"/>',
    "<Redirect>/next</Redirect>",
    "<Reject/>",
    "<Hangup/>",
    "<Dial>+14155550100</Dial>",
    "<Play>/missing.wav</Play>",
)
CABLES: Final = (
    Conditions(),
    Conditions(delay_s=0.02, jitter_s=0.03),
    Conditions(delay_s=0.01, loss=0.2, duplicate=0.1, reorder=0.1, reorder_s=0.6),
)


def application(dice: random.Random) -> Behaviour:
    """The next answer of an application that has nothing to do with the question."""
    roll = dice.random()
    if roll < 0.04:
        return Answer(b"", 500)
    if roll < 0.08:
        return HangUp()
    if roll < 0.12:
        return Answer(b"<Response><Say>half")
    count = dice.randrange(4)
    return twiml("".join(dice.choice(VERBS) for _ in range(count)), delay_s=dice.choice((0, 0, 0.3, 2)))


async def person(call: PhoneCall, dice: random.Random) -> None:
    """Somebody who does things, and hangs up in the end."""
    for _ in range(dice.randrange(1, 6)):
        await trio.sleep(dice.choice((0.0, 0.02, 0.5, 1.7, 3.1)))
        if call.is_over:
            return
        deed = dice.randrange(7)
        try:
            if call.status is None:
                if deed == 0:
                    await call.cancel()
            elif deed == 1:
                await call.press(dice.choice(("1", "42", "#", "*9")))
            elif deed == 2:
                await call.say(Clip(tone(400)))
            elif deed == 3:
                await call.reoffer(lambda offer: offer.replace(b"a=sendrecv", b"a=sendonly"))
            elif deed == 4:
                await call.reoffer(lambda offer: offer)
            elif deed == 5:
                await call.hang_up()
        except ActorGone:
            return  # the far end was faster
    with trio.move_on_after(dice.choice((1, 10))):
        await call.over()
    if not call.is_over:
        try:
            await (call.hang_up() if call.status == 200 else call.cancel())
        except ActorGone:
            return


async def dial(it: World, dice: random.Random, transport: str) -> None:
    await trio.sleep(dice.random() * 5)
    call = await it.phone.call(it.target, via=f"{it.proxy};transport={transport}", offerless=dice.random() < 0.2)
    await person(call, dice)


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_they_do_every_call_ends_once_and_nothing_is_left(
    autojump_clock: MockClock, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    async with world(
        tmp_path, seed=seed, conditions=dice.choice(CABLES), voice_fallback_url=dice.choice((None, "http://10.0.0.3/f"))
    ) as it:
        it.limit(max_call_s=60.0)

        def anything(asked: Asked) -> Behaviour:
            return application(dice)

        it.web.on("*", anything)
        it.web.on("/missing.wav", Answer(b"", 404))
        it.web.on("/clip.wav", Answer(wav(tone(900)), content_type="audio/wav"))
        it.web.on("/recording", Answer(status=204, content_type=None))
        async with trio.open_nursery() as nursery:
            for number in range(CALLS):
                nursery.start_soon(dial, it, random.Random(seed * 1000 + number), dice.choice(("udp", "udp", "tcp")))
        await it.idle(180)
        started = [event.call_sid for event in it.of(CallStarted)]
        ended = [event.call_sid for event in await it.ends(len(started))]
        told = [asked.params["CallSid"] for asked in it.web.asked("/status")]
        assert sorted(started) == sorted(ended) == sorted(told)
        assert it.of(ActorCrashed) == []
        recordings = it.server.tree.services.recordings
        assert len(list(recordings.list())) == len(it.of(RecordingReady))
        assert recordings.drafts() == ()
        assert it.phone.registry.legs == {}
        assert it.phone.registry.transactions == {}
        assert len(it.phone.linger) == 0
