"""The server under test: its configuration, in this process or in one of its own (`offhook serve`)."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from offhook.server.config import (
    AccountSettings,
    Config,
    CredentialSettings,
    DomainSettings,
    HttpSettings,
    ServerSettings,
    SipSettings,
    WebhooksSettings,
)
from offhook.sip.timers import Timers

from .application import ROOT
from .fetch import Unanswered, get
from .programs import free_port, running, until, write_files
from .scenarios import Login

DOMAIN = "acme.sip.test"
ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "the token of these tests"
ALICE = Login("alice", "Passw0rd12345")
BOB = Login("bob", "Passw0rd67890")
PHONES = tuple(Login(f"phone{number}", f"Passw0rd{number}") for number in range(500))
"""Users who may register and not call."""


class Quick(Timers):
    """What waits for late copies is over soon; nothing is repeated sooner than on any other server."""

    @property
    def patience(self) -> float:
        return 6.0

    def d(self, reliable: bool) -> float:
        return 0.0 if reliable else self.patience


QUICK = Quick()


def configuration(
    folder: Path,
    voice_url: str,
    *,
    status_callback_url: str | None = None,
    login: bool = False,
    people: tuple[Login, ...] = (),
    voice_method: str = "POST",
    status_callback_method: str = "POST",
    phones: int = 0,
    secure: bool = False,
) -> Config:
    """For a server in this process, on free ports of 127.0.0.1. `login`: callers must also be ALICE.

    `phones`: so many of PHONES may register. `people`: these may register and call, and nobody else may call.
    `secure`: the domain takes TLS and SRTP alone.
    """
    users = [CredentialSettings(username=ALICE.username, password=ALICE.password)] if login else []
    users += [CredentialSettings(username=each.username, password=each.password) for each in people]
    users += [
        CredentialSettings(username=each.username, password=each.password, calls=False) for each in PHONES[:phones]
    ]
    domain = DomainSettings(
        name="acme",
        voice_url=voice_url,
        voice_method=voice_method,
        status_callback_url=status_callback_url,
        status_callback_method=status_callback_method,
        ip_access_control=("127.0.0.0/8",),
        sip_registration=phones > 0 or bool(people),
        credentials=tuple(users),
        secure=secure,
    )
    tls = ("127.0.0.1:0",) if secure else ()
    return Config(
        server=ServerSettings(data_dir=folder / "data", drain_s=5),
        account=AccountSettings(sid=ACCOUNT, auth_token=TOKEN),
        sip=SipSettings(domain_suffix="sip.test", udp=("127.0.0.1:0",), tcp=("127.0.0.1:0",), tls=tls),
        http=HttpSettings(bind="127.0.0.1:0"),
        webhooks=WebhooksSettings(allowed_networks=("127.0.0.0/8",)),
        domains=(domain,),
    )


def toml(folder: Path, base: str, sip_port: int, http_port: int, documents: tuple[str, ...]) -> str:
    """For `offhook serve`: a domain NAME for every document NAME; `acme` is the first one's.

    All PHONES may register with those whose name begins with `phones`.
    """
    names = {"acme": documents[0], **{name: name for name in documents}}
    users = "sip_registration = true\n" + "".join(
        f"""
[[domain.credential]]
username = "{phone.username}"
password = "{phone.password}"
calls = false
"""
        for phone in PHONES
    )
    domains = "".join(
        f"""
[[domain]]
name = "{name}"
voice_url = "{base}/{document}"
status_callback_url = "{base}/status-{document}"
ip_access_control = ["127.0.0.0/8"]
{users if name.startswith("phones") else ""}"""
        for name, document in names.items()
    )
    return f"""
[server]
data_dir = "{folder / "data"}"
[account]
sid = "{ACCOUNT}"
auth_token = "{TOKEN}"
[sip]
domain_suffix = "sip.test"
udp = ["127.0.0.1:{sip_port}"]
tcp = ["127.0.0.1:{sip_port}"]
tls = []
[http]
bind = "127.0.0.1:{http_port}"
[webhooks]
allowed_networks = ["127.0.0.0/8"]
{domains}"""


def serve_command(config: Path) -> list[str]:
    return [sys.executable, "-m", "offhook", "serve", "--config", str(config), "--log-format", "json"]


@attrs.define(eq=False)
class Offhook:
    """`offhook serve`, running."""

    process: trio.Process
    sip: tuple[str, int]
    http: str
    """Base URL."""
    log: Path

    async def status(self) -> str:
        """What /healthz says; empty when nobody answers."""
        try:
            page = await get(f"{self.http}/healthz")
        except Unanswered:
            return ""
        found = re.search(rb'"status":\s*"([a-z]+)"', page.body)
        return found[1].decode() if found else ""

    async def ready(self) -> bool:
        return await self.status() == "ready"

    async def metrics(self, name: str) -> dict[str, float]:
        """Values of one metric by its labels as they are written, `{status="completed"}`; no labels: empty text."""
        page = await get(f"{self.http}/metrics")
        lines = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", page.body.decode(), re.MULTILINE)
        return {labels: float(value) for labels, value in lines}

    async def metric(self, name: str) -> float:
        """Sum over the labels; 0 when it has not been counted yet."""
        return sum((await self.metrics(name)).values())

    def resident_bytes(self) -> int:
        """Memory that the process has in RAM (RSS)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None, status
        return int(found[1]) * 1024


@asynccontextmanager
async def open_offhook(
    folder: Path, base: str, documents: tuple[str, ...], *, grace_s: float = 15.0
) -> AsyncIterator[Offhook]:
    """`offhook serve` in a process of its own, ready; ends with the block."""
    sip_port, http_port = free_port(), free_port()
    write_files(folder, {"offhook.toml": toml(folder, base, sip_port, http_port, documents)})
    log = folder / "offhook.log"
    async with running(serve_command(folder / "offhook.toml"), log, folder=ROOT, grace_s=grace_s) as process:
        offhook = Offhook(process, ("127.0.0.1", sip_port), f"http://127.0.0.1:{http_port}", log)
        await until(offhook.ready, 30, "offhook serve is ready", process)
        yield offhook
