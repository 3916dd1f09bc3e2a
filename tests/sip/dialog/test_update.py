"""UPDATE (RFC 3311): sent and received, early and in a call, with and without a description, and its collisions."""

from __future__ import annotations

import pytest

from offhook.sip.build import respond
from offhook.sip.dialog.config import ALLOW
from offhook.sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    CancelInvite,
    Cause,
    LegAnswered,
    LegEnded,
    LegFact,
    LegOfferAnswered,
    LegOfferRefused,
    LegRefused,
    LegReoffered,
    LegReofferWithdrawn,
    Offer,
    Refuse,
    RefuseOffer,
    Ring,
    SendRequest,
)
from offhook.sip.digest import DigestServer
from offhook.sip.machine import OutOfTurn
from offhook.sip.message import Request
from tests.sip.dialog.pair import ANSWER, OFFER, requests, responses
from tests.sip.dialog.peer import CONTACT, REQUIRED, CalledPeer, CallingPeer, Peer
from tests.sip.dialog.test_calling import CREDENTIALS

HELD = b"v=0 held\r\n"
UPDATES = ("Allow", ", ".join(ALLOW))
PENDING = LegOfferRefused(491, "Request Pending", local=True)


def up() -> CallingPeer:
    """A call to us."""
    peer = CallingPeer()
    peer.call(peer.make("INVITE", to_tag=None, body=OFFER, headers=(UPDATES,)))
    peer.tell(Answer(ANSWER))
    peer.ack()
    return peer


def early() -> CallingPeer:
    """A call to us with a session that is settled, while it rings."""
    peer = CallingPeer()
    peer.call(peer.make("INVITE", to_tag=None, body=OFFER, headers=(*REQUIRED, UPDATES)))
    peer.tell(Ring(183, ANSWER))
    peer.prack()
    return peer


def calling() -> CalledPeer:
    """A call of ours that is up."""
    peer = CalledPeer()
    peer.answer(peer.dial(auth=CREDENTIALS), 200, body=ANSWER, headers=(CONTACT, UPDATES))
    return peer


def ringing(*tags: str) -> tuple[CalledPeer, Request]:
    """A call of ours with a session that is settled, while it rings at one callee or more."""
    peer = CalledPeer()
    invite = peer.dial(auth=CREDENTIALS)
    for tag in tags or ("peer",):
        peer.ring(invite, 1, body=ANSWER, tag=tag)
        peer.answer(peer.last("PRACK"), 200, tag=tag)
    return peer, invite


def retry_after(peer: Peer) -> int:
    after = responses(peer.out)[-1].retry_after
    assert after is not None
    return after.seconds


# ---- received in a call -------------------------------------------------------------------------------------------


def test_an_update_without_a_description_moves_the_remote_target_and_nothing_else() -> None:
    peer = up()
    peer.cseq += 1
    assert peer.send(peer.make("UPDATE", contact="<sip:ann@moved.test>")) == []
    (ok,) = responses(peer.out)
    assert (ok.status, ok.body, ok.allow) == (200, b"", ALLOW)
    assert ok.contact is not None
    peer.tell(Bye())
    assert peer.last("BYE").request_uri == "sip:ann@moved.test"


def test_an_update_with_a_description_is_offered_and_accepted() -> None:
    peer = up()
    peer.cseq += 1
    update = peer.make("UPDATE", body=HELD, contact="<sip:ann@moved.test>")
    assert peer.send(update) == [LegReoffered(update, HELD)]
    assert peer.out == [LegReoffered(update, HELD)]
    assert peer.tell(Accept(ANSWER, (("X-A", "b"),))) == []
    (ok,) = responses(peer.out)
    assert (ok.status, ok.body, ok.headers.get("X-A"), ok.cseq.method) == (200, ANSWER, "b", "UPDATE")
    with pytest.raises(OutOfTurn):
        peer.tell(Accept(ANSWER))
    peer.tell(Bye())
    assert peer.last("BYE").request_uri == "sip:ann@moved.test"


