"""Bridged calls on the beat plane: CPU of a relayed packet, and the delay that the bridge adds.

    python -m benchmarks.bridge [calls,calls,…] [seconds] [kind,kind,…]

The plane runs in a process of its own with two coupled legs a call, on real sockets of 127.0.0.1. This process is the
phones: each sends a packet every 20 ms, all evenly spread, with the time in its payload, and the kernel stamps what
comes. Both processes share the machine, so the delay is that of a busy one. Kinds of bridge:

    straight   one law on both sides: packets pass as they are
    laws       PCMU on one side, PCMA on the other
    frames     the far ends ask for 30 ms: through the playout buffer, decoded, encoded, packed anew
    recorded   straight, and each call recorded on two channels
"""

from __future__ import annotations

import heapq
import json
import os
import select
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import structlog
import trio

from offhook.actors.media import RandomMediaIds
from offhook.actors.planes.beat import BeatPlane
from offhook.actors.planes.beat_leg import BeatLeg
from offhook.media import rtp
from offhook.media.events import Record, SetRemote, Track
from offhook.media.g711 import PCMA, PCMU, Law
from offhook.media.plane import LegSpec
from offhook.media.sdp import Agreed
from offhook.transport.rtp import PortRange, RtpPorts
from offhook.transport.trio_network import TrioNetwork

HOST = "127.0.0.1"
KINDS = ("straight", "laws", "frames", "recorded")
WARM_UP_S = 1.0
STAMP = struct.Struct("=Q")
MARK = b"\x5a\xa5\x5a\xa5"
"""Begins the payload of a phone's packet, where it comes as it went; then its way can be timed."""
SILENCE = (PCMU.silence * 8, PCMA.silence * 8)
"""Ends a packet of the plane's own; a phone's ends with something else."""
KERNEL_STAMP = struct.Struct("=qq")


# ------------------------------------------------------------------------------------------------ the plane


class Nobody:
    """A listener that only minds failures."""

    def media_events(self, events: object) -> None:
        """Nothing to do."""

    def media_failed(self, error: Exception) -> None:
        """A benchmark with a broken leg is worth nothing."""
        raise error


def agreed(law: Law, port: int, ptime_ms: int) -> Agreed:
    return Agreed(
        codec=law,
        payload_type=law.payload_type,
        receive_types={0: PCMU, 8: PCMA},
        event_type=101,
        event_receive_types=frozenset({101}),
        remote=(HOST, port),
        remote_rtcp=(HOST, port + 1),
        send=True,
        receive=True,
        ptime_ms=ptime_ms,
        media_index=0,
    )


