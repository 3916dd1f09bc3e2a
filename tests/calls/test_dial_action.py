"""What the action of a dial is told: every `Dial…` parameter, of the right call, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallStarted
from offhook.testing.web import twiml

from .carrier import DIAL, carrier
from .kit import ACCOUNT, HOST, PHONE, phone_at
from .office import BOB, CAROL, DIAL_BOB, Office, dial, office
from .peer import SDP, udp_peer

DAN = "sip:dan@10.0.0.10"
PEER = f"sip:carol@{PHONE}:5070"


def dial_parameters(told: dict[str, str]) -> set[str]:
    return {name for name in told if name.startswith("Dial")}


SIP = {"DialSipCallId", "DialSipResponseCode"}
ALWAYS = {"DialCallStatus", "DialCallSid", "DialCallDuration", "DialBridged"}


async def answered(here: Office, noun: str, *, from_bob: tuple[tuple[str, str], ...] = ()) -> dict[str, str]:
    """The outcome of a call that Bob answers and ends after 2.5 s."""
    alice = await here.alice_dials(dial(noun=noun))
    bob = await here.bob.called()
    assert await bob.pick_up()
    await trio.sleep(2.5)
    await bob.hang_up(from_bob)
    await alice.over()
    return await here.outcome()


async def test_a_sip_callee_is_told_of_in_full(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        told = await answered(here, f"<Sip>{BOB}</Sip>")
        parent, child = here.it.of(CallStarted)
        assert dial_parameters(told) == ALWAYS | SIP
        assert (told["DialCallStatus"], told["DialBridged"], told["DialCallDuration"]) == ("completed", "true", "3")
        assert told["DialCallSid"] == child.call_sid
        assert told["DialSipResponseCode"] == "200"
        assert (told["CallSid"], told["AccountSid"], told["CallStatus"]) == (parent.call_sid, ACCOUNT, "in-progress")
        assert (told["Direction"], told["From"]) == ("inbound", f"sip:alice@{HOST}")
        assert "ParentCallSid" not in told


async def test_a_client_is_told_of_without_sip(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        told = await answered(here, "<Client>bob</Client>", from_bob=(("X-Why", "lunch"),))
        assert dial_parameters(told) == ALWAYS


async def test_a_number_is_told_of_without_sip(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path) as here:
        alice = await here.alice_dials(DIAL)
        callee = await here.first.called()
        await callee.decline(486, (("X-Why", "lunch"),))
        await alice.over()
        assert dial_parameters(here.outcome) == ALWAYS


async def test_x_headers_of_the_bye_are_told_and_no_others(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        headers = (("X-Why", "lunch"), ("x-lower", "1"), ("User-to-User", "ab"), ("Reason", "Q.850;cause=16"))
        told = await answered(here, f"<Sip>{BOB}</Sip>", from_bob=headers)
        assert {name: told[name] for name in dial_parameters(told) - ALWAYS - SIP} == {
            "DialSipHeader_X-Why": "lunch",
            "DialSipHeader_x-lower": "1",
        }


async def test_x_headers_of_a_refusal_are_told(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(DIAL_BOB)
        bob = await here.bob.called()
        await bob.decline(486, (("X-Why", "lunch"), ("Remote-Party-ID", "<sip:x@y>")))
        await alice.over()
        told = await here.outcome()
        assert told["DialSipHeader_X-Why"] == "lunch"
        assert dial_parameters(told) == ALWAYS | SIP | {"DialSipHeader_X-Why"}


async def test_the_call_id_is_that_of_the_invite_of_the_leg_that_answered(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here, phone_at(here.it.network, "10.0.0.10", "dan") as dan_phone:
        alice = await here.alice_dials(dial(noun=f"<Sip>{BOB}</Sip><Sip>{DAN}</Sip>"))
        bob, dan = await here.bob.called(), await dan_phone.called()
        await bob.ring()
        await dan.ring()
        assert await bob.pick_up()
        await dan.over()
        await bob.hang_up()
        await alice.over()
        told = await here.outcome()
        assert bob.invite is not None
        assert (told["DialSipCallId"], told["DialCallSid"]) == (
            bob.invite.call_id,
            here.it.of(CallStarted)[1].call_sid,
        )
        await here.it.idle()


@pytest.mark.parametrize("first", ["bob", "dan"])
async def test_when_all_of_several_fail_the_last_to_fail_is_told(
    autojump_clock: MockClock, tmp_path: Path, first: str
) -> None:
    async with office(tmp_path) as here, phone_at(here.it.network, "10.0.0.10", "dan") as dan_phone:
        alice = await here.alice_dials(dial(noun=f"<Sip>{BOB}</Sip><Sip>{DAN}</Sip>"))
        bob, dan = await here.bob.called(), await dan_phone.called()
        for call, status in ((bob, 486), (dan, 404)) if first == "bob" else ((dan, 404), (bob, 486)):
            await call.decline(status)
            await trio.sleep(1)
        await alice.over()
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialSipResponseCode"]) == (
            ("failed", "404") if first == "bob" else ("busy", "486")
        )
        await here.it.idle()


async def test_a_callee_who_was_never_called_has_no_sid_and_no_sip(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial('callerId="not plain"'))
        await alice.over()
        told = await here.outcome()
        assert dial_parameters(told) == {"DialCallStatus", "DialCallDuration", "DialBridged"}
        assert told["DialCallStatus"] == "failed"


async def test_a_user_who_is_nowhere_has_a_call_that_failed_and_no_call_id(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path, register=False) as here:
        alice = await here.alice_dials(DIAL_BOB)
        await alice.over()
        told = await here.outcome()
        assert told["DialCallSid"] == here.it.of(CallStarted)[1].call_sid
        assert "DialSipCallId" not in told
        assert told["DialCallStatus"] == "failed"


async def test_a_screened_out_callee_was_answered_and_not_bridged(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/screen", twiml("<Hangup/>"))
        alice = await here.alice_dials(dial(noun=f'<Sip url="/screen">{CAROL}</Sip>'))
        bob = await here.bob.called()
        assert await bob.pick_up()
        await bob.over()
        await alice.over()
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialBridged"], told["DialSipResponseCode"]) == (
            "completed",
            "false",
            "200",
        )


@pytest.mark.parametrize("ends", ["star", "time-limit", "caller"])
async def test_x_headers_of_the_answer_to_our_bye_are_told(
    autojump_clock: MockClock, tmp_path: Path, ends: str
) -> None:
    async with office(tmp_path, register=False) as here, udp_peer(here.it.network) as carol:
        alice = await here.alice_dials(dial('hangupOnStar="true" timeLimit="5"', f"<Sip>{PEER}</Sip>"))
        invite = await carol.asked("INVITE")
        carol.respond(invite, tag="carol", body=SDP, headers=(("X-Hello", "hi"),))
        await carol.asked("ACK")
        await trio.sleep(1)
        if ends == "star":
            await alice.press("*")
        elif ends == "caller":
            await alice.hang_up()
        carol.respond(await carol.asked("BYE"), headers=(("X-Bye", "so long"),))
        told = await here.outcome()
        assert dial_parameters(told) == ALWAYS | SIP | {"DialSipHeader_X-Bye"}
        assert told["DialSipHeader_X-Bye"] == "so long"


async def test_a_callee_who_never_answers_our_bye_keeps_the_action_for_a_second(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path, register=False) as here, udp_peer(here.it.network) as carol:
        await here.alice_dials(dial('timeLimit="5"', f"<Sip>{PEER}</Sip>"))
        invite = await carol.asked("INVITE")
        carol.respond(invite, tag="carol", body=SDP)
        await carol.asked("ACK")
        await carol.asked("BYE")
        left = trio.current_time()
        told = await here.outcome()
        assert trio.current_time() - left == pytest.approx(1, abs=0.1)
        assert dial_parameters(told) == ALWAYS | SIP
