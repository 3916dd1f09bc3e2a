"""Session timers (RFC 4028): what is agreed, who refreshes and how, and what happens when nobody does."""

from __future__ import annotations

import pytest

from offhook.sip.dialog.config import LegConfig
from offhook.sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    Cause,
    LegAnswered,
    LegEnded,
    LegOfferAnswered,
    LegOfferRefused,
    LegOutput,
    LegParted,
    LegRefreshed,
    LegRefused,
    LegReoffered,
    Offer,
    SendRequest,
)
from offhook.sip.digest import DigestServer
from tests.sip.dialog.pair import (
    ANSWER,
    OFFER,
    Weather,
    caller_leg,
    config_of,
    responses,
)
from tests.sip.dialog.peer import CONTACT, CalledPeer, CallingPeer, HeaderItems, Peer
from tests.sip.dialog.test_calling import CREDENTIALS

HELD = b"v=0 held\r\n"
KNOWS = (("Supported", "timer"),)
FINE = Weather()
UPDATES = ("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE")
SHORT = config_of("callee.test", session_s=60, min_session_s=2)


def invited(headers: HeaderItems = KNOWS, config: LegConfig | None = None) -> CallingPeer:
    """A caller whose INVITE has these headers, and which has got our 200."""
    peer = CallingPeer(config=config)
    peer.call(peer.make("INVITE", to_tag=None, body=OFFER, headers=headers))
    if not peer.ours.finished:
        peer.tell(Answer(ANSWER))
    return peer


def called(headers: HeaderItems = KNOWS, config: LegConfig | None = None) -> CallingPeer:
    peer = invited(headers, config)
    peer.ack()
    return peer


def calling(headers: HeaderItems, config: LegConfig | None = None) -> CalledPeer:
    """A callee whose 200 has these headers."""
    peer = CalledPeer(leg=caller_leg(config=config))
    peer.answer(peer.dial(auth=CREDENTIALS), 200, body=ANSWER, headers=(CONTACT, *headers))
    return peer


def said(peer: Peer) -> tuple[str | None, tuple[str, ...]]:
    """Session-Expires and Require of our last response."""
    response = responses(peer.out)[-1]
    return response.headers.get("Session-Expires"), response.require


def sent(done: list[tuple[float, LegOutput]]) -> list[tuple[float, str]]:
    """First copies of our requests, with their times."""
    seen: set[str] = set()
    firsts: list[tuple[float, str]] = []
    for at, output in done:
        if isinstance(output, SendRequest) and output.branch not in seen:
            seen.add(output.branch)
            firsts.append((at, output.request.method))
    return firsts


def ends(done: list[tuple[float, LegOutput]]) -> list[tuple[float, Cause]]:
    return [(at, output.cause) for at, output in done if isinstance(output, LegEnded)]


# ---- what a 200 of ours agrees to ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [
        ((), "1800;refresher=uac"),
        ((("Session-Expires", "1800"),), "1800;refresher=uac"),
        ((("Session-Expires", "600;refresher=uas"),), "600;refresher=uas"),
        ((("Session-Expires", "600;refresher=uac"),), "600;refresher=uac"),
        ((("x", "7200"),), "1800;refresher=uac"),
        ((("Session-Expires", "7200"), ("Min-SE", "3600")), "3600;refresher=uac"),
        ((("Min-SE", "3600"),), "3600;refresher=uac"),
        ((("Session-Expires", "90"), ("Min-SE", "3600")), "90;refresher=uac"),
    ],
)
def test_a_caller_that_knows_session_timers_gets_one(asked: HeaderItems, agreed: str) -> None:
    assert said(invited((*KNOWS, *asked))) == (agreed, ("timer",))


def test_a_caller_that_requires_session_timers_knows_them() -> None:
    assert said(invited((("Require", "timer"),))) == ("1800;refresher=uac", ("timer",))


def test_a_caller_that_does_not_know_session_timers_gets_none_unless_a_proxy_asks_for_it() -> None:
    assert said(invited(())) == (None, ())
    assert said(invited((("Session-Expires", "600"),))) == ("600;refresher=uas", ())
    assert said(invited((("Session-Expires", "60"),))) == (None, ())


def test_session_timers_can_be_left_out_altogether() -> None:
    without = config_of("callee.test", session_s=None)
    assert without.supported == ("100rel",)
    peer = called((*KNOWS, ("Session-Expires", "20;refresher=uac")), without)
    assert peer.wait(10_000.0) == []
    (fact,) = CallingPeer(config=without).call(
        CallingPeer().make("INVITE", to_tag=None, body=OFFER, headers=(("Require", "timer"),))
    )
    assert isinstance(fact, LegEnded)
    other = CalledPeer(leg=caller_leg(config=without))
    invite = other.dial()
    assert (invite.session_expires, invite.supported) == (None, ("100rel",))
    other.answer(invite, 200, body=ANSWER, headers=(CONTACT, ("Session-Expires", "4;refresher=uac")))
    assert other.wait(10_000.0) == []


