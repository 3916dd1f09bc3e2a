"""Rows of attrs classes as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs


def table(rows: Sequence[Any]) -> str:
    """Columns are the fields of the first row's class, in Markdown, aligned."""
    if not rows:
        return "(nothing)"
    names = [field.name for field in attrs.fields(type(rows[0]))]
    lines = [names, *([cell(getattr(row, name)) for name in names] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(names))]
    text = [
        "| " + " | ".join(value.rjust(width) for value, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(text)


def cell(value: Any) -> str:
    if isinstance(value, tuple):
        return " to ".join(map(cell, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
