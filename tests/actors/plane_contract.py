"""What every media plane must do, as tests.

A plane's own test file subclasses `PlaneContract` and has two fixtures for it: `rig`, and `plane_clock`, which is
trio's `autojump_clock` for a plane that runs on virtual time and None for one that does not.

The tests wait for packets and events, never for time, so that they hold on virtual time as on the real one.
"""

from __future__ import annotations

import itertools
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import attrs
import pytest
import trio
from trio.abc import Clock

from offhook.media import rtcp, rtp
from offhook.media.events import (
    DigitHeard,
    Feed,
    MediaEvent,
    MediaFlowing,
    Play,
    Played,
    QualityMeasured,
    Record,
    RecordingDone,
    SendDigits,
    SetRemote,
    StopPlaying,
    StopRecording,
    Tap,
    Track,
)
from offhook.media.frames import FRAME_BYTES
from offhook.media.g711 import PCMA, PCMU, Law
from offhook.media.plane import LegSpec, MediaPlane, PlaneLeg
from offhook.media.rtcp import RtcpPacket
from offhook.media.rtp import RtpPacket
from offhook.media.sdp import Agreed, Keys
from offhook.media.sinks import Ring
from offhook.media.sources import Clip, Silence
from offhook.transport.network import Address, Network, UdpSocket

from .sealed_socket import FarEnd

PATIENCE_S = 30.0
"""On the rig's clock; nothing here takes nearly as long."""

E = TypeVar("E")


class Rig(Protocol):
    """A running plane, and a machine beside it that calls it."""

    @property
    def plane(self) -> MediaPlane: ...

    @property
    def host(self) -> str:
        """Where the plane's legs bind."""
        ...

    @property
    def peer_host(self) -> str: ...

    @property
    def peer_network(self) -> Network: ...

    def keys(self) -> Keys | None:
        """For the next leg; None: its media is clear."""
        ...


@attrs.define(eq=False)
class Ear:
    """A leg's listener that keeps what it is told."""

    events: list[MediaEvent] = attrs.field(factory=list)
    batches: list[int] = attrs.field(factory=list)
    failure: Exception | None = None
    on_events: Callable[[Sequence[MediaEvent]], None] | None = None
    _changed: trio.Event = attrs.field(factory=trio.Event)

    def media_events(self, events: Sequence[MediaEvent]) -> None:
        self.events += events
        self.batches.append(len(events))
        self._wake()
        if self.on_events is not None:
            self.on_events(events)

    def media_failed(self, error: Exception) -> None:
        self.failure = error
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def wait(self, kind: type[E]) -> E:
        """The first event of that kind, now or to come."""
        with trio.fail_after(PATIENCE_S):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        return event
                await self._changed.wait()

    async def wait_failure(self) -> Exception:
        with trio.fail_after(PATIENCE_S):
            while self.failure is None:
                await self._changed.wait()
        return self.failure


@attrs.define(eq=False)
class Peer:
    """The far end of one leg: two sockets and a numbering of its own."""

    rtp: UdpSocket
    rtcp: UdpSocket
    law: Law = PCMU
    leg: Address = ("", 0)
    ssrc: int = 77
    sequence: int = 1000
    timestamp: int = 5000
    far: FarEnd | None = None
    """Where the media is encrypted."""
    heard: list[RtpPacket] = attrs.field(factory=list)

    def agreed(self, **changes: object) -> Agreed:
        usual = Agreed(
            codec=self.law,
            payload_type=self.law.payload_type,
            receive_types={0: PCMU, 8: PCMA},
            event_type=101,
            event_receive_types=frozenset({101}),
            remote=self.rtp.local,
            remote_rtcp=self.rtcp.local,
            send=True,
            receive=True,
            ptime_ms=20,
            media_index=0,
            keys=None if self.far is None else self.far.keys,
        )
        return attrs.evolve(usual, **changes)  # type: ignore[arg-type]  # each test names real fields

    async def receive(self, count: int) -> list[RtpPacket]:
        """The next `count` packets of the leg."""
        fresh: list[RtpPacket] = []
        with trio.fail_after(PATIENCE_S):
            while len(fresh) < count:
                datagram = self.rtp.recv_nowait()
                if datagram is None:
                    await self.rtp.readable()
                    continue
                assert datagram.remote == self.leg
                fresh.append(rtp.parse(datagram.data))
        self.heard += fresh
        return fresh

    def drain(self) -> list[RtpPacket]:
        """What has arrived and was not asked for yet."""
        fresh = []
        while (datagram := self.rtp.recv_nowait()) is not None:
            fresh.append(rtp.parse(datagram.data))
        self.heard += fresh
        return fresh

    async def say(self, samples: bytes) -> None:
        """Send samples in step with the leg's own packets."""
        for at in range(0, len(samples), FRAME_BYTES):
            self.send(self.law.encode(samples[at : at + FRAME_BYTES]))
            await self.receive(1)

    def send(self, payload: bytes, payload_type: int | None = None) -> None:
        number = self.law.payload_type if payload_type is None else payload_type
        data = rtp.build_plain(number, self.sequence & 0xFFFF, self.timestamp, self.ssrc, payload)
        self.sequence += 1
        self.timestamp += 160
        self.rtp.send_nowait(data, self.leg)

    async def report(self) -> list[RtcpPacket]:
        with trio.fail_after(PATIENCE_S):
            while (datagram := self.rtcp.recv_nowait()) is None:
                await self.rtcp.readable()
        return rtcp.parse(datagram.data)

    def audio(self, packets: Sequence[RtpPacket]) -> bytes:
        return b"".join(self.law.decode(packet.payload) for packet in packets)


