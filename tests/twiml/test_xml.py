"""XML: what is read, what is refused, and where."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.twiml import xml
from offhook.twiml.errors import DocumentError, NotWellFormed, TooLarge
from offhook.twiml.nodes import Position


def test_elements_and_text_keep_their_order_and_places() -> None:
    root = xml.read(b'<a>\n  x<b y="1"/>z\n</a>')
    assert (root.name, root.at) == ("a", Position(1, 1))
    assert [child if isinstance(child, str) else child.name for child in root.children] == ["\n  x", "b", "z\n"]
    assert root.elements[0].at == Position(2, 4)


def test_an_attribute_knows_its_line_and_column() -> None:
    root = xml.read("<a  one='>'\n\ttwo = \"é\"  thrée='3'\r\n four=''/>".encode())
    assert root.where("one") == Position(1, 5)
    assert root.where("two") == Position(2, 2)
    assert root.where("thrée") == Position(2, 13)
    assert root.where("four") == Position(3, 2)
    assert root.where("five") == Position(1, 1)


def test_the_place_after_wide_characters_counts_characters() -> None:
    root = xml.read('<a>日本𝄞<b c="1"/></a>'.encode())
    assert root.elements[0].at == Position(1, 7)
    assert root.elements[0].where("c") == Position(1, 10)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "iso-8859-1", "windows-1252"]
)
def test_the_declared_encoding_is_honoured(encoding: str) -> None:
    declared = "utf-16" if encoding.startswith("utf-16") else "utf-8" if encoding == "utf-8-sig" else encoding
    text = f'<?xml version="1.0" encoding="{declared}"?><a>é</a>'
    assert xml.read(text.encode(encoding)).text == "é"


def test_the_charset_of_http_goes_before_the_declaration() -> None:
    data = '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode()
    assert xml.read(data, charset="UTF-8").text == "é"
    assert xml.read(data).text == "Ã©"


def test_a_byte_order_mark_goes_before_everything() -> None:
    assert xml.read(b"\xef\xbb\xbf" + "<a>é</a>".encode(), charset="iso-8859-1").text == "é"


@pytest.mark.parametrize(
    "charset", ["punycode", "zlib", "utf-7", "unicode_escape", "idna", "no-such", "x" * 5000, "../x"]
)
def test_charsets_that_are_not_of_the_web_are_refused(charset: str) -> None:
    with pytest.raises(NotWellFormed, match="encoding"):
        xml.read(b"<a/>", charset=charset)


def test_bytes_that_are_not_of_their_encoding_are_refused_with_their_place() -> None:
    with pytest.raises(NotWellFormed) as caught:
        xml.read(b"<a>\n\xff</a>")
    assert (caught.value.code, caught.value.line, caught.value.column) == (12100, 2, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a b='1' b='2'/>",
        b"<a b=1/>",
        b"<a>&nbsp;</a>",
        b"<a>&#0;</a>",
        b"<a>\x00</a>",
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<?xml version='2.0'?><a/>x",
        b"just words",
    ],
)
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    with pytest.raises(NotWellFormed) as caught:
        xml.read(data)
    assert caught.value.code == 12100


def test_builtin_entities_cdata_comments_and_instructions_are_read() -> None:
    root = xml.read(b"<a><!-- c -->&lt;&amp;&#65;<?pi x?><![CDATA[<x>]]></a>")
    assert root.text == "<&A<x>"


def test_a_document_of_64_kib_is_read_and_one_byte_more_is_not() -> None:
    filler = b"x" * (xml.MAX_BYTES - 7)
    assert len(xml.read(b"<a>" + filler + b"</a>").text) == len(filler)
    with pytest.raises(TooLarge) as caught:
        xml.read(b"<a>" + filler + b"x</a>")
    assert caught.value.code == 11750


def test_elements_are_nested_only_so_deep() -> None:
    deep = xml.MAX_DEPTH
    xml.read(b"<a>" * deep + b"</a>" * deep)
    with pytest.raises(NotWellFormed, match="deep"):
        xml.read(b"<a>" * (deep + 1) + b"</a>" * (deep + 1))


@given(st.binary(max_size=200), st.sampled_from([None, "utf-8", "utf-16", "latin-1", "gb18030", "iso-2022-jp"]))
@settings(max_examples=300)
def test_any_bytes_give_an_element_or_a_document_error(data: bytes, charset: str | None) -> None:
    with contextlib.suppress(DocumentError):
        xml.read(data, charset=charset)


@given(st.text(alphabet="<>/='\" \n&;ab!-[]?é", max_size=60))
@settings(max_examples=500)
def test_any_markup_gives_an_element_or_a_document_error(text: str) -> None:
    try:
        root = xml.read(text.encode())
    except DocumentError:
        return
    for name in root.attributes:
        assert root.where(name) != root.at
