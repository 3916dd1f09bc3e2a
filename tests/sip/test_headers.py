"""Headers: order, spelling, compact forms, comma rules."""

from __future__ import annotations

import pytest

from offhook.sip.errors import BadHeader
from offhook.sip.headers import Headers

HEADERS = Headers(
    [("v", " one "), ("Subject", "x, y"), ("VIA", "two,three"), ("X-Own", "1"), ("x-own", "2"), ("k", "")]
)


def test_names_are_looked_up_without_case_and_in_either_form() -> None:
    assert HEADERS.get("via") == "one"
    assert HEADERS.all("Via") == ("one", "two,three")
    assert HEADERS.all("X-OWN") == ("1", "2")
    assert HEADERS.get("Supported") == ""
    assert HEADERS.get("To") is None
    assert ("s" in HEADERS, "subject" in HEADERS, "To" in HEADERS, 5 in HEADERS) == (True, True, False, False)
    assert HEADERS.keys() == ("via", "subject", "x-own", "supported")


def test_lines_keep_their_spelling_and_order() -> None:
    assert [name for name, _ in HEADERS] == ["v", "Subject", "VIA", "X-Own", "x-own", "k"]
    assert len(HEADERS) == 6


def test_values_are_split_at_commas_where_commas_separate() -> None:
    assert HEADERS.split("Via") == ("one", "two", "three")
    assert HEADERS.split("Subject") == ("x, y",)
    assert HEADERS.split("Supported") == ()
    assert Headers([("Contact", '"a, b" <sip:c,d@e> , <sip:f@g>')]).split("m") == ('"a, b" <sip:c,d@e>', "<sip:f@g>")
    assert Headers([("Allow", "A,,B")]).split("allow") == ("A", "", "B")
    assert Headers([("Authorization", 'Digest a="b", c="d"')]).split("authorization") == ('Digest a="b", c="d"',)
    assert Headers([("Date", "Sat, 13 Nov 2010 23:29:00 GMT")]).split("date") == ("Sat, 13 Nov 2010 23:29:00 GMT",)


@pytest.mark.parametrize("value", ['"a, b', "<a, b", 'a "b\\"'])
def test_an_open_quote_or_bracket_cannot_be_split(value: str) -> None:
    with pytest.raises(BadHeader):
        Headers([("Contact", value)]).split("Contact")


def test_a_header_is_replaced_in_the_place_of_the_first() -> None:
    assert list(HEADERS.with_("Via", " new")) == [
        ("Via", "new"),
        ("Subject", "x, y"),
        ("X-Own", "1"),
        ("x-own", "2"),
        ("k", ""),
    ]
    assert list(Headers().with_("To", "x")) == [("To", "x")]


def test_headers_are_added_and_removed_in_new_values() -> None:
    assert list(HEADERS.without("supported", "x-own", "v")) == [("Subject", "x, y")]
    assert HEADERS.without("To") is HEADERS
    assert Headers([("a", "1")]).prepended("b", "2").appended("c", "3").lines == (("b", "2"), ("a", "1"), ("c", "3"))


def test_equality_is_about_meaning_not_spelling() -> None:
    assert Headers([("v", "a"), ("TO", "b")]) == Headers([("Via", "a"), ("To", "b")])
    assert hash(Headers([("v", "a")])) == hash(Headers([("Via", "a")]))
    assert Headers([("Via", "a"), ("To", "b")]) != Headers([("To", "b"), ("Via", "a")])
    assert Headers([("Via", "a")]) != Headers([("Via", "A")])


def test_another_value_in_the_first_line_keeps_spelling_order_and_later_lines() -> None:
    headers = Headers([("v", "one"), ("To", "x"), ("Via", "two")])
    changed = headers.with_first("Via", " three ")
    assert changed.lines == (("v", "three"), ("To", "x"), ("Via", "two"))
    assert changed.all("via") == ("three", "two")
    assert headers.all("via") == ("one", "two")
