"""The verbs: what an application can have done to a call. Every attribute is one annotated row (see `nodes`).

URLs are as written; in a verb that the interpreter hands out they are absolute.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeAlias

import attrs

from .attributes import (
    Choice,
    Decimals,
    Flag,
    Keys,
    Link,
    Listed,
    Pattern,
    Several,
    Text,
    Whole,
    WholeOrAuto,
)
from .channels import (
    AiSession,
    Autopilot,
    Conversation,
    ConversationRelay,
    ConversationRelaySession,
    Recording,
    Room,
    Siprec,
    Stream,
    Transcription,
    VirtualAgent,
)
from .nodes import Body, Children, Node, Speech
from .nouns import (
    DIGITS,
    LANGUAGE,
    Application,
    Client,
    Conference,
    Method,
    Number,
    Parameter,
    RecordingEvent,
    RecordingTrack,
    ReferSip,
    Sim,
    Sip,
    Task,
    Trim,
    WhatsApp,
)
from .ssml import Markup, words, written

FOREVER = 1000
"""How often something is repeated that is to be repeated until hang-up."""


@attrs.frozen(kw_only=True)
class Verb(Node):
    """A direct child of `Response`."""


# ---- speaking and listening ----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Say(Verb):
    """Speak. `voice` and `language` are `None` where the document leaves them to the account's settings."""

    codes_inside: ClassVar = {"Gather": {"voice": 13321, "loop": 13322}}

    content: Annotated[tuple[str | Markup, ...], Speech()] = ()
    voice: Annotated[
        str | None,
        Pattern(
            r"man|woman|alice|[A-Za-z]+\.[\w-]+(?::[\w.-]+)?",
            "man, woman, alice or an engine and its voice, such as Polly.Joanna",
            code=13511,
        ),
    ] = None
    language: Annotated[str | None, Pattern(LANGUAGE, "a language tag such as en-US", code=13512)] = None
    loop: Annotated[int, Whole(0, code=13510)] = 1

    @property
    def text(self) -> str:
        """The words alone, spaces and line breaks as one space each."""
        return " ".join(words(self.content).split())

    @property
    def ssml(self) -> str | None:
        """The content as SSML (without a `speak` element), `None` when it has no mark-up."""
        return None if all(isinstance(item, str) for item in self.content) else written(self.content)

    @property
    def times(self) -> int:
        return min(self.loop or FOREVER, FOREVER)


@attrs.frozen(kw_only=True)
class Play(Verb):
    """Play a file, or send digits."""

    url: Annotated[str, Body(rule=Link(vital=True, empty=True, code=11100))] = ""
    loop: Annotated[int, Whole(0, code=13410)] = 1
    digits: Annotated[str, Keys(DIGITS, code=13430)] = ""

    @property
    def times(self) -> int:
        return min(self.loop or FOREVER, FOREVER)


@attrs.frozen(kw_only=True)
class Pause(Verb):
    """Wait in silence for `length` seconds."""

    length: Annotated[int, Whole(1, code=13910)] = 1


Spoken: TypeAlias = Say | Play | Pause

_MODELS = (
    "default|numbers_and_commands|phone_call|experimental_conversations|experimental_utterances"
    r"|googlev2_(?:long|short|telephony|telephony_short)|deepgram_nova-[23](?:-[a-z]+)?"
)


@attrs.frozen(kw_only=True)
class Gather(Verb):
    """Collect keys or speech while prompts play. Times in seconds."""

    prompts: Annotated[tuple[Spoken, ...], Children((Say, Play, Pause), code=13320)] = ()
    input: Annotated[tuple[str, ...], Several(Literal["dtmf", "speech"], code=13326)] = ("dtmf",)
    action: Annotated[str | None, Link(vital=True, empty=True, code=11100)] = None
    method: Annotated[Method, Choice(Method, fold=True, code=13312)] = "POST"
    timeout: Annotated[int | None, WholeOrAuto(1, code=13313)] = 5
    """`None` is `auto`."""
    finish_on_key: Annotated[str, Keys("0123456789#*", 1, code=13310)] = "#"
    num_digits: Annotated[int | None, Whole(1, code=13314)] = None
    action_on_empty_result: Annotated[bool, Flag(code=13338)] = False
    speech_timeout: Annotated[int | Literal["timeout"] | None, WholeOrAuto(1, code=13327)] = "timeout"
    """`None` is `auto`; `"timeout"` is the value of that attribute."""
    max_speech_time: Annotated[int, Whole(1, 60, code=13328)] = 60
    speech_model: Annotated[str | None, Pattern(_MODELS, "a speech model", code=13334)] = None
    enhanced: Annotated[bool, Flag()] = False
    language: Annotated[str, Pattern(LANGUAGE, "a language tag such as en-US", code=13331)] = "en-US"
    hints: Annotated[tuple[str, ...], Listed(500, 100, code=13330)] = ()
    profanity_filter: Annotated[bool, Flag(code=13333)] = True
    partial_result_callback: Annotated[str | None, Link(callback=True, code=11100)] = None
    partial_result_callback_method: Annotated[Method, Choice(Method, fold=True, code=13329)] = "POST"
    barge_in: Annotated[bool, Flag(code=13332)] = True
    debug: Annotated[bool, Flag()] = False