@pytest.mark.parametrize("refusal", [Refuse(488), RefuseOffer()])
def test_an_update_can_be_refused_and_changes_nothing_then(refusal: Refuse | RefuseOffer) -> None:
    peer = up()
    peer.cseq += 1
    peer.send(peer.make("UPDATE", body=HELD, contact="<sip:ann@moved.test>"))
    assert peer.tell(refusal) == []
    assert peer.statuses == [488]
    assert isinstance(peer.send(peer.next("UPDATE", body=HELD))[0], LegReoffered)
    peer.tell(Accept(ANSWER))
    peer.tell(Bye())
    assert peer.last("BYE").request_uri == "sip:ann@peer.test:5070"


def test_refusing_what_nobody_offered_is_our_own_mistake() -> None:
    peer = up()
    with pytest.raises(OutOfTurn):
        peer.tell(RefuseOffer())


def test_a_second_offer_before_the_first_is_answered_gets_500_and_when_to_try_again() -> None:
    peer = up()
    peer.send(peer.next("UPDATE", body=HELD))
    for method, body in (("UPDATE", HELD), ("UPDATE", None), ("INVITE", HELD)):
        assert peer.send(peer.next(method, body=body)) == []
        assert peer.statuses == [500]
        assert 0 <= retry_after(peer) <= 10
    peer = up()
    peer.send(peer.next("INVITE", body=HELD))
    peer.send(peer.next("UPDATE", body=HELD))
    assert peer.statuses == [500]
    peer.send(peer.next("UPDATE"))
    assert peer.statuses == [200]


def test_an_update_that_crosses_an_offer_of_ours_gets_491_and_one_without_a_description_200() -> None:
    peer = up()
    peer.tell(Offer(HELD))
    assert peer.send(peer.next("UPDATE", body=HELD)) == []
    assert peer.statuses == [491]
    assert peer.send(peer.next("UPDATE")) == []
    assert peer.statuses == [200]


def test_an_update_whose_body_or_requirements_we_cannot_meet_is_turned_down() -> None:
    peer = up()
    peer.cseq += 1
    peer.send(peer.make("UPDATE", body=b"<x/>", content_type="text/xml"))
    assert peer.statuses == [415]
    peer.send(peer.next("UPDATE", headers=(("Require", "precondition"),)))
    assert peer.statuses == [420]


def test_an_update_that_waits_when_the_call_ends_gets_487() -> None:
    for end in ("ours", "theirs"):
        peer = up()
        peer.send(peer.next("UPDATE", body=HELD))
        if end == "ours":
            peer.tell(Bye())
            assert peer.statuses == [487]
        else:
            peer.send(peer.next("BYE"))
            assert peer.statuses == [200, 487]
        assert peer.tell(Accept(ANSWER)) == []
        assert peer.out == []


def test_an_update_after_our_bye_gets_481_and_one_before_it_is_to_wait() -> None:
    peer = up()
    peer.tell(Bye())
    peer.send(peer.next("UPDATE"))
    assert peer.statuses == [481]
    peer = CallingPeer()
    peer.call()
    peer.tell(Answer(ANSWER))
    peer.tell(Bye())
    peer.send(peer.next("UPDATE", body=HELD))
    assert peer.statuses == [500]


# ---- received early -----------------------------------------------------------------------------------------------


def test_a_caller_may_change_the_early_session_and_the_answer_to_the_call_leaves_it_so() -> None:
    peer = early()
    (fact,) = peer.send(peer.next("UPDATE", body=HELD))
    assert isinstance(fact, LegReoffered)
    peer.tell(Accept(OFFER))
    (ok,) = responses(peer.out)
    assert (ok.status, ok.body) == (200, OFFER)
    assert "Session-Expires" not in ok.headers
    peer.tell(Answer(ANSWER))
    assert [(each.status, each.body) for each in responses(peer.out)] == [(200, b"")]
    assert isinstance(peer.send(peer.make("ACK", cseq=1))[0], LegAnswered)


