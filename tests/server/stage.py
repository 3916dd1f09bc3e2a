"""A stage for `offhook demo`: one fake machine on virtual time, or the command as people start it."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import trio

from offhook.media.rtp import parse as parse_rtp
from offhook.server.demo import run_demo
from offhook.server.server import Parts
from offhook.store.memory import MemoryRepository
from offhook.testing.ids import CountingIds
from offhook.testing.network import FakeNetwork, Sent
from offhook.testing.speech import FakeSpeech, inline

MACHINE = "10.0.0.1"
KEY_EVENTS = 101
"""Payload type of telephone events, as phones and server offer it."""


@attrs.define(eq=False)
class Stage:
    """A demo on one fake machine, and what it printed."""

    sounds: Path
    network: FakeNetwork = attrs.field(factory=lambda: FakeNetwork(seed=1))
    printed: list[str] = attrs.field(factory=list)
    serving: trio.Event = attrs.field(factory=trio.Event)
    """Set once the demo is over and the server goes on."""

    def write(self, line: str) -> None:
        self.printed.append(line)
        if line == "Serving until Ctrl-C.":
            self.serving.set()

    async def run(self, *, stay: bool = False, secure: bool = False) -> int:
        parts = Parts(
            network=self.network.host(MACHINE),
            ids=CountingIds("server"),
            speech=FakeSpeech(ms_per_character=10),
            repository=MemoryRepository(),
            offload=inline,
            http=False,
        )
        return await run_demo(stay=stay, secure=secure, write=self.write, parts=parts, sounds=self.sounds)

    @property
    def text(self) -> str:
        return "\n".join(self.printed)

    @property
    def failed(self) -> list[str]:
        return [line.removeprefix("  FAIL ") for line in self.printed if line.startswith("  FAIL ")]

    def ladder(self, transport: str) -> list[str]:
        """The SIP messages that went over it, without their times, with single blanks."""
        return [" ".join(line.split()[2:]) for line in self.printed if line.split()[1:2] == [f"SIP/{transport}"]]

    def webhooks(self, path: str) -> list[dict[str, str]]:
        """The parameters shown of each request for a path."""
        found: list[dict[str, str]] = []
        lines = iter(self.printed)
        for line in lines:
            if re.search(rf"  webhook  (GET|POST) {path} ", line):
                rest = itertools.takewhile(lambda more: more.startswith(" " * 18), lines)
                found.append(dict(one.strip().split("=", 1) for one in rest if re.match(r" +\w+=", one)))
        return found


def rtp_to(second: bool, payload_type: int | None = None) -> Callable[[Sent], bool]:
    """Packets to the phone that was the first or the second to get any; of one payload type, or of every."""
    phones: list[int] = []

    def matching(sent: Sent) -> bool:
        port = sent.target[1]
        if not 40_000 <= port < 49_000 or port % 2:
            return False
        if port not in phones:
            phones.append(port)
        right = payload_type is None or parse_rtp(sent.data).payload_type == payload_type
        return right and phones.index(port) == int(second)

    return matching


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, whose temporary files go into `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "offhook", "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"TMPDIR": str(folder)},
    )
