"""SRTP of one leg: what is sealed, what is opened, and what is dropped."""

from __future__ import annotations

import random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.media import rtcp, rtp
from offhook.media.errors import SrtpError
from offhook.media.events import KeyExhausted, MediaEvent
from offhook.media.rtcp import ReceiverReport, SdesChunk, SourceDescription
from offhook.media.sdp.crypto import Keys, Suite
from offhook.media.srtp import LINGER_S, MOST_SOURCES, OVERLAP_S, Srtp

from .srtp_reference import Reference, derive, keystream

FIRST, SECOND, THIRD = bytes(range(30)), bytes(range(100, 130)), bytes(range(200, 230))
"""The first two are the keys of the example exchange that our documents give."""
KEYS = Keys(1, Suite.AES_80, SECOND, FIRST)
SSRC = 0x0BAD_CAFE


def packet(sequence: int, payload: bytes = b"\xff" * 160, ssrc: int = SSRC) -> bytes:
    return rtp.build_plain(0, sequence & 0xFFFF, sequence * 160 & 0xFFFF_FFFF, ssrc, payload)


def report(ssrc: int = SSRC) -> bytes:
    return rtcp.build(ReceiverReport(ssrc), SourceDescription((SdesChunk(ssrc, ((1, b"far@end"),)),)))


def leg(keys: Keys = KEYS) -> tuple[Srtp, list[MediaEvent]]:
    events: list[MediaEvent] = []
    srtp = Srtp(events)
    assert srtp.agree(keys, 0.0)
    return srtp, events


def other_end(keys: Keys = KEYS) -> Srtp:
    """The peer of `leg`."""
    return leg(attrs.evolve(keys, ours=keys.theirs, theirs=keys.ours))[0]


# ------------------------------------------------------------------------------------- the vectors of RFC 3711


def test_the_reference_makes_the_keystream_of_appendix_b_2() -> None:
    key = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
    salt = bytes.fromhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD")
    stream = keystream(key, salt, 0, 16 * 0xFF02)
    blocks = {at: stream[16 * at : 16 * at + 16].hex().upper() for at in (0, 1, 2, 0xFEFF, 0xFF00, 0xFF01)}
    assert blocks == {
        0: "E03EAD0935C95E80E166B16DD92B4EB4",
        1: "D23513162B02D0F72A43A2FE4A5F97AB",
        2: "41E95B3BB0A2E8DD477901E4FCA894C0",
        0xFEFF: "EC8CDF7398607CB0F2D21675EA9EA1E4",
        0xFF00: "362B7C3C6773516318A077D7FC5073AE",
        0xFF01: "6A2CC3787889374FBEB4C81B17BA6C44",
    }


def test_the_reference_derives_the_keys_of_appendix_b_3() -> None:
    master = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6")
    assert derive(master, 0, 16).hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert derive(master, 2, 14).hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"
    assert derive(master, 1, 20).hex().upper() == "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"


def test_a_packet_that_libsrtp_publishes_is_made_and_opened() -> None:
    master = bytes.fromhex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6")
    plain = bytes.fromhex("800f1234decafbadcafebabe" + "ab" * 16)
    sealed = bytes.fromhex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb")
    srtp, _ = leg(Keys(1, Suite.AES_80, master, master))
    assert srtp.seal(plain) == sealed == Reference(master).rtp(plain)
    assert srtp.open(sealed, 0.0) == plain


@pytest.mark.parametrize(("suite", "tag_octets"), [(Suite.AES_80, 10), (Suite.AES_32, 4)])
@pytest.mark.parametrize("key", [FIRST, SECOND])
def test_both_suites_do_what_the_rfc_says_with_the_keys_of_the_example(
    suite: Suite, tag_octets: int, key: bytes
) -> None:
    srtp, _ = leg(Keys(1, suite, key, key))
    reference = Reference(key, tag_octets)
    for sequence in range(3):
        plain = packet(sequence)
        assert srtp.seal(plain) == reference.rtp(plain)
        assert srtp.open(reference.rtp(plain), 0.0) == plain
    for index in range(1, 4):  # libsrtp counts reports from one
        assert srtp.seal_report(report()) == reference.rtcp(report(), index)
        assert srtp.open_report(reference.rtcp(report(), index), 0.0) == report()
    assert srtp.refused == 0


# ------------------------------------------------------------------------------------------------ round trips


@settings(max_examples=50)
@given(
    st.sampled_from(Suite),
    st.binary(min_size=30, max_size=30),
    st.binary(min_size=30, max_size=30),
    st.lists(st.binary(max_size=640), max_size=20),
    st.integers(0, 2**15),
)
def test_what_one_end_seals_the_other_opens(
    suite: Suite, ours: bytes, theirs: bytes, payloads: list[bytes], start: int
) -> None:
    keys = Keys(1, suite, ours, theirs)
    srtp, peer = leg(keys)[0], other_end(keys)
    for at, payload in enumerate(payloads):
        plain = packet(start + at, payload)
        sealed = srtp.seal(plain)
        assert sealed[:12] == plain[:12]
        assert peer.open(sealed, 0.0) == plain
        assert peer.open_report(srtp.seal_report(report()), 0.0) == report()
        assert peer.open(sealed, 0.0) is None
    assert (srtp.refused, peer.refused) == (0, len(payloads))


