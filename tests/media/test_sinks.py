"""Rings and recordings: what they keep when nobody reads."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.media.sinks import Batch, Recording, Ring


def frame(number: int) -> bytes:
    return number.to_bytes(2, "little") * 160


def test_a_ring_keeps_the_newest_ten_frames_and_counts_the_rest() -> None:
    ring = Ring()
    for number in range(14):
        ring.write(frame(number))
    assert ring.take_all() == [frame(number) for number in range(4, 14)]
    assert ring.dropped == 4
    assert ring.take() is None


def test_a_ring_can_be_kept_short_by_its_reader() -> None:
    ring = Ring()
    for number in range(5):
        ring.write(frame(number))
    assert ring.take_newest(2) == frame(3)
    assert ring.take_newest(2) == frame(4)
    assert ring.take_newest(2) is None
    assert ring.dropped == 3


def test_a_ring_tells_its_reader_once_for_each_time_it_was_empty() -> None:
    told: list[int] = []
    ring = Ring(notify=lambda: told.append(1))
    ring.write(frame(1))
    ring.write(frame(2))
    assert len(told) == 1
    ring.take_all()
    ring.write(frame(3))
    assert len(told) == 2


def test_a_recording_hands_over_each_sample_once() -> None:
    recording = Recording("r", Path("r.wav"))
    recording.write(frame(1))
    recording.write(frame(2))
    assert recording.take() == Batch(frame(1) + frame(2), 0)
    recording.write(frame(3))
    recording.end()
    recording.write(frame(4))
    assert recording.take() == Batch(frame(3), 0)
    assert recording.samples == 480
    assert not recording.pending


def test_a_stuck_disk_costs_the_samples_but_not_their_time() -> None:
    recording = Recording("r", Path("r.wav"), limit_bytes=640)
    for number in range(5):
        recording.write(frame(number))
    assert recording.take() == Batch(frame(0) + frame(1), 3 * 320)
    assert recording.lost_samples == 3 * 160
    assert recording.samples == 5 * 160


def test_time_that_was_slept_through_is_silence_in_its_place() -> None:
    recording = Recording("r", Path("r.wav"))
    recording.write(frame(1))
    recording.skip(320)
    recording.write(frame(2))
    assert recording.take() == Batch(frame(1) + bytes(320) + frame(2), 0)
    assert recording.lost_samples == 0


@given(steps=st.lists(st.sampled_from(["write", "skip", "take"]), max_size=60), limit=st.integers(0, 10))
@settings(max_examples=100)
def test_whatever_the_disk_does_the_file_is_as_long_as_the_recording(steps: list[str], limit: int) -> None:
    recording = Recording("r", Path("r.wav"), limit_bytes=limit * 320)
    written = 0
    for step in [*steps, "take"]:
        if step == "write":
            recording.write(frame(7))
        elif step == "skip":
            recording.skip(960)
        else:
            batch = recording.take()
            written += len(batch.samples) + batch.silence_bytes
    assert written == recording.samples * 2
