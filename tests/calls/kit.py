"""A server, an application and phones on the fake network and virtual time, in a few lines."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import trio

from offhook.actors.bus import Gap, Subscription
from offhook.actors.messages.events import AlertRaised, BusEvent, CallEnded, VerbStarted
from offhook.actors.messages.registrar import Locate, Located
from offhook.actors.planes.beat import BeatPlane
from offhook.actors.planes.beat_leg import BeatLeg
from offhook.media.rtp import RtpPacket
from offhook.media.rtp import parse as parse_rtp
from offhook.media.speech import Speech
from offhook.server.config import (
    AccountSettings,
    Config,
    CredentialSettings,
    DomainSettings,
    ServerSettings,
    SipSettings,
    WebhooksSettings,
)
from offhook.server.server import Parts, Server, open_server
from offhook.sip.bindings import Binding
from offhook.sip.timers import Timers
from offhook.store.memory import MemoryRepository
from offhook.testing.clock import WallClock
from offhook.testing.ids import CountingIds
from offhook.testing.listen import match
from offhook.testing.network import Conditions, FakeNetwork, Sent
from offhook.testing.phone import Phone, PhoneCall, open_phone
from offhook.testing.speech import FakeSpeech, inline
from offhook.testing.web import Answer, CustomerApp, twiml
from offhook.transport.network import Address

SERVER, PHONE, WEB = "10.0.0.1", "10.0.0.2", "10.0.0.3"
SUFFIX = "sip.example.test"
HOST = f"acme.{SUFFIX}"
BASE = f"http://{WEB}"
TOKEN = "0123456789abcdef0123456789abcdef"
ACCOUNT = "AC" + "1" * 32
RTP_FROM = 20_000
"""No SIP port of these tests is as high, and no RTP port lower."""
UNHEARD_BYTES = 1600
"""100 ms: what a phone has in its playout buffer when it is hung up on is not heard any more."""
STATUS_TAKEN = Answer(status=204, content_type=None)
PASSWORD = "Secret-Passw0rd"


def users(*names: str) -> tuple[CredentialSettings, ...]:
    """Credentials of a domain, all with that password."""
    return tuple(CredentialSettings(username=name, password=PASSWORD) for name in names)


OFFICE: dict[str, Any] = {"sip_registration": True, "credentials": users("alice", "bob")}
"""Settings of a domain that takes registrations of alice and bob."""

E = TypeVar("E", bound=BusEvent)


async def locate(server: Server, aor: str) -> tuple[Binding, ...]:
    """Where the registrar of a server sends calls for that address."""
    located: Located = await server.tree.services.registrar.ask(lambda reply: Locate(aor, reply), 5.0)
    assert located.aor == aor
    return located.contacts


@attrs.define(eq=False, kw_only=True)
class Served:
    """A server, and what it has told."""

    server: Server
    events: Subscription
    seen: list[BusEvent] = attrs.field(factory=list)

    async def event(self, kind: type[E]) -> E:
        """The next event of this kind; those before it are kept in `seen`."""
        with trio.fail_after(100_000):
            while True:
                heard = await self.events.take()
                assert not isinstance(heard, Gap)
                self.seen.append(heard)
                if isinstance(heard, kind):
                    return heard

    def of(self, kind: type[E]) -> list[E]:
        """All events of this kind so far."""
        while (heard := self.events.take_nowait()) is not None:
            assert not isinstance(heard, Gap)
            self.seen.append(heard)
        return [event for event in self.seen if isinstance(event, kind)]

    async def locate(self, aor: str) -> tuple[Binding, ...]:
        """Where the registrar sends calls for that address."""
        return await locate(self.server, aor)


@attrs.define(eq=False, kw_only=True)
class World(Served):
    """Everything of one test."""

    network: FakeNetwork
    phone: Phone
    web: CustomerApp
    speech: FakeSpeech

    @property
    def target(self) -> str:
        return f"sip:100@{HOST}"

    @property
    def proxy(self) -> str:
        return f"sip:{SERVER}:5060"

    async def ended(self) -> CallEnded:
        return await self.event(CallEnded)

    async def verb(self, name: str) -> None:
        """Wait until a verb of that name has begun, if none has yet."""
        while name not in [event.verb for event in self.of(VerbStarted)]:
            await self.event(VerbStarted)

    async def ends(self, count: int) -> list[CallEnded]:
        """The first `count` ends of calls, in order."""
        while len(self.of(CallEnded)) < count:
            await self.ended()
        return self.of(CallEnded)

    def codes(self) -> list[int]:
        """Codes of the alerts so far, in order."""
        return [alert.code for alert in self.of(AlertRaised)]

    def limit(self, **settings: Any) -> None:
        """Change limits of the running server that no configuration key sets (see `Settings`)."""
        services = self.server.tree.services
        services.settings = attrs.evolve(services.settings, **settings)

    async def call(self, domain: str = "acme", **settings: Any) -> PhoneCall:
        """The phone calls a domain."""
        return await self.phone.call(f"sip:100@{domain}.{SUFFIX}", via=self.proxy, **settings)

    async def dials(self, document: str, *, after: str = "<Hangup/>", **settings: Any) -> PhoneCall:
        """The phone calls, its application answers with this document, and to the action `/after` with that one."""
        self.web.on("/voice", twiml(document))
        self.web.on("/after", twiml(after))
        return await self.call(**settings)

    def heard_at(self, call: PhoneCall) -> Address:
        """Where the phone receives the RTP of an answered call."""
        return leg_of(self.phone.plane, call.media.name).rtp_address

    def has_heard(self, call: PhoneCall, wanted: bytes) -> bool:
        return match(call.heard(), wanted) > 0.95

    def has_heard_notice(self, call: PhoneCall) -> bool:
        """Whether the phone was told that the application has failed."""
        notice = self.server.tree.services.announcer.error_notice.samples
        return self.has_heard(call, notice[:-UNHEARD_BYTES])

    async def idle(self, after_s: float = 40) -> None:
        """After the last call and the timers of its transactions (32 s each): nothing is left of them."""
        await trio.sleep(after_s)
        tree = self.server.tree
        registry = tree.services.registry
        assert registry.calls == {}
        assert registry.legs == {}
        assert registry.transactions == {}
        assert registry.invites == {}
        assert len(tree.linger) == 0
        assert tree.services.calls.size == 0
        assert tree.services.notifiers.size == 0


def leg_of(plane: object, name: str) -> BeatLeg:
    """The leg of that name on a beat plane."""
    assert isinstance(plane, BeatPlane)
    [leg] = [leg for leg in plane._legs if leg.name == name]
    return leg


POISON: Any = object()
"""A message that no handler knows."""


def poison_call(it: World, sid: str) -> None:
    it.server.tree.services.registry.calls[sid].ref.post(POISON)


def poison_leg(it: World, sid: str) -> None:
    [leg] = [ref for ref in it.server.tree.services.registry.legs.values() if ref.name.endswith(sid)]
    leg.post(POISON)


@attrs.define(eq=False)
class RtpTrace:
    """A tap on the network: which RTP packets each receiver was sent, by its address."""

    packets: dict[Address, list[tuple[float, RtpPacket]]] = attrs.field(factory=dict)

    def __call__(self, sent: Sent) -> None:
        port = sent.target[1]
        if port >= RTP_FROM and port % 2 == 0:
            self.packets.setdefault(sent.target, []).append((sent.at, parse_rtp(sent.data)))

    def gaps(self, target: Address) -> list[int]:
        """Sequence numbers after which a packet to `target` is missing; also where more than 25 ms lie between two."""
        packets = self.packets[target]
        return [
            one.sequence
            for (at, one), (later, other) in itertools.pairwise(packets)
            if (one.sequence + 1) % 65_536 != other.sequence or later - at > 0.025
        ]


def config_for(tmp_path: Path, *, others: dict[str, str] | None = None, **domain: object) -> Config:
    """A domain `acme` that takes calls from everywhere on the fake network, and `others`: voice URLs by name."""
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
        domains=(
            DomainSettings(**settings),
            *(
                DomainSettings(name=name, voice_url=url, ip_access_control=("10.0.0.0/8",))
                for name, url in (others or {}).items()
            ),
        ),
        now_utc=WallClock(),
    )


def parts_at(network: FakeNetwork, *hosts: str, ids: str = "server", **others: Any) -> Parts:
    """What a server on the fake network and virtual time needs; its machine has the addresses `hosts`."""
    usual: dict[str, Any] = {"speech": FakeSpeech(), "repository": MemoryRepository(), "offload": inline, "http": False}
    return Parts(network=network.host(*hosts), ids=CountingIds(ids), **{**usual, **others})


def phone_at(network: FakeNetwork, host: str, name: str, **others: Any) -> AbstractAsyncContextManager[Phone]:
    """A phone on a machine of its own."""
    return open_phone(network.host(host), host, **{"name": name, "port": 5060, "ids": CountingIds(name), **others})


@asynccontextmanager
async def world(
    tmp_path: Path,
    *,
    seed: int = 1,
    conditions: Conditions | None = None,
    codecs: tuple[str, ...] = ("PCMU", "PCMA"),
    timers: Timers | None = None,
    config: Config | None = None,
    speech: Speech | None = None,
    others: dict[str, str] | None = None,
    addresses: tuple[str, ...] = (),
    phone_settings: Mapping[str, Any] | None = None,
    **domain: object,
) -> AsyncIterator[World]:
    """A server at 10.0.0.1, a phone at 10.0.0.2, the application at 10.0.0.3. Use with `autojump_clock`."""
    network = FakeNetwork(seed=seed)
    network.dns.address("fresh.example", WEB)
    fake, web = FakeSpeech(), CustomerApp()
    timers = timers or Timers()
    parts = parts_at(network, SERVER, *addresses, speech=speech or fake, timers=timers)
    config = config or config_for(tmp_path, others=others, **domain)
    async with (
        web.serving(network.host(WEB), (WEB, 80)),
        open_server(config, parts) as server,
        server.events(capacity=100_000) as events,
        phone_at(network, PHONE, "alice", timers=timers, codecs=codecs, **(phone_settings or {})) as phone,
    ):
        if conditions is not None:
            network.conditions = conditions
        web.on("/status", STATUS_TAKEN)
        yield World(server=server, events=events, network=network, phone=phone, web=web, speech=fake)
        network.conditions = Conditions()
