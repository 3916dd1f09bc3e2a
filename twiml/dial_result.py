"""What the action request of a Dial says about how it went."""

from __future__ import annotations

import attrs

from .forking_steps import Dialled, How
from .params import begun_seconds, header_parameters
from .recording import RecordingFacts, recording_parameters
from .steps import HungUp, Parameters, Performed


@attrs.frozen(kw_only=True)
class ChildFacts:
    """The child that a `Dialled` is about, as only its actor knows it."""

    sid: str
    sip: bool = False
    """Whether its noun is a `Sip`: only then the application is told of SIP."""
    sip_call_id: str | None = None
    """Call-ID of the leg; `None` when no INVITE was sent."""
    headers: tuple[tuple[str, str], ...] = ()
    """Of the last response or request of the leg: the final refusal, or the BYE or its 200 at the end."""


def dial_parameters(result: Dialled, child: ChildFacts | None, recording: RecordingFacts | None = None) -> Parameters:
    """The parameters beside those of every request. `child` is the call of `result.child`; `None` when there is none.

    There is no URL of a recording that does not exist.
    """
    parameters: list[tuple[str, str]] = [("DialCallStatus", result.status)]
    if child is not None:
        parameters.append(("DialCallSid", child.sid))
    parameters.append(("DialCallDuration", str(begun_seconds(result.duration_s))))
    parameters.append(("DialBridged", "true" if result.bridged else "false"))
    if child is not None and child.sip:
        if child.sip_call_id is not None:
            parameters.append(("DialSipCallId", child.sip_call_id))
        if result.sip_status is not None:
            parameters.append(("DialSipResponseCode", str(result.sip_status)))
        parameters += header_parameters(child.headers, prefix="DialSipHeader_", user_to_user=False)
    if recording is not None and result.recorded_s is not None:
        parameters += recording_parameters(recording, result.recorded_s)
    return tuple(parameters)


def outcome(result: Dialled, parameters: Parameters) -> Performed | HungUp | None:
    """What the program is resumed with; `None` when it was sent to another document meanwhile."""
    if result.how is How.INTERRUPTED:
        return None
    return HungUp(parameters=parameters) if result.caller_left else Performed(parameters=parameters)
