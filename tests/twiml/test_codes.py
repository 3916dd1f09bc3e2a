"""The table of codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from offhook import twiml
from offhook.twiml.codes import CODES, Level, describe
from offhook.twiml.nodes import Node, shape
from offhook.twiml.verbs import VERBS


@pytest.mark.parametrize(
    ("code", "level"),
    [
        (11200, "error"),
        (12100, "error"),
        (12200, "warning"),
        (13310, "warning"),
        (13801, "error"),
        (15003, "warning"),
        (32201, "error"),
        (32014, "warning"),
    ],
)
def test_levels(code: int, level: str) -> None:
    assert describe(code).level is Level(level)
    assert describe(code).code == code


def test_a_code_that_is_not_listed_is_described_by_its_family() -> None:
    assert describe(11299).name == "HTTP failure"
    assert describe(1).name == "Failure"
    assert describe(1).level is Level.ERROR


def test_every_name_is_a_short_line() -> None:
    assert all(0 < len(row.name) <= 70 and not row.name.endswith(".") for row in CODES.values())


def test_every_code_of_an_element_is_listed() -> None:
    seen: set[type[Node]] = set()

    def walk(cls: type[Node]) -> None:
        if cls in seen:
            return
        seen.add(cls)
        form = shape(cls)
        codes = {form.code(attribute, parent) for attribute in form.attributes.values() for parent in ("", "Gather")}
        if form.body is not None:
            codes.add(form.body[1].rule.code)
        if form.children is not None:
            codes.add(form.children[1].code)
            for child in form.children[1].classes:
                walk(child)
        assert codes <= set(CODES), cls

    for verb in VERBS:
        walk(verb)


def test_every_code_that_the_package_writes_is_listed() -> None:
    for path in Path(twiml.__file__).parent.glob("*.py"):
        for number in re.findall(
            r"(?<![\w.])1[1-6][0-9]{3}(?![\w.])|(?<![\w.])3[12][0-9]{3}(?![\w.])", path.read_text()
        ):
            if path.name != "codes.py" and number != "14400":  # seconds in four hours
                assert int(number) in CODES, (path.name, number)