def test_refusing_an_early_offer_and_refusing_the_call_are_two_things() -> None:
    peer = early()
    peer.send(peer.next("UPDATE", body=HELD))
    assert peer.tell(RefuseOffer()) == []
    assert [(each.status, each.cseq.method) for each in responses(peer.out)] == [(488, "UPDATE")]
    peer.send(peer.next("UPDATE", body=HELD))
    (fact,) = peer.tell(Refuse(486))
    assert isinstance(fact, LegEnded)
    assert [(each.status, each.cseq.method) for each in responses(peer.out)] == [(486, "INVITE"), (487, "UPDATE")]


def test_an_offer_before_the_invite_s_own_is_answered_is_to_wait() -> None:
    peer = CallingPeer()
    peer.call(peer.make("INVITE", to_tag=None, body=OFFER, headers=REQUIRED))
    peer.tell(Ring())
    for _ in range(2):
        peer.send(peer.next("UPDATE", body=HELD))
        assert peer.statuses == [500]
        peer.tell(Ring(183, ANSWER))
    peer.send(peer.next("UPDATE"))
    assert peer.statuses == [200]


def test_an_offer_before_ours_in_a_call_that_asks_for_ours_is_to_wait() -> None:
    peer = CallingPeer()
    peer.call(peer.make("INVITE", to_tag=None))
    peer.send(peer.next("UPDATE", body=HELD))
    assert peer.statuses == [500]
    peer.tell(Answer(OFFER))
    peer.send(peer.next("UPDATE", body=HELD))
    assert peer.statuses == [491]
    (fact,) = peer.send(peer.make("ACK", cseq=1, body=ANSWER))
    assert isinstance(fact, LegAnswered)

    called = CalledPeer()
    invite = called.dial(None)
    called.answer(invite, 180)
    asking = called.asks()
    asking.send(asking.next("UPDATE", body=HELD))
    assert asking.statuses == [500]
    (fact,) = called.answer(invite, 200, body=OFFER)
    assert isinstance(fact, LegAnswered)
    assert fact.needs_answer


def test_an_offer_that_meets_our_early_one_gets_491() -> None:
    peer = CallingPeer()
    peer.call(peer.make("INVITE", to_tag=None, headers=REQUIRED))
    peer.tell(Ring(183, OFFER))
    peer.send(peer.next("UPDATE", body=HELD))
    assert peer.statuses == [491]


def test_an_early_offer_may_be_answered_after_the_call_was() -> None:
    peer = early()
    peer.send(peer.next("UPDATE", body=HELD))
    peer.tell(Answer(ANSWER))
    assert peer.statuses == [200]
    peer.tell(Accept(OFFER))
    assert [(each.status, each.body, each.cseq.method) for each in responses(peer.out)] == [(200, OFFER, "UPDATE")]
    assert isinstance(peer.send(peer.make("ACK", cseq=1))[0], LegAnswered)


@pytest.mark.parametrize("how", ["cancel", "bye", "last words"])
def test_an_early_offer_that_waits_when_the_call_is_given_up_gets_an_answer(how: str) -> None:
    peer = early()
    peer.send(peer.next("UPDATE", body=HELD))
    if how == "last words":
        said = responses(peer.ours.last_words(0.0))
    else:
        (fact,) = peer.cancel(peer.invite) if how == "cancel" else peer.send(peer.next("BYE"))
        assert isinstance(fact, LegEnded)
        assert fact.cause is Cause.CANCELLED
        said = responses(peer.out)
    assert [each.status for each in said if each.cseq.method == "UPDATE"] == [487]
    assert peer.ours.finished


def test_a_callee_may_change_the_early_session() -> None:
    peer, invite = ringing()
    asking = peer.asks()
    (fact,) = asking.send(asking.next("UPDATE", body=HELD))
    assert isinstance(fact, LegReoffered)
    assert fact.request.from_tag == "peer"
    asking.tell(Accept(OFFER))
    assert [(each.status, each.body) for each in responses(asking.out)] == [(200, OFFER)]
    (fact,) = peer.answer(invite, 200, body=ANSWER)
    assert isinstance(fact, LegAnswered)
    assert (fact.body, fact.early) == (HELD, True)


