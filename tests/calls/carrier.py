"""A carrier for whole calls: two gateways, one trunk through them, a few numbers; and a company with one phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from offhook.server.trunk_config import InboundSettings, NumberSettings, TrunkSettings
from offhook.sip.message import Request
from offhook.testing.network import Conditions
from offhook.testing.phone import Phone, PhoneCall

from .kit import BASE, SERVER, World, config_for, phone_at, world

GATEWAYS = ("10.1.0.1", "10.1.0.2")
OURS, TRUNKS_OWN, THEIRS = "+15550100", "+15550199", "+14155550100"
DIAL = f'<Dial action="/after"><Number>{THEIRS}</Number></Dial>'


@attrs.frozen
class Carrier:
    """One trunk named `main`; `first` is its best gateway."""

    it: World
    first: Phone
    second: Phone

    async def alice_dials(self, document: str = DIAL, **settings: Any) -> PhoneCall:
        """The phone of the company calls, and its application answers with this document."""
        return await self.it.dials(document, **settings)

    async def brings(self, number: str, *, from_: str = THEIRS, host: str = SERVER, **settings: Any) -> PhoneCall:
        """The first gateway sends a call to our address."""
        return await self.first.call(
            f"sip:{number}@{host}", via=self.it.proxy, from_=f"sip:{from_}@{GATEWAYS[0]}", **settings
        )

    @property
    def outcome(self) -> dict[str, str]:
        """What the application was told of the last dial."""
        return self.it.web.asked("/after")[-1].params

    def calls(self) -> int:
        """How many calls the trunk has now."""
        return self.it.server.tree.services.dialling.trunks.calls("main")


def invites(phone: Phone) -> list[Request]:
    """The INVITEs that a phone or gateway has got, copies left out."""
    seen = {
        seen.message.via.branch: seen.message
        for seen in phone.ladder
        if not seen.sent and isinstance(seen.message, Request) and seen.message.method == "INVITE"
    }
    return list(seen.values())


@asynccontextmanager
async def carrier(
    tmp_path: Path,
    *,
    numbers: tuple[NumberSettings, ...] = (NumberSettings(number=OURS),),
    domain: dict[str, Any] | None = None,
    inbound: InboundSettings | None = None,
    **trunk: Any,
) -> AsyncIterator[Carrier]:
    settings: dict[str, Any] = {
        "name": "main",
        "uris": tuple(f"sip:{host}" for host in GATEWAYS),
        "prefixes": ("+1", "+44"),
        "caller_id": TRUNKS_OWN,
        "inbound": inbound or InboundSettings(networks=("10.1.0.0/24",), voice_url=f"{BASE}/trunk"),
        **trunk,
    }
    config = attrs.evolve(config_for(tmp_path, **(domain or {})), trunks=(TrunkSettings(**settings),), numbers=numbers)
    async with world(tmp_path, config=config, conditions=Conditions(delay_s=0.005)) as it:
        first, second = GATEWAYS
        async with phone_at(it.network, first, "gw1") as one, phone_at(it.network, second, "gw2") as two:
            yield Carrier(it, one, two)
