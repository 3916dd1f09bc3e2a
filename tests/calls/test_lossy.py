"""The same calls on cables that lose, double and reorder: both ends come to the same end, and nothing stays behind."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import ActorCrashed, CallAnswered, CallStarted
from offhook.server.config import CredentialSettings
from offhook.sip.dialog.events import Cause
from offhook.testing.network import Conditions
from offhook.testing.phone import PhoneCall
from offhook.testing.web import twiml

from .kit import PHONE, SERVER, World, world

BAD: Final = Conditions(delay_s=0.01, jitter_s=0.01, loss=0.15, duplicate=0.1, reorder=0.1, reorder_s=0.7)
"""A late datagram here comes after the first copy of it: retransmission and original meet."""
AWFUL: Final = Conditions(delay_s=0.05, jitter_s=0.05, loss=0.6, duplicate=0.1, reorder=0.1, reorder_s=0.7)
SETTLED_S: Final = 140.0
"""A BYE given up after 32 s, an INVITE before it, and what lingers after each."""

DOCUMENT: Final = twiml('<Say>Press</Say><Gather numDigits="2" action="/key" timeout="20"/>')


async def judge(it: World, call: PhoneCall, wanted: str) -> None:
    """Everything is over on both sides, once, and in the same way."""
    await call.over()
    await it.idle(SETTLED_S)
    [ended] = await it.ends(1)
    assert ended.status == wanted
    assert len(it.of(CallStarted)) == 1
    # None when every ACK was lost and the caller's BYE stood in for it.
    assert len(it.of(CallAnswered)) <= (wanted == "completed")
    assert [asked.params["CallStatus"] for asked in it.web.asked("/status")] == [wanted]
    assert len(it.web.asked("/voice")) == 1
    assert it.of(ActorCrashed) == []
    assert it.codes() == []
    nothing_left_at_the_phone(it)


def nothing_left_at_the_phone(it: World) -> None:
    assert it.phone.registry.legs == {}
    assert it.phone.registry.transactions == {}
    assert len(it.phone.linger) == 0


@pytest.mark.parametrize("seed", range(12))
async def test_a_call_that_the_application_ends(autojump_clock: MockClock, tmp_path: Path, seed: int) -> None:
    async with world(tmp_path, seed=seed, conditions=BAD) as it:
        it.web.on("/voice", DOCUMENT)
        it.web.on("/key", twiml("<Say>Thank you</Say>"))
        call = await it.call()
        assert await call.answered()
        # The ACK may have been lost and its copy be on the way: keys are heard from the Gather on.
        await it.verb("Gather")
        await call.press("42")
        await judge(it, call, "completed")
        assert call.cause is Cause.HUNG_UP
        assert [asked.params["Digits"] for asked in it.web.asked("/key")] == ["42"]


@pytest.mark.parametrize("seed", range(100, 110))
async def test_a_call_that_the_caller_ends(autojump_clock: MockClock, tmp_path: Path, seed: int) -> None:
    async with world(tmp_path, seed=seed, conditions=BAD) as it:
        it.web.on("/voice", DOCUMENT)
        call = await it.call()
        assert await call.answered()
        await trio.sleep(1.5)
        await call.hang_up()
        await judge(it, call, "completed")
        assert it.web.asked("/key") == []


@pytest.mark.parametrize("seed", range(200, 208))
async def test_a_call_that_the_caller_gives_up(autojump_clock: MockClock, tmp_path: Path, seed: int) -> None:
    async with world(tmp_path, seed=seed, conditions=BAD) as it:
        it.web.on("/voice", twiml("<Say>never</Say>", delay_s=14))
        call = await it.call()
        await it.web.wait_for(1, "/voice")
        await trio.sleep(2)
        await call.cancel()
        await judge(it, call, "canceled")
        assert it.speech.spoken == []


@pytest.mark.parametrize("seed", range(300, 308))
async def test_a_call_that_is_refused(autojump_clock: MockClock, tmp_path: Path, seed: int) -> None:
    async with world(tmp_path, seed=seed, conditions=BAD) as it:
        it.web.on("/voice", twiml('<Reject reason="busy"/>'))
        call = await it.call()
        assert not await call.answered()
        assert call.status == 486
        await judge(it, call, "busy")


@pytest.mark.parametrize("seed", range(400, 406))
async def test_a_call_that_has_to_say_who_it_is(autojump_clock: MockClock, tmp_path: Path, seed: int) -> None:
    credentials = (CredentialSettings(username="alice", password="wonderland"),)
    async with world(tmp_path, seed=seed, conditions=BAD, credentials=credentials) as it:
        it.web.on("/voice", twiml("<Say>Hello</Say><Pause/>"))
        call = await it.call(username="alice", password="wonderland")
        assert await call.answered()
        await judge(it, call, "completed")
        assert it.web.asked("/voice")[0].params["SipUsername"] == "alice"


@pytest.mark.parametrize("seed", range(500, 512))
async def test_on_an_awful_cable_a_call_may_fail_but_leaves_nothing_behind(
    autojump_clock: MockClock, tmp_path: Path, seed: int
) -> None:
    async with world(tmp_path, seed=seed, conditions=AWFUL) as it:
        it.web.on("/voice", twiml('<Say>Hello</Say><Pause length="3"/>'))
        call = await it.call()
        await call.answered()
        with trio.move_on_after(200):  # nothing reaches the phone of a BYE that is lost eleven times
            await call.over()
        if not call.is_over:
            await call.hang_up()
        await it.idle(SETTLED_S)
        started = len(it.of(CallStarted))
        assert len(await it.ends(started)) == len(it.web.asked("/voice")) == len(it.web.asked("/status")) == started
        assert started <= 1
        assert it.of(ActorCrashed) == []
        nothing_left_at_the_phone(it)


async def test_a_cable_that_is_cut_for_good_ends_the_call_on_both_sides(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml('<Say>Hello</Say><Pause length="600"/>'))
        call = await it.call()
        assert await call.answered()
        await trio.sleep(5)
        it.network.partition(PHONE, SERVER)
        await call.hang_up()
        await it.idle(SETTLED_S)
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause) == ("completed", "no-audio")
        assert it.codes() == [32014]
        assert len(it.web.asked("/status")) == 1
        nothing_left_at_the_phone(it)
