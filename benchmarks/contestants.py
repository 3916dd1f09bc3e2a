"""The servers under measurement: offhook as `offhook serve` runs it, and its peers, each on free loopback ports."""

# ruff: noqa: ASYNC240 - a few small files are written before anything is measured; nobody waits meanwhile

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import attrs
import trio

from .machine import ROOT
from .processes import Failed, free_port, running, tail, until_tcp
from .registering import USERS, password, username
from .sipp import callee

SIPPY = ROOT / ".venv-bench" / "bin" / "b2bua"
"""Made by `tools/peer-environment`."""
KAMAILIO_CONFIG = Path(__file__).parent / "kamailio.cfg"

CONFIG = """\
[server]
data_dir = "{data}"
[sip]
domain_suffix = "bench.test"
default_domain = "bench"
udp = ["127.0.0.1:{sip}"]
tcp = [{tcp}]
tls = [{tls}]
[media]
rtp_ports = "{first}-{last}"
[http]
bind = "127.0.0.1:{http}"
[webhooks]
allowed_networks = ["127.0.0.0/8"]
[[domain]]
name = "bench"
voice_url = "{url}"
ip_access_control = ["127.0.0.0/8"]
"""
CREDENTIAL = """\
[[domain.credential]]
username = "{username}"
password = "{password}"
"""


@attrs.frozen
class Contestant:
    """A running server."""

    pid: int
    port: int
    """Of SIP, or of whatever the server speaks."""


@asynccontextmanager
async def offhook(
    place: Path, application_port: int, path: str, extra: str = "", *, tcp: str = "", tls: str = ""
) -> AsyncIterator[Contestant]:
    """`offhook serve` with one domain whose calls ask `path` of the application. Logs from warnings on.

    `extra` ends the configuration: keys of the domain, then further tables. `tcp` and `tls`: addresses in quotes.
    """
    place.mkdir(parents=True, exist_ok=True)
    sip, http = free_port(), free_port()
    first = rtp_ports()
    (place / "offhook.toml").write_text(
        CONFIG.format(
            data=place / "data",
            sip=sip,
            http=http,
            first=first,
            last=first + RTP_SPAN - 1,
            url=f"http://127.0.0.1:{application_port}{path}",
            tcp=tcp,
            tls=tls,
        )
        + extra
    )
    command = [sys.executable, "-m", "offhook", "serve", "--config", str(place / "offhook.toml")]
    log = place / "offhook.log"
    async with running([*command, "--log-level", "warning"], log) as process:
        await until_tcp(http, process, log)
        await settled(process, log)
        yield Contestant(process.pid, sip)


@asynccontextmanager
async def offhook_over(
    place: Path, application_port: int, path: str, kind: str
) -> AsyncIterator[tuple[Contestant, Path]]:
    """The same for callers over `kind` (see calling.py), with the authority that those over TLS need."""
    port = free_port()
    tcp, tls = (f'"127.0.0.1:{port}"' if kind.startswith(each) else "" for each in ("tcp", "tls"))
    async with offhook(place, application_port, path, tcp=tcp, tls=tls) as contestant:
        ported = contestant if kind == "udp" else Contestant(contestant.pid, port)
        yield ported, place / "data" / "tls" / "ca.pem"


@asynccontextmanager
async def sippy(place: Path) -> AsyncIterator[Contestant]:
    """sippy's `b2bua_simple` between the caller and a SIPp that answers and hangs up. Its logging is off."""
    if not SIPPY.exists():
        raise Failed(f"{SIPPY} is missing: run tools/peer-environment, or make bench")
    place.mkdir(parents=True, exist_ok=True)
    sip, far = free_port(), free_port()
    log = place / "sippy.log"
    command = [
        *(str(SIPPY), "--foreground=on", "--sip_address=127.0.0.1", f"--sip_port={sip}"),
        *("--auth_enable=off", "--acct_enable=off", f"--static_route=127.0.0.1:{far}"),
        *(f"--b2bua_socket={place / 'sippy.socket'}", f"--logfile={log}", f"--pidfile={place / 'sippy.pid'}"),
    ]
    async with callee(place, far), running(command, log, {"SIPLOG_BEND": "none"}) as process:
        await settled(process, log)
        yield Contestant(process.pid, sip)


