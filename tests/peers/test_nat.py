"""Baresip behind a symmetric NAT: it registers, is called, and the two hear each other; its address is of no use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from offhook.actors.messages.events import AlertRaised, BusEvent, Registered, Unregistered
from offhook.server.config import Config, SipSettings, WebhooksSettings
from offhook.server.server import Parts, Server, open_server
from offhook.sip.address import NameAddr
from offhook.testing.phone import open_phone
from offhook.testing.web import CustomerApp, twiml
from offhook.transport.network import Address
from offhook.transport.trio_network import TrioUdpSocket

from .baresip import Baresip, open_baresip
from .house import ALICE, BOB, DOMAIN, configuration
from .nat import PHONE, ROUTER_OUTSIDE, SERVER, Namespace, NamespaceNetwork, Nat, open_nat
from .programs import until
from .scenarios import Login
from .sipp import Transport
from .sound import recognised, speech_like, stretches, write_wav

pytestmark = pytest.mark.peers

SIP_PORT = 5060
TALK_S = 2.5
HEARD_S = 1.0
"""Of that; what is lost to where pieces begin, to playout buffers that fill, and to the time in which both answer."""
PLACES = ("10.99.0.0/16",)
SAID = {user.username: speech_like(30, seed) for seed, user in enumerate((ALICE, BOB))}


@pytest.fixture
def nat() -> Iterator[Nat]:
    with open_nat() as nat:
        yield nat


@attrs.define(eq=False)
class Branch:
    """A server with its application; both live in a namespace of their own."""

    server: Server
    nat: Nat
    folder: Path
    events: list[BusEvent] = attrs.field(factory=list)

    def registered(self, user: Login) -> list[Registered]:
        return [event for event in self.events if isinstance(event, Registered) and f":{user.username}@" in event.aor]

    def gone(self) -> list[Unregistered]:
        return [event for event in self.events if isinstance(event, Unregistered)]

    @asynccontextmanager
    async def phone(self, user: Login, place: Namespace, transport: Transport) -> AsyncIterator[Baresip]:
        """A registered phone."""
        speech = self.folder / f"{user.username}.wav"
        write_wav(speech, SAID[user.username])
        async with open_baresip(
            self.folder / user.username,
            (SERVER, SIP_PORT),
            DOMAIN,
            transport=transport,
            speech=speech,
            login=user,
            registers=True,
            place=place,
        ) as phone:
            yield phone


@asynccontextmanager
async def open_branch(folder: Path, nat: Nat) -> AsyncIterator[Branch]:
    app, network = CustomerApp(), NamespaceNetwork(nat.server)
    async with app.serving(network, (SERVER, 0)) as (host, port):
        app.on("/voice", twiml(f"<Dial><Client>{ALICE.username}</Client></Dial>"))
        usual = configuration(folder, f"http://{host}:{port}/voice", people=(ALICE, BOB))
        at = (f"{SERVER}:{SIP_PORT}",)
        config: Config = attrs.evolve(
            usual,
            server=attrs.evolve(usual.server, drain_s=0),
            sip=SipSettings(domain_suffix=usual.sip.domain_suffix, udp=at, tcp=at, tls=()),
            webhooks=WebhooksSettings(allowed_networks=PLACES),
            domains=tuple(attrs.evolve(domain, ip_access_control=PLACES) for domain in usual.domains),
        )
        async with open_server(config, Parts(network=network)) as server:
            branch = Branch(server, nat, folder)
            server.bus.listen(branch.events.append)
            yield branch


async def talk(caller: Baresip, callee: Baresip) -> None:
    """A call from its beginning to its end."""
    await caller.calls(f"sip:100@{DOMAIN}")
    await callee.rings()
    await callee.answers()
    await callee.talks()
    await caller.talks()
    await trio.sleep(TALK_S)
    await caller.hangs_up()
    await callee.is_over()


def hears(phone: Baresip, speaker: Login) -> float:
    """How many seconds of the other one's speech it heard at a stretch."""
    heard = stretches(recognised(phone.heard(), SAID[speaker.username]))
    return max((end - begin for begin, end in heard), default=0.0)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_a_phone_behind_a_symmetric_nat_is_called_and_the_two_hear_each_other(
    tmp_path: Path, nat: Nat, transport: Transport
) -> None:
    async with open_branch(tmp_path, nat) as branch:
        async with (
            branch.phone(ALICE, nat.phone, transport) as alice,
            branch.phone(BOB, nat.server, "UDP") as bob,
        ):
            [registered] = branch.registered(ALICE)
            # What it says of itself is an address that nobody here reaches; it came from the router's.
            assert NameAddr.parse(registered.contact).uri.host == PHONE
            assert (registered.source, registered.transport) == (ROUTER_OUTSIDE, transport)
            await talk(bob, alice)
        assert hears(alice, BOB) > HEARD_S
        assert hears(bob, ALICE) > HEARD_S


