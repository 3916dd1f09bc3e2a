"""The sending half of one leg: what plays, or what a coupled leg says, or digits, as one packet for each 20 ms step."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, TypeAlias

import attrs

from .dtmf import DtmfSender
from .events import Address
from .frames import FRAME_SAMPLES, SAMPLES_PER_MS, Frame
from .g711 import PCMU, Law
from .playlist import Playlist
from .reports import Reports
from .sdp.negotiate import Agreed
from .sinks import Ring

Outgoing: TypeAlias = tuple[bytes, Address]
"""A datagram and where it goes."""

NOTHING: Final[tuple[Outgoing, ...]] = ()
MOST_BRIDGED_FRAMES: Final = 2
"""What may wait from a coupled leg. Both are on one beat, so more is left over from a stall and only delay."""
_HEADER: Final = struct.Struct("!BBHII")
_VERSION_2: Final = 0x80
_MARKER: Final = 0x80


@attrs.define(eq=False)
class Speaking:
    """The stream of packets: numbers, timestamps, payloads."""

    reports: Reports
    """Counts what is sent; its SSRC is the stream's."""
    sequence: int
    timestamp: int
    """Of the present step."""
    playlist: Playlist = attrs.field(factory=Playlist)
    inward: Ring | None = None
    """From the coupled leg."""
    frame: Frame | None = None
    """What the last step played; None for silence."""
    law: Law = PCMU
    _payload_type: int = attrs.field(default=0, init=False)
    _event_type: int | None = attrs.field(default=None, init=False)
    _silence: bytes = attrs.field(default=b"", init=False)
    """A whole frame's octets of it."""
    _packet_octets: int = attrs.field(default=FRAME_SAMPLES, init=False)
    _held: bytes = attrs.field(default=b"", init=False)
    """Octets that wait for a packet of another length than a frame to fill up."""
    _talking: bool = attrs.field(default=False, init=False)
    """Whether the packet before this one was sent: the first after a pause carries the marker."""
    _digits: DtmfSender = attrs.field(factory=DtmfSender, init=False)
    _dialling: bool = attrs.field(default=False, init=False)
    """Whether `_digits` has something to say, or to wait for."""

    def agree(self, agreed: Agreed) -> None:
        """What the peer takes from now on."""
        self.law = agreed.codec
        self._payload_type, self._event_type = agreed.payload_type, agreed.event_type
        self._silence = agreed.codec.silence * FRAME_SAMPLES
        self._packet_octets = agreed.ptime_ms * SAMPLES_PER_MS
        self._held = b""

    def step(self, destination: Address | None) -> Sequence[Outgoing]:
        """The packets of the next 20 ms, mostly one; None for a destination lets time pass and sends nothing."""
        outgoing: Sequence[Outgoing] | None = None
        if self._dialling or self.playlist.digits is not None:
            outgoing = self._dial(destination)
        frame: Frame | None = None
        if outgoing is None and not self._dialling:
            frame = self.playlist.next_frame()
        if self.inward is not None:
            # Taken also when it is not heard: what piled up meanwhile would stay behind as delay.
            bridged = self.inward.take_newest(MOST_BRIDGED_FRAMES)
            if frame is None and outgoing is None:
                frame = bridged
        self.frame = frame
        if outgoing is None:
            outgoing = self._speak(destination, frame)
        self.timestamp = (self.timestamp + FRAME_SAMPLES) & 0xFFFF_FFFF
        return outgoing

    def stop(self, id: str | None) -> None:  # noqa: A002  # the name that the orders and events have
        """Drop what is queued under `id`, or everything; a digit that sounds is ended properly."""
        if self.playlist.stop(id):
            self._digits.cancel()

    def skip(self, steps: int) -> None:
        """That many steps were slept through: the timestamps jump over them."""
        self.timestamp = (self.timestamp + steps * FRAME_SAMPLES) & 0xFFFF_FFFF
        self._talking = False
        self._held = b""

    def _speak(self, destination: Address | None, frame: Frame | None) -> Sequence[Outgoing]:
        if destination is None:
            self._talking = False
            self._held = b""
            return NOTHING
        payload = self._silence if frame is None else self.law.encode(frame)
        if self._packet_octets == FRAME_SAMPLES:  # nearly every leg there is
            return ((self._packet(self._payload_type, self.timestamp, payload), destination),)
        return self._repacked(destination, payload)

    def _repacked(self, destination: Address, payload: bytes) -> list[Outgoing]:
        """Packets of the length that the peer asked for (a=ptime)."""
        held, size = self._held + payload, self._packet_octets
        at = self.timestamp - len(self._held)
        outgoing: list[Outgoing] = []
        while len(held) >= size:
            outgoing.append((self._packet(self._payload_type, at & 0xFFFF_FFFF, held[:size]), destination))
            held = held[size:]
            at += size
        self._held = held
        return outgoing

    def _packet(self, payload_type: int, timestamp: int, payload: bytes) -> bytes:
        """The next packet of our stream."""
        sequence = self.sequence
        self.sequence = (sequence + 1) & 0xFFFF
        if not self._talking:
            self._talking = True
            payload_type |= _MARKER
        self.reports.sent(len(payload))
        return _HEADER.pack(_VERSION_2, payload_type, sequence, timestamp, self.reports.ssrc) + payload

    def _dial(self, destination: Address | None) -> Sequence[Outgoing] | None:
        """The digit packet of this step; None when audio goes out as usual, as between digits and after the last."""
        playlist = self.playlist
        if not self._dialling:
            if self._event_type is None or destination is None:
                playlist.digits_over(whole=False)
                return None
            self._digits.queue(playlist.begin_digits())
            self._dialling = True
        event = self._digits.tick(self.timestamp)
        outgoing: list[Outgoing] | None = None
        if event is not None and destination is not None and self._event_type is not None:
            outgoing = self._flushed(destination)
            self._talking = not event.marker
            packet = self._packet(self._event_type, event.timestamp, event.payload)
            outgoing.append((packet, destination))
        if not self._digits.active:
            self._dialling = False
            if playlist.digits_begun:
                playlist.digits_over(whole=True)
        return outgoing

    def _flushed(self, destination: Address) -> list[Outgoing]:
        """What waits for a longer packet, as a short one: digits do not wait for it."""
        held, self._held = self._held, b""
        if not held:
            return []
        at = (self.timestamp - len(held)) & 0xFFFF_FFFF
        return [(self._packet(self._payload_type, at, held), destination)]
