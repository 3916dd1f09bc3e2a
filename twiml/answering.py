"""What each verb means for a call that still rings: one table."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from . import verbs
from .verbs import Verb


class Answering(enum.Enum):
    """What becomes of an unanswered call when a verb is reached."""

    ANSWER = "answer"
    """It is answered, then the verb is carried out."""
    ON_BRIDGE = "on-bridge"
    """It rings on until the dialled party is there."""
    RING = "ring"
    """It rings on while the verb takes its time."""
    LATER = "later"
    """The verb decides nothing; the next one does."""
    REFUSE = "refuse"
    """It is refused and never answered."""


@attrs.frozen
class Refusal:
    """How a call is refused, and the status it ends with."""

    status: int
    reason: str
    call_status: str


REFUSALS: Mapping[str, Refusal] = {
    "rejected": Refusal(404, "Not Found", "no-answer"),
    "busy": Refusal(486, "Busy Here", "busy"),
}
"""By the reason of `Reject`."""

NEVER_ANSWERED = Refusal(480, "Temporarily Unavailable", "no-answer")
"""For a document that only lets the phone ring."""

_TABLE: Mapping[type[Verb], Answering] = {
    verbs.Say: Answering.ANSWER,
    verbs.Play: Answering.ANSWER,
    verbs.PlayAudio: Answering.ANSWER,
    verbs.ErrorNotice: Answering.ANSWER,
    verbs.Record: Answering.ANSWER,
    verbs.Gather: Answering.ANSWER,
    verbs.Dial: Answering.ANSWER,
    verbs.Enqueue: Answering.ANSWER,
    verbs.Connect: Answering.ANSWER,
    verbs.Pay: Answering.ANSWER,
    verbs.Refer: Answering.ANSWER,
    verbs.Echo: Answering.ANSWER,
    verbs.Leave: Answering.ANSWER,
    verbs.Hangup: Answering.ANSWER,
    verbs.Sms: Answering.ANSWER,
    verbs.Prompt: Answering.ANSWER,
    verbs.Queue: Answering.ANSWER,
    verbs.Pause: Answering.RING,
    verbs.Redirect: Answering.LATER,
    verbs.Start: Answering.LATER,
    verbs.Stop: Answering.LATER,
    verbs.Reject: Answering.REFUSE,
}


def answering(verb: Verb) -> Answering:
    """What `verb` means for a call that is not answered yet."""
    if isinstance(verb, verbs.Dial) and verb.answer_on_bridge:
        return Answering.ON_BRIDGE
    return _TABLE[type(verb)]
