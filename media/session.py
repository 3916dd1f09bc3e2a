"""MediaSession: one RTP leg without sockets. A plane gives it packets and a beat, and sends what it returns.

From its first `SetRemote` on it gives a packet every step, silence when nothing plays, with sequence numbers that have
no gap: a peer that hears nothing cannot tell a quiet leg from a broken one, and NATs forget who does not speak.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final, TypeAlias, assert_never

import attrs

from . import rtp
from .dtmf import DtmfSender
from .errors import BadRtp
from .events import (
    Address,
    Feed,
    FeedOverflowed,
    MediaEvent,
    MediaFlowing,
    MediaOrder,
    MediaSilent,
    Mute,
    Play,
    QualityMeasured,
    Record,
    SendDigits,
    SetRemote,
    StopPlaying,
    StopRecording,
    Tap,
    Track,
    Untap,
    WatchSpeech,
)
from .frames import FRAME_SAMPLES, SAMPLES_PER_MS, Frame, duration_ms
from .g711 import PCMU, Law
from .listening import Listening
from .plane import SILENT_AFTER_S, MediaIds
from .playlist import Playlist
from .reports import Reports
from .sdp.negotiate import Agreed
from .sinks import Recording, Ring
from .source_lock import SourceLock

Outgoing: TypeAlias = tuple[bytes, Address]
"""A datagram and where it goes."""

MOST_BRIDGED_FRAMES: Final = 2
"""What may wait from a coupled leg. Both are on one beat, so more is left over from a stall and only delay."""
_HEADER: Final = struct.Struct("!BBHII")
_VERSION_2: Final = 0x80
_MARKER: Final = 0x80
_NOTHING: Final[tuple[Outgoing, ...]] = ()


@attrs.define(eq=False)
class MediaSession:
    """One leg: receive(packet), tick, apply(order). Times are the plane's clock in seconds."""

    ids: MediaIds
    silent_after_s: float = SILENT_AFTER_S
    """When `MediaSilent` is told; infinity for never."""
    unix_offset_s: float = 0.0
    """What added to `now` gives the seconds since 1970 (for the NTP timestamps of RTCP)."""
    events: list[MediaEvent] = attrs.field(factory=list, init=False)
    """What has happened since `take_events`."""
    closed: bool = attrs.field(default=False, init=False)
    _agreed: Agreed | None = attrs.field(default=None, init=False)
    _lock: SourceLock = attrs.field(factory=SourceLock, init=False)
    _playlist: Playlist = attrs.field(factory=Playlist, init=False)
    _listening: Listening = attrs.field(init=False)
    _reports: Reports = attrs.field(init=False)
    _digits: DtmfSender = attrs.field(factory=DtmfSender, init=False)
    _dialling: bool = attrs.field(default=False, init=False)
    """Whether `_digits` has something to say, or to wait for."""
    _inward: Ring | None = attrs.field(default=None, init=False)
    """From the coupled leg."""
    _ssrc: int = attrs.field(init=False)
    _sequence: int = attrs.field(init=False)
    _timestamp: int = attrs.field(init=False)
    _law: Law = attrs.field(default=PCMU, init=False)
    _silence: bytes = attrs.field(default=b"", init=False)
    """A whole frame's octets of it."""
    _talking: bool = attrs.field(default=False, init=False)
    """Whether the packet before this one was sent: the first after a pause carries the marker."""
    _packet_octets: int = attrs.field(default=FRAME_SAMPLES, init=False)
    _held: bytes = attrs.field(default=b"", init=False)
    """Octets that wait for a packet of another length than a frame to fill up."""
    _silent_since: float = attrs.field(default=math.inf, init=False)
    """When the last packet came; infinity while none is to be expected, or the silence has been told."""

    def __attrs_post_init__(self) -> None:
        self._listening = Listening(self.events)
        self._reports = Reports(self.ids, self.unix_offset_s)
        self._ssrc = self._reports.ssrc
        self._sequence = self.ids.sequence() & 0xFFFF
        self._timestamp = self.ids.timestamp() & 0xFFFF_FFFF

    # ------------------------------------------------------------------------------------------- packets

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """A datagram has come to the RTP port; what is not the peer's valid media is counted and forgotten.

        Packets with our own SSRC are no exception (RFC 3550 section 8.2 would see a loop): test peers that echo every
        packet as it is are common, and on a leg of two the transport address tells who is who.
        """
        agreed = self._agreed
        if agreed is None or not agreed.receive:
            return
        try:
            packet = rtp.parse(data)
        except BadRtp:
            self._lock.ignored += 1
            return
        listening, lock = self._listening, self._lock
        if not listening.accepts(packet.payload_type):
            lock.ignored += 1
            return
        if source != lock.locked:
            if not lock.admits(source, packet.ssrc, packet.sequence, now):
                return
            self.events.append(MediaFlowing(source))
        if not listening.receive(packet, now):
            lock.ignored += 1
            return
        lock.heard(now)
        self._silent_since = now
        self._reports.heard(packet, now, packet.payload_type in listening.receive_types)

    def receive_report(self, data: bytes, source: Address, now: float) -> None:
        """A datagram has come to the RTCP port."""
        if self._agreed is not None and self._lock.vouches_for_host(source[0]):
            self._reports.receive(data, source, now)

    def tick(self, now: float) -> Sequence[Outgoing]:
        """20 ms have passed: the RTP packets to send now, mostly one. Look at `events` and `reports_due` afterwards."""
        agreed = self._agreed
        if agreed is None or self.closed:
            return _NOTHING
        self._listening.step(now)
        if now - self._silent_since >= self.silent_after_s:
            self.events.append(MediaSilent(now - self._silent_since))
            self._silent_since = math.inf
        destination = self._lock.destination if agreed.send else None
        frame: Frame | None = None
        outgoing: Sequence[Outgoing] | None = None
        if self._dialling or self._playlist.digits is not None:
            outgoing = self._dial(agreed, destination)
        if not self._dialling:
            frame = self._playlist.next_frame()
        if self._inward is not None:
            # Taken also when it is not heard: what piled up meanwhile would stay behind as delay.
            bridged = self._inward.take_newest(MOST_BRIDGED_FRAMES)
            frame = bridged if frame is None and outgoing is None else frame
        self._listening.played(frame)
        if outgoing is None:
            outgoing = self._speak(agreed, destination, frame)
        self._timestamp = (self._timestamp + FRAME_SAMPLES) & 0xFFFF_FFFF
        if self._playlist.ended:
            self.events += self._playlist.ended
            self._playlist.ended.clear()
        if now >= self._reports.due_at:
            self._reports.make(now, self._timestamp, self._report_destination())
        return outgoing

    def _speak(self, agreed: Agreed, destination: Address | None, frame: Frame | None) -> Sequence[Outgoing]:
        if destination is None:
            self._talking = False
            self._held = b""
            return _NOTHING
        payload = self._silence if frame is None else self._law.encode(frame)
        if self._packet_octets == FRAME_SAMPLES:  # nearly every leg there is
            return ((self._packet(agreed.payload_type, self._timestamp, payload), destination),)
        return self._repacked(agreed, destination, payload)

    def _repacked(self, agreed: Agreed, destination: Address, payload: bytes) -> list[Outgoing]:
        """Packets of the length that the peer asked for (a=ptime)."""
        held, size = self._held + payload, self._packet_octets
        at = self._timestamp - len(self._held)
        outgoing: list[Outgoing] = []
        while len(held) >= size:
            outgoing.append((self._packet(agreed.payload_type, at & 0xFFFF_FFFF, held[:size]), destination))
            held = held[size:]
            at += size
        self._held = held
        return outgoing

    def _report_destination(self) -> Address | None:
        """Where reports go: where the peer's come from (the NAT has a hole there), else where SDP wants them."""
        source = self._reports.source
        if source is not None and self._lock.vouches_for_host(source[0]):
            return source
        return None if self._agreed is None else self._agreed.remote_rtcp

    def _packet(self, payload_type: int, timestamp: int, payload: bytes) -> bytes:
        """The next packet of our stream."""
        sequence = self._sequence
        self._sequence = (sequence + 1) & 0xFFFF
        if not self._talking:
            self._talking = True
            payload_type |= _MARKER
        self._reports.sent(len(payload))
        return _HEADER.pack(_VERSION_2, payload_type, sequence, timestamp, self._ssrc) + payload

    def _dial(self, agreed: Agreed, destination: Address | None) -> Sequence[Outgoing] | None:
        """The digit packet of this step; None when audio goes out as usual, as between digits and after the last."""
        playlist = self._playlist
        if not self._dialling:
            if agreed.event_type is None or destination is None:
                playlist.digits_over(whole=False)
                return None
            self._digits.queue(playlist.begin_digits())
            self._dialling = True
        event = self._digits.tick(self._timestamp)
        if event is None or destination is None or agreed.event_type is None:
            outgoing = None
        else:
            outgoing = self._flushed(agreed, destination)
            self._talking = not event.marker
            packet = self._packet(agreed.event_type, event.timestamp, event.payload)
            outgoing.append((packet, destination))
        if not self._digits.active:
            self._dialling = False
            if playlist.digits_begun:
                playlist.digits_over(whole=True)
        return outgoing

    def _flushed(self, agreed: Agreed, destination: Address) -> list[Outgoing]:
        """What waits for a longer packet, as a short one: digits do not wait for it."""
        held, self._held = self._held, b""
        if not held:
            return []
        at = (self._timestamp - len(held)) & 0xFFFF_FFFF
        return [(self._packet(agreed.payload_type, at, held), destination)]

    # -------------------------------------------------------------------------------------------- orders

    def apply(self, order: MediaOrder, now: float) -> None:
        """Carry out an order. `Record` needs a sink that its plane has made, and is `record` here."""
        if self.closed:
            return
        match order:
            case SetRemote():
                self._set_remote(order, now)
            case Play():
                self._playlist.play(order.id, order.source)
            case SendDigits():
                self._playlist.send_digits(order.id, order.digits)
            case StopPlaying():
                if self._playlist.stop(order.id):
                    self._digits.cancel()
            case Feed():
                if not self._playlist.feed(order.samples):
                    self.events.append(FeedOverflowed(duration_ms(len(order.samples))))
            case StopRecording():
                self._listening.stop_recording(order.id)
            case WatchSpeech():
                self._listening.watch_speech(order.on)
            case Tap():
                self._listening.tap(order.ring, order.track)
            case Untap():
                self._listening.untap(order.ring)
            case Mute():
                self._listening.muted = order.on
            case Record():
                raise TypeError("a session records into a sink that its plane gives it: call record()")
            case _:
                assert_never(order)

    def _set_remote(self, order: SetRemote, now: float) -> None:
        agreed = order.agreed
        before, self._agreed = self._agreed, agreed
        self._lock.negotiated(agreed.remote, order.signalled_from)
        self._law = agreed.codec
        self._silence = agreed.codec.silence * FRAME_SAMPLES
        self._packet_octets = agreed.ptime_ms * SAMPLES_PER_MS
        self._held = b""
        self._listening.receive_types = agreed.receive_types
        self._listening.event_types = agreed.event_receive_types
        if before is None:
            self._reports.begin(now)
        if not agreed.receive:
            self._silent_since = math.inf
        elif before is None or not before.receive:
            self._silent_since = now

    def record(self, recording: Recording, track: Track) -> None:
        """Write one track into `recording` from the next step on."""
        self._listening.record(recording, track)

    def couple(self, outward: Ring, inward: Ring) -> None:
        """Hear the coupled leg from `inward` while nothing plays, and be heard by it through `outward`."""
        self._inward = inward
        self._listening.couple(outward)

    def uncouple(self) -> None:
        self._inward = None
        self._listening.couple(None)

    def skip(self, steps: int) -> None:
        """That many steps were slept through: the timestamps jump over them, recordings have silence there."""
        self._timestamp = (self._timestamp + steps * FRAME_SAMPLES) & 0xFFFF_FFFF
        self._talking = False
        self._held = b""
        self._listening.skip(steps)

    def end_recordings(self) -> None:
        self._listening.stop_recording(None)

    def close(self, now: float) -> None:
        """The leg ends. What is left to be told and sent is in `take_events` and `take_reports`."""
        if self.closed:
            return
        self.closed = True
        self._listening.finish()
        self._playlist.stop(None)
        self.events += self._playlist.ended
        self._playlist.ended.clear()
        if self._agreed is None:
            return
        self._reports.make(now, self._timestamp, self._report_destination(), bye=True)
        self.events.append(
            QualityMeasured(
                self._reports.quality(
                    codec=self._law.name, late=self._listening.packets_late, ignored=self._lock.ignored
                )
            )
        )

    # --------------------------------------------------------------------------------------------- output

    def take_events(self) -> list[MediaEvent]:
        """What has happened since the last call, in order."""
        taken = self.events.copy()
        self.events.clear()  # the same list goes on: the listening half appends to it too
        return taken

    @property
    def reports_due(self) -> bool:
        """Whether `take_reports` has something."""
        return bool(self._reports.outgoing)

    def take_reports(self) -> list[Outgoing]:
        """RTCP datagrams to send from the RTCP port."""
        return self._reports.take()
