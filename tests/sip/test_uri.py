"""SIP, SIPS and tel URIs: reading, writing, escaping, and the comparison of RFC 3261 19.1.4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.errors import BadUri
from offhook.sip.uri import Uri, comparable, escape_header, escape_param, escape_user, unescape

ROUND_TRIPS = [
    "sip:alice@atlanta.com",
    "sip:alice:secretword@atlanta.com;transport=tcp",
    "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
    "sip:+1-212-555-1212:1234@gateway.com;user=phone",
    "sips:1212@gateway.com",
    "sip:alice@192.0.2.4",
    "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
    "sip:alice;day=tuesday@atlanta.com",
    "sip:*21#@pbx.local_net:5080",
    "sip:[2001:db8::1]:5061;lr;maddr=[2001:db8::2]",
    "tel:+1-201-555-0123",
    "tel:7042;phone-context=example.com",
    "tel:*#06#;phone-context=+44",
    "urn:service:sos",
    "mailto:someone@example.com?subject=hi",
]


@pytest.mark.parametrize("text", ROUND_TRIPS)
def test_a_uri_is_written_as_it_was_read(text: str) -> None:
    assert str(Uri.parse(text)) == text


def test_the_parts_of_a_sip_uri_are_told_apart() -> None:
    uri = Uri.parse("SIPS:bob%20b:pw@Example.COM:5071;transport=TCP;lr?X-a=b%20c&d=e")
    assert (uri.scheme, uri.user, uri.user_text, uri.password) == ("sips", "bob%20b", "bob b", "pw")
    assert (uri.host, uri.port, uri.hostport) == ("Example.COM", 5071, "Example.COM:5071")
    assert (uri.param("Transport"), uri.param("lr"), uri.param("maddr")) == ("TCP", "", None)
    assert uri.header_items == (("X-a", "b c"), ("d", "e"))


def test_an_unknown_scheme_is_kept_whole() -> None:
    uri = Uri.parse("Whatever:any?thing;at=all")
    assert (uri.scheme, uri.opaque, uri.host, uri.is_sip) == ("whatever", "any?thing;at=all", "", False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@host",
        "alice@atlanta.com",
        "sip:a@b@c",
        "sip:alice@",
        "sip:host:port",
        "sip:host:99999",
        "sip:[::1",
        "sip:::1",
        "sip:[1.2.3.4]",
        "sip:[fe80::1%25eth0]",
        "sip:ali ce@host",
        "sip:host;",
        "sip:host;a;;b",
        "sip:host;a=1;A=2",
        "sip:host;=x",
        "sip:host?",
        "sip:a%zz@host",
        "sip:jos\u00e9@host",
        "tel:",
        "tel:+",
        "tel:+-.",
        "tel:12x",
        "<sip:host>",
        "x:",
        "1x:abc",
        'x:a"b',
    ],
)
def test_what_breaks_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(BadUri):
        Uri.parse(text)


# RFC 3261 19.1.4, the RFC's own examples and the consequences of its rules
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:[2001:DB8::0:1]", "sip:[2001:db8::1]"),
        ("tel:+1-201-555-0123", "tel:+12015550123"),
        ("tel:7042;phone-context=Example.com", "tel:70.42;Phone-Context=example.com"),
    ],
)
def test_equal_uris_are_equal_and_hash_alike(one: str, other: str) -> None:
    assert Uri.parse(one) == Uri.parse(other)
    assert Uri.parse(other) == Uri.parse(one)
    assert hash(Uri.parse(one)) == hash(Uri.parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com;transport=udp", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:bob@biloxi.com", "sip:bob:@biloxi.com"),
        ("sip:bob@biloxi.com", "sip:biloxi.com"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;maddr=192.0.2.1"),
        ("sip:bob@biloxi.com;user=ip", "sip:bob@biloxi.com"),
        ("sip:a%00@x", "sip:a%00%00@x"),
        ("sip:a;b@x", "sip:a%3Bb@x"),
        ("tel:+12015550123", "tel:2015550123"),
        ("tel:7042", "tel:7042;phone-context=x"),
        ("isbn:1", "isbn:2"),
    ],
)
def test_different_uris_are_different(one: str, other: str) -> None:
    assert Uri.parse(one) != Uri.parse(other)
    assert Uri.parse(other) != Uri.parse(one)


def test_a_uri_of_plain_parts_is_escaped() -> None:
    uri = Uri.of("bob smith@home", "pbx.example.com", params=[("transport", "tcp")], headers=[("X-Note", "a&b=c d?")])
    assert str(uri) == "sip:bob%20smith%40home@pbx.example.com;transport=tcp?X-Note=a%26b%3Dc%20d?"
    assert Uri.parse(str(uri)) == uri
    assert Uri.parse(str(uri)).header_items == (("X-Note", "a&b=c d?"),)


def test_parameters_and_headers_are_set_and_taken_away() -> None:
    uri = Uri.parse("sip:bob@x;transport=udp;lr?a=b")
    assert str(uri.with_param("transport", "tls").without_headers()) == "sip:bob@x;lr;transport=tls"
    assert str(uri.without_params("LR", "transport")) == "sip:bob@x?a=b"


def test_parameters_are_found_whatever_is_escaped_in_their_names() -> None:
    uri = Uri.parse("sip:bob@x;%6C%72;n%61me=v%61lue%25%34%31")
    assert (uri.param("lr"), uri.param("name"), uri.param("%6C%72")) == ("", "value%41", None)
    assert str(uri.without_params("lr").with_param("Name", "x")) == "sip:bob@x;Name=x"


@given(st.text())
def test_escaping_is_undone_by_unescaping(text: str) -> None:
    text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    for escape in (escape_user, escape_param, escape_header):
        assert unescape(escape(text)) == text


@given(st.binary())
def test_bytes_that_are_no_utf8_survive_unescaping(data: bytes) -> None:
    escaped = "".join(f"%{octet:02x}" for octet in data)
    assert unescape(escaped).encode("utf-8", "surrogateescape") == data


@given(st.text(min_size=1).map(lambda text: text.encode("utf-8", "replace").decode()), st.text())
def test_any_user_and_header_value_survives_a_uri(user: str, value: str) -> None:
    value = value.encode("utf-8", "replace").decode()
    uri = Uri.parse(str(Uri.of(user, "example.com", headers=[("X-Value", value)])))
    assert uri.user_text == user
    assert uri.header_items == (("X-Value", value),)


@given(st.text(alphabet="sip:telSIP@;=?&%[]0129afAF.-#*+\u00e9 <>", max_size=40))
def test_any_text_is_a_uri_or_bad(text: str) -> None:
    try:
        uri = Uri.parse(text)
    except BadUri:
        return
    assert Uri.parse(str(uri)) == uri


def test_escapes_of_reserved_characters_stay_in_comparison() -> None:
    assert comparable("%61%3b%3B%7a") == "a%3B%3Bz"
