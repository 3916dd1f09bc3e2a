"""Kamailio (5.6) as the outbound proxy of phones on 127.0.0.1: `kamailio.cfg`, in front of a server.

async with open_proxy(folder, server.addresses) as address:
    ...  # phones register and call by it
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from .programs import free_port, need, running, until, write_files

CONFIG = Path(__file__).with_name("kamailio.cfg")


@asynccontextmanager
async def open_proxy(folder: Path, server: Mapping[str, Sequence[tuple[str, int]]]) -> AsyncIterator[tuple[str, int]]:
    """Start the proxy in front of the server with these addresses (`udp` and `tcp`); its own one, for both."""
    program = need("kamailio", "kamailio")
    write_files(folder, {})
    address = "127.0.0.1", free_port()
    defines = {f"LISTEN_{transport.upper()}": f"{transport}:127.0.0.1:{address[1]}" for transport in ("udp", "tcp")}
    for transport in ("udp", "tcp"):
        host, port = server[transport][0]
        defines[f"SERVER_{transport.upper()}"] = f'"sip:{host}:{port};transport={transport}"'
    # In the foreground, its log on stderr; memory in MB, shared and for each process; nothing outside of its folder.
    command = [program, "-f", str(CONFIG), "-DD", "-E", "-m", "32", "-M", "4", "-w", str(folder), "-Y", str(folder)]
    for name, value in defines.items():
        command += ["-A", f"{name}={value}"]
    async with running([*command, "-P", str(folder / "pid")], folder / "log", folder=folder) as process:

        async def listens() -> bool:
            try:
                await (await trio.open_tcp_stream(*address)).aclose()
            except OSError:
                return False
            return True

        await until(listens, 20, "kamailio listens", process)
        yield address
