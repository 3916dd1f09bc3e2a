"""Bytes of a stream to messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.build import respond_to_malformed
from offhook.sip.framing import PING, PONG, KeepAlive, Malformed, StreamFramer
from offhook.sip.message import Request, Response
from offhook.sip.parse import Limits
from tests.sip.messages import INVITE_BYTES, invite, wire

RINGING = wire("SIP/2.0 180 Ringing\nCSeq: 1 INVITE\nl: 0")
BROKEN_HEADER = INVITE_BYTES.replace(b"Max-Forwards: 69", b"Max-Forwards 69")
Items = list[Request | Response | KeepAlive | Malformed]


def names(items: Items) -> list[str]:
    return [type(item).__name__ for item in items]


@given(st.lists(st.sampled_from([INVITE_BYTES, RINGING, PING, BROKEN_HEADER]), max_size=6), st.data())
def test_messages_come_out_the_same_however_the_stream_is_cut(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    kinds = {INVITE_BYTES: "Request", RINGING: "Response", PING: "KeepAlive", BROKEN_HEADER: "Malformed"}
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    framer = StreamFramer()
    items: Items = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        items += framer.feed(stream[start:end])
    assert names(items) == [kinds[part] for part in parts]
    assert not framer.broken
    assert not framer.mid_message


def test_a_body_is_waited_for() -> None:
    framer = StreamFramer()
    assert framer.feed(INVITE_BYTES[:-1]) == []
    assert framer.mid_message
    assert framer.feed(INVITE_BYTES[-1:]) == [invite()]


def test_a_double_line_end_is_a_ping_even_in_pieces() -> None:
    framer = StreamFramer()
    assert [framer.feed(piece) for piece in (b"\r", b"\n", b"\r")] == [[], [], []]
    assert framer.feed(b"\n") == [KeepAlive()]
    assert not framer.mid_message


def test_a_single_line_end_is_a_pong_and_ignored() -> None:
    framer = StreamFramer()
    assert framer.feed(PONG + INVITE_BYTES) == [invite()]
    assert framer.feed(PONG) == []
    assert framer.feed(INVITE_BYTES) == [invite()]


def test_three_line_ends_are_a_ping_and_a_pong() -> None:
    assert StreamFramer().feed(PING + PONG + INVITE_BYTES) == [KeepAlive(), invite()]


def test_a_message_without_content_length_ends_the_stream() -> None:
    framer = StreamFramer()
    (item,) = framer.feed(INVITE_BYTES.replace(b"Content-Length: 5\r\n", b"") + RINGING)
    assert isinstance(item, Malformed)
    assert (item.error.status, framer.broken) == (411, True)
    assert item.error.request_head is not None
    assert framer.feed(RINGING) == []


@pytest.mark.parametrize(
    "length", [b"x", b"-1", b"5, 5", b"", b"5;5", b"99999999999999999999", b"5\r\nl: 5", b"5\r\n 0"]
)
def test_a_garbled_content_length_ends_the_stream(length: bytes) -> None:
    framer = StreamFramer()
    (item,) = framer.feed(INVITE_BYTES.replace(b"Content-Length: 5", b"Content-Length: " + length) + RINGING)
    assert isinstance(item, Malformed)
    assert (item.error.status, framer.broken) == (400, True)


def test_a_malformed_head_with_a_plain_length_is_passed_over() -> None:
    framer = StreamFramer()
    broken, ringing = framer.feed(BROKEN_HEADER + RINGING)
    assert isinstance(broken, Malformed)
    assert broken.error.status == 400
    assert broken.error.request_head is not None
    assert isinstance(ringing, Response)


@pytest.mark.parametrize(
    "line", [b"Max-Forwards 69\rContent-Length: 0", b"Max-Forwards 69\nContent-Length: 0", b"bad\r\n l: 0\r\nl: 3"]
)
def test_a_malformed_head_that_two_readers_may_cut_differently_ends_the_stream(line: bytes) -> None:
    framer = StreamFramer()
    (item,) = framer.feed(INVITE_BYTES.replace(b"Max-Forwards: 69", line) + RINGING)
    assert isinstance(item, Malformed)
    assert framer.broken


def test_what_is_no_sip_ends_the_stream_and_is_not_answered() -> None:
    for data in (b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"\n\n\r\n\r\n"):
        framer = StreamFramer()
        (item,) = framer.feed(data)
        assert isinstance(item, Malformed)
        assert respond_to_malformed(item.error) is None
        assert framer.broken


def test_a_head_without_an_end_is_too_large_at_the_limit() -> None:
    framer = StreamFramer(Limits(max_message=1000))
    assert framer.feed(b"INVITE sip:a SIP/2.0\r\nv: SIP/2.0/TCP a\r\nX: " + b"x" * 900) == []
    (item,) = framer.feed(b"x" * 100)
    assert isinstance(item, Malformed)
    assert (item.error.status, framer.broken) == (513, True)
    assert item.error.request_head is not None


def test_a_body_beyond_the_limit_is_refused_before_it_comes() -> None:
    framer = StreamFramer(Limits(max_message=len(INVITE_BYTES)))
    assert framer.feed(INVITE_BYTES) == [invite()]
    (item,) = framer.feed(INVITE_BYTES.replace(b"Content-Length: 5", b"Content-Length: 6")[:-5])
    assert isinstance(item, Malformed)
    assert (item.error.status, framer.broken) == (513, True)


def test_a_single_byte_at_a_time_costs_no_more_than_a_scan() -> None:
    framer = StreamFramer()
    for octet in b"OPTIONS sip:a SIP/2.0\r\nX: " + b"\r" * 20_000 + b"x" * 20_000:
        assert framer.feed(bytes((octet,))) == []
