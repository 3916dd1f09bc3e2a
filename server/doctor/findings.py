"""What an examination finds, and how it is shown."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

import attrs
import msgspec


class Level(enum.Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It will work, but not as well, or not as safely, as it should."""
    FAILURE = "failure"
    """Something that the configuration wants will not work."""


@attrs.frozen
class Finding:
    """One thing that was looked at."""

    level: Level
    about: str
    """What was looked at, e.g. `certificate`."""
    text: str
    """What is the case."""
    remedy: str = ""
    """What to do; empty when all is well."""


def fine(about: str, text: str) -> Finding:
    return Finding(Level.OK, about, text)


def warning(about: str, text: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, about, text, remedy)


def failure(about: str, text: str, remedy: str) -> Finding:
    return Finding(Level.FAILURE, about, text, remedy)


def failed(findings: Iterable[Finding]) -> bool:
    return any(finding.level is Level.FAILURE for finding in findings)


def lines(findings: Sequence[Finding]) -> list[str]:
    """For people: one line a finding, its remedy below it, and the sum."""
    width = max(len(finding.about) for finding in findings)
    shown = []
    for finding in findings:
        shown.append(f"{finding.level.value:<8} {finding.about:<{width}}  {finding.text}")
        if finding.remedy:
            shown.append(f"{'':<8} {'':<{width}}  → {finding.remedy}")
    count = {level: sum(finding.level is level for finding in findings) for level in Level}
    shown.append(f"{count[Level.OK]} fine, {count[Level.WARNING]} warnings, {count[Level.FAILURE]} failures")
    return shown


def as_json(findings: Sequence[Finding]) -> str:
    """For programs: an array of objects with `level`, `about`, `text`, `remedy`."""
    items = [attrs.asdict(finding, value_serializer=_plain) for finding in findings]
    return msgspec.json.format(msgspec.json.encode(items)).decode()


def _plain(_: object, __: object, value: object) -> object:
    return value.value if isinstance(value, Level) else value
