"""The children, branches and legs of a dial: what `Ringing` keeps about each."""

from __future__ import annotations

import enum
import math

import attrs

from .dial_status import DialStatus, Heard, meaning, tells_more
from .forking_steps import Contact
from .forking_table import LegState
from .targets import Target


class Stage(enum.IntEnum):
    """How far a child is; it only ever advances."""

    WAITING = 0
    LOCATING = 1
    CALLING = 2
    RINGING = 3
    ANSWERED = 4
    OVER = 5


@attrs.frozen(kw_only=True)
class Failure:
    """How a leg, or a child as a whole, failed."""

    status: DialStatus
    sip_status: int | None = None
    leg: int | None = None


@attrs.define(eq=False)
class Branch:
    """Contacts that are tried one after the other.

    Gateways, servers and flows of a phone stand in for one another: the next one has its turn when nobody was reached
    (silence, no way, 430, 5xx). The next contact of a redirect has it after any failure but a 6xx (RFC 3261 8.1.3.4).
    """

    child: Child
    contacts: list[Contact]
    """Those not tried yet."""
    redirected: int = 0
    """How many of them, at the front, come from redirects."""
    leg: Leg | None = None
    """The one under way; `None` when the branch has come to its end."""


@attrs.define(eq=False)
class Leg:
    """One INVITE."""

    number: int
    branch: Branch
    state: LegState = LegState.CALLING
    heard: Heard = Heard.NOTHING
    early: bool = False
    """Whether it sends audio before its answer."""
    silent_due: float = math.inf
    """When nothing heard means that nobody is there."""
    detail: str = ""
    """What kept its INVITE from being sent, in words."""

    @property
    def child(self) -> Child:
        return self.branch.child

    @property
    def live(self) -> bool:
        """Whether it may still answer."""
        return self.state in (LegState.CALLING, LegState.RINGING)


@attrs.define(eq=False)
class Child:
    """One noun's call."""

    number: int
    target: Target
    stage: Stage = Stage.WAITING
    branches: list[Branch] = attrs.field(factory=list)
    failures: list[Failure] = attrs.field(factory=list)
    ring_due: float = math.inf
    delay_due: float = math.inf
    """When a number that has not rung yet counts as unreachable."""
    answered_at: float | None = None

    @property
    def live(self) -> bool:
        """Whether somebody may still answer."""
        return Stage.WAITING < self.stage < Stage.ANSWERED

    @property
    def legs(self) -> list[Leg]:
        """Those under way."""
        return [branch.leg for branch in self.branches if branch.leg is not None]

    @property
    def heard(self) -> bool:
        """Whether any of those has got a response."""
        return any(leg.heard is not Heard.NOTHING for leg in self.legs)

    @property
    def last_leg(self) -> int | None:
        """The latest of those; when there is none, the one whose failure counts."""
        return max((leg.number for leg in self.legs), default=self.said().leg)

    def note(self, leg: Leg, sip_status: int) -> None:
        """One of its legs has failed."""
        status = meaning(sip_status, leg.heard).status
        self.failures.append(Failure(status=status, sip_status=sip_status, leg=leg.number))

    def said(self) -> Failure:
        """What its failed legs say about it together: the most telling, of equals the last."""
        best, weight = Failure(status="failed"), (False, -1)
        for failure in self.failures:
            mine = tells_more(failure.sip_status or 0, failure.status)
            if mine >= weight:
                best, weight = failure, mine
        return best
