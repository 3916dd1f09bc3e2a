"""A dial where messages cross: answers and CANCELs, two answers, two BYEs. Each call ends once and is told once."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallEnded
from offhook.sip.message import Request
from offhook.testing.network import Conditions
from offhook.testing.phone import Phone

from .kit import PHONE, phone_at
from .office import BOB, DIAL_BOB, dial, office
from .peer import SDP, udp_peer

DAN_HOST = "10.0.0.10"
TWO = f"<Sip>{BOB}</Sip><Sip>sip:dan@{DAN_HOST}</Sip>"
PEER = f"sip:carol@{PHONE}:5070"


def got(phone: Phone) -> list[str]:
    """The methods of the requests that a phone was sent, copies left out."""
    seen = {
        (step.message.via.branch, step.message.method): step.message.method
        for step in phone.ladder
        if not step.sent and isinstance(step.message, Request)
    }
    return list(seen.values())


# ---- an answer and a CANCEL ------------------------------------------------------------------------------------------


async def test_an_answer_that_crosses_the_cancel_of_a_caller_who_left_is_acknowledged_and_hung_up(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(DIAL_BOB)
        assert await alice.answered()
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(1)
        here.it.network.conditions = Conditions(delay_s=0.1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice.hang_up)
            await trio.sleep(0.15)  # the CANCEL is on its way
            nursery.start_soon(bob.pick_up)
        await bob.over()
        await here.it.idle()
        assert got(here.bob) == ["INVITE", "CANCEL", "ACK", "BYE"]
        assert sorted(end.status for end in await here.it.ends(2)) == ["canceled", "completed"]
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialBridged"]) == ("canceled", "false")
        assert len(here.it.web.asked("/after")) == len(here.it.web.asked("/status")) == 1


async def test_an_answer_in_the_last_moment_of_the_ring_time_is_too_late_once_the_cancel_is_out(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        here.it.network.conditions = Conditions(delay_s=0.1)
        alice = await here.alice_dials(dial('timeout="5"'), after='<Pause length="2"/>')
        bob = await here.bob.called()
        sent = trio.current_time() - 0.1
        await bob.ring()
        await trio.sleep_until(sent + 10.05)
        await bob.pick_up()
        await bob.over()
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialBridged"]) == ("no-answer", "false")
        assert got(here.bob) == ["INVITE", "CANCEL", "ACK", "BYE"]
        assert not alice.is_over
        await alice.over()
        await here.it.idle()
        assert [end.status for end in here.it.of(CallEnded)] == ["no-answer", "completed"]


async def test_an_answer_just_before_the_end_of_the_ring_time_wins(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.it.network.conditions = Conditions(delay_s=0.1)
        alice = await here.alice_dials(dial('timeout="5"'))
        bob = await here.bob.called()
        sent = trio.current_time() - 0.1
        await bob.ring()
        await trio.sleep_until(sent + 9.85)
        assert await bob.pick_up()
        await trio.sleep(1)
        assert await here.connected(alice, bob)
        assert "CANCEL" not in got(here.bob)
        await alice.hang_up()
        await bob.over()
        await here.it.idle()


@pytest.mark.parametrize("status", [486, 480, 500])
async def test_a_refusal_that_crosses_the_cancel_changes_nothing(
    autojump_clock: MockClock, tmp_path: Path, status: int
) -> None:
    async with office(tmp_path, register=False) as here, udp_peer(here.it.network) as carol:
        alice = await here.alice_dials(dial(noun=f"<Sip>{PEER}</Sip>"))
        invite = await carol.asked("INVITE")
        carol.respond(invite, 180, tag="carol")
        await trio.sleep(1)
        await alice.hang_up()
        cancel = await carol.asked("CANCEL")
        carol.respond(invite, status, tag="carol")
        carol.respond(cancel)
        await carol.asked("ACK")
        await here.it.idle()
        assert (await here.outcome())["DialCallStatus"] == "canceled"
        assert len(here.it.of(CallEnded)) == 2


# ---- two answers -----------------------------------------------------------------------------------------------------


async def test_of_two_answers_at_once_one_is_connected_and_the_other_hung_up(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        alice = await here.alice_dials(dial(noun=TWO))
        bob, dan = await here.bob.called(), await dan_phone.called()
        await bob.ring()
        await dan.ring()
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bob.pick_up)
            nursery.start_soon(dan.pick_up)
        await trio.sleep(1)
        assert [bob.is_over, dan.is_over].count(True) == 1
        winner, lost = (dan, here.bob) if bob.is_over else (bob, dan_phone)
        assert got(lost)[-2:] == ["ACK", "BYE"]
        assert await here.connected(alice, winner)
        await winner.hang_up()
        await alice.over()
        await here.it.idle()
        assert sorted(end.status for end in here.it.of(CallEnded)) == ["canceled", "completed", "completed"]
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialBridged"]) == ("completed", "true")
        assert winner.invite is not None
        assert told["DialSipCallId"] == winner.invite.call_id


async def test_two_forks_of_one_invite_that_both_answer_are_one_callee_and_a_bye(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path, register=False) as here, udp_peer(here.it.network) as carol:
        alice = await here.alice_dials(dial(noun=f"<Sip>{PEER}</Sip>"), after='<Pause length="2"/>')
        invite = await carol.asked("INVITE")
        carol.respond(invite, tag="one", body=SDP)
        carol.respond(invite, tag="two", body=SDP)
        requests = [await carol.asked_any() for _ in range(3)]
        assert [(request.method, request.to_tag) for request in requests] == [
            ("ACK", "one"),
            ("ACK", "two"),
            ("BYE", "two"),
        ]
        carol.respond(requests[2])
        await trio.sleep(2)
        assert not alice.is_over
        await alice.hang_up()
        bye = await carol.asked("BYE")
        assert bye.to_tag == "one"
        carol.respond(bye)
        await here.it.idle()
        assert (await here.outcome())["DialCallStatus"] == "completed"
        assert len(here.it.of(CallEnded)) == 2


async def test_copies_of_an_answer_are_each_acknowledged_and_answered_once(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path, register=False) as here, udp_peer(here.it.network) as carol:
        alice = await here.alice_dials(dial(noun=f"<Sip>{PEER}</Sip>"))
        invite = await carol.asked("INVITE")
        for _ in range(3):
            carol.respond(invite, tag="one", body=SDP)
            await carol.asked("ACK")
        await alice.hang_up()
        carol.respond(await carol.asked("BYE"))
        await here.it.idle()
        assert len(here.it.of(CallEnded)) == 2


# ---- the end of a bridge ---------------------------------------------------------------------------------------------


async def test_both_hang_up_at_once_and_each_call_ends_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.it.network.conditions = Conditions(delay_s=0.1)
        alice = await here.alice_dials(DIAL_BOB)
        bob = await here.bob.called()
        assert await bob.pick_up()
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice.hang_up)
            nursery.start_soon(bob.hang_up)
        await here.it.idle()
        assert [end.status for end in here.it.of(CallEnded)] == ["completed", "completed"]
        assert len(here.it.web.asked("/after")) == 1
        told = await here.outcome()
        assert (told["CallStatus"], told["DialCallStatus"], told["DialBridged"]) == ("completed", "completed", "true")


async def test_a_caller_who_cancels_as_the_callee_answers_leaves_nobody_behind(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        here.it.network.conditions = Conditions(delay_s=0.1)
        alice = await here.alice_dials(dial('answerOnBridge="true"'))
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bob.pick_up)
            await trio.sleep(0.05)  # the 200 is on its way to us, as the CANCEL will be
            nursery.start_soon(alice.cancel)
        await bob.over()
        await here.it.idle()
        assert len(here.it.of(CallEnded)) == 2
        assert got(here.bob)[-1] == "BYE"
        assert len(here.it.web.asked("/after")) == 1
