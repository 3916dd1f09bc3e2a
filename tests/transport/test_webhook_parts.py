"""The parts of the webhook client that need no network: URLs, overrides, guard, cookies, challenges, cache rules."""

from __future__ import annotations

import base64
import datetime
import math
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.sip.digest import DigestServer, Outcome
from offhook.transport.certificate import certificate_names
from offhook.transport.errors import NameNotFound, Unreachable
from offhook.transport.webhook_auth import Credentials, choose, parse_challenges
from offhook.transport.webhook_cache import Cache, directives, fresh_until
from offhook.transport.webhook_errors import (
    BadUrl,
    CertificateDomainWrong,
    CertificateExpired,
    CertificateUntrusted,
    HttpViolation,
    TlsHandshakeFailed,
    WebhookError,
    failure_of,
)
from offhook.transport.webhook_guard import guard_of
from offhook.transport.webhook_options import DEFAULT, Options, parse_options
from offhook.transport.webhook_session import CookieJar
from offhook.transport.webhook_target import parse_target, resolve

UTC = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


# ---- URLs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url", "host", "port"),
    [
        ("http://app.example", "http://app.example/", "app.example", 80),
        (" https://App.Example:8443/a?b#c ", "https://App.Example:8443/a?b", "App.Example", 8443),
        ("HTTP://u:p@app.example?x", "http://app.example/?x", "app.example", 80),
        ("http://[2001:db8::1]:81/", "http://[2001:db8::1]:81/", "2001:db8::1", 81),
        ("http://bücher.example/ü?é", "http://xn--bcher-kva.example/%C3%BC?%C3%A9", "xn--bcher-kva.example", 80),
        ("http://a/%7e%zz?", "http://a/%7e%zz", "a", 80),
    ],
)
def test_a_url_is_read_for_wire_and_signature(text: str, url: str, host: str, port: int) -> None:
    target = parse_target(text)
    assert (target.url, target.host, target.port) == (url, host, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", "app.example", "ftp://app.example/", "http://", "http:///x", "http://a:0/", "http://a:99999/", "//a/b"),
        *("http://a b/", "http://-a.example/", "http://a..b/", "http://[::1/", "http://[fe80::1%25eth0]/"),
        *("http://127.1/", "http://2130706433/", "http://1.2.3.4.5/", "http://a/x\ny", "http://a/\x00"),
        "http://" + "a." * 130 + "example/",
        "http://a/" + "x" * 9000,
    ],
)
def test_what_is_no_http_url_is_11100(text: str) -> None:
    with pytest.raises(BadUrl) as caught:
        parse_target(text)
    assert caught.value.code == 11100


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=60), st.text(max_size=60).map(lambda text: f"http://a{text}")))
def test_no_text_makes_the_reader_raise_anything_else(text: str) -> None:
    try:
        target = parse_target(text)
    except BadUrl:
        return
    assert target.url.isascii()
    assert parse_target(target.url).url == target.url


def test_parameters_join_the_query_that_is_there() -> None:
    for url, expected in [("/a", "/a?x=1+2"), ("/a?b", "/a?b&x=1+2"), ("/a?", "/a?x=1+2"), ("/a?b&", "/a?b&x=1+2")]:
        assert parse_target(f"http://h{url}").with_query((("x", "1 2"),)).path == expected
    assert parse_target("http://h/a").with_query(()).path == "/a"


def test_relative_urls_keep_the_user_of_their_base() -> None:
    base = parse_target("http://u:p%40@h/dir/doc?x=1").base
    assert base == "http://u:p%40@h/dir/doc?x=1"
    assert resolve(base, "next#rc=1") == "http://u:p%40@h/dir/next#rc=1"
    assert resolve(base, " ") == base
    assert resolve(base, "//other/x") == "http://other/x"
    assert resolve(base, "http://[broken/") == "http://[broken/"


# ---- overrides -----------------------------------------------------------------------------------------------------


def test_overrides_are_read_in_milliseconds() -> None:
    options = parse_options("ct=2000&rt=250&tt=1500&rc=2&rp=ct,5xx&sni=n&e=dublin,%20tokyo")
    assert options == Options(2.0, 0.25, 1.5, 2, frozenset({"ct", "5xx"}), False, ("dublin", "tokyo"))


