"""A served application on a free loopback port."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import httpx2
import trio

from offhook.store.memory import MemoryRepository
from offhook.store.recordings import RecordingFiles
from offhook.web.app import Health, make_app
from offhook.web.auth import Credentials
from offhook.web.rest.recordings import RecordingMedia
from offhook.web.serve import serve

ACCOUNT = "AC" + "a" * 32
TOKEN = "token-of-the-account"


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


@attrs.define(eq=False)
class Site:
    """What the application shows, to be changed by a test before or while it is asked."""

    files: RecordingFiles
    repository: MemoryRepository = attrs.field(factory=MemoryRepository)
    health: Health = attrs.field(factory=lambda: Health("ready", {"udp 127.0.0.1:5060": "up"}))
    exposed: bool = False
    encoded: list[Path] = attrs.field(factory=list)
    address: tuple[str, int] = ("127.0.0.1", 0)

    def encode_mp3(self, source: Path, target: Path) -> None:
        self.encoded.append(source)
        target.write_bytes(b"MP3 of " + source.read_bytes())

    def metrics(self) -> bytes:
        return b"offhook_calls_live 0\n"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of the running service, with the account's credentials."""
        credentials = Credentials(ACCOUNT, TOKEN)
        app = make_app(
            credentials=credentials,
            exposed=self.exposed,
            health=lambda: self.health,
            metrics=self.metrics,
            recordings=RecordingMedia(credentials, self.files, self.repository, self.encode_mp3),
        )
        async with trio.open_nursery() as nursery:
            self.address = await nursery.start(serve, app, self.address)
            host, port = self.address
            async with httpx2.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as client:
                yield client
            nursery.cancel_scope.cancel()
