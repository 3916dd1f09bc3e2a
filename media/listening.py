"""The receiving half of one leg: the peer's packets in, one frame for each 20 ms step out to whoever listens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from . import pcm
from .dtmf import DigitEnded, DigitEvent, DtmfReceiver
from .errors import BadEvent
from .events import AudioArrived, AudioLost, DigitHeard, MediaEvent, SpeechStarted, SpeechStopped, Track
from .frames import FRAME_BYTES, SILENCE, Frame
from .g711 import Law
from .jitter import JitterBuffer
from .relay import Relay
from .rtp import COMFORT_NOISE, RtpPacket
from .silence import SpeechDetector
from .sinks import Recording, Ring, Sink
from .speaking import NOTHING, Outgoing

LOST_FRAMES: Final = 10
"""Without any audio for that long (200 ms) while speech is watched, `AudioLost` is told."""
LONGEST_PAYLOAD: Final = 8 * 160
"""Octets of G.711 in a packet that is taken: 160 ms, more than any phone puts into one, and as much as fits into a
packet of Ethernet with everything around it, SRTP included, when it passes to a coupled leg."""


@attrs.define(eq=False)
class Listening:
    """Playout, digits, and the sinks of all tracks.

    While nobody listens, packets are counted but not played out: most legs listen only now and then, and the playout
    buffer is half the price of a packet.
    """

    events: list[MediaEvent]
    """The session's; digits and speech are told there."""
    receive_types: Mapping[int, Law] = attrs.field(factory=dict)
    event_types: frozenset[int] = frozenset()
    late: int = 0
    """Packets that came after their playing time, over all playout buffers of this leg."""
    outward: Relay | None = None
    """To the coupled leg."""
    inward: Relay | None = None
    """From the coupled leg; told whether what it brings is listened to here."""
    intercepted: str = ""
    """Keys that do not pass to the coupled leg."""
    _muted: bool = attrs.field(default=False, init=False)
    _recordings: dict[Recording, Track] = attrs.field(factory=dict, init=False)
    _taps: dict[Ring, Track] = attrs.field(factory=dict, init=False)
    _inbound: tuple[Sink, ...] = attrs.field(default=(), init=False)
    _outbound: tuple[Sink, ...] = attrs.field(default=(), init=False)
    _mixed: tuple[Sink, ...] = attrs.field(default=(), init=False)
    _paired: tuple[Sink, ...] = attrs.field(default=(), init=False)
    _heard: Frame = attrs.field(default=SILENCE, init=False)
    """What this step brought, for the tracks that have both sides."""
    _playout: JitterBuffer | None = attrs.field(default=None, init=False)
    """None while nobody listens."""
    _speech: _SpeechWatch | None = attrs.field(default=None, init=False)
    _digits: DtmfReceiver = attrs.field(factory=DtmfReceiver, init=False)
    _comfort: bool = attrs.field(default=False, init=False)
    """The peer has said that it is silent (RFC 3389) and sends no audio meanwhile."""

    def accepts(self, payload_type: int) -> bool:
        return payload_type in self.receive_types or payload_type in self.event_types or payload_type == COMFORT_NOISE

    def receive(self, packet: RtpPacket, now: float) -> Sequence[Outgoing] | None:
        """Take a packet of the peer: what the coupled leg sends at once because of it.

        None when the packet is not what its payload type says.
        """
        payload_type, outward = packet.payload_type, self.outward
        passed: Sequence[Outgoing] = NOTHING
        law = self.receive_types.get(payload_type)
        if law is not None:
            if not packet.payload or len(packet.payload) > LONGEST_PAYLOAD:
                return None
            self._comfort = False
            if outward is not None and not self._muted:
                passed = outward.audio(packet, law, now)
            if self._playout is not None:
                self._playout.put(packet, law.decode(packet.payload), now)
        elif payload_type in self.event_types:
            try:
                self._tell(self._digits.receive(packet, now))
            except BadEvent:
                return None
            if outward is not None:
                outward.hold(self._digits.held_for, now)
        else:
            self._comfort = True
            if outward is not None:
                outward.cease()
            if self._playout is not None:
                self._playout.put(packet, b"", now)
        return passed

    def step(self, now: float) -> None:
        """One frame of what the peer says, to everybody who listens."""
        if self._digits.wake_at() <= now:
            self._tell(self._digits.wake(now))
        playout = self._playout
        if playout is None:
            return
        heard = playout.get()
        self._heard = frame = SILENCE if heard is None else heard
        for sink in self._inbound:
            sink.write(frame)
        outward = self.outward
        if outward is not None and outward.wants_frames and not self._muted:
            outward.write(frame)
        if self._speech is not None:
            self._speech.feed(heard, self._comfort)

    def played(self, frame: Frame | None) -> None:
        """One frame of what is said to the peer in the same step; None for silence."""
        if frame is None:
            frame = SILENCE
        for sink in self._outbound:
            sink.write(frame)
        if self._mixed:
            mixed = pcm.add(self._heard, frame)
            for sink in self._mixed:
                sink.write(mixed)
        if self._paired:
            pair = pcm.interleave(self._heard, frame)
            for sink in self._paired:
                sink.write(pair)

    def skip(self, steps: int) -> None:
        """Steps that were slept through: silence in the recordings."""
        for recording in self._recordings:
            recording.skip(steps * FRAME_BYTES * recording.channels)

    def record(self, recording: Recording, track: Track) -> None:
        self._recordings[recording] = track
        self.arrange()

    def stop_recording(self, id: str | None) -> None:  # noqa: A002  # the name that the orders and events have
        for recording in [one for one in self._recordings if id is None or one.id == id]:
            del self._recordings[recording]
            recording.end()
        self.arrange()

    def tap(self, ring: Ring, track: Track) -> None:
        self._taps[ring] = track
        self.arrange()

    def untap(self, ring: Ring) -> None:
        self._taps.pop(ring, None)
        self.arrange()

    def watch_speech(self, on: bool) -> None:
        self._speech = _SpeechWatch(self.events) if on else None
        self.arrange()

    def mute(self, on: bool) -> None:
        self._muted = on
        if on:
            self.fall_silent()

    def fall_silent(self) -> None:
        """The coupled leg is to expect nothing from here."""
        if self.outward is not None:
            self.outward.cease()

    def finish(self) -> None:
        """The leg ends: a key that is still held counts, recordings are complete."""
        self._tell(self._digits.finish())
        self.stop_recording(None)

    def arrange(self) -> None:
        """Sort the sinks by track, and have a playout buffer exactly while somebody listens."""
        sinks: list[tuple[Sink, Track]] = [*self._recordings.items(), *self._taps.items()]
        self._inbound = tuple(sink for sink, track in sinks if track is Track.INBOUND)
        self._outbound = tuple(sink for sink, track in sinks if track is Track.OUTBOUND)
        self._mixed = tuple(sink for sink, track in sinks if track is Track.BOTH)
        self._paired = tuple(sink for sink, track in sinks if track is Track.DUAL)
        if self.inward is not None:
            self.inward.tap(bool(self._outbound or self._mixed or self._paired))
        if (
            self._inbound
            or self._mixed
            or self._paired
            or self._speech is not None
            or (self.outward is not None and self.outward.wants_frames)
        ):
            if self._playout is None:
                self._playout = JitterBuffer()
        elif self._playout is not None:
            self.late += self._playout.counts.late
            self._playout = None

    @property
    def packets_late(self) -> int:
        return self.late + (0 if self._playout is None else self._playout.counts.late)

    def _tell(self, heard: list[DigitEvent]) -> None:
        outward = self.outward
        for event in heard:
            if isinstance(event, DigitEnded):
                self.events.append(DigitHeard(event.digit, event.duration_ms))
                if outward is not None:
                    outward.release(event.samples)
            elif outward is not None and event.digit not in self.intercepted:
                outward.press(event.digit)


