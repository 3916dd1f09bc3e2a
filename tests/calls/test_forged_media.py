"""Somebody on the network who has no key sends SRTP and SRTCP into live calls, and nobody notices."""

from __future__ import annotations

import array
import random
from collections import deque
from pathlib import Path

import attrs
import trio
from trio.testing import MockClock

from offhook.actors.media import RandomMediaIds
from offhook.actors.messages.events import CallEnded, DigitsHeard, QualityMeasured
from offhook.actors.planes.beat import BeatPlane
from offhook.actors.planes.beat_leg import BeatLeg
from offhook.media.frames import FRAME_S
from offhook.media.sources import Clip
from offhook.media.srtp import is_rtp_like
from offhook.testing.listen import match
from offhook.testing.network import Sent
from offhook.testing.phone import Phone, PhoneCall
from offhook.testing.speech import tone, wav
from offhook.testing.web import Answer, twiml
from offhook.transport.network import Address, UdpSocket

from ..media.forgeries import Forger
from .kit import SERVER, phone_at
from .office import BOB_HOST
from .safe import safe_office

ATTACKER, DORA_HOST = "10.6.6.6", "10.0.0.10"
DATAGRAMS = 100_000
QUIET = 0.1
"""Level of all that is said in these calls; what is forged is at full scale."""
SONG, ALICES, BOBS, DORAS = (tone(2000, hertz, QUIET) for hertz in (400, 600, 900, 1100))
LOUDEST = 5000
"""Above everything that is said, and far below what is forged."""
REMEMBERED = 300
"""Datagrams that the attacker keeps of each leg."""


class LateIds(RandomMediaIds):
    """Numberings that wrap after ten seconds."""

    def sequence(self) -> int:
        return 0xFFFF - 510


@attrs.define(eq=False)
class Target:
    """One encrypted leg of the server, and what the attacker knows of it."""

    leg: BeatLeg
    rtp: UdpSocket
    """The very socket of its peer: the attacker can forge addresses."""
    rtcp: UdpSocket
    newest: bytes = b""
    seen: deque[bytes] = attrs.field(factory=lambda: deque(maxlen=REMEMBERED))
    reports: deque[bytes] = attrs.field(factory=lambda: deque(maxlen=REMEMBERED))
    sent: int = 0
    expected: int = 0
    """Those that must be counted as refused: what is no RTP at all is not, and reports from an address that is no party
    to the call are not even looked at."""

    @property
    def refused(self) -> int:
        assert self.leg.session._srtp is not None
        return self.leg.session._srtp.refused


@attrs.define(eq=False)
class Attack:
    """Overhears the whole wire, and sends what a `Forger` makes of it."""

    stranger: UdpSocket
    targets: list[Target]
    forger: Forger = attrs.field(factory=lambda: Forger(random.Random(11)))
    _own: bool = False

    def __call__(self, sent: Sent) -> None:
        if self._own:
            return
        for target in self.targets:
            ways: tuple[Address, Address] = (sent.source, sent.target)
            if (SERVER, target.leg.rtp_address[1]) in ways:
                target.seen.append(sent.data)
                if sent.target[0] == SERVER:
                    target.newest = sent.data
            elif (SERVER, target.leg.rtcp_address[1]) in ways:
                target.reports.append(sent.data)

    def strike(self) -> None:
        """Ten datagrams for each leg."""
        self._own = True
        for target in self.targets:
            port, control = (SERVER, target.leg.rtp_address[1]), (SERVER, target.leg.rtcp_address[1])
            seen = [*target.seen, *self.forger.rng.choice(self.targets).seen]
            for socket in (target.rtp, target.rtp, target.rtp, target.rtp, self.stranger, self.stranger, self.stranger):
                packet = self.forger.packet(seen, target.newest)
                target.expected += is_rtp_like(packet)
                socket.send_nowait(packet, port)
            ssrc = int.from_bytes(target.newest[8:12], "big")
            for socket in (target.rtcp, target.rtcp, self.stranger):
                report = self.forger.report(target.reports, ssrc)
                target.expected += socket is target.rtcp and is_rtp_like(report)
                socket.send_nowait(report, control)
            target.sent += 10
        self._own = False


