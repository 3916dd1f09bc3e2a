"""The voices behind SIPp's phones: RTP both ways on real sockets, every packet counted.

    python -m tests.peers.talkers CALLS CALLER_NOTES CALLEE_NOTES

Each call has two phones. SIPp names their ports in its session descriptions and notes the ports that the server names
in its own; from then on a phone sends a packet every 20 ms. A payload tells which phone sent it, whether it
counts, and its number: so a packet that is lost, doubled, of another call or of nobody is seen as what it is.

Prints the ports as JSON. Each line of stdin is an order, answered by a line of JSON: `ready` waits for nothing and
tells how many phones hear the other one; `count SECONDS` counts what is sent for so long, and tells of each phone.
"""

from __future__ import annotations

import heapq
import json
import select
import socket
import struct
import sys
import time
from pathlib import Path

import attrs

from offhook.media import rtp
from offhook.server.run import raise_file_limit

HOST = "127.0.0.1"
FRAME_S = 0.02
SAMPLES = 160
LATE_S = 1.0
"""How long the last packets of a count may be under way."""
LOOK_S = 0.1
"""How often SIPp's notes are read."""
MARK = b"offhook"
LABEL = struct.Struct("!7sHBQ")
"""Payload: MARK, phone, whether it counts, number among those of its kind. The rest is the same in all."""


@attrs.define(eq=False)
class Phone:
    """One end of a call."""

    number: int
    """Phones 2n and 2n + 1 talk to each other."""
    audio: socket.socket
    control: socket.socket
    """Next port, for RTCP; taken and never read."""
    leg: tuple[str, int] | None = None
    """Where the server listens to it."""
    sequence: int = 0
    sent: int = 0
    """Packets that count."""
    hears: bool = False
    """Something of its own far end has come."""
    heard: dict[int, int] = attrs.field(factory=dict)
    """How often each number that counts has come."""
    strange: int = 0
    """Packets of another call's phone, or its own."""

    @property
    def port(self) -> int:
        port: int = self.audio.getsockname()[1]
        return port

    def send(self, counting: bool) -> None:
        if self.leg is None:
            return
        label = LABEL.pack(MARK, self.number, counting, self.sent if counting else self.sequence)
        payload = label.ljust(SAMPLES, b"\x5a")
        data = rtp.build_plain(0, self.sequence & 0xFFFF, self.sequence * SAMPLES & 0xFFFFFFFF, self.number, payload)
        self.sequence += 1
        self.sent += counting
        self.audio.sendto(data, self.leg)

    def listen(self) -> None:
        """Take what has come."""
        while True:
            try:
                data = self.audio.recv(2048)
            except BlockingIOError:
                return
            if len(data) < 12 + LABEL.size or not data.startswith(MARK, 12):
                continue  # the server's own: ringing, silence
            _, speaker, counting, number = LABEL.unpack_from(data, 12)
            if speaker != self.number ^ 1:
                self.strange += 1
                continue
            self.hears = True
            if counting:
                self.heard[number] = self.heard.get(number, 0) + 1

    def tells(self, far: Phone) -> dict[str, int]:
        """What was counted."""
        return {
            "phone": self.number,
            "of_far_end": far.sent,
            "heard": len(self.heard),
            "lost": far.sent - len(self.heard),
            "doubled": sum(self.heard.values()) - len(self.heard),
            "strange": self.strange,
        }


@attrs.define(eq=False)
class Notes:
    """A log of SIPp's that grows: a line for each call, our port and the server's."""

    path: Path
    read: int = 0

    def news(self) -> list[tuple[int, int]]:
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self.read)
            whole = file.read().rpartition(b"\n")[0]
        self.read += len(whole) + 1 if whole else 0
        lines = (line.split() for line in whole.decode().splitlines())
        return [(int(words[-2]), int(words[-1])) for words in lines if words]


def open_pair() -> tuple[socket.socket, socket.socket]:
    """An even port of 127.0.0.1 and the next one."""
    while True:
        first, second = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        first.bind((HOST, 0))
        port = first.getsockname()[1]
        try:
            if port % 2 == 0:
                second.bind((HOST, port + 1))
                first.setblocking(False)
                return first, second
        except OSError:
            pass  # somebody else has that one
        first.close()
        second.close()


def talk(phones: list[Phone], notes: list[Notes]) -> None:
    """Speak and listen until stdin ends."""
    by_port = {phone.port: phone for phone in phones}
    by_descriptor = {phone.audio.fileno(): phone for phone in phones}
    poll = select.epoll()
    for descriptor in (*by_descriptor, sys.stdin.fileno()):
        poll.register(descriptor, select.EPOLLIN)
    now = time.perf_counter()
    due = [(now + FRAME_S * number / len(phones), number) for number in range(len(phones))]
    heapq.heapify(due)
    look_at, counts_until, tells_at = now, 0.0, float("inf")
    while True:
        now = time.perf_counter()
        while due[0][0] <= now:
            at, number = due[0]
            phones[number].send(at < counts_until)
            heapq.heapreplace(due, (at + FRAME_S, number))
        if look_at <= now:
            for port, leg_port in (line for log in notes for line in log.news()):
                by_port[port].leg = (HOST, leg_port)
            look_at = now + LOOK_S
        if tells_at <= now:
            print(json.dumps([phone.tells(phones[phone.number ^ 1]) for phone in phones]), flush=True)
            tells_at = float("inf")
        for descriptor, _ in poll.poll(max(due[0][0] - time.perf_counter(), 0.0005), len(phones)):
            if descriptor in by_descriptor:
                by_descriptor[descriptor].listen()
                continue
            match sys.stdin.readline().split():
                case []:
                    return
                case ["ready"]:
                    print(json.dumps(sum(phone.hears for phone in phones)), flush=True)
                case ["count", seconds]:
                    counts_until = now + float(seconds)
                    tells_at = counts_until + LATE_S


def main(calls: int, caller_notes: str, callee_notes: str) -> None:
    raise_file_limit()
    phones = [Phone(number, *open_pair()) for number in range(2 * calls)]
    print(json.dumps([phone.port for phone in phones]), flush=True)
    talk(phones, [Notes(Path(caller_notes)), Notes(Path(callee_notes))])


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
