"""What is kept of requests that were answered at once: their answers, for as long as copies may come."""

from __future__ import annotations

import math

import attrs

from offhook.sip.build import request as build_request
from offhook.sip.build import respond
from offhook.sip.message import Request
from offhook.sip.timers import Timers
from offhook.sip.transaction.answered import AnsweredRequests
from offhook.sip.via import Via


@attrs.frozen(eq=False)
class Way:
    transport: str = "UDP"
    reliable: bool = False


UDP, TCP = Way(), Way("TCP", True)


def register(number: int = 1, *, cseq: int | None = None, to_tag: str = "") -> Request:
    return build_request(
        "REGISTER",
        "sip:example.com",
        via=Via.parse(f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{number}"),
        from_="<sip:ann@example.com>;tag=1",
        to=f"<sip:ann@example.com>{to_tag}",
        call_id="c1",
        cseq=number if cseq is None else cseq,
    )


def test_a_copy_gets_the_answer_until_timer_j() -> None:
    answers = AnsweredRequests(Timers())
    request = register()
    response = respond(request, 200, headers=(("Contact", "<sip:ann@192.0.2.1>;expires=600"),))
    assert answers.find(request) is None
    answers.keep(request, response, UDP, 10.0)
    assert answers.find(register()) == response
    assert answers.wake_at() == 42.0
    answers.wake(41.9)
    assert answers.find(request) == response
    answers.wake(42.0)
    assert answers.find(request) is None
    assert (len(answers), answers.wake_at()) == (0, math.inf)


def test_a_stream_brings_no_copies() -> None:
    answers = AnsweredRequests(Timers())
    answers.keep(register(), respond(register(), 200), TCP, 0.0)
    assert len(answers) == 0


def test_the_same_request_on_another_way_is_merged_and_a_new_one_is_not() -> None:
    answers = AnsweredRequests(Timers())
    answers.keep(register(1), respond(register(1), 200), UDP, 0.0)
    assert not answers.is_merged(register(1))
    assert answers.is_merged(register(2, cseq=1))
    assert not answers.is_merged(register(2, cseq=1, to_tag=";tag=7"))
    assert not answers.is_merged(register(2))
    answers.wake(32.0)
    assert not answers.is_merged(register(2, cseq=1))


def test_memory_is_bounded_and_the_oldest_go_first() -> None:
    answers = AnsweredRequests(Timers(), capacity=3)
    for number in range(1, 6):
        answers.keep(register(number), respond(register(number), 200), UDP, float(number))
    assert len(answers) == 3
    assert [answers.find(register(number)) is not None for number in range(1, 6)] == [False, False, True, True, True]
    assert answers.wake_at() == 35.0
    answers.wake(100.0)
    assert len(answers) == 0
