"""`<Dial>` in whole calls: registered phones and foreign addresses ring, answer, refuse; the two hear each other."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallEnded, CallStarted
from offhook.media.sources import Clip
from offhook.media.tones import ringback
from offhook.sip.message import Request
from offhook.testing.ids import CountingIds
from offhook.testing.listen import match
from offhook.testing.speech import tone
from offhook.testing.web import Answer, twiml

from .kit import HOST, PASSWORD, phone_at
from .office import BOB_HOST, DIAL_BOB, office


async def test_a_registered_phone_rings_and_the_two_hear_each_other(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        it = here.it
        it.web.on("/voice", twiml(DIAL_BOB))
        it.web.on("/after", twiml("<Say>bye</Say>"))
        alice = await here.alice_calls()
        assert await alice.answered()
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(2)
        assert await bob.pick_up()
        await trio.sleep(1)
        mine, yours = tone(600, 500), tone(600, 900)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice.say, Clip(mine))
            nursery.start_soon(bob.say, Clip(yours))
        await trio.sleep(0.5)
        assert match(bob.heard(), mine) > 0.95
        assert match(alice.heard(), yours) > 0.95
        await bob.hang_up()
        [after] = await it.web.wait_for(1, "/after")
        assert after.params["DialCallStatus"] == "completed"
        assert after.params["DialBridged"] == "true"
        assert after.params["DialSipResponseCode"] == "200"
        await alice.over()
        ends = await it.ends(2)
        assert [end.status for end in ends] == ["completed", "completed"]
        [parent, child] = it.of(CallStarted)
        assert child.parent_call_sid == parent.call_sid
        assert after.params["DialCallSid"] == child.call_sid
        await it.idle()


async def test_a_user_who_is_not_registered_fails_at_once_and_nothing_is_sent(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path, register=False) as here:
        it = here.it
        it.web.on("/voice", twiml(DIAL_BOB))
        it.web.on("/after", twiml("<Hangup/>"))
        alice = await here.alice_calls()
        await alice.over()
        [after] = it.web.asked("/after")
        assert after.params["DialCallStatus"] == "failed"
        assert it.codes() == [32009]
        assert here.bob.ladder == []


async def test_nobody_answers_in_time_and_the_phone_gets_a_cancel(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        it = here.it
        it.web.on("/voice", twiml(f'<Dial timeout="10" action="/after"><Sip>sip:bob@{HOST}</Sip></Dial>'))
        it.web.on("/after", twiml("<Hangup/>"))
        started = trio.current_time()
        alice = await here.alice_calls()
        bob = await here.bob.called()
        await bob.ring()
        await bob.over()
        assert trio.current_time() - started == pytest.approx(15, abs=0.5)
        [after] = await it.web.wait_for(1, "/after")
        assert after.params["DialCallStatus"] == "no-answer"
        await alice.over()
        await it.idle()


async def test_answer_on_bridge_keeps_the_caller_ringing_until_the_callee_is_there(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        it = here.it
        it.web.on("/voice", twiml(f'<Dial answerOnBridge="true"><Sip>sip:bob@{HOST}</Sip></Dial>'))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(3)
        assert alice.status is None
        assert await bob.pick_up()
        assert await alice.answered()
        await alice.hang_up()
        await bob.over()
        await it.idle()


async def test_an_unknown_foreign_address_gets_our_invite_and_its_headers(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path, register=False) as here:
        it = here.it
        it.web.on(
            "/voice",
            twiml(f"<Dial><Sip>sip:carol@{BOB_HOST}?X-Account=12&amp;User-to-User=ab%3Bencoding%3Dhex</Sip></Dial>"),
        )
        alice = await here.alice_calls()
        bob = await here.bob.called()
        assert bob.invite is not None
        assert bob.invite.request_uri == f"sip:carol@{BOB_HOST}"
        assert bob.invite.headers.get("X-Account") == "12"
        assert bob.invite.headers.get("User-to-User") == "ab;encoding=hex"
        assert (bob.invite.headers.get("X-Twilio-CallSid") or "").startswith("CA")
        await bob.pick_up()
        await trio.sleep(1)
        await alice.hang_up()
        await bob.over()
        await it.idle()


async def test_a_screening_document_runs_on_the_callee_and_may_decline(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        it = here.it
        it.web.on("/voice", twiml(f'<Dial action="/after"><Sip url="/screen">sip:bob@{HOST}</Sip></Dial>'))
        it.web.on(
            "/screen", twiml('<Gather numDigits="1" action="/pressed" timeout="5"><Say>press</Say></Gather><Hangup/>')
        )
        it.web.on("/pressed", twiml(""))
        it.web.on("/after", twiml("<Hangup/>"))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        assert await bob.pick_up((("X-Room", "12"),))
        [screen] = await it.web.wait_for(1, "/screen")
        assert screen.params["SipHeader_X-Room"] == "12"
        assert screen.params["ParentCallSid"].startswith("CA")
        assert screen.params["Direction"] == "outbound-dial"
        await bob.press("1")
        await it.web.wait_for(1, "/pressed")
        await trio.sleep(1)
        await bob.say(Clip(tone(600, 900)))
        await trio.sleep(0.5)
        assert match(alice.heard(), tone(600, 900)) > 0.95
        await alice.hang_up()
        await bob.over()
        await it.idle()


async def test_status_callbacks_of_the_callee_come_in_order(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        it = here.it
        it.web.on(
            "/voice",
            twiml(
                '<Dial><Sip statusCallback="/events" statusCallbackEvent="initiated ringing answered completed">'
                f"sip:bob@{HOST}</Sip></Dial>"
            ),
        )
        it.web.on("/events", Answer(status=204, content_type=None))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(1)
        await bob.pick_up()
        await trio.sleep(2)
        await bob.hang_up()
        await alice.over()
        events = await it.web.wait_for(4, "/events")
        assert [event.params["CallStatus"] for event in events] == ["initiated", "ringing", "in-progress", "completed"]
        assert [event.params["SequenceNumber"] for event in events] == ["0", "1", "2", "3"]
        assert len(it.of(CallEnded)) == 2
        await it.idle()


async def test_early_media_of_the_callee_is_heard_before_anybody_has_answered(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        it = here.it
        it.web.on("/voice", twiml(f'<Dial answerOnBridge="true" action="/after"><Sip>sip:bob@{HOST}</Sip></Dial>'))
        it.web.on("/after", twiml("<Hangup/>"))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        await bob.ring(183, early=True)
        await trio.sleep(0.5)
        notice = tone(600, 700)
        await bob.say(Clip(notice))
        await trio.sleep(0.5)
        assert alice.status is None
        assert 183 in alice.progress
        assert match(alice.heard(), notice) > 0.95
        assert await bob.pick_up()
        assert await alice.answered()
        await bob.say(Clip(tone(600, 900)))
        await trio.sleep(0.5)
        assert match(alice.heard(), tone(600, 900)) > 0.95
        await alice.hang_up()
        await bob.over()
        [after] = await it.web.wait_for(1, "/after")
        assert bob.invite is not None
        assert after.params["DialSipCallId"] == bob.invite.call_id
        await it.idle()


async def test_an_answered_caller_hears_ringing_until_the_callee_is_there(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        it = here.it
        it.web.on("/voice", twiml(f'<Dial ringTone="uk"><Sip>sip:bob@{HOST}</Sip></Dial>'))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(4)
        heard = alice.heard()
        assert match(heard, ringback("uk")[:6400]) > 0.95
        await bob.pick_up()
        await trio.sleep(1)
        assert match(alice.heard()[len(heard) + 8000 :], ringback("uk")[:6400]) < 0.5
        await bob.hang_up()
        await alice.over()
        await it.idle()


async def test_hold_and_resume_of_either_side_keep_the_bridge(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        it = here.it
        it.web.on("/voice", twiml(f"<Dial><Sip>sip:bob@{HOST}</Sip></Dial>"))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        await bob.pick_up()
        await trio.sleep(1)
        for holder, held in ((alice, bob), (bob, alice)):
            await holder.reoffer(lambda offer: offer.replace(b"a=sendrecv", b"a=sendonly"))
            await trio.sleep(1)
            assert not held.is_over
            await holder.reoffer(lambda offer: offer)
            await trio.sleep(1)
            before = len(holder.heard())
            await held.say(Clip(tone(600, 900)))
            await trio.sleep(0.5)
            assert match(holder.heard()[before:], tone(600, 900)) > 0.95
        await alice.hang_up()
        await bob.over()
        await it.idle()


async def test_keys_cross_the_bridge_and_a_star_ends_the_callee_only(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        it = here.it
        it.web.on("/voice", twiml(f'<Dial hangupOnStar="true" action="/after"><Sip>sip:bob@{HOST}</Sip></Dial>'))
        it.web.on("/after", twiml("<Pause length='5'/>"))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        await bob.pick_up()
        await trio.sleep(1)
        await alice.press("12")
        await trio.sleep(1)
        assert [digit.digit for digit in bob.digits] == ["1", "2"]
        await bob.press("9")
        await trio.sleep(1)
        assert [digit.digit for digit in alice.digits] == ["9"]
        await alice.press("*")
        await bob.over()
        [after] = await it.web.wait_for(1, "/after")
        assert after.params["DialCallStatus"] == "completed"
        assert not alice.is_over
        await alice.over()
        await it.idle()


async def test_two_phones_ring_and_the_slower_one_gets_a_cancel_with_its_reason(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with (
        office(tmp_path) as here,
        phone_at(here.it.network, "10.0.0.10", "bob", ids=CountingIds("b2")) as other,
    ):
        it = here.it
        line = await other.register(HOST, password=PASSWORD, via=it.proxy)
        assert line.status == 200
        it.web.on("/voice", twiml(f"<Dial><Sip>sip:bob@{HOST}</Sip></Dial>"))
        alice = await here.alice_calls()
        one, two = await here.bob.called(), await other.called()
        await one.ring()
        await two.ring()
        await trio.sleep(1)
        assert await two.pick_up()
        await one.over()
        cancel = next(
            seen.message
            for seen in here.bob.ladder
            if isinstance(seen.message, Request) and seen.message.method == "CANCEL"
        )
        assert "Call completed elsewhere" in (cancel.headers.get("Reason") or "")
        await alice.hang_up()
        await two.over()
        assert len(it.of(CallStarted)) == 2
        await it.idle()


async def test_a_foreign_address_is_called_over_the_transport_that_it_names(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path, register=False) as here:
        it = here.it
        it.web.on("/voice", twiml(f"<Dial><Sip>sip:carol@{BOB_HOST};transport=tcp</Sip></Dial>"))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        assert bob.invite is not None
        assert bob.invite.via.transport == "TCP"
        assert str(bob.invite.to.uri) == f"sip:carol@{BOB_HOST}"
        await bob.decline(486)
        await alice.over()
        await it.idle()
