"""Gather for keys, walked through with numbers for time."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.twiml.gather import TABLE, Act, Gathered, Gathering, Input, State, StopPrompts, gather_parameters
from offhook.twiml.verbs import Gather, Say

PROMPT = (Say(content=("menu",)),)


def begin(now: float = 0.0, **options: Any) -> Gathering:
    return Gathering.begin(Gather(**options), now)


def test_a_gather_without_prompts_times_out_after_its_timeout() -> None:
    core = begin(10.0, timeout=3)
    assert core.wake_at() == 13.0
    assert core.wake(12.999) == []
    assert core.wake(13.0) == [Gathered(digits="")]
    assert core.finished
    assert core.wake_at() == math.inf


def test_the_timeout_starts_when_the_prompts_end() -> None:
    core = begin(prompts=PROMPT, timeout=3)
    assert core.wake_at() == math.inf
    assert core.wake(100.0) == []
    assert core.prompts_ended(100.0) == []
    assert core.wake_at() == 103.0


def test_timeout_auto_is_five_seconds_for_keys() -> None:
    assert begin(timeout=None).wake_at() == 5.0


def test_the_first_key_stops_the_prompts_and_starts_the_timeout() -> None:
    core = begin(prompts=PROMPT)
    assert core.key("1", 2.0) == [StopPrompts()]
    assert core.wake_at() == 7.0
    assert core.prompts_ended(2.1) == []
    assert core.wake_at() == 7.0


def test_the_timeout_restarts_on_every_digit() -> None:
    core = begin(timeout=2)
    assert core.key("1", 1.5) == []
    assert core.key("2", 3.4) == []
    assert core.wake(3.5) == []
    assert core.wake(5.4) == [Gathered(digits="12")]


def test_the_finishing_key_is_not_among_the_digits() -> None:
    core = begin()
    core.key("1", 0.1)
    assert core.key("#", 0.2) == [Gathered(digits="1", finished_on_key="#")]


def test_without_a_finishing_key_every_key_is_data() -> None:
    core = begin(finish_on_key="", num_digits=3)
    assert core.key("#", 0.1) == []
    assert core.key("*", 0.2) == []
    assert core.key("D", 0.3) == [Gathered(digits="#*D")]


def test_the_last_wanted_digit_ends_it_at_once() -> None:
    core = begin(prompts=PROMPT, num_digits=1)
    assert core.key("7", 0.5) == [StopPrompts(), Gathered(digits="7")]


def test_the_finishing_key_alone_is_an_empty_result_and_stops_the_prompts() -> None:
    core = begin(prompts=PROMPT)
    assert core.key("#", 0.5) == [StopPrompts(), Gathered(digits="", finished_on_key="#")]


def test_a_finishing_key_may_be_a_digit() -> None:
    core = begin(finish_on_key="0")
    core.key("1", 0.1)
    assert core.key("0", 0.2) == [Gathered(digits="1", finished_on_key="0")]


def test_the_letters_of_the_fourth_column_are_data() -> None:
    core = begin()
    for letter in "ABCD":
        core.key(letter, 0.1)
    assert core.digits == "ABCD"


@pytest.mark.parametrize("key", ["", "x", "12", "a", " ", "flash"])
def test_what_is_no_key_is_nothing(key: str) -> None:
    core = begin(prompts=PROMPT)
    assert core.key(key, 1.0) == []
    assert core.state is State.PROMPTING


def test_hanging_up_ends_it_with_what_was_pressed() -> None:
    core = begin()
    core.key("4", 0.1)
    assert core.hung_up(0.2) == [Gathered(digits="4", hung_up=True)]


def test_after_the_end_everything_is_too_late() -> None:
    core = begin(num_digits=1)
    core.key("1", 0.1)
    assert core.key("2", 0.2) == core.prompts_ended(0.3) == core.hung_up(0.4) == core.wake(99.0) == []
    assert core.digits == "1"


def test_the_result_is_kept() -> None:
    core = begin(num_digits=1)
    assert core.result is None
    core.key("1", 0.1)
    assert core.result == Gathered(digits="1")


# ---- parameters ----------------------------------------------------------------------------------------------------


def test_digits_are_told_with_the_key_that_ended_them() -> None:
    result = Gathered(digits="12", finished_on_key="#")
    assert dict(gather_parameters(Gather(), result) or ()) == {
        "Digits": "12",
        "FinishedOnKey": "#",
        "msg": "Gather End",
    }


def test_an_empty_result_goes_on_unless_the_action_wants_it() -> None:
    assert gather_parameters(Gather(), Gathered(digits="")) is None
    told = dict(gather_parameters(Gather(action_on_empty_result=True), Gathered(digits="")) or ())
    assert told["Digits"] == told["FinishedOnKey"] == ""
    assert "SpeechResult" not in told
    both = Gather(action_on_empty_result=True, input=("dtmf", "speech"))
    assert dict(gather_parameters(both, Gathered(digits="")) or ())["SpeechResult"] == ""


def test_hanging_up_is_told_only_with_digits() -> None:
    verb = Gather(action_on_empty_result=True)
    assert gather_parameters(verb, Gathered(digits="", hung_up=True)) is None
    assert gather_parameters(verb, Gathered(digits="1", hung_up=True)) is not None


# ---- the table -----------------------------------------------------------------------------------------------------


def test_the_table_is_complete_but_for_what_cannot_be() -> None:
    impossible = {(State.PROMPTING, Input.TIMEOUT)} | {(State.DONE, given) for given in Input}
    assert set(TABLE) == {(state, given) for state in State for given in Input} - impossible


def test_every_act_that_ends_leads_to_the_end() -> None:
    for state, act in TABLE.values():
        assert (state is State.DONE) == (act in (Act.KEEP_AND_END, Act.END, Act.END_BY_KEY, Act.END_BY_HANGUP))


@given(
    st.lists(st.sampled_from(["1", "#", "*", "A", "ended", "hangup", "wake", "?"]), max_size=12),
    st.booleans(),
    st.sampled_from(["", "#", "1"]),
    st.sampled_from([None, 1, 3]),
)
def test_any_order_of_events_ends_once_and_never_raises(
    events: list[str], prompts: bool, finish: str, wanted: int | None
) -> None:
    core = begin(prompts=PROMPT if prompts else (), finish_on_key=finish, num_digits=wanted)
    results: list[Gathered] = []
    now = 0.0
    for event in events:
        now += 1.0
        match event:
            case "ended":
                steps = core.prompts_ended(now)
            case "hangup":
                steps = core.hung_up(now)
            case "wake":
                now = max(now, core.wake_at()) if core.wake_at() < math.inf else now
                steps = core.wake(now)
            case key:
                steps = core.key(key, now)
        results += [step for step in steps if isinstance(step, Gathered)]
    assert len(results) == core.finished
    for result in results:
        assert finish == "" or finish not in result.digits
        assert wanted is None or len(result.digits) <= wanted
