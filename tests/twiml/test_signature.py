"""Signatures: the published vectors, and what does not count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.twiml.signature import body_digest, check, sign, signed_url

FORM = [("CallSid", "CA1234567890ABCDE"), ("Digits", "1234"), ("To", "+18005551212")]
VECTORS = [
    ("https://example.com/myapp.php?foo=1&bar=2", "+14158675310", "L/OH5YylLD5NRKLltdqwSvS0BnU="),
    ("https://mycompany.com/myapp.php?foo=1&bar=2", "+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
]


@pytest.mark.parametrize(("url", "caller", "signature"), VECTORS)
def test_the_known_vectors(url: str, caller: str, signature: str) -> None:
    form = [*FORM, ("Caller", caller), ("From", caller)]
    assert sign("12345", url, form) == signature
    assert sign("12345", url, reversed(form)) == signature
    assert check("12345", url, signature, form)
    assert not check("12346", url, signature, form)
    assert not check("12345", url + "3", signature, form)
    assert not check("12345", url, signature, form[1:])
    assert not check("12345", url, "", form)
    assert not check("12345", url, "é\udcff", form)


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("https://user:pass@h.test/p?x=a@b#f", "https://h.test/p?x=a@b"),
        ("https://h.test/p@q", "https://h.test/p@q"),
        ("https://h.test?x=a@b/c", "https://h.test?x=a@b/c"),
        ("https://u:p%40@h.test:8443", "https://h.test:8443"),
        ("wss://h.test/stream#rc=1", "wss://h.test/stream"),
        ("HTTPS://H.Test:443/%7e", "HTTPS://H.Test:443/%7e"),
        ("nothing", "nothing"),
    ],
)
def test_userinfo_and_fragment_are_not_signed_and_the_rest_is_untouched(url: str, signed: str) -> None:
    assert signed_url(url) == signed
    assert sign("k", url) == sign("k", signed)


def test_repeated_values_count_once_and_empty_ones_by_name() -> None:
    once = sign("k", "https://h.test", [("a", "2"), ("a", "1"), ("b", "")])
    assert once == sign("k", "https://h.test", [("a", "1"), ("b", ""), ("a", "2"), ("a", "1")])
    assert once == sign("k", "https://h.testa1a2b")


def test_names_are_sorted_by_their_bytes() -> None:
    assert sign("k", "u://", [("b", "2"), ("a", "1"), ("A", "0"), ("é", "3"), ("Z", "9")]) == sign(
        "k", "u://A0Z9a1b2é3"
    )


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("https://h.test/p", "https://h.test:443/p"),
        ("http://h.test/p?x=1", "http://h.test:80/p?x=1"),
        ("wss://h.test/", "wss://h.test:443/"),
        ("https://h.test:8443/p", "https://h.test/p"),
        ("https://[2001:db8::1]/p", "https://[2001:db8::1]:443/p"),
    ],
)
def test_a_check_takes_the_url_with_and_without_its_port(url: str, other: str) -> None:
    assert check("k", url, sign("k", url))
    assert check("k", url, sign("k", other))


def test_a_body_that_is_no_form_is_checked_by_its_digest() -> None:
    body = b'{"a": 1}'
    url = f"https://h.test/p?bodySHA256={body_digest(body)}"
    assert check("k", url, sign("k", url), body=body)
    assert not check("k", url, sign("k", url), body=b"{}")
    assert not check("k", "https://h.test/p", sign("k", "https://h.test/p"), body=body)


def test_a_shared_secret_goes_with_sha_256() -> None:
    signature = sign("secret", "https://h.test/p", FORM, algorithm="sha256")
    assert len(signature) == 44
    assert check("secret", "https://h.test/p", signature, FORM, algorithm="sha256")
    assert not check("secret", "https://h.test/p", signature, FORM)


@given(st.text(), st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_whatever_is_signed_is_accepted(url: str, form: list[tuple[str, str]]) -> None:
    assert check("k", url, sign("k", url, form), form)
