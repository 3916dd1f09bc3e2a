"""Documents that may not use every verb, because of where they run: one table."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from . import verbs
from .attributes import SCHEMA
from .verbs import Verb


class Place(enum.Enum):
    """Where a document runs."""

    CALL = "call"
    """On a call of its own: everything is allowed."""
    SCREENING = "screening"
    """On a dialled party before the bridge (a noun's `url`)."""
    CONFERENCE = "conference"
    """While a conference waits, holds or is announced to."""
    QUEUE_WAIT = "queue-wait"
    """On a caller who waits in a queue."""
    QUEUE_WHISPER = "queue-whisper"
    """On a queued caller just before the bridge (a `Queue`'s `url`)."""


@attrs.frozen
class Allowance:
    """What a restricted document may hold, and the problem that anything else is."""

    verbs: frozenset[type[Verb]]
    code: int
    where: str
    codes: Mapping[type[Verb], int] = attrs.field(factory=dict)

    def code_of(self, verb: type[Verb]) -> int:
        return self.codes.get(verb, self.code)


ALLOWED: Mapping[Place, Allowance] = {
    Place.SCREENING: Allowance(
        # Pause and Redirect are beyond the documented set; both are known to work.
        frozenset((verbs.Say, verbs.Play, verbs.Gather, verbs.Hangup, verbs.Pause, verbs.Redirect)),
        SCHEMA,
        "a document that screens a dialled party",
        {verbs.Dial: 13201},
    ),
    Place.CONFERENCE: Allowance(
        frozenset((verbs.Play, verbs.Say, verbs.Pause, verbs.Redirect)),
        13238,
        "a document for a waiting conference",
    ),
    Place.QUEUE_WAIT: Allowance(
        frozenset((verbs.Play, verbs.Say, verbs.Pause, verbs.Hangup, verbs.Redirect, verbs.Leave, verbs.Gather)),
        SCHEMA,
        "a document for a waiting caller",
    ),
    Place.QUEUE_WHISPER: Allowance(
        frozenset((verbs.Play, verbs.Say, verbs.Pause, verbs.Redirect)),
        SCHEMA,
        "a document that runs before a queued caller is bridged",
    ),
}
"""Places that are not here allow every verb."""
