"""Draws docs/state-machines.md from the state tables of the code.

    .venv/bin/python tools/draw_tables.py            # write the page
    .venv/bin/python tools/draw_tables.py --check    # exit 1 when the page is not what the tables say

Each machine becomes a figure (mermaid) and a table. Nothing on the page is written by hand but the introductions
below, so the page cannot say anything that the code does not do; tests/test_docs.py compares it with the tables.
"""

from __future__ import annotations

import enum
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import attrs

from offhook.actors import call_state
from offhook.sip.dialog import offer_answer, phases, reliable, session_timer, uac, uas, update
from offhook.sip.machine import Table
from offhook.sip.transaction import client, invite_client, invite_server, server
from offhook.twiml import forking_table, gather, recording

PAGE = Path(__file__).resolve().parents[1] / "docs" / "state-machines.md"

S = TypeVar("S", bound=enum.Enum)
G = TypeVar("G", bound=enum.Enum)
A = TypeVar("A", bound=enum.Enum)

HEAD = """\
# State machines

Drawn from the tables in the code by `tools/draw_tables.py`; do not edit by hand. How to read them:

- A row says what one input does in one state: the act that is carried out, and the state afterwards.
- In the SIP tables an input from the wire without a row is ignored, as it is a late copy or nonsense; an input of our
  own side without a row raises, as it is a bug of ours. The figures leave out rows that change no state.
- T1 is 0.5 s, T2 4 s and T4 5 s; timers are those of RFC 3261 table 4 and RFC 6026.
"""


@attrs.frozen
class Line:
    """One row of any table, in words."""

    state: enum.Enum
    given: enum.Enum
    after: enum.Enum
    act: str


@attrs.frozen
class Machine:
    """One section of the page."""

    title: str
    source: str
    about: str
    lines: tuple[Line, ...]

    @property
    def states(self) -> tuple[enum.Enum, ...]:
        """In the order of their declaration, which begins with the first state."""
        used = {line.state for line in self.lines} | {line.after for line in self.lines}
        return tuple(state for state in type(self.lines[0].state) if state in used)

    @property
    def last(self) -> tuple[enum.Enum, ...]:
        """States that nothing leads out of."""
        left = {line.state for line in self.lines if line.after is not line.state}
        return tuple(state for state in self.states if state not in left)


def of_table(table: Table) -> tuple[Line, ...]:  # type: ignore[type-arg]  # any machine's
    """The rows of a SIP machine."""
    return tuple(Line(state, given, row.state, words(row.act)) for state, given, row in table)


def of_mapping(table: Mapping[tuple[S, G], tuple[S, A]]) -> tuple[Line, ...]:
    """The rows of a TwiML core."""
    return tuple(Line(state, given, after, words(act)) for (state, given), (after, act) in table.items())


def of_statuses(table: Mapping[tuple[S, G], S]) -> tuple[Line, ...]:
    """The rows of the call's status table, which has no acts."""
    return tuple(Line(state, given, after, "") for (state, given), after in table.items())