def test_a_callee_that_is_answered_late_is_answered_in_the_call() -> None:
    peer, invite = ringing()
    asking = peer.asks()
    asking.send(asking.next("UPDATE", body=HELD))
    (fact,) = peer.answer(invite, 200)
    assert isinstance(fact, LegAnswered)
    assert (fact.needs_answer, fact.early) == (False, True)
    asking.tell(Accept(OFFER))
    assert [(each.status, each.cseq.method) for each in responses(asking.out)] == [(200, "UPDATE")]


def test_a_fork_that_loses_while_its_offer_waits_is_told_so_and_the_call_too() -> None:
    peer, invite = ringing("one", "two")
    asking = peer.asks(tag="one")
    asking.send(asking.next("UPDATE", body=HELD))
    withdrawn, answered = peer.answer(invite, 200, tag="two")
    assert withdrawn == LegReofferWithdrawn()
    assert isinstance(answered, LegAnswered)
    assert peer.statuses == [487]
    assert peer.tell(Accept(ANSWER)) == []
    assert peer.out == []


def test_a_second_fork_that_offers_has_to_wait_for_the_first() -> None:
    peer, _ = ringing("one", "two")
    one, two = peer.asks(tag="one"), peer.asks(tag="two", cseq=50)
    assert len(one.send(one.next("UPDATE", body=HELD))) == 1
    assert two.send(two.next("UPDATE", body=HELD)) == []
    assert two.statuses == [500]
    one.tell(Accept(OFFER))
    assert len(two.send(two.next("UPDATE", body=HELD))) == 1


def test_a_callee_whose_call_is_cancelled_or_refused_has_its_offer_answered() -> None:
    for how in ("cancelled", "refused", "challenged"):
        peer, invite = ringing()
        asking = peer.asks()
        asking.send(asking.next("UPDATE", body=HELD))
        facts: list[LegFact]
        if how == "cancelled":
            facts = peer.tell(CancelInvite())
            assert isinstance(facts[0], LegEnded)
        elif how == "refused":
            facts = peer.answer(invite, 486)
            assert isinstance(facts[0], LegRefused)
        else:
            challenge = DigestServer(b"s", "r").challenge(0.0)[0]
            facts = peer.answer(invite, 407, headers=(("Proxy-Authenticate", challenge),))
            assert facts == [LegReofferWithdrawn()]
        assert peer.statuses == [487]
        later = asking.send(asking.next("UPDATE", body=HELD))
        assert (later, asking.statuses) == ([], [481])


# ---- sent in a call -----------------------------------------------------------------------------------------------


def test_our_offer_may_go_by_update_where_the_other_side_takes_it() -> None:
    peer = calling()
    peer.tell(Offer(HELD, (("X-A", "b"),), update=True))
    update = peer.last("UPDATE")
    assert (update.cseq.number, update.to_tag, update.body, update.headers.get("X-A")) == (2, "peer", HELD, "b")
    assert update.headers.get("Session-Expires") == "1800"
    (fact,) = peer.answer(update, 200, body=ANSWER, headers=(("Contact", "<sip:bob@moved.test>"),))
    assert isinstance(fact, LegOfferAnswered)
    assert fact.body == ANSWER
    assert peer.methods == []
    peer.tell(Bye())
    assert peer.last("BYE").request_uri == "sip:bob@moved.test"


def test_our_offer_goes_by_re_invite_to_who_takes_no_update_or_says_so_late() -> None:
    peer = CalledPeer()
    peer.answer(peer.dial(), 200, body=ANSWER)
    peer.tell(Offer(HELD, update=True))
    assert peer.methods == ["INVITE"]
    peer = calling()
    peer.tell(Offer(HELD, update=True))
    assert peer.answer(peer.last("UPDATE"), 501) == []
    peer.wait(0.0)
    assert peer.methods == ["INVITE"]
    assert peer.last("INVITE").body == HELD
    assert isinstance(peer.answer(peer.last("INVITE"), 200, body=ANSWER)[0], LegOfferAnswered)


def test_a_refused_update_leaves_the_call_up_and_silence_ends_it() -> None:
    peer = calling()
    peer.tell(Offer(HELD, update=True))
    (fact,) = peer.answer(peer.last("UPDATE"), 488)
    assert isinstance(fact, LegOfferRefused)
    assert (fact.status, fact.local) == (488, False)
    peer.tell(Offer(HELD, update=True))
    assert [output.cause for _, output in peer.wait(32.0) if isinstance(output, LegEnded)] == [Cause.LOST]


