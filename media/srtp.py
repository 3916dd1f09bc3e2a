"""SRTP and SRTCP of one leg (RFC 3711), done by libsrtp: what we send is sealed, what comes is opened or dropped.

- Each direction has its own key and its own context; within one, each SSRC counts for itself.
- What cannot be opened (forged, replayed, cut off, under another key) is counted and is nothing else: no error leaves
  here, and nobody but the holder of the key moves a leg's source lock, its statistics or its digits.
- A new key is a new context. The one before goes on for a moment, as what is on its way comes under the old key, and
  as both sides do not change at the same time.
- A key has a lifetime: 2^48 packets of RTP and 2^31 of RTCP, or less when its owner's description says so. Afterwards
  nothing under it is taken any more.
"""

from __future__ import annotations

import math
from typing import Final

import attrs
from pylibsrtp import Error, Policy, Session

from .errors import SrtpError
from .events import KeyExhausted, MediaEvent
from .sdp.crypto import REPORTS_MAX, RTP_MAX, Keys, Suite

__all__ = ["LINGER_S", "OVERLAP_S", "Srtp"]

OVERLAP_S: Final = 10.0
"""How long the key before is still taken while nothing has come under the new one."""
LINGER_S: Final = 1.0
"""And how long after the first packet under the new one."""
MOST_SOURCES: Final = 128
"""SSRCs that one key may bring: each costs memory, and a look-up for each packet of all others."""

_PROFILES: Final = {
    Suite.AES_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    Suite.AES_32: Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


def is_rtp_like(data: bytes) -> bool:
    """Whether a datagram claims to be RTP or RTCP (RFC 7983): phones send STUN and empty ones to the same port."""
    return len(data) > 0 and data[0] >> 6 == 2


def _context(suite: Suite, key: bytes, ssrc_type: int) -> Session:
    return Session(Policy(key=key, ssrc_type=ssrc_type, srtp_profile=_PROFILES[suite]))


@attrs.define(eq=False)
class _Inbound:
    """What is sent to us under one key."""

    suite: Suite
    key: bytes = attrs.field(repr=False)
    lifetime: int | None = None
    packets: int = 0
    reports: int = 0
    _session: Session = attrs.field(init=False, repr=False)
    _sources: set[bytes] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._session = _context(self.suite, self.key, Policy.SSRC_ANY_INBOUND)

    @property
    def exhausted(self) -> bool:
        """Whether the key has protected all the RTP packets that it may."""
        return self.packets >= min(self.lifetime or RTP_MAX, RTP_MAX)

    def open(self, data: bytes) -> bytes | None:
        source = data[8:12]
        if self.exhausted or not self._knows(source):
            return None
        try:
            plain: bytes = self._session.unprotect(data)
        except (Error, ValueError):  # ValueError: longer than libsrtp is given room for
            return None
        self.packets += 1
        self._sources.add(source)
        return plain

    def open_report(self, data: bytes) -> bytes | None:
        source = data[4:8]
        if self.reports >= min(self.lifetime or REPORTS_MAX, REPORTS_MAX) or not self._knows(source):
            return None
        try:
            plain: bytes = self._session.unprotect_rtcp(data)
        except (Error, ValueError):
            return None
        self.reports += 1
        self._sources.add(source)
        return plain

    def _knows(self, source: bytes) -> bool:
        """Whether that SSRC has been heard of, or one more may come."""
        return source in self._sources or len(self._sources) < MOST_SOURCES


@attrs.define(eq=False)
class Srtp:
    """Both directions of a leg whose media is encrypted. Times are the plane's clock in seconds."""

    events: list[MediaEvent]
    """The session's."""
    refused: int = 0
    """Datagrams of RTP and RTCP that could not be opened."""
    _keys: Keys | None = attrs.field(default=None, init=False)
    _inbound: _Inbound | None = attrs.field(default=None, init=False)
    _before: _Inbound | None = attrs.field(default=None, init=False)
    """Of the key before; kept after its time, as a peer that takes an old key up again counts on where it was."""
    _before_until: float = attrs.field(default=-math.inf, init=False)
    _outbound: Session | None = attrs.field(default=None, init=False, repr=False)

    def agree(self, keys: Keys, now: float) -> bool:
        """Take what an offer and its answer settled; whether we send under another key from now on."""
        before, self._keys = self._keys, keys
        if before is None or (before.suite, before.theirs) != (keys.suite, keys.theirs):
            self._change(keys, now)
        elif self._inbound is not None:
            self._inbound.lifetime = keys.lifetime
        if before is not None and (before.suite, before.ours) == (keys.suite, keys.ours):
            return False
        self._outbound = _context(keys.suite, keys.ours, Policy.SSRC_ANY_OUTBOUND)
        return True

    def _change(self, keys: Keys, now: float) -> None:
        old, older = self._inbound, self._before
        if older is not None and (older.suite, older.key) == (keys.suite, keys.theirs):
            # No fresh context for a key that was in use a moment ago: what was sent under it could be replayed.
            older.lifetime = keys.lifetime
            self._inbound = older
        else:
            self._inbound = _Inbound(keys.suite, keys.theirs, keys.lifetime)
        self._before = old
        self._before_until = now + OVERLAP_S

    # ------------------------------------------------------------------------------------------- packets

    def open(self, data: bytes, now: float) -> bytes | None:
        """The RTP packet in a datagram that came; None when it is not the peer's."""
        inbound, before = self._inbound, self._before
        if inbound is not None and (plain := inbound.open(data)) is not None:
            if inbound.exhausted:
                self.events.append(KeyExhausted())
            if before is not None:
                self._before_until = min(self._before_until, now + LINGER_S)
            return plain
        if before is not None and now < self._before_until and (plain := before.open(data)) is not None:
            return plain
        self.refused += is_rtp_like(data)
        return None

    def open_report(self, data: bytes, now: float) -> bytes | None:
        """The RTCP packet in a datagram that came; None when it is not the peer's."""
        inbound, before = self._inbound, self._before
        if inbound is not None and (plain := inbound.open_report(data)) is not None:
            return plain
        if before is not None and now < self._before_until and (plain := before.open_report(data)) is not None:
            return plain
        self.refused += is_rtp_like(data)
        return None

    def seal(self, packet: bytes) -> bytes:
        """The datagram of an RTP packet of ours. What it cannot protect is a bug of ours: SrtpError is raised."""
        assert self._outbound is not None, "nothing is sent before the keys are agreed on"
        try:
            sealed: bytes = self._outbound.protect(packet)
        except (Error, ValueError) as error:
            raise SrtpError(f"{len(packet)} octets of RTP: {error}") from error
        return sealed

    def seal_report(self, packet: bytes) -> bytes:
        """The datagram of an RTCP packet of ours."""
        assert self._outbound is not None, "nothing is sent before the keys are agreed on"
        try:
            sealed: bytes = self._outbound.protect_rtcp(packet)
        except (Error, ValueError) as error:
            raise SrtpError(f"{len(packet)} octets of RTCP: {error}") from error
        return sealed
