"""The rules of `Gather` for keys: when prompts stop, when the input is complete, and what it is.

The actor plays the prompts and tells the core what happens (`key`, `prompts_ended`, `hung_up`, `wake`); the core
answers with steps. Times are seconds on the caller's clock.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from .steps import Parameters
from .verbs import Gather

AUTO_TIMEOUT_S = 5
"""What `timeout="auto"` means for keys: the default."""

KEYS = frozenset("0123456789ABCD*#")


class State(enum.Enum):
    PROMPTING = "prompting"
    """Prompts play, nothing has been pressed; no timer runs."""
    WAITING = "waiting"
    """The prompts are over, nothing has been pressed."""
    COLLECTING = "collecting"
    """There are digits."""
    DONE = "done"


class Input(enum.Enum):
    DIGIT = "digit"
    """A key that is data, and more may follow."""
    LAST_DIGIT = "last-digit"
    """The key that makes the number of digits complete."""
    FINISH_KEY = "finish-key"
    PROMPTS_ENDED = "prompts-ended"
    TIMEOUT = "timeout"
    HANGUP = "hangup"


class Act(enum.Enum):
    NOTHING = "nothing"
    START_TIMER = "start-timer"
    KEEP = "keep"
    """Stop the prompts, keep the digit, restart the timer."""
    KEEP_AND_END = "keep-and-end"
    END = "end"
    END_BY_KEY = "end-by-key"
    END_BY_HANGUP = "end-by-hangup"


TABLE: Mapping[tuple[State, Input], tuple[State, Act]] = {
    (State.PROMPTING, Input.DIGIT): (State.COLLECTING, Act.KEEP),
    (State.PROMPTING, Input.LAST_DIGIT): (State.DONE, Act.KEEP_AND_END),
    (State.PROMPTING, Input.FINISH_KEY): (State.DONE, Act.END_BY_KEY),
    (State.PROMPTING, Input.PROMPTS_ENDED): (State.WAITING, Act.START_TIMER),
    (State.PROMPTING, Input.HANGUP): (State.DONE, Act.END_BY_HANGUP),
    (State.WAITING, Input.DIGIT): (State.COLLECTING, Act.KEEP),
    (State.WAITING, Input.LAST_DIGIT): (State.DONE, Act.KEEP_AND_END),
    (State.WAITING, Input.FINISH_KEY): (State.DONE, Act.END_BY_KEY),
    (State.WAITING, Input.TIMEOUT): (State.DONE, Act.END),
    (State.WAITING, Input.HANGUP): (State.DONE, Act.END_BY_HANGUP),
    (State.COLLECTING, Input.DIGIT): (State.COLLECTING, Act.KEEP),
    (State.COLLECTING, Input.LAST_DIGIT): (State.DONE, Act.KEEP_AND_END),
    (State.COLLECTING, Input.FINISH_KEY): (State.DONE, Act.END_BY_KEY),
    (State.COLLECTING, Input.TIMEOUT): (State.DONE, Act.END),
    (State.COLLECTING, Input.HANGUP): (State.DONE, Act.END_BY_HANGUP),
    # The prompts were stopped by the first key: the media's word that they have ended may still be under way.
    (State.COLLECTING, Input.PROMPTS_ENDED): (State.COLLECTING, Act.NOTHING),
    (State.WAITING, Input.PROMPTS_ENDED): (State.WAITING, Act.NOTHING),
}
"""Pairs that are missing cannot happen: no timer runs while prompting. When done, everything is too late."""


@attrs.frozen
class StopPrompts:
    """Stop what plays, and skip the prompts that have not begun."""


@attrs.frozen(kw_only=True)
class Gathered:
    """The end: what was pressed."""

    digits: str
    finished_on_key: str = ""
    """The key that ended it; empty when the number of digits or the time did."""
    hung_up: bool = False


GatherStep: TypeAlias = StopPrompts | Gathered


@attrs.define(eq=False)
class Gathering:
    """One `Gather` under way. Collection is active from the first prompt on."""

    verb: Gather
    state: State = attrs.field(init=False, default=State.PROMPTING)
    result: Gathered | None = attrs.field(init=False, default=None)
    """The end, once it has come; a caller who leaves at that moment has not undone it."""
    _digits: str = attrs.field(init=False, default="")
    _due: float = attrs.field(init=False, default=math.inf)
    _key: str = attrs.field(init=False, default="")

    @classmethod
    def begin(cls, verb: Gather, now: float) -> Gathering:
        """Start collecting; without prompts the clock runs at once."""
        gathering = cls(verb)
        if not verb.prompts:
            gathering.prompts_ended(now)
        return gathering

    @property
    def digits(self) -> str:
        """What has been pressed so far."""
        return self._digits

    @property
    def finished(self) -> bool:
        return self.state is State.DONE

    def key(self, key: str, now: float) -> list[GatherStep]:
        """A key was pressed. `now` is when it began, or was recognised; anything that is no key is not ours."""
        if key not in KEYS:
            return []
        self._key = key
        if self.verb.finish_on_key and key == self.verb.finish_on_key:
            return self._feed(Input.FINISH_KEY, now)
        wanted = self.verb.num_digits
        last = wanted is not None and len(self._digits) + 1 >= wanted
        return self._feed(Input.LAST_DIGIT if last else Input.DIGIT, now)

    def prompts_ended(self, now: float) -> list[GatherStep]:
        """All prompts have been played."""
        return self._feed(Input.PROMPTS_ENDED, now)

    def hung_up(self, now: float) -> list[GatherStep]:
        """The call is over."""
        return self._feed(Input.HANGUP, now)

    def wake_at(self) -> float:
        """When `wake` next has work; infinity while no timer runs."""
        return self._due

    def wake(self, now: float) -> list[GatherStep]:
        """The timer, if it is due."""
        return self._feed(Input.TIMEOUT, now) if now >= self._due else []

    def _feed(self, given: Input, now: float) -> list[GatherStep]:
        if self.state is State.DONE:
            return []
        prompting = self.state is State.PROMPTING
        self.state, act = TABLE[self.state, given]
        steps: list[GatherStep] = [StopPrompts()] if prompting and given is not Input.PROMPTS_ENDED else []
        match act:
            case Act.NOTHING:
                pass
            case Act.START_TIMER:
                self._due = now + self._timeout_s
            case Act.KEEP:
                self._digits += self._key
                self._due = now + self._timeout_s
            case Act.KEEP_AND_END:
                self._digits += self._key
                steps.append(self._end())
            case Act.END:
                steps.append(self._end())
            case Act.END_BY_KEY:
                steps.append(self._end(finished_on_key=self._key))
            case Act.END_BY_HANGUP:
                steps.append(self._end(hung_up=True))
        return steps

    def _end(self, *, finished_on_key: str = "", hung_up: bool = False) -> Gathered:
        self._due = math.inf
        self.result = Gathered(digits=self._digits, finished_on_key=finished_on_key, hung_up=hung_up)
        return self.result

    @property
    def _timeout_s(self) -> int:
        return AUTO_TIMEOUT_S if self.verb.timeout is None else self.verb.timeout


def gather_parameters(verb: Gather, result: Gathered) -> Parameters | None:
    """What the action request says beside the parameters of every request; `None` when there is to be none.

    The terminator without digits is as empty as no key at all. A caller who hangs up has given input only when there
    are digits, whatever `actionOnEmptyResult` says.
    """
    if not result.digits and (result.hung_up or not verb.action_on_empty_result):
        return None
    parameters = [("Digits", result.digits), ("FinishedOnKey", result.finished_on_key), ("msg", "Gather End")]
    if not result.digits and "speech" in verb.input:
        parameters.append(("SpeechResult", ""))
    return tuple(parameters)
