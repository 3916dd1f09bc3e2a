"""Numbers, addresses and names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.uri import Uri
from offhook.twiml.errors import BadNumber
from offhook.twiml.numbers import (
    Kind,
    Party,
    is_client_name,
    is_e164,
    is_short,
    is_withheld,
    normalise,
    party,
    reads_as,
    refusal_code,
    user_number,
)


@pytest.mark.parametrize("text", ["+14155550100", "+49301234567", "+12", "+123456789012345"])
def test_numbers_in_e164(text: str) -> None:
    assert is_e164(text)
    assert normalise(text) == text


@pytest.mark.parametrize("text", ["14155550100", "+0123", "+", "+1234567890123456", "+1-415", "+٣٣٣", ""])
def test_what_is_not_in_e164(text: str) -> None:
    assert not is_e164(text)


@pytest.mark.parametrize(
    "text",
    [
        "4155550100",
        "415-555-0100",
        "(415) 555-0100",
        "415.555.0100",
        "1 415 555 0100",
        "0014155550100",
        " +1 (415) 555-0100 ",
    ],
)
def test_loose_forms_are_read(text: str) -> None:
    assert normalise(text) == "+14155550100"


@pytest.mark.parametrize("text", ["", "abc", "911", "115550100", "+1x", "sip:1@b", "4155550100;x"])
def test_what_is_no_number_says_what_would_be(text: str) -> None:
    with pytest.raises(BadNumber, match=r"E\.164") as caught:
        normalise(text)
    assert caught.value.code == 13223


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:ann@example.com", Party(Kind.SIP, "sip:ann@example.com")),
        ("SIPS:ann@example.com", Party(Kind.SIP, "SIPS:ann@example.com")),
        ("client:ann", Party(Kind.CLIENT, "client:ann")),
        ("415-555-0100", Party(Kind.NUMBER, "+14155550100")),
        ("anonymous", Party(Kind.OTHER, "anonymous")),
    ],
)
def test_what_a_party_is(text: str, expected: Party) -> None:
    assert party(text) == expected


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("sip:ann@example.com", "sip:ann@example.com"),
        ("sip:+14155550100@acme.sip.example.test;transport=tcp", "sip:+14155550100@acme.sip.example.test"),
        ("sip:ann:secret@example.com:5070;lr?X-A=b", "sip:ann@example.com:5070"),
        ("sips:[2001:db8::1]:5061", "sips:[2001:db8::1]:5061"),
        ("tel:+1-415-555-0100;phone-context=x", "+14155550100"),
    ],
)
def test_what_an_application_reads_of_a_uri(uri: str, text: str) -> None:
    assert reads_as(Uri.parse(uri)) == text


def test_the_number_in_a_sip_uri() -> None:
    assert user_number(Uri.parse("sip:+14155550100@h.test")) == "+14155550100"
    assert user_number(Uri.parse("sip:%2B14155550100@h.test")) == "+14155550100"
    assert user_number(Uri.parse("sip:ann@h.test")) is None
    assert user_number(Uri.parse("sip:h.test")) is None


@pytest.mark.parametrize("text", ["anonymous", "Anonymous", "+266696687", "+86282452253", "unknown"])
def test_a_withheld_number(text: str) -> None:
    assert is_withheld(text)
    assert not is_withheld("+14155550100")


@pytest.mark.parametrize("name", ["", "a b", "a\n", "a;b", "x" * 257, "<a>", 'a"b'])
def test_names_that_no_client_has(name: str) -> None:
    assert not is_client_name(name)
    assert is_client_name("ann.o'neil_1-x+y")


@given(st.text())
def test_any_text_is_some_party(text: str) -> None:
    assert party(text).kind in Kind


@pytest.mark.parametrize("text", ["911", "112", "*21#", "##002#", "123456789012345"])
def test_short_codes(text: str) -> None:
    assert is_short(text)


@pytest.mark.parametrize("text", ["", "11", "+911", "9a1", "1234567890123456", "９１１"])
def test_what_is_no_short_code(text: str) -> None:
    assert not is_short(text)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+14155550100", 13224),
        ("+442079460000", 13224),
        ("+38512345678", 13224),
        ("+38641234567", 13224),
        ("+77012345678", 13224),
        ("+881612345678", 13224),
        ("911", 13224),
        ("+210123456", 13226),
        ("+384123456", 13226),
        ("+999123456", 13226),
        ("+860", 13224),  # 86 is China
    ],
)
def test_why_no_trunk_takes_a_number(number: str, code: int) -> None:
    assert refusal_code(number) == code
