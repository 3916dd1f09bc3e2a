"""Documents: roots, text, rules that join several attributes, and what happens to what is wrong."""

from __future__ import annotations

import time

import pytest

from offhook.twiml import nouns, verbs
from offhook.twiml.codes import Level
from offhook.twiml.errors import TwimlError, WrongRoot, WrongVersion
from offhook.twiml.parse import Document, parse
from offhook.twiml.places import ALLOWED, Place
from offhook.twiml.verbs import VERBS, Dial, Gather, Pause, Play, Record, Redirect, Say, Verb


def read(body: str, *, inline: bool = False) -> Document:
    return parse(f"<Response>{body}</Response>".encode(), inline=inline)


def codes(document: Document) -> list[int]:
    return [problem.code for problem in document.problems]


def only(body: str) -> Verb:
    document = read(body)
    assert len(document.verbs) == 1
    return document.verbs[0]


@pytest.mark.parametrize("root", ["response", "Foo", "html", "Response2"])
def test_any_other_root_is_refused(root: str) -> None:
    with pytest.raises(WrongRoot) as caught:
        parse(f"\n <{root}/>".encode())
    assert (caught.value.code, caught.value.line, caught.value.column) == (12102, 2, 2)


def test_a_version_that_never_was_is_refused_and_an_old_one_is_taken() -> None:
    assert parse(b'<Response version="2010-04-01"/>').problems == ()
    with pytest.raises(WrongVersion) as caught:
        parse(b'<Response version="3"/>')
    assert (caught.value.code, caught.value.line, caught.value.column) == (12101, 1, 11)


def test_an_empty_document_has_no_verbs_and_no_problems() -> None:
    assert parse(b"<Response/>") == Document(())
    assert parse(b'<?xml version="1.0"?><!-- x --><Response>\n</Response>') == Document(())


def test_verbs_come_in_document_order_with_their_places() -> None:
    document = read("\n<Say>a</Say>\n  <Pause/><Hangup/>")
    assert [type(verb).__name__ for verb in document.verbs] == ["Say", "Pause", "Hangup"]
    assert [(verb.at.line, verb.at.column) for verb in document.verbs] == [(2, 1), (3, 3), (3, 11)]


def test_places_do_not_make_verbs_differ() -> None:
    assert read("<Pause/>").verbs == read("\n\n <Pause/>").verbs


def test_an_unknown_verb_is_skipped_and_the_right_spelling_named() -> None:
    document = read("<say>x</say><Pause/>")
    assert document.verbs == (Pause(),)
    assert codes(document) == [12200]
    assert document.problems[0].message.endswith("write Say")
    assert document.problems[0].level is Level.WARNING


def test_text_outside_a_verb_is_a_warning() -> None:
    assert codes(read("hello<Pause/>")) == [12200]


def test_problems_are_sorted_by_place() -> None:
    document = read('<Pause length="x"/>\n<Foo/><Say loop="x" voice="y">a</Say>')
    places = [(problem.line, problem.column) for problem in document.problems]
    assert places == sorted(places)
    assert codes(document) == [13910, 12200, 13510, 13511]


def test_a_problem_prints_as_one_line() -> None:
    (problem,) = read('<Pause length="x"/>').problems
    assert str(problem) == "1:18: warning 13910 length='x' should be a whole number of at least 1"


def test_attributes_of_xml_itself_say_nothing() -> None:
    document = parse(
        b'<Response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="x">'
        b'<Say xml:space="preserve">a</Say></Response>'
    )
    assert document.problems == ()


# ---- text ----------------------------------------------------------------------------------------------------------


def test_text_round_urls_and_numbers_is_trimmed() -> None:
    assert only("<Play>\n  http://a.test/a.wav\n</Play>") == Play(url="http://a.test/a.wav")
    assert only("<Redirect>\n ../x \n</Redirect>") == Redirect(url="../x")
    dial = only("<Dial>\n  +14155550100\n</Dial>")
    assert isinstance(dial, Dial)
    assert dial.nouns == (nouns.Number(number="+14155550100"),)


