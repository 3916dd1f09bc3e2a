"""Rules about who is dialled or referred to: numbers, SIP addresses, clients, rooms and queues, and their company."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from . import nouns, verbs
from .attributes import SCHEMA
from .errors import BadNumber
from .nodes import Node
from .numbers import is_client_name, is_short, normalise
from .outgoing_headers import PASSED_HEADERS
from .problems import Context
from .sip_address import MAX_HEADER_PART, BadSipAddress, parse_address

MAX_TARGETS = 10
MAX_QUEUE_NAME = 64


def _dial(dial: verbs.Dial, context: Context) -> verbs.Dial:
    nouns_ = dial.nouns
    if dial.number:
        if nouns_:
            context.report(SCHEMA, f"Dial has a number beside its nouns; {dial.number!r} is ignored")
        else:
            alone = nouns.Number(number=dial.number, at=dial.at)
            nouns_ = (_number(alone, context),)
    dial = attrs.evolve(dial, number="", nouns=nouns_)
    code, message = dial_fault(dial)
    if code is not None:
        context.report(code, message)
        return attrs.evolve(dial, fault=code)
    if (
        dial.recording_track != "both"
        and dial.record.endswith("-dual")
        and "recordingTrack" in context.element.attributes
    ):
        context.report(SCHEMA, "one track alone is recorded in mono", "recordingTrack")
    return dial


def dial_fault(dial: verbs.Dial) -> tuple[int | None, str]:
    """What is wrong with the nouns of a Dial taken together, which nobody of them can then be called for."""
    kinds = {type(noun) for noun in dial.nouns}
    if not dial.nouns:
        return 13223, "Dial needs somebody to call: a number, or a noun such as Number or Sip"
    if nouns.Conference in kinds and len(dial.nouns) > 1:
        return 13000, "Conference stands alone in a Dial"
    if kinds & {verbs.Queue, nouns.Application, nouns.Sim} and len(dial.nouns) > 1:
        return 13215, "Queue, Application and Sim stand alone in a Dial"
    if len(dial.nouns) > MAX_TARGETS:
        return 13250, f"Dial calls at most {MAX_TARGETS} parties; there are {len(dial.nouns)}"
    return None, ""


def _number(number: nouns.Number | nouns.WhatsApp, context: Context) -> Any:
    if number.fault is not None:
        return number
    text = number.number
    try:
        return attrs.evolve(number, number=normalise(text))
    except BadNumber as error:
        if is_short(text):
            return number
        context.report(13223, error.message)
        return attrs.evolve(number, fault=13223)


def _sip(sip: nouns.Sip, context: Context) -> nouns.Sip:
    addresses = [child.uri for child in sip.children if isinstance(child, nouns.SipUri)]
    if sip.uri:
        addresses.append(sip.uri)
    if not addresses:
        context.report(13243, "Sip needs a SIP URI, such as sip:ann@example.com")
        return attrs.evolve(sip, fault=13243)
    if sip.password is not None and sip.username is None:
        context.report(13249, "password needs a username beside it", "password")
    for address in addresses:
        fault = _sip_fault(address)
        if fault is not None:
            context.report(*fault)
            return attrs.evolve(sip, fault=fault[0])
    return sip


def _sip_fault(address: str) -> tuple[int, str] | None:
    """What makes an address unusable; what is only left out of it is said when it is called."""
    try:
        parse_address(address)
    except BadSipAddress as error:
        return error.code, error.message
    return None


def _headers(headers: nouns.Headers, context: Context) -> nouns.Headers:
    total = sum(len(header.name) + len(header.value) + 2 for header in headers.headers)
    if total >= MAX_HEADER_PART:
        context.report(13253, f"the headers have {total} characters; they must have fewer than {MAX_HEADER_PART}")
        return attrs.evolve(headers, fault=13253)
    return headers


def _header(header: nouns.Header, context: Context) -> nouns.Header | None:
    name = header.name.lower()
    if header.fault is not None:
        return None
    if name.startswith("x-twilio") or not (name.startswith("x-") or name in PASSED_HEADERS):
        context.report(32113, f"the header {header.name!r} is not passed on; its name should begin with X-", "name")
        return None
    return header


def _client(client: nouns.Client, context: Context) -> nouns.Client:
    name = client.identity or next(
        (child.identity for child in client.children if isinstance(child, nouns.Identity)), ""
    )
    if not is_client_name(name):
        context.report(
            31105, "Client needs an identity of 1 to 256 characters without spaces, delimiters and control characters"
        )
        return attrs.evolve(client, fault=31105)
    return client


def _application(application: nouns.Application, context: Context) -> nouns.Application:
    if not application.sid and not any(isinstance(child, nouns.ApplicationSid) for child in application.children):
        context.report(SCHEMA, "Application needs an ApplicationSid")
        return attrs.evolve(application, fault=SCHEMA)
    return application


def _conference(conference: nouns.Conference, context: Context) -> nouns.Conference:
    if "coach" in context.element.attributes and conference.coach is None:
        return attrs.evolve(conference, fault=13240)
    return conference


def _queue(queue: verbs.Queue, context: Context) -> verbs.Queue:
    if len(queue.name) > MAX_QUEUE_NAME:
        context.report(14213, f"the queue name has {len(queue.name)} characters; it must have at most {MAX_QUEUE_NAME}")
        return attrs.evolve(queue, fault=14213)
    return queue


def _refer(refer: verbs.Refer, context: Context) -> verbs.Refer:
    if len(refer.sips) > 1:
        context.report(SCHEMA, "Refer takes one Sip; the others are ignored")
    if not refer.sips:
        context.report(13243, "Refer needs a Sip with the address to refer to")
        return attrs.evolve(refer, fault=13243)
    return attrs.evolve(refer, sips=refer.sips[:1], fault=refer.sips[0].fault)


def _refer_sip(sip: nouns.ReferSip, context: Context) -> nouns.ReferSip:
    fault = None if sip.fault is not None else _sip_fault(sip.uri)
    if fault is None:
        return sip
    context.report(*fault)
    return attrs.evolve(sip, fault=fault[0])


DIAL_CHECKS: Mapping[type[Node], Callable[[Any, Context], Node | None]] = {
    verbs.Dial: _dial,
    verbs.Refer: _refer,
    verbs.Queue: _queue,
    nouns.Number: _number,
    nouns.WhatsApp: _number,
    nouns.Sip: _sip,
    nouns.Headers: _headers,
    nouns.Header: _header,
    nouns.Client: _client,
    nouns.Application: _application,
    nouns.Conference: _conference,
    nouns.ReferSip: _refer_sip,
}
