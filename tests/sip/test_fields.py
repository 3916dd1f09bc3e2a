"""Small typed header values: each is read, refused when broken, and written back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from offhook.sip.errors import BadHeader
from offhook.sip.fields import (
    CSeq,
    Event,
    MediaType,
    MinSE,
    RAck,
    Reason,
    Replaces,
    RetryAfter,
    SessionExpires,
    SubscriptionState,
    UserToUser,
    parse_max_forwards,
    parse_rseq,
    parse_seconds,
    parse_timestamp,
    parse_tokens,
)

ROUND_TRIPS: list[tuple[Callable[[str], object], str]] = [
    (CSeq.parse, "2147483647 INVITE"),
    (CSeq.parse, "0 !odd~method"),
    (RAck.parse, "776656 1 INVITE"),
    (SessionExpires.parse, "1800;refresher=uac"),
    (SessionExpires.parse, "90;x=y"),
    (MinSE.parse, "90;lr"),
    (RetryAfter.parse, "120 (in a meeting);duration=3600"),
    (RetryAfter.parse, "0"),
    (MediaType.parse, 'multipart/mixed;boundary="a b"'),
    (Reason.parse, 'SIP;cause=200;text="Call completed elsewhere"'),
    (UserToUser.parse, "56a390f3d2b7310023a2;encoding=hex;purpose=isdn-uui"),
    (UserToUser.parse, '"some text";encoding=text'),
    (UserToUser.parse, "dGVzdA==;encoding=base64"),
    (Event.parse, "refer;id=93809824"),
    (SubscriptionState.parse, "terminated;reason=noresource"),
    (Replaces.parse, "12345@192.0.2.1;to-tag=a;from-tag=b;early-only"),
]


@pytest.mark.parametrize(("parse", "text"), ROUND_TRIPS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_value_is_written_as_it_was_read(parse: Callable[[str], object], text: str) -> None:
    value = parse(text)
    assert str(value) == text
    assert parse(str(value)) == value


BROKEN: list[tuple[Callable[[str], object], str]] = [
    (CSeq.parse, "2147483648 INVITE"),
    (CSeq.parse, "-1 INVITE"),
    (CSeq.parse, "1INVITE"),
    (CSeq.parse, "1 INVITE x"),
    (CSeq.parse, "\u0661 INVITE"),
    (RAck.parse, "1 INVITE"),
    (RAck.parse, "4294967296 1 INVITE"),
    (SessionExpires.parse, "x"),
    (SessionExpires.parse, "90;refresher=me"),
    (SessionExpires.parse, "90;;"),
    (MinSE.parse, ""),
    (RetryAfter.parse, "soon"),
    (RetryAfter.parse, "1 (open"),
    (MediaType.parse, "text"),
    (MediaType.parse, "text/"),
    (MediaType.parse, "a/b c"),
    (Reason.parse, ""),
    (Reason.parse, "SIP;;"),
    (UserToUser.parse, '"open'),
    (UserToUser.parse, "a b"),
    (Event.parse, "a,b"),
    (SubscriptionState.parse, ";x"),
    (Replaces.parse, "a;to-tag=b"),
    (Replaces.parse, ";to-tag=b;from-tag=c"),
    (parse_max_forwards, "256"),
    (parse_max_forwards, "1.0"),
    (parse_rseq, "0"),
    (parse_timestamp, "now"),
]


@pytest.mark.parametrize(("parse", "text"), BROKEN, ids=lambda value: value if isinstance(value, str) else "")
def test_a_broken_value_is_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(BadHeader):
        parse(text)


def test_the_parts_of_the_values_are_typed() -> None:
    assert CSeq.parse("0007   INVITE") == CSeq(7, "INVITE")
    assert SessionExpires.parse("90 ; Refresher=UAS") == SessionExpires(90, "uas")
    assert RetryAfter.parse("5 (busy);duration=3").comment == "busy"
    reason = Reason.of("Q.850", 16, 'Normal "clearing"')
    assert (reason.cause, reason.text) == (16, 'Normal "clearing"')
    assert str(reason) == 'Q.850;cause=16;text="Normal \\"clearing\\""'
    assert str(Reason.of("SIP", 487)) == "SIP;cause=487"
    assert Reason.parse("SIP;cause=x").cause is None
    assert UserToUser.parse("00").encoding == "hex"
    assert Event.parse("presence").id is None
    state = SubscriptionState.parse("Active;expires=60")
    assert (state.state, state.expires, state.reason) == ("active", 60, None)


def test_media_ranges_cover_what_they_name() -> None:
    assert MediaType.parse("Application/SDP;x=y").essence == "application/sdp"
    assert MediaType.parse("*/*").covers("application/sdp")
    assert MediaType.parse("application/*;q=0.3").covers("application/sdp")
    assert not MediaType.parse("application/sdp;q=0.000").covers("application/sdp")
    assert not MediaType.parse("text/*").covers("application/sdp")


def test_more_seconds_than_fit_are_as_many_as_fit() -> None:
    assert parse_seconds("Expires", "4294967295") == 4294967295
    assert parse_seconds("Expires", "4294967296") == 4294967295
    assert parse_seconds("Expires", "9" * 100_000) == 4294967295
    assert parse_seconds("Expires", "0" * 100_000) == 0


def test_empty_places_in_a_token_list_are_passed_over() -> None:
    assert parse_tokens("Allow", ("A", "", "B")) == ("A", "B")
    with pytest.raises(BadHeader):
        parse_tokens("Allow", ("A B",))
