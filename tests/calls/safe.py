"""An office behind TLS whose media is encrypted: Alice and Bob have phones that speak TLS, and SRTP where asked to."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from offhook.actors.media import RandomMediaIds
from offhook.media.plane import MediaIds
from offhook.server.config import CapturesSettings, Config, TlsSettings
from offhook.server.values import HostPort
from offhook.testing.network import Conditions
from offhook.testing.phone import PhoneCall
from offhook.testing.phone_line import PhoneTls
from offhook.transport.tls import KeyPair

from ..transport.certificates import authority, files, issued, tls_clients, tls_server
from .kit import HOST, PASSWORD, PHONE, SERVER, SUFFIX, config_for, phone_at, users, world
from .office import BOB_HOST, Office

TLS_PORT = 5061
PROXY = f"sip:{SERVER}:{TLS_PORT};transport=tls"


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="offhook-certificates-")


@functools.cache
def phone_tls(host: str) -> PhoneTls:
    """What the phone at `host` shows, and whom it trusts; made once, as keys take their time."""
    folder = Path(_folder().name) / host
    return PhoneTls(tls_server(folder / "server", [host]), tls_clients(folder / "clients"))


def over_tls(config: Config) -> Config:
    """The same server, listening on TLS too."""
    folder = Path(_folder().name) / "offhook"
    pair: KeyPair = files(folder, issued((f"*.{SUFFIX}", SERVER)))
    ca = folder / "ca.pem"
    ca.write_bytes(authority().certificate)
    return attrs.evolve(
        config,
        sip=attrs.evolve(config.sip, tls=(HostPort(SERVER, TLS_PORT),)),
        tls=TlsSettings(certificate=pair.certificate, private_key=pair.key, ca_file=ca),
    )


@attrs.frozen
class SafeOffice(Office):
    """Calls go over TLS."""

    async def alice_calls(self, **settings: Any) -> PhoneCall:
        settings = {"via": PROXY, "username": "alice", "password": PASSWORD, **settings}
        return await self.it.phone.call(self.it.target, **settings)


@asynccontextmanager
async def safe_office(
    tmp_path: Path,
    *,
    secure: bool = True,
    alice_secure: bool = True,
    bob_secure: bool = True,
    media_ids: Callable[[], MediaIds] = RandomMediaIds,
    captures: CapturesSettings | None = None,
    **domain: Any,
) -> AsyncIterator[SafeOffice]:
    """`secure` is the domain's; the phones encrypt their media when they are. Bob is registered over TLS."""
    settings: dict[str, Any] = {
        "sip_registration": True,
        "credentials": users("alice", "bob"),
        "secure": secure,
        **domain,
    }
    async with (
        world(
            tmp_path,
            conditions=Conditions(delay_s=0.005),
            config=attrs.evolve(over_tls(config_for(tmp_path, **settings)), captures=captures or CapturesSettings()),
            phone_settings={"tls": phone_tls(PHONE), "secure": alice_secure, "media_ids": media_ids()},
        ) as it,
        phone_at(it.network, BOB_HOST, "bob", tls=phone_tls(BOB_HOST), secure=bob_secure, media_ids=media_ids()) as bob,
    ):
        line = await bob.register(HOST, password=PASSWORD, via=PROXY.partition(";")[0], transport="tls")
        assert line.status == 200
        yield SafeOffice(it, bob)