def test_an_update_is_challenged_and_sent_again_and_a_wrong_password_is_a_refusal() -> None:
    peer = calling()
    peer.tell(Offer(HELD, update=True))
    challenge = (("Proxy-Authenticate", DigestServer(b"s", "r").challenge(0.0)[0]),)
    assert peer.answer(peer.last("UPDATE"), 407, headers=challenge) == []
    again = peer.last("UPDATE")
    assert "Proxy-Authorization" in again.headers
    assert peer.answer(again, 100, tag=None, headers=()) == []
    (fact,) = peer.answer(again, 407, headers=challenge)
    assert isinstance(fact, LegOfferRefused)


def test_an_update_that_cannot_be_sent_counts_as_refused() -> None:
    peer = calling()
    peer.tell(Offer(HELD, update=True))
    (fact,) = peer.leg.transport_failed(peer.last("UPDATE").via.branch or "", 0.0)
    assert fact == LegOfferRefused(503, "Service Unavailable", local=True)


def test_an_update_that_glares_is_sent_again_and_so_is_one_that_came_too_early() -> None:
    for status, headers, earliest, latest in ((491, (), 2.1, 4.0), (500, (("Retry-After", "7"),), 7.0, 7.0)):
        peer = calling()
        peer.tell(Offer(HELD, update=True))
        assert peer.answer(peer.last("UPDATE"), status, headers=headers) == []
        assert peer.tell(Offer(HELD)) == [PENDING]
        times = [at for at, output in peer.wait(10.0) if isinstance(output, SendRequest)]
        assert earliest <= times[0] <= latest
        assert isinstance(peer.answer(peer.last("UPDATE"), 200, body=ANSWER)[0], LegOfferAnswered)


def test_a_500_that_asks_for_a_long_wait_is_a_refusal() -> None:
    peer = calling()
    peer.tell(Offer(HELD))
    (fact,) = peer.answer(peer.last("INVITE"), 500, headers=(("Retry-After", "11"),))
    assert isinstance(fact, LegOfferRefused)


def test_a_2xx_to_our_update_without_an_answer_counts_as_a_refusal() -> None:
    peer = calling()
    peer.tell(Offer(HELD, update=True))
    (fact,) = peer.answer(peer.last("UPDATE"), 200)
    assert isinstance(fact, LegOfferRefused)
    assert fact.local


# ---- sent early ---------------------------------------------------------------------------------------------------


def test_we_may_change_the_early_session_of_a_call_to_us() -> None:
    peer = early()
    assert peer.tell(Offer(HELD)) == []
    update = peer.last("UPDATE")
    assert (update.body, update.session_expires) == (HELD, None)
    assert peer.tell(Offer(HELD)) == [PENDING]
    (fact,) = peer.answer(update, 200, body=OFFER)
    assert isinstance(fact, LegOfferAnswered)
    peer.tell(Answer(ANSWER))
    assert [(each.status, each.body) for each in responses(peer.out)] == [(200, b"")]


def test_we_may_change_the_early_session_of_a_call_of_ours() -> None:
    peer, invite = ringing()
    peer.tell(Offer(HELD))
    update = peer.last("UPDATE")
    assert (update.cseq.number, update.to_tag) == (3, "peer")
    (fact,) = peer.answer(update, 200, body=OFFER)
    assert isinstance(fact, LegOfferAnswered)
    (fact,) = peer.answer(invite, 200)
    assert isinstance(fact, LegAnswered)
    assert fact.body == OFFER


