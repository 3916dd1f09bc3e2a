"""Encrypted streams in offers and answers: who chooses, what is checked, and when a key is another."""

from __future__ import annotations

import attrs
import pytest

from offhook.media import errors, sdp
from offhook.media.sdp import Agreed, Crypto, Keys, LocalMedia, SessionDescription, Suite
from offhook.media.sdp.securing import need_new_key

OURS = bytes(range(200, 230))
US = LocalMedia("203.0.113.9", 12692, key=OURS)
FIRST, SECOND = bytes(range(30)), bytes(range(100, 130))
LINE_80 = "1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"
LINE_32 = "2 AES_CM_128_HMAC_SHA1_32 inline:ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CB"
OUR_LINE = "AES_CM_128_HMAC_SHA1_80 inline:yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl"


def described(*crypto: str, profile: str = "RTP/SAVP", more: str = "") -> SessionDescription:
    head = "v=0\no=phone 7 7 IN IP4 198.51.100.1\ns=-\nc=IN IP4 198.51.100.1\nt=0 0\n"
    lines = "".join(f"a=crypto:{line}\n" for line in crypto)
    return sdp.parse(f"{head}m=audio 40000 {profile} 0 101\na=rtpmap:101 telephone-event/8000\n{lines}{more}")


def answer(offered: SessionDescription, local: LocalMedia = US) -> tuple[list[str], Agreed]:
    description, agreed = sdp.answer(offered, local)
    return sdp.render(description).decode().splitlines(), agreed


def test_the_answer_to_two_suites_takes_the_first_with_a_key_of_its_own() -> None:
    lines, agreed = answer(described(LINE_80, LINE_32))
    assert "m=audio 12692 RTP/SAVP 0 101" in lines
    assert [line for line in lines if line.startswith("a=crypto")] == [f"a=crypto:1 {OUR_LINE}"]
    assert agreed.keys == Keys(1, Suite.AES_80, OURS, FIRST)


def test_the_shorter_tag_is_taken_when_it_is_offered_first() -> None:
    lines, agreed = answer(described(LINE_32, LINE_80))
    assert f"a=crypto:2 {OUR_LINE.replace('_80', '_32')}" in lines
    assert agreed.keys == Keys(2, Suite.AES_32, OURS, SECOND)


def test_a_line_that_cannot_be_used_is_passed_over() -> None:
    lines, agreed = answer(described(f"{LINE_80}|1:4", LINE_32))
    assert f"a=crypto:2 {OUR_LINE.replace('_80', '_32')}" in lines
    assert agreed.keys == Keys(2, Suite.AES_32, OURS, SECOND)


def test_the_lifetime_of_their_key_is_kept_and_not_repeated() -> None:
    lines, agreed = answer(described(f"{LINE_80}|2^20"))
    assert f"a=crypto:1 {OUR_LINE}" in lines
    assert agreed.keys == Keys(1, Suite.AES_80, OURS, FIRST, 2**20)


def test_an_offer_without_a_usable_line_is_refused_without_telling_the_key() -> None:
    with pytest.raises(errors.NoCommonCrypto, match="MKI") as caught:
        answer(described(f"{LINE_80}|1:4"))
    assert "AAECAw" not in str(caught.value)
    assert (caught.value.status, caught.value.alert) == (488, None)


def test_crypto_lines_of_a_clear_stream_mean_nothing() -> None:
    lines, agreed = answer(described(LINE_80, profile="RTP/AVP"), attrs.evolve(US, key=None))
    assert not [line for line in lines if "crypto" in line]
    assert agreed.keys is None
    with pytest.raises(errors.SecureMediaRequired):
        answer(described(LINE_80, profile="RTP/AVP"))


def test_of_a_clear_and_an_encrypted_stream_the_one_that_must_be_is_taken() -> None:
    offered = described(LINE_80, more="m=audio 40002 RTP/AVP 0\n")
    assert answer(offered)[1].media_index == 0
    assert answer(offered, attrs.evolve(US, key=None))[1].media_index == 1


def test_our_offer_has_one_line_with_one_suite() -> None:
    lines = sdp.render(sdp.offer(US)).decode().splitlines()
    assert "m=audio 12692 RTP/SAVP 0 8 101" in lines
    assert [line for line in lines if line.startswith("a=crypto")] == [f"a=crypto:1 {OUR_LINE}"]


def test_an_answer_to_our_offer_settles_the_keys() -> None:
    agreed = sdp.accept(sdp.offer(US), described(f"{LINE_80}|2^31"), US)
    assert agreed.keys == Keys(1, Suite.AES_80, OURS, FIRST, 2**31)


@pytest.mark.parametrize(
    ("answered", "why"),
    [
        (described(), "0 a=crypto lines"),
        (described(LINE_80, LINE_32), "2 a=crypto lines"),
        (described(f"2{LINE_80[1:]}"), "none of the lines"),
        (described(f"1{LINE_32[1:]}"), "none of the lines"),
        (described(f"{LINE_80}|1:4"), "MKI"),
        (described("rubbish"), "wants a tag"),
        (described(f"1 {OUR_LINE}"), "our own key"),
        (described(LINE_80, profile="RTP/AVP"), "RTP/AVP answers RTP/SAVP"),
        (described(profile="RTP/AVP"), "RTP/AVP answers RTP/SAVP"),
        (described(LINE_80, profile="RTP/SAVPF"), "RTP/SAVPF answers"),
    ],
)
def test_an_answer_that_would_not_encrypt_as_we_offered_is_refused(answered: SessionDescription, why: str) -> None:
    with pytest.raises(errors.BadAnswer, match=why):
        sdp.accept(sdp.offer(US), answered, US)


def test_an_encrypted_answer_to_a_clear_offer_is_refused() -> None:
    plain = attrs.evolve(US, key=None)
    with pytest.raises(errors.BadAnswer):
        sdp.accept(sdp.offer(plain), described(LINE_80), plain)


def test_a_later_offer_that_repeats_our_key_is_refused() -> None:
    with pytest.raises(errors.NoCommonCrypto, match="our own"):
        answer(described(f"1 {OUR_LINE}"))


@pytest.mark.parametrize(
    ("change", "needed"),
    [
        ({}, False),
        ({"tag": 5}, False),
        ({"lifetime": 2**20}, False),
        ({"theirs": SECOND}, True),
        ({"suite": Suite.AES_32}, True),
    ],
)
def test_another_key_or_suite_of_theirs_needs_another_of_ours(change: dict[str, object], needed: bool) -> None:
    before = Keys(1, Suite.AES_80, OURS, FIRST)
    assert need_new_key(before, attrs.evolve(before, **change)) is needed  # type: ignore[arg-type]  # names are real
    assert not need_new_key(None, before)
    assert not need_new_key(before, None)


def test_both_ends_of_an_exchange_agree_on_the_same_keys() -> None:
    them = attrs.evolve(US, key=SECOND, address="198.51.100.1")
    offered = sdp.offer(US)
    answered, theirs = sdp.answer(sdp.parse(sdp.render(offered)), them)
    ours = sdp.accept(offered, sdp.parse(sdp.render(answered)), US)
    assert theirs.keys == Keys(1, Suite.AES_80, SECOND, OURS)
    assert ours.keys == Keys(1, Suite.AES_80, OURS, SECOND)
    assert str(Crypto(1, Suite.AES_80, SECOND)) in sdp.render(answered).decode()
