"""Calls that trunks bring: which number they are for, who calls, and what makes them a trunk's."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from offhook.actors.admission import Admitted, Refused
from offhook.actors.emergency import EmergencyDocument, emergency_number
from offhook.actors.trunk_admission import admit_carried, bringing, called_number
from offhook.sip.message import Request
from offhook.sip.parse import parse_datagram
from offhook.sip.trunks import Trunk, Trunks
from offhook.sip.uri import Uri
from offhook.store.domains import DomainDirectory, DomainNames
from offhook.store.numbers import NumberDirectory
from offhook.store.records import Application, DomainRecord
from offhook.twiml.numbers import spellings
from offhook.twiml.parse import parse

OURS = "+4930123456"
APP, TRUNK_APP = Application(voice_url="http://a/number"), Application(voice_url="http://a/trunk")
NUMBERS = NumberDirectory.of({OURS: APP, "+15550100": None}, {"main": TRUNK_APP})
MAIN = Trunk(name="main", uris=(Uri.parse("sip:gw"),), networks=(ip_network("10.1.0.0/24"),))


def invite(uri: str, to: str | None = None, from_: str = "sip:+15551234@gw") -> Request:
    text = "\r\n".join(
        (
            f"INVITE {uri} SIP/2.0",
            "Via: SIP/2.0/UDP 10.1.0.1;branch=z9hG4bK-1",
            "Max-Forwards: 70",
            f"From: <{from_}>;tag=1",
            f"To: <{to or uri}>",
            "Call-ID: c",
            "CSeq: 1 INVITE",
            "Contact: <sip:10.1.0.1>",
            "Content-Length: 0",
            "",
            "",
        )
    )
    read = parse_datagram(text.encode())
    assert isinstance(read, Request)
    return read


@pytest.mark.parametrize(
    ("uri", "to", "number"),
    [
        (f"sip:{OURS}@10.0.0.1", None, OURS),
        # Ten digits could be a number of North America; one of ours is meant rather than a stranger's.
        ("sip:4930123456@10.0.0.1", None, OURS),
        ("sip:4155550100@10.0.0.1", None, "+14155550100"),
        # Registered: the Request-URI is our Contact, and the number stands in the To.
        ("sip:line1@10.0.0.1:5060", f"sip:{OURS}@carrier.example", OURS),
        ("sip:line1@10.0.0.1:5060", "tel:+15550123", "+15550123"),
        ("sip:12345678@10.0.0.1:5060", f"sip:{OURS}@carrier.example", OURS),
        ("sip:+15550199@10.0.0.1", "sip:+15550123@carrier.example", "+15550199"),
        ("sip:line1@10.0.0.1", "sip:line1@carrier.example", None),
        ("sip:10.0.0.1", None, None),
        ("sip:100@10.0.0.1", None, None),
    ],
)
def test_the_called_number_is_found(uri: str, to: str | None, number: str | None) -> None:
    assert called_number(invite(uri, to), NUMBERS) == number


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("tel:+1-415-555-0100", ("+14155550100",)),
        ("tel:5550100;phone-context=+1415", ("+14155550100",)),
        ("tel:5550100;phone-context=example.com", ()),
        ("sip:%2B15550100@a", ("+15550100",)),
        ("sip:0044207946000@a", ("+44207946000",)),
        ("sip:911@a", ()),
        ("sip:0123456789@a", ()),
        ("sip:%D9%A1%D9%A2%D9%A3%D9%A4%D9%A5%D9%A6%D9%A7%D9%A8@a", ()),
        ("sip:;phone-context=+1415555@a", ()),
    ],
)
def test_a_user_part_stands_for_numbers(uri: str, found: tuple[str, ...]) -> None:
    assert spellings(Uri.parse(uri)) == found


def test_the_application_is_the_numbers_own_else_the_trunks() -> None:
    for uri, application in (
        (f"sip:{OURS}@10.0.0.1", APP),
        ("sip:+15550100@10.0.0.1", TRUNK_APP),
        ("sip:line1@10.0.0.1", TRUNK_APP),
    ):
        admitted = admit_carried(invite(uri), MAIN, source="10.1.0.1", transport="UDP", numbers=NUMBERS)
        assert isinstance(admitted, Admitted)
        assert admitted.application is application
        assert admitted.domain is None
    nobody = NumberDirectory.of({}, {})
    assert admit_carried(
        invite("sip:+1@10.0.0.1"), MAIN, source="10.1.0.1", transport="UDP", numbers=nobody
    ) == Refused(404)


def test_only_a_source_of_the_trunk_brings_calls_and_none_for_a_domain_by_its_name() -> None:
    trunks = Trunks.of((MAIN,))
    record = DomainRecord(sid="SD1", account_sid="AC1", name="acme", full_name="acme.sip.test")
    domains = DomainDirectory.of(DomainNames("sip.test"), (record,), "acme")
    assert bringing(invite("sip:1@10.0.0.1"), "10.1.0.1", trunks, domains) is MAIN
    assert bringing(invite("sip:1@other.example"), "::ffff:10.1.0.1", trunks, domains) is MAIN
    assert bringing(invite("sip:1@10.0.0.1"), "10.2.0.1", trunks, domains) is None
    assert bringing(invite("sip:1@ACME.sip.test"), "10.1.0.1", trunks, domains) is None
    assert bringing(invite("sip:1@acme.sip.ie1.test"), "10.1.0.1", trunks, domains) is None


def test_numbers_come_and_go() -> None:
    numbers = NumberDirectory.of({}, {})
    owned = numbers.owned
    numbers.put(OURS, APP)
    assert (OURS in owned, len(numbers), numbers.ours(["+1", OURS])) == (True, 1, OURS)
    numbers.remove(OURS)
    numbers.remove(OURS)
    assert (OURS in owned, len(numbers), numbers.ours([OURS])) == (False, 0, None)


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("sip:911@a", "911"),
        ("sip:112;phone-context=+44@a", "112"),
        ("sip:%39%39%39@a", "999"),
        ("sip:9110@a", None),
        ("sip:+911@a", None),
        ("sip:a", None),
    ],
)
def test_emergency_numbers_are_known(uri: str, number: str | None) -> None:
    assert emergency_number(Uri.parse(uri)) == number


async def test_the_document_of_an_emergency_call_has_no_fault() -> None:
    document = parse((await EmergencyDocument("911", "+15550100")({})).encode())
    assert document.problems == ()
    assert [type(verb).__name__ for verb in document.verbs] == ["Dial", "Reject"]
