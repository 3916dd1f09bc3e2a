"""What crosses a bridge: keys under other numbers, reports of RTCP, and the first and last frame of each side."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.media import rtcp
from offhook.media.dtmf import EventPayload, parse_events
from offhook.media.rtp import RtpPacket
from offhook.media.sources import Clip
from offhook.media.tones import dtmf
from offhook.testing.listen import match
from offhook.testing.network import Conditions, Sent
from offhook.testing.speech import tone
from offhook.testing.web import twiml

from .kit import PHONE, world
from .peer import PORT, udp_peer
from .talk import CAROL, DIAL, Talk, talk
from .voice import FRAME, Voice, media_of, sdp, voice

ON_BRIDGE = DIAL.replace("<Dial ", '<Dial answerOnBridge="true" ')


def presses(packets: list[RtpPacket], kind: int) -> list[tuple[int, int, int]]:
    """Event, duration in samples and copies of the end, of each press among packets of that payload type."""
    found: dict[int, list[EventPayload]] = {}
    for packet in packets:
        if packet.payload_type == kind:
            found.setdefault(packet.timestamp, []).extend(parse_events(packet.payload))
    return [
        (reports[0].event, max(report.duration for report in reports), sum(report.end for report in reports))
        for reports in found.values()
    ]


async def press(here: Talk, event: int, kind: int, steps: int) -> None:
    """Carol presses a key for so many steps of 20 ms."""
    for step in range(1, steps + 1):
        for _ in range(3 if step == steps else 1):
            payload = EventPayload(event, step == steps, 10, FRAME * step).build()
            here.media.send(kind, payload, here.server_media, marker=step == 1, step=0)
        await trio.sleep(0.02)
    here.media.send(0, b"\xff" * FRAME, here.server_media, step=FRAME * (steps + 1))


@pytest.mark.parametrize("kind", [96, 101, 127])
async def test_keys_cross_once_with_their_length_under_the_number_of_each_side(
    autojump_clock: MockClock, tmp_path: Path, kind: int
) -> None:
    async with talk(tmp_path, answer=lambda media: sdp(media.address, formats=(0, kind))) as here:
        started = trio.current_time()
        await here.alice.press("159#")
        await trio.sleep(0.5)
        found = presses(here.media.since(started), kind)
        assert [(event, ends) for event, _, ends in found] == [(1, 3), (5, 3), (9, 3), (11, 3)]
        assert len({duration for _, duration, _ in found}) == 1
        assert {packet.payload_type for packet in here.media.since(started)} == {0, kind}
        for event, steps in ((4, 5), (0, 13)):
            await press(here, event, kind, steps)
            await trio.sleep(0.3)
        assert [(digit.digit, digit.duration_ms) for digit in here.alice.digits] == [("4", 100), ("0", 260)]
        await here.parts()


async def test_a_side_without_telephone_events_hears_each_key_once_as_its_tones(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path, answer=lambda media: sdp(media.address, formats=(0,))) as here:
        started = trio.current_time()
        await here.alice.press("7")
        await trio.sleep(0.5)
        heard = here.media.heard(started)
        assert {packet.payload_type for packet in here.media.since(started)} == {0}
        assert match(heard, dtmf("7", 80)) > 0.9
        loud = [
            at for at in range(0, len(heard) - 320, 320) if max(abs(s) for s in samples(heard[at : at + 320])) > 2000
        ]
        assert 4 <= len(loud) <= 10  # one press, in one piece
        assert loud == list(range(loud[0], loud[-1] + 320, 320))
        await here.parts()


def samples(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 2}h", data)


async def test_both_sides_get_reports_of_what_they_sent_and_a_goodbye(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    reports: dict[str, list[rtcp.RtcpPacket]] = {CAROL: [], PHONE: []}

    def note(sent: Sent) -> None:
        if sent.target[1] % 2 and sent.target[1] > 20_000 and sent.source[0] not in reports:
            reports[sent.target[0]] += rtcp.parse(sent.data)

    async with talk(tmp_path) as here:
        here.it.network.taps.append(note)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.media.say, tone(20_000), here.server_media)
            nursery.start_soon(here.alice.say, Clip(tone(20_000)))
        await here.parts()
    for host, told in reports.items():
        senders = [packet for packet in told if isinstance(packet, rtcp.SenderReport)]
        assert len(senders) >= 2, host
        assert senders[-1].packets > 900
        [block] = senders[-1].blocks
        assert block.fraction_lost == 0
        assert block.cumulative_lost == 0
        assert isinstance(told[-1], rtcp.Goodbye)


def numbered(number: int) -> bytes:
    """20 ms of audio that can be told from any other: loud, and with its number in front."""
    return bytes((number & 0x7F, number >> 7)) + b"\x90\x10" * (FRAME // 2 - 1)


async def speaks(media: Voice, to: tuple[str, int], count: int, out: list[float]) -> None:
    """Say numbered frames, at their pace, from now on."""
    for number in range(count):
        out.append(trio.current_time())
        media.send(0, numbered(number), to)
        await trio.sleep(0.02)


def arrived(packets: list[RtpPacket]) -> list[int]:
    """The numbers of the frames among packets, in the order in which they came."""
    return [
        packet.payload[0] | packet.payload[1] << 7
        for packet in packets
        if packet.payload_type == 0 and packet.payload[2:] == numbered(0)[2:]
    ]


@pytest.mark.parametrize("document", [DIAL, ON_BRIDGE], ids=["answered before", "answered on bridge"])
@pytest.mark.parametrize("delay_s", [0.0, 0.005, 0.04])
async def test_no_more_than_a_frame_is_lost_where_two_are_connected(
    autojump_clock: MockClock, tmp_path: Path, document: str, delay_s: float
) -> None:
    async with (
        world(tmp_path, conditions=Conditions(delay_s=delay_s)) as it,
        udp_peer(it.network) as carol,
        udp_peer(it.network, PORT + 2) as alice,
        voice(it.network, CAROL, 30_000) as hers,
        voice(it.network, PHONE, 39_000) as mine,
    ):
        it.web.on("/voice", twiml(document))
        it.web.on("/after", twiml("<Hangup/>"))
        alice.invite(port=PORT + 2)
        answer = await alice.response(200) if document == DIAL else None
        if answer is not None:
            alice.ack(answer)
        invite = await carol.asked("INVITE")
        carol.respond(invite, 180, tag="carol")
        await trio.sleep(1)
        # Carol speaks the moment that she picks up, and Alice as soon as she is told that somebody has.
        spoken: list[float] = []
        async with trio.open_nursery() as nursery:
            carol.respond(invite, 200, tag="carol", body=sdp(hers.address))
            nursery.start_soon(speaks, hers, media_of(invite), 100, spoken)
            if answer is None:
                answer = await alice.response(200)
                alice.ack(answer)
            await carol.asked("ACK")
            nursery.start_soon(speaks, mine, media_of(answer), 80, [])
        await trio.sleep(0.5)
        from_carol, from_alice = (arrived([packet for _, packet in end.packets]) for end in (mine, hers))
        # In order and without a hole: what is missing is missing at the very beginning.
        assert from_carol == list(range(100 - len(from_carol), 100))
        assert from_alice == list(range(80 - len(from_alice), 80))
        assert len(from_carol) >= 99
        assert len(from_alice) >= 79
        alice.bye(answer)
        carol.respond(await carol.asked("BYE"))
        await it.ends(2)
        await it.idle()