def test_an_empty_redirect_is_the_document_itself() -> None:
    assert read("<Redirect/><Redirect> </Redirect>") == Document((Redirect(), Redirect()))


def test_a_bad_redirect_stays_to_fail_when_it_is_reached() -> None:
    document = read("<Redirect>http://a b/</Redirect>")
    assert document.verbs == (Redirect(url="http://a b/"),)
    assert codes(document) == [11100]


@pytest.mark.parametrize("verb", ["Pause", "Gather", "Record", "Leave", "Hangup", "Reject", "Echo", "Start", "Pay"])
def test_text_where_none_belongs_is_a_warning(verb: str) -> None:
    assert 12200 in codes(read(f"<{verb}>text</{verb}>"))


# ---- Say and Play --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["<Say/>", "<Say> \n</Say>", "<Say><break/></Say>"])
def test_a_say_without_words_is_skipped(body: str) -> None:
    document = read(body)
    assert (document.verbs, codes(document)) == ((), [13520])


@pytest.mark.parametrize(
    ("voice", "limit"),
    [("", 4096), (' voice="alice"', 4096), (' voice="Polly.Joanna"', 3000), (' voice="Google.en-US-Wavenet-A"', 5000)],
)
def test_each_kind_of_voice_speaks_so_many_characters(voice: str, limit: int) -> None:
    assert codes(read(f"<Say{voice}>{'x' * limit}</Say>")) == []
    document = read(f"<Say{voice}>{'x' * (limit + 1)}</Say><Pause/>")
    assert (document.verbs, codes(document)) == ((Pause(),), [13521])


def test_tags_count_for_google_and_not_for_polly() -> None:
    filler = "x" * 2990
    assert codes(read(f'<Say voice="Polly.Joanna">{filler}<break time="1s"/></Say>')) == []
    filler = "x" * 4990
    assert codes(read(f'<Say voice="Google.en-US-Wavenet-A">{filler}<break time="1s"/></Say>')) == [13521]


def test_text_of_a_basic_voice_must_fit_when_it_is_encoded() -> None:
    assert codes(read(f"<Say>{'é' * 750}</Say>")) == []
    assert codes(read(f"<Say>{'é' * 751}</Say>")) == [13521]
    assert codes(read(f'<Say voice="Polly.Tatyana">{"я" * 3000}</Say>')) == []


def test_spoken_text_is_one_line() -> None:
    say = only("<Say>\n  Hello\n  world &amp; all\n</Say>")
    assert isinstance(say, Say)
    assert (say.text, say.ssml) == ("Hello world & all", None)


def test_ssml_is_kept_and_its_words_can_be_had() -> None:
    say = only('<Say>a <emphasis level="strong">b</emphasis><sub alias="see">c</sub> &lt;<break time="2s"/></Say>')
    assert isinstance(say, Say)
    assert say.text == "a bsee <"
    assert say.ssml == 'a <emphasis level="strong">b</emphasis><sub alias="see">c</sub> &lt;<break time="2s"/>'


def test_loop_zero_is_a_thousand_times() -> None:
    say, play = read('<Say loop="0">x</Say><Play loop="5000">/x</Play>').verbs
    assert isinstance(say, Say)
    assert isinstance(play, Play)
    assert (say.times, play.times) == (1000, 1000)


def test_play_needs_a_url_or_digits() -> None:
    document = read("<Play/>")
    assert codes(document) == [11100]
    assert document.verbs[0].fault == 11100
    assert only('<Play digits="ww12"/>') == Play(digits="ww12")


def test_play_with_digits_that_are_none_is_skipped() -> None:
    document = read('<Play digits="12x"/><Play digits=""/>')
    assert (document.verbs, codes(document)) == ((), [13430, 13430, 13430])


# ---- Gather and Record ---------------------------------------------------------------------------------------------


