"""Symmetric RTP: where one leg's packets go, and whose packets it believes.

Phones behind a NAT name a private address in their SDP that nobody can reach; their packets come from somewhere else,
and that somewhere is where ours must go. But whoever can make us follow can also listen in, or point our stream at a
third party. So:

1. No packet goes to an address that has not sent valid media for this leg, except to the one that SDP named. Until
   valid media arrives, the named address is the destination, even a private one: the packets open our own firewall's
   pinhole, do no harm where nobody is, and for a phone in our own network the private address is the right one.
2. Valid means RTP version 2 with a negotiated payload type, and enough packets in unbroken sequence from one address
   and one SSRC (RFC 3550 appendix A.1). How many is enough depends on who vouches for the address:

   ========================  =======================================================  ======
   `Standing.NAMED`          the address and port of SDP                                    1
   `Standing.NAMED_HOST`     SDP's host with another port: a NAT chose the port             2
   `Standing.SIGNALLING`     the host that the signalling comes from: the NAT itself        2
   `Standing.STRANGER`       anybody else: media through another gateway, or an attacker   25
   ========================  =======================================================  ======

   A stranger thus needs half a second of faultless media; the phone, which sends as soon as it is answered, is first.
3. The first to pass is locked. Packets from elsewhere are ignored and counted.
4. A locked source gives way without a new offer in two cases only: to one that is better vouched for (so somebody who
   was faster than the phone loses the leg again as soon as the phone speaks), and, after it has been silent for
   `SILENT_S`, to one that is no worse, as when a NAT forgot its mapping. A stranger replaces nobody but a stranger.
5. A new offer or answer with another address unlocks; one with the same address, or a hold without an address, does
   not: a re-INVITE of a phone behind a NAT names the same private address as before.

What this cannot stop is somebody on the path, or who can forge source addresses and guess port, payload type and
moment; against that there is SRTP: on a leg whose media is encrypted only packets that are the key holder's come here.
"""

from __future__ import annotations

import enum
import ipaddress
from functools import lru_cache

import attrs

from .events import Address

SILENT_S = 3.0
"""After that long without a packet the locked source may be replaced by its equal."""
MAX_CANDIDATES = 16
"""Addresses on probation at one time; more are a flood, and worth no memory."""
TAKEOVER_PACKETS = 5
"""What a better vouched source must show at least to replace one that is still sending."""


class Standing(enum.IntEnum):
    """Who vouches for an address; more is better."""

    STRANGER = 0
    SIGNALLING = 1
    NAMED_HOST = 2
    NAMED = 3


PROBATION_PACKETS = {
    Standing.NAMED: 1,
    Standing.NAMED_HOST: 2,
    Standing.SIGNALLING: 2,
    Standing.STRANGER: 25,
}


@attrs.define(eq=False)
class _Candidate:
    standing: Standing
    ssrc: int
    sequence: int
    in_order: int = 1
    """Packets in unbroken sequence so far."""


@attrs.define(eq=False)
class SourceLock:
    """Decides for each packet whether it is the peer's, and where ours go."""

    named: Address | None = None
    """What SDP says."""
    signalled_from: str | None = None
    locked: Address | None = None
    """The source we believe; compare with this before asking `admits`."""
    ignored: int = 0
    """Packets from elsewhere."""
    _standing: Standing = Standing.STRANGER
    _heard_at: float = 0.0
    _candidates: dict[Address, _Candidate] = attrs.field(factory=dict)

    @property
    def destination(self) -> Address | None:
        """Where our packets go; None while there is nowhere to send to."""
        return self.locked or self.named

    def negotiated(self, named: Address | None, signalled_from: str | None) -> None:
        """An offer or answer has named an address; None when it named none (`c=0.0.0.0`)."""
        if signalled_from is not None:
            self.signalled_from = plain_host(signalled_from)
        if named is None:
            return
        named = (plain_host(named[0]), named[1])
        if named != self.named:
            self.named = named
            self.locked = None
            self._candidates.clear()

    def heard(self, now: float) -> None:
        """The locked source has sent a valid packet."""
        self._heard_at = now

    def admits(self, source: Address, ssrc: int, sequence: int, now: float) -> bool:
        """Whether a valid packet from `source`, which is not the locked one, makes it the locked one."""
        candidate = self._candidates.get(source)
        if candidate is None:
            candidate = self._enlist(source, ssrc, sequence)
            if candidate is None:
                self.ignored += 1
                return False
        elif candidate.ssrc == ssrc and sequence == (candidate.sequence + 1) & 0xFFFF:
            candidate.sequence = sequence
            candidate.in_order += 1
        else:
            candidate.ssrc, candidate.sequence, candidate.in_order = ssrc, sequence, 1
        if candidate.in_order < self._proof_for(candidate.standing, now):
            self.ignored += 1
            return False
        self.locked = source
        self._standing = candidate.standing
        self._heard_at = now
        self._candidates.clear()
        return True

    def vouches_for_host(self, host: str) -> bool:
        """Whether RTCP from `host` may be the peer's: it is the locked source's, or SDP's."""
        known = self.destination
        return known is not None and known[0] == host

    def _enlist(self, source: Address, ssrc: int, sequence: int) -> _Candidate | None:
        standing = self._standing_of(source)
        if len(self._candidates) >= MAX_CANDIDATES:
            worst = min(self._candidates, key=lambda address: self._candidates[address].standing)
            if self._candidates[worst].standing >= standing:
                return None
            del self._candidates[worst]
        candidate = _Candidate(standing, ssrc, sequence)
        self._candidates[source] = candidate
        return candidate

    def _standing_of(self, source: Address) -> Standing:
        if source == self.named:
            return Standing.NAMED
        if self.named is not None and source[0] == self.named[0]:
            return Standing.NAMED_HOST
        if source[0] == self.signalled_from:
            return Standing.SIGNALLING
        return Standing.STRANGER

    def _proof_for(self, standing: Standing, now: float) -> float:
        """How many packets in sequence lock a source of that standing now; infinity for none will do."""
        proof = PROBATION_PACKETS[standing]
        if self.locked is None:
            return proof
        if now - self._heard_at >= SILENT_S and standing >= min(self._standing, Standing.NAMED_HOST):
            return max(proof, PROBATION_PACKETS[Standing.SIGNALLING])
        if standing > self._standing:
            return max(proof, TAKEOVER_PACKETS)
        return float("inf")


@lru_cache(maxsize=4096)
def plain_host(host: str) -> str:
    """An address literal in the one spelling that sockets report; what is none stays as it is."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host