def test_too_short_an_interval_is_answered_422_with_ours_and_nobody_is_called() -> None:
    peer = CallingPeer()
    (fact,) = peer.call(peer.make("INVITE", to_tag=None, body=OFFER, headers=(*KNOWS, ("Session-Expires", "89"))))
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.REFUSED
    (refusal,) = responses(peer.out)
    assert (refusal.status, refusal.headers.get("Min-SE")) == (422, "90")
    assert peer.ours.finished


def test_an_interval_below_one_second_cannot_be_configured() -> None:
    with pytest.raises(ValueError, match="session_s: 0"):
        config_of("x.test", session_s=0)
    with pytest.raises(ValueError, match="min_session_s: 0"):
        config_of("x.test", min_session_s=0)


# ---- what we ask for ----------------------------------------------------------------------------------------------


def test_an_invite_of_ours_asks_for_half_an_hour_and_leaves_open_who_refreshes() -> None:
    invite = CalledPeer().dial()
    assert invite.headers.get("Session-Expires") == "1800"
    assert "Min-SE" not in invite.headers
    assert invite.supported == ("timer", "100rel")


def test_every_request_of_ours_but_an_ack_says_that_we_know_session_timers() -> None:
    peer = calling(())
    assert "Supported" not in peer.last("ACK").headers
    peer.tell(Bye())
    assert peer.last("BYE").supported == ("timer",)


def test_a_422_is_met_with_the_interval_that_it_asks_for() -> None:
    peer = CalledPeer()
    first = peer.dial()
    assert peer.answer(first, 422, headers=(("Min-SE", "3600"),)) == []
    assert peer.methods == ["ACK", "INVITE"]
    again = peer.last("INVITE")
    assert (again.headers.get("Session-Expires"), again.headers.get("Min-SE")) == ("3600", "3600")
    assert (again.call_id, again.cseq.number) == (first.call_id, 2)
    (fact,) = peer.answer(again, 200, body=ANSWER, headers=(CONTACT, ("Session-Expires", "3600;refresher=uac")))
    assert isinstance(fact, LegAnswered)
    assert [at for at, _ in sent(peer.wait(1800.0))] == [1800.0]


@pytest.mark.parametrize("headers", [(), (("Min-SE", "1800"),), (("Min-SE", "90"),)])
def test_a_422_that_asks_for_nothing_more_is_a_refusal(headers: HeaderItems) -> None:
    peer = CalledPeer()
    (fact,) = peer.answer(peer.dial(), 422, headers=headers)
    assert isinstance(fact, LegRefused)
    assert fact.status == 422


def test_a_callee_that_asks_for_more_every_time_is_left_after_four_tries() -> None:
    peer = CalledPeer()
    invite, tries = peer.dial(), 1
    while not peer.answer(invite, 422, headers=(("Min-SE", str(2000 * tries)),)):
        invite, tries = peer.last("INVITE"), tries + 1
    assert tries == 4


# ---- we refresh ---------------------------------------------------------------------------------------------------


def test_we_refresh_by_update_at_half_the_interval_again_and_again() -> None:
    peer = calling((UPDATES, ("Session-Expires", "100;refresher=uac")))
    for at in (50.0, 100.0, 150.0):
        assert sent(peer.wait(at)) == [(at, "UPDATE")]
        update = peer.last("UPDATE")
        assert update.headers.get("Session-Expires") == "100;refresher=uac"
        assert (update.body, update.contact is not None, update.supported) == (b"", True, ("timer",))
        assert "UPDATE" in update.allow
        assert peer.answer(update, 200, headers=(CONTACT, ("Session-Expires", "100;refresher=uac"))) == []
    assert isinstance(peer.tell(Bye())[0], LegEnded)


def test_a_called_leg_that_refreshes_does_so_as_the_uac_of_its_request() -> None:
    peer = called((*KNOWS, UPDATES, ("Session-Expires", "100;refresher=uas")))
    assert sent(peer.wait(50.0)) == [(50.0, "UPDATE")]
    update = peer.last("UPDATE")
    assert update.headers.get("Session-Expires") == "100;refresher=uac"
    # The roles change places with that answer.
    peer.answer(update, 200, headers=(CONTACT, ("Session-Expires", "100;refresher=uas")))
    done = peer.wait(200.0)
    assert ends(done) == [(118.0, Cause.EXPIRED)]


