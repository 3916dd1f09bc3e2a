"""Documents made at random: what is written is what is read, and nothing is ever more than a problem."""

from __future__ import annotations

import contextlib
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offhook.twiml import attributes as rules
from offhook.twiml import ssml, verbs
from offhook.twiml.errors import DocumentError
from offhook.twiml.lint import lint
from offhook.twiml.nodes import Node, shape
from offhook.twiml.parse import parse
from offhook.twiml.places import Place
from offhook.twiml.verbs import VERBS

WORDS = st.text(alphabet="abc xyzéß&<>\"'0", min_size=1, max_size=12).map(str.strip).filter(bool)


def written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "auto"
    return str(value)


def render(node: Node) -> str:
    """The element as a document writes it; every attribute that differs from its default."""
    form = shape(type(node))
    plain = type(node)()
    text = f"<{node.element()}"
    for attribute in form.attributes.values():
        value = getattr(node, attribute.field)
        if value == getattr(plain, attribute.field):
            continue
        separator = "," if isinstance(attribute.rule, rules.Listed) else " "
        value = separator.join(value) if isinstance(value, tuple) else written(value)
        text += f" {attribute.name}={quoteattr(value)}"
    text += ">"
    if form.speech is not None:
        text += ssml.written(getattr(node, form.speech))
    if form.body is not None:
        text += escape(getattr(node, form.body[0]))
    if form.children is not None:
        text += "".join(render(child) for child in getattr(node, form.children[0]))
    return text + f"</{node.element()}>"


def prompts() -> st.SearchStrategy[Node]:
    return st.one_of(says(), plays(), pauses())


def says() -> st.SearchStrategy[Node]:
    markup = st.recursive(
        st.just(ssml.Markup("break", (("time", "1s"),))),
        lambda inner: st.builds(
            ssml.Markup,
            st.sampled_from(["prosody", "lang"]),
            st.just(()),
            st.tuples(WORDS, inner),
        ).map(
            lambda made: ssml.Markup(made.name, (("xml:lang", "de-DE"),) if made.name == "lang" else (), made.content)
        ),
        max_leaves=3,
    )
    content = st.one_of(st.tuples(WORDS), st.tuples(WORDS, markup), st.tuples(WORDS, markup, WORDS))
    return st.builds(
        verbs.Say,
        content=content,
        voice=st.sampled_from([None, "man", "Polly.Joanna", "Google.en-US-Wavenet-A"]),
        language=st.sampled_from([None, "en-US", "de-DE"]),
        loop=st.integers(0, 2000),
    )


def plays() -> st.SearchStrategy[Node]:
    return st.builds(verbs.Play, url=st.sampled_from(["/a.wav", "https://a.test/é.mp3"]), loop=st.integers(0, 9))


def pauses() -> st.SearchStrategy[Node]:
    return st.builds(verbs.Pause, length=st.integers(1, 600))


METHODS = st.sampled_from(["GET", "POST"])
ACTIONS = st.sampled_from([None, "", "/next", "https://a.test/next?x=1"])


def gathers() -> st.SearchStrategy[Node]:
    return st.builds(
        verbs.Gather,
        prompts=st.lists(prompts(), max_size=3).map(tuple),
        input=st.sampled_from([("dtmf",), ("speech",), ("dtmf", "speech")]),
        action=ACTIONS,
        method=METHODS,
        timeout=st.one_of(st.none(), st.integers(1, 99)),
        finish_on_key=st.sampled_from(["", *"0123456789*#"]),
        num_digits=st.one_of(st.none(), st.integers(1, 20)),
        hints=st.sampled_from([(), ("one", "two three")]),
        action_on_empty_result=st.booleans(),
        barge_in=st.booleans(),
    )


def records() -> st.SearchStrategy[Node]:
    return st.builds(
        verbs.Record,
        action=ACTIONS,
        method=METHODS,
        timeout=st.integers(0, 99),
        finish_on_key=st.sampled_from(["", "#", "12"]),
        max_length=st.one_of(st.none(), st.integers(3, 100)),
        play_beep=st.booleans(),
        trim=st.sampled_from(["trim-silence", "do-not-trim"]),
        recording_status_callback_event=st.sampled_from([("completed",), ("absent", "in-progress")]),
    )


def others() -> st.SearchStrategy[Node]:
    return st.one_of(
        st.builds(verbs.Redirect, url=st.sampled_from(["", "/x", "http://a.test"]), method=METHODS),
        st.builds(verbs.Reject, reason=st.sampled_from(["rejected", "busy"])),
        st.just(verbs.Hangup()),
        st.just(verbs.Leave()),
        st.just(verbs.Echo()),
    )


@given(st.lists(st.one_of(prompts(), gathers(), records(), others()), max_size=5))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_is_read_again(made: list[Node]) -> None:
    text = "<Response>" + "\n".join(render(node) for node in made) + "</Response>"
    document = parse(text.encode())
    assert document.problems == ()
    assert document.verbs == tuple(made)


NAMES = sorted({verb.element() for verb in VERBS} | ssml.ANY | {"Number", "Sip", "Client", "Stream", "Parameter", "x"})
ATTRIBUTES = [
    "loop",
    "voice",
    "timeout",
    "action",
    "input",
    "url",
    "name",
    "length",
    "method",
    "zzz",
    "xml:lang",
    "digits",
]
VALUES = ["", "1", "0", "-1", "auto", "true", "dtmf", "POST", "http://a b", "/x", "#", "wss://a.test", "9" * 400, "é"]


@st.composite
def trees(draw: st.DrawFn, depth: int = 4) -> str:
    name = draw(st.sampled_from(NAMES))
    chosen = draw(st.dictionaries(st.sampled_from(ATTRIBUTES), st.sampled_from(VALUES), max_size=3))
    attributes = "".join(f" {key}={quoteattr(value)}" for key, value in chosen.items())
    inner = (
        draw(st.lists(st.one_of(st.sampled_from(["", "text", "/x", " \n"]), trees(depth - 1)), max_size=3))
        if depth
        else []
    )
    return f"<{name}{attributes}>{''.join(inner)}</{name}>"


@given(st.lists(trees(), max_size=4), st.sampled_from(list(Place)), st.booleans())
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_any_tree_of_elements_gives_verbs_and_problems_in_order(made: list[str], place: Place, inline: bool) -> None:
    data = f"<Response>{''.join(made)}</Response>".encode()
    document = parse(data, place=place, inline=inline)
    found = [(problem.line, problem.column) for problem in document.problems]
    assert found == sorted(found)
    assert list(document.problems) == lint(data, place=place, inline=inline)
    for problem in document.problems:
        assert problem.message
        assert 1 <= problem.line <= data.count(b"\n") + 1
        assert 1 <= problem.column <= len(data)


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_any_bytes_give_a_document_or_an_error_of_ours(data: bytes) -> None:
    for prefix in (b"", b"<Response>", b"<?xml version='1.0' encoding='utf-16'?>"):
        with contextlib.suppress(DocumentError):
            parse(prefix + data)


@given(st.text(max_size=80), st.sampled_from(sorted(ATTRIBUTES)), st.sampled_from([verb.element() for verb in VERBS]))
@settings(max_examples=300)
def test_any_value_of_any_attribute_is_at_most_a_problem(value: str, name: str, verb: str) -> None:
    clean = "".join(character for character in value if character.isprintable())
    parse(f"<Response><{verb} {name}={quoteattr(clean)}/></Response>".encode())
