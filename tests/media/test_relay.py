"""Two coupled sessions: what passes between them, packet by packet and step by step, on plain numbers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.media import pcm, rtp
from offhook.media.dtmf import DIGITS, DigitEnded, DigitEvent, DtmfReceiver, EventPayload
from offhook.media.errors import BadDigits
from offhook.media.events import (
    DigitHeard,
    InterceptDigits,
    MediaEvent,
    MediaOrder,
    Mute,
    Play,
    Played,
    SendDigits,
    SetRemote,
    StopPlaying,
    StopRecording,
    Tap,
    Track,
    WatchSpeech,
)
from offhook.media.frames import FRAME_BYTES, FRAME_S, SILENCE
from offhook.media.g711 import PCMA, PCMU, Law
from offhook.media.rtcp import SenderReport, parse
from offhook.media.rtp import RtpPacket
from offhook.media.sdp import Agreed
from offhook.media.session import MediaSession
from offhook.media.sinks import Recording, Ring
from offhook.media.sources import Clip, Silence
from offhook.media.tones import tone

from .media_ids import FixedIds


@attrs.define(eq=False)
class Side:
    """One leg with its phone."""

    host: str
    first_sequence: int
    law: Law = PCMU
    session: MediaSession = attrs.field(init=False)
    heard: list[RtpPacket] = attrs.field(factory=list)
    """What the phone has got."""
    heard_at: list[float] = attrs.field(factory=list)
    events: list[MediaEvent] = attrs.field(factory=list)
    reports: list[bytes] = attrs.field(factory=list)
    ssrc: int = 77
    sequence: int = 65_520
    timestamp: int = 2**32 - 4000

    def __attrs_post_init__(self) -> None:
        self.session = MediaSession(
            FixedIds(first_sequence=self.first_sequence, ssrc_value=0x0FF0_0000 + self.first_sequence)
        )

    def agreed(self, **changes: object) -> Agreed:
        usual = Agreed(
            codec=self.law,
            payload_type=self.law.payload_type,
            receive_types={0: PCMU, 8: PCMA},
            event_type=101,
            event_receive_types=frozenset({101}),
            remote=(self.host, 4000),
            remote_rtcp=(self.host, 4001),
            send=True,
            receive=True,
            ptime_ms=20,
            media_index=0,
        )
        return attrs.evolve(usual, **changes)  # type: ignore[arg-type]  # each test names real fields

    def packet(self, octets: bytes, payload_type: int | None = None, marker: bool = False) -> bytes:
        data = rtp.build_plain(
            self.law.payload_type if payload_type is None else payload_type,
            self.sequence,
            self.timestamp,
            self.ssrc,
            octets,
            marker,
        )
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + len(octets)) & 0xFFFF_FFFF
        return data

    def event(self, payload: bytes, timestamp: int, marker: bool = False) -> bytes:
        """A packet of a telephone-event, in the same numbering."""
        data = rtp.build_plain(101, self.sequence, timestamp & 0xFFFF_FFFF, self.ssrc, payload, marker)
        self.sequence = (self.sequence + 1) & 0xFFFF
        return data

    def octets(self, since: int = 0) -> bytes:
        return b"".join(packet.payload for packet in self.heard[since:] if packet.payload_type != 101)

    def of(self, kind: type[MediaEvent]) -> list[MediaEvent]:
        return [event for event in self.events if isinstance(event, kind)]


@attrs.define(eq=False)
class Bridge:
    """Two legs on one beat; packets arrive between the steps."""

    one: Side
    other: Side
    now: float = 100.0

    def send(self, source: Side, data: bytes, after_s: float = 0.01) -> list[RtpPacket]:
        """A packet of that side's phone arrives; what the other side's phone gets at once because of it."""
        target = self.other if source is self.one else self.one
        passed = source.session.receive(data, (source.host, 4000), self.now + after_s)
        fresh = []
        for out, address in passed:
            assert address == (target.host, 4000)
            fresh.append(rtp.parse(out))
            target.heard_at.append(self.now + after_s)
        target.heard += fresh
        return fresh

    def beat(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.now += FRAME_S
            for side in (self.one, self.other):
                for data, address in side.session.tick(self.now):
                    assert address == (side.host, 4000)
                    side.heard.append(rtp.parse(data))
                    side.heard_at.append(self.now)
                side.reports += [data for data, _ in side.session.take_reports()]
                side.events += side.session.take_events()

    def say(self, source: Side, octets: bytes, size: int = 160) -> None:
        """A phone talks in packets of `size` octets, at the pace of real time."""
        sent = 0
        for start in range(0, len(octets), size):
            self.send(source, source.packet(octets[start : start + size]))
            sent += size
            while sent >= 160:
                self.beat()
                sent -= 160

    def both(self, first: bytes, second: bytes) -> None:
        for start in range(0, len(first), 160):
            self.send(self.one, self.one.packet(first[start : start + 160]))
            self.send(self.other, self.other.packet(second[start : start + 160]), 0.013)
            self.beat()

    def apply(self, side: Side, *orders: MediaOrder) -> None:
        for order in orders:
            side.session.apply(order, self.now)

    def couple(self) -> None:
        self.one.session.let_hear(self.other.session)
        self.other.session.let_hear(self.one.session)

    def part(self) -> None:
        self.one.session.let_hear(None)
        self.other.session.let_hear(None)


def bridge(
    first: Law = PCMU, second: Law = PCMU, coupled: bool = True, flowing: bool = True, **changes: object
) -> Bridge:
    """`changes` are of the second leg's agreement; `flowing` when both phones have been heard before."""
    made = Bridge(Side("192.0.2.1", 100, first), Side("192.0.2.2", 65_500, second))
    made.apply(made.one, SetRemote(made.one.agreed()))
    made.apply(made.other, SetRemote(made.other.agreed(**changes)))
    if flowing:
        made.both(b"\x11" * 800, b"\x22" * 800)
    if coupled:
        made.couple()
    return made


def speech(packets: int, seed: int = 1) -> bytes:
    """Octets of either law; no two packets alike, and none like silence."""
    return random.Random(seed).randbytes(160 * packets).replace(b"\xff", b"\x01").replace(b"\xd5", b"\x02")


