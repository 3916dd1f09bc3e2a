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

from . import channels, nouns, ssml, urls, verbs
from .attributes import SCHEMA, Link
from .dialling import DIAL_CHECKS, MAX_QUEUE_NAME
from .nodes import Node, shape
from .problems import Context, Problems
from .xml import Element

N = TypeVar("N", bound=Node)

MAX_PARAMETER = 500

SAY_LIMITS = {"basic": 4096, "polly": 3000, "google": 5000}
"""Characters. Of Google voices tags, spaces and line breaks count; of the others only what is between the tags."""
SAY_ENCODED_LIMIT = 4500
"""For the basic voices, whose text travels inside a URL."""


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


def _stream(stream: channels.Stream, context: Context) -> channels.Stream:
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


def _siprec(siprec: channels.Siprec, context: Context) -> channels.Siprec:
    if context.parent != "Stop" and siprec.connector_name is None:
        context.report(SCHEMA, "Siprec needs a connectorName")
        return attrs.evolve(siprec, fault=SCHEMA)
    return siprec


def _relay(relay: channels.ConversationRelay, context: Context) -> channels.ConversationRelay:
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
    **DIAL_CHECKS,
    verbs.Say: _say,
    verbs.Play: _play,
    verbs.Gather: _gather,
    verbs.Record: _record,
    verbs.Enqueue: _enqueue,
    verbs.Connect: _connect,
    verbs.Start: _start,
    verbs.Pay: _pay,
    nouns.Task: _task,
    channels.Stream: _stream,
    channels.Siprec: _siprec,
    channels.ConversationRelay: _relay,
    nouns.Parameter: _parameter,
    nouns.Config: _parameter,
}
