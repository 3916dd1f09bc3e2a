"""Our registrations with gateways: renewed in time, tried again with growing pauses, taken back at the end."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.address import NameAddr
from offhook.sip.build import respond
from offhook.sip.dialog.events import Credentials
from offhook.sip.digest import DigestServer, Outcome
from offhook.sip.message import Request, Response
from offhook.sip.parse import parse_datagram
from offhook.sip.render import render
from offhook.sip.timers import Timers
from offhook.sip.transaction.events import SendRequest
from offhook.sip.trunk_registration import (
    RETRY_MAX_S,
    RETRY_S,
    Ended,
    Failed,
    GatewayRegistration,
    Output,
    Registered,
)
from offhook.sip.uri import Uri
from offhook.testing.ids import CountingIds
from tests.sip.dialog.pair import UDP

CONTACT = NameAddr.parse("<sip:line1@192.0.2.1:5060>")
PASSWORD = "hush"


@attrs.define(eq=False)
class Gateway:
    """The other side, by hand; time stands still until it is moved."""

    ours: GatewayRegistration
    now: float = 0.0
    sent: list[Request] = attrs.field(factory=list)
    facts: list[Output] = attrs.field(factory=list)

    def take(self, outputs: list[Output]) -> list[Output]:
        """Note what comes of an input; the facts of it."""
        told: list[Output] = []
        for output in outputs:
            if isinstance(output, SendRequest):
                read = parse_datagram(render(output.request))
                assert isinstance(read, Request)
                self.sent.append(read)
            else:
                told.append(output)
        self.facts += told
        return told

    def run(self, until: float) -> list[Output]:
        """Let time pass; all facts of it."""
        told: list[Output] = []
        while (due := self.ours.wake_at()) <= until:
            self.now = max(self.now, due)
            told += self.take(self.ours.wake(self.now))
        self.now = max(self.now, until)
        return told

    def next_register(self) -> Request:
        """Let time pass until the next REGISTER goes out."""
        count = len(self.sent)
        while len(self.sent) == count:
            assert self.ours.wake_at() < math.inf
            self.run(self.ours.wake_at())
        return self.sent[-1]

    def answer(self, status: int, *headers: tuple[str, str], request: Request | None = None) -> list[Output]:
        """Answer the last REGISTER, or that one."""
        read = parse_datagram(render(respond(request or self.sent[-1], status, headers=headers)))
        assert isinstance(read, Response)
        return self.take(self.ours.receive(read, UDP, self.now))

    def grant(self, seconds: int = 3600) -> list[Output]:
        return self.answer(200, ("Contact", f"{CONTACT};expires={seconds}"))


def gateway(uri: str = "sip:gw1.example.com", username: str = "line1", **options: Any) -> Gateway:
    ours = GatewayRegistration(
        trunk="main",
        gateway=Uri.parse(uri),
        credentials=Credentials(username, PASSWORD),
        ids=CountingIds("us"),
        timers=Timers(),
        **options,
    )
    ours.contact = CONTACT
    ours.begin(0.0)
    return Gateway(ours)


def test_the_first_register_says_who_and_where_we_are() -> None:
    it = gateway("sip:gw1.example.com:5070;transport=tcp", agent="offhook/1")
    register = it.next_register()
    assert it.now <= 1.2
    assert (register.method, register.request_uri) == ("REGISTER", "sip:gw1.example.com:5070")
    assert str(register.to) == "<sip:line1@gw1.example.com>"
    assert register.from_.uri == register.to.uri
    assert register.contact == CONTACT
    assert register.expires == 3600
    assert register.headers.get("User-Agent") == "offhook/1"
    assert it.ours.hop.transport == "TCP"


def test_a_user_name_may_be_an_address() -> None:
    it = gateway(username="line1@carrier.example")
    assert str(it.next_register().to) == "<sip:line1@carrier.example>"
    assert it.ours.user == "line1"


def test_it_is_renewed_before_it_expires_within_the_same_call_id() -> None:
    it = gateway()
    first = it.next_register()
    assert it.grant() == [Registered(3600, refreshed=False)]
    granted = it.now
    second = it.next_register()
    assert 3000 < it.now - granted < 3600 - 32
    assert (second.call_id, second.from_tag) == (first.call_id, first.from_tag)
    assert second.cseq.number == first.cseq.number + 1
    assert it.grant() == [Registered(3600, refreshed=True)]


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ((("Contact", f"{CONTACT};expires=120"),), 120),
        ((("Contact", f"<sip:other@x>;expires=9, {CONTACT};expires=90"), ("Expires", "60")), 90),
        ((("Contact", "<sip:line1@203.0.113.7:4711>;expires=70"),), 70),
        ((("Contact", str(CONTACT)), ("Expires", "80")), 80),
        ((("Expires", "100"),), 100),
        ((), 3600),
    ],
)
def test_what_was_granted_is_read_wherever_it_stands(headers: tuple[tuple[str, str], ...], granted: int) -> None:
    it = gateway()
    it.next_register()
    assert it.answer(200, *headers) == [Registered(granted, refreshed=False)]
    began = it.now
    it.next_register()
    assert it.now - began < granted


@given(st.integers(1, 100_000))
def test_a_renewal_always_comes_in_time_to_be_answered(seconds: int) -> None:
    it = gateway()
    it.next_register()
    it.grant(seconds)
    began = it.now
    it.next_register()
    assert it.now - began >= min(5.0, seconds / 3)
    if seconds >= 80:
        assert it.now - began <= seconds - 40


def test_nothing_granted_is_a_failure() -> None:
    it = gateway()
    it.next_register()
    [failed] = it.grant(0)
    assert isinstance(failed, Failed)
    assert not it.ours.registered


# ---- digest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_is_answered_with_the_password(status: int) -> None:
    server = DigestServer(b"k" * 32, "carrier.example", ("SHA-256", "MD5"))
    asks, gives = (
        ("WWW-Authenticate", "Authorization") if status == 401 else ("Proxy-Authenticate", "Proxy-Authorization")
    )
    it = gateway()
    it.next_register()
    assert it.answer(status, *((asks, value) for value in server.challenge(it.now))) == []
    again = it.sent[-1]
    verdict = server.check(again.headers.all(gives), "REGISTER", again.request_uri, lambda user: PASSWORD, it.now)
    assert (verdict.outcome, verdict.username) == (Outcome.ACCEPTED, "line1")
    assert it.grant() == [Registered(3600, refreshed=False)]


def test_a_renewal_meets_a_new_challenge_though_nobody_calls_the_old_nonce_stale() -> None:
    it = gateway()
    for nonce in ("one", "two"):
        it.next_register()
        it.answer(401, ("WWW-Authenticate", f'Digest realm="r", nonce="{nonce}"'))
        assert f'nonce="{nonce}"' in (it.sent[-1].headers.get("Authorization") or "")
        assert isinstance(it.grant()[0], Registered)


def test_a_wrong_password_is_told_once_and_tried_again_seldom() -> None:
    it = gateway()
    it.next_register()
    it.answer(401, ("WWW-Authenticate", 'Digest realm="r", nonce="n"'))
    [failed] = it.answer(401, ("WWW-Authenticate", 'Digest realm="r", nonce="m"'))
    assert isinstance(failed, Failed)
    assert (failed.status, failed.first) == (401, True)
    assert len(it.sent) == 2


def test_a_gateway_that_only_ever_challenges_is_given_up() -> None:
    it = gateway()
    it.next_register()
    told: list[Output] = []
    for number in range(20):
        told = it.answer(401, ("WWW-Authenticate", f'Digest realm="r{number}", nonce="n", stale=true'))
        if told:
            break
    assert isinstance(told[0], Failed)
    assert len(it.sent) == 5


# ---- too brief -----------------------------------------------------------------------------------------------------


def test_a_time_that_is_too_brief_becomes_what_the_gateway_wants_and_stays_so() -> None:
    it = gateway()
    it.next_register()
    assert it.answer(423, ("Min-Expires", "7200")) == []
    assert it.sent[-1].expires == 7200
    it.grant(7200)
    assert it.next_register().expires == 7200


@pytest.mark.parametrize("minimum", ["60", "3600", "99999999", "soon", None])
def test_a_minimum_that_makes_no_sense_is_a_failure(minimum: str | None) -> None:
    it = gateway()
    it.next_register()
    [failed] = it.answer(423, *([("Min-Expires", minimum)] if minimum is not None else []))
    assert isinstance(failed, Failed)
    assert len(it.sent) == 1


# ---- failures ------------------------------------------------------------------------------------------------------


def test_pauses_grow_to_their_bound_and_a_success_ends_them() -> None:
    it = gateway()
    pauses = []
    for _ in range(12):
        it.next_register()
        [failed] = it.answer(500)
        assert isinstance(failed, Failed)
        pauses.append(failed.retry_s)
        began = it.now
        assert it.ours.wake_at() - began == pytest.approx(failed.retry_s)
    assert all(RETRY_S / 2 <= pauses[0] <= RETRY_S for _ in pauses)
    assert pauses == sorted(pauses)
    assert RETRY_MAX_S / 2 <= pauses[-1] <= RETRY_MAX_S
    it.next_register()
    it.grant(100)
    it.next_register()
    [failed] = it.answer(500)
    assert isinstance(failed, Failed)
    assert (failed.retry_s < RETRY_S, failed.first) == (True, True)
    assert [each.first for each in it.facts if isinstance(each, Failed)] == [True, *[False] * 11, True]


def test_pauses_differ_by_chance() -> None:
    ids = CountingIds()
    ids._counts["token"] = 0xEEEEEE
    it = gateway()
    it.ours.ids = ids
    it.next_register()
    [failed] = it.answer(500)
    assert isinstance(failed, Failed)
    assert failed.retry_s > RETRY_S * 0.9


def test_retry_after_is_kept_to_but_not_for_ever() -> None:
    it = gateway()
    it.next_register()
    [failed] = it.answer(503, ("Retry-After", "300"))
    assert isinstance(failed, Failed)
    assert failed.retry_s == 300
    it.next_register()
    [failed] = it.answer(503, ("Retry-After", "999999"))
    assert isinstance(failed, Failed)
    assert failed.retry_s == 3600


def test_silence_is_a_failure_after_32_seconds_and_copies_go_out_until_then() -> None:
    it = gateway()
    it.next_register()
    began = it.now
    [failed] = it.run(began + 32.5)
    assert isinstance(failed, Failed)
    assert failed.status is None
    assert len(it.sent) == 11  # 0, 0.5, 1.5, 3.5, 7.5 and every 4 s


def test_a_gateway_that_cannot_be_reached_is_a_failure_at_once() -> None:
    it = gateway()
    branch = it.next_register().via.branch or ""
    assert it.take(it.ours.transport_failed("another", it.now)) == []
    [failed] = it.take(it.ours.transport_failed(branch, it.now))
    assert isinstance(failed, Failed)
    assert it.take(it.ours.transport_failed(branch, it.now)) == []


def test_a_registration_lasts_until_it_expires_though_renewals_fail() -> None:
    it = gateway()
    it.next_register()
    it.grant(100)
    expires = it.now + 100
    told = it.run(expires - 0.001)
    assert told
    assert all(isinstance(each, Failed) for each in told)
    told = it.run(expires)
    assert Ended("expired") in told
    assert not it.ours.registered
    while not isinstance(it.facts[-1], Registered):
        it.next_register()
        it.grant()
    assert it.facts[-1] == Registered(3600, refreshed=False)


def test_an_answer_that_cannot_be_read_is_a_failure() -> None:
    it = gateway()
    it.next_register()
    response = respond(it.sent[-1], 503, headers=(("Retry-After", "soon"),))
    [failed] = it.take(it.ours.receive(response, UDP, it.now))
    assert isinstance(failed, Failed)


def test_late_copies_of_answers_change_nothing() -> None:
    it = gateway()
    first = it.next_register()
    it.answer(500)
    assert it.answer(200, request=first) == []
    it.next_register()
    assert it.answer(200, request=first) == []
    assert it.answer(100) == []
    assert not it.ours.registered


def test_without_a_listener_nothing_is_sent_and_it_is_tried_again() -> None:
    it = gateway()
    it.ours.contact = None
    [failed] = it.run(it.ours.wake_at())
    assert isinstance(failed, Failed)
    assert it.sent == []
    it.ours.contact = CONTACT
    it.next_register()


# ---- the end -------------------------------------------------------------------------------------------------------


def test_it_is_taken_back_at_the_end_with_a_challenge_answered_in_between() -> None:
    it = gateway()
    it.next_register()
    it.grant()
    it.take(it.ours.withdraw(it.now))
    assert it.sent[-1].expires == 0
    it.answer(401, ("WWW-Authenticate", 'Digest realm="r", nonce="n"'))
    assert it.sent[-1].expires == 0
    assert it.answer(200) == [Ended("withdrawn")]
    assert it.ours.finished
    assert it.ours.wake_at() == math.inf


def test_what_was_never_registered_needs_no_taking_back() -> None:
    it = gateway()
    assert it.ours.withdraw(0.0) == []
    assert it.ours.finished


def test_what_is_under_way_at_the_end_is_taken_back_too() -> None:
    it = gateway()
    it.next_register()
    it.take(it.ours.withdraw(it.now))
    assert it.sent[-1].expires == 0
    assert it.answer(200) == []
    assert it.ours.finished


def test_a_gateway_that_does_not_answer_at_the_end_is_waited_for_no_longer_than_a_transaction() -> None:
    it = gateway()
    it.next_register()
    it.grant()
    it.take(it.ours.withdraw(it.now))
    assert it.run(it.now + 33) == [Ended("withdrawn")]
    assert it.ours.finished
