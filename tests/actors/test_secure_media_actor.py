"""Media actors of encrypted legs: keys are drawn, exchanged, kept and renewed."""

from __future__ import annotations

import random

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.mailbox import Reply
from offhook.actors.media import RandomMediaIds
from offhook.actors.messages.media import LocalDescription, MakeOffer
from offhook.media import rtp, sdp
from offhook.media.errors import BadAnswer, NoCommonCrypto, SecureMediaNotAccepted, SecureMediaRequired
from offhook.media.rtp import RtpPacket
from offhook.media.sdp import Crypto, Suite
from offhook.media.sdp.crypto import Keys, parse_crypto
from offhook.transport.network import UdpSocket

from .media_house import POLICY, House, Media, Phone, a_house, a_phone
from .plane_contract import in_order
from .sealed_socket import FarEnd

SECURE = attrs.evolve(POLICY, secure=True)
FIRST, SECOND = bytes(range(30)), bytes(range(100, 130))


@attrs.define(eq=False)
class SecurePhone:
    """A phone that encrypts: its key, and the far end's as it was told."""

    plain: Phone
    line: Crypto = attrs.field(factory=lambda: Crypto(1, Suite.AES_80, FIRST))
    far: FarEnd | None = None

    @property
    def socket(self) -> UdpSocket:
        return self.plain.socket

    def describe(self, *lines: str, crypto: Crypto | None = None) -> bytes:
        self.line = crypto or self.line
        return self.plain.describe(f"a=crypto:{self.line}", *lines, profile="RTP/SAVP")

    def told(self, description: sdp.SessionDescription) -> Crypto:
        """The crypto line of the other side; from now on it is used."""
        [value] = description.media[0].values("crypto")
        theirs = parse_crypto(value)
        keys = Keys(theirs.tag, theirs.suite, theirs.key, self.line.key)
        if self.far is None:
            self.far = FarEnd(keys)
        else:
            self.far.agree(keys)
        return theirs

    async def receive(self, count: int) -> list[RtpPacket]:
        """The next packets that can be opened; others fail the test."""
        assert self.far is not None
        fresh: list[RtpPacket] = []
        with trio.fail_after(60):
            while len(fresh) < count:
                datagram = self.socket.recv_nowait()
                if datagram is None:
                    await self.socket.readable()
                    continue
                opened = self.far.srtp.open(datagram.data, trio.current_time())
                assert opened is not None
                fresh.append(rtp.parse(opened))
        self.plain.heard += fresh
        return fresh


async def a_secure_phone(house: House) -> SecurePhone:
    return SecurePhone(await a_phone(house))


async def offer_of(media: Media, *, new_key: bool = False) -> sdp.SessionDescription:
    def question(reply: Reply[LocalDescription]) -> MakeOffer:
        return MakeOffer(reply, new_key)

    return sdp.parse((await media.mailbox.ref.ask(question, within=5)).sdp)