@attrs.frozen(kw_only=True)
class Record(Verb):
    """Record the caller. Times in seconds; `timeout` 0 is no limit on silence."""

    action: Annotated[str | None, Link(vital=True, empty=True, code=11100)] = None
    method: Annotated[Method, Choice(Method, fold=True, code=13610)] = "POST"
    timeout: Annotated[int, Whole(0, code=13611)] = 5
    finish_on_key: Annotated[str, Keys("0123456789#*", code=13613)] = "1234567890*#"
    max_length: Annotated[int | None, Whole(2, 14400, 86400, code=13612)] = None
    """`None` is the default, which depends on `transcribe`; see `limit_s`."""
    play_beep: Annotated[bool, Flag(code=13616)] = True
    trim: Annotated[Trim, Choice(Trim, code=13699)] = "trim-silence"
    recording_status_callback: Annotated[str | None, Link(callback=True, code=13256)] = None
    recording_status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    recording_status_callback_event: Annotated[tuple[str, ...], Several(RecordingEvent, code=13621)] = ("completed",)
    transcribe: Annotated[bool, Flag(code=13614)] = False
    transcribe_callback: Annotated[str | None, Link(callback=True, code=13257)] = None
    recording_configuration_id: Annotated[str | None, Text()] = None

    @property
    def limit_s(self) -> int:
        if self.max_length is not None:
            return self.max_length
        return 120 if self.transcribe else 3600


# ---- connecting ----------------------------------------------------------------------------------------------------

RING_TONES = (
    "at|au|bg|br|be|ch|cl|cn|cz|de|dk|ee|es|fi|fr|gr|hu|il|in|it|lt|jp|mx|my|nl|no|nz|ph|pl|pt|ru|se|sg|th|uk|us|us-old"
    "|tw|ve|za"
)
DialRecord = Literal[
    "do-not-record",
    "record-from-answer",
    "record-from-ringing",
    "record-from-answer-dual",
    "record-from-ringing-dual",
]


@attrs.frozen(kw_only=True)
class Queue(Verb):
    """The front caller of a queue: a noun of `Dial`. The official generator can also write it as a verb."""

    name: Annotated[str, Body(rule=Text(1, code=14212, required=True))] = ""
    url: Annotated[str | None, Link(vital=True, code=14211)] = None
    method: Annotated[Method, Choice(Method, fold=True, code=14210)] = "POST"
    reservation_sid: Annotated[str | None, Text(1, code=14215)] = None
    post_work_activity_sid: Annotated[str | None, Text(1, code=14218)] = None


@attrs.frozen(kw_only=True)
class Dial(Verb):
    """Call somebody and bridge. A plain number in the document becomes a `Number` in `nouns`. Times in seconds."""

    number: Annotated[str, Body(rule=Text(code=13223))] = ""
    """Always empty in a parsed verb."""
    nouns: Annotated[
        tuple[Number | Sip | Client | Conference | Queue | Sim | Application | WhatsApp, ...],
        Children((Number, Sip, Client, Conference, Queue, Sim, Application, WhatsApp), code=13215),
    ] = ()
    action: Annotated[str | None, Link(vital=True, empty=True, code=11100)] = None
    method: Annotated[Method, Choice(Method, fold=True, code=13210)] = "POST"
    timeout: Annotated[int, Whole(5, 600, code=13212)] = 30
    time_limit: Annotated[int | None, Whole(1, 14400, 86400, code=13216)] = None
    """`None` is the longest a call may last."""
    caller_id: Annotated[str | None, Text(code=13214)] = None
    hangup_on_star: Annotated[bool, Flag(code=13213)] = False
    answer_on_bridge: Annotated[bool, Flag(code=13219)] = False
    ring_tone: Annotated[str | None, Pattern(RING_TONES, "a country code such as us or de", code=13220)] = None
    record: Annotated[
        DialRecord,
        Choice(DialRecord, aliases={"true": "record-from-answer", "false": "do-not-record"}, code=13217),
    ] = "do-not-record"
    recording_track: Annotated[RecordingTrack, Choice(RecordingTrack, code=13622)] = "both"
    trim: Annotated[Trim, Choice(Trim, code=13699)] = "do-not-trim"
    recording_status_callback: Annotated[str | None, Link(callback=True, code=13256)] = None
    recording_status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    recording_status_callback_event: Annotated[tuple[str, ...], Several(RecordingEvent, code=13621)] = ("completed",)
    recording_configuration_id: Annotated[str | None, Text()] = None
    sequential: Annotated[bool, Flag(code=13218)] = False
    refer_url: Annotated[str | None, Link(vital=True, code=11100)] = None
    refer_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    call_reason: Annotated[str | None, Text(most=50, code=32115)] = None
    events: Annotated[str | None, Text()] = None
    passports: Annotated[str | None, Text()] = None


