"""Dial's core: who rings, who wins, when it ends, what is told. Numbers stand for time."""

from __future__ import annotations

import math
from typing import Any

import pytest

from offhook.twiml.forking import LONGEST_S, WRITING_S, Forking, Verdict
from offhook.twiml.forking_steps import (
    AnswerCaller,
    Bridge,
    CancelLeg,
    ChildChanged,
    Dialled,
    HangUpLeg,
    How,
    SendDigits,
    StartChild,
    StartLeg,
    StartScreening,
    Unbridge,
    Warn,
    Why,
)
from offhook.twiml.forking_table import State
from offhook.twiml.steps import Ending
from offhook.twiml.targets import Unreachable
from offhook.twiml.verbs import Dial
from tests.twiml.dials import bridged, calling, client, contact, dial, end, kinds, number, only, said, sip

URL = "https://app.test/screen"
NOBODY = Unreachable(code=13214, detail="no callerId")


def codes(steps: Any) -> list[int]:
    return [step.alert.code for step in only(steps, Warn)]


# ---- ringing in parallel -------------------------------------------------------------------------------------------


def test_all_nouns_are_called_together() -> None:
    core = dial(sip("a"), sip("b"))
    assert said(core.located(0, [[contact("a")]], 0.0), StartLeg) == [(0, 1, contact("a"))]
    assert said(core.located(1, [[contact("b")]], 0.1), StartLeg) == [(1, 2, contact("b"))]


def test_children_start_at_once_as_initiated_and_are_never_queued() -> None:
    steps = Forking(Dial(), (sip("a"), sip("b"))).begin(0.0)
    assert said(steps, StartChild) == [(0,), (1,)]
    assert [(change.child, change.event, change.status) for change in only(steps, ChildChanged)] == [
        (0, "initiated", "initiated"),
        (1, "initiated", "initiated"),
    ]


def test_ten_bindings_ring_at_once_one_answers_and_nine_are_cancelled() -> None:
    core = dial(client())
    steps = core.located(0, [[contact(f"phone{at}")] for at in range(10)], 0.0)
    assert len(only(steps, StartLeg)) == 10
    steps = core.answered(4, 3.0)
    cancelled = only(steps, CancelLeg)
    assert [step.leg for step in cancelled] == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert {step.why for step in cancelled} == {Why.ANSWERED_ELSEWHERE}
    assert said(steps, Bridge) == [(4,)]


def test_the_reason_of_a_lost_race_is_that_of_rfc_3326() -> None:
    assert Why.ANSWERED_ELSEWHERE.value == 'SIP;cause=200;text="Call completed elsewhere"'


def test_the_first_answer_wins_over_other_nouns_whose_calls_are_canceled() -> None:
    core = calling(sip("a"), number())
    core.progressed(2, 1.0)
    steps = core.answered(1, 2.0)
    assert said(steps, CancelLeg) == [(2, Why.ANSWERED_ELSEWHERE)]
    changes = [(change.child, change.event, change.status, change.sip_status) for change in only(steps, ChildChanged)]
    assert changes == [(0, "answered", "in-progress", None), (1, "completed", "canceled", 487)]


def test_a_second_answer_that_crosses_the_cancel_is_hung_up_and_changes_nothing_else() -> None:
    core = calling(sip("a"), sip("b"))
    core.answered(1, 2.0)
    assert said(core.answered(2, 2.01), HangUpLeg) == [(2, Why.ANSWERED_ELSEWHERE)]
    assert core.state is State.BRIDGED
    assert core.ended(2, 2.1) == []


def test_an_answer_after_the_end_is_hung_up() -> None:
    core = calling(sip("a"))
    core.caller_left(1.0)
    assert core.finished
    assert kinds(core.answered(1, 1.01)) == ["HangUpLeg"]


def test_a_noun_that_cannot_be_called_does_not_keep_the_others_from_it() -> None:
    core = dial(NOBODY, sip("b"))
    core.located(1, [[contact("b")]], 0.0)
    result = end(core.refused(1, 486, 2.0))
    assert (result.child, result.status) == (1, "busy")