def offhook_registrar(place: Path) -> AbstractAsyncContextManager[Contestant]:
    """offhook with the users of `registering`. It keeps in its store who is registered, and asks no application."""
    users = (CREDENTIAL.format(username=username(each), password=password(each)) for each in range(USERS))
    return offhook(place, 9, "/nobody", "sip_registration = true\n" + "".join(users))


def offhook_dialling(place: Path, application_port: int, far: int) -> AbstractAsyncContextManager[Contestant]:
    """offhook whose application dials 127.0.0.1:`far`."""
    return offhook(place, application_port, f"/dial/{far}")


@asynccontextmanager
async def offhook_and_callee(place: Path, application_port: int) -> AsyncIterator[Contestant]:
    """offhook whose application dials a SIPp that answers and hangs up."""
    place.mkdir(parents=True, exist_ok=True)
    far = free_port()
    async with callee(place, far), offhook_dialling(place, application_port, far) as contestant:
        yield contestant


@asynccontextmanager
async def kamailio(place: Path) -> AsyncIterator[Contestant]:
    """Kamailio as a registrar with the same users, in memory; with the memory manager that is fast (`fm`)."""
    program = installed("kamailio", "kamailio")
    place.mkdir(parents=True, exist_ok=True)
    sip, log = free_port(), place / "kamailio.log"
    command = [
        *(program, "-f", str(KAMAILIO_CONFIG), "-A", f"PORT={sip}", "-A", f"USERS={USERS}"),
        *("-DD", "-E", "-m", "64", "-M", "8", "-x", "fm", "-X", "fm"),
        *("-w", str(place), "-Y", str(place), "-P", str(place / "kamailio.pid")),
    ]
    async with running(command, log) as process:
        await settled(process, log)
        yield Contestant(process.pid, sip)


@asynccontextmanager
async def rtpengine(place: Path) -> AsyncIterator[Contestant]:
    """rtpengine without its kernel module, so that it does what offhook does: receive and send every packet itself."""
    program = installed("rtpengine", "rtpengine-daemon")
    place.mkdir(parents=True, exist_ok=True)
    control, log, first = free_port(), place / "rtpengine.log", rtp_ports()
    command = [
        *(program, "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{control}", "--table=-1", "--no-fallback"),
        *(f"--port-min={first}", f"--port-max={first + RTP_SPAN - 1}", "--foreground", "--log-stderr", "--log-level=4"),
    ]
    async with running(command, log) as process:
        await settled(process, log)
        yield Contestant(process.pid, control)


def installed(name: str, package: str) -> str:
    """Where a peer's program is. Raises Failed when it is missing."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if path is None:
        raise Failed(f"{name} is missing: install the Debian package {package}, or run make bench")
    return path


@asynccontextmanager
async def application(place: Path) -> AsyncIterator[int]:
    """The customer's web application; its port."""
    place.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), place / "application.log"
    async with running([sys.executable, "-m", "benchmarks.application", str(port)], log) as process:
        await until_tcp(port, process, log)
        yield port


async def settled(process: subprocess.Popen[bytes], log: Path) -> None:
    """Let start-up end before anything is measured."""
    await trio.sleep(1.0)
    if process.poll() is not None:
        raise Failed(f"{process.args!r} ended by itself:\n{tail(log)}")


RTP_SPAN = 2000
_next_rtp = 30_000 + os.getpid() % 10 * RTP_SPAN // 2


def rtp_ports() -> int:
    """First port of a span of RTP ports; servers of one run get different ones."""
    global _next_rtp
    first, _next_rtp = _next_rtp, _next_rtp + RTP_SPAN
    if _next_rtp + RTP_SPAN > 60_000:
        _next_rtp = 30_000
    return first
