"""Sources: what is read from them, sample by sample."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.media.sources import ENDLESS_ROUNDS, Chain, Clip, Reader, Repeat, Silence, Source, Tone


def ramp(samples: int, start: int = 1) -> bytes:
    return b"".join((start + number).to_bytes(2, "little") for number in range(samples))


def all_of(source: Source, size: int = 320) -> bytes:
    reader = source.open()
    heard = b""
    while piece := reader.read(size):
        heard += piece
        assert len(heard) < 10_000_000
    assert reader.read(size) == b""
    return heard


def test_a_clip_gives_its_samples_once_and_then_nothing() -> None:
    samples = ramp(400)
    assert all_of(Clip(samples)) == samples


def test_one_clip_is_read_by_many_calls_at_different_places() -> None:
    clip = Clip(ramp(320))
    first, second = clip.open(), clip.open()
    assert first.read(320) == clip.samples[:320]
    assert second.read(2) == clip.samples[:2]
    assert first.read(320) == clip.samples[320:]


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="16-bit"):
        Clip(b"\0\0\0")


def test_silence_has_its_length_in_milliseconds() -> None:
    assert all_of(Silence(1000)) == bytes(16_000)
    assert all_of(Silence(0)) == b""


def test_silence_without_a_length_never_ends() -> None:
    reader = Silence().open()
    assert all(reader.read(320) == bytes(320) for _ in range(200))


def test_a_tone_repeats_its_period_across_frames() -> None:
    period = ramp(7)
    heard = all_of(Tone(period, 30))
    assert heard == (period * 100)[: 30 * 16]


def test_a_tone_without_a_length_never_ends() -> None:
    reader = Tone(ramp(7)).open()
    heard = b"".join(reader.read(320) for _ in range(50))
    assert heard == (ramp(7) * 3000)[: 320 * 50]


def test_a_chain_has_no_gap_between_its_parts() -> None:
    first, second = ramp(3), ramp(500, start=1000)
    assert all_of(Chain([Clip(first), Silence(0), Clip(second)])) == first + second


def test_a_source_repeats_as_often_as_asked() -> None:
    assert all_of(Repeat(Clip(ramp(5)), 3)) == ramp(5) * 3


@pytest.mark.parametrize("times", [0, ENDLESS_ROUNDS + 5])
def test_endless_means_a_thousand_rounds(times: int) -> None:
    assert all_of(Repeat(Clip(ramp(1)), times)) == ramp(1) * 1000


def test_repeating_nothing_ends_at_once() -> None:
    assert all_of(Repeat(Clip(b""), 0)) == b""
    assert all_of(Repeat(Repeat(Chain([]), 0), 0)) == b""


sources: st.SearchStrategy[Source] = st.recursive(
    st.integers(0, 50).map(lambda samples: Clip(ramp(samples))) | st.integers(0, 3).map(Silence),
    lambda inner: st.lists(inner, max_size=3).map(Chain) | st.builds(Repeat, inner, st.integers(1, 3)),
    max_leaves=8,
)


@given(source=sources, sizes=st.lists(st.integers(1, 60).map(lambda samples: 2 * samples), min_size=1, max_size=40))
@settings(max_examples=100)
def test_how_much_is_read_at_once_changes_nothing(source: Source, sizes: list[int]) -> None:
    whole = all_of(source, 64_000)
    reader: Reader = source.open()
    heard = b""
    for size in sizes:
        piece = reader.read(size)
        heard += piece
        if len(piece) < size:
            assert heard == whole
    assert whole.startswith(heard)
