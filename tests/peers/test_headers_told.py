"""Which headers of a real user agent (SIPp) the application is told, of a caller and of who is dialled; which never."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from offhook.server.trunk_config import InboundSettings, NumberSettings, TrunkSettings
from offhook.testing.web import twiml

from .callees import Callee
from .dialled import UUI, House, calls, open_called, open_house
from .house import DOMAIN
from .programs import free_port
from .scenarios import Caller, Headers

pytestmark = pytest.mark.peers

FOREIGN: Headers = (
    ("P-Asserted-Identity", "<sip:asserted@pbx.example>"),
    ("Remote-Party-ID", "<sip:remote@pbx.example>;party=calling"),
    ("P-Preferred-Identity", "<sip:preferred@pbx.example>"),
    ("P-Called-Party-ID", "<sip:called@pbx.example>"),
    ("Diversion", "<sip:diverted@pbx.example>;reason=no-answer"),
    ("Privacy", "id"),
    ("Reason", 'Q.850;cause=16;text="reasoned"'),
    ("Subject", "the subject"),
)
"""Headers that no application is told."""


async def told(house: House, media: int, folder: Path, headers: Headers) -> dict[str, str]:
    """SIPp calls with these headers; the parameters of the first request that end in what a header may have said."""
    caller = Caller(f"sip:100@{DOMAIN}", media, headers=headers).dials().is_answered().is_hung_up_on()
    await house.is_called(caller, folder)
    return await house.asked("/voice")


def of_headers(parameters: dict[str, str], prefix: str = "SipHeader_") -> dict[str, str]:
    return {name: value for name, value in parameters.items() if name.startswith(prefix)}


def foreign_words(parameters: dict[str, str]) -> list[str]:
    """What of FOREIGN is found anywhere in what an application was told."""
    words = ("asserted", "remote@", "preferred", "called@", "diverted", "reasoned", "the subject")
    return [word for word in words if any(word in value for value in parameters.values())]


# --- INVITE to the platform -----------------------------------------------------------------------------------------


async def test_x_headers_of_an_invite_are_told_to_the_voice_url_under_their_own_names(
    house: House, media: int, tmp_path: Path
) -> None:
    headers = (("X-Account-Id", "a=1;b=2, c"), ("x-lower", "Grüße"), ("X-Empty", ""))
    assert of_headers(await told(house, media, tmp_path, headers)) == {
        "SipHeader_X-Account-Id": "a=1;b=2, c",
        "SipHeader_x-lower": "Grüße",
        "SipHeader_X-Empty": "",
    }


@pytest.mark.parametrize("value", UUI)
async def test_user_to_user_of_an_invite_is_told_to_the_voice_url_as_it_is_written(
    house: House, media: int, tmp_path: Path, value: str
) -> None:
    parameters = await told(house, media, tmp_path, (("User-to-User", value),))
    assert of_headers(parameters) == {"SipHeader_User-to-User": value}


async def test_x_user_to_user_is_a_header_like_every_x_header(house: House, media: int, tmp_path: Path) -> None:
    parameters = await told(house, media, tmp_path, (("X-User-to-User", UUI[0]),))
    assert of_headers(parameters) == {"SipHeader_X-User-to-User": UUI[0]}


async def test_x_headers_of_one_name_are_told_as_one_joined_by_commas(house: House, media: int, tmp_path: Path) -> None:
    headers = (("X-Hop", "one"), ("X-Other", "1"), ("x-hop", "two"), ("X-HOP", "three, four"))
    assert of_headers(await told(house, media, tmp_path, headers)) == {
        "SipHeader_X-Hop": "one,two,three, four",
        "SipHeader_X-Other": "1",
    }


async def test_no_other_header_of_an_invite_is_told(house: House, media: int, tmp_path: Path) -> None:
    parameters = await told(house, media, tmp_path, FOREIGN)
    assert of_headers(parameters) == {}
    assert foreign_words(parameters) == []


# --- responses and BYE of who was dialled ---------------------------------------------------------------------------


ANSWER_HEADERS: Headers = (("X-Answer", "from the 200"), ("User-to-User", UUI[0]), *FOREIGN)
LAST_HEADERS: Headers = (
    ("X-Agent", "7;b=2"),
    ("x-why", "lunch"),
    ("X-Why", "break"),
    ("User-to-User", UUI[0]),
    *FOREIGN,
)
LAST_TOLD = {"DialSipHeader_X-Agent": "7;b=2", "DialSipHeader_x-why": "lunch,break"}
DIAL = '<Dial action="/after"><Sip>sip:bob@CALLEE</Sip></Dial>'


async def test_x_headers_of_a_200_are_told_to_the_screening_document(house: House, media: int, tmp_path: Path) -> None:
    house.app.on("/screen", twiml())
    callee = Callee(media).is_called().rings().answers(ANSWER_HEADERS).waits(300).hangs_up()
    document = '<Dial action="/after"><Sip url="/screen">sip:bob@CALLEE</Sip></Dial>'
    await house.dials(document, callee, calls(media), tmp_path)
    screened = await house.asked("/screen")
    assert of_headers(screened) == {"SipHeader_X-Answer": "from the 200"}
    assert foreign_words(screened) == []


@pytest.mark.parametrize(("status", "outcome"), [(486, "busy"), (404, "failed"), (503, "failed"), (603, "busy")])
async def test_x_headers_of_a_final_refusal_are_told_to_the_action(
    house: House, media: int, tmp_path: Path, status: int, outcome: str
) -> None:
    callee = Callee(media).is_called().rings().refuses(status, LAST_HEADERS)
    await house.dials(DIAL, callee, calls(media), tmp_path)
    after = await house.asked("/after")
    assert (after["DialCallStatus"], after["DialSipResponseCode"]) == (outcome, str(status))
    assert of_headers(after, "DialSipHeader_") == LAST_TOLD
    assert foreign_words(after) == []


async def test_x_headers_of_a_bye_are_told_to_the_action(house: House, media: int, tmp_path: Path) -> None:
    callee = Callee(media).is_called().answers(ANSWER_HEADERS).waits(300).hangs_up(LAST_HEADERS)
    await house.dials(DIAL, callee, calls(media), tmp_path)
    after = await house.asked("/after")
    assert (after["DialCallStatus"], after["DialSipResponseCode"]) == ("completed", "200")
    assert of_headers(after, "DialSipHeader_") == LAST_TOLD
    assert foreign_words(after) == []


async def test_x_headers_of_the_200_to_our_bye_are_told_to_the_action(house: House, media: int, tmp_path: Path) -> None:
    callee = Callee(media).is_called().answers(ANSWER_HEADERS).is_hung_up_on(LAST_HEADERS)
    document = '<Dial action="/after" timeLimit="1"><Sip>sip:bob@CALLEE</Sip></Dial>'
    await house.dials(document, callee, calls(media), tmp_path)
    after = await house.asked("/after")
    assert (after["DialCallStatus"], after["DialSipResponseCode"]) == ("completed", "200")
    assert of_headers(after, "DialSipHeader_") == LAST_TOLD


async def test_x_headers_of_the_200_to_our_bye_are_told_also_after_the_caller_has_hung_up(
    house: House, media: int, tmp_path: Path
) -> None:
    callee = Callee(media).is_called().answers(ANSWER_HEADERS).is_hung_up_on(LAST_HEADERS)
    caller = Caller(f"sip:100@{DOMAIN}", media).dials().is_answered().waits(500).hangs_up()
    await house.dials(DIAL, callee, caller, tmp_path)
    after = await house.asked("/after")
    assert after["DialCallStatus"] == "completed"
    assert of_headers(after, "DialSipHeader_") == LAST_TOLD


# --- trunks ---------------------------------------------------------------------------------------------------------

OURS, THEIRS = "+15550100", "+14155550100"
CARRIER = "127.0.0.5"


@asynccontextmanager
async def open_carried(folder: Path, gateway: str) -> AsyncIterator[House]:
    """A server with a trunk whose one gateway is there, and a number; both ask `/voice`."""

    def voice(base: str) -> dict[str, object]:
        inbound = InboundSettings(networks=(f"{CARRIER}/32",))
        trunk = TrunkSettings(name="main", uris=(f"sip:{gateway}",), prefixes=("+1",), caller_id=OURS, inbound=inbound)
        return {"trunks": (trunk,), "numbers": (NumberSettings(number=OURS, voice_url=f"{base}/voice"),)}

    async with open_house(folder, voice) as house:
        yield house


async def test_custom_headers_of_a_call_that_a_trunk_brings_are_discarded(tmp_path: Path, media: int) -> None:
    async with open_carried(tmp_path, CARRIER) as house:
        headers = (("X-Account-Id", "1"), ("User-to-User", UUI[0]), *FOREIGN[:4])
        target = f"sip:{OURS}@127.0.0.1:{house.sip[1]}"
        caller = Caller(target, media, user=THEIRS, headers=headers).dials().is_answered().is_hung_up_on()
        await house.is_called(caller, tmp_path, host=CARRIER)
        parameters = await house.asked("/voice")
    assert (parameters["From"], parameters["To"]) == (THEIRS, OURS)
    assert of_headers(parameters) == {}
    assert foreign_words(parameters) == []


async def test_custom_headers_of_a_gateway_are_told_to_nobody(tmp_path: Path, media: int) -> None:
    gateway, port = Callee(media).is_called().answers(ANSWER_HEADERS).waits(300).hangs_up(LAST_HEADERS), free_port()
    async with (
        open_called(gateway, port, tmp_path / "gateway") as sipp,
        open_carried(tmp_path, f"127.0.0.1:{port}") as house,
    ):
        house.app.on("/screen", twiml())
        house.app.on(
            "/voice",
            twiml(f'<Dial action="/after" callReason="lunch"><Number url="/screen">{THEIRS}</Number></Dial>'),
        )
        await house.is_called(calls(media), tmp_path / "caller")
        (await sipp.finished()).all_succeeded(1)
        screened, after = await house.asked("/screen"), await house.asked("/after")
    assert after["DialCallStatus"] == "completed"
    assert of_headers(screened) == {}
    assert of_headers(after, "DialSipHeader_") == {}
    assert foreign_words(screened) == foreign_words(after) == []
    [invite] = sipp.received("INVITE")
    custom = [name for name, _ in invite.headers if name.lower().startswith("x-")]
    assert sorted(custom) == ["X-Branded-CallReason", "X-Twilio-AccountSid", "X-Twilio-ApiVersion", "X-Twilio-CallSid"]
