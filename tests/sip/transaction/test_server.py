"""Server transactions to the second: 100, refusals until their ACK, copies answered alike (RFC 3261 17.2, RFC 6026)."""

from __future__ import annotations

import pytest

from offhook.sip.machine import OutOfTurn
from offhook.sip.timers import Timers
from offhook.sip.transaction.events import Acknowledged, SendResponse, TimedOut, Undelivered
from offhook.sip.transaction.invite_server import InviteServer, State
from offhook.sip.transaction.key import server_key
from offhook.sip.transaction.server import NonInviteServer
from tests.sip.dialog.pair import Path
from tests.sip.transaction.samples import TCP, UDP, a_request, kinds, response_to, sent_at

TIMERS = Timers()


def invite_server(flow: Path = UDP, now: float = 0.0) -> InviteServer:
    invite = a_request("INVITE")
    return InviteServer.start(server_key(invite), invite, flow, TIMERS, now, (("Server", "offhook/test"),))


def plain_server(flow: Path = UDP) -> NonInviteServer:
    bye = a_request("BYE")
    return NonInviteServer.start(server_key(bye), bye, flow, TIMERS)


def test_a_100_goes_out_when_nothing_else_did_for_200_ms() -> None:
    invite = invite_server(now=10.0)
    assert invite.wake_at() == 10.2
    (trying,) = invite.wake(10.2)
    assert isinstance(trying, SendResponse)
    assert trying.response.status == 100
    assert trying.response.headers.get("Server") == "offhook/test"
    assert invite.receive(invite.request, UDP, 10.5) == [trying]


def test_no_100_goes_out_after_a_180() -> None:
    invite = invite_server()
    invite.respond(response_to(invite.request, 180), 0.1)
    assert sent_at(invite) == []


def test_a_copy_of_the_invite_before_any_response_is_absorbed() -> None:
    invite = invite_server()
    assert invite.receive(invite.request, UDP, 0.05) == []


def test_a_refusal_is_repeated_up_to_every_4_s_until_32_s_without_an_ack() -> None:
    invite = invite_server()
    invite.respond(response_to(invite.request, 486), 0.0)
    assert sent_at(invite, 31.9) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert invite.wake(32.0) == [TimedOut(invite)]
    assert invite.finished


def test_over_tcp_a_refusal_is_repeated_only_to_a_copy_of_the_invite() -> None:
    invite = invite_server(TCP)
    busy = response_to(invite.request, 486)
    invite.respond(busy, 0.0)
    assert invite.receive(invite.request, TCP, 1.0) == [SendResponse(busy, TCP)]
    assert invite.wake_at() == 32.0
    assert invite.wake(32.0) == [TimedOut(invite)]


@pytest.mark.parametrize(("flow", "kept_s"), [(UDP, 5.0), (TCP, 0.0)])
def test_an_ack_stops_the_refusal_and_its_copies_are_absorbed_for_t4(flow: Path, kept_s: float) -> None:
    invite = invite_server(flow)
    invite.respond(response_to(invite.request, 486), 0.0)
    ack = a_request("ACK", to_tag="bob")
    assert server_key(ack) == invite.key
    assert invite.receive(ack, flow, 1.0) == []
    assert invite.receive(ack, flow, 1.1) == []
    assert invite.receive(invite.request, flow, 1.2) == []
    if kept_s:
        assert invite.wake_at() == 1.0 + kept_s
        assert invite.wake(1.0 + kept_s) == []
    assert invite.finished


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_after_a_2xx_copies_of_the_invite_are_absorbed_for_32_s(flow: Path) -> None:
    invite = invite_server(flow)
    ok = response_to(invite.request, 200)
    assert invite.respond(ok, 1.0) == [SendResponse(ok, flow)]
    assert invite.receive(invite.request, flow, 2.0) == []
    assert invite.respond(ok, 2.5) == [SendResponse(ok, flow)]
    ack = a_request("ACK", to_tag="bob")
    assert invite.receive(ack, flow, 3.0) == [Acknowledged(invite, ack)]
    assert invite.wake_at() == 33.0
    assert invite.wake(33.0) == []
    assert invite.finished


def test_a_second_final_response_is_our_own_mistake() -> None:
    invite = invite_server()
    invite.respond(response_to(invite.request, 486), 0.0)
    with pytest.raises(OutOfTurn):
        invite.respond(response_to(invite.request, 200), 0.1)
    bye = plain_server()
    bye.respond(response_to(bye.request, 200), 0.0)
    with pytest.raises(OutOfTurn):
        bye.respond(response_to(bye.request, 500), 0.1)


def test_a_response_that_cannot_be_sent_changes_nothing_for_an_invite() -> None:
    invite = invite_server()
    invite.respond(response_to(invite.request, 486), 0.0)
    assert invite.transport_failed(0.1) == [Undelivered(invite)]
    assert invite.state is State.COMPLETED


def test_responses_follow_the_latest_copy_of_the_request() -> None:
    other = Path()
    invite = invite_server()
    invite.respond(response_to(invite.request, 180), 0.0)
    (again,) = invite.receive(invite.request, other, 0.5)
    assert isinstance(again, SendResponse)
    assert again.flow is other


@pytest.mark.parametrize(("flow", "kept_s"), [(UDP, 32.0), (TCP, 0.0)])
def test_copies_of_a_bye_get_the_same_response_for_64_t1(flow: Path, kept_s: float) -> None:
    bye = plain_server(flow)
    assert bye.receive(bye.request, flow, 0.0) == []
    ok = response_to(bye.request, 200)
    assert bye.respond(ok, 1.0) == [SendResponse(ok, flow)]
    if kept_s:
        assert bye.receive(bye.request, flow, 20.0) == [SendResponse(ok, flow)]
        assert bye.wake_at() == 1.0 + kept_s
        assert bye.wake(33.0) == []
    assert bye.finished


def test_a_provisional_response_to_a_bye_is_repeated_too() -> None:
    bye = plain_server()
    trying = response_to(bye.request, 100)
    bye.respond(trying, 0.0)
    assert bye.receive(bye.request, UDP, 1.0) == [SendResponse(trying, UDP)]
    assert kinds(bye.transport_failed(1.1)) == ["Undelivered"]
    assert bye.finished
