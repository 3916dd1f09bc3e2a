"""The letters of RFC 3261 table 4 and RFC 6026."""

from __future__ import annotations

from offhook.sip.timers import Timers


def test_the_letters_have_the_values_of_the_rfcs() -> None:
    timers = Timers()
    assert (timers.a, timers.b, timers.e, timers.f, timers.g, timers.h) == (0.5, 32.0, 0.5, 32.0, 0.5, 32.0)
    assert (timers.l, timers.m) == (32.0, 32.0)
    assert timers.c > 180.0
    assert [timers.d(False), timers.i(False), timers.j(False), timers.k(False)] == [32.0, 5.0, 32.0, 5.0]
    assert [timers.d(True), timers.i(True), timers.j(True), timers.k(True)] == [0.0, 0.0, 0.0, 0.0]


def test_the_letters_follow_t1_and_t4() -> None:
    timers = Timers(t1=1.0, t4=10.0)
    assert (timers.a, timers.b, timers.j(False), timers.k(False), timers.d(False)) == (1.0, 64.0, 64.0, 10.0, 64.0)
    assert Timers(t1=0.1).d(False) == 32.0
