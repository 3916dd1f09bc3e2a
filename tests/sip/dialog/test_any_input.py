"""No sequence of messages, commands that a call may give, and waits brings a leg down or keeps it awake for ever."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.sip.build import respond
from offhook.sip.dialog.config import Reliability
from offhook.sip.dialog.events import (
    Accept,
    Answer,
    Bye,
    CancelInvite,
    LegCommand,
    LegEnded,
    LegOutput,
    LegParted,
    LegRefused,
    Offer,
    Refuse,
    RefuseOffer,
    Ring,
    SendRequest,
    SendResponse,
)
from offhook.sip.dialog.leg import Leg
from offhook.sip.machine import OutOfTurn
from offhook.sip.message import Request
from tests.sip.dialog.pair import ANSWER, OFFER, UDP, callee_leg, caller_leg, config_of, invite_command, over_the_wire
from tests.sip.dialog.peer import CallingPeer, HeaderItems

METHODS = st.sampled_from(["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "PRACK"])
STATUSES = st.sampled_from([100, 180, 183, 200, 202, 302, 401, 405, 407, 408, 422, 481, 486, 487, 491, 500, 600])
COMMANDS: st.SearchStrategy[LegCommand] = st.sampled_from(
    [
        Ring(),
        Ring(183, ANSWER),
        Answer(ANSWER),
        Refuse(486),
        CancelInvite(),
        Offer(OFFER),
        Offer(OFFER, update=True),
        Accept(ANSWER),
        RefuseOffer(),
        Bye(),
    ]
)
CHALLENGE = (("WWW-Authenticate", 'Digest realm="r", nonce="n"'), ("Contact", "<sip:x@y.test>"))
ASKED: st.SearchStrategy[HeaderItems] = st.sampled_from(
    [
        (),
        (("Supported", "timer, 100rel"), ("Allow", "INVITE, ACK, UPDATE, PRACK"), ("Session-Expires", "5")),
        (("Session-Expires", "6;refresher=uas"), ("Supported", "timer")),
        (("Session-Expires", "1"), ("Supported", "timer"), ("Min-SE", "70")),
        (("Require", "100rel"), ("Allow", "UPDATE")),
        (("RAck", "2 1 INVITE"),),
        (("RAck", "3 1 INVITE"),),
        (("RAck", "4 1 INVITE"),),
    ]
)
SAID: st.SearchStrategy[HeaderItems] = st.sampled_from(
    [
        CHALLENGE,
        (*CHALLENGE, ("Allow", "INVITE, ACK, UPDATE, PRACK"), ("Session-Expires", "5;refresher=uac")),
        (*CHALLENGE, ("Session-Expires", "6;refresher=uas"), ("Retry-After", "2"), ("Min-SE", "40")),
        (*CHALLENGE, ("Require", "100rel"), ("RSeq", "1"), ("Allow", "UPDATE")),
        (*CHALLENGE, ("Require", "100rel"), ("RSeq", "2")),
    ]
)
EXTENDED = {"session_s": 8, "min_session_s": 2, "reliability": Reliability.SUPPORTED}
BODIES = st.sampled_from([None, OFFER])
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("request"),
            METHODS,
            st.integers(1, 9),
            st.sampled_from(["leg", None, "eve"]),
            st.sampled_from(["peer", "early", "eve"]),
            st.sampled_from(["z9hG4bK1", "z9hG4bK2", None]),
            BODIES,
            ASKED,
        ),
        st.tuples(st.just("response"), STATUSES, st.integers(0, 3), st.sampled_from(["peer", "early"]), BODIES, SAID),
        st.tuples(st.just("command"), COMMANDS),
        st.tuples(st.just("wait"), st.sampled_from([0.1, 0.6, 5.0, 33.0, 61.0])),
        st.tuples(st.just("broken"), st.integers(0, 3)),
    ),
    max_size=16,
)

PLAIN: HeaderItems = ()
REFRESHED = (*CHALLENGE, ("Allow", "INVITE, ACK, UPDATE, PRACK"), ("Session-Expires", "5;refresher=uac"))
RINGING = (*CHALLENGE, ("Require", "100rel"), ("RSeq", "1"), ("Allow", "UPDATE"))
CALLED = st.sampled_from(
    [
        [],
        [("command", Ring(183, ANSWER)), ("request", "PRACK", 2, "leg", "peer", None, None, (("RAck", "2 1 INVITE"),))],
        [("command", Answer(ANSWER)), ("request", "ACK", 1, "leg", "peer", None, ANSWER, PLAIN)],
    ]
)
"""How far a called leg has come when anything may happen: nowhere, to an early session, up."""

CALLING = st.sampled_from(
    [
        [],
        [("response", 183, 0, "peer", ANSWER, RINGING), ("response", 200, 0, "peer", None, CHALLENGE)],
        [("response", 200, 0, "peer", ANSWER, REFRESHED)],
        [("response", 200, 0, "peer", ANSWER, REFRESHED), ("wait", 4.5)],
    ]
)
"""The same for a calling leg, and once to a refresh."""


class Driven:
    """A leg, the requests it has sent, and the ends it has reported."""

    def __init__(self, leg: Leg) -> None:
        self.leg, self.now = leg, 0.0
        self.requests: list[Request] = []
        self.ends, self.parted = 0, False

    def note(self, outputs: list[LegOutput]) -> None:
        for output in outputs:
            if isinstance(output, SendRequest):
                read = over_the_wire(output.request)
                assert isinstance(read, Request)
                self.requests.append(read)
            elif isinstance(output, SendResponse):
                over_the_wire(output.response)
            elif isinstance(output, LegParted):
                assert (self.ends, self.parted) == (1, False)
                self.parted = True
            else:
                assert self.ends == 0, f"{output} after the end"
                self.ends += isinstance(output, LegEnded | LegRefused)
        assert self.ends <= 1

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        for _ in range(500):
            if (due := self.leg.wake_at()) > until:
                self.now = until
                return
            self.now = max(self.now, due)
            self.note(self.leg.wake(self.now))
        raise AssertionError("the leg wakes for ever")

    def do(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("request", method, cseq, to_tag, from_tag, branch, body, headers):
                made = CallingPeer(self.leg).make(
                    method, cseq=cseq, to_tag=to_tag, from_tag=from_tag, branch=branch, body=body, headers=headers
                )
                here = made.headers.with_("Call-ID", self.leg.call_id)
                self.note(self.leg.receive(made.with_headers(here), UDP, self.now))
            case ("response", status, index, tag, body, headers):
                if self.requests:
                    request = self.requests[-1 - index % len(self.requests)]
                    made_response = respond(
                        request,
                        status,
                        to_tag=tag,
                        headers=headers,
                        body=body or b"",
                        content_type="application/sdp" if body else None,
                    )
                    self.note(self.leg.receive(over_the_wire(made_response), UDP, self.now))
            case ("command", command):
                # Out of turn it is the call's bug; what matters is that the leg survives it.
                with contextlib.suppress(OutOfTurn):
                    self.note(self.leg.handle(command, self.now))
            case ("wait", seconds):
                self.wait(seconds)
            case ("broken", index):
                if self.requests:
                    branch = self.requests[-1 - index % len(self.requests)].via.branch
                    self.note(self.leg.transport_failed(branch or "", self.now))

    def finish(self) -> None:
        """Whatever state it is in, it can say its last words, and what is left of it comes to rest."""
        self.note(self.leg.last_words(self.now))
        assert self.leg.finished
        for kept in self.leg.linger():
            for _ in range(200):
                if kept.finished:
                    break
                if kept.wake_at() > self.now + 1000:
                    break
                self.now = max(self.now, kept.wake_at())
                kept.wake(self.now)
            else:
                raise AssertionError("what lingers wakes for ever")


@settings(max_examples=500)
@given(CALLED, STEPS, BODIES, ASKED)
def test_a_called_leg_survives_any_input(
    start: list[tuple[Any, ...]], steps: list[tuple[Any, ...]], body: bytes | None, headers: HeaderItems
) -> None:
    invite = CallingPeer().make("INVITE", to_tag=None, body=body, headers=headers)
    driven = Driven(callee_leg(invite, config=config_of("callee.test", **EXTENDED)))
    driven.note(driven.leg.receive(invite, UDP, 0.0))
    for step in (*start, *steps):
        driven.do(step)
    driven.finish()


@settings(max_examples=500)
@given(CALLING, STEPS, BODIES)
def test_a_calling_leg_survives_any_input(
    start: list[tuple[Any, ...]], steps: list[tuple[Any, ...]], body: bytes | None
) -> None:
    driven = Driven(caller_leg(config=config_of("caller.test", **EXTENDED)))
    driven.note(driven.leg.handle(invite_command(body), 0.0))
    for step in (*start, *steps):
        driven.do(step)
    driven.finish()
