"""Reliable provisional responses to an INVITE of ours (RFC 3262 section 4), and two legs that use them."""

from __future__ import annotations

import math

import pytest

from offhook.sip.build import respond
from offhook.sip.dialog.config import Reliability
from offhook.sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    CancelInvite,
    LegAnswered,
    LegCommand,
    LegEnded,
    LegFact,
    LegOfferAnswered,
    LegOffered,
    LegProgressed,
    LegRefused,
    Offer,
    Ring,
    SendRequest,
)
from offhook.sip.digest import DigestServer
from offhook.sip.machine import OutOfTurn
from offhook.sip.message import Request
from tests.sip.dialog.pair import (
    ANSWER,
    OFFER,
    Pair,
    Side,
    Weather,
    agree,
    caller_leg,
    config_of,
    invite_command,
    over_the_wire,
    requests,
)
from tests.sip.dialog.peer import CONTACT, REQUIRED, CalledPeer
from tests.sip.dialog.test_calling import CREDENTIALS

EAGER = config_of("callee.test", reliability=Reliability.SUPPORTED)
HELD = b"v=0 held\r\n"


def test_each_reliable_response_is_acknowledged_in_the_early_dialog() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    (fact,) = peer.ring(invite, 7000, status=180)
    assert isinstance(fact, LegProgressed)
    first = peer.last("PRACK")
    assert (str(first.rack), first.cseq.number) == ("7000 1 INVITE", 2)
    assert (first.request_uri, first.to_tag) == ("sip:bob@peer.test:5070", "peer")
    assert first.body == b""
    (fact,) = peer.ring(invite, 7001, body=ANSWER)
    assert isinstance(fact, LegProgressed)
    assert (fact.body, fact.needs_answer) == (ANSWER, False)
    second = peer.last("PRACK")
    assert (str(second.rack), second.cseq.number) == ("7001 1 INVITE", 3)
    for each in (first, second):
        assert peer.answer(each, 200) == []


def test_a_copy_and_what_is_out_of_order_are_passed_over() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.ring(invite, 5)
    for rseq in (5, 4, 7, 2**32 - 1):
        assert peer.ring(invite, rseq) == []
        assert peer.out == []
    assert len(peer.ring(invite, 6)) == 1
    assert len(peer.ring(invite, 7)) == 1


def test_each_fork_counts_for_itself() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    for tag, rseq in (("one", 10), ("two", 90), ("one", 11), ("two", 91)):
        assert len(peer.ring(invite, rseq, tag=tag)) == 1
        sent = peer.last("PRACK")
        assert (sent.to_tag, sent.rack is not None and sent.rack.rseq) == (tag, rseq)


def test_a_leg_that_never_does_it_takes_them_for_ordinary_ones() -> None:
    peer = CalledPeer(leg=caller_leg(config=config_of("caller.test", reliability=Reliability.NEVER)))
    invite = peer.dial()
    assert invite.supported == ("timer",)
    assert len(peer.ring(invite, 5)) == 1
    assert peer.methods == []
    assert len(peer.ring(invite, 5)) == 1


def test_a_reliable_response_without_a_number_or_a_tag_cannot_be_acknowledged() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    assert len(peer.answer(invite, 183, headers=(CONTACT, *REQUIRED))) == 1
    assert peer.methods == []
    untagged = respond(invite, 183, headers=(*REQUIRED, ("RSeq", "4")))
    untagged = untagged.with_headers(untagged.headers.with_("To", "<sip:bob@callee.test:5060>"))
    (fact,) = peer.leg.receive(over_the_wire(untagged), peer.flow, 0.0)
    assert isinstance(fact, LegProgressed)


def test_a_re_invite_does_not_ask_for_reliable_responses() -> None:
    peer = CalledPeer()
    peer.answer(peer.dial(), 200, body=ANSWER)
    peer.tell(Offer(HELD))
    invite = peer.last("INVITE")
    assert invite.supported == ("timer",)
    assert peer.ring(invite, 3) == []
    assert peer.methods == []


def test_an_early_answer_stands_whatever_the_200_says() -> None:
    for body in (None, ANSWER, HELD):
        peer = CalledPeer()
        invite = peer.dial()
        peer.ring(invite, 1, body=ANSWER)
        (fact,) = peer.ring(invite, 2, body=HELD)
        assert isinstance(fact, LegProgressed)
        assert fact.body is None
        (fact,) = peer.answer(invite, 200, body=body)
        assert isinstance(fact, LegAnswered)
        assert (fact.body, fact.early, fact.needs_answer) == (ANSWER, True, False)
        assert peer.last("ACK").body == b""


