"""Client transactions to the second: copies, patience, and what they absorb (RFC 3261 17.1, RFC 6026)."""

from __future__ import annotations

import math

import pytest

from offhook.sip.timers import Timers
from offhook.sip.transaction.client import NonInviteClient
from offhook.sip.transaction.client import State as PlainState
from offhook.sip.transaction.events import Responded, SendRequest, TimedOut, Undelivered
from offhook.sip.transaction.invite_client import InviteClient, State
from tests.sip.transaction.samples import TCP, UDP, kinds, response_to, sending, sent_at

TIMERS = Timers()


def test_an_invite_is_repeated_at_doubling_intervals_and_given_up_after_32_s() -> None:
    invite = InviteClient.start(sending("INVITE"), TIMERS, 100.0)
    assert sent_at(invite, 131.9) == [100.5, 101.5, 103.5, 107.5, 115.5, 131.5]
    assert invite.wake_at() == 132.0
    assert invite.wake(131.99) == []
    assert invite.wake(132.0) == [TimedOut(invite)]
    assert invite.finished
    assert invite.wake_at() == math.inf


def test_over_tcp_an_invite_is_sent_once() -> None:
    invite = InviteClient.start(sending("INVITE", reliable=True), TIMERS, 0.0)
    assert sent_at(invite) == []
    assert invite.finished


def test_a_provisional_response_stops_the_copies_and_the_patience() -> None:
    invite = InviteClient.start(sending("INVITE"), TIMERS, 0.0)
    ringing = response_to(invite.request, 180)
    assert invite.receive(ringing, UDP, 0.3) == [Responded(invite, ringing)]
    assert invite.wake_at() == math.inf
    assert invite.receive(ringing, UDP, 90.0) == [Responded(invite, ringing)]


def test_a_refusal_is_acknowledged_and_each_copy_of_it_again_for_32_s() -> None:
    invite = InviteClient.start(sending("INVITE"), TIMERS, 0.0)
    busy = response_to(invite.request, 486)
    ack, passed = invite.receive(busy, UDP, 1.0)
    assert isinstance(ack, SendRequest)
    assert ack.request.method == "ACK"
    assert ack.request.via == invite.request.via
    assert ack.request.to_tag == "bob"
    assert passed == Responded(invite, busy)
    assert invite.receive(busy, UDP, 2.0) == [ack]
    assert invite.wake_at() == 33.0
    assert invite.wake(33.0) == []
    assert invite.finished


def test_over_tcp_a_refusal_ends_the_transaction_at_once() -> None:
    invite = InviteClient.start(sending("INVITE", reliable=True), TIMERS, 0.0)
    assert kinds(invite.receive(response_to(invite.request, 486), TCP, 1.0)) == ["SendRequest", "Responded"]
    assert invite.finished


@pytest.mark.parametrize("reliable", [False, True])
def test_after_a_2xx_other_forks_may_answer_for_32_s_over_any_transport(reliable: bool) -> None:
    invite = InviteClient.start(sending("INVITE", reliable=reliable), TIMERS, 0.0)
    first, second = response_to(invite.request, 200, "bob"), response_to(invite.request, 200, "eve")
    assert invite.receive(first, UDP, 1.0) == [Responded(invite, first)]
    assert invite.receive(second, UDP, 2.0) == [Responded(invite, second)]
    assert invite.receive(response_to(invite.request, 180, "mia"), UDP, 2.0) == []
    assert invite.receive(response_to(invite.request, 486, "mia"), UDP, 2.0) == []
    assert invite.wake_at() == 33.0
    assert invite.wake(33.0) == []
    assert invite.finished


def test_a_copy_of_an_acknowledged_2xx_gets_the_ack_again() -> None:
    invite = InviteClient.start(sending("INVITE"), TIMERS, 0.0)
    answer = response_to(invite.request, 200)
    invite.receive(answer, UDP, 1.0)
    ack = sending("ACK")
    invite.acknowledge("bob", ack)
    assert invite.receive(answer, UDP, 1.5) == [ack]


