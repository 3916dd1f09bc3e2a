"""`offhook lint`: every problem of a TwiML document, with its line and column."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import attrs
import trio

from ..transport.trio_network import TrioNetwork
from ..transport.webhook import Purpose, WebhookClient, WebhookError, WebhookRequest
from ..twiml.codes import Level, describe
from ..twiml.errors import DocumentError
from ..twiml.parse import parse

EVERYWHERE = ("0.0.0.0/0", "::/0")
"""Who lints a URL on their own machine may fetch from any address; the server's guard is about strangers' URLs."""


class Unreadable(Exception):
    """The document could not be had at all."""


@attrs.frozen
class Source:
    """A document's bytes, and what HTTP said about them."""

    name: str
    data: bytes
    charset: str | None = None


@attrs.frozen
class Report:
    """Lines to print, and how many of each kind they are."""

    lines: tuple[str, ...]
    errors: int
    warnings: int

    @property
    def summary(self) -> str:
        return f"{count(self.errors, 'error')}, {count(self.warnings, 'warning')}"


def count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


async def read(target: str, method: str = "GET") -> Source:
    """The document at a path, at a URL, or on standard input (`-`). Raises Unreadable."""
    if target == "-":
        return Source("-", sys.stdin.buffer.read())
    if urlsplit(target).scheme in ("http", "https"):
        return await fetch(target, method)
    try:
        return Source(target, await trio.Path(target).read_bytes())
    except OSError as error:
        raise Unreadable(f"{target}: {error.strerror}") from None


async def fetch(url: str, method: str) -> Source:
    """As the server would, without parameters and signature."""
    async with WebhookClient(TrioNetwork(), allowed_networks=EVERYWHERE) as client:
        try:
            reply = await client.fetch(WebhookRequest(url, method, purpose=Purpose.DOCUMENT))
        except WebhookError as error:
            raise Unreadable(f"{url}: {error.code} {error}") from None
    return Source(url, reply.body, reply.charset)


def lint(source: Source) -> Report:
    """Check one document."""
    try:
        problems = parse(source.data, charset=source.charset).problems
    except DocumentError as error:
        place = f"{error.line}:{error.column}"
        line = f"{source.name}:{place}: error {error.code} {describe(error.code).name}: {error.message}"
        return Report((line,), 1, 0)
    errors = sum(problem.level is Level.ERROR for problem in problems)
    return Report(tuple(f"{source.name}:{problem}" for problem in problems), errors, len(problems) - errors)
