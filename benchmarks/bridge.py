"""Bridged calls on the beat plane: CPU of a relayed packet, and the delay that the bridge adds.

    python -m benchmarks.bridge [calls,calls,…] [seconds] [kind,kind,…]

The plane alone runs in a process of its own with two coupled legs a call, on real sockets of 127.0.0.1; for whole calls
through the server, beside a peer, see relay.py. This process is the phones (phones.py). Both share the machine, so the
delay is that of a busy one. Kinds of bridge:

    straight   one law on both sides: packets pass as they are
    laws       PCMU on one side, PCMA on the other
    frames     the far ends ask for 30 ms: through the playout buffer, decoded, encoded, packed anew
    recorded   straight, and each call recorded on two channels
    encrypted  straight, SRTP on both sides
    half       straight, SRTP on one side
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import attrs
import structlog
import trio

from offhook.actors.media import RandomMediaIds
from offhook.actors.planes.beat import BeatPlane
from offhook.actors.planes.beat_leg import BeatLeg
from offhook.media.events import Record, SetRemote, Track
from offhook.media.g711 import PCMA, PCMU, Law
from offhook.media.plane import LegSpec
from offhook.media.sdp import Agreed, Keys, Suite
from offhook.media.sdp.crypto import KEY_OCTETS
from offhook.media.srtp import Srtp
from offhook.transport.rtp import PortRange, RtpPorts
from offhook.transport.trio_network import TrioNetwork

from .phones import HOST, at_percent, phones, talk

KINDS = ("straight", "laws", "frames", "recorded", "encrypted", "half")
WARM_UP_S = 1.0


# ------------------------------------------------------------------------------------------------ the plane


class Nobody:
    """A listener that only minds failures."""

    def media_events(self, events: object) -> None:
        """Nothing to do."""

    def media_failed(self, error: Exception) -> None:
        """A benchmark with a broken leg is worth nothing."""
        raise error


def keys_of(kind: str, number: int) -> Keys | None:
    """Those of the plane's leg of that number; no secret, as the phones in the other process must have the same."""
    if kind == "encrypted" or (kind == "half" and number % 2 == 0):
        return Keys(1, Suite.AES_80, number.to_bytes(KEY_OCTETS, "big"), number.to_bytes(KEY_OCTETS, "little"))
    return None


def far_end_of(keys: Keys | None) -> Srtp | None:
    if keys is None:
        return None
    srtp = Srtp([])
    srtp.agree(attrs.evolve(keys, ours=keys.theirs, theirs=keys.ours), 0.0)
    return srtp


def agreed(law: Law, port: int, ptime_ms: int, keys: Keys | None) -> Agreed:
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
        keys=keys,
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
            leg.apply(SetRemote(agreed(law, port, 30 if kind == "frames" else 20, keys_of(kind, number))))
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


def measure(kind: str, calls: int, seconds: float) -> dict[str, object]:
    """One run."""
    far = list(phones(2 * calls))
    ports = [phone.port for phone in far]
    arguments = [sys.executable, "-m", "benchmarks.bridge", "serve", kind, json.dumps(ports)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as plane:
        ask, told = plane.stdin, plane.stdout
        assert ask is not None
        assert told is not None
        for number, (phone, port) in enumerate(zip(far, json.loads(told.readline()), strict=True)):
            phone.leg = (HOST, port)
            phone.srtp = far_end_of(keys_of(kind, number))
            phone.payload_type = 8 if kind == "laws" and number % 2 else 0
        talk(far, WARM_UP_S)

        def cpu_s() -> float:
            print(file=ask, flush=True)
            return float(json.loads(told.readline()))

        before = cpu_s()
        delays_us = talk(far, seconds)
        used_s = cpu_s() - before
        ask.close()
    for phone in far:
        phone.socket.close()
    sent, got = sum(phone.sent for phone in far), sum(phone.got for phone in far)
    return {
        "kind": kind,
        "calls": calls,
        "packets": sent,
        "lost_percent": round(100 * (1 - got / sent), 3) if kind != "frames" else None,
        "cpu_us_per_packet": round(used_s / sent * 1e6, 2),
        "cpu_percent_of_a_core": round(100 * used_s / seconds, 1),
        "delay_ms_p50": at_percent(delays_us, 50),
        "delay_ms_p99": at_percent(delays_us, 99),
        "load_average": round(os.getloadavg()[0], 1),
    }


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
