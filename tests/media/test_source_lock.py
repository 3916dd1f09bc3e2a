"""Symmetric RTP: who gets a leg's packets, and who cannot."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.media.events import Address
from offhook.media.source_lock import MAX_CANDIDATES, SILENT_S, SourceLock

NAMED = ("192.168.1.10", 4000)
NAT = ("203.0.113.5", 61_000)
STRANGER = ("198.51.100.66", 9)


def lock_for_a_phone_behind_a_nat() -> SourceLock:
    lock = SourceLock()
    lock.negotiated(NAMED, "203.0.113.5")
    return lock


def send(lock: SourceLock, source: Address, packets: int, now: float = 0.0, ssrc: int = 1, first: int = 0) -> None:
    for number in range(packets):
        if lock.locked == source:
            lock.heard(now)
        else:
            lock.admits(source, ssrc, (first + number) & 0xFFFF, now)


def test_until_media_arrives_the_address_of_the_description_is_sent_to() -> None:
    assert lock_for_a_phone_behind_a_nat().destination == NAMED


def test_one_packet_from_the_named_address_locks() -> None:
    lock = SourceLock()
    lock.negotiated(NAMED, None)
    send(lock, NAMED, 1)
    assert lock.locked == NAMED


def test_the_nat_that_the_signalling_came_from_locks_with_its_second_packet() -> None:
    lock = lock_for_a_phone_behind_a_nat()
    send(lock, NAT, 1)
    assert lock.destination == NAMED
    send(lock, NAT, 1, first=1)
    assert lock.destination == NAT


def test_a_stranger_needs_half_a_second_of_faultless_media() -> None:
    lock = lock_for_a_phone_behind_a_nat()
    send(lock, STRANGER, 24)
    assert lock.destination == NAMED
    lock.admits(STRANGER, 1, 30, 0.0)  # a gap: begin again
    send(lock, STRANGER, 23, first=31)
    assert lock.destination == NAMED
    send(lock, STRANGER, 1, first=54)
    assert lock.destination == STRANGER


def test_a_stranger_cannot_steal_a_locked_leg_however_much_it_sends() -> None:
    lock = lock_for_a_phone_behind_a_nat()
    send(lock, NAT, 2)
    send(lock, STRANGER, 2000, now=0.5)
    assert lock.destination == NAT
    assert lock.ignored >= 2000


def test_a_stranger_cannot_steal_a_leg_that_is_silent() -> None:
    lock = lock_for_a_phone_behind_a_nat()
    send(lock, NAT, 2)
    send(lock, STRANGER, 2000, now=1000.0)
    assert lock.destination == NAT


def test_a_stranger_who_came_first_loses_the_leg_when_the_phone_speaks() -> None:
    lock = lock_for_a_phone_behind_a_nat()
    send(lock, STRANGER, 25)
    assert lock.destination == STRANGER
    for number in range(5):
        lock.heard(0.5)  # the stranger goes on
        lock.admits(NAT, 7, 100 + number, 0.5)
    assert lock.destination == NAT


def test_a_new_mapping_of_the_nat_takes_over_after_the_old_one_fell_silent() -> None:
    lock = lock_for_a_phone_behind_a_nat()
    send(lock, NAT, 2, now=0.0)
    moved = (NAT[0], 62_222)
    send(lock, moved, 50, now=SILENT_S - 0.1)
    assert lock.destination == NAT
    send(lock, moved, 2, now=SILENT_S, first=50)
    assert lock.destination == moved


def test_the_same_address_named_again_keeps_the_lock_and_another_one_opens_it() -> None:
    lock = lock_for_a_phone_behind_a_nat()
    send(lock, NAT, 2)
    lock.negotiated(NAMED, "203.0.113.5")
    lock.negotiated(None, None)
    assert lock.destination == NAT
    lock.negotiated(("192.0.2.9", 5000), "203.0.113.5")
    assert lock.destination == ("192.0.2.9", 5000)


def test_an_ipv6_address_is_the_same_in_every_spelling() -> None:
    lock = SourceLock()
    lock.negotiated(("2001:DB8:0:0::1", 4000), None)
    send(lock, ("2001:db8::1", 4000), 1)
    assert lock.locked == ("2001:db8::1", 4000)


def test_a_flood_of_addresses_costs_no_memory_and_keeps_nobody_out() -> None:
    lock = lock_for_a_phone_behind_a_nat()
    for number in range(10_000):
        lock.admits((f"198.51.{number // 250}.{number % 250}", 9), 1, 1, 0.0)
    assert len(lock._candidates) <= MAX_CANDIDATES
    send(lock, NAT, 2)
    assert lock.destination == NAT


addresses = st.sampled_from([NAMED, NAT, STRANGER, (NAT[0], 1), ("198.51.100.67", 7), (NAMED[0], 4002)])


@given(
    packets=st.lists(st.tuples(addresses, st.integers(0, 3), st.integers(0, 60), st.floats(0, 2)), max_size=200),
)
@settings(max_examples=150)
def test_no_destination_but_the_named_one_and_those_that_sent(
    packets: list[tuple[Address, int, int, float]],
) -> None:
    lock = lock_for_a_phone_behind_a_nat()
    seen: set[Address | None] = {NAMED}
    now = 0.0
    for source, ssrc, sequence, step in packets:
        now += step
        seen.add(source)
        if lock.locked != source:
            lock.admits(source, ssrc, sequence, now)
        assert lock.destination in seen
