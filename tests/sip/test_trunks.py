"""Trunks: prefixes, gateways in order, back-off and return, and how many calls."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.trunks import BACK_OFF_MAX_S, BACK_OFF_S, RETRY_AFTER_MAX_S, Health, NoRoute, Route, Trunk, Trunks, Why
from offhook.sip.uri import Uri

GW1 = Uri.parse("sip:gw1.example.com;transport=tcp")
GW2 = Uri.parse("sip:gw2.example.com")
US = "+14155550100"


def trunk(name: str = "main", **options: Any) -> Trunk:
    return Trunk(**{"name": name, "uris": (GW1, GW2), "prefixes": ("+1",), **options})


def trunks(*given_: Trunk) -> Trunks:
    return Trunks.of(given_ or (trunk(),))


def route(core: Trunks, number: str = US, now: float = 0.0) -> Route:
    found = core.route(number, now)
    assert isinstance(found, Route), found
    return found


def why(core: Trunks, number: str = US, now: float = 0.0) -> Why:
    found = core.route(number, now)
    assert isinstance(found, NoRoute)
    return found.why


# ---- prefixes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["+442079460000", "+2", "", "1415", "911", "*21", "+"])
def test_nothing_outside_the_prefixes_has_a_way_out(number: str) -> None:
    assert why(trunks(), number) is Why.NOT_ALLOWED
    assert trunks().trunk_of(number) is None


def test_a_trunk_without_prefixes_takes_nothing() -> None:
    assert why(trunks(trunk(prefixes=()))) is Why.NOT_ALLOWED
    assert why(Trunks()) is Why.NOT_ALLOWED


def test_a_trunk_without_gateways_takes_nothing() -> None:
    assert why(trunks(trunk(uris=()))) is Why.NOT_ALLOWED


@pytest.mark.parametrize(
    ("number", "name"),
    [("+14155550100", "bay"), ("+14145550100", "us"), ("+442079460000", "world"), ("*21#", "codes")],
)
def test_the_longest_prefix_wins(number: str, name: str) -> None:
    core = trunks(
        trunk("world", prefixes=("+",)),
        trunk("us", prefixes=("+1", "+52")),
        trunk("bay", prefixes=("+1415",)),
        trunk("codes", prefixes=("*",)),
    )
    found = core.trunk_of(number)
    assert found is not None
    assert found.name == name
    assert route(core, number).trunk.name == name


def test_of_equal_prefixes_the_later_take_what_the_first_cannot() -> None:
    core = trunks(trunk("first", max_calls=1), trunk("second", max_calls=1))
    assert [route(core).trunk.name, route(core).trunk.name] == ["first", "second"]
    assert why(core) is Why.FULL


def test_a_shorter_prefix_is_never_fallen_back_to() -> None:
    core = trunks(trunk("bay", prefixes=("+1415",), max_calls=0), trunk("world", prefixes=("+",)))
    assert why(core) is Why.FULL


# ---- emergencies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["911", "112", "933", "999"])
def test_emergency_numbers_go_to_their_trunk_and_no_other(number: str) -> None:
    core = trunks(trunk("main", prefixes=("+1", "9", "1")), trunk("rescue", prefixes=(), emergency=True))
    assert route(core, number).trunk.name == "rescue"
    assert why(trunks(trunk(prefixes=("9", "1"))), number) is Why.NOT_ALLOWED


# ---- gateways ------------------------------------------------------------------------------------------------------


def test_gateways_are_tried_in_their_order() -> None:
    assert route(trunks()).gateways == (GW1, GW2)


def test_a_gateway_that_has_failed_comes_last_until_its_time_is_over() -> None:
    core = trunks()
    assert core.failed("main", GW1, 100.0)
    assert route(core, now=100.0).gateways == (GW2, GW1)
    assert route(core, now=100.0 + BACK_OFF_S - 0.1).gateways == (GW2, GW1)
    assert route(core, now=100.0 + BACK_OFF_S).gateways == (GW1, GW2)


def test_a_gateway_that_asked_to_be_left_alone_is_not_tried_before() -> None:
    core = trunks()
    core.failed("main", GW1, 0.0, retry_after_s=120.0)
    assert route(core, now=119.9).gateways == (GW2,)
    assert route(core, now=120.0).gateways == (GW1, GW2)


def test_when_all_have_asked_no_call_is_made_until_the_first_returns() -> None:
    core = trunks()
    core.failed("main", GW1, 0.0, retry_after_s=60.0)
    core.failed("main", GW2, 0.0, retry_after_s=90.0)
    assert core.route(US, 10.0) == NoRoute(Why.AWAY, 50.0)
    assert route(core, now=60.0).gateways == (GW1,)


def test_when_all_are_suspects_the_one_that_failed_first_is_tried_first() -> None:
    core = trunks()
    core.failed("main", GW2, 0.0)
    core.failed("main", GW1, 5.0)
    assert route(core, now=6.0).gateways == (GW2, GW1)


def test_back_off_doubles_with_every_failure_after_a_return_up_to_its_bound() -> None:
    core, now, waits = trunks(), 0.0, []
    for _ in range(6):
        core.failed("main", GW1, now)
        start = now
        while dict(core.health("main", now))[GW1] is not Health.UP:
            now += 1.0
        waits.append(now - start)
    assert waits == [BACK_OFF_S, 60.0, 120.0, 240.0, BACK_OFF_MAX_S, BACK_OFF_MAX_S]


def test_failures_at_once_count_as_one() -> None:
    core = trunks()
    assert core.failed("main", GW1, 0.0)
    assert not core.failed("main", GW1, 0.5)
    assert dict(core.health("main", BACK_OFF_S))[GW1] is Health.UP


def test_a_gateway_that_answers_is_as_good_as_new() -> None:
    core = trunks()
    core.failed("main", GW1, 0.0)
    assert core.answered("main", GW1, 1.0)
    assert not core.answered("main", GW1, 2.0)
    assert route(core, now=2.0).gateways == (GW1, GW2)
    core.failed("main", GW1, 3.0)
    assert dict(core.health("main", 3.0 + BACK_OFF_S))[GW1] is Health.UP


def test_a_day_of_two_gateways() -> None:
    core = trunks()
    assert route(core, now=0.0).gateways[0] == GW1
    core.failed("main", GW1, 43_200.0)  # dies mid-day
    assert {route(core, now=43_200.0 + at).gateways[0] for at in range(1, 30)} == {GW2}
    assert route(core, now=43_230.0).gateways[0] == GW1  # tried again, and there
    assert core.answered("main", GW1, 43_231.0)
    assert route(core, now=43_240.0).gateways[0] == GW1


@pytest.mark.parametrize(("retry_after_s", "until"), [(0.0, 0.0), (-5.0, 0.0), (10.0, 10.0), (1e9, RETRY_AFTER_MAX_S)])
def test_retry_after_is_believed_within_reason(retry_after_s: float, until: float) -> None:
    core = trunks()
    assert core.failed("main", GW1, 0.0, retry_after_s) is (until > 0)
    assert dict(core.health("main", until))[GW1] is Health.UP
    if until:
        assert dict(core.health("main", until - 0.1))[GW1] is Health.AWAY


def test_a_timeout_does_not_shorten_what_a_gateway_asked_for() -> None:
    core = trunks()
    core.failed("main", GW1, 0.0, retry_after_s=600.0)
    core.failed("main", GW1, 1.0)
    assert dict(core.health("main", 599.0))[GW1] is Health.AWAY


def test_one_trunk_out_of_order_is_nothing_to_another() -> None:
    core = trunks(trunk("us"), trunk("uk", prefixes=("+44",)))
    for gateway in (GW1, GW2):
        core.failed("us", gateway, 0.0, retry_after_s=60.0)
    assert why(core) is Why.AWAY
    assert route(core, "+442079460000").gateways == (GW1, GW2)


def test_names_and_gateways_of_nobody_are_nothing() -> None:
    core = trunks()
    assert not core.failed("nobody", GW1, 0.0)
    assert not core.answered("main", Uri.parse("sip:x.test"), 0.0)
    assert not core.enter("nobody")
    core.release("nobody")
    assert core.health("nobody", 0.0) == ()
    assert core.calls("nobody") == 0


# ---- limits --------------------------------------------------------------------------------------------------------


def test_a_trunk_has_so_many_calls_at_once() -> None:
    core = trunks(trunk(max_calls=2))
    route(core)
    route(core)
    assert why(core) is Why.FULL
    core.release("main")
    assert core.calls("main") == 1
    route(core)


def test_calls_of_both_directions_count_together() -> None:
    core = trunks(trunk(max_calls=2))
    assert core.enter("main")
    route(core)
    assert not core.enter("main")
    assert why(core) is Why.FULL


def test_a_refused_call_is_not_counted() -> None:
    core = trunks(trunk(max_calls=1, calls_per_s=1.0))
    route(core, now=0.0)
    for _ in range(5):
        assert why(core, now=10.0) is Why.FULL
    core.release("main")
    route(core, now=10.0)


def test_more_is_not_given_back_than_was_taken() -> None:
    core = trunks(trunk(max_calls=1))
    core.release("main")
    assert core.calls("main") == 0
    route(core)
    assert why(core) is Why.FULL


@pytest.mark.parametrize(("rate", "burst"), [(1.0, 1), (5.0, 5), (0.5, 1), (2.5, 2)])
def test_new_calls_a_second_are_bounded(rate: float, burst: int) -> None:
    core = trunks(trunk(calls_per_s=rate))
    for _ in range(burst):
        route(core, now=100.0)
    found = core.route(US, 100.0)
    assert isinstance(found, NoRoute)
    assert found.why is Why.TOO_FAST
    assert found.retry_s is not None
    route(core, now=100.0 + found.retry_s)


def test_over_time_the_rate_is_kept() -> None:
    core = trunks(trunk(calls_per_s=4.0))
    made = sum(isinstance(core.route(US, at / 20), Route) for at in range(20 * 10))
    assert 40 <= made <= 44


def test_a_rate_of_nothing_lets_one_call_through_at_most() -> None:
    core = trunks(trunk(calls_per_s=0.0))
    route(core)
    assert core.route(US, 1e6) == NoRoute(Why.TOO_FAST, None)


# ---- calls that trunks bring ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.0.2.7", "narrow"),
        ("192.0.2.200", "wide"),
        ("::ffff:192.0.2.7", "narrow"),
        ("2001:db8::1", "six"),
        ("198.51.100.1", None),
        ("gw1.example.com", None),
        ("", None),
    ],
)
def test_a_source_belongs_to_the_narrowest_network(host: str, name: str | None) -> None:
    core = trunks(
        trunk("wide", networks=(ip_network("192.0.2.0/24"),)),
        trunk("narrow", networks=(ip_network("192.0.2.0/28"),)),
        trunk("six", networks=(ip_network("2001:db8::/32"),)),
    )
    found = core.source(host)
    assert (None if found is None else found.name) == name


# ---- any order -----------------------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["route", "release", "enter", "failed", "asked", "answered", "wait"]),
        st.sampled_from(["main", "spare", "nobody"]),
        st.sampled_from([GW1, GW2]),
        st.floats(0, 400, allow_nan=False),
    ),
    max_size=60,
)


@given(EVENTS)
def test_any_order_keeps_the_bounds_and_a_way_out(events: list[tuple[str, str, Uri, float]]) -> None:
    core = trunks(trunk(max_calls=3), trunk("spare", calls_per_s=2.0, max_calls=2))
    now, held = 0.0, {"main": 0, "spare": 0, "nobody": 0}
    for event, name, gateway, amount in events:
        match event:
            case "route":
                found = core.route(US, now)
                if isinstance(found, Route):
                    held[found.trunk.name] += 1
                    assert found.gateways
                    assert len(set(map(str, found.gateways))) == len(found.gateways)
                    health = dict(core.health(found.trunk.name, now))
                    assert Health.AWAY not in {health[tried] for tried in found.gateways}
                else:
                    assert found.why is not Why.NOT_ALLOWED
            case "release":
                core.release(name)
                held[name] = max(held[name] - 1, 0)
            case "enter":
                held[name] += core.enter(name)
            case "failed":
                core.failed(name, gateway, now)
            case "asked":
                core.failed(name, gateway, now, amount)
            case "answered":
                core.answered(name, gateway, now)
            case _:
                now += amount
        assert held["main"] == core.calls("main") <= 3
        assert held["spare"] == core.calls("spare") <= 2
    core.release("main")
    # Everything recovers by itself.
    assert len(core) == 2
    assert {health for _, health in core.health("main", now + RETRY_AFTER_MAX_S)} == {Health.UP}


def test_an_emergency_call_is_tried_whatever_limit_or_wish_to_be_left_alone_there_is() -> None:
    core = trunks(trunk(emergency=True, max_calls=1, calls_per_s=1.0))
    route(core)
    assert why(core) is Why.FULL
    for gateway in (GW1, GW2):
        core.failed("main", gateway, 0.0, retry_after_s=600)
    assert route(core, "911").gateways == (GW1, GW2)
    assert core.calls("main") == 2
