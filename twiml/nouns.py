"""The nouns of `Dial`, `Refer` and `Enqueue`: who is called, and how."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import attrs

from .attributes import Choice, Flag, Keys, Link, Pattern, Several, Text, Whole
from .nodes import Body, Children, Node

Method = Literal["GET", "POST"]
Trim = Literal["trim-silence", "do-not-trim"]
CallEvent = Literal["initiated", "ringing", "answered", "completed"]
RecordingEvent = Literal["in-progress", "completed", "absent"]
RecordingTrack = Literal["inbound", "outbound", "both"]
Region = Literal["us1", "us2", "ie1", "de1", "sg1", "br1", "au1", "jp1"]

DIGITS = "0123456789ABCDabcd#*wW"
"""What may be sent as digits: keys, `w` for half a second and `W` for a second of waiting."""
LANGUAGE = r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*|multi"


@attrs.frozen(kw_only=True)
class Parameter(Node):
    """A name and value handed to whoever the enclosing noun reaches."""

    name: Annotated[str, Text(required=True)] = ""
    value: Annotated[str, Text()] = ""


@attrs.frozen(kw_only=True)
class Config(Parameter):
    """A name and value that sets up the enclosing noun's engine."""


# ---- who a Dial may call -------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Callee(Node):
    """What every dialled party may have: a document run on it before the bridge, and status callbacks."""

    url: Annotated[str | None, Link(vital=True, code=11100)] = None
    method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    status_callback: Annotated[str | None, Link(callback=True, code=11100)] = None
    status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    status_callback_event: Annotated[tuple[str, ...], Several(CallEvent)] = ("completed",)


@attrs.frozen(kw_only=True)
class Detected(Callee):
    """A dialled party on which an answering machine may be looked for. Timeout in seconds, the rest in milliseconds."""

    machine_detection: Annotated[
        Literal["Enable", "DetectMessageEnd"] | None, Choice(Literal["Enable", "DetectMessageEnd"], code=21263)
    ] = None
    machine_detection_timeout: Annotated[int, Whole(3, 60, code=21263)] = 30
    machine_detection_speech_threshold: Annotated[int, Whole(1000, 6000, code=21263)] = 2400
    machine_detection_speech_end_threshold: Annotated[int, Whole(500, 5000, code=21263)] = 1200
    machine_detection_silence_timeout: Annotated[int, Whole(2000, 10000, code=21263)] = 5000
    amd_status_callback: Annotated[str | None, Link(callback=True, code=11100)] = None
    amd_status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"


@attrs.frozen(kw_only=True)
class Number(Detected):
    """A telephone number to dial."""

    codes: ClassVar = {"method": 13221}

    number: Annotated[str, Body(rule=Text(1, code=13223, required=True))] = ""
    send_digits: Annotated[str, Keys(DIGITS, code=13222)] = ""
    byoc: Annotated[str | None, Pattern("BY[0-9a-fA-F]{32}", "a trunk SID (BY and 32 hexadecimal digits)")] = None


@attrs.frozen(kw_only=True)
class SipUri(Node):
    """One of several addresses of a `Sip` noun: lower priority first, among equals by weight."""

    tag: ClassVar = "Uri"

    uri: Annotated[str, Body(rule=Text(1, code=13243, required=True))] = ""
    priority: Annotated[int | None, Whole(0, 65535)] = None
    weight: Annotated[int | None, Whole(0, 65535)] = None
    username: Annotated[str | None, Text(most=255, code=13249)] = None
    password: Annotated[str | None, Text(most=255, code=13249)] = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Header(Node):
    """A SIP header for the INVITE."""

    name: Annotated[str, Pattern(r"[-.!%*_+`'~0-9A-Za-z]+", "a header name", code=32111, required=True)] = ""
    value: Annotated[str, Text(code=32112)] = ""


@attrs.frozen(kw_only=True)
class Headers(Node):
    """The SIP headers of a `Sip` noun."""

    headers: Annotated[tuple[Header, ...], Children((Header,))] = ()


@attrs.frozen(kw_only=True)
class Sip(Detected):
    """A SIP address to dial."""

    codes: ClassVar = {"method": 13241}

    uri: Annotated[str, Body(rule=Text(code=13243))] = ""
    username: Annotated[str | None, Text(most=255, code=13249)] = None
    password: Annotated[str | None, Text(most=255, code=13249)] = attrs.field(default=None, repr=False)
    children: Annotated[tuple[SipUri | Headers, ...], Children((SipUri, Headers))] = ()


@attrs.frozen(kw_only=True)
class Identity(Node):
    """The name of a client."""

    identity: Annotated[str, Body(rule=Text(1, code=31105, required=True))] = ""


