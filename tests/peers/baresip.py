"""Baresip (1.0.0) as a phone, driven over its TCP control port.

async with open_baresip(folder, server, domain, transport="UDP", speech=wav, login=ALICE) as phone:
    await phone.calls("sip:100@acme.sip.test")
    await phone.talks()
heard = phone.heard()
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias

import attrs
import numpy
import trio

from .programs import HERE, Place, end, free_port, need, running, tail, until, write_files
from .scenarios import Login
from .sipp import Transport
from .sound import Samples, read_wav

Codec: TypeAlias = Literal["PCMU", "PCMA"]

MODULES = Path("/usr/lib/baresip/modules")

CONFIG = """\
poll_method epoll
net_interface {host}
sip_listen {host}:{sip_port}
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


SECURE = """\
module srtp.so
sip_cafile {ca}
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

    async def happens(self, event: str, times: int = 1, within_s: float = 20.0) -> list[dict[str, Any]]:
        """Wait until an event (`CALL_ESTABLISHED`, `CALL_CLOSED` …) has come so many times since the phone's start."""
        with trio.move_on_after(within_s):
            while len(self.happened(event)) < times:
                await self._wait()
            return self.happened(event)
        raise AssertionError(f"no {event} ({times}) within {within_s:g} s; only {sorted(self._happened)}\n{self.log()}")

    def happened(self, event: str) -> list[dict[str, Any]]:
        return self._happened.get(event, [])

    async def calls(self, address: str) -> None:
        await self.order("dial", address)

    async def rings(self) -> None:
        await self.happens("CALL_INCOMING")

    async def answers(self) -> None:
        await self.order("accept")

    async def talks(self) -> None:
        await self.happens("CALL_ESTABLISHED")

    async def presses(self, key: str) -> None:
        await self.order("sndcode", key)

    async def has_heard_keys(self, count: int) -> str:
        """The keys that the other side has pressed, once there are so many."""
        return "".join(str(event["param"]) for event in await self.happens("CALL_DTMF_START", count))

    async def holds(self) -> None:
        await self._renegotiates("hold")

    async def resumes(self) -> None:
        await self._renegotiates("resume")

    async def _renegotiates(self, command: str) -> None:
        before = len(self.happened("CALL_REMOTE_SDP"))
        await self.order(command)
        await self.happens("CALL_REMOTE_SDP", before + 1)

    async def hangs_up(self) -> None:
        await self.order("hangup")

    async def is_over(self) -> None:
        await self.happens("CALL_CLOSED")

    def trace(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def heard(self) -> Samples:
        """What it heard in its calls; whole once they are over.

        Only until it holds the call itself: baresip attaches what writes the file to both directions or to none, so
        that it comes back with neither when only one of them was stopped.
        """
        files = sorted(self.folder.glob("dump-*-dec.wav"))
        assert files, f"it heard nothing\n{self.log()}"
        return numpy.concatenate([read_wav(file) for file in files])

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
    transport: Transport,
    codec: Codec = "PCMU",
    speech: Path,
    login: Login,
    registers: bool = False,
    ca: Path | None = None,
    place: Place = HERE,
) -> AsyncIterator[Baresip]:
    """Start a phone that speaks `speech` (WAV, 8 kHz) into every call; it quits when the block is left.

    `ca`: the authority of the server's certificate; then it speaks TLS, whatever `transport` says, and SRTP alone.
    It takes the file, but in this version it believes every certificate (https://github.com/baresip/baresip/issues/1122).
    """
    program = need("baresip", "baresip-core")
    control_port = free_port()
    over = f"transport={transport.lower() if ca is None else 'tls'}"
    account = (
        f"<sip:{login.username}@{domain};{over}>;auth_user={login.username};auth_pass={login.password}"
        f';outbound="sip:{server[0]}:{server[1]};{over}";regint={600 if registers else 0}'
        f";audio_codecs={codec}/8000/1;ptime=20{'' if ca is None else ';mediaenc=srtp-mand'}"
    )
    config = CONFIG.format(
        host=place.host,
        sip_port=free_port(),
        control_port=control_port,
        folder=folder,
        speech=speech,
        modules=MODULES,
    )
    if ca is not None:
        config += SECURE.format(ca=ca)
    write_files(folder, {"config": config, "accounts": ""})
    command = place.command(program, "-f", str(folder), "-s")
    async with running(command, folder / "log", folder=folder) as process:
        streams: list[trio.SocketStream] = []

        async def connected() -> bool:
            try:
                streams.append(await place.connect(control_port))
            except OSError:
                return False
            return True

        await until(connected, 20, "baresip's control port is open", process)
        phone = Baresip(process, streams[0], folder)
        async with phone.stream, trio.open_nursery() as nursery:
            nursery.start_soon(phone.read)
            try:
                # Not from its file: whether it is registered is told only to who is connected by then.
                await phone.order("uanew", account)
                if registers:
                    await phone.happens("REGISTER_OK")
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
