"""STUN on the SIP port: what a binding request is answered, and what is passed over (RFC 8489, vectors of RFC 5769)."""

from __future__ import annotations

import struct
import zlib

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from offhook.testing.network import FakeNetwork
from offhook.transport.flow import Malformed, Received
from offhook.transport.network import Address
from offhook.transport.stun import COOKIE, answer_stun, is_stun
from offhook.transport.udp import UdpTransport

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
SOURCE: Address = ("192.0.2.1", 32853)


def stun(body: bytes = b"", kind: int = 1, length: int | None = None) -> bytes:
    return struct.pack("!HH", kind, len(body) if length is None else length) + COOKIE + TRANSACTION + body


def attribute(kind: int, value: bytes = b"") -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def signed(body: bytes = b"") -> bytes:
    """A binding request with a FINGERPRINT."""
    start = struct.pack("!HH", 1, len(body) + 8) + COOKIE + TRANSACTION + body
    return start + attribute(0x8028, struct.pack("!I", zlib.crc32(start) ^ 0x5354554E))


@pytest.mark.parametrize(
    ("source", "mapped"),
    [
        (SOURCE, "002000080001a147e112a643"),
        (("::ffff:192.0.2.1", 32853), "002000080001a147e112a643"),
        (("2001:db8:1234:5678:11:2233:4455:6677", 32853), "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"),
    ],
)
def test_a_binding_request_is_told_where_it_came_from(source: Address, mapped: str) -> None:
    body = bytes.fromhex(mapped)
    assert answer_stun(stun(), source) == struct.pack("!HH", 0x0101, len(body)) + COOKIE + TRANSACTION + body


def test_a_fingerprint_is_checked_and_answered_with_one() -> None:
    answer = answer_stun(signed(attribute(0x8022, b"phone")), SOURCE)
    assert answer is not None
    assert struct.unpack_from("!HH", answer) == (0x0101, len(answer) - 20)
    assert answer[-8:-4] == b"\x80\x28\0\x04"
    assert struct.unpack("!I", answer[-4:])[0] == zlib.crc32(answer[:-8]) ^ 0x5354554E
    spoilt = bytearray(signed())
    spoilt[-1] ^= 1
    assert answer_stun(bytes(spoilt), SOURCE) is None
    assert answer_stun(signed()[:-8] + attribute(0x8028, bytes(4)) + attribute(0x8022), SOURCE) is None


def test_credentials_are_passed_over() -> None:
    body = attribute(0x0006, b"user") + attribute(0x0008, bytes(20))
    answer = answer_stun(stun(body), SOURCE)
    assert answer is not None
    assert answer[:2] == b"\x01\x01"


def test_what_must_be_understood_but_is_not_is_named() -> None:
    answer = answer_stun(stun(attribute(0x0024, bytes(4)) + attribute(0x0003, bytes(4))), SOURCE)
    assert answer is not None
    assert answer[:2] == b"\x01\x11"
    assert b"\0\x09\0\x15\0\0\x04\x14Unknown Attribute" in answer
    assert answer.endswith(b"\0\x0a\0\x04\0\x24\0\x03")


@pytest.mark.parametrize(
    "data",
    [
        stun(kind=0x0011),  # an indication wants no answer
        stun(kind=0x0101),
        stun(kind=0x0003),
        stun(length=4),
        stun(bytes(3)),
        stun(attribute(0x8022, b"phone")[:-4]),
        stun(struct.pack("!HH", 0x8022, 60_000)),
    ],
)
def test_what_is_no_binding_request_gets_no_answer(data: bytes) -> None:
    assert answer_stun(data, SOURCE) is None


def test_stun_is_told_from_sip() -> None:
    assert is_stun(stun())
    assert not is_stun(b"OPTIONS sip:server SIP/2.0\r\n\r\n")
    assert not is_stun(stun()[:19])


@given(st.binary(max_size=200), st.binary(min_size=2, max_size=2))
def test_rubbish_behind_a_cookie_harms_nobody(body: bytes, kind: bytes) -> None:
    data = b"\0" + kind[:1] + struct.pack("!H", len(body)) + COOKIE + TRANSACTION + body
    answer = answer_stun(data, SOURCE)
    assert answer is None or len(answer) <= 100


async def test_the_sip_port_answers(autojump_clock: MockClock) -> None:
    network = FakeNetwork(seed=1)
    ours, theirs = network.host("10.0.0.1"), network.host("10.0.0.2")
    server = UdpTransport(await ours.udp(("10.0.0.1", 5060)), ours)
    phone = await theirs.udp(("10.0.0.2", 5070))

    def deliver(arrival: Received | Malformed) -> bool:
        raise AssertionError("nobody is told")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run, deliver)
        phone.send_nowait(stun(), ("10.0.0.1", 5060))
        await phone.readable()
        datagram = phone.recv_nowait()
        assert datagram is not None
        assert datagram.data == answer_stun(stun(), ("10.0.0.2", 5070))
        nursery.cancel_scope.cancel()
    assert (server.counts.stun, server.counts.faults) == (1, 0)
