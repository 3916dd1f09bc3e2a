"""URLs: what is one, and what a reference means in its document."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.twiml.errors import BadUrl
from offhook.twiml.urls import Parts, check, check_callback, resolve, with_scheme

BASE = "http://a/b/c/d;p?q"
# RFC 3986 section 5.4, but for references of other schemes, which are no documents of ours.
EXAMPLES = {
    "http:h": None,
    "g": "http://a/b/c/g",
    "./g": "http://a/b/c/g",
    "g/": "http://a/b/c/g/",
    "/g": "http://a/g",
    "//g": "http://g",
    "?y": "http://a/b/c/d;p?y",
    "g?y": "http://a/b/c/g?y",
    "#s": "http://a/b/c/d;p?q#s",
    "g#s": "http://a/b/c/g#s",
    "g?y#s": "http://a/b/c/g?y#s",
    ";x": "http://a/b/c/;x",
    "g;x": "http://a/b/c/g;x",
    "g;x?y#s": "http://a/b/c/g;x?y#s",
    "": "http://a/b/c/d;p?q",
    ".": "http://a/b/c/",
    "./": "http://a/b/c/",
    "..": "http://a/b/",
    "../": "http://a/b/",
    "../g": "http://a/b/g",
    "../..": "http://a/",
    "../../": "http://a/",
    "../../g": "http://a/g",
    "../../../g": "http://a/g",
    "../../../../g": "http://a/g",
    "/./g": "http://a/g",
    "/../g": "http://a/g",
    "g.": "http://a/b/c/g.",
    ".g": "http://a/b/c/.g",
    "g..": "http://a/b/c/g..",
    "..g": "http://a/b/c/..g",
    "./../g": "http://a/b/g",
    "./g/.": "http://a/b/c/g/",
    "g/./h": "http://a/b/c/g/h",
    "g/../h": "http://a/b/c/h",
    "g;x=1/./y": "http://a/b/c/g;x=1/y",
    "g;x=1/../y": "http://a/b/c/y",
    "g?y/./x": "http://a/b/c/g?y/./x",
    "g?y/../x": "http://a/b/c/g?y/../x",
    "g#s/../x": "http://a/b/c/g#s/../x",
}


@pytest.mark.parametrize(("reference", "target"), EXAMPLES.items())
def test_the_examples_of_rfc_3986(reference: str, target: str | None) -> None:
    if target is None:
        with pytest.raises(BadUrl):
            resolve(BASE, reference)
    else:
        assert resolve(BASE, reference) == target


def test_an_empty_reference_is_the_document_with_its_overrides() -> None:
    assert resolve("https://h.test/v?x=1#rc=2", "") == "https://h.test/v?x=1#rc=2"
    assert resolve("https://h.test/v?x=1#rc=2", "next") == "https://h.test/next"


def test_a_base_without_a_path() -> None:
    assert resolve("https://h.test", "next") == "https://h.test/next"
    assert resolve("https://h.test?x", "next") == "https://h.test/next"


def test_user_and_password_stay_with_relative_references() -> None:
    assert resolve("https://u:p@h.test/a", "b") == "https://u:p@h.test/b"
    assert resolve("https://u:p@h.test/a", "//other.test/b") == "https://other.test/b"


def test_an_application_inside_this_program_may_be_referred_to() -> None:
    assert resolve("app://main/voice", "next") == "app://main/next"


@pytest.mark.parametrize("base", [None, "inline"])
def test_without_a_base_only_absolute_urls_mean_anything(base: str | None) -> None:
    assert resolve(base, "https://h.test/x") == "https://h.test/x"
    with pytest.raises(BadUrl) as caught:
        resolve(base, "/x")
    assert caught.value.code == 15004


@pytest.mark.parametrize(
    "text",
    [
        *("http://", "http:///x", "http://h:port/", "http://h:65536/", "http://h:0/", "http://[::1/", "http://a b/"),
        *("ftp://h/", "javascript:alert(1)", "http://h/%zz", "http://h/a b", "http://h/\n", "http://h/<x>", "http:/h"),
        *("//", "http://h\u00a0x/", "file:///etc/passwd", "http://@/"),
    ],
)
def test_what_is_no_url_of_ours(text: str) -> None:
    with pytest.raises(BadUrl) as caught:
        check(text)
    assert caught.value.code == 11100


@pytest.mark.parametrize(
    "text",
    [
        "http://h",
        "HTTPS://H:443/x",
        "http://u:p@h/",
        "http://[::1]:8080/x?y#z",
        "/x",
        "x",
        "?x",
        "#x",
        "http://bücher.test/ü",
    ],
)
def test_what_is_a_url_or_reference(text: str) -> None:
    assert str(check(text)) == text


def test_characters_outside_ascii_are_percent_encoded() -> None:
    assert resolve(None, "http://h/é?ü=\u20ac#ö") == "http://h/%C3%A9?%C3%BC=%E2%82%AC#%C3%B6"
    assert resolve(None, "http://h/%C3%A9{x}|y") == "http://h/%C3%A9%7Bx%7D%7Cy"


def test_an_underscore_in_the_host_is_refused_for_callbacks() -> None:
    check_callback("http://good.test/under_score")
    with pytest.raises(BadUrl):
        check_callback("http://u_x:p@bad_host.test/")


def test_the_scheme_of_a_socket_follows_its_document() -> None:
    assert with_scheme("https://h/x", {"https": "wss"}) == "wss://h/x"


PATHS = st.text(alphabet="ab./=", max_size=12)  # the standard library splits off parameters at ";"


@given(PATHS, PATHS, st.booleans())
def test_resolving_agrees_with_the_standard_library(base: str, reference: str, query: bool) -> None:
    if "//" in f"/{base}" or "//" in reference:
        return  # the standard library drops empty segments, RFC 3986 keeps them
    document = f"http://h/{base}"
    reference += "?q=/../x" if query else ""
    assert resolve(document, reference) == urljoin(document, reference)


@given(st.text())
def test_any_text_is_resolved_or_refused(text: str) -> None:
    try:
        url = resolve("https://h.test/v", text)
    except BadUrl:
        return
    assert Parts.of(url).scheme is not None
    url.encode("ascii") if Parts.of(url).host.isascii() else None
