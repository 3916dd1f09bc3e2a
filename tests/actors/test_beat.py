"""The beat plane: the contract of all planes, and what is its own: pacing, catching up, faults that stay alone."""

from __future__ import annotations

import itertools
import random
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from offhook.actors.guard import Policy, open_nest
from offhook.actors.mailbox import Mailbox
from offhook.actors.media import RandomMediaIds
from offhook.actors.messages.lifecycle import Stop
from offhook.actors.planes.beat import BURST, LONGEST_LAG, BeatPlane, PlaneActor
from offhook.actors.planes.beat_leg import BeatLeg
from offhook.actors.planes.disk import RecordingDisk
from offhook.media.events import Play, Played, Record, RecordingDone, SetRemote, StopRecording
from offhook.media.frames import FRAME_BYTES
from offhook.media.g711 import PCMU
from offhook.media.plane import LegSpec
from offhook.media.sdp import Keys
from offhook.media.sources import Clip, Reader
from offhook.testing.network import Conditions, FakeNetwork, Sent
from offhook.transport.network import Address, Network
from offhook.transport.rtp import NoFreePorts, PortRange, RtpPorts
from offhook.transport.trio_network import TrioNetwork, TrioUdpSocket

from .bridge_contract import BridgeContract
from .plane_contract import Ear, PlaneContract, call, in_order, ramp
from .sealed_socket import some_keys


async def at_once(function: Callable[[], None], /) -> None:
    """In place of the worker thread, while which virtual time would run away."""
    await trio.lowlevel.checkpoint()
    function()


@attrs.define(eq=False)
class BeatRig:
    """A beat plane on a fake network."""

    network: FakeNetwork
    plane: BeatPlane
    host: str
    peer_host: str
    peer_network: Network
    next_keys: Iterator[Keys | None] = attrs.field(factory=lambda: itertools.repeat(None))

    def keys(self) -> Keys | None:
        return next(self.next_keys)


def beat_rig(seed: int = 1, ports: str = "20000-20999") -> BeatRig:
    # Off the beat, so that nothing depends on which of two tasks at the same instant runs first.
    network = FakeNetwork(seed=seed, conditions=Conditions(delay_s=0.007))
    server = network.host("10.0.0.1")
    rng = random.Random(seed)
    plane = BeatPlane(
        RtpPorts(server, PortRange.parse(ports), rng.randrange),
        RandomMediaIds(rng),
        unix_time=lambda: trio.current_time() + 1_700_000_000,
        disk=RecordingDisk(at_once),
    )
    return BeatRig(network, plane, "10.0.0.1", "10.0.0.2", network.host("10.0.0.2"))


@pytest.fixture
async def rig(nursery: trio.Nursery, autojump_clock: MockClock) -> BeatRig:
    made = beat_rig()
    nursery.start_soon(made.plane.run)
    return made


@pytest.fixture
def plane_clock(autojump_clock: MockClock) -> MockClock:
    return autojump_clock


class TestBeatPlane(PlaneContract):
    """Everything that any plane must do."""


class TestBeatPlaneBridges(BridgeContract):
    """And with two legs."""


def keys_for(*secure: bool) -> Iterator[Keys | None]:
    """For leg after leg: encrypted or clear, in that order, over and over."""
    rng = random.Random(7)
    return (some_keys(rng) if each else None for each in itertools.cycle(secure))


class TestBeatPlaneWithEncryptedLegs(PlaneContract):
    """The same with SRTP."""

    @pytest.fixture(autouse=True)
    def _secure(self, rig: BeatRig) -> None:
        rig.next_keys = keys_for(True)


class TestBeatPlaneBridgesOfEncryptedLegs(BridgeContract):
    """Both legs under keys of their own."""

    @pytest.fixture(autouse=True)
    def _secure(self, rig: BeatRig) -> None:
        rig.next_keys = keys_for(True)


class TestBeatPlaneBridgesOfAnEncryptedAndAClearLeg(BridgeContract):
    """One of the two is clear."""

    @pytest.fixture(autouse=True)
    def _secure(self, rig: BeatRig) -> None:
        rig.next_keys = keys_for(True, False)