def machines() -> tuple[Machine, ...]:
    """All machines, from the call down to the transactions."""
    return (
        Machine(
            "Call status",
            "actors/call_state.py",
            "What `CallStatus` reads, in webhooks, status callbacks and events. An input without a row changes "
            "nothing: a final status stays.",
            of_statuses(call_state.TABLE),
        ),
        Machine(
            "Gather",
            "twiml/gather.py",
            "Keys of one `<Gather>`. The timer is `timeout`; it runs from the end of the prompts, or from the first "
            "key, and starts anew with every key.",
            of_mapping(gather.TABLE),
        ),
        Machine(
            "Record",
            "twiml/recording.py",
            "One `<Record>`. Silence is counted only while audio arrives.",
            of_mapping(recording.TABLE),
        ),
        Machine(
            "Dial",
            "twiml/forking_table.py",
            "One `<Dial>` as a whole; the callee is whoever answered first. Inputs without a row are late, or of no "
            "concern in that state.",
            of_mapping(forking_table.TABLE),
        ),
        Machine(
            "Dialled leg",
            "twiml/forking_table.py",
            "One INVITE of a `<Dial>`, to one contact of one noun.",
            of_mapping(forking_table.LEG_TABLE),
        ),
        Machine(
            "Leg",
            "sip/dialog/phases.py",
            "One SIP dialog from its INVITE to its end, whichever side sent it (RFC 3261 sections 12 to 15). Inputs in "
            "CamelCase are commands of the call.",
            of_table(phases.TABLE),
        ),
        Machine(
            "INVITE received",
            "sip/dialog/uas.py",
            "The answering side of one INVITE, the first or a later one (13.3, 14.2).",
            of_table(uas.TABLE),
        ),
        Machine(
            "INVITE sent",
            "sip/dialog/uac.py",
            "The asking side of one INVITE (13.2, 9.1).",
            of_table(uac.TABLE),
        ),
        Machine(
            "Offer and answer",
            "sip/dialog/offer_answer.py",
            "Whose turn it is to describe the session (RFC 3264 section 4, RFC 6337).",
            of_table(offer_answer.TABLE),
        ),
        Machine(
            "UPDATE received",
            "sip/dialog/update.py",
            "The answering side of an UPDATE or PRACK that brings an offer (RFC 3311 5.2, RFC 3262 section 5).",
            of_table(update.ANSWERING),
        ),
        Machine(
            "UPDATE sent",
            "sip/dialog/update.py",
            "The asking side of an UPDATE, with an offer or only to refresh the session (RFC 3311 5.1).",
            of_table(update.TABLE),
        ),
        Machine(
            "Reliable responses sent",
            "sip/dialog/reliable.py",
            "The provisional responses to one INVITE, where the caller asks for reliable ones (RFC 3262 section 3).",
            of_table(reliable.TABLE),
        ),
        Machine(
            "Reliable responses heard",
            "sip/dialog/reliable.py",
            "Those of one early dialog of an INVITE of ours (RFC 3262 section 4).",
            of_table(reliable.HEARING),
        ),
        Machine(
            "Session timer",
            "sip/dialog/session_timer.py",
            "Who refreshes the session, and what happens when nobody does (RFC 4028).",
            of_table(session_timer.TABLE),
        ),
        Machine(
            "INVITE server transaction",
            "sip/transaction/invite_server.py",
            "RFC 3261 17.2.1 with the Accepted state of RFC 6026 7.1.",
            of_table(invite_server.TABLE),
        ),
        Machine(
            "INVITE client transaction",
            "sip/transaction/invite_client.py",
            "RFC 3261 17.1.1 with the Accepted state of RFC 6026 7.2.",
            of_table(invite_client.TABLE),
        ),
        Machine(
            "Non-INVITE server transaction", "sip/transaction/server.py", "RFC 3261 17.2.2.", of_table(server.TABLE)
        ),
        Machine(
            "Non-INVITE client transaction", "sip/transaction/client.py", "RFC 3261 17.1.2.", of_table(client.TABLE)
        ),
    )


def words(member: enum.Enum) -> str:
    """A member as the page writes it: its value, which the code words for people."""
    acts = gather.Act | recording.Act | forking_table.Act | forking_table.LegAct
    return str(member.value).replace("-", " ") if isinstance(member, acts) else str(member.value)


def grouped(lines: Iterable[Line]) -> Iterator[tuple[Line, tuple[enum.Enum, ...]]]:
    """Lines that differ in their input only, as one line and its inputs."""
    groups: dict[tuple[enum.Enum, enum.Enum, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.state, line.after, line.act), []).append(line)
    for members in groups.values():
        yield members[0], tuple(line.given for line in members)


def figure(machine: Machine) -> Iterator[str]:
    """The machine in mermaid's notation."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    for state in machine.states:
        yield f'    state "{words(state)}" as {state.name}'
    yield f"    [*] --> {machine.states[0].name}"
    arrows: dict[tuple[str, str], list[str]] = {}
    for line in machine.lines:
        if line.after is not line.state:
            arrows.setdefault((line.state.name, line.after.name), []).append(label(words(line.given)))
    for (start, end), inputs in arrows.items():
        yield f"    {start} --> {end}: {' / '.join(inputs)}"
    for state in machine.last:
        yield f"    {state.name} --> [*]"
    yield "```"


def label(text: str) -> str:
    """Text that mermaid takes behind an arrow, where colons, semicolons and number signs mean something."""
    return text.replace(":", " ").replace(";", ",").replace("#", "no. ")


def rows(machine: Machine) -> Iterator[str]:
    """The machine as a markdown table, in the order of the states."""
    acts = any(line.act for line in machine.lines)
    yield "| state | input | act | then |" if acts else "| state | input | then |"
    yield "|---|---|---|---|" if acts else "|---|---|---|"
    order = {state: place for place, state in enumerate(machine.states)}
    for line, inputs in grouped(sorted(machine.lines, key=lambda line: order[line.state])):
        given = "; ".join(map(words, inputs))
        after = "stays" if line.after is line.state else words(line.after)
        cells = (words(line.state), given, line.act, after) if acts else (words(line.state), given, after)
        yield f"| {' | '.join(cell.replace('*', chr(92) + '*') for cell in cells)} |"


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for machine in machines():
        lines += [
            f"## {machine.title}",
            "",
            *textwrap.wrap(f"{machine.about} The table is in `{machine.source}`.", 120),
            "",
            *figure(machine),
            "",
            *rows(machine),
            "",
        ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; the exit status."""
    drawn = page()
    if "--check" not in arguments:
        PAGE.write_text(drawn, encoding="utf-8")
        print(f"{PAGE.name}: {len(machines())} machines")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == drawn:
        return 0
    print(f"{PAGE.name} is not what the tables say: run tools/draw_tables.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
