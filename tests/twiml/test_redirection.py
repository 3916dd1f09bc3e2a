"""Which 3xx are followed."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from offhook.sip.uri import Uri
from offhook.twiml.platform_names import OwnDomain, PlatformNames
from offhook.twiml.redirection import MAX_CONTACTS, MAX_REDIRECTS, Followed, NotFollowed, RedirectRules, follow

RULES = RedirectRules(
    names=PlatformNames(suffix="sip.example.test", domains={"acme": OwnDomain()}),
    networks=(IPv4Network("192.0.2.0/24"),),
    denied=frozenset(("evil.test", "198.51.100.9")),
)
FIRST = Uri.parse("sip:bob@h.test")


def answer(*contacts: str, sip_status: int = 302, rules: RedirectRules = RULES, **options: Any) -> Any:
    uris = [Uri.parse(contact) for contact in contacts]
    return follow(sip_status, uris, rules, **{"tried": (FIRST,), "redirects": 0, **options})


def refused(*contacts: str, **options: Any) -> str:
    found = answer(*contacts, **options)
    assert isinstance(found, NotFollowed)
    assert found.code == 32219
    return found.detail


@pytest.mark.parametrize("sip_status", [300, 301, 302, 399])
def test_a_redirect_to_a_good_address_is_followed(sip_status: int) -> None:
    assert answer("sip:bob@new.test", sip_status=sip_status) == Followed((Uri.parse("sip:bob@new.test"),))


@pytest.mark.parametrize("sip_status", [305, 380])
def test_other_kinds_of_3xx_are_not(sip_status: int) -> None:
    assert str(sip_status) in refused("sip:bob@new.test", sip_status=sip_status)


def test_contacts_keep_their_order_and_are_not_too_many() -> None:
    found = answer(*(f"sip:bob@h{at}.test" for at in range(9)))
    assert [uri.host for uri in found.uris] == [f"h{at}.test" for at in range(MAX_CONTACTS)]


def test_contacts_behind_those_that_are_tried_are_not_looked_at() -> None:
    seen: list[str] = []
    found = answer(*(f"sip:bob@h{at}.test" for at in range(9)), objection=lambda uri: seen.append(uri.host))
    assert [uri.host for uri in found.uris] == seen


@pytest.mark.parametrize(
    ("contact", "word"),
    [
        ("tel:+14155550100", "tel:"),
        ("http://h.test/", "http:"),
        ("sip:bob@198.51.100.1", "may not be called"),
        ("sip:bob@127.0.0.1", "may not be called"),
        ("sip:bob@h.test;maddr=10.0.0.1", "may not be called"),
        ("sip:bob@acme.sip.example.test", "domain of ours"),
        ("sip:bob@h.test;maddr=acme.sip.example.test", "domain of ours"),
        ("sip:bob@SIP.example.test.", "domain of ours"),
        ("sip:bob@evil.test", "deny list"),
        ("sip:bob@sub.EVIL.test", "deny list"),
        ("sip:bob@h.test", "tried"),
        ("sips:bob@new.test", "TLS"),
        ("sip:bob@new.test;transport=tls", "TLS"),
    ],
)
def test_contacts_that_are_refused(contact: str, word: str) -> None:
    assert word in refused(contact)


def test_no_contact_is_refused() -> None:
    assert "no Contact" in refused()


def test_a_good_contact_among_bad_ones_is_followed() -> None:
    assert answer("tel:1", "sip:bob@evil.test", "sip:bob@new.test", "sip:bob@new.test") == Followed(
        (Uri.parse("sip:bob@new.test"),)
    )


def test_a_registered_users_call_is_never_sent_elsewhere() -> None:
    assert "registered" in refused("sip:bob@new.test", registered=True)


def test_redirects_have_an_end() -> None:
    assert isinstance(answer("sip:bob@new.test", redirects=MAX_REDIRECTS - 1), Followed)
    assert "already" in refused("sip:bob@new.test", redirects=MAX_REDIRECTS)


def test_headers_and_method_of_a_contact_are_not_obeyed() -> None:
    found = answer("sip:bob@new.test;method=BYE?Route=%3Csip:evil%3E&X-A=1")
    assert [str(uri) for uri in found.uris] == ["sip:bob@new.test"]


def test_where_tls_is_there_sips_becomes_sip_over_tls() -> None:
    rules = RedirectRules(names=RULES.names, tls=True)
    assert [str(uri) for uri in answer("sips:bob@new.test", rules=rules).uris] == ["sip:bob@new.test;transport=tls"]


def test_a_secure_call_stays_secure() -> None:
    assert "TLS" in refused("sip:bob@new.test", secure=True)
    rules = RedirectRules(names=RULES.names, tls=True)
    found = answer("sip:bob@new.test;transport=tcp", rules=rules, secure=True)
    assert [str(uri) for uri in found.uris] == ["sip:bob@new.test;transport=tls"]


def test_an_address_of_ours_in_another_spelling_counts_as_tried() -> None:
    assert "tried" in refused("sip:bob@H.TEST")
