"""The callers of the TLS benchmark: calls at a rate over UDP, one TCP or TLS connection, or a TLS connection each.

    python -m benchmarks.calling KIND PORT RATE COUNT [CA_FILE]

KIND is `udp`, `tcp`, `tls` or `tls-each`. A call: INVITE, 200, ACK, BYE from the other side, 200. Calls COUNT times,
RATE a second whatever the server does, and prints a line of JSON. Nothing is sent again: on loopback only a server
that cannot keep up loses anything, and that is a failure.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import ssl
import sys
import time
from collections import Counter
from typing import cast

import attrs

HOST = "127.0.0.1"
GIVE_UP_S = 10.0
KINDS = ("udp", "tcp", "tls", "tls-each")
SDP = (
    "v=0\r\no=caller 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0 8 101\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
)
CALL_ID = re.compile(rb"^Call-ID: *(\d+)@", re.MULTILINE | re.IGNORECASE)
CONTACT = re.compile(rb"^Contact: *<([^>]+)>", re.MULTILINE | re.IGNORECASE)
LENGTH = re.compile(rb"^Content-Length: *(\d+)", re.MULTILINE | re.IGNORECASE)
COPIED = re.compile(rb"^(?:Via|From|To|Call-ID|CSeq):[^\r]*\r\n", re.MULTILINE | re.IGNORECASE)
TO = re.compile(rb"^To:[^\r]*\r\n", re.MULTILINE | re.IGNORECASE)


@attrs.define(eq=False)
class Calls:
    """All calls, by number."""

    transport: str
    """As a Via names it."""
    began: dict[int, float] = attrs.field(factory=dict)
    over: dict[int, asyncio.Event] = attrs.field(factory=dict)
    setup: list[float] = attrs.field(factory=list)
    failures: Counter[str] = attrs.field(factory=Counter)
    successful: int = 0
    last: float = 0.0

    def head(self, method: str, uri: str, number: int, to: str, port: int) -> str:
        param = "" if self.transport == "UDP" else f";transport={self.transport.lower()}"
        branch = f"z9hG4bK{method}{number}"
        return (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{self.transport} {HOST}:{port};branch={branch};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:caller@{HOST}>;tag=t{number}\r\n{to}Call-ID: {number}@{HOST}\r\n"
            f"CSeq: 1 {method}\r\nContact: <sip:caller@{HOST}:{port}{param}>\r\n"
        )

    def invite(self, number: int, port: int, server_port: int) -> bytes:
        uri = f"sip:bench@{HOST}:{server_port}"
        self.began[number] = time.perf_counter()
        head = self.head("INVITE", uri, number, f"To: <{uri}>\r\n", port)
        return f"{head}Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}".encode()

    def take(self, message: bytes, port: int) -> bytes:
        """What a message is answered with; empty: nothing."""
        found = CALL_ID.search(message)
        if found is None:
            return b""
        number = int(found[1])
        if message.startswith(b"BYE "):
            if number in self.began:
                del self.began[number]
                self.successful += 1
                self.last = time.perf_counter()
                self._end(number)
            return b"SIP/2.0 200 OK\r\n" + b"".join(COPIED.findall(message)) + b"Content-Length: 0\r\n\r\n"
        status = message[8:11]
        if status == b"200":
            self.setup.append(time.perf_counter() - self.began.get(number, time.perf_counter()))
            contact, to = CONTACT.search(message), TO.search(message)
            assert contact is not None
            assert to is not None
            return (
                self.head("ACK", contact[1].decode(), number, to[0].decode(), port) + "Content-Length: 0\r\n\r\n"
            ).encode()
        if status >= b"300" and self.began.pop(number, None) is not None:
            self.failures[status.decode()] += 1
            self._end(number)
        return b""

    def _end(self, number: int) -> None:
        over = self.over.get(number)
        if over is not None:
            over.set()


class Datagrams(asyncio.DatagramProtocol):
    """One UDP socket of all calls."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # it is one, but no subclass of that class
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: object) -> None:
        answer = self.calls.take(data, self.port)
        if answer:
            self.transport.sendto(answer)

    def send(self, data: bytes) -> None:
        self.transport.sendto(data)


class Bytes(asyncio.Protocol):
    """One connection, of all calls or of one."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.port: int = transport.get_extra_info("sockname")[1]

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.data, 0, end + 2)
            whole = end + 4 + (int(length[1]) if length is not None else 0)
            if len(self.data) < whole:
                return
            message, self.data = self.data[:whole], self.data[whole:]
            answer = self.calls.take(message, self.port)
            if answer:
                self.send(answer)

    def send(self, data: bytes) -> None:
        self.transport.write(data)


async def run(kind: str, port: int, rate: float, count: int, ca_file: str | None) -> dict[str, object]:
    calls = Calls("TLS" if kind.startswith("tls") else kind.upper())
    context = ssl.create_default_context(cafile=ca_file) if calls.transport == "TLS" else None
    loop = asyncio.get_running_loop()

    async def connect() -> Bytes:
        return (await loop.create_connection(lambda: Bytes(calls), HOST, port, ssl=context))[1]

    async def call_alone(number: int) -> None:
        over = calls.over[number] = asyncio.Event()
        try:
            async with asyncio.timeout(GIVE_UP_S):
                line = await connect()
                line.send(calls.invite(number, line.port, port))
                await over.wait()
            await asyncio.sleep(0.1)  # the last answer is on its way
            line.transport.close()
        except (OSError, TimeoutError) as error:
            calls.began.pop(number, None)
            calls.failures[type(error).__name__] += 1

    line: Datagrams | Bytes | None = None
    if kind == "udp":
        _, line = await loop.create_datagram_endpoint(lambda: Datagrams(calls), (HOST, 0), (HOST, port))
    elif kind != "tls-each":
        line = await connect()
    gc.freeze()
    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
            if line is None:
                group.create_task(call_alone(number))
            else:
                line.send(calls.invite(number, line.port, port))
    until = time.perf_counter() + GIVE_UP_S
    while calls.began and time.perf_counter() < until:  # noqa: ASYNC110 - cheaper than an event a call
        await asyncio.sleep(0.02)
    calls.failures["timeout"] += len(calls.began)
    calls.setup.sort()
    return {
        "successful": calls.successful,
        "failed": count - calls.successful,
        "failures": {what: times for what, times in calls.failures.items() if times},
        "rate": round(calls.successful / (calls.last - start), 1) if calls.successful else 0.0,
        "setup_p50_ms": round(calls.setup[len(calls.setup) // 2] * 1000, 2) if calls.setup else None,
    }


if __name__ == "__main__":
    asked, to_port, at_rate, times, *rest = sys.argv[1:]
    print(json.dumps(asyncio.run(run(asked, int(to_port), float(at_rate), int(times), rest[0] if rest else None))))