def unbroken(packets: Sequence[RtpPacket]) -> bool:
    return all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in itertools.pairwise(packets))


def steady(packets: Sequence[RtpPacket]) -> bool:
    """Whether each timestamp is where the packet before stops."""
    return all(
        (b.timestamp - a.timestamp) & 0xFFFF_FFFF == len(a.payload)
        for a, b in itertools.pairwise(packet for packet in packets if packet.payload_type != 101)
    )


# --------------------------------------------------------------------------------------- straight through


@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_between_legs_of_one_law_every_octet_passes_at_once_and_unchanged(law: Law) -> None:
    made = bridge(law, law)
    said = bytes(range(256)) * 50
    for start in range(0, len(said), 160):
        passed = made.send(made.one, made.one.packet(said[start : start + 160]))
        assert [packet.payload for packet in passed] == [said[start : start + 160]]
        made.beat()
    assert made.other.octets(since=5) == said
    assert unbroken(made.other.heard)
    assert steady(made.other.heard)
    assert {packet.ssrc for packet in made.other.heard} == {0x0FF0_0000 + 65_500}
    assert {packet.payload_type for packet in made.other.heard} == {law.payload_type}


@pytest.mark.parametrize(("come", "go"), [(PCMU, PCMA), (PCMA, PCMU)])
def test_between_the_two_laws_every_octet_is_what_decoding_and_encoding_makes_of_it(come: Law, go: Law) -> None:
    made = bridge(come, go)
    said = bytes(range(256)) * 5
    made.say(made.one, said)
    assert made.other.octets(since=5) == go.encode(come.decode(said))
    back = speech(8)
    made.say(made.other, back)
    assert made.one.octets()[-len(back) :] == come.encode(go.decode(back))


def test_both_directions_pass_at_the_same_time() -> None:
    made = bridge()
    first, second = speech(200, seed=1), speech(200, seed=2)
    made.both(first, second)
    assert made.other.octets(since=5) == first
    assert made.one.octets(since=5) == second
    assert unbroken(made.one.heard)
    assert unbroken(made.other.heard)
    assert [packet.sequence for packet in made.other.heard][:3] == [65_500, 65_501, 65_502]


def test_no_packet_is_lost_where_two_legs_are_coupled_and_parted() -> None:
    made = bridge(coupled=False)
    said = speech(120)
    for number in range(120):
        if number == 40:
            made.couple()
        if number == 80:
            made.part()
        made.send(made.one, made.one.packet(said[160 * number : 160 * number + 160]))
        made.beat()
    silence = PCMU.silence * 160
    assert made.other.octets(since=5) == silence * 40 + said[160 * 40 : 160 * 80] + silence * 40
    assert unbroken(made.other.heard)
    assert steady(made.other.heard)


@pytest.mark.parametrize("late_s", [0.0005, 0.0195])
def test_wherever_in_the_step_packets_arrive_one_takes_the_place_of_one(late_s: float) -> None:
    made = bridge()
    for number in range(100):
        made.send(made.one, made.one.packet(bytes([number + 1]) * 160), late_s)
        made.beat()
    assert [packet.payload[0] for packet in made.other.heard[5:]] == list(range(1, 101))
    assert steady(made.other.heard)


def test_a_leg_that_hears_nothing_from_its_neighbour_says_silence_of_its_own() -> None:
    made = bridge(flowing=False)
    made.beat(20)
    assert [packet.payload for packet in made.other.heard] == [PCMU.silence * 160] * 20
    said = speech(10)
    made.say(made.one, said)
    assert made.other.octets(since=20) == said
    made.beat(60)
    packets = made.other.heard[30:]
    assert 50 <= len(packets) <= 51  # a fifth of a second is waited for
    assert {packet.payload for packet in packets} == {PCMU.silence * 160}
    assert unbroken(made.other.heard)
    # Time has passed in the timestamps too, as far as steps can tell.
    assert (made.other.heard[-1].timestamp - made.other.heard[0].timestamp) // 160 == pytest.approx(89, abs=1)
    assert made.other.heard[20].marker


def test_who_says_that_it_is_silent_is_not_waited_for() -> None:
    made = bridge()
    made.say(made.one, speech(5))
    made.send(made.one, made.one.packet(b"\x40", 13))
    count = len(made.other.heard)
    made.beat(5)
    assert [packet.payload for packet in made.other.heard[count:]] == [PCMU.silence * 160] * 5


def test_one_way_only_the_listener_hears() -> None:
    made = bridge(coupled=False)
    made.other.session.let_hear(made.one.session)
    first, second = speech(30, seed=1), speech(30, seed=2)
    made.both(first, second)
    assert made.one.octets(since=5) == second
    assert made.other.octets(since=5) == PCMU.silence * 160 * 30
    made.couple()
    made.both(first, second)
    assert made.one.octets(since=5) == second * 2
    assert made.other.octets(since=35) == first


# ------------------------------------------------------------------------------------ what networks do


def test_losses_stay_visible_so_that_the_far_end_conceals_them() -> None:
    made = bridge()
    said = speech(40)
    for number in range(40):
        data = made.one.packet(said[160 * number : 160 * number + 160])
        if number not in (10, 20, 21, 22):
            made.send(made.one, data)
        made.beat()
    packets = made.other.heard[5:]
    sequences = [(packet.sequence - packets[0].sequence) & 0xFFFF for packet in packets]
    assert sequences == [number for number in range(40) if number not in (10, 20, 21, 22)]
    assert [(packet.timestamp - packets[0].timestamp) & 0xFFFF_FFFF for packet in packets] == [
        160 * number for number in sequences
    ]


