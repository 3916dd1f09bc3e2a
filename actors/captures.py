"""Captures: what is kept of the signalling of each call, and of its media where that is asked for.

An object, not an actor: it is told of every message that comes and goes, finds the call, and puts the bytes on a list;
everything else is done behind the calls (`actors/capture_disk.py`). A message belongs to a call by its Call-ID, the tag
of who sent the INVITE, and which side of it we are: an INVITE of ours that comes back to us is two calls.

What comes before there is a call is the reason why an INVITE is kept for a moment: the first one, without credentials,
and the challenge. One that becomes no call is forgotten.
"""

from __future__ import annotations

import datetime
import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

import attrs
import trio

from ..media.watching import PacketWatch
from ..sip.errors import SipError
from ..sip.message import Request, Response
from ..sip.tokens import Method
from ..store.packets import Packet, Wrapper
from ..transport.flow import Flow
from ..transport.network import Address, is_wildcard

UNCLAIMED_S: Final = 64.0
"""How long an INVITE without credentials waits for the one with some."""
UNCLAIMED_MAX: Final = 1000
"""INVITEs that are kept so."""
UNCLAIMED_BYTES: Final = 65_536
"""Kept of one INVITE that is no call, with what belongs to it."""
PENDING_BYTES: Final = 64 << 20
"""Held in memory for a disk that is slow; what comes beyond is dropped."""
SIGNALLING_BYTES: Final = 1 << 20
"""Beyond the limit of a call, for its signalling: media that has used up the limit does not hide how the call ended."""
OVERHEAD_BYTES: Final = 76
"""Of each packet in a file: block, IP and UDP headers."""
COMMENT_BYTES: Final = 64
"""Of each message beside."""

EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MICROSECOND: Final = datetime.timedelta(microseconds=1)

Key: TypeAlias = tuple[str, str, bool]
"""Call-ID, tag of the caller, whether we are the caller."""


@attrs.frozen(kw_only=True)
class CaptureRules:
    """What is captured."""

    enabled: bool = True
    rtp: bool = False
    secrets: bool = False
    """Whether digests and keys of media stay readable."""
    call_bytes: int = 100_000_000
    total_bytes: int = 1_000_000_000
    days: float = 7.0
    """Kept after the last packet."""


@attrs.define(eq=False)
class Track:
    """What is known of one call's capture."""

    sid: str
    parent: str | None
    keys: list[Key] = attrs.field(factory=list)
    pending: list[Packet] = attrs.field(factory=list)
    """Not written yet."""
    size: int = 0
    """Bytes taken so far, about."""
    dropped: int = 0
    """Packets that the file lacks."""
    told: int = 0
    """Those of them of which it says so."""
    wrapper: Wrapper = attrs.field(factory=Wrapper)
    """For who writes the file, alone."""
    ended_at: float = math.inf
    """When the call was found to be over, in trio seconds."""


@attrs.define(eq=False)
class _Unclaimed:
    since: float
    packets: list[Packet] = attrs.field(factory=list)
    size: int = 0


