"""A dialog that is up: re-INVITEs both ways, and every other request (RFC 3261 12.2, 14, 15)."""

from __future__ import annotations

import pytest

from offhook.sip.dialog.config import ALLOW
from offhook.sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    Cause,
    LegAnswered,
    LegEnded,
    LegOfferAnswered,
    LegOffered,
    LegOfferRefused,
    LegParted,
    LegReoffered,
    LegReofferWithdrawn,
    Offer,
    Refuse,
    SendRequest,
    SendResponse,
)
from offhook.sip.dialog.leg import Leg
from offhook.sip.digest import DigestServer
from offhook.sip.machine import OutOfTurn
from offhook.sip.message import Request
from offhook.testing.ids import CountingIds
from tests.sip.dialog.pair import ANSWER, OFFER, config_of, requests, responses
from tests.sip.dialog.peer import CalledPeer, CallingPeer
from tests.sip.dialog.test_calling import CREDENTIALS

HELD = b"v=0 held\r\n"


def called() -> CallingPeer:
    peer = CallingPeer()
    peer.call()
    peer.tell(Answer(ANSWER))
    peer.ack()
    return peer


def calling() -> CalledPeer:
    peer = CalledPeer()
    peer.answer(peer.dial(auth=CREDENTIALS), 200, body=ANSWER)
    return peer


# ---- the other side's re-INVITE -----------------------------------------------------------------------------------


def test_a_re_invite_is_offered_accepted_and_acknowledged() -> None:
    peer = called()
    invite = peer.next("INVITE", body=HELD)
    assert peer.send(invite) == [LegReoffered(invite, HELD)]
    assert peer.out == [LegReoffered(invite, HELD)]
    assert peer.tell(Accept(ANSWER, (("X-A", "b"),))) == []
    (ok,) = responses(peer.out)
    assert (ok.status, ok.body, ok.headers.get("X-A")) == (200, ANSWER, "b")
    assert peer.ack() == []
    assert peer.wait(100.0) == []


def test_a_re_invite_that_waits_gets_100_after_200_ms() -> None:
    peer = called()
    peer.send(peer.next("INVITE", body=HELD))
    ((at, output),) = peer.wait(1.0)
    assert isinstance(output, SendResponse)
    assert (at, output.response.status) == (0.2, 100)


def test_a_re_invite_without_a_body_asks_for_our_offer() -> None:
    peer = called()
    (fact,) = peer.send(peer.next("INVITE"))
    assert isinstance(fact, LegReoffered)
    assert fact.body is None
    peer.tell(Accept(OFFER))
    (fact,) = peer.ack(HELD)
    assert isinstance(fact, LegOfferAnswered)
    assert fact.body == HELD


def test_our_offer_that_an_ack_leaves_unanswered_is_refused_and_the_call_goes_on() -> None:
    peer = called()
    peer.send(peer.next("INVITE"))
    peer.tell(Accept(OFFER))
    (fact,) = peer.ack()
    assert isinstance(fact, LegOfferRefused)
    assert fact.local
    assert isinstance(peer.send(peer.next("INVITE", body=HELD))[0], LegReoffered)


def test_a_re_invite_can_be_refused_and_another_one_comes() -> None:
    peer = called()
    peer.send(peer.next("INVITE", body=HELD))
    assert peer.tell(Refuse(488)) == []
    assert peer.statuses == [488]
    (fact,) = peer.send(peer.next("INVITE", body=HELD))
    assert isinstance(fact, LegReoffered)


def test_a_re_invite_moves_the_remote_target_when_it_is_accepted() -> None:
    peer = called()
    peer.cseq += 1
    peer.send(peer.make("INVITE", body=HELD, contact="<sip:ann@moved.test>"))
    peer.tell(Accept(ANSWER))
    peer.ack()
    peer.tell(Bye())
    (bye,) = requests(peer.out)
    assert bye.request_uri == "sip:ann@moved.test"


def test_a_second_re_invite_before_the_first_is_answered_gets_500_and_when_to_try_again() -> None:
    peer = called()
    peer.send(peer.next("INVITE", body=HELD))
    assert peer.send(peer.next("INVITE", body=HELD)) == []
    (refusal,) = responses(peer.out)
    assert refusal.status == 500
    assert refusal.retry_after is not None
    assert 0 <= refusal.retry_after.seconds <= 10