def test_an_early_offer_that_cannot_be_made_is_refused_at_once() -> None:
    unsettled = CallingPeer()
    unsettled.call(unsettled.make("INVITE", to_tag=None, body=OFFER, headers=(*REQUIRED, UPDATES)))
    assert unsettled.tell(Offer(HELD)) == [PENDING]
    unsettled.tell(Ring(183, ANSWER))
    assert unsettled.tell(Offer(HELD)) == [PENDING]  # its PRACK is missing

    without = CallingPeer()
    without.call(without.make("INVITE", to_tag=None, body=OFFER, headers=REQUIRED))
    without.tell(Ring(183, ANSWER))
    without.prack()
    assert without.tell(Offer(HELD)) == [PENDING]  # it takes no UPDATE

    nobody = CalledPeer()
    nobody.dial()
    assert nobody.tell(Offer(HELD)) == [PENDING]

    peer, _ = ringing("one", "two")
    assert peer.tell(Offer(HELD)) == [PENDING]  # which of them?
    assert peer.tell(Offer(HELD, tag="three")) == [PENDING]
    assert peer.tell(Offer(HELD, tag="two")) == []
    assert peer.last("UPDATE").to_tag == "two"


def test_an_early_update_whose_fork_loses_is_reported_as_refused() -> None:
    peer, invite = ringing("one", "two")
    peer.tell(Offer(HELD, tag="one"))
    update = peer.last("UPDATE")
    refused, answered = peer.answer(invite, 200, tag="two")
    assert isinstance(refused, LegOfferRefused)
    assert (refused.status, refused.local) == (481, True)
    assert isinstance(answered, LegAnswered)
    assert peer.answer(update, 200, tag="one", body=OFFER) == []


def test_an_early_glare_whose_fork_loses_is_reported_as_refused() -> None:
    peer, invite = ringing("one", "two")
    peer.tell(Offer(HELD, tag="one"))
    peer.answer(peer.last("UPDATE"), 491, tag="one")
    refused, _ = peer.answer(invite, 200, tag="two")
    assert isinstance(refused, LegOfferRefused)
    assert [output for _, output in peer.wait(100.0) if isinstance(output, SendRequest)] == []


def test_an_early_glare_is_over_when_the_call_is_up_and_the_offer_then_goes_by_re_invite() -> None:
    peer, invite = ringing()
    peer.tell(Offer(HELD))
    peer.answer(peer.last("UPDATE"), 491)
    peer.answer(invite, 200)
    peer.wait(5.0)
    assert peer.methods[0] == "INVITE"


@pytest.mark.parametrize("status", [481, 408, 405, None])
def test_an_early_update_that_fails_in_whatever_way_leaves_the_invite_to_itself(status: int | None) -> None:
    peer, invite = ringing()
    peer.tell(Offer(HELD))
    if status is None:
        facts = [output for _, output in peer.wait(32.0) if not isinstance(output, SendRequest)]
    else:
        facts = list(peer.answer(peer.last("UPDATE"), status))
    (fact,) = facts
    assert isinstance(fact, LegOfferRefused)
    assert fact.status == (status or 408)
    assert isinstance(peer.answer(invite, 200)[0], LegAnswered)


def test_an_early_update_that_is_answered_in_the_call_says_nothing_of_the_session_timer() -> None:
    peer, invite = ringing()
    peer.tell(Offer(HELD))
    update = peer.last("UPDATE")
    peer.answer(invite, 200, headers=(CONTACT, UPDATES, ("Session-Expires", "100;refresher=uac")))
    (fact,) = peer.answer(update, 200, body=OFFER)
    assert isinstance(fact, LegOfferAnswered)
    peer.wait(50.0)
    assert peer.methods == ["UPDATE"]


def test_hanging_up_with_an_early_update_in_flight_forgets_it() -> None:
    peer, invite = ringing()
    peer.tell(Offer(HELD))
    update = peer.last("UPDATE")
    peer.tell(Bye())
    assert peer.methods == ["CANCEL"]
    assert peer.answer(update, 487) == []
    assert peer.answer(invite, 487) == []
    assert peer.leg.finished

    other = early()
    other.tell(Offer(HELD))
    update = other.last("UPDATE")
    other.tell(Refuse(486))
    assert [request.method for request in requests(other.out)] == []
    kept = {transaction.key: transaction for transaction in other.ours.linger()}
    client = kept[(update.via.branch, "UPDATE")]
    client.receive(respond(update, 200, to_tag="peer"), other.flow, 1.0)
    client.wake(20.0)
    assert client.finished
