"""The session timer by itself, and between two legs for as long as a call lasts (RFC 4028)."""

from __future__ import annotations

import math

import attrs
import pytest

from offhook.sip.build import respond
from offhook.sip.dialog.config import LegConfig
from offhook.sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    Cause,
    LegAnswered,
    LegCommand,
    LegEnded,
    LegFact,
    LegOffered,
    LegProgressed,
    LegRefused,
    LegReoffered,
    Ring,
)
from offhook.sip.dialog.session_timer import TABLE, Act, Input, SessionTimer, State
from offhook.sip.machine import OutOfTurn, step
from offhook.sip.message import Request, Response
from tests.sip.dialog.pair import (
    ANSWER,
    Pair,
    Side,
    Weather,
    caller_leg,
    config_of,
    invite_command,
    silent,
)
from tests.sip.dialog.peer import CallingPeer, HeaderItems

FINE = Weather()
SHORT = config_of("callee.test", session_s=60, min_session_s=2)


# ---- the core by itself -------------------------------------------------------------------------------------------


def response(headers: HeaderItems) -> Response:
    return respond(CallingPeer().invite, 200, headers=headers)


def test_a_timer_that_nobody_agreed_on_never_wakes() -> None:
    timer = SessionTimer(config_of("x.test"))
    assert (timer.state, timer.wake_at(), timer.wake(1e9)) == (State.OFF, math.inf, None)
    timer.failed(5.0)
    assert timer.wake_at() == math.inf


def test_a_timer_refreshes_once_and_expires_once() -> None:
    timer = SessionTimer(config_of("x.test"))
    timer.agreed(response((("Session-Expires", "120;refresher=uac"),)), 10.0)
    assert timer.wake_at() == 70.0
    assert timer.wake(70.0) is Act.REFRESH
    assert (timer.wake_at(), timer.wake(97.9)) == (98.0, None)
    assert timer.wake(98.0) is Act.EXPIRE
    assert timer.wake_at() == math.inf


def test_a_late_driver_is_told_of_the_end_and_not_of_the_refresh_before_it() -> None:
    timer = SessionTimer(config_of("x.test"))
    timer.agreed(response((("Session-Expires", "120;refresher=uac"),)), 0.0)
    assert timer.wake(500.0) is Act.EXPIRE


def test_a_refresh_that_comes_to_nothing_after_the_other_side_s_is_no_news() -> None:
    timer = SessionTimer(config_of("x.test"))
    timer.agreed(response((("Session-Expires", "120;refresher=uac"),)), 0.0)
    timer.wake(60.0)
    timer.agreed(response((("Session-Expires", "120;refresher=uas"),)), 61.0)
    timer.failed(62.0)
    assert (timer.state, timer.wake_at()) == (State.THEIRS, 61.0 + 120 - 32)


def test_a_timer_cannot_be_due_when_it_is_off() -> None:
    with pytest.raises(OutOfTurn):
        step(TABLE, State.OFF, Input.EXPIRY_DUE)


# ---- two legs -----------------------------------------------------------------------------------------------------


def long_call(caller: LegConfig, callee: LegConfig, weather: Weather = FINE, seed: int = 0) -> Pair:
    def pick_up(side: Side, fact: LegFact) -> list[LegCommand]:
        match fact:
            case LegOffered():
                return [Ring(), Answer(ANSWER)]
            case LegReoffered():
                return [Accept(ANSWER)]
            case _:
                return []

    pair = Pair(Side("a", silent), Side("b", pick_up, config=callee), weather, seed)
    pair.caller.leg = caller_leg(config=caller)
    pair.caller.do(invite_command())
    return pair


def refreshes(side: Side) -> list[str]:
    return [
        message.method
        for _, message in side.sent
        if isinstance(message, Request) and message.to_tag is not None and message.method in ("INVITE", "UPDATE")
    ]


@pytest.mark.parametrize("with_update", [True, False])
def test_a_call_between_two_legs_is_refreshed_all_along_and_nobody_notices(with_update: bool) -> None:
    allow = config_of("x.test").allow
    caller = config_of("caller.test", session_s=20, min_session_s=2)
    callee = attrs.evolve(
        SHORT, allow=allow if with_update else tuple(method for method in allow if method != "UPDATE")
    )
    pair = long_call(caller, callee)
    pair.at(1000, lambda: pair.callee.do(Bye()))
    pair.run(until=1100)
    assert isinstance(pair.caller.end, LegEnded)
    assert pair.caller.end.cause is Cause.HUNG_UP
    assert len(refreshes(pair.caller)) == 99
    assert set(refreshes(pair.caller)) == {"UPDATE" if with_update else "INVITE"}
    assert refreshes(pair.callee) == []
    assert [type(fact) for fact in pair.caller.facts] == [LegProgressed, LegAnswered, LegEnded]


def test_a_call_to_a_peer_that_has_vanished_ends_with_its_session() -> None:
    pair = long_call(config_of("caller.test", session_s=20, min_session_s=2), SHORT)
    pair.at(100, pair.callee.vanish)
    pair.run(until=1000)
    assert isinstance(pair.caller.end, LegEnded)
    assert pair.caller.end.cause in (Cause.EXPIRED, Cause.LOST)
    assert not isinstance(pair.callee.end, LegRefused)
    byes = [at for at, message in pair.caller.sent if isinstance(message, Request) and message.method == "BYE"]
    assert 100 < byes[0] < 120


def test_the_side_that_waits_for_refreshes_notices_too() -> None:
    pair = long_call(config_of("caller.test", session_s=20, min_session_s=2), SHORT)
    pair.at(100, pair.caller.vanish)
    pair.run(until=1000)
    assert isinstance(pair.callee.end, LegEnded)
    assert pair.callee.end.cause is Cause.EXPIRED


@pytest.mark.parametrize("seed", range(20))
def test_refreshes_survive_bad_weather(seed: int) -> None:
    weather = Weather(loss=0.15, duplication=0.1, delay_s=(0.01, 0.2))
    pair = long_call(config_of("caller.test", session_s=120), config_of("callee.test"), weather, seed)
    pair.at(1500, lambda: pair.callee.do(Bye()))
    pair.run(until=2000)
    for side in (pair.caller, pair.callee):
        assert isinstance(side.end, LegEnded)
        assert side.end.cause in (Cause.HUNG_UP, Cause.LOCAL)