def test_numbers_outside_their_range_are_moved_into_it() -> None:
    options = parse_options("ct=1&rt=99999&tt=-5&rc=9")
    assert (options.connect_s, options.read_s, options.total_s, options.retries) == (0.1, 15.0, 0.1, 5)


@pytest.mark.parametrize("fragment", ["", "top", "ct=", "ct=x&rc=1.5", "unknown=1&", "sni=maybe", "=", "&&"])
def test_what_is_no_override_leaves_the_defaults(fragment: str) -> None:
    assert parse_options(fragment) == DEFAULT


@settings(max_examples=200)
@given(st.text(alphabet="ctrpe=&,0123456789xal%-", max_size=40))
def test_no_fragment_makes_the_reader_raise_anything_else(fragment: str) -> None:
    try:
        options = parse_options(fragment)
    except WebhookError:
        return
    assert 0.1 <= options.connect_s <= 10
    assert 0 <= options.retries <= 5


# ---- addresses -----------------------------------------------------------------------------------------------------

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.2.1", "192.168.0.1"),
    *("198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *("::", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2002:7f00:1::"),
    *("2001:0:0:0:0:0:80ff:fffe", "2001:db8::1", "fc00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "x"),
]


def test_only_public_addresses_may_be_reached() -> None:
    guard = guard_of([])
    assert [host for host in PUBLIC if not guard.permits(host)] == []
    assert [host for host in PRIVATE if guard.permits(host)] == []


def test_allowed_networks_also_open_the_same_address_in_ipv6_clothes() -> None:
    guard = guard_of(["127.0.0.0/8", "fd00::/8"])
    assert guard.permits("127.0.0.1")
    assert guard.permits("::ffff:127.0.0.1")
    assert guard.permits("fd12::1")
    assert not guard.permits("10.0.0.1")
    assert not guard.permits("::1")


# ---- cookies -------------------------------------------------------------------------------------------------------


def jar(*headers: str, url: str = "http://www.app.example/dir/page", now: float = 100.0) -> CookieJar:
    cookies = CookieJar()
    for header in headers:
        cookies.store(header, parse_target(url), now=now, utc=UTC)
    return cookies


@pytest.mark.parametrize(
    ("header", "url", "sent"),
    [
        ("a=1", "http://www.app.example/dir/x", True),
        ("a=1", "http://www.app.example/", False),
        ("a=1; Path=/", "http://www.app.example/", True),
        ("a=1; Path=/di", "http://www.app.example/dir", False),
        ("a=1", "http://app.example/dir/x", False),
        ("a=1; Path=/", "http://sub.www.app.example/", False),
        ("a=1; Path=/; Domain=.App.Example", "http://other.app.example/", True),
        ("a=1; Path=/; Domain=app.example", "http://notapp.example/", False),
        ("a=1; Path=/; Domain=other.example", "http://other.example/", False),
        ("a=1; Path=/; Domain=example", "http://x.example/", False),
        ("a=1; Path=/; Secure", "http://www.app.example/", False),
        ("a=1; Path=/; Secure", "https://www.app.example/", True),
        ("a=1; Path=/; Max-Age=0", "http://www.app.example/", False),
        ("a=1; Path=/; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://www.app.example/", True),
        ("a=1; Path=/; Expires=Thu, 01-Jan-1970 00:00:00 GMT", "http://www.app.example/", False),
        ("a=1; Path=/; Expires=Fri, 02 Jan 2026 03:05:05 GMT", "http://www.app.example/", True),
        ("a=1; Path=/; Expires=whenever", "http://www.app.example/", True),
        ("flag; Path=/", "http://www.app.example/", False),
        (f"a={'x' * 5000}; Path=/", "http://www.app.example/", False),
    ],
)
def test_a_cookie_goes_where_rfc_6265_sends_it(header: str, url: str, sent: bool) -> None:
    assert (jar(header).header(parse_target(url), 101.0) is not None) is sent


def test_cookies_expire_are_replaced_and_are_bounded() -> None:
    target = parse_target("http://www.app.example/dir/")
    cookies = jar("a=1; Max-Age=10", "b=2", "a=3; Max-Age=20", "c=4; Path=/dir/sub")
    assert cookies.header(target, 115.0) == "a=3; b=2"
    assert cookies.header(target, 120.0) == "b=2"
    assert len(jar(*[f"n{number}=x" for number in range(80)])) == 50