async def test_a_phone_on_a_connection_is_gone_when_that_closes(tmp_path: Path, nat: Nat) -> None:
    async with open_branch(tmp_path, nat) as branch, branch.phone(ALICE, nat.phone, "TCP") as alice:
        assert branch.gone() == []
        alice.process.kill()
        await until(lambda: bool(branch.gone()), 10, "the binding is gone")
        [event] = branch.gone()
        assert event.reason == "connection-closed"
        assert event.contact == branch.registered(ALICE)[0].contact
        async with branch.phone(BOB, nat.server, "UDP") as bob:
            await bob.calls(f"sip:100@{DOMAIN}")
            await bob.is_over()
        assert 32009 in [event.code for event in branch.events if isinstance(event, AlertRaised)]


FORGETS_S, LATER_S = 1, 3
BINDING_REQUEST = bytes.fromhex("000100002112a442") + b"offhook-test"
"""STUN, RFC 8489 section 5."""


class OpenNetwork(NamespaceNetwork):
    """Lets a test say something at a port that a phone has."""

    def __init__(self, namespace: Namespace) -> None:
        super().__init__(namespace)
        self.by_port: dict[int, TrioUdpSocket] = {}

    async def udp(self, address: Address, **settings: Any) -> TrioUdpSocket:
        made = await super().udp(address, **settings)
        self.by_port[made.local[1]] = made
        return made


@pytest.mark.parametrize(
    ("said", "reached"),
    [(b"\r\n\r\n", True), (BINDING_REQUEST, True), (b"", False)],
    ids=["crlf", "stun", "nothing"],
)
async def test_a_phone_is_reached_through_a_nat_that_forgets_as_long_as_it_says_something(
    tmp_path: Path, said: bytes, reached: bool
) -> None:
    with open_nat(FORGETS_S) as nat:
        inside = OpenNetwork(nat.phone)
        async with (
            open_branch(tmp_path, nat) as branch,
            open_phone(inside, PHONE, name=ALICE.username, port=5062) as alice,
            open_phone(NamespaceNetwork(nat.server), SERVER, name=BOB.username, port=5064) as bob,
        ):
            via = f"sip:{SERVER}:{SIP_PORT}"
            line = await alice.register(DOMAIN, password=ALICE.password, via=via)
            assert line.status == 200
            until = trio.current_time() + LATER_S
            while trio.current_time() < until:
                if said:
                    inside.by_port[5062].send_nowait(said, (SERVER, SIP_PORT))
                await trio.sleep(FORGETS_S / 4)
            await bob.call(f"sip:100@{DOMAIN}", via=via, username=BOB.username, password=BOB.password)
            called = False
            with trio.move_on_after(10 if reached else 1.5):
                await alice.called()
                called = True
            assert called is reached
            assert [event.source for event in branch.registered(ALICE)] == [ROUTER_OUTSIDE]
