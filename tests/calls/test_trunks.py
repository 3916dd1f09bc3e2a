"""Numbers dialled through a trunk: gateways that fail and return, limits, prefixes, and who the caller is."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallStarted, GatewayRecovered, GatewayUnavailable
from offhook.media.sources import Clip
from offhook.sip.dialog.events import Cause
from offhook.sip.message import Request
from offhook.sip.trunks import BACK_OFF_S
from offhook.testing.listen import match
from offhook.testing.phone import Phone
from offhook.testing.speech import tone

from .carrier import GATEWAYS, OURS, THEIRS, TRUNKS_OWN, Carrier, carrier, invites
from .kit import SUFFIX

FIRST = (GATEWAYS[0], 5060)


async def answered_by(here: Carrier, gateway: Phone) -> None:
    """A call goes to this gateway, is answered there and hung up; the other one has nothing to do with it."""
    alice = await here.alice_dials()
    callee = await gateway.called()
    assert await callee.pick_up()
    await trio.sleep(1)
    await callee.hang_up()
    await alice.over()


async def test_a_number_goes_out_by_the_first_gateway_and_the_two_hear_each_other(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path) as here:
        alice = await here.alice_dials()
        callee = await here.first.called()
        assert callee.invite is not None
        assert callee.invite.request_uri == f"sip:{THEIRS}@{GATEWAYS[0]}"
        assert callee.invite.from_.uri.user_text == TRUNKS_OWN
        assert callee.invite.from_.uri.host == SUFFIX
        await callee.ring()
        await trio.sleep(1)
        assert here.calls() == 1
        assert await callee.pick_up()
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice.say, Clip(tone(600, 500)))
            nursery.start_soon(callee.say, Clip(tone(600, 900)))
        await trio.sleep(0.5)
        assert match(callee.heard(), tone(600, 500)) > 0.95
        assert match(alice.heard(), tone(600, 900)) > 0.95
        await callee.hang_up()
        await alice.over()
        assert here.outcome["DialCallStatus"] == "completed"
        assert "DialSipCallId" not in here.outcome
        child = here.it.of(CallStarted)[1]
        assert (child.from_, child.to) == (TRUNKS_OWN, THEIRS)
        assert here.second.ladder == []
        assert here.calls() == 0
        assert here.it.codes() == []
        await here.it.idle()


async def test_a_gateway_that_dies_mid_day_is_silent_once_and_the_second_takes_its_calls(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path) as here:
        await answered_by(here, here.first)
        here.it.network.blackhole(FIRST)
        started = trio.current_time()
        alice = await here.alice_dials()
        callee = await here.second.called()
        assert trio.current_time() - started == pytest.approx(4, abs=0.3)  # the silence that is waited for
        assert await callee.pick_up()
        await callee.hang_up()
        await alice.over()
        assert here.outcome["DialCallStatus"] == "completed"
        [away] = here.it.of(GatewayUnavailable)
        assert (away.trunk, away.gateway, away.status) == ("main", f"sip:{GATEWAYS[0]}", 408)
        assert here.it.codes() == [32011, 32401]
        # The next call loses no time on it.
        started = trio.current_time()
        alice = await here.alice_dials()
        callee = await here.second.called()
        assert trio.current_time() - started < 0.3
        await callee.decline(486)
        await alice.over()
        assert here.outcome["DialCallStatus"] == "busy"
        # When it has had its time it is tried again, and used again.
        await trio.sleep(BACK_OFF_S)
        here.it.network.restore(FIRST)
        await answered_by(here, here.first)
        [back] = here.it.of(GatewayRecovered)
        assert back.gateway == f"sip:{GATEWAYS[0]}"
        assert len(invites(here.second)) == 2
        await here.it.idle()


async def test_a_gateway_that_says_when_it_will_be_back_is_left_alone_until_then(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path) as here:
        alice = await here.alice_dials()
        refusing = await here.first.called()
        await refusing.decline(503, (("Retry-After", "120"),))
        callee = await here.second.called()
        assert await callee.pick_up()
        await callee.hang_up()
        await alice.over()
        assert here.outcome["DialCallStatus"] == "completed"
        asked = trio.current_time()
        await answered_by(here, here.second)
        for _ in range(4):
            await trio.sleep(25)
            await answered_by(here, here.second)
        await trio.sleep(asked + 121 - trio.current_time())
        assert len(invites(here.first)) == 1
        await answered_by(here, here.first)
        await here.it.idle()


async def test_a_gateway_that_refuses_connections_is_passed_over_at_once(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    uris = (f"sip:{GATEWAYS[0]};transport=tcp", f"sip:{GATEWAYS[1]};transport=tcp")
    async with carrier(tmp_path, uris=uris) as here:
        await answered_by(here, here.first)
        here.it.network.reset(FIRST)
        here.it.network.refuse(FIRST)
        started = trio.current_time()
        alice = await here.alice_dials()
        callee = await here.second.called()
        assert trio.current_time() - started < 0.5
        assert callee.invite is not None
        assert callee.invite.via.transport == "TCP"
        assert callee.invite.request_uri == f"sip:{THEIRS}@{GATEWAYS[1]};transport=tcp"
        assert str(callee.invite.to.uri) == f"sip:{THEIRS}@{GATEWAYS[1]}"
        assert await callee.pick_up()
        await callee.hang_up()
        await alice.over()
        assert here.outcome["DialCallStatus"] == "completed"
        here.it.network.restore(FIRST)
        await trio.sleep(BACK_OFF_S)
        await answered_by(here, here.first)
        await here.it.idle()


async def test_a_gateway_that_has_the_call_is_waited_for_however_long_it_takes_to_ring(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path) as here:
        alice = await here.alice_dials()
        callee = await here.first.called()  # has said 100
        await trio.sleep(20)
        await callee.ring()
        assert await callee.pick_up()
        await callee.hang_up()
        await alice.over()
        assert here.second.ladder == []
        assert here.it.of(GatewayUnavailable) == []
        await here.it.idle()


@pytest.mark.parametrize("status", [404, 486, 603])
async def test_what_a_callee_says_is_no_reason_to_try_another_gateway(
    autojump_clock: MockClock, tmp_path: Path, status: int
) -> None:
    async with carrier(tmp_path) as here:
        alice = await here.alice_dials()
        await (await here.first.called()).decline(status)
        await alice.over()
        assert here.second.ladder == []
        assert here.it.of(GatewayUnavailable) == []
        await here.it.idle()


async def test_when_no_gateway_is_left_the_dial_fails_and_says_so(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path) as here:
        for host in GATEWAYS:
            here.it.network.blackhole((host, 5060))
        alice = await here.alice_dials(f'<Dial action="/after" timeout="60"><Number>{THEIRS}</Number></Dial>')
        await alice.over()
        assert here.outcome["DialCallStatus"] == "failed"
        assert [away.status for away in here.it.of(GatewayUnavailable)] == [408, 408]
        assert here.it.codes() == [32011, 32401, 32011, 32400]
        assert here.calls() == 0
        await here.it.idle()


async def test_both_gateways_that_asked_to_be_left_alone_are(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path) as here:
        alice = await here.alice_dials()
        for gateway in (here.first, here.second):
            await (await gateway.called()).decline(503, (("Retry-After", "60"),))
        await alice.over()
        alice = await here.alice_dials()
        await alice.over()
        assert here.outcome["DialCallStatus"] == "failed"
        assert (len(invites(here.first)), len(invites(here.second))) == (1, 1)
        await trio.sleep(60)
        await answered_by(here, here.first)
        await here.it.idle()


async def test_two_silent_gateways_are_a_failure_also_when_the_ring_time_is_over_first(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path) as here:
        for host in GATEWAYS:
            here.it.network.blackhole((host, 5060))
        alice = await here.alice_dials()
        started = trio.current_time()
        await alice.over()
        assert trio.current_time() - started == pytest.approx(35, abs=0.5)
        assert here.outcome["DialCallStatus"] == "failed"
        assert [away.status for away in here.it.of(GatewayUnavailable)] == [408, 408]
        assert here.it.codes() == [32011, 32401, 32011, 32400]
        await here.it.idle()


async def test_a_gateway_that_was_given_up_gets_no_more_copies_and_its_late_answer_is_hung_up(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path) as here:
        copies: list[float] = []
        here.it.network.taps.append(
            lambda seen: copies.append(seen.at) if seen.target == FIRST and seen.data.startswith(b"INVITE") else None
        )
        mute = True
        here.it.network.lose(lambda sent: mute and sent.source == FIRST, times=100)
        started = trio.current_time()
        alice = await here.alice_dials()
        late = await here.first.called()
        callee = await here.second.called()
        assert [round(at - started, 1) for at in copies] == [0.0, 0.5, 1.5, 3.5]
        assert await callee.pick_up()
        await trio.sleep(10)
        assert len(copies) == 4
        mute = False
        assert await late.pick_up()
        await late.over()
        assert late.cause is Cause.HUNG_UP
        await trio.sleep(1)
        assert not callee.is_over
        await callee.hang_up()
        await alice.over()
        assert here.outcome["DialCallStatus"] == "completed"
        await here.it.idle()


@pytest.mark.parametrize(
    ("number", "code"), [("+33123456789", 13224), ("+2125550100", 13224), ("911", 13224), ("+21055550100", 13226)]
)
async def test_a_number_outside_the_prefixes_is_refused_and_nothing_is_sent(
    autojump_clock: MockClock, tmp_path: Path, number: str, code: int
) -> None:
    async with carrier(tmp_path) as here:
        sent = []
        here.it.network.taps.append(lambda seen: sent.append(seen) if seen.target[0] in GATEWAYS else None)
        alice = await here.alice_dials(f'<Dial action="/after"><Number>{number}</Number></Dial>')
        await alice.over()
        assert here.it.codes() == [code]
        assert here.outcome["DialCallStatus"] == "failed"
        assert sent == []
        await here.it.idle()


async def test_plain_text_in_dial_is_a_number_too_and_national_ones_are_read(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path) as here:
        alice = await here.alice_dials('<Dial action="/after">(415) 555-0100</Dial>')
        callee = await here.first.called()
        assert callee.invite is not None
        assert callee.invite.uri.user_text == THEIRS
        await callee.decline(486)
        await alice.over()
        await here.it.idle()


async def test_a_trunk_without_prefixes_dials_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, prefixes=()) as here:
        alice = await here.alice_dials()
        await alice.over()
        assert here.it.codes() == [13224]
        assert here.first.ladder == []
        await here.it.idle()


async def test_a_full_trunk_takes_no_more_until_a_call_has_ended(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, max_calls=1) as here:
        alice = await here.alice_dials()
        callee = await here.first.called()
        assert await callee.pick_up()
        other = await here.it.call()
        await other.over()
        assert here.outcome["DialCallStatus"] == "failed"
        assert here.it.codes() == [32011]
        assert len(invites(here.first)) == 1
        await callee.hang_up()
        await alice.over()
        await answered_by(here, here.first)
        await here.it.idle()


async def test_a_trunk_gets_no_more_new_calls_a_second_than_it_may(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, calls_per_s=1) as here:
        alice = await here.alice_dials()
        other = await here.it.call()
        await (await here.first.called()).decline(486)
        await alice.over()
        await other.over()
        assert len(invites(here.first)) == 1
        assert here.it.codes() == [32011]
        await trio.sleep(1)
        await answered_by(here, here.first)
        await here.it.idle()


async def test_the_caller_who_hangs_up_while_it_rings_gives_the_place_back(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path) as here:
        alice = await here.alice_dials()
        callee = await here.first.called()
        await callee.ring()
        assert here.calls() == 1
        await alice.hang_up()
        await callee.over()
        assert here.calls() == 0
        await here.it.idle()


async def test_a_call_that_is_cut_off_gives_the_place_back(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path) as here:
        await here.alice_dials()
        callee = await here.first.called()
        assert await callee.pick_up()
        assert here.calls() == 1
        here.it.server.tree.services.calls.cancel()
        await callee.over()
        assert here.calls() == 0


async def test_a_gateway_asks_for_the_password_of_the_trunk(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, username="line1", password="hush") as here:
        alice = await here.alice_dials()
        asked = await here.first.called()
        challenge = 'Digest realm="carrier.example", qop="auth", nonce="abc", algorithm=MD5'
        await asked.decline(407, (("Proxy-Authenticate", challenge),))
        callee = await here.first.called()
        assert callee.invite is not None
        assert 'username="line1"' in (callee.invite.headers.get("Proxy-Authorization") or "")
        assert callee.invite.call_id == asked.invite.call_id if asked.invite is not None else False
        assert await callee.pick_up()
        await callee.hang_up()
        await alice.over()
        assert here.outcome["DialCallStatus"] == "completed"
        await here.it.idle()


# ---- callerId ------------------------------------------------------------------------------------------------------


async def caller_seen(here: Carrier, attributes: str, **settings: str) -> str | None:
    """The user of the From that the gateway got; None when it got no call."""
    alice = await here.alice_dials(f'<Dial action="/after" {attributes}><Number>{THEIRS}</Number></Dial>', **settings)
    with trio.move_on_after(2):
        callee = await here.first.called()
        assert callee.invite is not None
        user = callee.invite.from_.uri.user_text
        await callee.decline(486)
        await alice.over()
        return user
    await alice.over()
    return None


@pytest.mark.parametrize(
    ("attributes", "seen"),
    [
        ("", TRUNKS_OWN),
        (f'callerId="{OURS}"', OURS),
        ('callerId="(555) 010-0000"', None),
        (f'callerId="{TRUNKS_OWN}"', TRUNKS_OWN),
        ('callerId="+15550177"', None),
        ('callerId="nobody"', None),
    ],
)
async def test_a_number_is_called_by_one_that_we_own_or_the_trunk_has(
    autojump_clock: MockClock, tmp_path: Path, attributes: str, seen: str | None
) -> None:
    async with carrier(tmp_path) as here:
        assert await caller_seen(here, attributes) == seen
        codes = here.it.codes()
        assert codes == [] if seen is not None else set(codes) <= {13214, 13247} and codes
        await here.it.idle()


async def test_a_phone_whose_user_is_a_number_of_ours_is_seen_by_it(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path) as here:
        assert await caller_seen(here, "", from_=f"sip:{OURS}@acme.{SUFFIX}") == OURS
        assert await caller_seen(here, "", from_=f"sip:+15550177@acme.{SUFFIX}") == TRUNKS_OWN
        await here.it.idle()


async def test_without_any_number_of_ours_nothing_is_sent(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, caller_id=None, numbers=()) as here:
        assert await caller_seen(here, "") is None
        assert here.it.codes() == [13214]
        assert not [seen for seen in here.first.ladder if isinstance(seen.message, Request)]
        await here.it.idle()
