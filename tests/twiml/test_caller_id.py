"""Who may call whom as whom."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.twiml.caller_id import BadCallerId, Caller, CallerId, for_client, for_number, for_sip, user_of
from offhook.twiml.numbers import Kind

OWNED = frozenset(("+14155550100",))
PHONE = Caller(from_="sip:ann@acme.sip.test", to="sip:+14155559999@acme.sip.test", kind=Kind.SIP)
PHONE_WITH_NUMBER = Caller(from_="sip:+14155550100@acme.sip.test", to="sip:1@acme.sip.test", kind=Kind.SIP)
NETWORK = Caller(from_="+14155551111", to="+14155550100", kind=Kind.NUMBER)
CLIENT = Caller(from_="client:ann", to="+14155550100", kind=Kind.CLIENT)


@pytest.mark.parametrize(
    ("given_", "caller", "trunk", "text"),
    [
        ("+14155550100", PHONE, None, "+14155550100"),  # owned
        ("(415) 555-0100", PHONE, None, "+14155550100"),
        ("+14155550177", PHONE, "+14155550177", "+14155550177"),  # the trunk's own
        ("+14155551111", NETWORK, None, "+14155551111"),  # From of the current call
        ("+14155550100", NETWORK, None, "+14155550100"),  # To of the current call
        (None, NETWORK, None, "+14155551111"),
        (None, NETWORK, "+14155550177", "+14155551111"),
        (None, PHONE, "+14155550177", "+14155550177"),
        ("", PHONE, "+14155550177", "+14155550177"),
        ("+14155550100", CLIENT, None, "+14155550100"),
    ],
)
def test_callers_of_a_number(given_: str | None, caller: Caller, trunk: str | None, text: str) -> None:
    assert for_number(given_, caller, OWNED, trunk) == CallerId(text=text, user=text)


@pytest.mark.parametrize(
    ("given_", "caller", "trunk", "code"),
    [
        (None, PHONE, None, 13214),  # its own identity is no number
        ("+14155559999", PHONE, None, 13214),  # the To of a SIP call can be anything
        ("+14155551234", NETWORK, None, 13214),
        (None, CLIENT, "+14155550177", 13214),  # mandatory for a client
        ("ann", PHONE, None, 13247),
        ("client:ann", CLIENT, None, 13247),
        ("+1415555\r\n0100", PHONE, None, 13247),
        ("sip:ann@acme.sip.test", PHONE, None, 13247),
    ],
)
def test_who_may_not_call_a_number(given_: str | None, caller: Caller, trunk: str | None, code: int) -> None:
    with pytest.raises(BadCallerId) as caught:
        for_number(given_, caller, OWNED, trunk)
    assert caught.value.code == code


def test_the_from_of_a_sip_call_is_no_proof_of_a_number() -> None:
    spoofed = Caller(from_="+14155551111", to="+1", kind=Kind.SIP)
    with pytest.raises(BadCallerId):
        for_number(None, spoofed, OWNED)
    with pytest.raises(BadCallerId):
        for_number("+14155551111", spoofed, OWNED)
    owned = Caller(from_="+14155550100", to="+1", kind=Kind.SIP)
    assert for_number(None, owned, OWNED).text == "+14155550100"


@pytest.mark.parametrize("given_", ["ann", "+14155551234", "a-b_c.d+1", "1001", "x" * 255])
def test_callers_of_a_sip_address(given_: str) -> None:
    assert for_sip(given_, PHONE) == CallerId(text=given_, user=given_)


@pytest.mark.parametrize(
    ("given_", "code"),
    [
        ("ann smith", 13247),
        ("ann@host", 13247),
        ("ann\r\nVia: x", 13247),
        ('"ann"', 13247),
        ("ünn", 13247),
        ("x" * 256, 13248),
    ],
)
def test_who_may_not_call_a_sip_address(given_: str, code: int) -> None:
    with pytest.raises(BadCallerId) as caught:
        for_sip(given_, PHONE)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("given_", "caller_id"),
    [
        ("client:bob", CallerId(text="client:bob", user="bob")),
        ("415-555-0100", CallerId(text="+14155550100", user="+14155550100")),
        ("+14155551234", CallerId(text="+14155551234", user="+14155551234")),
    ],
)
def test_callers_of_a_client(given_: str, caller_id: CallerId) -> None:
    assert for_client(given_, PHONE) == caller_id


@pytest.mark.parametrize("given_", ["bob", "client:", "client:a b", "sip:bob@host", "+0"])
def test_who_may_not_call_a_client(given_: str) -> None:
    with pytest.raises(BadCallerId) as caught:
        for_client(given_, PHONE)
    assert caught.value.code == 13214


@pytest.mark.parametrize("caller", [PHONE, NETWORK, CLIENT])
@pytest.mark.parametrize("rule", [for_sip, for_client])
def test_without_a_caller_id_it_is_the_callers_own(caller: Caller, rule: object) -> None:
    assert callable(rule)
    assert rule(None, caller) == rule("", caller) == rule(caller.from_, caller) == caller.own


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("sip:ann@acme.sip.test", "ann"),
        ("sip:ann:secret@acme.sip.test;x=y", "ann"),
        ("sip:%2B1415@h", "+1415"),
        ("sip:pbx.test:5060;x=y", "pbx.test"),
        ("sip:[2001:db8::1]:5060", "[2001:db8::1]"),
        ("client:ann", "ann"),
        ("+14155550100", "+14155550100"),
        ("anonymous", "anonymous"),
    ],
)
def test_the_user_part_that_stands_for_somebody(text: str, user: str) -> None:
    assert user_of(text) == user


def test_what_no_header_may_hold_is_not_displayed() -> None:
    caller = Caller(from_="sip:ann%0d%0aVia%3A%20x@acme.sip.test", to="", kind=Kind.SIP)
    assert caller.own.user == "ann\r\nVia: x"  # is escaped again in a URI
    assert caller.own.display is None
    assert PHONE.own.display == "ann"


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_caller_or_an_error(given_: str, own: str) -> None:
    caller = Caller(from_=own, to="", kind=Kind.SIP)
    for rule in (for_sip, for_client):
        try:
            caller_id = rule(given_, caller)
        except BadCallerId:
            continue
        assert caller_id.display is None or not set(caller_id.display) & set("\r\n\0")
    with contextlib.suppress(BadCallerId):
        assert for_number(given_, caller, OWNED).text in OWNED


def test_a_phone_whose_user_is_a_number_of_ours_calls_by_it() -> None:
    phone = Caller(from_="sip:+15550100@acme.sip.test", to="sip:1@acme.sip.test", kind=Kind.SIP)
    assert for_number(None, phone, {"+15550100"}, "+15550199").text == "+15550100"
    assert for_number(None, phone, set(), "+15550199").text == "+15550199"
    with pytest.raises(BadCallerId):
        for_number(None, phone, set())