@settings(max_examples=50)
@given(st.data(), st.integers(0, 1000))
def test_packets_that_overtake_each_other_are_opened_once(data: st.DataObject, start: int) -> None:
    srtp, peer = leg()[0], other_end()
    sealed = [srtp.seal(packet(start + at)) for at in range(60)]
    assert peer.open(sealed[0], 0.0) is not None
    for one in data.draw(st.permutations(sealed[1:])):
        assert peer.open(one, 0.0) is not None
        assert peer.open(one, 0.0) is None


def test_a_stream_goes_on_over_two_wraps_of_its_numbers() -> None:
    srtp, peer, reference = leg()[0], other_end(), Reference(SECOND)
    start = 2**15 - 1
    for sequence in range(start, start + 2**17):
        plain = packet(sequence, b"\x55" * 4)
        sealed = srtp.seal(plain)
        if sequence % 1000 == 0 or sequence & 0xFFFF in (0, 0xFFFF):
            assert sealed == reference.rtp(plain, roc=sequence >> 16)
        if sequence % 7:  # every seventh is lost
            assert peer.open(sealed, 0.0) == plain
    assert peer.refused == 0


def test_packets_that_overtake_each_other_at_a_wrap_are_opened() -> None:
    srtp, peer = leg()[0], other_end()
    for sequence in range(2**15, 2**16 - 20):
        peer.open(srtp.seal(packet(sequence, b"")), 0.0)
    around = {sequence: srtp.seal(packet(sequence)) for sequence in range(2**16 - 20, 2**16 + 20)}
    order = list(around)
    random.Random(5).shuffle(order)
    assert [peer.open(around[sequence], 0.0) for sequence in order] == [packet(sequence) for sequence in order]


def test_each_source_counts_for_itself() -> None:
    srtp, peer = leg()[0], other_end()
    for ssrc in (1, 2, 3):
        for sequence in (100, 101):
            assert peer.open(srtp.seal(packet(sequence, ssrc=ssrc)), 0.0) == packet(sequence, ssrc=ssrc)
    assert peer.open(srtp.seal(packet(102, ssrc=1)), 0.0) == packet(102, ssrc=1)
    assert peer.refused == 0


def test_a_key_brings_so_many_sources_and_no_more() -> None:
    reference, (srtp, _) = Reference(FIRST), leg()
    for ssrc in range(MOST_SOURCES):
        assert srtp.open(reference.rtp(packet(1, ssrc=ssrc)), 0.0) is not None
    assert srtp.open(reference.rtp(packet(1, ssrc=MOST_SOURCES)), 0.0) is None
    assert srtp.open_report(reference.rtcp(report(MOST_SOURCES), 1), 0.0) is None
    assert srtp.open(reference.rtp(packet(2, ssrc=0)), 0.0) is not None
    assert srtp.refused == 2


def test_forgeries_take_no_place_among_the_sources() -> None:
    reference, (srtp, _) = Reference(FIRST), leg()
    for ssrc in range(2 * MOST_SOURCES):
        assert srtp.open(Reference(THIRD).rtp(packet(1, ssrc=ssrc)), 0.0) is None
        assert srtp.open_report(Reference(THIRD).rtcp(report(ssrc), 1), 0.0) is None
    assert srtp.open(reference.rtp(packet(1)), 0.0) is not None


# ---------------------------------------------------------------------------------------------- what is dropped


def test_clear_packets_and_those_of_the_other_direction_are_dropped() -> None:
    srtp, _ = leg()
    assert srtp.open(packet(1), 0.0) is None
    assert srtp.open(srtp.seal(packet(2)), 0.0) is None
    assert srtp.open_report(report(), 0.0) is None
    assert srtp.open_report(srtp.seal_report(report()), 0.0) is None
    assert srtp.refused == 4


