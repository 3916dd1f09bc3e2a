"""Messages that nobody validated before they reached a leg: answered or dropped, and never half done."""

from __future__ import annotations

import pytest

from offhook.sip.build import respond
from offhook.sip.dialog.events import Answer, LegAnswered, LegEnded
from offhook.sip.message import Request, Response
from tests.sip.dialog.pair import ANSWER, OFFER, responses
from tests.sip.dialog.peer import CalledPeer, CallingPeer

BROKEN = [
    ("Contact", "<sip:"),
    ("Record-Route", "<<>"),
    ("Content-Type", "sdp"),
    ("CSeq", "many INVITE"),
    ("From", "<>"),
    ("To", "<>"),
    ("Call-ID", "a b c"),
]


def broken(message: Request | Response, name: str, value: str) -> Request | Response:
    return message.with_headers(message.headers.with_(name, value))


@pytest.mark.parametrize(("name", "value"), BROKEN)
def test_an_unreadable_request_in_a_dialog_is_answered_400_and_changes_nothing(name: str, value: str) -> None:
    peer = CallingPeer()
    peer.call()
    peer.tell(Answer(ANSWER))
    peer.ack()
    out = peer.ours.receive(broken(peer.next("INVITE", body=OFFER), name, value), peer.flow, 1.0)
    # A To that cannot be read can take no tag, so such a request has no answer.
    assert [response.status for response in responses(out)] == ([] if name == "To" else [400])
    assert peer.ours.receive(broken(peer.make("ACK"), name, value), peer.flow, 1.0) == []
    peer.send(peer.make("OPTIONS"))
    assert peer.statuses == [200]


@pytest.mark.parametrize(("name", "value"), BROKEN)
def test_an_unreadable_response_is_dropped_and_a_readable_copy_still_counts(name: str, value: str) -> None:
    ready = CalledPeer()
    second = ready.dial()
    ready.answer(second, 100, tag=None)
    bad = broken(respond(second, 200, to_tag="peer", body=ANSWER, content_type="application/sdp"), name, value)
    assert ready.leg.receive(bad, ready.flow, 1.0) == []
    assert isinstance(ready.answer(second, 200, body=ANSWER)[0], LegAnswered)


def test_an_unreadable_first_invite_ends_the_leg() -> None:
    peer = CallingPeer()
    good = peer.invite
    peer.call()
    fresh = CallingPeer(type(peer.ours).called(good, peer.ours.config, peer.ours.ids))
    out = fresh.ours.receive(broken(good, "Contact", "<sip:"), fresh.flow, 0.0)
    assert [response.status for response in responses(out)] == [400]
    assert any(isinstance(output, LegEnded) for output in out)
    assert fresh.ours.finished
