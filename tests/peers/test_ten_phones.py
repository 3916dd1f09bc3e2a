"""Ten phones of one user (SIPp) ring together: one answers, nine are cancelled; there is no place for an eleventh."""

from __future__ import annotations

from pathlib import Path

import pytest

from offhook.actors.messages.events import Registered, RegistrationRefused
from offhook.testing.web import twiml

from .callees import Callee, Registration, credentials
from .dialled import calls, open_house
from .house import DOMAIN, PHONES
from .programs import free_port
from .sipp import open_callee, run_sipp

pytestmark = pytest.mark.peers

TEN = 10
USER = PHONES[0]
EACH_S = 0.4
"""Between two registrations: five a second are taken, and SIPp makes up for time that a busy machine has cost."""


async def test_ten_phones_of_a_user_ring_one_answers_nine_are_cancelled_and_an_eleventh_is_refused(
    tmp_path: Path, media: int
) -> None:
    losers, winner = free_port(), free_port()
    async with open_house(tmp_path, phones=1) as house:

        async def register(port: int, phones: int, status: int = 200) -> None:
            """Each phone is a line at SIPp's port, from which it registers."""
            registration = Registration(DOMAIN, port, f";line={port}-[call_number]", status)
            run = await run_sipp(
                registration,
                house.sip,
                tmp_path / f"registration-{port}-{status}",
                transport="UDP",
                calls=phones,
                rate=1 / EACH_S,
                port=port,
                table=[f"{USER.username};{credentials(USER.username, USER.password)}"] * phones,
            )
            run.all_succeeded(phones)

        await register(losers, TEN - 1)
        await register(winner, 1)
        assert len([event for event in house.events if isinstance(event, Registered)]) == TEN
        await register(free_port(), 1, status=403)
        [refused] = [event for event in house.events if isinstance(event, RegistrationRefused)]
        assert refused.code == 32007

        house.app.on("/voice", twiml(f'<Dial action="/after"><Client>{USER.username}</Client></Dial>'))
        rings = Callee(media).is_called().rings()
        answers = Callee(media).is_called().rings().waits(1500).answers().waits(300).hangs_up()
        async with (
            open_callee(
                rings.is_given_up_on(),
                tmp_path / "losers",
                port=losers,
                transport="UDP",
                calls=TEN - 1,
                log_messages=True,
            ) as nine,
            open_callee(answers, tmp_path / "winner", port=winner, transport="UDP", calls=1, log_messages=True) as one,
        ):
            await house.is_called(calls(media), tmp_path / "caller")
            (await nine.finished()).all_succeeded(TEN - 1)
            (await one.finished()).all_succeeded(1)
        after = await house.asked("/after")
    assert after["DialCallStatus"] == "completed"
    invites = {invite.values("Call-ID")[0]: invite for invite in nine.received("INVITE")}
    assert len({invite.start for invite in invites.values()}) == TEN - 1
    cancels = {cancel.values("Call-ID")[0]: cancel for cancel in nine.received("CANCEL")}
    assert set(cancels) == set(invites)
    assert {cancel.values("Reason")[0] for cancel in cancels.values()} == {
        'SIP;cause=200;text="Call completed elsewhere"'
    }
    assert one.received("CANCEL") == []
