"""Emergency calls: no application is asked, and no limit of ours is in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallStarted
from offhook.server.config import CredentialSettings
from offhook.testing.phone import PhoneCall

from .carrier import OURS, TRUNKS_OWN, Carrier, carrier
from .kit import BASE, HOST

PASSWORD = "Secret-Passw0rd"
PHONES: dict[str, Any] = {
    "credentials": (CredentialSettings(username="alice", password=PASSWORD),),
    "sip_registration": True,
    "ip_access_control": (),
    "voice_url": None,
}


async def call_for_help(here: Carrier, number: str = "911", **settings: Any) -> PhoneCall:
    return await here.it.phone.call(
        f"sip:{number}@{HOST}", via=here.it.proxy, username="alice", password=PASSWORD, **settings
    )


@pytest.mark.parametrize("number", ["911", "112", "933", "999"])
async def test_an_emergency_number_goes_to_its_trunk_without_asking_anybody(
    autojump_clock: MockClock, tmp_path: Path, number: str
) -> None:
    domain = {**PHONES, "voice_url": f"{BASE}/voice"}
    async with carrier(tmp_path, domain=domain, emergency=True, prefixes=()) as here:
        alice = await call_for_help(here, number)
        centre = await here.first.called()
        assert centre.invite is not None
        assert centre.invite.uri.user_text == number
        assert centre.invite.from_.uri.user_text == TRUNKS_OWN
        await centre.ring()
        await trio.sleep(300)
        assert alice.status is None
        assert await centre.pick_up()
        assert await alice.answered()
        await centre.hang_up()
        await alice.over()
        assert here.it.web.requests == []
        assert here.it.codes() == []
        child = here.it.of(CallStarted)[1]
        assert (child.from_, child.to) == (TRUNKS_OWN, number)
        await here.it.idle()


async def test_a_phone_with_a_number_of_ours_calls_by_it(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, domain=PHONES, emergency=True) as here:
        for caller, seen in ((OURS, OURS), ("+15550177", TRUNKS_OWN)):
            alice = await call_for_help(here, from_=f"sip:{caller}@{HOST}")
            centre = await here.first.called()
            assert centre.invite is not None
            assert centre.invite.from_.uri.user_text == seen
            await centre.decline(486)
            await alice.over()
            assert alice.status == 486
        await here.it.idle()


async def test_whoever_cannot_be_called_back_is_refused(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, domain=PHONES, emergency=True, caller_id=None) as here:
        alice = await call_for_help(here)
        await alice.over()
        assert alice.status == 403
        assert here.it.codes() == [13214]
        assert here.first.ladder == []


async def test_without_a_trunk_for_emergencies_the_number_is_not_found_and_an_alert_is_raised(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path, domain={**PHONES, "voice_url": f"{BASE}/voice"}) as here:
        alice = await call_for_help(here)
        await alice.over()
        assert alice.status == 404
        assert here.it.codes() == [13224]
        assert here.it.web.asked("/voice") == []
        assert here.first.ladder == []


async def test_a_stranger_calls_nobody(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, domain=PHONES, emergency=True) as here:
        stranger = await here.it.phone.call(f"sip:911@{HOST}", via=here.it.proxy)
        await stranger.over()
        assert stranger.status == 407
        assert here.first.ladder == []


async def test_a_full_trunk_and_a_silent_gateway_do_not_stop_it(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, domain={**PHONES, "voice_url": f"{BASE}/voice"}, emergency=True, max_calls=1) as here:
        busy = await here.alice_dials(username="alice", password=PASSWORD)
        talking = await here.first.called()
        assert await talking.pick_up()
        here.it.network.blackhole(("10.1.0.1", 5060))
        alice = await call_for_help(here)
        centre = await here.second.called()
        assert here.calls() == 2
        assert await centre.pick_up()
        await centre.hang_up()
        await alice.over()
        here.it.network.restore(("10.1.0.1", 5060))
        await talking.hang_up()
        await busy.over()
        assert here.calls() == 0
