"""TLS of a whole server as OpenSSL's own client sees it: the wildcard, the versions, the ciphers; and a request."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import trio

from offhook.actors.messages.events import AlertRaised
from offhook.server.config import (
    AccountSettings,
    Config,
    DomainSettings,
    HttpSettings,
    ServerSettings,
    SipSettings,
    TlsSettings,
)
from offhook.server.server import Parts, Server, open_server

pytestmark = pytest.mark.wire

ACCOUNT = "AC" + "0123456789abcdef" * 2
SECURE = ("ECDHE-RSA-AES128-GCM-SHA256", "AES256-SHA")


@asynccontextmanager
async def server(tmp_path: Path, tls: TlsSettings | None = None, *, http: bool = False) -> AsyncIterator[Server]:
    config = Config(
        server=ServerSettings(data_dir=tmp_path / "data", drain_s=0),
        account=AccountSettings(sid=ACCOUNT, auth_token="token of these tests"),
        sip=SipSettings(domain_suffix="sip.test", udp=("127.0.0.1:0",), tcp=("127.0.0.1:0",), tls=("127.0.0.1:0",)),
        tls=tls or TlsSettings(),
        http=HttpSettings(bind="127.0.0.1:0"),
        domains=(DomainSettings(name="acme", ip_access_control=("127.0.0.0/8",)),),
    )
    async with open_server(config, Parts(http=http)) as running:
        yield running


async def s_client(running: Server, tmp_path: Path, *options: str, name: str = "acme.sip.test") -> str:
    """What `openssl s_client` prints of one connection; it hangs up at once."""
    host, port = running.tree.addresses["tls"][0]
    command = [
        *("openssl", "s_client", "-connect", f"{host}:{port}", "-servername", name),
        *("-CAfile", str(tmp_path / "data" / "tls" / "ca.pem"), "-verify_hostname", name, *options),
    ]
    with trio.fail_after(30):
        done = await trio.run_process(command, stdin=b"Q\n", capture_stdout=True, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode()


async def test_a_client_that_has_our_authority_believes_the_wildcard(tmp_path: Path) -> None:
    async with server(tmp_path) as running:
        said = await s_client(running, tmp_path)
        assert "Verify return code: 0 (ok)" in said
        assert "CN = *.sip.test" in said
        assert "Verification error: " in await s_client(running, tmp_path, name="acme.example.com")


@pytest.mark.parametrize(("option", "version"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
async def test_the_versions_of_today_are_spoken(tmp_path: Path, option: str, version: str) -> None:
    async with server(tmp_path) as running:
        assert re.search(
            rf"New, {re.escape(version)}, Cipher is (?!\(NONE\))", await s_client(running, tmp_path, option)
        )


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
async def test_old_versions_are_refused_and_the_account_of_the_domain_is_told(tmp_path: Path, option: str) -> None:
    async with server(tmp_path) as running, running.events((AlertRaised,)) as events:
        said = await s_client(running, tmp_path, option, "-cipher", "ALL:@SECLEVEL=0")
        assert "Cipher is (NONE)" in said
        assert "protocol version" in said
        with trio.fail_after(10):
            alert = await events.take()
        assert isinstance(alert, AlertRaised)
        assert (alert.code, alert.account) == (32222, ACCOUNT)
        assert alert.domain is not None


@pytest.mark.parametrize(("option", "version"), [("-tls1", "TLSv1"), ("-tls1_1", "TLSv1.1")])
async def test_old_versions_are_spoken_where_the_switch_says_so(tmp_path: Path, option: str, version: str) -> None:
    async with server(tmp_path, TlsSettings(allow_deprecated=True)) as running:
        said = await s_client(running, tmp_path, option, "-cipher", "ALL:@SECLEVEL=0")
        assert re.search(rf"Protocol *: {re.escape(version)}\n", said)
        assert "Cipher is (NONE)" not in said


@pytest.mark.parametrize("cipher", SECURE)
async def test_the_ciphers_of_the_list_are_spoken(tmp_path: Path, cipher: str) -> None:
    async with server(tmp_path) as running:
        assert f"Cipher is {cipher}" in await s_client(running, tmp_path, "-tls1_2", "-cipher", cipher)


async def test_others_are_not_nor_those_that_a_configuration_leaves_out(tmp_path: Path) -> None:
    async with server(tmp_path, TlsSettings(ciphers=SECURE[:1])) as running:
        for cipher in ("ECDHE-RSA-CHACHA20-POLY1305", SECURE[1]):
            assert "Cipher is (NONE)" in await s_client(running, tmp_path, "-tls1_2", "-cipher", cipher)


async def test_a_request_over_tls_is_answered_on_its_connection(tmp_path: Path) -> None:
    request = (
        "OPTIONS sip:acme.sip.test SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKa;rport\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:a@b.test>;tag=1\r\nTo: <sip:acme.sip.test>\r\nCall-ID: c\r\n"
        "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    async with server(tmp_path) as running:
        context = ssl.create_default_context(cafile=str(tmp_path / "data" / "tls" / "ca.pem"))
        host, port = running.tree.addresses["tls"][0]
        stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=context)
        with trio.fail_after(20):
            await stream.send_all(request.encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += await stream.receive_some()
        await trio.aclose_forcefully(stream)
    assert answer.startswith(b"SIP/2.0 200 ")
    assert b"Via: SIP/2.0/TLS 127.0.0.1:5061" in answer


async def test_phones_fetch_the_authority_that_the_handshake_needs(tmp_path: Path) -> None:
    async with server(tmp_path, http=True) as running:
        assert running.http_address is not None
        host, port = running.http_address
        async with httpx2.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as client:
            answer = await client.get("/ca.pem")
            metrics = (await client.get("/metrics")).text
        assert answer.status_code == 200
        assert answer.content == (tmp_path / "data" / "tls" / "ca.pem").read_bytes()
        assert re.search(r"^offhook_certificate_expires_in_seconds 3\.\d+e\+07$", metrics, re.MULTILINE)


async def test_a_certificate_of_the_operators_leaves_no_authority_to_fetch(tmp_path: Path) -> None:
    async with server(tmp_path):
        pass
    folder = tmp_path / "data" / "tls"
    given = TlsSettings(certificate=folder / "server.pem", private_key=folder / "server.key")
    async with server(tmp_path, given, http=True) as running:
        assert running.http_address is not None
        host, port = running.http_address
        async with httpx2.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as client:
            assert (await client.get("/ca.pem")).status_code == 404