def test_who_does_not_take_update_gets_a_re_invite_with_what_was_agreed_last() -> None:
    peer = calling((("Session-Expires", "100;refresher=uac"),))
    assert sent(peer.wait(50.0)) == [(50.0, "INVITE")]
    invite = peer.last("INVITE")
    assert (invite.body, invite.headers.get("Session-Expires")) == (OFFER, "100;refresher=uac")
    assert invite.supported == ("timer",)
    refreshed = (CONTACT, ("Session-Expires", "100;refresher=uac"))
    assert peer.answer(invite, 200, body=ANSWER, headers=refreshed) == []
    assert peer.methods == ["ACK"]
    peer.tell(Offer(HELD))
    (fact,) = peer.answer(peer.last("INVITE"), 200, body=b"v=0 other\r\n", headers=refreshed)
    assert isinstance(fact, LegOfferAnswered)
    peer.wait(100.0)
    assert peer.last("INVITE").body == HELD


def test_what_we_answered_last_is_offered_when_we_refresh_by_re_invite() -> None:
    peer = called((*KNOWS, ("Session-Expires", "100;refresher=uas")))
    peer.wait(50.0)
    assert peer.last("INVITE").body == ANSWER


def test_a_refresh_that_is_answered_with_something_new_is_told_to_the_call() -> None:
    peer = calling((("Session-Expires", "100;refresher=uac"),))
    peer.wait(50.0)
    (fact,) = peer.answer(peer.last("INVITE"), 200, body=HELD)
    assert isinstance(fact, LegRefreshed)
    assert (fact.offer, fact.answer) == (OFFER, HELD)


def test_a_refresh_without_an_answer_in_it_leaves_the_session_as_it_is() -> None:
    peer = calling((("Session-Expires", "100;refresher=uac"),))
    peer.wait(50.0)
    assert peer.answer(peer.last("INVITE"), 200, headers=(CONTACT, ("Session-Expires", "100;refresher=uac"))) == []
    assert peer.methods == ["ACK"]
    assert sent(peer.wait(100.0)) == [(100.0, "INVITE")]
    assert peer.last("INVITE").body == OFFER


def test_an_update_that_is_not_taken_after_all_is_followed_by_a_re_invite_at_once() -> None:
    peer = calling((UPDATES, ("Session-Expires", "100;refresher=uac")))
    peer.wait(50.0)
    assert peer.answer(peer.last("UPDATE"), 405) == []
    assert sent(peer.wait(50.0)) == [(50.0, "INVITE")]


def test_an_answer_without_an_interval_ends_the_use_of_session_timers() -> None:
    peer = calling((UPDATES, ("Session-Expires", "100;refresher=uac")))
    peer.wait(50.0)
    peer.answer(peer.last("UPDATE"), 200)
    assert peer.wait(10_000.0) == []


def test_an_answer_that_names_no_refresher_leaves_it_to_us() -> None:
    peer = calling((UPDATES, ("Session-Expires", "100")))
    assert sent(peer.wait(50.0)) == [(50.0, "UPDATE")]


def test_an_interval_that_nobody_may_ask_for_does_not_make_us_refresh_without_a_pause() -> None:
    peer = calling((UPDATES, ("Session-Expires", "1;refresher=uac")))
    assert sent(peer.wait(50.0)) == [(45.0, "UPDATE")]


@pytest.mark.parametrize("status", [408, 481])
def test_a_refresh_that_meets_no_dialog_ends_the_call(status: int) -> None:
    peer = calling((UPDATES, ("Session-Expires", "100;refresher=uac")))
    peer.wait(50.0)
    (fact,) = peer.answer(peer.last("UPDATE"), status)
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.LOST
    assert peer.methods == ["BYE"]


@pytest.mark.parametrize("headers", [(UPDATES,), ()])
def test_a_refresh_that_nobody_answers_ends_the_call(headers: HeaderItems) -> None:
    peer = calling((*headers, ("Session-Expires", "1800;refresher=uac")))
    assert ends(peer.wait(1800.0)) == [(932.0, Cause.LOST)]


def test_a_refresh_that_is_refused_is_tried_again_in_half_of_the_time_that_is_left_until_the_session_ends() -> None:
    peer = calling((UPDATES, ("Session-Expires", "100;refresher=uac")))
    tries: list[float] = []
    while not ends(done := peer.wait(peer.now + 0.5)):
        for at, method in sent(done):
            assert method == "UPDATE"
            tries.append(at)
            assert peer.answer(peer.last("UPDATE"), 503) == []
    assert tries[:4] == [50.0, 59.0, 63.5, 65.75]
    assert ends(done) == [(68.0, Cause.EXPIRED)]