def test_an_invite_that_cannot_be_sent_ends() -> None:
    invite = InviteClient.start(sending("INVITE"), TIMERS, 0.0)
    assert invite.transport_failed(0.1) == [Undelivered(invite)]
    assert invite.finished


def test_an_invite_that_has_rung_outlives_the_loss_of_its_connection() -> None:
    invite = InviteClient.start(sending("INVITE", reliable=True), TIMERS, 0.0)
    invite.receive(response_to(invite.request, 180), TCP, 1.0)
    assert invite.transport_failed(2.0) == []
    assert not invite.finished


def test_a_late_driver_sends_no_burst() -> None:
    invite = InviteClient.start(sending("INVITE"), TIMERS, 0.0)
    assert kinds(invite.wake(20.0)) == ["SendRequest"]
    assert invite.wake(20.0) == []
    assert invite.wake_at() == 21.0


def test_a_bye_is_repeated_up_to_every_4_s_and_given_up_after_32_s() -> None:
    bye = NonInviteClient.start(sending("BYE"), TIMERS, 0.0)
    assert sent_at(bye, 31.9) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bye.wake(32.0) == [TimedOut(bye)]
    assert bye.finished


def test_after_a_provisional_response_a_bye_is_repeated_every_4_s() -> None:
    bye = NonInviteClient.start(sending("BYE"), TIMERS, 0.0)
    trying = response_to(bye.request, 100)
    assert bye.receive(trying, UDP, 0.1) == [Responded(bye, trying)]
    assert bye.state is PlainState.PROCEEDING
    assert sent_at(bye, 20.0) == [0.5, 4.5, 8.5, 12.5, 16.5]
    assert [*map(kinds, [bye.wake(20.5), bye.wake(32.0)])] == [["SendRequest"], ["TimedOut"]]


@pytest.mark.parametrize(("reliable", "kept_s"), [(False, 5.0), (True, 0.0)])
def test_copies_of_a_final_response_are_absorbed_for_t4(reliable: bool, kept_s: float) -> None:
    bye = NonInviteClient.start(sending("BYE", reliable=reliable), TIMERS, 0.0)
    ok = response_to(bye.request, 200)
    assert bye.receive(ok, UDP, 1.0) == [Responded(bye, ok)]
    assert bye.receive(ok, UDP, 1.1) == []
    assert bye.finished is reliable
    if not reliable:
        assert bye.wake_at() == 1.0 + kept_s
        assert bye.wake(1.0 + kept_s) == []
    assert bye.finished


def test_a_bye_that_cannot_be_sent_ends_in_either_state() -> None:
    fresh, ringing = (NonInviteClient.start(sending("BYE"), TIMERS, 0.0) for _ in range(2))
    ringing.receive(response_to(ringing.request, 100), UDP, 0.1)
    assert fresh.transport_failed(1.0) == [Undelivered(fresh)]
    assert ringing.transport_failed(1.0) == [Undelivered(ringing)]


def test_a_cancelled_invite_is_waited_for_64_t1_longer() -> None:
    invite = InviteClient.start(sending("INVITE"), TIMERS, 0.0)
    invite.receive(response_to(invite.request, 180), UDP, 0.1)
    invite.expire(40.0)
    invite.receive(response_to(invite.request, 180), UDP, 20.0)
    assert invite.wake_at() == 40.0
    assert invite.wake(40.0) == [TimedOut(invite)]
    assert invite.state is State.TERMINATED


def test_requests_mean_nothing_to_a_client_transaction() -> None:
    invite = InviteClient.start(sending("INVITE"), TIMERS, 0.0)
    assert invite.receive(invite.request, UDP, 0.1) == []
    bye = NonInviteClient.start(sending("BYE"), TIMERS, 0.0)
    assert bye.receive(bye.request, UDP, 0.1) == []