async def serve(kind: str, phones: list[int]) -> None:
    """Couple the legs of `phones` (ports) two by two; tell their ports, and, for each line on stdin, the CPU used."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    network = TrioNetwork()
    plane = BeatPlane(RtpPorts(network, PortRange(30_000, 39_999)), RandomMediaIds(), unix_time=time.time)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(plane.run)
        legs: list[BeatLeg] = []
        for number, port in enumerate(phones):
            leg = await plane.open(LegSpec(name=str(number), bind_host=HOST), Nobody())
            law = PCMA if kind == "laws" and number % 2 else PCMU
            leg.apply(SetRemote(agreed(law, port, 30 if kind == "frames" else 20)))
            legs.append(leg)
        with tempfile.TemporaryDirectory() as folder:
            for number in range(0, len(legs), 2):
                plane.couple(legs[number], legs[number + 1])
                if kind == "recorded":
                    legs[number].apply(Record("r", Path(folder) / f"{number}.wav", Track.DUAL))
            print(json.dumps([leg.rtp_address[1] for leg in legs]), flush=True)
            while True:
                line = await trio.to_thread.run_sync(sys.stdin.readline)
                if not line:
                    break
                print(json.dumps(time.process_time()), flush=True)
            for leg in legs:
                leg.close()
            for leg in legs:
                await leg.wait_closed()
        nursery.cancel_scope.cancel()


# ----------------------------------------------------------------------------------------------- the phones


@attrs.define(eq=False)
class Phone:
    """A far end that sends by the clock and notes how long each packet for it was under way."""

    socket: socket.socket
    leg: tuple[str, int] = (HOST, 0)
    payload_type: int = 0
    sequence: int = 0
    sent: int = 0
    got: int = 0

    def send(self) -> None:
        stamp = MARK + STAMP.pack(time.time_ns())
        payload = stamp.ljust(160, b"\x5a")
        data = rtp.build_plain(self.payload_type, self.sequence & 0xFFFF, self.sequence * 160, 7, payload)
        self.sequence += 1
        self.sent += 1
        self.socket.sendto(data, self.leg)

    def drain(self, delays_us: list[float]) -> None:
        while True:
            try:
                data, control, _, _ = self.socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
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
        sock.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS, which the socket module does not name
        sock.bind((HOST, 0))
        yield Phone(sock)


def measure(kind: str, calls: int, seconds: float) -> dict[str, object]:
    """One run."""
    far = list(phones(2 * calls))
    ports = [phone.socket.getsockname()[1] for phone in far]
    arguments = [sys.executable, "-m", "benchmarks.bridge", "serve", kind, json.dumps(ports)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as plane:
        ask, told = plane.stdin, plane.stdout
        assert ask is not None
        assert told is not None
        for number, (phone, port) in enumerate(zip(far, json.loads(told.readline()), strict=True)):
            phone.leg = (HOST, port)
            phone.payload_type = 8 if kind == "laws" and number % 2 else 0
        talk(far, WARM_UP_S, [])

        def cpu_s() -> float:
            print(file=ask, flush=True)
            return float(json.loads(told.readline()))

        for phone in far:
            phone.sent = phone.got = 0
        before = cpu_s()
        delays_us: list[float] = []
        talk(far, seconds, delays_us)
        used_s = cpu_s() - before
        ask.close()
    for phone in far:
        phone.socket.close()
    sent, got = sum(phone.sent for phone in far), sum(phone.got for phone in far)
    cuts = statistics.quantiles(delays_us, n=100) if len(delays_us) > 100 else None
    return {
        "kind": kind,
        "calls": calls,
        "packets": sent,
        "lost_percent": round(100 * (1 - got / sent), 3) if kind != "frames" else None,
        "cpu_us_per_packet": round(used_s / sent * 1e6, 2),
        "cpu_percent_of_a_core": round(100 * used_s / seconds, 1),
        "delay_ms_p50": None if cuts is None else round(cuts[49] / 1000, 2),
        "delay_ms_p99": None if cuts is None else round(cuts[98] / 1000, 2),
        "load_average": round(os.getloadavg()[0], 1),
    }


def talk(far: list[Phone], seconds: float, delays_us: list[float]) -> None:
    """All phones send, evenly spread over each 20 ms, for so long; and a little longer they listen."""
    poll = select.epoll()
    by_descriptor = {phone.socket.fileno(): phone for phone in far}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    start = time.perf_counter()
    due = [(start + 0.02 * number / len(far), number) for number in range(len(far))]
    heapq.heapify(due)
    while (now := time.perf_counter()) < start + seconds + 0.2:
        while due and due[0][0] <= now:
            at, number = heapq.heappop(due)
            far[number].send()
            if at + 0.02 < start + seconds:
                heapq.heappush(due, (at + 0.02, number))
        wait_s = max(0.0, due[0][0] - time.perf_counter()) if due else 0.01
        for descriptor, _ in poll.poll(max(wait_s, 0.0005), len(far)):
            by_descriptor[descriptor].drain(delays_us)
    poll.close()


def main() -> None:
    """Print a line of JSON for each kind and number of calls."""
    if sys.argv[1:2] == ["serve"]:
        trio.run(serve, sys.argv[2], json.loads(sys.argv[3]))
        return
    kinds = sys.argv[3].split(",") if len(sys.argv) > 3 else KINDS
    counts = [int(count) for count in sys.argv[1].split(",")] if len(sys.argv) > 1 else [50, 200]
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    for calls in counts:
        for kind in kinds:
            print(json.dumps(measure(kind, calls, seconds)), flush=True)


if __name__ == "__main__":
    main()