@pytest.mark.parametrize("sequential", [False, True])
def test_a_dial_with_nobody_to_call_fails_at_once(sequential: bool) -> None:
    core = dial(NOBODY, NOBODY, sequential=sequential)
    assert core.result == Dialled(how=How.NOBODY, status="failed")
    assert core.finished


def test_the_last_failure_speaks_for_all() -> None:
    core = calling(sip("a"), sip("b"), sip("c"))
    core.refused(2, 486, 1.0)
    core.refused(3, 603, 2.0)
    result = end(core.refused(1, 404, 3.0))
    assert (result.child, result.leg, result.status, result.sip_status) == (0, 1, "failed", 404)


# ---- in turn -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sip_status", [302, 403, 404, 408, 480, 486, 500, 503, 600, 603])
def test_in_turn_the_next_is_called_when_the_current_one_refuses(sip_status: int) -> None:
    core = dial(sip("a"), sip("b"), sequential=True)
    assert core.located(1, [[contact("b")]], 0.0) == []
    core.located(0, [[contact("a")]], 0.0)
    steps = core.refused(1, sip_status, 4.0)
    assert said(steps, StartChild) == [(1,)]
    assert said(core.located(1, [[contact("b")]], 4.0), StartLeg) == [(1, 2, contact("b"))]


def test_in_turn_each_has_its_own_timeout() -> None:
    core = dial(sip("a"), sip("b"), sequential=True, timeout=10)
    core.located(0, [[contact("a")]], 0.0)
    assert core.wake_at() == 15.0
    steps = core.wake(15.0)
    assert said(steps, CancelLeg) == [(1, Why.NO_ANSWER)]
    assert said(steps, StartChild) == [(1,)]
    assert core.wake_at() == 30.0


def test_in_turn_an_answer_ends_the_search() -> None:
    core = dial(sip("a"), sip("b"), sequential=True)
    core.located(0, [[contact("a")]], 0.0)
    core.answered(1, 1.0)
    assert end(core.ended(1, 5.0)).status == "completed"


def test_in_turn_nouns_that_cannot_be_called_are_passed_over() -> None:
    core = dial(NOBODY, sip("b"), NOBODY, sip("d"), sequential=True)
    core.located(1, [[contact("b")]], 0.0)
    assert said(core.refused(1, 486, 1.0), StartChild) == [(3,)]


def test_in_turn_the_last_failure_is_told() -> None:
    core = dial(sip("a"), sip("b"), sequential=True)
    core.located(0, [[contact("a")]], 0.0)
    core.refused(1, 404, 1.0)
    core.located(1, [[contact("b")]], 1.0)
    assert end(core.refused(2, 486, 2.0)).status == "busy"


# ---- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [5, 30, 600])
def test_the_ring_time_is_the_timeout_and_five_seconds(timeout: int) -> None:
    core = calling(sip("a"), sip("b"), timeout=timeout)
    core.progressed(1, 1.0)
    core.progressed(2, 1.0)
    assert core.wake_at() == timeout + 5
    assert core.wake(timeout + 4.9) == []
    steps = core.wake(timeout + 5)
    assert said(steps, CancelLeg) == [(1, Why.NO_ANSWER), (2, Why.NO_ANSWER)]
    result = end(steps)
    assert (result.how, result.status, result.sip_status, result.leg) == (How.NOBODY, "no-answer", 487, 2)


def test_ring_time_runs_while_the_callee_is_being_looked_for() -> None:
    core = dial(client(), timeout=5)
    result = end(core.wake(10.0))
    assert (result.status, result.sip_status, result.leg) == ("failed", 408, None)


@pytest.mark.parametrize(("noun", "told"), [(sip, [32011]), (number, [32011, 32400])])
def test_ring_time_over_without_any_response_is_an_outage(noun: Any, told: list[int]) -> None:
    core = calling(noun(), timeout=5)
    steps = core.wake(10.0)
    assert said(steps, CancelLeg) == [(1, Why.NO_ANSWER)]
    assert codes(steps) == told
    assert (end(steps).status, end(steps).sip_status) == ("failed", 408)


