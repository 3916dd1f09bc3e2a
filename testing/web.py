"""`CustomerApp`: the web application of a customer, scripted, good or evil, on a fake network or on real sockets.

    app = CustomerApp()
    app.on("/voice", twiml("<Say>Hello</Say>"))
    app.on("/slow", Answer(b"<Response/>", delay_s=20))
    async with app.serving(network.host("198.51.100.7"), ("198.51.100.7", 80)):
        ...
    assert app.requests[0].params["CallSid"] == "CA…"

It reads HTTP with code of its own, so that the client is not judged by the library it is made of.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias
from urllib.parse import parse_qsl

import attrs
import trio

from ..transport.network import Address, Listener, Network

HEAD_MAX = 64 * 1024
BODY_MAX = 1024 * 1024


@attrs.frozen
class Asked:
    """A request as the application saw it."""

    method: str
    target: str
    """Path and query, as they stood in the request line."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in order."""
    body: bytes
    at: float
    """trio seconds at which it was complete."""
    connection: int
    """Which of the application's connections it came on, counted from 1."""
    scheme: str = "http"

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def url(self) -> str:
        """The URL as a web framework rebuilds it, from the Host header."""
        return f"{self.scheme}://{self.header('host') or ''}{self.target}"

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode("utf-8"), keep_blank_values=True)

    @property
    def params(self) -> dict[str, str]:
        """Query and form together; the last of a repeated name."""
        return dict([*self.query, *self.form])

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name.lower()), None)


@attrs.frozen
class Answer:
    """An answer in order, after `delay_s` seconds."""

    body: bytes = b""
    status: int = 200
    content_type: str | None = "text/xml"
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    close: bool = False
    """Whether the connection is closed after it."""


@attrs.frozen
class Raw:
    """These bytes and nothing else, then the connection is closed."""

    data: bytes
    delay_s: float = 0.0


@attrs.frozen
class Endless:
    """A good head and a body without end: `piece` again and again, `every_s` apart."""

    piece: bytes = b" " * 4096
    every_s: float = 0.0
    content_type: str = "text/xml"
    chunked: bool = True


@attrs.frozen
class Silent:
    """Takes the request and never answers."""


@attrs.frozen
class HangUp:
    """Closes the connection instead of answering."""


Behaviour: TypeAlias = Answer | Raw | Endless | Silent | HangUp
Script: TypeAlias = Behaviour | Callable[[Asked], Behaviour]

NOT_FOUND = Answer(b"no such page", 404, "text/plain")