def test_gather_keeps_its_prompts_in_order() -> None:
    gather = only('<Gather><Say>a</Say><Pause length="2"/><Play>/x</Play></Gather>')
    assert isinstance(gather, Gather)
    assert gather.prompts == (Say(content=("a",)), Pause(length=2), Play(url="/x"))


@pytest.mark.parametrize(
    "child", ["<Dial>1</Dial>", "<Gather/>", "<Record/>", "<Redirect/>", "<Foo/>", '<Play digits="1"/>']
)
def test_anything_else_in_a_gather_is_skipped(child: str) -> None:
    document = read(f"<Gather><Say>a</Say>{child}</Gather>")
    assert codes(document) == [13320]
    assert document.verbs == (Gather(prompts=(Say(content=("a",)),)),)


def test_speech_timeout_auto_does_not_go_with_a_model() -> None:
    document = read('<Gather input="speech" speechTimeout="auto" speechModel="default"/>')
    assert codes(document) == [13335]
    assert document.verbs[0].fault == 13335
    assert codes(read('<Gather input="dtmf" speechTimeout="auto" speechModel="default"/>')) == []
    assert codes(read('<Gather input="speech" speechTimeout="3" speechModel="default"/>')) == []


def test_a_transcribed_recording_is_short() -> None:
    record = only('<Record transcribe="true"/>')
    assert isinstance(record, Record)
    assert record.limit_s == 120
    document = read('<Record transcribe="true" maxLength="121"/>')
    assert codes(document) == [13615]
    assert isinstance(document.verbs[0], Record)
    assert document.verbs[0].limit_s == 120
    assert codes(read('<Record transcribe="true" maxLength="2"/>')) == [13615]


def test_a_recording_lasts_an_hour_by_default() -> None:
    record = only("<Record/>")
    assert isinstance(record, Record)
    assert record.limit_s == 3600


# ---- Dial and its nouns --------------------------------------------------------------------------------------------


def dial(body: str) -> tuple[Dial, list[int]]:
    document = read(f"<Dial>{body}</Dial>")
    verb = document.verbs[0]
    assert isinstance(verb, Dial)
    return verb, codes(document)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("415-555-0100", "+14155550100"),
        ("(415) 555.0100", "+14155550100"),
        ("911", "911"),
        ("+4930123456", "+4930123456"),
    ],
)
def test_a_number_is_read_in_many_forms(text: str, number: str) -> None:
    verb, problems = dial(text)
    assert problems == []
    assert verb.nouns == (nouns.Number(number=number),)
    assert dial(f"<Number>{text}</Number>")[0].nouns == (nouns.Number(number=number),)


@pytest.mark.parametrize("text", ["hello", "+0123", "12", "+1415555010012345678"])
def test_what_is_no_number_fails_as_a_leg(text: str) -> None:
    verb, problems = dial(text)
    assert problems == [13223]
    assert verb.nouns[0].fault == 13223


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", 13223),
        ("<Conference>a</Conference><Number>+14155550100</Number>", 13000),
        ("<Conference>a</Conference><Conference>b</Conference>", 13000),
        ("<Queue>a</Queue><Client>b</Client>", 13215),
        ("<Client>a</Client>" * 11, 13250),
        ("<Sip/>", 13243),
        ("<Sip>tel:+14155550100</Sip>", 13243),
        (f"<Sip>sip:{'a' * 300}@b.test</Sip>", 13243),
        (f"<Sip>sip:a@b.test?X-A={'a' * 1024}</Sip>", 13253),
        ("<Client>a b</Client>", 31105),
        (f"<Client>{'a' * 257}</Client>", 31105),
        ("<Conference/>", 13237),
        ("<Queue/>", 14212),
        (f"<Queue>{'q' * 65}</Queue>", 14213),
        ("<Sim>x</Sim>", 12200),
        ("<Application/>", 12200),
        ('<Conference coach="x">a</Conference>', 13240),
    ],
)
def test_a_dial_that_cannot_be_says_why(body: str, code: int) -> None:
    verb, problems = dial(body)
    assert code in problems
    assert code in (verb.fault, *(noun.fault for noun in verb.nouns))