def test_ring_time_over_after_a_100_is_no_answer() -> None:
    core = calling(sip(), timeout=5)
    core.trying(1, 0.1)
    steps = core.wake(10.0)
    assert codes(steps) == []
    assert (end(steps).status, end(steps).sip_status) == ("no-answer", 487)


def test_a_number_that_does_not_ring_within_a_minute_has_failed() -> None:
    core = calling(number(), timeout=600)
    core.trying(1, 0.1)
    assert core.wake_at() == 60.0
    steps = core.wake(60.0)
    assert codes(steps) == [32016]
    assert said(steps, CancelLeg) == [(1, Why.UNRESPONSIVE)]
    assert end(steps).status == "failed"


def test_a_number_that_rings_may_ring_on() -> None:
    core = calling(number(), timeout=600)
    core.progressed(1, 59.0)
    assert core.wake_at() == 605.0


def test_a_sip_address_has_no_post_dial_delay() -> None:
    assert calling(sip(), timeout=600).wake_at() == 605.0


@pytest.mark.parametrize(("limit", "due"), [(60, 70.0), (None, 10.0 + LONGEST_S)])
def test_the_time_limit_runs_from_the_bridge_on(limit: int | None, due: float) -> None:
    core = bridged(time_limit=limit)
    assert core.wake_at() == due
    assert core.wake(due - 0.1) == []
    steps = core.wake(due)
    assert said(steps, HangUpLeg) == [(1, Why.TIME_LIMIT)]
    result = end(steps)
    assert (result.how, result.status, result.bridged) == (How.TIME_LIMIT, "completed", True)


def test_the_server_may_allow_longer_bridges() -> None:
    assert bridged(core={"longest_s": 86_400.0}).wake_at() == 86_410.0


def test_no_ring_time_runs_after_the_answer() -> None:
    assert calling(sip(url=URL)).wake_at() < math.inf
    core = calling(sip(url=URL))
    core.answered(1, 1.0)
    assert core.wake_at() == math.inf
    assert core.wake(1e6) == []


# ---- the caller is answered late -----------------------------------------------------------------------------------


def test_with_answer_on_bridge_the_caller_is_answered_just_before_the_bridge() -> None:
    core = calling(sip(), caller_answered=False, answer_on_bridge=True)
    core.progressed(1, 1.0)
    assert kinds(core.answered(1, 2.0)) == ["ChildChanged", "AnswerCaller", "Bridge"]


def test_with_answer_on_bridge_the_screening_document_comes_first() -> None:
    core = calling(sip(url=URL), caller_answered=False, answer_on_bridge=True)
    assert AnswerCaller() not in core.answered(1, 2.0)
    assert kinds(core.screened(1, Verdict.ACCEPTED, 5.0)) == ["AnswerCaller", "Bridge"]


def test_with_answer_on_bridge_a_failed_dial_leaves_the_caller_unanswered() -> None:
    core = calling(sip(), caller_answered=False, answer_on_bridge=True)
    steps = core.refused(1, 486, 2.0)
    assert AnswerCaller() not in steps
    assert not core.caller_answered
    assert end(steps).status == "busy"


def test_a_caller_who_is_answered_is_not_answered_again() -> None:
    assert AnswerCaller() not in calling(sip(), answer_on_bridge=True).answered(1, 1.0)


# ---- digits and screening ------------------------------------------------------------------------------------------


def test_digits_are_sent_after_the_answer_and_before_the_bridge() -> None:
    core = calling(number(send_digits="ww12#"))
    steps = core.answered(1, 1.0)
    assert said(steps, SendDigits) == [(1, "ww12#")]
    assert not only(steps, Bridge)
    assert said(core.digits_sent(1, 3.0), Bridge) == [(1,)]


