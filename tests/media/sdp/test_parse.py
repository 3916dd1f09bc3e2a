"""Session descriptions to values and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.media import sdp
from offhook.media.errors import SdpError
from offhook.media.sdp import (
    Attribute,
    Bandwidth,
    Codec,
    Connection,
    Direction,
    Media,
    Origin,
    SessionDescription,
    Timing,
)

FULL = """\
v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
b=CT:128
t=0 0
r=7d 1h 0 25h
z=3730922400 -1h
k=clear:secret
a=tool:hand
m=audio 49170 RTP/AVP 0 96
i=voice
c=IN IP6 2001:db8::2
b=AS:64
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-15
a=sendonly
m=video 51372/2 RTP/AVP 99
c=IN IP4 224.2.1.1/127/2
c=IN IP4 224.2.1.5/127
a=rtpmap:99 h263-1998/90000
m=image 0 udptl t38
""".replace("\n", "\r\n").encode()


def test_a_description_with_every_kind_of_line_survives_to_the_byte() -> None:
    assert sdp.render(sdp.parse(FULL)) == FULL


def test_every_line_is_understood() -> None:
    got = sdp.parse(FULL)
    assert got.origin == Origin("jdoe", 3724394400, 3724394405, "198.51.100.1")
    assert got.name == "Call to John Smith"
    assert got.bandwidths == (Bandwidth("CT", 128),)
    assert got.times == (Timing(0, 0, ("7d 1h 0 25h",)),)
    audio, video, image = got.media
    assert (audio.kind, audio.port, audio.profile, audio.title) == ("audio", 49170, "RTP/AVP", "voice")
    assert audio.codecs == (Codec(0, "PCMU", 8000), Codec(96, "telephone-event", 8000, 1, "0-15"))
    assert got.direction_of(audio) is Direction.SENDONLY
    assert got.connection_of(audio) == Connection.to("2001:db8::2")
    assert (video.port_count, len(video.connections)) == (2, 2)
    assert (image.port, image.formats, image.codecs) == (0, ("t38",), ())
    assert got.connection_of(image) == Connection.to("198.51.100.1")
    assert got.attribute("tool") == "hand"
    assert got.attribute("none") is None


def test_a_phone_may_stray_a_little() -> None:
    text = (
        "v=0\no=-  1 1 IN IP4 10.0.0.1 \ns=\na=recvonly \nt=0 0\nc=IN  IP4 10.0.0.1\nm=audio  5004 RTP/AVP 0 8 \n\n\n"
    )
    got = sdp.parse(text)
    assert got.media[0].formats == ("0", "8")
    assert got.name == ""
    assert got.direction_of(got.media[0]) is Direction.RECVONLY
    assert sdp.parse("v=0\no=- 1 1 IN IP4 10.0.0.1\n").times == (Timing(),)
    assert sdp.parse("v=0\no=Ann 2 Desk 7 8 IN IP4 10.0.0.1\n").origin.username == "Ann 2 Desk"


def test_bytes_that_are_no_utf8_survive() -> None:
    data = FULL.replace(b"John", b"J\xf6rg")
    assert sdp.render(sdp.parse(data)) == data


HEAD = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        ("\r\n\r\n", None),
        ("o=- 1 1 IN IP4 10.0.0.1\r\nv=0\r\n", 1),
        ("v=1\r\n", 1),
        ("v=0\r\ns=-\r\n", None),
        ("v=0\r\no=- x 1 IN IP4 10.0.0.1\r\n", 2),
        ("v=0\r\no=- 1 1 IN IP4\r\n", 2),
        (HEAD + "o=- 1 1 IN IP4 10.0.0.1\r\n", 3),
        (HEAD + "hello\r\n", 3),
        (HEAD + "s=a\r\ns=b\r\n", 4),
        (HEAD + "\r\ns=a\r\n", 3),
        (HEAD + "x=1\r\n", 3),
        (HEAD + "c=IN IP4\r\n", 3),
        (HEAD + "c=IN IP4 1.2.3.4\r\nc=IN IP4 1.2.3.4\r\n", 4),
        (HEAD + "b=AS\r\n", 3),
        (HEAD + "t=now later\r\n", 3),
        (HEAD + "r=7d 1h 0\r\n", 3),
        (HEAD + "a=:x\r\n", 3),
        (HEAD + "s=a\0b\r\n", 3),
        (HEAD + "m=audio\r\n", 3),
        (HEAD + "m=audio 70000 RTP/AVP 0\r\n", 3),
        (HEAD + "m=audio 5004/0 RTP/AVP 0\r\n", 3),
        (HEAD + "m=audio 5004 RTP/AVP\r\n", 3),
        (HEAD + "m=audio 5004 RTP/AVP 0\r\nt=0 0\r\n", 4),
        (HEAD + "m=audio 5004 RTP/AVP 0\r\n" * 65, None),
        (HEAD + "a=x\r\n" * 2000, None),
        (HEAD + "a=" + "x" * 70_000, None),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int | None) -> None:
    with pytest.raises(SdpError) as caught:
        sdp.parse(text.encode())
    assert (caught.value.status, caught.value.alert) == (488, 32102)
    if line is not None:
        assert caught.value.line == line
        assert f"line {line}" in str(caught.value)


def test_an_unknown_payload_type_has_no_name_and_nonsense_none_at_all() -> None:
    text = HEAD + "m=audio 5004 RTP/AVP 77 200 x 97 98\r\na=rtpmap:97 PCMU\r\na=rtpmap:98 L16/8000/2\r\na=rtpmap:x\r\n"
    codecs = sdp.parse(text).media[0].codecs
    assert codecs == (Codec(77, "", 0), Codec(97, "PCMU", 0), Codec(98, "L16", 8000, 2))
    assert not codecs[2].is_("L16")


@pytest.mark.parametrize("direction", Direction)
def test_what_one_sends_the_other_receives(direction: Direction) -> None:
    seen = direction.seen_from_the_peer
    assert (seen.sends, seen.receives) == (direction.receives, direction.sends)
    assert direction & Direction.SENDRECV is direction
    assert direction & Direction.INACTIVE is Direction.INACTIVE


WORD = st.text(alphabet="abcXYZ019.-_", min_size=1, max_size=8)
VALUE = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=20)
TIGHT = VALUE.map(lambda text: text.rstrip(" \t"))
ATTRIBUTES = st.lists(st.builds(Attribute, WORD, st.none() | TIGHT), max_size=4).map(tuple)
CONNECTIONS = st.builds(Connection, WORD, WORD, WORD)
BANDWIDTHS = st.lists(st.builds(Bandwidth, WORD, st.integers(0, 10**17)), max_size=2).map(tuple)
MEDIA = st.builds(
    Media,
    WORD,
    st.integers(0, 65_535),
    WORD,
    st.lists(WORD, min_size=1, max_size=4).map(tuple),
    st.integers(1, 99),
    st.none() | VALUE,
    st.lists(CONNECTIONS, max_size=2).map(tuple),
    BANDWIDTHS,
    st.none() | VALUE,
    ATTRIBUTES,
)
DESCRIPTIONS = st.builds(
    SessionDescription,
    st.builds(Origin, WORD, st.integers(0, 10**20), st.integers(0, 10**20), WORD, WORD, WORD),
    VALUE,
    st.none() | VALUE,
    st.none() | VALUE,
    st.lists(VALUE, max_size=2).map(tuple),
    st.lists(VALUE, max_size=2).map(tuple),
    st.none() | CONNECTIONS,
    BANDWIDTHS,
    st.lists(
        st.builds(Timing, st.integers(0, 10**10), st.integers(0, 10**10), st.lists(VALUE, max_size=2).map(tuple)),
        min_size=1,
        max_size=2,
    ).map(tuple),
    st.none() | VALUE,
    st.none() | VALUE,
    ATTRIBUTES,
    st.lists(MEDIA, max_size=3).map(tuple),
)


@given(DESCRIPTIONS)
def test_what_was_rendered_is_read_back(description: SessionDescription) -> None:
    assert sdp.parse(sdp.render(description)) == description


@given(
    st.binary(max_size=120)
    | st.integers(0, len(FULL) - 1).flatmap(
        lambda at: st.binary(max_size=3).map(lambda new: FULL[:at] + new + FULL[at + 1 :])
    )
)
def test_no_bytes_raise_anything_but_sdp_error(data: bytes) -> None:
    try:
        got = sdp.parse(data)
    except SdpError:
        return
    for media in got.media:
        assert len(media.codecs) <= len(media.formats)
