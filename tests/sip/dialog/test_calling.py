"""A leg that calls: forks, credentials, CANCEL, silence (RFC 3261 13.2, 9.1, 22)."""

from __future__ import annotations

import pytest

from offhook.sip.address import NameAddr
from offhook.sip.build import respond
from offhook.sip.dialog.config import ALLOW
from offhook.sip.dialog.events import (
    Accept,
    Bye,
    CancelInvite,
    Cause,
    Credentials,
    LegAnswered,
    LegEnded,
    LegProgressed,
    LegRefused,
    LegTrying,
    Offer,
    SendRequest,
)
from offhook.sip.digest import DigestServer, Outcome
from offhook.sip.errors import UnsupportedScheme
from offhook.sip.message import Request, Response
from offhook.sip.transaction.events import Adopt
from offhook.sip.uri import Uri
from tests.sip.dialog.pair import ANSWER, OFFER, TCP, facts, over_the_wire, requests
from tests.sip.dialog.peer import CalledPeer

CREDENTIALS = Credentials("ann", "Passw0rd12345")


def up() -> tuple[CalledPeer, Request]:
    peer = CalledPeer()
    invite = peer.dial()
    peer.answer(invite, 200, body=ANSWER)
    return peer, invite


def test_an_invite_carries_what_the_call_gave_it() -> None:
    peer = CalledPeer()
    invite = peer.dial(headers=(("X-Route", "blue"),))
    assert invite.request_uri == "sip:bob@callee.test:5060"
    assert str(invite.from_) == f"Ann <sip:ann@caller.test>;tag={peer.leg.local_tag}"
    assert (invite.to_tag, invite.cseq.number, invite.call_id) == (None, 1, peer.leg.call_id)
    assert (invite.headers.get("X-Route"), invite.headers.get("User-Agent")) == ("blue", "offhook/test")
    assert invite.allow == ALLOW
    assert invite.body == OFFER
    assert invite.max_forwards == 70


def test_headers_of_the_target_s_uri_stay_out_of_the_request_uri() -> None:
    peer = CalledPeer()
    invite = peer.dial(target=Uri.parse("sip:bob@callee.test;method=INVITE?X-A=1"))
    assert invite.request_uri == "sip:bob@callee.test"


def test_a_target_that_nobody_can_send_to_is_the_caller_s_to_find_out() -> None:
    peer = CalledPeer()
    with pytest.raises(UnsupportedScheme):
        peer.dial(target=Uri.parse("tel:+15550100"))
    assert peer.leg.last_words(0.0) == []


def test_preset_routes_and_a_kept_path_lead_the_invite() -> None:
    peer = CalledPeer()
    invite = peer.dial(routes=(NameAddr.parse("<sip:out.test;lr>"),))
    (sent,) = [output for output in peer.out if isinstance(output, SendRequest)]
    assert (sent.hop.host, [str(route) for route in invite.routes]) == ("out.test", ["<sip:out.test;lr>"])

    peer = CalledPeer()
    invite = peer.dial(via=TCP)
    (sent,) = [output for output in peer.out if isinstance(output, SendRequest)]
    assert sent.flow is TCP
    assert invite.via.transport == "TCP"


def test_a_hop_of_its_own_says_where_the_target_is_until_the_callee_names_its_contact() -> None:
    peer = CalledPeer()
    invite = peer.dial(target=Uri.parse("sip:bob@callee.test"), hop=Uri.parse("sip:bob@callee.test;transport=tcp"))
    (sent,) = [output for output in peer.out if isinstance(output, SendRequest)]
    assert invite.request_uri == "sip:bob@callee.test"
    assert (sent.hop.transport, invite.via.transport) == ("TCP", "TCP")
    peer.answer(invite, 200, body=ANSWER)
    peer.out.clear()
    peer.tell(Bye())
    (bye,) = [output for output in peer.out if isinstance(output, SendRequest)]
    assert (bye.hop.transport, bye.request.via.transport) == ("UDP", "UDP")


def test_progress_is_reported_and_100_apart_from_it() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    assert peer.answer(invite, 100, tag=None, headers=()) == [LegTrying()]
    (fact,) = peer.answer(invite, 183, body=ANSWER)
    assert isinstance(fact, LegProgressed)
    assert (fact.status, fact.body, fact.tag) == (183, ANSWER, "peer")
    assert peer.leg.last_status == 183


