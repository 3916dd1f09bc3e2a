"""parse(render(m)) == m for messages made of any parts that may be sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.headers import Headers
from offhook.sip.message import Request, Response
from offhook.sip.parse import parse_datagram
from offhook.sip.render import render

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)
# Any text, and any bytes as they come out of decoding; a lone surrogate beside others may not be what decoding gives.
VALUES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=30) | st.binary(
    max_size=20
).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"").decode("utf-8", "surrogateescape"))
NAMES = TOKENS | st.sampled_from(
    ["Via", "v", "To", "CSeq", "Contact", "Content-Type", "content-length", "L", "Subject"]
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=8).map(Headers)
URIS = st.text(st.characters(exclude_characters=" \t\r\n", exclude_categories=["Cs"]), min_size=1, max_size=20)
REQUESTS = st.builds(Request, TOKENS, URIS, HEADERS, st.binary(max_size=30))
RESPONSES = st.builds(Response, st.integers(100, 699), VALUES, HEADERS, st.binary(max_size=30))


@given(REQUESTS | RESPONSES)
def test_what_is_rendered_is_read_back_equal(message: Request | Response) -> None:
    data = render(message)
    again = parse_datagram(data)
    assert again == message
    assert render(again) == data


@given(REQUESTS | RESPONSES)
def test_reading_keeps_every_byte_of_a_canonical_message(message: Request | Response) -> None:
    canonical = render(message)
    assert render(parse_datagram(canonical)) == canonical
