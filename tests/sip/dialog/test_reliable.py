"""Reliable provisional responses (RFC 3262), sent and heard, and the early sessions that they settle (RFC 6337)."""

from __future__ import annotations

import math

import pytest

from offhook.sip.build import respond
from offhook.sip.dialog.config import LegConfig, Reliability
from offhook.sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    CancelInvite,
    Cause,
    LegAnswered,
    LegCommand,
    LegEnded,
    LegFact,
    LegOfferAnswered,
    LegOffered,
    LegOfferRefused,
    LegProgressed,
    LegRefused,
    LegReoffered,
    Offer,
    Refuse,
    RefuseOffer,
    Ring,
    SendRequest,
    SendResponse,
)
from offhook.sip.digest import DigestServer
from offhook.sip.machine import OutOfTurn
from offhook.sip.message import Request
from tests.sip.dialog.pair import (
    ANSWER,
    OFFER,
    TCP,
    Pair,
    Side,
    Weather,
    agree,
    caller_leg,
    config_of,
    invite_command,
    over_the_wire,
    requests,
    responses,
)
from tests.sip.dialog.peer import CalledPeer, CallingPeer, HeaderItems
from tests.sip.dialog.test_calling import CREDENTIALS

REQUIRED = (("Require", "100rel"),)
SUPPORTED = (("Supported", "100rel"),)
CONTACT = ("Contact", "<sip:bob@peer.test:5070>")
EAGER = config_of("callee.test", reliability=Reliability.SUPPORTED)
NEVER = config_of("callee.test", reliability=Reliability.NEVER)
HELD = b"v=0 held\r\n"


def called(
    headers: HeaderItems = REQUIRED, *, body: bytes | None = OFFER, config: LegConfig | None = None, tcp: bool = False
) -> CallingPeer:
    """A caller that asks for reliable responses."""
    peer = CallingPeer(config=config) if not tcp else CallingPeer(config=config, flow=TCP)
    peer.call(peer.make("INVITE", to_tag=None, body=body, headers=headers))
    return peer


def prack(peer: CallingPeer, *, body: bytes | None = None, rseq: int | None = None, cseq: int = 1) -> list[LegFact]:
    """Acknowledge the last reliable response, or the one with that number."""
    if rseq is None:
        rseq = responses(peer.out)[-1].rseq
    assert rseq is not None
    return peer.send(peer.next("PRACK", body=body, headers=(("RAck", f"{rseq} {cseq} INVITE"),)))


def ring(
    peer: CalledPeer, invite: Request, rseq: int, *, status: int = 183, body: bytes | None = None, tag: str = "peer"
) -> list[LegFact]:
    """Answer our INVITE reliably."""
    headers = (CONTACT, *REQUIRED, ("RSeq", str(rseq)), ("Allow", "INVITE, ACK, BYE, PRACK, UPDATE"))
    return peer.answer(invite, status, tag=tag, body=body, headers=headers)


# ---- sent ---------------------------------------------------------------------------------------------------------


def test_a_caller_that_requires_it_gets_numbered_responses_until_it_acknowledges_them() -> None:
    peer = called()
    peer.tell(Ring())
    (first,) = responses(peer.out)
    assert (first.status, first.require, first.to_tag) == (180, ("100rel",), peer.ours.local_tag)
    assert first.rseq is not None
    assert 0 < first.rseq < 2**31
    assert first.contact is not None
    assert "PRACK" in first.allow
    copies = peer.wait(4.0)
    assert [at for at, _ in copies] == [0.5, 1.5, 3.5]
    assert {output.response for _, output in copies if isinstance(output, SendResponse)} == {first}
    assert prack(peer, rseq=first.rseq) == []
    assert peer.statuses == [200]
    assert [at for at, _ in peer.wait(59.0)] == []
    peer.tell(Ring(183))
    assert responses(peer.out)[0].rseq == first.rseq + 1


def test_copies_go_out_over_every_transport_and_not_more_often_than_doubling_allows() -> None:
    peer = called(tcp=True)
    peer.tell(Ring())
    assert [at for at, _ in peer.wait(31.9)] == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


