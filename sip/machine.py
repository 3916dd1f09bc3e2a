"""Transition tables, the form of every state machine in this package, and `step`, their only runner.

An input either comes from the wire or from our own side. A wire input without a row is a late copy or a stranger's
nonsense, and is ignored; one of our own without a row is our bug, and raises.
"""

import enum
from collections.abc import Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

import attrs


class Symbol(enum.Enum):
    """A state, an input or an act. Members are singletons, so identity is the hash; Enum's own is a Python call."""

    __hash__ = object.__hash__


S = TypeVar("S", bound=Symbol)
I = TypeVar("I", bound=Symbol)  # noqa: E741 - S, I, A: state, input, act
A = TypeVar("A", bound=Symbol)


class Row(NamedTuple, Generic[S, A]):
    """What one input does in one state."""

    state: S
    """The state afterwards."""

    act: A
    """What is to be done on the way."""


class OutOfTurn(Exception):
    """Our own side gave a machine an input that its state has no row for: a bug of ours, never of a peer."""

    def __init__(self, table: str, state: Symbol, given: Symbol) -> None:
        super().__init__(f"{table}: no row for {given.name} in {state.name}")
        self.table, self.state, self.given = table, state, given


@attrs.frozen(eq=False)
class Table(Generic[S, I, A]):
    """The rows of one machine. `wire` names the inputs that peers (or the network under them) may give at any time."""

    name: str
    rows: Mapping[tuple[S, I], Row[S, A]]
    wire: frozenset[I]
    _by_state: dict[S, dict[I, Row[S, A]]] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        nested: dict[S, dict[I, Row[S, A]]] = {}
        for (state, given), row in self.rows.items():
            nested.setdefault(state, {})[given] = Row(*row)
        for row in self.rows.values():
            nested.setdefault(row[0], {})
        object.__setattr__(self, "_by_state", nested)

    def __iter__(self) -> Iterator[tuple[S, I, Row[S, A]]]:
        """Every row with the state and input that select it; the documentation draws its figures from this."""
        for state, row_of in self._by_state.items():
            for given, row in row_of.items():
                yield state, given, row


def step(table: Table[S, I, A], state: S, given: I) -> Row[S, A] | None:
    """The row for `given` in `state`; None when a wire input has none and is to be ignored.

    Raises OutOfTurn for an input of our own side without a row.
    """
    row = table._by_state[state].get(given)
    if row is None and given not in table.wire:
        raise OutOfTurn(table.name, state, given)
    return row
