"""What every media plane must do with two coupled legs, as tests; see `plane_contract.py` for how a plane takes them.

A leg that is coupled with nobody beats the time: a phone talks a packet for each packet that leg sends, so that the
tests hold on virtual time as on the real one.
"""

from __future__ import annotations

import itertools
import random
import wave
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
import pytest
from trio.abc import Clock

from offhook.media import pcm, rtcp, rtp
from offhook.media.dtmf import DIGITS, DigitEnded, DtmfReceiver, EventPayload
from offhook.media.events import (
    DigitHeard,
    InterceptDigits,
    MediaFlowing,
    MediaSilent,
    Play,
    Played,
    QualityMeasured,
    Record,
    RecordingDone,
    SetRemote,
    SpeechStarted,
    StopRecording,
    Track,
    WatchSpeech,
)
from offhook.media.frames import FRAME_BYTES
from offhook.media.g711 import PCMA, PCMU, Law
from offhook.media.plane import LegSpec, PlaneLeg
from offhook.media.rtcp import SenderReport
from offhook.media.rtp import RtpPacket
from offhook.media.sources import Clip
from offhook.media.tones import tone

from .plane_contract import Ear, Peer, Rig, call, far_end_of, in_order


def speech(packets: int, seed: int = 1) -> bytes:
    """Octets of either law; no two packets alike, and none like silence."""
    return random.Random(seed).randbytes(160 * packets).replace(b"\xff", b"\x01").replace(b"\xd5", b"\x02")


@attrs.define(eq=False)
class Side:
    """One of the two legs."""

    leg: PlaneLeg
    peer: Peer
    ear: Ear

    @property
    def octets(self) -> bytes:
        return b"".join(packet.payload for packet in self.heard if packet.payload_type != 101)

    @property
    def heard(self) -> list[RtpPacket]:
        """What the phone has got so far."""
        self.peer.drain()
        return self.peer.heard

    @property
    def presses(self) -> list[tuple[str, int]]:
        """Keys that the phone's own receiver understands, and their lengths in samples."""
        receiver = DtmfReceiver()
        events = [packet for packet in self.heard if packet.payload_type == 101]
        heard = [event for packet in events for event in receiver.receive(packet, 0)]
        return [(event.digit, event.samples) for event in heard if isinstance(event, DigitEnded)]

    def forget(self) -> None:
        self.peer.drain()
        self.peer.heard.clear()


@attrs.define(eq=False)
class Two:
    """Two legs with their phones, and a third one that beats the time."""

    rig: Rig
    one: Side
    other: Side
    metronome: Peer

    async def beat(self, steps: int = 1) -> None:
        await self.metronome.receive(steps)

    async def talk(self, side: Side, octets: bytes, size: int = 160) -> None:
        """A phone talks, at the pace of real time."""
        sent = 0
        for start in range(0, len(octets), size):
            self.say(side, octets[start : start + size])
            sent += size
            while sent >= 160:
                await self.beat()
                sent -= 160

    async def both(self, first: bytes, second: bytes) -> None:
        for start in range(0, len(first), 160):
            self.say(self.one, first[start : start + 160])
            self.say(self.other, second[start : start + 160])
            await self.beat()

    def say(self, side: Side, octets: bytes) -> None:
        peer = side.peer
        data = rtp.build_plain(
            peer.law.payload_type, peer.sequence & 0xFFFF, peer.timestamp & 0xFFFF_FFFF, peer.ssrc, octets
        )
        peer.sequence += 1
        peer.timestamp += len(octets)
        peer.rtp.send_nowait(data, peer.leg)

    async def press(self, side: Side, digit: str, frames: int = 5) -> None:
        """A phone presses a key for that many frames."""
        peer = side.peer
        start = peer.timestamp
        for frame in range(1, frames + 1):
            payload = EventPayload(DIGITS.index(digit), frame == frames, 10, 160 * frame).build()
            for _ in range(3 if frame == frames else 1):
                data = rtp.build_plain(101, peer.sequence & 0xFFFF, start & 0xFFFF_FFFF, peer.ssrc, payload, frame == 1)
                peer.sequence += 1
                peer.rtp.send_nowait(data, peer.leg)
            peer.timestamp += 160
            await self.beat()

    def couple(self, *, one_way: bool = False) -> None:
        self.rig.plane.couple(self.one.leg, self.other.leg, one_way=one_way)

    async def flowing(self) -> None:
        """Both phones have been heard."""
        await self.both(b"\x11" * 800, b"\x22" * 800)
        await self.beat(2)
        self.one.forget()
        self.other.forget()