def test_a_second_invite_before_the_call_is_answered_gets_500_and_when_to_try_again() -> None:
    peer = CallingPeer()
    peer.call()
    peer.send(peer.next("INVITE", body=HELD))
    assert peer.statuses == [500]
    assert "Retry-After" in responses(peer.out)[0].headers


def test_a_cancelled_re_invite_is_withdrawn_and_a_crossing_accept_ignored() -> None:
    peer = called()
    invite = peer.next("INVITE", body=HELD)
    peer.send(invite)
    assert peer.cancel(invite) == [LegReofferWithdrawn()]
    assert peer.statuses == [200, 487]
    assert peer.tell(Accept(ANSWER)) == []
    assert peer.tell(Refuse(488)) == []
    assert peer.out == []
    assert isinstance(peer.send(peer.next("INVITE", body=HELD))[0], LegReoffered)


def test_a_bye_while_a_re_invite_is_pending_terminates_that_too() -> None:
    peer = called()
    peer.send(peer.next("INVITE", body=HELD))
    (fact,) = peer.send(peer.next("BYE"))
    assert isinstance(fact, LegEnded)
    assert peer.statuses == [200, 487]
    assert peer.tell(Accept(ANSWER)) == []


def test_our_bye_while_a_re_invite_is_pending_terminates_that_too() -> None:
    peer = called()
    peer.send(peer.next("INVITE", body=HELD))
    peer.tell(Bye())
    assert peer.statuses == [487]
    assert [request.method for request in requests(peer.out)] == ["BYE"]


def test_a_2xx_to_a_re_invite_that_is_never_acknowledged_ends_the_call() -> None:
    peer = called()
    peer.send(peer.next("INVITE", body=HELD))
    peer.tell(Accept(ANSWER))
    done = peer.wait(32.0)
    assert [output.cause for _, output in done if isinstance(output, LegEnded)] == [Cause.NO_ACK]
    assert "BYE" in [output.request.method for _, output in done if isinstance(output, SendRequest)]


def test_an_invite_after_our_2xx_stands_in_for_its_lost_ack() -> None:
    peer = CallingPeer()
    peer.call()
    peer.tell(Answer(ANSWER))
    answered, reoffered = peer.send(peer.next("INVITE", body=HELD))
    assert isinstance(answered, LegAnswered)
    assert isinstance(reoffered, LegReoffered)
    peer.tell(Accept(ANSWER))
    (fact,) = peer.send(peer.next("INVITE", body=HELD))
    assert isinstance(fact, LegReoffered)


def test_an_invite_after_our_2xx_that_offered_gets_491_as_the_answer_is_owed() -> None:
    peer = CallingPeer()
    assert isinstance(peer.call(peer.make("INVITE", to_tag=None))[0], LegOffered)
    peer.tell(Answer(OFFER))
    peer.send(peer.next("INVITE", body=HELD))
    assert peer.statuses == [491]


def test_an_invite_after_our_2xx_lets_a_waiting_hang_up_through() -> None:
    peer = CallingPeer()
    peer.call()
    peer.tell(Answer(ANSWER))
    peer.tell(Bye())
    (fact,) = peer.send(peer.next("INVITE", body=HELD))
    assert isinstance(fact, LegEnded)
    assert peer.statuses == [481]


def test_accepting_what_nobody_offered_is_our_own_mistake() -> None:
    peer = called()
    with pytest.raises(OutOfTurn):
        peer.tell(Accept(ANSWER))
    assert isinstance(peer.tell(Bye())[0], LegEnded)


# ---- ours ---------------------------------------------------------------------------------------------------------


def test_our_offer_is_answered_by_the_2xx_and_acknowledged() -> None:
    peer = calling()
    peer.tell(Offer(HELD, (("X-A", "b"),)))
    invite = peer.last("INVITE")
    assert (invite.cseq.number, invite.to_tag, invite.body, invite.headers.get("X-A")) == (2, "peer", HELD, "b")
    (fact,) = peer.answer(invite, 200, body=ANSWER, headers=(("Contact", "<sip:bob@moved.test>"),))
    assert isinstance(fact, LegOfferAnswered)
    assert fact.body == ANSWER
    assert peer.last("ACK").request_uri == "sip:bob@moved.test"
    assert peer.answer(invite, 200, body=ANSWER) == []
    assert peer.methods == ["ACK"]


