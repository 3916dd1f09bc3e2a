"""MediaSession: one leg, packet by packet and step by step, on plain numbers."""

from __future__ import annotations

import random
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.media import rtcp, rtp
from offhook.media.dtmf import DtmfSender, EventPayload
from offhook.media.events import (
    Address,
    AudioArrived,
    AudioLost,
    DigitHeard,
    Feed,
    FeedOverflowed,
    MediaEvent,
    MediaFlowing,
    MediaOrder,
    MediaSilent,
    Play,
    Played,
    QualityMeasured,
    SendDigits,
    SetRemote,
    SpeechStarted,
    SpeechStopped,
    StopPlaying,
    StopRecording,
    Tap,
    Track,
    Untap,
    WatchSpeech,
)
from offhook.media.frames import FRAME_BYTES, SILENCE
from offhook.media.g711 import PCMA, PCMU, Law
from offhook.media.playlist import FEED_LIMIT_BYTES
from offhook.media.rtp import RtpPacket
from offhook.media.sdp import Agreed
from offhook.media.session import MediaSession
from offhook.media.sinks import Recording, Ring
from offhook.media.sources import Clip, Repeat, Silence
from offhook.media.tones import tone

from .media_ids import FixedIds

PEER = ("192.0.2.7", 4000)
PEER_RTCP = ("192.0.2.7", 4001)


def agreed(law: Law = PCMU, **changes: object) -> Agreed:
    usual = Agreed(
        codec=law,
        payload_type=law.payload_type,
        receive_types={0: PCMU, 8: PCMA},
        event_type=101,
        event_receive_types=frozenset({101}),
        remote=PEER,
        remote_rtcp=PEER_RTCP,
        send=True,
        receive=True,
        ptime_ms=20,
        media_index=0,
    )
    return attrs.evolve(usual, **changes)  # type: ignore[arg-type]  # each test names real fields


