"""The webhook client on real sockets: TLS with its failures, and kept connections that the server ends."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme

from offhook.testing.web import CustomerApp, Raw, twiml
from offhook.transport.network import Address
from offhook.transport.trio_network import TrioNetwork
from offhook.transport.webhook import WebhookClient, WebhookRequest
from offhook.transport.webhook_errors import (
    CertificateDomainWrong,
    CertificateExpired,
    CertificateUntrusted,
    ConnectRefused,
    HttpViolation,
    TlsHandshakeFailed,
    WebhookError,
)

pytestmark = pytest.mark.wire

LOOPBACK = ("127.0.0.0/8", "::1/128")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def server_side(authority: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    until = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC) if expired else None
    since = datetime.datetime(2019, 1, 1, tzinfo=datetime.UTC) if expired else None
    authority.issue_cert(*names, not_before=since, not_after=until).configure_cert(context)
    return context


@asynccontextmanager
async def serving(context: ssl.SSLContext | None, app: CustomerApp | None = None) -> AsyncIterator[Address]:
    if app is None:
        app = CustomerApp()
        app.on("*", twiml("<Hangup/>"))
    with trio.fail_after(20):
        async with app.serving(TrioNetwork(), ("127.0.0.1", 0), tls=context) as address:
            yield address


async def fetch(url: str, ca_file: Path | None) -> bytes:
    async with WebhookClient(TrioNetwork(), allowed_networks=LOOPBACK, ca_file=ca_file) as client:
        return (await client.fetch(WebhookRequest(url))).body


async def test_a_private_authority_is_trusted_beside_the_public_ones(authority: trustme.CA, ca_file: Path) -> None:
    async with serving(server_side(authority, "localhost", "127.0.0.1")) as (_, port):
        assert b"Hangup" in await fetch(f"https://localhost:{port}/", ca_file)
        assert b"Hangup" in await fetch(f"https://127.0.0.1:{port}/", ca_file)


@pytest.mark.parametrize("sni", ["y", "n"])
async def test_each_fault_of_a_certificate_has_its_code(authority: trustme.CA, ca_file: Path, sni: str) -> None:
    cases: list[tuple[ssl.SSLContext, Path | None, type[WebhookError], int]] = [
        (server_side(authority, "elsewhere.example"), ca_file, CertificateDomainWrong, 11235),
        (server_side(authority, "localhost", expired=True), ca_file, CertificateExpired, 11236),
        (server_side(authority, "localhost"), None, CertificateUntrusted, 11237),
    ]
    for context, trusted, kind, code in cases:
        async with serving(context) as (_, port):
            with pytest.raises(kind) as caught:
                await fetch(f"https://localhost:{port}/#sni={sni}", trusted)
            assert (caught.value.code, caught.value.attempts) == (code, 1)


async def test_sni_is_sent_unless_it_is_turned_off(authority: trustme.CA, ca_file: Path) -> None:
    seen: list[str | None] = []
    context = server_side(authority, "localhost")
    context.sni_callback = lambda _sock, name, _context: seen.append(name)
    async with serving(context) as (_, port):
        await fetch(f"https://localhost:{port}/", ca_file)
        await fetch(f"https://localhost:{port}/#sni=n", ca_file)
    assert seen == ["localhost", None]


async def test_garbage_in_the_handshake_is_no_tls(ca_file: Path) -> None:
    async def talk_smtp(stream: trio.SocketStream) -> None:
        await stream.send_all(b"220 mail.example ESMTP ready\r\n")
        await stream.receive_some(4096)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, talk_smtp, listeners)
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises(HttpViolation) as caught, trio.fail_after(10):
            await fetch(f"https://127.0.0.1:{port}/", ca_file)
        assert caught.value.code == 11206
        nursery.cancel_scope.cancel()


async def test_a_server_that_only_speaks_old_tls_fails_the_handshake(authority: trustme.CA, ca_file: Path) -> None:
    context = server_side(authority, "localhost")
    context.set_ciphers("PSK")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(context) as (_, port):
        with pytest.raises(TlsHandshakeFailed) as caught:
            await fetch(f"https://localhost:{port}/", ca_file)
        assert caught.value.code == 11220


async def test_a_kept_connection_that_the_server_closed_is_replaced(authority: trustme.CA, ca_file: Path) -> None:
    app = CustomerApp()
    app.on("/once", Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    app.on("*", twiml("<Hangup/>"))
    client = WebhookClient(TrioNetwork(), allowed_networks=LOOPBACK, ca_file=ca_file)
    async with serving(server_side(authority, "localhost"), app) as (_, port), client:
        for path in ("/once", "/voice", "/once", "/voice"):
            await client.fetch(WebhookRequest(f"https://localhost:{port}{path}#rc=0"))
    assert [asked.path for asked in app.requests] == ["/once", "/voice", "/once", "/voice"]


async def test_cancelled_requests_leave_the_pool_usable_on_real_sockets(authority: trustme.CA, ca_file: Path) -> None:
    app = CustomerApp()
    app.on("/slow", twiml(delay_s=30))
    app.on("*", twiml("<Hangup/>"))
    client = WebhookClient(TrioNetwork(), allowed_networks=LOOPBACK, ca_file=ca_file)
    async with serving(server_side(authority, "localhost"), app) as (_, port), client:
        url = f"https://localhost:{port}"
        for wait_s in (0.01, 0.1):  # in the middle of connecting and shaking hands, and later
            with trio.move_on_after(wait_s):
                async with trio.open_nursery() as nursery:
                    for number in range(100):
                        nursery.start_soon(client.fetch, WebhookRequest(f"{url}/{'slow' if number % 2 else ''}"))
        for _ in range(70):
            assert (await client.fetch(WebhookRequest(url))).status == 200


async def test_a_closed_port_is_refused() -> None:
    async with serving(None) as (_, port):
        pass
    with pytest.raises(ConnectRefused):
        await fetch(f"http://127.0.0.1:{port}/", None)


async def test_a_server_that_hangs_up_in_the_handshake_fails_it(ca_file: Path) -> None:
    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, hang_up, listeners)
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises(TlsHandshakeFailed), trio.fail_after(10):
            await fetch(f"https://127.0.0.1:{port}/", ca_file)
        nursery.cancel_scope.cancel()


def test_a_ca_file_that_is_none_is_told_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        WebhookClient(TrioNetwork(), ca_file=path)
