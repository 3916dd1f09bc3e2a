"""Which headers an application may have sent to a real user agent (SIPp), read from the log of what that got."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest

from .callees import Callee
from .dialled import UUI, House, calls
from .sipp import Wire

pytestmark = pytest.mark.peers


async def sent(house: House, media: int, folder: Path, part: str, elements: str = "") -> Wire:
    """The INVITE that comes of an address with that header part (or of `Header` elements beside it)."""
    callee = Callee(media).is_called().refuses(486)
    noun = f"<Sip>sip:bob@CALLEE{'?' if part else ''}{escape(part)}</Sip>"
    if elements:
        noun = f"<Sip><Uri>sip:bob@CALLEE</Uri><Headers>{elements}</Headers></Sip>"
    [invite] = await house.dials(f'<Dial action="/after">{noun}</Dial>', callee, calls(media), folder)
    return invite


async def test_x_headers_of_an_address_are_sent_as_they_are_named(house: House, media: int, tmp_path: Path) -> None:
    invite = await sent(house, media, tmp_path, "x-myheader=foo&X-Other=bar&X-User-to-User=abc")
    assert [invite.values(name) for name in ("x-myheader", "X-Other", "X-User-to-User")] == [["foo"], ["bar"], ["abc"]]
    assert ("x-myheader", "foo") in invite.headers
    assert house.codes() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("User-to-User", value) for value in UUI),
        ("Remote-Party-ID", '"Bob, B." <sip:bob@pbx.example>;party=calling;privacy=off'),
        ("P-Preferred-Identity", '"Bob" <sip:bob@pbx.example>'),
        ("P-Called-Party-ID", "<sip:100@pbx.example>"),
    ],
)
async def test_the_four_plain_headers_of_an_address_are_sent_unchanged(
    house: House, media: int, tmp_path: Path, name: str, value: str
) -> None:
    invite = await sent(house, media, tmp_path, f"{name}={quote(value, safe='')}")
    assert invite.values(name) == [value]
    assert house.codes() == []


async def test_escaped_characters_arrive_plain_and_one_header_carries_many_pairs(
    house: House, media: int, tmp_path: Path
) -> None:
    invite = await sent(
        house, media, tmp_path, "X-Info=a%3D1%3Bb%3D2%2C3%20%3Cx%3E%25%26%3F&X-Greeting=Gr%C3%BC%C3%9Fe"
    )
    assert invite.values("X-Info") == ["a=1;b=2,3 <x>%&?"]
    assert invite.values("X-Greeting") == ["Grüße"]
    assert "?" not in invite.start


async def test_any_other_plain_header_of_an_address_is_left_out(house: House, media: int, tmp_path: Path) -> None:
    names = ("P-Asserted-Identity", "Diversion", "Privacy", "Subject", "Reason", "Route", "Via", "Contact", "XFoo")
    part = "&".join(f"{name}=sip:evil.example" for name in names)
    invite = await sent(house, media, tmp_path, f"{part}&X-Good=1")
    assert "evil.example" not in invite.text
    assert invite.values("X-Good") == ["1"]
    assert house.codes() == [13252] * len(names)


async def test_any_other_plain_header_of_an_element_is_left_out(house: House, media: int, tmp_path: Path) -> None:
    elements = '<Header name="Subject" value="evil"/><Header name="X-Good" value="1"/>'
    invite = await sent(house, media, tmp_path, "", elements)
    assert "evil" not in invite.text
    assert invite.values("X-Good") == ["1"]
    assert house.codes() == [32113]


async def test_headers_that_are_the_platforms_own_are_left_out(house: House, media: int, tmp_path: Path) -> None:
    invite = await sent(
        house, media, tmp_path, "X-Twilio-CallSid=evil&x-twilio-foo=evil&X-Twilio-AccountSid=evil&X-A=1"
    )
    assert "evil" not in invite.text
    ours = [name for name, _ in invite.headers if name.lower().startswith("x-twilio")]
    assert sorted(ours) == ["X-Twilio-AccountSid", "X-Twilio-ApiVersion", "X-Twilio-CallSid"]
    assert house.codes() == [32113] * 3


@pytest.mark.parametrize("escaped", ["%0D%0A", "%0d", "%0A", "%00", "%C2%85", "%E2%80%A8", "%FF"])
async def test_an_escaped_end_of_line_never_reaches_the_wire(
    house: House, media: int, tmp_path: Path, escaped: str
) -> None:
    invite = await sent(house, media, tmp_path, f"X-Bad=a{escaped}Route:%20%3Csip:evil.example%3E&X-Good=1")
    assert "evil" not in invite.text
    assert invite.values("X-Bad") == []
    assert invite.values("Route") == []
    assert invite.values("X-Good") == ["1"]
    assert house.codes() == [32112]


async def test_an_escaped_end_of_line_in_a_name_never_reaches_the_wire(
    house: House, media: int, tmp_path: Path
) -> None:
    invite = await sent(house, media, tmp_path, "X-Bad%0D%0ARoute=%3Csip:evil.example%3E&X%20Y=1&X-Good=1")
    assert "evil" not in invite.text
    assert invite.values("X-Good") == ["1"]
    assert house.codes() == [32111] * 2


async def test_a_header_part_of_1023_characters_is_sent_whole(house: House, media: int, tmp_path: Path) -> None:
    invite = await sent(house, media, tmp_path, "X-Long=" + "a" * 1016)
    assert invite.values("X-Long") == ["a" * 1016]
    assert house.codes() == []


async def test_an_address_with_a_header_part_of_1024_characters_is_not_called(
    house: House, media: int, tmp_path: Path
) -> None:
    document = f'<Dial action="/after"><Sip>sip:bob@CALLEE?X-Long={"a" * 1017}</Sip></Dial>'
    assert await house.dials(document, None, calls(media), tmp_path) == []
    after = await house.asked("/after")
    assert after["DialCallStatus"] == "failed"
    assert set(house.codes()) == {13253}