@attrs.define(eq=False)
class Bench:
    """A session on a beat of its own, with what it sent."""

    session: MediaSession = attrs.field(factory=lambda: MediaSession(FixedIds()))
    now: float = 100.0
    sent: list[RtpPacket] = attrs.field(factory=list)
    targets: list[Address] = attrs.field(factory=list)
    reports: list[tuple[float, bytes, Address]] = attrs.field(factory=list)
    events: list[MediaEvent] = attrs.field(factory=list)

    def apply(self, *orders: MediaOrder) -> None:
        for order in orders:
            self.session.apply(order, self.now)

    def beat(self, steps: int = 1) -> list[RtpPacket]:
        fresh: list[RtpPacket] = []
        for _ in range(steps):
            self.now += 0.02
            for data, target in self.session.tick(self.now):
                fresh.append(rtp.parse(data))
                self.targets.append(target)
            self.collect()
        self.sent += fresh
        return fresh

    def collect(self) -> None:
        self.reports += [(self.now, data, target) for data, target in self.session.take_reports()]
        self.events += self.session.take_events()

    def close(self) -> None:
        self.session.close(self.now)
        self.collect()

    def of(self, kind: type[MediaEvent]) -> list[MediaEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def connected(law: Law = PCMU, **changes: object) -> Bench:
    bench = Bench()
    bench.apply(SetRemote(agreed(law, **changes)))
    return bench


@attrs.define(eq=False)
class Phone:
    """The far end: numbers its packets."""

    bench: Bench
    law: Law = PCMU
    ssrc: int = 77
    sequence: int = 65_500
    timestamp: int = 2**32 - 4000
    source: Address = PEER

    def packet(self, samples: bytes, payload_type: int | None = None, payload: bytes | None = None) -> bytes:
        data = rtp.build_plain(
            self.law.payload_type if payload_type is None else payload_type,
            self.sequence,
            self.timestamp,
            self.ssrc,
            self.law.encode(samples) if payload is None else payload,
        )
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + len(samples) // 2) & 0xFFFF_FFFF
        return data

    def say(self, samples: bytes) -> None:
        """Send samples, a packet a beat."""
        for at in range(0, len(samples), FRAME_BYTES):
            self.bench.session.receive(self.packet(samples[at : at + FRAME_BYTES]), self.source, self.bench.now + 0.01)
            self.bench.beat()


def noise(frames: int, seed: int = 1, peak: int = 8000) -> bytes:
    rng = random.Random(seed)
    return b"".join(
        rng.randint(-peak, peak).to_bytes(2, "little", signed=True) for _ in range(frames * FRAME_BYTES // 2)
    )


def through(law: Law, samples: bytes) -> bytes:
    return law.decode(law.encode(samples))


# ------------------------------------------------------------------------------------------------ sending


def test_nothing_is_sent_before_the_remote_is_known() -> None:
    bench = Bench()
    assert bench.beat(10) == []


@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_silence_is_sent_from_the_start_in_packets_without_a_gap(law: Law) -> None:
    bench = connected(law)
    packets = bench.beat(200)
    assert [packet.sequence for packet in packets] == list(range(100, 300))
    assert [packet.timestamp for packet in packets] == [1_000_000 + 160 * step for step in range(200)]
    assert [packet.marker for packet in packets] == [True] + [False] * 199
    assert {packet.payload for packet in packets} == {law.silence * 160}
    assert {(packet.payload_type, packet.ssrc) for packet in packets} == {(law.payload_type, 0x0FF0_0001)}
    assert set(bench.targets) == {PEER}


def test_numbers_wrap_around() -> None:
    bench = Bench(MediaSession(FixedIds(first_sequence=65_534, first_timestamp=2**32 - 160)))
    bench.apply(SetRemote(agreed()))
    assert [(packet.sequence, packet.timestamp) for packet in bench.beat(3)] == [
        (65_534, 2**32 - 160),
        (65_535, 0),
        (0, 160),
    ]


@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_a_clip_is_heard_sample_by_sample(law: Law) -> None:
    bench = connected(law)
    clip = Clip(noise(37))
    bench.apply(Play("hello", clip))
    packets = bench.beat(40)
    heard = b"".join(law.decode(packet.payload) for packet in packets)
    assert heard[: len(clip.samples)] == through(law, clip.samples)
    assert {packet.payload for packet in packets[37:]} == {law.silence * 160}
    assert bench.events == [Played("hello", whole=True)]


def test_a_source_is_over_when_its_last_frame_has_had_its_time() -> None:
    bench = connected()
    bench.apply(Play("pause", Silence(1000)))
    bench.beat(50)
    assert bench.events == []
    bench.beat()
    assert bench.events == [Played("pause", whole=True)]


def test_sources_follow_one_another_without_a_gap() -> None:
    bench = connected()
    first, second = noise(1)[:100], noise(2, seed=2)
    bench.apply(Play("a", Clip(first)), Play("b", Clip(second)), Play("mark", Silence(0)))
    heard = b"".join(PCMU.decode(packet.payload) for packet in bench.beat(4))
    whole = through(PCMU, first + second)
    assert heard[: len(whole)] == whole
    assert bench.events == [Played("a", True), Played("b", True), Played("mark", True)]


def test_stopping_one_lets_the_next_begin_with_the_next_frame() -> None:
    bench = connected()
    second = noise(3, seed=2)
    bench.apply(Play("a", Repeat(Clip(noise(5)), 0)), Play("b", Clip(second)))
    bench.beat(7)
    bench.apply(StopPlaying("a"))
    heard = b"".join(PCMU.decode(packet.payload) for packet in bench.beat(4))
    assert heard[: len(second)] == through(PCMU, second)
    assert bench.events == [Played("a", whole=False), Played("b", whole=True)]


def test_stopping_everything_leaves_silence_and_tells_each() -> None:
    bench = connected()
    bench.apply(Play("a", Silence()), Feed(noise(10)), Play("b", Silence()), SendDigits("c", "1"))
    bench.beat(2)
    bench.apply(StopPlaying())
    assert bench.beat()[0].payload == PCMU.silence * 160
    assert bench.events == [Played("a", False), Played("b", False), Played("c", False)]


def test_fed_samples_play_behind_what_is_queued_and_a_mark_comes_after_them() -> None:
    bench = connected()
    fed = noise(3)
    bench.apply(Feed(fed[:200]), Feed(fed[200:]), Play("mark", Silence(0)))
    packets = bench.beat(3)
    assert b"".join(PCMU.decode(packet.payload) for packet in packets) == through(PCMU, fed)
    assert bench.events == []
    bench.beat()
    assert bench.events == [Played("mark", True)]


def test_more_than_ten_minutes_of_fed_samples_are_refused_and_told() -> None:
    bench = connected()
    bench.apply(Feed(bytes(FEED_LIMIT_BYTES)), Feed(bytes(320)))
    bench.beat()
    assert bench.events == [FeedOverflowed(20.0)]
    bench.apply(StopPlaying(), Feed(bytes(320)))
    bench.beat()
    assert len(bench.events) == 1


def test_on_hold_nothing_is_sent_and_numbers_go_on_where_they_stopped() -> None:
    bench = connected()
    bench.beat(5)
    bench.apply(SetRemote(agreed(send=False)))
    assert bench.beat(10) == []
    bench.apply(SetRemote(agreed()))
    packet = bench.beat()[0]
    assert packet.sequence == 105
    assert packet.timestamp == 1_000_000 + 15 * 160
    assert packet.marker


def test_a_peer_without_an_address_gets_nothing_until_it_speaks() -> None:
    bench = connected(remote=None, remote_rtcp=None)
    assert bench.beat(10) == []
    Phone(bench).say(noise(30))
    assert bench.beat(1)
    assert set(bench.targets) == {PEER}


def test_the_law_changes_with_the_next_packet() -> None:
    bench = connected()
    bench.beat(2)
    bench.apply(SetRemote(agreed(PCMA)))
    packet = bench.beat()[0]
    assert (packet.payload_type, packet.payload, packet.sequence) == (8, PCMA.silence * 160, 102)


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 50, 60])
def test_packets_are_as_long_as_the_peer_wants_and_hold_every_sample(ptime_ms: int) -> None:
    bench = connected(ptime_ms=ptime_ms)
    clip = noise(60)
    bench.apply(Play("a", Clip(clip)))
    packets = bench.beat(60)
    assert {len(packet.payload) for packet in packets} == {8 * ptime_ms}
    assert [packet.sequence for packet in packets] == list(range(100, 100 + 1200 // ptime_ms))
    assert [packet.timestamp for packet in packets] == [
        1_000_000 + 8 * ptime_ms * number for number in range(len(packets))
    ]
    assert b"".join(PCMU.decode(packet.payload) for packet in packets) == through(PCMU, clip)


def test_steps_that_were_slept_through_are_a_jump_of_the_timestamp_only() -> None:
    bench = connected()
    bench.beat(2)
    bench.session.skip(100)
    packet = bench.beat()[0]
    assert (packet.sequence, packet.timestamp, packet.marker) == (102, 1_000_000 + 102 * 160, True)


# ------------------------------------------------------------------------------------------------- digits


def reports_of(packets: list[RtpPacket]) -> list[EventPayload]:
    found = []
    for packet in packets:
        event, flags, duration = packet.payload[0], packet.payload[1], int.from_bytes(packet.payload[2:4])
        found.append(EventPayload(event, flags > 127, flags & 63, duration))
    return found


def test_digits_are_sent_as_events_between_the_audio() -> None:
    bench = connected()
    bench.apply(SendDigits("d", "1#"), Play("after", Clip(noise(2))))
    packets = bench.beat(60)
    assert [packet.sequence for packet in packets] == list(range(100, 160))
    events = [packet for packet in packets if packet.payload_type == 101]
    starts = sorted({packet.timestamp for packet in events})
    assert len(starts) == 2
    for start, code in zip(starts, (1, 11), strict=True):
        of_one = [packet for packet in events if packet.timestamp == start]
        assert [packet.marker for packet in of_one] == [True] + [False] * (len(of_one) - 1)
        reports = reports_of(of_one)
        assert {report.event for report in reports} == {code}
        assert [report.end for report in reports] == [False] * (len(reports) - 3) + [True] * 3
        assert reports[-1].duration == 800
    assert bench.events == [Played("d", True), Played("after", True)]


def test_our_own_receiver_hears_the_digits_once_each_in_spite_of_loss() -> None:
    sender, listener = connected(), connected()
    sender.apply(SendDigits("d", "159*0#w11A"))
    rng = random.Random(3)
    for _ in range(250):
        for packet in sender.beat():
            if rng.random() > 0.2:
                data = rtp.build(packet)
                listener.session.receive(data, PEER, listener.now + 0.001)
                if rng.random() < 0.2:
                    listener.session.receive(data, PEER, listener.now + 0.002)
        listener.beat()
    assert "".join(event.digit for event in listener.events if isinstance(event, DigitHeard)) == "159*0#11A"


def test_a_peer_without_events_gets_no_digits_and_the_sender_is_told() -> None:
    bench = connected(event_type=None)
    bench.apply(SendDigits("d", "12"))
    assert {packet.payload_type for packet in bench.beat(20)} == {0}
    assert bench.events == [Played("d", whole=False)]


def test_a_digit_that_is_stopped_is_still_ended_properly() -> None:
    bench = connected()
    bench.apply(SendDigits("d", "123"))
    bench.beat(3)
    bench.apply(StopPlaying("d"), Play("next", Clip(noise(1))))
    events = [packet for packet in bench.beat(20) if packet.payload_type == 101]
    assert [report.end for report in reports_of(events)] == [True, True, True]
    assert {report.event for report in reports_of(events)} == {1}
    assert bench.events == [Played("d", False), Played("next", True)]


def test_a_held_packet_goes_out_short_before_a_digit() -> None:
    bench = connected(ptime_ms=60)
    bench.apply(Play("a", Clip(noise(4))), SendDigits("d", "5"))
    packets = bench.beat(6)
    assert [(packet.payload_type, len(packet.payload)) for packet in packets[:3]] == [(0, 480), (0, 320), (101, 4)]
    assert packets[1].timestamp == 1_000_000 + 480
    assert packets[2].timestamp == 1_000_000 + 800


# ---------------------------------------------------------------------------------------------- receiving


def test_a_recording_holds_every_sample_that_the_peer_sent() -> None:
    bench = connected()
    recording = Recording("r", Path("r.wav"))
    bench.session.record(recording, Track.INBOUND)
    said = noise(100)
    Phone(bench).say(said)
    bench.beat(10)
    bench.apply(StopRecording("r"))
    samples = recording.take().samples
    assert recording.ended
    assert len(samples) == 110 * FRAME_BYTES
    assert through(PCMU, said) in samples


def test_a_recording_is_complete_in_time_when_nothing_arrives() -> None:
    bench = connected()
    recording = Recording("r", Path("r.wav"))
    bench.session.record(recording, Track.INBOUND)
    bench.beat(50)
    bench.session.skip(5)
    assert recording.take().samples == bytes(55 * FRAME_BYTES)


def test_both_tracks_are_tapped() -> None:
    bench = connected()
    heard, played = Ring(), Ring()
    bench.apply(Tap(heard, Track.INBOUND), Tap(played, Track.OUTBOUND), Play("a", Clip(noise(3))))
    Phone(bench).say(noise(9, seed=5))
    assert played.take_all()[:3] == [noise(3)[at : at + FRAME_BYTES] for at in range(0, 960, FRAME_BYTES)]
    assert through(PCMU, noise(9, seed=5)[: 6 * FRAME_BYTES]) in b"".join(heard.take_all())
    bench.apply(Untap(heard), Untap(played))
    bench.beat(3)
    assert len(heard) == len(played) == 0


def test_digits_are_heard_once_with_their_length() -> None:
    bench = connected()
    phone = Phone(bench)
    sender = DtmfSender()
    sender.queue("7")
    while (event := sender.tick(phone.timestamp)) is not None:
        data = rtp.build_plain(101, phone.sequence, event.timestamp, phone.ssrc, event.payload)
        phone.sequence += 1
        bench.session.receive(data, PEER, bench.now)
        bench.session.receive(data, PEER, bench.now)
        bench.beat()
    assert bench.of(DigitHeard) == [DigitHeard("7", 100)]


def test_speech_is_told_while_it_is_watched() -> None:
    bench = connected()
    bench.apply(WatchSpeech(True))
    phone = Phone(bench)
    phone.say(bytes(20 * FRAME_BYTES))
    phone.say(tone(440, length_ms=600))
    phone.say(bytes(30 * FRAME_BYTES))
    told = [event for event in bench.events if isinstance(event, SpeechStarted | SpeechStopped)]
    assert [type(event) for event in told] == [SpeechStopped, SpeechStarted, SpeechStopped]
    last = told[2]
    assert isinstance(last, SpeechStopped)
    assert 500 <= last.after_ms <= 700
    assert last.silent_ms == 200
    bench.apply(WatchSpeech(False))
    count = len(bench.events)
    phone.say(tone(440, length_ms=600))
    assert len(bench.events) == count


def test_without_packets_there_is_no_silence_but_a_loss_of_audio() -> None:
    bench = connected()
    bench.apply(WatchSpeech(True))
    bench.beat(100)
    assert bench.events == [AudioLost()]
    Phone(bench).say(bytes(20 * FRAME_BYTES))
    assert bench.events[1:3] == [MediaFlowing(PEER), AudioArrived()]
    assert isinstance(bench.events[3], SpeechStopped)


def test_a_peer_that_sends_comfort_noise_is_silent_and_not_lost() -> None:
    bench = connected()
    bench.apply(WatchSpeech(True))
    phone = Phone(bench)
    phone.say(tone(440, length_ms=400))
    bench.session.receive(phone.packet(b"", 13, b"\x40"), PEER, bench.now)
    bench.beat(100)
    assert [type(event) for event in bench.events] == [MediaFlowing, SpeechStarted, SpeechStopped]


@given(seed=st.integers(0, 10_000), loss=st.floats(0, 0.4), duplicate=st.floats(0, 0.3), swap=st.floats(0, 0.3))
@settings(max_examples=25)
def test_loss_order_and_copies_never_change_the_length_of_what_is_recorded(
    seed: int, loss: float, duplicate: float, swap: float
) -> None:
    bench = connected()
    recording = Recording("r", Path("r.wav"))
    bench.session.record(recording, Track.INBOUND)
    rng = random.Random(seed)
    phone = Phone(bench)
    held: list[bytes] = []
    for _ in range(100):
        data = phone.packet(noise(1, seed=phone.sequence))
        if rng.random() < swap:
            held.append(data)
        elif rng.random() >= loss:
            for _ in range(2 if rng.random() < duplicate else 1):
                bench.session.receive(data, PEER, bench.now + rng.random() * 0.02)
            for late in held:
                bench.session.receive(late, PEER, bench.now + 0.015)
            held.clear()
        bench.beat()
    assert recording.samples == 100 * 160
    assert [packet.sequence for packet in bench.sent] == list(range(100, 200))


def test_reordered_packets_are_recorded_in_order() -> None:
    bench = connected()
    recording = Recording("r", Path("r.wav"))
    bench.session.record(recording, Track.INBOUND)
    said = noise(60)
    phone = Phone(bench)
    phone.say(said[:FRAME_BYTES])
    packets = [phone.packet(said[at : at + FRAME_BYTES]) for at in range(FRAME_BYTES, len(said), FRAME_BYTES)]
    for at in range(0, len(packets) - 1, 2):
        bench.session.receive(packets[at + 1], PEER, bench.now + 0.001)
        bench.session.receive(packets[at], PEER, bench.now + 0.002)
        bench.beat(2)
    bench.session.receive(packets[-1], PEER, bench.now + 0.001)
    bench.beat(20)
    assert through(PCMU, said[: 50 * FRAME_BYTES]) in recording.take().samples


# ------------------------------------------------------------------------------------- whose media it is


def test_a_third_party_can_neither_hear_nor_speak() -> None:
    bench = connected()
    recording = Recording("r", Path("r.wav"))
    bench.session.record(recording, Track.INBOUND)
    attacker = Phone(bench, ssrc=66, source=("198.51.100.66", 6666))
    phone = Phone(bench)
    said = noise(100)
    for at in range(0, len(said), FRAME_BYTES):
        for _ in range(3):
            bench.session.receive(attacker.packet(tone(440, length_ms=20)), attacker.source, bench.now + 0.005)
        bench.session.receive(phone.packet(said[at : at + FRAME_BYTES]), PEER, bench.now + 0.01)
        bench.beat()
    bench.beat(10)
    assert set(bench.targets) == {PEER}
    assert through(PCMU, said) in recording.take().samples
    bench.close()
    quality = bench.events[-1]
    assert isinstance(quality, QualityMeasured)
    assert quality.stats.packets_ignored == 300


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        bytes(12),
        rtp.build_plain(9, 1, 1, 1, bytes(160)),  # not negotiated
        rtp.build_plain(0, 1, 1, 1, b""),
        rtp.build_plain(0, 1, 1, 1, bytes(1500)),
        b"\x9f" + rtp.build_plain(0, 1, 1, 1, bytes(20))[1:],  # fifteen CSRCs that are not there
    ],
)
def test_what_is_not_valid_media_moves_nothing(data: bytes) -> None:
    bench = connected(remote=None, remote_rtcp=None)
    for _ in range(100):
        bench.session.receive(data, ("198.51.100.66", 6666), bench.now)
        bench.beat()
    assert bench.sent == []
    assert bench.of(MediaFlowing) == []