def test_of_several_forks_the_early_session_of_the_one_that_answers_counts() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    for tag, body in (("ann", ANSWER), ("bob", HELD)):
        peer.answer(invite, 183, tag=tag, body=body, headers=(CONTACT, *REQUIRED, ("RSeq", "1")))
        assert peer.last("PRACK").to_tag == tag
    (fact,) = peer.answer(invite, 200, tag="ann")
    assert isinstance(fact, LegAnswered)
    assert (fact.body, fact.early, fact.local) == (ANSWER, True, OFFER)


def test_requests_after_the_answer_go_on_counting_from_the_pracks() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.ring(invite, 1, body=ANSWER)
    assert peer.last("PRACK").cseq.number == 2
    peer.answer(invite, 200, headers=(("Contact", "<sip:moved@peer.test>"), ("Record-Route", "<sip:p.test;lr>")))
    peer.tell(Bye())
    bye = peer.last("BYE")
    assert (bye.cseq.number, bye.request_uri) == (3, "sip:moved@peer.test")
    assert [str(route.uri) for route in bye.routes] == ["sip:p.test;lr"]


def test_other_forks_are_hung_up_with_numbers_beyond_their_pracks() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.ring(invite, 1, tag="one")
    peer.ring(invite, 1, tag="two")
    peer.answer(invite, 200, tag="one", body=ANSWER)
    peer.answer(invite, 200, tag="two", body=ANSWER)
    assert [(each.method, each.cseq.number) for each in requests(peer.out)] == [("ACK", 1), ("BYE", 3)]


def test_an_orphaned_invite_hangs_up_with_numbers_beyond_its_pracks() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.ring(invite, 1)
    peer.leg.last_words(0.0)
    kept = {transaction.key: transaction for transaction in peer.leg.linger()}

    ok = over_the_wire(respond(invite, 200, to_tag="peer", headers=(CONTACT,)))
    outputs = kept[(invite.via.branch, "INVITE")].receive(ok, peer.flow, 1.0)
    sent = [output.request for output in outputs if isinstance(output, SendRequest)]
    assert [(each.method, each.cseq.number) for each in sent] == [("ACK", 1), ("BYE", 3)]


def test_an_early_offer_waits_for_our_answer_and_is_acknowledged_with_it() -> None:
    peer = CalledPeer()
    invite = peer.dial(None)
    (fact,) = peer.ring(invite, 1, body=OFFER)
    assert isinstance(fact, LegProgressed)
    assert (fact.body, fact.needs_answer) == (OFFER, True)
    assert peer.methods == []
    assert peer.ring(invite, 1, body=OFFER) == []
    assert peer.ring(invite, 2) == []
    assert peer.tell(Accept(ANSWER, tag="peer")) == []
    sent = peer.last("PRACK")
    assert (str(sent.rack), sent.body) == ("1 1 INVITE", ANSWER)
    (fact,) = peer.answer(invite, 200)
    assert isinstance(fact, LegAnswered)
    assert (fact.body, fact.early, fact.needs_answer) == (OFFER, True, False)
    assert peer.last("ACK").body == b""


def test_of_two_forks_that_offer_each_gets_its_own_answer() -> None:
    peer = CalledPeer()
    invite = peer.dial(None)
    peer.ring(invite, 1, body=OFFER, tag="one")
    peer.ring(invite, 1, body=HELD, tag="two")
    peer.tell(Accept(ANSWER, tag="two"))
    assert peer.last("PRACK").to_tag == "two"
    peer.tell(Accept(ANSWER))
    assert peer.last("PRACK").to_tag == "one"
    with pytest.raises(OutOfTurn):
        peer.tell(Accept(ANSWER))


def test_an_answer_that_overtakes_our_answer_gets_it_in_the_ack() -> None:
    peer = CalledPeer()
    invite = peer.dial(None)
    peer.ring(invite, 1, body=OFFER)
    (fact,) = peer.answer(invite, 200)
    assert isinstance(fact, LegAnswered)
    assert not fact.needs_answer
    assert peer.methods == []
    peer.tell(Accept(ANSWER))
    assert peer.last("ACK").body == ANSWER


def test_a_prack_is_challenged_and_sent_again_and_one_that_was_overtaken_too() -> None:
    peer = CalledPeer()
    invite = peer.dial(auth=CREDENTIALS)
    peer.ring(invite, 1)
    first = peer.last("PRACK")
    challenge = DigestServer(b"s", "r").challenge(0.0)[0]
    peer.answer(first, 407, headers=(("Proxy-Authenticate", challenge),))
    second = peer.last("PRACK")
    assert "Proxy-Authorization" in second.headers
    assert second.rack == first.rack
    peer.answer(second, 500)
    third = peer.last("PRACK")
    assert third.cseq.number == 4
    peer.answer(third, 481)
    assert peer.methods == []