def test_without_a_prack_the_invite_is_refused_with_504_after_32_s() -> None:
    peer = called()
    peer.tell(Ring())
    done = peer.wait(32.0)
    assert [(at, output.cause) for at, output in done if isinstance(output, LegEnded)] == [(32.0, Cause.NO_PRACK)]
    assert peer.statuses[-1] == 504
    assert peer.ours.finished


@pytest.mark.parametrize(
    ("headers", "config", "reliable"),
    [
        (SUPPORTED, None, False),
        (SUPPORTED, EAGER, True),
        (REQUIRED, EAGER, True),
        ((), EAGER, False),
        (SUPPORTED, NEVER, False),
    ],
)
def test_the_policy_says_whether_support_is_enough(
    headers: HeaderItems, config: LegConfig | None, reliable: bool
) -> None:
    peer = called(headers, config=config)
    peer.tell(Ring())
    (sent,) = responses(peer.out)
    assert (sent.rseq is not None, sent.require) == (reliable, ("100rel",) if reliable else ())


def test_a_leg_that_never_does_it_refuses_who_requires_it() -> None:
    peer = CallingPeer(config=NEVER)
    (fact,) = peer.call(peer.make("INVITE", to_tag=None, body=OFFER, headers=REQUIRED))
    assert isinstance(fact, LegEnded)
    assert [(each.status, each.unsupported) for each in responses(peer.out)] == [(420, ("100rel",))]


def test_a_prack_of_something_else_gets_481_and_one_of_nothing_400() -> None:
    peer = called()
    peer.tell(Ring())
    rseq = responses(peer.out)[0].rseq
    assert rseq is not None
    for wrong, cseq in ((rseq + 1, 1), (rseq, 2)):
        assert prack(peer, rseq=wrong, cseq=cseq) == []
        assert peer.statuses == [481]
    peer.send(peer.next("PRACK"))
    assert peer.statuses == [400]
    prack(peer, rseq=rseq)
    assert peer.statuses == [200]
    prack(peer, rseq=rseq)
    assert peer.statuses == [481]


def test_a_prack_where_nothing_was_reliable_gets_481() -> None:
    peer = called(())
    peer.tell(Ring())
    prack(peer, rseq=1)
    assert peer.statuses == [481]


def test_the_next_response_waits_for_the_prack_of_the_one_before_and_old_news_is_left_out() -> None:
    peer = called()
    peer.tell(Ring(180))
    rseq = responses(peer.out)[0].rseq
    for command in (Ring(181), Ring(182), Ring(183, ANSWER), Ring(183, ANSWER)):
        peer.tell(command)
        assert peer.out == []
    prack(peer, rseq=rseq)
    assert [(each.status, each.body) for each in responses(peer.out)] == [(200, b""), (183, ANSWER)]
    prack(peer)
    assert peer.statuses == [200]


def test_a_reliable_response_is_said_anew_every_minute_without_its_description() -> None:
    peer = called()
    peer.tell(Ring(183, ANSWER))
    prack(peer)
    ((at, output),) = peer.wait(60.4)
    assert isinstance(output, SendResponse)
    assert (at, output.response.status, output.response.body) == (60.0, 183, b"")
    assert output.response.rseq is not None


def test_an_answer_without_a_description_out_goes_at_once_and_takes_a_late_prack() -> None:
    peer = called()
    peer.tell(Ring())
    rseq = responses(peer.out)[0].rseq
    peer.tell(Ring(183, ANSWER))
    peer.tell(Answer(ANSWER))
    (ok,) = responses(peer.out)
    assert (ok.status, ok.body) == (200, ANSWER)
    assert prack(peer, rseq=rseq) == []
    assert peer.statuses == [200]
    assert isinstance(peer.send(peer.make("ACK", cseq=1))[0], LegAnswered)
    assert peer.wait(1000.0) == []


def test_an_answer_waits_for_the_prack_of_the_early_description_and_does_not_repeat_it() -> None:
    peer = called()
    peer.tell(Ring(183, ANSWER))
    rseq = responses(peer.out)[0].rseq
    assert peer.tell(Answer(ANSWER, (("X-A", "b"),))) == []
    assert peer.out == []
    prack(peer, rseq=rseq)
    assert [(each.status, each.body, each.headers.get("X-A")) for each in responses(peer.out)] == [
        (200, b"", None),
        (200, b"", "b"),
    ]
    (fact,) = peer.send(peer.make("ACK", cseq=1))
    assert isinstance(fact, LegAnswered)
    assert fact.body is None


