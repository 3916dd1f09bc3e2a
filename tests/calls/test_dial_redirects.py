"""Redirects of a far end that a `Sip` noun calls: which are followed, where to, and which are refused as 32219."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.testing.phone import PhoneCall

from .carrier import invites
from .kit import HOST, phone_at
from .office import BOB, BOB_HOST, CAROL, dial, office

DAN_HOST = "10.0.0.10"
DAN = f"sip:dan@{DAN_HOST}"


def to(*contacts: str) -> tuple[tuple[str, str], ...]:
    return tuple(("Contact", f"<{contact}>") for contact in contacts)


@pytest.mark.parametrize("status", [300, 301, 302, 399])
async def test_a_redirect_is_followed_to_its_contact_within_the_same_call(
    autojump_clock: MockClock, tmp_path: Path, status: int
) -> None:
    async with office(tmp_path, register=False) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        alice = await here.alice_dials(dial(noun=f"<Sip>{CAROL}?X-A=1</Sip>"))
        await (await here.bob.called()).decline(status, to(f"{DAN}?Subject=no"))
        dan = await dan_phone.called()
        assert dan.invite is not None
        assert (dan.invite.request_uri, dan.invite.headers.get("X-A")) == (DAN, "1")
        assert "Subject" not in dan.invite.headers
        assert str(dan.invite.to.uri) == CAROL
        assert await dan.pick_up()
        assert await here.connected(alice, dan)
        await dan.hang_up()
        await alice.over()
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialSipCallId"]) == ("completed", dan.invite.call_id)
        assert here.it.codes() == []
        await here.it.idle()


async def test_the_contacts_of_a_redirect_are_tried_in_turn_best_first(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path, register=False) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        alice = await here.alice_dials(dial(noun=f"<Sip>{CAROL}</Sip>"))
        contacts = f"<{DAN};n=1>;q=0.2, <{DAN};n=2>;q=0.9"
        await (await here.bob.called()).decline(302, (("Contact", contacts),))
        first = await dan_phone.called()
        await first.decline(486)
        second = await dan_phone.called()
        assert first.invite is not None
        assert second.invite is not None
        assert (first.invite.request_uri, second.invite.request_uri) == (f"{DAN};n=2", f"{DAN};n=1")
        await second.decline(486)
        await alice.over()
        assert (await here.outcome())["DialCallStatus"] == "busy"
        await here.it.idle()


@pytest.mark.parametrize(
    ("status", "contacts"),
    [
        (305, (DAN,)),
        (380, (DAN,)),
        (302, ()),
        (302, ("tel:+15550100",)),
        (302, ("http://far.example/",)),
        (302, (f"sip:bob@{HOST}",)),
        (302, (f"{DAN};transport=tls",)),
        (302, (f"sips:dan@{DAN_HOST}",)),
        (302, (CAROL,)),
    ],
    ids=["305", "380", "no-contact", "tel", "http", "domain-of-ours", "tls", "sips", "itself"],
)
async def test_a_redirect_that_is_not_followed_is_32219_and_the_leg_has_failed(
    autojump_clock: MockClock, tmp_path: Path, status: int, contacts: tuple[str, ...]
) -> None:
    async with office(tmp_path) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        alice = await here.alice_dials(dial(noun=f"<Sip>{CAROL}</Sip>"))
        await (await here.bob.called()).decline(status, to(*contacts))
        await alice.over()
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialSipResponseCode"]) == ("failed", str(status))
        assert here.it.codes() == [32219]
        assert dan_phone.ladder == []
        assert len(invites(here.bob)) == 1
        await here.it.idle()


async def test_a_registered_phone_sends_the_call_nowhere_else(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        alice = await here.alice_dials(dial(noun=f"<Sip>{BOB}</Sip>"))
        await (await here.bob.called()).decline(302, to(DAN))
        await alice.over()
        assert (await here.outcome())["DialCallStatus"] == "failed"
        assert here.it.codes() == [32219]
        assert dan_phone.ladder == []
        await here.it.idle()


async def test_the_sixth_redirect_is_refused(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path, register=False) as here:
        alice = await here.alice_dials(dial(noun=f"<Sip>{CAROL}</Sip>"))
        for number in range(6):
            await (await here.bob.called()).decline(302, to(f"sip:carol{number}@{BOB_HOST}"))
        await alice.over()
        assert len(invites(here.bob)) == 6
        assert here.it.codes() == [32219]
        assert (await here.outcome())["DialSipResponseCode"] == "302"
        await here.it.idle()


async def test_the_ring_time_goes_on_over_redirects(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path, register=False) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        alice = await here.alice_dials(dial('timeout="10"', f"<Sip>{CAROL}</Sip>"))
        bob: PhoneCall = await here.bob.called()
        began = trio.current_time()
        await bob.ring()
        await trio.sleep(8)
        await bob.decline(302, to(DAN))
        dan = await dan_phone.called()
        await dan.ring()
        await dan.over()
        assert trio.current_time() - began == pytest.approx(15, abs=0.1)
        await alice.over()
        assert (await here.outcome())["DialCallStatus"] == "no-answer"
        await here.it.idle()
