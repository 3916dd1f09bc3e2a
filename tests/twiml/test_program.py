"""The interpreter, driven by hand: documents, verbs, actions, failures, hang-up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.twiml import verbs
from offhook.twiml.answering import NEVER_ANSWERED, REFUSALS, Answering, answering
from offhook.twiml.pacing import BURST, Pacing
from offhook.twiml.places import Place
from offhook.twiml.program import MAX_ALERTS, Inline, Misused, Program, Source, State
from offhook.twiml.steps import (
    Alert,
    Ending,
    Failed,
    Fetch,
    Fetched,
    FetchFailed,
    Finish,
    HungUp,
    Perform,
    Performed,
    Purpose,
    Redirected,
    Replaced,
    Result,
    Step,
)
from offhook.twiml.support import CARRIED_OUT
from offhook.twiml.verbs import VERBS

URL = "https://app.test/voice?x=1"
FALLBACK = Source("https://backup.test/oops", "GET")


def document(body: str, content_type: str | None = "text/xml", **options: Any) -> Fetched:
    return Fetched(status=200, content_type=content_type, body=f"<Response>{body}</Response>".encode(), **options)


def program(**options: Any) -> Program:
    return Program(Source(URL), **options)


def run(body: str, **options: Any) -> tuple[Program, Step]:
    """A program whose first document is this; its first step after that."""
    running = program(**options)
    running.begin(0.0)
    return running, running.resume(document(body), 0.0)


def performed(step: Step) -> verbs.Verb:
    assert isinstance(step, Perform)
    return step.verb


def fetch(step: Step) -> Fetch:
    assert isinstance(step, Fetch)
    return step


def finish(step: Step) -> Finish:
    assert isinstance(step, Finish)
    return step


def codes(step: Step) -> list[int]:
    return [alert.code for alert in step.alerts]


# ---- documents and verbs -------------------------------------------------------------------------------------------


def test_the_first_step_fetches_the_first_document() -> None:
    step = fetch(program().begin(5.0))
    assert (step.url, step.method, step.parameters, step.purpose) == (URL, "POST", (), Purpose.DOCUMENT)
    assert step.not_before == 5.0


def test_verbs_are_performed_in_order_and_the_end_hangs_up() -> None:
    running, step = run("<Say>a</Say><Pause/><Play>x.wav</Play>")
    assert performed(step) == verbs.Say(content=("a",))
    assert performed(running.resume(Performed(), 1.0)) == verbs.Pause()
    assert performed(running.resume(Performed(), 2.0)) == verbs.Play(url="https://app.test/x.wav")
    assert finish(running.resume(Performed(), 3.0)).how is Ending.DOCUMENT_ENDED
    assert running.state is State.ENDED


def test_an_empty_document_answers_and_hangs_up() -> None:
    _, step = run("")
    assert finish(step) == Finish(how=Ending.DOCUMENT_ENDED, answer_first=True)


@pytest.mark.parametrize(("status", "alerts"), [(204, []), (200, [11770])])
def test_an_empty_answer_is_an_empty_document(status: int, alerts: list[int]) -> None:
    running = program()
    running.begin(0.0)
    step = running.resume(Fetched(status=status, content_type=None, body=b""), 0.1)
    assert finish(step).how is Ending.DOCUMENT_ENDED
    assert codes(step) == alerts


def test_hangup_answers_and_ends() -> None:
    running, step = run("<Hangup/><Say>never</Say>")
    assert finish(step) == Finish(how=Ending.HANGUP, answer_first=True)
    running, step = run("<Say>a</Say><Hangup/>")
    assert finish(running.resume(Performed(), 1.0)) == Finish(how=Ending.HANGUP, answer_first=False)


@pytest.mark.parametrize(("reason", "status", "call"), [("rejected", 404, "no-answer"), ("busy", 486, "busy")])
def test_reject_refuses_a_call_that_rings(reason: str, status: int, call: str) -> None:
    _, step = run(f'<Reject reason="{reason}"/><Say>never</Say>')
    ended = finish(step)
    assert (ended.how, ended.answer_first, ended.refusal) == (Ending.REJECTED, False, REFUSALS[reason])
    assert ended.refusal is not None
    assert (ended.refusal.status, ended.refusal.call_status) == (status, call)


def test_reject_hangs_up_a_call_that_is_answered() -> None:
    running, _ = run("<Say>a</Say><Reject/>")
    assert finish(running.resume(Performed(), 1.0)) == Finish(how=Ending.HANGUP)


def test_pause_rings_on_and_a_document_of_pauses_never_answers() -> None:
    running, step = run('<Pause length="3"/>')
    assert isinstance(step, Perform)
    assert step.answering is Answering.RING
    assert finish(running.resume(Performed(), 3.0)) == Finish(
        how=Ending.DOCUMENT_ENDED, answer_first=False, refusal=NEVER_ANSWERED
    )
    running, _ = run("<Pause/>", answered=True)
    assert finish(running.resume(Performed(), 1.0)).refusal is None


def test_every_verb_says_whether_it_answers() -> None:
    answers = {verb for verb in VERBS if answering(verb()) is Answering.ANSWER}
    assert {verb.element() for verb in set(VERBS) - answers} == {"Pause", "Redirect", "Start", "Stop", "Reject"}
    assert answering(verbs.Dial(answer_on_bridge=True)) is Answering.ON_BRIDGE


def test_redirect_fetches_the_next_document_while_ringing() -> None:
    running, step = run('<Redirect method="GET">../other?y=2</Redirect><Say>never</Say>')
    request = fetch(step)
    assert (request.url, request.method, request.parameters) == ("https://app.test/other?y=2", "GET", ())
    assert not running.answered


def test_an_empty_redirect_fetches_the_same_document() -> None:
    running, step = run("<Redirect/>")
    assert fetch(step).url == URL
    moved = document("<Redirect/>", url="https://moved.test/voice")
    assert fetch(running.resume(moved, 0.0)).url == "https://moved.test/voice"


def test_relative_urls_are_of_the_document_that_http_led_to() -> None:
    running = program()
    running.begin(0.0)
    step = running.resume(document("<Play>a.wav</Play>", url="https://moved.test/deep/doc"), 0.0)
    assert performed(step) == verbs.Play(url="https://moved.test/deep/a.wav")


def test_urls_inside_a_gather_are_absolute_too() -> None:
    _, step = run('<Gather action="/done" partialResultCallback="p"><Play>a.wav</Play></Gather>')
    verb = performed(step)
    assert isinstance(verb, verbs.Gather)
    assert verb.action == "https://app.test/done"
    assert verb.partial_result_callback == "https://app.test/p"
    assert verb.prompts == (verbs.Play(url="https://app.test/a.wav"),)


def test_an_application_inside_the_program_has_a_scheme_of_its_own() -> None:
    running = Program(Source("app://main/voice"))
    assert fetch(running.begin(0.0)).url == "app://main/voice"
    step = running.resume(document("<Gather/><Record action='next'/>"), 0.0)
    assert fetch(running.resume(Performed(parameters=(("Digits", "1"),)), 1.0)).url == "app://main/voice"
    running.resume(document("<Record action='next'/>"), 1.0)
    step = running.resume(Performed(parameters=()), 2.0)
    assert fetch(step).url == "app://main/next"


# ---- implicit documents --------------------------------------------------------------------------------------------


def test_plain_text_is_spoken_then_the_call_ends() -> None:
    running = program()
    running.begin(0.0)
    step = running.resume(Fetched(status=200, content_type="text/plain", body=b"Hello"), 0.0)
    assert performed(step) == verbs.Say(content=("Hello",))
    assert finish(running.resume(Performed(), 1.0)).how is Ending.HANGUP


def test_audio_is_played_then_the_call_ends() -> None:
    running = program()
    running.begin(0.0)
    step = running.resume(Fetched(status=200, content_type="audio/wav", body=b"RIFF"), 0.0)
    assert performed(step) == verbs.PlayAudio(audio=b"RIFF", content_type="audio/wav")
    assert isinstance(step, Perform)
    assert step.answering is Answering.ANSWER
    assert finish(running.resume(Performed(), 1.0)).how is Ending.HANGUP


# ---- actions -------------------------------------------------------------------------------------------------------


def test_a_verb_with_input_goes_to_its_action() -> None:
    running, _ = run('<Gather action="got" method="GET"/><Say>never</Say>')
    request = fetch(running.resume(Performed(parameters=(("Digits", "1"),)), 1.0))
    assert (request.url, request.method) == ("https://app.test/got", "GET")
    assert request.parameters == (("Digits", "1"),)
    assert request.purpose is Purpose.DOCUMENT


@pytest.mark.parametrize("verb", ["<Gather/>", "<Record/>", '<Gather action=""/>'])
def test_without_an_action_the_current_document_is_asked_again(verb: str) -> None:
    running, _ = run(verb + "<Say>never</Say>")
    assert fetch(running.resume(Performed(parameters=(("Digits", "1"),)), 1.0)).url == URL


def test_a_gather_without_input_goes_on() -> None:
    running, _ = run("<Gather/><Say>next</Say>")
    assert performed(running.resume(Performed(), 5.0)) == verbs.Say(content=("next",))


def test_the_action_document_replaces_the_one_before() -> None:
    running, _ = run('<Gather action="/got"/><Say>never</Say>')
    running.resume(Performed(parameters=()), 1.0)
    step = running.resume(document("<Say>got it</Say>"), 1.1)
    assert performed(step) == verbs.Say(content=("got it",))
    assert running.document_url == "https://app.test/got"
    assert finish(running.resume(Performed(), 2.0)).how is Ending.DOCUMENT_ENDED


@pytest.mark.parametrize(
    ("verb", "action"),
    [
        ('<Dial action="/d">+14155550100</Dial>', "https://app.test/d"),
        ("<Dial>+14155550100</Dial>", None),
        ('<Enqueue action="/d">q</Enqueue>', "https://app.test/d"),
        ("<Enqueue>q</Enqueue>", None),
        ('<Refer action="/d"><Sip>sip:a@b.test</Sip></Refer>', "https://app.test/d"),
        ("<Refer><Sip>sip:a@b.test</Sip></Refer>", None),
        ('<Connect action="/d"><Stream url="wss://a.test"/></Connect>', "https://app.test/d"),
        ('<Connect><Stream url="wss://a.test"/></Connect>', None),
        ('<Sms action="/d">x</Sms>', "https://app.test/d"),
        ("<Sms>x</Sms>", None),
        ("<Pay/>", URL),
        ('<Pay action="/d"/>', "https://app.test/d"),
        ("<Echo/>", None),
    ],
)
def test_each_verb_has_its_own_default_action(verb: str, action: str | None) -> None:
    running, _ = run(verb + "<Say>next</Say>", carried_out=frozenset(VERBS))
    step = running.resume(Performed(parameters=(("a", "b"),)), 1.0)
    if action is None:
        assert performed(step) == verbs.Say(content=("next",))
    else:
        assert fetch(step).url == action


def test_a_stream_may_be_relative_to_its_document() -> None:
    _, step = run('<Connect><Stream url="/audio"/></Connect>', carried_out=frozenset(VERBS))
    verb = performed(step)
    assert isinstance(verb, verbs.Connect)
    assert getattr(verb.nouns[0], "url", None) == "wss://app.test/audio"


# ---- failures ------------------------------------------------------------------------------------------------------

BROKEN: list[tuple[str, Result, int]] = [
    ("not found", Fetched(status=404, content_type="text/xml", body=b"<Response/>"), 11200),
    ("server error", Fetched(status=500, content_type=None, body=b""), 11200),
    ("not XML", Fetched(status=200, content_type="text/xml", body=b"hello"), 12100),
    ("no TwiML", Fetched(status=200, content_type="text/html", body=b"<html/>"), 12102),
    ("version", Fetched(status=200, content_type="text/xml", body=b"<Response version='x'/>"), 12101),
    ("too large", Fetched(status=200, content_type="text/xml", body=b" " * 70000), 11750),
    ("no type", Fetched(status=200, content_type=None, body=b"<Response/>"), 12300),
    ("JSON", Fetched(status=200, content_type="application/json", body=b"{}"), 12300),
    ("refused", FetchFailed(code=11202, detail="refused"), 11202),
    ("unsupported", document("<Enqueue>support</Enqueue>"), 13750),
    ("speech", document('<Gather input="speech"/>'), 13750),
    ("bad redirect", document("<Redirect>ftp://x</Redirect>"), 11100),
    ("no URL", document("<Play/>"), 11100),
    ("bad action", document('<Gather action="http://a b"/>'), 11100),
]


@pytest.mark.parametrize(("result", "code"), [pytest.param(result, code, id=name) for name, result, code in BROKEN])
def test_a_document_that_fails_is_replaced_by_the_fallback(result: Result, code: int) -> None:
    running = program(fallback=FALLBACK)
    running.begin(0.0)
    step = fetch(running.resume(result, 1.0))
    assert (step.url, step.method, step.purpose) == (FALLBACK.url, "GET", Purpose.FALLBACK)
    assert step.parameters == (("ErrorCode", str(code)), ("ErrorUrl", URL))
    assert codes(step)[-1] == code
    assert step.alerts[-1].url == URL
    assert performed(running.resume(document("<Say>sorry</Say>"), 1.1)) == verbs.Say(content=("sorry",))
    assert finish(running.resume(Performed(), 2.0)).how is Ending.DOCUMENT_ENDED


@pytest.mark.parametrize(("result", "code"), [pytest.param(result, code, id=name) for name, result, code in BROKEN])
def test_without_a_fallback_the_caller_hears_a_notice(result: Result, code: int) -> None:
    running = program()
    running.begin(0.0)
    step = running.resume(result, 1.0)
    assert performed(step) == verbs.ErrorNotice()
    assert isinstance(step, Perform)
    assert step.answering is Answering.ANSWER
    assert code in codes(step)
    ended = finish(running.resume(Performed(), 3.0))
    assert (ended.how, ended.answer_first) == (Ending.APPLICATION_ERROR, False)


@pytest.mark.parametrize(("result", "code"), [pytest.param(result, code, id=name) for name, result, code in BROKEN])
def test_a_fallback_that_fails_too_ends_with_the_notice(result: Result, code: int) -> None:
    running = program(fallback=FALLBACK)
    running.begin(0.0)
    running.resume(FetchFailed(code=11205, detail="dead"), 1.0)
    step = running.resume(result, 2.0)
    assert performed(step) == verbs.ErrorNotice()
    assert code in codes(step)
    assert step.alerts[-1].url == FALLBACK.url
    assert finish(running.resume(Failed(code=13420, detail="no media"), 3.0)).how is Ending.APPLICATION_ERROR


def test_the_fallback_is_there_again_for_the_next_document() -> None:
    running = program(fallback=FALLBACK)
    running.begin(0.0)
    running.resume(FetchFailed(code=11205, detail="dead"), 1.0)
    running.resume(document("<Redirect>https://app.test/again</Redirect>"), 2.0)
    step = fetch(running.resume(FetchFailed(code=11205, detail="dead"), 3.0))
    assert step.purpose is Purpose.FALLBACK
    assert dict(step.parameters)["ErrorUrl"] == "https://app.test/again"


def test_a_verb_that_fails_while_it_runs_is_a_failure_of_the_document() -> None:
    running, _ = run("<Play>/a.wav</Play><Say>never</Say>", fallback=FALLBACK)
    step = fetch(running.resume(Failed(code=11200, detail="404", url="https://app.test/a.wav"), 1.0))
    assert step.parameters == (("ErrorCode", "11200"), ("ErrorUrl", "https://app.test/a.wav"))
    assert step.alerts[0] == Alert(code=11200, detail="404", url="https://app.test/a.wav", verb="Play")


def test_passwords_and_overrides_are_in_no_alert_and_no_parameter() -> None:
    running = Program(Source("https://u:geheim@app.test/v#rc=2"), fallback=FALLBACK)
    assert fetch(running.begin(0.0)).url == "https://u:geheim@app.test/v#rc=2"
    step = fetch(running.resume(FetchFailed(code=11200, detail="x"), 0.0))
    assert dict(step.parameters)["ErrorUrl"] == "https://app.test/v"
    assert step.alerts[0].url == "https://app.test/v"


def test_a_later_verb_fails_only_when_it_is_reached() -> None:
    running, step = run("<Say>first</Say><Enqueue>support</Enqueue>")
    assert performed(step) == verbs.Say(content=("first",))
    step = running.resume(Performed(), 1.0)
    assert performed(step) == verbs.ErrorNotice()
    assert step.alerts[0].verb == "Enqueue"
    assert "Enqueue" in step.alerts[0].detail


@pytest.mark.parametrize("verb", sorted(verb.element() for verb in set(VERBS) - CARRIED_OUT))
def test_a_verb_of_later_days_is_an_error_that_names_it(verb: str) -> None:
    content = {"Dial": "+14155550100", "Sms": "x", "Queue": "q", "Enqueue": "q"}.get(verb, "")
    _, step = run(f"<{verb}>{content}</{verb}>")
    assert performed(step) == verbs.ErrorNotice()
    assert (step.alerts[-1].code, step.alerts[-1].verb) == (13750, verb)


def test_gather_for_keys_or_speech_takes_keys_with_a_warning() -> None:
    _, step = run('<Gather input="dtmf speech"/>')
    assert isinstance(performed(step), verbs.Gather)
    assert codes(step) == [13340]
    _, step = run('<Record transcribe="true"/>')
    assert isinstance(performed(step), verbs.Record)
    assert codes(step) == [13619]


def test_a_gather_that_cannot_be_set_up_is_left_out() -> None:
    _, step = run('<Gather input="dtmf speech" speechTimeout="auto" speechModel="default"/><Say>next</Say>')
    assert performed(step) == verbs.Say(content=("next",))
    assert 13335 in codes(step)


def test_problems_of_a_document_are_alerts_with_their_place() -> None:
    _, step = run('<Say voice="nobody">a</Say>')
    (alert,) = step.alerts
    assert (alert.code, alert.verb, alert.url) == (13511, "Say", URL)
    assert alert.detail.endswith("(line 1, column 16)")
    assert (alert.name, alert.level.value) == ("Say: invalid voice", "warning")


def test_a_flood_of_problems_is_cut_off() -> None:
    _, step = run("<x/>" * 1000 + "<Pause/>")
    assert len(step.alerts) == MAX_ALERTS + 1
    assert "900 more" in step.alerts[-1].detail


def test_a_callback_that_cannot_be_resolved_is_left_out() -> None:
    running = Program(Inline(b'<Response><Record action="https://a.test" recordingStatusCallback="/cb"/></Response>'))
    step = running.begin(0.0)
    verb = performed(step)
    assert isinstance(verb, verbs.Record)
    assert verb.recording_status_callback is None
    assert codes(step) == [15004, 15004]


# ---- inline documents and updates ----------------------------------------------------------------------------------


def test_an_inline_document_runs_without_a_request() -> None:
    running = Program(Inline(b"<Response><Say>hi</Say></Response>"), answered=True)
    step = running.begin(0.0)
    assert isinstance(step, Perform)
    assert (step.verb, step.document_url) == (verbs.Say(content=("hi",)), None)


@pytest.mark.parametrize("body", ["<Redirect/>", "<Redirect>/x</Redirect>", "<Play>x.wav</Play>"])
def test_relative_urls_of_an_inline_document_fail(body: str) -> None:
    running = Program(Inline(f"<Response>{body}</Response>".encode()), fallback=FALLBACK)
    step = fetch(running.begin(0.0))
    assert step.purpose is Purpose.FALLBACK
    assert dict(step.parameters) == {"ErrorCode": "15004"}


def test_a_gather_of_an_inline_document_needs_an_action() -> None:
    running = Program(Inline(b"<Response><Gather/></Response>"))
    running.begin(0.0)
    step = running.resume(Performed(parameters=(("Digits", "1"),)), 1.0)
    assert performed(step) == verbs.ErrorNotice()
    assert codes(step) == [11100]


def test_an_update_interrupts_the_running_verb() -> None:
    running, _ = run("<Play>x.wav</Play>", answered=True)
    step = fetch(running.resume(Redirected(url="https://other.test/x", method="GET"), 1.0))
    assert (step.url, step.method, step.parameters) == ("https://other.test/x", "GET", ())
    assert performed(running.resume(document("<Pause/>"), 1.1)) == verbs.Pause()


def test_an_update_may_bring_a_new_fallback() -> None:
    running, _ = run("<Pause/>")
    running.resume(Redirected(url="https://other.test/x", fallback_url="https://new.test/f"), 1.0)
    assert fetch(running.resume(FetchFailed(code=11200, detail="x"), 1.0)).url == "https://new.test/f"


def test_an_update_with_a_document_runs_it() -> None:
    running, _ = run("<Pause/>", answered=True)
    step = running.resume(Replaced(document=b"<Response><Say>new</Say></Response>"), 1.0)
    assert performed(step) == verbs.Say(content=("new",))
    assert running.document_url is None


def test_an_update_to_what_is_no_url_fails() -> None:
    running, _ = run("<Pause/>", answered=True)
    assert codes(running.resume(Redirected(url="/relative"), 1.0)) == [11100]


# ---- hang-up -------------------------------------------------------------------------------------------------------


def test_a_running_verb_reports_after_hang_up_and_the_answer_is_not_run() -> None:
    running, _ = run('<Record action="/done"/>')
    step = fetch(running.resume(HungUp(parameters=(("Digits", "hangup"),)), 4.0))
    assert (step.url, step.purpose) == ("https://app.test/done", Purpose.FINAL)
    assert step.parameters == (("Digits", "hangup"),)
    assert finish(running.resume(document("<Say>never</Say>"), 5.0)) == Finish(how=Ending.CALLER_LEFT)


def test_a_final_report_that_fails_is_told_and_has_no_fallback() -> None:
    running, _ = run("<Record/>", fallback=FALLBACK)
    assert fetch(running.resume(HungUp(parameters=()), 4.0)).url == URL
    step = running.resume(FetchFailed(code=11205, detail="dead"), 5.0)
    assert finish(step).how is Ending.CALLER_LEFT
    assert codes(step) == [11205]
    running, _ = run("<Record/>", fallback=FALLBACK)
    running.resume(HungUp(parameters=()), 4.0)
    assert codes(running.resume(Fetched(status=500, content_type=None, body=b""), 5.0)) == [11200]


def test_a_verb_that_has_nothing_to_report_just_ends() -> None:
    running, _ = run("<Gather/>")
    assert finish(running.resume(HungUp(), 4.0)) == Finish(how=Ending.CALLER_LEFT)
    running, _ = run("<Say>x</Say>")
    assert finish(running.resume(HungUp(parameters=(("a", "b"),)), 4.0)).how is Ending.CALLER_LEFT


def test_hanging_up_during_a_request_ends_it() -> None:
    running = program()
    running.begin(0.0)
    assert finish(running.resume(HungUp(), 0.5)) == Finish(how=Ending.CALLER_LEFT)


def test_hanging_up_during_the_notice_ends_it() -> None:
    running = program()
    running.begin(0.0)
    running.resume(FetchFailed(code=11200, detail="x"), 0.5)
    assert finish(running.resume(HungUp(), 1.0)).how is Ending.CALLER_LEFT
    assert finish(running.resume(HungUp(), 1.0)).how is Ending.CALLER_LEFT


# ---- pacing --------------------------------------------------------------------------------------------------------


def test_a_tight_loop_is_paced_and_never_cut_off() -> None:
    running = program()
    now = 0.0
    step = fetch(running.begin(now))
    times = [step.not_before]
    for _ in range(100):
        step = fetch(running.resume(document("<Redirect/>"), now))
        now = max(now, step.not_before)
        times.append(step.not_before)
    assert times[:BURST] == [0.0] * BURST
    assert [later - earlier for earlier, later in zip(times[BURST:], times[BURST + 1 :], strict=False)] == [1.0] * (
        len(times) - BURST - 1
    )


def test_documents_that_take_their_time_are_not_paced() -> None:
    pacing = Pacing()
    assert [pacing.next_at(float(second)) for second in range(0, 300, 2)] == [float(s) for s in range(0, 300, 2)]


def test_the_fallback_is_asked_at_once() -> None:
    running = program(fallback=FALLBACK)
    running.begin(0.0)
    steps = [fetch(running.resume(document("<Redirect/>"), 0.0)) for _ in range(20)]
    assert steps[-1].not_before > 5.0
    assert fetch(running.resume(FetchFailed(code=11200, detail="x"), 0.0)).not_before == 0.0


# ---- restricted documents and misuse -------------------------------------------------------------------------------


def test_a_restricted_document_skips_what_it_may_not_use() -> None:
    running = program(place=Place.CONFERENCE, answered=True)
    running.begin(0.0)
    step = running.resume(document("<Dial>+14155550100</Dial><Say>hold on</Say>"), 0.0)
    assert performed(step) == verbs.Say(content=("hold on",))
    assert codes(step) == [13238]


def test_a_result_that_nobody_asked_for_is_our_bug() -> None:
    running = program()
    with pytest.raises(Misused):
        running.resume(Performed(), 0.0)
    running.begin(0.0)
    with pytest.raises(Misused):
        running.begin(0.0)
    with pytest.raises(Misused):
        running.resume(Performed(), 0.0)
    running.resume(document("<Hangup/>"), 0.0)
    with pytest.raises(Misused):
        running.resume(Redirected(url=URL), 0.0)


BODIES = [
    *("", "<Say>a</Say>", "<Gather/>", "<Gather action='/x'><Say>b</Say></Gather>", "<Record/>", "<Redirect/>"),
    *("<Pause/>", "<Play>x</Play>", "<Play/>", "<Hangup/>", "<Reject/>", "<Dial>1</Dial>", "<Foo/>", "<"),
    "<Redirect>ftp://x</Redirect>",
]
EVENTS = ["document", "text", "audio", "error", "failed", "done", "act", "broken", "hangup", "redirect", "replace"]


@given(
    st.lists(st.tuples(st.sampled_from(EVENTS), st.lists(st.sampled_from(BODIES), max_size=3)), max_size=12),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=300)
def test_any_course_of_events_leads_somewhere(
    events: list[tuple[str, list[str]]], answered: bool, backup: bool
) -> None:
    running = program(answered=answered, fallback=FALLBACK if backup else None)
    step = running.begin(0.0)
    now = 0.0
    for event, bodies in events:
        now += 1.0
        body = "".join(bodies)
        results: dict[str, Result] = {
            "document": document(body),
            "text": Fetched(status=200, content_type="text/plain", body=b"words"),
            "audio": Fetched(status=200, content_type="audio/wav", body=b"RIFF"),
            "error": Fetched(status=500, content_type=None, body=b""),
            "failed": FetchFailed(code=11205, detail="dead"),
            "done": Performed(),
            "act": Performed(parameters=(("a", "b"),)),
            "broken": Failed(code=13420, detail="no audio"),
            "hangup": HungUp(parameters=(("a", "b"),)),
            "redirect": Redirected(url="https://other.test/"),
            "replace": Replaced(document=f"<Response>{body}</Response>".encode()),
        }
        outside = event in ("hangup", "redirect", "replace")
        matching = {Fetch: ("document", "text", "audio", "error", "failed"), Perform: ("done", "act", "broken")}
        if isinstance(step, Finish):
            break
        if not outside and event not in matching[type(step)]:
            continue
        if running.state is State.REPORTING and event in ("redirect", "replace"):
            continue
        step = running.resume(results[event], now)
        assert (running.state is State.ENDED) == isinstance(step, Finish)
        if isinstance(step, Finish):
            assert not (step.answer_first and step.refusal)
            assert not (running.answered and (step.refusal or step.answer_first))
