"""The media plane: what carries the packets of every leg, below Python or in it. No sockets here, only the protocol.

Two planes are meant to stand behind it: the *beat* plane (one Trio task, in the process) and a *native* one (a thread
outside the interpreter). So the protocol is narrow: orders go down as frozen values and never wait; events come up in
batches, at most one batch for each leg and 20 ms. One set of contract tests (tests/actors/plane_contract.py) runs
against every plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from .events import MediaEvent, MediaOrder
from .watching import PacketWatch

SILENT_AFTER_S = 60.0
"""Without a packet for that long `MediaSilent` is told (error 32014 to the application)."""


class MediaIds(Protocol):
    """Where the numbers of a leg come from that a stranger must not guess; counting ones in tests."""

    def ssrc(self) -> int:
        """32 bits: our synchronization source (RFC 3550 section 8)."""
        ...

    def sequence(self) -> int:
        """16 bits: the first sequence number."""
        ...

    def timestamp(self) -> int:
        """32 bits: the first RTP timestamp."""
        ...

    def cname(self) -> str:
        """The canonical name of RTCP's SDES (RFC 7022: short-term, random)."""
        ...

    def session_id(self) -> int:
        """The session id of the SDP `o=` line, below 2**63."""
        ...

    def master_key(self) -> bytes:
        """30 octets: an SRTP master key (16) and its master salt (14)."""
        ...

    def fraction(self) -> float:
        """0 ≤ x < 1, uniform: spreads RTCP intervals (RFC 3550 section 6.3.1)."""
        ...


@attrs.frozen(kw_only=True)
class LegSpec:
    """What a plane must know to open a leg."""

    name: str
    """For logs: the call's SID and which side."""
    bind_host: str
    """Local address of its ports; `0.0.0.0` or `::` for any."""
    silent_after_s: float | None = SILENT_AFTER_S
    """When `MediaSilent` is told; None for never."""
    watch: PacketWatch | None = None
    """Shown every packet of the leg in the clear, RTP and RTCP, both ways."""


class LegListener(Protocol):
    """Whom a plane tells. Neither method may wait; what they raise ends this leg and no other."""

    def media_events(self, events: Sequence[MediaEvent]) -> None:
        """What happened to the leg since the last batch, in order."""
        ...

    def media_failed(self, error: Exception) -> None:
        """The leg is broken and out of the plane: no packet and no event follows but `RecordingDone`."""
        ...


class PlaneLeg(Protocol):
    """One leg's handle: a port pair and what flows through it."""

    @property
    def name(self) -> str: ...

    @property
    def rtp_address(self) -> tuple[str, int]:
        """Where its RTP socket is bound (the host is a wildcard when bound to one)."""
        ...

    @property
    def rtcp_address(self) -> tuple[str, int]: ...

    def apply(self, order: MediaOrder) -> None:
        """Carry out an order; takes effect at the next 20 ms step at the latest. Ignored on a closed leg."""
        ...

    def close(self) -> None:
        """Say RTCP BYE, free the ports, end recordings. `RecordingDone` of each and `QualityMeasured` still follow.

        Does not wait, so it may be called from last words; safe to call twice.
        """
        ...

    async def wait_closed(self) -> None:
        """Wait until the last event of a closed leg has been told."""
        ...


class MediaPlane(Protocol):
    """Opens legs and couples them."""

    async def open(self, spec: LegSpec, listener: LegListener) -> PlaneLeg:
        """Bind a port pair. Raises the transport's errors: no free ports, address not ours.

        The leg is silent and deaf until its first `SetRemote`; from then on it sends a packet every 20 ms.
        """
        ...

    def couple(self, one: PlaneLeg, other: PlaneLeg, *, one_way: bool = False) -> None:
        """Each hears the other while it plays nothing of its own. One leg coupled with itself is an echo.

        With `one_way` only `one` hears `other`, sound and keys: for the early media of a callee that has not answered.
        RFC 3264 would open both directions; but as on the telephone network nobody talks before the call is answered
        and counts, nor into an announcement, and what the callee's machine may do with the keys of a caller it has not
        accepted yet is nobody's wish.

        Audio passes without a playout buffer where it can: octets unchanged between legs of one law, and losses
        visible as losses. Both streams keep their numbers without a gap of ours, whatever is coupled, uncoupled and
        played. Keys are pressed again at the far end, as events, or as tones for a peer that takes no events.

        A leg that was coupled elsewhere is uncoupled there first. Coupling two that are coupled changes nothing but
        `one_way`, and a direction that stays loses nothing.
        """
        ...

    def uncouple(self, leg: PlaneLeg) -> None:
        """Undo `couple` for both sides; nothing when it is not coupled."""
        ...
