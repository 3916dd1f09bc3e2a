"""Refreshes of our own that the far end uses to change its part of the session (RFC 4028 7.4)."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.media.g711 import PCMA
from offhook.sip.message import Request
from offhook.testing.speech import tone
from offhook.testing.web import twiml

from .kit import PHONE, world
from .peer import udp_peer
from .talk import Talk, talk
from .voice import direction_of, sdp, voice

HIGH, LOW = tone(600, 900), tone(600, 500)
EVERY = ("Session-Expires", "90;refresher=uac")
"""In Carol's 200: the server refreshes, 45 s later."""


async def refresh(here: Talk, body: bytes) -> Request:
    """The server refreshes the session, and Carol answers that with this description. Meanwhile nobody says a word."""
    request = await here.carol.asked("INVITE")
    here.carol.respond(request, 200, body=body, headers=(EVERY,))
    await here.carol.asked("ACK")
    await trio.sleep(0.2)
    return request


async def test_a_refresh_that_moves_the_far_end_is_followed_with_its_media(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with (
        talk(tmp_path, headers=(EVERY,)) as here,
        voice(here.it.network, "10.4.0.2", 31_000) as moved,
    ):
        assert await here.carol_hears(HIGH)
        again = await refresh(here, sdp(moved.address, version=2))
        assert again.body == here.invite.body  # what was agreed last, and not a version more
        assert await here.carol_hears(LOW, moved)
        assert await here.alice_hears(HIGH, moved)
        assert not await here.alice_hears(LOW)
        assert (await here.parts())["DialCallStatus"] == "completed"


async def test_a_refresh_that_changes_the_codec_is_followed_by_transcoding(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path, headers=(EVERY,), codecs=("PCMU",)) as here:
        await refresh(here, sdp(here.media.address, formats=(8, 101), version=2))
        started = trio.current_time()
        assert await here.carol_hears(LOW)
        assert {packet.payload_type for packet in here.media.since(started)} == {8}
        assert await here.alice_hears(HIGH, law=PCMA)
        await here.parts()


@pytest.mark.parametrize(
    ("direction", "carol_hears", "alice_hears"),
    [("sendonly", False, True), ("recvonly", True, False), ("inactive", False, False)],
)
async def test_a_refresh_that_holds_is_obeyed(
    autojump_clock: MockClock, tmp_path: Path, direction: str, carol_hears: bool, alice_hears: bool
) -> None:
    async with talk(tmp_path, headers=(EVERY,)) as here:
        await refresh(here, sdp(here.media.address, direction=direction, version=2))
        started = trio.current_time()
        assert await here.carol_hears(LOW) is carol_hears
        assert bool(here.media.since(started)) is carol_hears
        assert await here.alice_hears(HIGH) is alice_hears
        await here.parts()


async def test_a_refresh_of_a_held_session_asks_for_no_more_than_was_agreed(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path, headers=(EVERY,)) as here:
        held = await here.reinvites(sdp(here.media.address, direction="sendonly", version=2))
        assert direction_of(held.body) == "recvonly"
        # The re-INVITE of Carol's has refreshed the session, and left it to us to do so the next time.
        again = await refresh(here, sdp(here.media.address, direction="sendonly", version=2))
        assert again.body == held.body
        assert not await here.carol_hears(LOW)
        assert await here.alice_hears(HIGH)
        await here.parts()


async def test_a_refresh_that_is_answered_with_no_audio_at_all_ends_the_dial_and_not_the_caller(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path, headers=(EVERY,)) as here:
        await refresh(here, sdp(here.media.address, port=0, version=2))
        here.carol.respond(await here.carol.asked("BYE"))
        [after] = await here.it.web.wait_for(1, "/after")
        assert after.params["DialCallStatus"] == "completed"
        assert 32102 in here.it.codes()
        await here.alice.over()  # by the document of the action
        await here.it.idle()


async def test_a_caller_who_moves_in_the_answer_to_a_refresh_is_followed(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with (
        world(tmp_path) as it,
        udp_peer(it.network) as peer,
        voice(it.network, PHONE, 39_000) as first,
        voice(it.network, "10.4.0.2", 31_000) as moved,
    ):
        it.limit(media_timeout_s=3600)
        it.web.on("/voice", twiml('<Pause length="1"/><Say>Hello</Say><Pause length="600"/>'))
        peer.invite(headers=(("Supported", "timer"), ("Session-Expires", "90;refresher=uas")))
        peer.ack(await peer.response(200))
        request = await peer.asked("INVITE")
        assert first.packets
        peer.respond(request, 200, body=sdp(moved.address), headers=(EVERY,))
        await peer.asked("ACK")
        await trio.sleep(0.1)
        before = trio.current_time()
        await trio.sleep(1)
        assert (len(moved.since(before)), first.since(before)) == (50, [])
        answer = peer.request("BYE", branch="z9hG4bK-bye", cseq=9, to_tag=request.from_tag)
        assert answer.call_id == request.call_id
        await it.ended()
        await it.idle()
