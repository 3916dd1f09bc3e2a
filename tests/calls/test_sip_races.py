"""SIP where messages cross, get lost, come twice or belong to nothing: what the peer sees, what the call becomes."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallAnswered, CallRefused, CallStarted
from offhook.server.config import MediaSettings
from offhook.sip.dialog.events import Cause, LegOfferAnswered, LegOfferRefused
from offhook.sip.message import Request, Response
from offhook.testing.network import Conditions
from offhook.testing.speech import tone, wav
from offhook.testing.web import Answer, twiml

from .kit import PHONE, SERVER, RtpTrace, World, config_for, world
from .peer import SDP, tcp_peer, udp_peer

LONG = twiml('<Say>Hello</Say><Pause length="600"/>')
TCP = f"sip:{SERVER}:5060;transport=tcp"


def said_over(it: World, sent: bool) -> list[str]:
    """Method and transport of the phone's requests in order, or of those it got."""
    return [
        f"{seen.message.method} {seen.message.via.transport}"
        for seen in it.phone.ladder
        if isinstance(seen.message, Request) and seen.sent is sent
    ]


# --- CANCEL ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_cancel_while_the_application_thinks_is_487_and_canceled(
    autojump_clock: MockClock, tmp_path: Path, transport: str
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml("<Say>never</Say>", delay_s=10))
        call = await it.phone.call(it.target, via=f"{it.proxy};transport={transport}")
        await trio.sleep(1)
        await call.cancel()
        await it.idle()
        finals = [
            (seen.message.cseq.method, seen.message.status)
            for seen in it.phone.ladder
            if isinstance(seen.message, Response) and seen.message.status >= 200
        ]
        assert sorted(finals) == [("CANCEL", 200), ("INVITE", 487)]
        [ended] = await it.ends(1)
        assert (ended.status, ended.duration_s, ended.sip_response_code) == ("canceled", 0, 487)
        [status] = it.web.asked("/status")
        assert (status.params["CallStatus"], status.params["SipResponseCode"]) == ("canceled", "487")
        assert (len(it.web.asked("/voice")), it.speech.spoken, it.of(CallAnswered)) == (1, [], [])


async def test_cancel_while_a_pause_rings_is_canceled_and_asks_nothing_more(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml('<Pause length="20"/><Redirect>/next</Redirect>'))
        call = await it.call()
        await trio.sleep(3)
        await call.cancel()
        await it.idle()
        [ended] = await it.ends(1)
        assert ended.status == "canceled"
        assert it.web.asked("/next") == []


async def test_cancel_that_crosses_the_200_changes_nothing_for_the_server(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", LONG)
        invite = peer.invite()
        answer = await peer.response(200)
        peer.cancel(invite)
        await peer.response(200, "CANCEL")
        peer.ack(answer)
        await trio.sleep(5)
        assert len(it.server.calls) == 1
        peer.bye(answer)
        await peer.response(200, "BYE")
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause, ended.duration_s) == ("completed", "hung-up", 5)
        await it.idle()


async def test_a_phone_whose_cancel_crosses_the_200_hangs_up_and_both_sides_agree(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path, conditions=Conditions(delay_s=0.1)) as it:
        it.web.on("/voice", LONG)
        call = await it.call()
        await it.event(CallStarted)
        # The 200 leaves after the round trips to the application: for the connection, and for the request.
        await trio.sleep(0.45)
        await call.cancel()
        await it.idle()
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause) == ("completed", "hung-up")
        assert said_over(it, True) == ["INVITE UDP", "CANCEL UDP", "ACK UDP", "BYE UDP"]
        assert len(it.web.asked("/status")) == 1


