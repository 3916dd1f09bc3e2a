"""The far ears of the media benchmark: counts packets of all legs on one port and says how well they are paced.

    python -m benchmarks.listener SECONDS

Prints its port; from SIGUSR1 on it listens for SECONDS, then prints a line of JSON. Times are the kernel's own of each
packet's arrival (SO_TIMESTAMPNS), so that this process may be late without spoiling the figures.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import statistics
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

SO_TIMESTAMPNS = 35  # <asm-generic/socket.h>; the socket module has no name for it
CLOCK_HZ = 8000
TIMESPEC = struct.Struct("=qq")
RTP = struct.Struct("!BBHII")
LEAST = 100
"""Packets of a leg below which it says nothing about pacing."""


class Heard(NamedTuple):
    """One packet."""

    at: float
    """Seconds, of the kernel's clock."""
    sequence: int
    timestamp: int


def main(seconds: float) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024 * 1024)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    print(sock.getsockname()[1], flush=True)
    while signal.sigtimedwait({signal.SIGUSR1}, 0.05) is None:
        for _ in packets(sock):
            pass  # not yet
    print(json.dumps(listen(sock, seconds)), flush=True)


def listen(sock: socket.socket, seconds: float) -> dict[str, float]:
    """Gather packets by SSRC; figures afterwards."""
    legs: dict[int, list[Heard]] = {}
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        select.select([sock], [], [], left)
        for ssrc, heard in packets(sock):
            legs.setdefault(ssrc, []).append(heard)
    return figures([leg for leg in legs.values() if len(leg) >= LEAST])


def packets(sock: socket.socket) -> Iterator[tuple[int, Heard]]:
    """What is there now, with its SSRC."""
    while True:
        try:
            data, control, _, _ = sock.recvmsg(256, 64)
        except BlockingIOError:
            return
        if len(data) >= RTP.size and control:
            at_s, at_ns = TIMESPEC.unpack_from(control[0][2])
            _, _, sequence, timestamp, ssrc = RTP.unpack_from(data)
            yield ssrc, Heard(at_s + at_ns * 1e-9, sequence, timestamp)


def figures(legs: Sequence[list[Heard]]) -> dict[str, float]:
    """Pacing error: how far each packet came from its place on the leg's own grid, which its RTP timestamps name."""
    errors: list[float] = []
    lost = count = 0
    for leg in legs:
        first = leg[0]
        offsets = [heard.at - ((heard.timestamp - first.timestamp) & 0xFFFF_FFFF) / CLOCK_HZ for heard in leg]
        middle = statistics.median(offsets)
        errors += [abs(offset - middle) for offset in offsets]
        places = {(heard.sequence - first.sequence) & 0xFFFF for heard in leg}
        lost += max(places) + 1 - len(places)
        count += len(leg)
    errors.sort()

    def at(share: float) -> float:
        return round(errors[min(len(errors) - 1, int(share * len(errors)))] * 1000, 3) if errors else 0.0

    return {
        "legs": len(legs),
        "packets": count,
        "lost": lost,
        "error_p50_ms": at(0.5),
        "error_p99_ms": at(0.99),
        "error_max_ms": at(1.0),
    }


if __name__ == "__main__":
    main(float(sys.argv[1]))
