"""The attributes of `<Dial>` that say who is asked, for how long it rings and lasts, what ends it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import AlertRaised
from offhook.testing.web import twiml

from .office import BOB, CAROL, DIAL_BOB, dial, office, reasons

# ---- action, method --------------------------------------------------------------------------------------------------


async def test_with_an_action_what_follows_the_dial_is_never_reached(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(f"{DIAL_BOB}<Say>never</Say>", after="<Say>from the action</Say>")
        await (await here.bob.called()).decline()
        await alice.over()
        [after] = here.it.web.asked("/after")
        assert after.method == "POST"
        assert [spoken.text for spoken in here.it.speech.spoken] == ["from the action"]
        await here.it.idle()


async def test_without_an_action_the_next_verb_runs(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(f"<Dial><Sip>{BOB}</Sip></Dial><Say>nobody is in</Say>")
        await (await here.bob.called()).decline()
        await alice.over()
        assert [spoken.text for spoken in here.it.speech.spoken] == ["nobody is in"]
        assert here.it.web.asked("/after") == []
        assert len(here.it.web.asked("/voice")) == 1
        await here.it.idle()


async def test_without_an_action_and_without_a_next_verb_the_caller_is_hung_up(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(f"<Dial><Sip>{BOB}</Sip></Dial>")
        bob = await here.bob.called()
        assert await bob.pick_up()
        await trio.sleep(1)
        left = trio.current_time()
        await bob.hang_up()
        await alice.over()
        assert trio.current_time() - left < 0.5
        await here.it.idle()


async def test_an_empty_action_asks_the_same_document(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/voice", twiml(f'<Dial action=""><Sip>{BOB}</Sip></Dial>'), twiml("<Hangup/>"))
        alice = await here.alice_calls()
        await (await here.bob.called()).decline()
        await alice.over()
        first, second = here.it.web.asked("/voice")
        assert "DialCallStatus" not in first.params
        assert second.params["DialCallStatus"] == "busy"
        await here.it.idle()


async def test_the_action_is_asked_by_its_method(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial('method="GET"'))
        await (await here.bob.called()).decline()
        await alice.over()
        [after] = here.it.web.asked("/after")
        assert (after.method, after.body) == ("GET", b"")
        assert dict(after.query)["DialCallStatus"] == "busy"
        await here.it.idle()


# ---- timeout ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "rings_s", "codes"),
    [
        ("", 35, []),
        ('timeout="5"', 10, []),
        ('timeout="600"', 605, []),
        ('timeout="4"', 35, [13212]),
        ('timeout="601"', 35, [13212]),
        ('timeout="soon"', 35, [13212]),
    ],
)
async def test_a_phone_rings_for_its_timeout_and_five_seconds(
    autojump_clock: MockClock, tmp_path: Path, attributes: str, rings_s: float, codes: list[int]
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial(f'answerOnBridge="true" {attributes}'))
        bob = await here.bob.called()
        began = trio.current_time()
        await bob.ring()
        await bob.over()
        assert trio.current_time() - began == pytest.approx(rings_s, abs=0.1)
        assert ['text="No answer"' in reason for reason in reasons(here.bob, "CANCEL")] == [True]
        await alice.over()
        assert (await here.outcome())["DialCallStatus"] == "no-answer"
        assert here.it.codes() == codes
        await here.it.idle()


# ---- timeLimit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "lasts_s"),
    [
        ('timeLimit="1"', 1),
        ('timeLimit="30"', 30),
    ],
)
async def test_the_time_limit_ends_the_callee_and_the_caller_goes_on(
    autojump_clock: MockClock, tmp_path: Path, attributes: str, lasts_s: float
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial(attributes), after='<Pause length="2"/>')
        bob = await here.bob.called()
        assert await bob.pick_up()
        began = trio.current_time()
        await bob.over()
        assert trio.current_time() - began == pytest.approx(lasts_s, abs=0.1)
        assert ['text="Time limit reached"' in reason for reason in reasons(here.bob, "BYE")] == [True]
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialBridged"]) == ("completed", "true")
        assert int(told["DialCallDuration"]) == pytest.approx(lasts_s, abs=1)
        assert not alice.is_over
        await alice.over()
        assert here.it.codes() == []
        await here.it.idle()


@pytest.mark.parametrize("limit", ["0", "86401", "long"])
async def test_a_bad_time_limit_is_warned_of_and_the_longest_call_counts(
    autojump_clock: MockClock, tmp_path: Path, limit: str
) -> None:
    async with office(tmp_path) as here:
        here.it.limit(max_call_s=20.0)
        alice = await here.alice_dials(dial(f'timeLimit="{limit}"'))
        bob = await here.bob.called()
        assert await bob.pick_up()
        began = trio.current_time()
        await bob.over()
        await alice.over()
        assert trio.current_time() - began == pytest.approx(20, abs=0.2)
        assert here.it.codes() == [13216, 32015]
        await here.it.idle()


# ---- hangupOnStar ----------------------------------------------------------------------------------------------------


async def test_without_hangup_on_star_a_star_is_a_key_like_any_other(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(DIAL_BOB)
        bob = await here.bob.called()
        assert await bob.pick_up()
        await trio.sleep(1)
        await alice.press("1*2")
        await trio.sleep(1)
        assert [digit.digit for digit in bob.digits] == ["1", "*", "2"]
        assert not bob.is_over
        await alice.hang_up()
        await bob.over()
        await here.it.idle()


async def test_a_star_of_the_callee_ends_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial('hangupOnStar="true"'))
        bob = await here.bob.called()
        assert await bob.pick_up()
        await trio.sleep(1)
        await bob.press("*")
        await trio.sleep(1)
        assert [digit.digit for digit in alice.digits] == ["*"]
        assert not bob.is_over
        await alice.hang_up()
        await bob.over()
        await here.it.idle()


# ---- answerOnBridge --------------------------------------------------------------------------------------------------


async def test_with_answer_on_bridge_a_failed_dial_leaves_the_caller_unanswered_for_the_action(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial('answerOnBridge="true"'), after='<Reject reason="busy"/>')
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(2)
        await bob.decline()
        await alice.over()
        told = await here.outcome()
        assert (told["CallStatus"], told["DialCallStatus"]) == ("ringing", "busy")
        assert alice.status == 486
        await here.it.idle()


async def test_with_answer_on_bridge_a_callers_cancel_reaches_the_callee(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial('answerOnBridge="true"'))
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(2)
        await alice.cancel()
        await bob.over()
        assert {end.status for end in await here.it.ends(2)} == {"canceled"}
        assert ["Originator cancelled" in reason for reason in reasons(here.bob, "CANCEL")] == [True]
        await here.it.idle()


async def test_without_answer_on_bridge_the_caller_is_answered_before_anybody_rings(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(DIAL_BOB)
        assert await alice.answered()
        bob = await here.bob.called()
        await bob.decline()
        await alice.over()
        assert (await here.outcome())["CallStatus"] == "in-progress"
        await here.it.idle()


# ---- what is known and does nothing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "noun", "named"),
    [
        ('referUrl="/refer" referMethod="GET"', f"<Sip>{BOB}</Sip>", "referUrl"),
        ('recordingConfigurationId="short"', f"<Sip>{BOB}</Sip>", "recordingConfigurationId"),
        ('passports="YWJj"', f"<Sip>{BOB}</Sip>", "passports"),
        ("", f'<Sip machineDetection="Enable">{CAROL}</Sip>', "machineDetection"),
        ("", '<Client clientNotificationUrl="/push">bob</Client>', "clientNotificationUrl"),
    ],
    ids=["referUrl", "recordingConfigurationId", "passports", "machineDetection", "clientNotificationUrl"],
)
async def test_an_attribute_that_has_no_effect_is_warned_of_and_the_call_is_made(
    autojump_clock: MockClock, tmp_path: Path, attributes: str, noun: str, named: str
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial(attributes, noun))
        bob = await here.bob.called()
        assert await bob.pick_up()
        assert await here.connected(alice, bob)
        await bob.hang_up()
        await alice.over()
        assert here.it.codes() == [13750]
        assert named in here.it.of(AlertRaised)[0].detail
        await here.it.idle()


async def test_events_of_the_sdk_change_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial('events="call-progress-event"'))
        await (await here.bob.called()).decline()
        await alice.over()
        assert here.it.codes() == []
        assert (await here.outcome())["DialCallStatus"] == "busy"
        await here.it.idle()