def test_an_overtaken_packet_takes_its_own_place_and_a_copy_takes_none() -> None:
    made = bridge()
    made.say(made.one, speech(3))
    first, second, third = (made.one.packet(bytes([number]) * 160) for number in (1, 2, 3))
    for data in (first, third, third, second, second, first):
        made.send(made.one, data)
    packets = made.other.heard[8:]
    assert [packet.payload[0] for packet in packets] == [1, 3, 2]
    base = made.other.heard[7].sequence
    assert [(packet.sequence - base) & 0xFFFF for packet in packets] == [1, 3, 2]
    made.beat(3)
    made.say(made.one, speech(3))
    assert unbroken([*made.other.heard[:8], *sorted(packets, key=lambda packet: packet.payload[0])])
    assert unbroken(made.other.heard[11:])
    assert (made.other.heard[11].sequence - base) & 0xFFFF == 4


def test_a_packet_from_before_the_coupling_comes_too_late() -> None:
    made = bridge(coupled=False)
    late = made.one.packet(speech(1))
    made.beat()
    made.couple()
    made.say(made.one, speech(2))
    assert made.send(made.one, late) == []
    assert unbroken(made.other.heard)


def test_another_source_goes_on_without_a_gap() -> None:
    made = bridge()
    made.say(made.one, speech(10, seed=1))
    made.one.ssrc, made.one.sequence, made.one.timestamp = 4242, 9, 123
    made.say(made.one, speech(10, seed=2))
    assert made.other.octets(since=5) == speech(10, seed=1) + speech(10, seed=2)
    assert unbroken(made.other.heard)
    assert steady(made.other.heard)
    assert [packet.marker for packet in made.other.heard[15:17]] == [True, False]


@pytest.mark.parametrize(("sequence", "timestamp"), [(30_000, None), (None, 1_000_000), (17, 5)])
def test_numbers_that_leap_go_on_without_a_gap(sequence: int | None, timestamp: int | None) -> None:
    made = bridge()
    made.say(made.one, speech(10, seed=1))
    made.one.sequence = made.one.sequence if sequence is None else sequence
    made.one.timestamp = made.one.timestamp if timestamp is None else timestamp
    made.say(made.one, speech(10, seed=2))
    assert made.other.octets(since=5) == speech(10, seed=1) + speech(10, seed=2)
    assert unbroken(made.other.heard)
    assert steady(made.other.heard)


def test_a_pause_without_packets_is_a_pause_of_the_timestamps() -> None:
    """A peer that suppresses silence: its numbers go on, its timestamps have moved."""
    made = bridge()
    made.say(made.one, speech(10))
    made.one.timestamp += 160 * 6
    made.beat(6)  # less than what silence of our own is sent after
    made.say(made.one, speech(10))
    assert len(made.other.heard) == 25
    assert unbroken(made.other.heard)
    leap = (made.other.heard[15].timestamp - made.other.heard[14].timestamp) & 0xFFFF_FFFF
    assert leap == pytest.approx(160 * 7, abs=160)


def test_a_burst_after_a_stall_passes_whole_and_what_follows_fits_behind_it() -> None:
    made = bridge()
    made.say(made.one, speech(5))
    late = [made.one.packet(bytes([number]) * 160) for number in range(8)]
    made.beat(8)
    for data in late:
        made.send(made.one, data)
    made.beat()
    made.say(made.one, speech(5))
    assert unbroken(made.other.heard)
    assert steady(made.other.heard)
    made.part()
    made.beat(3)
    assert unbroken(made.other.heard)
    assert steady(made.other.heard)


def test_a_flood_at_one_leg_is_none_at_the_other() -> None:
    made = bridge()
    count = len(made.other.heard)
    for _ in range(50):  # a second, with a hundred times too many packets
        for _ in range(100):
            made.send(made.one, made.one.packet(speech(1)))
        made.beat()
    assert len(made.other.heard) - count <= 2 * 50 + 1


def test_two_phones_that_echo_everything_let_no_packet_run_in_circles() -> None:
    made = bridge(flowing=False)
    done = {id(made.one): 0, id(made.other): 0}
    passes = 0
    for _ in range(250):
        made.beat()
        for _ in range(20):  # each step, twenty ways there and back
            for side in (made.one, made.other):
                fresh = side.heard[done[id(side)] :]
                done[id(side)] = len(side.heard)
                for packet in fresh:
                    passes += len(made.send(side, rtp.build(packet)))
    assert passes <= 2 * (250 + 51)


def test_a_clock_that_is_faster_than_ours_loses_no_packet_in_ten_minutes() -> None:
    made = bridge()
    sent = 0
    for number in range(30_000):
        for _ in range(2 if number % 2_000 == 1_999 else 1):  # 500 parts in a million
            made.send(made.one, made.one.packet(b"\x33" * 160))
            sent += 1
        made.beat()
    assert len(made.other.heard) - 5 == sent
    assert unbroken(made.other.heard)


@given(
    seed=st.integers(0, 10_000),
    loss=st.floats(0, 0.4),
    copies=st.floats(0, 0.3),
    swap=st.floats(0, 0.3),
    keys=st.booleans(),
)
@settings(max_examples=40)
def test_whatever_the_network_does_no_number_goes_out_twice_and_no_packet_either(
    seed: int, loss: float, copies: float, swap: float, keys: bool
) -> None:
    made = bridge()
    rng = random.Random(seed)
    held: list[bytes] = []
    for number in range(150):
        data = made.one.packet(number.to_bytes(2, "big") * 80)
        if rng.random() < swap:
            held.append(data)
        elif rng.random() >= loss:
            for one in [data] * (2 if rng.random() < copies else 1) + held:
                made.send(made.one, one, rng.random() * 0.02)
            held.clear()
        if rng.random() < 0.05:
            made.apply(made.other, Play("x", Clip(tone(440, length_ms=60))))
        if keys and rng.random() < 0.05:
            made.send(made.one, made.one.event(EventPayload(5, True, 10, 800).build(), number * 4000))
        made.beat()
    numbers = [packet.sequence for packet in made.other.heard]
    assert len(set(numbers)) == len(numbers)
    numbered = [packet.payload for packet in made.other.heard[5:] if packet.payload[:2] * 80 == packet.payload]
    passed = [payload for payload in numbered if payload != PCMU.silence * 160]
    assert len(set(passed)) == len(passed)


