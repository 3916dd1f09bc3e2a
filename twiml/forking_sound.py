"""What the caller hears while a dial is not bridged: nothing, ringing from us, or what the far end sends early."""

from __future__ import annotations

import enum
from typing import TypeAlias

import attrs

from .forking_steps import ForkingStep, PassEarlyMedia, PlayRingback, StopEarlyMedia, StopRingback
from .forking_table import State
from .ringing import Ringing
from .ringing_legs import Leg, Stage


class Tone(enum.Enum):
    """Ringing from us."""

    RINGBACK = "ringback"


Sound: TypeAlias = Tone | Leg | None
"""A leg stands for its early media."""


@attrs.define(eq=False)
class Ears:
    """The caller's."""

    country: str | None
    """Of `ringTone`; `None` when none is asked for."""
    session_open: bool
    """Whether the caller has a session, answered or early, so that without a sound of ours there is silence."""
    sound: Sound = attrs.field(init=False, default=None)

    def wanted(self, state: State, ringing: Ringing) -> Sound:
        """What is right in this moment.

        Early media is passed on only of a leg that rings alone and when no country's tone is asked for: of several far
        ends nobody could say whose announcement the caller should believe. While a document screens the callee the
        caller hears ringing.
        """
        match state:
            case State.HUNTING:
                alone = _alone(ringing)
                if self.country is None and alone is not None and alone.early:
                    return alone
                return self._tone() if ringing.rang else None
            case State.SENDING | State.SCREENING:
                return self._tone()
            case _:
                return None

    def _tone(self) -> Sound:
        """A caller whose phone rings by itself needs no tone, unless a country's is asked for."""
        return Tone.RINGBACK if self.session_open or self.country is not None else None

    def hear(self, wanted: Sound, bridging: Leg | None = None) -> list[ForkingStep]:
        """Change over. Early media of the leg that is being bridged is not stopped: the bridge goes on with it."""
        old, steps = self.sound, list[ForkingStep]()
        if old is wanted:
            return steps
        self.sound = wanted
        if isinstance(old, Leg):
            if old is not bridging:
                steps.append(StopEarlyMedia(leg=old.number))
        elif old is not None:
            steps.append(StopRingback())
        if isinstance(wanted, Leg):
            steps.append(PassEarlyMedia(leg=wanted.number))
        elif wanted is not None:
            steps.append(PlayRingback(country=self.country))
        self.session_open = self.session_open or wanted is not None
        return steps


def _alone(ringing: Ringing) -> Leg | None:
    """The only leg that may still answer; `None` when there are several, or more to come at once."""
    legs = [leg for child in ringing.children if child.live for leg in child.legs]
    locating = any(child.stage is Stage.LOCATING for child in ringing.children)
    return legs[0] if len(legs) == 1 and not locating else None