@attrs.frozen(kw_only=True)
class Enqueue(Verb):
    """Put the caller into a queue. An empty `wait_url` is silence, `None` the stock music."""

    name: Annotated[str, Body(rule=Text(code=14204))] = ""
    action: Annotated[str | None, Link(vital=True, empty=True, code=14203)] = None
    method: Annotated[Method, Choice(Method, fold=True, code=14201)] = "POST"
    wait_url: Annotated[str | None, Link(empty=True, code=14202)] = None
    wait_url_method: Annotated[Method | None, Choice(Method, fold=True, code=14206)] = None
    """`None` is POST for a `wait_url` and GET for the stock music."""
    workflow_sid: Annotated[str | None, Text(1, code=14220)] = None
    max_queue_size: Annotated[int | None, Whole(1)] = None
    tasks: Annotated[tuple[Task, ...], Children((Task,))] = ()


@attrs.frozen(kw_only=True)
class Leave(Verb):
    """Take the caller out of the queue whose waiting document this is."""


@attrs.frozen(kw_only=True)
class Refer(Verb):
    """Hand the call over to another SIP address (RFC 3515)."""

    sips: Annotated[tuple[ReferSip, ...], Children((ReferSip,))] = ()
    action: Annotated[str | None, Link(vital=True, empty=True, code=11100)] = None
    method: Annotated[Method, Choice(Method, fold=True)] = "POST"


@attrs.frozen(kw_only=True)
class Connect(Verb):
    """Connect the call to an application's own media."""

    nouns: Annotated[
        tuple[
            Stream
            | ConversationRelay
            | VirtualAgent
            | Room
            | Conversation
            | Autopilot
            | AiSession
            | ConversationRelaySession,
            ...,
        ],
        Children(
            (
                Stream,
                ConversationRelay,
                VirtualAgent,
                Room,
                Conversation,
                Autopilot,
                AiSession,
                ConversationRelaySession,
            )
        ),
    ] = ()
    action: Annotated[str | None, Link(vital=True, empty=True, code=11100)] = None
    method: Annotated[Method, Choice(Method, fold=True)] = "POST"


_BACKGROUND = (Stream, Siprec, Transcription, Recording)


@attrs.frozen(kw_only=True)
class Start(Verb):
    """Start something beside the verbs."""

    nouns: Annotated[tuple[Stream | Siprec | Transcription | Recording, ...], Children(_BACKGROUND, code=14300)] = ()
    action: Annotated[str | None, Link(empty=True, code=11100)] = None
    method: Annotated[Method, Choice(Method, fold=True)] = "POST"


@attrs.frozen(kw_only=True)
class Stop(Verb):
    """Stop, by name, what a `Start` has started."""

    nouns: Annotated[tuple[Stream | Siprec | Transcription | Recording, ...], Children(_BACKGROUND, code=14300)] = ()


# ---- the course of the call ----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Redirect(Verb):
    """Go on with another document; without a URL, with this one again."""

    url: Annotated[str, Body(rule=Link(vital=True, empty=True, code=11100))] = ""
    method: Annotated[Method, Choice(Method, fold=True, code=13710)] = "POST"


@attrs.frozen(kw_only=True)
class Reject(Verb):
    """Refuse the call."""

    reason: Annotated[Literal["rejected", "busy"], Choice(Literal["rejected", "busy"], code=13810)] = "rejected"
    parameters: Annotated[tuple[Parameter, ...], Children((Parameter,))] = ()


@attrs.frozen(kw_only=True)
class Hangup(Verb):
    """End the call."""

    parameters: Annotated[tuple[Parameter, ...], Children((Parameter,))] = ()


@attrs.frozen(kw_only=True)
class Echo(Verb):
    """Send the caller's own audio back."""