@pytest.mark.parametrize(
    "body",
    [
        "<Client>a</Client>" * 10,
        "<Sip>ann@example.com</Sip>",
        "<Sip>example.com:5060</Sip>",
        "<Sip>sips:ann@example.com;transport=tls?X-A=b</Sip>",
        '<Sip username="u" password="p">sip:[2001:db8::1]:5070</Sip>',
        "<Sip><Uri priority='1' weight='2'>sip:a@b.test</Uri><Headers><Header name='X-A' value='b'/></Headers></Sip>",
        "<Client><Identity>ann</Identity><Parameter name='a' value='b'/></Client>",
        "<WhatsApp>+14155550100</WhatsApp>",
        f"<Sim>DE{'0' * 32}</Sim>",
    ],
)
def test_a_dial_that_can_be_has_no_problem(body: str) -> None:
    verb, problems = dial(body)
    assert problems == []
    assert verb.fault is None
    assert all(noun.fault is None for noun in verb.nouns)


@pytest.mark.parametrize("name", ["Via", "X-Twilio-CallSid", "Contact"])
def test_headers_that_are_not_passed_on_are_dropped(name: str) -> None:
    verb, problems = dial(f"<Sip>sip:a@b.test<Headers><Header name='{name}' value='b'/></Headers></Sip>")
    assert problems == [32113]
    sip = verb.nouns[0]
    assert isinstance(sip, nouns.Sip)
    assert sip.children == (nouns.Headers(),)


def test_text_beside_nouns_is_ignored() -> None:
    verb, problems = dial("+14155550101<Client>ann</Client>")
    assert problems == [12200]
    assert verb.nouns == (nouns.Client(identity="ann"),)


def test_a_password_is_not_shown() -> None:
    verb, _ = dial('<Sip username="u" password="geheim">sip:a@b.test</Sip>')
    assert "geheim" not in repr(verb)


# ---- queues, transfers, streams ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<Enqueue/>", 14204),
        (f"<Enqueue>{'q' * 65}</Enqueue>", 14205),
        ("<Refer/>", 13243),
        ("<Refer><Sip/></Refer>", 13243),
        ("<Refer><Sip>http://x.test</Sip></Refer>", 13243),
        ("<Connect/>", 12200),
        ("<Connect><Stream/></Connect>", 31923),
        ("<Connect><Stream url='ws://a.test'/></Connect>", 31922),
        ("<Connect><Stream url='wss://a.test?x=1'/></Connect>", 31923),
        ("<Connect><Stream url='wss://a.test' track='both_tracks'/></Connect>", 31941),
        ("<Connect><ConversationRelay/></Connect>", 64101),
        ("<Connect><ConversationRelay url='https://a.test'/></Connect>", 64101),
        ("<Sms/>", 14103),
    ],
)
def test_a_verb_that_cannot_be_says_why(body: str, code: int) -> None:
    document = read(body)
    assert code in codes(document)
    assert document.verbs[0].fault == code


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<Enqueue workflowSid='WW1'><Task>{\"a\":1}</Task></Enqueue>", []),
        ("<Enqueue>q<Task>no json</Task></Enqueue>", [14221]),
        ("<Enqueue>q<Task>{}</Task><Task>{}</Task></Enqueue>", [12200]),
        ("<Refer><Sip>sip:a@b.test</Sip><Sip>sip:c@b.test</Sip></Refer>", [12200]),
        ("<Connect><Stream url='wss://a.test'/><Room>r</Room></Connect>", [12200]),
        ("<Start><Stream url='wss://a.test' track='both_tracks'/></Start>", []),
        ("<Start><Stream url='/relative'/></Start>", []),
        ("<Start><Room>x</Room></Start>", [14300]),
        ("<Start/>", [14300]),
        ("<Stop><Stream name='x'/></Stop>", []),
        ("<Stop><Stream/></Stop>", [12200]),
        ("<Stop><Dial/></Stop>", [14300]),
        ("<Start><Siprec/></Start>", [12200]),
        ("<Start><Stream url='wss://a.test'><Parameter name='a' value='b'/></Stream></Start>", []),
        (f"<Start><Stream url='wss://a.test'><Parameter name='a' value='{'b' * 499}'/></Stream></Start>", [12200]),
        ("<Start><Stream url='wss://a.test'><Parameter value='b'/></Stream></Start>", [12200]),
        ("<Pay action='http://a.test'/>", [13337]),
    ],
)
def test_other_rules(body: str, found: list[int]) -> None:
    assert codes(read(body)) == found


