"""To and from a child call: what the program that dials asks of it, and what it tells that program.

A child call has one SID and as many legs as its callee has phones; legs carry the numbers of the core of Dial
(`twiml/forking.py`), so that neither side translates.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ...media.events import MediaEvent
from ...media.plane import PlaneLeg
from ...sip.address import NameAddr
from ...sip.dialog.events import Credentials, LegFact
from ...sip.headers import Headers
from ...sip.uri import Uri
from ...store.records import WebhookTarget
from ...transport.flow import Flow
from ...twiml.nouns import CallEvent, Method
from ...twiml.params import CallStatus
from ...twiml.steps import Parameters
from ..mailbox import Reply
from .call_requests import ProgramRequest
from .lifecycle import Down

# --- program to child ------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class DialLeg:
    """Send an INVITE to one contact."""

    leg: int
    target: Uri
    """Request-URI."""
    hop: Uri
    """Where it is sent when there is neither flow nor route."""
    to: NameAddr
    from_: NameAddr
    headers: tuple[tuple[str, str], ...] = ()
    auth: Credentials | None = None
    flow: Flow | None = None
    """The callee's own connection, kept since it registered."""
    routes: tuple[NameAddr, ...] = ()
    secure: bool = False
    """Whether the media must be encrypted; it is offered in no other way."""


@attrs.frozen
class CancelDial:
    leg: int
    reason: str
    unheard: bool = False
    """Nothing has come back from there for so long that nobody is taken to be there."""


@attrs.frozen
class HangUpLeg:
    leg: int
    reason: str


@attrs.frozen
class PressKeys:
    """Send keys to the callee; `LegKeysSent` follows."""

    leg: int
    digits: str


@attrs.frozen
class Screen:
    """Run a document on the child's call; `ChildScreened` follows."""

    leg: int
    url: str
    method: Method
    functions: dict[str, WebhookTarget]
    """Host names that stand for functions of an embedding program."""


@attrs.frozen(kw_only=True)
class TellChildStatus:
    """The child's status has changed: its events and callbacks are its own to tell."""

    event: CallEvent
    status: CallStatus
    sip_status: int | None = None
    duration_s: float = 0.0
    recording: Parameters = ()
    """What is said of the recording that was made of it."""


@attrs.frozen
class GetPlaneLeg:
    """The handle of a leg's media, for the caller's media to be coupled with."""

    leg: int
    reply: Reply[PlaneLeg]


@attrs.frozen
class FinishChild:
    """The dial is over; end when the legs have."""


ChildCommand: TypeAlias = (
    DialLeg | CancelDial | HangUpLeg | PressKeys | Screen | TellChildStatus | GetPlaneLeg | FinishChild
)


@attrs.frozen
class ChildLegNews:
    """A leg of the child to the child."""

    leg: int
    fact: LegFact


@attrs.frozen
class ChildMediaNews:
    """Media of a leg to the child."""

    leg: int
    event: MediaEvent


# --- child to program, by way of the parent's call ------------------------------------------------------------------


@attrs.frozen
class LegSent:
    """The INVITE is on its way."""

    child: int
    leg: int
    call_id: str


@attrs.frozen
class LegTried:
    """Somebody has the INVITE and works on it (100)."""

    child: int
    leg: int


@attrs.frozen
class LegRang:
    child: int
    leg: int
    status: int
    early_media: bool


@attrs.frozen
class LegPickedUp:
    child: int
    leg: int
    headers: Headers


@attrs.frozen(kw_only=True)
class LegFailed:
    child: int
    leg: int
    status: int
    headers: Headers
    contacts: tuple[NameAddr, ...] = ()
    """Where a 3xx points to."""
    local: bool = False
    """Nobody answered so; we concluded it."""
    why: str = ""
    """What kept the INVITE from being sent, where that is the reason."""


@attrs.frozen
class LegGone:
    child: int
    leg: int
    headers: Headers


@attrs.frozen
class ByeAnswered:
    """The far end has answered our BYE, after `LegGone`."""

    child: int
    leg: int
    headers: Headers


@attrs.frozen
class LegKeysSent:
    child: int
    leg: int


@attrs.frozen
class ChildScreened:
    child: int
    leg: int
    how: str
    """How the screening program ended (`twiml.steps.Ending`), or `crash`."""


@attrs.frozen
class ChildStopped:
    """Somebody outside ends the child's call."""

    child: int


ChildFact: TypeAlias = (
    LegSent
    | LegTried
    | LegRang
    | LegPickedUp
    | LegFailed
    | LegGone
    | ByeAnswered
    | LegKeysSent
    | ChildScreened
    | ChildStopped
)

ChildInput: TypeAlias = ChildCommand | ChildLegNews | ChildMediaNews | ProgramRequest | Down
