"""The sending half of one leg: what plays, or what a coupled leg says, or digits, as one packet for each 20 ms step.

From a coupled leg most packets come ready made and between the steps (`relay.py`); a step then only lets time pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

import attrs

from . import pcm
from .dtmf import DtmfSender
from .events import Address
from .frames import FRAME_SAMPLES, SAMPLES_PER_MS, Frame
from .g711 import PCMU, Law
from .keys import PassedKeys
from .numbering import PacketStream
from .playlist import Playlist
from .sdp.negotiate import Agreed
from .source_lock import SourceLock

Outgoing: TypeAlias = tuple[bytes, Address]
"""A datagram and where it goes."""

NOTHING: Final[tuple[Outgoing, ...]] = ()


class Inward(Protocol):
    """What comes from a coupled leg."""

    def take(self) -> Frame | None:
        """What it says in this step, when that is to be packed here."""
        ...

    def carries(self, now: float) -> bool:
        """Whether its packets pass by themselves, and need no company."""
        ...


@attrs.define(eq=False)
class Speaking:
    """Chooses what goes out, and packs it."""

    stream: PacketStream
    lock: SourceLock
    """Knows where to."""
    playlist: Playlist = attrs.field(factory=Playlist)
    keys: PassedKeys = attrs.field(factory=PassedKeys)
    """Pressed at the coupled leg."""
    inward: Inward | None = None
    frame: Frame | None = None
    """What the last step played; None for silence, and for what passed by itself."""
    law: Law = PCMU
    payload_type: int = 0
    packet_octets: int = FRAME_SAMPLES
    """In a packet of the length that the peer asked for (a=ptime)."""
    _sends: bool = attrs.field(default=False, init=False)
    """Whether the peer wants to hear anything at present."""
    _event_type: int | None = attrs.field(default=None, init=False)
    _silence: bytes = attrs.field(default=b"", init=False)
    """A whole frame's octets of it."""
    _held: bytes = attrs.field(default=b"", init=False)
    """Octets that wait for a packet of another length than a frame to fill up."""
    _digits: DtmfSender = attrs.field(factory=DtmfSender, init=False)
    _dialling: bool = attrs.field(default=False, init=False)
    """Whether `_digits` has something to say, or to wait for."""
    _tone: bool = attrs.field(default=False, init=False)
    """Whether the last step had a key's tone in it."""

    def agree(self, agreed: Agreed) -> None:
        """What the peer takes from now on."""
        self.law = agreed.codec
        self.payload_type, self._event_type = agreed.payload_type, agreed.event_type
        self._silence = agreed.codec.silence * FRAME_SAMPLES
        self.packet_octets = agreed.ptime_ms * SAMPLES_PER_MS
        self._sends = agreed.send
        self._held = b""

    @property
    def destination(self) -> Address | None:
        """Where packets go; None while the peer holds us, or has not said where it is."""
        return self.lock.destination if self._sends else None

    @property
    def open_to(self) -> Address | None:
        """Where a coupled leg's packet may go right now; None also while something of our own is being said."""
        return None if self.playlist or self._dialling or self._tone else self.destination

    def step(self, now: float) -> Sequence[Outgoing]:
        """The packets of the next 20 ms, mostly one; without a destination time passes and nothing is sent."""
        destination = self.destination
        playlist, inward, keys = self.playlist, self.inward, self.keys
        dialled: Sequence[Outgoing] | None = None
        if self._dialling or (playlist.digits is not None and not keys.active):
            dialled = self._dial(destination)
        frame = None if dialled is not None or self._dialling else playlist.next_frame()
        playing = frame is not None
        passing = False
        if inward is not None:
            # Taken also when it is not heard: what piled up meanwhile would stay behind as delay.
            bridged = inward.take()
            if not playing and dialled is None:
                frame = bridged
                passing = not (playlist or self._dialling) and destination is not None and inward.carries(now)
        self._tone = False
        if keys.active and not self._dialling:
            if destination is None:
                keys.forget()
            elif self._event_type is not None:
                return self._press(destination, self._event_type, frame if playing else None)
            elif (tone := keys.tone()) is not None:
                frame = pcm.add(frame, tone) if playing and frame is not None else tone
                self._tone, passing = True, False
        self.frame = frame
        if passing:
            self.stream.wait()
            return NOTHING
        outgoing = self._speak(destination, frame) if dialled is None else dialled
        self.stream.step()
        return outgoing

    def stop(self, id: str | None) -> None:  # noqa: A002  # the name that the orders and events have
        """Drop what is queued under `id`, or everything; a digit that sounds is ended properly."""
        if self.playlist.stop(id):
            self._digits.cancel()

    def skip(self, steps: int) -> None:
        """That many steps were slept through: the timestamps jump over them."""
        self.stream.wait(steps)
        self.stream.fall_silent()
        self._held = b""

    def drop_held(self) -> None:
        """Packets of another making follow: what waits for a longer packet is silence, or a moment too late."""
        self._held = b""

    def _speak(self, destination: Address | None, frame: Frame | None) -> Sequence[Outgoing]:
        if destination is None:
            self.stream.fall_silent()
            self._held = b""
            return NOTHING
        payload = self._silence if frame is None else self.law.encode(frame)
        if self.packet_octets == FRAME_SAMPLES:  # nearly every leg there is
            stream = self.stream
            return ((stream.packet(self.payload_type, stream.timestamp, payload), destination),)
        return self._repacked(destination, payload)

    def _repacked(self, destination: Address, payload: bytes) -> list[Outgoing]:
        """Packets of the length that the peer asked for (a=ptime)."""
        held, size = self._held + payload, self.packet_octets
        at = self.stream.timestamp - len(self._held)
        outgoing: list[Outgoing] = []
        while len(held) >= size:
            outgoing.append((self.stream.packet(self.payload_type, at & 0xFFFF_FFFF, held[:size]), destination))
            held = held[size:]
            at += size
        self._held = held
        return outgoing

    def _press(self, destination: Address, event_type: int, frame: Frame | None) -> Sequence[Outgoing]:
        """The event packet of a key that was pressed at the coupled leg, beside what plays, in place of anything else.

        Nothing is sent while the key is down and there is nothing new to say of it.
        """
        outgoing = [] if frame is not None else self._flushed(destination)
        event = self.keys.event(self.stream.timestamp)
        if event is not None:
            outgoing.append((self.stream.packet(event_type, event.timestamp, event.payload, event.marker), destination))
        self.frame = frame
        if frame is not None:
            outgoing += self._speak(destination, frame)
        if frame is not None or (event is not None and event.marker):
            self.stream.step()
        else:
            self.stream.wait()  # audio may be passing all the same
        return outgoing

    def _dial(self, destination: Address | None) -> Sequence[Outgoing] | None:
        """The digit packet of this step; None when audio goes out as usual, as between digits and after the last."""
        playlist = self.playlist
        if not self._dialling:
            if self._event_type is None or destination is None:
                playlist.digits_over(whole=False)
                return None
            self._digits.queue(playlist.begin_digits())
            self._dialling = True
        event = self._digits.tick(self.stream.timestamp)
        outgoing: list[Outgoing] | None = None
        if event is not None and destination is not None and self._event_type is not None:
            outgoing = self._flushed(destination)
            packet = self.stream.packet(self._event_type, event.timestamp, event.payload, event.marker)
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
        at = (self.stream.timestamp - len(held)) & 0xFFFF_FFFF
        return [(self.stream.packet(self.payload_type, at, held), destination)]