@given(
    datagrams=st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([0, 8, 13, 101, 96]),
            st.integers(0, 0xFFFF),
            st.integers(0, 0xFFFF_FFFF),
            st.sampled_from([77, 78]),
            st.binary(max_size=12)
            | st.sampled_from([b"\x10" * 160, b"\x20" * 240, b"\x05\x8a\x03\x20", b"\x0b\x0a\x00\xa0"]),
            st.booleans(),
        ),
        max_size=60,
    ),
    event_type=st.sampled_from([101, None]),
)
@settings(max_examples=60)
def test_no_datagram_makes_a_bridge_raise_or_send_a_number_twice(
    datagrams: list[tuple[bool, int, int, int, int, bytes, bool]], event_type: int | None
) -> None:
    made = bridge(PCMU, PCMA, event_type=event_type)
    for first, payload_type, sequence, timestamp, ssrc, payload, step in datagrams:
        side = made.one if first else made.other
        made.send(side, rtp.build_plain(payload_type, sequence, timestamp, ssrc, payload))
        if step:
            made.beat()
    made.beat(30)
    for side in (made.one, made.other):
        numbers = [packet.sequence for packet in side.heard]
        assert len(set(numbers)) == len(numbers)
        assert side.heard[-1].payload_type in (side.law.payload_type, 101)


# ----------------------------------------------------------------------------------- playing, meanwhile


def test_what_a_leg_plays_comes_first_and_then_the_bridge_goes_on() -> None:
    made = bridge()
    clip = Clip(tone(440, length_ms=200))
    said = speech(60)
    for number in range(60):
        if number == 20:
            made.apply(made.other, Play("announcement", clip))
        made.send(made.one, made.one.packet(said[160 * number : 160 * number + 160]))
        made.beat()
    heard = made.other.octets(since=5)
    played = PCMU.encode(clip.samples)
    assert heard.startswith(said[: 160 * 20])
    assert played in heard
    start = heard.index(played)
    assert start in (160 * 20, 160 * 21)
    rest = heard[start + len(played) :]
    assert said.endswith(rest)
    assert len(rest) >= 160 * 28
    assert unbroken(made.other.heard)
    # The step in which the announcement ended is the only one without a packet, and the timestamps have it too.
    resumed = next(at for at, packet in enumerate(made.other.heard) if at > 25 and packet.marker)
    assert steady(made.other.heard[:resumed])
    assert steady(made.other.heard[resumed:])
    assert (made.other.heard[resumed].timestamp - made.other.heard[resumed - 1].timestamp) & 0xFFFF_FFFF <= 320
    assert made.other.of(Played) == [Played("announcement", whole=True)]


def test_a_leg_that_plays_is_heard_by_its_neighbour_all_the_same() -> None:
    made = bridge()
    made.apply(made.other, Play("ringing", Silence()))
    said = speech(20)
    made.say(made.other, said)
    assert made.one.octets(since=5) == said
    made.apply(made.other, StopPlaying())


def test_digits_of_our_own_come_before_the_bridge_and_are_whole() -> None:
    made = bridge()
    made.apply(made.other, SendDigits("extension", "12"))
    made.say(made.one, speech(40))
    receiver = DtmfReceiver()
    heard = [event for packet in events_of(made.other) for event in receiver.receive(packet, 0)]
    assert [event.digit for event in heard if isinstance(event, DigitEnded)] == ["1", "2"]
    assert unbroken(made.other.heard)
    assert made.other.octets().endswith(speech(40)[-160 * 10 :])


def test_a_muted_leg_is_not_heard_but_recorded() -> None:
    made = bridge()
    recording = Recording("r", Path("r.wav"))
    made.one.session.record(recording, Track.INBOUND)
    made.apply(made.one, Mute(True))
    made.say(made.one, speech(10))
    assert made.other.octets(since=5) == PCMU.silence * 1600
    assert PCMU.decode(speech(10)[: 160 * 7]) in recording.take().samples
    made.apply(made.one, Mute(False))
    made.say(made.one, speech(10))
    assert made.other.octets().endswith(speech(10))


# --------------------------------------------------------------------------------------- packet lengths


@pytest.mark.parametrize("ptime_ms", [10, 30, 40, 60])
def test_packets_of_the_length_that_the_far_end_asks_for_pass_as_they_are(ptime_ms: int) -> None:
    made = bridge(ptime_ms=ptime_ms, flowing=False)
    said = speech(30)
    made.say(made.one, said, size=8 * ptime_ms)
    passed = [packet for packet in made.other.heard if packet.payload in said]
    assert b"".join(packet.payload for packet in passed) == said
    assert unbroken(made.other.heard)


@pytest.mark.parametrize(("ptime_ms", "size"), [(20, 240), (20, 480), (60, 160), (30, 160), (10, 160), (20, 80)])
def test_packets_of_another_length_are_packed_anew_without_losing_a_sample(ptime_ms: int, size: int) -> None:
    made = bridge(ptime_ms=ptime_ms, flowing=False)
    said = speech(60)
    made.say(made.one, said, size=size)
    made.beat(30)
    own = {len(packet.payload) for packet in made.other.heard}
    assert own == {8 * ptime_ms}
    exact = PCMU.encode(PCMU.decode(said))
    assert exact in made.other.octets()
    assert unbroken(made.other.heard)
    assert steady(made.other.heard)


def test_a_single_short_packet_is_no_reason_to_pack_anew_but_a_new_length_is() -> None:
    made = bridge()
    made.say(made.one, speech(5, seed=1))
    made.say(made.one, speech(1, seed=2)[:80])
    made.say(made.one, speech(5, seed=3))
    assert made.other.octets(since=5) == speech(5, seed=1) + speech(1, seed=2)[:80] + speech(5, seed=3)
    made.say(made.one, speech(60, seed=4), size=240)
    assert {len(packet.payload) for packet in made.other.heard[-20:]} == {160}
    assert PCMU.encode(PCMU.decode(speech(60, seed=4)[240 * 10 : 240 * 30])) in made.other.octets()
    made.say(made.one, speech(10, seed=5))
    assert made.other.octets().endswith(speech(10, seed=5)[160:])
    assert unbroken(made.other.heard)


# ---------------------------------------------------------------------------- holds, moves, other codecs