async def test_bye_in_an_early_dialog_ends_the_invite_too(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", twiml("<Hangup/>", delay_s=10))
        peer.invite()
        ringing = await peer.response(180)
        peer.bye(ringing, cseq=2)
        answers = [await peer._next(), await peer._next()]
        assert sorted(
            (message.status, message.cseq.method) for message in answers if isinstance(message, Response)
        ) == [(200, "BYE"), (487, "INVITE")]
        [ended] = await it.ends(1)
        assert ended.status == "canceled"


# --- BYE and re-INVITE -----------------------------------------------------------------------------------------------


async def test_bye_right_behind_a_reinvite_ends_the_call_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", LONG)
        answer = await peer.up()
        peer.invite(cseq=2, branch="z9hG4bK-2", to_tag=answer.to_tag)
        peer.bye(answer, cseq=3)
        await it.idle()
        assert peer.statuses("BYE") == [200]
        assert peer.statuses()[-1] in (200, 487)
        [ended] = await it.ends(1)
        assert ended.status == "completed"
        assert [message for _, message in peer.inbox if isinstance(message, Request)] == []


async def test_a_reinvite_that_crosses_our_bye_is_refused_and_the_bye_stands(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", twiml('<Say>Hi</Say><Pause length="2"/>'))
        answer = await peer.up()
        bye = await peer.asked("BYE")
        peer.invite(cseq=2, branch="z9hG4bK-2", to_tag=answer.to_tag)
        refused = await peer.response(481)
        assert refused.cseq.number == 2
        peer.respond(bye)
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause) == ("completed", "document-ended")
        await it.idle()


async def test_byes_of_both_sides_cross_and_each_is_answered(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", twiml('<Say>Hi</Say><Pause length="2"/>'))
        answer = await peer.up()
        bye = await peer.asked("BYE")
        peer.bye(answer)
        await peer.response(200, "BYE")
        peer.respond(bye)
        await it.idle()
        assert len(await it.ends(1)) == 1


async def test_bye_goes_where_the_last_reinvite_says(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with (
        world(tmp_path) as it,
        udp_peer(it.network) as peer,
        udp_peer(it.network, 5999) as elsewhere,
    ):
        it.web.on("/voice", twiml('<Say>Hi</Say><Pause length="2"/>'))
        answer = await peer.up()
        peer.invite(cseq=2, branch="z9hG4bK-2", to_tag=answer.to_tag, port=5999)
        peer.ack(await peer.response(200))
        bye = await elsewhere.asked("BYE")
        elsewhere.respond(bye)
        await it.idle()


# --- ACK -------------------------------------------------------------------------------------------------------------


async def test_without_an_ack_the_200_is_repeated_and_the_call_fails_after_32_s(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", LONG)
        started = trio.current_time()
        peer.invite()
        bye = await peer.asked("BYE")
        peer.respond(bye)
        assert trio.current_time() - started == pytest.approx(32)
        copies = [at - started for at, message in peer.inbox if isinstance(message, Response) and message.status == 200]
        assert copies == pytest.approx([0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5])
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause) == ("failed", "no-ack")
        assert it.codes() == [32022]
        assert [asked.params["CallStatus"] for asked in await it.web.wait_for(1, "/status")] == ["failed"]
        await it.idle()


async def test_a_lost_ack_is_made_good_by_its_copy(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml("<Say>Hello</Say>"))
        it.network.lose(lambda sent: sent.data.startswith(b"ACK"), times=2)
        call = await it.call()
        assert await call.answered()
        await call.over()
        [ended] = await it.ends(1)
        assert ended.status == "completed"
        assert said_over(it, True).count("ACK UDP") == 3
        await it.idle()


async def test_a_bye_in_place_of_the_ack_ends_the_call(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", LONG)
        peer.invite()
        answer = await peer.response(200)
        peer.bye(answer)
        await peer.response(200, "BYE")
        [ended] = await it.ends(1)
        assert ended.status == "completed"
        await it.idle()


# --- offers ----------------------------------------------------------------------------------------------------------


async def test_an_invite_without_an_offer_gets_ours_and_the_call_has_sound(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    melody = tone(1000, 650)
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml('<Play>/melody.wav</Play><Gather numDigits="1" action="/key"/>'))
        it.web.on("/melody.wav", Answer(wav(melody), content_type="audio/wav"))
        it.web.on("/key", twiml("<Hangup/>"))
        call = await it.call(offerless=True)
        assert await call.answered()
        await trio.sleep(1.5)
        await call.press("7")
        await call.over()
        assert it.has_heard(call, melody)
        assert it.web.asked("/key")[0].params["Digits"] == "7"


async def test_an_ack_without_the_answer_it_owes_ends_the_call(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", LONG)
        peer.invite(body=b"")
        answer = await peer.response(200)
        assert b"m=audio" in answer.body
        peer.ack(answer)
        peer.respond(await peer.asked("BYE"))
        [ended] = await it.ends(1)
        assert ended.status == "failed"
        assert it.codes() == [32103]
        await it.idle()


@pytest.mark.parametrize("answer", [b"v=0\r\nnonsense", SDP.replace(b"RTP/AVP 0 101", b"RTP/AVP 18")])
async def test_an_ack_with_a_useless_answer_ends_the_call(
    autojump_clock: MockClock, tmp_path: Path, answer: bytes
) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", LONG)
        peer.invite(body=b"")
        peer.ack(await peer.response(200), answer)
        peer.respond(await peer.asked("BYE"))
        [ended] = await it.ends(1)
        assert (ended.status, it.codes()) == ("failed", [32102])
        await it.idle()


async def test_hold_stops_our_sound_and_resume_brings_it_back(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        trace = RtpTrace()
        it.network.taps.append(trace)
        it.web.on("/voice", twiml('<Play loop="0">/clip.wav</Play>'))
        it.web.on("/clip.wav", Answer(wav(tone(1000)), content_type="audio/wav"))
        call = await it.call()
        assert await call.answered()
        where = it.heard_at(call)
        await trio.sleep(1)
        held = await call.reoffer(lambda offer: offer.replace(b"a=sendrecv", b"a=sendonly"))
        assert isinstance(held, LegOfferAnswered)
        assert b"a=recvonly" in held.body
        before = len(trace.packets[where])
        await trio.sleep(90)  # longer than the limit for silence: a held call is not a dead one
        assert len(trace.packets[where]) - before <= 1
        resumed = await call.reoffer(lambda offer: offer)
        assert isinstance(resumed, LegOfferAnswered)
        assert b"a=sendrecv" in resumed.body
        after = len(trace.packets[where])
        await trio.sleep(1)
        assert len(trace.packets[where]) - after >= 48
        assert not call.is_over
        await call.hang_up()


async def test_a_reinvite_that_cannot_be_had_is_488_and_the_call_goes_on(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", LONG)
        call = await it.call()
        assert await call.answered()
        fact = await call.reoffer(lambda offer: offer.replace(b"PCMU", b"G729").replace(b"PCMA", b"GSM"))
        assert isinstance(fact, LegOfferRefused)
        assert fact.status == 488
        await trio.sleep(1)
        assert not call.is_over
        await call.hang_up()


# --- OPTIONS, strays, copies -----------------------------------------------------------------------------------------


async def test_options_is_answered_in_and_out_of_a_dialog(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", LONG)
        peer.request("OPTIONS", call_id="o1")
        outside = await peer.response(200, "OPTIONS")
        assert "INVITE" in outside.allow
        assert outside.headers.get("Accept") == "application/sdp"
        answer = await peer.up()
        peer.request("OPTIONS", cseq=2, branch="z9hG4bK-o2", to_tag=answer.to_tag)
        inside = await peer.response(200, "OPTIONS")
        assert "BYE" in inside.allow
        peer.request("OPTIONS", cseq=3, branch="z9hG4bK-o3", to_tag="nobody")
        await peer.response(481, "OPTIONS")
        peer.bye(answer)
        await peer.response(200, "BYE")
        assert len(it.of(CallStarted)) == 1


async def test_what_belongs_to_no_call_is_answered_481_or_not_at_all(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        peer.request("BYE", to_tag="gone", branch="z9hG4bK-a")
        await peer.response(481, "BYE")
        peer.request("BYE", branch="z9hG4bK-b")
        await peer.response(481, "BYE")
        peer.request("CANCEL", branch="z9hG4bK-c")
        await peer.response(481, "CANCEL")
        peer.invite(to_tag="gone", branch="z9hG4bK-d")
        await peer.response(481)
        peer.request("ACK", to_tag="gone", branch="z9hG4bK-e")
        peer.request("INFO", to_tag="gone", branch="z9hG4bK-f")
        await peer.response(481, "INFO")
        peer.request("MESSAGE", branch="z9hG4bK-g")
        await peer.response(405, "MESSAGE")
        await trio.sleep(1)
        assert len(peer.inbox) == 6
        assert it.of(CallStarted) == []


async def test_copies_of_an_invite_make_one_call(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", twiml("<Say>Hello</Say><Pause/>", delay_s=2))
        for _ in range(3):
            peer.invite()
            await trio.sleep(0.4)
        answer = await peer.response(200)
        peer.invite()
        peer.ack(answer)
        peer.respond(await peer.asked("BYE"))
        await it.idle()
        assert set(peer.statuses()) == {100, 180, 200}
        assert len(it.web.asked("/voice")) == len(it.of(CallStarted)) == len(await it.ends(1)) == 1


async def test_another_branch_of_an_invite_that_is_being_served_is_482(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", LONG)
        peer.invite()
        answer = await peer.response(200)
        peer.invite(branch="z9hG4bK-fork")
        merged = await peer.response(482)
        assert merged.via.branch == "z9hG4bK-fork"
        peer.ack(answer)
        peer.bye(answer)
        await peer.response(200, "BYE")
        assert len(it.of(CallStarted)) == 1


async def test_a_stranger_who_knows_the_call_id_reaches_no_leg(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", LONG)
        answer = await peer.up()
        peer.request("BYE", cseq=5, branch="z9hG4bK-x", to_tag="guessed")
        await peer.response(481, "BYE")
        peer.request("BYE", cseq=5, branch="z9hG4bK-y", tag="stranger", to_tag=answer.to_tag)
        await peer.response(481, "BYE")
        await trio.sleep(1)
        assert len(it.server.calls) == 1
        peer.bye(answer)
        await peer.response(200, "BYE")


# --- transports ------------------------------------------------------------------------------------------------------


async def test_a_whole_call_runs_over_tcp(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml('<Gather numDigits="1" action="/key"/>'))
        it.web.on("/key", twiml("<Hangup/>"))
        call = await it.phone.call(it.target, via=TCP)
        assert await call.answered()
        await call.press("3")
        await call.over()
        assert (said_over(it, True), said_over(it, False)) == (["INVITE TCP", "ACK TCP"], ["BYE TCP"])
        assert it.network.counts["connects"] - len({asked.connection for asked in it.web.requests}) == 1
        await it.idle()


async def test_a_call_outlives_its_tcp_connection(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml('<Say>Hi</Say><Pause length="5"/>'))
        call = await it.phone.call(it.target, via=TCP)
        assert await call.answered()
        await trio.sleep(1)
        assert it.network.reset((SERVER, 5060)) == 1
        await call.over()
        assert call.cause is Cause.HUNG_UP
        assert said_over(it, False) == ["BYE TCP"]
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause) == ("completed", "document-ended")
        await it.idle()


async def test_a_large_invite_goes_over_tcp_and_is_a_call_like_any_other(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml("<Say>Hello</Say>"))
        call = await it.call(headers=(("X-Long", "a" * 3000),))
        assert await call.answered()
        await call.over()
        assert said_over(it, True)[0] == "INVITE TCP"
        assert it.web.asked("/voice")[0].params["SipHeader_X-Long"] == "a" * 3000
        await it.idle()


@pytest.mark.parametrize(("size", "status"), [(20_000, 200), (70_000, 513)])
async def test_a_huge_invite_over_tcp_is_taken_up_to_the_limit(
    autojump_clock: MockClock, tmp_path: Path, size: int, status: int
) -> None:
    async with world(tmp_path) as it, tcp_peer(it.network) as peer:
        it.web.on("/voice", twiml('<Say>Hello</Say><Pause length="2"/>'))
        peer.invite(headers=tuple((f"X-Long-{index}", "a" * 1000) for index in range(size // 1000)))
        answer = await peer.response(status)
        if status == 200:
            peer.ack(answer)
            peer.respond(await peer.asked("BYE"))
            await it.idle()
        assert len(it.of(CallStarted)) == (status == 200)


async def test_a_datagram_of_20_kib_is_an_invite_too(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", twiml("<Reject/>"))
        peer.invite(headers=tuple((f"X-Long-{index}", "a" * 1000) for index in range(20)))
        await peer.response(404)


# --- limits ----------------------------------------------------------------------------------------------------------


async def test_a_peer_that_sends_no_sound_is_hung_up_on_after_a_minute(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", LONG)
        await peer.up()
        started = trio.current_time()
        peer.respond(await peer.asked("BYE"))
        assert trio.current_time() - started == pytest.approx(60, abs=0.1)
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause, ended.duration_s) == ("completed", "no-audio", 60)
        assert it.codes() == [32014]
        await it.idle()


async def test_the_configuration_says_how_long_a_peer_may_be_silent(autojump_clock: MockClock, tmp_path: Path) -> None:
    config = attrs.evolve(config_for(tmp_path), media=MediaSettings(timeout_s=7))
    async with world(tmp_path, config=config) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", LONG)
        await peer.up()
        started = trio.current_time()
        peer.respond(await peer.asked("BYE"))
        assert trio.current_time() - started == pytest.approx(7, abs=0.1)
        assert it.codes() == [32014]


async def test_sound_that_stops_is_no_sound(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", LONG)
        call = await it.call()
        assert await call.answered()
        await trio.sleep(20)
        it.network.partition(PHONE, SERVER)
        await trio.sleep(59)
        assert it.codes() == []
        await trio.sleep(2)
        assert it.codes() == [32014]
        it.network.heal()
        await call.over()
        [ended] = await it.ends(1)
        assert ended.cause == "no-audio"


async def test_a_call_is_ended_at_its_longest_duration(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.limit(max_call_s=120.0)
        it.web.on("/voice", LONG)
        call = await it.call()
        assert await call.answered()
        started = trio.current_time()
        await call.over()
        assert trio.current_time() - started == pytest.approx(120)
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause, ended.duration_s) == ("completed", "max-duration", 120)
        assert it.codes() == [32015]
        await it.idle()


async def test_a_draining_server_takes_no_new_call_and_lets_the_live_one_finish(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", twiml('<Say>Hi</Say><Gather timeout="20" numDigits="1" action="/key"/>'))
        it.web.on("/key", twiml("<Hangup/>"))
        live = await it.call()
        assert await live.answered()
        drained: list[bool] = []

        async def drain() -> None:
            drained.append(await it.server.drain())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drain)
            await trio.sleep(1)
            assert it.server.status == "draining"
            peer.invite()
            refused = await peer.response(503)
            assert int(refused.headers.get("Retry-After") or 0) > 0
            peer.request("OPTIONS", call_id="o1")
            await peer.response(200, "OPTIONS")
            held = await live.reoffer(lambda offer: offer)
            assert isinstance(held, LegOfferAnswered)
            assert drained == []
            await live.press("1")
            await live.over()
        assert drained == [True]
        assert it.web.asked("/key")[0].params["Digits"] == "1"
        assert len(it.of(CallRefused)) <= 1
