"""Calls over a network that loses, doubles and reorders: whatever happens, both sides end, and agree that it ended."""

from __future__ import annotations

import random

import pytest

from offhook.sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    CancelInvite,
    LegAnswered,
    LegCommand,
    LegEnded,
    LegFact,
    LegOffered,
    LegRefused,
    LegReoffered,
    Offer,
    Refuse,
    Ring,
)
from offhook.sip.dialog.phases import Phase
from offhook.sip.message import Request
from tests.sip.dialog.pair import ANSWER, OFFER, TCP, UDP, Pair, Path, Side, Weather, caller_leg, invite_command

STORM = Weather(loss=0.2, duplication=0.2, delay_s=(0.005, 0.9))


def moody(dice: random.Random) -> tuple[Side, Side]:
    """Two calls that ring, answer, refuse, offer, cancel and hang up as the dice say."""

    def callee(side: Side, fact: LegFact) -> list[LegCommand]:
        match fact:
            case LegOffered():
                return dice.choice(
                    [[Ring(), Answer(ANSWER)], [Answer(ANSWER)], [Refuse(486)], [Ring()], [Answer(ANSWER), Bye()], []]
                )
            case LegReoffered():
                return dice.choice([[Accept(ANSWER)], [Refuse(488)], []])
            case _:
                return []

    def caller(side: Side, fact: LegFact) -> list[LegCommand]:
        match fact:
            case LegAnswered(needs_answer=True):
                return [Accept(ANSWER)]
            case LegReoffered():
                return dice.choice([[Accept(ANSWER)], [Refuse(488)]])
            case _:
                return []

    return Side("a", caller), Side("b", callee)


def storm(seed: int, weather: Weather, flow: Path = UDP) -> Pair:
    """One call in bad weather, with things asked of both sides at odd moments."""
    dice = random.Random(f"calls {seed}")
    caller, callee = moody(dice)
    caller.flow = callee.flow = flow
    pair = Pair(caller, callee, weather, seed)
    caller.leg = caller_leg()
    caller.do(invite_command(dice.choice([OFFER, None]), via=flow if flow.reliable else None))

    def when_up(side: Side, command: LegCommand) -> None:
        if side.leg is not None and side.leg.phase in (Phase.UP, Phase.ANSWERED):
            side.do(command)

    def hang_up(side: Side) -> None:
        if side.leg is not None and not side.leg.finished:
            side.do(Bye())

    for side in (caller, callee):
        if dice.random() < 0.7:
            pair.at(dice.uniform(0, 20), lambda side=side: when_up(side, Offer(OFFER)))  # type: ignore[misc]
    if dice.random() < 0.3:
        pair.at(dice.uniform(0, 3), lambda: caller.do(CancelInvite()))
    first, second = dice.sample([caller, callee], 2)
    pair.at(dice.uniform(0, 40), lambda: hang_up(first))
    pair.at(120, lambda: hang_up(second))
    return pair


@pytest.mark.parametrize("seed", range(50))
def test_a_call_over_tcp_ends_on_both_sides_and_sends_no_request_twice(seed: int) -> None:
    pair = storm(seed, Weather(), TCP)
    pair.run(until=1000)
    check(pair)
    for side in (pair.caller, pair.callee):
        branches = [
            message.via.branch
            for _, message in side.sent
            if isinstance(message, Request) and message.method not in ("ACK", "CANCEL")
        ]
        assert len(branches) == len(set(branches))


def check(pair: Pair) -> None:
    """At rest: nothing waits, every leg ended once, and no message was sent that only a bug would send."""
    for side in (pair.caller, pair.callee):
        assert side.lingering == {}
        if side.leg is not None:
            assert side.leg.finished
            assert isinstance(side.end, LegEnded | LegRefused)


@pytest.mark.parametrize("seed", range(150))
def test_a_call_in_a_storm_ends_on_both_sides(seed: int) -> None:
    pair = storm(seed, STORM)
    pair.run(until=1000)
    check(pair)


@pytest.mark.parametrize("seed", range(50))
def test_a_call_in_fine_weather_ends_on_both_sides_and_nobody_meets_a_stranger(seed: int) -> None:
    pair = storm(seed, Weather())
    pair.run(until=1000)
    check(pair)


@pytest.mark.parametrize("seed", range(60))
def test_after_a_crash_of_either_side_the_other_one_ends_too(seed: int) -> None:
    pair = storm(seed, Weather(loss=0.1, duplication=0.1, delay_s=(0.005, 0.3)))
    dice = random.Random(seed)
    victim = dice.choice([pair.caller, pair.callee])

    def crash() -> None:
        if victim.leg is not None and not victim.leg.finished:
            victim.crash()

    pair.at(dice.uniform(0.0, 8.0), crash)
    pair.run(until=1000)
    for side in (pair.caller, pair.callee):
        assert side.lingering == {}
        assert side.leg is None or side.leg.finished
