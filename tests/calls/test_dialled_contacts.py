"""What a phone has registered, when it is called: flows of one device, and contacts that lead to a gateway of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from .carrier import GATEWAYS, THEIRS, Carrier, carrier, invites
from .kit import HOST, OFFICE, PASSWORD, phone_at
from .office import BOB, DIAL_BOB, office

DEVICE = '"<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"'
OUTBOUND: dict[str, Any] = {"headers": (("Supported", "path, outbound"),), "password": PASSWORD, "username": "bob"}
ALICE: dict[str, Any] = {"username": "alice", "password": PASSWORD}
FOREIGN = "+33123456789"
CALL_BOB = f'<Dial action="/after"><Sip>{BOB}</Sip></Dial>'


def flow_number(reg_id: int) -> str:
    """Parameters of a Contact over one of a device's flows."""
    return f";+sip.instance={DEVICE};reg-id={reg_id}"


async def test_a_device_with_two_flows_rings_once_over_the_latest(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path, register=False) as here, phone_at(here.it.network, "10.0.0.10", "second") as second:
        for number, flow in enumerate((here.bob, second), 1):
            line = await flow.register(HOST, via=here.it.proxy, params=flow_number(number), **OUTBOUND)
            assert (line.status, len(line.bindings)) == (200, number)
        alice = await here.alice_dials(DIAL_BOB)
        call = await second.called()
        await call.ring()
        await trio.sleep(10)
        assert invites(here.bob) == []
        await call.decline(486)
        await alice.over()
        assert (await here.outcome())["DialCallStatus"] == "busy"
        assert invites(here.bob) == []
        await here.it.idle()


@pytest.mark.parametrize("failure", ["silence", "430", "503"])
async def test_where_a_flow_has_failed_the_other_one_of_the_device_is_tried(
    autojump_clock: MockClock, tmp_path: Path, failure: str
) -> None:
    async with office(tmp_path, register=False) as here, phone_at(here.it.network, "10.0.0.10", "second") as second:
        for number, flow in enumerate((here.bob, second), 1):
            await flow.register(HOST, via=here.it.proxy, params=flow_number(number), **OUTBOUND)
        if failure == "silence":
            here.it.network.blackhole(("10.0.0.10", 5060))
        alice = await here.alice_dials(DIAL_BOB)
        if failure != "silence":
            await (await second.called()).decline(int(failure))
        call = await here.bob.called()
        assert await call.pick_up()
        assert await here.connected(alice, call)
        assert here.it.codes() == [32011]
        await call.hang_up()
        await alice.over()
        await here.it.idle()


async def refused(here: Carrier) -> None:
    """Nobody is called when bob is dialled, and the application learns why."""
    sent: list[object] = []
    before = len(invites(here.first))
    here.it.network.taps.append(lambda seen: sent.append(seen) if seen.target[0] == GATEWAYS[1] else None)
    alice = await here.alice_dials(CALL_BOB, **ALICE)
    await alice.over()
    assert here.it.codes() == [13224]
    assert here.outcome["DialCallStatus"] == "failed"
    assert len(invites(here.first)) == before
    assert sent == []
    await here.it.idle()


@pytest.mark.parametrize("user", [FOREIGN, "0033123456789", "%2B33123456789", THEIRS, f"{FOREIGN};npdi", "911"])
@pytest.mark.parametrize("path", ["10.1.0.1", "gw.example"])
async def test_a_stolen_password_does_not_turn_a_registration_into_a_call_by_a_gateway(
    autojump_clock: MockClock, tmp_path: Path, user: str, path: str
) -> None:
    async with carrier(tmp_path, domain=OFFICE) as here, phone_at(here.it.network, "10.0.0.9", "bob") as eve:
        headers = (("Supported", "path"), ("Path", f"<sip:{path};lr>"))
        line = await eve.register(
            HOST, password=PASSWORD, via=here.it.proxy, contact=f"<sip:{user}@10.1.0.1>", headers=headers
        )
        assert line.status == 200
        await refused(here)


async def test_a_flow_that_seems_to_come_from_a_gateway_leads_to_no_number_either(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path, domain=OFFICE) as here:
        line = await here.first.register(
            HOST, username="bob", password=PASSWORD, via=here.it.proxy, contact=f"<sip:{FOREIGN}@10.0.0.77>"
        )
        assert line.status == 200
        await refused(here)


async def test_a_phone_rings_beside_a_contact_that_is_left_out(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, domain=OFFICE) as here, phone_at(here.it.network, "10.0.0.9", "bob") as bob:
        await bob.register(HOST, password=PASSWORD, via=here.it.proxy)
        await here.first.register(
            HOST, username="bob", password=PASSWORD, via=here.it.proxy, contact=f"<sip:{FOREIGN}@{GATEWAYS[0]}>"
        )
        alice = await here.alice_dials(CALL_BOB, **ALICE)
        call = await bob.called()
        await call.decline(486)
        await alice.over()
        assert invites(here.first) == []
        assert here.it.codes() == []
        await here.it.idle()


@pytest.mark.parametrize("contact", ["sip:bob@10.1.0.1", "sip:bob-0x55@10.1.0.1"])
async def test_a_phone_behind_a_proxy_that_is_a_gateway_as_well_is_called(
    autojump_clock: MockClock, tmp_path: Path, contact: str
) -> None:
    async with carrier(tmp_path, domain=OFFICE) as here, phone_at(here.it.network, "10.0.0.9", "bob") as bob:
        headers = (("Supported", "path"), ("Path", f"<sip:{GATEWAYS[0]};lr>"))
        await bob.register(HOST, password=PASSWORD, via=here.it.proxy, contact=f"<{contact}>", headers=headers)
        alice = await here.alice_dials(CALL_BOB, **ALICE)
        call = await here.first.called()
        assert call.invite is not None
        assert call.invite.request_uri == contact
        await call.decline(486)
        await alice.over()
        await here.it.idle()
