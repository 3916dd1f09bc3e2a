"""Every attribute of every element: what it takes, what it refuses with which code, and what then holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest

from offhook.twiml.nodes import Node, shape
from offhook.twiml.parse import parse
from offhook.twiml.verbs import VERBS

CA = "CA" + "0" * 32
METHOD = ([("GET", "GET"), ("POST", "POST"), ("get", "GET"), (" POST ", "POST")], ["PUT", "", "G ET"])
FLAG = ([("true", True), ("false", False), (" true", True)], ["TRUE", "yes", "1", ""])
Cases = tuple[list[tuple[str, Any]], list[str]]
TEXT: Cases = ([("x", "x"), ("  x ", "x")], [])
TRIM = ([("trim-silence", "trim-silence"), ("do-not-trim", "do-not-trim")], ["true", ""])
URL = (
    [("https://a.test/x", "https://a.test/x"), ("/x?y=1#rc=2", "/x?y=1#rc=2"), (" x.php\n", "x.php")],
    ["ftp://a.test/", "http://", "a b", "http://a.test:99999/"],
)
CALLBACK = (URL[0], [*URL[1], "", "http://under_score.test/"])
RECORDING_EVENTS = ([("absent completed", ("absent", "completed")), ("in-progress", ("in-progress",))], ["", "done"])
CALL_EVENTS = ([("initiated answered", ("initiated", "answered")), ("ringing", ("ringing",))], ["", "busy"])
DIGITS = ([("1wW#*A", "1wW#*A"), ("", "")], ["x", "1 2"])


def whole(low: int, high: int | None = None) -> tuple[list[tuple[str, Any]], list[str]]:
    top = 12345 if high is None else high
    bad = [str(low - 1), "x", "", "1.5", "1e3", "٣"]
    return [(str(low), low), (str(top), top), (f" {low}\n", low)], bad if high is None else [*bad, str(high + 1)]


def words(*values: str) -> tuple[list[tuple[str, Any]], list[str]]:
    return [(value, value) for value in values], ["", "other", values[0].upper() + "!"]


TRACK = words("inbound_track", "outbound_track", "both_tracks")
AMD: dict[str, tuple[Any, Any, int]] = {
    "machineDetection": (words("Enable", "DetectMessageEnd"), None, 21263),
    "machineDetectionTimeout": (whole(3, 60), 30, 21263),
    "machineDetectionSpeechThreshold": (whole(1000, 6000), 2400, 21263),
    "machineDetectionSpeechEndThreshold": (whole(500, 5000), 1200, 21263),
    "machineDetectionSilenceTimeout": (whole(2000, 10000), 5000, 21263),
    "amdStatusCallback": (CALLBACK, None, 11100),
    "amdStatusCallbackMethod": (METHOD, "POST", 12200),
}


def callee(method: int) -> dict[str, tuple[Any, Any, int]]:
    return {
        "url": (URL, None, 11100),
        "method": (METHOD, "POST", method),
        "statusCallback": (CALLBACK, None, 11100),
        "statusCallbackMethod": (METHOD, "POST", 12200),
        "statusCallbackEvent": (CALL_EVENTS, ("completed",), 12200),
    }


def recording(event: int) -> dict[str, tuple[Any, Any, int]]:
    return {
        "recordingStatusCallback": (CALLBACK, None, 13256),
        "recordingStatusCallbackMethod": (METHOD, "POST", 12200),
        "recordingStatusCallbackEvent": (RECORDING_EVENTS, ("completed",), event),
        "recordingConfigurationId": (TEXT, None, 12200),
    }


VOICES = [
    (v, v) for v in ("man", "woman", "alice", "Polly.Joanna", "Polly.Joanna-Neural", "Google.en-US-Chirp3-HD-Aoede")
]
SAY = {
    "voice": ((VOICES, ["Joanna", "", "Polly.", "Polly Joanna"]), None, 13511),
    "language": (
        ([("en-US", "en-US"), ("arb", "arb"), ("en-GB-WLS", "en-GB-WLS")], ["", "english US", "e"]),
        None,
        13512,
    ),
    "loop": (whole(0), 1, 13510),
}
MODELS = [
    *("default", "numbers_and_commands", "phone_call", "experimental_conversations", "experimental_utterances"),
    *("googlev2_long", "googlev2_short", "googlev2_telephony", "googlev2_telephony_short"),
    *("deepgram_nova-2", "deepgram_nova-2-general", "deepgram_nova-3"),
]
GATHER: dict[str, tuple[Any, Any, int]] = {
    "input": (
        (
            [
                ("dtmf", ("dtmf",)),
                ("speech", ("speech",)),
                ("speech dtmf", ("speech", "dtmf")),
                (" dtmf\tspeech ", ("dtmf", "speech")),
            ],
            ["", "voice", "dtmf,speech"],
        ),
        ("dtmf",),
        13326,
    ),
    "action": ((([*URL[0], ("", "")]), URL[1]), None, 11100),
    "method": (METHOD, "POST", 13312),
    "timeout": (([("1", 1), ("600", 600), ("auto", None)], ["0", "-1", "x", "1.5", ""]), 5, 13313),
    "finishOnKey": (([("", ""), ("*", "*"), ("0", "0"), ("#", "#")], ["##", "A", "x"]), "#", 13310),
    "numDigits": (whole(1), None, 13314),
    "actionOnEmptyResult": (FLAG, False, 13338),
    "speechTimeout": (([("1", 1), ("auto", None)], ["0", "x", ""]), "timeout", 13327),
    "maxSpeechTime": (whole(1, 60), 60, 13328),
    "speechModel": (([(m, m) for m in MODELS], ["", "best"]), None, 13334),
    "enhanced": (FLAG, False, 12200),
    "language": (([("en-US", "en-US"), ("de-DE", "de-DE")], ["", "d"]), "en-US", 13331),
    "hints": (([("a, b ,c", ("a", "b", "c")), ("", ())], ["x" * 101, ",".join(["y"] * 501)]), (), 13330),
    "profanityFilter": (FLAG, True, 13333),
    "partialResultCallback": (CALLBACK, None, 11100),
    "partialResultCallbackMethod": (METHOD, "POST", 13329),
    "bargeIn": (FLAG, True, 13332),
    "debug": (FLAG, False, 12200),
}
RECORD: dict[str, tuple[Any, Any, int]] = {
    "action": (([*URL[0], ("", "")], URL[1]), None, 11100),
    "method": (METHOD, "POST", 13610),
    "timeout": (whole(0), 5, 13611),
    "finishOnKey": (([("", ""), ("12#", "12#")], ["A", "w"]), "1234567890*#", 13613),
    "maxLength": (whole(2, 14400), None, 13612),
    "playBeep": (FLAG, True, 13616),
    "trim": (TRIM, "trim-silence", 13699),
    "transcribe": (FLAG, False, 13614),
    "transcribeCallback": (CALLBACK, None, 13257),
    **recording(13621),
}
TONES = (
    "at au bg br be ch cl cn cz de dk ee es fi fr gr hu il in it lt jp mx my nl no "
    "nz ph pl pt ru se sg th uk us us-old tw ve za"
)
ACTION = (([*URL[0], ("", "")], URL[1]), None, 11100)
DIAL: dict[str, tuple[Any, Any, int]] = {
    "action": ACTION,
    "method": (METHOD, "POST", 13210),
    "timeout": (whole(5, 600), 30, 13212),
    "timeLimit": (whole(1, 14400), None, 13216),
    "callerId": (TEXT, None, 13214),
    "hangupOnStar": (FLAG, False, 13213),
    "answerOnBridge": (FLAG, False, 13219),
    "ringTone": (([(t, t) for t in TONES.split()], ["", "xx", "US"]), None, 13220),
    "record": (
        (
            [
                *[(v, v) for v in ("do-not-record", "record-from-answer", "record-from-ringing")],
                *[(v, v) for v in ("record-from-answer-dual", "record-from-ringing-dual")],
                ("true", "record-from-answer"),
                ("false", "do-not-record"),
            ],
            ["", "yes"],
        ),
        "do-not-record",
        13217,
    ),
    "recordingTrack": (words("inbound", "outbound", "both"), "both", 13622),
    "trim": (TRIM, "do-not-trim", 13699),
    "sequential": (FLAG, False, 13218),
    "referUrl": (URL, None, 11100),
    "referMethod": (METHOD, "POST", 12200),
    "callReason": (([("x" * 50, "x" * 50)], ["x" * 51]), None, 32115),
    "events": (TEXT, None, 12200),
    "passports": (TEXT, None, 12200),
    **recording(13621),
}
CONFERENCE: dict[str, tuple[Any, Any, int]] = {
    "muted": (FLAG, False, 13230),
    "beep": (words("true", "false", "onEnter", "onExit"), "true", 13235),
    "startConferenceOnEnter": (FLAG, True, 13232),
    "endConferenceOnExit": (FLAG, False, 13231),
    "participantLabel": (([("bob", "bob"), ("x" * 128, "x" * 128)], ["", "a/b", "x" * 129, CA]), None, 16023),
    "jitterBufferSize": (words("small", "medium", "large", "off"), "large", 12200),
    "waitUrl": (([*URL[0], ("", "")], URL[1]), None, 13233),
    "waitMethod": (METHOD, None, 13234),
    "maxParticipants": (whole(1, 250), 250, 12200),
    "record": (
        (
            [
                ("do-not-record", "do-not-record"),
                ("record-from-start", "record-from-start"),
                ("true", "record-from-start"),
            ],
            ["", "x"],
        ),
        "do-not-record",
        12200,
    ),
    "trim": (TRIM, "trim-silence", 13239),
    "region": (words("us1", "us2", "ie1", "de1", "sg1", "br1", "au1", "jp1"), None, 12200),
    "coach": (([(CA, CA)], ["", "CA1", "x"]), None, 13240),
    "statusCallback": (CALLBACK, None, 11100),
    "statusCallbackMethod": (METHOD, "POST", 12200),
    "statusCallbackEvent": (
        (
            [
                (
                    "start end join leave mute hold modify speaker announcement",
                    ("start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"),
                )
            ],
            ["", "x"],
        ),
        (),
        12200,
    ),
    "eventCallbackUrl": (CALLBACK, None, 11100),
    **recording(12200),
}
STREAM: dict[str, tuple[Any, Any, int]] = {
    "name": (([("n", "n")], [""]), None, 12200),
    "track": (TRACK, "inbound_track", 31941),
    "statusCallback": (([("https://a.test/x", "https://a.test/x")], ["", "/relative", "ftp://a.test"]), None, 11100),
    "statusCallbackMethod": (METHOD, "POST", 12200),
    "connectorName": (([("n", "n")], [""]), None, 31940),
    "audioFormat": (([("n", "n")], [""]), None, 12200),
    "sampleRate": (whole(1), None, 12200),
}
TRANSCRIPTION: dict[str, tuple[Any, Any, int]] = {
    "name": (([("n", "n")], [""]), None, 12200),
    "statusCallbackUrl": (([("https://a.test/x", "https://a.test/x")], ["", "/relative"]), None, 11100),
    "statusCallbackMethod": (METHOD, "POST", 12200),
    "languageCode": (([("de-DE", "de-DE")], ["", "d"]), "en-US", 32650),
    "track": (TRACK, "both_tracks", 32650),
    "inboundTrackLabel": (TEXT, None, 12200),
    "outboundTrackLabel": (TEXT, None, 12200),
    "transcriptionEngine": (words("google", "deepgram"), "google", 32650),
    "speechModel": (([("long", "long")], [""]), "telephony", 32650),
    "enableProviderData": (FLAG, False, 12200),
    "partialResults": (FLAG, False, 12200),
    "profanityFilter": (FLAG, True, 12200),
    "enableAutomaticPunctuation": (FLAG, True, 12200),
    "hints": (TEXT, None, 12200),
    "intelligenceService": (TEXT, None, 12200),
    "conversationConfiguration": (TEXT, None, 12200),
    "conversationId": (TEXT, None, 12200),
}
INTERRUPT = ([*[(v, v) for v in ("none", "dtmf", "speech", "any")], ("true", "any"), ("false", "none")], ["", "x"])
RELAY: dict[str, tuple[Any, Any, int]] = {
    "welcomeGreeting": (TEXT, None, 12200),
    "welcomeGreetingInterruptible": (INTERRUPT, "any", 64101),
    "interruptible": (INTERRUPT, "any", 64101),
    "language": (([("de-DE", "de-DE"), ("multi", "multi")], ["", "d"]), "en-US", 64101),
    "ttsLanguage": (([("de-DE", "de-DE")], [""]), None, 64101),
    "transcriptionLanguage": (([("de-DE", "de-DE")], [""]), None, 64101),
    "ttsProvider": (([(v, v) for v in ("Google", "Amazon", "ElevenLabs")], ["", "x"]), "ElevenLabs", 64101),
    "voice": (TEXT, None, 12200),
    "transcriptionProvider": (([(v, v) for v in ("Google", "Deepgram")], ["", "x"]), "Deepgram", 64101),
    "interruptSensitivity": (words("low", "medium", "high"), "high", 64101),
    "dtmfDetection": (FLAG, False, 64101),
    "reportInputDuringAgentSpeech": (INTERRUPT, "none", 64101),
    "preemptible": (FLAG, False, 64101),
    "debug": (([("debugging speaker-events", ("debugging", "speaker-events"))], ["", "x"]), (), 64101),
    "elevenlabsTextNormalization": (words("on", "auto", "off"), "off", 64101),
    "eagerEotThreshold": (([("0.3", Decimal("0.3")), ("0.9", Decimal("0.9"))], ["0.29", "0.91", "x", ""]), None, 64101),
    "applicationReconnect": (FLAG, False, 64101),
    "echoPromptFiltering": (FLAG, False, 64101),
    "turnDetection": (FLAG, False, 64101),
    "profanityFilter": (FLAG, None, 12200),
    "partialPrompts": (FLAG, None, 12200),
    **dict.fromkeys(
        (
            *("speechModel", "hints", "intelligenceService", "backgroundNoiseReduction", "speechTimeout"),
            *("deepgramSmartFormat", "ignoreBackchannel", "events", "partialPromptOnHangup", "asrSmartFormat"),
            *("ttsTextNormalization", "ttsLanguageTextNormalization", "elevenlabsLanguageTextNormalization"),
            *("includeInPrompt", "customerName"),
        ),
        (TEXT, None, 12200),
    ),
}
PAY: dict[str, tuple[Any, Any, int]] = {
    "input": (words("dtmf"), "dtmf", 12200),
    "action": ACTION,
    "method": (([("POST", "POST")], ["GET", ""]), "POST", 64016),
    "statusCallback": (CALLBACK, None, 11100),
    "statusCallbackMethod": (METHOD, "POST", 12200),
    "paymentMethod": (words("credit-card", "ach-debit"), "credit-card", 12200),
    "bankAccountType": (
        words("consumer-checking", "consumer-savings", "commercial-checking", "commercial-savings"),
        "consumer-checking",
        12200,
    ),
    "timeout": (whole(1, 600), 5, 12200),
    "maxAttempts": (whole(1, 3), 1, 12200),
    "securityCode": (FLAG, True, 12200),
    "postalCode": (([("true", "true"), ("false", "false"), ("94105", "94105")], ["", "x" * 17]), "true", 12200),
    "minPostalCodeLength": (whole(0), None, 12200),
    "paymentConnector": (([("P", "P")], [""]), "Default", 12200),
    "tokenType": (words("one-time", "reusable", "payment-method"), "reusable", 12200),
    "chargeAmount": (
        (
            [("0", Decimal(0)), ("20.45", Decimal("20.45")), ("1000000", Decimal(1000000))],
            ["-1", "1000000.01", "x", ""],
        ),
        None,
        12200,
    ),
    "currency": (([("eur", "eur")], ["", "euro"]), "usd", 12200),
    "description": (TEXT, None, 12200),
    "validCardTypes": (([("visa maestro", ("visa", "maestro"))], ["", "x"]), ("visa", "mastercard", "amex"), 12200),
    "language": (([("fr-CA", "fr-CA")], [""]), "en-US", 12200),
}
QUEUE: dict[str, tuple[Any, Any, int]] = {
    "url": (URL, None, 14211),
    "method": (METHOD, "POST", 14210),
    "reservationSid": (([("WR1", "WR1")], [""]), None, 14215),
    "postWorkActivitySid": (([("WA1", "WA1")], [""]), None, 14218),
}

# element path -> document with {} for the attribute; rows
DOCUMENTS: dict[str, tuple[str, dict[str, tuple[Any, Any, int]]]] = {
    "Say": ("<Say{}>x</Say>", SAY),
    "Gather/Say": (
        "<Gather><Say{}>x</Say></Gather>",
        {"voice": (SAY["voice"][0], None, 13321), "loop": (whole(0), 1, 13322), "language": SAY["language"]},
    ),
    "Play": ("<Play{}>http://a.test/a.wav</Play>", {"loop": (whole(0), 1, 13410), "digits": (DIGITS, "", 13430)}),
    "Gather/Play": ("<Gather><Play{}>http://a.test/a.wav</Play></Gather>", {"loop": (whole(0), 1, 13410)}),
    "Pause": ("<Pause{}/>", {"length": (whole(1), 1, 13910)}),
    "Gather": ("<Gather{}/>", GATHER),
    "Record": ("<Record{}/>", RECORD),
    "Dial": ("<Dial{}>+14155550100</Dial>", DIAL),
    "Dial/Number": (
        "<Dial><Number{}>+14155550100</Number></Dial>",
        {
            **callee(13221),
            **AMD,
            "sendDigits": (DIGITS, "", 13222),
            "byoc": (([("BY" + "0" * 32, "BY" + "0" * 32)], ["", "BY1"]), None, 12200),
        },
    ),
    "Dial/Sip": (
        "<Dial><Sip{}>sip:a@b.test</Sip></Dial>",
        {
            **callee(13241),
            **AMD,
            "username": (([("u" * 255, "u" * 255)], ["u" * 256]), None, 13249),
        },
    ),
    "Dial/Client": (
        "<Dial><Client{}>ann</Client></Dial>",
        {**callee(12200), "clientNotificationUrl": (CALLBACK, None, 11100)},
    ),
    "Dial/Application": (
        "<Dial><Application{}><ApplicationSid>AP" + "0" * 32 + "</ApplicationSid></Application></Dial>",
        {
            **callee(12200),
            "customerId": (([("c" * 256, "c" * 256)], ["c" * 257]), None, 12200),
            "copyParentTo": (FLAG, False, 12200),
        },
    ),
    "Dial/WhatsApp": ("<Dial><WhatsApp{}>+14155550100</WhatsApp></Dial>", callee(12200)),
    "Dial/Conference": ("<Dial><Conference{}>room</Conference></Dial>", CONFERENCE),
    "Dial/Queue": ("<Dial><Queue{}>q</Queue></Dial>", QUEUE),
    "Queue": ("<Queue{}>q</Queue>", QUEUE),
    "Enqueue": (
        "<Enqueue{}>q</Enqueue>",
        {
            "action": (([*URL[0], ("", "")], URL[1]), None, 14203),
            "method": (METHOD, "POST", 14201),
            "waitUrl": (([*URL[0], ("", "")], URL[1]), None, 14202),
            "waitUrlMethod": (METHOD, None, 14206),
            "workflowSid": (([("WW1", "WW1")], [""]), None, 14220),
            "maxQueueSize": (whole(1), None, 12200),
        },
    ),
    "Enqueue/Task": (
        "<Enqueue>q<Task{}>{{}}</Task></Enqueue>",
        {"priority": (whole(0), None, 12200), "timeout": (whole(0), None, 12200)},
    ),
    "Redirect": ("<Redirect{}>/x</Redirect>", {"method": (METHOD, "POST", 13710)}),
    "Reject": ("<Reject{}/>", {"reason": (words("rejected", "busy"), "rejected", 13810)}),
    "Refer": (
        "<Refer{}><Sip>sip:a@b.test</Sip></Refer>",
        {"action": ACTION, "method": (METHOD, "POST", 12200)},
    ),
    "Connect": (
        '<Connect{}><Stream url="wss://a.test"/></Connect>',
        {"action": ACTION, "method": (METHOD, "POST", 12200)},
    ),
    "Start": (
        '<Start{}><Stream url="wss://a.test"/></Start>',
        {"action": ACTION, "method": (METHOD, "POST", 12200)},
    ),
    "Start/Stream": ('<Start><Stream url="wss://a.test"{}/></Start>', STREAM),
    "Start/Siprec": (
        '<Start><Siprec connectorName="c"{}/></Start>',
        {
            "name": STREAM["name"],
            "track": (TRACK, "both_tracks", 12200),
            "statusCallback": (CALLBACK, None, 11100),
            "statusCallbackMethod": (METHOD, "POST", 12200),
        },
    ),
    "Start/Transcription": ("<Start><Transcription{}/></Start>", TRANSCRIPTION),
    "Start/Recording": (
        "<Start><Recording{}/></Start>",
        {
            "name": STREAM["name"],
            "trim": (TRIM, "trim-silence", 13699),
            "track": (words("inbound", "outbound", "both"), "both", 13622),
            "channels": (words("mono", "dual"), "dual", 12200),
            **recording(13621),
        },
    ),
    "Connect/ConversationRelay": ('<Connect><ConversationRelay url="wss://a.test"{}/></Connect>', RELAY),
    "Connect/VirtualAgent": (
        "<Connect><VirtualAgent{}/></Connect>",
        {
            "connectorName": STREAM["name"],
            "language": STREAM["name"],
            "sentimentAnalysis": (FLAG, None, 12200),
            "statusCallback": (CALLBACK, None, 11100),
            "statusCallbackMethod": (METHOD, "POST", 12200),
        },
    ),
    "Pay": ("<Pay{}/>", PAY),
    "Pay/Prompt": (
        "<Pay><Prompt{}/></Pay>",
        {
            "for": (
                ([("payment-card-number security-code", ("payment-card-number", "security-code"))], ["", "x"]),
                (),
                12200,
            ),
            "errorType": (([("timeout invalid-date", ("timeout", "invalid-date"))], ["", "x"]), (), 12200),
            "cardType": (([("visa jcb", ("visa", "jcb"))], ["", "x"]), (), 12200),
            "attempt": (([("1 3", ("1", "3"))], ["", "4"]), (), 12200),
            "requireMatchingInputs": (FLAG, False, 12200),
        },
    ),
    "Sms": (
        "<Sms{}>hello</Sms>",
        {
            "to": (([("+14155550100", "+14155550100")], [""]), None, 14101),
            "from": (([("+14155550100", "+14155550100")], [""]), None, 14102),
            "action": ACTION,
            "method": (METHOD, "POST", 14104),
            "statusCallback": (CALLBACK, None, 14105),
        },
    ),
}
VITAL = {"action", "url", "referUrl"}
"""A bad one stays in the verb: reaching it is an execution error."""

VALID = [
    pytest.param(path, name, text, value, id=f"{path} {name}={text[:20]!r}")
    for path, (_, rows) in DOCUMENTS.items()
    for name, ((valid, _), _, _) in rows.items()
    for text, value in valid
]
INVALID = [
    pytest.param(path, name, text, default, code, id=f"{path} {name}={text[:20]!r} bad")
    for path, (_, rows) in DOCUMENTS.items()
    for name, ((_, invalid), default, code) in rows.items()
    for text in invalid
]
DEFAULTS = [
    pytest.param(path, name, default, id=f"{path} {name} default")
    for path, (_, rows) in DOCUMENTS.items()
    for name, (_, default, _) in rows.items()
]


def read(path: str, attribute: str) -> tuple[Node, list[tuple[int, str | None]]]:
    """The element at `path` of its document with this attribute, and the problems as (code, attribute)."""
    template, _ = DOCUMENTS[path]
    document = parse(f"<Response>{template.format(attribute)}</Response>".encode())
    node: Node = document.verbs[0]
    for step in path.split("/")[1:]:
        form = shape(type(node))
        assert form.children is not None
        node = next(child for child in getattr(node, form.children[0]) if child.element() == step)
    return node, [(problem.code, problem.attribute) for problem in document.problems]


def value_of(node: Node, name: str) -> Any:
    return getattr(node, shape(type(node)).attributes[name].field)


@pytest.mark.parametrize(("path", "name", "text", "value"), VALID)
def test_a_good_value_is_taken_without_a_word(path: str, name: str, text: str, value: Any) -> None:
    node, problems = read(path, f" {name}={quoteattr(text)}")
    assert value_of(node, name) == value
    expected = {("Record", "transcribeCallback"), ("Gather", "enhanced")}
    assert [p for p in problems if p[1] == name] == [] or (path, name) in expected


@pytest.mark.parametrize(("path", "name", "text", "default", "code"), INVALID)
def test_a_bad_value_has_its_code_and_the_default_holds(
    path: str, name: str, text: str, default: Any, code: int
) -> None:
    node, problems = read(path, f" {name}={quoteattr(text)}")
    assert (code, name) in problems
    kept = name in VITAL and shape(type(node)).attributes[name].rule.keeps_bad()
    assert value_of(node, name) == (text.strip() if kept else default)


@pytest.mark.parametrize(("path", "name", "default"), DEFAULTS)
def test_an_absent_attribute_has_its_default(path: str, name: str, default: Any) -> None:
    node, _ = read(path, "")
    assert value_of(node, name) == default


@pytest.mark.parametrize("path", DOCUMENTS)
def test_an_unknown_attribute_is_a_warning_and_ignored(path: str) -> None:
    plain, before = read(path, "")
    node, problems = read(path, ' offhookUnknown="1"')
    assert node == plain
    assert problems == [*before, (12200, "offhookUnknown")] or set(problems) - set(before) == {
        (12200, "offhookUnknown")
    }


@pytest.mark.parametrize("path", DOCUMENTS)
def test_an_attribute_in_the_wrong_case_is_unknown(path: str) -> None:
    _, rows = DOCUMENTS[path]
    for name in rows:
        _, problems = read(path, f' {name.upper()}="1"')
        assert (12200, name.upper()) in problems


def test_the_table_of_this_test_holds_every_attribute_of_every_verb() -> None:
    listed = {path: set(rows) for path, (_, rows) in DOCUMENTS.items()}
    for verb in VERBS:
        known = set(shape(verb).attributes)
        if verb.element() == "Prompt":
            continue  # listed under Pay
        if known:
            assert listed[verb.element()] == known, verb


def test_long_calls_allow_a_day_of_recording_and_dialling() -> None:
    document = parse(
        b'<Response><Record maxLength="86400"/><Dial timeLimit="86400">+14155550100</Dial></Response>', long_calls=True
    )
    assert document.problems == ()
    assert value_of(document.verbs[0], "maxLength") == 86400
    assert value_of(document.verbs[1], "timeLimit") == 86400
