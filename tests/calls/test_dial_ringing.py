"""What a caller hears while a dial rings: the tone of every country of `ringTone`, early media, nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.media.sources import Clip
from offhook.media.tones import RINGBACK, ringback
from offhook.testing.listen import match

from .kit import phone_at
from .office import BOB, BOBS, DIAL_BOB, Office, dial, office

COUNTRIES = """
    at au bg br be ch cl cn cz de dk ee es fi fr gr hu il in it lt jp mx my nl no nz ph pl pt ru se sg th uk us us-old
    tw ve za
"""
"""All that the attribute may name."""
BYTES_PER_MS = 16


def first_rounds(country: str) -> bytes:
    """The country's ringing, from its beginning to the beginning of its second round."""
    rounds = ringback(country)
    while len(rounds) < (RINGBACK[country].period_ms + 300) * BYTES_PER_MS:
        rounds += ringback(country)
    return rounds[: (RINGBACK[country].period_ms + 300) * BYTES_PER_MS]


async def heard_while_ringing(here: Office, attributes: str, for_s: float) -> bytes:
    """What the caller hears of a phone that rings that long."""
    alice = await here.alice_dials(dial(attributes))
    bob = await here.bob.called()
    await bob.ring()
    await trio.sleep(for_s)
    heard = alice.heard()
    await bob.decline()
    await alice.over()
    return heard


@pytest.mark.parametrize("country", COUNTRIES.split())
async def test_the_caller_hears_the_ringing_of_the_country_that_is_asked_for(
    autojump_clock: MockClock, tmp_path: Path, country: str
) -> None:
    async with office(tmp_path) as here:
        wanted = first_rounds(country)
        heard = await heard_while_ringing(here, f'ringTone="{country}"', RINGBACK[country].period_ms / 1000 + 1)
        assert match(heard, wanted) > 0.98
        assert here.it.codes() == []


async def test_without_a_country_the_caller_hears_the_usual_ringing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        assert match(await heard_while_ringing(here, "", 7), first_rounds("us")) > 0.98
        assert here.it.codes() == []


async def test_an_unknown_country_is_warned_of_and_rings_as_usual(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        assert match(await heard_while_ringing(here, 'ringTone="xx"', 7), first_rounds("us")) > 0.98
        assert here.it.codes() == [13220]


async def test_a_caller_who_rings_on_hears_a_country_that_is_asked_for_as_early_media(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial('answerOnBridge="true" ringTone="fr"'))
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(6)
        assert (alice.status, 183 in alice.progress) == (None, True)
        assert match(alice.heard(), first_rounds("fr")) > 0.98
        assert await bob.pick_up()
        assert await alice.answered()
        assert await here.connected(alice, bob)
        await alice.hang_up()
        await bob.over()
        await here.it.idle()


async def test_nothing_rings_before_somebody_does(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(DIAL_BOB)
        bob = await here.bob.called()
        await trio.sleep(3)
        assert match(alice.heard(), ringback("us")[:16_000]) < 0.5
        await bob.decline()
        await alice.over()
        await here.it.idle()


async def test_ringing_ends_when_the_dial_fails(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(DIAL_BOB, after='<Pause length="8"/>')
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(3)
        await bob.decline()
        before = len(alice.heard())
        await alice.over()
        assert match(alice.heard()[before + 1600 :], ringback("us")[:16_000]) < 0.5
        await here.it.idle()


async def test_an_answered_caller_hears_early_media_in_place_of_ringing(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(DIAL_BOB)
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(1)
        before = len(alice.heard())
        await bob.ring(183, early=True)
        await bob.say(Clip(BOBS))
        await trio.sleep(0.5)
        assert match(alice.heard()[before:], BOBS) > 0.95
        assert match(alice.heard()[before + 3200 :], ringback("us")[:4800]) < 0.5
        assert await bob.pick_up()
        assert await here.connected(alice, bob)
        await alice.hang_up()
        await bob.over()
        await here.it.idle()


async def test_a_country_that_is_asked_for_is_heard_in_place_of_early_media(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial('ringTone="de"'))
        bob = await here.bob.called()
        await bob.ring(183, early=True)
        await bob.say(Clip(BOBS))
        await trio.sleep(6)
        assert match(alice.heard(), first_rounds("de")) > 0.98
        assert match(alice.heard(), BOBS) < 0.5
        await bob.decline()
        await alice.over()
        await here.it.idle()


async def test_of_two_far_ends_nobodys_early_media_is_heard(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here, phone_at(here.it.network, "10.0.0.10", "dan") as dan_phone:
        alice = await here.alice_dials(dial(noun=f"<Sip>{BOB}</Sip><Sip>sip:dan@10.0.0.10</Sip>"))
        bob, dan = await here.bob.called(), await dan_phone.called()
        await bob.ring(183, early=True)
        await dan.ring()
        await bob.say(Clip(BOBS))
        await trio.sleep(6)
        assert match(alice.heard(), first_rounds("us")) > 0.98
        assert match(alice.heard(), BOBS) < 0.5
        await dan.decline()
        await bob.say(Clip(BOBS))
        await trio.sleep(0.5)
        assert match(alice.heard(), BOBS) > 0.95
        await bob.decline()
        await alice.over()
        await here.it.idle()
