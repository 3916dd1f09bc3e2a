"""Audio files of every listed kind, and of none."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.media import files, pcm
from offhook.media.errors import AudioTooLong, BadAudio
from offhook.media.g711 import PCMA, PCMU
from offhook.media.wav import header


def chirp(rate_hz: int, seconds: float = 1.0) -> npt.NDArray[np.float64]:
    """A tone that rises from 300 to 1500 Hz: unlike itself at every other place."""
    at = np.arange(int(rate_hz * seconds)) / rate_hz
    return np.asarray(0.4 * np.sin(2 * np.pi * (300 * at + 600 * at**2)))


REFERENCE = pcm.resample(chirp(8000), 8000)


def made(rate_hz: int, tmp_path: Path, *, channels: int = 1, **how: Any) -> bytes:
    """A file of the chirp, written by libsndfile."""
    path = tmp_path / "made"
    wave = chirp(rate_hz)
    soundfile.write(path, wave if channels == 1 else np.stack([wave] * channels, axis=1), rate_hz, **how)
    return path.read_bytes()


def likeness(samples: bytes) -> float:
    """Best correlation with the reference, over the few milliseconds by which some codecs delay."""
    got, wanted = pcm.array_of(samples).astype(float), pcm.array_of(REFERENCE).astype(float)[1000:6000]
    return max(float(np.corrcoef(got[1000 + lag : 6000 + lag], wanted)[0, 1]) for lag in range(-50, 900, 1))


@pytest.mark.parametrize(
    ("rate_hz", "how", "least"),
    [
        (8000, {"format": "WAV", "subtype": "PCM_16"}, 0.999),
        (44_100, {"format": "WAV", "subtype": "PCM_24", "channels": 2}, 0.999),
        (48_000, {"format": "WAV", "subtype": "FLOAT"}, 0.999),
        (8000, {"format": "WAV", "subtype": "PCM_U8"}, 0.99),
        (8000, {"format": "WAV", "subtype": "ULAW"}, 0.99),
        (8000, {"format": "WAV", "subtype": "ALAW"}, 0.99),
        (8000, {"format": "WAV", "subtype": "GSM610"}, 0.9),
        (8000, {"format": "MP3"}, 0.95),
        (44_100, {"format": "MP3", "channels": 2}, 0.95),
        (22_050, {"format": "FLAC"}, 0.999),
        (16_000, {"format": "OGG", "subtype": "VORBIS"}, 0.95),
        (48_000, {"format": "OGG", "subtype": "OPUS"}, 0.9),
        (11_025, {"format": "AIFF"}, 0.999),
        (8000, {"format": "AIFF", "subtype": "ULAW"}, 0.99),
        (8000, {"format": "AU", "subtype": "ULAW"}, 0.99),
    ],
)
def test_every_kind_of_file_becomes_telephone_samples(
    tmp_path: Path, rate_hz: int, how: dict[str, Any], least: float
) -> None:
    samples = files.decode(made(rate_hz, tmp_path, **how))
    assert likeness(samples) > least
    assert len(samples) / 16_000 == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(
    ("content_type", "coding"),
    [
        ("audio/gsm", "GSM610"),
        ("audio/x-gsm", "GSM610"),
        ("audio/ulaw", "ULAW"),
        ("Audio/ULAW; rate=8000", "ULAW"),
        ("audio/basic", "ULAW"),
        ("audio/x-alaw", "ALAW"),
    ],
)
def test_files_without_a_header_are_read_by_their_type(tmp_path: Path, content_type: str, coding: str) -> None:
    data = made(8000, tmp_path, format="RAW", subtype=coding)
    assert likeness(files.decode(data, content_type)) > 0.9


def test_the_laws_of_raw_files_are_ours() -> None:
    assert files.decode(PCMU.encode(REFERENCE), "audio/ulaw") == PCMU.decode(PCMU.encode(REFERENCE))
    assert files.decode(PCMA.encode(REFERENCE), "audio/alaw") == PCMA.decode(PCMA.encode(REFERENCE))


def test_a_header_wins_over_the_type(tmp_path: Path) -> None:
    data = made(8000, tmp_path, format="WAV", subtype="PCM_16")
    assert likeness(files.decode(data, "audio/ulaw")) > 0.999


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"", None),
        (b"<html>Not found</html>", None),
        (b"<html>Not found</html>" * 10, "audio/mpeg"),
        (b"<html>Not found</html>" * 10, "audio/gsm"),
        (b"\xd2" * 20, "audio/gsm"),
        (b"RIFF\x00\x00\x00\x00WAVE", "audio/wav"),
        (header(0, 1), "audio/wav"),
        (b"OggS" + bytes(100), None),
        (b"fLaC" + bytes(100), None),
    ],
)
def test_what_is_no_audio_is_refused_with_a_reason(data: bytes, content_type: str | None) -> None:
    with pytest.raises(BadAudio) as caught:
        files.decode(data, content_type)
    assert "BytesIO" not in str(caught.value)


def test_a_cut_off_file_plays_as_far_as_it_goes(tmp_path: Path) -> None:
    data = made(8000, tmp_path, format="WAV", subtype="PCM_16")
    assert files.decode(data[:8044]) == files.decode(data)[:8000]


def test_length_and_size_are_bounded(tmp_path: Path) -> None:
    data = made(8000, tmp_path, format="WAV", subtype="PCM_16")
    with pytest.raises(AudioTooLong, match=r"longer than 0\.5 s"):
        files.decode(data, limit_s=0.5)
    with pytest.raises(AudioTooLong, match="bytes"):
        files.decode(data, limit_bytes=100)
    assert files.decode(data, limit_s=1.0)


def test_a_small_file_cannot_unpack_to_a_day_of_work() -> None:
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros((100, 8)), 96_000, format="FLAC")
    with pytest.raises(BadAudio, match="8 channels of 96000 Hz"):
        files.decode(stream.getvalue())


def test_a_file_on_disk_is_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "prompt.wav"
    path.write_bytes(header(len(REFERENCE), 1) + REFERENCE)
    assert files.read(path) == REFERENCE
    with pytest.raises(FileNotFoundError):
        files.read(tmp_path / "none.wav")


@settings(max_examples=60)
@given(
    st.sampled_from([None, "audio/gsm", "audio/ulaw", "audio/wav"]),
    st.sampled_from(
        [b"", b"RIFF\x24\x00\x00\x00WAVEfmt ", b"FORM\x00\x00\x00\x20AIFF", b".snd\x00\x00\x00\x18", b"fLaC"]
    ),
    st.binary(max_size=80),
)
def test_no_bytes_raise_anything_but_bad_audio(content_type: str | None, head: bytes, tail: bytes) -> None:
    try:
        samples = files.decode(head + tail, content_type, limit_s=60)
    except BadAudio:
        return
    assert len(samples) % 2 == 0


@pytest.mark.parametrize("channels", [1, 2])
def test_a_recording_becomes_mp3(tmp_path: Path, channels: int) -> None:
    source, target = tmp_path / "r.wav", tmp_path / "r.mp3"
    samples = REFERENCE if channels == 1 else pcm.interleave(REFERENCE, REFERENCE)
    source.write_bytes(header(len(samples), channels) + samples)
    files.write_mp3(source, target)
    assert soundfile.info(target).channels == channels
    assert likeness(files.read(target)) > 0.95
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.mp3", "r.wav"]


def test_an_mp3_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    source = tmp_path / "r.wav"
    source.write_bytes(b"no audio")
    with pytest.raises(BadAudio, match="cannot turn"):
        files.write_mp3(source, tmp_path / "r.mp3")
    with pytest.raises(OSError, match="cannot turn"):
        files.write_mp3(tmp_path / "none.wav", tmp_path / "r.mp3")
    assert list(tmp_path.iterdir()) == [source]
