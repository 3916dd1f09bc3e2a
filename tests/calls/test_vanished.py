"""Peers that vanish: their sessions are not refreshed, and both legs of the call end (RFC 4028 section 10)."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.sip.dialog.events import LegEnded
from offhook.sip.dialog.session_timer import EXPIRED
from offhook.sip.message import Request
from offhook.testing.web import twiml

from .kit import world
from .peer import Peer, udp_peer
from .talk import talk

EVERY = ("Session-Expires", "90;refresher=uac")
"""Refreshed after 45 s, given up 30 s before its end."""


async def hung_up(peer: Peer) -> Request:
    """The BYE, whatever is repeated before it."""
    while (request := await peer.asked_any()).method != "BYE":
        pass
    return request


async def test_a_callee_who_answers_no_refresh_is_given_up_and_so_is_the_caller(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path, headers=(EVERY,)) as here:
        started = trio.current_time()
        await here.carol.asked("INVITE")
        assert trio.current_time() - started == pytest.approx(45, abs=1)
        bye = await hung_up(here.carol)
        assert trio.current_time() - started == pytest.approx(60, abs=1)
        assert bye.headers.get("Reason") == EXPIRED
        here.carol.respond(bye)
        await here.alice.over()
        [after] = await here.it.web.wait_for(1, "/after")
        assert after.params["DialCallStatus"] == "completed"
        ended = [fact for fact in here.alice.facts if isinstance(fact, LegEnded)]
        assert [fact.headers.get("Reason") for fact in ended] == ['Q.850;cause=16;text="Normal call clearing"']
        await here.it.idle()


async def test_a_caller_who_was_to_refresh_and_does_not_is_hung_up_on(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.limit(media_timeout_s=3600)
        it.web.on("/voice", twiml('<Say>Hello</Say><Pause length="600"/>'))
        peer.invite(headers=(("Supported", "timer"), EVERY))
        peer.ack(await peer.response(200))
        started = trio.current_time()
        bye = await hung_up(peer)
        assert trio.current_time() - started == pytest.approx(60, abs=1)
        assert bye.headers.get("Reason") == EXPIRED
        peer.respond(bye)
        assert (await it.ended()).cause == "expired"
        await it.idle()
