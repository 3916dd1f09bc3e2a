"""Blocks and packets of capture files, as a reader of the tests' own sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.store.packets import DATAGRAM_MAX, Wrapper
from offhook.store.pcapng import STATISTICS, blocks, header, missing, packet, packets, statistics

from .pcap_reader import Seen, blocks_of, options_of, read_pcapng

HERE, THERE = ("192.0.2.1", 5060), ("198.51.100.9", 40_000)
HERE_6, THERE_6 = ("2001:db8::1", 5061), ("2001:db8::ffff", 1024)
HEAD = header("offhook 1", "CallSid CA1")

times = st.integers(0, 2**63)
octets = st.binary(max_size=300)
hosts_4 = st.ip_addresses(v=4).map(str)
hosts_6 = st.ip_addresses(v=6).map(str)
ports = st.integers(0, 65_535)
ways = st.one_of(
    *(st.tuples(st.tuples(hosts, ports), st.tuples(hosts, ports)) for hosts in (hosts_4, hosts_6)),
)


def shown(data: bytes, source: tuple[str, int] = HERE, target: tuple[str, int] = THERE) -> list[Seen]:
    made = [packet(0, each, outbound=True) for each in Wrapper().wrap(source, target, data)]
    return read_pcapng(HEAD + b"".join(made))


@given(times, octets, ways, st.booleans(), st.text(max_size=80))
def test_what_was_sent_is_read_back(
    at_ns: int, data: bytes, way: tuple[tuple[str, int], tuple[str, int]], outbound: bool, comment: str
) -> None:
    source, target = way
    [wrapped] = Wrapper().wrap(source, target, data)
    [seen] = read_pcapng(HEAD + packet(at_ns, wrapped, outbound=outbound, comment=comment))
    assert seen == Seen(at_ns, 2 if outbound else 1, comment, 17, source, target, data)


@given(st.lists(st.tuples(times, octets), max_size=5), st.integers(0, 2**63))
def test_our_own_reader_gives_back_every_whole_packet_of_a_file_that_was_cut_off(
    written: list[tuple[int, bytes]], cut: int
) -> None:
    made = [packet(at_ns, data, outbound=True, comment="x") for at_ns, data in written]
    whole = HEAD + b"".join(made)
    cut %= len(whole) + 1
    found = list(packets(whole[:cut]))
    fitting = sum(len(HEAD + b"".join(made[: count + 1])) <= cut for count in range(len(made)))
    assert [(each.at_ns, each.data, each.block) for each in found] == [
        (at_ns, data, block) for (at_ns, data), block in list(zip(written, made, strict=True))[:fitting]
    ]


@given(st.binary(max_size=200))
def test_garbage_is_no_packet_and_no_error(data: bytes) -> None:
    assert b"".join(whole for _, whole in blocks(data)) == data[: sum(len(whole) for _, whole in blocks(data))]
    for each in packets(data):
        assert each.block in data


def test_a_file_says_whose_it_is_and_who_wrote_it() -> None:
    section, interface = blocks_of(HEAD)
    assert options_of(section.fixed[16:]) == {4: b"offhook 1", 1: b"CallSid CA1"}
    assert options_of(interface.fixed[8:])[2] == b"offhook"


def test_a_comment_that_is_too_long_for_an_option_is_cut_between_two_characters() -> None:
    [seen] = read_pcapng(
        HEAD + packet(0, Wrapper().wrap(HERE, THERE, b"x")[0], outbound=True, comment="a" + "é" * 40_000)
    )
    assert seen.comment == "a" + "é" * 32_767


def test_the_last_count_of_missing_packets_is_the_one_that_holds() -> None:
    assert missing(HEAD) == 0
    data = HEAD + statistics(7, 3) + statistics(8, 5)
    assert missing(data) == 5
    last = blocks_of(data)[-1]
    assert last.kind == STATISTICS
    assert options_of(last.fixed[12:]) == {5: (5).to_bytes(8, "little")}


@pytest.mark.parametrize(("source", "target"), [(HERE, THERE), (HERE_6, THERE_6)])
def test_the_largest_datagram_is_one_packet(source: tuple[str, int], target: tuple[str, int]) -> None:
    [seen] = shown(b"m" * DATAGRAM_MAX, source, target)
    assert (seen.protocol, seen.payload) == (17, b"m" * DATAGRAM_MAX)


@pytest.mark.parametrize(("source", "target"), [(HERE, THERE), (HERE_6, THERE_6)])
def test_what_no_datagram_holds_is_a_stream_without_a_gap(source: tuple[str, int], target: tuple[str, int]) -> None:
    wrapper, data = Wrapper(), bytes(range(256)) * 600
    first = wrapper.wrap(source, target, data)
    back = wrapper.wrap(target, source, data[:70_000])
    second = wrapper.wrap(source, target, data)
    seen = read_pcapng(HEAD + b"".join(packet(0, each, outbound=True) for each in (*first, *back, *second)))
    there = [each for each in seen if each.source == source]
    assert {each.protocol for each in seen} == {6}
    assert b"".join(each.payload for each in there) == data * 2
    at = 1
    for each in there:
        assert each.sequence == at
        at += len(each.payload)


def test_addresses_of_two_families_are_shown_as_one() -> None:
    [seen] = shown(b"x", ("192.0.2.1", 1), THERE_6)
    assert (seen.source[0], seen.target) == ("::ffff:c000:201", THERE_6)


def test_the_scope_of_a_link_local_address_is_left_out() -> None:
    [seen] = shown(b"x", ("fe80::1%eth0", 1), THERE_6)
    assert seen.source == ("fe80::1", 1)
