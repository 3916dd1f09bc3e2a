import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.store.sids import Kind, derive, is_sid, make


@pytest.mark.parametrize("kind", list(Kind))
def test_a_new_sid_is_its_prefix_and_32_hexadecimal_digits(kind: Kind) -> None:
    sid = make(kind)
    assert len(sid) == 34
    assert is_sid(sid, kind)


def test_a_sid_is_made_of_the_entropy_it_is_given() -> None:
    assert make(Kind.CALL, lambda size: bytes(range(size))) == "CA000102030405060708090a0b0c0d0e0f"


def test_the_same_parts_always_give_the_same_sid() -> None:
    # A figure that must never change: applications keep these SIDs.
    assert derive(Kind.DOMAIN, "AC" + "0" * 32, "acme") == "SD080cbd65d4c485393943d1b30823c575"


@given(st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_different_parts_give_different_sids(one: list[str], other: list[str]) -> None:
    assert (derive(Kind.DOMAIN, *one) == derive(Kind.DOMAIN, *other)) is (one == other)


@pytest.mark.parametrize(
    "text", ["", "CA", "CA" + "g" * 32, "ca" + "0" * 32, "CA" + "0" * 31, "CA" + "0" * 33, "CA" + "0" * 32 + "\n"]
)
def test_what_is_no_sid_is_told_from_one(text: str) -> None:
    assert not is_sid(text)


def test_a_sid_of_another_kind_is_not_taken() -> None:
    assert not is_sid("CA" + "0" * 32, Kind.RECORDING)
