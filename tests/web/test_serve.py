"""The HTTP service against strangers: whatever comes, it goes on, and so does everything beside it."""

import os
import random
import socket

import pytest
import trio
from starlette.applications import Starlette
from starlette.types import ASGIApp

from offhook.transport.errors import AddressInUse, AddressUnavailable
from offhook.web import serve as service
from offhook.web.serve import serve
from tests.web.website import Site

pytestmark = pytest.mark.wire

UPGRADE = (
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
HOSTILE = {
    "nothing at all": b"",
    "one byte": b"\0",
    "TLS hello": bytes.fromhex("16030100050100000100"),
    "SIP": b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP a\r\n\r\n",
    "line ends": b"\r\n" * 5000,
    "half a request line": b"GET /hea",
    "half a head": GET + b"X: ",
    "wrong version": b"GET / HTTP/9.9\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: b\r\n\r\n",
    "header without colon": GET + b"nonsense\r\n\r\n",
    "NUL in a header": GET + b"X: \0\r\n\r\n",
    "smuggled lengths": GET + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "length and chunks": GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": GET + b"Content-Length: -1\r\n\r\n",
    "huge length": GET + b"Content-Length: 99999999999999999999\r\n\r\n",
    "bad chunk": GET + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "huge chunk": GET + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
    "huge header": GET + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
    "many headers": GET + b"".join(b"X-%d: y\r\n" % number for number in range(20_000)) + b"\r\n",
    "long target": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "target that is no UTF-8": b"GET /%ff%fe\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute target": b"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "upgrade": UPGRADE,
    "upgrade and one byte": UPGRADE + b"\0",
    "upgrade and garbage": UPGRADE + b"\xff" * 100,
    "upgrade with a bad key": UPGRADE.replace(b"dGhl", b"\xff\xff"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2 and garbage": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 200,
    "HTTP/2 settings flood": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" * 500,
    "h2c upgrade": GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: !!\r\n\r\n",
    "pipelined": (GET + b"\r\n") * 200,
    "two requests and garbage": (GET + b"\r\n") * 2 + b"\xfe\xff",
    "expectation": GET + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n",
}


async def throw(address: tuple[str, int], data: bytes, *, abrupt: bool) -> None:
    """Send to the service and leave, in order or with a reset."""
    stream = await trio.open_tcp_stream(*address)
    try:
        with trio.move_on_after(0.2):
            await stream.send_all(data)
            if abrupt:
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            else:
                await stream.send_eof()
                while await stream.receive_some(65536):
                    pass
    except (trio.BrokenResourceError, OSError):
        pass  # thrown out: its right
    finally:
        await trio.aclose_forcefully(stream)


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_bytes_end_nothing_but_their_own_connection(
    site: Site, name: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = 0

    async def count() -> None:
        nonlocal beside
        while True:
            await trio.sleep(0.001)
            beside += 1

    async with site.serving() as client, trio.open_nursery() as nursery:
        nursery.start_soon(count)
        for abrupt in (False, True):
            await throw(site.address, HOSTILE[name], abrupt=abrupt)
            answer = await client.get("/healthz")
            assert answer.status_code == 200
        assert beside > 0
        nursery.cancel_scope.cancel()
    assert "http service crashed" not in capsys.readouterr().out + caplog.text


async def test_random_bytes_after_a_good_beginning_end_nothing(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(20260101)
    starts = [b"", GET, GET + b"\r\n", UPGRADE, HOSTILE["HTTP/2 preface"], GET + b"Transfer-Encoding: chunked\r\n\r\n"]
    async with site.serving() as client:
        for _ in range(60):
            await throw(
                site.address, dice.choice(starts) + dice.randbytes(dice.randrange(300)), abrupt=dice.random() < 0.5
            )
        assert (await client.get("/healthz")).status_code == 200
    assert "http service crashed" not in capsys.readouterr().out


async def test_a_slow_stranger_does_not_hold_up_others_and_is_dropped(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "IDLE_S", 0.2)
    async with site.serving() as client:
        slow = await trio.open_tcp_stream(*site.address)
        with trio.fail_after(5):
            try:
                for byte in GET * 1000:
                    await slow.send_all(bytes([byte]))
                    await trio.sleep(0.01)
                    assert (await client.get("/healthz")).status_code == 200
            except trio.BrokenResourceError:
                pass
        await trio.aclose_forcefully(slow)


async def test_many_idle_connections_leave_room_for_others(site: Site) -> None:
    async with site.serving() as client:
        idle = [await trio.open_tcp_stream(*site.address) for _ in range(200)]
        assert (await client.get("/healthz")).status_code == 200
        for stream in idle:
            await trio.aclose_forcefully(stream)


async def test_a_crash_of_the_server_below_restarts_it_on_the_same_port(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = service.run_once
    runs: list[int] = []

    async def crash_once(app: ASGIApp, descriptor: int, *, task_status: trio.TaskStatus[object]) -> None:
        runs.append(descriptor)
        if len(runs) == 1:
            os.close(descriptor)
            task_status.started()
            raise ZeroDivisionError
        await real(app, descriptor, task_status=task_status)

    monkeypatch.setattr(service, "run_once", crash_once)
    async with site.serving() as client:
        assert (await client.get("/healthz")).status_code == 200
    assert len(runs) == 2


async def test_a_taken_port_is_told_before_anything_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host, port = taken.getsockname()
        with pytest.raises(AddressInUse, match=rf"127\.0\.0\.1:{port}: the port is already taken"):
            await serve(Starlette(), (host, port))


async def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(AddressUnavailable, match=r"192\.0\.2\.1:80"):
        await serve(Starlette(), ("192.0.2.1", 80))


async def test_ipv6_is_served() -> None:
    async with trio.open_nursery() as nursery:
        host, port = await nursery.start(serve, Starlette(), ("::1", 0))
        assert host == "::1"
        stream = await trio.open_tcp_stream(host, port)
        await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()
