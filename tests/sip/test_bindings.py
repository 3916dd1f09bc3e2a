"""Bindings of addresses of record: what a REGISTER does to them, and when they end (RFC 3261 10.3, RFC 3327, 5626)."""

from __future__ import annotations

import math

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.sip.bindings import Binding, Bindings, Bound, Granted, Unbound, Why, in_order
from offhook.sip.build import request as build_request
from offhook.sip.build import respond
from offhook.sip.errors import BadHeader, SipError, UnsupportedScheme
from offhook.sip.message import Request
from offhook.sip.pace import Pace
from offhook.sip.registration import (
    Bounds,
    FirstHopLacksOutbound,
    OutOfOrder,
    TooBrief,
    TooManyBindings,
    TooManyRegisters,
    aor_of,
    aor_of_uri,
)
from offhook.sip.render import render
from offhook.sip.uri import Uri
from offhook.sip.validate import validate_request
from offhook.sip.via import Via

ANN = "sip:ann@example.com"
FAST = Bounds(registers_per_second=1_000_000)
PHONE = "<sip:ann@192.0.2.1>"
PROXY_VIA = "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKp"


@attrs.frozen(eq=False)
class Way:
    """A flow as the core sees it."""

    transport: str = "UDP"
    reliable: bool = False


UDP = Way()


