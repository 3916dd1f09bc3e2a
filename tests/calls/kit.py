"""A server, an application and phones on the fake network and virtual time, in a few lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from offhook.actors.bus import Gap, Subscription
from offhook.actors.messages.events import BusEvent, CallEnded
from offhook.server.config import (
    AccountSettings,
    Config,
    DomainSettings,
    ServerSettings,
    SipSettings,
    WebhooksSettings,
)
from offhook.server.server import Parts, Server, open_server
from offhook.sip.timers import Timers
from offhook.testing.clock import WallClock
from offhook.testing.ids import CountingIds
from offhook.testing.network import Conditions, FakeNetwork
from offhook.testing.phone import Phone, open_phone
from offhook.testing.speech import FakeSpeech, inline
from offhook.testing.web import Answer, CustomerApp

SERVER, PHONE, WEB = "10.0.0.1", "10.0.0.2", "10.0.0.3"
SUFFIX = "sip.example.test"
HOST = f"acme.{SUFFIX}"
BASE = f"http://{WEB}"
TOKEN = "0123456789abcdef0123456789abcdef"
ACCOUNT = "AC" + "1" * 32
STATUS_TAKEN = Answer(status=204, content_type=None)


@attrs.define(eq=False)
class World:
    """Everything of one test."""

    network: FakeNetwork
    server: Server
    phone: Phone
    web: CustomerApp
    speech: FakeSpeech
    events: Subscription
    seen: list[BusEvent] = attrs.field(factory=list)

    @property
    def target(self) -> str:
        return f"sip:100@{HOST}"

    @property
    def proxy(self) -> str:
        return f"sip:{SERVER}:5060"

    async def event(self, kind: type[BusEvent]) -> BusEvent:
        """The next event of this kind; those before it are kept in `seen`."""
        while True:
            heard = await self.events.take()
            assert not isinstance(heard, Gap)
            self.seen.append(heard)
            if isinstance(heard, kind):
                return heard

    async def ended(self) -> CallEnded:
        event = await self.event(CallEnded)
        assert isinstance(event, CallEnded)
        return event

    def of(self, kind: type[BusEvent]) -> list[BusEvent]:
        """All events of this kind so far."""
        while (heard := self.events.take_nowait()) is not None:
            assert not isinstance(heard, Gap)
            self.seen.append(heard)
        return [event for event in self.seen if isinstance(event, kind)]


def config_for(tmp_path: Path, **domain: object) -> Config:
    """One domain that takes calls from everywhere on the fake network."""
    settings: dict[str, object] = {
        "name": "acme",
        "voice_url": f"{BASE}/voice",
        "status_callback_url": f"{BASE}/status",
        "ip_access_control": ("10.0.0.0/8",),
    }
    settings.update(domain)
    return Config(
        server=ServerSettings(data_dir=tmp_path / "data", drain_s=60),
        account=AccountSettings(sid=ACCOUNT, auth_token=TOKEN),
        sip=SipSettings(domain_suffix=SUFFIX, udp=(f"{SERVER}:5060",), tcp=(f"{SERVER}:5060",), tls=()),
        webhooks=WebhooksSettings(allowed_networks=("10.0.0.0/8",)),
        domains=(DomainSettings(**settings),),
        now_utc=WallClock(),
    )


@asynccontextmanager
async def world(
    tmp_path: Path,
    *,
    seed: int = 1,
    conditions: Conditions | None = None,
    codecs: tuple[str, ...] = ("PCMU", "PCMA"),
    timers: Timers | None = None,
    config: Config | None = None,
    watch: Callable[[object], None] = lambda seen: None,
    **domain: object,
) -> AsyncIterator[World]:
    """A server at 10.0.0.1, a phone at 10.0.0.2, the application at 10.0.0.3. Use with `autojump_clock`."""
    network = FakeNetwork(seed=seed)
    speech, web = FakeSpeech(), CustomerApp()
    timers = timers or Timers()
    parts = Parts(
        network=network.host(SERVER),
        ids=CountingIds("server"),
        speech=speech,
        timers=timers,
        offload=inline,
        http=False,
    )
    config = config or config_for(tmp_path, **domain)
    async with (
        web.serving(network.host(WEB), (WEB, 80)),
        open_server(config, parts) as server,
        server.events(capacity=100_000) as events,
        open_phone(
            network.host(PHONE), PHONE, name="alice", port=5060, ids=CountingIds("alice"), timers=timers, codecs=codecs
        ) as phone,
    ):
        if conditions is not None:
            network.conditions = conditions
        web.on("/status", STATUS_TAKEN)
        yield World(network, server, phone, web, speech, events)
        network.conditions = Conditions()