def test_a_held_leg_hears_nothing_and_its_music_is_heard() -> None:
    made = bridge()
    made.apply(made.one, SetRemote(made.one.agreed(send=False)))  # the peer says sendonly
    count = len(made.one.heard)
    first, second = speech(30, seed=1), speech(30, seed=2)
    made.both(first, second)
    assert len(made.one.heard) == count
    assert made.other.octets(since=5) == first
    made.apply(made.one, SetRemote(made.one.agreed()))
    made.both(first, second)
    assert made.one.octets(since=5) == second
    assert unbroken(made.one.heard)
    assert made.one.heard[5].marker


@pytest.mark.parametrize("changes", [{"send": False, "receive": False}, {"receive": False}])
def test_while_a_peer_may_not_send_its_neighbour_hears_silence_at_once(changes: dict[str, bool]) -> None:
    made = bridge()
    made.say(made.one, speech(10))
    made.apply(made.one, SetRemote(made.one.agreed(**changes)))
    made.say(made.one, speech(10))
    assert made.other.octets(since=15) == PCMU.silence * 1600
    made.apply(made.one, SetRemote(made.one.agreed()))
    made.say(made.one, speech(10))
    assert made.other.octets(since=25) == speech(10)
    assert unbroken(made.other.heard)


def test_a_peer_on_hold_by_an_address_of_zeros_gets_nothing_until_it_has_one_again() -> None:
    made = bridge()
    made.apply(made.one, SetRemote(made.one.agreed(send=False, remote=None, remote_rtcp=None)))
    made.say(made.other, speech(10))
    assert len(made.one.heard) == 5
    made.one.host = "192.0.2.99"
    made.apply(made.one, SetRemote(made.one.agreed()))
    made.say(made.other, speech(10))
    assert made.one.octets(since=5) == speech(10)  # `send` has seen that it went to the new address


def test_a_codec_that_changes_on_either_side_is_followed_with_the_next_packet() -> None:
    made = bridge()
    made.say(made.one, speech(5, seed=1))
    made.other.law = PCMA
    made.apply(made.other, SetRemote(made.other.agreed()))
    made.say(made.one, speech(5, seed=2))
    made.one.law = PCMA
    made.apply(made.one, SetRemote(made.one.agreed()))
    made.say(made.one, speech(5, seed=3))
    transcoded = PCMA.encode(PCMU.decode(speech(5, seed=2)))
    assert made.other.octets(since=5) == speech(5, seed=1) + transcoded + speech(5, seed=3)
    assert [packet.payload_type for packet in made.other.heard] == [0] * 10 + [8] * 10
    assert unbroken(made.other.heard)


def test_a_far_end_that_asks_for_other_packets_gets_them_from_then_on() -> None:
    made = bridge()
    made.say(made.one, speech(5))
    made.apply(made.other, SetRemote(made.other.agreed(ptime_ms=40)))
    made.say(made.one, speech(40, seed=2))
    assert {len(packet.payload) for packet in made.other.heard[-10:]} == {320}
    made.apply(made.other, SetRemote(made.other.agreed()))
    made.say(made.one, speech(5, seed=3))
    assert made.other.octets().endswith(speech(5, seed=3))
    assert unbroken(made.other.heard)


def test_reports_and_figures_count_what_passed() -> None:
    made = bridge(flowing=False)
    made.couple()
    for number in range(700):
        data = made.one.packet(b"\x55" * 160)
        if number % 100 != 50:
            made.send(made.one, data)
        made.send(made.other, made.other.packet(b"\x66" * 160), 0.012)
        made.beat()
    for side, sent in ((made.one, 700), (made.other, 693)):
        reports = [packet for data in side.reports for packet in parse(data) if isinstance(packet, SenderReport)]
        assert reports
        last = reports[-1]
        assert last.packets == pytest.approx(sent, abs=300)
        assert last.octets == 160 * last.packets
        assert last.blocks[0].ssrc == 77
    lost = parse(made.one.reports[-1])[0]
    assert isinstance(lost, SenderReport)
    assert lost.blocks[0].cumulative_lost in (5, 6, 7)
    made.one.session.close(made.now)
    quality = made.one.session.take_events()[-1]
    assert quality.stats.packets_lost == 7  # type: ignore[union-attr]  # the last word of a leg is its figures
    assert quality.stats.packets_received == 693  # type: ignore[union-attr]  # as above
    assert quality.stats.packets_sent == 700  # type: ignore[union-attr]  # as above


def test_the_timestamp_in_a_report_is_that_of_its_moment() -> None:
    made = bridge()
    for _ in range(400):
        made.send(made.one, made.one.packet(b"\x55" * 160))
        made.beat()
        if made.other.reports:
            break
    report = parse(made.other.reports[0])[0]
    assert isinstance(report, SenderReport)
    assert (report.timestamp - made.other.heard[-1].timestamp) & 0xFFFF_FFFF <= 160


# ---------------------------------------------------------------------------------------------- recording


def sine(hz: int, packets: int, law: Law = PCMU) -> bytes:
    return law.encode(tone(hz, length_ms=20 * packets))


def channels_of(samples: bytes) -> tuple[bytes, bytes]:
    pairs = np.frombuffer(samples, dtype="<i2").reshape(-1, 2)
    return pairs[:, 0].tobytes(), pairs[:, 1].tobytes()


def test_a_dual_recording_has_either_side_on_a_channel_of_its_own() -> None:
    made = bridge()
    recording = Recording("r", Path("r.wav"), channels=2)
    made.one.session.record(recording, Track.DUAL)
    first, second = speech(100, seed=1), speech(100, seed=2)
    made.both(first, second)
    made.apply(made.one, StopRecording("r"))
    left, right = channels_of(recording.take().samples)
    assert len(left) == len(right) == 100 * FRAME_BYTES
    assert recording.samples == 100 * 160
    assert PCMU.decode(first[: 160 * 90]) in left
    assert PCMU.decode(second[: 160 * 90]) in right
    # In step: what was said at once lies at one place, within a frame.
    shift = left.index(PCMU.decode(first[:160])) - right.index(PCMU.decode(second[:160]))
    assert abs(shift) <= FRAME_BYTES
    # And it passed as it was all the while.
    assert made.other.octets(since=5) == first
    assert made.one.octets(since=5) == second