def ramp(frames: int, start: int = 0) -> bytes:
    """Samples that say where they stand, and survive either law well enough to be told apart."""
    return b"".join(
        ((number * 37) % 16_000 - 8_000).to_bytes(2, "little", signed=True)
        for number in range(start, start + frames * FRAME_BYTES // 2)
    )


def in_order(packets: Sequence[RtpPacket]) -> bool:
    """Whether the sequence numbers have neither gap nor repetition."""
    return all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in itertools.pairwise(packets))


async def far_end_of(leg: PlaneLeg, rig: Rig, law: Law = PCMU) -> Peer:
    keys = rig.keys()
    far = None if keys is None else FarEnd(keys)
    rtp_socket = await rig.peer_network.udp((rig.peer_host, 0))
    rtcp_socket = await rig.peer_network.udp((rig.peer_host, 0))
    return Peer(
        rtp_socket if far is None else far.rtp(rtp_socket),
        rtcp_socket if far is None else far.rtcp(rtcp_socket),
        law=law,
        leg=(rig.host, leg.rtp_address[1]),
        far=far,
    )


async def call(rig: Rig, law: Law = PCMU, connected: bool = True) -> tuple[PlaneLeg, Peer, Ear]:
    """A leg with its far end and its listener; packets flow when `connected`."""
    ear = Ear()
    leg = await rig.plane.open(LegSpec(name="a leg", bind_host=rig.host), ear)
    peer = await far_end_of(leg, rig, law)
    if connected:
        leg.apply(SetRemote(peer.agreed()))
    return leg, peer, ear


