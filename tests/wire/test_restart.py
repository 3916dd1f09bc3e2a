"""Servers that end and begin again on the same folder and ports: what they remember, in real files and sockets."""

from __future__ import annotations

import datetime
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import httpx2
import pytest
import trio

from offhook.actors.mailbox import Reply
from offhook.actors.messages.registrar import Locate, Located, RegistrarMessage
from offhook.server.config import Config, CredentialSettings, DomainSettings, HttpSettings, ServerSettings, SipSettings
from offhook.server.server import DATABASE, Server, open_server
from offhook.sip.bindings import Binding
from offhook.store.records import CallRecord, Heartbeat
from offhook.store.sql import open_sqlite
from offhook.testing.phone import Phone, open_phone
from offhook.transport.flow import Flow
from offhook.transport.trio_network import TrioNetwork

pytestmark = pytest.mark.wire

SUFFIX = "sip.example.test"
HOST = f"acme.{SUFFIX}"
ALICE = f"sip:alice@{HOST}"
PASSWORD = "Secret-Passw0rd"
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


@attrs.define(eq=False)
class Clock:
    """Wall time that a test moves on."""

    later_s: float = 0.0

    def __call__(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.later_s)


def free_port() -> int:
    """A port that was free for TCP and UDP a moment ago."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            port: int = stream.getsockname()[1]
            try:
                datagrams.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def config(folder: Path, port: int, *, udp: str = "127.0.0.1", clock: Clock | None = None) -> Config:
    return Config(
        server=ServerSettings(data_dir=folder / "data", drain_s=1),
        sip=SipSettings(domain_suffix=SUFFIX, udp=(f"{udp}:{port}",), tcp=(f"127.0.0.1:{port}",), tls=()),
        http=HttpSettings(bind="127.0.0.1:0"),
        domains=(
            DomainSettings(
                name="acme",
                sip_registration=True,
                credentials=(CredentialSettings(username="alice", password=PASSWORD),),
            ),
        ),
        now_utc=clock or Clock(),
    )


async def bindings(server: Server) -> tuple[Binding, ...]:
    def question(reply: Reply[Located]) -> RegistrarMessage:
        return Locate(ALICE, reply)

    return (await server.tree.services.registrar.ask(question, 5.0)).contacts


async def register(phone: Phone, port: int, transport: str = "udp") -> None:
    via = f"sip:127.0.0.1:{port}"
    line = await phone.register(HOST, username="alice", password=PASSWORD, via=via, transport=transport)
    assert line.status == 200


async def listed(phone: Phone, port: int) -> dict[str, int]:
    """What the server lists when the phone asks: seconds left by URI."""
    via = f"sip:127.0.0.1:{port}"
    line = await phone.register(HOST, username="alice", password=PASSWORD, via=via, contact="", expires=None)
    return line.bindings


@asynccontextmanager
async def phone() -> AsyncIterator[Phone]:
    with trio.fail_after(30):
        async with open_phone(TrioNetwork(), "127.0.0.1", name="alice") as phone:
            yield phone


@pytest.mark.parametrize("udp", ["127.0.0.1", "0.0.0.0"])
async def test_a_registration_over_udp_outlives_the_server_and_one_over_tcp_does_not(tmp_path: Path, udp: str) -> None:
    port, clock = free_port(), Clock()
    async with phone() as alice:
        async with open_server(config(tmp_path, port, udp=udp, clock=clock)) as server:
            await register(alice, port)
            await register(alice, port, transport="tcp")
            assert len(await bindings(server)) == 2
        clock.later_s = 600
        async with open_server(config(tmp_path, port, udp=udp, clock=clock)) as server:
            [binding] = await bindings(server)
            assert 2980 < binding.seconds_left(trio.current_time()) <= 3000
            assert isinstance(binding.flow, Flow)
            assert (binding.flow.transport, binding.flow.local) == ("UDP", ("127.0.0.1", port))
            [(uri, left)] = (await listed(alice, port)).items()
            assert (uri, 2980 < left <= 3000) == (str(binding.contact.uri), True)
        clock.later_s = 3700
        async with open_server(config(tmp_path, port, udp=udp, clock=clock)) as server:
            assert await bindings(server) == ()
    async with open_sqlite(tmp_path / "data" / DATABASE) as store:
        assert await store.bindings() == []


async def test_a_restored_phone_is_sent_to_from_the_port_it_registered_at(tmp_path: Path) -> None:
    port = free_port()
    async with phone() as alice:
        async with open_server(config(tmp_path, port)):
            await register(alice, port)
        async with open_server(config(tmp_path, port)) as server:
            [binding] = await bindings(server)
            assert isinstance(binding.flow, Flow)
            with socket.socket(type=socket.SOCK_DGRAM) as ear:
                ear.bind(("127.0.0.1", 0))
                attrs.evolve(binding.flow, remote=ear.getsockname()).send(b"INVITE")
                _, source = await trio.to_thread.run_sync(ear.recvfrom, 100)
            assert source == ("127.0.0.1", port)
            assert binding.flow.remote[1] == binding.contact.uri.port


async def test_a_registration_at_a_port_that_is_not_served_any_more_is_gone(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    async with phone() as alice:
        async with open_server(config(tmp_path, first)):
            await register(alice, first)
        async with open_server(config(tmp_path, second)) as server:
            assert await bindings(server) == ()


async def test_calls_of_a_process_that_was_killed_have_failed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    record = CallRecord(
        sid="CA1",
        account_sid="AC1",
        direction="inbound",
        from_="a",
        to="b",
        status="in-progress",
        started_at=NOON,
        answered_at=NOON,
    )
    async with open_sqlite(tmp_path / "data" / DATABASE) as store:
        await store.write([record, Heartbeat(NOON + datetime.timedelta(seconds=90))])
    async with open_server(config(tmp_path, free_port())) as server:
        found = await server.repository.call("CA1")
        assert found is not None
        assert (found.status, found.duration_s) == ("failed", 90)
        assert found.ended_at == NOON + datetime.timedelta(seconds=90)


# --- offhook serve, killed -----------------------------------------------------------------------------------------


def command(folder: Path, port: int, http: int) -> list[str]:
    path = folder / "offhook.toml"
    path.write_text(f"""