def test_both_sides_are_one_channel_when_they_are_mixed() -> None:
    made = bridge()
    mixed, left, right = (Recording(name, Path("r.wav")) for name in "mlr")
    made.one.session.record(mixed, Track.BOTH)
    made.one.session.record(left, Track.INBOUND)
    made.one.session.record(right, Track.OUTBOUND)
    made.both(sine(300, 50), sine(700, 50))
    samples = mixed.take().samples
    assert len(samples) == 50 * FRAME_BYTES
    assert samples == pcm.add(left.take().samples, right.take().samples)


def test_what_is_announced_to_the_recorded_leg_is_in_its_recording() -> None:
    made = bridge()
    recording = Recording("r", Path("r.wav"), channels=2)
    made.one.session.record(recording, Track.DUAL)
    clip = Clip(tone(440, length_ms=100))
    made.apply(made.one, Play("hello", clip))
    made.both(speech(20, seed=1), speech(20, seed=2))
    _, right = channels_of(recording.take().samples)
    assert right.startswith(clip.samples)
    assert PCMU.decode(speech(20, seed=2)[160 * 8 : 160 * 15]) in right


def test_a_recording_stays_in_step_whatever_is_lost_held_or_slept_through() -> None:
    made = bridge()
    recording = Recording("r", Path("r.wav"), channels=2)
    made.one.session.record(recording, Track.DUAL)
    rng = random.Random(7)
    for number in range(200):
        if number == 60:
            made.apply(made.other, SetRemote(made.other.agreed(send=False, receive=False)))
        if number == 120:
            made.apply(made.other, SetRemote(made.other.agreed()))
        for side in (made.one, made.other):
            data = side.packet(b"\x44" * 160)
            if rng.random() > 0.3:
                made.send(side, data)
        made.beat()
    made.one.session.skip(10)
    made.part()
    made.beat(5)
    left, right = channels_of(recording.take().samples)
    assert len(left) == len(right) == 215 * FRAME_BYTES


def test_both_sides_can_be_recorded_and_tapped_and_listened_to_at_once() -> None:
    made = bridge(PCMU, PCMA)
    rings = [Ring(capacity=1000) for _ in range(3)]
    made.apply(made.one, Tap(rings[0], Track.INBOUND), Tap(rings[1], Track.OUTBOUND), Tap(rings[2], Track.DUAL))
    made.apply(made.other, WatchSpeech(True))
    first, second = sine(300, 40), sine(700, 40, PCMA)
    made.both(first, second)
    inbound, outbound, pairs = (b"".join(ring.take_all()) for ring in rings)
    assert PCMU.decode(first[: 160 * 30]) in inbound
    assert PCMA.decode(second[: 160 * 30]) in outbound
    assert channels_of(pairs) == (inbound, outbound)
    assert made.other.octets(since=5) == PCMA.encode(PCMU.decode(first))
    assert {type(event).__name__ for event in made.other.events} == {"MediaFlowing", "SpeechStarted"}


def test_when_nobody_listens_any_more_nothing_is_played_out() -> None:
    made = bridge()
    recording = Recording("r", Path("r.wav"))
    made.one.session.record(recording, Track.BOTH)
    made.both(speech(5), speech(5))
    made.apply(made.one, StopRecording(None))
    assert made.one.session._listening._playout is None
    assert made.other.session._listening._playout is None
    made.both(speech(5), speech(5))
    assert unbroken(made.one.heard)


# --------------------------------------------------------------------------------------------------- keys


def events_of(side: Side) -> list[RtpPacket]:
    return [packet for packet in side.heard if packet.payload_type == 101]


def presses_of(packets: Sequence[RtpPacket]) -> list[DigitEvent]:
    """As the far end's own receiver understands them."""
    receiver = DtmfReceiver()
    return [event for packet in packets for event in receiver.receive(packet, 0)]


def lengths_of(side: Side) -> list[tuple[str, int]]:
    heard = presses_of(events_of(side))
    return [(event.digit, event.samples) for event in heard if isinstance(event, DigitEnded)]


def press(
    made: Bridge,
    source: Side,
    digit: str,
    samples: int = 800,
    *,
    every: int = 1,
    ends: int = 3,
    copies: int = 1,
    lose: Sequence[int] = (),
    talk: bool = False,
) -> float:
    """A phone presses a key; gives the time at which the first packet of it arrived."""
    start, began = source.timestamp, made.now + 0.01
    number = 0
    for step in itertools.count(1):
        lasted = min(160 * step, samples)
        over = lasted == samples
        for _ in range(ends if over else 1 if step % every == 0 or step == 1 else 0):
            data = source.event(EventPayload(DIGITS.index(digit), over, 10, lasted).build(), start, marker=step == 1)
            for _ in range(copies):
                if number not in lose:
                    made.send(source, data)
            number += 1
        if talk:
            made.send(source, source.packet(b"\x77" * 160), 0.015)
        else:
            source.timestamp = (source.timestamp + 160) & 0xFFFF_FFFF
        made.beat()
        if over:
            break
    return began


@pytest.mark.parametrize("digit", list(DIGITS))
def test_every_key_is_pressed_once_at_the_far_end(digit: str) -> None:
    made = bridge()
    made.say(made.one, speech(5))
    press(made, made.one, digit)
    made.say(made.one, speech(5))
    assert lengths_of(made.other) == [(digit, 800)]
    assert made.one.of(DigitHeard) == [DigitHeard(digit, 100)]
    assert made.other.of(DigitHeard) == []
    packets = events_of(made.other)
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
    assert len({packet.timestamp for packet in packets}) == 1
    reports = [
        EventPayload(*report)
        for report in (
            (p.payload[0], p.payload[1] > 127, p.payload[1] & 63, int.from_bytes(p.payload[2:])) for p in packets
        )
    ]
    assert [report.end for report in reports] == [False] * (len(reports) - 3) + [True] * 3
    assert [report.duration for report in reports][-3:] == [800] * 3
    assert unbroken(made.other.heard)
    assert made.other.octets(since=5) == speech(5) * 2


