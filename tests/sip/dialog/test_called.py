"""A leg that was called: from the INVITE to the ACK, to a refusal, or to a CANCEL (RFC 3261 13.3, 9.2)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from offhook.sip.dialog.config import ALLOW
from offhook.sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    Cause,
    LegAnswered,
    LegEnded,
    LegOffered,
    Offer,
    Refuse,
    Ring,
    SendRequest,
    SendResponse,
)
from offhook.sip.dialog.leg import Leg
from offhook.sip.machine import OutOfTurn
from offhook.sip.transaction.absorber import Absorber
from offhook.sip.transaction.key import server_key
from tests.sip.dialog.pair import ANSWER, OFFER, TCP, requests, responses
from tests.sip.dialog.peer import CallingPeer


def ringing() -> CallingPeer:
    peer = CallingPeer()
    peer.call()
    peer.tell(Ring())
    return peer


def answered() -> CallingPeer:
    peer = ringing()
    peer.tell(Answer(ANSWER, (("X-Twilio-CallSid", "CA1"),)))
    return peer


def up() -> CallingPeer:
    peer = answered()
    peer.ack()
    return peer


def test_an_invite_gets_100_at_once_and_is_offered_to_the_call() -> None:
    peer = CallingPeer()
    assert peer.call() == [LegOffered(peer.invite, OFFER)]
    assert peer.statuses == [100]
    assert responses(peer.out)[0].to_tag is None
    assert peer.ours.wake_at() == math.inf


def test_a_180_makes_an_early_dialog() -> None:
    peer = ringing()
    (ring,) = responses(peer.out)
    assert (ring.status, ring.to_tag) == (180, peer.ours.local_tag)
    assert str(ring.contact) == "<sip:callee.test:5060>"
    assert ring.headers.get("Server") == "offhook/test"
    assert peer.ours.last_status == 180
    assert peer.ours.remote_tag == "peer"
    assert (peer.ours.local_uri, peer.ours.remote_uri) == ("sip:bob@callee.test", "sip:ann@peer.test")


def test_a_provisional_response_is_repeated_every_minute() -> None:
    peer = ringing()
    assert [at for at, _ in peer.wait(185.0)] == [60.0, 120.0, 180.0]


def test_early_media_goes_out_in_a_183() -> None:
    peer = CallingPeer()
    peer.call()
    peer.tell(Ring(183, ANSWER))
    (progress,) = responses(peer.out)
    assert (progress.status, progress.body, progress.content_type) == (183, ANSWER, "application/sdp")
    peer.tell(Answer(ANSWER))
    assert peer.statuses == [200]


def test_a_200_says_what_we_can_do_and_carries_the_call_s_headers() -> None:
    peer = answered()
    (ok,) = responses(peer.out)
    assert ok.body == ANSWER
    assert ok.allow == ALLOW
    assert ok.headers.get("X-Twilio-CallSid") == "CA1"
    assert ok.contact is not None


@pytest.mark.parametrize("over_tcp", [False, True])
def test_a_200_is_repeated_over_any_transport_until_32_s_have_passed_without_an_ack(over_tcp: bool) -> None:
    peer = CallingPeer(flow=TCP) if over_tcp else CallingPeer()
    peer.call()
    peer.tell(Answer(ANSWER))
    done = peer.wait(40.0)
    copies = [at for at, output in done if isinstance(output, SendResponse) and output.response.status == 200]
    assert copies == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    ends = [(at, output) for at, output in done if isinstance(output, LegEnded)]
    assert [(at, end.cause) for at, end in ends] == [(32.0, Cause.NO_ACK)]
    assert Cause.NO_ACK.value == "no ack"
    byes = [at for at, output in done if isinstance(output, SendRequest)]
    assert byes[0] == 32.0


def test_the_ack_reports_the_answer_and_ends_the_copies() -> None:
    peer = answered()
    (fact,) = peer.ack()
    assert isinstance(fact, LegAnswered)
    assert (fact.body, fact.needs_answer) == (None, False)
    assert peer.ack() == []
    assert peer.wait(100.0) == []


def test_an_offerless_invite_gets_our_offer_and_its_ack_the_answer() -> None:
    peer = CallingPeer()
    assert peer.call(peer.make("INVITE", to_tag=None)) == [LegOffered(peer.invite, None)]
    peer.tell(Answer(OFFER))
    (fact,) = peer.ack(ANSWER)
    assert isinstance(fact, LegAnswered)
    assert fact.body == ANSWER


def test_an_offer_of_ours_that_the_ack_leaves_unanswered_ends_the_call() -> None:
    peer = CallingPeer()
    peer.call(peer.make("INVITE", to_tag=None))
    peer.tell(Answer(OFFER))
    (fact,) = peer.ack()
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.NO_SESSION
    assert [request.method for request in requests(peer.out)] == ["BYE"]


def test_early_media_without_an_offer_is_our_own_mistake() -> None:
    peer = CallingPeer()
    peer.call(peer.make("INVITE", to_tag=None))
    with pytest.raises(OutOfTurn):
        peer.tell(Ring(183, ANSWER))


def test_a_refusal_ends_the_leg_and_waits_for_its_ack_outside_of_it() -> None:
    peer = ringing()
    (fact,) = peer.tell(Refuse(486, "Busy", (("X-Why", "lunch"),)))
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.REFUSED
    (busy,) = responses(peer.out)
    assert (busy.status, busy.reason, busy.headers.get("X-Why")) == (486, "Busy", "lunch")
    assert peer.ours.finished
    (kept,) = peer.ours.linger()
    assert kept.wake_at() == 0.5
    ack = peer.make("ACK", branch=peer.invite.via.branch)
    assert kept.receive(ack, peer.flow, 0.1) == []
    assert kept.wake(5.1) == []
    assert kept.finished


def test_copies_of_an_answered_invite_are_absorbed_after_the_leg_without_keeping_it() -> None:
    peer = up()
    peer.send(peer.next("BYE"))
    assert peer.ours.finished
    kept = {transaction.key: transaction for transaction in peer.ours.linger()}
    absorber = kept[server_key(peer.invite)]
    assert isinstance(absorber, Absorber)
    assert absorber.wake_at() == 32.0
    assert absorber.receive(peer.invite, peer.flow, 1.0) == absorber.transport_failed(1.0) == []
    assert (absorber.wake(31.9), absorber.finished) == ([], False)
    assert (absorber.wake(32.0), absorber.finished) == ([], True)
    assert absorber.wake_at() == math.inf


def test_a_cancel_gets_200_and_the_invite_487() -> None:
    peer = ringing()
    (fact,) = peer.cancel(peer.invite, (("Reason", "SIP;cause=200"),))
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.CANCELLED
    assert fact.headers.get("Reason") == "SIP;cause=200"
    assert peer.statuses == [200, 487]
    assert {response.to_tag for response in responses(peer.out)} == {peer.ours.local_tag}
    assert peer.ours.finished


def test_a_cancel_after_the_answer_gets_200_and_changes_nothing() -> None:
    peer = answered()
    assert peer.cancel(peer.invite) == []
    assert peer.statuses == [200]
    assert len(peer.ack()) == 1


def test_a_cancel_of_nothing_gets_481() -> None:
    peer = ringing()
    assert peer.cancel(peer.make("INVITE", to_tag=None)) == []
    assert peer.statuses == [481]


def test_an_answer_that_crosses_a_cancel_is_ignored() -> None:
    peer = ringing()
    peer.cancel(peer.invite)
    for command in (Answer(ANSWER), Ring(), Refuse(486), Bye(), Offer(OFFER), Accept(ANSWER)):
        assert peer.tell(command) == []
        assert peer.out == []


def test_a_bye_before_the_answer_ends_the_call_like_a_cancel() -> None:
    peer = ringing()
    (fact,) = peer.send(peer.next("BYE"))
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.CANCELLED
    assert peer.statuses == [200, 487]


def test_a_bye_before_the_ack_ends_the_call() -> None:
    peer = answered()
    (fact,) = peer.send(peer.next("BYE"))
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.HUNG_UP
    assert peer.statuses == [200]
    assert peer.ours.finished


def test_answering_twice_is_our_own_mistake_and_leaves_the_call_up() -> None:
    peer = answered()
    with pytest.raises(OutOfTurn):
        peer.tell(Answer(ANSWER))
    assert len(peer.ack()) == 1


def test_hanging_up_while_it_rings_refuses_with_480() -> None:
    peer = ringing()
    (fact,) = peer.tell(Bye('Q.850;cause=16;text="bye"'))
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.LOCAL
    (refusal,) = responses(peer.out)
    assert (refusal.status, refusal.headers.get("Reason")) == (480, 'Q.850;cause=16;text="bye"')


def test_a_hang_up_that_waits_for_an_ack_in_vain_reports_that() -> None:
    peer = answered()
    assert peer.tell(Bye()) == []
    ends = [output for _, output in peer.wait(32.0) if isinstance(output, LegEnded)]
    assert [end.cause for end in ends] == [Cause.NO_ACK]


def test_a_hang_up_that_waits_for_an_ack_meets_a_bye_instead() -> None:
    peer = answered()
    peer.tell(Bye())
    (fact,) = peer.send(peer.next("BYE"))
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.HUNG_UP


def test_a_copy_of_the_invite_after_the_answer_is_absorbed() -> None:
    peer = answered()
    assert peer.send(peer.invite) == []
    assert peer.out == []


def test_a_copy_of_the_invite_that_took_another_way_gets_482() -> None:
    peer = ringing()
    assert peer.send(peer.make("INVITE", to_tag=None, body=OFFER)) == []
    assert peer.statuses == [482]


def test_an_ack_with_the_branch_of_the_invite_counts_too() -> None:
    peer = answered()
    (fact,) = peer.send(peer.make("ACK", branch=peer.invite.via.branch))
    assert isinstance(fact, LegAnswered)


@pytest.mark.parametrize(
    "wrong", [{"from_tag": "stranger"}, {"to_tag": "stranger"}, {"cseq": 9}], ids=["from", "to", "cseq"]
)
def test_an_ack_of_somebody_else_counts_for_nothing(wrong: dict[str, Any]) -> None:
    peer = answered()
    assert peer.send(peer.make("ACK", **wrong)) == []


def test_an_invite_without_a_contact_is_turned_away() -> None:
    peer = CallingPeer()
    (fact,) = peer.call(peer.make("INVITE", to_tag=None, body=OFFER, contact=None))
    assert isinstance(fact, LegEnded)
    assert peer.statuses == [400]
    assert peer.ours.finished


def test_last_words_refuse_an_invite_that_rings_and_hang_up_one_that_is_answered() -> None:
    for make, expected in ((ringing, ["500"]), (answered, ["BYE"]), (up, ["BYE"])):
        peer = make()
        out = peer.ours.last_words(peer.now)
        said = [str(response.status) for response in responses(out)]
        assert said + [request.method for request in requests(out)] == expected
        assert peer.ours.finished
        assert peer.ours.last_words(peer.now) == []
        assert peer.ours.linger()


def test_a_leg_that_never_heard_anything_has_no_last_words() -> None:
    peer = CallingPeer()
    leg = Leg.called(peer.invite, up().ours.config, up().ours.ids)
    assert leg.last_words(0.0) == []
    assert (leg.last_status, leg.remote_tag, leg.local_uri, leg.remote_uri) == (None, None, "", "")


def test_our_bye_goes_to_the_contact_and_is_repeated_until_it_is_answered() -> None:
    peer = up()
    (fact,) = peer.tell(Bye(headers=(("X-A", "b"),)))
    assert isinstance(fact, LegEnded)
    (sent,) = [output for output in peer.out if isinstance(output, SendRequest)]
    bye = sent.request
    assert (bye.method, bye.request_uri, bye.cseq.number) == ("BYE", "sip:ann@peer.test:5070", 1)
    assert (bye.from_tag, bye.to_tag) == (peer.ours.local_tag, "peer")
    assert (sent.hop.host, sent.hop.port, sent.flow) == ("peer.test", 5070, None)
    assert bye.headers.get("X-A") == "b"
    assert bye.headers.get("User-Agent") == "offhook/test"
    assert bye.via.branch == sent.branch
    assert not peer.ours.finished
    assert len(peer.wait(31.9)) == 10
    peer.wait(32.0)
    assert peer.ours.finished


def test_a_bye_that_crosses_ours_gets_200() -> None:
    peer = up()
    peer.tell(Bye())
    assert peer.send(peer.next("BYE")) == []
    assert peer.statuses == [200]


def test_a_bye_that_cannot_be_sent_ends_the_leg() -> None:
    peer = up()
    peer.tell(Bye())
    (sent,) = [output for output in peer.out if isinstance(output, SendRequest)]
    assert peer.ours.transport_failed(sent.branch, 0.1) == []
    assert peer.ours.finished


def test_requests_to_a_caller_over_tcp_or_behind_a_translator_take_its_own_path_back() -> None:
    peer = CallingPeer(flow=TCP)
    peer.call()
    peer.tell(Answer(ANSWER))
    peer.ack()
    peer.tell(Bye())
    (sent,) = [output for output in peer.out if isinstance(output, SendRequest)]
    assert sent.flow is TCP

    peer = CallingPeer()
    stamped = peer.invite.via.stamped("198.51.100.7", 40000)
    peer.call(peer.invite.with_headers(peer.invite.headers.with_("Via", str(stamped))))
    peer.tell(Answer(ANSWER))
    peer.ack()
    peer.tell(Bye())
    (sent,) = [output for output in peer.out if isinstance(output, SendRequest)]
    assert sent.flow is peer.flow


def test_a_route_set_is_followed_and_a_contact_that_nobody_can_send_to_is_no_crash() -> None:
    peer = CallingPeer()
    routes = (("Record-Route", "<sip:p1.test;lr>, <sip:p2.test;lr>"),)
    peer.call(peer.make("INVITE", to_tag=None, body=OFFER, headers=routes))
    peer.tell(Answer(ANSWER))
    assert responses(peer.out)[0].headers.get("Record-Route") == routes[0][1]
    peer.ack()
    peer.tell(Bye())
    (sent,) = [output for output in peer.out if isinstance(output, SendRequest)]
    assert sent.hop.host == "p1.test"
    assert [str(route.uri) for route in sent.request.routes] == ["sip:p1.test;lr", "sip:p2.test;lr"]

    peer = CallingPeer()
    peer.call(peer.make("INVITE", to_tag=None, body=OFFER, contact="<tel:+15550100>"))
    peer.tell(Answer(ANSWER))
    peer.ack()
    peer.tell(Bye())
    (sent,) = [output for output in peer.out if isinstance(output, SendRequest)]
    assert sent.hop.host == "peer.test"


def test_a_strict_router_takes_the_request_uri() -> None:
    peer = CallingPeer()
    peer.call(peer.make("INVITE", to_tag=None, body=OFFER, headers=(("Record-Route", "<sip:old.test>"),)))
    peer.tell(Answer(ANSWER))
    peer.ack()
    peer.tell(Bye())
    (sent,) = [output for output in peer.out if isinstance(output, SendRequest)]
    assert sent.hop.host == "old.test"
    assert sent.request.request_uri == "sip:old.test"
    assert [str(route.uri) for route in sent.request.routes] == ["sip:ann@peer.test:5070"]
