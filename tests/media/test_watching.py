"""Packets that are shown: in the clear, once each, with the addresses that they had; and only if somebody looks."""

from __future__ import annotations

import pytest

from offhook.media.events import Address, SetRemote
from offhook.media.frames import FRAME_S
from offhook.media.rtp import parse
from offhook.media.sdp import Keys
from offhook.media.session import MediaSession
from offhook.media.srtp import Srtp
from offhook.media.watching import Watching

from .media_ids import FixedIds
from .test_secure_session import KEYS, PEER, STRANGER, agreed

RTP, RTCP = ("10.0.0.1", 20_000), ("10.0.0.1", 20_001)


def watched(keys: Keys | None) -> tuple[MediaSession, list[tuple[bool, bool, bytes, Address, Address]]]:
    seen: list[tuple[bool, bool, bytes, Address, Address]] = []
    session = MediaSession(FixedIds(), watching=Watching(lambda *packet: seen.append(packet), RTP, RTCP))
    session.apply(SetRemote(agreed(keys), PEER[0]), 0.0)
    return session, seen


def their_packets(count: int) -> list[bytes]:
    head = bytes.fromhex("8000")
    return [
        head + number.to_bytes(2, "big") + (160 * number).to_bytes(4, "big") + b"ssrc" + b"\x55" * 160
        for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("keys", [None, KEYS])
def test_both_ways_are_shown_in_the_clear(keys: Keys | None) -> None:
    session, seen = watched(keys)
    far_end = None
    if keys is not None:
        far_end = Srtp([])
        far_end.agree(Keys(1, keys.suite, keys.theirs, keys.ours), 0.0)
    theirs, sent = their_packets(10), []
    for number, packet in enumerate(theirs):
        now = number * FRAME_S
        session.receive(packet if far_end is None else far_end.seal(packet), PEER, now)
        session.receive(b"\x80\x00" + bytes(170), STRANGER, now)
        for data, target in session.tick(now):
            assert target == PEER
            sent.append(data if far_end is None else far_end.open(data, now))
    heard = [packet for ours, report, packet, local, remote in seen if not ours]
    said = [packet for ours, report, packet, local, remote in seen if ours]
    assert heard == theirs
    assert said == sent
    assert [parse(packet).payload_type for packet in said] == [0] * 10
    assert {(local, remote) for _, _, _, local, remote in seen} == {(RTP, PEER)}


@pytest.mark.parametrize("keys", [None, KEYS])
def test_reports_are_shown_too(keys: Keys | None) -> None:
    session, seen = watched(keys)
    for number in range(10):
        session.tick(number * FRAME_S)
    session.close(1.0)
    [(data, target)] = session.take_reports()
    [(ours, shown, local, remote)] = [(each[0], *each[2:]) for each in seen if each[1]]
    assert (ours, local, remote) == (True, RTCP, target)
    assert shown[1] == 200
    assert (data == shown) is (keys is None)
