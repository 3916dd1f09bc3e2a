"""Far ends of bridged calls: each sends a packet every 20 ms, all evenly spread, with the time in its payload.

The kernel stamps what comes (SO_TIMESTAMPNS), so that this process may be late without spoiling the delays.
"""

from __future__ import annotations

import heapq
import select
import socket
import statistics
import struct
import time
from collections.abc import Iterator, Sequence

import attrs

from offhook.media import rtp
from offhook.media.g711 import PCMA, PCMU
from offhook.media.srtp import Srtp

HOST = "127.0.0.1"
STAMP = struct.Struct("=Q")
MARK = b"\x5a\xa5\x5a\xa5"
"""Begins the payload of a phone's packet, where it comes as it went; then its way can be timed."""
SILENCE = (PCMU.silence * 8, PCMA.silence * 8)
"""Ends a packet of the bridge's own; a phone's ends with something else."""
RTCP = range(192, 224)
"""Second byte of RTCP (RFC 5761 section 4), which comes here when the next port is another phone's."""
KERNEL_STAMP = struct.Struct("=qq")
SO_TIMESTAMPNS = 35  # <asm-generic/socket.h>; the socket module has no name for it
FRAME_S = 0.02
LAST_S = 0.2
"""For the packets that are still under way."""


@attrs.define(eq=False)
class Phone:
    """A far end that sends by the clock and notes how long each packet for it was under way."""

    socket: socket.socket
    leg: tuple[str, int] = (HOST, 0)
    payload_type: int = 0
    sequence: int = 0
    sent: int = 0
    got: int = 0
    srtp: Srtp | None = None
    """Where its media is encrypted."""

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send(self) -> None:
        stamp = MARK + STAMP.pack(time.time_ns())
        payload = stamp.ljust(160, b"\x5a")
        data = rtp.build_plain(self.payload_type, self.sequence & 0xFFFF, self.sequence * 160, 7, payload)
        self.sequence += 1
        self.sent += 1
        self.socket.sendto(data if self.srtp is None else self.srtp.seal(data), self.leg)

    def drain(self, delays_us: list[float]) -> None:
        while True:
            try:
                data, control, _, _ = self.socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            if data[1] in RTCP:
                continue
            if self.srtp is not None:
                opened = self.srtp.open(data, 0.0)
                assert opened is not None, "the bridge sent what its far end cannot open"
                data = opened
            if data.endswith(SILENCE):
                continue
            self.got += 1
            if data.startswith(MARK, 12):
                seconds, nanoseconds = KERNEL_STAMP.unpack(control[0][2])
                (sent_ns,) = STAMP.unpack_from(data, 12 + len(MARK))
                delays_us.append((seconds * 1_000_000_000 + nanoseconds - sent_ns) / 1000)


def phones(count: int) -> Iterator[Phone]:
    """So many, with sockets whose datagrams the kernel stamps."""
    for _ in range(count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.bind((HOST, 0))
        yield Phone(sock)


def talk(far: Sequence[Phone], seconds: float) -> list[float]:
    """All phones send, evenly spread over each 20 ms, for so long; a little longer they listen. Delays in µs."""
    delays_us: list[float] = []
    poll = select.epoll()
    by_descriptor = {phone.socket.fileno(): phone for phone in far}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    for phone in far:
        phone.sent = phone.got = 0
    start = time.perf_counter()
    due = [(start + FRAME_S * number / len(far), number) for number in range(len(far))]
    heapq.heapify(due)
    while (now := time.perf_counter()) < start + seconds + LAST_S:
        while due and due[0][0] <= now:
            at, number = heapq.heappop(due)
            far[number].send()
            if at + FRAME_S < start + seconds:
                heapq.heappush(due, (at + FRAME_S, number))
        wait_s = max(0.0, due[0][0] - time.perf_counter()) if due else 0.01
        for descriptor, _ in poll.poll(max(wait_s, 0.0005), len(far)):
            by_descriptor[descriptor].drain(delays_us)
    poll.close()
    return delays_us


def at_percent(delays_us: Sequence[float], percent: int) -> float | None:
    """The delay in ms that so many percent of the packets stay below; None when there are too few to say."""
    if len(delays_us) < 100:
        return None
    return round(statistics.quantiles(delays_us, n=100)[percent - 1] / 1000, 3)
