"""`offhook serve` as a process of its own: start, signals, exit statuses."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import trio

pytestmark = pytest.mark.wire

CONFIG = """
[server]
drain_s = 5
[account]
sid = "AC00000000000000000000000000000000"
auth_token = "a-token-that-no-log-line-has"
[sip]
domain_suffix = "sip.example.test"
udp = ["127.0.0.1:{sip}"]
tcp = ["127.0.0.1:0"]
tls = []
[http]
bind = "127.0.0.1:{http}"
[[domain]]
name = "acme"
ip_access_control = ["127.0.0.0/8"]
[[domain.credential]]
username = "alice"
password = "a-password-that-no-log-line-has"
"""


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def configured(tmp_path: Path, *, sip: int = 0, http: int = 0) -> Path:
    path = tmp_path / "offhook.toml"
    path.write_text(CONFIG.format(sip=sip, http=http))
    return path


def command(path: Path) -> list[str]:
    return [sys.executable, "-m", "offhook", "serve", "--config", str(path), "--log-format", "json"]


@asynccontextmanager
async def serving(tmp_path: Path) -> AsyncIterator[tuple[trio.Process, httpx2.AsyncClient, list[str]]]:
    """The process once it is ready, a client of its HTTP surface, and its log lines so far."""
    port = free_port()
    lines: list[str] = []
    process = await trio.lowlevel.open_process(command(configured(tmp_path, http=port)), stderr=subprocess.PIPE)
    assert process.stderr is not None
    stderr = process.stderr

    async def read() -> None:
        text = ""
        async for chunk in stderr:
            *whole, text = (text + chunk.decode()).split("\n")
            lines.extend(whole)

    async with (
        trio.open_nursery() as nursery,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        nursery.start_soon(read)
        try:
            with trio.fail_after(30):
                while not await is_ready(client):
                    assert process.poll() is None, lines
                    await trio.sleep(0.05)
            yield process, client, lines
        finally:
            if process.poll() is None:
                process.kill()
            await process.wait()


async def is_ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx2.HTTPError:
        return False


async def ended(process: trio.Process) -> int:
    with trio.fail_after(20):
        return await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_an_idle_server_in_order(tmp_path: Path, number: signal.Signals) -> None:
    async with serving(tmp_path) as (process, client, lines):
        listeners = (await client.get("/healthz")).json()["listeners"]
        assert sorted(name.split()[0] for name in listeners) == ["tcp", "udp"]
        metrics = (await client.get("/metrics")).text
        assert "offhook_calls_live 0.0" in metrics
        process.send_signal(number)
        assert await ended(process) == 0
    assert all(isinstance(json.loads(line), dict) for line in lines)
    text = "\n".join(lines)
    assert "a-token-that-no-log-line-has" not in text
    assert "a-password-that-no-log-line-has" not in text


async def test_a_new_account_is_told_by_place_and_never_by_token(tmp_path: Path) -> None:
    path = configured(tmp_path, http=(port := free_port()))
    path.write_text(re.sub(r"(?m)^(sid|auth_token) = .*$", "", path.read_text()))
    process = await trio.lowlevel.open_process(command(path), stderr=subprocess.PIPE)
    assert process.stderr is not None
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        with trio.fail_after(30):
            while not await is_ready(client):
                assert process.poll() is None
                await trio.sleep(0.05)
    process.terminate()
    text = b"".join([chunk async for chunk in process.stderr]).decode()
    assert await ended(process) == 0
    kept = tmp_path / "offhook-data" / "account.json"
    assert str(kept) in text
    assert json.loads(kept.read_text())["auth_token"] not in text


@pytest.mark.parametrize("which", ["sip", "http"])
def test_a_taken_port_is_one_line_and_status_1(tmp_path: Path, which: str) -> None:
    kind = socket.SOCK_DGRAM if which == "sip" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        path = configured(tmp_path, **{which: port})
        done = subprocess.run(command(path), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    plain = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(plain) == 1
    assert re.fullmatch(rf"offhook: cannot listen on \w+ 127\.0\.0\.1:{port}: .* taken .*", plain[0])


def test_nothing_is_bound_or_made_when_the_configuration_is_wrong(tmp_path: Path) -> None:
    path = configured(tmp_path)
    path.write_text(path.read_text() + "\n[sips]\n")
    done = subprocess.run(command(path), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"offhook: {path}: sips: no such table")
    assert list(tmp_path.iterdir()) == [path]
