"""The checks before a call exists, and the admission table row by row."""

from __future__ import annotations

import ipaddress

import attrs
import pytest

from offhook.actors.admission import ALLOW_OUTSIDE, Admitted, Decision, Refused, admit, screen
from offhook.sip.build import request as build_request
from offhook.sip.digest import DigestServer, answer_challenge
from offhook.sip.message import Request
from offhook.sip.via import Via
from offhook.store.domains import DomainDirectory, DomainNames
from offhook.store.records import CredentialRecord, DomainRecord

HOST = "acme.sip.example.test"
LOOPBACK = (ipaddress.ip_network("192.0.2.0/24"),)
ALICE = CredentialRecord("CR1", "alice", "Secret-Passw0rd")
PLAIN = DomainRecord(
    sid="SD1",
    account_sid="AC1",
    name="acme",
    full_name=HOST,
    voice_url="http://app.test/voice",
    ip_access_control=LOOPBACK,
)
SDP = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


def invite(
    uri: str = f"sip:100@{HOST}",
    *,
    method: str = "INVITE",
    headers: tuple[tuple[str, str], ...] = (),
    body: str = SDP,
    content_type: str | None = "application/sdp",
    contact: str = "<sip:alice@192.0.2.10>",
    max_forwards: int = 70,
    user: str = "alice",
) -> Request:
    return build_request(
        method,
        uri,
        via=Via.parse("SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1"),
        from_=f"<sip:{user}@{HOST}>;tag=1",
        to=f"<sip:100@{HOST}>",
        call_id="c1",
        cseq=1,
        contact=contact,
        max_forwards=max_forwards,
        headers=headers,
        body=body.encode(),
        content_type=content_type,
    )


def decide(
    request: Request,
    *domains: DomainRecord,
    source: str = "192.0.2.10",
    transport: str = "UDP",
    digest: DigestServer | None = None,
    default: str = "",
    now: float = 1000.0,
) -> Decision:
    directory = DomainDirectory.of(DomainNames("sip.example.test"), domains or (PLAIN,), default)
    digest = digest or DigestServer(b"k" * 32, "sip.example.test")
    return admit(request, source=source, transport=transport, domains=directory, digest=digest, now=now)


def refused(decision: Decision) -> tuple[int, int | None]:
    """Status and alert code of a refusal."""
    assert isinstance(decision, Refused)
    return decision.status, decision.alert.code if decision.alert is not None else None


# --- before anybody's domain is asked about ------------------------------------------------------------------------


def test_an_ordinary_invite_passes_the_screen() -> None:
    assert screen(invite()) is None


def test_used_up_hops_come_first_with_their_alert() -> None:
    found = screen(invite("isbn:1", max_forwards=0))
    assert found is not None
    assert refused(found) == (483, 32006)


def test_a_foreign_scheme_is_416() -> None:
    found = screen(invite("tel:+15550100", method="PUBLISH"))
    assert found is not None
    assert found.status == 416


@pytest.mark.parametrize("method", ["PUBLISH", "MESSAGE", "SUBSCRIBE", "INFO", "NEWMETHOD"])
def test_a_method_we_do_not_carry_out_is_405_with_allow(method: str) -> None:
    found = screen(invite(method=method, headers=(("Require", "gruu"),)))
    assert found is not None
    assert found.status == 405
    assert found.headers == (("Allow", ", ".join(ALLOW_OUTSIDE)),)


@pytest.mark.parametrize("method", ["UPDATE", "PRACK"])
def test_what_makes_sense_in_a_dialog_only_is_481_outside_of_one(method: str) -> None:
    found = screen(invite(method=method))
    assert found == Refused(481)


def test_unknown_extensions_are_420_and_named() -> None:
    required = (("Require", "100rel, gruu"), ("Require", "timer"), ("Proxy-Require", "privacy"))
    found = screen(invite(headers=required, content_type="a/b"))
    assert found is not None
    assert found.status == 420
    assert found.headers == (("Unsupported", "gruu, privacy"),)


def test_extensions_we_have_may_be_required() -> None:
    assert screen(invite(headers=(("Require", "100rel, Timer"),))) is None


def test_too_short_a_session_is_422_and_told_how_long_it_has_to_be() -> None:
    asked = (("Supported", "timer"), ("Session-Expires", "60"))
    assert screen(invite(headers=asked)) == Refused(422, headers=(("Min-SE", "90"),))
    assert screen(invite(headers=asked), min_session_s=60) is None
    # Put in by a proxy: who called could make nothing of a 422.
    assert screen(invite(headers=asked[1:])) is None


def test_a_body_we_cannot_read_is_415_and_says_what_we_can() -> None:
    found = screen(invite(content_type="application/unknown", headers=(("Accept", "text/plain"),)))
    assert found is not None
    assert found.status == 415
    assert ("Accept", "application/sdp") in found.headers


