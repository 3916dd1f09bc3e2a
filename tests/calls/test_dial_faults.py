"""Dials that cannot be carried out as they are written: what is told, what becomes of the call; nothing is sent."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.media.tones import ringback
from offhook.server.config import DialSettings
from offhook.testing.listen import match
from offhook.testing.web import twiml

from .carrier import GATEWAYS, THEIRS, Carrier, carrier
from .kit import BASE, HOST, SUFFIX, config_for, world
from .office import BOB, BOB_HOST, CAROL, dial, office

ELEVEN = "".join(f"<Sip>sip:user{number}@{BOB_HOST}</Sip>" for number in range(11))


# ---- errors of the document ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "noun",
    [
        "<Conference>room</Conference>",
        "<Queue>support</Queue>",
        "<Application><ApplicationSid>AP00000000000000000000000000000001</ApplicationSid></Application>",
        "<Sim>DE00000000000000000000000000000001</Sim>",
        "<WhatsApp>+15550100</WhatsApp>",
    ],
    ids=["Conference", "Queue", "Application", "Sim", "WhatsApp"],
)
async def test_a_noun_that_is_not_carried_out_is_an_error_for_the_fallback(
    autojump_clock: MockClock, tmp_path: Path, noun: str
) -> None:
    async with office(tmp_path, voice_fallback_url=f"{BASE}/fallback") as here:
        here.it.web.on("/fallback", twiml("<Hangup/>"))
        alice = await here.alice_dials(dial(noun=noun))
        await alice.over()
        [asked] = here.it.web.asked("/fallback")
        assert asked.params["ErrorCode"] == "13750"
        assert here.it.codes() == [13750]
        assert here.it.web.asked("/after") == []
        await here.it.idle()


@pytest.mark.parametrize(
    ("nouns", "codes"),
    [
        (ELEVEN, [13250]),
        ("", [13223]),
        ("<Sip/>", [13243]),
        ("<Sip>tel:+15550100</Sip>", [13243]),
        ("<Sip>http://far.example/</Sip>", [13243]),
        (f"<Sip>sip:{'x' * 255}@{BOB_HOST}</Sip>", [13243]),
        (f"<Sip>{CAROL}?X-A={'1' * 1024}</Sip>", [13253]),
        (f"<Sip>{CAROL};tnx=TX1</Sip>", [32302]),
        (f"<Sip>sip:{HOST}</Sip>", [32223]),
        (f"<Sip>sip:bob@nowhere.{SUFFIX}</Sip>", [32002]),
        (f"<Sip>sip:nobody@{HOST}</Sip>", [32009]),
        ("<Client>no body</Client>", [31105]),
        ("<Client/>", [31105]),
        ("<Client>nobody</Client>", [32009]),
        ("<Number>twelve</Number>", [13223]),
        ("<Number/>", [13223]),
        (f"<Number>{THEIRS}</Number>", [13224]),
    ],
    ids=[
        "eleven",
        "nobody",
        "no-address",
        "tel",
        "http",
        "long-address",
        "long-headers",
        "interconnect",
        "no-user",
        "no-such-domain",
        "not-registered",
        "bad-client",
        "no-client",
        "client-not-registered",
        "no-number",
        "empty-number",
        "no-trunk",
    ],
)
async def test_a_dial_that_can_call_nobody_has_failed_with_its_code_and_nothing_is_sent(
    autojump_clock: MockClock, tmp_path: Path, nouns: str, codes: list[int]
) -> None:
    async with office(tmp_path) as here:
        before = len(here.bob.ladder)
        alice = await here.alice_dials(dial(noun=nouns))
        await alice.over()
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialBridged"], told["DialCallDuration"]) == ("failed", "false", "0")
        assert here.it.codes() == codes
        assert len(here.bob.ladder) == before
        await here.it.idle()


@pytest.mark.parametrize("host", ["192.0.2.7", "far.example"], ids=["address", "name"])
async def test_a_host_outside_the_networks_that_may_be_called_gets_nothing(
    autojump_clock: MockClock, tmp_path: Path, host: str
) -> None:
    config = attrs.evolve(config_for(tmp_path), dial=DialSettings(allowed_networks=("10.0.0.0/8",)))
    async with world(tmp_path, config=config) as it:
        it.network.dns.address("far.example", "192.0.2.7")
        sent = []
        it.network.taps.append(lambda seen: sent.append(seen) if seen.target[0] == "192.0.2.7" else None)
        alice = await it.dials(dial(noun=f"<Sip>sip:carol@{host}</Sip>"))
        await alice.over()
        [told] = it.web.asked("/after")
        assert told.params["DialCallStatus"] == "failed"
        assert it.codes() == ([13254] if host == "192.0.2.7" else [32011])
        assert sent == []
        await it.idle()


async def test_a_conference_beside_a_number_is_13000_and_fails(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial(noun=f"<Sip>{BOB}</Sip><Conference>room</Conference>"))
        await alice.over()
        assert here.it.codes() == [13000, 13750]
        await here.it.idle()


async def test_an_unknown_child_of_dial_is_13215_and_the_others_are_called(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial(noun=f"<Say>hello</Say><Sip>{BOB}</Sip>"))
        await (await here.bob.called()).decline()
        await alice.over()
        assert here.it.codes() == [13215]
        assert (await here.outcome())["DialCallStatus"] == "busy"
        await here.it.idle()


async def test_one_noun_that_cannot_be_called_does_not_keep_the_others_from_ringing(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        nouns = f"<Number>{THEIRS}</Number><Sip>tel:1</Sip><Client>nobody</Client><Sip>{BOB}</Sip>"
        alice = await here.alice_dials(dial(noun=nouns))
        bob = await here.bob.called()
        assert await bob.pick_up()
        assert await here.connected(alice, bob)
        await bob.hang_up()
        await alice.over()
        assert (await here.outcome())["DialCallStatus"] == "completed"
        assert sorted(here.it.codes()) == [13224, 13243, 32009]
        await here.it.idle()


@pytest.mark.parametrize(
    ("attribute", "code"),
    [
        ("method='PUT'", 13210),
        ("timeout='x'", 13212),
        ("hangupOnStar='x'", 13213),
        ("timeLimit='x'", 13216),
        ("record='x'", 13217),
        ("sequential='x'", 13218),
        ("answerOnBridge='x'", 13219),
        ("ringTone='x'", 13220),
        ("recordingTrack='x'", 13622),
        ("trim='x'", 13699),
        ("recordingStatusCallback='ftp://x/'", 13256),
        ("recordingStatusCallbackEvent='x'", 13621),
        ("recordingStatusCallbackMethod='PUT'", 12200),
        ("referMethod='PUT'", 12200),
        ("unheardOf='x'", 12200),
    ],
)
async def test_a_bad_value_is_warned_of_and_the_default_holds(
    autojump_clock: MockClock, tmp_path: Path, attribute: str, code: int
) -> None:
    async with office(tmp_path) as here:
        alice = await here.alice_dials(dial(attribute))
        bob = await here.bob.called()
        await bob.ring()
        await trio.sleep(3)
        assert match(alice.heard(), ringback("us")[:16_000]) > 0.95
        await bob.decline()
        await alice.over()
        assert here.it.codes() == [code]
        assert (await here.outcome())["DialCallStatus"] == "busy"
        assert here.it.web.asked("/after")[0].method == "POST"


@pytest.mark.parametrize(
    ("attributes", "codes"),
    [
        ('method="PUT" url="/screen"', [13241]),
        ('statusCallbackMethod="PUT"', [12200]),
        ('statusCallback="ftp://x/"', [11100]),
        ('password="lonely"', [13249]),
        (f'username="{"u" * 256}"', [13249]),
        ('machineDetection="Maybe"', [21263]),
        ('machineDetection="Enable" machineDetectionTimeout="2"', [21263, 13750]),
        ('machineDetection="Enable" machineDetectionSpeechThreshold="999"', [21263, 13750]),
        ('machineDetection="Enable" machineDetectionSpeechEndThreshold="499"', [21263, 13750]),
        ('machineDetection="Enable" machineDetectionSilenceTimeout="1999"', [21263, 13750]),
        ('machineDetection="DetectMessageEnd" amdStatusCallback="/amd" amdStatusCallbackMethod="GET"', [13750]),
        ('machineDetection="Enable" amdStatusCallback="ftp://x/"', [11100, 13750]),
    ],
)
async def test_a_bad_value_of_a_noun_is_warned_of_and_the_call_is_made(
    autojump_clock: MockClock, tmp_path: Path, attributes: str, codes: list[int]
) -> None:
    async with office(tmp_path) as here:
        here.it.web.on("/screen", twiml("<Hangup/>"))
        alice = await here.alice_dials(dial(noun=f"<Sip {attributes}>{BOB}</Sip>"))
        bob = await here.bob.called()
        await bob.decline()
        await alice.over()
        assert here.it.codes() == codes
        assert here.it.web.asked("/amd") == []
        await here.it.idle()


# ---- numbers ---------------------------------------------------------------------------------------------------------


async def pressed(here: Carrier, attributes: str) -> str:
    alice = await here.alice_dials(f'<Dial action="/after"><Number {attributes}>{THEIRS}</Number></Dial>')
    callee = await here.first.called()
    assert await callee.pick_up()
    await trio.sleep(6)
    keys = "".join(digit.digit for digit in callee.digits)
    await callee.hang_up()
    await alice.over()
    return keys


async def test_digits_are_sent_after_the_answer_and_before_the_bridge(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with carrier(tmp_path) as here:
        assert await pressed(here, 'sendDigits="12w#W*A"') == "12#*A"
        assert here.it.codes() == []
        assert here.outcome["DialBridged"] == "true"
        await here.it.idle()


async def test_digits_that_are_none_are_13222_and_not_sent(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path) as here:
        assert await pressed(here, 'sendDigits="12x"') == ""
        assert here.it.codes() == [13222]
        await here.it.idle()


async def test_a_trunk_of_ones_own_is_named_without_effect(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with carrier(tmp_path) as here:
        assert await pressed(here, f'byoc="BY{"0" * 32}"') == ""
        assert here.it.codes() == [13750]
        await here.it.idle()


@pytest.mark.parametrize(
    ("attribute", "header", "codes"),
    [
        ("", None, []),
        ('callReason="Your parcel"', "Your parcel", []),
        (f'callReason="{"x" * 50}"', "x" * 50, []),
        (f'callReason="{"x" * 51}"', None, [32115]),
        ('callReason="a&#x85;b"', None, [32112]),
    ],
    ids=["none", "short", "longest", "too-long", "control"],
)
async def test_the_reason_of_a_call_goes_to_the_trunk(
    autojump_clock: MockClock, tmp_path: Path, attribute: str, header: str | None, codes: list[int]
) -> None:
    async with carrier(tmp_path) as here:
        alice = await here.alice_dials(f'<Dial action="/after" {attribute}><Number>{THEIRS}</Number></Dial>')
        callee = await here.first.called()
        assert callee.invite is not None
        assert callee.invite.headers.get("X-Branded-CallReason") == header
        await callee.decline()
        await alice.over()
        assert here.it.codes() == codes
        await here.it.idle()


@pytest.mark.parametrize(("caller_id", "code"), [("+15550177", 13214), ("nobody", 13247), ("client:bob", 13247)])
async def test_a_caller_id_that_is_not_ours_is_refused_for_a_number_and_nothing_is_sent(
    autojump_clock: MockClock, tmp_path: Path, caller_id: str, code: int
) -> None:
    async with carrier(tmp_path) as here:
        sent = []
        here.it.network.taps.append(lambda seen: sent.append(seen) if seen.target[0] in GATEWAYS else None)
        alice = await here.alice_dials(f'<Dial action="/after" callerId="{caller_id}"><Number>{THEIRS}</Number></Dial>')
        await alice.over()
        assert here.it.codes() == [code]
        assert here.outcome["DialCallStatus"] == "failed"
        assert sent == []
        await here.it.idle()