@pytest.mark.parametrize("status", [488, 500, 403])
def test_a_refused_offer_leaves_the_call_up(status: int) -> None:
    peer = calling()
    peer.tell(Offer(HELD))
    (fact,) = peer.answer(peer.last("INVITE"), status)
    assert isinstance(fact, LegOfferRefused)
    assert (fact.status, fact.local) == (status, False)
    peer.tell(Offer(HELD))
    assert peer.methods == ["INVITE"]


@pytest.mark.parametrize("status", [408, 481])
def test_a_refusal_that_says_the_dialog_is_gone_ends_the_call(status: int) -> None:
    peer = calling()
    peer.tell(Offer(HELD))
    (fact,) = peer.answer(peer.last("INVITE"), status)
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.LOST
    assert peer.methods == ["ACK", "BYE"]


def test_silence_to_our_offer_ends_the_call_and_a_dead_path_only_the_offer() -> None:
    peer = calling()
    peer.tell(Offer(HELD))
    assert [output.cause for _, output in peer.wait(32.0) if isinstance(output, LegEnded)] == [Cause.LOST]

    peer = calling()
    peer.tell(Offer(HELD))
    (fact,) = peer.leg.transport_failed(peer.last("INVITE").via.branch or "", 0.0)
    assert isinstance(fact, LegOfferRefused)
    assert (fact.status, fact.local) == (503, True)


def test_a_2xx_to_our_offer_without_an_answer_counts_as_a_refusal() -> None:
    peer = calling()
    peer.tell(Offer(HELD))
    (fact,) = peer.answer(peer.last("INVITE"), 200)
    assert isinstance(fact, LegOfferRefused)
    assert fact.local
    assert peer.methods == ["ACK"]


def test_a_challenged_offer_is_sent_again() -> None:
    peer = calling()
    peer.tell(Offer(HELD))
    challenge = DigestServer(b"s", "r").challenge(0.0)[0]
    assert peer.answer(peer.last("INVITE"), 407, headers=(("Proxy-Authenticate", challenge),)) == []
    again = peer.last("INVITE")
    assert again.body == HELD
    assert "Proxy-Authorization" in again.headers
    assert isinstance(peer.answer(again, 200, body=ANSWER)[0], LegOfferAnswered)


