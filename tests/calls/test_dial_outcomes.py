"""How a dial ended, as its application is told: every row of the table from SIP answers to `DialCallStatus`."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.call_requests import HangUp
from offhook.actors.messages.events import CallEnded, CallStarted
from offhook.sip.message import Request, Response
from offhook.testing.phone import Phone

from .kit import World
from .office import BOB_HOST, CAROL, DIAL_BOB, dial, office

CHALLENGE = 'Digest realm="far.example", qop="auth", nonce="abc", algorithm=MD5'


def ends(it: World) -> dict[str, str]:
    """The status with which each call ended, by its direction."""
    directions = {event.call_sid: event.direction for event in it.of(CallStarted)}
    return {directions[event.call_sid]: event.status for event in it.of(CallEnded)}


def finals(phone: Phone) -> list[int]:
    """The final answers to INVITEs that a phone has sent, copies left out."""
    answers = {
        seen.message.via.branch: seen.message.status
        for seen in phone.ladder
        if seen.sent
        and isinstance(seen.message, Response)
        and seen.message.cseq.method == "INVITE"
        and seen.message.status >= 200
    }
    return list(answers.values())


@pytest.mark.parametrize(
    ("status", "rings", "outcome"),
    [
        (486, True, "busy"),
        (486, False, "busy"),
        (600, True, "busy"),
        (603, True, "busy"),
        (607, True, "busy"),
        (480, True, "no-answer"),
        (480, False, "no-answer"),
        (408, True, "no-answer"),
        (408, False, "failed"),
        (400, False, "failed"),
        (403, False, "failed"),
        (404, False, "failed"),
        (410, False, "failed"),
        (415, False, "failed"),
        (420, False, "failed"),
        (430, False, "failed"),
        (484, False, "failed"),
        (488, False, "failed"),
        (604, False, "failed"),
        (606, False, "failed"),
        (500, False, "failed"),
        (500, True, "failed"),
        (501, False, "failed"),
        (503, False, "failed"),
        (504, False, "failed"),
    ],
    ids=lambda value: {True: "rung", False: "not-rung"}.get(value) if isinstance(value, bool) else None,
)
async def test_a_refusal_reads_as_its_row_says(
    autojump_clock: MockClock, tmp_path: Path, status: int, rings: bool, outcome: str
) -> None:
    async with office(tmp_path) as here:
        it = here.it
        alice = await here.alice_dials(DIAL_BOB)
        bob = await here.bob.called()
        if rings:
            await bob.ring()
            await trio.sleep(1)
        await bob.decline(status)
        told = await here.outcome()
        await alice.over()
        await it.ends(2)
        assert (told["DialCallStatus"], told["DialSipResponseCode"]) == (outcome, str(status))
        assert (told["DialBridged"], told["DialCallDuration"]) == ("false", "0")
        assert ends(it) == {"inbound": "completed", "outbound-dial": outcome}
        outage = (status == 408 and not rings) or status == 430 or 500 <= status < 600
        assert it.codes() == ([32011] if outage else [])
        await it.idle()


async def test_200_and_then_bye_is_completed(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(DIAL_BOB)
        bob = await here.bob.called()
        assert await bob.pick_up()
        await trio.sleep(4.5)
        await bob.hang_up()
        told = await here.outcome()
        await alice.over()
        await here.it.ends(2)
        assert (told["DialCallStatus"], told["DialSipResponseCode"]) == ("completed", "200")
        assert (told["DialBridged"], told["DialCallDuration"]) == ("true", "5")
        assert ends(here.it) == {"inbound": "completed", "outbound-dial": "completed"}
        await here.it.idle()


@pytest.mark.parametrize(("rings", "code"), [(True, "487"), (False, "487")], ids=["rung", "only-100"])
async def test_our_own_timeout_is_a_cancel_and_no_answer(
    autojump_clock: MockClock, tmp_path: Path, rings: bool, code: str
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial('timeout="5"'))
        bob = await here.bob.called()
        if rings:
            await bob.ring()
        await bob.over()
        told = await here.outcome()
        await alice.over()
        await here.it.ends(2)
        assert (told["DialCallStatus"], told["DialSipResponseCode"]) == ("no-answer", code)
        assert finals(here.bob) == [487]
        assert ends(here.it) == {"inbound": "completed", "outbound-dial": "no-answer"}
        assert here.it.codes() == []
        await here.it.idle()


async def test_a_far_end_that_never_says_anything_has_failed(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path, register=False) as here:
        here.it.network.lose(lambda sent: sent.target[0] == BOB_HOST, times=1000)
        started = trio.current_time()
        alice = await here.alice_dials(dial('timeout="60"', f"<Sip>{CAROL}</Sip>"))
        told = await here.outcome()
        await alice.over()
        assert trio.current_time() - started == pytest.approx(32, abs=1)
        assert (told["DialCallStatus"], told["DialSipResponseCode"]) == ("failed", "408")
        assert here.it.codes() == [32011]
        assert here.bob.ladder == []
        await here.it.idle()


async def test_a_connection_that_is_refused_has_failed_at_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path, register=False) as here:
        started = trio.current_time()
        alice = await here.alice_dials(dial(noun="<Sip>sip:carol@10.0.0.77:5999;transport=tcp</Sip>"))
        told = await here.outcome()
        await alice.over()
        assert trio.current_time() - started < 2
        assert (told["DialCallStatus"], told["DialSipResponseCode"]) == ("failed", "503")
        assert here.it.codes() == [32011]
        await here.it.idle()


async def test_a_name_that_does_not_resolve_has_failed(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path, register=False) as here:
        alice = await here.alice_dials(dial(noun="<Sip>sip:carol@nowhere.example</Sip>"))
        told = await here.outcome()
        await alice.over()
        assert told["DialCallStatus"] == "failed"
        assert ends(here.it) == {"inbound": "completed", "outbound-dial": "failed"}
        await here.it.idle()


@pytest.mark.parametrize(
    ("status", "header"), [(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")], ids=["401", "407"]
)
@pytest.mark.parametrize("attributes", ["", ' username="ann" password="hush"'], ids=["without", "with-wrong"])
async def test_a_challenge_that_cannot_be_met_has_failed(
    autojump_clock: MockClock, tmp_path: Path, status: int, header: str, attributes: str
) -> None:
    async with office(tmp_path, register=False) as here:
        alice = await here.alice_dials(dial(noun=f"<Sip{attributes}>{CAROL}</Sip>"))
        for _ in range(2 if attributes else 1):
            await (await here.bob.called()).decline(status, ((header, CHALLENGE),))
        told = await here.outcome()
        await alice.over()
        assert (told["DialCallStatus"], told["DialSipResponseCode"]) == ("failed", str(status))
        assert finals(here.bob) == [status] * (2 if attributes else 1)
        await here.it.idle()


async def test_a_callee_cancelled_from_outside_is_canceled(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        it = here.it
        alice = await here.alice_dials(DIAL_BOB)
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(1)
        child = next(event.call_sid for event in it.of(CallStarted) if event.direction == "outbound-dial")
        it.server.tree.services.registry.calls[child].ref.post(HangUp("cancelled"))
        await bob.over()
        told = await here.outcome()
        assert (told["DialCallStatus"], told["CallStatus"]) == ("canceled", "in-progress")
        await alice.over()
        await it.ends(2)
        assert ends(it) == {"inbound": "completed", "outbound-dial": "canceled"}
        await it.idle()


async def test_a_callee_completed_from_outside_ends_the_dial_and_not_the_caller(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        it = here.it
        alice = await here.alice_dials(DIAL_BOB, after='<Pause length="3"/>')
        bob = await here.bob.called()
        assert await bob.pick_up()
        await trio.sleep(1)
        child = next(event.call_sid for event in it.of(CallStarted) if event.direction == "outbound-dial")
        it.server.tree.services.registry.calls[child].ref.post(HangUp("completed"))
        await bob.over()
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialBridged"]) == ("completed", "true")
        assert not alice.is_over
        await alice.over()
        await it.idle()


async def test_a_caller_who_hangs_up_while_it_rings_ends_both(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        it = here.it
        alice = await here.alice_dials(DIAL_BOB, after="<Say>Nobody hears this</Say>")
        assert await alice.answered()
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(1)
        await alice.hang_up()
        await bob.over()
        told = await here.outcome()
        await it.ends(2)
        assert (told["CallStatus"], told["DialCallStatus"], told["DialBridged"]) == ("completed", "canceled", "false")
        assert ends(it) == {"inbound": "completed", "outbound-dial": "canceled"}
        assert finals(here.bob) == [487]
        [cancel] = [
            seen.message
            for seen in here.bob.ladder
            if isinstance(seen.message, Request) and seen.message.method == "CANCEL"
        ]
        assert 'text="Originator cancelled"' in (cancel.headers.get("Reason") or "")
        assert it.speech.spoken == []
        await it.idle()