@settings(max_examples=200)
@given(st.data())
def test_no_bit_of_a_packet_may_change_and_none_may_miss(data: st.DataObject) -> None:
    srtp, _ = leg()
    control = data.draw(st.booleans())
    sealed = Reference(FIRST).rtcp(report(), 1) if control else Reference(FIRST).rtp(packet(7))
    broken = bytearray(sealed)
    if data.draw(st.booleans()):
        broken[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del broken[data.draw(st.integers(0, len(sealed) - 1)) :]
    take = srtp.open_report if control else srtp.open
    assert take(bytes(broken), 0.0) is None
    assert take(sealed, 0.0) is not None


@given(st.binary(max_size=2000))
def test_no_rubbish_is_opened(data: bytes) -> None:
    srtp, _ = leg()
    assert srtp.open(data, 0.0) is None
    assert srtp.open_report(data, 0.0) is None
    assert srtp.refused == (2 if data and 0x80 <= data[0] <= 0xBF else 0)


def test_what_is_no_rtp_at_all_counts_as_no_attack() -> None:
    srtp, _ = leg()
    for data in (b"", b"\0", bytes.fromhex("000100002112a4422a930c28ed1fd4c1"), b"\x17\xfe\xfd" + bytes(40)):
        assert srtp.open(data, 0.0) is None
        assert srtp.open_report(data, 0.0) is None
    assert srtp.refused == 0


def test_what_is_too_long_to_be_protected_is_our_fault() -> None:
    srtp, _ = leg()
    with pytest.raises(SrtpError):
        srtp.seal(packet(1, bytes(1400)))
    with pytest.raises(SrtpError):
        srtp.seal_report(bytes(1400))
    assert len(srtp.seal(packet(1, bytes(1280)))) == 12 + 1280 + 10


# -------------------------------------------------------------------------------------------------- life of keys


def test_a_key_that_has_protected_what_it_may_is_taken_no_more() -> None:
    srtp, events = leg(attrs.evolve(KEYS, lifetime=4))
    reference = Reference(FIRST)
    opened = [srtp.open(reference.rtp(packet(sequence)), 0.0) is not None for sequence in range(6)]
    reports = [srtp.open_report(reference.rtcp(report(), index), 0.0) is not None for index in range(1, 7)]
    assert opened == reports == [True] * 4 + [False] * 2
    assert events == [KeyExhausted()]
    assert srtp.refused == 4
    assert not srtp.agree(attrs.evolve(KEYS, lifetime=5), 1.0)
    assert srtp.open(reference.rtp(packet(6)), 1.0) is not None
    assert srtp.open(reference.rtp(packet(7)), 1.0) is None
    assert srtp.agree(Keys(1, Suite.AES_80, THIRD, SECOND), 2.0)
    assert srtp.open(Reference(SECOND).rtp(packet(8)), 2.0) is not None


def test_the_same_keys_again_change_nothing() -> None:
    srtp, peer = leg()[0], other_end()
    for sequence in range(2**16 - 200, 2**16 + 200):
        if sequence == 2**16 + 100:
            assert not srtp.agree(KEYS, 1.0)
            assert not srtp.agree(attrs.evolve(KEYS, tag=3), 1.0)
        assert peer.open(srtp.seal(packet(sequence)), 0.0) == packet(sequence)
        assert srtp.open(peer.seal(packet(sequence)), 0.0) == packet(sequence)
    replayed = peer.seal(packet(2**16 + 200))
    assert srtp.open(replayed, 2.0) is not None
    assert not srtp.agree(KEYS, 3.0)
    assert srtp.open(replayed, 3.0) is None


def test_a_new_key_begins_anew_and_the_old_one_goes_on_for_a_moment() -> None:
    srtp, _ = leg()
    old, new = Reference(FIRST), Reference(THIRD)
    assert srtp.open(old.rtp(packet(1)), 0.0) is not None
    assert not srtp.agree(attrs.evolve(KEYS, theirs=THIRD), 10.0)
    assert srtp.open(old.rtp(packet(2)), 10.0 + OVERLAP_S / 2) is not None
    assert srtp.open_report(old.rtcp(report(), 1), 10.0 + OVERLAP_S / 2) is not None
    assert srtp.open(old.rtp(packet(1)), 10.0 + OVERLAP_S / 2) is None
    at = 10.0 + OVERLAP_S - LINGER_S / 2
    assert srtp.open(new.rtp(packet(4)), at) is not None
    assert srtp.open(old.rtp(packet(3)), at + LINGER_S / 4) is not None
    assert srtp.open(old.rtp(packet(5)), at + LINGER_S / 2) is None
    assert srtp.open_report(old.rtcp(report(), 2), at + LINGER_S / 2) is None
    assert srtp.refused == 3


def test_the_old_key_is_silent_soon_after_the_new_one_speaks() -> None:
    srtp, _ = leg()
    old, new = Reference(FIRST), Reference(THIRD)
    srtp.agree(attrs.evolve(KEYS, theirs=THIRD), 0.0)
    assert srtp.open(new.rtp(packet(1)), 1.0) is not None
    assert srtp.open(new.rtp(packet(2)), 1.9) is not None
    assert srtp.open(old.rtp(packet(3)), 1.0 + LINGER_S) is None


def test_a_key_that_was_in_force_a_moment_ago_goes_on_where_it_was() -> None:
    srtp, _ = leg()
    first = Reference(FIRST).rtp(packet(1))
    assert srtp.open(first, 0.0) is not None
    srtp.agree(attrs.evolve(KEYS, theirs=THIRD), 1.0)
    srtp.agree(KEYS, 100.0)
    assert srtp.open(first, 100.0) is None
    assert srtp.open(Reference(FIRST).rtp(packet(2)), 100.0) is not None


def test_another_suite_is_another_context() -> None:
    srtp, _ = leg()
    assert srtp.agree(attrs.evolve(KEYS, suite=Suite.AES_32), 0.0)
    assert srtp.seal(packet(1)) == Reference(SECOND, 4).rtp(packet(1))
    assert srtp.open(Reference(FIRST, 4).rtp(packet(1)), 0.0) == packet(1)
