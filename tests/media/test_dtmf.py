"""Telephone events out of packets and into them."""

from __future__ import annotations

import itertools
import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.media.dtmf import (
    DIGITS,
    DigitEnded,
    DigitEvent,
    DigitStarted,
    DtmfReceiver,
    DtmfSender,
    EventPacket,
    EventPayload,
    check_digits,
    parse_events,
)
from offhook.media.errors import BadDigits, BadEvent
from offhook.media.rtp import RtpPacket


def press(
    digit: str, timestamp: int, *, updates: int = 5, ends: int = 3, ssrc: int = 1, step: int = 160
) -> list[RtpPacket]:
    """The packets of one key press, without any marker bit."""
    event = DIGITS.index(digit)
    reports = [EventPayload(event, False, 10, step * n) for n in range(1, updates + 1)]
    reports += [EventPayload(event, True, 10, step * (updates + 1))] * ends
    return [RtpPacket(101, 0, timestamp, ssrc, report.build()) for report in reports]


def heard(packets: list[RtpPacket], receiver: DtmfReceiver | None = None) -> list[DigitEvent]:
    receiver = receiver or DtmfReceiver()
    return [event for at, packet in enumerate(packets) for event in receiver.receive(packet, at * 0.02)]


@pytest.mark.parametrize("digit", DIGITS)
def test_every_key_is_told_at_its_start_and_at_its_end(digit: str) -> None:
    assert heard(press(digit, 1000)) == [DigitStarted(digit), DigitEnded(digit, 120)]


def test_a_key_is_told_when_only_one_end_packet_comes() -> None:
    assert heard(press("5", 1000)[-1:]) == [DigitStarted("5"), DigitEnded("5", 120)]


@given(st.lists(st.sampled_from(DIGITS), min_size=1, max_size=6), st.data())
def test_each_press_is_told_once_whatever_is_lost_or_doubled(digits: list[str], data: st.DataObject) -> None:
    packets: list[RtpPacket] = []
    for n, digit in enumerate(digits):
        whole = press(digit, 4000 * n)
        kept = data.draw(st.lists(st.sampled_from(range(len(whole))), min_size=1, max_size=12).map(sorted))
        packets += [whole[at] for at in kept]
    receiver = DtmfReceiver()
    events = heard(packets, receiver) + receiver.finish()
    assert [event.digit for event in events if isinstance(event, DigitStarted)] == digits
    assert [event.digit for event in events if isinstance(event, DigitEnded)] == digits


def test_the_same_key_twice_is_two_presses() -> None:
    events = heard(press("1", 0) + press("1", 2000))
    assert events == [DigitStarted("1"), DigitEnded("1", 120)] * 2


def test_late_copies_of_an_earlier_press_are_known() -> None:
    assert len(heard(press("1", 0) + press("2", 2000) + press("1", 0))) == 4


def test_the_same_timestamp_of_another_source_is_another_press() -> None:
    assert len(heard(press("1", 0) + press("1", 0, ssrc=2))) == 4


def test_a_press_whose_end_is_lost_ends_when_its_packets_cease() -> None:
    receiver = DtmfReceiver()
    assert receiver.wake_at() == math.inf
    assert heard(press("7", 0, ends=0), receiver) == [DigitStarted("7")]
    assert receiver.wake_at() == pytest.approx(0.08 + 0.2)
    assert receiver.wake(0.2) == []
    assert receiver.wake(receiver.wake_at()) == [DigitEnded("7", 100)]
    assert heard(press("7", 0)[-3:], receiver) == []
    assert receiver.wake_at() == math.inf


def test_the_next_press_ends_one_whose_end_is_lost() -> None:
    assert heard(press("7", 0, ends=0) + press("8", 3000)) == [
        DigitStarted("7"),
        DigitEnded("7", 100),
        DigitStarted("8"),
        DigitEnded("8", 120),
    ]


