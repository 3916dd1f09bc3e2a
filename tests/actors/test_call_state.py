"""The status table of a call."""

from __future__ import annotations

import itertools

import pytest

from offhook.actors.call_state import FINAL, TABLE, CallState, Input, Status


def test_an_answered_call_that_ends_is_completed_with_its_seconds() -> None:
    state = CallState(Status.QUEUED, 10.0)
    assert state.apply(Input.RANG, 10.0)
    assert state.apply(Input.ANSWERED, 12.0)
    assert state.apply(Input.ENDED, 54.3)
    assert (state.status, state.duration_s) == (Status.COMPLETED, 43)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (Input.REFUSED_BUSY, Status.BUSY),
        (Input.REFUSED, Status.NO_ANSWER),
        (Input.CANCELLED, Status.CANCELED),
        (Input.UNROUTABLE, Status.FAILED),
        (Input.BROKE, Status.FAILED),
    ],
)
def test_a_call_that_was_never_answered_ends_as_what_refused_it(event: Input, status: Status) -> None:
    state = CallState(Status.RINGING, 0.0)
    assert state.apply(event, 5.0)
    assert (state.status, state.duration_s) == (status, 0)


@pytest.mark.parametrize(("status", "event"), list(itertools.product(sorted(FINAL, key=str), Input)))
def test_a_final_status_stays(status: Status, event: Input) -> None:
    state = CallState(status, 0.0)
    assert not state.apply(event, 1.0)
    assert state.status is status


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Input)))
def test_every_pair_leads_to_a_status_or_changes_nothing(status: Status, event: Input) -> None:
    state = CallState(status, 0.0)
    changed = state.apply(event, 1.0)
    assert state.status is TABLE.get((status, event), status)
    assert changed == (state.status is not status)


def test_a_whole_second_is_not_rounded_up_for_noise() -> None:
    state = CallState(Status.RINGING, 0.0)
    state.apply(Input.ANSWERED, 0.1)
    state.apply(Input.ENDED, 3.1000004)
    assert state.duration_s == 3
