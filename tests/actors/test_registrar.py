"""The registrar as an actor: transactions, connections it keeps, time, faults, and what it tells."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from offhook.actors.bus import Bus, Gap, Subscription
from offhook.actors.courier import Courier
from offhook.actors.guard import Nest, Policy, open_nest
from offhook.actors.herald import Herald
from offhook.actors.mailbox import Mailbox, Reply
from offhook.actors.messages.events import (
    ActorCrashed,
    AlertRaised,
    BusEvent,
    Registered,
    RegistrationRefused,
    Unregistered,
)
from offhook.actors.messages.registrar import (
    FlowClosed,
    Locate,
    Located,
    RegisterReceived,
    RegistrarMessage,
    Restore,
)
from offhook.actors.registrar import Held, Registrar, registrar_mailbox
from offhook.actors.settings import Settings
from offhook.sip.build import request as build_request
from offhook.sip.digest import DigestServer, answer_challenge
from offhook.sip.message import Request, Response
from offhook.sip.parse import parse_datagram
from offhook.sip.registration import Bounds
from offhook.sip.timers import Timers
from offhook.sip.via import Via
from offhook.store.domains import DomainDirectory, DomainNames
from offhook.store.records import CredentialRecord, DomainRecord
from offhook.testing.clock import WallClock
from offhook.testing.network import FakeNetwork
from offhook.transport.arrivals import stamp
from offhook.transport.connections import Connections
from offhook.transport.errors import ConnectionLost
from offhook.transport.flow import Flow, LossListener
from offhook.transport.network import Address, UdpSocket
from offhook.transport.resolve import Resolver
from offhook.transport.udp import UdpTransport

SUFFIX = "sip.example.test"
HOST = f"acme.{SUFFIX}"
ANN = f"sip:ann@{HOST}"
PASSWORD = "Secret-Passw0rd"
SERVER, PHONE = "10.0.0.1", "10.0.0.2"
NAMES = DomainNames(SUFFIX)
ACME = DomainRecord(
    sid="SD1",
    account_sid="AC1",
    name="acme",
    full_name=HOST,
    sip_registration=True,
    credentials=(CredentialRecord("CR1", "ann", PASSWORD), CredentialRecord("CR2", "bob", PASSWORD)),
)
VAULT = attrs.evolve(ACME, sid="SD2", name="vault", full_name=f"vault.{SUFFIX}", secure=True)


@attrs.define(eq=False)
class Line:
    """A connection of a phone, seen from the registrar: what was written, and who holds it."""

    closed: bool = False
    held: int = 0
    written: list[Response] = attrs.field(factory=list)

    def send(self, data: bytes, lost: LossListener | None = None) -> None:
        response = parse_datagram(data)
        assert isinstance(response, Response)
        self.written.append(response)

    def close(self) -> None:
        self.closed = True

    def hold(self) -> None:
        self.held += 1

    def release(self) -> None:
        self.held -= 1
        assert self.held >= 0

    def flow(self, remote: Address = (PHONE, 40_000)) -> Flow:
        return Flow("TCP", (SERVER, 5060), remote, connection=self, reliable=True)


@attrs.define(eq=False)
class Directory(DomainDirectory):
    """The domains, and one host that makes our own code fail."""

    def find(self, host: str) -> DomainRecord | None:
        if host == "poison.test":
            raise RuntimeError("a bug in our own code")
        return DomainDirectory.find(self, host)


@attrs.define(eq=False)
class Desk:
    """A registrar and a phone that has signed in on UDP."""

    box: Mailbox[RegistrarMessage]
    held: Held
    digest: DigestServer
    udp: UdpTransport
    socket: UdpSocket
    events: Subscription
    nest: Nest
    _nonces: int = 0

    @property
    def flow(self) -> Flow:
        return Flow("UDP", (SERVER, 5060), self.socket.local, port=self.udp)

    def request(
        self,
        contact: str | None = f"<sip:ann@{PHONE}>",
        *,
        cseq: int = 1,
        branch: str = "z9hG4bK1",
        user: str = "ann",
        to: str = f"<{ANN}>",
        uri: str = f"sip:{HOST}",
        password: str = PASSWORD,
        header: str = "Proxy-Authorization",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Request:
        """A REGISTER with fresh credentials."""
        challenge = self.digest.challenge(trio.current_time())
        self._nonces += 1
        given = answer_challenge(challenge, "REGISTER", uri, user, password, cnonce=f"c{self._nonces}")
        return build_request(
            "REGISTER",
            uri,
            via=Via.parse(f"SIP/2.0/UDP {PHONE}:5060;branch={branch};rport"),
            from_=f"<{ANN}>;tag=1",
            to=to,
            call_id="c1",
            cseq=cseq,
            contact=contact,
            headers=((header, given), *headers),
        )

    async def ask(self, request: Request) -> Response:
        """Send a REGISTER over UDP; its answer."""
        self.box.ref.post(RegisterReceived(stamp(request, self.socket.local), self.flow))
        return await self.answer()

    async def answer(self) -> Response:
        await self.socket.readable()
        datagram = self.socket.recv_nowait()
        assert datagram is not None
        response = parse_datagram(datagram.data)
        assert isinstance(response, Response)
        return response

    async def on(self, line: Line, request: Request, flow: Flow) -> Response:
        """Send a REGISTER over a connection; its answer."""
        self.box.ref.post(RegisterReceived(stamp(request, flow.remote), flow))
        await wait_all_tasks_blocked()
        return line.written[-1]

    async def locate(self, aor: str = ANN) -> Located:
        def question(reply: Reply[Located]) -> Locate:
            return Locate(aor, reply)

        return await self.box.ref.ask(question, 5.0)

    def heard(self) -> list[BusEvent]:
        heard: list[BusEvent] = []
        while (event := self.events.take_nowait()) is not None:
            assert not isinstance(event, Gap)
            heard.append(event)
        return heard


@asynccontextmanager
async def desk(bounds: Bounds = Bounds(), make: type[Registrar] = Registrar) -> AsyncIterator[Desk]:  # noqa: B008 - frozen
    network = FakeNetwork(seed=1)
    ours, theirs = network.host(SERVER), network.host(PHONE)
    bus, digest = Bus(), DigestServer(b"k" * 32, SUFFIX)
    settings = Settings(account="AC1", server_header="offhook/test", public_url="http://here")
    herald = Herald(settings=settings, now_utc=WallClock(), bus=bus)
    domains = Directory.of(NAMES, (ACME, VAULT))
    box, held = registrar_mailbox(), Held.empty(Timers(), bounds)
    async with trio.open_nursery() as nursery, open_nest("services") as nest:
        connections = Connections(ours, _nowhere)
        courier = Courier(ours, connections, Resolver(ours), nursery)
        udp = UdpTransport(await ours.udp((SERVER, 5060)), ours)
        courier.add_udp(udp)
        socket = await theirs.udp((PHONE, 5060))
        nest.start_made(box, lambda: make(box, herald, courier, domains, digest, held), policy=Policy.RESTART)
        with bus.subscribe(capacity=10_000) as events:
            yield Desk(box, held, digest, udp, socket, events, nest)
        nursery.cancel_scope.cancel()


async def _nowhere(arrival: object) -> None:
    """Nothing arrives by streams here."""


# --- transactions --------------------------------------------------------------------------------------------------


async def test_a_repeated_register_meets_the_same_answer(autojump_clock: MockClock) -> None:
    async with desk() as it:
        request = it.request()
        first = await it.ask(request)
        await trio.sleep(3)
        again = await it.ask(request)
        assert first.status == 200
        assert again == first
        assert len([event for event in it.heard() if isinstance(event, Registered)]) == 1
        assert len(it.held.answers) == 1


async def test_a_repeated_refusal_meets_the_same_answer_although_its_nonce_is_used(autojump_clock: MockClock) -> None:
    async with desk() as it:
        request = it.request(headers=(("Expires", "60"),))
        first = await it.ask(request)
        assert (first.status, await it.ask(request)) == (423, first)


async def test_the_answers_are_forgotten_after_64_t1(autojump_clock: MockClock) -> None:
    async with desk() as it:
        request = it.request()
        await it.ask(request)
        await trio.sleep(31.9)
        assert (await it.ask(request)).status == 200
        await trio.sleep(0.2)
        assert len(it.held.answers) == 0
        late = await it.ask(request)
        assert late.status == 407
        assert "stale=true" in (late.headers.get("Proxy-Authenticate") or "")


async def test_a_copy_by_another_way_is_told_so(autojump_clock: MockClock) -> None:
    async with desk() as it:
        await it.ask(it.request())
        assert (await it.ask(it.request(branch="z9hG4bK2"))).status == 482
        assert (await it.ask(it.request(branch="z9hG4bK3", cseq=2))).status == 200


async def test_strangers_leave_nothing_behind(autojump_clock: MockClock) -> None:
    async with desk() as it:
        for number in range(20):
            response = await it.ask(it.request(branch=f"z9hG4bK{number}", password="wrong"))
            assert (response.status, response.reason) == (403, "Invalid credentials")
        assert (len(it.held.answers), len(it.held.bindings)) == (0, 0)
        events = it.heard()
        assert {type(event) for event in events} == {AlertRaised, RegistrationRefused}


async def test_a_stream_needs_no_memory_of_answers(autojump_clock: MockClock) -> None:
    async with desk() as it:
        line = Line()
        assert (await it.on(line, it.request(), line.flow())).status == 200
        assert len(it.held.answers) == 0


# --- who may -------------------------------------------------------------------------------------------------------


async def test_credentials_may_come_as_after_a_401(autojump_clock: MockClock) -> None:
    async with desk() as it:
        assert (await it.ask(it.request(header="Authorization"))).status == 200


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("<isbn:2983792873>", 416),
        ("<tel:+15550100>", 416),
        ("<http://www.example.com/~nora>", 416),
        (f"<sip:{HOST}>", 404),
        ("<sip:ann@elsewhere.test>", 404),
        (f"<sip:ann@vault.{SUFFIX}>", 404),
        (f"<sip:bob@{HOST}>", 403),
        ("<sips:ann@acme.sip.dublin.example.test:5061;x=y>", 200),
    ],
)
async def test_only_ones_own_address_of_record_can_be_bound(autojump_clock: MockClock, to: str, status: int) -> None:
    async with desk() as it:
        assert (await it.ask(it.request(to=to))).status == status
        assert len(it.held.bindings) == (1 if status == 200 else 0)
        assert len((await it.locate()).contacts) == len(it.held.bindings)


@pytest.mark.parametrize("contact", ["<name:Nora_K>", "<tel:+15550100>", "<mailto:ann@example.com>"])
async def test_a_contact_of_a_foreign_scheme_is_416(autojump_clock: MockClock, contact: str) -> None:
    async with desk() as it:
        assert (await it.ask(it.request(contact))).status == 416
        assert len(it.held.bindings) == 0


async def test_a_secure_domain_takes_no_clear_registration(autojump_clock: MockClock) -> None:
    async with desk() as it:
        request = it.request(uri=f"sip:{VAULT.full_name}", to=f"<sip:ann@{VAULT.full_name}>")
        response = await it.ask(request)
        assert (response.status, response.reason) == (488, "Secure SIP transport required")
        [alert] = [event for event in it.heard() if isinstance(event, AlertRaised)]
        assert alert.code == 32209


# --- what the answer says ------------------------------------------------------------------------------------------


async def test_the_answer_names_path_and_date_and_server(autojump_clock: MockClock) -> None:
    async with desk() as it:
        path = "<sip:edge.example;lr>"
        response = await it.ask(it.request(headers=(("Path", path), ("Supported", "path"))))
        get = response.headers.get
        assert (get("Path"), get("Date"), get("Server")) == (path, "Thu, 01 Jan 2026 12:00:00 GMT", "offhook/test")
        assert response.headers.all("Contact") == (f"<sip:ann@{PHONE}>;expires=3600",)
        [binding] = (await it.locate()).contacts
        assert (binding.flow, [str(hop) for hop in binding.path]) == (None, [path])


async def test_a_kept_flow_is_confirmed(autojump_clock: MockClock) -> None:
    async with desk() as it:
        contact = f'<sip:ann@{PHONE};ob>;+sip.instance="<urn:uuid:1>";reg-id=1'
        response = await it.ask(it.request(contact, headers=(("Supported", "path, outbound"),)))
        assert response.require == ("outbound",)
        assert "reg-id=1;expires=3600" in (response.headers.get("Contact") or "")


async def test_a_question_of_a_user_without_bindings_is_200_without_contact(autojump_clock: MockClock) -> None:
    async with desk() as it:
        response = await it.ask(it.request(None))
        assert (response.status, response.contacts) == (200, ())


# --- time ----------------------------------------------------------------------------------------------------------


async def test_a_binding_ends_at_its_second_and_the_world_is_told(autojump_clock: MockClock) -> None:
    async with desk() as it:
        began = trio.current_time()
        await it.ask(it.request(headers=(("Expires", "700"), ("User-Agent", "Desk 9"))))
        registered = await it.events.take()
        assert isinstance(registered, Registered)
        assert (registered.aor, registered.account, registered.domain) == (ANN, "AC1", "acme")
        assert (registered.expires_s, registered.user_agent) == (700, "Desk 9")
        gone = await it.events.take()
        assert isinstance(gone, Unregistered)
        assert gone.reason == "expired"
        assert trio.current_time() - began == pytest.approx(700)
        assert (gone.at - registered.at).total_seconds() == pytest.approx(700)


async def test_an_idle_registrar_sleeps(autojump_clock: MockClock) -> None:
    async with desk() as it:
        await it.ask(it.request(None))
        await trio.sleep(40)
        assert it.held.bindings.wake_at() == it.held.answers.wake_at() == math.inf


# --- connections ---------------------------------------------------------------------------------------------------


async def test_a_connection_is_held_once_for_each_binding_until_it_ends(autojump_clock: MockClock) -> None:
    async with desk() as it:
        line = Line()
        flow = line.flow()
        await it.on(line, it.request("<sip:ann@a>, <sip:ann@b>"), flow)
        assert line.held == 2
        await it.on(line, it.request("<sip:ann@a>, <sip:ann@b>", cseq=2), flow)
        assert line.held == 2
        await it.on(line, it.request("<sip:ann@a>;expires=0", cseq=3), flow)
        assert line.held == 1
        await trio.sleep(3601)
        assert (line.held, len(it.held.bindings)) == (0, 0)


async def test_a_phone_that_connects_anew_lets_its_old_connection_go(autojump_clock: MockClock) -> None:
    async with desk() as it:
        old, new = Line(), Line()
        old_flow = old.flow()
        contact = '<sip:ann@a>;+sip.instance="<urn:uuid:1>"'
        await it.on(old, it.request(contact), old_flow)
        await it.on(new, it.request(contact, cseq=2), new.flow((PHONE, 40_001)))
        assert (old.held, new.held) == (0, 1)
        it.box.ref.post(FlowClosed(old_flow, None))
        assert len((await it.locate()).contacts) == 1


async def test_a_lost_connection_ends_its_bindings(autojump_clock: MockClock) -> None:
    async with desk() as it:
        line = Line()
        flow = line.flow()
        await it.on(line, it.request("<sip:ann@a>, <sip:ann@b>"), flow)
        it.heard()
        it.box.ref.post(FlowClosed(flow, ConnectionLost("there", "reset")))
        assert (await it.locate()).contacts == ()
        assert [event.reason for event in it.heard() if isinstance(event, Unregistered)] == ["connection-closed"] * 2


async def test_nobody_is_sent_down_a_connection_that_has_just_gone(autojump_clock: MockClock) -> None:
    async with desk() as it:
        line = Line()
        await it.on(line, it.request("<sip:ann@a>"), line.flow())
        await it.ask(it.request("<sip:ann@b>", cseq=2))
        line.close()
        assert [binding.contact.uri.host for binding in (await it.locate()).contacts] == ["b"]


# --- finding -------------------------------------------------------------------------------------------------------


async def test_callers_get_the_preferred_first(autojump_clock: MockClock) -> None:
    async with desk() as it:
        await it.ask(it.request("<sip:ann@a>;q=0.3, <sip:ann@b>, <sip:ann@c>;q=0.8"))
        located = await it.locate()
        assert located.aor == ANN
        assert [(binding.contact.uri.host, binding.q) for binding in located.contacts] == [
            ("b", 1.0),
            ("c", 0.8),
            ("a", 0.3),
        ]
        assert (await it.locate(f"sip:bob@{HOST}")).contacts == ()


# --- faults --------------------------------------------------------------------------------------------------------


async def test_a_poisonous_register_costs_one_answer(autojump_clock: MockClock) -> None:
    async with desk() as it:
        for number in range(10):
            poison = it.request(uri="sip:poison.test", branch=f"z9hG4bK{number}")
            assert (await it.ask(poison)).status == 500
        assert (await it.ask(it.request())).status == 200
        assert len([event for event in it.heard() if isinstance(event, ActorCrashed)]) == 10


@attrs.define(eq=False)
class Stumbling(Registrar):
    """Fails once at its first timer, outside of any message."""

    stumbled = False

    async def wake(self, now: float) -> None:
        if not Stumbling.stumbled:
            Stumbling.stumbled = True
            raise RuntimeError("a bug in a timer")
        await super().wake(now)


async def test_bindings_and_answers_outlive_a_restart(autojump_clock: MockClock) -> None:
    Stumbling.stumbled = False
    async with desk(make=Stumbling) as it:
        line = Line()
        await it.on(line, it.request("<sip:ann@a>"), line.flow())
        request = it.request("<sip:ann@b>", cseq=2)
        first = await it.ask(request)
        await trio.sleep(31.99)
        assert await it.ask(request) == first
        await trio.sleep(1)
        assert Stumbling.stumbled
        assert len((await it.locate()).contacts) == 2
        assert line.held == 1
        assert (await it.ask(it.request("<sip:ann@b>", cseq=3))).status == 200
        await trio.sleep(3601)
        assert (line.held, len(it.held.bindings)) == (0, 0)


# --- a process before this one -------------------------------------------------------------------------------------


async def test_what_an_earlier_process_had_bound_is_told_and_found_and_ends(autojump_clock: MockClock) -> None:
    async with desk() as it:
        now = trio.current_time()
        await it.ask(it.request())
        [fresh] = (await it.locate()).contacts
        bob = attrs.evolve(fresh, aor=f"sip:bob@{HOST}", until=now + 100)
        it.heard()
        await it.box.ref.ask(partial(Restore, (fresh, bob)), 5.0)
        assert (await it.locate(bob.aor)).contacts == (bob,)
        assert (await it.locate()).contacts == (fresh,)
        [told] = it.heard()
        assert isinstance(told, Registered)
        assert (told.aor, told.restored, told.refreshed, told.expires_s) == (bob.aor, True, False, 100)
        gone = await it.events.take()
        assert isinstance(gone, Unregistered)
        assert trio.current_time() - now == pytest.approx(100)