def test_a_packed_body_is_415() -> None:
    found = screen(invite(headers=(("Content-Encoding", "gzip"),)))
    assert found is not None
    assert found.status == 415


def test_an_optional_body_may_be_of_any_type() -> None:
    found = screen(invite(content_type="image/png", headers=(("Content-Disposition", "icon; handling=optional"),)))
    assert found is None


def test_who_takes_no_session_description_gets_406() -> None:
    found = screen(invite(headers=(("Accept", "text/nobodyKnowsThis"),)))
    assert found is not None
    assert found.status == 406


# --- the admission table -------------------------------------------------------------------------------------------


def test_an_unknown_host_is_403_and_nobody_is_told() -> None:
    decision = decide(invite("sip:100@other.example.test"))
    assert refused(decision) == (403, None)
    assert isinstance(decision, Refused)
    assert decision.domain is None


def test_a_bare_address_is_403_without_a_default_domain() -> None:
    assert refused(decide(invite("sip:100@192.0.2.1"))) == (403, None)


def test_a_bare_address_goes_to_the_default_domain() -> None:
    decision = decide(invite("sip:100@192.0.2.1"), default="acme")
    assert isinstance(decision, Admitted)
    assert decision.domain is PLAIN


def test_a_region_in_the_host_names_the_same_domain() -> None:
    assert isinstance(decide(invite("sip:100@acme.sip.dublin.example.test")), Admitted)


def test_a_domain_without_any_authentication_takes_no_calls() -> None:
    assert refused(decide(invite(), attrs.evolve(PLAIN, ip_access_control=()))) == (403, 32200)


def test_a_source_that_is_not_listed_gets_403_and_no_challenge() -> None:
    both = attrs.evolve(PLAIN, credentials=(ALICE,))
    assert refused(decide(invite(), both, source="198.51.100.1")) == (403, 32201)


def test_an_ipv4_source_on_an_ipv6_socket_is_the_same_source() -> None:
    assert isinstance(decide(invite(), source="::ffff:192.0.2.10"), Admitted)


def test_a_listed_source_needs_no_credentials_where_none_are_mapped() -> None:
    decision = decide(invite())
    assert isinstance(decision, Admitted)
    assert decision.username is None


DIGEST_ONLY = attrs.evolve(PLAIN, ip_access_control=(), credentials=(ALICE,))


def test_without_credentials_comes_407_and_no_alert() -> None:
    decision = decide(invite(), DIGEST_ONLY)
    assert refused(decision) == (407, None)
    assert isinstance(decision, Refused)
    [(name, value)] = decision.headers
    assert name == "Proxy-Authenticate"
    assert 'realm="sip.example.test"' in value
    assert "algorithm" not in value
    assert "stale" not in value


def authorized(challenge: Refused, *, username: str = "alice", password: str = ALICE.password, nc: int = 1) -> Request:
    values = [value for _, value in challenge.headers]
    given = answer_challenge(values, "INVITE", f"sip:100@{HOST}", username, password, nc=nc, cnonce="c0ffee")
    return invite(headers=(("Proxy-Authorization", given),))


def challenged(digest: DigestServer, domain: DomainRecord = DIGEST_ONLY) -> Refused:
    decision = decide(invite(), domain, digest=digest)
    assert isinstance(decision, Refused)
    assert decision.status == 407
    return decision


def test_the_right_password_admits_and_names_the_user() -> None:
    digest = DigestServer(b"k" * 32, "sip.example.test")
    decision = decide(authorized(challenged(digest)), DIGEST_ONLY, digest=digest)
    assert isinstance(decision, Admitted)
    assert decision.username == "alice"


def test_both_lists_mapped_mean_that_both_count() -> None:
    both = attrs.evolve(PLAIN, credentials=(ALICE,))
    digest = DigestServer(b"k" * 32, "sip.example.test")
    good = authorized(challenged(digest, both))
    assert isinstance(decide(good, both, digest=digest), Admitted)
    assert refused(decide(good, both, digest=digest, source="198.51.100.1")) == (403, 32201)


@pytest.mark.parametrize(("username", "password"), [("alice", "wrong"), ("mallory", ALICE.password)])
def test_a_wrong_user_and_a_wrong_password_look_the_same(username: str, password: str) -> None:
    digest = DigestServer(b"k" * 32, "sip.example.test")
    decision = decide(authorized(challenged(digest), username=username, password=password), DIGEST_ONLY, digest=digest)
    assert refused(decision) == (403, 32202)
    assert isinstance(decision, Refused)
    assert decision.reason == "Invalid credentials"
    assert decision.headers == ()


def test_an_old_nonce_is_challenged_again_as_stale() -> None:
    digest = DigestServer(b"k" * 32, "sip.example.test")
    decision = decide(authorized(challenged(digest)), DIGEST_ONLY, digest=digest, now=1000.0 + 86_400)
    assert isinstance(decision, Refused)
    assert decision.status == 407
    assert "stale=true" in decision.headers[0][1]