async def two(
    rig: Rig, first: Law = PCMU, second: Law = PCMU, *, coupled: bool = True, flowing: bool = True, **changes: object
) -> Two:
    """`changes` are of the second leg's agreement."""
    one = Side(*await call(rig, first))
    other = Side(*await call(rig, second, connected=False))
    other.leg.apply(SetRemote(other.peer.agreed(**changes)))
    made = Two(rig, one, other, (await call(rig))[1])
    if flowing:
        await made.flowing()
    if coupled:
        made.couple()
    return made


def steady(packets: Sequence[RtpPacket]) -> bool:
    """Whether each timestamp is where the packet before stops."""
    return all((b.timestamp - a.timestamp) & 0xFFFF_FFFF == len(a.payload) for a, b in itertools.pairwise(packets))


def channels_of(path: Path) -> tuple[bytes, bytes]:
    with wave.open(str(path)) as file:
        assert file.getnchannels() == 2
        pairs = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    return pairs[:, 0].tobytes(), pairs[:, 1].tobytes()


class BridgeContract:
    """Subclass it as `TestMyPlaneBridges` beside the fixtures `rig` and `plane_clock`."""

    @pytest.mark.parametrize("law", [PCMU, PCMA])
    async def test_octets_pass_unchanged_both_ways_without_a_gap(
        self, rig: Rig, plane_clock: Clock | None, law: Law
    ) -> None:
        made = await two(rig, law, law)
        first, second = bytes(range(256)) * 50, bytes(reversed(range(256))) * 50
        await made.both(first, second)
        await made.beat(2)
        assert first in made.other.octets
        assert second in made.one.octets
        for side in (made.one, made.other):
            assert in_order(side.heard)
            assert steady(side.heard)

    async def test_between_the_two_laws_octets_are_translated(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig, PCMU, PCMA)
        said = bytes(range(256)) * 25
        await made.both(said, said)
        await made.beat(2)
        assert PCMA.encode(PCMU.decode(said)) in made.other.octets
        assert PCMU.encode(PCMA.decode(said)) in made.one.octets
        assert {packet.payload_type for packet in made.other.heard} == {8}

    async def test_nothing_is_lost_at_the_moment_of_coupling_and_parting(
        self, rig: Rig, plane_clock: Clock | None
    ) -> None:
        made = await two(rig, coupled=False)
        said = speech(60)
        await made.talk(made.one, said[: 160 * 20])
        made.couple()
        await made.talk(made.one, said[160 * 20 : 160 * 40])
        rig.plane.uncouple(made.other.leg)
        await made.talk(made.one, said[160 * 40 :])
        await made.beat(3)
        passed = [packet.payload for packet in made.other.heard if packet.payload in said]
        assert len(passed) >= 19
        assert b"".join(passed) in said
        assert in_order(made.other.heard)
        assert steady(made.other.heard)
        assert made.other.heard[0].payload == made.other.heard[-1].payload == PCMU.silence * 160

    async def test_one_way_only_the_first_hears_until_both_do(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig, coupled=False)
        made.couple(one_way=True)
        first, second = speech(30, seed=1), speech(60, seed=2)
        await made.both(first, second[: 160 * 30])
        await made.press(made.one, "1")
        assert set(made.other.octets) == {0xFF}
        assert made.other.presses == []
        made.couple()
        made.couple()
        await made.both(first, second[160 * 30 :])
        await made.beat(3)
        assert first in made.other.octets
        assert second[: 160 * 29] in made.one.octets
        assert second[160 * 31 :] in made.one.octets
        assert in_order(made.one.heard)
        assert in_order(made.other.heard)

    async def test_an_announcement_comes_first_and_then_the_bridge_goes_on(
        self, rig: Rig, plane_clock: Clock | None
    ) -> None:
        made = await two(rig)
        clip = Clip(tone(440, length_ms=200))
        first, second = speech(50, seed=1), speech(50, seed=2)
        await made.both(first[:1600], second[:1600])
        made.other.leg.apply(Play("announcement", clip))
        await made.both(first[1600:], second[1600:])
        await made.beat(2)
        assert Played("announcement", whole=True) in made.other.ear.events
        assert PCMU.encode(clip.samples) in made.other.octets
        assert first[160 * 25 :] in made.other.octets
        assert second in made.one.octets  # who hears the announcement is heard meanwhile
        assert in_order(made.other.heard)

    async def test_without_packets_from_one_the_other_gets_silence(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig, flowing=False)
        await made.beat(30)
        assert len(made.other.heard) >= 28
        await made.talk(made.one, speech(10))
        await made.beat(30)
        assert speech(10) in made.other.octets
        assert made.other.octets.endswith(PCMU.silence * 160 * 15)
        assert in_order(made.other.heard)

    @pytest.mark.parametrize(("ptime_ms", "size"), [(60, 160), (20, 240), (30, 240), (10, 160)])
    async def test_each_side_gets_packets_of_the_length_it_asks_for(
        self, rig: Rig, plane_clock: Clock | None, ptime_ms: int, size: int
    ) -> None:
        made = await two(rig, flowing=False, ptime_ms=ptime_ms)
        said = speech(60)
        await made.talk(made.one, said, size)
        await made.beat(20)
        assert PCMU.encode(PCMU.decode(said)) in made.other.octets.replace(b"\x7f", b"\xff")
        assert {len(packet.payload) for packet in made.other.heard} == {8 * ptime_ms}
        assert in_order(made.other.heard)

    async def test_another_source_and_other_numbers_play_on(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig)
        made.one.peer.sequence = 65_530
        await made.talk(made.one, speech(20, seed=1))  # over the end of the numbers
        made.one.peer.ssrc, made.one.peer.sequence, made.one.peer.timestamp = 4242, 17, 2**32 - 400
        await made.talk(made.one, speech(20, seed=2))
        await made.beat(2)
        assert speech(20, seed=1) + speech(20, seed=2) in made.other.octets
        assert in_order(made.other.heard)
        assert steady(made.other.heard)

    @pytest.mark.parametrize("held", ["sendonly", "inactive", "recvonly", "zeros"])
    async def test_a_held_side_is_held_and_comes_back(self, rig: Rig, plane_clock: Clock | None, held: str) -> None:
        made = await two(rig)
        peer = made.one.peer
        match held:  # in the peer's own words
            case "sendonly":
                agreed = peer.agreed(send=False)
            case "inactive":
                agreed = peer.agreed(send=False, receive=False)
            case "recvonly":
                agreed = peer.agreed(receive=False)
            case _:
                agreed = peer.agreed(send=False, remote=None, remote_rtcp=None)
        made.one.leg.apply(SetRemote(agreed))
        await made.beat(2)
        made.one.forget()
        first, second = speech(20, seed=1), speech(20, seed=2)
        await made.both(first, second)
        await made.beat(2)
        assert (first[160:] in made.other.octets) is (held in ("sendonly", "zeros"))
        assert (second in made.one.octets) is (held == "recvonly")
        assert bool(made.one.heard) is (held == "recvonly")
        made.one.leg.apply(SetRemote(peer.agreed()))
        await made.both(first, second)
        await made.beat(2)
        assert first[160:] in made.other.octets
        assert second[160:] in made.one.octets
        assert in_order(made.one.heard)
        assert in_order(made.other.heard)

    async def test_a_codec_that_changes_is_followed(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig)
        await made.both(speech(10), speech(10))
        made.other.peer.law = PCMA
        made.other.leg.apply(SetRemote(made.other.peer.agreed()))
        await made.both(speech(20, seed=3), speech(20, seed=4))
        await made.beat(2)
        assert PCMA.encode(PCMU.decode(speech(20, seed=3)))[160:] in made.other.octets
        assert PCMU.encode(PCMA.decode(speech(20, seed=4)))[160:] in made.one.octets
        assert in_order(made.other.heard)

    async def test_a_peer_that_moves_is_followed(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig)
        await made.both(speech(5), speech(5))
        old = made.one.peer
        socket = await rig.peer_network.udp((rig.peer_host, 0))
        moved = attrs.evolve(old, rtp=socket if old.far is None else old.far.rtp(socket), heard=[])
        made.one.leg.apply(SetRemote(moved.agreed()))
        made.one.peer = moved
        await made.both(speech(20, seed=3), speech(20, seed=4))
        await made.beat(2)
        assert speech(20, seed=3)[160:] in made.other.octets
        assert speech(20, seed=4)[160:] in made.one.octets
        assert MediaFlowing(moved.rtp.local) in made.one.ear.events

    async def test_each_side_gets_reports_of_what_passed(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig)
        while True:
            await made.both(speech(1), speech(1))
            waiting = [side.peer.rtcp.recv_nowait() for side in (made.one, made.other)]
            if any(waiting):
                break
        for side, datagram in zip((made.one, made.other), waiting, strict=True):
            packets = rtcp.parse(datagram.data) if datagram is not None else None
            while packets is None:
                await made.both(speech(1), speech(1))
                late = side.peer.rtcp.recv_nowait()
                packets = rtcp.parse(late.data) if late is not None else None
            report = packets[0]
            assert isinstance(report, SenderReport)
            assert report.packets >= 5
            assert report.octets == 160 * report.packets
            assert report.blocks[0].ssrc == 77
            assert report.blocks[0].cumulative_lost == 0

    async def test_a_silent_side_is_told_and_the_other_is_not(self, rig: Rig, plane_clock: Clock | None) -> None:
        sides = []
        for silent_after_s in (0.5, None):
            ear = Ear()
            leg = await rig.plane.open(LegSpec(name="a leg", bind_host=rig.host, silent_after_s=silent_after_s), ear)
            peer = await far_end_of(leg, rig)
            leg.apply(SetRemote(peer.agreed()))
            sides.append(Side(leg, peer, ear))
        made = Two(rig, sides[0], sides[1], (await call(rig))[1])
        made.couple()
        await made.both(speech(5), speech(5))
        await made.talk(made.other, speech(60))
        assert len([event for event in sides[0].ear.events if isinstance(event, MediaSilent)]) == 1
        assert not [event for event in sides[1].ear.events if isinstance(event, MediaSilent)]

    async def test_when_one_side_ends_the_other_goes_on_alone(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig)
        await made.both(speech(20), speech(20))
        made.one.leg.close()
        await made.talk(made.other, speech(20))
        made.other.leg.apply(Play("goodbye", Clip(tone(440, length_ms=100))))
        await made.other.ear.wait(Played)
        await made.beat(3)
        assert PCMU.encode(tone(440, length_ms=100)) in made.other.octets
        assert in_order(made.other.heard)
        await made.one.leg.wait_closed()
        quality = made.one.ear.events[-1]
        assert isinstance(quality, QualityMeasured)
        assert quality.stats.packets_received == 25
        assert quality.stats.packets_lost == 0
        assert made.one.ear.failure is made.other.ear.failure is None

    # -------------------------------------------------------------------------------------------------- keys

    async def test_keys_cross_once_with_their_length_both_ways(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig)
        for digit in "159#":
            await made.press(made.one, digit)
            await made.both(speech(3), speech(3))
        for digit in "D0":
            await made.press(made.other, digit, 40)
            await made.both(speech(3), speech(3))
        await made.beat(5)
        assert made.other.presses == [(digit, 800) for digit in "159#"]
        assert made.one.presses == [(digit, 6400) for digit in "D0"]
        heard = [event for event in made.one.ear.events if isinstance(event, DigitHeard)]
        assert heard == [DigitHeard(digit, 100) for digit in "159#"]
        heard = [event for event in made.other.ear.events if isinstance(event, DigitHeard)]
        assert heard == [DigitHeard(digit, 800) for digit in "D0"]
        for side in (made.one, made.other):
            assert in_order(side.heard)
            ends = [packet for packet in side.heard if packet.payload_type == 101 and packet.payload[1] & 0x80]
            assert len(ends) == 3 * len(side.presses)

    async def test_a_press_begins_before_it_is_over(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig)
        pressing = made.one.peer
        for frame in range(1, 6):
            data = rtp.build_plain(101, pressing.sequence, 5000, 77, EventPayload(7, False, 10, 160 * frame).build())
            pressing.sequence += 1
            pressing.rtp.send_nowait(data, pressing.leg)
            await made.beat()
        await made.beat()
        assert [packet for packet in made.other.heard if packet.payload_type == 101]
        assert not [event for event in made.one.ear.events if isinstance(event, DigitHeard)]

    async def test_an_intercepted_key_is_told_and_does_not_cross(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig)
        made.one.leg.apply(InterceptDigits("*"))
        for digit in "1*2":
            await made.press(made.one, digit)
            await made.both(speech(3), speech(3))
        await made.beat(5)
        assert [digit for digit, _ in made.other.presses] == ["1", "2"]
        heard = [event.digit for event in made.one.ear.events if isinstance(event, DigitHeard)]
        assert heard == ["1", "*", "2"]

    async def test_a_side_that_takes_no_events_hears_tones(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig, event_type=None, event_receive_types=frozenset())
        await made.press(made.one, "5", 10)
        await made.beat(10)
        assert {packet.payload_type for packet in made.other.heard} == {0}
        loud = [packet for packet in made.other.heard if pcm.rms(PCMU.decode(packet.payload)) > 4000]
        assert 9 <= len(loud) <= 12
        assert in_order(made.other.heard)

    # --------------------------------------------------------------------------------------------- recording

    async def test_a_dual_recording_has_both_sides_in_step(
        self, rig: Rig, plane_clock: Clock | None, tmp_path: Path
    ) -> None:
        made = await two(rig, PCMU, PCMA)
        path = tmp_path / "dual.wav"
        made.one.leg.apply(Record("rec", path, Track.DUAL))
        first, second = speech(60, seed=1), speech(60, seed=2)
        await made.both(first, second)
        await made.beat(5)
        made.one.leg.apply(StopRecording())
        done = await made.one.ear.wait(RecordingDone)
        assert (done.error, done.lost_samples) == (None, 0)
        parent, child = channels_of(path)
        assert len(parent) == len(child) == round(done.duration_s * 16_000)
        assert PCMU.decode(first[: 160 * 50]) in parent
        assert PCMA.decode(second[: 160 * 50]) in child
        apart = parent.index(PCMU.decode(first[:160])) - child.index(PCMA.decode(second[:160]))
        assert abs(apart) <= 2 * FRAME_BYTES
        assert PCMA.encode(PCMU.decode(first))[160:] in made.other.octets

    async def test_both_sides_are_mixed_on_one_channel(
        self, rig: Rig, plane_clock: Clock | None, tmp_path: Path
    ) -> None:
        made = await two(rig)
        for number, track in enumerate((Track.BOTH, Track.INBOUND, Track.OUTBOUND)):
            made.one.leg.apply(Record(str(number), tmp_path / f"{number}.wav", track))
        await made.both(PCMU.encode(tone(300, length_ms=800)), PCMU.encode(tone(700, length_ms=800)))
        made.one.leg.close()
        await made.one.leg.wait_closed()
        parts = []
        for number in range(3):
            with wave.open(str(tmp_path / f"{number}.wav")) as file:
                assert file.getnchannels() == 1
                parts.append(file.readframes(file.getnframes()))
        assert parts[0] == pcm.add(parts[1], parts[2])
        assert pcm.rms(parts[1]) > 1000
        assert pcm.rms(parts[2]) > 1000

    async def test_silence_is_cut_off_both_channels_alike(
        self, rig: Rig, plane_clock: Clock | None, tmp_path: Path
    ) -> None:
        made = await two(rig)
        path = tmp_path / "dual.wav"
        made.one.leg.apply(Record("rec", path, Track.DUAL, trim=True))
        silence = PCMU.silence * 160 * 50
        sound = PCMU.encode(tone(300, length_ms=400))
        await made.both(silence + sound + PCMU.silence * 160 * 20 + silence, silence + silence + sound)
        await made.beat(60)
        made.one.leg.apply(StopRecording())
        done = await made.one.ear.wait(RecordingDone)
        parent, child = channels_of(path)
        assert len(parent) == len(child) == round(done.kept_s * 16_000)
        assert done.duration_s > 3
        assert done.kept_s == pytest.approx(0.4 + 0.6 + 0.4 + 0.2, abs=0.15)

    async def test_speech_is_told_of_a_leg_that_is_coupled(self, rig: Rig, plane_clock: Clock | None) -> None:
        made = await two(rig)
        made.one.leg.apply(WatchSpeech(True))
        await made.both(PCMU.silence * 160 * 20, PCMU.silence * 160 * 20)
        said = PCMU.encode(tone(440, length_ms=600))
        await made.talk(made.one, said)
        await made.one.ear.wait(SpeechStarted)
        await made.beat(2)
        assert said in made.other.octets
