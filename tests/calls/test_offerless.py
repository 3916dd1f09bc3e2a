"""Callers whose INVITE brings no offer: ours goes out in the 200, or before in a response that is acknowledged."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.media.sources import Clip
from offhook.sip.message import Request
from offhook.testing.listen import match
from offhook.testing.speech import tone

from .kit import HOST, OFFICE, PASSWORD, phone_at, world

BOB = "10.0.0.9"
DIAL = f'<Dial answerOnBridge="true" action="/after"><Sip>sip:bob@{HOST}</Sip></Dial>'
NOTICE, HELLO = tone(600, 700), tone(600, 900)


@pytest.mark.parametrize("reliably", [True, False], ids=["with 100rel", "without"])
async def test_early_media_reaches_a_caller_without_an_offer_when_the_183_can_carry_ours(
    autojump_clock: MockClock, tmp_path: Path, reliably: bool
) -> None:
    async with world(tmp_path, **OFFICE) as it, phone_at(it.network, BOB, "bob") as bobs:
        assert (await bobs.register(HOST, password=PASSWORD, via=it.proxy)).status == 200
        alice = await it.dials(
            DIAL,
            username="alice",
            password=PASSWORD,
            offerless=True,
            headers=(("Require", "100rel"),) if reliably else (),
        )
        bob = await bobs.called()
        await bob.ring(183, early=True)
        await trio.sleep(0.5)
        await bob.say(Clip(NOTICE))
        await trio.sleep(0.5)
        assert alice.status is None
        assert (match(alice.heard(), NOTICE) > 0.95) is reliably
        pracks = [
            seen.message
            for seen in it.phone.ladder
            if seen.sent and isinstance(seen.message, Request) and seen.message.method == "PRACK"
        ]
        # The first 180 and the 183 are both acknowledged; the answer goes with the PRACK of the one with our offer.
        assert [bool(prack.body) for prack in pracks] == ([False, True] if reliably else [])
        assert await bob.pick_up()
        assert await alice.answered()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bob.say, Clip(HELLO))
            nursery.start_soon(alice.say, Clip(NOTICE))
        await trio.sleep(0.5)
        assert match(alice.heard(), HELLO) > 0.95
        assert match(bob.heard(), NOTICE) > 0.95
        await alice.hang_up()
        await bob.over()
        await it.idle()
