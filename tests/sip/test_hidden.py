"""What a capture must not show, in every shape that a message can have it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.hidden import as_clear, hide

PROOF = "6629fae49393a05397450978507c4ef1"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"
DIGEST = f'Digest username="alice", realm="r", nonce="n,\\"1", uri="sip:a", response="{PROOF}", cnonce="c", qop=auth'


def request(*lines: str, body: str = "") -> bytes:
    head = "\r\n".join(["INVITE sip:a SIP/2.0", "Call-ID: 1", *lines, "Content-Length: 0", "", ""])
    return (head + body).encode()


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization", "PROXY-AUTHORIZATION", "authorization "])
def test_of_a_digest_only_the_proof_is_hidden(name: str) -> None:
    told = request(f"{name}: {DIGEST}")
    assert hide(told) == told.replace(PROOF.encode(), b"x" * len(PROOF))


@pytest.mark.parametrize(
    "value",
    [
        f"Digest response={PROOF},username=alice",
        f"digest RESPONSE = \t{PROOF}",
        f'Digest username="a", Response =\r\n "{PROOF}"',
        f'Digest\r\n\tusername="a",\r\n response="{PROOF}"',
        f'Digest response="{PROOF}',
        f'Digest username="\\\\", response="{PROOF}"',
        f'Digest response="1", response="{PROOF}"',
    ],
)
def test_a_proof_is_found_however_it_is_written(value: str) -> None:
    told = request(f"Authorization: {value}")
    assert PROOF.encode() not in hide(told)
    assert len(hide(told)) == len(told)


def test_the_proof_of_a_server_is_hidden_too() -> None:
    told = request(f'Authentication-Info: qop=auth, rspauth="{PROOF}", nc=00000001')
    assert hide(told) == told.replace(PROOF.encode(), b"x" * len(PROOF))


def test_other_schemes_are_hidden_but_for_their_name() -> None:
    told = request("Authorization: Basic YWxpY2U6c2VjcmV0", "Proxy-Authorization: Bearer a.b.c")
    assert b"Authorization: Basic xxxxxxxxxxxxxxxx\r\n" in hide(told)
    assert b"Proxy-Authorization: Bearer xxxxx\r\n" in hide(told)


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        (
            f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31",
            f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{'x' * 40}|2^31",
        ),
        (f"a=crypto:2 S INLINE:{KEY};inline:{KEY}|1:4", f"a=crypto:2 S INLINE:{'x' * 40};inline:{'x' * 40}|1:4"),
        ("k=base64:c2VjcmV0", "k=base64:xxxxxxxx"),
        ("k=clear:open sesame", "k=clear:xxxx xxxxxx"),
        ("k=prompt", "k=prompt"),
        ("a=key-mgmt:mikey AQAFgM0X", "a=key-mgmt:mikey xxxxxxxx"),
    ],
)
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_keys_of_media_are_hidden(line: str, hidden: str, end: str) -> None:
    body = f"v=0{end}m=audio 1 RTP/SAVP 0{end}%s{end}a=sendrecv{end}"
    assert hide(request(body=body % line)) == request(body=body % hidden)


def test_what_is_no_secret_stays_word_for_word() -> None:
    told = request(
        'WWW-Authenticate: Digest realm="r", nonce="n"',
        "Content-Disposition: inline",
        "X-Response: response=1",
        f"Subject: response={PROOF}",
        body="v=0\r\nk=prompt\r\na=rtpmap:0 PCMU/8000\r\n",
    )
    assert hide(told) == told


@given(st.binary(max_size=300))
def test_nothing_changes_its_length_nor_its_lines(data: bytes) -> None:
    told = b"Authorization: Digest " + data + b"\r\na=crypto:1 X inline:" + data
    hidden = hide(told)
    assert len(hidden) == len(told)
    assert re.findall(rb"[\r\n]", hidden) == re.findall(rb"[\r\n]", told)
    assert hide(hidden) == hidden


def test_encrypted_streams_are_shown_as_clear_in_as_many_octets() -> None:
    told = request(
        "Subject: m=audio 1 RTP/SAVP 0", body="v=0\r\nm=audio 4000 RTP/SAVP 0 101\r\na=crypto:1 X inline:y\r\n"
    )
    assert as_clear(told) == told.replace(b"4000 RTP/SAVP 0", b"04000 RTP/AVP 0")
    assert as_clear(request(body="m=audio 1 RTP/SAVPF 0\r\n")) == request(body="m=audio 1 RTP/SAVPF 0\r\n")
