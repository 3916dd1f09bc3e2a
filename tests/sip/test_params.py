"""Params: ordered parameters of URIs and header fields."""

from __future__ import annotations

import pytest

from offhook.sip.params import Params


def test_parameters_keep_their_order_and_spelling() -> None:
    params = Params.parse(' ; b = 1;A ; c="x;\\"y"')
    assert params is not None
    assert str(params) == ';b=1;A;c="x;\\"y"'
    assert (params.get("B"), params.get("a"), params.get("C"), params.get("d")) == ("1", "", 'x;"y', None)
    assert ("a" in params, "d" in params, len(params)) == (True, False, 3)


@pytest.mark.parametrize(
    "text", [";", ";;a", ";a;", ";a=1;A=2", "a", ";a==", ';a="', ";a b", ";a=b c", ";a=<b>", ";a=b,c"]
)
def test_broken_parameters_are_none(text: str) -> None:
    assert Params.parse(text) is None


def test_order_and_case_of_names_make_no_difference() -> None:
    assert Params.parse(';a=1;b="2"') == Params.parse(";B=2;A=1")
    assert hash(Params.parse(';a=1;b="2"')) == hash(Params.parse(";B=2;A=1"))
    assert Params.parse(";a") != Params.parse(';a=""')
    assert Params.parse(";a=x") != Params.parse(";a=X")


def test_parameters_are_set_in_place_and_taken_away() -> None:
    params = Params.of(("a", "1"), ("b", None))
    assert str(params.with_("A", "two words")) == ';a="two words";b'
    assert str(params.with_("c", None).without("B")) == ";a=1;c"
