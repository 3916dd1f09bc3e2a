"""MediaSession: one RTP leg without sockets. A plane gives it packets and a beat, and sends what it returns.

From its first `SetRemote` on it gives a packet every step, silence when nothing plays, with sequence numbers that have
no gap: a peer that hears nothing cannot tell a quiet leg from a broken one, and NATs forget who does not speak.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import assert_never

import attrs

from . import rtp
from .errors import BadRtp
from .events import (
    Address,
    Feed,
    FeedOverflowed,
    InterceptDigits,
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
from .frames import duration_ms
from .listening import Listening
from .numbering import PacketStream
from .plane import SILENT_AFTER_S, MediaIds
from .relay import Relay
from .reports import Reports
from .sdp.crypto import Keys
from .sdp.negotiate import Agreed
from .sinks import Recording
from .source_lock import SourceLock
from .speaking import NOTHING, Outgoing, Speaking
from .srtp import Srtp
from .watching import Watching


@attrs.define(eq=False)
class MediaSession:
    """One leg: receive(packet), tick, apply(order). Times are the plane's clock in seconds."""

    ids: MediaIds
    silent_after_s: float = SILENT_AFTER_S
    """When `MediaSilent` is told; infinity for never."""
    unix_offset_s: float = 0.0
    """What added to `now` gives the seconds since 1970 (for the NTP timestamps of RTCP)."""
    watching: Watching | None = None
    """Who is shown the packets."""
    events: list[MediaEvent] = attrs.field(factory=list, init=False)
    """What has happened since `take_events`."""
    closed: bool = attrs.field(default=False, init=False)
    _agreed: Agreed | None = attrs.field(default=None, init=False)
    _lock: SourceLock = attrs.field(factory=SourceLock, init=False)
    _listening: Listening = attrs.field(init=False)
    _speaking: Speaking = attrs.field(init=False)
    _reports: Reports = attrs.field(init=False)
    _srtp: Srtp | None = attrs.field(default=None, init=False)
    """None: the media is clear."""
    _silent_since: float = attrs.field(default=math.inf, init=False)
    """When the last packet came; infinity while none may come, or the silence has been told.

    Who holds us need not send anything: silence counts while both may speak.
    """
    _hearer: MediaSession | None = attrs.field(default=None, init=False)
    """The coupled session whose peer hears ours."""

    def __attrs_post_init__(self) -> None:
        self._listening = Listening(self.events)
        self._reports = Reports(self.ids, self.unix_offset_s)
        stream = PacketStream(self._reports.sender, self.ids.sequence() & 0xFFFF, self.ids.timestamp() & 0xFFFF_FFFF)
        self._speaking = Speaking(stream, self._lock)
        if self.watching is not None:
            stream.watch = self._show

    # ------------------------------------------------------------------------------------------- packets

    def receive(self, data: bytes, source: Address, now: float) -> Sequence[Outgoing]:
        """A datagram has come to the RTP port; what is not the peer's valid media is counted and forgotten.

        Gives what the session that hears this one (`let_hear`) must send at once, from its own port.

        Packets with our own SSRC are no exception (RFC 3550 section 8.2 would see a loop): test peers that echo every
        packet as it is are common, and on a leg of two the transport address tells who is who.
        """
        agreed, srtp = self._agreed, self._srtp
        if srtp is not None:
            # First of all, also while nothing is to be heard: how often the numbers wrap must be counted all the time.
            opened = srtp.open(data, now)
            if opened is None:
                self._lock.ignored += 1
                return NOTHING
            data = opened
        if agreed is None or not agreed.receive:
            return NOTHING
        try:
            packet = rtp.parse(data)
        except BadRtp:
            self._lock.ignored += 1
            return NOTHING
        listening, lock = self._listening, self._lock
        if not listening.accepts(packet.payload_type):
            lock.ignored += 1
            return NOTHING
        if source != lock.locked:
            if not lock.admits(source, packet.ssrc, packet.sequence, now):
                return NOTHING
            self.events.append(MediaFlowing(source))
        passed = listening.receive(packet, now)
        if passed is None:
            lock.ignored += 1
            return NOTHING
        lock.heard(now)
        if self.watching is not None:
            self.watching.heard(data, source)
        self._silent_since = now
        self._reports.heard(packet, now, packet.payload_type in listening.receive_types)
        return passed

    def receive_report(self, data: bytes, source: Address, now: float) -> None:
        """A datagram has come to the RTCP port."""
        if self._agreed is None or not self._lock.vouches_for_host(source[0]):
            return
        opened = data if self._srtp is None else self._srtp.open_report(data, now)
        if opened is not None:
            if self.watching is not None:
                self.watching.heard_report(opened, source)
            self._reports.receive(opened, source, now)

    def tick(self, now: float) -> Sequence[Outgoing]:
        """20 ms have passed: the RTP packets to send now, mostly one. Look at `events` and `reports_due` afterwards."""
        agreed = self._agreed
        if agreed is None or self.closed:
            return NOTHING
        listening, speaking = self._listening, self._speaking
        listening.step(now)
        if now - self._silent_since >= self.silent_after_s and agreed.send:
            self.events.append(MediaSilent(now - self._silent_since))
            self._silent_since = math.inf
        outgoing = speaking.step(now)
        listening.played(speaking.frame)
        if speaking.playlist.ended:
            self._tell_ended()
        if now >= self._reports.due_at:
            self._reports.make(now, speaking.stream.clock, self._report_destination())
        return outgoing

    def _tell_ended(self) -> None:
        ended = self._speaking.playlist.ended
        self.events += ended
        ended.clear()

    def _report_destination(self) -> Address | None:
        """Where reports go: where the peer's come from (the NAT has a hole there), else where SDP wants them."""
        source = self._reports.source
        if source is not None and self._lock.vouches_for_host(source[0]):
            return source
        return None if self._agreed is None else self._agreed.remote_rtcp

    def _show(self, packet: bytes) -> None:
        """A packet of ours, before it is sealed."""
        target = self._lock.destination
        if self.watching is not None and target is not None:
            self.watching.said(packet, target)

    # -------------------------------------------------------------------------------------------- orders

    def apply(self, order: MediaOrder, now: float) -> None:
        """Carry out an order. `Record` needs a sink that its plane has made, and is `record` here."""
        if self.closed:
            return
        match order:
            case SetRemote():
                self._set_remote(order, now)
            case Play():
                self._speaking.playlist.play(order.id, order.source)
            case SendDigits():
                self._speaking.playlist.send_digits(order.id, order.digits)
            case StopPlaying():
                self._speaking.stop(order.id)
            case Feed():
                if not self._speaking.playlist.feed(order.samples):
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
                self._listening.mute(order.on)
            case InterceptDigits():
                self._listening.intercepted = order.digits
            case Record():
                raise TypeError("a session records into a sink that its plane gives it: call record()")
            case _:
                assert_never(order)

    def _set_remote(self, order: SetRemote, now: float) -> None:
        agreed = order.agreed
        before, self._agreed = self._agreed, agreed
        self._protect(agreed.keys, now)
        self._lock.negotiated(agreed.remote, order.signalled_from)
        self._speaking.agree(agreed)
        self._listening.receive_types = agreed.receive_types
        self._listening.event_types = agreed.event_receive_types
        if before is None:
            self._reports.begin(now)
        if self._listening.inward is not None:
            self._listening.inward.settle()
        if not agreed.receive:
            self._listening.fall_silent()
            self._silent_since = math.inf
        elif before is None or not (before.receive and before.send):
            self._silent_since = now

    def _protect(self, keys: Keys | None, now: float) -> None:
        stream = self._speaking.stream
        if keys is None:
            self._srtp = None
            stream.under(None)
            return
        if self._srtp is None:
            self._srtp = Srtp(self.events)
        if self._srtp.agree(keys, now):
            stream.under(self._srtp.seal)
            if self._listening.inward is not None:
                self._listening.inward.restart()

    def record(self, recording: Recording, track: Track) -> None:
        """Write a track into `recording`, which has as many channels as it, from the next step on."""
        self._listening.record(recording, track)

    def let_hear(self, hearer: MediaSession | None) -> None:
        """Let the peer of `hearer` hear ours from now on, or nobody; `hearer` may be this very session.

        One direction of a coupling: the other one is the other session's. What `receive` returns from now on is to be
        sent from the port of `hearer`.
        """
        before = self._hearer
        if hearer is before:
            return
        relay = self._listening.outward
        if before is not None and relay is not None:
            relay.close()
            self._listening.outward = before._listening.inward = before._speaking.inward = None
            before._listening.arrange()
        self._hearer = hearer
        if hearer is not None:
            relay = Relay(hearer._speaking, self._listening.arrange)
            self._listening.outward = hearer._listening.inward = hearer._speaking.inward = relay
            hearer._listening.arrange()
        self._listening.arrange()

    def skip(self, steps: int) -> None:
        """That many steps were slept through: the timestamps jump over them, recordings have silence there."""
        self._speaking.skip(steps)
        self._listening.skip(steps)

    def end_recordings(self) -> None:
        self._listening.stop_recording(None)

    def close(self, now: float) -> None:
        """The leg ends. What is left to be told and sent is in `take_events` and `take_reports`."""
        if self.closed:
            return
        self.closed = True
        self._listening.finish()
        self._speaking.playlist.stop(None)
        self._tell_ended()
        if self._agreed is None:
            return
        self._reports.make(now, self._speaking.stream.clock, self._report_destination(), bye=True)
        self.events.append(
            QualityMeasured(
                self._reports.quality(
                    codec=self._speaking.law.name,
                    late=self._listening.packets_late,
                    ignored=self._lock.ignored,
                    refused=0 if self._srtp is None else self._srtp.refused,
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
        taken = self._reports.take()
        srtp = self._srtp
        if self.watching is not None:
            for report, remote in taken:
                self.watching.said_report(report, remote)
        return taken if srtp is None else [(srtp.seal_report(report), remote) for report, remote in taken]
