"""Linphone (linphonec 5.1) as a phone on 127.0.0.1, driven by its command line, without a sound card.

async with open_linphone(folder, server, domain, transport="TCP", speech=wav, login=BOB) as phone:
    await phone.rings()
    await phone.answers()
heard = phone.heard()

What it says is its debugging log with the messages it prints for a person in between; one task reads both.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
import trio

from .programs import end, free_port, need, running, write_files
from .scenarios import Login
from .sipp import Transport
from .sound import Samples, read_wav

# The folders must be there: without its databases linphone serves no call.
HOME = Path("home/.local/share/linphone")

CONFIG = """\
[sip]
bind_address=127.0.0.1
sip_port={sip_port}
sip_tcp_port={sip_port}
sip_tls_port=-1
guess_hostname=0
contact=sip:{user}@127.0.0.1
register_only_when_network_is_up=0
use_rfc2833=1
use_info=0
{security}
default_proxy=0
[rtp]
bind_address=127.0.0.1
audio_rtp_port={media_port}
[sound]
remote_ring=
local_ring=
[proxy_0]
reg_proxy=<sip:{proxy};transport={transport}>
reg_route=<sip:{proxy};transport={transport};lr>
reg_identity=<sip:{user}@{domain}>
reg_expires=600
reg_sendregister=1
publish=0
[auth_info_0]
username={user}
userid={user}
passwd={password}
domain={domain}
"""

CLEAR = "media_encryption=none"
SECURE = """\
root_ca={ca}
verify_server_certs=1
verify_server_cn=1
srtp_crypto_suites=AES_CM_128_HMAC_SHA1_32,AES_CM_128_HMAC_SHA1_80
media_encryption=srtp
media_encryption_mandatory=1"""

REGISTERED = r"moving from state \[\w+\] to \[LinphoneRegistrationOk\]"
NOT_REGISTERED = r"moving from state \[\w+\] to \[LinphoneRegistrationFailed\]"
RINGS = r"Receiving new incoming call"
CONNECTED = r"Media streams established"
PAUSED = r"is now paused"
KEY = r"Receiving tone (\S) from"
OVER = r"Call \d+ with .* (?:ended|error)"


@attrs.define(eq=False)
class Linphone:
    """A phone; everything it says is read by one task."""

    process: trio.Process
    folder: Path
    media_port: int
    """Where it hears RTP."""
    _text: str = ""
    _changed: trio.Event = attrs.field(factory=trio.Event)
    _gone: bool = False

    async def order(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        await self.process.stdin.send_all(line.encode() + b"\n")

    async def says(self, pattern: str, times: int = 1, within_s: float = 20.0) -> None:
        """Wait until it has said something so many times, since its start."""
        with trio.move_on_after(within_s):
            while self.said(pattern) < times:
                assert not self._gone, f"linphonec has ended; {pattern!r} was not among its last words\n{self.log()}"
                await self._changed.wait()
            return
        raise AssertionError(f"no {pattern!r} ({times} times) within {within_s:g} s\n{self.log()}")

    def said(self, pattern: str) -> int:
        return len(re.findall(pattern, self._text))

    async def calls(self, address: str) -> None:
        await self.order(f"call {address}")

    async def rings(self) -> None:
        await self.says(RINGS)

    async def answers(self) -> None:
        await self.order("answer")

    async def talks(self) -> None:
        await self.says(CONNECTED)

    async def presses(self, key: str) -> None:
        await self.order(key)

    async def has_heard_keys(self, count: int) -> str:
        """The keys that the other side has pressed, once there are so many."""
        await self.says(KEY, count)
        return "".join(re.findall(KEY, self._text))

    async def holds(self) -> None:
        before = self.said(PAUSED)
        await self.order("pause")
        await self.says(PAUSED, before + 1)

    async def resumes(self) -> None:
        before = self.said(CONNECTED)
        await self.order("resume")
        await self.says(CONNECTED, before + 1)

    async def hangs_up(self) -> None:
        await self.order("terminate")

    async def is_over(self) -> None:
        await self.says(OVER)

    def trace(self) -> str:
        return self._text

    def heard(self) -> Samples:
        return read_wav(self.folder / "heard.wav")

    def log(self) -> str:
        return self._text[-4000:]

    async def read(self) -> None:
        """Takes its words until it has ended."""
        assert self.process.stdout is not None
        with (self.folder / "log").open("wb") as log:
            async for data in self.process.stdout:
                log.write(data)
                self._text += data.decode(errors="replace")
                self._notify()
        self._gone = True
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


@asynccontextmanager
async def open_linphone(
    folder: Path,
    server: tuple[str, int],
    domain: str,
    *,
    transport: Transport,
    speech: Path,
    login: Login,
    ca: Path | None = None,
    believes: bool = True,
) -> AsyncIterator[Linphone]:
    """Start a phone, registered, that speaks `speech` (WAV, 8 kHz) into every call; it quits when the block is left.

    `ca`: the authority of the server's certificate; then it speaks TLS, whatever `transport` says, and SRTP alone. It
    checks the name that it calls, and knows no addresses in certificates. `believes`: whether it is to believe the
    server; if not, its registration has to fail. Of suites it lists `_32` first.
    """
    program = need("linphonec", "linphone-cli")
    media_port = free_port()
    config = CONFIG.format(
        sip_port=free_port(),
        media_port=media_port,
        proxy=f"{server[0]}:{server[1]}",
        transport=transport.lower() if ca is None else "tls",
        security=CLEAR if ca is None else SECURE.format(ca=ca),
        user=login.username,
        password=login.password,
        domain=domain,
    )
    write_files(folder, {"config": config})
    (folder / HOME).mkdir(parents=True)
    command = [program, "-c", str(folder / "config"), "-d", "6"]
    home = {"HOME": str(folder / "home")}
    async with running(command, None, folder=folder, environment=home) as process:
        phone = Linphone(process, folder, media_port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(phone.read)
            try:
                await phone.order("soundcard use files")
                await phone.order(f"play {speech}")
                await phone.order(f"record {folder / 'heard.wav'}")
                await phone.says(REGISTERED if believes else NOT_REGISTERED)
                yield phone
            finally:
                with trio.move_on_after(15, shield=True):
                    await quit_phone(phone)
                nursery.cancel_scope.cancel()


async def quit_phone(phone: Linphone) -> None:
    """Let it take its registration back; insist when it does not."""
    with trio.move_on_after(5):
        with suppress(trio.BrokenResourceError):  # it has ended already
            await phone.order("quit")
        await phone.process.wait()
    await end(phone.process, 5)