def packet_times(rig: BeatRig) -> list[float]:
    times: list[float] = []

    def note(sent: Sent) -> None:
        if sent.source[0] == rig.host and sent.source[1] % 2 == 0:
            times.append(sent.at)

    rig.network.taps.append(note)
    return times


async def test_packets_keep_to_the_beat_for_ten_minutes_without_drift(rig: BeatRig, autojump_clock: MockClock) -> None:
    times = packet_times(rig)
    leg, _, _ = await call(rig)
    start = trio.current_time()
    await trio.sleep(600)
    assert len(times) == pytest.approx(30_000, abs=1)
    assert times[-1] - times[0] == pytest.approx(0.02 * (len(times) - 1), abs=1e-6)
    assert times[-1] - start == pytest.approx(600, abs=0.021)
    leg.close()


async def test_without_legs_the_beat_sleeps_and_with_the_next_one_it_wakes(
    rig: BeatRig, autojump_clock: MockClock
) -> None:
    times = packet_times(rig)
    for _ in range(2):
        leg, _, _ = await call(rig)
        await trio.sleep(1)
        leg.close()
        assert len(times) == pytest.approx(50, abs=2)
        times.clear()
        await trio.sleep(1)
        await trio.testing.wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().seconds_to_next_deadline > 0.1
    assert times == []


@pytest.mark.parametrize("late_beats", [7, LONGEST_LAG - 1])
async def test_a_late_beat_is_made_up_for_in_small_bursts(
    rig: BeatRig, autojump_clock: MockClock, late_beats: int
) -> None:
    times = packet_times(rig)
    _, peer, _ = await call(rig)
    await peer.receive(5)
    autojump_clock.jump(0.02 * late_beats)
    packets = await peer.receive(late_beats + 30)
    assert in_order(peer.heard)
    assert all(b.timestamp - a.timestamp == 160 for a, b in itertools.pairwise(packets))
    assert max(times.count(at) for at in times) <= BURST
    assert times[-1] - times[0] == pytest.approx(0.02 * (len(times) - 1), abs=0.03)


async def test_a_machine_that_slept_skips_what_nobody_waits_for(rig: BeatRig, autojump_clock: MockClock) -> None:
    leg, peer, _ = await call(rig)
    await peer.receive(5)
    autojump_clock.jump(3600)
    packets = await peer.receive(100)
    assert in_order(peer.heard)
    assert rig.plane.beats_skipped == pytest.approx(3600 * 50 - LONGEST_LAG, abs=2)
    assert packets[-1].timestamp - peer.heard[0].timestamp == pytest.approx(160 * (3600 * 50 + 50), abs=160 * 60)
    leg.close()


class BrokenReader:
    def read(self, size: int) -> bytes:
        raise ZeroDivisionError("a source with a bug")


class BrokenSource:
    def open(self) -> Reader:
        return BrokenReader()


async def test_fifty_legs_and_one_that_raises_leave_forty_nine_complete(
    rig: BeatRig, autojump_clock: MockClock, tmp_path: Path
) -> None:
    legs = [await call(rig) for _ in range(50)]
    clip = Clip(ramp(50))
    for number, (leg, _, _) in enumerate(legs):
        leg.apply(Record("rec", tmp_path / f"{number}.wav"))
        leg.apply(Play("clip", clip))
    await legs[0][1].receive(10)
    broken, _, broken_ear = legs[17]
    broken.apply(Play("bug", BrokenSource()))
    error = await broken_ear.wait_failure()
    assert isinstance(error, ZeroDivisionError)
    # The broken leg's recording is closed too, with all that was in it.
    assert (await broken_ear.wait(RecordingDone)).error is None
    await trio.sleep(1)
    durations = set()
    for number, (leg, peer, ear) in enumerate(legs):
        if number == 17:
            continue
        leg.apply(StopRecording())
        durations.add((await ear.wait(RecordingDone)).duration_s)
        peer.drain()
        assert in_order(peer.heard)
        assert PCMU.decode(PCMU.encode(clip.samples)) in peer.audio(peer.heard)
        assert Played("clip", whole=True) in ear.events
        assert ear.failure is None
    assert len(durations) <= 2  # every leg has the same beats