def test_a_prack_that_nobody_answers_changes_nothing() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.ring(invite, 1)
    branch = peer.last("PRACK").via.branch or ""
    assert peer.leg.transport_failed(branch, 0.1) == []
    peer.ring(invite, 2)
    assert [output for _, output in peer.wait(100.0) if not isinstance(output, SendRequest)] == []
    assert isinstance(peer.answer(invite, 200, body=ANSWER)[0], LegAnswered)


def test_a_challenged_invite_forgets_what_its_forks_have_said() -> None:
    peer = CalledPeer()
    invite = peer.dial(auth=CREDENTIALS)
    peer.ring(invite, 40, body=ANSWER)
    challenge = DigestServer(b"s", "r").challenge(0.0)[0]
    peer.answer(invite, 407, headers=(("Proxy-Authenticate", challenge),))
    again = peer.last("INVITE")
    (fact,) = peer.ring(again, 9, body=HELD)
    assert isinstance(fact, LegProgressed)
    assert fact.body == HELD
    assert str(peer.last("PRACK").rack) == "9 2 INVITE"


def test_a_callee_that_rings_without_end_is_acknowledged_within_bounds() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    pracks = 0
    for number in range(1, 200):
        peer.ring(invite, number)
        pracks += len(peer.methods)
    assert pracks == 64
    for number in range(200):
        peer.ring(invite, 1, tag=f"fork{number}")
        pracks += len(peer.methods)
    assert pracks == 64


def test_after_a_cancel_nothing_is_acknowledged_any_more() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.ring(invite, 1)
    peer.tell(CancelInvite())
    assert peer.ring(invite, 2) == []
    assert peer.methods == []
    assert isinstance(peer.answer(invite, 487), list)
    assert peer.leg.finished
    assert peer.leg.wake_at() < math.inf


# ---- two legs -----------------------------------------------------------------------------------------------------


def early_call(offer: bytes | None, weather: Weather, seed: int) -> Pair:
    """A call with early media that both sides rely on, answered after 3 s."""

    def callee(side: Side, fact: LegFact) -> list[LegCommand]:
        return [Ring(), Ring(183, ANSWER if offer else OFFER)] if isinstance(fact, LegOffered) else []

    def caller(side: Side, fact: LegFact) -> list[LegCommand]:
        match fact:
            case LegProgressed(needs_answer=True) | LegAnswered(needs_answer=True):
                return [Accept(ANSWER)]
            case _:
                return []

    pair = Pair(Side("a", caller), Side("b", callee, config=EAGER), weather, seed)
    pair.caller.leg = caller_leg()
    pair.caller.do(invite_command(offer))

    def pick_up() -> None:
        if pair.callee.leg is not None and not pair.callee.leg.finished:
            pair.callee.do(Answer(ANSWER if offer else OFFER))

    pair.at(3, pick_up)
    pair.at(60, lambda: pair.caller.do(Bye()))
    return pair


@pytest.mark.parametrize("offer", [OFFER, None])
def test_two_legs_settle_the_session_before_the_answer(offer: bytes | None) -> None:
    pair = early_call(offer, Weather(), 0)
    pair.run()
    (answered,) = [fact for fact in pair.caller.facts if isinstance(fact, LegAnswered)]
    assert answered.early
    assert answered.body == (ANSWER if offer else OFFER)
    assert [fact.body for fact in pair.callee.facts if isinstance(fact, LegOfferAnswered)] == (
        [] if offer else [ANSWER]
    )
    assert [type(fact) for fact in pair.callee.facts][-2:] == [LegAnswered, LegEnded]
    sent = [message.method for _, message in pair.caller.sent if isinstance(message, Request)]
    assert sent == ["INVITE", "PRACK", "PRACK", "ACK", "BYE"]


@pytest.mark.parametrize("seed", range(40))
def test_what_both_sides_take_for_the_session_is_the_same_in_any_weather(seed: int) -> None:
    weather = Weather(loss=0.25, duplication=0.2, delay_s=(0.005, 0.9))
    pair = early_call(OFFER if seed % 2 else None, weather, seed)
    pair.run(until=400)
    for side in (pair.caller, pair.callee):
        assert isinstance(side.end, LegEnded | LegRefused)
        assert side.lingering == {}
    agree(pair)
