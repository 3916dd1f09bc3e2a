"""The a=crypto line: what is read, what is rendered, and which lines are passed over."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from offhook.media.errors import BadCrypto
from offhook.media.sdp.crypto import KEY_OCTETS, LONGEST, MOST, RTP_MAX, Crypto, Suite, parse_crypto, usable

FIRST = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"
SECOND = "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CB"
LINE = f"1 AES_CM_128_HMAC_SHA1_80 inline:{FIRST}"


@pytest.mark.parametrize(
    ("line", "crypto"),
    [
        (LINE, Crypto(1, Suite.AES_80, bytes(range(30)))),
        (
            f"2 AES_CM_128_HMAC_SHA1_32 inline:{SECOND}",
            Crypto(2, Suite.AES_32, bytes(range(100, 130))),
        ),
        (f"{LINE}|2^20", Crypto(1, Suite.AES_80, bytes(range(30)), 2**20)),
        (f"{LINE}|2^48", Crypto(1, Suite.AES_80, bytes(range(30)), 2**48)),
        (f"{LINE}|1000", Crypto(1, Suite.AES_80, bytes(range(30)), 1000)),
        (f"999999999\tAES_CM_128_HMAC_SHA1_80  INLINE:{FIRST} ", Crypto(999_999_999, Suite.AES_80, bytes(range(30)))),
        (f"007 aes_cm_128_hmac_sha1_32 inline:{FIRST}", Crypto(7, Suite.AES_32, bytes(range(30)))),
        (f"{LINE} WSH=64", Crypto(1, Suite.AES_80, bytes(range(30)))),
        (f"{LINE}|2^31 -X-CALM=yes WSH=1024 -KEEP", Crypto(1, Suite.AES_80, bytes(range(30)), 2**31)),
    ],
)
def test_a_line_is_read(line: str, crypto: Crypto) -> None:
    assert parse_crypto(line) == crypto


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "wants a tag"),
        ("AES_CM_128_HMAC_SHA1_80", "wants a tag"),
        (f"x AES_CM_128_HMAC_SHA1_80 inline:{FIRST}", "wants a tag"),
        (f"1000000000 AES_CM_128_HMAC_SHA1_80 inline:{FIRST}", "wants a tag"),
        (f"-1 AES_CM_128_HMAC_SHA1_80 inline:{FIRST}", "wants a tag"),
        (f"1 F8_128_HMAC_SHA1_80 inline:{FIRST}", "suite F8_128_HMAC_SHA1_80"),
        (f"1 AES_256_CM_HMAC_SHA1_80 inline:{FIRST}", "suite AES_256"),
        (f"1 AEAD_AES_128_GCM inline:{FIRST}", "suite AEAD"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:", "inline key"),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{FIRST[:-4]}", "inline key"),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{FIRST}AAAA", "inline key"),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{FIRST[:-1]}=", "inline key"),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{FIRST[:-1]}-", "inline key"),
        (f"1 AES_CM_128_HMAC_SHA1_80 uri:{FIRST}", "inline key"),
        (f"1 AES_CM_128_HMAC_SHA1_80 {FIRST}", "inline key"),
        (f"{LINE}|1:4", "MKI"),
        (f"{LINE}|2^20|1:32", "MKI"),
        (f"{LINE}|1:4;inline:{SECOND}|2:4", "several keys"),
        (f"{LINE};inline:{SECOND}", "several keys"),
        (f"{LINE}|", "lifetime"),
        (f"{LINE}|0", "lifetime"),
        (f"{LINE}|020", "lifetime"),
        (f"{LINE}|-5", "lifetime"),
        (f"{LINE}|2^0", "lifetime"),
        (f"{LINE}|2^49", "beyond"),
        (f"{LINE}|2^999", "lifetime"),
        (f"{LINE}|281474976710657", "beyond"),
        (f"{LINE}|99999999999999999999", "lifetime"),
        (f"{LINE}|2^20|2^20", "more than a lifetime"),
        (f"{LINE} KDR=1", "KDR"),
        (f"{LINE} UNENCRYPTED_SRTP", "UNENCRYPTED_SRTP"),
        (f"{LINE} UNENCRYPTED_SRTCP", "UNENCRYPTED_SRTCP"),
        (f"{LINE} UNAUTHENTICATED_SRTP", "UNAUTHENTICATED_SRTP"),
        (f"{LINE} FEC_ORDER=FEC_SRTP", "FEC_ORDER"),
        (f"{LINE} WSH=63", "WSH"),
        (f"{LINE} WSH=999999", "WSH"),
        (f"{LINE} WSH", "WSH"),
        (f"{LINE} X-NEW=1", "X-NEW"),
        (f"{LINE} \x7f", "wants a tag"),
        (f"{LINE} {'-x ' * LONGEST}", "longer than"),
        (f"١ AES_CM_128_HMAC_SHA1_80 inline:{FIRST}", "wants a tag"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_why_and_never_with_its_key(line: str, why: str) -> None:
    with pytest.raises(BadCrypto, match=why) as caught:
        parse_crypto(line)
    assert FIRST[:10] not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:32",
        "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32",
        "2 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4;"
        "inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4 FEC_ORDER=FEC_SRTP",
        "1 AES_CM_128_HMAC_SHA1_80 inline:YUJDZGVmZ2hpSktMbW9QUXJzVHVWd3l6MTIzNDU2|1066:4",
    ],
)
def test_the_examples_of_rfc_4568_have_an_mki_and_cannot_be_used(line: str) -> None:
    with pytest.raises(BadCrypto):
        parse_crypto(line)


def test_an_example_of_rfc_4568_without_its_mki_can() -> None:
    line = parse_crypto("1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20")
    assert (line.key, line.lifetime) == (b"=-n@%^x!Bjufr9)?,#5h\\`=&]{qiPQ", 2**20)
    assert str(line) == "1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20"


CRYPTOS = st.builds(
    Crypto,
    st.integers(0, 999_999_999),
    st.sampled_from(Suite),
    st.binary(min_size=KEY_OCTETS, max_size=KEY_OCTETS),
    st.none() | st.integers(1, RTP_MAX) | st.integers(1, 48).map(lambda power: 2**power),
)


@given(CRYPTOS)
@example(Crypto(0, Suite.AES_80, bytes(30), 1))  # 2^0 is no lifetime
def test_what_is_rendered_is_read_again(crypto: Crypto) -> None:
    assert parse_crypto(str(crypto)) == crypto


@given(CRYPTOS)
def test_a_key_is_in_no_representation(crypto: Crypto) -> None:
    assert repr(crypto.key) not in repr(crypto)
    assert base64.b64encode(crypto.key).decode() not in repr(crypto)


@given(st.text() | st.from_regex(r"[0-9]{1,3} AES_CM_128_HMAC_SHA1_(80|32) inline:[A-Za-z0-9+/]{38,42}[|0-9^: -]*"))
def test_any_text_is_a_line_or_a_bad_one(value: str) -> None:
    with contextlib.suppress(BadCrypto):
        assert len(parse_crypto(value).key) == KEY_OCTETS


def test_unusable_lines_are_passed_over_and_the_order_stays() -> None:
    lines = usable([f"{LINE}|1:4", f"2 AES_CM_128_HMAC_SHA1_32 inline:{SECOND}", f"3 X inline:{FIRST}", f"4{LINE[1:]}"])
    assert not isinstance(lines, BadCrypto)
    assert [line.tag for line in lines] == [2, 4]


def test_of_two_lines_with_one_tag_only_the_first_counts() -> None:
    lines = usable([LINE, f"1 AES_CM_128_HMAC_SHA1_32 inline:{SECOND}"])
    assert lines == (parse_crypto(LINE),)


def test_a_line_with_our_own_key_is_passed_over() -> None:
    lines = usable([LINE, f"2 AES_CM_128_HMAC_SHA1_80 inline:{SECOND}"], not_key=bytes(range(30)))
    assert not isinstance(lines, BadCrypto)
    assert [line.tag for line in lines] == [2]


def test_without_a_usable_line_the_fault_of_the_first_is_told() -> None:
    assert "MKI" in str(usable([f"{LINE}|1:4", "rubbish"]))
    assert "no a=crypto line" in str(usable([]))


def test_only_so_many_lines_are_looked_at() -> None:
    assert isinstance(usable(["rubbish"] * MOST + [LINE]), BadCrypto)
    assert not isinstance(usable(["rubbish"] * (MOST - 1) + [LINE]), BadCrypto)