def test_the_2xx_is_acknowledged_at_its_contact_and_each_copy_of_it_again() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    (fact,) = peer.answer(invite, 200, body=ANSWER)
    assert isinstance(fact, LegAnswered)
    assert (fact.body, fact.needs_answer) == (ANSWER, False)
    ack = peer.last("ACK")
    assert (ack.request_uri, ack.cseq.number, ack.to_tag) == ("sip:bob@peer.test:5070", 1, "peer")
    assert ack.via.branch != invite.via.branch
    assert peer.leg.remote_tag == "peer"
    assert peer.answer(invite, 200, body=ANSWER) == []
    assert peer.last("ACK") == ack


def test_record_routes_of_the_2xx_are_taken_in_reverse() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    headers = (("Contact", "<sip:bob@peer.test>"), ("Record-Route", "<sip:p2.test;lr>, <sip:p1.test;lr>"))
    peer.answer(invite, 200, body=ANSWER, headers=headers)
    assert [str(route.uri) for route in peer.last("ACK").routes] == ["sip:p1.test;lr", "sip:p2.test;lr"]


def test_another_fork_s_answer_is_acknowledged_and_hung_up() -> None:
    peer, invite = up()
    assert peer.answer(invite, 200, tag="eve", body=ANSWER) == []
    assert peer.methods == ["ACK", "BYE"]
    assert {request.to_tag for request in requests(peer.out)} == {"eve"}
    peer.answer(invite, 200, tag="eve", body=ANSWER)
    assert peer.methods == ["ACK"]


def test_a_callee_that_answers_without_end_is_answered_sixteen_times() -> None:
    peer, invite = up()
    sent: list[str] = []
    for number in range(40):
        peer.answer(invite, 180, tag=f"early{number}")
        peer.answer(invite, 200, tag=f"fork{number}", body=ANSWER)
        sent += peer.methods
    assert sent.count("BYE") == 15


def test_an_offerless_invite_is_acknowledged_with_our_answer() -> None:
    peer = CalledPeer()
    invite = peer.dial(None)
    (fact,) = peer.answer(invite, 200, body=OFFER)
    assert isinstance(fact, LegAnswered)
    assert fact.needs_answer
    assert peer.answer(invite, 200, body=OFFER) == []
    assert peer.methods == []
    peer.tell(Accept(ANSWER))
    assert peer.last("ACK").body == ANSWER


def test_hanging_up_before_our_answer_still_acknowledges() -> None:
    peer = CalledPeer()
    invite = peer.dial(None)
    peer.answer(invite, 200, body=OFFER)
    (fact,) = peer.tell(Bye())
    assert isinstance(fact, LegEnded)
    assert peer.methods == ["ACK", "BYE"]


@pytest.mark.parametrize("offer", [OFFER, None])
def test_a_2xx_without_any_description_is_hung_up(offer: bytes | None) -> None:
    peer = CalledPeer()
    invite = peer.dial(offer)
    (fact,) = peer.answer(invite, 200)
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.NO_SESSION
    assert peer.methods == ["ACK", "BYE"]


def test_a_2xx_may_leave_out_the_answer_that_its_fork_gave_early() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.answer(invite, 183, body=ANSWER)
    (fact,) = peer.answer(invite, 200)
    assert isinstance(fact, LegAnswered)
    assert fact.body == ANSWER


def test_a_refusal_is_reported_as_it_came() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    (fact,) = peer.answer(invite, 486, headers=(("Retry-After", "5"),))
    assert isinstance(fact, LegRefused)
    assert (fact.status, fact.reason, fact.local) == (486, "Busy Here", False)
    assert fact.headers.get("Retry-After") == "5"
    assert peer.leg.finished
    assert peer.methods == ["ACK"]


def test_a_redirection_is_reported_with_its_contacts_best_first() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    (fact,) = peer.answer(invite, 302, headers=(("Contact", "<sip:a@x.test>;q=0.2, <sip:b@x.test>, <sip:c@x.test>"),))
    assert isinstance(fact, LegRefused)
    assert [str(contact.uri) for contact in fact.contacts] == ["sip:b@x.test", "sip:c@x.test", "sip:a@x.test"]


