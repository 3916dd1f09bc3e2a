"""tshark (Wireshark without a window): what it makes of a capture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import trio

from .programs import need

WITHIN_S = 60.0


async def tshark(capture: Path, *arguments: str) -> list[str]:
    """The lines that it prints of a capture."""
    command = [need("tshark", "tshark"), "-n", "-r", str(capture), *arguments]
    with trio.fail_after(WITHIN_S):
        done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


async def fields(capture: Path, shown: str, names: Sequence[str]) -> list[tuple[str, ...]]:
    """These fields of the packets that a display filter lets through, one tuple for each."""
    options = [word for name in names for word in ("-e", name)]
    lines = await tshark(capture, "-Y", shown, "-T", "fields", "-E", "separator=|", "-E", "occurrence=f", *options)
    return [tuple(line.split("|")) for line in lines]
