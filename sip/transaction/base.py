"""What the four transaction machines share: two timers, one that repeats a message and one that ends a state."""

import abc
import math
from typing import Generic, TypeVar

import attrs

from ..machine import Symbol
from ..timers import Timers
from .events import TransactionOutput
from .key import Key

I = TypeVar("I", bound=Symbol)  # noqa: E741 - the machine's input alphabet, as in machine.py


@attrs.define(eq=False)
class Machine(abc.ABC, Generic[I]):
    """A transaction's clockwork. `now` and all dates are trio seconds; `math.inf` means never."""

    key: Key
    timers: Timers
    queued_at: float = attrs.field(default=math.inf, init=False)
    """The date under which the driver's heap knows this transaction; the driver's alone."""

    _repeat: I | None = attrs.field(default=None, init=False)
    _repeat_at: float = attrs.field(default=math.inf, init=False)
    _interval: float = attrs.field(default=0.0, init=False)
    _end: I | None = attrs.field(default=None, init=False)
    _end_at: float = attrs.field(default=math.inf, init=False)

    @property
    @abc.abstractmethod
    def finished(self) -> bool:
        """Nothing more will come of this transaction."""

    @abc.abstractmethod
    def _take(self, given: I, now: float) -> list[TransactionOutput]:
        """Run one row of the table for a timer or another input without a message."""

    def wake_at(self) -> float:
        """When `wake` next has work."""
        return self._end_at if self._end_at < self._repeat_at else self._repeat_at

    def wake(self, now: float) -> list[TransactionOutput]:
        """Fire the timer that is due; what has to end is not repeated once more before."""
        if self._end_at <= now and self._end is not None:
            return self._take(self._end, now)
        if self._repeat_at <= now and self._repeat is not None:
            return self._take(self._repeat, now)
        return []

    def _repeat_every(self, interval: float, given: I, now: float) -> None:
        """Give `given` to the table after `interval`."""
        self._repeat, self._interval, self._repeat_at = given, interval, now + interval

    def _again(self, interval: float, now: float) -> None:
        """Arm the repetition anew, from the date it was due at; a driver that woke late sends no burst."""
        self._interval = interval
        due = self._repeat_at + interval
        self._repeat_at = due if due > now else now + interval

    def _stop_repeating(self) -> None:
        self._repeat_at = math.inf

    def _end_after(self, delay: float, given: I, now: float) -> None:
        self._end, self._end_at = given, now + delay

    def _stop(self) -> None:
        self._repeat_at = self._end_at = math.inf
