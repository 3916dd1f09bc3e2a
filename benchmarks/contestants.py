"""The servers under measurement: offhook as `offhook serve` runs it, and sippy's B2BUA, each on free loopback ports."""

# ruff: noqa: ASYNC240 - a few small files are written before anything is measured; nobody waits meanwhile

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from .machine import ROOT
from .processes import Failed, free_port, running, tail, until_tcp
from .sipp import callee

SIPPY = ROOT / ".venv-bench" / "bin" / "b2bua"
"""Made by `tools/peer-environment`."""

CONFIG = """\
[server]
data_dir = "{data}"
[sip]
domain_suffix = "bench.test"
default_domain = "bench"
udp = ["127.0.0.1:{sip}"]
tcp = []
tls = []
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


@attrs.frozen
class Contestant:
    """A running server."""

    pid: int
    sip_port: int


@asynccontextmanager
async def offhook(place: Path, application_port: int, path: str) -> AsyncIterator[Contestant]:
    """`offhook serve` with one domain whose calls ask `path` of the application. Logs from warnings on."""
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
        )
    )
    command = [sys.executable, "-m", "offhook", "serve", "--config", str(place / "offhook.toml")]
    log = place / "offhook.log"
    async with running([*command, "--log-level", "warning"], log) as process:
        await until_tcp(http, process, log)
        await settled(process, log)
        yield Contestant(process.pid, sip)


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
