"""Headers that applications send: every row of what is allowed, and nothing that could end a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.uri import escape_header
from offhook.twiml.outgoing_headers import LeftOut, check, is_sendable, pieces, read


def headers(part: str, reserved: str = "") -> tuple[tuple[tuple[str, str], ...], list[int]]:
    sent, left_out = read(pieces(part), reserved)
    return sent, [item.code for item in left_out]


@pytest.mark.parametrize(
    "name",
    [
        "X-Foo",
        "x-myheader",
        "X-User-to-User",
        "User-to-User",
        "user-to-user",
        "Remote-Party-ID",
        "P-Preferred-Identity",
        "P-Called-Party-ID",
        "X-",
        "X-a.b!%*_+`'~",
    ],
)
def test_names_that_are_passed_as_they_are(name: str) -> None:
    assert check(name, "v") == (name, "v")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Subject", 13252),
        ("Route", 13252),
        ("Via", 13252),
        ("P-Asserted-Identity", 13252),
        ("Diversion", 13252),
        ("XFoo", 13252),
        ("X-Twilio-CallSid", 32113),
        ("x-twilio-anything", 32113),
        ("X-TWILIO", 32113),
        ("X-Offhook-CallSid", 32113),
        ("X Foo", 32111),
        ("X-Foo:", 32111),
        ("X-Füü", 32111),
        ("X-Foo\r\nVia", 32111),
        ("", 32111),
    ],
)
def test_names_that_are_left_out(name: str, code: int) -> None:
    checked = check(name, "v", "X-Offhook-")
    assert isinstance(checked, LeftOut)
    assert checked.code == code


@pytest.mark.parametrize(
    "part",
    [
        "X-A=%0d%0aVia:%20x",
        "X-A=%0A",
        "X-A=%0D",
        "X-A=%00",
        "X-A=a%09b",
        "X-A=%7f",
        "X-A=%1b[0m",
        "X-A=%C2%85",
        "X-A=%E2%80%A8",
        "X-A=%ff",
        "X-A=%ED%A0%80",
    ],
)
def test_control_bytes_in_any_encoding_are_left_out(part: str) -> None:
    assert headers(part) == ((), [32112])


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ("x-myheader=foo", (("x-myheader", "foo"),)),
        ("X-A=1&X-B=2", (("X-A", "1"), ("X-B", "2"))),
        ("X-A=a%2Cb", (("X-A", "a,b"),)),
        ("X-A=a%3Bb", (("X-A", "a;b"),)),
        ("X-Info=a%3D1%3Bb%3D2", (("X-Info", "a=1;b=2"),)),
        ("X-Info=a=1", (("X-Info", "a=1"),)),
        ("X-A=hello%20world", (("X-A", "hello world"),)),
        ("X-A=%3Csip:a@b%3E", (("X-A", "<sip:a@b>"),)),
        ("X-A=1+1", (("X-A", "1+1"),)),
        ("X-A=", (("X-A", ""),)),
        ("X-A=1&&X-B=2&", (("X-A", "1"), ("X-B", "2"))),
        ("X-A=1&X-A=2", (("X-A", "1"), ("X-A", "2"))),
        ("X-A=%C3%BC", (("X-A", "ü"),)),
        (
            "User-to-User=56a390f3d2b7310023a2%3Bencoding%3Dhex",
            (("User-to-User", "56a390f3d2b7310023a2;encoding=hex"),),
        ),
        ("%58-A=1", (("X-A", "1"),)),
        ("", ()),
    ],
)
def test_values_are_decoded(part: str, sent: tuple[tuple[str, str], ...]) -> None:
    assert headers(part) == (sent, [])


@pytest.mark.parametrize(
    ("part", "code"), [("X-A", 32110), ("=1", 32110), ("X-A=%zz", 32110), ("X-A=%4", 32110), ("Subject=a", 13252)]
)
def test_what_cannot_be_read_is_left_out_and_the_rest_is_sent(part: str, code: int) -> None:
    assert headers(f"X-Before=1&{part}&X-After=2") == ((("X-Before", "1"), ("X-After", "2")), [code])


@given(st.text(max_size=60))
def test_no_text_gets_a_line_end_through(text: str) -> None:
    for part in (f"X-A={text}", text, f"X-A={escape_header(text.encode('utf-8', 'replace').decode())}"):
        sent, _ = headers(part)
        for name, value in sent:
            assert is_sendable(name + value)
            assert not set(name + value) & set("\r\n\0")
            assert name.lower().startswith("x-") or name.lower() in (
                "user-to-user",
                "remote-party-id",
                "p-preferred-identity",
                "p-called-party-id",
            )


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40))
def test_every_visible_value_survives_its_encoding(value: str) -> None:
    assert headers(f"X-A={escape_header(value)}") == ((("X-A", value.strip()),), [])