@attrs.frozen(kw_only=True)
class Client(Callee):
    """A registered client application, by its identity."""

    identity: Annotated[str, Body(rule=Text(code=31105))] = ""
    client_notification_url: Annotated[str | None, Link(callback=True, code=11100)] = None
    children: Annotated[tuple[Identity | Parameter, ...], Children((Identity, Parameter))] = ()


@attrs.frozen(kw_only=True)
class ApplicationSid(Node):
    """Which application."""

    sid: Annotated[
        str,
        Body(rule=Pattern("AP[0-9a-fA-F]{32}", "an application SID (AP and 32 hexadecimal digits)", required=True)),
    ] = ""


@attrs.frozen(kw_only=True)
class Application(Callee):
    """Another application of the account, run on a leg of its own."""

    sid: Annotated[
        str, Body(rule=Pattern("(AP[0-9a-fA-F]{32})?", "an application SID, or an ApplicationSid child"))
    ] = ""
    customer_id: Annotated[str | None, Text(most=256)] = None
    copy_parent_to: Annotated[bool, Flag()] = False
    children: Annotated[tuple[ApplicationSid | Parameter, ...], Children((ApplicationSid, Parameter))] = ()


@attrs.frozen(kw_only=True)
class WhatsApp(Callee):
    """A WhatsApp user, by telephone number."""

    number: Annotated[str, Body(rule=Text(1, code=13223, required=True))] = ""


@attrs.frozen(kw_only=True)
class Sim(Node):
    """A SIM card, by its SID."""

    sid: Annotated[
        str, Body(rule=Pattern("DE[0-9a-fA-F]{32}", "a SIM SID (DE and 32 hexadecimal digits)", required=True))
    ] = ""


@attrs.frozen(kw_only=True)
class Conference(Node):
    """A room to enter. An empty `wait_url` is silence, `None` the stock music."""

    name: Annotated[str, Body(rule=Text(1, code=13237, required=True))] = ""
    muted: Annotated[bool, Flag(code=13230)] = False
    beep: Annotated[
        Literal["true", "false", "onEnter", "onExit"], Choice(Literal["true", "false", "onEnter", "onExit"], code=13235)
    ] = "true"
    start_conference_on_enter: Annotated[bool, Flag(code=13232)] = True
    end_conference_on_exit: Annotated[bool, Flag(code=13231)] = False
    participant_label: Annotated[
        str | None,
        Pattern(r"(?!CA[0-9a-fA-F]{32}$)[^/]{1,128}", "1 to 128 characters, no slash, not a call SID", code=16023),
    ] = None
    jitter_buffer_size: Annotated[
        Literal["small", "medium", "large", "off"], Choice(Literal["small", "medium", "large", "off"])
    ] = "large"
    wait_url: Annotated[str | None, Link(empty=True, code=13233)] = None
    wait_method: Annotated[Method | None, Choice(Method, fold=True, code=13234)] = None
    """`None` is POST for a `wait_url` and GET for the stock music."""
    max_participants: Annotated[int, Whole(1, 250)] = 250
    record: Annotated[
        Literal["do-not-record", "record-from-start"],
        Choice(
            Literal["do-not-record", "record-from-start"],
            aliases={"true": "record-from-start", "false": "do-not-record"},
        ),
    ] = "do-not-record"
    trim: Annotated[Trim, Choice(Trim, code=13239)] = "trim-silence"
    region: Annotated[Region | None, Choice(Region)] = None
    coach: Annotated[str | None, Pattern("CA[0-9a-fA-F]{32}", "a call SID", code=13240)] = None
    status_callback: Annotated[str | None, Link(callback=True, code=11100)] = None
    status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    status_callback_event: Annotated[
        tuple[str, ...],
        Several(Literal["start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"]),
    ] = ()
    recording_status_callback: Annotated[str | None, Link(callback=True, code=13256)] = None
    recording_status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    recording_status_callback_event: Annotated[tuple[str, ...], Several(RecordingEvent)] = ("completed",)
    event_callback_url: Annotated[str | None, Link(callback=True, code=11100)] = None
    recording_configuration_id: Annotated[str | None, Text()] = None


@attrs.frozen(kw_only=True)
class ReferSip(Node):
    """Where a `Refer` sends the caller."""

    tag: ClassVar = "Sip"

    uri: Annotated[str, Body(rule=Text(1, code=13243, required=True))] = ""


@attrs.frozen(kw_only=True)
class Task(Node):
    """Attributes of a TaskRouter task, as JSON."""

    body: Annotated[str, Body(rule=Text(code=14221))] = ""
    priority: Annotated[int | None, Whole(0)] = None
    timeout: Annotated[int | None, Whole(0)] = None