async def test_a_packet_that_breaks_a_session_takes_out_its_leg_alone(
    rig: BeatRig, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, bad_peer, bad_ear = await call(rig)
    _, peer, _ = await call(rig)
    assert isinstance(bad, BeatLeg)

    def receive(data: bytes, source: tuple[str, int], now: float) -> None:
        raise KeyError("a parser with a bug")

    monkeypatch.setattr(bad.inlets[0], "receive", receive)
    bad_peer.send(bytes(160))
    assert isinstance(await bad_ear.wait_failure(), KeyError)
    await peer.receive(20)
    assert in_order(peer.heard)


async def test_a_crash_of_the_beat_itself_leaves_the_legs_in_place(autojump_clock: MockClock) -> None:
    rig = beat_rig()
    mailbox = Mailbox[Stop]("plane", 4)
    async with open_nest("test") as nest:
        nest.start_made(mailbox, lambda: PlaneActor(mailbox, rig.plane), policy=Policy.RESTART)
        _, peer, _ = await call(rig)
        await peer.receive(5)
        rig.plane._legs[None] = None  # type: ignore[index]  # a plane that is broken inside
        await trio.sleep(0.05)
        del rig.plane._legs[None]  # type: ignore[arg-type]  # and is not any more when it is started again
        await trio.sleep(1)
        peer.drain()
        await peer.receive(20)
        assert in_order(peer.heard)
        mailbox.ref.post(Stop("the test is over"))
        assert await nest.wait_empty(trio.current_time() + 10)


async def test_a_slow_disk_holds_up_no_packet_and_loses_no_sample(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    rig = beat_rig()
    stuck = trio.Event()

    async def slow(function: Callable[[], None], /) -> None:
        await stuck.wait()
        function()

    rig.plane.disk.in_thread = slow
    nursery.start_soon(rig.plane.run)
    leg, peer, ear = await call(rig)
    leg.apply(Record("rec", tmp_path / "a.wav"))
    await peer.receive(50 * 20)
    assert in_order(peer.heard)
    stuck.set()
    leg.apply(StopRecording("rec"))
    done = await ear.wait(RecordingDone)
    assert done.lost_samples == 0
    assert done.duration_s == pytest.approx(20, abs=0.1)
    assert (tmp_path / "a.wav").stat().st_size == 44 + round(done.duration_s * 16_000)


async def test_a_disk_that_is_full_for_a_while_costs_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = beat_rig()
    nursery.start_soon(rig.plane.run)
    leg, peer, ear = await call(rig)
    leg.apply(Record("rec", tmp_path / "a.wav"))
    await peer.receive(60)
    with monkeypatch.context() as patch:

        def full(fd: int, data: bytes, at: int) -> int:
            raise OSError(28, "No space left on device")

        patch.setattr("os.pwrite", full)
        await peer.receive(100)
    await peer.receive(60)
    leg.apply(StopRecording("rec"))
    done = await ear.wait(RecordingDone)
    assert done.error is None
    assert (tmp_path / "a.wav").stat().st_size == 44 + round(done.duration_s * 16_000)


async def test_recordings_are_finished_when_the_plane_is_stopped(autojump_clock: MockClock, tmp_path: Path) -> None:
    rig = beat_rig()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.plane.run)
        leg, peer, _ = await call(rig)
        leg.apply(Record("rec", tmp_path / "a.wav"))
        await peer.say(ramp(40))
        leg.close()
        nursery.cancel_scope.cancel()
    assert (tmp_path / "a.wav").stat().st_size >= 44 + 39 * FRAME_BYTES


async def test_silence_is_cut_off_a_recording_where_asked(
    rig: BeatRig, autojump_clock: MockClock, tmp_path: Path
) -> None:
    leg, peer, ear = await call(rig)
    leg.apply(Record("rec", tmp_path / "a.wav", trim=True))
    await peer.say(bytes(50 * FRAME_BYTES) + ramp(50) + bytes(50 * FRAME_BYTES))
    leg.apply(StopRecording())
    done = await ear.wait(RecordingDone)
    assert done.duration_s == pytest.approx(3.0, abs=0.1)
    assert done.kept_s == pytest.approx(1.2, abs=0.15)


async def test_without_free_ports_no_leg_is_opened(autojump_clock: MockClock) -> None:
    rig = beat_rig(ports="20000-20003")
    legs = [await call(rig, connected=False) for _ in range(2)]
    with pytest.raises(NoFreePorts):
        await call(rig, connected=False)
    legs[0][0].close()
    again, _, _ = await call(rig, connected=False)
    assert again.rtp_address == legs[0][0].rtp_address


async def test_an_address_without_a_route_is_not_the_leg_s_fault(rig: BeatRig, autojump_clock: MockClock) -> None:
    leg, peer, ear = await call(rig, connected=False)
    leg.apply(SetRemote(peer.agreed(remote=("2001:db8::1", 4000))))  # no IPv6 way from an IPv4 socket
    await trio.sleep(0.1)
    assert ear.failure is None
    leg.apply(SetRemote(peer.agreed()))
    assert in_order(await peer.receive(10))


async def test_a_leg_of_another_plane_cannot_be_coupled(rig: BeatRig, autojump_clock: MockClock) -> None:
    leg, _, _ = await call(rig, connected=False)
    other, _, _ = await call(beat_rig(seed=2), connected=False)
    with pytest.raises(ValueError, match="no leg of this plane"):
        rig.plane.couple(leg, other)


class WatchedSocket(TrioUdpSocket):
    """A real socket that the kernel can watch for the plane."""

    def fileno(self) -> int:
        return self._socket.fileno()


class WatchedNetwork(TrioNetwork):
    """Whose sockets are watched by descriptor, as against looked at on each beat."""

    async def udp(
        self, address: Address, *, receive_buffer_bytes: int = 65_536, max_datagram: int = 2048
    ) -> WatchedSocket:
        await trio.lowlevel.checkpoint()
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(address)
        return WatchedSocket(sock, max_datagram)


@pytest.mark.wire
@pytest.mark.parametrize("network", [TrioNetwork(), WatchedNetwork()])
async def test_on_real_sockets_packets_flow_both_ways(network: Network, tmp_path: Path) -> None:
    ports = RtpPorts(network, PortRange(40_000, 49_999))
    plane = BeatPlane(ports, RandomMediaIds(), unix_time=lambda: 1_700_000_000.0)
    made = BeatRig(FakeNetwork(), plane, "127.0.0.1", "127.0.0.1", network)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(plane.run)
        leg, peer, ear = await call(made)
        plane.couple(leg, leg)
        leg.apply(Record("rec", tmp_path / "a.wav"))
        said = ramp(25)
        for at in range(0, len(said), FRAME_BYTES):  # an echo comes at once and is no measure of time
            peer.send(PCMU.encode(said[at : at + FRAME_BYTES]))
            await trio.sleep(0.02)
        await peer.receive(25)
        await trio.sleep(0.1)
        peer.drain()
        assert in_order(peer.heard)
        assert PCMU.decode(PCMU.encode(said[: 10 * FRAME_BYTES])) in peer.audio(peer.heard)
        assert ear.failure is None
        leg.close()
        await leg.wait_closed()
        assert (tmp_path / "a.wav").stat().st_size > 44 + 25 * FRAME_BYTES
        peer.rtp.close()
        peer.rtcp.close()
        nursery.cancel_scope.cancel()


def test_the_disk_s_thread_is_an_awaitable_of_a_function() -> None:
    runner: Callable[[Callable[[], None]], Awaitable[None]] = at_once
    assert RecordingDisk(runner).in_thread is at_once


async def test_a_leg_that_is_closed_takes_no_orders(rig: BeatRig, autojump_clock: MockClock, tmp_path: Path) -> None:
    ear = Ear()
    leg = await rig.plane.open(LegSpec(name="unconnected", bind_host=rig.host), ear)
    leg.close()
    leg.apply(Record("rec", tmp_path / "never.wav"))
    await leg.wait_closed()
    assert not (tmp_path / "never.wav").exists()
    assert ear.events == []
