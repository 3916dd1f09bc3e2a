"""Calls that a trunk brings: which application answers, what it is told, how many there may be."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallRefused, CallStarted
from offhook.server.trunk_config import InboundSettings, NumberSettings
from offhook.testing.network import Conditions
from offhook.testing.web import twiml

from .carrier import GATEWAYS, OURS, THEIRS, Carrier, carrier
from .kit import BASE, HOST, STATUS_TAKEN, SUFFIX, world

SAY = twiml("<Say>hello</Say>")
WITH_URL = (NumberSettings(number=OURS, voice_url=f"{BASE}/number", status_callback_url=f"{BASE}/told"),)
CARRIED = ("CallSid", "AccountSid", "From", "To", "Caller", "Called", "CallStatus", "ApiVersion", "Direction")


async def test_a_call_for_a_number_of_ours_is_answered_by_its_own_application(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path, numbers=WITH_URL) as here:
        here.it.web.on("/number", SAY)
        here.it.web.on("/told", STATUS_TAKEN)
        call = await here.brings(OURS, headers=(("X-Route", "7"), ("User-to-User", "ab;encoding=hex")))
        assert await call.answered()
        assert here.calls() == 1
        await call.over()
        [asked] = here.it.web.asked("/number")
        params = asked.params
        assert (params["From"], params["To"]) == (THEIRS, OURS)
        assert (params["Caller"], params["Called"]) == (THEIRS, OURS)
        assert (params["Direction"], params["CallStatus"]) == ("inbound", "ringing")
        assert params["SipSourceIp"] == GATEWAYS[0]
        assert call.leg.leg.call_id == params["SipCallId"]
        assert set(params) == {*CARRIED, "SipSourceIp", "SipCallId"}
        [told] = await here.it.web.wait_for(1, "/told")
        assert (told.params["CallStatus"], told.params["To"]) == ("completed", OURS)
        await trio.sleep(1)
        assert here.calls() == 0
        started = here.it.of(CallStarted)[0]
        assert (started.from_, started.to, started.domain) == (THEIRS, OURS, None)
        assert here.it.web.asked("/voice") == []
        await here.it.idle()


@pytest.mark.parametrize(
    ("dialled", "reads"),
    [
        ("+15550100", OURS),
        ("15550100", OURS),
        ("0015550100", OURS),
        ("5550100;phone-context=+1", OURS),
        ("+1-555-0100", OURS),
        ("+15550100;npdi", OURS),
        ("4155550123", "+14155550123"),
        ("442079460000", "+442079460000"),
        ("line1", f"sip:line1@{'10.0.0.1'}"),
    ],
)
async def test_a_dialled_number_is_read_however_the_carrier_writes_it(
    autojump_clock: MockClock, tmp_path: Path, dialled: str, reads: str
) -> None:
    async with carrier(tmp_path, numbers=WITH_URL) as here:
        for path in ("/number", "/trunk"):
            here.it.web.on(path, SAY)
        here.it.web.on("/told", STATUS_TAKEN)
        call = await here.brings(dialled)
        assert await call.answered()
        await call.over()
        [asked] = here.it.web.asked("/number" if reads == OURS else "/trunk")
        assert asked.params["To"] == reads
        await here.it.idle()


@pytest.mark.parametrize(
    ("caller", "reads"),
    [
        ("+442079460000", "+442079460000"),
        ("442079460000", "+442079460000"),
        ("Anonymous", "anonymous"),
        ("+266696687", "+266696687"),
        ("ann", f"sip:ann@{GATEWAYS[0]}"),
    ],
)
async def test_a_caller_reads_as_a_number_where_one_is_given(
    autojump_clock: MockClock, tmp_path: Path, caller: str, reads: str
) -> None:
    async with carrier(tmp_path) as here:
        here.it.web.on("/trunk", SAY)
        call = await here.brings(OURS, from_=caller)
        await call.over()
        [asked] = here.it.web.asked("/trunk")
        assert (asked.params["From"], asked.params["To"]) == (reads, OURS)
        await here.it.idle()


async def test_a_call_that_was_diverted_to_us_says_by_whom(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path) as here:
        here.it.web.on("/trunk", SAY)
        call = await here.brings(
            OURS, headers=(("Diversion", "<sip:+15550111@c.example>;reason=no-answer"), ("Diversion", "<sip:x@y>"))
        )
        await call.over()
        [asked] = here.it.web.asked("/trunk")
        assert asked.params["ForwardedFrom"] == "+15550111"
        broken = await here.brings(OURS, headers=(("Diversion", "<<>"),))
        await broken.over()
        assert "ForwardedFrom" not in here.it.web.asked("/trunk")[1].params
        await here.it.idle()


async def test_a_number_without_an_application_is_answered_by_the_trunks(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path) as here:
        here.it.web.on("/trunk", SAY)
        for dialled in (OURS, "+15559999"):
            call = await here.brings(dialled)
            assert await call.answered()
            await call.over()
        assert [asked.params["To"] for asked in here.it.web.asked("/trunk")] == [OURS, "+15559999"]
        await here.it.idle()


async def test_a_fallback_answers_when_the_application_fails(autojump_clock: MockClock, tmp_path: Path) -> None:
    inbound = InboundSettings(
        networks=("10.1.0.1",), voice_url=f"{BASE}/gone", voice_method="GET", voice_fallback_url=f"{BASE}/fallback"
    )
    async with carrier(tmp_path, inbound=inbound) as here:
        here.it.web.on("/fallback", SAY)
        call = await here.brings(OURS)
        assert await call.answered()
        await call.over()
        assert [asked.method for asked in here.it.web.asked("/gone")] == ["GET"]
        [asked] = here.it.web.asked("/fallback")
        assert asked.params["ErrorCode"]
        await here.it.idle()


async def test_a_number_that_nobody_answers_is_not_found(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, inbound=InboundSettings(networks=("10.1.0.0/24",)), numbers=WITH_URL) as here:
        call = await here.brings("+15559999")
        await call.over()
        assert call.status == 404
        assert here.it.of(CallStarted) == []
        assert [refused.status for refused in here.it.of(CallRefused)] == [404]
        assert here.calls() == 0


async def test_a_source_that_is_of_no_trunk_is_not_heard(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, inbound=InboundSettings(networks=("10.1.0.2",), voice_url=f"{BASE}/trunk")) as here:
        call = await here.brings(OURS)
        await call.over()
        assert call.status == 403
        assert here.it.web.asked("/trunk") == []


async def test_a_call_from_a_trunk_to_a_domain_by_its_name_is_the_domains(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path, numbers=WITH_URL) as here:
        here.it.web.on("/voice", SAY)
        call = await here.brings(OURS, host=HOST)
        assert await call.answered()
        await call.over()
        [asked] = here.it.web.asked("/voice")
        assert asked.params["SipDomain"] == HOST
        assert asked.params["To"] == f"sip:{OURS}@{HOST}"
        assert here.it.web.asked("/number") == []
        await here.it.idle()


@pytest.mark.parametrize("host", [SUFFIX, "pbx.company.example", f"nobody.{SUFFIX}"])
async def test_whatever_else_we_are_called_a_call_from_the_trunk_is_the_trunks(
    autojump_clock: MockClock, tmp_path: Path, host: str
) -> None:
    async with carrier(tmp_path) as here:
        here.it.web.on("/trunk", SAY)
        call = await here.brings(OURS, host=host)
        assert await call.answered()
        await call.over()
        assert len(here.it.web.asked("/trunk")) == 1
        await here.it.idle()


async def test_the_trunk_comes_before_the_default_domain(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path) as plain:
        config = plain.it.server.config
    config = attrs.evolve(config, sip=attrs.evolve(config.sip, default_domain="acme"))
    async with world(tmp_path, config=config, conditions=Conditions(delay_s=0.005)) as it:
        it.web.on("/voice", SAY)
        call = await it.phone.call(f"sip:{OURS}@10.0.0.1", via=it.proxy)
        assert await call.answered()
        await call.over()
        assert len(it.web.asked("/voice")) == 1
        assert it.web.asked("/trunk") == []


async def test_calls_both_ways_count_together(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path, max_calls=2) as here:
        here.it.web.on("/trunk", twiml("<Pause length='30'/><Say>hello</Say>"))
        inbound = await here.brings(OURS)
        alice = await here.alice_dials()
        outbound = await here.first.called()
        await outbound.ring()
        assert here.calls() == 2
        refused = await here.brings(OURS)
        await refused.over()
        assert refused.status == 503
        [refusal] = here.it.of(CallRefused)
        assert (refusal.status, refusal.code) == (503, 10004)
        await inbound.cancel()
        await trio.sleep(1)
        assert here.calls() == 1
        again = await here.brings(OURS)
        await trio.sleep(1)
        assert here.calls() == 2
        await again.cancel()
        await outbound.decline(486)
        await alice.over()
        assert here.calls() == 0
        await here.it.idle()


async def test_a_call_that_a_trunk_brought_may_be_forwarded_with_the_callers_own_number(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path, caller_id=None) as here:
        here.it.web.on("/trunk", twiml("<Dial action='/after'><Number>+442079460000</Number></Dial>"))
        here.it.web.on("/after", twiml("<Hangup/>"))
        call = await here.brings(OURS)
        out = await here.first.called()
        assert out.invite is not None
        assert out.invite.from_.uri.user_text == THEIRS
        assert here.calls() == 2
        assert await out.pick_up()
        await trio.sleep(1)
        await call.hang_up()
        await out.over()
        assert {end.status for end in await here.it.ends(2)} == {"completed"}
        await trio.sleep(1)
        assert here.calls() == 0
        await here.it.idle()


async def forwarded_as(here: Carrier, caller_id: str) -> str | None:
    here.it.web.on(
        "/trunk", twiml(f"<Dial action='/after' callerId='{caller_id}'><Number>+442079460000</Number></Dial>")
    )
    here.it.web.on("/after", twiml("<Hangup/>"))
    call = await here.brings("+15550155")
    with trio.move_on_after(2):
        out = await here.first.called()
        assert out.invite is not None
        await out.decline(486)
        await call.over()
        return out.invite.from_.uri.user_text
    await call.over()
    return None


async def test_it_may_be_forwarded_as_either_of_its_two_numbers_and_as_no_other(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path, caller_id=None) as here:
        assert await forwarded_as(here, THEIRS) == THEIRS
        assert await forwarded_as(here, "+15550155") == "+15550155"
        assert await forwarded_as(here, "+15550177") is None
        assert here.it.codes() == [13214]
        await here.it.idle()


async def test_a_session_that_cannot_come_about_is_refused(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path) as here:
        call = await here.brings(OURS, edit=lambda offer: offer.replace(b"RTP/AVP", b"RTP/SAVP"))
        await call.over()
        assert call.status == 488
        assert here.calls() == 0
