"""Who rings when: nouns of a dial together or in turn, the addresses of one noun in their order."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallStarted

from .kit import phone_at
from .office import BOB, BOB_HOST, dial, office, reasons

DAN_HOST = "10.0.0.10"
DAN = f"sip:dan@{DAN_HOST}"
TWO = f"<Sip>{BOB}</Sip><Sip>{DAN}</Sip>"


async def test_in_parallel_all_ring_at_once_and_the_answer_cancels_the_rest(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        alice = await here.alice_dials(dial(noun=TWO))
        bob, dan = await here.bob.called(), await dan_phone.called()
        await bob.ring()
        await dan.ring()
        assert await dan.pick_up()
        await bob.over()
        assert ["Call completed elsewhere" in reason for reason in reasons(here.bob, "CANCEL")] == [True]
        assert await here.connected(alice, dan)
        await dan.hang_up()
        await alice.over()
        told = await here.outcome()
        bobs, dans = (event.call_sid for event in here.it.of(CallStarted)[1:])
        assert (told["DialCallSid"], told["DialCallStatus"]) == (dans, "completed")
        statuses = {end.call_sid: end.status for end in await here.it.ends(3)}
        assert (statuses[bobs], statuses[dans]) == ("canceled", "completed")
        await here.it.idle()


@pytest.mark.parametrize("status", [486, 603, 404, 503])
async def test_in_turn_the_next_rings_when_the_one_before_refuses(
    autojump_clock: MockClock, tmp_path: Path, status: int
) -> None:
    async with office(tmp_path) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        alice = await here.alice_dials(dial('sequential="true"', TWO))
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(3)
        assert dan_phone.ladder == []
        await bob.decline(status)
        dan = await dan_phone.called()
        assert await dan.pick_up()
        assert await here.connected(alice, dan)
        await alice.hang_up()
        await dan.over()
        assert (await here.outcome())["DialCallStatus"] == "completed"
        await here.it.idle()


async def test_in_turn_each_has_its_own_ring_time_and_the_last_failure_is_told(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        alice = await here.alice_dials(dial('sequential="true" timeout="10"', TWO))
        bob = await here.bob.called()
        began = trio.current_time()
        await bob.ring()
        await bob.over()
        dan = await dan_phone.called()
        assert trio.current_time() - began == pytest.approx(15, abs=0.1)
        await dan.ring()
        await dan.over()
        assert trio.current_time() - began == pytest.approx(30, abs=0.1)
        await alice.over()
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialCallSid"]) == ("no-answer", here.it.of(CallStarted)[2].call_sid)
        await here.it.idle()


# ---- several addresses of one noun -----------------------------------------------------------------------------------


async def test_the_next_address_of_a_sip_is_called_when_one_is_out_of_order(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path, register=False) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        uris = f'<Uri priority="2">{DAN}</Uri><Uri priority="1">sip:carol@{BOB_HOST}</Uri>'
        alice = await here.alice_dials(dial(noun=f"<Sip>{uris}</Sip>"))
        bob = await here.bob.called()
        assert dan_phone.ladder == []
        await bob.decline(503)
        dan = await dan_phone.called()
        assert await dan.pick_up()
        assert await here.connected(alice, dan)
        await dan.hang_up()
        await alice.over()
        assert (await here.outcome())["DialCallStatus"] == "completed"
        assert len(here.it.of(CallStarted)) == 2
        assert here.it.codes() == [32011]
        await here.it.idle()


async def test_the_next_address_of_a_sip_is_not_called_when_somebody_has_answered_for_it(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path, register=False) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        uris = f"<Uri>sip:carol@{BOB_HOST}</Uri><Uri>{DAN}</Uri>"
        alice = await here.alice_dials(dial(noun=f"<Sip>{uris}</Sip>"))
        await (await here.bob.called()).decline(486)
        await alice.over()
        assert (await here.outcome())["DialCallStatus"] == "busy"
        assert dan_phone.ladder == []
        await here.it.idle()


async def test_each_address_of_a_sip_answers_a_challenge_with_its_own_credentials(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    challenge = (("WWW-Authenticate", 'Digest realm="far", qop="auth", nonce="abc", algorithm=MD5'),)
    async with office(tmp_path, register=False) as here, phone_at(here.it.network, DAN_HOST, "dan") as dan_phone:
        uris = f'<Uri>sip:carol@{BOB_HOST}</Uri><Uri username="eve" password="other">{DAN}</Uri>'
        alice = await here.alice_dials(dial(noun=f'<Sip username="ann" password="hush">{uris}</Sip>'))
        for phone, username in ((here.bob, "ann"), (dan_phone, "eve")):
            await (await phone.called()).decline(401, challenge)
            again = await phone.called()
            assert again.invite is not None
            assert f'username="{username}"' in (again.invite.headers.get("Authorization") or "")
            await again.decline(503)
        await alice.over()
        assert (await here.outcome())["DialCallStatus"] == "failed"
        await here.it.idle()
