"""Trunks that want us registered: a second server stands for the carrier's registrar, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import (
    ActorCrashed,
    AlertRaised,
    TrunkRegistered,
    TrunkUnavailable,
    TrunkUnregistered,
)
from offhook.server.config import Config, CredentialSettings, DomainSettings, ServerSettings, SipSettings
from offhook.server.server import open_server
from offhook.server.trunk_config import TrunkSettings
from offhook.sip.registration import aor_of
from offhook.sip.trunk_registration import GatewayRegistration, Output
from offhook.testing.clock import WallClock
from offhook.testing.network import FakeNetwork
from offhook.transport.network import Address

from .kit import PHONE, SERVER, Served, config_for, parts_at, phone_at

CARRIERS = ("10.1.0.1", "10.1.0.2")
PASSWORD = "carrier-secret"


class Side(Served):
    """The house or a carrier."""

    async def bindings(self) -> list[str]:
        """Where a carrier thinks that we are."""
        return [str(binding.contact.uri) for binding in await self.locate("sip:line1@pstn.carrier.test")]


@asynccontextmanager
async def side(network: FakeNetwork, host: str, config: Config) -> AsyncIterator[Side]:
    parts = parts_at(network, host, ids=host)
    async with open_server(config, parts) as server, server.events(capacity=100_000) as events:
        yield Side(server=server, events=events)


@asynccontextmanager
async def carrier(
    network: FakeNetwork, tmp_path: Path, host: str = CARRIERS[0], username: str = "line1"
) -> AsyncIterator[Side]:
    """A registrar that grants 600 to 3,600 s."""
    user = CredentialSettings(username=username, password=PASSWORD)
    config = Config(
        server=ServerSettings(data_dir=tmp_path / host, drain_s=0),
        sip=SipSettings(
            domain_suffix="carrier.test",
            default_domain="pstn",
            udp=(f"{host}:5060",),
            tcp=(f"{host}:5060",),
            tls=(),
        ),
        domains=(DomainSettings(name="pstn", sip_registration=True, credentials=(user,)),),
        now_utc=WallClock(),
    )
    async with side(network, host, config) as it:
        yield it


def ours(tmp_path: Path, *uris: str, username: str = "line1", password: str = PASSWORD) -> Config:
    """A house with one trunk that registers."""
    trunk = TrunkSettings(
        name="main",
        uris=uris or (f"sip:{CARRIERS[0]}",),
        username=username,
        password=password,
        register=True,
        prefixes=("+1",),
    )
    return attrs.evolve(config_for(tmp_path), trunks=(trunk,))


@pytest.mark.parametrize("transport", ["", ";transport=tcp"])
async def test_a_trunk_registers_renews_and_takes_it_back(
    autojump_clock: MockClock, tmp_path: Path, transport: str
) -> None:
    network = FakeNetwork()
    async with carrier(network, tmp_path) as there:
        async with side(network, SERVER, ours(tmp_path, f"sip:{CARRIERS[0]}{transport}")) as house:
            new = await house.event(TrunkRegistered)
            assert (new.trunk, new.gateway) == ("main", f"sip:{CARRIERS[0]}{transport}")
            assert (new.expires_s, new.refreshed) == (3600, False)
            assert await there.bindings() == [f"sip:line1@{SERVER}:5060{transport}"]
            renewed = await house.event(TrunkRegistered)
            assert renewed.refreshed
            for _ in range(20):
                await trio.sleep(1000)
                assert await there.bindings()
            assert house.of(TrunkUnregistered) == []
            assert house.of(AlertRaised) == []
        assert await there.bindings() == []


@pytest.mark.parametrize("username", ["100%", "a%41", "zoë", "<line>|[1]"])
async def test_a_user_name_of_any_characters_registers(
    autojump_clock: MockClock, tmp_path: Path, username: str
) -> None:
    network = FakeNetwork()
    async with (
        carrier(network, tmp_path, username=username) as there,
        side(network, SERVER, ours(tmp_path, username=username)) as house,
    ):
        await house.event(TrunkRegistered)
        [binding] = await there.locate(aor_of(username, "pstn.carrier.test"))
        assert binding.target.user_text == username
        assert house.of(ActorCrashed) == []


async def test_a_carrier_that_is_away_is_tried_again_and_others_do_not_notice(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    network = FakeNetwork()
    async with carrier(network, tmp_path) as there:
        silent: Address = (CARRIERS[0], 5060)
        network.blackhole(silent)
        config = ours(tmp_path, *(f"sip:{host}" for host in CARRIERS))
        async with carrier(network, tmp_path, CARRIERS[1]) as other, side(network, SERVER, config) as house:
            assert (await house.event(TrunkRegistered)).gateway == f"sip:{CARRIERS[1]}"
            away = await house.event(TrunkUnavailable)
            assert (away.gateway, away.status) == (f"sip:{CARRIERS[0]}", None)
            assert 0 < away.retry_s <= 10
            await house.event(TrunkUnavailable)
            [alert] = house.of(AlertRaised)  # once, however often it fails
            assert alert.code == 32011
            assert await there.bindings() == []
            assert await other.bindings()
            network.restore(silent)
            back = await house.event(TrunkRegistered)
            assert (back.gateway, back.refreshed) == (f"sip:{CARRIERS[0]}", False)
            assert await there.bindings()


async def test_a_wrong_password_is_no_storm(autojump_clock: MockClock, tmp_path: Path) -> None:
    network = FakeNetwork()
    async with carrier(network, tmp_path), side(network, SERVER, ours(tmp_path, password="wrong")) as house:
        refused = await house.event(TrunkUnavailable)
        assert refused.status == 403
        await trio.sleep(3600)
        pauses = [each.retry_s for each in house.of(TrunkUnavailable)]
        assert len(pauses) < 20
        assert len(house.of(AlertRaised)) == 1


async def test_a_closed_port_is_a_failure_at_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    network = FakeNetwork()
    network.host(CARRIERS[0])
    async with side(network, SERVER, ours(tmp_path, f"sip:{CARRIERS[0]};transport=tcp")) as house:
        began = trio.current_time()
        failed = await house.event(TrunkUnavailable)
        assert trio.current_time() - began < 2
        assert failed.detail == "it cannot be reached"


async def test_a_registration_that_cannot_be_renewed_is_said_to_have_expired(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    network = FakeNetwork()
    async with carrier(network, tmp_path), side(network, SERVER, ours(tmp_path)) as house:
        await house.event(TrunkRegistered)
        began = trio.current_time()
        network.partition(SERVER, CARRIERS[0])
        gone = await house.event(TrunkUnregistered)
        assert gone.reason == "expired"
        assert trio.current_time() - began == pytest.approx(3600, abs=1)
        network.heal()
        assert not (await house.event(TrunkRegistered)).refreshed


async def test_a_fault_with_one_gateway_is_contained_and_the_others_go_on(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = FakeNetwork()
    broken, wake = [True], GatewayRegistration.wake

    def poisoned(self: GatewayRegistration, now: float) -> list[Output]:
        if broken[0] and self.gateway.host == CARRIERS[0]:
            raise RuntimeError("poison")
        return wake(self, now)

    monkeypatch.setattr(GatewayRegistration, "wake", poisoned)
    config = ours(tmp_path, *(f"sip:{host}" for host in CARRIERS))
    async with (
        carrier(network, tmp_path),
        carrier(network, tmp_path, CARRIERS[1]),
        side(network, SERVER, config) as house,
    ):
        crash = await house.event(ActorCrashed)
        assert crash.actor == "trunks"
        assert (await house.event(TrunkRegistered)).gateway == f"sip:{CARRIERS[1]}"
        await trio.sleep(60)
        broken[0] = False
        assert (await house.event(TrunkRegistered)).gateway == f"sip:{CARRIERS[0]}"


async def test_a_request_to_a_registration_is_of_no_dialog(autojump_clock: MockClock, tmp_path: Path) -> None:
    network = FakeNetwork()
    async with (
        carrier(network, tmp_path),
        side(network, SERVER, ours(tmp_path)) as house,
        phone_at(network, PHONE, "ann") as phone,
    ):
        await house.event(TrunkRegistered)
        [(call_id, tag)] = house.server.tree.services.registry.legs
        socket = await network.host(PHONE).udp((PHONE, 5071))
        lines = (
            f"BYE sip:x@{SERVER} SIP/2.0",
            f"Via: SIP/2.0/UDP {PHONE}:5071;branch=z9hG4bK-1",
            "Max-Forwards: 70",
            f"From: <sip:x@{PHONE}>;tag=x",
            f"To: <sip:y@{SERVER}>;tag={tag}",
            f"Call-ID: {call_id}",
            "CSeq: 1 BYE",
            "Content-Length: 0",
        )
        assert socket.send_nowait("\r\n".join((*lines, "", "")).encode(), (SERVER, 5060))
        await socket.readable()
        datagram = socket.recv_nowait()
        assert datagram is not None
        assert datagram.data.startswith(b"SIP/2.0 481 ")
        socket.close()
        assert phone.ladder == []
