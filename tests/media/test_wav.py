"""Recordings that survive a crash, and their trimming."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import wave
from pathlib import Path

import numpy as np
import pytest

from offhook.media import pcm
from offhook.media.errors import BadAudio
from offhook.media.frames import FRAME_BYTES, SILENCE, frames_of
from offhook.media.tones import tone
from offhook.media.wav import HEADER_BYTES, WavWriter, header, repair, trim, trim_span

TONE = tone(440, length_ms=1000)


def heard(path: Path) -> tuple[int, bytes]:
    """Channels and samples, by a reader that is not ours."""
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getsampwidth()) == (8000, 2)
        return file.getnchannels(), file.readframes(file.getnframes())


def test_a_recording_is_whole_after_every_flush(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    writer = WavWriter(path)
    assert heard(path) == (1, b"")
    written = b""
    for frame in frames_of(TONE):
        writer.write(frame)
        written += frame
        if len(written) % (10 * FRAME_BYTES) == 0:
            writer.flush()
            assert heard(path) == (1, written)
    assert writer.pending_bytes == 0
    assert writer.duration_s == 1.0
    writer.close()
    writer.close()
    assert writer.closed
    assert heard(path) == (1, TONE)


def test_closing_writes_what_was_queued(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "r.wav")
    writer.write(TONE)
    assert writer.pending_bytes == len(TONE)
    writer.close()
    assert heard(writer.path) == (1, TONE)
    with pytest.raises(ValueError, match="closed"):
        writer.flush()


def test_two_channels_keep_their_sides(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "r.wav", channels=2)
    for frame in frames_of(TONE):
        writer.write_pair(frame, SILENCE)
    writer.close()
    channels, samples = heard(writer.path)
    both = pcm.array_of(samples).reshape(-1, 2)
    assert channels == 2
    assert both[:, 0].tobytes() == TONE
    assert not both[:, 1].any()
    assert writer.duration_s == 1.0


def test_a_recording_has_one_or_two_channels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mono or stereo"):
        WavWriter(tmp_path / "r.wav", channels=3)


def test_frames_may_be_written_while_another_thread_flushes(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "r.wav")
    frames = [number.to_bytes(4, "little") * 80 for number in range(5000)]
    done = threading.Event()

    def flush() -> None:
        while not done.is_set():
            writer.flush()

    thread = threading.Thread(target=flush)
    thread.start()
    for frame in frames:
        writer.write(frame)
    done.set()
    thread.join()
    writer.close()
    assert heard(writer.path) == (1, b"".join(frames))


def test_a_full_disk_loses_nothing_that_can_be_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = WavWriter(tmp_path / "r.wav")
    writer.write(TONE)

    def refuse(fd: int, data: memoryview, at: int) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", refuse)
        with pytest.raises(OSError, match="No space"):
            writer.flush()
    writer.write(TONE)
    writer.close()
    assert heard(writer.path) == (1, TONE + TONE)


KILLED = """
import sys
from pathlib import Path
from offhook.media.wav import WavWriter
writer = WavWriter(Path(sys.argv[1]))
while True:
    for _ in range(50):
        writer.write(bytes(range(160)) * 2)
    writer.flush()
    print(flush=True)
"""


def test_a_killed_process_leaves_a_file_that_plays(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    channels, samples = heard(path)
    assert channels == 1
    assert len(samples) >= 3 * 50 * FRAME_BYTES
    assert repair(path) >= 3.0
    channels, samples = heard(path)
    assert samples == bytes(range(160)) * (len(samples) // 160)


@pytest.mark.parametrize("there", [0, 1, 2, 319, 320, 16_001])
def test_a_repaired_file_counts_what_is_there(tmp_path: Path, there: int) -> None:
    path = tmp_path / "r.wav"
    path.write_bytes(header(12, 1) + TONE[:there].ljust(there, b"x"))
    assert repair(path) == there // 2 / 8000
    assert heard(path) == (1, TONE[:there].ljust(there, b"x")[: there // 2 * 2])


def test_a_sound_file_is_not_touched_by_repair(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    path.write_bytes(header(len(TONE), 1) + TONE)
    os.utime(path, (1, 1))
    assert repair(path) == 1.0
    assert path.stat().st_mtime == 1


@pytest.mark.parametrize("data", [b"", b"RIFF", bytes(HEADER_BYTES), header(0, 1).replace(b"data", b"LIST")])
def test_what_is_no_recording_of_ours_is_not_repaired(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "r.wav"
    path.write_bytes(data)
    with pytest.raises(BadAudio):
        repair(path)
    with pytest.raises(BadAudio):
        trim(path)
    assert path.read_bytes() == data


def quiet(ms: int) -> bytes:
    return pcm.bytes_of(np.random.default_rng(1).normal(0, 15, ms * 8))


def recorded(path: Path, samples: bytes, channels: int = 1) -> Path:
    path.write_bytes(header(len(samples), channels) + samples)
    return path


def test_silence_is_cut_off_both_ends_and_kept_inside(tmp_path: Path) -> None:
    said = TONE + quiet(2000) + TONE
    path = recorded(tmp_path / "r.wav", quiet(3000) + said + quiet(4000))
    assert trim(path) == pytest.approx(4.2, abs=0.021)
    _, samples = heard(path)
    assert said in samples
    assert list(tmp_path.iterdir()) == [path]


def test_stereo_is_trimmed_by_the_louder_side(tmp_path: Path) -> None:
    left, right = quiet(1000) + TONE + quiet(3000), quiet(3000) + TONE + quiet(1000)
    path = recorded(tmp_path / "r.wav", pcm.interleave(left, right), 2)
    assert trim(path) == pytest.approx(3.2, abs=0.021)
    assert heard(path)[0] == 2


@pytest.mark.parametrize("samples", [bytes(32_000), quiet(3000), b""])
def test_a_silent_recording_is_kept_as_it_is(tmp_path: Path, samples: bytes) -> None:
    path = recorded(tmp_path / "r.wav", samples)
    assert trim(path) == len(samples) / 16_000
    assert heard(path) == (1, samples)


def test_samples_in_memory_are_trimmed_alike() -> None:
    start, stop = trim_span(quiet(1000) + TONE + quiet(500))
    assert (start, stop) == (900 * 16, 2100 * 16)
    assert trim_span(b"") == (0, 0)
