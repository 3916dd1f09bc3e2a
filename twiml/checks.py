"""Rules that no single attribute can state: what must go together, what excludes what, what is too much.

`check` is told each element once it has been read; it returns it (changed, or with a `fault` that makes carrying it out
fail) or `None` when it is to be skipped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import quote_plus

import attrs

from . import nouns, ssml, urls, verbs
from .attributes import SCHEMA, Link
from .errors import BadNumber
from .nodes import Node, shape
from .numbers import is_client_name, normalise
from .problems import Problems
from .xml import Element

N = TypeVar("N", bound=Node)

MAX_TARGETS = 10
MAX_QUEUE_NAME = 64
MAX_PARAMETER = 500
MAX_SIP_URI = 255
MAX_SIP_HEADERS = 1024

SAY_LIMITS = {"basic": 4096, "polly": 3000, "google": 5000}
"""Characters. Of Google voices tags, spaces and line breaks count; of the others only what is between the tags."""
SAY_ENCODED_LIMIT = 4500
"""For the basic voices, whose text travels inside a URL."""

PASSED_HEADERS = frozenset(("user-to-user", "remote-party-id", "p-preferred-identity", "p-called-party-id"))
"""Headers beside `X-` that a dialled address may carry."""

# What may be sent to the phone network without being a full number: emergency and short codes, star codes.
_SHORT = frozenset("0123456789*#")


@attrs.frozen
class Context:
    """Where the element that is being checked stands."""

    element: Element
    parent: str
    problems: Problems

    def report(self, code: int, message: str, attribute: str | None = None) -> None:
        at = self.element.where(attribute) if attribute else self.element.at
        self.problems.add(code, at, self.element.name, message, attribute)


def check(node: N, element: Element, parent: str, problems: Problems, *, inline: bool) -> N | None:
    """The element as it is to be used, `None` when it is to be left out."""
    context = Context(element, parent, problems)
    if inline:
        _check_inline(node, context)
    rule = _CHECKS.get(type(node))
    return node if rule is None else cast("N | None", rule(node, context))


def _check_inline(node: Node, context: Context) -> None:
    """Relative URLs have no base in a document that was given inline."""
    for attribute in shape(type(node)).attributes.values():
        if isinstance(attribute.rule, Link) and attribute.name in context.element.attributes:
            text = getattr(node, attribute.field)
            if text and urls.Parts.of(text).scheme is None:
                context.report(15004, f"{attribute.name}={text!r} should be an absolute URL", attribute.name)
    match node:
        case verbs.Gather(action=None) | verbs.Record(action=None) | verbs.Pay(action=None):
            context.report(11100, f"{context.element.name} needs an action in a document that has no URL of its own")
        case verbs.Redirect(url=url) | verbs.Play(url=url, digits="") if url and urls.Parts.of(url).scheme is None:
            context.report(15004, f"the URL {url!r} should be absolute")
        case verbs.Redirect(url=""):
            context.report(11100, "Redirect needs a URL in a document that has no URL of its own")
        case _:
            pass


def _say(say: verbs.Say, context: Context) -> verbs.Say | None:
    if not say.text:
        context.report(13520, "Say needs some text to speak")
        return None
    voice = (say.voice or "").lower()
    plain = ssml.without_tags(say.content)
    kind = "polly" if voice.startswith("polly.") else "google" if voice.startswith("google.") else "basic"
    length = len(ssml.written(say.content)) if kind == "google" and say.ssml else len(plain)
    limit = SAY_LIMITS[kind]
    if length > limit:
        context.report(13521, f"the text has {length} characters; this kind of voice speaks at most {limit}")
        return None
    if kind == "basic" and len(quote_plus(plain)) > SAY_ENCODED_LIMIT:
        context.report(13521, f"the text is longer than {SAY_ENCODED_LIMIT} characters when it is URL-encoded")
        return None
    return say


def _play(play: verbs.Play, context: Context) -> verbs.Play | None:
    if "digits" in context.element.attributes:
        if context.parent == "Gather":
            context.report(13320, "inside Gather, Play takes a URL and no digits", "digits")
            return None
        if not play.digits:
            if play.url:
                return play
            context.report(13430, "Play needs a URL, or digits to send", "digits")
            return None
        return play
    if not play.url:
        context.report(11100, "Play needs a URL, or digits to send")
        return attrs.evolve(play, fault=11100)
    return play


def _gather(gather: verbs.Gather, context: Context) -> verbs.Gather:
    if "speech" not in gather.input:
        return gather
    timeout = gather.speech_timeout
    if timeout is None and gather.speech_model is not None:
        context.report(
            13335, "speechTimeout auto does not go with a speechModel; write a whole number of seconds", "speechTimeout"
        )
        return attrs.evolve(gather, fault=13335)
    if gather.enhanced and gather.speech_model != "phone_call":
        context.report(SCHEMA, "enhanced has a meaning only with speechModel phone_call", "enhanced")
    return gather


def _record(record: verbs.Record, context: Context) -> verbs.Record:
    if record.transcribe_callback is not None and not record.transcribe:
        context.report(SCHEMA, "transcribeCallback has a meaning only with transcribe true", "transcribeCallback")
    if record.transcribe and not 2 < record.limit_s <= 120:
        context.report(13615, "only recordings of more than 2 and at most 120 seconds can be transcribed", "maxLength")
        return attrs.evolve(record, max_length=120)
    return record


def _dial(dial: verbs.Dial, context: Context) -> verbs.Dial:
    nouns_ = dial.nouns
    if dial.number:
        if nouns_:
            context.report(SCHEMA, f"Dial has a number beside its nouns; {dial.number!r} is ignored")
        else:
            alone = nouns.Number(number=dial.number, at=dial.at)
            nouns_ = (_number(alone, context),)
    dial = attrs.evolve(dial, number="", nouns=nouns_)
    code, message = _dial_fault(dial)
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


def _dial_fault(dial: verbs.Dial) -> tuple[int | None, str]:
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
        if 2 < len(text) <= 15 and not set(text) - _SHORT:
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
    uri, _, headers = address.partition("?")
    scheme, colon, rest = uri.partition(":")
    if not colon or "@" in scheme or "." in scheme or scheme.lower() not in ("sip", "sips"):
        if colon and "@" not in uri and scheme.lower() in ("tel", "http", "https", "mailto"):
            return 13243, f"{scheme}: is not a SIP URI; write sip:user@host"
        rest = uri  # the scheme may be left out
    if len(uri) >= MAX_SIP_URI:
        return 13243, f"the SIP URI has {len(uri)} characters; it must have fewer than {MAX_SIP_URI}"
    if len(headers) >= MAX_SIP_HEADERS:
        return 13253, f"the headers have {len(headers)} characters; they must have fewer than {MAX_SIP_HEADERS}"
    host = rest.rpartition("@")[2].partition(";")[0]
    if not host or any(character.isspace() or character in '<>"' for character in uri):
        return 13243, f"{uri[:60]!r} is not a SIP URI; write sip:user@host"
    return None


def _headers(headers: nouns.Headers, context: Context) -> nouns.Headers:
    total = sum(len(header.name) + len(header.value) + 2 for header in headers.headers)
    if total >= MAX_SIP_HEADERS:
        context.report(13253, f"the headers have {total} characters; they must have fewer than {MAX_SIP_HEADERS}")
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


def _enqueue(enqueue: verbs.Enqueue, context: Context) -> verbs.Enqueue:
    if len(enqueue.tasks) > 1:
        context.report(SCHEMA, "Enqueue takes one Task; the others are ignored")
    if len(enqueue.name) > MAX_QUEUE_NAME:
        context.report(
            14205, f"the queue name has {len(enqueue.name)} characters; it must have at most {MAX_QUEUE_NAME}"
        )
        return attrs.evolve(enqueue, fault=14205)
    if not enqueue.name and enqueue.workflow_sid is None:
        context.report(14204, "Enqueue needs a queue name, or a workflowSid")
        return attrs.evolve(enqueue, fault=14204)
    return attrs.evolve(enqueue, tasks=enqueue.tasks[:1])


def _task(task: nouns.Task, context: Context) -> nouns.Task:
    try:
        json.loads(task.body or "{}")
    except (ValueError, RecursionError):
        context.report(14221, "the text of Task should be JSON")
        return attrs.evolve(task, fault=14221)
    return task


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


def _connect(connect: verbs.Connect, context: Context) -> verbs.Connect:
    if len(connect.nouns) > 1:
        context.report(SCHEMA, "Connect takes exactly one noun; the others are ignored")
    if not connect.nouns:
        context.report(SCHEMA, "Connect needs a noun, such as Stream")
        return attrs.evolve(connect, fault=SCHEMA)
    return attrs.evolve(connect, nouns=connect.nouns[:1], fault=connect.nouns[0].fault)


def _start(start: verbs.Start, context: Context) -> verbs.Start:
    if not start.nouns and not context.element.elements:
        context.report(14300, "Start needs a noun, such as Stream")
    return start


def _stream(stream: nouns.Stream, context: Context) -> nouns.Stream:
    if context.parent == "Stop":
        if stream.name is None:
            context.report(SCHEMA, "a Stream is stopped by its name", None)
        return stream
    if stream.url is None:
        if "url" not in context.element.attributes:
            context.report(31923, "Stream needs a wss URL")
            return attrs.evolve(stream, fault=31923)
        return attrs.evolve(stream, fault=31922)
    if urls.Parts.of(stream.url).query is not None:
        context.report(31923, "the URL of a Stream has no query; use Parameter", "url")
        return attrs.evolve(stream, fault=31923)
    if context.parent == "Connect" and stream.track != "inbound_track":
        context.report(31941, "under Connect the track of a Stream is inbound_track", "track")
        return attrs.evolve(stream, fault=31941)
    return stream


def _siprec(siprec: nouns.Siprec, context: Context) -> nouns.Siprec:
    if context.parent != "Stop" and siprec.connector_name is None:
        context.report(SCHEMA, "Siprec needs a connectorName")
        return attrs.evolve(siprec, fault=SCHEMA)
    return siprec


def _relay(relay: nouns.ConversationRelay, context: Context) -> nouns.ConversationRelay:
    if relay.url is None:
        if "url" not in context.element.attributes:
            context.report(64101, "ConversationRelay needs a wss URL")
        return attrs.evolve(relay, fault=64101)
    return relay


def _parameter(parameter: nouns.Parameter, context: Context) -> nouns.Parameter | None:
    if parameter.fault is not None:
        return None
    if context.parent == "Stream" and len(parameter.name) + len(parameter.value) >= MAX_PARAMETER:
        context.report(
            SCHEMA, f"name and value of a Stream's Parameter must have fewer than {MAX_PARAMETER} characters together"
        )
        return None
    return parameter


def _pay(pay: verbs.Pay, context: Context) -> verbs.Pay:
    if pay.action and urls.Parts.of(pay.action).scheme == "http":
        context.report(13337, "the action of Pay should be an https URL", "action")
    return pay


_CHECKS: Mapping[type[Node], Callable[[Any, Context], Node | None]] = {
    verbs.Say: _say,
    verbs.Play: _play,
    verbs.Gather: _gather,
    verbs.Record: _record,
    verbs.Dial: _dial,
    verbs.Enqueue: _enqueue,
    verbs.Refer: _refer,
    verbs.Connect: _connect,
    verbs.Start: _start,
    verbs.Pay: _pay,
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
    nouns.Task: _task,
    nouns.Stream: _stream,
    nouns.Siprec: _siprec,
    nouns.ConversationRelay: _relay,
    nouns.Parameter: _parameter,
    nouns.Config: _parameter,
}
