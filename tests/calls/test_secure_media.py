"""Calls whose media is encrypted: who is let in, what is heard, and what later offers change."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallEnded, CallRefused, QualityMeasured
from offhook.media import sdp
from offhook.media.sdp import SessionDescription, Suite
from offhook.media.sdp.crypto import Crypto, parse_crypto
from offhook.media.sources import Clip
from offhook.sip.dialog.events import LegOfferAnswered, LegOfferRefused
from offhook.sip.message import Response
from offhook.testing.listen import match
from offhook.testing.network import Sent
from offhook.testing.phone import Phone, PhoneCall
from offhook.testing.speech import tone, wav
from offhook.testing.web import Answer, twiml

from .kit import HOST, RTP_FROM, SERVER, World
from .office import ALICES, BOB, BOB_HOST
from .safe import PROXY, SafeOffice, safe_office

SONG = tone(1500, 700)
PLAYS = "<Play>/song.wav</Play><Pause length='1'/>"
SECURE_BOB = f'<Dial action="/after"><Sip>{BOB};secure=true</Sip></Dial>'


def plays(it: World) -> None:
    """The application plays a song to whoever calls."""
    it.web.on("/voice", twiml(PLAYS))
    it.web.on("/song.wav", Answer(body=wav(SONG), content_type="audio/wav"))


def refusal_of(phone: Phone) -> Response:
    """The final answer that the phone got, but for the challenge."""
    [answer] = [
        seen.message
        for seen in phone.ladder
        if not seen.sent
        and isinstance(seen.message, Response)
        and seen.message.status >= 300
        and seen.message.status != 407
    ]
    return answer


def described(body: bytes) -> SessionDescription:
    return sdp.parse(body)


def lines_of(body: bytes) -> list[Crypto]:
    return [parse_crypto(value) for value in described(body).media[0].values("crypto")]


def answers_to(phone: Phone) -> list[bytes]:
    """Session descriptions that the phone has got in answers to INVITE, in order."""
    return [
        seen.message.body
        for seen in phone.ladder
        if not seen.sent
        and isinstance(seen.message, Response)
        and seen.message.cseq.method == "INVITE"
        and seen.message.status == 200
    ]


class Wire:
    """All RTP and RTCP datagrams on the network."""

    def __init__(self, it: World) -> None:
        self.sent: list[Sent] = []
        it.network.taps.append(self)

    def __call__(self, sent: Sent) -> None:
        if sent.target[1] >= RTP_FROM:
            self.sent.append(sent)

    def has(self, octets: bytes) -> bool:
        return any(octets in each.data for each in self.sent)


# --------------------------------------------------------------------------------------------- who is let in


async def test_a_secure_domain_answers_an_encrypted_call_over_tls(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with safe_office(tmp_path) as here:
        it, wire = here.it, Wire(here.it)
        plays(it)
        alice = await here.alice_calls()
        assert await alice.answered()
        await alice.over()
        assert it.has_heard(alice, SONG)
        [answer] = answers_to(it.phone)
        assert described(answer).media[0].profile == "RTP/SAVP"
        [line] = lines_of(answer)
        assert (line.tag, line.suite, line.lifetime) == (1, Suite.AES_80, None)
        assert wire.sent
        assert not wire.has(b"\xff" * 40)  # silence, which is in every clear packet before and after speech
        [ended] = await it.ends(1)
        assert ended.status == "completed"
        assert it.codes() == []
        await it.idle()


@pytest.mark.parametrize(
    ("secure", "alice_secure", "via", "phrase", "code"),
    [
        (True, True, f"sip:{SERVER}:5060", "Secure SIP transport required", 32209),
        (True, True, f"sip:{SERVER}:5060;transport=tcp", "Secure SIP transport required", 32209),
        (True, False, f"sip:{SERVER}:5060", "Secure SIP transport required", 32209),
        (True, False, PROXY, "Secure media required", 32208),
        (False, True, PROXY, "Secure media not accepted", 32207),
        (False, True, f"sip:{SERVER}:5060", "Secure media not accepted", 32207),
        (False, True, f"sip:{SERVER}:5060;transport=tcp", "Secure media not accepted", 32207),
    ],
)
async def test_what_is_not_as_secure_as_the_domain_is_refused(
    autojump_clock: MockClock, tmp_path: Path, secure: bool, alice_secure: bool, via: str, phrase: str, code: int
) -> None:
    async with safe_office(tmp_path, secure=secure, alice_secure=alice_secure, bob_secure=secure) as here:
        alice = await here.alice_calls(via=via)
        assert not await alice.answered()
        answer = refusal_of(here.it.phone)
        assert (answer.status, answer.reason) == (488, phrase)
        assert (answer.headers.get("X-Twilio-Error") or "").startswith(f"{code} ")
        refused = await here.it.event(CallRefused)
        assert (refused.status, refused.code) == (488, code)
        assert here.it.codes() == [code]
        assert here.it.web.asked("/voice") == []


@pytest.mark.parametrize("via", [PROXY, f"sip:{SERVER}:5060", f"sip:{SERVER}:5060;transport=tcp"])
async def test_a_domain_that_is_not_secure_takes_clear_media_over_any_transport(
    autojump_clock: MockClock, tmp_path: Path, via: str
) -> None:
    async with safe_office(tmp_path, secure=False, alice_secure=False, bob_secure=False) as here:
        it, wire = here.it, Wire(here.it)
        plays(it)
        alice = await here.alice_calls(via=via)
        assert await alice.answered()
        await alice.over()
        assert it.has_heard(alice, SONG)
        assert wire.has(b"\xff" * 160)
        assert it.codes() == []


Edit = Callable[[bytes], bytes]


def with_lines(*lines: str, profile: str = "RTP/SAVP") -> Edit:
    """The phone's offer with these lines in place of its own crypto line; `KEY` is its key."""

    def edit(offer: bytes) -> bytes:
        text = offer.decode()
        own = next(line for line in text.splitlines() if line.startswith("a=crypto:"))
        key = own.partition("inline:")[2]
        fresh = "\r\n".join(line.replace("KEY", key) for line in lines)
        return text.replace(own, fresh or "a=x").replace("RTP/SAVP", profile).encode()

    return edit


