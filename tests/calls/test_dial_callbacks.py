"""Status callbacks of dialled calls: which events are told, in which order, with which parameters."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallStarted
from offhook.sip.message import Request
from offhook.testing.web import Asked

from .carrier import THEIRS, TRUNKS_OWN, carrier
from .kit import ACCOUNT, HOST, STATUS_TAKEN, phone_at
from .office import BOB, BOB_HOST, Office, dial, office

ALL = 'statusCallback="/events" statusCallbackEvent="initiated ringing answered completed"'


def bob_call_ids(here: Office) -> set[str]:
    """The Call-IDs of the INVITEs that Bob's phone got."""
    return {
        seen.message.call_id
        for seen in here.bob.ladder
        if isinstance(seen.message, Request) and seen.message.method == "INVITE"
    }


def noun(attributes: str, to: str = BOB) -> str:
    return dial(noun=f"<Sip {attributes}>{to}</Sip>")


async def answered(here: Office, attributes: str) -> list[Asked]:
    """What is told of a call that rings for 1 s and lasts 61.5 s."""
    here.it.web.on("/events", STATUS_TAKEN)
    alice = await here.alice_dials(noun(attributes))
    bob = await here.bob.called()
    await bob.ring()
    await trio.sleep(1)
    assert await bob.pick_up()
    await trio.sleep(61.5)
    await bob.hang_up()
    await alice.over()
    await here.it.idle()
    return here.it.web.asked("/events")


