"""The official library writes documents; all of them are read without a problem."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK ships no types
from twilio.twiml import TwiML, voice_response  # type: ignore[import-untyped]  # the SDK ships no types
from twilio.twiml.voice_response import VoiceResponse  # type: ignore[import-untyped]  # the SDK ships no types

from offhook.twiml import ssml
from offhook.twiml.nodes import Node, camel, shape
from offhook.twiml.parse import parse
from offhook.twiml.signature import sign
from offhook.twiml.verbs import VERBS

SKIPPED = {"to_xml", "append", "nest", "add_child", "xml"}
# A value that is right for each attribute of each builder method, where "x" is not.
VALUES: dict[str, Any] = {
    "action": "/action",
    "method": "GET",
    "timeout": 7,
    "time_limit": 60,
    "loop": 2,
    "length": 3,
    "voice": "Polly.Joanna",
    "language": "en-GB",
    "xml_lang": "de-DE",
    "input": "dtmf speech",
    "speech_timeout": "3",
    "max_speech_time": 30,
    "finish_on_key": "*",
    "num_digits": 4,
    "speech_model": "phone_call",
    "beep": "onEnter",
    "wait_url": "",
    "max_participants": 5,
    "max_queue_size": 5,
    "max_length": 90,
    "trim": "trim-silence",
    "channels": "dual",
    "ring_tone": "us-old",
    "jitter_buffer_size": "small",
    "region": "us1",
    "coach": "CA" + "0" * 32,
    "participant_label": "ann",
    "reason": "busy",
    "name": "n",
    "send_digits": "ww12",
    "digits": "12",
    "byoc": "BY" + "0" * 32,
    "machine_detection": "Enable",
    "machine_detection_timeout": 10,
    "machine_detection_speech_threshold": 2000,
    "machine_detection_speech_end_threshold": 1000,
    "machine_detection_silence_timeout": 3000,
    "priority": 1,
    "weight": 1,
    "sample_rate": 8000,
    "language_code": "en-US",
    "transcription_engine": "google",
    "strength": "weak",
    "time": "1s",
    "level": "strong",
    "alphabet": "ipa",
    "volume": "loud",
    "rate": "fast",
    "pitch": "high",
    "interpret_as": "date",
    "format": "mdy",
    "charge_amount": "20.45",
    "currency": "usd",
    "max_attempts": 2,
    "min_postal_code_length": 3,
    "payment_method": "ach-debit",
    "bank_account_type": "consumer-savings",
    "token_type": "one-time",
    "valid_card_types": "visa amex",
    "security_code": False,
    "postal_code": "false",
    "for_": "payment-card-number",
    "error_type": "timeout",
    "card_type": "visa",
    "attempt": "1 2",
    "tts_language": "en-US",
    "transcription_language": "en-US",
    "tts_provider": "Google",
    "transcription_provider": "Deepgram",
    "interrupt_sensitivity": "low",
    "debug": "debugging",
    "elevenlabs_text_normalization": "on",
    "eager_eot_threshold": "0.5",
    "code": "de-DE",
    "recording_status_callback_event": "in-progress completed absent",
    "welcome_greeting_interruptible": "any",
    "interruptible": "dtmf",
    "report_input_during_agent_speech": "none",
    "partial_results": True,
    "routing_assignment_timeout": 3,
    "inbound_timeout": 3,
    "service_instance_sid": "IS1",
    "application_sid": "AP" + "0" * 32,
    "sid": "AP" + "0" * 32,
    "sim_sid": "DE" + "0" * 32,
    "number": "+14155550100",
    "phone_number": "+14155550100",
    "sip_url": "sip:ann@example.com",
    "body": '{"a": 1}',
    "url": "https://a.test/x",
}
FLAGS = {
    "action_on_empty_result",
    "enhanced",
    "profanity_filter",
    "barge_in",
    "play_beep",
    "transcribe",
    "hangup_on_star",
    "answer_on_bridge",
    "sequential",
    "muted",
    "start_conference_on_enter",
    "end_conference_on_exit",
    "copy_parent_to",
    "enable_provider_data",
    "enable_automatic_punctuation",
    "sentiment_analysis",
    "inbound_autocreation",
    "dtmf_detection",
    "preemptible",
    "partial_prompts",
    "application_reconnect",
    "echo_prompt_filtering",
    "turn_detection",
    "require_matching_inputs",
}
# Where the same name means something else.
SPECIAL: dict[tuple[str, str], Any] = {
    ("Gather", "debug"): True,
    ("gather", "debug"): True,
    ("pay", "input"): "dtmf",
    ("dial", "record"): "record-from-answer",
    ("dial", "recording_track"): "both",
    ("dial", "trim"): "do-not-trim",
    ("conference", "record"): "record-from-start",
    ("conference", "status_callback_event"): "start end join",
    ("conversation", "status_callback_event"): "call-initiated",
    ("conversation", "record"): "true",
    ("stream", "url"): "wss://a.test/x",
    ("conversation_relay", "url"): "wss://a.test/x",
    ("conversation_relay", "speech_model"): "nova-3-general",
    ("parameter", "name"): "n",
    ("header", "name"): "X-A",
    ("recording", "track"): "both",
    ("stop", "track"): "both_tracks",
    ("siprec", "track"): "both_tracks",
    ("transcription", "track"): "both_tracks",
    ("stream", "track"): "inbound_track",
}


def value(method: str, name: str) -> Any:
    if (method, name) in SPECIAL:
        return SPECIAL[method, name]
    if name == "status_callback_event":
        return "initiated ringing answered completed"
    if name in FLAGS:
        return True
    if name.endswith("_method") and name not in VALUES:
        return "POST"
    if name.endswith(("_callback", "_url", "_callback_url")) and name not in VALUES:
        return "https://a.test/callback"
    return VALUES.get(name, "x")


def builders(node: TwiML) -> list[str]:
    return [
        name
        for name, function in inspect.getmembers(type(node), inspect.isfunction)
        if not name.startswith("_") and name not in SKIPPED and function.__module__ == voice_response.__name__
    ]


def arguments(node: TwiML, method: str) -> dict[str, Any]:
    parameters = inspect.signature(getattr(node, method)).parameters
    return {name: value(method, name) for name in parameters if name != "kwargs"}


def paths(node: TwiML, depth: int, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every way down the builders, by method names."""
    found: list[tuple[str, ...]] = []
    for method in builders(node):
        found.append((*at, method))
        if depth:
            child = getattr(node, method)(**arguments(node, method))
            found += paths(child, depth - 1, (*at, method))
    return found


