"""The receiving half of one leg: the peer's packets in, one frame for each 20 ms step out to whoever listens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from .dtmf import DigitEnded, DigitEvent, DtmfReceiver
from .errors import BadEvent
from .events import AudioArrived, AudioLost, DigitHeard, MediaEvent, SpeechStarted, SpeechStopped, Track
from .frames import FRAME_BYTES, SILENCE, Frame
from .g711 import Law
from .jitter import JitterBuffer
from .rtp import COMFORT_NOISE, RtpPacket
from .silence import SpeechDetector
from .sinks import Recording, Ring, Sink

LOST_FRAMES: Final = 10
"""Without any audio for that long (200 ms) while speech is watched, `AudioLost` is told."""
LONGEST_PAYLOAD: Final = 8 * 200
"""Octets of G.711 in a packet that is taken: 200 ms, more than any phone puts into one."""


@attrs.define(eq=False)
class Listening:
    """Playout, digits, and the sinks of both tracks.

    While nobody listens, packets are counted but not played out: most legs listen only now and then, and the playout
    buffer is half the price of a packet.
    """

    events: list[MediaEvent]
    """The session's; digits and speech are told there."""
    receive_types: Mapping[int, Law] = attrs.field(factory=dict)
    event_types: frozenset[int] = frozenset()
    late: int = 0
    """Packets that came after their playing time, over all playout buffers of this leg."""
    outward: Ring | None = None
    """To the coupled leg."""
    muted: bool = False
    _recordings: dict[Recording, Track] = attrs.field(factory=dict, init=False)
    _taps: dict[Ring, Track] = attrs.field(factory=dict, init=False)
    _inbound: tuple[Sink, ...] = attrs.field(default=(), init=False)
    _outbound: tuple[Sink, ...] = attrs.field(default=(), init=False)
    _playout: JitterBuffer | None = attrs.field(default=None, init=False)
    """None while nobody listens."""
    _speech: _SpeechWatch | None = attrs.field(default=None, init=False)
    _digits: DtmfReceiver = attrs.field(factory=DtmfReceiver, init=False)
    _comfort: bool = attrs.field(default=False, init=False)
    """The peer has said that it is silent (RFC 3389) and sends no audio meanwhile."""

    def accepts(self, payload_type: int) -> bool:
        return payload_type in self.receive_types or payload_type in self.event_types or payload_type == COMFORT_NOISE

    def receive(self, packet: RtpPacket, now: float) -> bool:
        """Take a packet of the peer; False when it is not what its payload type says."""
        payload_type = packet.payload_type
        law = self.receive_types.get(payload_type)
        if law is not None:
            if not packet.payload or len(packet.payload) > LONGEST_PAYLOAD:
                return False
            self._comfort = False
            if self._playout is not None:
                self._playout.put(packet, law.decode(packet.payload), now)
        elif payload_type in self.event_types:
            try:
                self._tell(self._digits.receive(packet, now))
            except BadEvent:
                return False
        else:
            self._comfort = True
            if self._playout is not None:
                self._playout.put(packet, b"", now)
        return True

    def step(self, now: float) -> None:
        """One frame of what the peer says, to everybody who listens."""
        if self._digits.wake_at() <= now:
            self._tell(self._digits.wake(now))
        playout = self._playout
        if playout is None:
            return
        heard = playout.get()
        frame = SILENCE if heard is None else heard
        for sink in self._inbound:
            sink.write(frame)
        if self.outward is not None and not self.muted:
            self.outward.write(frame)
        if self._speech is not None:
            self._speech.feed(heard, self._comfort)

    def played(self, frame: Frame | None) -> None:
        """One frame of what the peer is sent; None for silence."""
        for sink in self._outbound:
            sink.write(SILENCE if frame is None else frame)

    def skip(self, steps: int) -> None:
        """Steps that were slept through: silence in the recordings."""
        for recording in self._recordings:
            recording.skip(steps * FRAME_BYTES)

    def record(self, recording: Recording, track: Track) -> None:
        self._recordings[recording] = track
        self._arrange()

    def stop_recording(self, id: str | None) -> None:  # noqa: A002  # the name that the orders and events have
        for recording in [one for one in self._recordings if id is None or one.id == id]:
            del self._recordings[recording]
            recording.end()
        self._arrange()

    def tap(self, ring: Ring, track: Track) -> None:
        self._taps[ring] = track
        self._arrange()

    def untap(self, ring: Ring) -> None:
        self._taps.pop(ring, None)
        self._arrange()

    def watch_speech(self, on: bool) -> None:
        self._speech = _SpeechWatch(self.events) if on else None
        self._arrange()

    def couple(self, outward: Ring | None) -> None:
        self.outward = outward
        self._arrange()

    def finish(self) -> None:
        """The leg ends: a key that is still held counts, recordings are complete."""
        self._tell(self._digits.finish())
        self.stop_recording(None)

    def _arrange(self) -> None:
        """Sort the sinks by track, and have a playout buffer exactly while somebody listens."""
        sinks: list[tuple[Sink, Track]] = [*self._recordings.items(), *self._taps.items()]
        self._inbound = tuple(sink for sink, track in sinks if track is Track.INBOUND)
        self._outbound = tuple(sink for sink, track in sinks if track is Track.OUTBOUND)
        if not self._inbound and self._speech is None and self.outward is None:
            self.late += 0 if self._playout is None else self._playout.counts.late
            self._playout = None
        elif self._playout is None:
            self._playout = JitterBuffer()

    @property
    def packets_late(self) -> int:
        return self.late + (0 if self._playout is None else self._playout.counts.late)

    def _tell(self, heard: list[DigitEvent]) -> None:
        for event in heard:
            if isinstance(event, DigitEnded):
                self.events.append(DigitHeard(event.digit, event.duration_ms))


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
