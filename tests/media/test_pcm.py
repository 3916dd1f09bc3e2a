"""Sample arithmetic, frames and the two laws."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.media import frames, pcm, sequence
from offhook.media.g711 import LAWS, PCMA, PCMU, Law

SAMPLES = st.lists(st.integers(-32768, 32767), min_size=1, max_size=40)


def packed(values: list[int]) -> bytes:
    return np.array(values, dtype="<i2").tobytes()


def sine(hz: float, rate_hz: int, seconds: float = 1.0) -> npt.NDArray[np.float64]:
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz))


def correlation(left: npt.NDArray[np.generic], right: npt.NDArray[np.generic]) -> float:
    return float(np.corrcoef(left.astype(float), right.astype(float))[0, 1])


@given(SAMPLES, st.integers(1, 4))
def test_mixing_saturates_whatever_the_number_of_parts(values: list[int], count: int) -> None:
    mixed = pcm.array_of(pcm.mix([packed(values)] * count))
    assert mixed.tolist() == [max(-32768, min(32767, value * count)) for value in values]


def test_adding_and_scaling_saturate() -> None:
    assert pcm.array_of(pcm.add(packed([30_000, -30_000]), packed([10_000, -10_000]))).tolist() == [32_767, -32_768]
    assert pcm.array_of(pcm.scale(packed([100, -30_000]), 2)).tolist() == [200, -32_768]


def test_numbers_beyond_all_bounds_are_clipped() -> None:
    assert pcm.array_of(pcm.bytes_of(np.array([np.nan, np.inf, -np.inf, 1.6]))).tolist() == [0, 32_767, -32_768, 2]


def test_two_channels_are_interleaved_left_first() -> None:
    assert pcm.interleave(packed([1, 2]), packed([-3, -4])) == packed([1, -3, 2, -4])


def test_levels_are_those_of_the_samples() -> None:
    assert pcm.peak(packed([5, -9])) == 9
    assert pcm.rms(packed([30, -30])) == 30


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 16_000, 44_100, 48_000])
def test_resampling_keeps_a_tone(rate_hz: int) -> None:
    got = pcm.array_of(pcm.resample(sine(440, rate_hz), rate_hz))
    assert abs(got.size - 8000) <= 1
    assert correlation(got[:7900], sine(440, 8000)[:7900]) > 0.999


def test_resampling_removes_what_eight_kilohertz_cannot_carry() -> None:
    assert pcm.rms(pcm.resample(sine(6000, 48_000), 48_000)) < 60


def test_integers_of_every_width_and_channel_count_come_out_alike() -> None:
    wave = sine(440, 16_000)
    expected = pcm.resample(wave, 16_000)
    wide = np.stack([wave, wave], axis=1)
    for array in (wave * 2**15, wave * 2**31, wave * 2**7):
        dtype = {2**14: np.int16, 2**30: np.int32}.get(int(np.ceil(array.max())), np.int8)
        assert correlation(pcm.array_of(pcm.resample(array.astype(dtype), 16_000)), pcm.array_of(expected)) > 0.999
    assert pcm.resample(wide, 16_000) == expected
    unsigned = (wave * 127 + 128).astype(np.uint8)
    assert correlation(pcm.array_of(pcm.resample(unsigned, 16_000)), pcm.array_of(expected)) > 0.99


@pytest.mark.parametrize("rate_hz", [8000, 44_100])
def test_resampling_in_pieces_gives_the_same(rate_hz: int) -> None:
    wave = sine(440, rate_hz)
    stream = pcm.Resampler(rate_hz)
    pieces = b"".join(stream.feed(wave[at : at + 1000]) for at in range(0, wave.size, 1000)) + stream.finish()
    whole = pcm.array_of(pcm.resample(wave, rate_hz))
    got = pcm.array_of(pieces)
    assert got.size == whole.size
    assert correlation(got, whole) > 0.9999


def test_fading_and_crossfading_are_straight_lines() -> None:
    assert pcm.array_of(pcm.faded(packed([1000] * 4), 1.0, 0.0)).tolist() == [1000, 750, 500, 250]
    assert pcm.array_of(pcm.crossfade(packed([0] * 3), packed([400] * 3))).tolist() == [100, 200, 300]


@pytest.mark.parametrize("law", LAWS.values())
def test_every_octet_survives_decoding_and_encoding(law: Law) -> None:
    every = bytes(range(256))
    again = law.encode(law.decode(every))
    # mu-law has two zeros, which decode alike.
    assert [octet for octet in every if again[octet] != octet] == ([0x7F] if law is PCMU else [])


@pytest.mark.parametrize("law", LAWS.values())
def test_the_silent_octet_is_what_silence_encodes_to(law: Law) -> None:
    assert law.encode(frames.SILENCE) == law.silence * frames.FRAME_SAMPLES
    assert pcm.peak(law.decode(law.silence)) <= 8


def test_the_laws_are_those_of_the_recommendation() -> None:
    # ITU-T G.711 tables 1 and 2: the largest values, on 16 bits.
    assert pcm.array_of(PCMU.decode(b"\x80\x00")).tolist() == [32_124, -32_124]
    assert pcm.array_of(PCMA.decode(b"\xaa\x2a")).tolist() == [32_256, -32_256]


def test_importing_the_codecs_warns_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(pcm)


def test_frames_are_cut_and_filled_up() -> None:
    cut = list(frames.frames_of(bytes(frames.FRAME_BYTES) + b"ab"))
    assert [len(frame) for frame in cut] == [320, 320]
    assert cut[1][:3] == b"ab\0"
    assert frames.padded(b"ab") == cut[1]
    assert frames.bytes_of_ms(20) == frames.FRAME_BYTES
    assert frames.duration_ms(320) == 20
    assert frames.duration_s(16_000) == 1


@given(st.integers(0, 2**40), st.integers(-30_000, 30_000))
def test_distances_go_the_short_way_round(start: int, step: int) -> None:
    assert sequence.distance16(start + step & 0xFFFF, start & 0xFFFF) == step
    assert sequence.distance32(start + step & 0xFFFF_FFFF, start & 0xFFFF_FFFF) == step