def test_digits_come_before_the_screening_document() -> None:
    core = calling(number(send_digits="1", url=URL, method="GET"))
    assert not only(core.answered(1, 1.0), StartScreening)
    assert said(core.digits_sent(1, 2.0), StartScreening) == [(0, 1, URL, "GET")]


def test_a_document_that_ends_lets_the_callee_through() -> None:
    core = calling(client(url=URL))
    assert said(core.answered(1, 1.0), StartScreening) == [(0, 1, URL, "POST")]
    assert core.state is State.SCREENING
    assert said(core.screened(1, Verdict.ACCEPTED, 4.0), Bridge) == [(1,)]


@pytest.mark.parametrize("how", list(Ending))
def test_only_a_document_that_came_to_its_end_accepts(how: Ending) -> None:
    assert Verdict.of(how) is (Verdict.ACCEPTED if how is Ending.DOCUMENT_ENDED else Verdict.DECLINED)


@pytest.mark.parametrize("sequential", [False, True])
def test_a_callee_who_declines_is_hung_up_and_the_dial_is_over(sequential: bool) -> None:
    core = dial(sip("a", url=URL), sip("b"), sequential=sequential)
    core.located(0, [[contact("a")]], 0.0)
    core.answered(1, 1.0)
    steps = core.screened(1, Verdict.DECLINED, 4.0)
    assert said(steps, HangUpLeg) == [(1, Why.SCREENED_OUT)]
    result = end(steps)
    assert (result.how, result.status, result.bridged, result.duration_s) == (How.DECLINED, "completed", False, 3.0)


def test_the_answer_cancels_the_others_even_when_screening_declines_afterwards() -> None:
    core = calling(sip("a", url=URL), sip("b"))
    assert said(core.answered(1, 1.0), CancelLeg) == [(2, Why.ANSWERED_ELSEWHERE)]
    assert end(core.screened(1, Verdict.DECLINED, 2.0)).child == 0


def test_a_callee_who_leaves_during_screening_was_not_bridged() -> None:
    core = calling(sip(url=URL))
    core.answered(1, 1.0)
    steps = core.ended(1, 3.0)
    assert not only(steps, HangUpLeg)
    result = end(steps)
    assert (result.how, result.status, result.bridged, result.duration_s) == (How.CALLEE_LEFT, "completed", False, 2.0)
    assert core.screened(1, Verdict.ACCEPTED, 3.1) == []


def test_a_caller_who_leaves_during_screening_takes_the_callee_along() -> None:
    core = calling(sip(url=URL))
    core.answered(1, 1.0)
    steps = core.caller_left(2.0)
    assert said(steps, HangUpLeg) == [(1, Why.CALLER_LEFT)]
    result = end(steps)
    assert (result.how, result.caller_left, result.bridged) == (How.CALLER_LEFT, True, False)


def test_the_verdict_on_a_leg_that_is_not_the_callee_is_nothing() -> None:
    core = calling(sip("a", url=URL), sip("b", url=URL))
    core.answered(1, 1.0)
    assert core.screened(2, Verdict.ACCEPTED, 2.0) == core.digits_sent(2, 2.0) == []


# ---- between the answer and the bridge -----------------------------------------------------------------------------


@pytest.mark.parametrize("noun", [number(send_digits="1"), sip(url=URL)], ids=["sending", "screening"])
@pytest.mark.parametrize(
    ("given_", "how", "step"),
    [
        ("ended", How.CALLEE_LEFT, None),
        ("stop_child", How.STOPPED, HangUpLeg(leg=1, why=Why.CANCELLED)),
        ("caller_left", How.CALLER_LEFT, HangUpLeg(leg=1, why=Why.CALLER_LEFT)),
        ("interrupted", How.INTERRUPTED, HangUpLeg(leg=1, why=Why.CANCELLED)),
    ],
)
def test_whoever_leaves_before_the_bridge_ends_the_dial(noun: Any, given_: str, how: How, step: Any) -> None:
    core = calling(noun)
    core.answered(1, 1.0)
    match given_:
        case "ended":
            steps = core.ended(1, 3.0)
        case "stop_child":
            steps = core.stop_child(0, 3.0)
        case "caller_left":
            steps = core.caller_left(3.0)
        case _:
            steps = core.interrupted(3.0)
    result = end(steps)
    assert (result.how, result.status, result.bridged) == (how, "completed", False)
    assert result.duration_s == 2.0
    assert [one for one in steps if isinstance(one, HangUpLeg)] == ([] if step is None else [step])
    assert not only(steps, Unbridge)


