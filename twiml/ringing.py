"""Until somebody answers: children in parallel or in turn, their branches and contacts, how long each may take.

The part of Dial's core that knows legs. What happens to all of them is in `forking_table.LEG_TABLE`; `Forking` owns
this object, gives it the list that its steps go to, and asks for the `Outcome` after every input.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from .dial_status import DialStatus, Heard, is_global, meaning
from .forking_steps import CancelLeg, ChildChanged, Contact, ForkingStep, HangUpLeg, StartChild, StartLeg, Warn, Why
from .forking_table import LEG_TABLE, LegAct, LegInput
from .ringing_legs import Branch, Child, Failure, Leg, Stage
from .steps import Alert
from .verbs import Dial

RING_BUFFER_S: Final = 5.0
"""What is always added to `timeout`."""
POST_DIAL_DELAY_S: Final = 60.0
"""How long a telephone number may take to ring."""


class Outcome(enum.Enum):
    """What became of the ringing, or of the callee after it."""

    ANSWERED = "answered"
    EXHAUSTED = "exhausted"
    CALLEE_LEFT = "callee-left"


@attrs.define(eq=False)
class Ringing:
    """All calls of one dial."""

    verb: Dial
    children: list[Child]
    silence_s: float
    """How long a contact may stay without any response when there is another one to try."""
    steps: list[ForkingStep]

    callee: Leg | None = attrs.field(init=False, default=None)
    """Who answered first."""
    rang: bool = attrs.field(init=False, default=False)
    """Whether anybody has rung yet."""
    last: Failure = attrs.field(init=False, default=Failure(status="failed"))
    """The failure that stands for all while nobody has answered."""
    last_child: int | None = attrs.field(init=False, default=None)
    """Whose that is; `None` while no call has failed."""
    _legs: dict[int, Leg] = attrs.field(init=False, factory=dict)
    _outcome: Outcome | None = attrs.field(init=False, default=None)
    _hunting: bool = attrs.field(init=False, default=True)

    # ---- inputs ------------------------------------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """Call the first, or all."""
        if self.verb.sequential:
            self._next_child(now)
            return
        for child in self.children:
            self._start(child, now)
        if not self.children:
            self._exhausted()

    def child(self, number: int) -> Child | None:
        return next((child for child in self.children if child.number == number), None)

    def outcome(self) -> Outcome | None:
        """What the last input has brought about, once."""
        outcome, self._outcome = self._outcome, None
        return outcome

    def located(self, child: Child, branches: Sequence[Sequence[Contact]], now: float) -> None:
        if child.stage is not Stage.LOCATING:
            return
        child.stage = Stage.CALLING
        child.branches = [Branch(child, list(contacts)) for contacts in branches if contacts]
        for branch in child.branches:
            self._next_contact(branch)
        self._settle(child, now)

    def fail(self, child: Child, failure: Failure, why: Why, now: float) -> None:
        """End a child that nobody has answered yet."""
        if child.live:
            failure = attrs.evolve(failure, leg=child.last_leg)
            self.drop(child.legs, why, now)
            self._child_failed(child, failure, now)

    def trying(self, number: int) -> None:
        leg = self._legs.get(number)
        if leg is not None and leg.live and leg.heard is Heard.NOTHING:
            leg.heard, leg.silent_due = Heard.TRYING, math.inf

    def progressed(self, number: int, now: float, *, early_media: bool) -> None:
        leg = self._legs.get(number)
        if leg is not None:
            leg.early = leg.early or early_media
            self.feed(leg, LegInput.PROGRESSED, now)

    def redirected(self, number: int, contacts: Sequence[Contact], sip_status: int, now: float) -> None:
        leg = self._legs.get(number)
        if leg is None:
            return
        if leg.live and contacts:
            leg.branch.contacts[:0] = contacts
            leg.branch.redirected += len(contacts)
        self.feed(leg, LegInput.MOVED if contacts else LegInput.REFUSED, now, sip_status)

    def said(self, number: int, given: LegInput, sip_status: int, now: float, detail: str = "") -> None:
        leg = self._legs.get(number)
        if leg is not None:
            leg.detail = detail
            self.feed(leg, given, now, sip_status)

    def abandon(self, why: Why, now: float) -> None:
        """Cancel all that rings: nobody is waited for any more."""
        self._hunting = False
        for child in self.children:
            if child.live:
                self.fail(child, Failure(status="canceled", sip_status=487 if child.heard else None), why, now)
        self.last = attrs.evolve(self.last, status="canceled")

    # ---- time --------------------------------------------------------------------------------------------------------

    def wake_at(self) -> float:
        live = [child for child in self.children if child.live]
        dues = [due for child in live for due in (child.ring_due, child.delay_due)]
        return min([*dues, *(leg.silent_due for child in live for leg in child.legs)], default=math.inf)

    def wake(self, now: float) -> None:
        for child in self.children:
            if child.live and now >= child.ring_due:
                self._ring_time_over(child, now)
            elif child.live and now >= child.delay_due:
                self._warn(32016, f"{child.target.to} did not ring within {POST_DIAL_DELAY_S:.0f} seconds")
                self.fail(child, Failure(status="failed", sip_status=408), Why.UNRESPONSIVE, now)
            elif child.live:
                for leg in child.legs:
                    if now >= leg.silent_due:
                        self.drop((leg,), Why.UNRESPONSIVE, now)
                        self._leg_failed(leg, 408, now)

    def _ring_time_over(self, child: Child, now: float) -> None:
        """Nobody has picked up; where nothing at all has come back, that is silence like any other (408)."""
        if child.heard:
            self.fail(child, Failure(status="no-answer", sip_status=487), Why.NO_ANSWER, now)
            return
        if child.legs:
            self._outage(child, 408)
            self._no_gateway_left(child)
        self.fail(child, Failure(status=meaning(408).status, sip_status=408), Why.NO_ANSWER, now)

    # ---- children ----------------------------------------------------------------------------------------------------

    def _start(self, child: Child, now: float) -> None:
        child.stage = Stage.LOCATING
        child.ring_due = now + self.verb.timeout + RING_BUFFER_S
        if child.target.is_number:
            child.delay_due = now + POST_DIAL_DELAY_S
        self.steps.append(StartChild(child=child.number))
        self.steps.append(ChildChanged(child=child.number, event="initiated", status="initiated"))

    def _next_child(self, now: float) -> None:
        """The next noun of a sequential dial."""
        waiting = next((child for child in self.children if child.stage is Stage.WAITING), None)
        if waiting is None:
            self._exhausted()
        else:
            self._start(waiting, now)

    def _exhausted(self) -> None:
        self._hunting, self._outcome = False, Outcome.EXHAUSTED

    def _child_failed(self, child: Child, failure: Failure, now: float) -> None:
        self.over(child, failure.status, failure.sip_status, now)
        self.last, self.last_child = failure, child.number
        if not self._hunting:
            return
        if self.verb.sequential:
            self._next_child(now)
        elif not any(other.live for other in self.children):
            self._exhausted()

    def over(self, child: Child, status: DialStatus, sip_status: int | None, now: float) -> None:
        """A child's call has ended."""
        child.stage = Stage.OVER
        duration = 0.0 if child.answered_at is None else max(now - child.answered_at, 0.0)
        final = "completed" if status == "answered" else status
        self.steps.append(
            ChildChanged(
                child=child.number, event="completed", status=final, sip_status=sip_status, duration_s=duration
            )
        )
        # Nothing is called for it any more. Each of these knows the other: let go, they need no garbage collector.
        for branch in child.branches:
            branch.leg = None
        child.branches.clear()

    # ---- legs --------------------------------------------------------------------------------------------------------

    def feed(
        self, leg: Leg, given: LegInput, now: float, sip_status: int = 0, why: Why = Why.ANSWERED_ELSEWHERE
    ) -> None:
        """Something happens to a leg. `why` is what it is told when it is to end."""
        row = LEG_TABLE.get((leg.state, given))
        if row is None:
            return
        leg.state, act = row
        match act:
            case LegAct.NOTHING:
                pass
            case LegAct.RING:
                self._ring(leg)
            case LegAct.WIN:
                self._win(leg, now)
            case LegAct.FAIL:
                self._leg_failed(leg, sip_status, now)
            case LegAct.MOVE:
                self._next_contact(leg.branch)
                self._settle(leg.child, now)
            case LegAct.LEAVE:
                self._outcome = Outcome.CALLEE_LEFT
            case LegAct.CANCEL:
                self.steps.append(CancelLeg(leg=leg.number, why=why))
            case LegAct.HANG_UP:
                self.steps.append(HangUpLeg(leg=leg.number, why=why))

    def drop(self, legs: Iterable[Leg], why: Why, now: float) -> None:
        for leg in legs:
            self.feed(leg, LegInput.DROP, now, why=why)

    def _ring(self, leg: Leg) -> None:
        child = leg.child
        leg.heard, leg.silent_due = Heard.RINGING, math.inf
        child.delay_due = math.inf
        self.rang = True
        if child.stage is Stage.CALLING:
            child.stage = Stage.RINGING
            self.steps.append(ChildChanged(child=child.number, event="ringing", status="ringing"))

    def _win(self, leg: Leg, now: float) -> None:
        """The first answer: everybody else is cancelled, whatever a screening document will say."""
        winner = leg.child
        self.callee, self._hunting, self._outcome = leg, False, Outcome.ANSWERED
        winner.stage, winner.answered_at = Stage.ANSWERED, now
        self.steps.append(ChildChanged(child=winner.number, event="answered", status="in-progress"))
        for child in self.children:
            heard = child.heard
            self.drop((other for other in child.legs if other is not leg), Why.ANSWERED_ELSEWHERE, now)
            if child.live:
                self.over(child, "canceled", 487 if heard else None, now)

    def _next_contact(self, branch: Branch) -> None:
        """Call the next contact of a branch, or end it when there is none."""
        branch.leg = None
        if branch.contacts:
            branch.redirected = max(branch.redirected - 1, 0)
            leg = Leg(len(self._legs) + 1, branch)
            branch.leg = self._legs[leg.number] = leg
            self.steps.append(StartLeg(child=branch.child.number, leg=leg.number, contact=branch.contacts.pop(0)))

    def _settle(self, child: Child, now: float) -> None:
        """After a change of its legs: set their patience, or end the child when none is left."""
        for leg in child.legs:
            if not leg.branch.contacts:
                leg.silent_due = math.inf
            elif leg.heard is Heard.NOTHING and leg.silent_due == math.inf:
                leg.silent_due = now + self.silence_s
        if child.live and not child.legs:
            self._child_failed(child, child.said(), now)

    def _leg_failed(self, leg: Leg, sip_status: int, now: float) -> None:
        child, branch, what = leg.child, leg.branch, meaning(sip_status, leg.heard)
        child.note(leg, sip_status)
        if what.outage:
            self._outage(child, sip_status, leg.detail)
        goes_on = what.outage or (branch.redirected > 0 and not is_global(sip_status))
        if goes_on and branch.contacts:
            if child.target.is_number:
                self._warn(32401, f"{child.target.to}: the next gateway is tried")
            self._next_contact(branch)
        else:
            if what.outage:
                self._no_gateway_left(child)
            branch.leg = None
        if is_global(sip_status):
            self.drop(child.legs, Why.DECLINED_ELSEWHERE, now)
            for other in child.branches:
                other.leg = None
        self._settle(child, now)

    def _outage(self, child: Child, sip_status: int, detail: str = "") -> None:
        came = "no response came" if sip_status == 408 else f"it came to {sip_status}"
        self._warn(32011, f"{child.target.to}: {detail or came}")

    def _no_gateway_left(self, child: Child) -> None:
        if child.target.is_number:
            self._warn(32400, f"{child.target.to}: no gateway is left")

    def _warn(self, code: int, detail: str) -> None:
        self.steps.append(Warn(Alert(code=code, detail=detail, verb="Dial")))