@settings(max_examples=200)
@given(st.text(max_size=80))
def test_no_cookie_makes_the_reader_raise_anything_else(header: str) -> None:
    try:
        cookies = jar(header)
    except HttpViolation:
        return
    cookies.header(parse_target("http://www.app.example/dir/"), 101.0)


# ---- challenges ----------------------------------------------------------------------------------------------------


def test_several_challenges_in_one_line_are_told_apart() -> None:
    digest = 'Digest realm="d", nonce="n", qop="auth,auth-int", algorithm=SHA-256'
    line = f'Negotiate, NTLM abc==, Basic realm="a \\"b\\", c", {digest}'
    challenges = parse_challenges([line])
    assert [challenge.scheme for challenge in challenges] == ["negotiate", "ntlm", "basic", "digest"]
    assert challenges[2].realm == 'a "b", c'
    chosen = choose(challenges)
    assert chosen is not None
    assert chosen != "basic"
    assert (chosen.realm, chosen.algorithm, chosen.qop) == ("d", "SHA-256", "auth")


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Basic"],
        ['Bearer realm="x"'],
        ['Digest realm="x"'],
        ['Digest realm="x", nonce="n", algorithm=SHA-1'],
        ['Digest realm="x", nonce="n", qop="auth-conf"'],
        ["=,=;"],
    ],
)
def test_challenges_that_cannot_be_answered_are_not_chosen(lines: list[str]) -> None:
    assert choose(parse_challenges(lines)) is None


@settings(max_examples=200)
@given(st.lists(st.text(alphabet='Basic Digest realm="nonce",=\\x', max_size=60), max_size=3))
def test_no_challenge_makes_the_reader_raise(lines: list[str]) -> None:
    choose(parse_challenges(lines))


def test_a_digest_answer_satisfies_a_digest_server_and_counts_its_uses() -> None:
    server = DigestServer(b"k" * 32, "app", ("SHA-256", "MD5"))
    target = parse_target("http://ann:s3cret@h/a?b=1")
    credentials = Credentials()
    assert credentials.header("POST", target, b"", lambda: "c") is None
    assert credentials.learn(parse_challenges(server.challenge(0.0)), target, answered=False)
    header = None
    for _ in range(3):
        header = credentials.header("POST", target, b"x=1", lambda: "c")
        assert header is not None
        verdict = server.check(header, "POST", target.path, lambda name: {"ann": "s3cret"}.get(name), 1.0)
        assert verdict.outcome is Outcome.ACCEPTED
    assert header is not None
    assert "nc=00000003" in header


def test_a_second_401_is_answered_only_when_the_nonce_was_stale() -> None:
    target = parse_target("http://ann:s3cret@h/")
    stale = parse_challenges(['Digest realm="r", nonce="n2", qop="auth", stale=TRUE'])
    wrong = parse_challenges(['Digest realm="r", nonce="n2", qop="auth"'])
    credentials = Credentials()
    assert credentials.learn(wrong, target, answered=False)
    assert credentials.learn(stale, target, answered=True)
    assert not credentials.learn(wrong, target, answered=True)
    assert credentials.header("GET", target, b"", lambda: "c") is None


def test_basic_takes_user_and_password_as_utf_8() -> None:
    target = parse_target("http://%C3%BC:p%3A%40@h/")
    credentials = Credentials()
    assert credentials.learn(parse_challenges(['basic realm="r"']), target, answered=False)
    header = credentials.header("GET", target, b"", lambda: "c") or ""
    assert base64.b64decode(header.partition(" ")[2]).decode() == "ü:p:@"