async def test_every_event_in_order_with_all_its_parameters(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        told = await answered(here, ALL)
        parent, child = here.it.of(CallStarted)
        assert [asked.params["CallStatus"] for asked in told] == ["initiated", "ringing", "in-progress", "completed"]
        for number, asked in enumerate(told):
            params = asked.params
            assert (asked.method, params["SequenceNumber"]) == ("POST", str(number))
            assert (params["CallSid"], params["ParentCallSid"]) == (child.call_sid, parent.call_sid)
            assert (params["AccountSid"], params["ApiVersion"]) == (ACCOUNT, "2010-04-01")
            assert (params["Direction"], params["CallbackSource"]) == ("outbound-dial", "call-progress-events")
            assert params["From"] == params["Caller"] == f"sip:alice@{HOST}"
            assert params["To"] == params["Called"] == BOB
            assert params["Timestamp"].endswith("+0000")
            final = number == 3
            assert {name in params for name in ("CallDuration", "Duration", "SipResponseCode")} == {final}
        assert bob_call_ids(here) == {asked.params["SipCallId"] for asked in told[1:]}
        assert [asked.params.get("SipSourceIp") for asked in told] == [None, None, BOB_HOST, BOB_HOST]
        last = told[-1].params
        assert (last["CallDuration"], last["Duration"], last["SipResponseCode"]) == ("62", "2", "200")


@pytest.mark.parametrize(
    ("attributes", "statuses", "codes"),
    [
        ('statusCallback="/events"', ["completed"], []),
        ('statusCallback="/events" statusCallbackEvent="initiated"', ["initiated"], []),
        ('statusCallback="/events" statusCallbackEvent="ringing"', ["ringing"], []),
        ('statusCallback="/events" statusCallbackEvent="answered"', ["in-progress"], []),
        ('statusCallback="/events" statusCallbackEvent="completed"', ["completed"], []),
        ('statusCallback="/events" statusCallbackEvent="completed answered"', ["in-progress", "completed"], []),
        ('statusCallback="/events" statusCallbackEvent="melted"', ["completed"], [12200]),
        ('statusCallbackEvent="initiated"', [], []),
    ],
)
async def test_only_the_events_that_are_asked_for_are_told(
    autojump_clock: MockClock, tmp_path: Path, attributes: str, statuses: list[str], codes: list[int]
) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/events", STATUS_TAKEN)
        alice = await here.alice_dials(noun(attributes))
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(1)
        assert await bob.pick_up()
        await bob.hang_up()
        await alice.over()
        await here.it.idle()
        assert [asked.params["CallStatus"] for asked in here.it.web.asked("/events")] == statuses
        assert here.it.codes() == codes


async def test_a_callback_is_asked_by_its_method(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/events", STATUS_TAKEN)
        alice = await here.alice_dials(noun('statusCallback="/events" statusCallbackMethod="GET"'))
        await (await here.bob.called()).decline()
        await alice.over()
        [told] = await here.it.web.wait_for(1, "/events")
        assert (told.method, told.body, told.params["CallStatus"]) == ("GET", b"", "busy")
        await here.it.idle()


@pytest.mark.parametrize(
    ("status", "final"), [(486, "busy"), (480, "no-answer"), (404, "failed"), (None, "no-answer"), (0, "canceled")]
)
async def test_the_last_event_of_a_call_that_nobody_answered_says_why(
    autojump_clock: MockClock, tmp_path: Path, status: int | None, final: str
) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/events", STATUS_TAKEN)
        alice = await here.alice_dials(dial('timeout="5"', f"<Sip {ALL}>{BOB}</Sip>"))
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(1)
        if status:
            await bob.decline(status)
        elif status == 0:
            await alice.hang_up()
        await bob.over()
        await here.it.idle()
        told = [asked.params for asked in here.it.web.asked("/events")]
        assert [params["CallStatus"] for params in told] == ["initiated", "ringing", final]
        assert (told[-1]["CallDuration"], told[-1]["SipResponseCode"]) == ("0", str(status or 487))


async def test_a_callee_who_answers_without_ringing_skips_ringing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/events", STATUS_TAKEN)
        alice = await here.alice_dials(noun(ALL))
        bob = await here.bob.called()
        assert await bob.pick_up()
        await bob.hang_up()
        await alice.over()
        await here.it.idle()
        statuses = [asked.params["CallStatus"] for asked in here.it.web.asked("/events")]
        assert statuses == ["initiated", "in-progress", "completed"]


async def test_slow_callbacks_stay_in_order_and_delay_no_call(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/events", *(attrs.evolve(STATUS_TAKEN, delay_s=delay_s) for delay_s in (6.0, 3.0, 1.0, 0.0)))
        began = trio.current_time()
        alice = await here.alice_dials(noun(ALL))
        bob = await here.bob.called()
        await bob.ring()
        assert await bob.pick_up()
        await bob.hang_up()
        await alice.over()
        assert trio.current_time() - began < 1
        told = await here.it.web.wait_for(4, "/events")
        assert [asked.params["SequenceNumber"] for asked in told] == ["0", "1", "2", "3"]
        await here.it.idle()


async def test_each_noun_has_its_own_callbacks(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here, phone_at(here.it.network, "10.0.0.10", "dan") as dan_phone:
        here.it.web.on("/one", STATUS_TAKEN)
        here.it.web.on("/two", STATUS_TAKEN)
        nouns = f'<Sip statusCallback="/one">{BOB}</Sip><Sip statusCallback="/two">sip:dan@10.0.0.10</Sip>'
        alice = await here.alice_dials(dial(noun=nouns))
        bob, dan = await here.bob.called(), await dan_phone.called()
        await bob.ring()
        await dan.ring()
        assert await bob.pick_up()
        await dan.over()
        await bob.hang_up()
        await alice.over()
        await here.it.idle()
        [one], [two] = here.it.web.asked("/one"), here.it.web.asked("/two")
        assert (one.params["CallStatus"], two.params["CallStatus"]) == ("completed", "canceled")
        assert one.params["CallSid"] != two.params["CallSid"]


async def test_a_client_that_is_not_there_tells_initiated_and_failed(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path, register=False) as here:
        here.it.web.on("/events", STATUS_TAKEN)
        alice = await here.alice_dials(dial(noun=f"<Client {ALL}>bob</Client>"))
        await alice.over()
        await here.it.idle()
        told = [asked.params for asked in here.it.web.asked("/events")]
        assert [(params["CallStatus"], params["To"]) for params in told] == [
            ("initiated", "client:bob"),
            ("failed", "client:bob"),
        ]


async def test_a_number_tells_its_events_too(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path) as here:
        here.it.web.on("/events", STATUS_TAKEN)
        alice = await here.alice_dials(f'<Dial action="/after"><Number {ALL}>{THEIRS}</Number></Dial>')
        callee = await here.first.called()
        await callee.ring()
        await trio.sleep(1)
        assert await callee.pick_up()
        await callee.hang_up()
        await alice.over()
        await here.it.idle()
        told = [asked.params for asked in here.it.web.asked("/events")]
        assert [params["CallStatus"] for params in told] == ["initiated", "ringing", "in-progress", "completed"]
        assert {(params["From"], params["To"]) for params in told} == {(TRUNKS_OWN, THEIRS)}
