"""Which transaction a message belongs to, copies that took another way, and one date to wake at."""

from __future__ import annotations

import math

import pytest

from offhook.sip.timers import Timers
from offhook.sip.transaction.events import Requested, SendResponse, Stray
from offhook.sip.transaction.invite_client import InviteClient
from offhook.sip.transaction.invite_server import InviteServer
from offhook.sip.transaction.key import cancelled_key, client_key, server_key
from offhook.sip.transaction.layer import Transactions
from offhook.sip.uri import Uri
from tests.sip.transaction.samples import UDP, a_request, kinds, response_to, sending, without_branch


def layer() -> Transactions:
    return Transactions(Timers(), "bob", (("Server", "offhook/test"),))


def test_ack_and_cancel_find_the_invite_by_branch_and_sent_by() -> None:
    invite, ack, cancel = (a_request(method) for method in ("INVITE", "ACK", "CANCEL"))
    assert server_key(ack) == server_key(invite)
    assert cancelled_key(cancel) == server_key(invite)
    assert server_key(cancel) != server_key(invite)
    assert server_key(a_request("INVITE", host="other.test")) != server_key(invite)
    assert server_key(a_request("INVITE", branch="Z9HG4BK-1", host="CALLER.test")) == server_key(invite)


@pytest.mark.parametrize("branch", [None, "z9hG4bK", "Z9hG4bk", "1", ""])
def test_a_branch_that_is_not_unique_is_never_matched_alone(branch: str | None) -> None:
    def key(request_uri: str = "sip:bob@callee.test", cseq: int = 1, method: str = "INVITE") -> tuple[object, ...]:
        request = a_request(method, branch=branch or None, cseq=cseq, uri=Uri.parse(request_uri))
        return server_key(without_branch(request) if branch is None else request)

    assert key() == key()
    assert key(method="ACK") == key()
    assert key(cseq=2) != key()
    assert key(request_uri="sip:eve@callee.test") != key()
    assert key(method="BYE") != key()


def test_an_old_ack_finds_its_invite_although_its_to_tag_is_new() -> None:
    transactions = layer()
    invite = without_branch(a_request("INVITE"))
    (asked,) = transactions.receive(invite, UDP, 0.0)
    assert isinstance(asked, Requested)
    transactions.respond(asked.transaction, response_to(invite, 486), 0.1)
    assert transactions.receive(without_branch(a_request("ACK", to_tag="bob")), UDP, 0.2) == []
    assert transactions.wake_at() == 5.2


def test_a_response_without_a_branch_is_a_stray() -> None:
    response = response_to(without_branch(a_request("INVITE")), 200)
    assert client_key(response) is None
    assert layer().receive(response, UDP, 0.0) == [Stray(response, UDP)]


def test_an_ack_of_a_2xx_is_nobody_s_and_starts_nothing() -> None:
    transactions = layer()
    ack = a_request("ACK", branch="z9hG4bK-2", to_tag="bob")
    assert transactions.receive(ack, UDP, 0.0) == [Stray(ack, UDP)]
    assert len(transactions) == 0


def test_a_copy_that_took_another_way_is_answered_482() -> None:
    transactions = layer()
    assert kinds(transactions.receive(a_request("INVITE"), UDP, 0.0)) == ["Requested"]
    (merged,) = transactions.receive(a_request("INVITE", branch="z9hG4bK-2"), UDP, 0.1)
    assert isinstance(merged, SendResponse)
    assert merged.response.status == 482
    assert merged.response.to_tag == "bob"
    assert merged.response.headers.get("Server") == "offhook/test"


def test_a_request_in_a_dialog_is_no_merged_one() -> None:
    transactions = layer()
    transactions.receive(a_request("BYE", to_tag="bob"), UDP, 0.0)
    assert kinds(transactions.receive(a_request("BYE", to_tag="bob", branch="z9hG4bK-2"), UDP, 0.0)) == ["Requested"]


def test_a_request_counts_as_merged_only_while_its_first_copy_is_remembered() -> None:
    transactions = layer()
    (asked,) = transactions.receive(a_request("OPTIONS"), UDP, 0.0)
    assert isinstance(asked, Requested)
    transactions.respond(asked.transaction, response_to(asked.transaction.request, 200), 0.0)
    assert transactions.wake(32.0) == []
    assert len(transactions) == 0
    assert kinds(transactions.receive(a_request("OPTIONS", branch="z9hG4bK-2"), UDP, 33.0)) == ["Requested"]


def test_a_cancel_finds_its_invite_and_no_other() -> None:
    transactions = layer()
    (asked,) = transactions.receive(a_request("INVITE"), UDP, 0.0)
    assert isinstance(asked, Requested)
    assert isinstance(asked.transaction, InviteServer)
    assert transactions.cancelled(a_request("CANCEL")) is asked.transaction
    assert transactions.cancelled(a_request("CANCEL", branch="z9hG4bK-2")) is None


def test_it_wakes_for_the_soonest_transaction_and_not_for_dates_that_have_moved() -> None:
    transactions = layer()
    client, first = transactions.send(sending("INVITE"), 0.0)
    assert isinstance(client, InviteClient)
    assert first is client.sending
    assert transactions.wake_at() == 0.5
    transactions.receive(response_to(client.request, 180), UDP, 0.2)
    assert transactions.wake_at() == math.inf
    transactions.expire(client, 50.0)
    assert transactions.wake_at() == 50.0
    assert kinds(transactions.wake(50.0)) == ["TimedOut"]
    assert len(transactions) == 0


def test_one_late_wake_fires_everything_that_is_due() -> None:
    transactions = layer()
    transactions.send(sending("INVITE"), 0.0)
    transactions.receive(a_request("INVITE", branch="z9hG4bK-7"), UDP, 0.1)
    assert kinds(transactions.wake(0.6)) == ["SendResponse", "SendRequest"]


def test_a_failure_to_send_reaches_the_transactions_of_that_branch() -> None:
    transactions = layer()
    transactions.send(sending("INVITE"), 0.0)
    assert transactions.transport_failed("z9hG4bK-9", 0.1) == []
    assert kinds(transactions.transport_failed("z9hG4bK-1", 0.1)) == ["Undelivered"]
    assert len(transactions) == 0


def test_what_is_handed_over_is_gone_here() -> None:
    transactions = layer()
    transactions.send(sending("BYE"), 0.0)
    transactions.receive(a_request("INVITE", branch="z9hG4bK-7"), UDP, 0.1)
    assert len(transactions.take_all()) == 2
    assert len(transactions) == 0
    assert transactions.wake_at() == math.inf