def register(
    *contacts: str,
    cseq: int = 1,
    call_id: str = "c1",
    expires: int | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    proxied: bool = False,
) -> Request:
    lines = [("Contact", contact) for contact in contacts]
    if expires is not None:
        lines.append(("Expires", str(expires)))
    made = build_request(
        "REGISTER",
        "sip:example.com",
        via=Via.parse("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        from_=f"<{ANN}>;tag=1",
        to=f"<{ANN}>",
        call_id=call_id,
        cseq=cseq,
        headers=(*lines, *headers),
    )
    if proxied:
        made = made.with_headers(made.headers.prepended("Via", PROXY_VIA))
    validate_request(made)
    return made


def left(granted: Granted, now: float) -> dict[str, int]:
    """Seconds left, by URI."""
    return {str(binding.contact.uri): binding.seconds_left(now) for binding in granted.bindings}


# --- time ----------------------------------------------------------------------------------------------------------


def test_a_binding_lapses_at_its_second() -> None:
    core = Bindings()
    core.register(ANN, register(PHONE, expires=600), UDP, 100.0)
    assert core.wake_at() == 700.0
    assert core.lapse(699.9) == []
    [lapsed] = core.lapse(700.0)
    assert (lapsed.binding.aor, lapsed.why) == (ANN, Why.EXPIRED)
    assert (len(core), core.wake_at()) == (0, math.inf)


def test_a_lapsed_binding_is_not_found_before_it_is_cleared_away() -> None:
    core = Bindings()
    core.register(ANN, register(PHONE, expires=600), UDP, 0.0)
    assert core.find(ANN, 599.9) != ()
    assert core.find(ANN, 600.0) == ()


def test_a_register_between_the_end_and_the_clearing_makes_a_new_binding() -> None:
    core = Bindings()
    core.register(ANN, register(PHONE, expires=600), UDP, 0.0)
    granted = core.register(ANN, register(PHONE, cseq=1, expires=600), UDP, 600.0)
    assert [type(change) for change in granted.changes] == [Bound]
    assert len(core.lapse(600.0)) == 1
    assert len(core) == 1


def test_the_remaining_time_of_all_is_answered() -> None:
    core = Bindings()
    core.register(ANN, register("<sip:ann@192.0.2.1>", expires=600), UDP, 0.0)
    granted = core.register(ANN, register("<sip:ann@192.0.2.2>", call_id="c2", expires=700), UDP, 202.5)
    assert left(granted, 202.5) == {"sip:ann@192.0.2.1": 398, "sip:ann@192.0.2.2": 700}
    assert granted.bindings[0].shown(202.5) == "<sip:ann@192.0.2.1>;expires=398"


@pytest.mark.parametrize(
    ("contact", "header", "granted"),
    [
        (PHONE, None, 3600),
        (PHONE, 900, 900),
        (f"{PHONE};expires=700", 900, 700),
        (f"{PHONE};expires=7200", None, 3600),
        (f"{PHONE};expires=4294967295", None, 3600),
        (f"{PHONE};expires=soon", 900, 3600),  # 10.3: what is malformed reads as 3600
        (PHONE, 600, 600),
    ],
)
def test_the_contact_rules_over_the_header_and_the_bounds_over_both(
    contact: str, header: int | None, granted: int
) -> None:
    assert list(left(Bindings().register(ANN, register(contact, expires=header), UDP, 0.0), 0.0).values()) == [granted]


@pytest.mark.parametrize("asked", [1, 60, 599])
def test_too_brief_is_423_with_the_least_that_is_granted(asked: int) -> None:
    core = Bindings()
    with pytest.raises(TooBrief) as refused:
        core.register(ANN, register(PHONE, expires=asked), UDP, 0.0)
    assert (refused.value.status, refused.value.headers) == (423, (("Min-Expires", "600"),))
    assert len(core) == 0


def test_bounds_that_make_no_sense_are_refused() -> None:
    for bad in (
        {"min_expires": 0},
        {"min_expires": 700, "max_expires": 650},
        {"min_expires": 3601, "max_expires": 7200},
        {"bindings_per_aor": 0},
    ):
        with pytest.raises(ValueError, match="is"):
            Bounds(**bad)


# --- what replaces what --------------------------------------------------------------------------------------------


def test_an_equal_uri_is_the_same_binding() -> None:
    core = Bindings()
    [first] = core.register(ANN, register("<sip:ann@Phone.example;ob>;q=0.2"), UDP, 0.0).bindings
    granted = core.register(ANN, register("<sip:ann@phone.EXAMPLE>", cseq=2), UDP, 10.0)
    [change] = granted.changes
    assert isinstance(change, Bound)
    assert change.replaced is first
    assert (len(core), core.wake_at()) == (1, 3610.0)


def test_nought_seconds_unbind_and_unbinding_what_is_not_bound_is_no_fault() -> None:
    core = Bindings()
    core.register(ANN, register(PHONE), UDP, 0.0)
    granted = core.register(ANN, register(f"{PHONE};expires=0", cseq=2), UDP, 1.0)
    assert [change.why for change in granted.changes if isinstance(change, Unbound)] == [Why.REMOVED]
    assert core.register(ANN, register(PHONE, cseq=3, expires=0), UDP, 2.0) == Granted((), (), False)


def test_a_question_changes_nothing() -> None:
    core = Bindings()
    core.register(ANN, register(PHONE), UDP, 0.0)
    granted = core.register(ANN, register(cseq=1), UDP, 1.0)
    assert granted.changes == ()
    assert left(granted, 1.0) == {"sip:ann@192.0.2.1": 3599}


def test_a_star_unbinds_everything_but_only_with_nought_seconds() -> None:
    core = Bindings()
    core.register(ANN, register("<sip:ann@192.0.2.1>", "<sip:ann@192.0.2.2>"), UDP, 0.0)
    for expires in (None, 1, 3600):
        with pytest.raises(BadHeader):
            core.register(ANN, register("*", cseq=2, expires=expires), UDP, 1.0)
    granted = core.register(ANN, register("*", cseq=2, expires=0), UDP, 1.0)
    assert (len(granted.changes), granted.bindings, len(core)) == (2, (), 0)


def test_users_do_not_touch_each_other() -> None:
    core = Bindings()
    core.register(ANN, register(PHONE), UDP, 0.0)
    core.register("sip:bob@example.com", register("*", expires=0), UDP, 0.0)
    assert len(core.find(ANN, 1.0)) == 1


@pytest.mark.parametrize("contact", [PHONE, f"{PHONE};expires=0", "*"])
@pytest.mark.parametrize("cseq", [4, 5])
def test_an_older_register_of_the_same_call_id_changes_nothing(contact: str, cseq: int) -> None:
    core = Bindings()
    core.register(ANN, register(PHONE, cseq=5), UDP, 0.0)
    late = register(contact, cseq=cseq, expires=0 if contact == "*" else None)
    with pytest.raises(OutOfOrder) as refused:
        core.register(ANN, late, UDP, 1.0)
    assert refused.value.status == 400
    assert core.find(ANN, 1.0)[0].until == 3600.0


def test_another_call_id_has_its_own_order() -> None:
    core = Bindings()
    core.register(ANN, register(PHONE, cseq=500), UDP, 0.0)
    assert core.register(ANN, register(PHONE, cseq=1, call_id="after-a-restart"), UDP, 1.0).bindings[0].cseq == 1


def test_one_bad_contact_refuses_them_all() -> None:
    core = Bindings()
    core.register(ANN, register(PHONE, cseq=5), UDP, 0.0)
    for request in (
        register("<sip:ann@192.0.2.2>", f"{PHONE};expires=1", cseq=6),
        register("<sip:ann@192.0.2.2>", PHONE, cseq=5),
        register("<sip:ann@192.0.2.2>", "<tel:+15550100>", cseq=6),
        register("<sip:ann@192.0.2.2>", "<sip:ann@192.0.2.3>;q=high", cseq=6),
    ):
        with pytest.raises(SipError):
            core.register(ANN, request, UDP, 1.0)
    assert len(core) == 1


@pytest.mark.parametrize("contact", ["<tel:+15550100>", "<name:Nora_K>", "<mailto:ann@example.com>", "<isbn:29837>"])
def test_a_contact_that_no_call_can_be_sent_to_is_416(contact: str) -> None:
    with pytest.raises(UnsupportedScheme) as refused:
        Bindings().register(ANN, register(contact), UDP, 0.0)
    assert refused.value.status == 416


def test_the_same_contact_twice_is_one_binding() -> None:
    core = Bindings()
    [first] = core.register(ANN, register(PHONE), UDP, 0.0).bindings
    granted = core.register(ANN, register(f"{PHONE};q=0.1", f"{PHONE};q=0.2", cseq=2), UDP, 1.0)
    [change] = granted.changes
    assert isinstance(change, Bound)
    assert (change.replaced, change.binding.q) == (first, 0.2)
    gone = core.register(ANN, register(PHONE, f"{PHONE};expires=0", cseq=3), UDP, 2.0)
    assert [type(change) for change in gone.changes] == [Unbound]
    assert len(core) == 0


# --- bounds --------------------------------------------------------------------------------------------------------


def phones(first: int, last: int) -> list[str]:
    return [f"<sip:ann@192.0.2.{number}>" for number in range(first, last)]


def test_ten_bindings_are_enough() -> None:
    core = Bindings(FAST)
    core.register(ANN, register(*phones(0, 10)), UDP, 0.0)
    with pytest.raises(TooManyBindings) as refused:
        core.register(ANN, register(*phones(10, 11), call_id="c2"), UDP, 1.0)
    assert refused.value.status == 403
    assert len(core) == 10
    with pytest.raises(TooManyBindings):
        Bindings().register(ANN, register(*phones(0, 11)), UDP, 0.0)


def test_a_full_user_may_refresh_and_swap() -> None:
    core = Bindings(FAST)
    core.register(ANN, register(*phones(0, 10)), UDP, 0.0)
    core.register(ANN, register(*phones(0, 10), cseq=2), UDP, 1.0)
    swapped = core.register(ANN, register("<sip:ann@192.0.2.0>;expires=0", *phones(10, 11), cseq=3), UDP, 2.0)
    assert len(swapped.bindings) == 10


def test_all_may_be_swapped_at_once_but_longer_lists_are_not_gone_through() -> None:
    core = Bindings(FAST)
    core.register(ANN, register(*phones(0, 10)), UDP, 0.0)
    gone = [f"{phone};expires=0" for phone in phones(0, 10)]
    swapped = core.register(ANN, register(*gone, *phones(10, 20), cseq=2), UDP, 1.0)
    assert len(swapped.bindings) == 10
    with pytest.raises(TooManyBindings):
        core.register(ANN, register(*gone, *gone, *phones(10, 11), cseq=3), UDP, 2.0)


def test_five_a_second_are_enough_and_the_sixth_is_told_when() -> None:
    core = Bindings()
    for number in range(5):
        core.register(ANN, register(PHONE, cseq=number + 1), UDP, 10.0 + number / 10)
    with pytest.raises(TooManyRegisters) as refused:
        core.register(ANN, register(PHONE, cseq=6), UDP, 10.9)
    assert (refused.value.status, refused.value.headers) == (503, (("Retry-After", "1"),))
    core.register(ANN, register(PHONE, cseq=7), UDP, 11.0)
    with pytest.raises(TooManyRegisters):
        core.register(ANN, register(PHONE, cseq=8), UDP, 11.05)


def test_questions_and_refusals_count_as_well() -> None:
    core = Bindings()
    for _ in range(3):
        core.register(ANN, register(), UDP, 0.0)
    for _ in range(2):
        with pytest.raises(TooBrief):
            core.register(ANN, register(PHONE, expires=1), UDP, 0.0)
    with pytest.raises(TooManyRegisters):
        core.register(ANN, register(), UDP, 0.5)


def test_who_was_quiet_for_a_second_costs_nothing() -> None:
    pace = Pace(5)
    for number in range(100):
        assert pace.wait_for(f"user {number}", 0.0) == 0.0
    assert len(pace) == 100
    pace.wait_for("another", 1.0)
    assert len(pace) == 1


@given(st.lists(st.floats(0, 0.7), max_size=60))
@settings(max_examples=50)
def test_no_window_of_a_second_holds_more_than_its_share(gaps: list[float]) -> None:
    pace, now, taken = Pace(3), 0.0, list[float]()
    for gap in gaps:
        now += gap
        wait_s = pace.wait_for("ann", now)
        assert 0.0 <= wait_s <= 1.0
        if wait_s == 0.0:
            taken.append(now)
    assert all(later - earlier >= 1.0 for earlier, later in zip(taken, taken[3:], strict=False))


def test_what_every_answer_would_have_to_repeat_is_bounded() -> None:
    core = Bindings()
    with pytest.raises(BadHeader) as refused:
        core.register(ANN, register(f"<sip:ann@192.0.2.1;pn-prid={'x' * 1100}>"), UDP, 0.0)
    assert refused.value.reason == "Contact too long"
    with pytest.raises(BadHeader) as refused:
        core.register(ANN, register(PHONE, headers=(("Path", f"<sip:{'p' * 2100}@edge.example;lr>"),)), UDP, 0.0)
    assert refused.value.reason == "Path too long"


def test_registering_and_unregistering_for_ever_takes_no_room() -> None:
    core = Bindings(FAST)
    for number in range(20_000):
        core.register(ANN, register(PHONE, cseq=number + 1, expires=0 if number % 2 else 3600), UDP, number / 1000)
    assert len(core) == 0
    assert len(core._heap) < 2000


# --- preference ----------------------------------------------------------------------------------------------------


def test_callers_try_the_preferred_first_and_among_equals_the_latest() -> None:
    core = Bindings()
    core.register(ANN, register("<sip:ann@a>;q=0.5", "<sip:ann@b>;q=1.0", "<sip:ann@c>;q=0.5", "<sip:ann@d>"), UDP, 0.0)
    core.register(ANN, register("<sip:ann@a>;q=0.5", cseq=2), UDP, 1.0)
    assert [binding.contact.uri.host for binding in in_order(core.find(ANN, 2.0))] == ["d", "b", "a", "c"]


@pytest.mark.parametrize("q", ["1.1", "-1", "high", "0.1234", '"0.5"x'])
def test_a_preference_out_of_the_grammar_is_400(q: str) -> None:
    with pytest.raises(SipError) as refused:
        Bindings().register(ANN, register(f"{PHONE};q={q}"), UDP, 0.0)
    assert refused.value.status == 400


# --- devices and flows (RFC 5626) ----------------------------------------------------------------------------------

DESK = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'


def test_a_device_has_one_binding_wherever_it_is() -> None:
    core = Bindings()
    core.register(ANN, register(f"<sip:ann@192.0.2.1>;{DESK}"), UDP, 0.0)
    moved = core.register(ANN, register(f"<sip:ann@198.51.100.7:1024>;{DESK.lower()}", call_id="c2"), UDP, 1.0)
    assert list(left(moved, 1.0)) == ["sip:ann@198.51.100.7:1024"]


def test_two_devices_with_the_same_private_address_are_two() -> None:
    core = Bindings()
    core.register(ANN, register(f"{PHONE};{DESK}"), UDP, 0.0)
    core.register(ANN, register(f'{PHONE};+sip.instance="<urn:uuid:2>"', call_id="c2"), UDP, 1.0)
    core.register(ANN, register(PHONE, call_id="c3"), UDP, 2.0)
    assert len(core) == 3


def test_each_flow_of_a_device_is_its_own_and_a_new_one_replaces_the_old() -> None:
    core = Bindings()
    first, second, third = Way("TCP", True), Way("TCP", True), Way("TCP", True)
    core.register(ANN, register(f"{PHONE};{DESK};reg-id=1"), first, 0.0)
    core.register(ANN, register(f"{PHONE};{DESK};reg-id=2"), second, 1.0)
    assert len(core) == 2
    granted = core.register(ANN, register(f"{PHONE};{DESK};reg-id=1", cseq=2), third, 2.0)
    assert [binding.flow for binding in granted.bindings] == [second, third]
    assert core.flow_closed(first) == []


def test_a_reg_id_without_an_instance_says_nothing() -> None:
    core = Bindings()
    core.register(ANN, register(f"{PHONE};reg-id=1"), UDP, 0.0)
    core.register(ANN, register(f"{PHONE};reg-id=2", cseq=2), UDP, 1.0)
    assert [binding.reg_id for binding in core.find(ANN, 1.0)] == [None]


@pytest.mark.parametrize("number", ["0", "x", "-1", "4294967296", "1.5"])
def test_a_reg_id_that_is_no_positive_number_is_400(number: str) -> None:
    with pytest.raises(BadHeader):
        Bindings().register(ANN, register(f"{PHONE};{DESK};reg-id={number}"), UDP, 0.0)


def test_one_register_names_one_flow() -> None:
    with pytest.raises(BadHeader):
        Bindings().register(ANN, register(f"{PHONE};{DESK};reg-id=1", f"{PHONE};{DESK};reg-id=2"), UDP, 0.0)


OUTBOUND = (("Supported", "path, outbound"),)
EDGE_PATH = ("Path", "<sip:core.example;lr>, <sip:token@edge.example;lr;ob>")


def test_outbound_is_confirmed_where_a_flow_is_kept() -> None:
    core = Bindings()
    assert core.register(ANN, register(f"{PHONE};{DESK};reg-id=1", headers=OUTBOUND), UDP, 0.0).outbound
    assert not core.register(ANN, register(f"{PHONE};{DESK}", cseq=2, headers=OUTBOUND), UDP, 1.0).outbound
    assert not core.register(ANN, register(f"{PHONE};{DESK};reg-id=1", cseq=3), UDP, 2.0).outbound


def test_the_first_proxy_must_be_able_to_keep_a_flow() -> None:
    core = Bindings()
    contact = f"{PHONE};{DESK};reg-id=1"
    behind_edge = register(contact, headers=(*OUTBOUND, EDGE_PATH), proxied=True)
    assert core.register(ANN, behind_edge, UDP, 0.0).outbound
    for path in ((), (("Path", "<sip:token@edge.example;lr;ob>, <sip:first.example;lr>"),)):
        with pytest.raises(FirstHopLacksOutbound) as refused:
            core.register(ANN, register(contact, cseq=2, headers=(*OUTBOUND, *path), proxied=True), UDP, 1.0)
        assert refused.value.status == 439


# --- ways back -----------------------------------------------------------------------------------------------------


def test_a_phone_without_a_proxy_is_reached_by_its_flow() -> None:
    [binding] = Bindings().register(ANN, register(PHONE), UDP, 0.0).bindings
    assert (binding.flow, binding.path, binding.secure) == (UDP, (), False)
    [binding] = Bindings().register(ANN, register(PHONE), Way("TLS", True), 0.0).bindings
    assert binding.secure


def test_a_phone_behind_a_proxy_is_reached_by_its_path() -> None:
    core = Bindings()
    shared = Way("TCP", True)
    path = (("Path", "<sip:edge.example;transport=tls;lr>"),)
    [binding] = core.register(ANN, register(PHONE, headers=path, proxied=True), shared, 0.0).bindings
    assert (binding.flow, [str(hop) for hop in binding.path]) == (None, ["<sip:edge.example;transport=tls;lr>"])
    assert binding.secure
    assert core.flow_closed(shared) == []  # one connection of the proxy for all its phones


def test_the_target_of_a_call_is_the_bare_contact() -> None:
    [binding] = Bindings().register(ANN, register("<sip:ann@192.0.2.1;ob;method=BYE?Subject=x>"), UDP, 0.0).bindings
    assert str(binding.target) == "sip:ann@192.0.2.1;ob"


def test_a_closed_connection_ends_what_was_bound_by_it() -> None:
    core = Bindings()
    one, other = Way("TCP", True), Way("TCP", True)
    core.register(ANN, register("<sip:ann@a>", "<sip:ann@b>"), one, 0.0)
    core.register(ANN, register("<sip:ann@c>", cseq=2), other, 0.0)
    core.register("sip:bob@example.com", register("<sip:bob@a>"), one, 0.0)
    assert [(unbound.binding.contact.uri.host, unbound.why) for unbound in core.flow_closed(one)] == [
        ("a", Why.FLOW_CLOSED),
        ("b", Why.FLOW_CLOSED),
        ("a", Why.FLOW_CLOSED),
    ]
    assert len(core) == 1
    assert core.flow_closed(one) == []


def test_a_binding_that_has_moved_outlives_its_old_connection() -> None:
    core = Bindings()
    old, new = Way("TCP", True), Way("TCP", True)
    core.register(ANN, register(PHONE), old, 0.0)
    core.register(ANN, register(PHONE, cseq=2), new, 1.0)
    assert core.flow_closed(old) == []
    assert len(core.flow_closed(new)) == 1


def test_an_evicted_user_has_no_bindings() -> None:
    core = Bindings()
    core.register(ANN, register("<sip:ann@a>", "<sip:ann@b>"), UDP, 0.0)
    assert [unbound.why for unbound in core.evict(ANN)] == [Why.EVICTED] * 2
    assert (core.evict(ANN), len(core), core.wake_at()) == ([], 0, math.inf)


# --- names ---------------------------------------------------------------------------------------------------------


def test_one_user_has_one_address_of_record() -> None:
    wanted = aor_of("ann", "Example.COM")
    assert wanted == ANN
    for text in ("sip:ann@x", "sips:ann@x", "sip:%61nn@x:5070;transport=tcp", "sip:ann:secret@x"):
        assert aor_of_uri(Uri.parse(text), "example.com") == wanted
    for text in ("sip:x", "tel:+15550100", "isbn:1"):
        assert aor_of_uri(Uri.parse(text), "example.com") is None
    assert aor_of("a b@c", "example.com") == "sip:a%20b%40c@example.com"


# --- all together --------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("bind"), st.integers(0, 3), st.sampled_from([0, 600, 601, 900, 3600])),
        st.tuples(st.just("two"), st.integers(0, 3), st.sampled_from([0, 600, 3600])),
        st.tuples(st.just("star"), st.just(0), st.just(0)),
        st.tuples(st.just("late"), st.integers(0, 3), st.just(3600)),
        st.tuples(st.just("close"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.sampled_from([1, 300, 599, 600, 3000])),
        st.tuples(st.just("lapse"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([2, 10]))
@settings(max_examples=150)
def test_whatever_happens_the_table_agrees_with_a_plain_dictionary(
    steps: list[tuple[str, int, int]], most: int
) -> None:
    core = Bindings(attrs.evolve(FAST, bindings_per_aor=most))
    ways = (Way("TCP", True), Way("TCP", True))
    model: dict[int, tuple[float, Way]] = {}
    held: set[Binding] = set()
    now, cseq = 0.0, 0

    def live() -> dict[int, tuple[float, Way]]:
        return {number: kept for number, kept in model.items() if kept[0] > now}

    for kind, number, value in steps:
        changes: list[Bound | Unbound] = []
        way = ways[number % 2]
        match kind:
            case "bind" | "two" | "star":
                cseq += 1
                numbers = [number] if kind == "bind" else [number, (number + 1) % 4]
                contacts = ["*"] if kind == "star" else [f"<sip:ann@host{each};expires=7>" for each in numbers]
                request = register(*contacts, cseq=cseq, expires=value)
                after = {} if kind == "star" else live()
                for each in () if kind == "star" else numbers:
                    after.pop(each, None)
                    if value:
                        after[each] = (now + value, way)
                if len(after) > max(len(live()), most):
                    with pytest.raises(TooManyBindings):
                        core.register(ANN, request, way, now)
                else:
                    changes += core.register(ANN, request, way, now).changes
                    model = after
            case "late":
                if number in live():
                    with pytest.raises(OutOfOrder):
                        core.register(ANN, register(f"<sip:ann@host{number}>", cseq=0), way, now)
            case "close":
                changes += core.flow_closed(way)
                model = {each: kept for each, kept in model.items() if kept[1] is not way}
            case "wait":
                now += value
            case _:
                changes += core.lapse(now)
                assert core.wake_at() > now
        for change in changes:
            if isinstance(change, Unbound):
                held.remove(change.binding)
            else:
                if change.replaced is not None:
                    held.remove(change.replaced)
                held.add(change.binding)
        found = {binding.contact.uri.host: (binding.until, binding.flow) for binding in core.find(ANN, now)}
        assert found == {f"host{each}": kept for each, kept in live().items()}
        assert len(core) == len(held)
        assert core.wake_at() == min((binding.until for binding in held), default=math.inf)


NASTY = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)


@given(NASTY, NASTY, NASTY)
@settings(max_examples=200)
def test_every_contact_that_is_taken_can_be_answered(display: str, uri: str, params: str) -> None:
    try:
        request = register(f'"{display}" <sip:{uri}>;{params}')
        granted = Bindings().register(ANN, request, UDP, 0.0)
    except SipError:
        return
    shown = ", ".join(binding.shown(0.0) for binding in granted.bindings)
    response = respond(request, 200, headers=(("Contact", shown),))
    assert render(response)
    assert [str(contact.uri) for contact in response.contacts] == [str(contact.uri) for contact in request.contacts]