def test_where_media_flows_is_told_once_and_followed() -> None:
    bench = Bench()
    bench.apply(SetRemote(agreed(remote=("10.0.0.5", 4000)), signalled_from="203.0.113.5"))
    bench.beat(3)
    phone = Phone(bench, source=("203.0.113.5", 50_000))
    phone.say(noise(20))
    assert bench.of(MediaFlowing) == [MediaFlowing(("203.0.113.5", 50_000))]
    assert bench.targets[:3] == [("10.0.0.5", 4000)] * 3
    assert set(bench.targets[5:]) == {("203.0.113.5", 50_000)}


@given(
    datagrams=st.lists(
        st.tuples(
            st.binary(max_size=40)
            | st.builds(
                rtp.build_plain,
                st.sampled_from([0, 8, 13, 101, 72]),
                st.integers(0, 65_535),
                st.integers(0, 2**32 - 1),
                st.integers(1, 2),
                st.binary(max_size=40),
            ),
            st.sampled_from([PEER, ("192.0.2.7", 4002), ("198.51.100.66", 6)]),
            st.booleans(),
        ),
        max_size=60,
    )
)
@settings(max_examples=60)
def test_no_datagram_makes_a_session_raise_or_miss_a_step(datagrams: list[tuple[bytes, Address, bool]]) -> None:
    bench = connected()
    bench.session.record(Recording("r", Path("r.wav")), Track.INBOUND)
    bench.apply(WatchSpeech(True))
    for data, source, control in datagrams:
        (bench.session.receive_report if control else bench.session.receive)(data, source, bench.now)
        bench.beat()
    assert len(bench.sent) == len(datagrams)


