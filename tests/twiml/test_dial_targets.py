"""From nouns to targets: every kind of noun, every reason why one cannot be called."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

import attrs
import pytest

from offhook.sip.uri import Uri
from offhook.twiml import nouns
from offhook.twiml.caller_id import Caller, CallerId
from offhook.twiml.dial_house import House, TrunkFacts, in_order
from offhook.twiml.dial_targets import Plan, plan
from offhook.twiml.errors import CannotExecute
from offhook.twiml.nouns import Client, Header, Headers, Identity, Number, Parameter, Sip, SipUri
from offhook.twiml.numbers import Kind
from offhook.twiml.parse import parse
from offhook.twiml.platform_names import OwnDomain, PlatformNames
from offhook.twiml.support import CARRIED_OUT, shortfall
from offhook.twiml.targets import PhoneNumber, RegisteredUser, SipAddress, Target, Unreachable
from offhook.twiml.verbs import Dial, Queue

ANN = Caller(from_="sip:ann@acme.sip.example.test", to="sip:100@acme.sip.example.test", kind=Kind.SIP)


def trunk(number: str) -> TrunkFacts | None:
    return TrunkFacts(caller_id="+15550100") if number.startswith(("+1", "*")) else None


HOUSE = House(
    names=PlatformNames(
        suffix="sip.example.test",
        domains={"acme": OwnDomain(), "other": OwnDomain()},
        default_domain="other",
    ),
    numbers=frozenset(("+14155550100",)),
    trunk_of=trunk,
    networks=(IPv4Network("192.0.2.0/24"),),
    header_prefix="X-Offhook-",
)


def made(*given: Any, house: House = HOUSE, domain: str | None = "acme", **attributes: Any) -> Plan:
    return plan(Dial(nouns=given, **attributes), ANN, house, domain)


def one(noun: Any, **options: Any) -> Target:
    (target,) = made(noun, **options).targets
    assert isinstance(target, Target), target
    return target


def way(noun: Any, **options: Any) -> Any:
    (found,) = one(noun, **options).ways
    return found


def codes(found: Plan) -> list[int]:
    return [alert.code for alert in found.alerts]


def refusal(*given: Any, **options: Any) -> int:
    """The code of a noun that cannot be called, which is told once."""
    found = made(*given, **options)
    (target,) = found.targets
    assert isinstance(target, Unreachable)
    assert codes(found) == [target.code]
    return target.code


# ---- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+14155550123", "+14155550123"),
        ("415-555-0123", "+14155550123"),
        ("(415) 555 0123", "+14155550123"),
        ("1.415.555.0123", "+14155550123"),
        (" +1 415 555 0123 ", "+14155550123"),
        ("*21#", "*21#"),
    ],
)
def test_a_number_goes_to_its_trunk(text: str, number: str) -> None:
    target = one(Number(number=text))
    assert target.ways == (PhoneNumber(number=number),)
    assert target.to == number
    assert target.is_number
    assert target.caller == CallerId(text="+15550100", user="+15550100")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("abc", 13223),
        ("", 13223),
        ("+", 13223),
        ("+1415\r\n5", 13223),
        ("12", 13223),
        ("+442079460000", 13224),  # no trunk takes it
        ("911", 13224),
        ("+99955512345", 13226),  # no such country
        ("+21055512345", 13226),
    ],
)
def test_numbers_that_cannot_be_called(text: str, code: int) -> None:
    assert refusal(Number(number=text)) == code


def test_without_trunks_nothing_can_be_dialled() -> None:
    assert refusal(Number(number="+14155550123"), house=House(names=HOUSE.names)) == 13224


def test_a_number_that_the_parser_has_refused_is_not_told_again() -> None:
    found = made(Number(number="abc", fault=13223))
    assert [type(target) for target in found.targets] == [Unreachable]
    assert found.alerts == ()


def test_the_digits_and_the_document_of_a_number() -> None:
    target = one(Number(number="+14155550123", send_digits="w1", url="https://app.test/", method="GET"))
    assert (target.digits, target.url, target.method) == ("w1", "https://app.test/", "GET")


def test_the_reason_of_the_call_goes_to_the_trunk() -> None:
    target = one(Number(number="+14155550123"), call_reason="Your order")
    assert target.ways == (PhoneNumber(number="+14155550123", headers=(("X-Branded-CallReason", "Your order"),)),)
    found = made(Number(number="+14155550123"), call_reason="a\r\nVia: x")
    assert codes(found) == [32112]
    assert way(Number(number="+14155550123"), call_reason="a\nb") == PhoneNumber(number="+14155550123")


@pytest.mark.parametrize(("caller_id", "code"), [("+14155559999", 13214), ("ann", 13247)])
def test_a_caller_id_that_a_number_may_not_have(caller_id: str, code: int) -> None:
    assert refusal(Number(number="+14155550123"), caller_id=caller_id) == code


# ---- SIP elsewhere -------------------------------------------------------------------------------------------------


def test_a_sip_address_elsewhere() -> None:
    found = way(Sip(uri="sip:bob@pbx.example.com:5070;transport=tcp?X-A=1", username="u", password="hush"))
    assert found == SipAddress(
        uri=Uri.parse("sip:bob@pbx.example.com:5070"),
        transport="tcp",
        headers=(("X-A", "1"),),
        username="u",
        password="hush",
    )
    assert str(found.hop) == "sip:bob@pbx.example.com:5070;transport=tcp"
    assert "hush" not in repr(found)


def test_what_the_application_reads_of_a_sip_callee() -> None:
    assert one(Sip(uri="bob@192.0.2.7;x=y?X-A=1")).to == "sip:bob@192.0.2.7"


def test_the_caller_of_a_sip_address() -> None:
    assert one(Sip(uri="sip:bob@h.test")).caller == CallerId(text=ANN.from_, user="ann")
    assert one(Sip(uri="sip:bob@h.test"), caller_id="desk-1").caller == CallerId(text="desk-1", user="desk-1")


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("tel:+14155550100", 13243),
        ("sip:", 13243),
        ("", 13243),
        ("sip:" + "u" * 250 + "@h.test", 13243),
        ("sip:bob@h.test?X-A=" + "a" * 1024, 13253),
        ("sip:bob@198.51.100.1", 13254),
        ("sip:bob@127.0.0.1", 13254),
        ("sip:bob@[::1]", 13254),
        ("sip:bob@h.test;tnx=TX1", 32302),
    ],
)
def test_sip_addresses_that_cannot_be_called(uri: str, code: int) -> None:
    assert refusal(Sip(uri=uri)) == code


def test_only_one_noun_may_name_an_interconnect() -> None:
    found = made(Sip(uri="sip:a@h.test;tnx=TX1"), Sip(uri="sip:b@h.test;tnx=TX1"))
    assert codes(found) == [32302, 32303]


@pytest.mark.parametrize(("caller_id", "code"), [("a b", 13247), ("x" * 300, 13248)])
def test_a_caller_id_that_a_sip_address_may_not_have(caller_id: str, code: int) -> None:
    assert refusal(Sip(uri="sip:bob@h.test"), caller_id=caller_id) == code


@pytest.mark.parametrize("uri", ["sip:b@h.test;transport=tls", "sip:b@h.test;secure=true", "sips:b@h.test"])
def test_tls_is_an_error_of_the_document_until_it_is_there(uri: str) -> None:
    with pytest.raises(CannotExecute, match="TLS") as caught:
        made(Sip(uri=uri))
    assert caught.value.code == 13750
    found = way(Sip(uri=uri), house=attrs.evolve(HOUSE, tls=True))
    assert (found.transport, found.secure) == ("tls", "secure" in uri)


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (";a b", 32110),
        ("?X-A", 32110),
        ("?X%20A=1", 32111),
        ("?X-A=%0d%0aVia", 32112),
        ("?X-Twilio-A=1", 32113),
        ("?X-Offhook-A=1", 32113),
        ("?Subject=1", 13252),
        (";transport=sctp", 32114),
        (";secure=1", 32114),
        (";edge=moon", 32114),
        (";region=moon", 32114),
    ],
)
def test_parts_of_an_address_are_left_out_and_the_call_is_made(part: str, code: int) -> None:
    found = made(Sip(uri=f"sip:bob@h.test{part}"))
    assert codes(found) == [code]
    assert isinstance(found.targets[0], Target)


def test_credentials_with_line_ends_are_refused() -> None:
    assert refusal(Sip(uri="sip:bob@h.test", username="a\r\nb", password="p")) == 13249


def test_headers_of_elements_are_sent_by_the_same_rules() -> None:
    children = (
        Headers(
            headers=(
                Header(name="X-A", value=" 1 "),
                Header(name="X-B", value="a\r\nVia: x"),
                Header(name="Subject", value="x"),
                Header(name="X-C", value="x", fault=32112),
            )
        ),
    )
    found = made(Sip(uri="sip:bob@h.test", children=children))
    (target,) = found.targets
    assert isinstance(target, Target)
    assert target.headers == (("X-A", "1"),)
    assert codes(found) == [32112, 13252]


def test_headers_that_are_too_long_fail_the_leg() -> None:
    found = made(Sip(uri="sip:bob@h.test", children=(Headers(fault=13253),)))
    assert found.targets == (Unreachable(code=13253, detail="Headers cannot be called as it is written"),)


# ---- several URIs of one noun --------------------------------------------------------------------------------------


def test_several_uris_are_ways_to_one_callee() -> None:
    target = one(
        Sip(
            username="u",
            children=(
                SipUri(uri="sip:b2@h.test", priority=2),
                SipUri(uri="sip:b1@h.test", priority=1, username="own", password="pw"),
            ),
        )
    )
    assert [str(found.uri) for found in target.ways if isinstance(found, SipAddress)] == [
        "sip:b1@h.test",
        "sip:b2@h.test",
    ]
    assert [found.username for found in target.ways if isinstance(found, SipAddress)] == ["own", "u"]
    assert target.to == "sip:b1@h.test"


def test_one_bad_uri_of_several_is_left_out() -> None:
    found = made(Sip(children=(SipUri(uri="tel:1"), SipUri(uri="sip:b@h.test"))))
    assert codes(found) == [13243]
    (target,) = found.targets
    assert isinstance(target, Target)
    assert len(target.ways) == 1


def test_equal_priorities_share_the_load_by_weight() -> None:
    uris = [SipUri(uri="a", weight=10), SipUri(uri="b", weight=30), SipUri(uri="c", weight=0)]

    def drawing(number: int) -> Callable[[int], int]:
        return lambda total: min(number, total - 1)

    firsts = [in_order(uris, drawing(at))[0].uri for at in range(40)]
    assert (firsts.count("a"), firsts.count("b"), firsts.count("c")) == (10, 30, 0)
    for at in range(40):
        assert sorted(uri.uri for uri in in_order(uris, drawing(at))) == ["a", "b", "c"]


def test_without_weights_the_order_of_the_document_stays() -> None:
    uris = [SipUri(uri="a"), SipUri(uri="b"), SipUri(uri="c", priority=0)]
    assert [uri.uri for uri in in_order([*uris, SipUri(uri="d", weight=1)])] == ["d", "a", "b", "c"]
    assert [uri.uri for uri in in_order(uris)] == ["a", "b", "c"]


# ---- our own users -------------------------------------------------------------------------------------------------


def test_a_user_of_an_own_domain_is_called_where_they_are_registered() -> None:
    assert way(Sip(uri="sip:bob@acme.sip.example.test;edge=ashburn?X-A=1")) == RegisteredUser(
        user="bob",
        domain="acme",
        uri=Uri.parse("sip:bob@acme.sip.example.test"),
        headers=(("X-A", "1"),),
    )


def test_a_user_is_named_without_escapes() -> None:
    found = way(Sip(uri="sip:%62ob@acme.sip.example.test"))
    assert (found.user, str(found.uri)) == ("bob", "sip:bob@acme.sip.example.test")


def test_a_user_at_a_region_has_its_own_code_when_absent() -> None:
    assert way(Sip(uri="sip:bob@acme.sip.us1.example.test")).absent == 32221
    assert way(Sip(uri="sip:bob@acme.sip.example.test")).absent == 32009


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("sip:acme.sip.example.test", 32223),
        ("sip:bob@acme.sip.ashburn.example.test", 32220),
        ("sip:bob@nobody.sip.example.test", 32002),
        ("sip:bob@sip.example.test", 13255),
    ],
)
def test_addresses_of_ours_that_cannot_be_dialled(uri: str, code: int) -> None:
    assert refusal(Sip(uri=uri)) == code


@pytest.mark.parametrize(
    ("domain", "expected"), [("acme", "acme"), ("other", "other"), (None, "other"), ("gone", "other")]
)
def test_a_client_is_a_user_of_the_domain_of_the_call_or_of_the_default(domain: str | None, expected: str) -> None:
    found = way(Client(identity="bob"), domain=domain)
    assert (found.user, found.domain) == ("bob", expected)
    assert str(found.uri) == f"sip:bob@{expected}.sip.example.test"


def test_a_client_reads_as_such() -> None:
    target = one(Client(children=(Identity(identity="bob"),)))
    assert target.to == "client:bob"
    assert target.caller == CallerId(text=ANN.from_, user="ann")


def test_a_client_without_any_domain_is_not_registered() -> None:
    house = attrs.evolve(HOUSE, names=attrs.evolve(HOUSE.names, default_domain=""))
    assert refusal(Client(identity="bob"), house=house, domain=None) == 32009


@pytest.mark.parametrize("identity", ["", "a b", "a;b", "x" * 257, "a\r\nb"])
def test_names_that_no_client_has(identity: str) -> None:
    assert refusal(Client(identity=identity)) == 31105


@pytest.mark.parametrize("caller_id", ["bob", "sip:x@y", "client:a b"])
def test_a_caller_id_that_a_client_may_not_have(caller_id: str) -> None:
    assert refusal(Client(identity="bob"), caller_id=caller_id) == 13214


def test_the_parameters_of_a_client_are_headers_of_its_phone() -> None:
    children = (
        Parameter(name="order", value="7"),
        Parameter(name="X-Case", value="a b"),
        Parameter(name="bad name", value="1"),
        Parameter(name="twilio-sid", value="1"),
        Parameter(name="note", value="a\nb"),
    )
    found = made(Client(identity="bob", children=children))
    (target,) = found.targets
    assert isinstance(target, Target)
    assert target.headers == (("X-order", "7"), ("X-Case", "a b"))
    assert codes(found) == [32111, 32113, 32112]


# ---- the nouns together --------------------------------------------------------------------------------------------


def test_a_plain_number_in_the_document_is_a_target() -> None:
    (verb,) = parse(b"<Response><Dial>415-555-0123</Dial></Response>").verbs
    assert isinstance(verb, Dial)
    (target,) = plan(verb, ANN, HOUSE, "acme").targets
    assert isinstance(target, Target)
    assert target.to == "+14155550123"


def test_there_is_one_entry_for_each_noun_in_order() -> None:
    found = made(Sip(uri="sip:a@h.test"), Number(number="abc"), Client(identity="c"))
    assert [type(target) for target in found.targets] == [Target, Unreachable, Target]


def test_more_than_ten_parties_are_none() -> None:
    many = [Sip(uri=f"sip:u{at}@h.test") for at in range(11)]
    found = made(*many)
    assert {target.code for target in found.targets if isinstance(target, Unreachable)} == {13250}
    assert len(found.targets) == 11
    assert codes(found) == [13250]
    assert all(isinstance(target, Target) for target in made(*many[:10]).targets)


def test_a_dial_to_nobody_has_failed() -> None:
    found = made()
    assert found.targets == ()
    assert codes(found) == [13223]


def test_what_the_parser_has_said_about_a_dial_is_not_said_again() -> None:
    found = plan(Dial(nouns=(Sip(uri="sip:a@h.test"),), fault=13250), ANN, HOUSE)
    assert [type(target) for target in found.targets] == [Unreachable]
    assert found.alerts == ()


@pytest.mark.parametrize(
    "noun",
    [
        nouns.Conference(name="room"),
        Queue(name="support"),
        nouns.Sim(sid="DE" + "0" * 32),
        nouns.Application(sid="AP" + "0" * 32),
        nouns.WhatsApp(number="+14155550100"),
    ],
)
def test_nouns_that_are_not_carried_out_are_errors_of_the_document(noun: Any) -> None:
    with pytest.raises(CannotExecute, match=type(noun).__name__) as caught:
        made(noun)
    assert caught.value.code == 13750
    missing = shortfall(Dial(nouns=(noun,)), CARRIED_OUT | {Dial})
    assert missing is not None
    assert missing.fatal
    assert type(noun).__name__ in missing.detail


def test_a_conference_beside_a_number_is_an_error_of_the_document_too() -> None:
    with pytest.raises(CannotExecute):
        made(nouns.Conference(name="room"), Number(number="+14155550123"))


@pytest.mark.parametrize(
    ("dial", "name"),
    [
        (Dial(nouns=(Number(number="+1", machine_detection="Enable"),)), "machineDetection"),
        (Dial(nouns=(Sip(uri="sip:a@h", machine_detection="DetectMessageEnd"),)), "machineDetection"),
        (Dial(nouns=(Number(number="+1", byoc="BY" + "0" * 32),)), "byoc"),
        (Dial(nouns=(Client(identity="a", client_notification_url="https://a.test/"),)), "clientNotificationUrl"),
        (Dial(nouns=(Client(identity="a"),), refer_url="https://a.test/"), "referUrl"),
        (Dial(nouns=(Client(identity="a"),), recording_configuration_id="x"), "recordingConfigurationId"),
        (Dial(nouns=(Client(identity="a"),), passports="x"), "passports"),
    ],
)
def test_attributes_without_effect_are_warned_of(dial: Dial, name: str) -> None:
    missing = shortfall(dial, CARRIED_OUT | {Dial})
    assert missing is not None
    assert not missing.fatal
    assert name in missing.detail


def test_a_plain_dial_lacks_nothing() -> None:
    assert shortfall(Dial(nouns=(Number(number="+1"),)), CARRIED_OUT | {Dial}) is None


@pytest.mark.parametrize(
    ("noun", "told"),
    [
        (Client(identity="bob"), []),
        (Client(identity="bob", status_callback="https://a.test/"), ["completed"]),
        (
            Number(
                number="+14155550123",
                status_callback="https://a.test/",
                status_callback_event=("answered", "initiated", "ringing"),
            ),
            ["initiated", "ringing", "answered"],
        ),
        (Sip(uri="sip:b@h.test", status_callback_event=("ringing",)), []),
    ],
)
def test_a_noun_is_told_of_the_events_it_asked_for(noun: Any, told: list[str]) -> None:
    target = one(noun)
    events: tuple[nouns.CallEvent, ...] = ("initiated", "ringing", "answered", "completed")
    assert [event for event in events if target.wants(event)] == told
