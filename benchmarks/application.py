"""The customer's web application of the benchmarks: as little HTTP as can be, so that the machine is the server's.

    python -m benchmarks.application PORT

Answers every request on a kept connection: /hangup, /play, /pause and /dial/SIP_PORT with a document, /tone.wav with a
file.
"""

from __future__ import annotations

import asyncio
import io
import math
import struct
import sys
import wave

TONE_S = 10
CLIP_LOOPS = 0
"""`loop="0"`: for ever."""


def tone() -> bytes:
    """A WAV file: 10 s of 440 Hz, 8 kHz, 16 bits, mono."""
    samples = [round(8000 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(TONE_S * 8000)]
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 8000, len(samples), "NONE", ""))
        out.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return file.getvalue()


def reply(content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def document(verbs: str) -> bytes:
    return reply("text/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n<Response>{verbs}</Response>'.encode())


REPLIES = {
    b"/hangup": document("<Hangup/>"),
    b"/play": document(f'<Play loop="{CLIP_LOOPS}">/tone.wav</Play>'),
    b"/pause": document('<Pause length="3600"/>'),
    b"/tone.wav": reply("audio/wav", tone()),
}
DIAL = b"/dial/"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def dial(port: str) -> bytes:
    """Calls somebody at 127.0.0.1; as through a B2BUA, the caller is answered when he is."""
    return document(f'<Dial answerOnBridge="true"><Sip>sip:callee@127.0.0.1:{port}</Sip></Dial>')


def reply_to(target: bytes) -> bytes:
    if target.startswith(DIAL):
        return dial(target.removeprefix(DIAL).decode())
    return REPLIES.get(target, NOT_FOUND)


class Connection(asyncio.Protocol):
    """Reads requests one after the other; a body is skipped by its Content-Length."""

    def __init__(self) -> None:
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end]
            length = 0
            for line in head.split(b"\r\n")[1:]:
                if line[:15].lower() == b"content-length:":
                    length = int(line[15:])
            if len(self._data) < end + 4 + length:
                return
            self._data = self._data[end + 4 + length :]
            target = head.split(b" ", 2)[1].partition(b"?")[0]
            if self._transport is not None:
                self._transport.write(reply_to(target))


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