# ----------------------------------------------------------------------------------------- silence, RTCP


def test_a_minute_without_packets_is_told_once() -> None:
    bench = connected()
    Phone(bench).say(noise(1))
    bench.beat(2999)
    assert bench.of(MediaSilent) == []
    bench.beat(3002)
    silent = bench.of(MediaSilent)
    assert len(silent) == 1
    Phone(bench).say(noise(1))
    bench.beat(3002)
    assert len(bench.of(MediaSilent)) == 2


def test_a_peer_that_is_not_to_send_is_not_missed() -> None:
    bench = connected(receive=False)
    bench.beat(4000)
    bench.apply(SetRemote(agreed()))
    bench.beat(2900)
    assert bench.of(MediaSilent) == []
    bench.beat(200)
    assert len(bench.of(MediaSilent)) == 1


def test_a_peer_that_holds_us_is_not_missed_and_has_its_minute_again_when_it_is_back() -> None:
    bench = connected()
    bench.beat(2900)
    bench.apply(SetRemote(attrs.evolve(agreed(), send=False)))
    Phone(bench).say(noise(1))  # a little music, and then none
    bench.beat(4000)
    assert bench.of(MediaSilent) == []
    bench.apply(SetRemote(agreed()))
    bench.beat(2900)
    assert bench.of(MediaSilent) == []
    bench.beat(200)
    assert len(bench.of(MediaSilent)) == 1


