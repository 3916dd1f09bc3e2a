"""Digest authentication: published vectors, nonces, replays, and the client's side."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.digest import (
    Challenge,
    DigestServer,
    Lookup,
    Outcome,
    Verdict,
    answer_challenge,
    choose_challenge,
    digest_response,
    ha1,
    parse_auth_params,
)
from offhook.sip.errors import BadHeader, NoUsableChallenge

REALM = "sip.twilio.com"
URI = "sip:+14155550100@acme.sip.twilio.com"
USERS: Lookup = {"bob": "Passw0rd12345"}.get


def server(*algorithms: str, **settings: float) -> DigestServer:
    made = DigestServer(b"key", REALM, algorithms or ("MD5",))
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def credentials(
    made: DigestServer, now: float, *, nc: int = 1, password: str = "Passw0rd12345", username: str = "bob"
) -> str:
    return answer_challenge(made.challenge(now), "INVITE", URI, username, password, nc=nc, cnonce="f2e1d0c9")


def outcome(made: DigestServer, value: str | list[str] | None, now: float, lookup: Lookup = USERS) -> Outcome:
    return made.check(value, "INVITE", URI, lookup, now).outcome


@pytest.mark.parametrize(
    ("algorithm", "method", "uri", "response"),
    [
        ("MD5", "INVITE", URI, "7a56eeba5a3cb0c3ca4cfb7105391ced"),
        ("MD5", "REGISTER", "sip:acme.sip.twilio.com", "bca8341890f23e9af17de43e7283db72"),
        ("SHA-256", "INVITE", URI, "395d01e0a10af7b9e18bb3b56a929f9c47ba8200f33d7333f4eec9dfd270be63"),
        (
            "SHA-256",
            "REGISTER",
            "sip:acme.sip.twilio.com",
            "5f46e439c0a35220023a0ef77c77ee62f7d9771348b04e4175f529c36270fcc0",
        ),
    ],
)
def test_responses_are_those_of_the_reference(algorithm: str, method: str, uri: str, response: str) -> None:
    secret = ha1(algorithm, "bob", REALM, "Passw0rd12345")
    nonce = "0123456789abcdef0123456789abcdef"
    assert digest_response(algorithm, secret, method, uri, nonce, "00000001", "f2e1d0c9", "auth") == response
    named = f", algorithm={algorithm}" if algorithm != "MD5" else ""
    challenge = f'Digest realm="{REALM}", qop="auth", nonce="{nonce}"{named}'
    assert f'response="{response}"' in answer_challenge(
        [challenge], method, uri, "bob", "Passw0rd12345", cnonce="f2e1d0c9"
    )


def test_ha1_is_that_of_the_reference() -> None:
    assert ha1("MD5", "bob", REALM, "Passw0rd12345") == "11fe45fe3fd71e2db824da1248116280"


def test_responses_are_those_of_rfc_7616() -> None:
    nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    for algorithm, response in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        secret = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
        uri = "/dir/index.html"
        assert digest_response(algorithm, secret, "GET", uri, nonce, "00000001", cnonce, "auth") == response


def test_the_response_without_qop_is_that_of_rfc_2617() -> None:
    secret = ha1("MD5", "Mufasa", "testrealm@host.com", "CircleOfLife")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    assert digest_response("MD5", secret, "GET", "/dir/index.html", nonce) == "1949323746fe6a43ef61f9606e7febea"


def test_md5_alone_is_not_named() -> None:
    (value,) = server().challenge(5.0)
    given_ = parse_auth_params(value)
    assert given_ is not None
    assert list(given_) == ["realm", "qop", "nonce", "opaque"]
    assert (given_["realm"], given_["qop"], len(given_["nonce"]), len(given_["opaque"])) == (REALM, "auth", 48, 32)


def test_several_algorithms_are_named_in_the_order_offered() -> None:
    challenges = [Challenge.parse(value) for value in server("SHA-256", "MD5").challenge(5.0)]
    assert [challenge and (challenge.algorithm, challenge.named) for challenge in challenges] == [
        ("SHA-256", True),
        ("MD5", True),
    ]
    (alone,) = server("SHA-256").challenge(5.0)
    assert "algorithm=SHA-256" in alone


def test_an_algorithm_that_is_not_known_cannot_be_offered() -> None:
    for algorithms in (("MD4",), ()):
        with pytest.raises(ValueError, match="algorithms"):
            DigestServer(b"key", REALM, algorithms)


@pytest.mark.parametrize("algorithms", [("MD5",), ("SHA-256", "MD5"), ("MD5", "SHA-256")])
def test_the_right_password_is_accepted(algorithms: tuple[str, ...]) -> None:
    made = server(*algorithms)
    assert made.check(credentials(made, 10.0), "INVITE", URI, USERS, 11.0) == Verdict(Outcome.ACCEPTED, "bob")


def test_a_stored_ha1_serves_as_well_as_a_password() -> None:
    made = server()
    stored: Lookup = {"bob": {"MD5": ha1("MD5", "bob", REALM, "Passw0rd12345")}}.get
    assert outcome(made, credentials(made, 0.0), 0.0, stored) is Outcome.ACCEPTED
    assert outcome(made, credentials(made, 0.0, password="other"), 0.0, stored) is Outcome.WRONG
    only_sha: Lookup = {"bob": {"SHA-256": "00"}}.get
    assert outcome(made, credentials(made, 0.0, password=""), 0.0, only_sha) is Outcome.WRONG


def test_a_wrong_password_and_an_unknown_user_look_alike() -> None:
    made = server()
    assert outcome(made, credentials(made, 0.0, password="wrong"), 0.0) is Outcome.WRONG
    assert outcome(made, credentials(made, 0.0, username="eve"), 0.0) is Outcome.WRONG
    assert outcome(made, credentials(made, 0.0, username="eve", password=""), 0.0) is Outcome.WRONG


def work_of(made: DigestServer, value: str, lookup: Lookup) -> list[str]:
    """Every call, of Python and below, that a check makes."""
    calls: list[str] = []

    def note(frame: FrameType, event: str, called: object) -> None:
        if event == "call":
            calls.append(frame.f_code.co_qualname)
        elif event == "c_call":
            calls.append(str(getattr(called, "__qualname__", called)))

    sys.setprofile(note)
    try:
        made.check(value, "INVITE", URI, lookup, 0.0)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_an_unknown_user_is_the_same_work_as_a_wrong_password(algorithm: str) -> None:
    made = server(algorithm)
    wrong = work_of(made, credentials(made, 0.0, password="wrong"), USERS)
    assert sum("hexdigest" in name for name in wrong) == 3
    assert work_of(made, credentials(made, 0.0, username="eve"), USERS) == wrong
    assert work_of(made, credentials(made, 0.0, username="eve", password=""), USERS) == wrong


def test_credentials_for_another_realm_or_scheme_are_passed_over() -> None:
    made = server()
    good = credentials(made, 0.0)
    assert outcome(made, None, 0.0) is Outcome.MISSING
    assert outcome(made, [], 0.0) is Outcome.MISSING
    assert outcome(made, "Basic Ym9iOng=", 0.0) is Outcome.MISSING
    assert outcome(made, good.replace(REALM, "elsewhere", 1), 0.0) is Outcome.MISSING
    assert outcome(made, ["Bearer x", good.replace(REALM, "elsewhere", 1), good], 0.0) is Outcome.ACCEPTED


Change = Callable[[str], str]


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.replace('username="bob", ', ""),
        lambda value: value.replace("response=", "answer="),
        lambda value: value.replace("qop=auth", "qop=auth-int"),
        lambda value: value.replace("nc=00000001", "nc=1"),
        lambda value: value.replace("nc=00000001", "nc=0000000g"),
        lambda value: value.replace('cnonce="f2e1d0c9", ', ""),
        lambda value: value + ", algorithm=SHA-256",
        lambda value: value + ", algorithm=MD5-sess",
        lambda value: value + ", nonce=twice",
        lambda value: value + ", ,",
        lambda value: value.replace(URI, "nonsense"),
        lambda value: value.replace('realm="', "realm="),
    ],
)
def test_credentials_that_say_too_little_or_another_thing_are_malformed(change: Change) -> None:
    made = server()
    assert outcome(made, change(credentials(made, 0.0)), 0.0) is Outcome.MALFORMED


def test_a_phone_may_sign_the_uri_it_had_before_its_proxy() -> None:
    made = server()
    value = credentials(made, 0.0)
    assert made.check(value, "INVITE", f"{URI}:5060;transport=udp", USERS, 0.0).outcome is Outcome.ACCEPTED


def test_a_phone_may_sign_the_address_of_the_server_but_every_signature_counts_once() -> None:
    made = server()
    challenge = choose_challenge(made.challenge(0.0))
    value = challenge.answer("INVITE", "sip:192.0.2.7:5060", "bob", "Passw0rd12345", cnonce="a")
    assert made.check(value, "INVITE", URI, USERS, 0.0).outcome is Outcome.ACCEPTED
    other = URI.replace("1415", "1900")
    assert made.check(value, "INVITE", other, USERS, 0.0).outcome is Outcome.REPLAYED


def test_a_nonce_is_stale_after_its_age() -> None:
    made = server(nonce_age_s=60)
    value = credentials(made, 100.0)
    assert outcome(made, value, 160.0) is Outcome.ACCEPTED
    assert outcome(made, credentials(made, 100.0), 160.001) is Outcome.STALE
    assert outcome(made, credentials(made, 100.0), 99.0) is Outcome.STALE
    assert "stale=true" in made.challenge(160.0, stale=True)[0]


def test_a_nonce_of_another_server_or_realm_is_stale_only_with_the_right_password() -> None:
    made, other = server(), DigestServer(b"other", REALM)
    assert outcome(made, credentials(other, 0.0), 0.0) is Outcome.STALE
    assert outcome(made, credentials(other, 0.0, password="wrong"), 0.0) is Outcome.WRONG


def test_a_forged_nonce_is_stale() -> None:
    made = server()
    nonce = choose_challenge(made.challenge(0.0)).nonce
    for forged in ("f" + nonce[1:], nonce[:-1] + ("0" if nonce[-1] != "0" else "1"), "", "x", nonce.upper() + "F"):
        challenge = f'Digest realm="{REALM}", qop="auth", nonce="{forged}"'
        value = answer_challenge([challenge], "INVITE", URI, "bob", "Passw0rd12345", cnonce="a")
        assert outcome(made, value, 0.0) is Outcome.STALE


def test_an_nc_counts_once_and_must_rise() -> None:
    made = server()
    challenge = choose_challenge(made.challenge(0.0))

    def use(nc: int) -> Outcome:
        return outcome(made, challenge.answer("INVITE", URI, "bob", "Passw0rd12345", nc=nc, cnonce="a"), 1.0)

    accepted, replayed = Outcome.ACCEPTED, Outcome.REPLAYED
    assert [use(nc) for nc in (1, 1, 2, 5, 4, 5, 6)] == [
        accepted,
        replayed,
        accepted,
        accepted,
        replayed,
        replayed,
        accepted,
    ]
    assert use(0) is replayed


def test_a_wrong_password_uses_no_nc_up() -> None:
    made = server()
    challenge = choose_challenge(made.challenge(0.0))
    assert outcome(made, challenge.answer("INVITE", URI, "bob", "wrong", nc=9, cnonce="a"), 0.0) is Outcome.WRONG
    assert outcome(made, challenge.answer("INVITE", URI, "bob", "Passw0rd12345", cnonce="a"), 0.0) is Outcome.ACCEPTED


def test_challenges_and_failures_cost_no_memory() -> None:
    made = server()
    for number in range(1000):
        outcome(made, credentials(made, number / 1000, password="wrong"), 1.0)
    assert len(made._highest) == 0


def test_a_nonce_that_had_to_be_forgotten_cannot_be_replayed() -> None:
    made = server(max_nonces=2)
    values = [credentials(made, float(second)) for second in range(4)]
    assert [outcome(made, value, 4.0) for value in values] == [Outcome.ACCEPTED] * 4
    assert len(made._highest) == 2
    assert [outcome(made, value, 4.0) for value in values] == [Outcome.STALE] * 2 + [Outcome.REPLAYED] * 2
    assert outcome(made, credentials(made, 4.0), 4.0) is Outcome.ACCEPTED


def test_no_two_challenges_share_a_nonce() -> None:
    made = server()
    assert len({choose_challenge(made.challenge(1.0)).nonce for _ in range(1000)}) == 1000


def test_a_client_without_qop_gets_one_use_of_a_nonce() -> None:
    made = server()
    nonce = choose_challenge(made.challenge(0.0)).nonce
    legacy = answer_challenge(
        [f'Digest realm="{REALM}", nonce="{nonce}"'], "INVITE", URI, "bob", "Passw0rd12345", cnonce="a"
    )
    assert "qop" not in legacy
    assert [outcome(made, legacy, 0.0) for _ in range(2)] == [Outcome.ACCEPTED, Outcome.REPLAYED]


def test_the_client_takes_the_first_challenge_it_can_do() -> None:
    values = [
        'Basic realm="x"',
        'Digest realm="x", nonce="1", algorithm=SHA-512-256',
        'Digest realm="x", nonce="2", qop="auth-conf"',
        'Digest realm="x"',
        'Digest nonce="open',
        'Digest realm="x", nonce="3", algorithm=sha-256, qop="auth-int, auth", opaque="o\\"", stale=TRUE',
        'Digest realm="x", nonce="4"',
    ]
    challenge = choose_challenge(values)
    assert challenge == Challenge("x", "3", "SHA-256", True, "auth", 'o"', True)
    answer = challenge.answer("INVITE", URI, 'a"b', "pw", nc=255, cnonce="c")
    for part in ('username="a\\"b"', "algorithm=SHA-256", "qop=auth", "nc=000000ff", 'opaque="o\\""', f'uri="{URI}"'):
        assert part in answer


def test_the_client_says_when_it_can_do_none() -> None:
    with pytest.raises(NoUsableChallenge):
        choose_challenge(['Digest realm="x", nonce="1", algorithm=MD4', "Negotiate"])


def test_the_client_signs_the_body_when_only_that_is_offered() -> None:
    challenge = choose_challenge(['Digest realm="x", nonce="1", qop="auth-int"'])
    assert "qop=auth-int" in challenge.answer("INVITE", URI, "bob", "pw", body=b"abc", cnonce="c")
    one, other = (challenge.answer("INVITE", URI, "bob", "pw", body=body, cnonce="c") for body in (b"abc", b"abd"))
    assert one != other


def test_parameters_are_read_quoted_or_not() -> None:
    assert parse_auth_params('DIGEST  a=b , C = "d, \\"e\\"",f=sip:x@y;z=1') == {
        "a": "b",
        "c": 'd, "e"',
        "f": "sip:x@y;z=1",
    }
    assert parse_auth_params("Digest") == {}
    assert parse_auth_params("Basic abc==") is None


@pytest.mark.parametrize(
    "value", ["", "Digest a", "Digest a=", 'Digest a="b', "Digest a=b c=d", "Digest a=1,A=2", "Digest ,"]
)
def test_broken_parameters_are_refused(value: str) -> None:
    with pytest.raises(BadHeader):
        parse_auth_params(value)


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_credentials_have_an_outcome(text: str, method: str) -> None:
    made = server("SHA-256", "MD5")
    value = credentials(made, 0.0)
    for hostile in (
        text,
        f"Digest {text}",
        value.replace("bob", text),
        value.replace("f2e1d0c9", text),
        value[: len(text)],
    ):
        assert made.check(hostile, method, text, USERS, 0.0).outcome in Outcome