PATHS = paths(VoiceResponse(), 3)
# The builder lets these be written together; the language does not.
APART: dict[tuple[str, ...], set[str]] = {
    ("play",): {"digits"},
    ("gather", "play"): {"digits"},
    ("record",): {"transcribe", "max_length"},
}


def build(path: tuple[str, ...], drop: frozenset[str] = frozenset()) -> VoiceResponse:
    response = VoiceResponse()
    node: Any = response  # which elements there are is made up by the SDK at run time
    for index, method in enumerate(path):
        given = arguments(node, method)
        for name in drop | APART.get(path[: index + 1], set()):
            given.pop(name, None)
        if method == "dial" and len(path) > index + 1:
            given.pop("number")
        if method in ("client", "application") and len(path) > index + 1:
            given.pop("identity", None)
        if method == "record":
            given["transcribe"] = True
        node = getattr(node, method)(**given)
    if path[:3] == ("dial", "client", "parameter"):
        response.verbs[0].verbs[0].identity("ann")
    if path[-1] == "refer":
        node.sip("sip:ann@example.com")
    if path[-1] in ("connect", "start"):
        node.stream(url="wss://a.test/x")
    if path[-1] == "dial" and not node.verbs and not node.value:
        node.number("+14155550100")
    return response


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_whatever_the_official_builder_writes_is_read(path: tuple[str, ...]) -> None:
    document = parse(str(build(path)).encode())
    empty_break = path[0] in ("say", "gather", "prompt", "pay") and "break_" in path
    problems = [problem for problem in document.problems if not (empty_break and problem.code == 13520)]
    assert problems == [], str(build(path))
    assert len(document.verbs) == 1


def test_the_builder_has_no_attribute_that_the_parser_lacks() -> None:
    """Walks the builder's methods, and compares names."""
    known: dict[str, set[str]] = {}

    def walk(cls: type[Node]) -> None:
        form = shape(cls)
        known.setdefault(cls.element(), set()).update(form.attributes)
        if form.children is not None:
            for child in form.children[1].classes:
                walk(child)

    for verb in VERBS:
        walk(verb)
    known |= {name: set(rows) for name, rows in ssml.ATTRIBUTES.items()}
    for path in PATHS:
        response = build(path)
        element = response.xml()[0]
        while True:
            missing = set(element.attrib) - known[element.tag]
            assert not missing, (path, element.tag, missing)
            if not len(element):
                break
            element = element[0]


def test_attribute_names_are_those_of_the_builder() -> None:
    assert camel("recording_status_callback_event") == "recordingStatusCallbackEvent"


# ---- signatures ----------------------------------------------------------------------------------------------------

URLS = [
    "https://example.com/voice",
    "https://example.com:8443/voice?x=1&y=%20z",
    "http://example.com:80/",
    "http://127.0.0.1:9000/voice?a=b#rc=2",
    "https://example.com/voice?q=%C3%A9&empty=",
]
FORMS: list[list[tuple[str, str]]] = [
    [],
    [("CallSid", "CA1"), ("Digits", ""), ("From", "sip:ann@example.com"), ("To", "+14155550100")],
    [("b", "2"), ("a", "1"), ("A", "0"), ("é", "ü"), ("SipHeader_X-A", "one,two & three")],
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("form", FORMS)
def test_the_official_validator_accepts_our_signatures(url: str, form: list[tuple[str, str]]) -> None:
    seen = url.partition("#")[0]  # what reaches a web server
    assert RequestValidator("12345").validate(seen, dict(form), sign("12345", url, form))
    assert not RequestValidator("12346").validate(seen, dict(form), sign("12345", url, form))
