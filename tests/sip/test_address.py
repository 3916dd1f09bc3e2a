"""NameAddr: what From, To, Contact and Route hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.address import STAR, NameAddr, parse_addresses
from offhook.sip.errors import BadHeader
from offhook.sip.params import Params
from offhook.sip.uri import Uri


def test_a_name_addr_has_display_name_uri_and_parameters() -> None:
    address = NameAddr.parse('"Mr. \\"Bob\\" \\\\" <sip:bob@x;lr>;tag=a1;expires=60')
    assert address.display == 'Mr. "Bob" \\'
    assert str(address.uri) == "sip:bob@x;lr"
    assert (address.tag, address.expires, address.is_loose) == ("a1", 60, True)


def test_parameters_behind_a_bare_uri_belong_to_the_header() -> None:
    address = NameAddr.parse("sip:bob@x;tag=1")
    assert address.tag == "1"
    assert str(address.uri) == "sip:bob@x"


@pytest.mark.parametrize(
    "text", ["sip:bob@x?a=b", "sip:bob,x@y", "sip:a@b c", "", "<>", "<sip:a@b", "sip:a@b>", '"x', "a: <sip:b@c>"]
)
def test_what_breaks_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(BadHeader) as refused:
        NameAddr.parse(text, "Contact")
    assert refused.value.name == "Contact"
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "text", ["<sip:a@b>;=x", "<sip:a@b>;tag=1;TAG=2", "<sip:a@b>tag=1", '<sip:a@b>;a="b', "<sip:a@b>;"]
)
def test_broken_parameters_are_refused(text: str) -> None:
    with pytest.raises(BadHeader):
        NameAddr.parse(text)


@pytest.mark.parametrize(
    ("text", "q"),
    [("<sip:a@b>", None), ("<sip:a@b>;q=0", 0.0), ("<sip:a@b>;q=0.333", 0.333), ("<sip:a@b>;q=1.000", 1.0)],
)
def test_q_is_a_number(text: str, q: float | None) -> None:
    assert NameAddr.parse(text).q == q


@pytest.mark.parametrize("q", ["1.1", "0.3333", "-1", "x", "nan", '""'])
def test_q_out_of_range_is_refused(q: str) -> None:
    with pytest.raises(BadHeader):
        _ = NameAddr.parse(f"<sip:a@b>;q={q}").q


def test_an_unreadable_contact_expires_counts_as_an_hour() -> None:
    assert NameAddr.parse("<sip:a@b>;expires=soon").expires == 3600


def test_star_is_written_as_star() -> None:
    assert STAR.is_star
    assert str(STAR) == "*"
    assert not NameAddr.parse("<sip:a@b>").is_star


def test_addresses_are_split_at_their_own_commas_only() -> None:
    text = '"K, N" <sip:a,b@c>;q=0.1, <sip:d@e>,sip:f@g'
    assert [str(address.uri) for address in parse_addresses(text, "Contact")] == ["sip:a,b@c", "sip:d@e", "sip:f@g"]


@pytest.mark.parametrize("text", ["<sip:a@b>,", ",<sip:a@b>", "<sip:a@b>,,<sip:a@b>", '"a, <sip:b@c>'])
def test_an_empty_or_open_place_in_a_list_is_refused(text: str) -> None:
    with pytest.raises(BadHeader):
        parse_addresses(text, "Route")


def test_a_tag_is_added_or_replaced() -> None:
    address = NameAddr(Uri.of("bob", "x"), "Bob")
    assert str(address.with_tag("1")) == "Bob <sip:bob@x>;tag=1"
    assert str(address.with_tag("1").with_tag("2")) == "Bob <sip:bob@x>;tag=2"
    assert str(address.with_tag("1").without_params()) == "Bob <sip:bob@x>"


@given(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1))
def test_any_display_name_survives(display: str) -> None:
    address = NameAddr(Uri.of("bob", "x"), display, Params.of(("tag", "1"), ("note", 'a "b" ;')))
    again = NameAddr.parse(str(address))
    assert again == address
    assert again.params.get("note") == 'a "b" ;'