class PlaneContract:
    """Subclass it as `TestMyPlane` beside the fixtures `rig` and `plane_clock`."""

    async def test_a_leg_takes_an_even_port_and_the_odd_one_above(self, rig: Rig, plane_clock: Clock | None) -> None:
        leg, _, _ = await call(rig, connected=False)
        assert leg.rtp_address[1] % 2 == 0
        assert leg.rtcp_address[1] == leg.rtp_address[1] + 1

    async def test_silence_flows_from_the_first_remote_on_without_a_gap(
        self, rig: Rig, plane_clock: Clock | None
    ) -> None:
        _, peer, _ = await call(rig)
        packets = await peer.receive(50)
        assert in_order(packets)
        assert {packet.payload for packet in packets} == {PCMU.silence * 160}
        assert [packet.timestamp - packets[0].timestamp for packet in packets] == [160 * step for step in range(50)]

    @pytest.mark.parametrize("law", [PCMU, PCMA])
    async def test_a_clip_is_heard_sample_by_sample(self, rig: Rig, plane_clock: Clock | None, law: Law) -> None:
        leg, peer, ear = await call(rig, law)
        clip = Clip(ramp(25))
        leg.apply(Play("clip", clip))
        assert await ear.wait(Played) == Played("clip", whole=True)
        packets = await peer.receive(27)
        assert law.decode(law.encode(clip.samples)) in peer.audio(packets)

    async def test_stopping_cuts_a_clip_short(self, rig: Rig, plane_clock: Clock | None) -> None:
        leg, peer, ear = await call(rig)
        leg.apply(Play("clip", Silence()))
        await peer.receive(3)
        leg.apply(StopPlaying("clip"))
        assert await ear.wait(Played) == Played("clip", whole=False)

    async def test_digits_go_out_and_come_in(self, rig: Rig, plane_clock: Clock | None) -> None:
        leg, peer, ear = await call(rig)
        _, other_peer, other_ear = await call(rig)
        leg.apply(SendDigits("digits", "5#"))
        while not any(isinstance(event, Played) for event in ear.events):
            for packet in await peer.receive(1):
                if packet.payload_type == 101:
                    data = attrs.evolve(packet, ssrc=77)
                    other_peer.rtp.send_nowait(rtp.build(data), other_peer.leg)
        await other_peer.receive(20)
        assert [event.digit for event in other_ear.events if isinstance(event, DigitHeard)] == ["5", "#"]

    async def test_the_first_packet_of_the_peer_is_told_once(self, rig: Rig, plane_clock: Clock | None) -> None:
        _, peer, ear = await call(rig)
        await peer.say(ramp(10))
        assert [event for event in ear.events if isinstance(event, MediaFlowing)] == [MediaFlowing(peer.rtp.local)]

    async def test_a_recording_holds_what_the_peer_said(
        self, rig: Rig, plane_clock: Clock | None, tmp_path: Path
    ) -> None:
        leg, peer, ear = await call(rig)
        said = ramp(60)
        path = tmp_path / "said.wav"
        leg.apply(Record("rec", path))
        await peer.say(said)
        await peer.receive(15)
        leg.apply(StopRecording("rec"))
        done = await ear.wait(RecordingDone)
        assert (done.id, done.path, done.lost_samples, done.error) == ("rec", path, 0, None)
        with wave.open(str(path)) as file:
            samples = file.readframes(file.getnframes())
        assert len(samples) == round(done.duration_s * 16_000)
        assert PCMU.decode(PCMU.encode(said[: 50 * FRAME_BYTES])) in samples

    async def test_a_recording_survives_the_leg(self, rig: Rig, plane_clock: Clock | None, tmp_path: Path) -> None:
        leg, peer, ear = await call(rig)
        leg.apply(Record("rec", tmp_path / "a.wav"))
        await peer.say(ramp(20))
        leg.close()
        leg.close()
        await leg.wait_closed()
        done = await ear.wait(RecordingDone)
        assert done.error is None
        assert done.duration_s >= 0.36
        assert isinstance(ear.events[-1], QualityMeasured)

    async def test_a_recording_that_cannot_be_written_says_so(
        self, rig: Rig, plane_clock: Clock | None, tmp_path: Path
    ) -> None:
        leg, peer, ear = await call(rig)
        leg.apply(Record("rec", tmp_path / "missing" / "a.wav"))
        await peer.receive(5)
        leg.apply(StopRecording())
        assert (await ear.wait(RecordingDone)).error is not None
        assert in_order(await peer.receive(5))

    async def test_coupled_legs_hear_each_other_until_they_are_uncoupled(
        self, rig: Rig, plane_clock: Clock | None
    ) -> None:
        one, one_peer, _ = await call(rig)
        other, other_peer, _ = await call(rig, PCMA)
        rig.plane.couple(one, other)
        rig.plane.couple(other, one)  # both sides ask for it
        said = ramp(40)
        await one_peer.say(said)
        await other_peer.receive(50)
        through = PCMA.decode(PCMA.encode(PCMU.decode(PCMU.encode(said[: 30 * FRAME_BYTES]))))
        assert through in other_peer.audio(other_peer.heard)
        rig.plane.uncouple(other)
        await other_peer.receive(15)
        await one_peer.say(said)
        assert other_peer.audio(await other_peer.receive(20)) == PCMA.decode(PCMA.silence * 160) * 20

    async def test_a_leg_coupled_with_itself_is_an_echo(self, rig: Rig, plane_clock: Clock | None) -> None:
        leg, peer, _ = await call(rig)
        rig.plane.couple(leg, leg)
        said = ramp(40)
        await peer.say(said)
        await peer.receive(15)
        assert PCMU.decode(PCMU.encode(said[: 30 * FRAME_BYTES])) in peer.audio(peer.heard)

    async def test_a_tap_gets_frames_and_fed_samples_are_played(self, rig: Rig, plane_clock: Clock | None) -> None:
        leg, peer, _ = await call(rig)
        ring = Ring(capacity=100)
        leg.apply(Tap(ring, Track.OUTBOUND))
        fed = ramp(5)
        leg.apply(Feed(fed))
        packets = await peer.receive(10)
        assert PCMU.decode(PCMU.encode(fed)) in peer.audio(packets)
        assert fed in b"".join(ring.take_all())

    async def test_closing_says_good_bye_and_frees_the_ports(self, rig: Rig, plane_clock: Clock | None) -> None:
        leg, peer, ear = await call(rig)
        await peer.receive(3)
        leg.close()
        await leg.wait_closed()
        while not any(isinstance(packet, rtcp.Goodbye) for packet in await peer.report()):
            pass
        assert isinstance(ear.events[-1], QualityMeasured)
        assert ear.failure is None
        peer.drain()
        _, other_peer, _ = await call(rig)
        await other_peer.receive(10)
        assert peer.drain() == []

    async def test_a_leg_whose_owner_raises_is_taken_out_alone(self, rig: Rig, plane_clock: Clock | None) -> None:
        bad, bad_peer, bad_ear = await call(rig)
        good, good_peer, good_ear = await call(rig)

        def refuse(events: Sequence[MediaEvent]) -> None:
            raise RuntimeError("the call is stuck")

        bad_ear.on_events = refuse
        await bad_peer.receive(5)
        bad.apply(Play("clip", Silence(40)))
        good.apply(Play("clip", Clip(ramp(20))))
        error = await bad_ear.wait_failure()
        assert str(error) == "the call is stuck"
        await bad.wait_closed()
        await good_ear.wait(Played)
        await good_peer.receive(30)
        assert in_order(good_peer.heard)
        assert PCMU.decode(PCMU.encode(ramp(20))) in good_peer.audio(good_peer.heard)
        bad_peer.drain()
        await good_peer.receive(5)
        assert bad_peer.drain() == []

    async def test_events_come_in_batches(self, rig: Rig, plane_clock: Clock | None) -> None:
        leg, peer, ear = await call(rig)
        for number in range(20):
            leg.apply(Play(str(number), Silence(0)))
        await peer.receive(3)
        assert ear.batches == [20]