def test_a_press_longer_than_one_segment_is_one_press() -> None:
    first = press("#", 500, updates=40, ends=0, step=1600)
    first.append(RtpPacket(101, 0, 500, 1, EventPayload(11, False, 10, 0xFFFF).build()))
    second = press("#", 500 + 0xFFFF, updates=3, step=800)
    assert heard(first + second) == [DigitStarted("#"), DigitEnded("#", (0xFFFF + 3200) // 8)]


def test_reports_that_share_a_packet_follow_on_one_another() -> None:
    payload = EventPayload(1, True, 10, 800).build() + EventPayload(2, True, 10, 400).build()
    packet = RtpPacket(101, 0, 0, 1, payload)
    expected = [DigitStarted("1"), DigitEnded("1", 100), DigitStarted("2"), DigitEnded("2", 50)]
    assert heard([packet, packet]) == expected


def test_reordered_updates_do_not_shorten_a_press() -> None:
    packets = press("3", 0, ends=0)
    receiver = DtmfReceiver()
    heard([*packets[1:], packets[0]], receiver)
    assert receiver.finish() == [DigitEnded("3", 100)]


def test_events_that_are_no_keys_are_passed_over() -> None:
    assert heard([RtpPacket(101, 0, 0, 1, EventPayload(32, True, 0, 100).build())]) == []


@pytest.mark.parametrize("payload", [b"", b"\x01\x0a\x00", b"\x01\x0a\x00\x00\x01"])
def test_a_payload_of_no_whole_reports_is_refused(payload: bytes) -> None:
    with pytest.raises(BadEvent):
        parse_events(payload)


@given(
    st.lists(st.builds(EventPayload, st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 65_535)))
)
def test_reports_survive_the_wire(reports: list[EventPayload]) -> None:
    if reports:
        assert parse_events(b"".join(report.build() for report in reports)) == reports


@given(st.binary(max_size=40), st.integers(0, 2**32 - 1))
def test_no_payload_raises_anything_but_bad_event(payload: bytes, timestamp: int) -> None:
    try:
        DtmfReceiver().receive(RtpPacket(101, 0, timestamp, 1, payload), 0.0)
    except BadEvent:
        return


# ------------------------------------------------------------------------------------------------- sending


def sent(sender: DtmfSender, ticks: int, start: int = 0) -> list[EventPacket | None]:
    return [sender.tick(start + n * 160) for n in range(ticks)]


def test_a_digit_is_five_packets_of_sound_and_three_ends() -> None:
    sender = DtmfSender(tone_ms=100)
    sender.queue("5")
    packets = [packet for packet in sent(sender, 20, start=7000) if packet is not None]
    reports = [parse_events(packet.payload)[0] for packet in packets]
    assert [packet.marker for packet in packets] == [True] + [False] * 6
    assert {packet.timestamp for packet in packets} == {7000}
    assert [report.duration for report in reports] == [160, 320, 480, 640, 800, 800, 800]
    assert [report.end for report in reports] == [False] * 4 + [True] * 3
    assert {report.event for report in reports} == {5}
    assert not sender.active


@pytest.mark.parametrize(("tone_ms", "gap_ms"), [(40, 40), (100, 60), (70, 45), (200, 200)])
def test_digits_keep_their_distance(tone_ms: int, gap_ms: int) -> None:
    sender = DtmfSender(tone_ms=tone_ms, gap_ms=gap_ms)
    sender.queue("123")
    packets = [packet for packet in sent(sender, 120) if packet is not None]
    starts = sorted({packet.timestamp for packet in packets})
    assert len(starts) == 3
    lengths = {parse_events(packet.payload)[0].duration for packet in packets if parse_events(packet.payload)[0].end}
    assert len(lengths) == 1
    length = lengths.pop()
    assert length >= tone_ms * 8
    for before, after in itertools.pairwise(starts):
        assert gap_ms * 8 <= after - (before + length) < gap_ms * 8 + 160


@pytest.mark.parametrize(("pause", "ticks"), [("w", 25), ("W", 50), ("ww", 50)])
def test_pauses_last_as_long_as_they_say(pause: str, ticks: int) -> None:
    sender = DtmfSender()
    sender.queue(pause + "1")
    packets = sent(sender, ticks + 1)
    assert packets[:-1] == [None] * ticks
    assert packets[-1] is not None


def test_a_cancelled_digit_is_ended_properly_and_the_rest_forgotten() -> None:
    sender = DtmfSender()
    sender.queue("123")
    sent(sender, 2)
    sender.cancel()
    packets = [packet for packet in sent(sender, 50, start=320) if packet is not None]
    assert [parse_events(packet.payload)[0] for packet in packets] == [EventPayload(1, True, 10, 480)] * 3
    assert not sender.active


def test_a_cancelled_pause_is_over_at_once() -> None:
    sender = DtmfSender()
    sender.queue("W1")
    sent(sender, 1)
    sender.cancel()
    assert not sender.active


@given(st.text(alphabet="0123456789*#ABCD", max_size=8))
def test_our_receiver_hears_what_our_sender_sends(digits: str) -> None:
    sender = DtmfSender()
    sender.queue(digits)
    packets = [
        RtpPacket(101, n, packet.timestamp, 1, packet.payload, packet.marker)
        for n, packet in enumerate(sent(sender, len(digits) * 12 + 1))
        if packet is not None
    ]
    assert not sender.active
    assert heard(packets) == [event for digit in digits for event in (DigitStarted(digit), DigitEnded(digit, 100))]


def test_what_cannot_be_sent_is_refused_whole() -> None:
    sender = DtmfSender()
    with pytest.raises(BadDigits):
        sender.queue("12x")
    assert not sender.active
    assert check_digits("1aBw*#W") == "1ABw*#W"


@pytest.mark.parametrize("wrong", [{"tone_ms": 10}, {"tone_ms": 9000}, {"gap_ms": 20}, {"volume": 64}])
def test_a_sender_is_not_made_with_numbers_out_of_bounds(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        attrs.evolve(DtmfSender(), **wrong)