[server]
data_dir = "data"
[sip]
domain_suffix = "{SUFFIX}"
udp = ["127.0.0.1:{port}"]
tcp = []
tls = []
[http]
bind = "127.0.0.1:{http}"
[[domain]]
name = "acme"
sip_registration = true
[[domain.credential]]
username = "alice"
password = "{PASSWORD}"
""")
    return [sys.executable, "-m", "offhook", "serve", "--config", str(path), "--log-format", "json"]


@asynccontextmanager
async def serving(folder: Path, port: int) -> AsyncIterator[trio.Process]:
    """The process once it is ready; killed at the end."""
    http = free_port()
    process = await trio.lowlevel.open_process(command(folder, port, http), stderr=subprocess.DEVNULL)
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{http}", trust_env=False) as client:
            while True:
                try:
                    if (await client.get("/healthz")).status_code == 200:
                        break
                except httpx2.HTTPError:
                    assert process.poll() is None
                await trio.sleep(0.05)
        yield process
    finally:
        process.kill()
        await process.wait()


async def test_a_killed_server_still_knows_who_had_registered_a_second_before(tmp_path: Path) -> None:
    port = free_port()
    async with phone() as alice:
        async with serving(tmp_path, port):
            await register(alice, port)
            await trio.sleep(1)  # what `docs/operating.md` promises
        async with serving(tmp_path, port):
            [left] = (await listed(alice, port)).values()
            assert 3590 < left <= 3600


async def test_a_second_server_on_the_same_folder_is_one_line_and_status_1(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with serving(tmp_path, free_port()) as process:
            second = await trio.run_process(
                command(tmp_path, free_port(), free_port()), capture_stderr=True, check=False
            )
    assert second.returncode == 1
    assert plain(second.stderr) == [
        f"offhook: {tmp_path / 'data'} is in use by process {process.pid}: end that server, or set another "
        "server.data_dir"
    ]


def test_a_damaged_database_is_one_line_and_status_1(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / DATABASE
    path.write_bytes(b"no database at all" * 1000)
    done = subprocess.run(command(tmp_path, free_port(), free_port()), capture_output=True, timeout=30, check=False)
    assert done.returncode == 1
    assert plain(done.stderr) == [
        f"offhook: database {path}: it is damaged (file is not a database); restore a backup, or move it away to begin "
        "with an empty one"
    ]


def plain(stderr: bytes) -> list[str]:
    """The lines that are no log lines."""
    return [line for line in stderr.decode().splitlines() if not _is_json(line)]


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