def twiml(verbs: str = "", *, delay_s: float = 0.0, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A document holding `verbs`."""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>'
    return Answer(body.encode(), delay_s=delay_s, headers=headers)


def redirect(location: str, status: int = 302) -> Answer:
    return Answer(b"", status, None, (("Location", location),))


@attrs.define(eq=False)
class CustomerApp:
    """A scripted web server. Everything is recorded in `requests`."""

    requests: list[Asked] = attrs.field(factory=list, init=False)
    connections: int = attrs.field(default=0, init=False)
    """Accepted so far."""
    open_connections: int = attrs.field(default=0, init=False)
    _scripts: dict[str, list[Script]] = attrs.field(factory=dict, init=False)
    _asked: trio.Event = attrs.field(factory=trio.Event, init=False)

    def on(self, path: str, *scripts: Script) -> None:
        """What `path` answers: the scripts one after the other, the last one again and again. `*` is any path."""
        if not scripts:
            raise ValueError("a path needs an answer")
        self._scripts[path] = list(scripts)

    def asked(self, path: str) -> list[Asked]:
        """The requests for one path."""
        return [request for request in self.requests if request.path == path]

    async def wait_for(self, count: int, path: str | None = None) -> list[Asked]:
        """The requests (for `path`), once there are at least `count` of them."""
        while True:
            seen = self.requests if path is None else self.asked(path)
            if len(seen) >= count:
                return list(seen)
            await self._asked.wait()

    @asynccontextmanager
    async def serving(
        self, network: Network, address: Address, *, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[Address]:
        """Serve while the block runs; gives the bound address (port 0 takes a free one)."""
        listener = await network.listen_tcp(address)
        async with listener, trio.open_nursery() as nursery:
            nursery.start_soon(self._accept, listener, tls, nursery)
            try:
                yield listener.local
            finally:
                nursery.cancel_scope.cancel()

    async def _accept(self, listener: Listener, tls: ssl.SSLContext | None, nursery: trio.Nursery) -> None:
        while True:
            stream = await listener.accept()
            nursery.start_soon(self._connection, stream, tls)

    async def _connection(self, stream: trio.abc.Stream, tls: ssl.SSLContext | None) -> None:
        self.connections += 1
        self.open_connections += 1
        number = self.connections
        try:
            if tls is not None:
                stream = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
            reader = _Reader(stream)
            while (asked := await reader.request(number, "https" if tls is not None else "http")) is not None:
                self.requests.append(asked)
                self._asked.set()
                self._asked = trio.Event()
                if not await perform(self._behaviour(asked), asked, stream):
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client went away, which clients do
        finally:
            self.open_connections -= 1
            await trio.aclose_forcefully(stream)

    def _behaviour(self, asked: Asked) -> Behaviour:
        scripts = self._scripts.get(asked.path) or self._scripts.get("*")
        if scripts is None:
            return NOT_FOUND
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        return script(asked) if callable(script) else script


async def perform(behaviour: Behaviour, asked: Asked, stream: trio.abc.Stream) -> bool:
    """Act on one request; whether the connection can take another."""
    match behaviour:
        case Answer():
            await trio.sleep(behaviour.delay_s)
            await stream.send_all(rendered(behaviour, asked.method))
            return not behaviour.close and asked.header("connection") != "close"
        case Raw():
            await trio.sleep(behaviour.delay_s)
            await stream.send_all(behaviour.data)
            return False
        case Endless():
            how = "Transfer-Encoding: chunked\r\n" if behaviour.chunked else ""
            head = f"HTTP/1.1 200 OK\r\nContent-Type: {behaviour.content_type}\r\n{how}\r\n"
            await stream.send_all(head.encode())
            piece = behaviour.piece
            if behaviour.chunked:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            while True:
                await stream.send_all(piece)
                await trio.sleep(behaviour.every_s)
        case Silent():
            # Until the client gives up; a pipelined request would be read and dropped here.
            while await stream.receive_some(4096):
                pass
            return False
        case HangUp():
            return False


def rendered(answer: Answer, method: str = "GET") -> bytes:
    """An answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {answer.status} Scripted"]
    if answer.content_type is not None:
        lines.append(f"Content-Type: {answer.content_type}")
    if answer.status not in (204, 304):
        lines.append(f"Content-Length: {len(answer.body)}")
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if answer.close:
        lines.append("Connection: close")
    body = b"" if method == "HEAD" or answer.status in (204, 304) else answer.body
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@attrs.define(eq=False)
class _Reader:
    """Reads requests of one connection."""

    stream: trio.abc.Stream
    _buffer: bytearray = attrs.field(factory=bytearray)

    async def request(self, connection: int, scheme: str) -> Asked | None:
        """The next request; None when the client has nothing more to say, or does not speak HTTP."""
        end = -1
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > HEAD_MAX or not await self._more():
                return None
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        parts = lines[0].split(" ")
        if len(parts) != 3 or parts[2] != "HTTP/1.1":
            return None
        headers = tuple(_header(line) for line in lines[1:])
        length = int(_first(headers).get("content-length", "0"))
        if length > BODY_MAX:
            return None
        while len(self._buffer) < length:
            if not await self._more():
                return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return Asked(parts[0], parts[1], headers, body, trio.current_time(), connection, scheme)

    async def _more(self) -> bool:
        data = await self.stream.receive_some(65_536)
        self._buffer += data
        return bool(data)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _first(headers: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return dict(reversed(headers))
