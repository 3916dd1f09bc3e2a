"""Every pair of every state table: it has a row, or it is ignored, or it raises; as the RFC's figures have it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from offhook.sip.dialog import offer_answer, phases, reliable, session_timer, uac, uas, update
from offhook.sip.machine import OutOfTurn, Row, Symbol, Table, step
from offhook.sip.transaction import client, invite_client, invite_server, server

MACHINES: list[tuple[Any, type[Symbol], type[Symbol]]] = [
    (invite_client.TABLE, invite_client.State, invite_client.Input),
    (invite_server.TABLE, invite_server.State, invite_server.Input),
    (client.TABLE, client.State, client.Input),
    (server.TABLE, server.State, server.Input),
    (offer_answer.TABLE, offer_answer.State, offer_answer.Input),
    (uas.TABLE, uas.State, uas.Input),
    (uac.TABLE, uac.State, uac.Input),
    (update.ANSWERING, update.Answering, update.Said),
    (update.TABLE, update.State, update.Input),
    (reliable.TABLE, reliable.State, reliable.Input),
    (reliable.HEARING, reliable.Hearing, reliable.Heard),
    (session_timer.TABLE, session_timer.State, session_timer.Input),
    (phases.TABLE, phases.Phase, phases.Input),
]
BY_NAME = [pytest.param(*machine, id=machine[0].name) for machine in MACHINES]


@pytest.mark.parametrize(("table", "states", "inputs"), BY_NAME)
def test_every_pair_moves_is_ignored_or_raises(
    table: Table[Any, Any, Any], states: type[Symbol], inputs: type[Symbol]
) -> None:
    for state, given in itertools.product(states, inputs):
        if (state, given) in table.rows:
            row = step(table, state, given)
            assert row is not None
            assert row == table.rows[(state, given)]
            assert row.state in states
        elif given in table.wire:
            assert step(table, state, given) is None
        else:
            with pytest.raises(OutOfTurn, match=f"{given.name} in {state.name}"):
                step(table, state, given)


@pytest.mark.parametrize(("table", "states", "inputs"), BY_NAME)
def test_every_state_can_be_reached_and_every_input_means_something(
    table: Table[Any, Any, Any], states: type[Symbol], inputs: type[Symbol]
) -> None:
    reached = {next(iter(states))} | {row.state for _, _, row in table}
    assert reached == set(states)
    assert {given for _, given, _ in table} == set(inputs)
    acts: type[Symbol] = type(next(iter(table))[2].act)
    assert {row.act for _, _, row in table} == set(acts)


@pytest.mark.parametrize(
    ("table", "end"),
    [
        (invite_client.TABLE, invite_client.State.TERMINATED),
        (invite_server.TABLE, invite_server.State.TERMINATED),
        (client.TABLE, client.State.TERMINATED),
        (server.TABLE, server.State.TERMINATED),
    ],
)
def test_nothing_leaves_a_terminated_transaction_and_every_state_leads_to_it(
    table: Table[Any, Any, Any], end: Symbol
) -> None:
    assert not [row for state, _, row in table if state is end]
    ends = {end}
    while True:
        more = {state for state, _, row in table if row.state in ends} - ends
        if not more:
            break
        ends |= more
    assert ends == {state for state, _, _ in table} | {end}


def test_a_row_of_a_leg_that_is_over_leads_nowhere_else() -> None:
    assert {row for state, _, row in phases.TABLE if state is phases.Phase.OVER} == {
        Row(phases.Phase.OVER, phases.Act.NOTHING)
    }


def test_a_symbol_is_found_by_identity() -> None:
    assert {member: member.name for member in phases.Phase}[phases.Phase.UP] == "UP"