def test_reports_are_sent_every_few_seconds_and_a_good_bye_at_the_end() -> None:
    bench = connected()
    Phone(bench).say(noise(600))
    bench.close()
    interval = 5 / 1.2182818
    times = [at - 100.0 for at, _, _ in bench.reports]
    assert times[:2] == pytest.approx([interval / 2, interval * 1.5], abs=0.03)
    assert {target for _, _, target in bench.reports} == {PEER_RTCP}
    compound = rtcp.parse(bench.reports[1][1])
    assert isinstance(compound[0], rtcp.SenderReport)
    assert compound[0].packets == round(times[1] * 50)
    assert compound[0].octets == compound[0].packets * 160
    assert compound[0].blocks[0].ssrc == 77
    assert compound[0].blocks[0].cumulative_lost == 0
    assert isinstance(compound[1], rtcp.SourceDescription)
    assert compound[1].chunks[0].cname == "leg@test"
    assert rtcp.Goodbye((0x0FF0_0001,)) in rtcp.parse(bench.reports[-1][1])


def test_who_never_spoke_says_no_good_bye() -> None:
    bench = connected(send=False)
    bench.close()
    assert bench.reports == []


def test_reports_follow_the_peer_s_reports_through_its_nat_but_no_stranger_s() -> None:
    bench = connected()
    Phone(bench).say(noise(10))
    report = rtcp.build(rtcp.ReceiverReport(77, ()))
    bench.session.receive_report(report, ("198.51.100.66", 5), bench.now)
    bench.session.receive_report(rtcp.build(rtcp.ReceiverReport(99, ())), ("192.0.2.7", 9), bench.now)
    bench.beat(200)
    assert {target for _, _, target in bench.reports} == {PEER_RTCP}
    bench.session.receive_report(report, ("192.0.2.7", 60_000), bench.now)
    bench.reports.clear()
    bench.beat(400)
    assert {target for _, _, target in bench.reports} == {("192.0.2.7", 60_000)}


