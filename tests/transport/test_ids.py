"""Identifiers, random and counted; and the wall clock of tests."""

from __future__ import annotations

import re
from datetime import timedelta

import trio
from trio.testing import MockClock

from offhook.sip.ids import Ids
from offhook.testing.clock import NOON, WallClock
from offhook.testing.ids import CountingIds
from offhook.transport.random_ids import RandomIds


def test_random_ids_have_their_shapes_and_never_repeat() -> None:
    ids: Ids = RandomIds()
    assert re.fullmatch(r"z9hG4bK[0-9a-f]{24}", ids.branch())
    assert re.fullmatch(r"[0-9a-f]{16}", ids.tag())
    assert re.fullmatch(r"[0-9a-f]{32}", ids.call_id())
    assert re.fullmatch(r"CA[0-9a-f]{32}", RandomIds().sid("CA"))
    assert [len(ids.token(n)) for n in range(5)] == [0, 1, 2, 3, 4]
    assert len({ids.branch() for _ in range(1000)} | {ids.nonce_salt() for _ in range(1000)}) == 2000


def test_counting_ids_count_each_kind_apart() -> None:
    ids: Ids = CountingIds("ann")
    assert [ids.branch(), ids.branch(), ids.tag(), ids.call_id()] == [
        "z9hG4bK-ann-1",
        "z9hG4bK-ann-2",
        "tag-ann-1",
        "call-ann-1",
    ]
    assert (ids.token(4), ids.token(2), ids.token(0)) == ("0001", "02", "")
    assert CountingIds().sid("CA") == "CA" + "0" * 31 + "1"
    assert CountingIds().tag() == "tag-1"


async def test_wall_time_follows_virtual_time(autojump_clock: MockClock) -> None:
    await trio.sleep(100)
    clock = WallClock()
    assert clock() == NOON
    await trio.sleep(3600)
    assert clock() == NOON + timedelta(hours=1)
    clock.shift(-60)
    assert clock() == NOON + timedelta(minutes=59)
