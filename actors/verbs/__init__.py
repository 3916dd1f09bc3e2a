"""Procedures that carry out TwiML verbs by driving the cores of twiml/: verb class to procedure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from ...twiml.steps import Failed, HungUp, Performed
from ...twiml.verbs import Dial, ErrorNotice, Gather, Pause, Play, PlayAudio, Record, Say, Verb
from .dial import dial
from .gather import gather
from .record import record
from .speak import error_notice, pause, play, play_audio, say
from .stage import Stage

Outcome: TypeAlias = Performed | Failed | HungUp
# Each procedure takes its own verb class; the table below is what pairs them.
Procedure: TypeAlias = Callable[[Stage, Any], Awaitable[Outcome]]

PROCEDURES: Final[dict[type[Verb], Procedure]] = {
    Say: say,
    Play: play,
    PlayAudio: play_audio,
    Pause: pause,
    ErrorNotice: error_notice,
    Gather: gather,
    Record: record,
    Dial: dial,
}
"""What `Redirect`, `Reject` and `Hangup` do is the interpreter's to decide; the others are errors it raises itself."""
