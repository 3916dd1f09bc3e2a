"""Log set-up: structlog for ours and for the libraries' records, one line an event on standard error, secrets never.

The call's SID comes in by `structlog.contextvars.bind_contextvars(call_sid=…)` in the call's task; tasks started from
there inherit it.
"""

from __future__ import annotations

import enum
import logging
import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import attrs
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "[hidden]"
SECRET_KEYS = re.compile(r"(?i)passw(?:or)?d|secret|auth_?token|(?:proxy[-_]?)?authorization|cookie|api_?key|ha1")
# Credentials inside longer texts: SIP and HTTP header lines, the userinfo of URLs, digest responses.
HEADER = re.compile(r"(?im)\b((?:proxy-)?authorization|set-cookie|cookie)(\s*:\s*|'\s*:\s*'?|=)[^\r\n]+")
USERINFO = re.compile(r"(?i)\b(https?|wss?)://[^/\s@?#]+@")
SHORTEST_SECRET = 8
"""Shorter known secrets are not searched for in texts: `1234` would hide half of every line."""


class Format(enum.StrEnum):
    """How lines look."""

    AUTO = "auto"
    """Console on a terminal, JSON elsewhere."""
    CONSOLE = "console"
    JSON = "json"


@attrs.define(eq=False)
class Redactor:
    """Processor that takes secrets out of an event, wherever they hide in it."""

    secrets: frozenset[str] = frozenset()
    """Tokens and passwords known by value."""
    _pattern: re.Pattern[str] | None = attrs.field(default=None, init=False)

    def know(self, secrets: Iterable[str]) -> None:
        """Hide these values too from now on."""
        self.secrets |= {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
        longest_first = sorted(self.secrets, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, value: str) -> str:
        if self._pattern is not None:
            value = self._pattern.sub(HIDDEN, value)
        return USERINFO.sub(rf"\1://{HIDDEN}@", HEADER.sub(rf"\1\2{HIDDEN}", value))

    def clean(self, value: Any) -> Any:
        match value:
            case str():
                return self.text(value)
            case bytes():
                return self.text(value.decode("utf-8", "backslashreplace"))
            case dict():
                return {key: HIDDEN if hides(key) and item else self.clean(item) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.clean(item) for item in value]
            case bool() | int() | float() | None:
                return value
            case _:
                return self.text(
                    repr(value) if not isinstance(value, Exception) else f"{type(value).__name__}: {value}"
                )

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {key: HIDDEN if hides(key) and item else self.clean(item) for key, item in event.items()}


def hides(key: object) -> bool:
    """Whether a value under this name is secret by its name."""
    return isinstance(key, str) and SECRET_KEYS.fullmatch(key) is not None


REDACTOR = Redactor()
"""The process's own; `set_up` puts it into the chain, `hide` teaches it."""


def hide(*secrets: str) -> None:
    """Never log these values."""
    REDACTOR.know(secrets)


def set_up(style: Format = Format.AUTO, level: str = "info", stream: TextIO | None = None) -> None:
    """Configure logging of the whole process. Embedding programs may set up structlog themselves instead."""
    out: TextIO = sys.stderr if stream is None else stream
    console = style is Format.CONSOLE or (style is Format.AUTO and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer: Processor
    if console:
        renderer = structlog.dev.ConsoleRenderer(colors=out.isatty())
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, REDACTOR, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("hpack", "trio-websocket"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def set_up_plainly(level: str = "warning") -> None:
    """For a program that has not configured structlog: short lines, plain tracebacks; the logging module stays alone.

    Structlog's own default renders every local variable into a traceback, which takes seconds in the event loop: a
    crash that is contained would be heard by all other calls.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            REDACTOR,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