@attrs.define(eq=False)
class Captures:
    """One for the process."""

    rules: CaptureRules
    now_utc: Callable[[], datetime.datetime]
    wake: Callable[[], object] = lambda: None
    """Told when something is there to be written, after nothing was."""
    tracks: dict[str, Track] = attrs.field(factory=dict)
    """By call SID: calls that live or have just ended."""
    filled: dict[str, Track] = attrs.field(factory=dict)
    """Those of them that have something to be written."""
    pending_bytes: int = 0
    dropped: int = 0
    """Packets that no file has, for want of room, since the start."""
    _keys: dict[Key, Track] = attrs.field(factory=dict)
    _unclaimed: OrderedDict[Key, _Unclaimed] = attrs.field(factory=OrderedDict)

    # --- what the switchboard, the courier and calls tell ------------------------------------------------------

    def begin(self, sid: str, call_id: str, tag: str, *, parent: str | None = None, calling: bool = False) -> None:
        """A call has a leg: `tag` is the caller's, ours when we are `calling`. A call may have several."""
        if not self.rules.enabled:
            return
        track = self._track(sid, parent)
        key = (call_id, tag, calling)
        self._keys[key] = track
        track.keys.append(key)
        unclaimed = self._unclaimed.pop(key, None)
        if unclaimed is not None:
            for packet in unclaimed.packets:
                self._take(track, packet)

    def received(self, message: Request | Response, data: bytes, flow: Flow, at: float) -> None:
        """A message has come, at `at` (trio seconds)."""
        if self.rules.enabled:
            self._note(message, data, flow, sent=False, late_s=trio.current_time() - at)

    def unread(self, answer: Response, data: bytes, flow: Flow) -> None:
        """A request has come that cannot be read; `answer`, which it is going to get, tells whose it is."""
        track = self._find(answer, sent=True)
        if track is not None:
            self._take(track, self._packet(data, flow, False))

    def sent(self, message: Request | Response, data: bytes, flow: Flow) -> None:
        """A message has left."""
        self._note(message, data, flow, sent=True)

    def media(self, sid: str, host: str, *, parent: str | None = None) -> PacketWatch | None:
        """Who is to be told of a call's packets; `host` is ours, where a socket is bound to all. None: nobody."""
        if not self.rules.enabled or not self.rules.rtp:
            return None
        return partial(self._media, self._track(sid, parent), host)

    # --- the way to the disk -----------------------------------------------------------------------------------

    def lose(self, track: Track, packets: int) -> None:
        """So many packets have no place in the file."""
        track.dropped += packets
        self.dropped += packets

    def forget(self, track: Track) -> None:
        """Nothing more is expected of this call."""
        for key in track.keys:
            if self._keys.get(key) is track:
                del self._keys[key]
        self.tracks.pop(track.sid, None)

    def take(self) -> list[tuple[Track, list[Packet]]]:
        """What is to be written now."""
        taken = []
        for track in self.filled.values():
            taken.append((track, track.pending))
            track.pending = []
        self.filled.clear()
        self.pending_bytes = 0
        return taken

    # ---------------------------------------------------------------------------------------------------------------

    def _track(self, sid: str, parent: str | None) -> Track:
        track = self.tracks.get(sid)
        if track is None:
            track = self.tracks[sid] = Track(sid, parent)
        return track

    def _note(self, message: Request | Response, data: bytes, flow: Flow, *, sent: bool, late_s: float = 0.0) -> None:
        track = self._find(message, sent=sent)
        if track is not None:
            self._take(track, self._packet(data, flow, sent, late_s))
            return
        try:
            key = (message.call_id, message.from_tag or "", sent is isinstance(message, Request))
            beginning = isinstance(message, Request) and message.method == Method.INVITE and message.to_tag is None
        except SipError:
            return
        unclaimed = self._unclaimed.get(key)
        if unclaimed is None:
            if sent or not beginning:
                return
            unclaimed = self._wait(key)
        unclaimed.size += len(data) + OVERHEAD_BYTES + COMMENT_BYTES
        if unclaimed.size <= UNCLAIMED_BYTES:
            unclaimed.packets.append(self._packet(data, flow, sent, late_s))

    def _find(self, message: Request | Response, *, sent: bool) -> Track | None:
        """The call that a message is of. Who sent its INVITE is in the From of that one's requests and of the answers
        to them, in the To of all others."""
        request = isinstance(message, Request)
        try:
            call_id, caller, callee = message.call_id, message.from_tag or "", message.to_tag
        except SipError:  # an answer to what could not be read has its headers as they came
            return None
        track = self._keys.get((call_id, caller, sent is request))
        if track is None and callee is not None:
            track = self._keys.get((call_id, callee, sent is not request))
        return track

    def _wait(self, key: Key) -> _Unclaimed:
        now = trio.current_time()
        found = self._unclaimed[key] = _Unclaimed(now)
        while len(self._unclaimed) > UNCLAIMED_MAX or next(iter(self._unclaimed.values())).since < now - UNCLAIMED_S:
            self._unclaimed.popitem(last=False)
        return found

    def _packet(self, data: bytes, flow: Flow, sent: bool, late_s: float = 0.0) -> Packet:
        return Packet(self._now_ns() - int(late_s * 1e9), sent, flow.transport, flow.local, flow.remote, data)

    def _media(
        self, track: Track, host: str, sent: bool, report: bool, data: bytes, local: Address, remote: Address
    ) -> None:
        if is_wildcard(local[0]):
            local = host, local[1]
        self._take(track, Packet(self._now_ns(), sent, "RTCP" if report else "RTP", local, remote, data))

    def _now_ns(self) -> int:
        return (self.now_utc() - EPOCH) // MICROSECOND * 1000

    def _take(self, track: Track, packet: Packet) -> None:
        size, most = len(packet.data) + OVERHEAD_BYTES, self.rules.call_bytes
        if not packet.media:
            size, most = size + COMMENT_BYTES, most + SIGNALLING_BYTES
        if track.size + size > most or self.pending_bytes + size > PENDING_BYTES:
            self.lose(track, 1)
            return
        track.size += size
        self.pending_bytes += size
        track.pending.append(packet)
        if track.sid not in self.filled:
            if not self.filled:
                self.wake()
            self.filled[track.sid] = track
