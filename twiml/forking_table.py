"""The two tables of Dial: what one leg goes through, and what the dial as a whole does.

`forking.Forking` walks them. A leg is one INVITE to one contact; the callee is whoever answered first.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

# ---- a leg ---------------------------------------------------------------------------------------------------------


class LegState(enum.Enum):
    CALLING = "calling"
    """Its INVITE is out; at most a 100 came back."""
    RINGING = "ringing"
    UP = "up"
    """It answered first: the callee."""
    ENDING = "ending"
    """We have told it to end."""
    GONE = "gone"


class LegInput(enum.Enum):
    PROGRESSED = "progressed"
    """A provisional answer above 100."""
    ANSWERED = "answered"
    REFUSED = "refused"
    """A final answer that is no 2xx, or what stands for it."""
    MOVED = "moved"
    """A 3xx that is followed."""
    ENDED = "ended"
    """The dialog is over."""
    DROP = "drop"
    """Not wanted any more: somebody else answered, the time is over, the caller left."""


class LegAct(enum.Enum):
    NOTHING = "nothing"
    RING = "ring"
    WIN = "win"
    FAIL = "fail"
    MOVE = "move"
    """Go on with the contacts it pointed to."""
    LEAVE = "leave"
    """The callee is gone."""
    CANCEL = "cancel"
    HANG_UP = "hang-up"


LEG_TABLE: Mapping[tuple[LegState, LegInput], tuple[LegState, LegAct]] = {
    (LegState.CALLING, LegInput.PROGRESSED): (LegState.RINGING, LegAct.RING),
    (LegState.CALLING, LegInput.ANSWERED): (LegState.UP, LegAct.WIN),
    (LegState.CALLING, LegInput.REFUSED): (LegState.GONE, LegAct.FAIL),
    (LegState.CALLING, LegInput.MOVED): (LegState.GONE, LegAct.MOVE),
    (LegState.CALLING, LegInput.ENDED): (LegState.GONE, LegAct.FAIL),
    (LegState.CALLING, LegInput.DROP): (LegState.ENDING, LegAct.CANCEL),
    (LegState.RINGING, LegInput.PROGRESSED): (LegState.RINGING, LegAct.RING),
    (LegState.RINGING, LegInput.ANSWERED): (LegState.UP, LegAct.WIN),
    (LegState.RINGING, LegInput.REFUSED): (LegState.GONE, LegAct.FAIL),
    (LegState.RINGING, LegInput.MOVED): (LegState.GONE, LegAct.MOVE),
    (LegState.RINGING, LegInput.ENDED): (LegState.GONE, LegAct.FAIL),
    (LegState.RINGING, LegInput.DROP): (LegState.ENDING, LegAct.CANCEL),
    (LegState.UP, LegInput.PROGRESSED): (LegState.UP, LegAct.NOTHING),  # overtaken by its own 2xx
    (LegState.UP, LegInput.ANSWERED): (LegState.UP, LegAct.NOTHING),
    (LegState.UP, LegInput.REFUSED): (LegState.GONE, LegAct.LEAVE),
    (LegState.UP, LegInput.MOVED): (LegState.GONE, LegAct.LEAVE),
    (LegState.UP, LegInput.ENDED): (LegState.GONE, LegAct.LEAVE),
    (LegState.UP, LegInput.DROP): (LegState.ENDING, LegAct.HANG_UP),
    (LegState.ENDING, LegInput.PROGRESSED): (LegState.ENDING, LegAct.NOTHING),
    # Its answer and our CANCEL crossed: it is up and has to be taken down.
    (LegState.ENDING, LegInput.ANSWERED): (LegState.ENDING, LegAct.HANG_UP),
    (LegState.ENDING, LegInput.REFUSED): (LegState.GONE, LegAct.NOTHING),
    (LegState.ENDING, LegInput.MOVED): (LegState.GONE, LegAct.NOTHING),
    (LegState.ENDING, LegInput.ENDED): (LegState.GONE, LegAct.NOTHING),
    (LegState.ENDING, LegInput.DROP): (LegState.ENDING, LegAct.NOTHING),
}
"""Of a leg that is gone everything is too late."""


# ---- the dial ------------------------------------------------------------------------------------------------------


class State(enum.Enum):
    HUNTING = "hunting"
    """Calling; nobody has answered."""
    SENDING = "sending"
    """Somebody answered; digits are being sent to them."""
    SCREENING = "screening"
    """The noun's document runs on the callee."""
    BRIDGED = "bridged"
    CLOSING = "closing"
    """All is decided; the recording is being written."""
    DONE = "done"


