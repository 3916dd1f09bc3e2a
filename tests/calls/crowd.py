"""Fifty calls at once, each with sound both ways, to see what the end of one of them does to the others.

Even calls listen to a melody; odd ones speak and are recorded. All of it is judged sample by sample: the network is
perfect, so whatever is missing was lost by the server.
"""

from __future__ import annotations

import random
import struct
import wave
from collections.abc import Callable
from typing import Final

import attrs
import trio

from offhook.actors.messages.events import RecordingReady
from offhook.media.frames import FRAME_BYTES
from offhook.media.g711 import PCMU
from offhook.media.sources import Clip
from offhook.sip.dialog.events import Cause
from offhook.testing.phone import PhoneCall
from offhook.testing.speech import wav
from offhook.testing.web import Answer, Asked, twiml
from offhook.transport.network import Address

from .kit import RtpTrace, World

CALLS: Final = 50
LISTEN: Final = '<Play>/melody.wav</Play><Pause length="1"/>'
"""With a pause, as a phone that is hung up on does not play what its buffer still holds."""
VICTIM: Final = 6
"""The call that is broken: one that listens."""
CLIP_S: Final = 2
BREAK_AT_S: Final = 1.0


def noise(seconds: float, seed: int) -> bytes:
    """Samples that G.711 keeps exactly, no stretch of which is like another."""
    rolls = random.Random(seed)
    count = round(seconds * 8000)
    samples = struct.pack(f"<{count}h", *(rolls.randrange(-8000, 8000) for _ in range(count)))
    return PCMU.decode(PCMU.encode(samples))


MELODY: Final = noise(CLIP_S, 1)
SPEECH: Final = noise(CLIP_S, 2)


@attrs.define(eq=False)
class Member:
    """One of the calls."""

    number: int
    call: PhoneCall
    heard_at: Address
    """Where its phone receives RTP."""


@attrs.define(eq=False)
class Crowd:
    """Brings the calls up, and judges them when they are over."""

    world: World
    members: list[Member] = attrs.field(factory=list)
    trace: RtpTrace = attrs.field(factory=RtpTrace)
    sids: dict[int, str] = attrs.field(factory=dict)
    """Call SID by number."""
    victim_document: str = LISTEN

    async def gather(self) -> None:
        """All calls up and sounding; virtual time stands at their beginning."""
        web, world = self.world.web, self.world
        world.network.taps.append(self.trace)
        web.on("/voice", self._document)
        web.on("/recorded", twiml("<Hangup/>"))
        web.on("/melody.wav", Answer(wav(MELODY), content_type="audio/wav"))
        for number in range(CALLS):
            call = await world.phone.call(f"sip:{number}@acme.sip.example.test", via=world.proxy)
            assert await call.answered()
            self.members.append(Member(number, call, world.heard_at(call)))
            if number % 2:
                world.phone.nursery.start_soon(self._speak, call)

    @property
    def victim(self) -> Member:
        return self.members[VICTIM]

    @property
    def victim_sid(self) -> str:
        return self.sids[VICTIM]

    def _document(self, asked: Asked) -> Answer:
        number = int(asked.params["To"].partition(":")[2].partition("@")[0])
        self.sids[number] = asked.params["CallSid"]
        if number % 2:
            return twiml('<Record playBeep="false" action="/recorded" finishOnKey="#" trim="do-not-trim"/>')
        return twiml(self.victim_document if number == VICTIM else LISTEN)

    async def _speak(self, call: PhoneCall) -> None:
        await trio.sleep(0.2)
        await call.say(Clip(SPEECH))
        if not call.is_over:
            await call.press("#")

    async def judge(self, *broken: int) -> None:
        """All calls but the `broken` run to their end and have lost nothing; those ended as failures, with BYE."""
        for member in self.members:
            await member.call.over()
        ended = {event.call_sid: event for event in await self.world.ends(CALLS)}
        statuses = {asked.params["CallSid"]: asked for asked in await self.world.web.wait_for(CALLS, "/status")}
        recordings = {event.call_sid: event for event in self.world.of(RecordingReady)}
        assert len(self.world.web.asked("/status")) == len(ended) == CALLS
        for member in self.members:
            number, sid = member.number, self.sids[member.number]
            wanted = "failed" if number in broken else "completed"
            assert (number, ended[sid].status) == (number, wanted)
            assert (number, statuses[sid].params["CallStatus"]) == (number, wanted)
            if number in broken:
                assert member.call.cause is Cause.HUNG_UP
                continue
            assert (number, self.trace.gaps(member.heard_at)) == (number, [])
            if number % 2:
                assert SPEECH in samples_of(recordings[sid]), f"call {number}: the recording has a hole"
            else:
                assert MELODY in member.call.heard(), f"call {number}: the melody has a hole"


def samples_of(recording: RecordingReady) -> bytes:
    with wave.open(recording.path) as file:
        samples: bytes = file.readframes(file.getnframes())
        return samples


async def break_one(world: World, crowd: Crowd, how: Callable[[World, str], None]) -> None:
    """In the middle of everything, do `how` to the victim."""
    await crowd.gather()
    await trio.sleep(BREAK_AT_S)
    how(world, crowd.victim_sid)


assert len(MELODY) % FRAME_BYTES == 0
