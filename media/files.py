"""Audio files to telephone samples, and recordings to MP3; all of it may take long and belongs on a worker thread."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy.typing as npt
import soundfile

from .errors import AudioTooLong, BadAudio
from .frames import SAMPLE_BYTES, SAMPLE_RATE_HZ
from .pcm import Resampler
from .wav import WavWriter, repair, trim, trim_span

__all__ = [
    "LONGEST_S",
    "MAX_FILE_BYTES",
    "PLAYABLE_TYPES",
    "WavWriter",
    "decode",
    "read",
    "repair",
    "trim",
    "trim_span",
    "write_mp3",
]

LONGEST_S: Final = 40 * 60
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
_MOST_VALUES_PER_S: Final = 400_000
"""Channels times sampling rate: more is no audio for ears, but a small file that unpacks to a day of work."""
_BLOCK: Final = 65_536
"""Sample frames decoded at a time."""

# MIME types of headerless files, all of them 8 kHz mono, to what soundfile calls the coding.
_RAW: Final = {
    "audio/gsm": "GSM610",
    "audio/x-gsm": "GSM610",
    "audio/ulaw": "ULAW",
    "audio/x-ulaw": "ULAW",
    "audio/mulaw": "ULAW",
    "audio/pcmu": "ULAW",
    "audio/basic": "ULAW",
    "audio/alaw": "ALAW",
    "audio/x-alaw": "ALAW",
    "audio/pcma": "ALAW",
}
PLAYABLE_TYPES: Final = frozenset(_RAW) | {
    "audio/mpeg",
    "audio/mp3",
    "audio/wav",
    "audio/wave",
    "audio/x-wav",
    "audio/vnd.wave",
    "audio/aiff",
    "audio/x-aiff",
    "audio/x-aifc",
    "audio/flac",
    "audio/x-flac",
    "audio/ogg",
    "audio/opus",
    "audio/vorbis",
    "application/ogg",
    "audio/au",
    "audio/x-au",
}
"""MIME types under which a file may come; what is inside is told by its first bytes."""

_CONTAINERS: Final = (b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd", b"fLaC", b"OggS", b"ID3")
_TOC_GSM: Final = 0xD0
"""The upper half of the first octet of every GSM 06.10 frame (RFC 3551 section 4.5.8)."""
_GSM_FRAME: Final = 33


def decode(
    data: bytes, content_type: str | None = None, *, limit_s: float = LONGEST_S, limit_bytes: int = MAX_FILE_BYTES
) -> bytes:
    """A file's bytes to 8 kHz s16 mono samples.

    `content_type` matters for headerless files only (GSM 06.10 and the G.711 laws); parameters behind it are ignored.
    Raises BadAudio when the bytes are no audio we can read, AudioTooLong when they are too much of it.
    """
    if len(data) > limit_bytes:
        raise AudioTooLong(f"{len(data)} bytes are more than the {limit_bytes} allowed")
    if not data:
        raise BadAudio("the file is empty")
    coding = None
    if not data.startswith(_CONTAINERS) and content_type is not None:
        coding = _RAW.get(content_type.partition(";")[0].strip().lower())
    if coding == "GSM610":
        if data[0] & 0xF0 != _TOC_GSM or len(data) < _GSM_FRAME:
            raise BadAudio("the file does not begin with a GSM 06.10 frame")
        data = data[: len(data) // _GSM_FRAME * _GSM_FRAME]
    return _decode(io.BytesIO(data), coding, limit_s)


def read(path: Path, content_type: str | None = None, *, limit_s: float = LONGEST_S) -> bytes:
    """The same for a file on disk; OSError when it cannot be opened at all."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise AudioTooLong(f"{size} bytes are more than the {MAX_FILE_BYTES} allowed")
    return decode(path.read_bytes(), content_type, limit_s=limit_s)


def _decode(stream: BinaryIO, coding: str | None, limit_s: float) -> bytes:
    raw: dict[str, Any] = {}
    if coding is not None:
        raw = {"format": "RAW", "subtype": coding, "channels": 1, "samplerate": SAMPLE_RATE_HZ}
    try:
        with soundfile.SoundFile(stream, **raw) as file:
            if not 0 < file.samplerate * file.channels <= _MOST_VALUES_PER_S:
                raise BadAudio(f"{file.channels} channels of {file.samplerate} Hz are beyond what is read here")
            made = bytearray()
            most = int(limit_s * SAMPLE_RATE_HZ) * SAMPLE_BYTES
            for part in _resampled(file):
                made += part
                if len(made) > most:
                    raise AudioTooLong(f"the audio is longer than {limit_s:g} s")
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError, OSError) as error:
        # soundfile speaks in all of these when a file contradicts itself; none of them is about us.
        raise BadAudio(f"not readable as audio: {_reason(error)}") from error
    if not made:
        raise BadAudio("the file holds no sound")
    return bytes(made)


def _resampled(file: Any) -> Iterator[bytes]:
    resampler = Resampler(file.samplerate)
    while True:
        block: npt.NDArray[Any] = file.read(_BLOCK, dtype="float32", always_2d=True)
        if block.shape[0] == 0:
            break
        yield resampler.feed(block)
        if block.shape[0] < _BLOCK:
            break
    yield resampler.finish()


def _reason(error: Exception) -> str:
    """What libsndfile says, without the name that Python gives to a stream in memory."""
    return str(error).rpartition(">: ")[2] or type(error).__name__


def write_mp3(source: Path, target: Path) -> None:
    """Turn a recording of ours into MP3, mono or stereo; `target` appears whole or not at all.

    Raises BadAudio when `source` is no audio, OSError when the disk refuses.
    """
    partial = target.with_name(target.name + ".part")
    try:
        with (
            soundfile.SoundFile(source) as wave,
            soundfile.SoundFile(
                partial, "w", samplerate=wave.samplerate, channels=wave.channels, format="MP3", compression_level=0.5
            ) as mp3,
        ):
            while (block := wave.read(_BLOCK, dtype="float32", always_2d=True)).shape[0]:
                mp3.write(block)
        partial.replace(target)
    except (soundfile.SoundFileError, RuntimeError) as error:
        if not os.access(target.parent, os.W_OK) or not source.exists():
            raise OSError(f"cannot turn {source} into {target}: {error}") from error
        raise BadAudio(f"cannot turn {source.name} into MP3: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
