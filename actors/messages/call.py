"""To a call: what its program asks (`call_requests`), its leg and its media tell; and what it tells its program."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ...media.events import (
    AudioArrived,
    AudioLost,
    DigitHeard,
    MediaEvent,
    Played,
    RecordingDone,
    SpeechStarted,
    SpeechStopped,
)
from ...media.plane import PlaneLeg
from ...sip.dialog.events import LegFact
from ..call_identity import ChildCallbacks, Identity
from ..mailbox import Ref, Reply
from .call_requests import ProgramRequest
from .child import ChildFact, ChildInput
from .lifecycle import Down

# --- others to call --------------------------------------------------------------------------------------------


@attrs.frozen
class LegNews:
    """Leg to call."""

    fact: LegFact


@attrs.frozen
class MakeChild:
    """Program to call: start a child call in the call's nest; the answer is its handle."""

    number: int
    identity: Identity
    callbacks: ChildCallbacks | None
    reply: Reply[Ref[ChildInput]]


@attrs.frozen
class CoupleWith:
    """Program to call: let the caller and this leg hear each other."""

    peer: PlaneLeg
    one_way: bool = False
    """Only the caller hears: early media."""


@attrs.frozen
class Separate:
    """Program to call: undo that."""


@attrs.frozen
class OpenEarly:
    """Program to call: give the caller a session before the answer (183), so that there is something to hear."""

    reply: Reply[None]


DialRequest: TypeAlias = MakeChild | CoupleWith | Separate | OpenEarly

CallMessage: TypeAlias = ProgramRequest | DialRequest | LegNews | MediaEvent | ChildFact | Down
"""Media posts its events as they are."""


# --- call to program -------------------------------------------------------------------------------------------


@attrs.frozen
class CallHungUp:
    """The call is over: finish the running verb's last request, then end."""

    cause: str


ProgramFact: TypeAlias = (
    CallHungUp
    | Played
    | DigitHeard
    | SpeechStarted
    | SpeechStopped
    | RecordingDone
    | AudioArrived
    | AudioLost
    | ChildFact
)
