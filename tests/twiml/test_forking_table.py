"""The two tables of Dial, walked pair by pair, and any order of events."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.twiml.forking import Forking, Verdict
from offhook.twiml.forking_steps import (
    AnswerCaller,
    Bridge,
    CancelLeg,
    ChildChanged,
    Finished,
    ForkingStep,
    HangUpLeg,
    PassEarlyMedia,
    PlayRingback,
    StartChild,
    StartLeg,
    StartRecording,
    StopEarlyMedia,
    StopRecording,
    StopRingback,
    Unbridge,
)
from offhook.twiml.forking_table import LEG_TABLE, TABLE, Act, Input, LegAct, LegInput, LegState, State
from offhook.twiml.targets import Unreachable
from offhook.twiml.verbs import Dial
from tests.twiml.dials import client, contact, number, sip

URL = "https://app.test/screen"


def test_every_pair_of_the_table_of_legs_is_there_but_for_the_end() -> None:
    assert set(LEG_TABLE) == {(state, given) for state in LegState if state is not LegState.GONE for given in LegInput}


@pytest.mark.parametrize(("state", "given"), list(LEG_TABLE))
def test_a_leg_never_comes_back(state: LegState, given: LegInput) -> None:
    order = [LegState.CALLING, LegState.RINGING, LegState.UP, LegState.ENDING, LegState.GONE]
    after, act = LEG_TABLE[state, given]
    assert order.index(after) >= order.index(state)
    if given is LegInput.DROP:
        assert after is LegState.ENDING
        assert (act is LegAct.NOTHING) == (state is LegState.ENDING)
    if given in (LegInput.REFUSED, LegInput.ENDED, LegInput.MOVED):
        assert after is LegState.GONE


@pytest.mark.parametrize(("state", "given"), list(TABLE))
def test_the_dial_never_comes_back(state: State, given: Input) -> None:
    order = list(State)
    after, act = TABLE[state, given]
    assert order.index(after) >= order.index(state)
    assert (after is state) == (act is Act.NOTE)
    assert (after is State.DONE) == (act is Act.FINISH)


def test_the_caller_can_leave_in_every_state() -> None:
    for given_ in (Input.CALLER_LEFT, Input.INTERRUPTED):
        assert all((state, given_) in TABLE for state in State if state is not State.DONE)


def test_the_callee_can_leave_whenever_there_is_one() -> None:
    for given_ in (Input.CALLEE_LEFT, Input.STOPPED):
        assert {state for state, other in TABLE if other is given_} == {State.SENDING, State.SCREENING, State.BRIDGED}


def test_every_input_and_every_act_is_used() -> None:
    assert {given_ for _, given_ in TABLE} == set(Input)
    assert {act for _, act in TABLE.values()} == set(Act)
    assert {act for _, act in LEG_TABLE.values()} == set(LegAct)


# ---- any order -----------------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class Actor:
    """What an actor would know: every promise that the steps make is checked here."""

    core: Forking
    now: float = 0.0
    legs: set[int] = attrs.field(factory=set)
    """Started, and neither ended by us nor reported as ended."""
    told: set[int] = attrs.field(factory=set)
    events: dict[int, list[str]] = attrs.field(factory=dict)
    finished: int = 0
    bridged: int | None = None
    bridges: int = 0
    answers: int = 0
    ringback: bool = False
    early: int | None = None
    recording: bool = False

    def take(self, steps: list[ForkingStep]) -> None:
        for step in steps:
            if self.finished:
                assert isinstance(step, CancelLeg | HangUpLeg)
            match step:
                case StartChild(child=child):
                    assert child not in self.events
                    self.events[child] = []
                case ChildChanged(child=child, event=event):
                    assert event not in self.events[child]
                    assert "completed" not in self.events[child]
                    self.events[child].append(event)
                case StartLeg(leg=leg, child=child):
                    assert leg not in self.told
                    assert "completed" not in self.events[child]
                    self.legs.add(leg)
                    self.told.add(leg)
                case CancelLeg(leg=leg) | HangUpLeg(leg=leg):
                    assert leg in self.told
                    self.legs.discard(leg)
                case Bridge(leg=leg):
                    assert self.bridged is None
                    assert not self.ringback
                    assert self.early in (None, leg)
                    self.bridged, self.early = leg, None
                    self.bridges += 1
                case Unbridge(leg=leg):
                    assert self.bridged == leg
                    self.bridged = None
                case AnswerCaller():
                    self.answers += 1
                case PlayRingback():
                    assert not self.ringback
                    assert self.early is None
                    self.ringback = True
                case StopRingback():
                    assert self.ringback
                    self.ringback = False
                case PassEarlyMedia(leg=leg):
                    assert self.early is None
                    assert not self.ringback
                    self.early = leg
                case StopEarlyMedia(leg=leg):
                    assert self.early == leg
                    self.early = None
                case StartRecording():
                    assert not self.recording
                    self.recording = True
                case StopRecording():
                    assert self.recording
                case Finished(result=result):
                    self.finished += 1
                    assert result is self.core.result
                case _:
                    pass


LIKELY = ("answered", "located", "progressed", "early", "refused", "ended", "digits_sent", "accepted", "written")
UNLIKELY = (
    "unreachable",
    "trying",
    "redirected",
    "declined",
    "star",
    "stop_child",
    "lost",
    "wake",
    "wait",
    "caller_left",
    "interrupted",
)
OPERATIONS = LIKELY * 4 + UNLIKELY
STATUSES = (302, 403, 404, 408, 480, 486, 487, 500, 503, 600, 603, 0, 999)


def play(actor: Actor, operation: str, at: int, sip_status: int, contacts: int) -> None:
    core, now = actor.core, actor.now
    known, children = sorted(actor.told), len(core.targets)
    leg = known[at % len(known)] if known and at < 8 else at  # now and then one that nobody knows
    child = at % children if children else at
    ways = [[contact(f"c{branch}-{way}") for way in range(contacts)] for branch in range(contacts)]
    match operation:
        case "located":
            steps = core.located(child, ways, now)
        case "unreachable":
            steps = core.unreachable(child, now, sip_status=sip_status)
        case "trying":
            steps = core.trying(leg, now)
        case "progressed":
            steps = core.progressed(leg, now)
        case "early":
            steps = core.progressed(leg, now, early_media=True)
        case "answered":
            steps = core.answered(leg, now)
        case "refused":
            actor.legs.discard(leg)
            steps = core.refused(leg, sip_status, now)
        case "redirected":
            actor.legs.discard(leg)
            steps = core.redirected(leg, [contact(f"r{way}") for way in range(contacts)], now)
        case "ended":
            actor.legs.discard(leg)
            steps = core.ended(leg, now)
        case "digits_sent":
            steps = core.digits_sent(leg, now)
        case "accepted":
            steps = core.screened(leg, Verdict.ACCEPTED, now)
        case "declined":
            steps = core.screened(leg, Verdict.DECLINED, now)
        case "star":
            steps = core.key("*", now)
        case "stop_child":
            steps = core.stop_child(child, now)
        case "written":
            steps = core.recording_written(float(contacts), now)
        case "lost":
            steps = core.recording_lost(now)
        case "wake":
            if core.wake_at() < math.inf:
                actor.now = max(now, core.wake_at())
            due = core.wake_at()
            steps = core.wake(actor.now)
            assert core.wake_at() > due or due == math.inf, "a timer that has fired must not stay due"
        case "wait":
            actor.now += 3.0
            steps = core.wake(actor.now)
        case "caller_left":
            steps = core.caller_left(now)
        case _:
            steps = core.interrupted(now)
    actor.take(steps)


TARGETS = st.lists(
    st.sampled_from(
        (
            sip(),
            sip(url=URL),
            number(),
            number(send_digits="1"),
            number(send_digits="1", url=URL),
            client(),
            Unreachable(code=13214, detail=""),
        )
    ),
    min_size=1,
    max_size=4,
)
INPUTS = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 8), st.sampled_from(STATUSES), st.sampled_from((1, 2, 3, 0))),
    min_size=4,
    max_size=40,
)


@settings(max_examples=800)
@given(
    TARGETS,
    st.booleans(),
    st.booleans(),
    st.sampled_from(["do-not-record", "record-from-answer", "record-from-ringing-dual"]),
    st.sampled_from([None, "de"]),
    st.sampled_from((True, True, False)),
    INPUTS,
    st.sampled_from(["caller_left", "interrupted", "time"]),
)
def test_no_order_of_events_raises_or_leaves_a_leg_alone(
    targets: list[Any],
    sequential: bool,
    answered: bool,
    record: Any,
    ring_tone: str | None,
    located: bool,
    inputs: list[tuple[str, int, int, int]],
    last: str,
) -> None:
    verb = Dial(sequential=sequential, record=record, ring_tone=ring_tone, hangup_on_star=True, time_limit=60)
    actor = Actor(Forking(verb, targets, caller_answered=answered))
    actor.take(actor.core.begin(0.0))
    for child in range(len(targets) if located else 0):
        play(actor, "located", child, 0, 1)
    for operation, at, sip_status, contacts in inputs:
        actor.now += 0.5
        play(actor, operation, at, sip_status, contacts)
    if last == "time":
        # Left alone it ends by itself, unless it waits for a document or for digits.
        for _ in range(200):
            if actor.core.wake_at() == math.inf:
                break
            play(actor, "wake", 0, 0, 0)
        waits = actor.core.state in (State.SCREENING, State.SENDING)
        assert actor.core.finished or waits
    if not actor.core.finished:
        play(actor, "interrupted" if last == "interrupted" else "caller_left", 0, 0, 0)
        play(actor, "wake", 0, 0, 0)
    assert actor.core.finished
    assert actor.finished == 1
    assert actor.core.wake_at() == math.inf
    assert not actor.legs
    assert actor.bridged is None
    assert actor.early is None
    assert not actor.ringback
    assert actor.bridges <= 1
    assert actor.answers == (0 if answered or not actor.bridges else 1)
    for child, events in actor.events.items():
        assert events == [event for event in ("initiated", "ringing", "answered", "completed") if event in events]
        result = actor.core.result
        assert result is not None
        taken = result.child == child and result.duration_s is None
        assert ("completed" in events) != taken