def withheld() -> CallingPeer:
    peer = called()
    peer.tell(Ring(183, ANSWER))
    peer.tell(Answer(ANSWER))
    return peer


def test_an_answer_that_waits_can_be_cancelled_hung_up_and_timed_out() -> None:
    peer = withheld()
    (fact,) = peer.cancel(peer.invite)
    assert isinstance(fact, LegEnded)
    assert (fact.cause, peer.statuses) == (Cause.CANCELLED, [200, 487])

    peer = withheld()
    (fact,) = peer.send(peer.next("BYE"))
    assert isinstance(fact, LegEnded)
    assert (fact.cause, peer.statuses) == (Cause.CANCELLED, [200, 487])

    peer = withheld()
    (fact,) = peer.tell(Bye())
    assert isinstance(fact, LegEnded)
    assert (fact.cause, peer.statuses) == (Cause.LOCAL, [480])

    peer = withheld()
    ends = [output.cause for _, output in peer.wait(32.0) if isinstance(output, LegEnded)]
    assert (ends, peer.statuses[-1]) == ([Cause.NO_PRACK], 504)

    peer = withheld()
    assert [each.status for each in responses(peer.ours.last_words(0.0))] == [500]

    peer = withheld()
    assert peer.tell(Offer(HELD)) == [LegOfferRefused(491, "Request Pending", local=True)]
    peer.send(peer.next("INVITE", body=HELD))
    assert peer.statuses == [500]


def test_a_refusal_ends_the_copies_of_what_nobody_has_acknowledged() -> None:
    peer = called()
    peer.tell(Ring(183, ANSWER))
    (fact,) = peer.tell(Refuse(486))
    assert isinstance(fact, LegEnded)
    assert peer.ours.finished
    assert peer.ours.wake_at() == 0.5  # the refusal's
    assert [each.response.status for _, each in peer.wait(0.6) if isinstance(each, SendResponse)] == [486]


def test_an_offerless_invite_may_be_offered_early_and_answered_in_the_prack() -> None:
    peer = called(body=None)
    peer.tell(Ring(183, OFFER))
    (fact,) = prack(peer, body=ANSWER)
    assert isinstance(fact, LegOfferAnswered)
    assert fact.body == ANSWER
    peer.tell(Answer(OFFER))
    (ok,) = responses(peer.out)
    assert (ok.status, ok.body) == (200, b"")
    (fact,) = peer.send(peer.make("ACK", cseq=1))
    assert isinstance(fact, LegAnswered)
    assert fact.body is None


def test_an_early_offer_that_the_prack_does_not_answer_is_made_again_in_the_200() -> None:
    peer = called(body=None)
    peer.tell(Ring(183, OFFER))
    (fact,) = prack(peer)
    assert isinstance(fact, LegOfferRefused)
    assert fact.local
    peer.tell(Answer(OFFER))
    assert responses(peer.out)[0].body == OFFER
    (fact,) = peer.send(peer.make("ACK", cseq=1, body=ANSWER))
    assert isinstance(fact, LegAnswered)
    assert fact.body == ANSWER


def test_early_media_without_an_offer_stays_a_mistake_where_nothing_is_reliable() -> None:
    peer = called((), body=None)
    with pytest.raises(OutOfTurn):
        peer.tell(Ring(183, OFFER))
    assert peer.wait(100.0) == []


@pytest.mark.parametrize("accepted", [True, False])
def test_an_offer_in_a_prack_is_offered_to_the_call(accepted: bool) -> None:
    peer = called()
    peer.tell(Ring(183, ANSWER))
    (fact,) = prack(peer, body=HELD)
    assert isinstance(fact, LegReoffered)
    assert (fact.body, fact.request.method) == (HELD, "PRACK")
    assert peer.out == [fact]
    peer.tell(Accept(ANSWER) if accepted else RefuseOffer())
    (reply,) = responses(peer.out)
    assert (reply.status, reply.body, reply.cseq.method) == (200 if accepted else 488, ANSWER * accepted, "PRACK")
    assert "Session-Expires" not in reply.headers
    peer.tell(Answer(ANSWER))
    assert peer.statuses == [200]