# ---- inline and restricted documents -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<Gather/>", [11100]),
        ("<Record/>", [11100]),
        ("<Pay/>", [11100]),
        ("<Redirect/>", [11100]),
        ("<Redirect>/x</Redirect>", [15004]),
        ("<Play>x.wav</Play>", [15004]),
        ("<Gather action='/x'/>", [15004]),
        ("<Dial action='/x'>+14155550100</Dial>", [15004]),
        (
            "<Gather action='https://a.test/x'/><Play>https://a.test/x</Play><Dial>911</Dial><Play digits='1'/>",
            [],
        ),
    ],
)
def test_an_inline_document_needs_absolute_urls(body: str, found: list[int]) -> None:
    assert codes(read(body, inline=True)) == found


@pytest.mark.parametrize("place", list(Place))
@pytest.mark.parametrize("verb", [verb.element() for verb in VERBS])
def test_a_restricted_document_holds_only_its_verbs(place: Place, verb: str) -> None:
    content = {"Say": "x", "Play": "/x", "Dial": "+14155550100", "Sms": "x", "Queue": "q", "Enqueue": "q"}
    document = parse(f"<Response><{verb}>{content.get(verb, '')}</{verb}></Response>".encode(), place=place)
    allowance = ALLOWED.get(place)
    cls = getattr(verbs, verb)
    if allowance is None or cls in allowance.verbs:
        assert [type(found) for found in document.verbs] == [cls]
        return
    assert document.verbs == ()
    expected = 13238 if place is Place.CONFERENCE else 13201 if (place, verb) == (Place.SCREENING, "Dial") else 12200
    assert codes(document) == [expected]


def test_every_error_of_the_package_is_one_tree() -> None:
    for data in (b"", b"<x/>", b"<Response version='x'/>", b"x" * 70000, b"<Response>"):
        with pytest.raises(TwimlError):
            parse(data)


FILL = 60_000
HOSTILE = {
    "many elements": "<Response>" + "<x/>" * (FILL // 4) + "</Response>",
    "many attributes": "<Response><Say " + " ".join(f'a{n}=""' for n in range(FILL // 9)) + ">x</Say></Response>",
    "many bad values": "<Response>" + "<Pause length='x'/>" * (FILL // 19) + "</Response>",
    "many lines": "<Response>" + "\n" * FILL + "<Pause x=''/></Response>",
    "many digits": f"<Response><Pause length='{'9' * FILL}'/></Response>",
    "a long URL": f"<Response><Redirect>/{'../' * (FILL // 3)}</Redirect></Response>",
    "a long number": f"<Response><Dial>{'(' * FILL}</Dial></Response>",
    "a long hint list": f"<Response><Gather hints='{',' * FILL}'/></Response>",
    "deep speech": "<Response><Say>x" + "<prosody>" * 60 + "</prosody>" * 60 + "</Say></Response>",
    "much speech": "<Response><Say>x" + "<foo>y</foo>" * (FILL // 12) + "</Say></Response>",
    "many parts of text": "<Response><Dial>" + "1<!---->" * (FILL // 8) + "</Dial></Response>",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_costs_little(text: str) -> None:
    started = time.process_time()
    parse(text.encode())
    assert time.process_time() - started < 2.0  # an order of magnitude above what it takes