class Input(enum.Enum):
    ANSWERED = "answered"
    """By a noun without digits and document."""
    ANSWERED_TO_DIGITS = "answered-to-digits"
    ANSWERED_TO_SCREEN = "answered-to-screen"
    EXHAUSTED = "exhausted"
    """Nobody is left to be called."""
    DIGITS_SENT = "digits-sent"
    DIGITS_SENT_TO_SCREEN = "digits-sent-to-screen"
    ACCEPTED = "accepted"
    """The document ended."""
    DECLINED = "declined"
    """The document hung up, or could not be run."""
    CALLEE_LEFT = "callee-left"
    STAR = "star"
    """The caller sends the callee away (`hangupOnStar`)."""
    TIME_LIMIT = "time-limit"
    STOPPED = "stopped"
    """Somebody outside ended the callee's call."""
    CALLER_LEFT = "caller-left"
    INTERRUPTED = "interrupted"
    """Somebody outside sent the caller's call to another document."""
    CLOSED = "closed"
    """No recording is waited for."""


class Act(enum.Enum):
    NOTE = "note"
    """Only remember it."""
    SEND_DIGITS = "send-digits"
    SCREEN = "screen"
    BRIDGE = "bridge"
    GIVE_UP = "give-up"
    """Everybody has failed."""
    ABANDON = "abandon"
    """Cancel all that rings."""
    PART = "part"
    """The callee is gone already."""
    HANG_UP = "hang-up"
    """End the callee's leg."""
    FINISH = "finish"


_CALLEE_UP: Mapping[Input, tuple[State, Act]] = {
    Input.CALLEE_LEFT: (State.CLOSING, Act.PART),
    Input.STOPPED: (State.CLOSING, Act.HANG_UP),
    Input.CALLER_LEFT: (State.CLOSING, Act.HANG_UP),
    Input.INTERRUPTED: (State.CLOSING, Act.HANG_UP),
}

TABLE: Mapping[tuple[State, Input], tuple[State, Act]] = {
    (State.HUNTING, Input.ANSWERED): (State.BRIDGED, Act.BRIDGE),
    (State.HUNTING, Input.ANSWERED_TO_DIGITS): (State.SENDING, Act.SEND_DIGITS),
    (State.HUNTING, Input.ANSWERED_TO_SCREEN): (State.SCREENING, Act.SCREEN),
    (State.HUNTING, Input.EXHAUSTED): (State.CLOSING, Act.GIVE_UP),
    (State.HUNTING, Input.CALLER_LEFT): (State.CLOSING, Act.ABANDON),
    (State.HUNTING, Input.INTERRUPTED): (State.CLOSING, Act.ABANDON),
    (State.SENDING, Input.DIGITS_SENT): (State.BRIDGED, Act.BRIDGE),
    (State.SENDING, Input.DIGITS_SENT_TO_SCREEN): (State.SCREENING, Act.SCREEN),
    (State.SCREENING, Input.ACCEPTED): (State.BRIDGED, Act.BRIDGE),
    (State.SCREENING, Input.DECLINED): (State.CLOSING, Act.HANG_UP),
    (State.BRIDGED, Input.STAR): (State.CLOSING, Act.HANG_UP),
    (State.BRIDGED, Input.TIME_LIMIT): (State.CLOSING, Act.HANG_UP),
    **{
        (state, given): row
        for state in (State.SENDING, State.SCREENING, State.BRIDGED)
        for given, row in _CALLEE_UP.items()
    },
    (State.CLOSING, Input.CALLER_LEFT): (State.CLOSING, Act.NOTE),
    (State.CLOSING, Input.INTERRUPTED): (State.CLOSING, Act.NOTE),
    (State.CLOSING, Input.CLOSED): (State.DONE, Act.FINISH),
}
"""Pairs that are missing change nothing: they are late, or of no concern in that state (a star while it rings)."""