# ---- the bridge ends -----------------------------------------------------------------------------------------------


def test_a_callee_who_hangs_up_ends_the_dial() -> None:
    core = bridged()
    steps = core.ended(1, 52.5)
    assert kinds(steps) == ["Unbridge", "ChildChanged", "Finished"]
    (change,) = only(steps, ChildChanged)
    assert (change.event, change.status, change.sip_status, change.duration_s) == ("completed", "completed", 200, 42.5)
    assert end(steps) == Dialled(
        how=How.CALLEE_LEFT, status="completed", child=0, leg=1, sip_status=200, bridged=True, duration_s=42.5
    )


def test_a_caller_who_hangs_up_ends_the_callee() -> None:
    core = bridged()
    steps = core.caller_left(20.0)
    assert said(steps, Unbridge) == [(1,)]
    assert said(steps, HangUpLeg) == [(1, Why.CALLER_LEFT)]
    result = end(steps)
    assert (result.how, result.status, result.caller_left, result.duration_s) == (
        How.CALLER_LEFT,
        "completed",
        True,
        10.0,
    )


@pytest.mark.parametrize(("option", "key", "ends"), [(True, "*", True), (True, "#", False), (False, "*", False)])
def test_the_star_of_the_caller_ends_only_the_callee(option: bool, key: str, ends: bool) -> None:
    core = bridged(hangup_on_star=option)
    steps = core.key(key, 20.0)
    assert bool(only(steps, HangUpLeg)) is ends
    if ends:
        result = end(steps)
        assert (result.how, result.status, result.caller_left) == (How.STAR, "completed", False)


def test_a_star_while_it_rings_is_nothing() -> None:
    assert calling(sip(), hangup_on_star=True).key("*", 1.0) == []


def test_a_caller_who_leaves_while_it_rings_cancels_all() -> None:
    core = calling(sip("a"), sip("b"))
    core.progressed(1, 1.0)
    core.progressed(2, 1.0)
    steps = core.caller_left(2.0)
    assert said(steps, CancelLeg) == [(1, Why.CALLER_LEFT), (2, Why.CALLER_LEFT)]
    assert [change.status for change in only(steps, ChildChanged)] == ["canceled", "canceled"]
    result = end(steps)
    assert (result.how, result.status, result.caller_left, result.child) == (How.CALLER_LEFT, "canceled", True, 1)


def test_a_caller_who_leaves_in_turn_is_not_followed_by_the_next_call() -> None:
    core = dial(sip("a"), sip("b"), sequential=True)
    core.located(0, [[contact("a")]], 0.0)
    assert not only(core.caller_left(1.0), StartChild)


# ---- from outside --------------------------------------------------------------------------------------------------


def test_a_child_cancelled_from_outside_is_canceled() -> None:
    core = calling(sip())
    core.progressed(1, 1.0)
    steps = core.stop_child(0, 2.0)
    assert said(steps, CancelLeg) == [(1, Why.CANCELLED)]
    result = end(steps)
    assert (result.status, result.sip_status) == ("canceled", 487)


def test_the_others_ring_on_when_one_child_is_cancelled_from_outside() -> None:
    core = calling(sip("a"), sip("b"))
    steps = core.stop_child(0, 2.0)
    assert said(steps, CancelLeg) == [(1, Why.CANCELLED)]
    assert not core.finished


def test_a_bridged_child_completed_from_outside_ends_the_dial() -> None:
    core = bridged()
    steps = core.stop_child(0, 12.0)
    assert said(steps, HangUpLeg) == [(1, Why.CANCELLED)]
    assert end(steps).how is How.STOPPED


