"""The nouns of `Start`, `Stop` and `Connect`: what carries a call's audio, or its words, elsewhere."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import attrs

from .attributes import Choice, Decimals, Flag, Link, Pattern, Several, Text, Whole
from .nodes import Body, Children, Node
from .nouns import LANGUAGE, Config, Method, Parameter, RecordingEvent, RecordingTrack, Trim

Track = Literal["inbound_track", "outbound_track", "both_tracks"]
Interruption = Literal["none", "dtmf", "speech", "any"]


@attrs.frozen(kw_only=True)
class Stream(Node):
    """The call's audio over a websocket. `url` is needed everywhere but in a `Stop`, which goes by `name`."""

    url: Annotated[str | None, Link(schemes=("wss",), code=31922)] = None
    name: Annotated[str | None, Text(1)] = None
    track: Annotated[Track, Choice(Track, code=31941)] = "inbound_track"
    status_callback: Annotated[str | None, Link(callback=True, absolute=True, code=11100)] = None
    status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    connector_name: Annotated[str | None, Text(1, code=31940)] = None
    audio_format: Annotated[str | None, Text(1)] = None
    sample_rate: Annotated[int | None, Whole(1)] = None
    parameters: Annotated[tuple[Parameter, ...], Children((Parameter,))] = ()


@attrs.frozen(kw_only=True)
class Siprec(Node):
    """The call's audio to a recording server (RFC 7866). `connector_name` is needed everywhere but in a `Stop`."""

    name: Annotated[str | None, Text(1)] = None
    connector_name: Annotated[str | None, Text(1)] = None
    track: Annotated[Track, Choice(Track)] = "both_tracks"
    status_callback: Annotated[str | None, Link(callback=True, code=11100)] = None
    status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    parameters: Annotated[tuple[Parameter, ...], Children((Parameter,))] = ()


@attrs.frozen(kw_only=True)
class Transcription(Node):
    """The call's words, while they are spoken."""

    name: Annotated[str | None, Text(1)] = None
    status_callback_url: Annotated[str | None, Link(callback=True, absolute=True, code=11100)] = None
    status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    language_code: Annotated[str, Pattern(LANGUAGE, "a language tag", code=32650)] = "en-US"
    track: Annotated[Track, Choice(Track, code=32650)] = "both_tracks"
    inbound_track_label: Annotated[str | None, Text()] = None
    outbound_track_label: Annotated[str | None, Text()] = None
    transcription_engine: Annotated[
        Literal["google", "deepgram"], Choice(Literal["google", "deepgram"], code=32650)
    ] = "google"
    speech_model: Annotated[str, Text(1, code=32650)] = "telephony"
    enable_provider_data: Annotated[bool, Flag()] = False
    partial_results: Annotated[bool, Flag()] = False
    profanity_filter: Annotated[bool, Flag()] = True
    enable_automatic_punctuation: Annotated[bool, Flag()] = True
    hints: Annotated[str | None, Text()] = None
    intelligence_service: Annotated[str | None, Text()] = None
    conversation_configuration: Annotated[str | None, Text()] = None
    conversation_id: Annotated[str | None, Text()] = None
    settings: Annotated[tuple[Config | Parameter, ...], Children((Config, Parameter))] = ()


@attrs.frozen(kw_only=True)
class Recording(Node):
    """A recording of the call beside its verbs."""

    name: Annotated[str | None, Text(1)] = None
    recording_status_callback: Annotated[str | None, Link(callback=True, code=13256)] = None
    recording_status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    recording_status_callback_event: Annotated[tuple[str, ...], Several(RecordingEvent, code=13621)] = ("completed",)
    trim: Annotated[Trim, Choice(Trim, code=13699)] = "trim-silence"
    track: Annotated[RecordingTrack, Choice(RecordingTrack, code=13622)] = "both"
    channels: Annotated[Literal["mono", "dual"], Choice(Literal["mono", "dual"])] = "dual"
    recording_configuration_id: Annotated[str | None, Text()] = None


@attrs.frozen(kw_only=True)
class VirtualAgent(Node):
    """A conversational agent of another vendor."""

    connector_name: Annotated[str | None, Text(1)] = None
    language: Annotated[str | None, Text(1)] = None
    sentiment_analysis: Annotated[bool | None, Flag()] = None
    status_callback: Annotated[str | None, Link(callback=True, code=11100)] = None
    status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    settings: Annotated[tuple[Config | Parameter, ...], Children((Config, Parameter))] = ()


@attrs.frozen(kw_only=True)
class Room(Node):
    """A video room."""

    name: Annotated[str, Body(rule=Text(1, required=True))] = ""
    participant_identity: Annotated[str | None, Text()] = None


@attrs.frozen(kw_only=True)
class Conversation(Node):
    """A conversation of the messaging product. Timeouts in seconds."""

    service_instance_sid: Annotated[str | None, Text()] = None
    inbound_autocreation: Annotated[bool | None, Flag()] = None
    routing_assignment_timeout: Annotated[int | None, Whole(0)] = None
    inbound_timeout: Annotated[int | None, Whole(0)] = None
    url: Annotated[str | None, Link(vital=True, code=11100)] = None
    method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    record: Annotated[
        str | None,
        Choice(
            Literal[
                "true",
                "false",
                "do-not-record",
                "record-from-answer",
                "record-from-ringing",
                "record-from-answer-dual",
                "record-from-ringing-dual",
            ]
        ),
    ] = None
    trim: Annotated[Trim | None, Choice(Trim)] = None
    recording_status_callback: Annotated[str | None, Link(callback=True, code=13256)] = None
    recording_status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    recording_status_callback_event: Annotated[tuple[str, ...], Several(RecordingEvent)] = ("completed",)
    status_callback: Annotated[str | None, Link(callback=True, code=11100)] = None
    status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    status_callback_event: Annotated[
        tuple[str, ...], Several(Literal["call-initiated", "call-ringing", "call-answered", "call-completed"])
    ] = ()