def test_keys_pass_in_both_directions_at_once() -> None:
    made = bridge()
    start = {id(side): side.timestamp for side in (made.one, made.other)}
    for step in range(1, 6):
        for side, event in ((made.one, 1), (made.other, 9)):
            for _ in range(3 if step == 5 else 1):
                payload = EventPayload(event, step == 5, 10, 160 * step).build()
                made.send(side, side.event(payload, start[id(side)]))
        made.beat()
    made.beat(5)
    assert lengths_of(made.other) == [("1", 800)]
    assert lengths_of(made.one) == [("9", 800)]


def test_a_press_begins_at_the_far_end_within_a_step_however_long_it_is_going_to_be() -> None:
    made = bridge()
    began = press(made, made.one, "5", 8000 * 3)
    made.beat(5)
    first = next(
        at for at, packet in zip(made.other.heard_at, made.other.heard, strict=True) if packet.payload_type == 101
    )
    assert first - began <= FRAME_S
    assert lengths_of(made.other) == [("5", 24_000)]


@pytest.mark.parametrize("samples", [160, 320, 400, 777, 1234, 0xFFFF, 0xFFFF + 1, 3 * 0xFFFF + 55])
def test_a_press_is_as_long_as_the_original_to_the_sample(samples: int) -> None:
    made = bridge()
    key = _long_press(made.one, samples)
    for data in key:
        made.send(made.one, data)
        made.beat()
    made.beat(6)
    assert lengths_of(made.other) == [("8", samples)]
    ends = [packet for packet in events_of(made.other) if packet.payload[1] & 0x80]
    assert len(ends) == 3
    # The clock of the stream has gone on beyond it.
    made.say(made.one, speech(1))
    after = made.other.heard[-1]
    begun = events_of(made.other)[0].timestamp
    assert (after.timestamp - begun) & 0xFFFF_FFFF >= samples


def _long_press(source: Side, samples: int) -> list[bytes]:
    """A packet a step; full segments follow on one another (RFC 4733 section 2.5.1.3)."""
    packets = []
    start, base = source.timestamp, 0
    for lasted in itertools.count(160, 160):
        total = min(lasted, samples)
        if total - base > 0xFFFF:
            packets.append(source.event(EventPayload(8, False, 10, 0xFFFF).build(), start + base))
            base += 0xFFFF
            continue
        over = total == samples
        payload = EventPayload(8, over, 10, total - base).build()
        packets += [source.event(payload, start + base) for _ in range(3 if over else 1)]
        if over:
            source.timestamp = (start + lasted) & 0xFFFF_FFFF
            return packets
    raise AssertionError("a press ends")


@pytest.mark.parametrize("every", [2, 3])
def test_updates_that_are_rare_make_no_difference_to_the_length(every: int) -> None:
    made = bridge()
    press(made, made.one, "0", 1600, every=every)
    made.beat(5)
    assert lengths_of(made.other) == [("0", 1600)]


@pytest.mark.parametrize("lose", [(0,), (0, 1, 2, 3), (5, 6), (4, 5), (0, 1, 2, 3, 4, 5)])
def test_lost_and_doubled_event_packets_change_nothing(lose: Sequence[int]) -> None:
    made = bridge()
    press(made, made.one, "7", 800, lose=lose, copies=3)
    made.beat(8)
    assert lengths_of(made.other) == [("7", 800)]
    assert unbroken(made.other.heard)


def test_a_press_whose_end_was_lost_altogether_is_ended_all_the_same() -> None:
    made = bridge()
    press(made, made.one, "7", 800, ends=0)
    made.beat(15)
    assert lengths_of(made.other) == [("7", 640)]
    assert sum(packet.payload[1] > 127 for packet in events_of(made.other)) == 3


def test_keys_in_quick_succession_stay_apart_and_in_order() -> None:
    made = bridge()
    for digit in "1122*#":
        press(made, made.one, digit, 640)
        made.one.timestamp += 320
        made.beat(2)
    made.beat(20)
    assert lengths_of(made.other) == [(digit, 640) for digit in "1122*#"]
    assert [event.digit for event in made.one.of(DigitHeard) if isinstance(event, DigitHeard)] == list("1122*#")


def test_a_phone_that_goes_on_talking_while_it_presses_is_heard_and_its_key_too() -> None:
    made = bridge()
    press(made, made.one, "3", 1600, talk=True)
    made.say(made.one, speech(5))
    assert lengths_of(made.other) == [("3", 1600)]
    assert made.other.octets(since=5) == b"\x77" * 1600 + speech(5)
    assert unbroken(made.other.heard)
    audio = [packet.timestamp for packet in made.other.heard if packet.payload_type != 101]
    assert {(b - a) & 0xFFFF_FFFF for a, b in itertools.pairwise(audio)} <= {160, 320}


def test_keys_pass_through_an_announcement_without_disturbing_it() -> None:
    made = bridge()
    clip = Clip(tone(440, length_ms=400))
    made.apply(made.other, Play("announcement", clip))
    press(made, made.one, "4")
    made.beat(20)
    assert PCMU.encode(clip.samples) in made.other.octets()
    assert lengths_of(made.other) == [("4", 800)]
    assert unbroken(made.other.heard)


def test_keys_wait_for_digits_of_our_own() -> None:
    made = bridge()
    made.apply(made.other, SendDigits("d", "12"))
    made.beat()
    press(made, made.one, "9")
    made.beat(30)
    assert [digit for digit, _ in lengths_of(made.other)] == ["1", "2", "9"]
    assert lengths_of(made.other)[-1] == ("9", 800)