def test_a_prack_whose_body_we_cannot_read_gets_415_and_acknowledges_nothing() -> None:
    peer = called()
    peer.tell(Ring())
    peer.cseq += 1
    rseq = responses(peer.out)[0].rseq
    peer.send(peer.make("PRACK", body=b"<x/>", content_type="text/xml", headers=(("RAck", f"{rseq} 1 INVITE"),)))
    assert peer.statuses == [415]
    assert [at for at, _ in peer.wait(0.5)] == [0.5]


# ---- heard --------------------------------------------------------------------------------------------------------


def test_each_reliable_response_is_acknowledged_in_the_early_dialog() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    (fact,) = ring(peer, invite, 7000, status=180)
    assert isinstance(fact, LegProgressed)
    first = peer.last("PRACK")
    assert (str(first.rack), first.cseq.number) == ("7000 1 INVITE", 2)
    assert (first.request_uri, first.to_tag) == ("sip:bob@peer.test:5070", "peer")
    assert first.body == b""
    (fact,) = ring(peer, invite, 7001, body=ANSWER)
    assert isinstance(fact, LegProgressed)
    assert (fact.body, fact.needs_answer) == (ANSWER, False)
    second = peer.last("PRACK")
    assert (str(second.rack), second.cseq.number) == ("7001 1 INVITE", 3)
    for each in (first, second):
        assert peer.answer(each, 200) == []


def test_a_copy_and_what_is_out_of_order_are_passed_over() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    ring(peer, invite, 5)
    for rseq in (5, 4, 7, 2**32 - 1):
        assert ring(peer, invite, rseq) == []
        assert peer.out == []
    assert len(ring(peer, invite, 6)) == 1
    assert len(ring(peer, invite, 7)) == 1


def test_each_fork_counts_for_itself() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    for tag, rseq in (("one", 10), ("two", 90), ("one", 11), ("two", 91)):
        assert len(ring(peer, invite, rseq, tag=tag)) == 1
        sent = peer.last("PRACK")
        assert (sent.to_tag, sent.rack is not None and sent.rack.rseq) == (tag, rseq)


def test_a_leg_that_never_does_it_takes_them_for_ordinary_ones() -> None:
    peer = CalledPeer(leg=caller_leg(config=config_of("caller.test", reliability=Reliability.NEVER)))
    invite = peer.dial()
    assert invite.supported == ("timer",)
    assert len(ring(peer, invite, 5)) == 1
    assert peer.methods == []
    assert len(ring(peer, invite, 5)) == 1


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
    assert ring(peer, invite, 3) == []
    assert peer.methods == []


def test_an_early_answer_stands_whatever_the_200_says() -> None:
    for body in (None, ANSWER, HELD):
        peer = CalledPeer()
        invite = peer.dial()
        ring(peer, invite, 1, body=ANSWER)
        (fact,) = ring(peer, invite, 2, body=HELD)
        assert isinstance(fact, LegProgressed)
        assert fact.body is None
        (fact,) = peer.answer(invite, 200, body=body)
        assert isinstance(fact, LegAnswered)
        assert (fact.body, fact.early, fact.needs_answer) == (ANSWER, True, False)
        assert peer.last("ACK").body == b""


def test_requests_after_the_answer_go_on_counting_from_the_pracks() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    ring(peer, invite, 1, body=ANSWER)
    assert peer.last("PRACK").cseq.number == 2
    peer.answer(invite, 200, headers=(("Contact", "<sip:moved@peer.test>"), ("Record-Route", "<sip:p.test;lr>")))
    peer.tell(Bye())
    bye = peer.last("BYE")
    assert (bye.cseq.number, bye.request_uri) == (3, "sip:moved@peer.test")
    assert [str(route.uri) for route in bye.routes] == ["sip:p.test;lr"]