@attrs.frozen(kw_only=True)
class Autopilot(Node):
    """A retired product; read, never carried out."""

    name: Annotated[str, Body(rule=Text())] = ""


@attrs.frozen(kw_only=True)
class AiSession(Node):
    """A session with an AI connector."""

    ai_connector: Annotated[str | None, Text()] = None
    ai_session_configuration: Annotated[str | None, Text()] = None


@attrs.frozen(kw_only=True)
class ConversationRelaySession(Node):
    """A relay session that is configured elsewhere."""

    connector: Annotated[str | None, Text()] = None
    session_configuration: Annotated[str | None, Text()] = None


@attrs.frozen(kw_only=True)
class Language(Node):
    """How one language is spoken and heard in a relay."""

    code: Annotated[str, Pattern(LANGUAGE, "a language tag", code=64101, required=True)] = ""
    tts_provider: Annotated[str | None, Text()] = None
    voice: Annotated[str | None, Text()] = None
    transcription_provider: Annotated[str | None, Text()] = None
    speech_model: Annotated[str | None, Text()] = None
    hints: Annotated[str | None, Text()] = None
    asr_smart_format: Annotated[str | None, Text()] = None
    tts_text_normalization: Annotated[str | None, Text()] = None
    tts_language_text_normalization: Annotated[str | None, Text()] = None


_INTERRUPTION = Choice(Interruption, aliases={"true": "any", "false": "none"}, code=64101)


@attrs.frozen(kw_only=True)
class ConversationRelay(Node):
    """The caller's words over a websocket, and words back."""

    url: Annotated[str | None, Link(schemes=("wss",), code=64101)] = None
    welcome_greeting: Annotated[str | None, Text()] = None
    welcome_greeting_interruptible: Annotated[Interruption, _INTERRUPTION] = "any"
    interruptible: Annotated[Interruption, _INTERRUPTION] = "any"
    language: Annotated[str, Pattern(LANGUAGE, "a language tag or multi", code=64101)] = "en-US"
    tts_language: Annotated[str | None, Pattern(LANGUAGE, "a language tag or multi", code=64101)] = None
    transcription_language: Annotated[str | None, Pattern(LANGUAGE, "a language tag or multi", code=64101)] = None
    tts_provider: Annotated[
        str, Pattern("(?i:google|amazon|elevenlabs)", "Google, Amazon or ElevenLabs", code=64101)
    ] = "ElevenLabs"
    voice: Annotated[str | None, Text()] = None
    transcription_provider: Annotated[str, Pattern("(?i:google|deepgram)", "Google or Deepgram", code=64101)] = (
        "Deepgram"
    )
    speech_model: Annotated[str | None, Text()] = None
    interrupt_sensitivity: Annotated[
        Literal["low", "medium", "high"], Choice(Literal["low", "medium", "high"], code=64101)
    ] = "high"
    dtmf_detection: Annotated[bool, Flag(code=64101)] = False
    report_input_during_agent_speech: Annotated[Interruption, _INTERRUPTION] = "none"
    preemptible: Annotated[bool, Flag(code=64101)] = False
    hints: Annotated[str | None, Text()] = None
    debug: Annotated[
        tuple[str, ...], Several(Literal["debugging", "speaker-events", "tokens-played", "none"], code=64101)
    ] = ()
    elevenlabs_text_normalization: Annotated[
        Literal["on", "auto", "off"], Choice(Literal["on", "auto", "off"], code=64101)
    ] = "off"
    intelligence_service: Annotated[str | None, Text()] = None
    profanity_filter: Annotated[bool | None, Flag()] = None
    partial_prompts: Annotated[bool | None, Flag()] = None
    background_noise_reduction: Annotated[str | None, Text()] = None
    speech_timeout: Annotated[str | None, Text()] = None
    deepgram_smart_format: Annotated[str | None, Text()] = None
    ignore_backchannel: Annotated[str | None, Text()] = None
    events: Annotated[str | None, Text()] = None
    partial_prompt_on_hangup: Annotated[str | None, Text()] = None
    eager_eot_threshold: Annotated[Decimal | None, Decimals(Decimal("0.3"), Decimal("0.9"), code=64101)] = None
    asr_smart_format: Annotated[str | None, Text()] = None
    tts_text_normalization: Annotated[str | None, Text()] = None
    tts_language_text_normalization: Annotated[str | None, Text()] = None
    elevenlabs_language_text_normalization: Annotated[str | None, Text()] = None
    include_in_prompt: Annotated[str | None, Text()] = None
    customer_name: Annotated[str | None, Text()] = None
    application_reconnect: Annotated[bool, Flag(code=64101)] = False
    echo_prompt_filtering: Annotated[bool, Flag(code=64101)] = False
    turn_detection: Annotated[bool, Flag(code=64101)] = False
    children: Annotated[tuple[Language | Parameter, ...], Children((Language, Parameter))] = ()
