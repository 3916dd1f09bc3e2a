"""The parameters of requests to an application."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest

from offhook.twiml.nouns import CallEvent
from offhook.twiml.params import (
    EVENT_STATUS,
    CallFacts,
    CallStatus,
    Place,
    SipFacts,
    begun_seconds,
    call_parameters,
    event_parameters,
    header_parameters,
    rfc2822,
    screening_parameters,
    status_parameters,
)

AT = datetime(2010, 8, 20, 1, 13, 42, tzinfo=UTC)
SIP = SipFacts(
    call_id="c1@192.0.2.10",
    domain="acme.sip.example.test",
    domain_sid="SD" + "0" * 32,
    source_ip="192.0.2.10",
    username="bob",
    headers=(
        ("Via", "SIP/2.0/UDP 192.0.2.10"),
        ("X-Route-Id", " blue "),
        ("user-to-user", "56a390f3d2b7310023a2;encoding=hex"),
        ("x-route-id", "green"),
        ("P-Asserted-Identity", "<sip:x@y>"),
        ("x-Lower", "1"),
    ),
)
CALL = CallFacts(
    call_sid="CA1",
    account_sid="AC1",
    from_="sip:bob@acme.sip.example.test",
    to="sip:+14155550100@acme.sip.example.test",
    status="ringing",
    direction="inbound",
    sip=SIP,
)


def test_the_first_request_of_a_sip_call_says_all_about_it() -> None:
    assert dict(call_parameters(CALL)) == {
        "CallSid": "CA1",
        "AccountSid": "AC1",
        "From": "sip:bob@acme.sip.example.test",
        "Caller": "sip:bob@acme.sip.example.test",
        "To": "sip:+14155550100@acme.sip.example.test",
        "Called": "sip:+14155550100@acme.sip.example.test",
        "CallStatus": "ringing",
        "ApiVersion": "2010-04-01",
        "Direction": "inbound",
        "SipDomain": "acme.sip.example.test",
        "SipDomainSid": "SD" + "0" * 32,
        "SipUsername": "bob",
        "SipCallId": "c1@192.0.2.10",
        "SipSourceIp": "192.0.2.10",
        "SipHeader_X-Route-Id": "blue,green",
        "SipHeader_User-to-User": "56a390f3d2b7310023a2;encoding=hex",
        "SipHeader_x-Lower": "1",
    }


def test_no_name_comes_twice() -> None:
    names = [name for name, _ in call_parameters(CALL)]
    assert len(names) == len(set(names))


def test_a_call_without_digest_has_no_user_name() -> None:
    names = dict(call_parameters(attrs.evolve(CALL, sip=SipFacts(call_id="c"))))
    assert "SipUsername" not in names
    assert "SipDomain" not in names
    assert names["SipCallId"] == "c"


def test_what_is_known_besides_is_told_too() -> None:
    call = CallFacts(
        call_sid="CA2",
        account_sid="AC1",
        from_="+14155550100",
        to="client:ann",
        status="in-progress",
        direction="outbound-dial",
        parent_call_sid="CA1",
        forwarded_from="+14155550101",
        caller_name="ANN",
        application_sid="AP1",
        call_token="t",
        stir_verstat="TN-Validation-Passed-A",
        answered_by="human",
        machine_detection_ms=1820,
        from_place=Place(city="SAN FRANCISCO", state="CA", zip="94105", country="US"),
    )
    told = dict(call_parameters(call))
    assert told["ParentCallSid"] == "CA1"
    assert told["ForwardedFrom"] == "+14155550101"
    assert told["CallerName"] == "ANN"
    assert told["MachineDetectionDuration"] == "1820"
    assert (told["FromCity"], told["CallerZip"]) == ("SAN FRANCISCO", "94105")
    assert "ToCity" not in told


def test_headers_of_the_answer_are_named_for_dial() -> None:
    headers = (("X-A", "1"), ("User-to-User", "2"))
    assert header_parameters(headers, prefix="DialSipHeader_", user_to_user=False) == (("DialSipHeader_X-A", "1"),)


def test_bytes_that_are_not_text_become_replacement_characters() -> None:
    broken = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert header_parameters([("X-A", broken)]) == (("SipHeader_X-A", "caf\ufffd"),)
    call = CallFacts(call_sid="CA1", account_sid="AC1", from_=broken, to="x", status="ringing", direction="inbound")
    for _, value in call_parameters(call):
        value.encode()


@pytest.mark.parametrize(
    ("duration_s", "seconds"), [(0.0, 0), (0.0005, 0), (0.2, 1), (41.0, 41), (41.0004, 41), (41.2, 42), (-1.0, 0)]
)
def test_a_begun_second_counts_whole(duration_s: float, seconds: int) -> None:
    assert begun_seconds(duration_s) == seconds


@pytest.mark.parametrize(
    ("seconds", "told_s", "minutes"),
    [(0, "0", "0"), (1, "1", "1"), (42.4, "43", "1"), (60, "60", "1"), (60.2, "61", "2"), (3600, "3600", "60")],
)
def test_the_end_of_a_call_is_told_with_its_length(seconds: float, told_s: str, minutes: str) -> None:
    told = dict(
        status_parameters(CALL.with_status("completed"), at=AT, sequence=0, duration_s=seconds, sip_response_code=200)
    )
    assert told["CallDuration"] == told_s
    assert told["Duration"] == minutes
    assert told["CallStatus"] == "completed"
    assert told["SipResponseCode"] == "200"
    assert told["Timestamp"] == "Fri, 20 Aug 2010 01:13:42 +0000"
    assert told["CallbackSource"] == "call-progress-events"
    assert told["SequenceNumber"] == "0"


@pytest.mark.parametrize("status", ["initiated", "ringing", "in-progress"])
def test_progress_has_no_length(status: CallStatus) -> None:
    told = dict(status_parameters(CALL.with_status(status), at=AT, sequence=3, sip_response_code=180))
    assert {"CallDuration", "Duration", "SipResponseCode"}.isdisjoint(told)
    assert told["SequenceNumber"] == "3"


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
def test_a_call_that_was_never_answered_lasted_no_time(status: CallStatus) -> None:
    told = dict(status_parameters(CALL.with_status(status), at=AT, sequence=0, sip_response_code=487))
    assert (told["CallDuration"], told["Duration"], told["SipResponseCode"]) == ("0", "0", "487")


def test_a_recorded_call_says_where() -> None:
    told = dict(
        status_parameters(
            CALL.with_status("completed"), at=AT, sequence=0, duration_s=1, recording=(("RecordingSid", "RE1"),)
        )
    )
    assert told["RecordingSid"] == "RE1"


def test_dates_are_in_utc() -> None:
    assert rfc2822(datetime(2010, 8, 20, 3, 13, 42, 999, tzinfo=timezone(timedelta(hours=2)))) == (
        "Fri, 20 Aug 2010 01:13:42 +0000"
    )


# ---- the children of a Dial ----------------------------------------------------------------------------------------

CHILD = CallFacts(
    call_sid="CA2",
    account_sid="AC1",
    from_="+14155550100",
    to="sip:bob@pbx.test",
    status="ringing",
    direction="outbound-dial",
    parent_call_sid="CA1",
)


@pytest.mark.parametrize(
    ("event", "status"), [("initiated", "initiated"), ("ringing", "ringing"), ("answered", "in-progress")]
)
def test_every_event_of_a_child_has_its_status_and_its_parent(event: CallEvent, status: CallStatus) -> None:
    late = CHILD.with_status("completed")  # however far the call has come meanwhile
    told = dict(event_parameters(late, event, at=AT, sequence=2))
    assert told["CallStatus"] == EVENT_STATUS[event] == status
    assert told["ParentCallSid"] == "CA1"
    assert told["Direction"] == "outbound-dial"
    assert told["CallbackSource"] == "call-progress-events"
    assert told["SequenceNumber"] == "2"
    assert told["Timestamp"] == "Fri, 20 Aug 2010 01:13:42 +0000"
    assert "CallDuration" not in told
    assert "SipResponseCode" not in told


@pytest.mark.parametrize("status", ["completed", "busy", "no-answer", "failed", "canceled"])
def test_the_last_event_of_a_child_has_its_final_status(status: CallStatus) -> None:
    told = dict(
        event_parameters(
            CHILD.with_status(status), "completed", at=AT, sequence=3, duration_s=42, sip_response_code=200
        )
    )
    assert (told["CallStatus"], told["CallDuration"], told["Duration"]) == (status, "42", "1")
    assert told["SipResponseCode"] == "200"


def test_the_recording_of_a_dial_is_told_with_the_end_of_the_child() -> None:
    recording = (("RecordingUrl", "http://h/RE1"), ("RecordingSid", "RE1"), ("RecordingDuration", "5"))
    done = CHILD.with_status("completed")
    assert set(recording) <= set(event_parameters(done, "completed", at=AT, sequence=0, recording=recording))
    assert not set(recording) & set(event_parameters(done, "answered", at=AT, sequence=0, recording=recording))


def test_a_screening_request_tells_what_the_far_end_said() -> None:
    answered = attrs.evolve(
        CHILD.with_status("in-progress"),
        sip=SipFacts(
            call_id="5f@0.0.0.0",
            domain="pbx.test",
            source_ip="192.0.2.7",
            headers=(("X-Agent", "7"), ("User-to-User", "aa"), ("Server", "pbx")),
        ),
    )
    told = dict(screening_parameters(answered, called="sip:bob@pbx.test:5070", caller="sip:+14155550100@sip.test"))
    assert told["CallSid"] == "CA2"
    assert told["ParentCallSid"] == "CA1"
    assert told["CallStatus"] == "in-progress"
    assert (told["To"], told["Called"]) == ("sip:bob@pbx.test", "sip:bob@pbx.test:5070")
    assert (told["From"], told["Caller"]) == ("+14155550100", "sip:+14155550100@sip.test")
    assert told["SipCallId"] == "5f@0.0.0.0"
    assert told["SipDomain"] == "pbx.test"
    assert told["SipSourceIp"] == "192.0.2.7"
    assert [name for name in told if name.startswith("SipHeader_")] == ["SipHeader_X-Agent"]


def test_a_screening_request_of_a_child_without_sip_facts_is_a_plain_one() -> None:
    told = screening_parameters(CHILD, called=CHILD.to, caller=CHILD.from_)
    assert told == call_parameters(CHILD)
