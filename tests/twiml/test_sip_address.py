"""SIP addresses as documents write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.twiml.sip_address import BadSipAddress, parse_address


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:ann@example.com", "sip:ann@example.com"),
        ("  sip:ann@example.com\n", "sip:ann@example.com"),
        ("ann@example.com", "sip:ann@example.com"),
        ("ann:secret@example.com", "sip:ann:secret@example.com"),
        ("SIP:ann@example.com:5070", "sip:ann@example.com:5070"),
        ("sips:ann@example.com", "sip:ann@example.com"),
        ("sip:+14155550100@example.com;user=phone", "sip:+14155550100@example.com;user=phone"),
        ("example.com:5080", "sip:example.com:5080"),
        ("sip:example.com", "sip:example.com"),
        ("sip:ann@[2001:db8::1]:5060", "sip:ann@[2001:db8::1]:5060"),
        ("sip:+1555;phone-context=x@example.com", "sip:+1555;phone-context=x@example.com"),
        ("sip:ann%0d%0aVia@example.com", "sip:ann%0d%0aVia@example.com"),
    ],
)
def test_who_and_where(text: str, uri: str) -> None:
    address = parse_address(text)
    assert str(address.uri) == uri
    assert address.left_out == ()


@pytest.mark.parametrize("text", ["tel:+14155550100", "http://example.com", "mailto:", "sip:", "", "sip:a b@c", "<x>"])
def test_what_is_no_sip_uri(text: str) -> None:
    with pytest.raises(BadSipAddress) as caught:
        parse_address(text)
    assert caught.value.code == 13243


def test_an_address_has_fewer_than_255_characters() -> None:
    host = "a" * 50 + ".example.com"
    fits = f"sip:{'u' * (254 - len(f'sip:@{host}'))}@{host}"
    assert len(fits) == 254
    parse_address(fits)
    with pytest.raises(BadSipAddress) as caught:
        parse_address("sip:u" + fits.removeprefix("sip:"))
    assert caught.value.code == 13243


def test_a_header_part_has_fewer_than_1024_characters_as_written() -> None:
    fits = "X-A=" + "%20" * 339 + "aa"
    assert len(fits) == 1023
    parse_address(f"sip:ann@example.com?{fits}")
    with pytest.raises(BadSipAddress) as caught:
        parse_address(f"sip:ann@example.com?{fits}a")
    assert caught.value.code == 13253


@pytest.mark.parametrize(
    ("params", "transport", "secure", "codes"),
    [
        ("", None, False, []),
        (";transport=udp", "udp", False, []),
        (";transport=TCP", "tcp", False, []),
        (";transport=tls", "tls", False, []),
        (";transport=sctp", None, False, [32114]),
        (";transport=ws", None, False, [32114]),
        (";transport", None, False, [32114]),
        (";secure=true", "tls", True, []),
        (";secure=false", None, False, []),
        (";secure=yes", None, False, [32114]),
        (";transport=tcp;secure=true", "tls", True, []),
        (";edge=ashburn", None, False, []),
        (";edge=frankfurt-ix", None, False, []),
        (";edge=umatilla", None, False, []),
        (";edge=san-jose", None, False, []),
        (";edge=moon", None, False, [32114]),
        (";region=ie1", None, False, []),
        (";region=us2", None, False, []),
        (";region=xx9", None, False, [32114]),
    ],
)
def test_parameters_that_are_consumed(params: str, transport: str | None, secure: bool, codes: list[int]) -> None:
    address = parse_address(f"sip:ann@example.com{params};user=phone")
    assert str(address.uri) == "sip:ann@example.com;user=phone"
    assert (address.transport, address.secure) == (transport, secure)
    assert [item.code for item in address.left_out] == codes


def test_sips_is_sip_over_tls() -> None:
    address = parse_address("sips:ann@example.com;transport=tcp")
    assert (address.uri.scheme, address.transport, address.secure) == ("sip", "tls", False)


def test_an_interconnect_is_consumed() -> None:
    address = parse_address("sip:ann@example.com;tnx=TX1")
    assert (address.tnx, str(address.uri)) == ("TX1", "sip:ann@example.com")


@pytest.mark.parametrize("bad", ["a b", "=x", "", "user=phone;user=ip", "x=<y>", 'x="y"'])
def test_a_parameter_that_cannot_be_read_is_left_out(bad: str) -> None:
    address = parse_address(f"sip:ann@example.com;{bad};transport=tcp")
    assert address.transport == "tcp"
    assert {item.code for item in address.left_out} == {32110}


def test_headers_are_read_with_their_rules() -> None:
    address = parse_address("sip:ann@example.com?X-A=1&Subject=x&X-Twilio-A=1&X-B=%0a&X%20=1&bad")
    assert address.headers == (("X-A", "1"),)
    assert [item.code for item in address.left_out] == [13252, 32113, 32112, 32111, 32110]
    assert address.uri.headers == ()


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    for written in (text, f"sip:{text}", f"sip:ann@example.com;{text}", f"sip:ann@example.com?{text}"):
        try:
            address = parse_address(written)
        except BadSipAddress:
            continue
        assert address.uri.scheme == "sip"
        assert not set(str(address.uri)) & set("\r\n\0 ")
