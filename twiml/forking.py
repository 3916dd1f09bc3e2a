"""The rules of Dial: who rings, for how long, who wins, what the caller hears meanwhile, and how it ends.

The actor makes the calls and tells the core what happens; the core answers with steps (`forking_steps`). It knows no
SIP beyond status codes, no media and no clock: `now` is seconds on the caller's clock, `wake_at` says when `wake` has
work. Every input is accepted at any time; what is late or concerns nobody any more changes nothing, except that a leg
which answers after it was given up is hung up.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Final

import attrs

from .dial_recording import from_ringing, recording_of
from .dial_status import DialStatus
from .forking_sound import Ears
from .forking_steps import (
    AnswerCaller,
    Bridge,
    Contact,
    Dialled,
    Finished,
    ForkingStep,
    How,
    SendDigits,
    StartScreening,
    StopRecording,
    Unbridge,
    Why,
)
from .forking_table import TABLE, Act, Input, LegInput, State
from .ringing import Outcome, Ringing
from .ringing_legs import Child, Failure, Leg, Stage
from .steps import Ending
from .targets import Planned, Target
from .verbs import Dial

SILENCE_S: Final = 4.0
"""How long a contact may stay without any response when there is another one to try."""
WRITING_S: Final = 10.0
"""How long the end waits for a recording to be written."""
LONGEST_S: Final = 14_400.0

_ENDS: Final = {
    Input.EXHAUSTED: (How.NOBODY, Why.FINISHED),
    Input.CALLEE_LEFT: (How.CALLEE_LEFT, Why.FINISHED),
    Input.DECLINED: (How.DECLINED, Why.SCREENED_OUT),
    Input.STAR: (How.STAR, Why.FINISHED),
    Input.TIME_LIMIT: (How.TIME_LIMIT, Why.TIME_LIMIT),
    Input.STOPPED: (How.STOPPED, Why.CANCELLED),
    Input.CALLER_LEFT: (How.CALLER_LEFT, Why.CALLER_LEFT),
    Input.INTERRUPTED: (How.INTERRUPTED, Why.CANCELLED),
}
"""What each of them makes of the dial, and what a leg that it ends is told."""


class Verdict(enum.Enum):
    """What a screening document decided."""

    ACCEPTED = "accepted"
    DECLINED = "declined"

    @classmethod
    def of(cls, how: Ending) -> Verdict:
        """By how its program ended: only a document that came to its end lets the callee through."""
        return cls.ACCEPTED if how is Ending.DOCUMENT_ENDED else cls.DECLINED


@attrs.define(eq=False)
class Forking:
    """One `Dial` under way."""

    verb: Dial
    targets: Sequence[Planned]
    """One for each noun, in order; children are numbered by their place in it."""
    caller_answered: bool = True
    """Whether the caller's call is answered; only `answerOnBridge` begins without."""
    longest_s: float = LONGEST_S
    """How long a bridge may last when `timeLimit` does not say."""
    silence_s: float = SILENCE_S
    """Infinite where the actor cannot tell a silent contact from one that has sent 100."""

    state: State = attrs.field(init=False, default=State.HUNTING)
    result: Dialled | None = attrs.field(init=False, default=None)
    """The end, once it has come."""
    _steps: list[ForkingStep] = attrs.field(init=False, factory=list)
    _ringing: Ringing = attrs.field(init=False)
    _ears: Ears = attrs.field(init=False)
    _how: How = attrs.field(init=False, default=How.NOBODY)
    _caller_left: bool = attrs.field(init=False, default=False)
    _bridged: bool = attrs.field(init=False, default=False)
    _ended_at: float = attrs.field(init=False, default=0.0)
    _limit_due: float = attrs.field(init=False, default=math.inf)
    _writing_due: float = attrs.field(init=False, default=math.inf)
    _begun: bool = attrs.field(init=False, default=False)
    """Whether a recording has been begun; there is one a dial."""
    _writing: bool = attrs.field(init=False, default=False)
    """Whether it runs or is being written."""
    _recorded_s: float | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        children = [Child(at, target) for at, target in enumerate(self.targets) if isinstance(target, Target)]
        self._ringing = Ringing(self.verb, children, self.silence_s, self._steps)
        self._ears = Ears(self.verb.ring_tone, self.caller_answered)

    # ---- what the actor tells ----------------------------------------------------------------------------------------

    def begin(self, now: float) -> list[ForkingStep]:
        """The first steps. Nouns that cannot be called are passed over; their alerts are the planner's."""
        self._ringing.begin(now)
        return self._taken(now)

    @property
    def finished(self) -> bool:
        return self.state is State.DONE

    def located(self, child: int, branches: Sequence[Sequence[Contact]], now: float) -> list[ForkingStep]:
        """Where the child's callee may be: branches ring at once, the contacts of one branch after one another."""
        found = self._ringing.child(child)
        if found is not None:
            self._ringing.located(found, branches, now)
        return self._taken(now)

    def unreachable(
        self, child: int, now: float, *, status: DialStatus = "failed", sip_status: int | None = None
    ) -> list[ForkingStep]:
        """The child's callee is nowhere (not registered, no trunk, no room for another call)."""
        found = self._ringing.child(child)
        if found is not None:
            self._ringing.fail(found, Failure(status=status, sip_status=sip_status), Why.CANCELLED, now)
        return self._taken(now)

    def trying(self, leg: int, now: float) -> list[ForkingStep]:
        """A 100 came: somebody is there."""
        self._ringing.trying(leg)
        return self._taken(now)

    def progressed(self, leg: int, now: float, *, early_media: bool = False) -> list[ForkingStep]:
        """A provisional response above 100 came; `early_media`: with a session in it."""
        self._ringing.progressed(leg, now, early_media=early_media)
        return self._taken(now)

    def answered(self, leg: int, now: float) -> list[ForkingStep]:
        """A 2xx came."""
        self._ringing.said(leg, LegInput.ANSWERED, 200, now)
        return self._taken(now)

    def refused(self, leg: int, sip_status: int, now: float, detail: str = "") -> list[ForkingStep]:
        """The INVITE failed for good: 300 to 699; 408 also for silence, 503 for no way to send it.

        `detail` says in words what kept it from being sent, for the alert.
        """
        self._ringing.said(leg, LegInput.REFUSED, sip_status, now, detail)
        return self._taken(now)

    def redirected(self, leg: int, contacts: Sequence[Contact], now: float, sip_status: int = 302) -> list[ForkingStep]:
        """A 3xx came that is followed (see `redirection`): its contacts are tried before any other of the branch."""
        self._ringing.redirected(leg, contacts, sip_status, now)
        return self._taken(now)

    def ended(self, leg: int, now: float) -> list[ForkingStep]:
        """The leg's dialog is over: a BYE, or whatever else ended it. Before an answer no session came about (488)."""
        self._ringing.said(leg, LegInput.ENDED, 488, now)
        return self._taken(now)

    def digits_sent(self, leg: int, now: float) -> list[ForkingStep]:
        """All keys have been sent (or could not be)."""
        callee = self._ringing.callee
        if callee is not None and callee.number == leg:
            screened = callee.child.target.url is not None
            self._feed(Input.DIGITS_SENT_TO_SCREEN if screened else Input.DIGITS_SENT, now)
        return self._taken(now)

    def screened(self, leg: int, verdict: Verdict, now: float) -> list[ForkingStep]:
        """The screening document has come to its end."""
        callee = self._ringing.callee
        if callee is not None and callee.number == leg:
            self._feed(Input.ACCEPTED if verdict is Verdict.ACCEPTED else Input.DECLINED, now)
        return self._taken(now)

    def key(self, key: str, now: float) -> list[ForkingStep]:
        """The caller pressed a key; it is passed on to the callee all the same."""
        if key == "*" and self.verb.hangup_on_star:
            self._feed(Input.STAR, now)
        return self._taken(now)

    def caller_left(self, now: float) -> list[ForkingStep]:
        """The caller hung up, or cancelled."""
        self._feed(Input.CALLER_LEFT, now)
        return self._taken(now)

    def interrupted(self, now: float) -> list[ForkingStep]:
        """The caller's call was sent to another document: the dial ends at once and reports to nobody."""
        self._feed(Input.INTERRUPTED, now)
        return self._taken(now)

    def stop_child(self, child: int, now: float) -> list[ForkingStep]:
        """Somebody outside ends a child's call: cancelled before the answer, hung up after it."""
        found = self._ringing.child(child)
        if found is not None and found.live:
            cancelled = Failure(status="canceled", sip_status=487 if found.heard else None)
            self._ringing.fail(found, cancelled, Why.CANCELLED, now)
        elif found is not None and found.stage is Stage.ANSWERED:
            self._feed(Input.STOPPED, now)
        return self._taken(now)

    def recording_written(self, duration_s: float, now: float) -> list[ForkingStep]:
        """The file is closed, or was closed by the media on its own, and holds that many seconds."""
        if self._writing:
            self._writing, self._recorded_s = False, duration_s if duration_s > 0 else None
            self._feed(Input.CLOSED, now)
        return self._taken(now)

    def recording_lost(self, now: float) -> list[ForkingStep]:
        """The recording could not be made or kept."""
        return self.recording_written(0.0, now)

    def wake_at(self) -> float:
        """When `wake` next has work; infinity while no timer runs."""
        match self.state:
            case State.HUNTING:
                return self._ringing.wake_at()
            case State.BRIDGED:
                return self._limit_due
            case State.CLOSING:
                return self._writing_due
            case _:
                return math.inf

    def wake(self, now: float) -> list[ForkingStep]:
        """All timers that are due."""
        if self.state is State.HUNTING:
            self._ringing.wake(now)
        elif self.state is State.BRIDGED and now >= self._limit_due:
            self._feed(Input.TIME_LIMIT, now)
        elif self.state is State.CLOSING and now >= self._writing_due:
            return self.recording_lost(now)
        return self._taken(now)

    # ---- what follows ------------------------------------------------------------------------------------------------

    def _taken(self, now: float) -> list[ForkingStep]:
        """Carry on with what the calls came to, and hand out the steps."""
        outcome = self._ringing.outcome()
        if outcome is not None:
            self._feed(self._input_of(outcome), now)
        if self.state in (State.HUNTING, State.SENDING, State.SCREENING):
            self._hear()
            if self._ringing.rang and from_ringing(self.verb) and self._ears.session_open:
                self._record()
        steps = list(self._steps)
        self._steps.clear()
        return steps

    def _input_of(self, outcome: Outcome) -> Input:
        match outcome:
            case Outcome.EXHAUSTED:
                return Input.EXHAUSTED
            case Outcome.CALLEE_LEFT:
                return Input.CALLEE_LEFT
            case Outcome.ANSWERED:
                target = self._callee.child.target
                if target.digits:
                    return Input.ANSWERED_TO_DIGITS
                return Input.ANSWERED if target.url is None else Input.ANSWERED_TO_SCREEN

    @property
    def _callee(self) -> Leg:
        """Who answered; there is one in every state after HUNTING that the table leads to by an answer."""
        callee = self._ringing.callee
        if callee is None:  # pragma: no cover - the table has no such way
            raise RuntimeError("nobody has answered")
        return callee

    def _feed(self, given: Input, now: float) -> None:
        row = TABLE.get((self.state, given))
        if row is None:
            return
        before = self.state
        self.state, act = row
        self._caller_left = self._caller_left or given is Input.CALLER_LEFT
        match act:
            case Act.NOTE:
                if given is Input.INTERRUPTED:  # nobody waits for the recording any more
                    self._how, self._writing = How.INTERRUPTED, False
                    self._feed(Input.CLOSED, now)
            case Act.SEND_DIGITS:
                self._hear()
                self._steps.append(SendDigits(leg=self._callee.number, digits=self._callee.child.target.digits))
            case Act.SCREEN:
                self._screen()
            case Act.BRIDGE:
                self._bridge(now)
            case Act.FINISH:
                self._finish()
            case _:
                self._close(given, act, before, now)

    def _screen(self) -> None:
        child = self._callee.child
        self._hear()
        self._steps.append(
            StartScreening(
                child=child.number, leg=self._callee.number, url=child.target.url or "", method=child.target.method
            )
        )

    def _bridge(self, now: float) -> None:
        self._hear(bridging=self._callee)
        if not self.caller_answered:
            self.caller_answered = True
            self._steps.append(AnswerCaller())
        self._steps.append(Bridge(leg=self._callee.number))
        self._bridged = True
        limit = self.verb.time_limit
        self._limit_due = now + (self.longest_s if limit is None else limit)
        self._record()

    def _close(self, given: Input, act: Act, before: State, now: float) -> None:
        """The dial is over, except that its recording may have to be written."""
        self._how, why = _ENDS[given]
        self._ended_at = now
        self._hear()
        if before is State.BRIDGED:
            self._steps.append(Unbridge(leg=self._callee.number))
        match act:
            case Act.ABANDON:
                self._ringing.abandon(why, now)
            case Act.HANG_UP:
                self._ringing.drop((self._callee,), why, now)
                self._ringing.over(self._callee.child, "completed", 200, now)
            case Act.PART:
                self._ringing.over(self._callee.child, "completed", 200, now)
        if self._writing:
            self._steps.append(StopRecording())
            self._writing_due = now + WRITING_S
        if not self._writing or given is Input.INTERRUPTED:
            self._writing = False
            self._feed(Input.CLOSED, now)

    def _finish(self) -> None:
        callee, last = self._ringing.callee, self._ringing.last
        result = Dialled(
            how=self._how,
            status=last.status,
            child=self._ringing.last_child,
            leg=last.leg,
            sip_status=last.sip_status,
            recorded_s=self._recorded_s,
            caller_left=self._caller_left,
        )
        if callee is not None:
            answered_at = self._ended_at if callee.child.answered_at is None else callee.child.answered_at
            result = attrs.evolve(
                result,
                status="completed",
                child=callee.child.number,
                leg=callee.number,
                sip_status=200,
                bridged=self._bridged,
                duration_s=max(self._ended_at - answered_at, 0.0),
            )
        self.result = result
        self._steps.append(Finished(result))

    def _hear(self, bridging: Leg | None = None) -> None:
        """Let the caller hear what is right now."""
        self._steps += self._ears.hear(self._ears.wanted(self.state, self._ringing), bridging)

    def _record(self) -> None:
        """Begin the recording, once."""
        start = recording_of(self.verb)
        if start is not None and not self._begun:
            self._begun = self._writing = True
            self._steps.append(start)
