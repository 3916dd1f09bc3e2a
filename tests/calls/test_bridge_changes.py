"""What either side of a bridge may change while the two talk: codec, address, the length of its packets; and glare."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.media.g711 import PCMA, PCMU
from offhook.media.sources import Clip
from offhook.sip.message import Request, Response
from offhook.testing.listen import match
from offhook.testing.speech import tone

from .talk import talk
from .voice import FRAME, direction_of, media_of, sdp, voice

HIGH, LOW = tone(400, 900), tone(400, 500)
NEW_PLACE = "10.4.0.2"


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_a_callee_that_changes_its_codec_is_translated_from_then_on(
    autojump_clock: MockClock, tmp_path: Path, method: str
) -> None:
    async with talk(tmp_path, codecs=("PCMU",)) as here:
        assert await here.carol_hears(HIGH)
        assert await here.alice_hears(LOW)
        offer = sdp(here.media.address, formats=(8, 101), version=2)
        if method == "INVITE":
            answer = await here.reinvites(offer)
        else:
            here.asks("UPDATE", offer)
            answer = await here.carol.response(200, "UPDATE")
        assert b"RTP/AVP 8 101\r\n" in answer.body
        await trio.sleep(0.1)
        started = trio.current_time()
        assert await here.carol_hears(HIGH)
        assert {packet.payload_type for packet in here.media.since(started)} == {8}
        assert await here.alice_hears(LOW, law=PCMA)
        # And back: octets pass through again.
        await here.reinvites(sdp(here.media.address, formats=(0, 101), version=3))
        await trio.sleep(0.1)
        started = trio.current_time()
        assert await here.carol_hears(HIGH)
        assert {packet.payload_type for packet in here.media.since(started)} == {0}
        assert await here.alice_hears(LOW)
        await here.parts()


@pytest.mark.parametrize("host", [NEW_PLACE, "10.4.0.1"], ids=["another address", "another port"])
async def test_a_callee_that_moves_is_followed_at_once_and_its_old_place_is_silent(
    autojump_clock: MockClock, tmp_path: Path, host: str
) -> None:
    async with talk(tmp_path) as here, voice(here.it.network, host, 31_000) as moved:
        await here.media.say(LOW, here.server_media)  # its old place is known by its media, too
        answer = await here.reinvites(sdp(moved.address, version=2))
        assert media_of(answer) == here.server_media
        await trio.sleep(0.05)
        started = trio.current_time()
        assert await here.carol_hears(HIGH, moved)
        assert here.media.since(started) == []
        assert await here.alice_hears(LOW, moved)
        # What still comes from there is nobody's.
        assert not await here.alice_hears(HIGH)
        await here.parts()


async def test_a_re_invite_without_an_offer_gets_ours_and_its_ack_moves_the_media(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path) as here, voice(here.it.network, NEW_PLACE, 31_000) as moved:
        request = here.asks("INVITE")
        offer = await here.carol.response(200)
        assert direction_of(offer.body) == "sendrecv"
        here.carol.request(
            "ACK",
            call_id=here.invite.call_id,
            branch="z9hG4bK-carol-ack",
            cseq=request.cseq.number,
            tag="carol",
            to_tag=here.invite.from_tag,
            body=sdp(moved.address, version=2),
        )
        await trio.sleep(0.1)
        assert await here.carol_hears(HIGH, moved)
        assert await here.alice_hears(LOW, moved)
        await here.parts()


async def test_a_re_invite_that_cannot_be_understood_is_refused_and_the_talk_goes_on(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path) as here:
        for body, status in (
            (sdp(here.media.address, formats=(18,)), 488),
            (sdp(here.media.address, connection="224.1.1.1"), 488),
            (b"v=0\r\nnonsense", 488),
        ):
            answer = await here.reinvites(body, status=status)
            assert answer.status == status
            assert await here.carol_hears(HIGH)
            assert await here.alice_hears(LOW)
        await here.parts()


async def test_glare_is_491_both_ways_and_the_refresh_comes_again_in_its_time(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path, headers=(("Session-Expires", "90;refresher=uac"),)) as here:
        refresh = await here.carol.asked("INVITE")
        offered = trio.current_time()
        # Carol's own has been under way when that came.
        mine = here.asks("INVITE", sdp(here.media.address, direction="sendonly", version=2))
        assert (await here.carol.response(491)).cseq.number == mine.cseq.number
        here.carol.respond(refresh, 491)
        await here.carol.asked("ACK")
        again = await here.carol.asked("INVITE")
        # 14.1: who made the Call-ID waits 2.1 to 4 s, in units of 10 ms.
        assert 2.1 <= trio.current_time() - offered - 0.01 <= 4.05
        assert again.cseq.number > refresh.cseq.number
        here.carol.respond(again, 200, body=sdp(here.media.address))
        await here.carol.asked("ACK")
        held = await here.reinvites(sdp(here.media.address, direction="sendonly", version=2))
        assert direction_of(held.body) == "recvonly"
        await here.reinvites(sdp(here.media.address, version=3))
        assert await here.carol_hears(HIGH)
        await here.parts()


async def test_a_bye_that_crosses_a_re_invite_ends_the_talk_and_answers_both(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path) as here:
        here.asks("INVITE", sdp(here.media.address, direction="sendonly", version=2))
        here.asks("BYE")
        await trio.sleep(1)
        finals = {
            (message.cseq.method, message.status)
            for _, message in here.carol.inbox
            if isinstance(message, Response) and message.status >= 200
        }
        assert ("BYE", 200) in finals
        assert {status for method, status in finals if method == "INVITE"} in ({200}, {487})
        [after] = await here.it.web.wait_for(1, "/after")
        assert after.params["DialCallStatus"] == "completed"
        await here.alice.over()
        await here.it.idle()


async def test_two_re_invites_at_once_are_answered_one_by_one(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with talk(tmp_path) as here:
        first = here.asks("INVITE", sdp(here.media.address, direction="sendonly", version=2))
        second = here.asks("INVITE", sdp(here.media.address, direction="inactive", version=3))
        await trio.sleep(0.2)
        answers = {
            message.cseq.number: message
            for _, message in here.carol.inbox
            if isinstance(message, Response) and message.cseq.method == "INVITE" and message.status >= 200
        }
        assert answers[first.cseq.number].status == 200
        assert answers[second.cseq.number].status in (491, 500)
        if answers[second.cseq.number].status == 500:
            assert "Retry-After" in answers[second.cseq.number].headers
        for request in (first, second):
            here.carol.request(
                "ACK",
                call_id=here.invite.call_id,
                branch=f"{request.via.branch}{'-ack' if request is first else ''}",
                cseq=request.cseq.number,
                tag="carol",
                to_tag=here.invite.from_tag,
            )
        here.carol.skip()
        assert not await here.carol_hears(HIGH)
        await here.reinvites(sdp(here.media.address, version=4))
        assert await here.carol_hears(HIGH)
        await here.parts()


async def test_a_refreshing_re_invite_of_either_side_costs_not_one_packet(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path) as here:
        octets = PCMU.encode(tone(4000, 700))
        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.media.say, PCMU.decode(octets), here.server_media)
            nursery.start_soon(here.alice.say, Clip(tone(4000, 500)))
            await trio.sleep(1)
            await here.reinvites(sdp(here.media.address))
            await trio.sleep(1)
            await here.alice.reoffer(lambda offer: offer)
        await trio.sleep(0.1)
        packets = here.media.since(started)
        assert len(packets) == pytest.approx(4.1 * 50, abs=2)
        sequences = [packet.sequence for packet in packets]
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
        assert match(here.media.heard(started), tone(4000, 500)) > 0.99
        assert match(here.alice.heard(), tone(4000, 700)) > 0.99
        await here.parts()


async def test_a_callee_that_asks_for_longer_packets_gets_them(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with talk(tmp_path) as here:
        await here.reinvites(sdp(here.media.address, version=2) + b"a=ptime:40\r\n")
        await trio.sleep(0.1)
        started = trio.current_time()
        assert await here.carol_hears(HIGH)
        assert {len(packet.payload) for packet in here.media.since(started)} == {2 * FRAME}
        assert await here.alice_hears(LOW)
        await here.parts()


def requests_of(inbox: list[tuple[float, Request | Response]], method: str) -> list[Request]:
    return [message for _, message in inbox if isinstance(message, Request) and message.method == method]


async def test_an_update_without_a_description_refreshes_and_changes_nothing(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path) as here:
        here.asks("UPDATE", headers=(("Supported", "timer"), ("Session-Expires", "90;refresher=uac")))
        answer = await here.carol.response(200, "UPDATE")
        assert answer.body == b""
        assert (answer.headers.get("Session-Expires") or "").startswith("90;refresher=uac")
        assert await here.carol_hears(HIGH)
        assert requests_of(here.carol.inbox, "INVITE") == [here.invite]
        await here.parts()
