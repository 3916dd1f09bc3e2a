"""What the end of a dialled leg's INVITE means for an application: one table from SIP status to `DialCallStatus`.

Every row can be looked up and tested; nothing else in the house decides this.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, Literal

import attrs

DialStatus = Literal["completed", "answered", "busy", "no-answer", "failed", "canceled"]


class Heard(enum.Enum):
    """What came from the far end before the INVITE ended."""

    NOTHING = "nothing"
    """Not even a 100: nobody may be there."""
    TRYING = "trying"
    """A 100: somebody takes care of it."""
    RINGING = "ringing"
    """101 to 199: the call was on its way to a person."""


@attrs.frozen
class Meaning:
    """One row."""

    status: DialStatus
    outage: bool = False
    """Whether the far end, and not a person there, is the reason: told as 32011, and a reason to try another way."""


_BUSY = Meaning("busy")
_NO_ANSWER = Meaning("no-answer")
_FAILED = Meaning("failed")
_OUTAGE = Meaning("failed", outage=True)

MEANINGS: Final[Mapping[int, Meaning]] = {
    200: Meaning("completed"),
    401: _FAILED,  # credentials that the far end does not take, or none
    403: _FAILED,
    404: _FAILED,
    407: _FAILED,
    408: _NO_ANSWER,  # after ringing; see UNHEARD
    410: _FAILED,
    415: _FAILED,
    430: _OUTAGE,  # the flow to the phone has failed (RFC 5626 section 11.5)
    480: _NO_ANSWER,
    484: _FAILED,
    486: _BUSY,
    487: _NO_ANSWER,  # what our CANCEL brings when the ring time is over
    488: _FAILED,
    500: _OUTAGE,
    502: _OUTAGE,
    503: _OUTAGE,  # also an unreachable hop (RFC 3261 8.1.3.1)
    504: _OUTAGE,
    600: _BUSY,
    603: _BUSY,  # "Decline": the key with which a phone sends a caller away
    604: _FAILED,
    606: _FAILED,
    607: _BUSY,  # "Unwanted" (RFC 8197), the ruder form of 603
}
"""By the final response of the INVITE, or what stands for it when none came (408 for silence, 503 for no way)."""

UNHEARD: Final[Mapping[int, Meaning]] = {408: _OUTAGE}
"""Rows that differ when nothing has rung: silence is no answer of a person."""

_CLASSES: Final[Mapping[int, Meaning]] = {3: _FAILED, 4: _FAILED, 5: _OUTAGE, 6: _FAILED}
"""Other codes are the x00 of their class (RFC 3261 8.1.3.2)."""


def meaning(sip_status: int, heard: Heard = Heard.NOTHING) -> Meaning:
    """The row of `sip_status` (200, or 300 to 699)."""
    if heard is not Heard.RINGING and sip_status in UNHEARD:
        return UNHEARD[sip_status]
    return MEANINGS.get(sip_status) or _CLASSES.get(sip_status // 100, _FAILED)


def is_global(sip_status: int) -> bool:
    """Whether the answer speaks for all devices of a user, so that none of them need ring on (RFC 3261 16.7 step 5)."""
    return sip_status >= 600


_WEIGHT: Final[Mapping[DialStatus, int]] = {"busy": 2, "no-answer": 1}


def tells_more(sip_status: int, status: DialStatus) -> tuple[bool, int]:
    """A key: of several failed forks of one callee, the one with the highest says best what happened.

    A word for all of them before any other, a person's before a machine's.
    """
    return is_global(sip_status), _WEIGHT.get(status, 0)
