"""The status of a call as a table: queued to completed, with its durations.

Pure: inputs and times go in, the next status comes out.
"""

from __future__ import annotations

import enum
import math

import attrs

from ..twiml.params import CallStatus, begun_seconds


class Status(enum.Enum):
    """What `CallStatus` reads."""

    QUEUED = "queued"
    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"

    # Members are singletons, so identity is the hash; Enum's own is a Python call.
    __hash__ = object.__hash__

    @property
    def public(self) -> CallStatus:
        """As applications read it."""
        return self.value

    @property
    def final(self) -> bool:
        return self in FINAL


FINAL = frozenset({Status.COMPLETED, Status.BUSY, Status.NO_ANSWER, Status.FAILED, Status.CANCELED})


class Input(enum.Enum):
    """What may happen to a call."""

    SENT = "its INVITE went out"
    RANG = "a provisional answer above 100 was sent or came"
    ANSWERED = "the dialog is confirmed"
    REFUSED_BUSY = "refused as busy"
    REFUSED = "refused as not in service, or nobody answered"
    UNROUTABLE = "could not be brought to its target"
    CANCELLED = "cancelled before the answer"
    ENDED = "ended in order after the answer"
    BROKE = "ended by a fault of ours"


_UNANSWERED = {
    Input.REFUSED_BUSY: Status.BUSY,
    Input.REFUSED: Status.NO_ANSWER,
    Input.UNROUTABLE: Status.FAILED,
    Input.CANCELLED: Status.CANCELED,
    Input.BROKE: Status.FAILED,
}

TABLE: dict[tuple[Status, Input], Status] = {
    (Status.QUEUED, Input.SENT): Status.INITIATED,
    (Status.QUEUED, Input.RANG): Status.RINGING,
    (Status.INITIATED, Input.RANG): Status.RINGING,
    (Status.RINGING, Input.RANG): Status.RINGING,
    # An endpoint may answer before it rings.
    (Status.INITIATED, Input.ANSWERED): Status.IN_PROGRESS,
    (Status.RINGING, Input.ANSWERED): Status.IN_PROGRESS,
    **{
        (status, event): final
        for status in (Status.QUEUED, Status.INITIATED, Status.RINGING)
        for event, final in _UNANSWERED.items()
    },
    (Status.IN_PROGRESS, Input.ENDED): Status.COMPLETED,
    (Status.IN_PROGRESS, Input.BROKE): Status.FAILED,
    # A 200 whose ACK has not come yet, and then BYE: the caller did answer.
    (Status.RINGING, Input.ENDED): Status.COMPLETED,
}
"""Pairs that are missing change nothing: a final status stays, and late news is late."""


@attrs.define(eq=False)
class CallState:
    """The status of one call and when it changed (trio seconds)."""

    status: Status
    created_at: float
    answered_at: float | None = None
    ended_at: float | None = None

    def apply(self, event: Input, now: float) -> bool:
        """Take an input; whether the status changed."""
        after = TABLE.get((self.status, event), self.status)
        if after is self.status:
            return False
        self.status = after
        if after is Status.IN_PROGRESS:
            self.answered_at = now
        elif after.final:
            self.ended_at = now
        return True

    @property
    def duration_s(self) -> int:
        """Seconds from answer to end, a started second counting whole; 0 when never answered or not ended."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return begun_seconds(self.ended_at - self.answered_at)

    @property
    def minutes(self) -> int:
        """The duration in started minutes."""
        return math.ceil(self.duration_s / 60)
