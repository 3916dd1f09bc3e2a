"""RTP packets to bytes and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.media import rtp
from offhook.media.errors import BadRtp
from offhook.media.rtp import RtpExtension, RtpPacket

U16 = st.integers(0, 2**16 - 1)
U32 = st.integers(0, 2**32 - 1)
WORDS = st.integers(0, 5).flatmap(lambda count: st.binary(min_size=4 * count, max_size=4 * count))
EXTENSIONS = st.builds(RtpExtension, U16, WORDS)
PACKETS = st.builds(
    RtpPacket,
    st.integers(0, 127),
    U16,
    U32,
    U32,
    st.binary(max_size=200),
    st.booleans(),
    st.lists(U32, max_size=15).map(tuple),
    st.none() | EXTENSIONS,
    st.integers(0, 255),
)


@given(PACKETS)
def test_what_was_built_is_read_back(packet: RtpPacket) -> None:
    assert rtp.parse(rtp.build(packet)) == packet


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda tail: bytes((0x80 | len(tail) % 64,)) + tail))
def test_no_bytes_raise_anything_but_bad_rtp(data: bytes) -> None:
    try:
        packet = rtp.parse(data)
    except BadRtp:
        return
    assert len(packet.payload) <= len(data) - 12


def test_the_example_of_the_header_figure_is_read_field_by_field() -> None:
    data = bytes.fromhex("80 88 1234 00000100 deadbeef") + b"\xd5" * 3
    assert rtp.parse(data) == RtpPacket(8, 0x1234, 0x100, 0xDEADBEEF, b"\xd5\xd5\xd5", marker=True)


def test_the_short_way_to_build_makes_the_same_bytes() -> None:
    packet = RtpPacket(101, 65535, 2**32 - 1, 1, b"abcd", marker=True)
    assert rtp.build_plain(101, 65535, 2**32 - 1, 1, b"abcd", True) == rtp.build(packet)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 octets"),
        (bytes(11), "11 octets"),
        (b"\x40" + bytes(11), "version 1"),
        (b"\x8f" + bytes(11 + 59), "CSRC"),
        (b"\x90" + bytes(11 + 3), "extension is cut off"),
        (b"\x90" + bytes(11) + b"\x00\x00\x00\x02" + bytes(7), "longer than the packet"),
        (b"\xa0" + bytes(11), "0 octets of padding in 0"),
        (b"\xa0" + bytes(11) + b"\x00", "0 octets of padding in 1"),
        (b"\xa0" + bytes(11) + b"\x01\x03", "3 octets of padding in 2"),
    ],
)
def test_a_packet_that_contradicts_itself_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadRtp, match=reason):
        rtp.parse(data)


def test_a_packet_may_be_padding_altogether() -> None:
    assert rtp.parse(b"\xa0" + bytes(11) + b"\x00\x00\x03") == RtpPacket(0, 0, 0, 0, b"", padding=3)


@pytest.mark.parametrize(
    ("second", "expected"), [(200, True), (192, True), (223, True), (0, False), (128 + 101, False)]
)
def test_rtcp_is_told_from_rtp_by_its_type(second: int, expected: bool) -> None:
    assert rtp.is_rtcp(bytes((0x80, second))) is expected


def test_one_byte_is_no_rtcp() -> None:
    assert not rtp.is_rtcp(b"\x80")


def test_our_own_mistakes_do_not_reach_the_wire() -> None:
    with pytest.raises(ValueError, match="15"):
        rtp.build(RtpPacket(0, 0, 0, 0, b"", csrcs=(1,) * 16))
    with pytest.raises(ValueError, match="four"):
        rtp.build(RtpPacket(0, 0, 0, 0, b"", extension=RtpExtension(1, b"abc")))
