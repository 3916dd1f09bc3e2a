"""What captures hold in memory, and for how long; what a crash of their task leaves."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.capture_disk import GATHER_S, CaptureDisk, Filled, capture_mailbox
from offhook.actors.captures import (
    PENDING_BYTES,
    UNCLAIMED_BYTES,
    UNCLAIMED_MAX,
    UNCLAIMED_S,
    CaptureRules,
    Captures,
)
from offhook.sip.message import Request, Response
from offhook.sip.parse import Limits, parse_datagram
from offhook.store.captures import CaptureFiles
from offhook.store.pcapng import missing
from offhook.testing.clock import WallClock
from offhook.testing.speech import inline
from offhook.transport.flow import Flow

from ..store.pcap_reader import read_pcapng

SID, OTHER = "CA" + "1" * 32, "CA" + "2" * 32
FLOW = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.2", 5060))
NO_LIMIT = Limits(max_message=1 << 30)


def message(first: str, call_id: str = "a", tag: str = "t", to_tag: str = "", size: int = 0) -> Request | Response:
    method = first.partition(" ")[0] if not first.startswith("SIP") else "INVITE"
    to = f";tag={to_tag}" if to_tag else ""
    lines = (
        f"{first}\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag={tag}\r\nTo: <sip:c@d>{to}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: 1 {method}\r\nContent-Length: {size}\r\n\r\n"
    )
    return parse_datagram(lines.encode() + bytes(size), NO_LIMIT)


INVITE, TRYING = "INVITE sip:c@d SIP/2.0", "SIP/2.0 100 Trying"


def captures(**rules: object) -> Captures:
    return Captures(CaptureRules(**rules), WallClock())  # type: ignore[arg-type]  # each test names one of its fields


def comes(them: Captures, what: Request | Response, data: bytes = b"came") -> None:
    them.received(what, data, FLOW, trio.current_time())


def said(them: Captures, sid: str) -> list[bytes]:
    return [packet.data for packet in them.tracks[sid].pending]


async def test_an_invite_waits_for_the_call_that_it_becomes(autojump_clock: MockClock) -> None:
    them = captures()
    comes(them, message(INVITE), b"first")
    them.sent(message("SIP/2.0 407 Who?"), b"challenge", FLOW)
    comes(them, message("ACK sip:c@d SIP/2.0", to_tag="x"), b"ack")
    await trio.sleep(UNCLAIMED_S - 1)
    comes(them, message(INVITE), b"second")
    them.begin(SID, "a", "t")
    them.sent(message(TRYING), b"trying", FLOW)
    assert said(them, SID) == [b"first", b"challenge", b"ack", b"second", b"trying"]


async def test_an_invite_that_becomes_no_call_is_forgotten(autojump_clock: MockClock) -> None:
    them = captures()
    comes(them, message(INVITE, "a"), b"first")
    await trio.sleep(UNCLAIMED_S + 1)
    comes(them, message(INVITE, "b"))
    them.begin(SID, "a", "t")
    assert them.tracks[SID].pending == []


async def test_strangers_take_a_bounded_room(autojump_clock: MockClock) -> None:
    them = captures()
    for number in range(UNCLAIMED_MAX + 10):
        comes(them, message(INVITE, f"{number}"))
    for _ in range(100):
        comes(them, message(INVITE, "5000"), bytes(10_000))
    assert len(them._unclaimed) == UNCLAIMED_MAX
    assert sum(len(each.packets) for each in them._unclaimed.values()) < UNCLAIMED_MAX + UNCLAIMED_BYTES // 10_000
    assert them.pending_bytes == 0
    assert them.tracks == {}


@pytest.mark.parametrize("first", ["OPTIONS sip:d SIP/2.0", "BYE sip:d SIP/2.0", TRYING])
async def test_only_an_invite_can_become_a_call(autojump_clock: MockClock, first: str) -> None:
    them = captures()
    comes(them, message(first))
    them.sent(message(INVITE), b"ours", FLOW)
    comes(them, message(INVITE, to_tag="in a dialog"))
    assert len(them._unclaimed) == 0


async def test_a_disk_that_stands_still_costs_a_bounded_room(autojump_clock: MockClock) -> None:
    them = captures(call_bytes=1 << 40)
    them.begin(SID, "a", "t")
    data = bytes(1 << 20)
    for _ in range(2 * (PENDING_BYTES >> 20)):
        comes(them, message(INVITE), data)
    kept = len(said(them, SID))
    assert kept == (PENDING_BYTES >> 20) - 1
    assert them.dropped == them.tracks[SID].dropped == 2 * (PENDING_BYTES >> 20) - kept
    assert them.pending_bytes <= PENDING_BYTES


async def test_a_tag_of_the_other_side_finds_the_call_and_another_does_not(autojump_clock: MockClock) -> None:
    them = captures()
    them.begin(SID, "a", "t")
    them.begin(OTHER, "a", "t", calling=True)
    comes(them, message("BYE sip:d SIP/2.0", tag="t", to_tag="u"), b"caller hangs up")
    them.sent(message("BYE sip:d SIP/2.0", tag="u", to_tag="t"), b"we hang up", FLOW)
    them.sent(message("SIP/2.0 200 OK", tag="t", to_tag="u"), b"we answer", FLOW)
    comes(them, message("SIP/2.0 200 OK", tag="u", to_tag="t"), b"caller answers")
    assert said(them, SID) == [b"caller hangs up", b"we hang up", b"we answer", b"caller answers"]
    assert said(them, OTHER) == []
    them.sent(message("BYE sip:d SIP/2.0", tag="t", to_tag="u"), b"we, who called", FLOW)
    comes(them, message("BYE sip:d SIP/2.0", tag="u", to_tag="t"), b"callee")
    assert said(them, OTHER) == [b"we, who called", b"callee"]
    comes(them, message("BYE sip:d SIP/2.0", tag="v", to_tag="w"), b"stranger")
    assert len(said(them, SID)) + len(said(them, OTHER)) == 6


async def test_a_restarted_task_writes_what_the_one_before_left(autojump_clock: MockClock, tmp_path: Path) -> None:
    box = capture_mailbox()
    them = Captures(CaptureRules(), WallClock(), wake=lambda: box.ref.offer(Filled()))
    disk = CaptureDisk(box, them, CaptureFiles(tmp_path), {SID}.__contains__, inline)
    them.begin(SID, "a", "t")
    comes(them, message(INVITE), b"first")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(disk.run)
        await trio.sleep(GATHER_S / 2)
        nursery.cancel_scope.cancel()
    assert not disk.files.root.joinpath("11").exists()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(attrs.evolve(disk).run)
        await trio.sleep(2 * GATHER_S)
        assert [seen.payload for seen in read_pcapng(disk.files.path(SID))] == [b"first"]
        nursery.cancel_scope.cancel()


async def test_packets_without_a_place_are_counted_in_the_file(autojump_clock: MockClock, tmp_path: Path) -> None:
    box = capture_mailbox()
    them = Captures(CaptureRules(rtp=True, call_bytes=1000), WallClock())
    disk = CaptureDisk(box, them, CaptureFiles(tmp_path), {SID}.__contains__, inline)
    them.begin(SID, "a", "t")
    watch = them.media(SID, "10.0.0.1")
    assert watch is not None
    for _ in range(10):
        watch(True, False, bytes(172), ("0.0.0.0", 20_000), ("10.0.0.2", 4000))
    await disk.flush()
    comes(them, message(INVITE), b"the end")
    await disk.flush()
    data = disk.files.path(SID).read_bytes()
    seen = read_pcapng(data)
    assert [each.payload for each in seen] == [*[bytes(172)] * 4, b"the end"]
    assert seen[0].source == ("10.0.0.1", 20_000)
    assert missing(data) == them.dropped == 6


async def test_large_messages_of_two_writings_are_one_stream(autojump_clock: MockClock, tmp_path: Path) -> None:
    box = capture_mailbox()
    them = Captures(CaptureRules(), WallClock())
    disk = CaptureDisk(box, them, CaptureFiles(tmp_path), {SID}.__contains__, inline)
    them.begin(SID, "a", "t")
    for _ in range(2):
        comes(them, message(INVITE), bytes(65_530))
        await disk.flush()
    sequences = [each.sequence for each in read_pcapng(disk.files.path(SID))]
    assert sequences == [1, 65_001, 65_531, 130_531]
