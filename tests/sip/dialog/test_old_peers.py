"""Callers of RFC 2543, which RFC 3261 still has us serve: no branch, no From tag, no Contact."""

from __future__ import annotations

import attrs

from offhook.sip.dialog.events import Answer, Bye, LegAnswered, LegOffered
from offhook.sip.message import Request
from offhook.sip.params import Params
from offhook.sip.transaction.events import SendRequest
from tests.sip.dialog.pair import ANSWER, OFFER, requests, responses
from tests.sip.dialog.peer import CallingPeer


def old(request: Request) -> Request:
    """The request as such a caller makes it."""
    via = attrs.evolve(request.via, params=Params(()))
    headers = request.headers.with_("Via", str(via)).with_("From", "<sip:ann@peer.test>").without("Contact")
    return request.with_headers(headers)


def test_a_caller_without_contact_branch_and_tag_is_served() -> None:
    peer = CallingPeer()
    invite = old(peer.invite)
    assert peer.call(invite) == [LegOffered(invite, OFFER)]
    peer.tell(Answer(ANSWER))
    assert peer.statuses == [200]
    (fact,) = peer.send(old(peer.make("ACK")))
    assert isinstance(fact, LegAnswered)


def test_its_bye_goes_to_the_address_of_the_from_the_way_the_call_came() -> None:
    peer = CallingPeer()
    peer.call(old(peer.invite))
    peer.tell(Answer(ANSWER))
    peer.send(old(peer.make("ACK")))
    peer.tell(Bye())
    (bye,) = requests(peer.out)
    assert bye.request_uri == "sip:ann@peer.test"
    assert bye.to_tag is None
    (sent,) = [output for output in peer.out if isinstance(output, SendRequest)]
    assert sent.flow is peer.flow


def test_a_caller_of_rfc_3261_has_to_give_its_contact() -> None:
    peer = CallingPeer()
    peer.call(peer.invite.with_headers(peer.invite.headers.without("Contact")))
    (refusal,) = [each for each in responses(peer.out) if each.status >= 200]
    assert (refusal.status, refusal.reason) == (400, "Missing Contact header")
