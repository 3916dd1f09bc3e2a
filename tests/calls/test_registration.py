"""Phones register with a server, over UDP and TCP: what they are answered, and what becomes of their bindings."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.admission import ALLOW_OUTSIDE
from offhook.actors.messages.events import (
    ActorCrashed,
    Registered,
    RegistrationRefused,
    Unregistered,
)
from offhook.actors.messages.registrar import Evict
from offhook.server.config import CredentialSettings
from offhook.sip.build import request as build_request
from offhook.sip.message import Response
from offhook.sip.parse import parse_datagram
from offhook.sip.render import render
from offhook.sip.via import Via
from offhook.testing.network import Conditions
from offhook.testing.phone import Phone
from offhook.transport.flow import Flow

from .kit import (
    ACCOUNT,
    HOST,
    OFFICE,
    PASSWORD,
    PHONE,
    SERVER,
    SUFFIX,
    World,
    config_for,
    phone_at,
    users,
    world,
)

ALICE, BOB = f"sip:alice@{HOST}", f"sip:bob@{HOST}"


def office(tmp_path: Path, **settings: Any) -> AbstractAsyncContextManager[World]:
    """A server whose domain takes registrations of alice and bob."""
    return world(tmp_path, **{**OFFICE, **settings})


def statuses(phone: Phone) -> list[int]:
    return [seen.message.status for seen in phone.ladder if isinstance(seen.message, Response)]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_phone_registers_and_is_found(autojump_clock: MockClock, tmp_path: Path, transport: str) -> None:
    async with office(tmp_path) as it:
        line = await it.phone.register(HOST, password=PASSWORD, via=it.proxy, transport=transport)
        assert statuses(it.phone) == [407, 200]
        suffix = ";transport=tcp" if transport == "tcp" else ""
        assert line.bindings == {f"sip:alice@{PHONE}:5060{suffix}": 3600}
        assert "Expires" not in line.response.headers
        assert line.response.headers.get("Date") == "Thu, 01 Jan 2026 12:00:00 GMT"
        [binding] = await it.locate(ALICE)
        assert str(binding.target) == f"sip:alice@{PHONE}:5060{suffix}"
        assert isinstance(binding.flow, Flow)
        assert (binding.flow.transport, binding.flow.remote[0]) == (transport.upper(), PHONE)
        [event] = it.of(Registered)
        assert isinstance(event, Registered)
        assert (event.account, event.domain, event.aor) == (ACCOUNT, "acme", ALICE)
        assert (event.expires_s, event.refreshed, event.source) == (3600, False, PHONE)


async def test_the_challenge_is_407_with_the_realm_of_the_suffix(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        line = await it.phone.register(HOST, via=it.proxy)
        assert (line.status, line.response.reason) == (407, "Proxy Authentication required")
        [value] = line.response.headers.all("Proxy-Authenticate")
        assert f'realm="{SUFFIX}"' in value
        assert 'qop="auth"' in value
        assert it.of(RegistrationRefused) == []


async def test_a_refresh_makes_no_second_binding(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        line = await it.phone.register(HOST, password=PASSWORD, via=it.proxy)
        await trio.sleep(20)
        await line.refresh()
        assert list(line.bindings.values()) == [3600]
        assert len(await it.locate(ALICE)) == 1
        events = it.of(Registered)
        assert [event.refreshed for event in events if isinstance(event, Registered)] == [False, True]


async def test_two_phones_share_a_user_and_each_sees_both(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it, phone_at(it.network, "10.0.0.4", "desk") as desk:
        first = await it.phone.register(HOST, password=PASSWORD, via=it.proxy, expires=700)
        await trio.sleep(10)
        second = await desk.register(HOST, username="alice", password=PASSWORD, via=it.proxy, params=";q=0.5")
        assert second.bindings == {f"sip:alice@{PHONE}:5060": 690, "sip:desk@10.0.0.4:5060": 3600}
        assert len(second.response.headers.all("Contact")) == 1
        assert [binding.q for binding in await it.locate(ALICE)] == [1.0, 0.5]
        await first.end()
        assert list(first.bindings) == ["sip:desk@10.0.0.4:5060"]
        await second.query()
        assert list(second.bindings) == ["sip:desk@10.0.0.4:5060"]


async def test_a_star_ends_all_of_them(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it, phone_at(it.network, "10.0.0.4", "desk") as desk:
        line = await it.phone.register(HOST, password=PASSWORD, via=it.proxy)
        await desk.register(HOST, username="alice", password=PASSWORD, via=it.proxy)
        assert (await line.send(contact="*", expires=60)).status == 400
        assert len(await it.locate(ALICE)) == 2
        assert (await line.send(contact="*", expires=0)).status == 200
        assert "Contact" not in line.response.headers
        assert await it.locate(ALICE) == ()
        assert {event.reason for event in it.of(Unregistered) if isinstance(event, Unregistered)} == {"removed"}


async def test_too_short_is_423_and_too_long_is_cut(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        line = await it.phone.register(HOST, password=PASSWORD, via=it.proxy, expires=599)
        assert (line.status, line.response.min_expires) == (423, 600)
        assert await it.locate(ALICE) == ()
        await line.send(expires=7200)
        assert list(line.bindings.values()) == [3600]
        await line.send(expires=None)
        assert list(line.bindings.values()) == [3600]


async def test_the_configuration_says_how_short_and_how_long(autojump_clock: MockClock, tmp_path: Path) -> None:
    config = config_for(tmp_path, **OFFICE)
    sip = attrs.evolve(config.sip, registration_min_s=20, registration_max_s=90)
    async with office(tmp_path, config=attrs.evolve(config, sip=sip)) as it:
        line = await it.phone.register(HOST, password=PASSWORD, via=it.proxy, expires=19)
        assert (line.status, line.response.min_expires) == (423, 20)
        await line.send(expires=20)
        assert list(line.bindings.values()) == [20]
        await line.send(expires=91)
        assert list(line.bindings.values()) == [90]


async def test_who_somebody_is_cannot_be_found_out(autojump_clock: MockClock, tmp_path: Path) -> None:
    config = config_for(tmp_path, **OFFICE)
    [acme] = config.domains
    other = config_for(
        tmp_path,
        name="other",
        sip_registration=True,
        credentials=users("carol"),
    ).domains[0]
    async with world(tmp_path, config=attrs.evolve(config, domains=(acme, other))) as it:
        answers = [
            await it.phone.register(HOST, username=name, password=password, via=it.proxy)
            for name, password in (("alice", "wrong"), ("nobody", PASSWORD), ("carol", PASSWORD))
        ]
        heads = [
            (
                line.status,
                line.response.reason,
                [name for name, _ in line.response.headers],
                line.response.headers.get("X-Twilio-Error"),
                [response.status for response in line.responses],
            )
            for line in answers
        ]
        assert heads[0] == heads[1] == heads[2]
        assert heads[0][:2] == (403, "Invalid credentials")
        assert it.codes() == [32202] * 3
        good = await it.phone.register(f"other.{SUFFIX}", username="carol", password=PASSWORD, via=it.proxy)
        assert good.status == 200


async def test_a_user_registers_nobody_else(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        line = await it.phone.register(HOST, username="alice", password=PASSWORD, user="bob", via=it.proxy)
        assert line.status == 403
        assert (line.response.headers.get("X-Twilio-Error") or "").startswith("32106 ")
        assert await it.locate(BOB) == await it.locate(ALICE) == ()
        [refused] = it.of(RegistrationRefused)
        assert isinstance(refused, RegistrationRefused)
        assert (refused.status, refused.code, refused.domain, refused.source) == (403, 32106, "acme", PHONE)


async def test_a_credential_for_calls_alone_does_not_register(autojump_clock: MockClock, tmp_path: Path) -> None:
    caller = CredentialSettings(username="dora", password=PASSWORD, registrations=False)
    async with office(tmp_path, credentials=(*users("alice", "bob"), caller)) as it:
        line = await it.phone.register(HOST, username="dora", password=PASSWORD, via=it.proxy)
        assert (line.status, it.codes()) == (403, [32202])


@pytest.mark.parametrize(
    ("domain", "code"), [({"sip_registration": False}, 32210), ({"credentials": ()}, 32212)], ids=["off", "no list"]
)
async def test_a_domain_without_registrations_is_403(
    autojump_clock: MockClock, tmp_path: Path, domain: dict[str, Any], code: int
) -> None:
    async with office(tmp_path, **domain) as it:
        line = await it.phone.register(HOST, password=PASSWORD, via=it.proxy)
        assert (line.status, it.codes()) == (403, [code])
        assert (line.response.headers.get("X-Twilio-Error") or "").startswith(f"{code} ")


async def test_the_eleventh_binding_is_refused_and_ten_stay(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        lines = []
        for number in range(10):
            contact = f"<sip:alice@{PHONE}:{6000 + number}>"
            lines.append(await it.phone.register(HOST, password=PASSWORD, via=it.proxy, contact=contact))
            await trio.sleep(1)
        assert [line.status for line in lines] == [200] * 10
        eleventh = await it.phone.register(HOST, password=PASSWORD, via=it.proxy, contact=f"<sip:alice@{PHONE}:7000>")
        assert (eleventh.status, it.codes()) == (403, [32007])
        assert len(await it.locate(ALICE)) == 10
        await lines[0].refresh()
        assert len(lines[0].bindings) == 10


async def test_the_sixth_register_of_a_second_is_503(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        line = await it.phone.register(HOST, password=PASSWORD, via=it.proxy)
        for _ in range(4):
            assert (await line.refresh()).status == 200
        assert (await line.refresh()).status == 503
        assert line.response.retry_after is not None
        assert line.response.retry_after.seconds == 1
        assert it.codes() == [32008]
        bob = await it.phone.register(HOST, username="bob", password=PASSWORD, via=it.proxy)
        assert bob.status == 200
        await trio.sleep(1)
        assert (await line.refresh()).status == 200


async def test_a_closed_connection_ends_its_bindings_and_no_others(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        await it.phone.register(HOST, password=PASSWORD, via=it.proxy, transport="udp")
        async with phone_at(it.network, "10.0.0.4", "desk") as desk:
            await desk.register(HOST, username="alice", password=PASSWORD, via=it.proxy, transport="tcp")
            assert len(await it.locate(ALICE)) == 2
        gone = await it.event(Unregistered)
        assert isinstance(gone, Unregistered)
        assert gone.reason == "connection-closed"
        [left] = await it.locate(ALICE)
        assert left.flow is not None
        assert left.flow.transport == "UDP"


async def test_lost_and_repeated_datagrams_end_in_one_binding(autojump_clock: MockClock, tmp_path: Path) -> None:
    rough = Conditions(delay_s=0.05, jitter_s=0.2, loss=0.4, duplicate=0.3)
    async with office(tmp_path, conditions=rough) as it:
        line = await it.phone.register(HOST, password=PASSWORD, via=it.proxy)
        for _ in range(5):
            assert line.status == 200
            await trio.sleep(5)
            await line.refresh()
        assert len(line.bindings) == 1
        assert len(it.of(Registered)) == 6
        assert not it.of(RegistrationRefused)
        assert not it.of(ActorCrashed)


async def test_an_evicted_user_is_gone_at_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        await it.phone.register(HOST, password=PASSWORD, via=it.proxy)
        it.server.tree.services.registrar.post(Evict(ALICE))
        gone = await it.event(Unregistered)
        assert isinstance(gone, Unregistered)
        assert gone.reason == "evicted"
        assert await it.locate(ALICE) == ()


async def test_a_register_names_no_user_in_its_request_uri(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        line = await it.phone.register(f"alice@{HOST}", password=PASSWORD, via=it.proxy)
        assert (line.status, line.response.reason) == (400, "User part in the Request-URI")


async def test_a_foreign_domain_is_403_and_nobody_is_told(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        line = await it.phone.register("elsewhere.test", password=PASSWORD, via=it.proxy)
        assert (line.status, it.codes()) == (403, [])


async def test_a_registered_phone_calls_like_any_other(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        await it.phone.register(HOST, password=PASSWORD, via=it.proxy)
        call = await it.phone.call(it.target, username="alice", password=PASSWORD, via=it.proxy)
        assert await call.answered()
        await call.over()
        assert len(await it.locate(ALICE)) == 1


TORTURE = Path(__file__).parent.parent / "torture" / "valid" / "other_schemes_in_addresses.sip"


async def test_addresses_of_foreign_schemes_are_never_bound(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        host = it.network.host("192.0.2.77")
        socket = await host.udp(("192.0.2.77", 5070))
        for uri, expected in ((b"sip:hall.example.net", 403), (f"sip:{HOST}".encode(), 416)):
            socket.send_nowait(TORTURE.read_bytes().replace(b"sip:hall.example.net", uri), (SERVER, 5060))
            await socket.readable()
            datagram = socket.recv_nowait()
            assert datagram is not None
            assert datagram.data.startswith(f"SIP/2.0 {expected} ".encode())
        socket.close()
        assert not it.of(Registered)
        assert not it.of(ActorCrashed)


async def test_a_refresh_that_keeps_the_tag_of_the_answer_is_taken(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        line = await it.phone.register(HOST, password=PASSWORD, via=it.proxy)
        line.to = line.response.to
        await line.refresh()
        assert (line.status, line.response.to_tag) == (200, line.to.tag)


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("PUBLISH", 405)])
async def test_outside_of_dialogs_register_is_among_what_is_allowed(
    autojump_clock: MockClock, tmp_path: Path, method: str, status: int
) -> None:
    async with office(tmp_path) as it:
        request = build_request(
            method,
            f"sip:{HOST}",
            via=Via.parse("SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK1;rport"),
            from_=f"<{ALICE}>;tag=1",
            to=f"<sip:{HOST}>",
            call_id="c1",
            cseq=1,
        )
        socket = await it.network.host("10.0.0.9").udp(("10.0.0.9", 5060))
        socket.send_nowait(render(request), (SERVER, 5060))
        await socket.readable()
        datagram = socket.recv_nowait()
        assert datagram is not None
        response = parse_datagram(datagram.data)
        assert isinstance(response, Response)
        assert response.status == status
        assert response.allow == ALLOW_OUTSIDE
        socket.close()
