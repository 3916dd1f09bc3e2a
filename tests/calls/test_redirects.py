"""A callee or a gateway answers 3xx: where the call goes then, and what goes along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from offhook.sip.digest import DigestServer
from offhook.testing.phone import Phone, PhoneCall

from .carrier import DIAL, GATEWAYS, THEIRS, Carrier, carrier, invites
from .kit import phone_at

ELSEWHERE = "10.3.0.1"
CHALLENGE = ("WWW-Authenticate", DigestServer(b"secret", "elsewhere").challenge(0.0)[0])
LOGIN: dict[str, Any] = {"username": "line1", "password": "hush"}
SIP_DIAL = f'<Dial action="/after"><Sip username="line1" password="hush">sip:bob@{GATEWAYS[0]};x=1</Sip></Dial>'


async def sent_to(here: Carrier, contact: str, document: str = DIAL) -> PhoneCall:
    """Alice dials, and the first gateway sends the call elsewhere."""
    alice = await here.alice_dials(document)
    await (await here.first.called()).decline(302, (("Contact", f"<{contact}>"),))
    return alice


async def challenges(phone: Phone) -> None:
    """The next call is asked for a password."""
    await (await phone.called()).decline(401, (CHALLENGE,))


async def test_a_gateway_may_send_a_call_to_the_other_one_of_its_trunk_which_may_ask_for_the_password(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path, **LOGIN) as here:
        alice = await sent_to(here, f"sip:{THEIRS};npdi@{GATEWAYS[1]}")
        await challenges(here.second)
        callee = await here.second.called()
        assert callee.invite is not None
        assert 'username="line1"' in (callee.invite.headers.get("Authorization") or "")
        assert callee.invite.request_uri == f"sip:{THEIRS};npdi@{GATEWAYS[1]}"
        assert str(callee.invite.to.uri) == f"sip:{THEIRS}@{GATEWAYS[0]}"
        assert await callee.pick_up()
        await callee.hang_up()
        await alice.over()
        assert here.outcome["DialCallStatus"] == "completed"
        await here.it.idle()


@pytest.mark.parametrize("document", [DIAL, SIP_DIAL], ids=["the trunk's", "the noun's"])
@pytest.mark.parametrize("contact", [f"sip:bob@{ELSEWHERE}", f"sip:bob@gw.example;maddr={ELSEWHERE}"])
async def test_a_stranger_that_a_call_is_sent_to_is_not_shown_the_password(
    autojump_clock: MockClock, tmp_path: Path, document: str, contact: str
) -> None:
    settings: dict[str, Any] = LOGIN if document == DIAL else {"uris": ("sip:10.1.0.9",)}
    async with carrier(tmp_path, **settings) as here, phone_at(here.it.network, ELSEWHERE, "eve") as eve:
        alice = await sent_to(here, contact, document)
        await challenges(eve)
        await alice.over()
        assert here.outcome["DialCallStatus"] == "failed"
        [invite] = invites(eve)
        assert not [name for name, _ in invite.headers if "authorization" in name.lower()]
        await here.it.idle()


async def test_a_gateway_that_challenges_after_a_stranger_has_sent_the_call_back_gets_no_password(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path, **LOGIN) as here, phone_at(here.it.network, ELSEWHERE, "eve") as eve:
        alice = await sent_to(here, f"sip:bob@{ELSEWHERE}")
        await (await eve.called()).decline(302, (("Contact", f"<sip:{THEIRS}@{GATEWAYS[1]}>"),))
        await challenges(here.second)
        await alice.over()
        [invite] = invites(here.second)
        assert "Authorization" not in invite.headers
        await here.it.idle()


@pytest.mark.parametrize(
    "user", ["+33123456789", "0033123456789", "01133123456789", "bob", "911"], ids=lambda user: str(user)
)
async def test_a_gateway_cannot_send_a_call_to_a_number_that_its_trunk_does_not_take(
    autojump_clock: MockClock, tmp_path: Path, user: str
) -> None:
    async with carrier(tmp_path) as here:
        alice = await sent_to(here, f"sip:{user}@{GATEWAYS[1]}")
        await alice.over()
        assert here.it.codes() == [32219]
        assert here.outcome["DialCallStatus"] == "failed"
        assert here.second.ladder == []
        await here.it.idle()


async def test_a_foreign_callee_cannot_send_a_call_to_a_gateway_at_our_expense(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path) as here, phone_at(here.it.network, ELSEWHERE, "eve") as eve:
        alice = await here.alice_dials(f'<Dial action="/after"><Sip>sip:eve@{ELSEWHERE}</Sip></Dial>')
        # The second gateway by its name in the trunk; the third address is one that calls of the trunk come from.
        contacts = f"<sip:{THEIRS}@{GATEWAYS[1]}>, <sip:{THEIRS}@10.1.0.77>"
        await (await eve.called()).decline(302, (("Contact", contacts),))
        await alice.over()
        assert here.it.codes() == [32219]
        assert here.second.ladder == []
        await here.it.idle()