def test_an_update_of_the_caller_ends_everything_at_once() -> None:
    core = bridged(record="record-from-answer")
    steps = core.interrupted(12.0)
    assert kinds(steps) == ["Unbridge", "HangUpLeg", "ChildChanged", "StopRecording", "Finished"]
    assert end(steps).how is How.INTERRUPTED


def test_an_update_of_the_caller_cancels_what_rings() -> None:
    core = calling(sip())
    steps = core.interrupted(1.0)
    assert said(steps, CancelLeg) == [(1, Why.CANCELLED)]
    assert end(steps).how is How.INTERRUPTED


# ---- callees that are nowhere --------------------------------------------------------------------------------------


def test_a_user_who_is_not_registered_has_failed() -> None:
    core = dial(client())
    steps = core.unreachable(0, 0.1, sip_status=480)
    (change,) = only(steps, ChildChanged)
    assert (change.event, change.status, change.sip_status) == ("completed", "failed", 480)
    result = end(steps)
    assert (result.status, result.child, result.leg, result.sip_status) == ("failed", 0, None, 480)


def test_no_contacts_are_no_callee() -> None:
    core = dial(client())
    assert end(core.located(0, [[], []], 0.1)).status == "failed"


def test_an_answer_to_the_search_that_comes_too_late_starts_nothing() -> None:
    core = dial(client(), timeout=5)
    core.wake(10.0)
    assert core.located(0, [[contact("a")]], 10.1) == []
    assert core.unreachable(0, 10.2) == []


# ---- forks of one callee -------------------------------------------------------------------------------------------


def test_a_callee_is_lost_only_when_all_phones_have_failed() -> None:
    core = dial(client())
    core.located(0, [[contact("a")], [contact("b")]], 0.0)
    assert not only(core.refused(1, 486, 1.0), ChildChanged)
    assert end(core.refused(2, 480, 2.0)).status == "busy"


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (486, 503, 486),  # a person's word before a machine's
        (503, 486, 486),
        (480, 404, 480),
        (404, 480, 480),
        (486, 480, 486),
        (404, 403, 403),  # of equals the last
        (500, 404, 404),
    ],
)
def test_of_several_failed_phones_the_most_telling_answer_is_told(first: int, second: int, told: int) -> None:
    core = dial(client())
    core.located(0, [[contact("a")], [contact("b")]], 0.0)
    core.refused(1, first, 1.0)
    result = end(core.refused(2, second, 2.0))
    assert result.sip_status == told
    assert result.leg == (1 if told == first else 2)


@pytest.mark.parametrize("sip_status", [600, 603, 604, 606, 607])
def test_a_global_refusal_speaks_for_all_phones_of_a_user(sip_status: int) -> None:
    core = dial(client())
    core.located(0, [[contact("a")], [contact("b")]], 0.0)
    steps = core.refused(1, sip_status, 1.0)
    assert said(steps, CancelLeg) == [(2, Why.DECLINED_ELSEWHERE)]
    assert end(steps).sip_status == sip_status


def test_a_global_refusal_of_one_noun_is_nothing_to_the_others() -> None:
    core = calling(sip("a"), sip("b"))
    assert not only(core.refused(1, 603, 1.0), CancelLeg)
    assert not core.finished


# ---- contacts in turn ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sip_status", [408, 500, 502, 503, 504])
def test_the_next_gateway_is_tried_after_an_outage(sip_status: int) -> None:
    core = dial(number())
    core.located(0, [[contact("gw1"), contact("gw2")]], 0.0)
    steps = core.refused(1, sip_status, 1.0)
    assert said(steps, StartLeg) == [(0, 2, contact("gw2"))]
    assert codes(steps) == [32011, 32401]


@pytest.mark.parametrize("sip_status", [403, 404, 480, 486, 603])
def test_the_next_gateway_is_not_tried_when_somebody_answered(sip_status: int) -> None:
    core = dial(number())
    core.located(0, [[contact("gw1"), contact("gw2")]], 0.0)
    steps = core.refused(1, sip_status, 1.0)
    assert not only(steps, StartLeg)
    assert codes(steps) == []
    end(steps)