def test_a_refresh_that_cannot_be_sent_is_tried_again_too() -> None:
    peer = calling((UPDATES, ("Session-Expires", "100;refresher=uac")))
    peer.wait(50.0)
    assert peer.leg.transport_failed(peer.last("UPDATE").via.branch or "", 50.0) == []
    assert sent(peer.wait(60.0)) == [(59.0, "UPDATE")]


def test_a_challenged_refresh_is_sent_again_with_credentials_and_one_that_is_too_short_with_more() -> None:
    peer = calling((UPDATES, ("Session-Expires", "100;refresher=uac")))
    peer.wait(50.0)
    challenge = DigestServer(b"s", "r").challenge(0.0)[0]
    peer.answer(peer.last("UPDATE"), 407, headers=(("Proxy-Authenticate", challenge),))
    again = peer.last("UPDATE")
    assert "Proxy-Authorization" in again.headers
    peer.answer(again, 422, headers=(("Min-SE", "200"),))
    assert peer.last("UPDATE").headers.get("Session-Expires") == "200;refresher=uac"
    assert peer.last("UPDATE").headers.get("Min-SE") == "200"


# ---- the other side refreshes -------------------------------------------------------------------------------------


def test_a_caller_that_refreshes_keeps_the_call_up_and_ends_it_by_stopping() -> None:
    peer = called((*KNOWS, ("Session-Expires", "300")))
    for at in (150.0, 300.0):
        assert peer.wait(at) == []
        assert peer.send(peer.next("UPDATE", headers=(*KNOWS, ("Session-Expires", "300;refresher=uac")))) == []
        assert peer.statuses == [200]
        assert said(peer) == ("300;refresher=uac", ("timer",))
        assert responses(peer.out)[0].contact is not None
    done = peer.wait(1000.0)
    assert ends(done) == [(568.0, Cause.EXPIRED)]
    bye = peer.last("BYE")
    assert bye.headers.get("Reason") == 'SIP;cause=408;text="Session not refreshed"'


def test_the_margin_of_a_short_session_is_a_third_of_it() -> None:
    peer = called((*KNOWS, ("Session-Expires", "4;refresher=uac")), SHORT)
    assert ends(peer.wait(10.0)) == [(4 - 4 / 3, Cause.EXPIRED)]


def test_a_re_invite_refreshes_when_it_is_accepted_and_not_when_it_is_refused() -> None:
    peer = called((*KNOWS, ("Session-Expires", "300")))
    peer.wait(150.0)
    (fact,) = peer.send(peer.next("INVITE", body=OFFER, headers=(*KNOWS, ("Session-Expires", "300;refresher=uac"))))
    assert isinstance(fact, LegReoffered)
    peer.tell(Accept(ANSWER))
    assert said(peer) == ("300;refresher=uac", ("timer",))
    peer.ack()
    assert ends(peer.wait(417.0)) == []
    assert ends(peer.wait(418.0)) == [(418.0, Cause.EXPIRED)]


def test_who_refreshes_stays_so_when_a_request_leaves_it_open() -> None:
    peer = called((*KNOWS, UPDATES, ("Session-Expires", "300;refresher=uas")))
    peer.send(peer.next("UPDATE", headers=(*KNOWS, ("Session-Expires", "300"))))
    assert said(peer) == ("300;refresher=uas", ("timer",))
    peer = called((*KNOWS, ("Session-Expires", "300;refresher=uac")))
    peer.send(peer.next("UPDATE", headers=KNOWS))
    assert said(peer) == ("300;refresher=uac", ("timer",))


def test_a_request_that_does_not_speak_of_the_session_timer_leaves_the_refreshing_to_us() -> None:
    peer = called((*KNOWS, UPDATES, ("Session-Expires", "300;refresher=uac")))
    peer.send(peer.next("UPDATE"))
    assert said(peer) == ("300;refresher=uas", ())
    assert sent(peer.wait(150.0)) == [(150.0, "UPDATE")]


def test_too_short_a_session_in_the_middle_of_a_call_is_422_and_changes_nothing() -> None:
    peer = called()
    for method in ("UPDATE", "INVITE"):
        assert peer.send(peer.next(method, headers=(*KNOWS, ("Session-Expires", "20")))) == []
        (refusal,) = responses(peer.out)
        assert (refusal.status, refusal.headers.get("Min-SE")) == (422, "90")
    assert ends(peer.wait(1800.0)) == [(1768.0, Cause.EXPIRED)]