@attrs.frozen(kw_only=True)
class Sms(Verb):
    """Send a text message. `to` and `from_` are `None` for the parties of the call."""

    message: Annotated[str, Body(rule=Text(1, code=14103, required=True))] = ""
    to: Annotated[str | None, Text(1, code=14101)] = None
    from_: Annotated[str | None, Text(1, code=14102, name="from")] = None
    action: Annotated[str | None, Link(vital=True, empty=True, code=11100)] = None
    method: Annotated[Method, Choice(Method, fold=True, code=14104)] = "POST"
    status_callback: Annotated[str | None, Link(callback=True, code=14105)] = None


# ---- paying --------------------------------------------------------------------------------------------------------

_FOR = Literal[
    "payment-card-number",
    "expiration-date",
    "security-code",
    "postal-code",
    "bank-routing-number",
    "bank-account-number",
    "payment-processing",
]
_PROMPT_ERROR = Literal[
    "timeout",
    "invalid-card-number",
    "invalid-card-type",
    "invalid-date",
    "invalid-security-code",
    "internal-error",
    "input-matching-failed",
]
_CARD = Literal["visa", "mastercard", "amex", "maestro", "discover", "optima", "jcb", "diners-club", "enroute"]


@attrs.frozen(kw_only=True)
class Prompt(Verb):
    """What `Pay` says at a certain step. The official generator can also write it as a verb."""

    prompts: Annotated[tuple[Spoken, ...], Children((Say, Play, Pause))] = ()
    for_: Annotated[tuple[str, ...], Several(_FOR, name="for")] = ()
    error_type: Annotated[tuple[str, ...], Several(_PROMPT_ERROR)] = ()
    card_type: Annotated[tuple[str, ...], Several(_CARD)] = ()
    attempt: Annotated[tuple[str, ...], Several(Literal["1", "2", "3"])] = ()
    require_matching_inputs: Annotated[bool, Flag()] = False


@attrs.frozen(kw_only=True)
class Pay(Verb):
    """Take a payment by keypad. Times in seconds."""

    children: Annotated[tuple[Prompt | Parameter, ...], Children((Prompt, Parameter))] = ()
    input: Annotated[Literal["dtmf"], Choice(Literal["dtmf"])] = "dtmf"
    action: Annotated[str | None, Link(vital=True, empty=True, code=11100)] = None
    status_callback: Annotated[str | None, Link(callback=True, code=11100)] = None
    status_callback_method: Annotated[Method, Choice(Method, fold=True)] = "POST"
    payment_method: Annotated[Literal["credit-card", "ach-debit"], Choice(Literal["credit-card", "ach-debit"])] = (
        "credit-card"
    )
    bank_account_type: Annotated[
        Literal["consumer-checking", "consumer-savings", "commercial-checking", "commercial-savings"],
        Choice(Literal["consumer-checking", "consumer-savings", "commercial-checking", "commercial-savings"]),
    ] = "consumer-checking"
    timeout: Annotated[int, Whole(1, 600)] = 5
    max_attempts: Annotated[int, Whole(1, 3)] = 1
    security_code: Annotated[bool, Flag()] = True
    postal_code: Annotated[str, Pattern(r"[\w -]{1,16}", "true, false or a postal code")] = "true"
    min_postal_code_length: Annotated[int | None, Whole(0)] = None
    payment_connector: Annotated[str, Text(1)] = "Default"
    token_type: Annotated[
        Literal["one-time", "reusable", "payment-method"], Choice(Literal["one-time", "reusable", "payment-method"])
    ] = "reusable"
    charge_amount: Annotated[Decimal | None, Decimals(Decimal(0), Decimal(1_000_000))] = None
    """`None` or 0 makes a token only."""
    currency: Annotated[str, Pattern("[A-Za-z]{3}", "an ISO currency code such as usd")] = "usd"
    description: Annotated[str | None, Text()] = None
    valid_card_types: Annotated[tuple[str, ...], Several(_CARD)] = ("visa", "mastercard", "amex")
    language: Annotated[str, Pattern(LANGUAGE, "a language tag such as en-US")] = "en-US"
    method: Annotated[Literal["POST"], Choice(Literal["POST"], fold=True, code=64016)] = "POST"


# ---- what no document writes ---------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class PlayAudio(Verb):
    """Play the audio that came in place of a document."""

    audio: bytes = attrs.field(repr=False)
    content_type: str


@attrs.frozen(kw_only=True)
class ErrorNotice(Verb):
    """Tell the caller that the application has failed."""


VERBS: tuple[type[Verb], ...] = (
    *(Say, Play, Pause, Gather, Record, Dial, Enqueue, Leave, Redirect, Reject, Hangup, Refer, Connect, Start, Stop),
    *(Pay, Sms, Echo, Prompt, Queue),
)
"""What may stand directly in `Response`."""