def test_408_after_ringing_is_a_person_who_does_not_answer() -> None:
    core = dial(number())
    core.located(0, [[contact("gw1"), contact("gw2")]], 0.0)
    core.progressed(1, 1.0)
    steps = core.refused(1, 408, 30.0)
    assert codes(steps) == []
    assert end(steps).status == "no-answer"


def test_no_gateway_left_is_told() -> None:
    core = dial(number())
    core.located(0, [[contact("gw1"), contact("gw2")]], 0.0)
    core.refused(1, 503, 1.0)
    steps = core.refused(2, 503, 2.0)
    assert codes(steps) == [32011, 32400]
    assert (end(steps).status, end(steps).sip_status) == ("failed", 503)


def test_a_silent_gateway_is_given_up_when_there_is_another() -> None:
    core = dial(number())
    core.located(0, [[contact("gw1"), contact("gw2")]], 0.0)
    assert core.wake_at() == 4.0
    steps = core.wake(4.0)
    assert said(steps, CancelLeg) == [(1, Why.UNRESPONSIVE)]
    assert said(steps, StartLeg) == [(0, 2, contact("gw2"))]
    assert core.wake_at() == 35.0  # the last one may be silent for as long as it may ring


def test_a_gateway_that_has_sent_100_is_not_silent() -> None:
    core = dial(number())
    core.located(0, [[contact("gw1"), contact("gw2")]], 0.0)
    core.trying(1, 3.9)
    assert core.wake(4.0) == []
    assert core.wake_at() == 35.0


def test_silence_may_be_left_to_the_transaction() -> None:
    core = dial(number(), core={"silence_s": math.inf})
    core.located(0, [[contact("gw1"), contact("gw2")]], 0.0)
    assert core.wake_at() == 35.0


def test_a_late_answer_of_a_gateway_that_was_given_up_is_hung_up() -> None:
    core = dial(number())
    core.located(0, [[contact("gw1"), contact("gw2")]], 0.0)
    core.wake(4.0)
    assert kinds(core.answered(1, 5.0)) == ["HangUpLeg"]
    assert said(core.answered(2, 6.0), Bridge) == [(2,)]


def test_a_failed_attempt_is_told_once_each_as_32011() -> None:
    core = calling(sip())
    assert codes(core.refused(1, 503, 1.0)) == [32011]
    core = calling(sip())
    assert codes(core.refused(1, 486, 1.0)) == []


# ---- redirects -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sip_status", "tried"), [(404, []), (503, [(0, 4, contact("gw2"))])])
def test_after_the_contacts_of_a_redirect_the_next_gateway_has_its_turn_in_an_outage_only(
    sip_status: int, tried: list[Any]
) -> None:
    core = dial(number())
    core.located(0, [[contact("gw1"), contact("gw2")]], 0.0)
    core.redirected(1, [contact("b"), contact("c")], 1.0)
    assert said(core.refused(2, 404, 2.0), StartLeg) == [(0, 3, contact("c"))]
    assert said(core.refused(3, sip_status, 3.0), StartLeg) == tried


def test_the_contacts_of_a_redirect_are_tried_in_turn() -> None:
    core = calling(sip())
    assert said(core.redirected(1, [contact("b"), contact("c")], 1.0), StartLeg) == [(0, 2, contact("b"))]
    assert said(core.refused(2, 404, 2.0), StartLeg) == [(0, 3, contact("c"))]
    assert end(core.refused(3, 486, 3.0)).status == "busy"


def test_a_global_refusal_ends_a_redirect_too() -> None:
    core = calling(sip())
    core.redirected(1, [contact("b"), contact("c")], 1.0)
    assert end(core.refused(2, 603, 2.0)).sip_status == 603


def test_a_redirect_to_nowhere_is_a_failure() -> None:
    result = end(calling(sip()).redirected(1, [], 1.0, 301))
    assert (result.status, result.sip_status) == ("failed", 301)


