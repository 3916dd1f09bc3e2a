"""Whole calls over IPv6, from behind a NAT, and to a server that tells another address than it is bound to."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from trio.testing import MockClock

from offhook.server.config import ServerSettings
from offhook.sip.message import Request, Response
from offhook.testing.ids import CountingIds
from offhook.testing.network import Conditions
from offhook.testing.phone import open_phone
from offhook.testing.speech import tone, wav
from offhook.testing.web import Answer, twiml

from .kit import HOST, SERVER, config_for, world

SIX, PHONE_SIX = "fd00::1", "fd00::2"
MELODY = tone(800, 620)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_over_ipv6(autojump_clock: MockClock, tmp_path: Path, transport: str) -> None:
    config = config_for(tmp_path, ip_access_control=("fd00::/16",))
    sip = attrs.evolve(config.sip, udp=(f"{SERVER}:5060", f"[{SIX}]:5060"), tcp=(f"{SERVER}:5060", f"[{SIX}]:5060"))
    async with (
        world(tmp_path, config=attrs.evolve(config, sip=sip), addresses=(SIX,)) as it,
        open_phone(it.network.host(PHONE_SIX), PHONE_SIX, name="six", port=5060, ids=CountingIds("six")) as phone,
    ):
        it.network.conditions = Conditions(delay_s=0.005)
        it.web.on("/voice", twiml('<Play>/melody.wav</Play><Gather numDigits="1" action="/key"/>'))
        it.web.on("/melody.wav", Answer(wav(MELODY), content_type="audio/wav"))
        it.web.on("/key", twiml("<Say>Bye</Say>"))
        call = await phone.call(it.target, via=f"sip:[{SIX}]:5060;transport={transport}")
        assert await call.answered()
        await it.verb("Gather")
        await call.press("6")
        await call.over()
        assert it.has_heard(call, MELODY)
        assert it.web.asked("/voice")[0].params["SipSourceIp"] == PHONE_SIX
        assert it.web.asked("/key")[0].params["Digits"] == "6"
        [bye] = [seen.message for seen in phone.ladder if isinstance(seen.message, Request) and not seen.sent]
        assert (bye.method, bye.via.transport) == ("BYE", transport.upper())
        await it.idle()


async def test_peers_are_told_the_advertised_address(autojump_clock: MockClock, tmp_path: Path) -> None:
    """The public address of a NAT in front of us: in Contact, Via and SDP, whatever we are bound to."""
    public = "203.0.113.9"
    config = attrs.evolve(
        config_for(tmp_path), server=ServerSettings(data_dir=tmp_path / "data", advertised_address=public)
    )
    async with world(tmp_path, config=config, addresses=(public,)) as it:
        it.web.on("/voice", twiml('<Say>Hello</Say><Pause length="2"/>'))
        call = await it.call()
        assert await call.answered()
        [answer] = [
            seen.message
            for seen in it.phone.ladder
            if isinstance(seen.message, Response) and seen.message.status == 200 and not seen.sent
        ]
        assert answer.contact is not None
        assert answer.contact.uri.host == public
        assert f"c=IN IP4 {public}".encode() in answer.body
        assert SERVER.encode() not in answer.body


async def test_a_server_bound_to_all_addresses_tells_the_one_that_was_called(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    config = config_for(tmp_path)
    sip = attrs.evolve(config.sip, udp=("0.0.0.0:5060",), tcp=("0.0.0.0:5060",))
    async with world(tmp_path, config=attrs.evolve(config, sip=sip)) as it:
        it.web.on("/voice", twiml("<Say>Hello</Say><Pause/>"))
        call = await it.call()
        assert await call.answered()
        await call.over()
        [answer] = [
            seen.message
            for seen in it.phone.ladder
            if isinstance(seen.message, Response) and (seen.message.status, seen.message.cseq.method) == (200, "INVITE")
        ]
        assert answer.contact is not None
        assert answer.contact.uri.host == SERVER
        assert f"c=IN IP4 {SERVER}".encode() in answer.body
        await it.idle()


async def test_a_phone_that_names_a_private_address_in_its_sdp_is_heard_and_hears(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Behind a NAT: media comes from where signalling comes from, not from where the offer says."""
    async with world(tmp_path, conditions=Conditions(delay_s=0.005)) as it:
        it.web.on("/voice", twiml('<Pause/><Gather numDigits="1" action="/key"/>'))
        it.web.on("/key", twiml("<Play>/melody.wav</Play><Pause/>"))
        it.web.on("/melody.wav", Answer(wav(MELODY), content_type="audio/wav"))
        call = await it.call(edit=lambda offer: offer.replace(b"c=IN IP4 10.0.0.2", b"c=IN IP4 192.168.1.23"))
        assert await call.answered()
        await it.verb("Gather")
        await call.press("4")
        await call.over()
        assert it.web.asked("/key")[0].params["Digits"] == "4"
        assert it.has_heard(call, MELODY)


async def test_a_call_to_a_host_of_another_spelling_reaches_the_same_domain(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml("<Reject/>"))
        for host in (HOST.upper(), "acme.sip.dublin.example.test"):
            call = await it.phone.call(f"sip:100@{host}", via=it.proxy)
            assert not await call.answered()
            assert call.status == 404
        assert len({asked.params["SipDomainSid"] for asked in it.web.asked("/voice")}) == 1
