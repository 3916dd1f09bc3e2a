"""Compound RTCP packets to values and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.media import rtcp
from offhook.media.errors import BadRtcp
from offhook.media.rtcp import Goodbye, ReceiverReport, ReportBlock, RtcpPacket, SdesChunk, SenderReport
from offhook.media.rtcp import SourceDescription as Sdes

U8 = st.integers(0, 255)
U32 = st.integers(0, 2**32 - 1)
BLOCKS = st.lists(
    st.builds(ReportBlock, U32, U8, st.integers(-(2**23), 2**23 - 1), U32, U32, U32, U32), max_size=31
).map(tuple)
TEXT = st.binary(max_size=255)
REPORTS: st.SearchStrategy[RtcpPacket] = st.builds(
    SenderReport, U32, st.integers(0, 2**64 - 1), U32, U32, U32, BLOCKS
) | st.builds(ReceiverReport, U32, BLOCKS)
CHUNKS = st.builds(SdesChunk, U32, st.lists(st.tuples(st.integers(1, 255), TEXT), max_size=4).map(tuple))
OTHERS: st.SearchStrategy[RtcpPacket] = st.builds(Sdes, st.lists(CHUNKS, max_size=31).map(tuple)) | st.builds(
    Goodbye, st.lists(U32, max_size=31).map(tuple), st.none() | TEXT
)


@given(REPORTS, st.lists(REPORTS | OTHERS, max_size=3))
def test_what_was_built_is_read_back(first: RtcpPacket, rest: list[RtcpPacket]) -> None:
    assert rtcp.parse(rtcp.build(first, *rest)) == [first, *rest]


SEED = rtcp.build(
    SenderReport(1, 2, 3, 4, 5, (ReportBlock(6, 7, -8, 9, 10, 11, 12),)),
    Sdes((SdesChunk(1, ((1, b"a@b"), (6, b"offhook"))),)),
    Goodbye((1, 2), b"bye"),
)


@given(st.binary(max_size=120) | st.tuples(st.integers(0, len(SEED) - 1), U8).map(lambda at: _changed(*at)))
def test_no_bytes_raise_anything_but_bad_rtcp(data: bytes) -> None:
    try:
        rtcp.parse(data)
    except BadRtcp:
        return


def _changed(at: int, octet: int) -> bytes:
    return SEED[:at] + bytes((octet,)) + SEED[at + 1 :]


@pytest.mark.parametrize("cut", range(1, len(SEED)))
def test_a_datagram_that_is_cut_off_is_refused_unless_whole_packets_remain(cut: int) -> None:
    whole = {52, 52 + 24}
    if cut in whole:
        assert len(rtcp.parse(SEED[:cut])) == (1 if cut == 52 else 2)
    else:
        with pytest.raises(BadRtcp):
            rtcp.parse(SEED[:cut])


def test_packets_of_other_types_are_stepped_over() -> None:
    app = b"\x80\xcc\x00\x02" + bytes(4) + b"name"
    assert rtcp.parse(rtcp.build(ReceiverReport(7)) + app + rtcp.build(ReceiverReport(8))) == [
        ReceiverReport(7),
        ReceiverReport(8),
    ]


def test_a_compound_packet_begins_with_a_report() -> None:
    with pytest.raises(BadRtcp, match="begins with a report"):
        rtcp.parse(b"\x81\xcb\x00\x01" + bytes(4))
    with pytest.raises(ValueError, match="report"):
        rtcp.build(Goodbye((1,)))


def test_padding_is_allowed_on_the_last_packet_only() -> None:
    padded = b"\xa0\xc9\x00\x02\x00\x00\x00\x07\x00\x00\x00\x04"
    assert rtcp.parse(padded) == [ReceiverReport(7)]
    with pytest.raises(BadRtcp, match="padding inside"):
        rtcp.parse(padded + rtcp.build(ReceiverReport(8)))
    with pytest.raises(BadRtcp, match="octets of padding"):
        rtcp.parse(padded[:-1] + b"\x10")


def test_an_extension_of_a_profile_behind_the_blocks_is_passed_over() -> None:
    assert rtcp.parse(b"\x80\xc9\x00\x02\x00\x00\x00\x07abcd") == [ReceiverReport(7)]


def test_the_name_of_a_chunk_is_found_among_its_items() -> None:
    assert SdesChunk(1, ((2, b"Ann"), (rtcp.CNAME, b"ann@host"))).cname == "ann@host"
    assert SdesChunk(1).cname is None


def test_ntp_time_counts_from_1900() -> None:
    assert rtcp.ntp_of(0) >> 32 == 2_208_988_800
    assert rtcp.ntp_short(rtcp.ntp_of(0.5)) == (2_208_988_800 & 0xFFFF) << 16 | 0x8000


@pytest.mark.parametrize("packet", [Goodbye((1,) * 32), Goodbye((1,), b"x" * 256)])
def test_our_own_mistakes_do_not_reach_the_wire(packet: Goodbye) -> None:
    with pytest.raises(ValueError, match="at most"):
        rtcp.build(ReceiverReport(1), packet)