def test_a_nonce_count_may_not_be_used_twice() -> None:
    digest = DigestServer(b"k" * 32, "sip.example.test")
    good = authorized(challenged(digest))
    assert isinstance(decide(good, DIGEST_ONLY, digest=digest), Admitted)
    again = decide(good, DIGEST_ONLY, digest=digest)
    assert isinstance(again, Refused)
    assert again.status == 407


def test_a_credential_for_registrations_alone_does_not_place_calls() -> None:
    only_registers = attrs.evolve(DIGEST_ONLY, credentials=(ALICE, CredentialRecord("CR2", "bob", "x", calls=False)))
    digest = DigestServer(b"k" * 32, "sip.example.test")
    decision = decide(
        authorized(challenged(digest, only_registers), username="bob", password="x"), only_registers, digest=digest
    )
    assert refused(decision) == (403, 32202)


def test_each_algorithm_has_a_challenge_of_its_own_in_the_order_given() -> None:
    digest = DigestServer(b"k" * 32, "sip.example.test", ("SHA-256", "MD5"))
    decision = challenged(digest)
    assert ["SHA-256" in value for _, value in decision.headers] == [True, False]
    assert all("algorithm=" in value for _, value in decision.headers)
    assert isinstance(decide(authorized(decision), DIGEST_ONLY, digest=digest), Admitted)


SECURE = attrs.evolve(PLAIN, secure=True)
SAVP = SDP.replace("RTP/AVP", "RTP/SAVP")


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_secure_domain_takes_no_clear_signalling(transport: str) -> None:
    decision = decide(invite(body=SAVP), SECURE, transport=transport)
    assert refused(decision) == (488, 32209)
    assert isinstance(decision, Refused)
    assert decision.reason == "Secure SIP transport required"


def test_a_secure_domain_takes_no_clear_media() -> None:
    decision = decide(invite(), SECURE, transport="TLS")
    assert refused(decision) == (488, 32208)
    assert isinstance(decision, Refused)
    assert decision.reason == "Secure media required"


def test_a_plain_domain_takes_no_secure_media() -> None:
    decision = decide(invite(body=SAVP))
    assert refused(decision) == (488, 32207)
    assert isinstance(decision, Refused)
    assert decision.reason == "Secure media not accepted"


def test_a_session_description_that_cannot_be_read_is_488() -> None:
    assert refused(decide(invite(body="v=0\r\nrubbish\r\n"))) == (488, 32102)


def test_an_empty_session_description_is_400() -> None:
    assert refused(decide(invite(body=""))) == (400, 32103)


def test_no_body_at_all_asks_for_our_offer() -> None:
    assert isinstance(decide(invite(body="", content_type=None)), Admitted)


def test_no_common_codec_is_488_with_a_warning() -> None:
    decision = decide(invite(body=SDP.replace("0 8 101", "18").replace("a=rtpmap:101 telephone-event/8000\r\n", "")))
    assert refused(decision) == (488, None)
    assert isinstance(decision, Refused)
    assert decision.headers[0][0] == "Warning"
    assert decision.headers[0][1].startswith("305 offhook ")


def test_a_domain_without_a_voice_url_is_404_after_good_credentials() -> None:
    silent = attrs.evolve(DIGEST_ONLY, voice_url=None)
    digest = DigestServer(b"k" * 32, "sip.example.test")
    assert refused(decide(authorized(challenged(digest, silent)), silent, digest=digest)) == (404, None)


@pytest.mark.parametrize("contact", ["<sip:alice@127.0.0.1>", "<sip:alice@localhost:5062>", "<sip:alice@[::1]>"])
def test_a_loopback_contact_is_worth_a_warning(contact: str) -> None:
    decision = decide(invite(contact=contact))
    assert isinstance(decision, Admitted)
    assert [alert.code for alert in decision.warnings] == [32105]


def test_a_loopback_contact_from_loopback_is_in_order() -> None:
    local = attrs.evolve(PLAIN, ip_access_control=(ipaddress.ip_network("127.0.0.0/8"),))
    decision = decide(invite(contact="<sip:alice@127.0.0.1>"), local, source="127.0.0.1")
    assert isinstance(decision, Admitted)
    assert decision.warnings == ()


def test_an_authorization_name_that_is_not_the_user_is_worth_a_warning() -> None:
    digest = DigestServer(b"k" * 32, "sip.example.test")
    values = [value for _, value in challenged(digest).headers]
    given = answer_challenge(values, "INVITE", f"sip:100@{HOST}", "alice", ALICE.password, nc=1, cnonce="c0ffee")
    decision = decide(invite(headers=(("Proxy-Authorization", given),), user="bob"), DIGEST_ONLY, digest=digest)
    assert isinstance(decision, Admitted)
    assert [alert.code for alert in decision.warnings] == [32106]