def targets_of(plane: object, phones: list[Phone]) -> list[Target]:
    """The server's encrypted legs, each with its peer's leg."""
    assert isinstance(plane, BeatPlane)
    peers = {leg.rtp_address: leg for phone in phones for leg in phone.plane._legs}
    found = []
    for leg in plane._legs:
        destination = leg.session._lock.destination
        if leg.session._srtp is not None and destination is not None:
            peer = peers[destination]
            found.append(Target(leg, peer.ports.rtp, peer.ports.rtcp))
    return found


def loudest(samples: bytes) -> int:
    numbers = array.array("h", samples)
    return max(max(numbers), -min(numbers))


async def keep_saying(call: PhoneCall, samples: bytes, until: trio.Event) -> None:
    while not until.is_set():
        await call.say(Clip(samples))


async def test_a_hundred_thousand_forged_packets_end_no_call_and_are_heard_by_nobody(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Five encrypted legs: one hears a song, one is recorded, two are bridged, one with a clear leg. All wrap."""
    async with (
        safe_office(tmp_path, media_ids=LateIds) as here,
        phone_at(here.it.network, DORA_HOST, "dora") as dora_phone,
    ):
        it = here.it
        it.web.on("/song.wav", Answer(wav(SONG), content_type="audio/wav"))
        it.web.on("/after", twiml("<Hangup/>"))

        async def calls(document: str) -> PhoneCall:
            it.web.on("/voice", twiml(document))
            count = len(it.web.asked("/voice"))
            call = await here.alice_calls()
            await it.web.wait_for(count + 1, "/voice")
            return call

        listener = await calls('<Play loop="0">/song.wav</Play>')
        speaker = await calls(
            '<Record action="/after" playBeep="false" timeout="0" maxLength="3600" trim="do-not-trim"/>'
        )
        alice = await calls(f"<Dial><Sip>sip:bob@{BOB_HOST};secure=true</Sip></Dial>")
        bob = await here.bob.called()
        assert await bob.pick_up()
        other_alice = await calls(f"<Dial><Sip>sip:dora@{DORA_HOST}</Sip></Dial>")
        dora = await dora_phone.called()
        assert await dora.pick_up()
        everybody = (listener, speaker, alice, bob, other_alice, dora)
        await trio.sleep(2)
        attack = Attack(
            await it.network.host(ATTACKER).udp((ATTACKER, 0)),
            targets_of(it.server.tree.services.plane, [it.phone, here.bob]),
        )
        assert len(attack.targets) == 5
        it.network.taps.append(attack)
        over = trio.Event()
        said = {speaker: ALICES, alice: ALICES, bob: BOBS, other_alice: ALICES, dora: DORAS}
        async with trio.open_nursery() as nursery:
            for call, samples in said.items():
                nursery.start_soon(keep_saying, call, samples, over)
            await trio.sleep(1)
            while sum(target.sent for target in attack.targets) < DATAGRAMS:
                attack.strike()
                await trio.sleep(FRAME_S)
            over.set()
        assert [target.refused for target in attack.targets] == [target.expected for target in attack.targets]
        assert it.of(CallEnded) == []
        assert not any(call.is_over for call in everybody)
        assert it.of(DigitsHeard) == []
        hears = {listener: SONG, alice: BOBS, bob: ALICES, other_alice: DORAS, dora: ALICES}
        for call, samples in hears.items():
            assert loudest(call.heard()) < LOUDEST
            assert match(call.heard()[-5 * len(samples) :], samples) > 0.9
        await speaker.press("#")
        [told] = await it.web.wait_for(1, "/after")
        path = it.server.tree.services.recordings.find(told.params["RecordingSid"])
        assert path is not None
        recorded = path.read_bytes()[44:]
        assert loudest(recorded) < LOUDEST
        assert match(recorded[-10 * len(ALICES) :], ALICES) > 0.9
        for call in (listener, alice, other_alice):
            await call.hang_up()
        await it.ends(6)
        await it.idle()
        legs = it.of(QualityMeasured)
        assert sum(leg.packets_refused for leg in legs) == sum(target.expected for target in attack.targets)
        assert {leg.packets_lost for leg in legs} == {0}
        assert min(leg.packets_received for leg in legs) > 600  # the numbers of each have wrapped
