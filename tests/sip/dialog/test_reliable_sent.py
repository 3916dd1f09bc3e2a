"""Reliable provisional responses of ours (RFC 3262 section 3), and the sessions that they settle early (RFC 6337)."""

from __future__ import annotations

import pytest

from offhook.sip.dialog.config import LegConfig, Reliability
from offhook.sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    Cause,
    LegAnswered,
    LegEnded,
    LegOfferAnswered,
    LegOfferRefused,
    LegReoffered,
    Offer,
    Refuse,
    RefuseOffer,
    Ring,
    SendResponse,
)
from offhook.sip.machine import OutOfTurn
from tests.sip.dialog.pair import (
    ANSWER,
    OFFER,
    TCP,
    config_of,
    responses,
)
from tests.sip.dialog.peer import REQUIRED, CallingPeer, HeaderItems

SUPPORTED = (("Supported", "100rel"),)
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
    assert peer.prack(rseq=first.rseq) == []
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
        assert peer.prack(rseq=wrong, cseq=cseq) == []
        assert peer.statuses == [481]
    peer.send(peer.next("PRACK"))
    assert peer.statuses == [400]
    peer.prack(rseq=rseq)
    assert peer.statuses == [200]
    peer.prack(rseq=rseq)
    assert peer.statuses == [481]


def test_a_prack_where_nothing_was_reliable_gets_481() -> None:
    peer = called(())
    peer.tell(Ring())
    peer.prack(rseq=1)
    assert peer.statuses == [481]


def test_the_next_response_waits_for_the_prack_of_the_one_before_and_old_news_is_left_out() -> None:
    peer = called()
    peer.tell(Ring(180))
    rseq = responses(peer.out)[0].rseq
    for command in (Ring(181), Ring(182), Ring(183, ANSWER), Ring(183, ANSWER)):
        peer.tell(command)
        assert peer.out == []
    peer.prack(rseq=rseq)
    assert [(each.status, each.body) for each in responses(peer.out)] == [(200, b""), (183, ANSWER)]
    peer.prack()
    assert peer.statuses == [200]


def test_a_reliable_response_is_said_anew_every_minute_without_its_description() -> None:
    peer = called()
    peer.tell(Ring(183, ANSWER))
    peer.prack()
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
    assert peer.prack(rseq=rseq) == []
    assert peer.statuses == [200]
    assert isinstance(peer.send(peer.make("ACK", cseq=1))[0], LegAnswered)
    assert peer.wait(1000.0) == []


def test_an_answer_waits_for_the_prack_of_the_early_description_and_does_not_repeat_it() -> None:
    peer = called()
    peer.tell(Ring(183, ANSWER))
    rseq = responses(peer.out)[0].rseq
    assert peer.tell(Answer(ANSWER, (("X-A", "b"),))) == []
    assert peer.out == []
    peer.prack(rseq=rseq)
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
    (fact,) = peer.prack(body=ANSWER)
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
    (fact,) = peer.prack()
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
    (fact,) = peer.prack(body=HELD)
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
