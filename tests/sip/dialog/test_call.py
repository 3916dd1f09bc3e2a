"""Whole calls between two legs, without accidents."""

from __future__ import annotations

from offhook.sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    Cause,
    LegAnswered,
    LegCommand,
    LegEnded,
    LegFact,
    LegOfferAnswered,
    LegOffered,
    LegProgressed,
    LegReoffered,
    LegTrying,
    Offer,
    Ring,
)
from offhook.sip.message import Request
from tests.sip.dialog.pair import ANSWER, OFFER, Pair, Side, caller_leg, invite_command, silent


def pick_up(side: Side, fact: LegFact) -> list[LegCommand]:
    """A call that rings, answers, and takes every new offer."""
    match fact:
        case LegOffered():
            return [Ring(), Answer(ANSWER)]
        case LegReoffered():
            return [Accept(ANSWER)]
        case _:
            return []


def take_offers(side: Side, fact: LegFact) -> list[LegCommand]:
    return [Accept(ANSWER)] if isinstance(fact, LegReoffered) else []


def call() -> Pair:
    """A caller whose INVITE is on its way to a callee that picks up."""
    pair = Pair(Side("a", take_offers), Side("b", pick_up))
    pair.caller.leg = caller_leg()
    pair.caller.do(invite_command())
    return pair


def test_a_call_is_answered_and_hung_up_by_the_callee() -> None:
    pair = call()
    pair.at(10, lambda: pair.callee.do(Bye()))
    pair.run()
    assert [type(fact) for fact in pair.caller.facts] == [LegTrying, LegProgressed, LegAnswered, LegEnded]
    assert [type(fact) for fact in pair.callee.facts] == [LegOffered, LegAnswered, LegEnded]
    assert isinstance(pair.caller.end, LegEnded)
    assert pair.caller.end.cause is Cause.HUNG_UP
    assert isinstance(pair.callee.end, LegEnded)
    assert pair.callee.end.cause is Cause.LOCAL


def test_both_sides_change_the_session_in_turn() -> None:
    pair = call()
    pair.at(5, lambda: pair.caller.do(Offer(OFFER)))
    pair.at(6, lambda: pair.callee.do(Offer(OFFER)))
    pair.at(7, lambda: pair.caller.do(Bye()))
    pair.run()
    for side in (pair.caller, pair.callee):
        answered = [fact for fact in side.facts if isinstance(fact, LegOfferAnswered)]
        assert [fact.body for fact in answered] == [ANSWER]
    invites = [
        message for _, message in pair.caller.sent if isinstance(message, Request) and message.method == "INVITE"
    ]
    assert [message.cseq.number for message in invites] == [1, 2]


def test_crossing_offers_glare_and_both_come_through_in_the_end() -> None:
    pair = call()
    pair.at(5, lambda: pair.caller.do(Offer(OFFER)))
    pair.at(5, lambda: pair.callee.do(Offer(OFFER)))
    pair.at(60, lambda: pair.caller.do(Bye()))
    pair.run()
    for side in (pair.caller, pair.callee):
        assert [type(fact) for fact in side.facts].count(LegOfferAnswered) == 1
        statuses = [message.status for _, message in side.sent if not isinstance(message, Request)]
        assert 491 in statuses


def test_hanging_up_at_once_after_answering_waits_for_the_ack() -> None:
    def greet_and_leave(side: Side, fact: LegFact) -> list[LegCommand]:
        return [Answer(ANSWER), Bye()] if isinstance(fact, LegOffered) else []

    pair = Pair(Side("a", silent), Side("b", greet_and_leave))
    pair.caller.leg = caller_leg()
    pair.caller.do(invite_command())
    pair.run()
    assert [type(fact) for fact in pair.callee.facts] == [LegOffered, LegEnded]
    byes = [at for at, message in pair.callee.sent if isinstance(message, Request)]
    acks = [at for at, message in pair.caller.sent if isinstance(message, Request) and message.method == "ACK"]
    assert byes[0] > acks[0]
