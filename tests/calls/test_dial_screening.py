"""The document that runs on a callee before the bridge: what it is told, what it decides, who may leave meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallStarted, VerbStarted
from offhook.media.sources import Clip
from offhook.media.tones import ringback
from offhook.testing.listen import match
from offhook.testing.phone import PhoneCall
from offhook.testing.speech import tone, wav
from offhook.testing.web import Answer, HangUp, twiml

from .carrier import THEIRS, carrier
from .kit import HOST, phone_at
from .office import BOB, BOB_HOST, BOBS, Office, dial, office

SCREENED = dial(noun=f'<Sip url="/screen">{BOB}</Sip>')
WAITS = twiml('<Gather numDigits="1" action="/pressed" timeout="30"/><Hangup/>')


async def in_screening(here: Office, document: Answer = WAITS, dialled: str = SCREENED) -> tuple[PhoneCall, PhoneCall]:
    """Alice and Bob, who has answered and is being screened."""
    here.it.web.on("/screen", document)
    alice = await here.alice_dials(dialled)
    bob = await here.bob.called()
    await bob.ring()
    await trio.sleep(1)
    assert await bob.pick_up()
    await here.it.web.wait_for(1, "/screen")
    await trio.sleep(1)
    return alice, bob


async def test_the_screening_request_is_that_of_the_childs_call(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/screen", twiml(""))
        alice = await here.alice_dials(dial('callerId="desk"', f'<Sip url="/screen">{BOB}</Sip>'))
        bob = await here.bob.called()
        assert await bob.pick_up((("X-Room", "12"), ("User-to-User", "ab"), ("Subject", "no")))
        [asked] = await here.it.web.wait_for(1, "/screen")
        parent, child = here.it.of(CallStarted)
        told = asked.params
        assert (asked.method, told["CallSid"], told["ParentCallSid"]) == ("POST", child.call_sid, parent.call_sid)
        assert (told["Direction"], told["CallStatus"]) == ("outbound-dial", "in-progress")
        assert (told["From"], told["Caller"], told["To"], told["Called"]) == ("desk", "desk", BOB, BOB)
        assert bob.invite is not None
        assert (told["SipCallId"], told["SipDomain"], told["SipSourceIp"]) == (bob.invite.call_id, HOST, BOB_HOST)
        assert told["SipHeader_X-Room"] == "12"
        assert "SipHeader_Subject" not in told
        await alice.hang_up()
        await bob.over()
        await here.it.idle()


async def test_the_screening_document_is_asked_by_its_method(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        await in_screening(here, twiml(""), dial(noun=f'<Sip url="/screen" method="GET">{BOB}</Sip>'))
        [asked] = here.it.web.asked("/screen")
        assert (asked.method, asked.body) == ("GET", b"")
        assert asked.params["Direction"] == "outbound-dial"


async def test_a_client_is_screened_as_well(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice, bob = await in_screening(here, twiml(""), dial(noun='<Client url="/screen">bob</Client>'))
        assert here.it.web.asked("/screen")[0].params["To"] == "client:bob"
        assert await here.connected(alice, bob)
        await alice.hang_up()
        await bob.over()
        await here.it.idle()


async def test_a_number_is_whispered_to_and_the_caller_does_not_hear_it(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    whisper = tone(800, 700)
    async with carrier(tmp_path) as here:
        here.it.web.on("/whisper", twiml("<Play>/clip.wav</Play>"))
        here.it.web.on("/clip.wav", Answer(wav(whisper), content_type="audio/wav"))
        alice = await here.alice_dials(f'<Dial action="/after"><Number url="/whisper">{THEIRS}</Number></Dial>')
        callee = await here.first.called()
        assert await callee.pick_up()
        await trio.sleep(2)
        assert match(callee.heard(), whisper) > 0.95
        assert match(alice.heard(), whisper) < 0.5
        await callee.say(Clip(BOBS))
        await trio.sleep(0.5)
        assert match(alice.heard(), BOBS) > 0.95
        await callee.hang_up()
        await alice.over()
        await here.it.idle()


async def test_the_caller_hears_ringing_and_nothing_of_the_screening(autojump_clock: MockClock, tmp_path: Path) -> None:
    clip = tone(800, 700)
    async with office(tmp_path) as here:
        here.it.web.on("/clip.wav", Answer(wav(clip), content_type="audio/wav"))
        here.it.web.on("/screen", twiml('<Play>/clip.wav</Play><Pause length="5"/>'))
        alice = await here.alice_dials(SCREENED)
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(1)
        assert await bob.pick_up()
        await bob.say(Clip(BOBS))
        await trio.sleep(3)
        assert match(bob.heard(), clip) > 0.95
        assert match(alice.heard(), ringback("us")[:24_000]) > 0.95
        assert max(match(alice.heard(), clip), match(alice.heard(), BOBS)) < 0.5
        await trio.sleep(4)
        assert await here.connected(alice, bob)
        await bob.hang_up()
        await alice.over()
        assert (await here.outcome())["DialBridged"] == "true"
        await here.it.idle()


async def test_with_answer_on_bridge_the_caller_is_answered_after_the_screening(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice, bob = await in_screening(here, WAITS, dial('answerOnBridge="true"', f'<Sip url="/screen">{BOB}</Sip>'))
        assert alice.status is None
        here.it.web.on("/pressed", twiml(""))
        await bob.press("1")
        assert await alice.answered()
        await trio.sleep(1)
        assert await here.connected(alice, bob)
        await alice.hang_up()
        await bob.over()
        await here.it.idle()


async def test_a_callee_who_presses_nothing_is_hung_up_and_not_bridged(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice, bob = await in_screening(here)
        await bob.over()
        await alice.over()
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialBridged"]) == ("completed", "false")
        await here.it.idle()


@pytest.mark.parametrize("document", [Answer(b"", 500), HangUp(), Answer(b"<Response><Say>half")], ids=str)
async def test_a_screening_document_that_fails_declines(
    autojump_clock: MockClock, tmp_path: Path, document: Answer | HangUp
) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/screen", document)
        alice = await here.alice_dials(SCREENED)
        bob = await here.bob.called()
        assert await bob.pick_up()
        await bob.over()
        await alice.over()
        assert (await here.outcome())["DialBridged"] == "false"
        assert len(here.it.codes()) >= 1
        await here.it.idle()


async def test_a_dial_in_the_screening_document_is_13201_and_calls_nobody(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with (
        office(tmp_path) as here,
        phone_at(here.it.network, "10.0.0.10", "dan") as dan,
    ):
        here.it.web.on("/screen", twiml("<Dial><Sip>sip:dan@10.0.0.10</Sip></Dial>"))
        alice = await here.alice_dials(SCREENED)
        bob = await here.bob.called()
        assert await bob.pick_up()
        await trio.sleep(2)
        assert 13201 in here.it.codes()
        assert dan.ladder == []
        assert [event.verb for event in here.it.of(VerbStarted)] == ["Dial"]
        await alice.hang_up()
        await bob.over()
        await here.it.idle()


async def test_the_first_answer_cancels_the_others_even_when_screening_declines(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here, phone_at(here.it.network, "10.0.0.10", "dan") as dan_phone:
        here.it.web.on("/screen", twiml("<Hangup/>"))
        noun = f'<Sip url="/screen">{BOB}</Sip><Sip>sip:dan@10.0.0.10</Sip>'
        alice = await here.alice_dials(dial(noun=noun))
        bob, dan = await here.bob.called(), await dan_phone.called()
        await dan.ring()
        assert await bob.pick_up()
        await dan.over()
        await bob.over()
        await alice.over()
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialBridged"]) == ("completed", "false")
        await here.it.idle()


async def test_a_caller_who_hangs_up_during_screening_takes_the_callee_along(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice, bob = await in_screening(here)
        await alice.hang_up()
        await bob.over()
        told = await here.outcome()
        assert (told["CallStatus"], told["DialBridged"]) == ("completed", "false")
        assert here.it.web.asked("/pressed") == []
        assert {end.status for end in await here.it.ends(2)} == {"completed"}
        await here.it.idle()


async def test_a_callee_who_hangs_up_during_screening_ends_the_dial(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice, bob = await in_screening(here)
        await bob.hang_up()
        told = await here.outcome()
        assert (told["CallStatus"], told["DialCallStatus"], told["DialBridged"]) == (
            "in-progress",
            "completed",
            "false",
        )
        await alice.over()
        await here.it.idle()


async def test_both_hang_up_at_once_during_screening_and_each_call_ends_once(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice, bob = await in_screening(here)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice.hang_up)
            nursery.start_soon(bob.hang_up)
        await here.it.idle()
        assert [end.status for end in await here.it.ends(2)] == ["completed", "completed"]
        assert len(here.it.web.asked("/after")) == 1
        assert (await here.outcome())["DialBridged"] == "false"


async def test_a_callee_who_hangs_up_while_the_screening_document_is_asked_for_is_not_bridged(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice, bob = await in_screening(here, twiml("", delay_s=5))
        await bob.hang_up()
        told = await here.outcome()
        assert told["DialBridged"] == "false"
        await alice.over()
        await here.it.idle()