def test_an_intercepted_key_is_told_and_does_not_pass() -> None:
    made = bridge()
    made.apply(made.one, InterceptDigits("*"))
    for digit in "1*2":
        press(made, made.one, digit)
        made.beat(4)
    assert [digit for digit, _ in lengths_of(made.other)] == ["1", "2"]
    assert made.one.of(DigitHeard) == [DigitHeard(digit, 100) for digit in "1*2"]
    made.say(made.one, speech(5))
    assert made.other.octets().endswith(speech(5))
    press(made, made.other, "*")
    made.beat(4)
    assert [digit for digit, _ in lengths_of(made.one)] == ["*"]  # the other side's star is another matter
    made.apply(made.one, InterceptDigits(""))
    press(made, made.one, "*")
    made.beat(4)
    assert [digit for digit, _ in lengths_of(made.other)] == ["1", "2", "*"]


def test_what_is_no_key_cannot_be_intercepted() -> None:
    with pytest.raises(BadDigits):
        InterceptDigits("w")


def test_one_way_keys_of_the_silent_side_do_not_pass_and_are_told() -> None:
    made = bridge(coupled=False)
    made.other.session.let_hear(made.one.session)
    press(made, made.one, "1")
    press(made, made.other, "2")
    made.beat(5)
    assert lengths_of(made.other) == []
    assert lengths_of(made.one) == [("2", 800)]
    assert made.one.of(DigitHeard) == [DigitHeard("1", 100)]


def test_a_key_that_is_down_when_the_legs_are_parted_comes_up() -> None:
    made = bridge()
    start = made.one.timestamp
    for step in range(1, 5):
        made.send(made.one, made.one.event(EventPayload(5, False, 10, 160 * step).build(), start))
        made.beat()
    made.part()
    made.beat(10)
    assert lengths_of(made.other) == [("5", 640)]
    assert sum(packet.payload[1] > 127 for packet in events_of(made.other)) == 3
    assert made.other.heard[-1].payload == PCMU.silence * 160


def test_a_key_that_was_down_before_the_coupling_does_not_pass() -> None:
    made = bridge(coupled=False)
    start = made.one.timestamp
    made.send(made.one, made.one.event(EventPayload(5, False, 10, 160).build(), start))
    made.beat()
    made.couple()
    made.send(made.one, made.one.event(EventPayload(5, True, 10, 320).build(), start))
    made.beat(5)
    assert events_of(made.other) == []


def test_a_held_far_end_gets_no_keys_then_nor_later() -> None:
    made = bridge()
    made.apply(made.other, SetRemote(made.other.agreed(send=False)))
    press(made, made.one, "5")
    made.beat(5)
    made.apply(made.other, SetRemote(made.other.agreed()))
    made.beat(10)
    assert events_of(made.other) == []


def test_a_thousand_keys_at_once_are_no_more_than_a_few() -> None:
    made = bridge()
    for number in range(1000):
        made.send(made.one, made.one.event(EventPayload(5, True, 10, 400).build(), number * 1000))
    made.beat(1000)
    assert len(lengths_of(made.other)) == 32


# ------------------------------------------------------------------------- a far end that takes no events


def tones_in(samples: bytes) -> list[tuple[str, int]]:
    """Each key heard in samples, and for how many frames: by the energy at its two frequencies."""
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
    found: list[tuple[str, int]] = []
    last = ""
    for start in range(0, len(samples) - FRAME_BYTES + 1, FRAME_BYTES):
        frame = np.frombuffer(samples[start : start + FRAME_BYTES], dtype="<i2").astype(float)
        time = np.arange(frame.size) / 8000
        power = {hz: abs(np.dot(frame, np.exp(-2j * np.pi * hz * time))) for hz in (*rows, *columns)}
        row, column = max(rows, key=power.__getitem__), max(columns, key=power.__getitem__)
        loud = min(power[row], power[column]) > 0.6 * 160 * 4000 / 2
        key = "123A456B789C*0#D"[rows.index(row) * 4 + columns.index(column)] if loud else ""
        if key and key == last:
            found[-1] = (key, found[-1][1] + 1)
        elif key:
            found.append((key, 1))
        last = key
    return found


@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_a_far_end_without_events_hears_the_tones_of_each_key(law: Law) -> None:
    made = bridge(PCMU, law, event_type=None, event_receive_types=frozenset())
    for digit in "123A456B789C*0#D":
        press(made, made.one, digit, 960)
        made.one.timestamp += 800
        made.beat(5)
    heard = tones_in(law.decode(made.other.octets(since=5)))
    assert "".join(key for key, _ in heard) == "123A456B789C*0#D"
    assert {frames for _, frames in heard} <= {5, 6, 7}
    assert events_of(made.other) == []
    assert unbroken(made.other.heard)
    assert made.one.of(DigitHeard) == [DigitHeard(digit, 120) for digit in "123A456B789C*0#D"]


def test_the_same_key_twice_is_two_tones_and_a_short_one_is_long_enough_to_be_heard() -> None:
    made = bridge(event_type=None)
    for _ in range(2):
        press(made, made.one, "5", 160)
    made.beat(20)
    heard = tones_in(PCMU.decode(made.other.octets(since=5)))
    assert [key for key, _ in heard] == ["5", "5"]
    assert all(frames >= 2 for _, frames in heard)


def test_a_tone_takes_the_place_of_the_voice_and_then_the_voice_goes_on() -> None:
    made = bridge(event_type=None)
    voice = b"\x40\x41" * 80 * 20
    made.say(made.one, voice)
    press(made, made.one, "5", 1600, talk=True)
    made.say(made.one, voice)
    assert [key for key, _ in tones_in(PCMU.decode(made.other.octets(since=25)))] == ["5"]
    assert made.other.octets().endswith(voice[160 * 3 :])
    assert unbroken(made.other.heard)


def test_a_tone_is_laid_over_an_announcement() -> None:
    made = bridge(event_type=None)
    clip = Clip(SILENCE * 40)
    made.apply(made.other, Play("announcement", clip))
    press(made, made.one, "8", 800)
    made.beat(40)
    assert made.other.of(Played) == [Played("announcement", whole=True)]
    assert [key for key, _ in tones_in(PCMU.decode(made.other.octets()))] == ["8"]


def test_a_flash_has_no_tone() -> None:
    made = bridge(event_type=None)
    press(made, made.one, "!")
    press(made, made.one, "5")
    made.beat(20)
    assert [key for key, _ in tones_in(PCMU.decode(made.other.octets()))] == ["5"]