def test_quality_is_the_last_word_of_a_leg() -> None:
    bench = connected()
    phone = Phone(bench)
    phone.say(noise(40))
    phone.sequence = (phone.sequence + 10) & 0xFFFF  # ten are lost
    phone.timestamp = (phone.timestamp + 1600) & 0xFFFF_FFFF
    phone.say(noise(50))
    bench.apply(Play("a", Silence()))
    bench.beat()
    bench.close()
    assert bench.events[-2] == Played("a", whole=False)
    quality = bench.events[-1]
    assert isinstance(quality, QualityMeasured)
    assert quality.stats.codec == "PCMU"
    assert quality.stats.packets_sent == 91
    assert quality.stats.packets_received == 90
    assert quality.stats.packets_lost == 10
    assert quality.stats.mos is not None
    assert 2.0 < quality.stats.mos < 4.0
    bench.close()
    bench.apply(Play("late", Silence(20)))
    assert bench.beat(3) == []
    assert bench.events[-1] is quality


def test_a_leg_that_heard_nothing_has_no_opinion_score() -> None:
    bench = connected()
    bench.beat(5)
    bench.close()
    quality = bench.events[-1]
    assert isinstance(quality, QualityMeasured)
    assert quality.stats.mos is None


def test_a_silent_frame_is_the_cached_one() -> None:
    assert PCMU.encode(SILENCE) == PCMU.silence * 160
    assert through(PCMA, SILENCE) == PCMA.decode(PCMA.silence * 160)