def test_silence_is_a_408_of_our_own_and_a_dead_path_a_503() -> None:
    peer = CalledPeer()
    peer.dial()
    (end,) = [(at, output) for at, output in peer.wait(40.0) if isinstance(output, LegRefused)]
    assert (end[0], end[1].status, end[1].local) == (32.0, 408, True)

    peer = CalledPeer()
    invite = peer.dial()
    (fact,) = peer.leg.transport_failed(invite.via.branch or "", 0.1)
    assert isinstance(fact, LegRefused)
    assert (fact.status, fact.local) == (503, True)
    assert peer.leg.finished


@pytest.mark.parametrize(
    ("status", "asked", "given"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
def test_a_challenge_is_answered_once(status: int, asked: str, given: str) -> None:
    server = DigestServer(b"secret", "sip.test")
    peer = CalledPeer()
    first = peer.dial(auth=CREDENTIALS)
    challenge = tuple((asked, value) for value in server.challenge(0.0))
    assert peer.answer(first, status, headers=challenge) == []
    assert peer.methods == ["ACK", "INVITE"]
    second = peer.last("INVITE")
    assert (second.cseq.number, second.from_tag, second.call_id) == (2, first.from_tag, first.call_id)
    verdict = server.check(second.headers.all(given), "INVITE", second.request_uri, lambda _: CREDENTIALS.password, 1.0)
    assert verdict.outcome is Outcome.ACCEPTED
    (fact,) = peer.answer(second, status, headers=challenge)
    assert isinstance(fact, LegRefused)
    assert fact.status == status


def test_a_stale_nonce_is_worth_another_try_and_endless_staleness_is_not() -> None:
    server = DigestServer(b"secret", "sip.test")
    peer = CalledPeer()
    invite = peer.dial(auth=CREDENTIALS)
    refused: list[object] = []
    sent = 1
    while not refused:
        challenge = tuple(("Proxy-Authenticate", value) for value in server.challenge(0.0, stale=sent > 1))
        refused = list(peer.answer(invite, 407, headers=challenge))
        if not refused:
            invite, sent = peer.last("INVITE"), sent + 1
    assert sent == 4


def test_proxy_and_callee_may_both_ask_and_a_bye_brings_both_answers() -> None:
    proxy, callee = DigestServer(b"p", "proxy.test"), DigestServer(b"c", "callee.test")
    peer = CalledPeer()
    invite = peer.dial(auth=CREDENTIALS)
    peer.answer(invite, 407, headers=tuple(("Proxy-Authenticate", value) for value in proxy.challenge(0.0)))
    peer.answer(peer.last("INVITE"), 401, headers=tuple(("WWW-Authenticate", value) for value in callee.challenge(0.0)))
    third = peer.last("INVITE")
    assert "Authorization" in third.headers
    assert "Proxy-Authorization" in third.headers
    (fact,) = peer.answer(third, 200, body=ANSWER)
    assert isinstance(fact, LegAnswered)
    for name in ("Authorization", "Proxy-Authorization"):
        assert peer.last("ACK").headers.all(name) == third.headers.all(name)
    peer.tell(Bye())
    bye = peer.last("BYE")
    for server, name in ((proxy, "Proxy-Authorization"), (callee, "Authorization")):
        verdict = server.check(bye.headers.all(name), "BYE", bye.request_uri, lambda _: CREDENTIALS.password, 1.0)
        assert verdict.outcome is Outcome.ACCEPTED


def test_without_credentials_a_challenge_is_a_refusal() -> None:
    peer = CalledPeer()
    challenge = (("Proxy-Authenticate", DigestServer(b"s", "r").challenge(0.0)[0]),)
    (fact,) = peer.answer(peer.dial(), 407, headers=challenge)
    assert isinstance(fact, LegRefused)


def test_a_challenge_that_cannot_be_answered_is_a_refusal() -> None:
    peer = CalledPeer()
    invite = peer.dial(auth=CREDENTIALS)
    (fact,) = peer.answer(invite, 407, headers=(("Proxy-Authenticate", 'Bearer realm="x"'),))
    assert isinstance(fact, LegRefused)


def test_a_bye_is_challenged_and_sent_again() -> None:
    server = DigestServer(b"secret", "sip.test")
    peer = CalledPeer()
    invite = peer.dial(auth=CREDENTIALS)
    peer.answer(invite, 200, body=ANSWER)
    peer.tell(Bye())
    peer.answer(peer.last("BYE"), 407, headers=(("Proxy-Authenticate", server.challenge(0.0)[0]),))
    again = peer.last("BYE")
    assert "Proxy-Authorization" in again.headers
    assert not peer.leg.finished
    peer.answer(again, 200)
    assert peer.leg.finished


def test_a_cancel_waits_for_a_provisional_response() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    (fact,) = peer.tell(CancelInvite("SIP;cause=200"))
    assert isinstance(fact, LegEnded)
    assert fact.cause is Cause.CANCELLED
    assert peer.methods == []
    assert peer.answer(invite, 180) == []
    cancel = peer.last("CANCEL")
    assert cancel.via.branch == invite.via.branch
    assert (cancel.cseq.number, cancel.request_uri) == (1, invite.request_uri)
    assert cancel.headers.get("Reason") == "SIP;cause=200"
    peer.answer(cancel, 200)
    assert not peer.leg.finished
    assert peer.answer(invite, 487) == []
    assert peer.methods == ["ACK"]
    assert peer.leg.finished


def test_a_ringing_callee_is_cancelled_at_once() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.answer(invite, 180)
    peer.tell(Bye())
    assert peer.methods == ["CANCEL"]
    peer.answer(invite, 180)
    assert peer.methods == []


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.answer(invite, 180)
    peer.tell(CancelInvite())
    assert peer.answer(invite, 200, body=ANSWER) == []
    assert peer.methods == ["ACK", "BYE"]
    assert peer.leg.finished


def test_a_cancel_that_crosses_the_answer_hangs_up() -> None:
    peer, _ = up()
    (fact,) = peer.tell(CancelInvite())
    assert isinstance(fact, LegEnded)
    assert peer.methods == ["BYE"]


def test_a_cancelled_invite_without_a_final_response_ends_after_32_s() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.answer(invite, 180)
    peer.now = 10.0
    peer.tell(CancelInvite())
    peer.wait(41.9)
    assert not peer.leg.finished
    peer.wait(42.0)
    assert peer.leg.finished


def test_a_cancelled_invite_that_was_never_answered_ends_with_its_patience() -> None:
    peer = CalledPeer()
    peer.dial()
    peer.tell(CancelInvite())
    assert [output for _, output in peer.wait(32.0) if isinstance(output, LegEnded | LegRefused)] == []
    assert peer.leg.finished


def test_a_cancelled_invite_is_repeated_until_something_says_that_there_is_a_callee() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.tell(CancelInvite())
    copies = requests([output for _, output in peer.wait(10.0)], "INVITE")
    assert [copy.via.branch for copy in copies] == [invite.via.branch] * 4  # after 0.5, 1.5, 3.5 and 7.5 s


@pytest.mark.parametrize(("status", "then"), [(180, ["CANCEL"]), (200, ["ACK", "BYE"]), (486, ["ACK"])])
def test_an_unheard_invite_is_not_repeated_but_what_comes_late_is_seen_to(status: int, then: list[str]) -> None:
    peer = CalledPeer()
    invite = peer.dial()
    assert len(peer.wait(4.0)) == 3
    peer.tell(CancelInvite(unheard=True))
    assert peer.wait(31.9) == []
    assert not peer.leg.finished
    assert peer.answer(invite, status, body=ANSWER if status == 200 else None) == []
    assert peer.methods == then


def test_an_unheard_invite_is_done_with_after_32_s() -> None:
    peer = CalledPeer()
    peer.dial()
    peer.wait(4.0)
    peer.tell(CancelInvite(unheard=True))
    assert peer.wait(32.0) == []
    assert peer.leg.finished


def test_an_invite_that_was_heard_of_is_cancelled_whatever_is_said_about_that() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.answer(invite, 100)
    peer.tell(CancelInvite(unheard=True))
    assert peer.methods == ["CANCEL"]


def test_a_challenge_to_a_cancelled_invite_is_left_alone() -> None:
    peer = CalledPeer()
    invite = peer.dial(auth=CREDENTIALS)
    peer.tell(CancelInvite())
    peer.answer(invite, 407, headers=(("Proxy-Authenticate", DigestServer(b"s", "r").challenge(0.0)[0]),))
    assert peer.methods == ["ACK"]
    assert peer.leg.finished


def test_last_words_of_a_calling_leg_cancel_or_leave_that_to_the_orphan() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    assert peer.leg.last_words(0.0) == []
    (orphan,) = peer.leg.linger()
    peer.out = []
    outputs = orphan.receive(_response(peer, invite, 180), peer.flow, 0.5)
    (cancel,) = [output for output in outputs if isinstance(output, SendRequest)]
    assert cancel.request.method == "CANCEL"
    assert [output.transaction.key for output in outputs if isinstance(output, Adopt)] == [(cancel.branch, "CANCEL")]
    assert orphan.receive(_response(peer, invite, 180), peer.flow, 0.6) == []
    assert orphan.wake_at() == 32.5
    outputs = orphan.receive(_response(peer, invite, 200), peer.flow, 0.7)
    assert [output.request.method for output in outputs if isinstance(output, SendRequest)] == ["ACK", "BYE"]
    again = orphan.receive(_response(peer, invite, 200), peer.flow, 0.8)
    assert [output.request.method for output in again if isinstance(output, SendRequest)] == ["ACK"]
    orphan.wake(32.7)
    assert orphan.finished

    peer = CalledPeer()
    peer.answer(peer.dial(), 180)
    assert [request.method for request in requests(peer.leg.last_words(0.0))] == ["CANCEL"]
    assert len(peer.leg.linger()) == 2


def test_an_orphan_ends_with_a_refusal_and_with_a_dead_path() -> None:
    peer = CalledPeer()
    invite = peer.dial()
    peer.leg.last_words(0.0)
    (orphan,) = peer.leg.linger()
    outputs = orphan.receive(_response(peer, invite, 486), peer.flow, 0.5)
    assert [output.request.method for output in outputs if isinstance(output, SendRequest)] == ["ACK"]
    peer = CalledPeer()
    peer.dial()
    peer.leg.last_words(0.0)
    (orphan,) = peer.leg.linger()
    orphan.transport_failed(0.5)
    assert orphan.finished


def test_a_late_fork_of_a_call_that_is_over_is_hung_up_too() -> None:
    peer, invite = up()
    peer.tell(Bye())
    peer.answer(peer.last("BYE"), 200)
    assert peer.leg.finished
    kept = {transaction.key: transaction for transaction in peer.leg.linger()}
    orphan = kept[(invite.via.branch, "INVITE")]
    outputs = orphan.receive(_response(peer, invite, 200, "eve"), peer.flow, 1.0)
    assert [output.request.method for output in outputs if isinstance(output, SendRequest)] == ["ACK", "BYE"]
    again = orphan.receive(_response(peer, invite, 200, "peer"), peer.flow, 1.0)
    assert [output.request.method for output in again if isinstance(output, SendRequest)] == ["ACK"]


def test_a_re_invite_that_is_pending_when_the_call_ends_is_not_waited_for_without_end() -> None:
    for provisional_before in (True, False):
        peer, _ = up()
        peer.tell(Offer(OFFER))
        invite = peer.last("INVITE")
        if provisional_before:
            peer.answer(invite, 100, tag=None)
        peer.tell(Bye())
        peer.answer(peer.last("BYE"), 200)
        kept = {transaction.key: transaction for transaction in peer.leg.linger()}
        orphan = kept[(invite.via.branch, "INVITE")]
        assert orphan.receive(_response(peer, invite, 180), peer.flow, 1.0) == []
        assert orphan.wake_at() == (32.0 if provisional_before else 33.0)
        orphan.wake(33.0)
        assert orphan.finished


def test_last_words_of_a_call_that_is_up_hang_up() -> None:
    peer, _ = up()
    out = peer.leg.last_words(0.0)
    assert [request.method for request in requests(out)] == ["BYE"]
    assert facts(out) == []


def _response(peer: CalledPeer, invite: Request, status: int, tag: str = "peer") -> Response:
    read = over_the_wire(respond(invite, status, to_tag=tag, headers=(("Contact", "<sip:bob@peer.test>"),)))
    assert isinstance(read, Response)
    return read
