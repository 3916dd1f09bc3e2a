"""A leg whose media is encrypted: who is heard, who is followed, and what later offers change."""

from __future__ import annotations

import random

import attrs
import pytest

from offhook.media import rtcp, rtp
from offhook.media.dtmf import EventPayload
from offhook.media.errors import BadRtcp
from offhook.media.events import (
    Address,
    DigitHeard,
    KeyExhausted,
    MediaEvent,
    MediaFlowing,
    MediaSilent,
    QualityMeasured,
    SetRemote,
    Tap,
    Track,
)
from offhook.media.frames import FRAME_S
from offhook.media.g711 import PCMA, PCMU
from offhook.media.rtcp import Goodbye, ReceiverReport, SdesChunk, SenderReport, SourceDescription
from offhook.media.rtp import RtpPacket
from offhook.media.sdp import Agreed, Keys, Suite
from offhook.media.session import MediaSession
from offhook.media.sinks import Ring
from offhook.media.source_lock import PROBATION_PACKETS, Standing
from offhook.media.srtp import LINGER_S, Srtp, is_rtp_like

from .forgeries import Forger
from .media_ids import FixedIds

PEER: Address = ("192.0.2.7", 4000)
PEER_RTCP: Address = ("192.0.2.7", 4001)
STRANGER: Address = ("198.51.100.66", 6666)
OURS, THEIRS, THEIR_NEXT, OUR_NEXT = (bytes(range(at, at + 30)) for at in (0, 50, 100, 150))
KEYS = Keys(1, Suite.AES_80, OURS, THEIRS)
LOUD = b"\x80" * 160
"""Octets of a constant full-scale sound."""
QUIET = b"\xff" * 160


def agreed(keys: Keys | None = KEYS, **changes: object) -> Agreed:
    usual = Agreed(
        codec=PCMU,
        payload_type=0,
        receive_types={0: PCMU, 8: PCMA},
        event_type=101,
        event_receive_types=frozenset({101}),
        remote=PEER,
        remote_rtcp=PEER_RTCP,
        send=True,
        receive=True,
        ptime_ms=20,
        media_index=0,
        keys=keys,
    )
    return attrs.evolve(usual, **changes)  # type: ignore[arg-type]  # each test names real fields


@attrs.define(eq=False)
class Far:
    """The far end: numbers and seals what it sends, opens what it gets."""

    keys: Keys = KEYS
    ssrc: int = 77
    sequence: int = 1000
    srtp: Srtp = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.srtp = Srtp([])
        self.take(self.keys)

    def take(self, keys: Keys) -> None:
        self.keys = keys
        self.srtp.agree(attrs.evolve(keys, ours=keys.theirs, theirs=keys.ours), 0.0)

    def packet(self, octets: bytes = LOUD, payload_type: int = 0, timestamp: int | None = None) -> bytes:
        sequence = self.sequence & 0xFFFF
        at = self.sequence * 160 if timestamp is None else timestamp
        self.sequence += 1
        return self.srtp.seal(rtp.build_plain(payload_type, sequence, at & 0xFFFF_FFFF, self.ssrc, octets))

    def report(self) -> bytes:
        return self.srtp.seal_report(
            rtcp.build(ReceiverReport(self.ssrc), SourceDescription((SdesChunk(self.ssrc, ((1, b"far@end"),)),)))
        )

    def opened(self, data: bytes) -> RtpPacket:
        plain = self.srtp.open(data, 0.0)
        assert plain is not None
        return rtp.parse(plain)