# ---- the cache's rules ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"etag": '"1"'}, -math.inf),
        ({"last-modified": "Thu, 01 Jan 2026 00:00:00 GMT"}, -math.inf),
        ({"cache-control": "max-age=60"}, 160.0),
        ({"cache-control": "max-age=60, s-maxage=10"}, 110.0),
        ({"cache-control": "max-age=60", "age": "20"}, 140.0),
        ({"cache-control": "max-age=60", "age": "80"}, None),
        ({"cache-control": "max-age=60, no-store"}, None),
        ({"cache-control": "private, max-age=60"}, None),
        ({"cache-control": "no-cache, max-age=60"}, None),
        ({"cache-control": "no-cache, max-age=60", "etag": "x"}, -math.inf),
        ({"cache-control": 'no-cache="set-cookie", max-age=60', "etag": "x"}, -math.inf),
        ({"cache-control": "max-age=x", "etag": "x"}, -math.inf),
        ({"cache-control": "max-age=60", "set-cookie": "a=1"}, None),
        ({"cache-control": "max-age=60", "vary": "Accept-Encoding"}, 160.0),
        ({"cache-control": "max-age=60", "vary": "Cookie"}, None),
        ({"cache-control": "max-age=60", "vary": "*"}, None),
        ({"expires": "Fri, 02 Jan 2026 03:05:05 GMT"}, 160.0),
        ({"expires": "Fri, 02 Jan 2026 03:05:05 GMT", "date": "Fri, 02 Jan 2026 03:04:55 GMT"}, 110.0),
        ({"expires": "0", "etag": "x"}, -math.inf),
        ({"pragma": "no-cache", "expires": "Fri, 02 Jan 2027 03:05:05 GMT"}, None),
    ],
)
def test_how_long_an_answer_may_be_used(headers: dict[str, str], expected: float | None) -> None:
    assert fresh_until(200, headers, now=100.0, utc=UTC) == expected
    assert fresh_until(404, headers, now=100.0, utc=UTC) is None


def test_directives_may_be_quoted() -> None:
    assert directives('private="a, b", MAX-AGE="5" , no-cache') == {"private": "a, b", "max-age": "5", "no-cache": ""}


def test_the_cache_is_bounded_and_forgets_the_least_used() -> None:
    cache = Cache(capacity_bytes=4000)
    fresh = [("Cache-Control", "max-age=60")]
    for name in "abc":
        assert cache.store(name, 200, fresh, b"x" * 900, now=0.0, utc=UTC) is not None
    assert cache.store("big", 200, fresh, b"x" * 1001, now=0.0, utc=UTC) is None
    cache.find("a")
    for name in "de":
        cache.store(name, 200, fresh, b"x" * 900, now=0.0, utc=UTC)
    assert [name for name in "abcde" if cache.find(name) is not None] == ["a", "c", "d", "e"]
    assert cache.size <= 4000
    cache.drop("a")
    cache.store("c", 200, [], b"", now=0.0, utc=UTC)
    assert (len(cache), cache.size) == (2, 2 * (900 + len("cache-control") + len("max-age=60")))


# ---- errors --------------------------------------------------------------------------------------------------------


def verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "why"
    return error


def test_every_certificate_fault_has_its_code() -> None:
    kinds = {code: type(failure_of(verification(code))) for code in (9, 10, 18, 19, 20, 62, 64)}
    assert kinds == {
        9: CertificateExpired,
        10: CertificateExpired,
        18: CertificateUntrusted,
        19: CertificateUntrusted,
        20: CertificateUntrusted,
        62: CertificateDomainWrong,
        64: CertificateDomainWrong,
    }
    assert isinstance(failure_of(ssl.SSLError(1, "handshake failure")), TlsHandshakeFailed)


def test_what_is_no_failure_of_the_network_is_not_made_one() -> None:
    assert failure_of(ValueError("ours")) is None
    codes = [error.code for error in map(failure_of, (NameNotFound("h", "no"), Unreachable("h", "no"))) if error]
    assert codes == [11210, 11205]


@pytest.mark.parametrize(
    ("names", "host", "good"),
    [
        ([("DNS", "app.example")], "App.Example.", True),
        ([("DNS", "*.app.example")], "www.app.example", True),
        ([("DNS", "*.app.example")], "a.www.app.example", False),
        ([("DNS", "*.app.example")], "app.example", False),
        ([("DNS", "*.example")], "app.example", False),
        ([("DNS", "192.0.2.1")], "192.0.2.1", False),
        ([("IP Address", "192.0.2.1")], "192.0.2.1", True),
        ([("IP Address", "2001:DB8:0:0:0:0:0:1\n")], "2001:db8::1", True),
        ([("IP Address", "<invalid>")], "2001:db8::1", False),
        ([], "app.example", False),
    ],
)
def test_a_certificate_is_for_the_names_in_it(names: list[tuple[str, str]], host: str, good: bool) -> None:
    assert certificate_names({"subjectAltName": tuple(names)}, host) is good
