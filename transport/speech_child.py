"""The speech helper process: text in by standard input, sound out by standard output, one request after the other.

Run as a file of its own in a child process (see speech.py), so that the speech engine, which is GPL and native code,
neither is part of our process nor can take it down. It imports the standard library and the engine's loader only.

Frames are a 4-byte big-endian length and that many bytes. A request is one frame of JSON with `text`, `ssml`,
`voices` (engine voices to try in order) and `most_bytes`. The answer is any number of frames that start with `A`
(signed 16-bit samples, mono, native byte order) and one that starts with `E` (end: the sampling rate in decimal) or
`X` (failed: why).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import struct
import sys
from typing import Any, BinaryIO

# speak_lib.h of espeak-ng
AUDIO_OUTPUT_SYNCHRONOUS = 2
INITIALIZE_DONT_EXIT = 0x8000
CHARS_UTF8 = 1
SSML = 0x10
POS_CHARACTER = 1
EE_OK = 0
CHUNK_MS = 200

MEMORY_MAX_BYTES = 1024 * 1024 * 1024
REQUEST_MAX_BYTES = 256 * 1024

Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Engine:
    """espeak-ng, loaded once."""

    def __init__(self) -> None:
        import espeakng_loader

        self.library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate_hz = int(
            self.library.espeak_Initialize(
                AUDIO_OUTPUT_SYNCHRONOUS,
                CHUNK_MS,
                os.fsencode(espeakng_loader.get_data_path()),
                INITIALIZE_DONT_EXIT,
            )
        )
        if self.rate_hz <= 0:
            raise RuntimeError(f"espeak_Initialize failed with {self.rate_hz}")
        self._callback = Callback(self._sound)
        self.library.espeak_SetSynthCallback(self._callback)
        self._out: BinaryIO | None = None
        self._left = 0
        self._too_long = False

    def speak(self, text: str, ssml: bool, voices: list[str], most_bytes: int, out: BinaryIO) -> None:
        """Write the sound of `text` to `out` as `A` frames; raises ValueError with the reason when it cannot."""
        if not any(self.library.espeak_SetVoiceByName(voice.encode()) == EE_OK for voice in voices):
            raise ValueError(f"no voice of {voices}")
        data = text.encode("utf-8") + b"\0"
        self._out, self._left, self._too_long = out, most_bytes, False
        flags = CHARS_UTF8 | (SSML if ssml else 0)
        result = self.library.espeak_Synth(data, len(data), 0, POS_CHARACTER, 0, flags, None, None)
        if result != EE_OK:
            raise ValueError(f"espeak_Synth failed with {result}")
        if self._too_long:
            raise ValueError(f"more than {most_bytes} bytes of sound")

    def _sound(self, samples: Any, count: int, _events: int | None) -> int:
        """The engine's callback: nonzero stops it. An exception must not cross into C."""
        if not samples or count <= 0 or self._out is None:
            return 0
        size = count * 2
        if size > self._left:
            self._too_long = True
            return 1
        self._left -= size
        try:
            write(self._out, b"A" + ctypes.string_at(samples, size))
        except OSError:
            os._exit(0)  # the parent has gone
        return 0


def read(stream: BinaryIO) -> bytes | None:
    """One frame; None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack(">I", head)
    if length > REQUEST_MAX_BYTES:
        return None
    body = stream.read(length)
    return body if len(body) == length else None


def write(stream: BinaryIO, body: bytes) -> None:
    """One frame."""
    stream.write(struct.pack(">I", len(body)) + body)


def main() -> None:
    """Serve until standard input ends."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    # Whatever the engine prints must not end up between the frames.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    engine = Engine()
    while (body := read(sys.stdin.buffer)) is not None:
        try:
            request = json.loads(body)
            engine.speak(request["text"], request["ssml"], request["voices"], request["most_bytes"], out)
            write(out, b"E" + str(engine.rate_hz).encode())
        except (ValueError, KeyError, TypeError) as error:
            write(out, b"X" + str(error).encode("utf-8", "replace")[:500])
        out.flush()


if __name__ == "__main__":
    main()
