"""Which addresses are ours, and who may be dialled there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.twiml.platform_names import NotDialable, OwnDomain, PlatformNames, Resident

NAMES = PlatformNames(
    suffix="sip.example.test",
    domains={"acme": OwnDomain(), "foo.acme": OwnDomain(), "trunk": OwnDomain(registrations=False)},
    others=frozenset(("rival",)),
)
LISTED = PlatformNames(suffix="sip.example.test", places=frozenset(("us1", "ashburn")), domains={"acme": OwnDomain()})


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "192.0.2.1",
        "2001:db8::1",
        "example.test",
        "acme.example.test",
        "xsip.example.test",
        "pbx.sip.lab.example.test",
        "sip.lab.example.test",
        "sip.example.test.evil.com",
        "",
    ],
)
def test_hosts_elsewhere(host: str) -> None:
    assert NAMES.resident("ann", host) is None
    assert not NAMES.is_ours(host)


@pytest.mark.parametrize(
    ("host", "domain", "absent"),
    [
        ("acme.sip.example.test", "acme", 32009),
        ("ACME.sip.Example.test.", "acme", 32009),
        ("foo.acme.sip.example.test", "foo.acme", 32009),
        ("acme.sip.us1.example.test", "acme", 32221),
        ("acme.sip.ie1.example.test", "acme", 32221),
    ],
)
def test_registered_users_of_own_domains(host: str, domain: str, absent: int) -> None:
    assert NAMES.resident("ann", host) == Resident(user="ann", domain=domain, absent=absent)
    assert NAMES.is_ours(host)


@pytest.mark.parametrize(
    ("user", "host", "code"),
    [
        (None, "acme.sip.example.test", 32223),  # no user part
        ("", "acme.sip.example.test", 32223),
        ("ann", "acme.sip.ashburn.example.test", 32220),  # an edge
        ("ann", "acme.sip.frankfurt-ix.example.test", 32220),
        ("ann", "acme.sip.anywhere.example.test", 32220),  # a known domain at a place nobody listed
        ("ann", "rival.sip.example.test", 32214),  # another account's
        ("ann", "rival.sip.us1.example.test", 32214),
        ("ann", "nobody.sip.example.test", 32002),  # does not exist
        ("ann", "nobody.sip.us1.example.test", 32002),
        ("ann", "sip.example.test", 13255),  # the house itself
        ("ann", "sip.ashburn.example.test", 13255),
        ("ann", "trunk.sip.example.test", 13255),  # a call between domains
    ],
)
def test_addresses_of_ours_that_cannot_be_dialled(user: str | None, host: str, code: int) -> None:
    with pytest.raises(NotDialable) as caught:
        NAMES.resident(user, host)
    assert caught.value.code == code
    assert NAMES.is_ours(host)


def test_listed_places_are_the_only_ones() -> None:
    assert LISTED.resident("ann", "acme.sip.us1.example.test") is not None
    assert LISTED.resident("ann", "acme.sip.ie1.example.test") is None
    with pytest.raises(NotDialable):
        LISTED.resident("ann", "acme.sip.ashburn-ix.example.test")


def test_a_suffix_of_one_label_has_no_places() -> None:
    names = PlatformNames(suffix="test", domains={"acme": OwnDomain()})
    assert names.resident("ann", "acme.test") is not None
    assert names.resident("ann", "test.us1") is None


@given(st.text(max_size=40), st.one_of(st.none(), st.text(max_size=5)))
def test_any_host_is_ours_or_elsewhere(host: str, user: str | None) -> None:
    for text in (host, f"{host}.sip.example.test", f"{host}.example.test"):
        try:
            resident = NAMES.resident(user, text)
        except NotDialable:
            assert NAMES.is_ours(text)
            continue
        assert (resident is not None) == NAMES.is_ours(text)