@pytest.mark.parametrize(("we_called", "earliest", "latest"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_after_a_glare_the_side_with_the_call_id_waits_longer(we_called: bool, earliest: float, latest: float) -> None:
    peer = calling() if we_called else called()
    peer.tell(Offer(HELD))
    assert peer.answer(peer.last("INVITE"), 491) == []
    done = peer.wait(5.0)
    times = [at for at, output in done if isinstance(output, SendRequest) and output.request.method == "INVITE"]
    assert earliest <= times[0] <= latest


def test_a_glare_that_never_ends_counts_as_a_refusal() -> None:
    peer = calling()
    peer.tell(Offer(HELD))
    seen: list[object] = []
    tries = 0
    invite: Request = peer.last("INVITE")
    while not seen:
        tries += 1
        seen = list(peer.answer(invite, 491))
        if not seen:
            again = [output for _, output in peer.wait(peer.now + 5.0) if isinstance(output, SendRequest)]
            invite = next(output.request for output in again if output.request.method == "INVITE")
    assert tries == 5
    assert isinstance(seen[0], LegOfferRefused)
    assert seen[0].status == 491


def test_an_offer_of_ours_meets_theirs_in_flight() -> None:
    peer = called()
    peer.tell(Offer(HELD))
    assert peer.send(peer.next("INVITE", body=HELD)) == []
    assert peer.statuses == [491]


def test_an_offer_while_an_exchange_is_under_way_is_refused_at_once() -> None:
    peer = called()
    peer.send(peer.next("INVITE", body=HELD))
    (fact,) = peer.tell(Offer(HELD))
    assert fact == LegOfferRefused(491, "Request Pending", local=True)
    peer.tell(Accept(ANSWER))
    assert isinstance(peer.tell(Offer(HELD))[0], LegOfferRefused)
    peer.ack()
    assert peer.tell(Offer(HELD)) == []
    assert isinstance(peer.tell(Offer(HELD))[0], LegOfferRefused)


def test_an_offer_before_the_ack_of_our_2xx_is_refused_at_once() -> None:
    peer = CallingPeer()
    peer.call()
    peer.tell(Answer(ANSWER))
    assert peer.tell(Offer(HELD)) == [LegOfferRefused(491, "Request Pending", local=True)]


def test_hanging_up_with_an_offer_in_flight_sends_bye_and_forgets_the_offer() -> None:
    peer = calling()
    peer.tell(Offer(HELD))
    invite = peer.last("INVITE")
    peer.tell(Bye())
    bye = peer.last("BYE")
    assert peer.answer(invite, 487) == []
    (fact,) = peer.answer(bye, 200, headers=(("X-Bye", "so long"),))
    assert isinstance(fact, LegParted)
    assert fact.headers.get("X-Bye") == "so long"
    assert peer.leg.finished


# ---- other requests -----------------------------------------------------------------------------------------------


def test_options_in_a_dialog_tells_what_we_can_do() -> None:
    peer = called()
    peer.send(peer.next("OPTIONS"))
    (ok,) = responses(peer.out)
    assert ok.status == 200
    assert ok.headers.get("Allow") == ", ".join(ALLOW)
    assert ok.headers.get("Accept") == "application/sdp"


@pytest.mark.parametrize("method", ["INFO", "REFER", "NOTIFY", "MESSAGE", "SUBSCRIBE", "X-NEW"])
def test_other_methods_get_405_and_the_methods_we_know(method: str) -> None:
    peer = called()
    peer.send(peer.next(method))
    (refusal,) = responses(peer.out)
    assert refusal.status == 405
    assert refusal.headers.get("Allow") == ", ".join(ALLOW)


@pytest.mark.parametrize("phase", ["ringing", "up"])
def test_a_request_out_of_order_gets_500(phase: str) -> None:
    peer = CallingPeer(cseq=5)
    peer.call()
    if phase == "up":
        peer.tell(Answer(ANSWER))
        peer.ack()
    for number in (4, 5):
        peer.send(peer.make("OPTIONS", cseq=number))
        assert peer.statuses == [500]
    peer.send(peer.make("OPTIONS", cseq=9))
    assert peer.statuses == [200]
    peer.send(peer.make("BYE", cseq=8))
    assert peer.statuses == [500]


@pytest.mark.parametrize("method", ["BYE", "INVITE", "OPTIONS", "INFO"])
def test_a_stranger_who_knows_one_tag_gets_481(method: str) -> None:
    peer = called()
    for from_tag, to_tag in (("eve", "leg"), ("peer", "eve"), ("peer", None)):
        peer.cseq += 1
        assert peer.send(peer.make(method, from_tag=from_tag, to_tag=to_tag)) == []
        assert peer.statuses == [481]


def test_an_extension_that_we_lack_gets_420_with_its_name() -> None:
    peer = called()
    peer.send(peer.next("INVITE", body=HELD, headers=(("Require", "timer, gruu, 100rel"),)))
    (refusal,) = responses(peer.out)
    assert (refusal.status, refusal.headers.get("Unsupported")) == (420, "gruu")


def test_a_body_that_we_cannot_read_gets_415_with_what_we_can() -> None:
    peer = called()
    peer.cseq += 1
    peer.send(peer.make("INVITE", body=b"<x/>", content_type="text/xml"))
    (refusal,) = responses(peer.out)
    assert (refusal.status, refusal.headers.get("Accept")) == (415, "application/sdp")
    peer.send(peer.next("INVITE", body=HELD, headers=(("Content-Encoding", "gzip"),)))
    (refusal,) = responses(peer.out)
    assert (refusal.status, refusal.headers.get("Accept-Encoding")) == (415, "identity")


def test_after_our_bye_only_a_bye_is_welcome() -> None:
    peer = called()
    peer.tell(Bye())
    peer.send(peer.next("INVITE", body=HELD))
    assert peer.statuses == [481]
    peer.send(peer.next("BYE"))
    assert peer.statuses == [200]


def test_a_copy_of_a_bye_gets_the_same_200_from_what_lingers() -> None:
    peer = called()
    bye = peer.next("BYE")
    peer.send(bye)
    assert peer.ours.finished
    kept = [transaction for transaction in peer.ours.linger() if transaction.receive(bye, peer.flow, 1.0)]
    (ok,) = responses(kept[0].receive(bye, peer.flow, 2.0))
    assert ok.status == 200


def test_a_callee_may_ask_in_an_early_dialog() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.answer(invite, 180, tag="early")

    def ask(method: str, tag: str, cseq: int) -> list[int]:
        caller = CallingPeer(peer.leg)
        asked = caller.make(method, from_tag=tag, cseq=cseq, branch=f"z9hG4bKask{cseq}")
        headers = asked.headers.with_("Call-ID", peer.leg.call_id)
        outputs = peer.leg.receive(asked.with_headers(headers), peer.flow, 1.0 + cseq)
        return [response.status for response in responses(outputs)]

    assert ask("OPTIONS", "early", 1) == [200]
    assert ask("INFO", "early", 2) == [405]
    assert ask("INVITE", "early", 3) == [491]
    assert ask("OPTIONS", "stranger", 4) == [481]
    assert ask("BYE", "early", 5) == [200]
    assert ask("OPTIONS", "early", 6) == [481]
    assert isinstance(peer.answer(invite, 200, body=ANSWER)[0], LegAnswered)


def test_a_flood_in_one_dialog_is_refused_without_memory_and_a_bye_still_gets_through() -> None:
    peer = called()
    statuses: list[int] = []
    for _ in range(100):
        peer.send(peer.next("OPTIONS"))
        statuses += peer.statuses
    assert statuses.count(503) >= 30
    assert responses(peer.out)[0].headers.get("Retry-After") == "10"
    (fact,) = peer.send(peer.next("BYE"))
    assert isinstance(fact, LegEnded)


class Exhausted(CountingIds):
    """A source of identifiers that fails, as a stand-in for a fault anywhere in a leg."""

    def token(self, n: int) -> str:
        raise RuntimeError("out of luck")


def test_a_request_whose_handling_failed_is_answered_by_the_last_words() -> None:
    peer = CallingPeer()
    peer.leg = Leg.called(peer.invite, config_of("callee.test"), Exhausted())
    peer.send(peer.invite)
    with pytest.raises(RuntimeError, match="luck"):
        peer.send(peer.next("INVITE", body=HELD))
    out = peer.ours.last_words(1.0)
    assert sorted(response.cseq.number for response in responses(out)) == [1, 2]
    assert {response.status for response in responses(out)} == {500}
    assert len(peer.ours.linger()) == 2


# ---- a re-INVITE of ours that only rings --------------------------------------------------------------------------


def stuck() -> tuple[CalledPeer, Request]:
    """A call whose other side has given our re-INVITE a provisional response, and then nothing for three minutes."""
    peer = calling()
    peer.tell(Offer(HELD))
    invite = peer.last("INVITE")
    assert peer.answer(invite, 183) == []
    assert peer.wait(180.4) == []
    peer.wait(180.5)
    return peer, invite


def test_a_re_invite_that_only_rings_is_cancelled_after_three_minutes() -> None:
    peer, invite = stuck()
    cancel = peer.last("CANCEL")
    assert (cancel.cseq.number, cancel.via.branch) == (2, invite.via.branch)
    peer.answer(cancel, 200)
    (fact,) = peer.answer(invite, 487)
    assert isinstance(fact, LegOfferRefused)
    assert (fact.status, fact.local) == (487, False)
    assert peer.tell(Offer(HELD)) == []


def test_an_answer_that_crosses_the_cancel_of_a_re_invite_counts_and_the_call_goes_on() -> None:
    peer, invite = stuck()
    (fact,) = peer.answer(invite, 200, body=ANSWER)
    assert isinstance(fact, LegOfferAnswered)
    assert peer.methods == ["ACK"]
    assert isinstance(peer.tell(Bye())[0], LegEnded)


def test_a_cancelled_re_invite_that_stays_without_an_answer_ends_the_call() -> None:
    peer, _ = stuck()
    ends = [(at, output.cause) for at, output in peer.wait(300.0) if isinstance(output, LegEnded)]
    assert ends == [(212.5, Cause.LOST)]


def test_a_refusal_after_the_cancel_of_a_re_invite_is_reported_as_it_came_and_481_ends_the_call() -> None:
    peer, invite = stuck()
    (fact,) = peer.answer(invite, 603)
    assert isinstance(fact, LegOfferRefused)
    assert fact.status == 603
    peer, invite = stuck()
    (fact,) = peer.answer(invite, 481)
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.LOST


def test_a_re_invite_that_is_answered_in_time_is_not_cancelled() -> None:
    peer = calling()
    peer.tell(Offer(HELD))
    invite = peer.last("INVITE")
    peer.answer(invite, 183)
    peer.answer(invite, 200, body=ANSWER)
    peer.wait(1000.0)
    assert "CANCEL" not in peer.methods
