"""One HTTP request and its answer, over a connection of the origin's pool."""

from __future__ import annotations

import attrs

from .webhook_cache import Entry
from .webhook_connection import Fields, HttpConnection
from .webhook_errors import ConnectionBroke, HttpViolation
from .webhook_messages import DOCUMENT_BYTES_MAX, MEDIA_BYTES_MAX, Purpose, is_audio, media_type
from .webhook_options import Options
from .webhook_pools import Pools
from .webhook_target import Target

REUSE_TRIES_MAX = 65
"""A request is repeated at most so often because an idle connection turned out to be dead: one more than a pool has."""


@attrs.define(eq=False)
class Answer:
    """A response as it came, read as far as its purpose allows."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool
    """False: the body was longer than its bound and the rest was left."""
    entry: Entry | None = None

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]


async def exchange(
    pools: Pools,
    options: Options,
    purpose: Purpose,
    method: str,
    target: Target,
    headers: Fields,
    body: bytes,
) -> Answer:
    """One request over a connection of the origin's pool.

    A kept connection may have been closed by the server while it was idle. The request then failed without a byte
    of an answer and goes out again on another connection, which counts as no attempt; the idempotency token is
    the same, so a server that did see it can tell.
    """
    # Waiting for the whole is bounded already; a second scope for each read is made only where it says more.
    read_s = options.read_s if options.read_s < options.total_s else None
    with pools.use(target, sni=options.sni) as pool:
        for _ in range(REUSE_TRIES_MAX):
            connection = await pool.take(options.connect_s)
            try:
                answer = await _carry(connection, purpose, method, target.path, headers, body, read_s)
            except BaseException as error:
                await pool.drop(connection)
                if connection.fresh or connection.answered or not isinstance(error, ConnectionBroke):
                    raise
                continue
            fresh = connection.fresh
            await pool.give_back(connection)
            # Some servers say 408 to a connection that was idle for too long: that answers nothing we asked.
            if answer.status != 408 or fresh:
                return answer
    raise ConnectionBroke("every kept connection had been closed by the server")


async def _carry(
    connection: HttpConnection,
    purpose: Purpose,
    method: str,
    path: str,
    headers: Fields,
    body: bytes,
    read_s: float | None,
) -> Answer:
    """Ask, and read head and body, as much of it as the purpose has a use for."""
    response = await connection.ask(method, path, headers, body, read_s=read_s)
    status = response.status_code
    given = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in response.headers)
    known = dict(given)
    if known.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise HttpViolation(f"an encoding nobody asked for: {known['content-encoding']}")
    large = purpose is Purpose.MEDIA or is_audio(media_type(known.get("content-type")) or "")
    bound = MEDIA_BYTES_MAX if large and 200 <= status < 300 else DOCUMENT_BYTES_MAX
    length = known.get("content-length", "")
    if length.isdigit() and len(length) < 16 and int(length) > bound:
        return Answer(status, given, b"", False)
    parts: list[bytes] = []
    size = 0
    while (piece := await connection.piece(read_s=read_s)) is not None:
        size += len(piece)
        if size > bound:
            return Answer(status, given, b"".join(parts), False)
        parts.append(piece)
    return Answer(status, given, b"".join(parts), True)
