"""What an answer is by its status and Content-Type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.twiml.responses import AUDIO_TYPES, Audio, Empty, Markup, Unusable, Words, classify, media_type

DOCUMENT = b"<Response/>"


@pytest.mark.parametrize(
    "content_type",
    ["text/xml", "application/xml", "text/html", "TEXT/XML", "text/xml; charset=utf-8", " text/xml ;x=y"],
)
def test_markup(content_type: str) -> None:
    answer = classify(200, content_type, DOCUMENT)
    assert isinstance(answer, Markup)
    assert answer.body == DOCUMENT


def test_the_charset_goes_with_the_markup() -> None:
    assert classify(200, 'text/xml; Charset="ISO-8859-1"', DOCUMENT) == Markup(DOCUMENT, "ISO-8859-1")
    assert media_type("text/xml;charset=") == ("text/xml", None)


def test_plain_text_that_reads_as_twiml_is_twiml() -> None:
    assert classify(200, "text/plain", DOCUMENT) == Markup(DOCUMENT, None)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b" Hello there \n", "Hello there"),
        (b"<p>hi</p>", "<p>hi</p>"),
        (b"<Response>", "<Response>"),
        ("grüße".encode(), "grüße"),
        (b"caf\xe9", "caf\ufffd"),
    ],
)
def test_other_plain_text_is_spoken(body: bytes, text: str) -> None:
    assert classify(200, "text/plain", body) == Words(text)


def test_plain_text_heeds_its_charset() -> None:
    assert classify(200, "text/plain; charset=iso-8859-1", b"caf\xe9") == Words("café")


def test_blank_text_is_empty() -> None:
    assert classify(200, "text/plain", b" \n") == Empty(11770)


def test_long_text_is_too_long() -> None:
    answer = classify(200, "text/plain", b"x" * 70000)
    assert isinstance(answer, Unusable)
    assert answer.code == 11750


@pytest.mark.parametrize("content_type", sorted(AUDIO_TYPES))
def test_audio_is_played_whatever_its_size(content_type: str) -> None:
    body = b"\0" * 100_000
    assert classify(200, content_type + ";x=1", body) == Audio(body, content_type)


@pytest.mark.parametrize(("status", "code"), [(204, None), (200, 11770), (201, 11770)])
def test_an_empty_answer_is_an_empty_document(status: int, code: int | None) -> None:
    assert classify(status, None, b"") == Empty(code)
    assert classify(status, "text/xml", b"") == Empty(code)


@pytest.mark.parametrize("content_type", [None, "", "application/json", "image/png", "text/css", "audio/flac", ";"])
def test_any_other_type_is_an_error(content_type: str | None) -> None:
    answer = classify(200, content_type, DOCUMENT)
    assert isinstance(answer, Unusable)
    assert answer.code == 12300


@pytest.mark.parametrize("status", [100, 301, 400, 401, 404, 500, 503, 999])
def test_any_other_status_is_an_error(status: int) -> None:
    answer = classify(status, "text/xml", DOCUMENT)
    assert isinstance(answer, Unusable)
    assert answer.code == 11200
    assert str(status) in answer.detail


@given(st.integers(0, 999), st.one_of(st.none(), st.text(max_size=40)), st.binary(max_size=60))
def test_any_answer_is_something(status: int, content_type: str | None, body: bytes) -> None:
    classify(status, content_type, body)
    classify(200, f"text/plain; charset={content_type}", body)