OTHER_KEY = "A" * 40


@pytest.mark.parametrize(
    "edit",
    [
        with_lines(),
        with_lines("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:4"),
        with_lines("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:32"),
        with_lines("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTP"),
        with_lines("a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:KEY"),
        with_lines("a=crypto:rubbish"),
        with_lines("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY", profile="RTP/SAVPF"),
        with_lines("a=fingerprint:sha-1 00:11", "a=setup:actpass", profile="UDP/TLS/RTP/SAVP"),
        with_lines("a=fingerprint:sha-1 00:11", "a=setup:actpass", profile="UDP/TLS/RTP/SAVPF"),
        with_lines("a=fingerprint:sha-1 00:11", "a=setup:actpass"),
    ],
)
async def test_an_offer_that_encrypts_by_other_means_is_refused(
    autojump_clock: MockClock, tmp_path: Path, edit: Edit
) -> None:
    async with safe_office(tmp_path) as here:
        alice = await here.alice_calls(edit=edit)
        assert not await alice.answered()
        answer = refusal_of(here.it.phone)
        assert answer.status == 488
        assert (answer.headers.get("Warning") or "").startswith("302 ")
        assert "inline" not in str(answer.headers)
        assert here.it.codes() == []


async def test_a_phone_that_would_make_its_keys_by_zrtp_is_refused(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with safe_office(tmp_path, secure=False, alice_secure=False, bob_secure=False) as here:
        alice = await here.alice_calls(
            edit=lambda offer: offer + b"a=zrtp-hash:1.10 fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c3\r\n"
        )
        assert not await alice.answered()
        assert refusal_of(here.it.phone).status == 488


async def test_an_invite_without_an_offer_gets_an_encrypted_one(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with safe_office(tmp_path) as here:
        it = here.it
        plays(it)
        alice = await here.alice_calls(offerless=True)
        assert await alice.answered()
        await alice.over()
        [offer] = answers_to(it.phone)
        assert [media.profile for media in described(offer).media] == ["RTP/SAVP"]
        [line] = lines_of(offer)
        assert (line.tag, line.suite) == (1, Suite.AES_80)
        assert it.has_heard(alice, SONG)


# ----------------------------------------------------------------------------------------------- what verbs do


async def test_digits_and_recordings_work_on_an_encrypted_call(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with safe_office(tmp_path) as here:
        it = here.it
        it.web.on("/voice", twiml('<Gather action="/keys"/>'))
        it.web.on(
            "/keys", twiml('<Record action="/after" maxLength="4" playBeep="false" timeout="0" trim="do-not-trim"/>')
        )
        it.web.on("/after", twiml("<Hangup/>"))
        alice = await here.alice_calls()
        assert await alice.answered()
        await alice.press("42#")
        [keys] = await it.web.wait_for(1, "/keys")
        assert keys.params["Digits"] == "42"
        await it.verb("Record")
        await alice.say(Clip(ALICES))
        [after] = await it.web.wait_for(1, "/after")
        assert int(after.params["RecordingDuration"]) == 4
        path = it.server.tree.services.recordings.find(after.params["RecordingSid"])
        assert path is not None
        assert match(path.read_bytes()[44:], ALICES) > 0.95
        await alice.over()


@pytest.mark.parametrize(
    ("secure", "noun"),
    [(True, f"{BOB};secure=true"), (True, f"sip:carol@{BOB_HOST};secure=true"), (False, f"{BOB};secure=true")],
)
async def test_a_dial_offers_encrypted_media_where_the_address_asks_for_it(
    autojump_clock: MockClock, tmp_path: Path, secure: bool, noun: str
) -> None:
    """Between two encrypted legs, and between a clear and an encrypted one."""
    async with safe_office(tmp_path, secure=secure, alice_secure=secure) as here:
        it = here.it
        it.web.on("/voice", twiml(f'<Dial action="/after"><Sip>{noun}</Sip></Dial>'))
        it.web.on("/after", twiml("<Hangup/>"))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        assert bob.invite is not None
        assert bob.invite.via.transport == "TLS"
        assert "secure" not in bob.invite.request_uri
        assert [media.profile for media in described(bob.invite.body).media] == ["RTP/SAVP"]
        [line] = lines_of(bob.invite.body)
        assert (line.tag, line.suite, line.lifetime) == (1, Suite.AES_80, None)
        assert await bob.pick_up()
        assert await alice.answered()
        await trio.sleep(1)
        assert await here.connected(alice, bob)
        await alice.press("5")
        await trio.sleep(1)
        assert [digit.digit for digit in bob.digits] == ["5"]
        await bob.hang_up()
        assert (await here.outcome())["DialCallStatus"] == "completed"
        await alice.over()
        assert it.codes() == []
        await it.idle()


async def test_an_encrypted_caller_and_a_clear_callee_hear_each_other(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with safe_office(tmp_path, bob_secure=False) as here:
        here.it.web.on("/voice", twiml(f'<Dial action="/after"><Sip>{BOB}</Sip></Dial>'))
        here.it.web.on("/after", twiml("<Hangup/>"))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        assert bob.invite is not None
        assert described(bob.invite.body).media[0].profile == "RTP/AVP"
        await bob.pick_up()
        assert await alice.answered()
        await trio.sleep(1)
        assert await here.connected(alice, bob)
        await alice.hang_up()
        await bob.over()


async def test_a_callee_that_refuses_to_encrypt_is_not_called_again_in_clear(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with safe_office(tmp_path, bob_secure=False) as here:
        here.it.web.on("/voice", twiml(SECURE_BOB))
        here.it.web.on("/after", twiml("<Hangup/>"))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        await bob.decline(488)
        outcome = await here.outcome()
        assert (outcome["DialCallStatus"], outcome["DialSipResponseCode"]) == ("failed", "488")
        await alice.over()
        invites = [seen for seen in here.bob.ladder if str(seen).startswith("<- INVITE")]
        assert len(invites) == 1


async def test_a_clear_answer_to_an_encrypted_offer_ends_that_leg(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with safe_office(tmp_path, bob_secure=False) as here:
        it, wire = here.it, Wire(here.it)
        it.web.on("/voice", twiml(SECURE_BOB))
        it.web.on("/after", twiml("<Hangup/>"))
        alice = await here.alice_calls()
        bob = await here.bob.called()
        assert bob.invite is not None
        clear = bob.invite.with_body(bob.invite.body.replace(b"RTP/SAVP", b"RTP/AVP"), "application/sdp")
        bob.invite = clear  # what a phone sees that overlooks the profile: it answers in clear
        await bob.pick_up()
        await bob.over()
        await alice.over()
        assert 32102 in it.codes()
        assert not [sent for sent in wire.sent if sent.target[0] == BOB_HOST and sent.source[0] == SERVER]


async def test_a_user_without_a_tls_binding_is_not_called_in_clear(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with safe_office(tmp_path, secure=False, alice_secure=False) as here:
        it = here.it
        it.web.on("/voice", twiml(f'<Dial action="/after"><Sip>sip:alice@{HOST};secure=true</Sip></Dial>'))
        it.web.on("/after", twiml("<Hangup/>"))
        line = await it.phone.register(HOST, password="Secret-Passw0rd", via=it.proxy)
        assert line.status == 200
        alice = await here.alice_calls()
        await alice.over()
        assert (await here.outcome())["DialCallStatus"] == "failed"
        assert it.codes() == [32209]


async def test_a_caller_whose_key_is_used_up_is_heard_no_more(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with safe_office(tmp_path) as here:
        it = here.it
        plays(it)
        it.web.on("/voice", twiml("<Play loop='0'>/song.wav</Play>"))
        alice = await here.alice_calls(edit=with_lines("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY|500"))
        assert await alice.answered()
        started = trio.current_time()
        await alice.over()
        assert trio.current_time() - started == pytest.approx(500 * 0.02 + 60, abs=1)
        assert it.codes() == [32014]
        await it.idle()
        [quality] = it.of(QualityMeasured)
        assert quality.packets_received == 500
        assert quality.packets_refused == pytest.approx(60 * 50, abs=20)


# ---------------------------------------------------------------------------------------------- later offers


async def bridged(here: SafeOffice) -> tuple[PhoneCall, PhoneCall]:
    here.it.web.on("/voice", twiml(SECURE_BOB))
    here.it.web.on("/after", twiml("<Hangup/>"))
    alice = await here.alice_calls()
    bob = await here.bob.called()
    await bob.pick_up()
    assert await alice.answered()
    await trio.sleep(1)
    return alice, bob


def refused_at(phone: Phone) -> list[int]:
    """Datagrams that the legs of a phone could not open."""
    return [0 if leg.session._srtp is None else leg.session._srtp.refused for leg in phone.plane._legs]


def directed(direction: bytes, offer: bytes) -> bytes:
    return offer.replace(b"a=sendrecv", direction)


@pytest.mark.parametrize("new_key", [False, True])
async def test_hold_and_resume_of_either_side_keep_an_encrypted_bridge(
    autojump_clock: MockClock, tmp_path: Path, new_key: bool
) -> None:
    async with safe_office(tmp_path) as here:
        alice, bob = await bridged(here)
        for holder, held in ((alice, bob), (bob, alice)):
            keys = []
            for direction in (b"a=sendonly", b"a=sendrecv"):
                fact = await holder.reoffer(partial(directed, direction), new_key=new_key)
                assert isinstance(fact, LegOfferAnswered)
                keys.append(lines_of(fact.body)[0].key)
                await trio.sleep(1)
                assert not held.is_over
            assert (len(set(keys)) == 2) is new_key
            assert await here.connected(alice, bob)
        # What is under way when keys change is lost, and no more than that: 5 ms are not even a packet.
        assert all(refused <= 2 for phone in (here.it.phone, here.bob) for refused in refused_at(phone))
        plane = here.it.server.tree.services.plane
        assert sum(leg.session._srtp.refused for leg in plane._legs) == 0  # type: ignore[attr-defined]
        await alice.hang_up()
        await bob.over()
        assert here.it.codes() == []
        await here.it.idle()


async def test_no_later_offer_makes_an_encrypted_call_clear(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with safe_office(tmp_path) as here:
        alice, bob = await bridged(here)
        for edit in (
            lambda offer: offer.replace(b"RTP/SAVP", b"RTP/AVP"),
            with_lines(profile="RTP/AVP"),
            with_lines(),
            with_lines(f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{OTHER_KEY}|1:4"),
        ):
            for holder in (alice, bob):
                fact = await holder.reoffer(edit)
                assert isinstance(fact, LegOfferRefused)
                assert fact.status == 488
        assert await here.connected(alice, bob)
        await bob.hang_up()
        await alice.over()
        assert [end.status for end in here.it.of(CallEnded)] == ["completed", "completed"]
