"""Speech engines in helper processes: text goes out through a pipe, samples come back.

The engine (espeak-ng) is native code under the GPL, so it lives in a child process (speech_child.py) that is started
when first needed, killed when it is too slow or when nobody waits for it any more, and started again when it died.
"""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs
import trio

from .errors import TransportError

CHILD = Path(__file__).with_name("speech_child.py")

WORKERS = 2
TEXT_MAX = 20_000
"""Characters, tags included; the limits of `<Say>` are well below."""
SECONDS_MAX = 20 * 60
"""Of sound from one text."""
TIMEOUT_S = 20.0
"""A short sentence takes milliseconds, the longest allowed text a few seconds."""
BYTES_MAX = SECONDS_MAX * 22_050 * 2
FRAME_MAX = 1024 * 1024

VOICE = re.compile(r"[A-Za-z0-9-]{1,40}(?:\+[A-Za-z0-9]{1,20})?")
ELEMENT = re.compile(r"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>?")
NAME = re.compile(r"</?([A-Za-z:-]+)[\s/>]")
SPEAKABLE = frozenset(("speak", "break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"))
"""SSML elements that go to the engine. Others are left out: `audio` would have it open files of this machine."""


class SpeechFailed(TransportError):
    """The engine gave no sound: it died, hung, or could not speak the text."""


class SpeechRefused(SpeechFailed):
    """The text is too long, or its sound would be; another try will not help."""


@attrs.frozen
class Sound:
    """What the engine said."""

    samples: bytes = attrs.field(repr=lambda samples: f"<{len(samples)} bytes>")
    """Signed 16-bit, mono, native byte order."""
    rate_hz: int


@attrs.define(eq=False)
class SpeechHelpers:
    """A few helper processes, each speaking one text at a time; texts beyond that wait their turn.

    Use it as `async with`, or `aclose` it. All methods may be called from any task; cancelling a call kills the helper
    that worked on it.
    """

    workers: int = WORKERS
    timeout_s: float = TIMEOUT_S
    command: Sequence[str] = attrs.field(factory=lambda: (sys.executable, "-I", str(CHILD)))
    """What to run as a helper."""
    starts: int = attrs.field(default=0, init=False)
    """Helpers started so far."""
    _idle: list[_Helper] = attrs.field(factory=list, init=False)
    _turns: trio.Semaphore = attrs.field(init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._turns = trio.Semaphore(self.workers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the helpers. Texts being spoken fail or end; later ones fail at once."""
        self._closed = True
        while self._idle:
            await self._idle.pop().kill()

    async def speak(self, text: str, *, voices: Sequence[str], ssml: bool = False) -> Sound:
        """Speak `text` with the first engine voice of `voices` that exists (`en-us+f3`).

        `ssml`: the text is the content of a `speak` element. Raises `SpeechFailed`, after one more try with a fresh
        helper when the first one died.
        """
        if len(text) > TEXT_MAX:
            raise SpeechRefused(f"a text of {len(text)} characters")
        if not voices or not all(VOICE.fullmatch(voice) for voice in voices):
            raise SpeechRefused(f"no engine voices: {list(voices)}")
        if ssml:
            text = f"<speak>{speakable(text)}</speak>"
        text = "".join(char if char >= " " or char in "\t\n" else " " for char in text)
        request = json.dumps(
            {
                "text": text.encode("utf-8", "replace").decode("utf-8"),
                "ssml": ssml,
                "voices": list(voices),
                "most_bytes": BYTES_MAX,
            }
        ).encode()
        async with self._turns:
            try:
                return await self._try(request)
            except HelperDied:
                return await self._try(request)

    async def _try(self, request: bytes) -> Sound:
        async with self._helper() as helper:
            try:
                with trio.fail_after(self.timeout_s):
                    return await helper.ask(request)
            except trio.TooSlowError:
                raise SpeechFailed(f"no sound within {self.timeout_s:g} s") from None

    @asynccontextmanager
    async def _helper(self) -> AsyncIterator[_Helper]:
        """A running helper; back among the idle ones only when its answer was read to the end."""
        if self._closed:
            raise SpeechFailed("the speech helpers are closed")
        helper = self._idle.pop() if self._idle else None
        if helper is not None and helper.dead:
            await helper.kill()
            helper = None
        if helper is None:
            helper = await self._start()
        try:
            yield helper
        finally:
            if helper.clean and not self._closed:
                self._idle.append(helper)
            else:
                await helper.kill()

    async def _start(self) -> _Helper:
        try:
            process = await trio.lowlevel.open_process(
                list(self.command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd="/",
                start_new_session=True,  # a ^C on the terminal is for us; the helper ends when its pipe does
            )
        except OSError as error:
            raise SpeechFailed(f"the speech helper cannot be started: {error}") from error
        self.starts += 1
        return _Helper(process)


class HelperDied(SpeechFailed):
    """The helper process ended in the middle of its work."""


@attrs.define(eq=False)
class _Helper:
    """One child process and the pipes to it."""

    process: trio.Process
    clean: bool = True
    """No answer is under way: the next request may be written."""
    _buffer: bytearray = attrs.field(factory=bytearray)

    @property
    def dead(self) -> bool:
        return self.process.poll() is not None

    async def ask(self, request: bytes) -> Sound:
        """Write one request and read its answer."""
        stdin = self.process.stdin
        if stdin is None:
            raise TypeError("the helper was started without a pipe")
        self.clean = False
        try:
            await stdin.send_all(struct.pack(">I", len(request)) + request)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise HelperDied("the speech helper has ended") from error
        parts: list[bytes] = []
        size = 0
        while True:
            frame = await self._frame()
            kind, body = frame[:1], frame[1:]
            if kind == b"A":
                size += len(body)
                if size > BYTES_MAX:
                    raise SpeechRefused("more sound than allowed")
                parts.append(body)
            elif kind == b"E" and body.isdigit():
                self.clean = True
                return Sound(b"".join(parts), int(body))
            elif kind == b"X":
                self.clean = True
                raise SpeechRefused(body.decode("utf-8", "replace"))
            else:
                raise SpeechFailed("the speech helper broke its protocol")

    async def _frame(self) -> bytes:
        head = await self._exactly(4)
        (length,) = struct.unpack(">I", head)
        if not 0 < length <= FRAME_MAX:
            raise SpeechFailed("the speech helper broke its protocol")
        return await self._exactly(length)

    async def _exactly(self, count: int) -> bytes:
        stdout = self.process.stdout
        if stdout is None:
            raise TypeError("the helper was started without a pipe")
        while len(self._buffer) < count:
            try:
                data = await stdout.receive_some(65_536)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise HelperDied("the speech helper has ended") from error
            if not data:
                raise HelperDied("the speech helper has ended")
            self._buffer += data
        piece = bytes(self._buffer[:count])
        del self._buffer[:count]
        return piece

    async def kill(self) -> None:
        """End the process and reap it."""
        with trio.move_on_after(5) as scope:  # a killed process is gone at once; the bound is for a broken kernel
            scope.shield = True
            self.process.kill()
            await self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    await trio.aclose_forcefully(pipe)


def speakable(content: str) -> str:
    """SSML content with every tag left out that the engine is not to see; the words stay."""

    def keep(match: re.Match[str]) -> str:
        name = NAME.match(match[0])
        return match[0] if name is not None and name[1] in SPEAKABLE - {"speak"} else " "

    return ELEMENT.sub(keep, content)
