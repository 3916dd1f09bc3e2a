"""What the action request of a Dial says."""

from __future__ import annotations

import pytest

from offhook.twiml.dial_result import ChildFacts, dial_parameters, outcome
from offhook.twiml.forking_steps import Dialled, How
from offhook.twiml.recording import RecordingFacts
from offhook.twiml.steps import HungUp, Performed

HEADERS = (
    ("Via", "SIP/2.0/UDP 192.0.2.1"),
    ("X-Reason", "lunch"),
    ("x-reason", "break"),
    ("User-to-User", "aa;encoding=hex"),
    ("Remote-Party-ID", "<sip:x@y>"),
)
CHILD = ChildFacts(sid="CA2", sip=True, sip_call_id="c1@0.0.0.0", headers=HEADERS)
TALKED = Dialled(how=How.CALLEE_LEFT, status="completed", child=0, leg=1, sip_status=200, bridged=True, duration_s=41.2)
RECORDING = RecordingFacts(sid="RE1", url="http://host.test/RE1", started="")


def test_a_call_that_took_place_is_told_in_full() -> None:
    assert dial_parameters(TALKED, CHILD) == (
        ("DialCallStatus", "completed"),
        ("DialCallSid", "CA2"),
        ("DialCallDuration", "42"),
        ("DialBridged", "true"),
        ("DialSipCallId", "c1@0.0.0.0"),
        ("DialSipResponseCode", "200"),
        ("DialSipHeader_X-Reason", "lunch,break"),
    )


def test_a_busy_callee() -> None:
    busy = Dialled(how=How.NOBODY, status="busy", child=0, leg=1, sip_status=486)
    told = dict(dial_parameters(busy, CHILD))
    assert told["DialCallStatus"] == "busy"
    assert told["DialSipResponseCode"] == "486"
    assert told["DialBridged"] == "false"
    assert told["DialCallDuration"] == "0"


def test_without_a_call_there_is_no_sid_and_no_sip() -> None:
    failed = Dialled(how=How.NOBODY, status="failed")
    assert dial_parameters(failed, None) == (
        ("DialCallStatus", "failed"),
        ("DialCallDuration", "0"),
        ("DialBridged", "false"),
    )


def test_only_a_sip_noun_tells_of_sip() -> None:
    told = dict(dial_parameters(TALKED, ChildFacts(sid="CA2", sip_call_id="c", headers=HEADERS)))
    assert not [name for name in told if name.startswith("DialSip")]


def test_headers_that_are_not_x_are_never_told() -> None:
    told = dict(dial_parameters(TALKED, CHILD))
    assert [name for name in told if name.startswith("DialSipHeader_")] == ["DialSipHeader_X-Reason"]


def test_a_call_that_was_never_sent_has_no_call_id() -> None:
    told = dict(dial_parameters(Dialled(how=How.NOBODY, status="failed", child=0), ChildFacts(sid="CA2", sip=True)))
    assert "DialSipCallId" not in told
    assert "DialSipResponseCode" not in told


def test_the_recording_is_told_when_there_is_one() -> None:
    recorded = Dialled(how=How.CALLEE_LEFT, status="completed", recorded_s=9.6)
    told = dict(dial_parameters(recorded, None, RECORDING))
    assert (told["RecordingUrl"], told["RecordingSid"], told["RecordingDuration"]) == (
        "http://host.test/RE1",
        "RE1",
        "10",
    )
    assert "RecordingUrl" not in dict(dial_parameters(TALKED, CHILD, RECORDING))


@pytest.mark.parametrize("how", list(How))
def test_what_the_program_is_told(how: How) -> None:
    parameters = (("DialCallStatus", "completed"),)
    stayed = outcome(Dialled(how=how, status="completed"), parameters)
    left = outcome(Dialled(how=how, status="completed", caller_left=True), parameters)
    if how is How.INTERRUPTED:
        assert stayed is left is None
    else:
        assert stayed == Performed(parameters=parameters)
        assert left == HungUp(parameters=parameters)