@attrs.define(eq=False)
class Bench:
    """A session on a beat of its own, and all that its peer said as it was heard."""

    session: MediaSession = attrs.field(factory=lambda: MediaSession(FixedIds(first_sequence=500)))
    now: float = 100.0
    far: Far = attrs.field(factory=Far)
    events: list[MediaEvent] = attrs.field(factory=list)
    ring: Ring = attrs.field(factory=lambda: Ring(capacity=100_000))
    targets: list[Address] = attrs.field(factory=list)
    got: list[bytes] = attrs.field(factory=list)
    """Datagrams of RTP that were sent, as they went."""

    def __attrs_post_init__(self) -> None:
        self.session.apply(Tap(self.ring, Track.INBOUND), self.now)

    def agree(self, keys: Keys | None = KEYS, **changes: object) -> None:
        self.session.apply(SetRemote(agreed(keys, **changes)), self.now)

    def beat(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.now += FRAME_S
            for data, target in self.session.tick(self.now):
                self.got.append(data)
                self.targets.append(target)
            self.events += self.session.take_events()

    def come(self, data: bytes, source: Address = PEER) -> None:
        self.session.receive(data, source, self.now + 0.01)

    def say(self, count: int, octets: bytes = LOUD) -> None:
        for _ in range(count):
            self.come(self.far.packet(octets))
            self.beat()

    def heard(self) -> bytes:
        """What has been heard since the last call, 16 bit samples."""
        return b"".join(iter(self.ring.take, None))

    def of(self, kind: type[MediaEvent]) -> list[MediaEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def refused(self) -> int:
        """What was refused over the leg's life; the leg ends."""
        self.session.close(self.now)
        self.events += self.session.take_events()
        [quality] = self.of(QualityMeasured)
        assert isinstance(quality, QualityMeasured)
        return quality.stats.packets_refused


def connected(**changes: object) -> Bench:
    bench = Bench()
    bench.agree(**changes)  # type: ignore[arg-type]  # each test names real fields
    return bench


def test_what_is_sent_can_be_opened_by_the_far_end_alone() -> None:
    bench = connected()
    bench.beat(10)
    packets = [bench.far.opened(data) for data in bench.got]
    assert [packet.sequence for packet in packets] == list(range(500, 510))
    assert {packet.payload for packet in packets} == {QUIET}
    assert all(QUIET[:8] not in data for data in bench.got)
    assert {len(data) for data in bench.got} == {12 + 160 + 10}


def test_what_the_far_end_says_is_heard() -> None:
    bench = connected()
    bench.say(20)
    assert PCMU.decode(LOUD) * 10 in bench.heard()
    assert bench.of(MediaFlowing) == [MediaFlowing(PEER)]
    assert bench.refused == 0


def test_reports_go_and_come_encrypted() -> None:
    bench = connected()
    bench.say(5)
    bench.session.receive_report(bench.far.report(), PEER_RTCP, bench.now)
    while not bench.session.reports_due:
        bench.say(1)
    [(data, target)] = bench.session.take_reports()
    assert target == PEER_RTCP
    plain = bench.far.srtp.open_report(data, 0.0)
    assert plain is not None
    report = rtcp.parse(plain)[0]
    assert isinstance(report, SenderReport)
    assert report.blocks[0].cumulative_lost == 0
    with pytest.raises(BadRtcp):
        rtcp.parse(data)
    bench.session.close(bench.now)
    [(last, _)] = bench.session.take_reports()
    plain = bench.far.srtp.open_report(last, 0.0)
    assert plain is not None
    assert isinstance(rtcp.parse(plain)[-1], Goodbye)
    assert bench.refused == 0


def test_reports_that_are_not_theirs_are_believed_by_nobody() -> None:
    bench = connected()
    bench.say(5)
    clear = rtcp.build(ReceiverReport(77), SourceDescription((SdesChunk(77, ((1, b"x"),)),)))
    good = bench.far.report()
    bench.session.receive_report(clear, (PEER[0], 9999), bench.now)
    bench.session.receive_report(Far(attrs.evolve(KEYS, theirs=THEIR_NEXT)).report(), (PEER[0], 9999), bench.now)
    bench.session.receive_report(good, PEER_RTCP, bench.now)
    bench.session.receive_report(good, (PEER[0], 9999), bench.now)
    while not bench.session.reports_due:
        bench.say(1)
    assert [target for _, target in bench.session.take_reports()] == [PEER_RTCP]
    assert bench.refused == 3


@pytest.mark.parametrize("source", [PEER, STRANGER])
def test_forgeries_are_not_heard_and_disturb_nothing(source: Address) -> None:
    bench = connected()
    forger = Forger(random.Random(3))
    genuine: list[bytes] = []
    expected = 0
    for _ in range(500):
        data = bench.far.packet(QUIET)
        bench.come(data)
        genuine.append(data)
        for _ in range(6):
            forged = forger.packet(genuine + bench.got, data)
            expected += is_rtp_like(forged)
            bench.come(forged, source)
        bench.beat()
    heard = bench.heard()
    assert set(heard) == {0}
    assert len(heard) == 500 * 320
    assert bench.of(MediaFlowing) == [MediaFlowing(PEER)]
    assert set(bench.targets) == {PEER}
    assert bench.refused == expected > 500 * 5
    [quality] = bench.of(QualityMeasured)
    assert isinstance(quality, QualityMeasured)
    assert (quality.stats.packets_received, quality.stats.packets_lost, quality.stats.packets_late) == (500, 0, 0)


def test_nobody_is_followed_who_does_not_hold_the_key() -> None:
    bench = connected()
    clear = [rtp.build_plain(0, sequence, sequence * 160, 5, LOUD) for sequence in range(100)]
    for data in clear:
        bench.come(data, STRANGER)
        bench.come(data, PEER)
        bench.beat()
    assert bench.events == []
    assert set(bench.targets) == {PEER}
    assert set(bench.heard()) == {0}


def test_a_far_end_behind_a_nat_is_followed_when_it_holds_the_key() -> None:
    bench = connected()
    for _ in range(PROBATION_PACKETS[Standing.STRANGER]):
        bench.come(bench.far.packet(), STRANGER)
        bench.beat()
    assert bench.of(MediaFlowing) == [MediaFlowing(STRANGER)]
    assert bench.targets[-1] == STRANGER


def test_packets_of_theirs_sent_on_by_somebody_else_do_not_move_the_leg() -> None:
    bench = connected()
    for _ in range(100):
        data = bench.far.packet()
        bench.come(data)
        bench.come(data, STRANGER)
        bench.beat()
    assert bench.of(MediaFlowing) == [MediaFlowing(PEER)]
    assert set(bench.targets) == {PEER}
    assert bench.refused == 100


def test_a_forged_key_press_is_not_told() -> None:
    bench = connected()
    bench.say(5)
    for at in range(3):
        payload = EventPayload(5, True, 10, 800).build()
        bench.come(rtp.build_plain(101, 2000 + at, 7777, 77, payload))
        bench.beat()
    for frame in range(1, 4):
        payload = EventPayload(9, frame == 3, 10, 160 * frame).build()
        bench.come(bench.far.packet(payload, 101, timestamp=99_000))
        bench.beat()
    bench.say(20)
    assert [event.digit for event in bench.events if isinstance(event, DigitHeard)] == ["9"]


@pytest.mark.parametrize("wrap_at", [2**16, 2**17])
def test_playing_goes_on_when_the_numbers_wrap(wrap_at: int) -> None:
    bench = connected()
    bench.far.sequence = 2**15
    for sequence in range(2**15, wrap_at - 100, 2**14):  # time is skipped, the numbers are not
        bench.far.sequence = sequence
        bench.come(bench.far.packet())
    bench.far.sequence = wrap_at - 100
    bench.say(1)
    bench.beat(50)
    bench.heard()
    bench.say(200)
    assert PCMU.decode(LOUD) * 150 in bench.heard()
    assert bench.refused == 0


def test_another_source_under_the_same_key_is_heard() -> None:
    bench = connected()
    bench.say(20)
    bench.far.ssrc, bench.far.sequence = 4242, 9
    bench.heard()
    bench.say(50, b"\x90" * 160)
    assert PCMU.decode(b"\x90" * 160) * 30 in bench.heard()
    assert bench.refused == 0


def test_the_wraps_are_counted_also_while_nothing_is_to_be_heard() -> None:
    bench = connected()
    bench.far.sequence = 2**15
    bench.say(1)
    bench.agree(receive=False)
    for sequence in range(2**15 + 1, 2**17 + 500, 200):
        bench.far.sequence = sequence
        bench.come(bench.far.packet())
    bench.beat(50)
    bench.heard()
    bench.agree()
    bench.say(50)
    assert PCMU.decode(LOUD) * 20 in bench.heard()
    assert bench.refused == 0


def test_hold_and_resume_with_the_same_keys_go_on_where_they_were() -> None:
    bench = connected()
    bench.say(20)
    bench.agree(send=False)
    bench.say(20)
    bench.agree()
    bench.say(20)
    sequences = [bench.far.opened(data).sequence for data in bench.got]
    assert sequences == list(range(500, 500 + len(sequences)))
    assert len(sequences) == 40
    assert bench.refused == 0


def test_new_keys_on_hold_and_on_resume_cost_nothing() -> None:
    bench = connected()
    bench.say(20)
    old = [bench.far.packet() for _ in range(5)]
    held = Keys(1, Suite.AES_80, OUR_NEXT, THEIR_NEXT)
    bench.agree(held, send=False)
    for data in old:  # they were on their way
        bench.come(data)
        bench.beat()
    bench.far.take(held)
    late = Far(KEYS)
    late.sequence = bench.far.sequence
    bench.say(5)
    resumed = Keys(1, Suite.AES_32, OURS[::-1], THEIRS[::-1])
    sent_before = len(bench.got)
    bench.agree(resumed)
    old = [bench.far.packet() for _ in range(5)]
    bench.far.take(resumed)
    fresh = [bench.far.packet() for _ in range(5)]
    for data in (*old[:3], fresh[0], old[3], fresh[1], old[4], *fresh[2:]):
        bench.come(data)
        bench.beat()
    bench.heard()
    bench.say(100)
    assert PCMU.decode(LOUD) * 80 in bench.heard()
    assert [bench.far.opened(data).sequence for data in bench.got[sent_before:]] == [
        520 + step for step in range(len(bench.got) - sent_before)
    ]
    assert bench.refused == 0


def test_the_old_key_is_worth_nothing_once_the_new_one_has_been_used_for_a_while() -> None:
    bench = connected()
    bench.say(20)
    old = bench.far.packet()
    following = Keys(1, Suite.AES_80, OUR_NEXT, THEIR_NEXT)
    bench.agree(following)
    bench.far.take(following)
    bench.say(round(LINGER_S / FRAME_S) + 2)
    bench.come(old)
    assert bench.refused == 1


def test_a_key_never_begins_just_before_the_numbers_wrap() -> None:
    bench = Bench(MediaSession(FixedIds(first_sequence=65_400)))
    bench.agree()
    bench.beat(3)
    assert [bench.far.opened(data).sequence for data in bench.got] == [0, 1, 2]


def test_a_key_that_comes_late_before_a_wrap_can_lose_its_first_packets() -> None:
    bench = Bench(MediaSession(FixedIds(first_sequence=64_900)))
    bench.agree()
    bench.beat(400)
    following = Keys(1, Suite.AES_80, OUR_NEXT, THEIR_NEXT)
    bench.agree(following)
    bench.far.take(following)
    bench.got.clear()
    bench.beat(400)
    assert [bench.far.opened(data).sequence for data in bench.got[50:]] == list(range(50, 400))


def test_a_key_at_the_end_of_its_life_is_told_and_then_there_is_silence() -> None:
    bench = Bench(MediaSession(FixedIds(), silent_after_s=5.0))
    bench.agree(attrs.evolve(KEYS, lifetime=100))
    bench.say(100)
    assert bench.of(KeyExhausted) == [KeyExhausted()]
    bench.beat(50)
    bench.heard()
    bench.say(250)
    assert set(bench.heard()) == {0}
    assert bench.of(KeyExhausted) == [KeyExhausted()]
    assert len(bench.of(MediaSilent)) == 1
    assert bench.refused == 250


def test_two_encrypted_legs_pass_packets_on_under_the_other_key() -> None:
    one, other = connected(), Bench(far=Far(Keys(2, Suite.AES_32, OUR_NEXT, THEIR_NEXT)))
    other.agree(other.far.keys)
    other.say(1)
    one.session.let_hear(other.session)
    passed = []
    for step in range(50):
        octets = bytes((step,)) * 160
        for data, target in one.session.receive(one.far.packet(octets), PEER, one.now):
            assert target == PEER
            passed.append(other.far.opened(data).payload)
        one.beat()
        other.beat()
    assert passed == [bytes((step,)) * 160 for step in range(50)]


def test_a_packet_as_long_as_any_that_is_taken_passes_to_an_encrypted_leg() -> None:
    one, other = Bench(), Bench(far=Far(Keys(2, Suite.AES_32, OUR_NEXT, THEIR_NEXT)))
    one.agree(None)
    other.agree(other.far.keys)
    other.say(1)
    one.session.let_hear(other.session)
    lengths = []
    for sequence, octets in enumerate((160, 160, 1280, 160, 1281, 1600, 160)):
        data = rtp.build_plain(0, sequence, sequence * 160, 9, bytes(octets))
        lengths += [len(other.far.opened(out).payload) for out, _ in one.session.receive(data, PEER, one.now)]
        one.beat()
        other.beat()
    assert lengths == [160, 160, 1280, 160, 160]


def test_what_was_overtaken_before_a_new_key_stays_behind() -> None:
    """Its number could be one before a wrap that the new key has never seen."""
    one, other = connected(), Bench(far=Far(Keys(2, Suite.AES_80, OUR_NEXT, THEIR_NEXT)))
    other.agree(other.far.keys)
    other.say(1)
    one.session.let_hear(other.session)
    early = [one.far.packet() for _ in range(4)]
    sent = [len(one.session.receive(early[at], PEER, one.now)) for at in (0, 1, 3)]
    following = Keys(2, Suite.AES_80, OURS[::-1], THEIR_NEXT)
    other.agree(following)
    other.far.take(following)
    sent += [len(one.session.receive(data, PEER, one.now)) for data in (one.far.packet(), early[2], one.far.packet())]
    assert sent == [1, 1, 1, 1, 0, 1]