async def test_an_offer_under_a_key_is_answered_with_a_key_of_our_own(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_secure_phone(house)
        answer = await media.prepare(phone.describe(), SECURE)
        assert answer.media[0].profile == "RTP/SAVP"
        ours = phone.told(answer)
        assert (ours.tag, ours.suite, ours.lifetime) == (1, Suite.AES_80, None)
        assert ours.key != FIRST
        assert in_order(await phone.receive(10))


async def test_two_legs_never_have_the_same_key(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        phone = await a_secure_phone(house)
        keys = {phone.told(await house.start().prepare(phone.describe(), SECURE)).key for _ in range(10)}
        keys |= {phone.told(await house.start().prepare(None, SECURE)).key for _ in range(10)}
        assert len(keys) == 20


async def test_our_offer_is_one_line_and_flows_after_an_answer_under_a_key(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_secure_phone(house)
        offer = await media.prepare(None, SECURE)
        assert [media.profile for media in offer.media] == ["RTP/SAVP"]
        ours = phone.told(offer)
        assert (ours.tag, ours.suite, ours.lifetime) == (1, Suite.AES_80, None)
        await media.settle(phone.describe())
        assert in_order(await phone.receive(10))


async def test_a_clear_answer_to_an_encrypted_offer_is_refused(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_secure_phone(house)
        phone.told(await media.prepare(None, SECURE))
        for answer in (
            phone.plain.describe(),
            phone.plain.describe(profile="RTP/SAVP"),
            phone.describe(crypto=Crypto(2, Suite.AES_80, FIRST)),
            phone.describe(crypto=Crypto(1, Suite.AES_32, FIRST)),
        ):
            with pytest.raises(BadAnswer):
                await media.settle(answer)
        await trio.sleep(1)
        assert phone.plain.drain() == []
        await media.settle(phone.describe(crypto=Crypto(1, Suite.AES_80, FIRST)))
        await phone.receive(3)


async def test_clear_media_is_refused_where_it_must_be_encrypted_and_the_other_way_round(
    autojump_clock: MockClock,
) -> None:
    async with a_house("20000-20001") as house:
        media, phone = house.start(), await a_secure_phone(house)
        with pytest.raises(SecureMediaRequired):
            await media.prepare(phone.plain.describe(), SECURE)
        with pytest.raises(SecureMediaNotAccepted):
            await media.prepare(phone.describe())
        with pytest.raises(NoCommonCrypto):
            await media.prepare(phone.plain.describe(profile="RTP/SAVP"), SECURE)
        assert await media.prepare(phone.describe(), SECURE)  # and no port was lost


async def test_a_later_offer_cannot_make_an_encrypted_leg_clear(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_secure_phone(house)
        phone.told(await media.prepare(phone.describe(), SECURE))
        await phone.receive(3)
        with pytest.raises(SecureMediaRequired):
            await media.reoffer(phone.plain.describe())
        with pytest.raises(NoCommonCrypto):
            await media.reoffer(phone.plain.describe(profile="RTP/SAVP"))
        assert in_order(await phone.receive(20))


async def test_hold_and_resume_under_the_same_key_keep_ours(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_secure_phone(house)
        first = await media.prepare(phone.describe(), SECURE)
        ours = phone.told(first)
        await phone.receive(10)
        held = await media.reoffer(phone.describe("a=sendonly"))
        assert phone.told(held) == ours
        assert await media.reoffer(phone.describe("a=sendonly")) == held
        await trio.sleep(1)
        resumed = await media.reoffer(phone.describe(crypto=Crypto(7, Suite.AES_80, FIRST)))
        assert phone.told(resumed) == attrs.evolve(ours, tag=7)
        assert resumed.origin.version == first.origin.version + 2
        await phone.receive(10)
        assert in_order(phone.plain.heard)


@pytest.mark.parametrize("line", [Crypto(1, Suite.AES_80, SECOND), Crypto(1, Suite.AES_32, FIRST)])
async def test_a_later_offer_under_another_key_or_suite_is_answered_with_another_key(
    autojump_clock: MockClock, line: Crypto
) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_secure_phone(house)
        first = await media.prepare(phone.describe(), SECURE)
        ours = phone.told(first)
        await phone.receive(10)
        answer = await media.reoffer(phone.describe(crypto=line))
        renewed = phone.told(answer)
        assert renewed.key != ours.key
        assert renewed.suite is line.suite
        assert answer.origin.version == first.origin.version + 1
        await phone.receive(10)
        assert in_order(phone.plain.heard)
        assert phone.told(await media.reoffer(phone.describe())) == renewed


async def test_our_later_offer_repeats_our_key_unless_its_suite_is_another_or_a_new_one_is_wanted(
    autojump_clock: MockClock,
) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_secure_phone(house)
        ours = phone.told(await media.prepare(phone.describe(), SECURE))
        assert phone.told(await offer_of(media)) == ours
        await media.settle(phone.describe())
        await phone.receive(5)
        renewed = phone.told(await offer_of(media, new_key=True))
        assert renewed.key != ours.key
        phone.line = Crypto(1, Suite.AES_80, SECOND)
        await media.settle(phone.describe())
        await trio.sleep(0.02)
        await phone.receive(5)
    async with a_house() as house:
        media, phone = house.start(), await a_secure_phone(house)
        ours = phone.told(await media.prepare(phone.describe(crypto=Crypto(1, Suite.AES_32, FIRST)), SECURE))
        assert ours.suite is Suite.AES_32
        offered = phone.told(await offer_of(media))
        assert offered.suite is Suite.AES_80
        assert offered.key != ours.key


async def test_audio_that_is_switched_off_comes_back_under_the_same_key(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_secure_phone(house)
        ours = phone.told(await media.prepare(phone.describe(), SECURE))
        await phone.receive(10)
        port = phone.socket.local[1]
        off = await media.reoffer(phone.describe().replace(f"m=audio {port}".encode(), b"m=audio 0"))
        assert [stream.port for stream in off.media] == [0]
        await trio.sleep(1)
        assert phone.told(await media.reoffer(phone.describe())) == ours
        await phone.receive(10)
        assert in_order(phone.plain.heard)


async def test_a_refresh_that_offers_our_last_answer_again_goes_on_under_its_keys(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_secure_phone(house)
        answer = await media.prepare(phone.describe(crypto=Crypto(5, Suite.AES_32, FIRST)), SECURE)
        phone.told(answer)
        await phone.receive(10)
        refresh = sdp.render(answer)
        await media.settle(phone.describe(), offer=refresh)
        await phone.receive(10)
        assert in_order(phone.plain.heard)
        with pytest.raises(BadAnswer):
            await media.settle(phone.plain.describe(), offer=refresh)
        with pytest.raises(BadAnswer):
            await media.settle(phone.describe(crypto=Crypto(1, Suite.AES_80, FIRST)), offer=refresh)
        await phone.receive(10)
        assert in_order(phone.plain.heard)


async def test_a_clear_leg_has_no_key_to_renew(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        first = await media.prepare(phone.describe())
        again = await offer_of(media, new_key=True)
        assert [each.profile for each in (*first.media, *again.media)] == ["RTP/AVP", "RTP/AVP"]


def test_keys_are_drawn_from_the_system_and_repeat_with_a_seed_only() -> None:
    ids = RandomMediaIds()
    assert isinstance(ids.generator, random.SystemRandom)
    drawn = {ids.master_key() for _ in range(100)}
    assert len(drawn) == 100
    assert {len(key) for key in drawn} == {30}
    assert RandomMediaIds(random.Random(3)).master_key() == RandomMediaIds(random.Random(3)).master_key()