def test_other_forks_are_hung_up_with_numbers_beyond_their_pracks() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    ring(peer, invite, 1, tag="one")
    ring(peer, invite, 1, tag="two")
    peer.answer(invite, 200, tag="one", body=ANSWER)
    peer.answer(invite, 200, tag="two", body=ANSWER)
    assert [(each.method, each.cseq.number) for each in requests(peer.out)] == [("ACK", 1), ("BYE", 3)]


def test_an_orphaned_invite_hangs_up_with_numbers_beyond_its_pracks() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    ring(peer, invite, 1)
    peer.leg.last_words(0.0)
    kept = {transaction.key: transaction for transaction in peer.leg.linger()}

    ok = over_the_wire(respond(invite, 200, to_tag="peer", headers=(CONTACT,)))
    outputs = kept[(invite.via.branch, "INVITE")].receive(ok, peer.flow, 1.0)
    sent = [output.request for output in outputs if isinstance(output, SendRequest)]
    assert [(each.method, each.cseq.number) for each in sent] == [("ACK", 1), ("BYE", 3)]


def test_an_early_offer_waits_for_our_answer_and_is_acknowledged_with_it() -> None:
    peer = CalledPeer()
    invite = peer.dial(None)
    (fact,) = ring(peer, invite, 1, body=OFFER)
    assert isinstance(fact, LegProgressed)
    assert (fact.body, fact.needs_answer) == (OFFER, True)
    assert peer.methods == []
    assert ring(peer, invite, 1, body=OFFER) == []
    assert ring(peer, invite, 2) == []
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
    ring(peer, invite, 1, body=OFFER, tag="one")
    ring(peer, invite, 1, body=HELD, tag="two")
    peer.tell(Accept(ANSWER, tag="two"))
    assert peer.last("PRACK").to_tag == "two"
    peer.tell(Accept(ANSWER))
    assert peer.last("PRACK").to_tag == "one"
    with pytest.raises(OutOfTurn):
        peer.tell(Accept(ANSWER))


def test_an_answer_that_overtakes_our_answer_gets_it_in_the_ack() -> None:
    peer = CalledPeer()
    invite = peer.dial(None)
    ring(peer, invite, 1, body=OFFER)
    (fact,) = peer.answer(invite, 200)
    assert isinstance(fact, LegAnswered)
    assert not fact.needs_answer
    assert peer.methods == []
    peer.tell(Accept(ANSWER))
    assert peer.last("ACK").body == ANSWER


def test_a_prack_is_challenged_and_sent_again_and_one_that_was_overtaken_too() -> None:
    peer = CalledPeer()
    invite = peer.dial(auth=CREDENTIALS)
    ring(peer, invite, 1)
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
    ring(peer, invite, 1)
    branch = peer.last("PRACK").via.branch or ""
    assert peer.leg.transport_failed(branch, 0.1) == []
    ring(peer, invite, 2)
    assert [output for _, output in peer.wait(100.0) if not isinstance(output, SendRequest)] == []
    assert isinstance(peer.answer(invite, 200, body=ANSWER)[0], LegAnswered)


def test_a_challenged_invite_forgets_what_its_forks_have_said() -> None:
    peer = CalledPeer()
    invite = peer.dial(auth=CREDENTIALS)
    ring(peer, invite, 40, body=ANSWER)
    challenge = DigestServer(b"s", "r").challenge(0.0)[0]
    peer.answer(invite, 407, headers=(("Proxy-Authenticate", challenge),))
    again = peer.last("INVITE")
    (fact,) = ring(peer, again, 9, body=HELD)
    assert isinstance(fact, LegProgressed)
    assert fact.body == HELD
    assert str(peer.last("PRACK").rack) == "9 2 INVITE"


def test_a_callee_that_rings_without_end_is_acknowledged_within_bounds() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    pracks = 0
    for number in range(1, 200):
        ring(peer, invite, number)
        pracks += len(peer.methods)
    assert pracks == 64
    for number in range(200):
        ring(peer, invite, 1, tag=f"fork{number}")
        pracks += len(peer.methods)
    assert pracks == 64


def test_after_a_cancel_nothing_is_acknowledged_any_more() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    ring(peer, invite, 1)
    peer.tell(CancelInvite())
    assert ring(peer, invite, 2) == []
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
