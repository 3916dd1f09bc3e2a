"""The playout buffer, fed by a network of our own making."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.media import pcm
from offhook.media.frames import FRAME_BYTES, FRAME_SAMPLES, SAMPLE_BYTES, SILENCE
from offhook.media.jitter import Arrival, JitterBuffer, PlayoutRules
from offhook.media.rtp import RtpPacket


def spoken(count: int) -> bytes:
    """`count` samples in which every value tells its place: a slow saw."""
    return (np.arange(count) % 8000 + 1000).astype("<i2").tobytes()


def packets(
    count: int, *, ptime_ms: int = 20, sequence: int = 0, timestamp: int = 0, ssrc: int = 1
) -> Iterator[tuple[RtpPacket, bytes]]:
    size = ptime_ms * 8
    sound = spoken(count * size)
    for n in range(count):
        packet = RtpPacket(0, sequence + n & 0xFFFF, timestamp + n * size & 0xFFFF_FFFF, ssrc, b"", marker=n == 0)
        yield packet, sound[n * size * SAMPLE_BYTES : (n + 1) * size * SAMPLE_BYTES]


def played(
    buffer: JitterBuffer, arrivals: Iterable[tuple[float, tuple[RtpPacket, bytes]]], ticks: int, start: float = 0.0
) -> list[bytes | None]:
    """Run `ticks` ticks of 20 ms from `start`; a packet arrives before the tick at or after its time."""
    waiting = sorted(arrivals, key=lambda arrival: arrival[0])
    heard: list[bytes | None] = []
    for n in range(ticks):
        now = start + n * 0.020
        while waiting and waiting[0][0] <= now:
            at, (packet, samples) = waiting.pop(0)
            buffer.put(packet, samples, at)
        heard.append(buffer.get())
    return heard


def punctual(
    stream: Iterable[tuple[RtpPacket, bytes]], ptime_ms: int = 20
) -> list[tuple[float, tuple[RtpPacket, bytes]]]:
    return [(n * ptime_ms / 1000, item) for n, item in enumerate(stream)]


def sound_of(heard: list[bytes | None]) -> bytes:
    """What was heard without the silence around it."""
    first = next(at for at, frame in enumerate(heard) if frame is not None)
    rest = [SILENCE if frame is None else frame for frame in heard[first:]]
    return b"".join(rest)


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 50, 60])
def test_a_punctual_stream_comes_out_as_it_went_in(ptime_ms: int) -> None:
    buffer = JitterBuffer()
    heard = played(buffer, punctual(packets(1200 // ptime_ms, ptime_ms=ptime_ms), ptime_ms), 58)
    got = sound_of(heard)
    assert got == spoken(len(got) // SAMPLE_BYTES)
    assert len(got) >= 55 * FRAME_BYTES
    assert buffer.counts.concealed == 0


def test_nothing_is_heard_before_the_first_packet() -> None:
    assert played(JitterBuffer(), [], 5) == [None] * 5


def test_playout_begins_after_the_delay_aimed_at() -> None:
    heard = played(JitterBuffer(PlayoutRules(initial_ms=80)), punctual(packets(20)), 10)
    assert [frame is None for frame in heard[:5]] == [True, True, True, False, False]


def test_packets_are_put_into_their_order() -> None:
    arrivals = punctual(packets(50))
    for n in range(0, 48, 4):
        arrivals[n + 1], arrivals[n + 2] = (
            (arrivals[n + 1][0], arrivals[n + 2][1]),
            (arrivals[n + 2][0], arrivals[n + 1][1]),
        )
    buffer = JitterBuffer()
    got = sound_of(played(buffer, arrivals, 49))
    assert got == spoken(len(got) // SAMPLE_BYTES)


def test_duplicates_are_told_and_not_played_twice() -> None:
    buffer = JitterBuffer()
    stream = list(packets(10))
    assert buffer.put(*stream[0], 0.0) is Arrival.QUEUED
    assert buffer.put(*stream[0], 0.0) is Arrival.DUPLICATE
    buffer.put(*stream[1], 0.02)
    buffer.put(*stream[2], 0.04)
    assert buffer.put(*stream[1], 0.04) is Arrival.DUPLICATE
    assert buffer.counts.duplicate == 2
    got = sound_of([buffer.get() for _ in range(4)])
    assert got[: 3 * FRAME_BYTES] == spoken(3 * FRAME_SAMPLES)


def test_a_lost_packet_is_replaced_by_more_of_the_same_sound() -> None:
    wave = (8000 * np.sin(2 * np.pi * 150 * np.arange(100 * FRAME_SAMPLES) / 8000)).astype("<i2").tobytes()
    arrivals = [
        (at, (packet, wave[n * FRAME_BYTES : (n + 1) * FRAME_BYTES]))
        for n, (at, (packet, _)) in enumerate(punctual(packets(60)))
        if n not in (20, 40)
    ]
    buffer = JitterBuffer()
    heard = played(buffer, arrivals, 58)
    assert None not in heard[2:]
    levels = [pcm.rms(frame) for frame in heard[2:] if frame is not None]
    assert min(levels) > 0.6 * max(levels)
    # No click: the sound never steps further than such a wave does.
    steps = np.abs(np.diff(pcm.array_of(sound_of(heard[2:])).astype(int)))
    assert steps.max() < 2.5 * 8000 * 2 * np.pi * 150 / 8000
    assert buffer.counts.concealed >= 2
    assert buffer.counts.late == 0


def test_a_loss_does_not_move_what_follows() -> None:
    arrivals = [arrival for n, arrival in enumerate(punctual(packets(60))) if n != 30]
    buffer = JitterBuffer()
    got = sound_of(played(buffer, arrivals, 58))
    expected = spoken(len(got) // SAMPLE_BYTES)
    assert got[: 30 * FRAME_BYTES] == expected[: 30 * FRAME_BYTES]
    assert got[32 * FRAME_BYTES :] == expected[32 * FRAME_BYTES :]


def test_made_up_sound_dies_away_when_the_peer_falls_silent_for_good() -> None:
    heard = played(JitterBuffer(), punctual(packets(20)), 40)
    assert heard[-1] is None
    assert sum(frame is not None for frame in heard) <= 24


def test_a_packet_that_comes_too_late_is_not_played() -> None:
    stream = list(packets(30))
    arrivals = punctual(stream)
    arrivals[10] = (0.32, stream[10])
    buffer = JitterBuffer()
    got = sound_of(played(buffer, arrivals, 29))
    assert buffer.counts.late == 1
    expected = spoken(len(got) // SAMPLE_BYTES)
    assert got[12 * FRAME_BYTES :] == expected[12 * FRAME_BYTES :]


def test_a_network_that_becomes_slower_for_good_costs_a_moment_only() -> None:
    stream = list(packets(200))
    arrivals = [(n * 0.02 + (0.150 if n >= 50 else 0.0), item) for n, item in enumerate(stream)]
    buffer = JitterBuffer()
    heard = played(buffer, arrivals, 200)
    assert None not in heard[70:]
    assert buffer.counts.late <= 1
    assert buffer.counts.concealed <= 10


def test_numbers_that_wrap_are_not_noticed() -> None:
    buffer = JitterBuffer()
    got = sound_of(played(buffer, punctual(packets(100, sequence=65_500, timestamp=2**32 - 5000)), 99))
    assert got == spoken(len(got) // SAMPLE_BYTES)
    assert buffer.counts.restarts == 0


def test_another_source_plays_on_behind_the_first() -> None:
    first, second = list(packets(30)), list(packets(30, sequence=9000, timestamp=77_777, ssrc=2))
    buffer = JitterBuffer()
    got = sound_of(played(buffer, punctual(first + second), 59))
    assert buffer.counts.restarts == 1
    assert buffer.counts.concealed == 0
    assert got[: 30 * FRAME_BYTES] == spoken(30 * FRAME_SAMPLES)
    assert got[30 * FRAME_BYTES : 55 * FRAME_BYTES] == spoken(25 * FRAME_SAMPLES)


@pytest.mark.parametrize("leap", [-1_000_000, -160, 160_000, 2**31])
def test_a_leap_of_the_timestamps_plays_on(leap: int) -> None:
    first = list(packets(30))
    second = list(packets(30, sequence=30, timestamp=(30 * 160 + leap) % 2**32))
    buffer = JitterBuffer()
    got = sound_of(played(buffer, punctual(first + second), 59))
    assert got[30 * FRAME_BYTES : 55 * FRAME_BYTES] == spoken(25 * FRAME_SAMPLES)
    assert buffer.counts.restarts == 1


def test_a_restart_of_the_sequence_counts_from_its_second_packet() -> None:
    first, second = list(packets(30)), list(packets(30, sequence=40_000, timestamp=1_000_000))
    buffer = JitterBuffer()
    for item in first:
        buffer.put(*item, 0.0)
    assert buffer.put(*second[0], 0.6) is Arrival.STRAY
    assert buffer.put(*second[1], 0.62) is Arrival.QUEUED
    assert buffer.put(*second[2], 0.64) is Arrival.QUEUED


def test_one_stray_number_changes_nothing() -> None:
    stream = list(packets(40))
    stray = RtpPacket(0, 50_000, 1, 1, b"")
    buffer = JitterBuffer()
    arrivals = [*punctual(stream), (0.205, (stray, spoken(160)))]
    got = sound_of(played(buffer, arrivals, 39))
    assert got == spoken(len(got) // SAMPLE_BYTES)


def test_silence_between_talkspurts_is_no_loss() -> None:
    first = list(packets(20))
    second = list(packets(20, sequence=20, timestamp=20 * 160 + 50 * 160))
    buffer = JitterBuffer()
    arrivals = punctual(first) + [(1.4 + n * 0.02, item) for n, item in enumerate(second)]
    heard = played(buffer, arrivals, 91)
    assert heard[40:68] == [None] * 28
    assert buffer.counts.restarts == 0
    tail = [frame for frame in heard[71:] if frame is not None]
    assert b"".join(tail[2:10]) in spoken(20 * 160)


def test_a_talkspurt_that_comes_with_another_clock_is_played_at_the_usual_delay() -> None:
    first = list(packets(20))
    second = list(packets(20, sequence=20, timestamp=20 * 160))
    buffer = JitterBuffer()
    heard = played(buffer, punctual(first) + [(1.4 + n * 0.02, item) for n, item in enumerate(second)], 95)
    began = next(n for n in range(60, 95) if heard[n] is not None)
    assert began in (71, 72)


def test_comfort_noise_is_silence_and_not_loss() -> None:
    first = list(packets(20))
    noise = (RtpPacket(13, 20, 20 * 160, 1, b"\x40"), b"")
    second = list(packets(20, sequence=21, timestamp=60 * 160))
    buffer = JitterBuffer()
    arrivals = [*punctual(first), (0.4, noise), *((1.2 + n * 0.02, item) for n, item in enumerate(second))]
    heard = played(buffer, arrivals, 80)
    assert buffer.counts.concealed == 0
    assert heard[22:61] == [None] * 39
    assert sound_of(heard[61:])[: 18 * FRAME_BYTES] == spoken(18 * FRAME_SAMPLES)


@pytest.mark.parametrize("per_million", [-20_000, -5000, 5000, 20_000])
def test_a_clock_that_drifts_keeps_the_delay_bounded(per_million: int) -> None:
    step = 0.02 * (1 + per_million / 1_000_000)
    arrivals = [(n * step, item) for n, item in enumerate(packets(3000))]
    buffer = JitterBuffer()
    delays = []
    waiting = iter(arrivals)
    upcoming = next(waiting, None)
    for n in range(2900):
        while upcoming is not None and upcoming[0] <= n * 0.02:
            buffer.put(*upcoming[1], upcoming[0])
            upcoming = next(waiting, None)
        buffer.get()
        delays.append(buffer.delay_ms)
    assert max(delays) <= 100
    changed = buffer.counts.dropped - buffer.counts.stretched
    assert changed == pytest.approx(-per_million * 2900 / 1_000_000, abs=6)


def test_jitter_makes_the_delay_grow_and_calm_makes_it_shrink() -> None:
    chance = random.Random(3)
    rough = [(n * 0.02 + chance.random() * 0.08, item) for n, item in enumerate(packets(1500))]
    calm = [((1500 + n) * 0.02, item) for n, item in enumerate(packets(3000, sequence=1500, timestamp=240_000))]
    buffer = JitterBuffer()
    played(buffer, rough, 1500)
    assert buffer.target_ms > 60
    early = buffer.counts.concealed
    assert early < 60
    played(buffer, calm, 3000, start=30.0)
    assert buffer.target_ms < 40
    assert buffer.delay_ms <= 60


def test_a_burst_after_a_stall_is_cut_to_the_longest_delay() -> None:
    stream = list(packets(300))
    arrivals = [(max(n * 0.02, 3.0 if 100 <= n <= 150 else 0), item) for n, item in enumerate(stream)]
    buffer = JitterBuffer()
    played(buffer, [arrival for arrival in arrivals if arrival[0] <= 3.0], 151)
    assert buffer.delay_ms <= PlayoutRules().highest_ms + 60
    assert buffer.counts.dropped > 0


def test_a_delay_that_a_burst_left_behind_is_gone_within_seconds() -> None:
    arrivals = [(max(n * 0.02, 0.2), item) for n, item in enumerate(packets(400))]
    buffer = JitterBuffer()
    played(buffer, arrivals, 380)
    assert buffer.counts.dropped >= 6
    assert buffer.delay_ms <= buffer.target_ms + 40


def test_memory_is_bounded_whatever_is_thrown_at_it() -> None:
    buffer = JitterBuffer()
    for n in range(20_000):
        buffer.put(RtpPacket(0, n & 0xFFFF, n, 1, b""), b"\0\0", 0.0)
    assert len(buffer._chunks) <= 256
    for n in range(100):
        buffer.put(RtpPacket(0, n, n * 30_000, 2, b""), bytes(60_000), 0.0)
    assert sum(len(chunk[2]) for chunk in buffer._chunks) < 1_000_000
    assert buffer.delay_ms <= 8000
    for n in range(2000):
        buffer.put(RtpPacket(0, n, n * 160, 3 + n % 2, b""), b"", 0.0)
    assert len(buffer._chunks) <= 256


@attrs.frozen
class Shot:
    ssrc: int
    sequence: int
    timestamp: int
    marker: bool
    size: int
    ticks: int


@settings(max_examples=150)
@given(
    st.lists(
        st.builds(
            Shot,
            st.integers(1, 2),
            st.integers(0, 65_535) | st.integers(0, 40),
            st.integers(0, 2**32 - 1) | st.integers(0, 40).map(lambda n: n * 160),
            st.booleans(),
            st.sampled_from([0, 1, 80, 160, 161, 480, 3000]),
            st.integers(0, 5),
        ),
        max_size=60,
    )
)
def test_no_packets_make_it_raise_or_give_anything_but_frames(shots: list[Shot]) -> None:
    buffer = JitterBuffer()
    now = 0.0
    for shot in shots:
        packet = RtpPacket(0, shot.sequence, shot.timestamp, shot.ssrc, b"", marker=shot.marker)
        buffer.put(packet, spoken(shot.size), now)
        for _ in range(shot.ticks):
            frame = buffer.get()
            now += 0.02
            assert frame is None or len(frame) == FRAME_BYTES
    for _ in range(1000):
        if buffer.get() is None and not buffer._chunks:
            break
    assert buffer.get() is None


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.floats(0, 0.15), st.floats(0, 0.06))
def test_loss_and_jitter_cost_no_more_than_they_must(seed: int, loss: float, jitter_s: float) -> None:
    chance = random.Random(seed)
    arrivals = [
        (n * 0.02 + chance.random() * jitter_s, item)
        for n, item in enumerate(itertools.islice(packets(500), 500))
        if chance.random() >= loss
    ]
    buffer = JitterBuffer()
    played(buffer, arrivals, 500)
    arrived = len(arrivals)
    assert buffer.counts.played >= arrived * 0.9 - 10
