"""Baresip (1.0.0) as a phone on 127.0.0.1, driven over its TCP control port.

async with open_baresip(folder, server, transport="UDP", codec="PCMU", speech=wav) as phone:
    await phone.order("dial", "sip:100@acme.sip.test")
    await phone.happens("CALL_ESTABLISHED")
heard = read_wav(phone.heard())
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import attrs
import trio

from .programs import end, free_port, need, running, tail, until, write_files
from .scenarios import Login

MODULES = Path("/usr/lib/baresip/modules")

CONFIG = """\
poll_method epoll
net_interface 127.0.0.1
sip_listen 127.0.0.1:{sip_port}
ctrl_tcp_listen 127.0.0.1:{control_port}
call_local_timeout 60
call_max_calls 2
rtp_timeout 0
jitter_buffer_delay 5-10
audio_path {folder}
audio_source aufile,{speech}
audio_player nil
audio_alert nil
snd_path {folder}
module_path {modules}
module g711.so
module aufile.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
"""


class PhoneGone(Exception):
    """Baresip closed its control connection."""


@attrs.define(eq=False)
class Baresip:
    """A phone; everything it says on its control connection is read by one task."""

    process: trio.Process
    stream: trio.SocketStream
    folder: Path
    _happened: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict)
    _replies: list[dict[str, Any]] = attrs.field(factory=list)
    _changed: trio.Event = attrs.field(factory=trio.Event)
    _gone: bool = False

    async def order(self, command: str, argument: str | None = None, within_s: float = 10.0) -> None:
        """Give a command of baresip's menu and wait until it is accepted."""
        before = len(self._replies)
        message = {"command": command} if argument is None else {"command": command, "params": argument}
        data = json.dumps(message).encode()
        await self.stream.send_all(b"%d:%b," % (len(data), data))
        with trio.fail_after(within_s):
            while len(self._replies) == before:
                await self._wait()
        reply = self._replies[before]
        assert reply["ok"], f"{command} {argument}: {reply}\n{self.log()}"

    async def happens(self, event: str, within_s: float = 20.0) -> dict[str, Any]:
        """Wait for the first event of a type (`CALL_ESTABLISHED`, `CALL_CLOSED` …)."""
        with trio.move_on_after(within_s):
            while event not in self._happened:
                await self._wait()
            return self._happened[event][0]
        raise AssertionError(f"no {event} within {within_s:g} s; only {sorted(self._happened)}\n{self.log()}")

    def heard(self) -> Path:
        """The WAV file of what it heard; whole once the call is over."""
        (file,) = self.folder.glob("dump-*-dec.wav")
        return file

    def log(self) -> str:
        return tail(self.folder / "log")

    async def _wait(self) -> None:
        if self._gone:
            raise PhoneGone(self.log())
        await self._changed.wait()

    async def read(self) -> None:
        """Takes netstrings of JSON until baresip closes the connection."""
        buffer = bytearray()
        try:
            async for data in self.stream:
                buffer += data
                while (text := next_netstring(buffer)) is not None:
                    self._take(json.loads(text))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it has quit
        self._gone = True
        self._notify()

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("event"):
            self._happened.setdefault(message["type"], []).append(message)
        else:
            self._replies.append(message)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def next_netstring(buffer: bytearray) -> bytes | None:
    """Take the first whole `LENGTH:TEXT,` out of the buffer."""
    head, colon, rest = buffer.partition(b":")
    if not colon or len(rest) <= int(head):
        return None
    text = bytes(rest[: int(head)])
    del buffer[: len(head) + 1 + len(text) + 1]
    return text


@asynccontextmanager
async def open_baresip(
    folder: Path,
    server: tuple[str, int],
    domain: str,
    *,
    transport: Literal["UDP", "TCP"],
    codec: Literal["PCMU", "PCMA"],
    speech: Path,
    login: Login,
) -> AsyncIterator[Baresip]:
    """Start a phone that speaks `speech` (WAV, 8 kHz) into every call; it quits when the block is left."""
    program = need("baresip", "baresip-core")
    control_port = free_port()
    over = f"transport={transport.lower()}"
    account = (
        f"<sip:{login.username}@{domain};{over}>;auth_user={login.username};auth_pass={login.password}"
        f';outbound="sip:{server[0]}:{server[1]};{over}";regint=0;audio_codecs={codec}/8000/1;ptime=20'
    )
    config = CONFIG.format(
        sip_port=free_port(), control_port=control_port, folder=folder, speech=speech, modules=MODULES
    )
    write_files(folder, {"config": config, "accounts": f"{account}\n"})
    async with running([program, "-f", str(folder)], folder / "log", folder=folder) as process:
        streams: list[trio.SocketStream] = []

        async def connected() -> bool:
            try:
                streams.append(await trio.open_tcp_stream("127.0.0.1", control_port))
            except OSError:
                return False
            return True

        await until(connected, 20, "baresip's control port is open", process)
        phone = Baresip(process, streams[0], folder)
        async with phone.stream, trio.open_nursery() as nursery:
            nursery.start_soon(phone.read)
            try:
                yield phone
            finally:
                with trio.move_on_after(15, shield=True):
                    await quit_phone(phone)
                nursery.cancel_scope.cancel()


async def quit_phone(phone: Baresip) -> None:
    """Let it finish its files; insist when it does not."""
    with trio.move_on_after(5):
        with suppress(PhoneGone, trio.BrokenResourceError, trio.ClosedResourceError):  # it is faster than its reply
            await phone.order("quit")
        await phone.process.wait()
    await end(phone.process, 5)
