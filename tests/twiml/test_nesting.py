"""Which element may stand in which: every pair."""

from __future__ import annotations

import pytest

from offhook.twiml import ssml
from offhook.twiml.nodes import Node, shape
from offhook.twiml.parse import parse
from offhook.twiml.verbs import VERBS

# As the reference has it, written down a second time.
MATRIX: dict[str, set[str]] = {
    "Gather": {"Say", "Play", "Pause"},
    "Say": set(ssml.ANY),
    "Dial": {"Number", "Sip", "Client", "Conference", "Queue", "Sim", "Application", "WhatsApp"},
    "Dial/Sip": {"Uri", "Headers"},
    "Dial/Sip/Headers": {"Header"},
    "Dial/Client": {"Identity", "Parameter"},
    "Dial/Application": {"ApplicationSid", "Parameter"},
    "Enqueue": {"Task"},
    "Refer": {"Sip"},
    "Start": {"Stream", "Siprec", "Transcription", "Recording"},
    "Stop": {"Stream", "Siprec", "Transcription", "Recording"},
    "Start/Stream": {"Parameter"},
    "Start/Siprec": {"Parameter"},
    "Start/Transcription": {"Config", "Parameter"},
    "Connect/VirtualAgent": {"Config", "Parameter"},
    "Connect": {
        *("Stream", "ConversationRelay", "VirtualAgent", "Room", "Conversation", "Autopilot", "AiSession"),
        "ConversationRelaySession",
    },
    "Connect/ConversationRelay": {"Language", "Parameter"},
    "Pay": {"Prompt", "Parameter"},
    "Pay/Prompt": {"Say", "Play", "Pause"},
    "Reject": {"Parameter"},
    "Hangup": {"Parameter"},
    **{
        name: set()
        for name in (
            *("Record", "Play", "Pause", "Redirect", "Leave", "Sms", "Echo", "Dial/Number", "Dial/Conference"),
            *("Dial/Queue", "Dial/Sim", "Dial/WhatsApp", "Connect/Room", "Start/Recording", "Connect/Conversation"),
            *("Enqueue/Task", "Refer/Sip", "Dial/Sip/Uri", "Dial/Client/Identity"),
        )
    },
}
EVERYTHING = sorted(
    {verb.element() for verb in VERBS} | set().union(*MATRIX.values()) | {"Foo", "say", "gather", "BREAK", "Response"}
)
CODES = {"Gather": 13320, "Dial": 13215, "Start": 14300, "Stop": 14300}


@pytest.mark.parametrize("path", MATRIX)
def test_only_the_listed_elements_may_stand_inside(path: str) -> None:
    *outer, parent = path.split("/")
    for child in EVERYTHING:
        text = "".join(f"<{name}>" for name in [*outer, parent]) + f"<{child}/>"
        text += "".join(f"</{name}>" for name in reversed([*outer, parent]))
        document = parse(f"<Response>{text}</Response>".encode())
        refused = [
            problem
            for problem in document.problems
            if problem.element == child and f"is not allowed inside {parent}" in problem.message
        ]
        assert bool(refused) == (child not in MATRIX[path]), (path, child)
        code = CODES.get(path, 12200)
        assert all(problem.code == code for problem in refused)


def classes(cls: type[Node]) -> set[type[Node]]:
    children = shape(cls).children
    return {cls}.union(*(classes(child) for child in children[1].classes)) if children else {cls}


def test_every_verb_of_the_language_is_known() -> None:
    listed = (
        "Say Play Pause Gather Record Dial Enqueue Leave Redirect Reject Hangup Refer Connect Start Stop Pay Sms Echo"
    )
    assert {verb.element() for verb in VERBS} == {*listed.split(), "Prompt", "Queue"}


def test_the_matrix_of_this_test_names_every_element_with_children() -> None:
    named = {path.split("/")[-1] for path in MATRIX}
    for cls in set().union(*(classes(verb) for verb in VERBS)):
        if shape(cls).children is not None:
            assert cls.element() in named


# ---- SSML ----------------------------------------------------------------------------------------------------------

REQUIRED = {"lang": ' xml:lang="de-DE"', "phoneme": ' ph="x"', "say-as": ' interpret-as="date"', "sub": ' alias="x"'}


@pytest.mark.parametrize("parent", sorted(ssml.ANY))
@pytest.mark.parametrize("child", sorted(ssml.ANY))
def test_every_pair_of_speech_elements(parent: str, child: str) -> None:
    body = f"<{parent}{REQUIRED.get(parent, '')}><{child}{REQUIRED.get(child, '')}/></{parent}>"
    document = parse(f"<Response><Say>x {body}</Say></Response>".encode())
    allowed = child in ssml.CHILDREN[parent]
    assert [problem.code for problem in document.problems] == ([] if allowed else [12200])


VALUES = [
    ("break", "strength", "none x-weak weak medium strong x-strong", "loud"),
    ("break", "time", "1s 500ms 1.5s", "1 s5 2min"),
    ("emphasis", "level", "strong moderate reduced", "x"),
    ("lang", "xml:lang", "de-DE en", "german!"),
    ("phoneme", "alphabet", "ipa x-sampa x-amazon-jyutping x-amazon-pinyin x-amazon-pron-kana x-amazon-yomigana", "x"),
    ("prosody", "volume", "default silent x-soft soft medium loud x-loud +6dB -3dB", "6 +6"),
    ("prosody", "rate", "x-slow slow medium fast x-fast 80%", "80"),
    ("prosody", "pitch", "default x-low low medium high x-high +10% -5%", "10Hz"),
    (
        "say-as",
        "interpret-as",
        "characters spell-out cardinal number ordinal digits fraction unit date time address expletive telephone",
        "money",
    ),
    ("say-as", "format", "mdy dmy ymd md dm ym my d m y yyyymmdd", "xyz"),
    ("sub", "alias", "x", ""),
    ("w", "role", "amazon:VB", ""),
]


@pytest.mark.parametrize(("element", "attribute", "good", "bad"), VALUES)
def test_the_values_of_speech_attributes(element: str, attribute: str, good: str, bad: str) -> None:
    others = "" if attribute in REQUIRED.get(element, "") else REQUIRED.get(element, "")

    def problems(value: str) -> list[tuple[int, str | None]]:
        text = "" if element == "break" else "y"
        body = f'<Response><Say>x<{element}{others} {attribute}="{value}">{text}</{element}></Say></Response>'
        return [(problem.code, problem.attribute) for problem in parse(body.encode()).problems]

    assert all(problems(value) == [] for value in good.split())
    assert all(problems(value) == [(12200, attribute)] for value in bad.split() or [""])


def test_the_words_of_a_useless_speech_element_are_still_spoken() -> None:
    document = parse(b"<Response><Say>a <say-as>b <foo>c</foo></say-as></Say></Response>")
    (say,) = document.verbs
    assert getattr(say, "text", None) == "a b"
    assert len(document.problems) == 2