@attrs.define(eq=False)
class _SpeechWatch:
    """Tells where speech starts and stops, and where there is no audio that could be either."""

    events: list[MediaEvent]
    _detector: SpeechDetector = attrs.field(factory=SpeechDetector)
    _told: bool | None = None
    """What was told last: speech, silence, or nothing yet."""
    _spoken_before_ms: int = 0
    """Of the detector's sum, when the present speech began."""
    _missing: int = 0
    """Frames without audio in a row."""

    def feed(self, heard: Frame | None, comfort: bool) -> None:
        """One step: what was heard, or None; `comfort` when the peer has said that it is silent."""
        if heard is None and not comfort:
            self._missing += 1
            if self._missing == LOST_FRAMES:
                self.events.append(AudioLost())
            return
        if self._missing >= LOST_FRAMES:
            self.events.append(AudioArrived())
        self._missing = 0
        detector = self._detector
        before_ms = detector.speech_ms
        speaking = detector.feed(heard)
        if speaking is self._told:
            return
        if speaking:
            self._spoken_before_ms = before_ms
            self.events.append(SpeechStarted())
        elif self._told or detector.silent_ms >= detector.hangover_ms:
            self.events.append(SpeechStopped(detector.speech_ms - self._spoken_before_ms, detector.silent_ms))
        else:
            return  # at the beginning: not silent for long enough to say so
        self._told = speaking