def test_a_redirect_of_a_leg_that_was_given_up_starts_nothing() -> None:
    core = calling(sip("a"), sip("b"))
    core.answered(2, 1.0)
    assert core.redirected(1, [contact("c")], 1.1) == []


def test_ring_time_goes_on_over_redirects() -> None:
    core = calling(sip(), timeout=10)
    core.redirected(1, [contact("b")], 9.0)
    assert core.wake_at() == 15.0


# ---- news of children ----------------------------------------------------------------------------------------------


def test_events_of_a_child_come_in_order_each_once() -> None:
    core = calling(sip())
    events = [
        change.event
        for steps in (
            core.progressed(1, 1.0),
            core.progressed(1, 2.0),
            core.answered(1, 3.0),
            core.answered(1, 3.1),
            core.ended(1, 9.0),
            core.ended(1, 9.1),
        )
        for change in only(steps, ChildChanged)
    ]
    assert events == ["ringing", "answered", "completed"]


def test_a_leg_that_answers_before_it_rings_skips_ringing() -> None:
    assert [change.event for change in only(calling(sip()).answered(1, 1.0), ChildChanged)] == ["answered"]


def test_a_child_rings_once_however_many_phones_do() -> None:
    core = dial(client())
    core.located(0, [[contact("a")], [contact("b")]], 0.0)
    assert len(only(core.progressed(1, 1.0), ChildChanged)) == 1
    assert only(core.progressed(2, 1.1), ChildChanged) == []


def test_a_leg_that_ends_without_a_session_has_failed() -> None:
    assert end(calling(sip()).ended(1, 1.0)).status == "failed"


# ---- the end of a recording is waited for --------------------------------------------------------------------------


def test_the_end_waits_for_the_recording() -> None:
    core = bridged(record="record-from-answer")
    steps = core.ended(1, 20.0)
    assert kinds(steps) == ["Unbridge", "ChildChanged", "StopRecording"]
    assert core.state is State.CLOSING
    result = end(core.recording_written(9.8, 20.2))
    assert (result.recorded_s, result.duration_s) == (9.8, 10.0)


def test_a_caller_who_leaves_while_the_recording_is_written_is_noticed() -> None:
    core = bridged(record="record-from-answer")
    core.ended(1, 20.0)
    assert core.caller_left(20.1) == []
    result = end(core.recording_written(9.8, 20.2))
    assert result.caller_left
    assert result.how is How.CALLEE_LEFT


def test_an_update_while_the_recording_is_written_does_not_wait() -> None:
    core = bridged(record="record-from-answer")
    core.ended(1, 20.0)
    assert end(core.interrupted(20.1)).how is How.INTERRUPTED


@pytest.mark.parametrize("how", ["lost", "empty", "late"])
def test_a_recording_that_is_not_there_ends_the_wait(how: str) -> None:
    core = bridged(record="record-from-answer")
    core.ended(1, 20.0)
    assert core.wake_at() == 20.0 + WRITING_S
    match how:
        case "lost":
            steps = core.recording_lost(20.1)
        case "empty":
            steps = core.recording_written(0.0, 20.1)
        case _:
            steps = core.wake(20.0 + WRITING_S)
    assert end(steps).recorded_s is None


def test_a_recording_that_ends_by_itself_is_kept() -> None:
    core = bridged(record="record-from-answer")
    assert core.recording_written(5.0, 15.0) == []
    assert end(core.ended(1, 20.0)).recorded_s == 5.0


# ---- unknown ones --------------------------------------------------------------------------------------------------


def test_numbers_of_nobody_are_nothing() -> None:
    core = calling(sip())
    assert (
        core.answered(99, 1.0)
        == core.refused(99, 486, 1.0)
        == core.ended(99, 1.0)
        == core.progressed(99, 1.0)
        == core.trying(99, 1.0)
        == core.redirected(99, [contact("x")], 1.0)
        == core.located(99, [[contact("x")]], 1.0)
        == core.unreachable(99, 1.0)
        == core.stop_child(99, 1.0)
        == []
    )
