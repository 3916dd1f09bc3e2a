"""The phones of the relay benchmark: sets calls up through a server, talks both ways in all of them, and listens.

    python -m benchmarks.relaying offhook|rtpengine PORT FAR_PORT CALLS SECONDS PID

With offhook it calls 127.0.0.1:PORT and is called back on FAR_PORT, whose answer connects the two; rtpengine is told of
both phones by its control protocol. Talking and timing are the same for both (phones.py). Prints a line of JSON; the
CPU in it is that of the processes of PID while all calls talk.
"""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Sequence

import attrs

from offhook.sip.build import request, respond
from offhook.sip.message import Request, Response
from offhook.sip.parse import parse_datagram
from offhook.sip.render import render
from offhook.sip.via import Via

from . import ng
from .phones import HOST, Phone, at_percent, phones, talk
from .processes import Failed, usage

PATIENCE_S = 5.0
WARM_UP_S = 2.0
_AUDIO = re.compile(r"^m=audio (\d+) ", re.MULTILINE)


def description(port: int) -> str:
    """A session description of PCMU at this port."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    )


def audio_port(sdp: str) -> int:
    match = _AUDIO.search(sdp)
    if match is None:
        raise Failed(f"no audio in {sdp!r}")
    return int(match[1])


# ------------------------------------------------------------------------------------------------ through offhook


class Line:
    """One SIP socket; everything on it happens in turn."""

    def __init__(self, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE_S)
        self.socket.bind((HOST, port))
        self.port = int(self.socket.getsockname()[1])

    def send(self, message: Request | Response, to: tuple[str, int]) -> None:
        self.socket.sendto(render(message), to)

    def request(self, method: str) -> tuple[Request, tuple[str, int]]:
        """The next request of this method."""
        while True:
            data, source = self.socket.recvfrom(65_536)
            message = parse_datagram(data)
            if isinstance(message, Request) and message.method == method:
                return message, source

    def final(self, call_id: str) -> Response:
        """The final answer to an INVITE of this call."""
        while True:
            message = parse_datagram(self.socket.recv(65_536))
            if isinstance(message, Response) and message.call_id == call_id and message.status >= 200:
                if message.status != 200:
                    raise Failed(f"call refused: {message.status} {message.reason}")
                return message


@attrs.frozen
class Call:
    """The calling side of one call."""

    line: Line
    server: tuple[str, int]
    number: int

    @property
    def call_id(self) -> str:
        return f"{self.number}-{self.line.port}@{HOST}"

    def ask(self, method: str, uri: str, to: str, body: str = "") -> None:
        """Send a request of the first transaction: the INVITE or its ACK."""
        port = self.line.port
        own = f"<sip:caller@{HOST}:{port}>"
        message = request(
            method,
            uri,
            via=Via.parse(f"SIP/2.0/UDP {HOST}:{port};rport;branch=z9hG4bK{method}{self.number}"),
            from_=f"{own};tag=t{self.number}",
            to=to,
            call_id=self.call_id,
            cseq=1,
            contact=own,
            body=body.encode(),
            content_type="application/sdp" if body else None,
        )
        self.line.send(message, self.server)


def connect_by_sip(far: Sequence[Phone], port: int, far_port: int) -> None:
    """Call after call: the even phones call, the odd ones are called."""
    line, callee = Line(), Line(far_port)
    for number in range(0, len(far), 2):
        caller, called = far[number : number + 2]
        call = Call(line, (HOST, port), number)
        uri = f"sip:bench@{HOST}:{port}"
        call.ask("INVITE", uri, f"<{uri}>", description(caller.port))
        invite, source = callee.request("INVITE")
        answer = respond(
            invite,
            200,
            to_tag=f"far{number}",
            headers=[("Contact", f"<sip:callee@{HOST}:{far_port}>")],
            body=description(called.port).encode(),
            content_type="application/sdp",
        )
        callee.send(answer, source)
        callee.request("ACK")
        answered = line.final(call.call_id)
        call.ask("ACK", str(answered.contacts[0].uri), str(answered.to))
        caller.leg = (HOST, audio_port(answered.body.decode()))
        called.leg = (HOST, audio_port(invite.body.decode()))


# ---------------------------------------------------------------------------------------------- through rtpengine


def connect_by_ng(far: Sequence[Phone], port: int) -> None:
    """Offer and answer of each call."""
    control = ng.Control(port)
    for number in range(0, len(far), 2):
        caller, called = far[number : number + 2]
        names = {"call_id": str(number), "from_tag": "near"}
        same = {"ICE": "remove", "replace": ["origin"]}
        offered = control.ask("offer", **names, **same, sdp=description(caller.port))
        answered = control.ask("answer", **names, **same, to_tag="far", sdp=description(called.port))
        called.leg = (HOST, audio_port(str(offered["sdp"])))
        caller.leg = (HOST, audio_port(str(answered["sdp"])))
    control.close()


def main(kind: str, port: int, far_port: int, calls: int, seconds: float, pid: int) -> None:
    far = list(phones(2 * calls))
    if kind == "offhook":
        connect_by_sip(far, port, far_port)
    else:
        connect_by_ng(far, port)
    talk(far, WARM_UP_S)
    before = usage(pid)
    delays_us = talk(far, seconds)
    used_s = usage(pid).cpu_s - before.cpu_s
    sent, got = sum(phone.sent for phone in far), sum(phone.got for phone in far)
    figures = {
        "sent": sent,
        "received": got,
        "cpu_s": used_s,
        "p50_ms": at_percent(delays_us, 50),
        "p99_ms": at_percent(delays_us, 99),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6]))
