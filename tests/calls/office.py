"""An office for whole calls: Alice calls, her application dials, and Bob has a registered phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from offhook.media.sources import Clip
from offhook.server.config import Config
from offhook.sip.message import Request
from offhook.testing.listen import match
from offhook.testing.network import Conditions
from offhook.testing.phone import Phone, PhoneCall
from offhook.testing.speech import tone
from offhook.testing.web import Answer, twiml
from offhook.transport.network import Address

from .kit import HOST, PASSWORD, World, leg_of, phone_at, users, world

USERS = users("alice", "bob")
BOB_HOST = "10.0.0.9"
BOB = f"sip:bob@{HOST}"
"""Bob as a registered user."""
CAROL = f"sip:carol@{BOB_HOST}"
"""Bob's phone by its address: somebody foreign."""
DIAL_BOB = f'<Dial action="/after"><Sip>{BOB}</Sip></Dial>'
ALICES, BOBS = tone(600, 500), tone(600, 900)
"""What each of the two says."""


def dial(attributes: str = "", noun: str = f"<Sip>{BOB}</Sip>") -> str:
    """A `Dial` whose outcome is told to `/after`."""
    return f'<Dial action="/after" {attributes}>{noun}</Dial>'


def reasons(phone: Phone, method: str) -> list[str]:
    """The Reason headers of the requests of that method which a phone got."""
    return [
        seen.message.headers.get("Reason") or ""
        for seen in phone.ladder
        if not seen.sent and isinstance(seen.message, Request) and seen.message.method == method
    ]


@attrs.frozen
class Office:
    """One server, one application, two phones."""

    it: World
    bob: Phone

    async def alice_calls(self, **settings: Any) -> PhoneCall:
        return await self.it.phone.call(
            self.it.target, via=self.it.proxy, username="alice", password=PASSWORD, **settings
        )

    async def alice_dials(self, document: str, *, after: str | Answer = "<Hangup/>") -> PhoneCall:
        """Alice calls, her application answers with this document, and to the action `/after` with that one."""
        self.it.web.on("/voice", twiml(document))
        self.it.web.on("/after", twiml(after) if isinstance(after, str) else after)
        return await self.alice_calls()

    async def outcome(self) -> dict[str, str]:
        """What the application is told of the only dial, once it is."""
        [after] = await self.it.web.wait_for(1, "/after")
        return after.params

    def bob_hears_at(self, call: PhoneCall) -> Address:
        return leg_of(self.bob.plane, call.media.name).rtp_address

    async def connected(self, alice: PhoneCall, bob: PhoneCall) -> bool:
        """Whether each hears the other, when both speak."""
        before = len(alice.heard()), len(bob.heard())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice.say, Clip(ALICES))
            nursery.start_soon(bob.say, Clip(BOBS))
        await trio.sleep(0.5)
        return match(alice.heard()[before[0] :], BOBS) > 0.95 and match(bob.heard()[before[1] :], ALICES) > 0.95


@asynccontextmanager
async def office(
    tmp_path: Path, *, register: bool = True, config: Config | None = None, **domain: Any
) -> AsyncIterator[Office]:
    settings: dict[str, Any] = {"sip_registration": True, "credentials": USERS, **domain}
    async with (
        world(tmp_path, conditions=Conditions(delay_s=0.005), config=config, **settings) as it,
        phone_at(it.network, BOB_HOST, "bob") as bob,
    ):
        if register:
            line = await bob.register(HOST, password=PASSWORD, via=it.proxy)
            assert line.status == 200
        yield Office(it, bob)
