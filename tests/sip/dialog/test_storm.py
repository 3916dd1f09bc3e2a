"""Calls over a network that loses, doubles and reorders: whatever happens, both sides end, and agree that it ended."""

from __future__ import annotations

import random
from functools import partial

import attrs
import pytest

from offhook.sip.dialog.config import ALLOW, RELIABLE, LegConfig, Reliability
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
    LegProgressed,
    LegRefused,
    LegReoffered,
    Offer,
    Refuse,
    RefuseOffer,
    Ring,
)
from offhook.sip.dialog.phases import Phase
from offhook.sip.message import Request
from tests.sip.dialog.pair import (
    ANSWER,
    OFFER,
    TCP,
    UDP,
    Pair,
    Path,
    Side,
    Weather,
    agree,
    caller_leg,
    config_of,
    invite_command,
)

OFFERING = (Phase.CALLED, Phase.CALLING, Phase.ANSWERED, Phase.UP)
STORM = Weather(loss=0.2, duplication=0.2, delay_s=(0.005, 0.9))


def abilities(host: str, dice: random.Random) -> LegConfig:
    """What a side can do and wants, as the dice say."""
    return config_of(
        host,
        reliability=dice.choice(list(Reliability)),
        session_s=dice.choice([None, 4, 10, 60, 1800]),
        min_session_s=dice.choice([2, 2, 2, 20, 90]),
        allow=dice.choice([ALLOW, tuple(method for method in ALLOW if method != "UPDATE")]),
    )


def moody(dice: random.Random) -> tuple[Side, Side]:
    """Two calls that ring, answer, refuse, offer, cancel and hang up as the dice say."""

    def own_body() -> bytes:
        return b"v=0 %d\r\n" % dice.randrange(10**9)

    def reliable(side: Side) -> bool:
        """An early description needs an offer before it, or somebody who acknowledges it."""
        assert side.leg is not None
        uas = side.leg._course.uas
        return uas is not None and uas.reliable is not None

    def callee(side: Side, fact: LegFact) -> list[LegCommand]:
        match fact:
            case LegOffered():
                media = own_body()
                early: list[LegCommand] = (
                    [Ring(), Ring(183, media)] if fact.body is not None or reliable(side) else [Ring()]
                )
                return dice.choice(
                    [
                        [Ring(), Answer(media)],
                        [Answer(media)],
                        [Refuse(486)],
                        [Ring()],
                        [Answer(media), Bye()],
                        early,
                        early[1:],
                        [*early, Answer(media)],
                        [],
                    ]
                )
            case LegReoffered():
                return dice.choice([[Accept(own_body())], [Accept(own_body())], [RefuseOffer()], []])
            case _:
                return []

    def caller(side: Side, fact: LegFact) -> list[LegCommand]:
        match fact:
            case LegAnswered(needs_answer=True) | LegProgressed(needs_answer=True):
                return [Accept(own_body())]
            case LegReoffered():
                return dice.choice([[Accept(own_body())], [Accept(own_body())], [RefuseOffer()]])
            case _:
                return []

    return Side("a", caller), Side("b", callee, config=abilities("callee.test", dice))


def storm(seed: int, weather: Weather, flow: Path = UDP) -> Pair:
    """One call in bad weather, with things asked of both sides at odd moments."""
    dice = random.Random(f"calls {seed}")
    caller, callee = moody(dice)
    caller.flow = callee.flow = flow
    pair = Pair(caller, callee, weather, seed)
    caller.leg = caller_leg(config=abilities("caller.test", dice))
    command = invite_command(dice.choice([OFFER, None]), via=flow if flow.reliable else None)
    if RELIABLE in caller.leg.config.supported and dice.random() < 0.5:
        command = attrs.evolve(command, headers=(("Require", RELIABLE),))
    caller.do(command)

    def when_possible(side: Side, command: LegCommand) -> None:
        if side.leg is not None and side.leg.phase in OFFERING:
            side.do(command)

    def pick_up() -> None:
        if callee.leg is not None and callee.leg.phase is Phase.CALLED:
            callee.do(Answer(ANSWER))

    def hang_up(side: Side) -> None:
        if side.leg is not None and not side.leg.finished:
            side.do(Bye())

    for side in (caller, callee):
        for number in range(dice.choice([0, 1, 1, 2, 4])):
            offer = Offer(b"v=0 %s%d\r\n" % (side.name.encode(), number), update=dice.random() < 0.5)
            when = dice.uniform(0, 20)
            pair.at(when, partial(when_possible, side, offer))
    if dice.random() < 0.7:
        pair.at(dice.uniform(1, 10), pick_up)
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


@pytest.mark.parametrize("seed", range(300))
def test_a_call_in_a_storm_ends_on_both_sides(seed: int) -> None:
    pair = storm(seed, STORM)
    pair.run(until=1000)
    check(pair)


@pytest.mark.parametrize("seed", range(50))
def test_a_call_in_fine_weather_ends_on_both_sides_and_nobody_meets_a_stranger(seed: int) -> None:
    pair = storm(seed, Weather())
    pair.run(until=1000)
    check(pair)
    agree(pair)


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
