"""The far ears of the media benchmark: counts packets of all legs on one port and says how well they are paced.

    python -m benchmarks.listener PORT SECONDS

Prints `ready`, then listens for SECONDS and prints a line of JSON. Times are the kernel's own of each packet's arrival
(SO_TIMESTAMPNS), so that this process may be late without spoiling the figures.
"""

from __future__ import annotations

import json
import select
import socket
import statistics
import struct
import sys
import time
from collections.abc import Sequence

SO_TIMESTAMPNS = 35  # <asm-generic/socket.h>; the socket module has no name for it
FRAME_S = 0.02
TIMESPEC = struct.Struct("=qq")
RTP = struct.Struct("!BBHII")
LEAST = 100
"""Packets of a leg below which it says nothing about pacing."""


def main(port: int, seconds: float) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024 * 1024)
    sock.bind(("127.0.0.1", port))
    sock.setblocking(False)
    print("ready", flush=True)
    print(json.dumps(listen(sock, seconds)), flush=True)


def listen(sock: socket.socket, seconds: float) -> dict[str, float]:
    """Gather (arrival, sequence) by SSRC; figures afterwards."""
    legs: dict[int, list[tuple[float, int]]] = {}
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        select.select([sock], [], [], left)
        while True:
            try:
                data, control, _, _ = sock.recvmsg(256, 64)
            except BlockingIOError:
                break
            if len(data) < RTP.size or not control:
                continue
            at_s, at_ns = TIMESPEC.unpack_from(control[0][2])
            _, _, sequence, _, ssrc = RTP.unpack_from(data)
            legs.setdefault(ssrc, []).append((at_s + at_ns * 1e-9, sequence))
    return figures([packets for packets in legs.values() if len(packets) >= LEAST])


def figures(legs: Sequence[list[tuple[float, int]]]) -> dict[str, float]:
    """Pacing error: how far each packet came from its place on the leg's own grid of 20 ms."""
    errors: list[float] = []
    lost = packets = 0
    for leg in legs:
        first = leg[0][1]
        places = [(at, (sequence - first) & 0xFFFF) for at, sequence in leg]
        offsets = [at - place * FRAME_S for at, place in places]
        middle = statistics.median(offsets)
        errors += [abs(offset - middle) for offset in offsets]
        packets += len(leg)
        lost += max(place for _, place in places) + 1 - len({place for _, place in places})
    errors.sort()

    def at(share: float) -> float:
        return round(errors[min(len(errors) - 1, int(share * len(errors)))] * 1000, 3) if errors else 0.0

    return {
        "legs": len(legs),
        "packets": packets,
        "lost": lost,
        "error_p50_ms": at(0.5),
        "error_p99_ms": at(0.99),
        "error_max_ms": at(1.0),
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