def test_a_callee_that_refreshes_is_hung_up_when_it_stops() -> None:
    peer = calling((UPDATES, ("Session-Expires", "1800;refresher=uas")))
    assert ends(peer.wait(2000.0)) == [(1768.0, Cause.EXPIRED)]


def test_an_offer_of_ours_refreshes_too_and_says_who_does_otherwise() -> None:
    peer = calling((UPDATES, ("Session-Expires", "300;refresher=uas")))
    peer.wait(100.0)
    peer.tell(Offer(HELD))
    invite = peer.last("INVITE")
    assert invite.headers.get("Session-Expires") == "300;refresher=uas"
    peer.answer(invite, 200, body=ANSWER, headers=(CONTACT, ("Session-Expires", "300;refresher=uas")))
    assert ends(peer.wait(2000.0)) == [(368.0, Cause.EXPIRED)]


# ---- refreshes and offers -----------------------------------------------------------------------------------------


def test_an_offer_waits_for_a_refresh_that_is_under_way_and_a_second_one_is_refused() -> None:
    peer = calling((UPDATES, ("Session-Expires", "100;refresher=uac")))
    peer.wait(50.0)
    update = peer.last("UPDATE")
    assert peer.tell(Offer(HELD)) == []
    assert peer.methods == []
    assert peer.tell(Offer(HELD)) == [LegOfferRefused(491, "Request Pending", local=True)]
    peer.answer(update, 200, headers=(CONTACT, ("Session-Expires", "100;refresher=uac")))
    assert sent(peer.wait(50.0)) == [(50.0, "INVITE")]
    assert peer.last("INVITE").body == HELD


def test_an_offer_waits_for_a_refresh_that_is_refused_as_well() -> None:
    peer = calling((("Session-Expires", "100;refresher=uac"),))
    peer.wait(50.0)
    invite = peer.last("INVITE")
    peer.tell(Offer(HELD))
    assert peer.answer(invite, 503) == []
    peer.wait(50.0)
    assert peer.last("INVITE").body == HELD


def test_a_refresh_by_re_invite_that_glares_comes_again_within_seconds() -> None:
    peer = calling((("Session-Expires", "100;refresher=uac"),))
    peer.wait(50.0)
    assert peer.answer(peer.last("INVITE"), 491) == []
    ((at, method),) = sent(peer.wait(55.0))
    assert method == "INVITE"
    assert 52.1 <= at <= 54.0


def test_a_refresh_leaves_an_exchange_of_the_other_side_its_turn() -> None:
    peer = called((*KNOWS, UPDATES, ("Session-Expires", "100;refresher=uas")))
    peer.wait(49.0)
    assert isinstance(peer.send(peer.next("INVITE", body=HELD, headers=KNOWS))[0], LegReoffered)
    assert sent(peer.wait(52.0)) == []
    peer.tell(Accept(ANSWER))
    assert said(peer) == ("100;refresher=uas", ("timer",))
    peer.ack()
    assert sent(peer.wait(110.0)) == [(102.0, "UPDATE")]


def test_refreshes_that_cross_are_both_answered() -> None:
    peer = calling((UPDATES, ("Session-Expires", "100;refresher=uac")))
    peer.wait(50.0)
    update = peer.last("UPDATE")
    asking = peer.asks()
    assert asking.send(asking.next("UPDATE", headers=(*KNOWS, ("Session-Expires", "100;refresher=uas")))) == []
    assert said(asking) == ("100;refresher=uas", ("timer",))
    assert peer.answer(update, 200, headers=(CONTACT, ("Session-Expires", "100;refresher=uac"))) == []
    assert sent(peer.wait(100.0)) == [(100.0, "UPDATE")]


def test_the_interval_counts_from_our_200_but_nothing_is_refreshed_before_its_ack() -> None:
    peer = invited((*KNOWS, UPDATES, ("Session-Expires", "6;refresher=uas")), SHORT)
    assert sent(peer.wait(3.5)) == []
    peer.ack()
    assert sent(peer.wait(3.5)) == [(3.5, "UPDATE")]


def test_hanging_up_ends_the_refreshing() -> None:
    peer = calling((UPDATES, ("Session-Expires", "100;refresher=uac")))
    peer.wait(50.0)
    update = peer.last("UPDATE")
    peer.tell(Bye())
    bye = peer.last("BYE")
    assert peer.answer(update, 481) == []
    (fact,) = peer.answer(bye, 200)
    assert isinstance(fact, LegParted)
    assert peer.leg.finished
