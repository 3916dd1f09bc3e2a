"""What is captured of whole calls: every message of the ladder, of both sides of a bridge, over every transport."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from offhook.actors.capture_disk import GATHER_S, LINGER_S, TIDY_S
from offhook.actors.captures import SIGNALLING_BYTES
from offhook.actors.messages.events import CallStarted
from offhook.media.g711 import PCMU
from offhook.media.rtcp import parse as parse_rtcp
from offhook.media.rtp import parse as parse_rtp
from offhook.server.config import CapturesSettings, Config
from offhook.server.pcap import capture_files
from offhook.store.captures import CaptureFiles
from offhook.store.pcapng import missing
from offhook.testing.listen import match
from offhook.testing.network import Conditions
from offhook.testing.speech import tone, wav
from offhook.testing.web import Answer, twiml

from ..store.pcap_reader import Seen, read_pcapng
from .kit import BASE, PASSWORD, PHONE, RTP_FROM, SERVER, World, config_for, users, world
from .office import BOB_HOST, DIAL_BOB, office
from .peer import tcp_peer, udp_peer
from .safe import TLS_PORT, safe_office

ANSWERED = ["< INVITE", "> 100", "> 180", "> 200", "< ACK"]


def files_of(it: World) -> CaptureFiles:
    return capture_files(it.server.config)


def with_captures(tmp_path: Path, **captures: Any) -> Callable[..., Config]:
    """Configurations with these settings of captures, by those of their domain."""

    def made(**domain: Any) -> Config:
        return attrs.evolve(config_for(tmp_path, **domain), captures=CapturesSettings(**captures))

    return made


async def captured(it: World, sid: str, *, only: bool = False) -> list[Seen]:
    """What the capture of a call has when it has been written."""
    await trio.sleep(2 * GATHER_S)
    return read_pcapng(files_of(it).read(sid, only=only))


def family(it: World) -> tuple[str, str]:
    """The SIDs of the only call that has dialled, and of the one that it dialled."""
    [child] = [event for event in it.of(CallStarted) if event.parent_call_sid is not None]
    assert child.parent_call_sid is not None
    return child.parent_call_sid, child.call_sid


def is_rtp(seen: Seen) -> bool:
    return not seen.comment and seen.source[1] % 2 == 0


def is_rtcp(seen: Seen) -> bool:
    return not seen.comment and seen.source[1] % 2 == 1


def decoded(seen: Seen) -> bytes:
    return PCMU.decode(parse_rtp(seen.payload).payload)


def ladder(seen: list[Seen]) -> list[str]:
    return [each.step for each in seen if each.comment]


async def test_a_ladder_has_every_message_as_it_was_on_the_wire(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        wire: list[tuple[tuple[str, int], tuple[str, int], bytes]] = []
        it.network.taps.append(lambda sent: wire.append((sent.source, sent.target, sent.data)))
        call = await it.dials("<Pause length='1'/><Hangup/>")
        await call.over()
        sid = (await it.ended()).call_sid
        seen = await captured(it, sid)
        assert ladder(seen) == [*ANSWERED, "> BYE", "< 200"]
        signalling = [each for each in wire if 5060 in (each[0][1], each[1][1])]
        assert sorted((each.source, each.target, each.payload) for each in seen) == sorted(signalling)
        assert {each.comment for each in seen} == {f"{sid} sent over UDP", f"{sid} received over UDP"}
        started = it.server.config.now_utc().timestamp()
        assert all(0 < started - each.at_ns / 1e9 < 60 for each in seen)
        assert [each.at_ns for each in seen] == sorted(each.at_ns for each in seen)


async def test_the_first_invite_and_its_challenge_are_there_without_what_a_password_can_be_guessed_from(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path, credentials=users("alice")) as it:
        call = await it.dials("<Hangup/>", username="alice", password=PASSWORD)
        await call.over()
        seen = await captured(it, (await it.ended()).call_sid)
        assert ladder(seen) == ["< INVITE", "> 407", "< ACK", *ANSWERED, "> BYE", "< 200"]
        credentials = [each.payload for each in seen if b"Proxy-Authorization: Digest " in each.payload]
        assert credentials
        for each in credentials:
            assert b'username="alice"' in each
            assert b'response="' + 32 * b"x" + b'"' in each


async def test_secrets_stay_where_that_is_asked_for(autojump_clock: MockClock, tmp_path: Path) -> None:
    config = with_captures(tmp_path, secrets=True)(credentials=users("alice"))
    async with world(tmp_path, config=config) as it:
        call = await it.dials("<Hangup/>", username="alice", password=PASSWORD)
        await call.over()
        seen = await captured(it, (await it.ended()).call_sid)
        [invite] = [each for each in seen if each.step == "< INVITE" and b"Proxy-Authorization" in each.payload]
        assert b"xxxx" not in invite.payload


@pytest.mark.parametrize(("document", "status"), [("<Reject/>", "> 404"), ('<Reject reason="busy"/>', "> 486")])
async def test_a_call_that_is_refused_has_its_ladder(
    autojump_clock: MockClock, tmp_path: Path, document: str, status: str
) -> None:
    async with world(tmp_path) as it:
        call = await it.dials(document)
        assert not await call.answered()
        seen = await captured(it, (await it.ended()).call_sid)
        assert ladder(seen) == ["< INVITE", "> 100", "> 180", status, "< ACK"]


async def test_a_call_that_is_given_up_has_its_ladder(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", twiml("<Say>Too late</Say>", delay_s=5))
        invite = peer.invite()
        await trio.sleep(1)
        peer.cancel(invite)
        refusal = await peer.response(200, "CANCEL"), await peer.response(487)
        peer.request("ACK", branch=invite.via.branch or "", to_tag=refusal[1].to_tag)
        seen = await captured(it, (await it.ended()).call_sid)
        assert ladder(seen) == ["< INVITE", "> 100", "> 180", "< CANCEL", "> 200", "> 487", "< ACK"]


async def test_a_call_over_tcp_is_shown_with_the_addresses_of_its_connection(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, tcp_peer(it.network) as peer:
        it.web.on("/voice", twiml("<Say>Hello</Say><Pause length='10'/>"))
        answer = await peer.up()
        peer.bye(answer)
        seen = await captured(it, (await it.ended()).call_sid)
        assert ladder(seen) == [*ANSWERED, "< BYE", "> 200"]
        assert {each.comment.rpartition(" ")[2] for each in seen} == {"TCP"}
        assert {each.protocol for each in seen} == {17}
        [port] = {each.source[1] for each in seen if each.direction == 1}
        assert {(each.source, each.target) for each in seen} == {
            ((PHONE, port), (SERVER, 5060)),
            ((SERVER, 5060), (PHONE, port)),
        }
        # As it came, down to the Via, into which we write where it came from when we read it.
        assert seen[0].payload.startswith(b"INVITE ")
        assert b";rport;" in seen[0].payload


async def test_copies_are_there_and_what_only_looks_like_the_call_is_not(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", twiml("<Say>Hello</Say><Pause length='10'/>"))
        answer = await peer.up()
        peer.request("OPTIONS", branch="z9hG4bK-stranger", tag="stranger")
        peer.request("OPTIONS", branch="z9hG4bK-other", call_id="other")
        await peer.response(200, "OPTIONS")
        await peer.response(200, "OPTIONS")
        peer.bye(answer)
        await peer.response(200, "BYE")
        peer.bye(answer)
        seen = await captured(it, (await it.ended()).call_sid)
        assert ladder(seen) == [*ANSWERED, "< BYE", "> 200", "< BYE", "> 200"]


async def test_what_cannot_be_read_is_there_with_the_answer(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it, udp_peer(it.network) as peer:
        it.web.on("/voice", twiml("<Say>Hello</Say><Pause length='10'/>"))
        answer = await peer.up()
        peer.request("OPTIONS", branch="z9hG4bK-x", cseq=2, to_tag=answer.to_tag, headers=(("Max-Forwards", "many"),))
        await trio.sleep(0.1)
        peer.bye(answer)
        seen = await captured(it, (await it.ended()).call_sid)
        assert ladder(seen) == [*ANSWERED, "< OPTIONS", "> 400", "< BYE", "> 200"]
        assert b"Max-Forwards: many" in seen[5].payload


async def test_a_dialled_call_is_shown_with_the_call_and_alone(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as them:
        it = them.it
        alice = await them.alice_dials(DIAL_BOB)
        bob = await them.bob.called()
        await bob.ring()
        assert await bob.pick_up()
        assert await alice.answered()
        await trio.sleep(1)
        await alice.hang_up()
        await bob.over()
        await it.ends(2)
        parent, child = family(it)
        whole = await captured(it, parent)
        own, dialled = await captured(it, parent, only=True), await captured(it, child)
        assert ladder(own) == ["< INVITE", "> 407", "< ACK", *ANSWERED, "< BYE", "> 200"]
        assert ladder(dialled) == ["> INVITE", "< 100", "< 180", "< 200", "> ACK", "> BYE", "< 200"]
        assert sorted(ladder(whole)) == sorted(ladder(own) + ladder(dialled))
        assert [each.at_ns for each in whole] == sorted(each.at_ns for each in whole)
        assert [each.comment[:34] for each in whole].count(child) == len(dialled)
        assert {each.target for each in dialled if each.direction == 2} == {(BOB_HOST, 5060)}


async def test_an_invite_of_ours_that_comes_back_to_us_is_two_calls(autojump_clock: MockClock, tmp_path: Path) -> None:
    config = config_for(tmp_path, others={"loop": f"{BASE}/loop"})
    config = attrs.evolve(config, sip=attrs.evolve(config.sip, default_domain="loop"))
    async with world(tmp_path, config=config) as it:
        it.web.on("/loop", twiml("<Pause length='1'/><Hangup/>"))
        call = await it.dials(f'<Dial action="/after"><Sip>sip:x@{SERVER}:5060</Sip></Dial>')
        await call.over()
        await it.ends(3)
        parent, child = family(it)
        [back] = [event.call_sid for event in it.of(CallStarted) if event.call_sid not in (parent, child)]
        assert ladder(await captured(it, parent, only=True)) == [*ANSWERED, "> BYE", "< 200"]
        assert ladder(await captured(it, child)) == ["> INVITE", "< 100", "< 180", "< 200", "> ACK", "< BYE", "> 200"]
        assert ladder(await captured(it, back)) == [*ANSWERED, "> BYE", "< 200"]


async def test_media_is_shown_with_its_own_addresses_when_asked_for(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path, config=with_captures(tmp_path, rtp=True)(), conditions=Conditions(delay_s=0.005)) as it:
        wire: list[tuple[tuple[str, int], tuple[str, int], bytes]] = []
        it.network.taps.append(lambda sent: wire.append((sent.source, sent.target, sent.data)))
        call = await it.dials("<Say>Hello</Say><Pause length='12'/><Hangup/>")
        await call.over()
        seen = await captured(it, (await it.ended()).call_sid)
        rtp = [(each.source, each.target, each.payload) for each in seen if is_rtp(each)]
        rtcp = [(each.source, each.target, each.payload) for each in seen if is_rtcp(each)]
        sent = [each for each in wire if each[0][0] == SERVER]
        came = [each for each in wire if each[1][0] == SERVER]
        assert len(rtp) > 2 * 500
        assert [each for each in rtp if each[0][0] == SERVER] == [
            each for each in sent if each[0][1] % 2 == 0 and each[0][1] >= RTP_FROM
        ]
        heard = [each for each in rtp if each[1][0] == SERVER]
        assert len(heard) > 500
        assert set(heard) <= set(came)
        assert any(each[0][0] == SERVER for each in rtcp)
        assert any(each[1][0] == SERVER for each in rtcp)
        assert set(rtcp) <= set(wire)


async def test_a_call_over_tls_and_srtp_is_shown_in_the_clear_and_without_its_keys(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with safe_office(tmp_path, captures=CapturesSettings(rtp=True)) as them:
        it = them.it
        it.web.on("/voice", twiml("<Play>/song.wav</Play>"))
        it.web.on("/song.wav", Answer(wav(tone(1000, 700)), content_type="audio/wav"))
        alice = await them.alice_calls()
        await alice.over()
        seen = await captured(it, (await it.ended()).call_sid)
        assert ladder(seen) == ["< INVITE", "> 407", "< ACK", *ANSWERED, "> BYE", "< 200"]
        assert {each.comment.rpartition(" ")[2] for each in seen if each.comment} == {"TLS"}
        assert {each.target for each in seen if each.comment and each.direction == 1} == {(SERVER, TLS_PORT)}
        described = [each.payload for each in seen if b"m=audio" in each.payload]
        assert len(described) == 3
        for message in described:
            assert re.search(rb"m=audio 0[1-9][0-9]+ RTP/AVP 0", message) is not None
            assert b"inline:" + 40 * b"x" in message
        played = b"".join(decoded(each) for each in seen if is_rtp(each) and each.direction == 2)
        assert match(played, tone(1000, 700)) > 0.95
        assert len([each for each in seen if is_rtp(each) and each.direction == 1]) > 30
        for each in seen:
            if is_rtcp(each):
                parse_rtcp(each.payload)


async def test_media_that_is_too_much_for_a_call_leaves_room_for_its_end(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path, config=with_captures(tmp_path, rtp=True, call_mb=1)()) as it:
        call = await it.dials("<Say>Hello</Say><Pause length='90'/><Hangup/>")
        await call.over()
        sid = (await it.ended()).call_sid
        seen = await captured(it, sid)
        assert ladder(seen) == [*ANSWERED, "> BYE", "< 200"]
        size = len(files_of(it).read(sid))
        assert 900_000 < size < 1_000_000 + SIGNALLING_BYTES
        lost = missing(files_of(it).read(sid))
        assert lost == it.server.tree.services.captures.dropped > 1000


async def test_a_disk_that_takes_nothing_costs_captures_and_says_so_once(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        folder = files_of(it).root
        folder.write_bytes(b"no folder")
        with capture_logs() as told:
            for _ in range(3):
                call = await it.dials("<Pause length='3'/><Hangup/>")
                await call.over()
                assert call.status == 200
            await trio.sleep(2 * GATHER_S)
        assert [line["event"] for line in told if "captures" in line["event"]] == [
            "captures cannot be written and are dropped; calls go on"
        ]
        assert it.server.tree.services.captures.dropped == 3 * 7
        folder.unlink()
        call = await it.dials("<Hangup/>")
        await call.over()
        ends = await it.ends(4)
        assert ladder(await captured(it, ends[-1].call_sid)) == [*ANSWERED, "> BYE", "< 200"]


async def test_nothing_is_kept_where_captures_are_off(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path, config=with_captures(tmp_path, enabled=False)()) as it:
        call = await it.dials("<Hangup/>")
        await call.over()
        await it.ended()
        await trio.sleep(2 * GATHER_S)
        assert not files_of(it).root.exists()
        assert it.server.tree.services.captures.tracks == {}


async def test_nothing_of_a_call_stays_in_memory(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        for _ in range(3):
            call = await it.dials("<Hangup/>")
            await call.over()
        captures = it.server.tree.services.captures
        assert len(captures.tracks) == 3
        await trio.sleep(4 * LINGER_S)
        assert (captures.tracks, captures.filled, captures.pending_bytes) == ({}, {}, 0)
        assert (captures._keys, len(captures._unclaimed)) == ({}, 0)


async def test_old_captures_go_at_the_start_and_while_the_server_runs(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    config = with_captures(tmp_path, days=1)()
    files = capture_files(config)
    old, young = "CA" + "1" * 32, "CA" + "2" * 32
    now = config.now_utc().timestamp()
    for sid, age_s in ((old, 86_401), (young, 80_000)):
        files.append(sid, None, b"")
        os.utime(files.path(sid), (now - age_s, now - age_s))
    async with world(tmp_path, config=config) as it:
        await trio.sleep(1)
        assert [files.find(sid) is None for sid in (old, young)] == [True, False]
        await trio.sleep(8000)
        assert files.find(young) is None
        assert it.server.status == "ready"


async def test_too_many_captures_make_room_for_the_next(autojump_clock: MockClock, tmp_path: Path) -> None:
    config = with_captures(tmp_path, call_mb=1, total_mb=1)()
    files = capture_files(config)
    old = "CA" + "1" * 32
    async with world(tmp_path, config=config) as it:
        await trio.sleep(1)
        files.append(old, None, bytes(999_000))
        os.utime(files.path(old), (1, 1))
        call = await it.dials("<Hangup/>")
        await call.over()
        await trio.sleep(TIDY_S)
        assert files.find(old) is None
        assert files.find((await it.ended()).call_sid) is not None


async def test_what_was_said_last_is_written_when_the_server_ends(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        call = await it.dials("<Hangup/>")
        await call.over()
        sid = (await it.ended()).call_sid
        files = files_of(it)
        assert files.find(sid) is None
    assert ladder(read_pcapng(files.read(sid))) == [*ANSWERED, "> BYE", "< 200"]
