"""What this server does not carry out, in one place: whole verbs, and single features of verbs that it does."""

from __future__ import annotations

import attrs

from . import nouns, verbs
from .verbs import Verb

CARRIED_OUT: frozenset[type[Verb]] = frozenset(
    (
        verbs.Say,
        verbs.Play,
        verbs.Pause,
        verbs.Gather,
        verbs.Record,
        verbs.Redirect,
        verbs.Reject,
        verbs.Hangup,
        verbs.PlayAudio,
        verbs.ErrorNotice,
    )
)
"""Any other verb is an execution error."""

NOUNS_CARRIED_OUT = (nouns.Number, nouns.Sip, nouns.Client)
"""Whom a Dial may call. With any other noun it is an execution error."""

NOT_SUPPORTED = 13750
SPEECH_IS_DEGRADED = 13340
NO_TRANSCRIPTION = 13619


@attrs.frozen
class Shortfall:
    """What is missing for a verb."""

    code: int
    detail: str
    fatal: bool
    """Whether the verb cannot be carried out at all; otherwise it is, without the feature."""


def shortfall(verb: Verb, carried_out: frozenset[type[Verb]] = CARRIED_OUT) -> Shortfall | None:
    """What is missing to carry out `verb` as it is written; `None` when nothing is."""
    if type(verb) not in carried_out:
        return Shortfall(NOT_SUPPORTED, f"the verb {verb.element()} is not supported", True)
    match verb:
        case verbs.Gather(input=("speech",)):
            return Shortfall(NOT_SUPPORTED, "Gather with input speech is not supported", True)
        case verbs.Gather(input=given) if "speech" in given:
            return Shortfall(SPEECH_IS_DEGRADED, "Gather listens to keys only; speech is not recognised", False)
        case verbs.Record(transcribe=True):
            return Shortfall(NO_TRANSCRIPTION, "the recording will not be transcribed", False)
        case verbs.Dial():
            return _dial(verb)
        case _:
            return None


def uncarried_nouns(dial: verbs.Dial) -> str:
    """The names of its nouns that are not carried out, for a sentence; empty when all are."""
    return " and ".join(
        dict.fromkeys(type(noun).__name__ for noun in dial.nouns if not isinstance(noun, NOUNS_CARRIED_OUT))
    )


def _dial(dial: verbs.Dial) -> Shortfall | None:
    names = uncarried_nouns(dial)
    if names:
        return Shortfall(NOT_SUPPORTED, f"Dial with {names} is not supported", True)
    ignored = [
        name
        for name, given in (
            (
                "machineDetection",
                any(isinstance(noun, nouns.Detected) and noun.machine_detection for noun in dial.nouns),
            ),
            ("byoc", any(isinstance(noun, nouns.Number) and noun.byoc for noun in dial.nouns)),
            (
                "clientNotificationUrl",
                any(isinstance(noun, nouns.Client) and noun.client_notification_url for noun in dial.nouns),
            ),
            ("referUrl", dial.refer_url),
            ("recordingConfigurationId", dial.recording_configuration_id),
            ("passports", dial.passports),
        )
        if given
    ]
    if not ignored:
        return None
    return Shortfall(NOT_SUPPORTED, f"{', '.join(ignored)}: not supported, and without effect here", False)
