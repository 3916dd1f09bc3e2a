"""How a bridge ends when nobody hangs up: a peer that vanishes, silence, a crash; and what the other side is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallStarted
from offhook.sip.message import Request
from offhook.testing.speech import tone
from offhook.testing.web import twiml

from .kit import poison_call, world
from .peer import PORT, udp_peer
from .talk import CAROL, DIAL, talk
from .voice import media_of, sdp, voice


async def test_a_call_that_crashes_has_lasted_until_then_on_both_sides(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path) as here:
        parent, child = here.it.of(CallStarted)
        await trio.sleep(4.5)
        poison_call(here.it, parent.call_sid)
        here.carol.respond(await here.carol.asked("BYE"))
        await here.alice.over()
        ends = {end.call_sid: end for end in await here.it.ends(2)}
        assert {(end.status, end.duration_s) for end in ends.values()} == {("failed", 5)}
        await here.it.idle()
        for sid in (parent.call_sid, child.call_sid):
            record = await here.it.server.repository.call(sid)
            assert record is not None
            assert (record.status, record.duration_s) == ("failed", 5)


def reason_of(request: Request) -> str:
    return request.headers.get("Reason") or ""


async def test_a_callee_that_falls_silent_is_told_why_it_is_hung_up_and_the_caller_goes_on(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path, media_timeout_s=60) as here:
        here.it.web.on("/after", twiml('<Pause length="3"/>'))
        await here.media.say(tone(1000), here.server_media)
        silent_since = trio.current_time()
        bye = await here.carol.asked("BYE")
        assert trio.current_time() - silent_since == pytest.approx(60, abs=0.1)
        assert reason_of(bye) == 'Q.850;cause=16;text="RTP timeout"'
        here.carol.respond(bye)
        [after] = await here.it.web.wait_for(1, "/after")
        assert (after.params["DialCallStatus"], after.params["DialBridged"]) == ("completed", "true")
        assert here.it.codes() == [32014]
        assert not here.alice.is_over
        await here.alice.over()
        await here.it.idle()


async def test_a_caller_that_falls_silent_ends_the_call_and_the_callee_is_hung_up_with_a_reason(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with (
        world(tmp_path) as it,
        udp_peer(it.network) as carol,
        udp_peer(it.network, PORT + 2) as alice,
        voice(it.network, CAROL, 30_000) as hers,
    ):
        it.limit(media_timeout_s=20)
        it.web.on("/voice", twiml(DIAL))
        it.web.on("/after", twiml(""))
        alice.invite(port=PORT + 2)
        alice.ack(await alice.response(200))
        invite = await carol.asked("INVITE")
        carol.respond(invite, 200, tag="carol", body=sdp(hers.address))
        await carol.asked("ACK")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hers.say, tone(25_000), media_of(invite))
            alice.respond(await alice.asked("BYE"))
            bye = await carol.asked("BYE")
            assert reason_of(bye)
            carol.respond(bye)
        assert 32014 in it.codes()
        assert {end.status for end in await it.ends(2)} == {"completed"}
        await it.idle()


@pytest.mark.parametrize("refresher", ["uas", "uac"])
async def test_a_callee_that_vanished_is_found_out_by_the_session_timer_and_the_caller_goes_on(
    autojump_clock: MockClock, tmp_path: Path, refresher: str
) -> None:
    async with talk(tmp_path, headers=(("Session-Expires", f"90;refresher={refresher}"),)) as here:
        here.it.web.on("/after", twiml('<Pause length="3"/>'))
        answered = trio.current_time()
        [after] = await here.it.web.wait_for(1, "/after")
        # A third of the interval before its end, whether the refresh was Carol's to send or hers to answer.
        assert trio.current_time() - answered == pytest.approx(60, abs=1)
        assert after.params["DialCallStatus"] == "completed"
        byes = [one for _, one in here.carol.inbox if isinstance(one, Request) and one.method == "BYE"]
        assert reason_of(byes[0]).startswith("SIP;cause=408")
        await here.alice.over()
        await here.it.idle()


async def test_a_caller_that_vanished_is_found_out_by_the_session_timer_and_the_callee_is_hung_up_with_a_reason(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with (
        world(tmp_path) as it,
        udp_peer(it.network) as carol,
        udp_peer(it.network, PORT + 2) as alice,
    ):
        it.limit(media_timeout_s=3600)
        it.web.on("/voice", twiml(DIAL))
        it.web.on("/after", twiml(""))
        alice.invite(port=PORT + 2, headers=(("Supported", "timer"), ("Session-Expires", "90;refresher=uac")))
        alice.ack(await alice.response(200))
        answered = trio.current_time()
        invite = await carol.asked("INVITE")
        carol.respond(invite, 200, tag="carol", body=sdp((CAROL, 30_000)))
        await carol.asked("ACK")
        bye = await carol.asked("BYE")
        assert trio.current_time() - answered == pytest.approx(60, abs=1)
        assert reason_of(bye)
        carol.respond(bye)
        [ended] = [end for end in await it.ends(2) if end.cause != "dial"]
        assert (ended.status, ended.cause) == ("completed", "expired")
        await it.idle()


async def test_a_callee_that_knows_the_dialog_no_more_is_gone(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with talk(tmp_path, headers=(("Session-Expires", "90;refresher=uac"),)) as here:
        refresh = await here.carol.asked("INVITE")
        here.carol.respond(refresh, 481)
        await here.carol.asked("ACK")
        here.carol.respond(await here.carol.asked("BYE"), 481)
        [after] = await here.it.web.wait_for(1, "/after")
        assert after.params["DialCallStatus"] == "completed"
        await here.alice.over()
        await here.it.idle()
