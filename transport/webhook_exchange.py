"""One HTTP request and its answer, over a connection of the origin's pool."""

from __future__ import annotations

from contextlib import aclosing

import attrs
import httpcore2
import trio

from .webhook_backend import ATTEMPT, Attempt
from .webhook_cache import Entry
from .webhook_errors import ConnectionBroke, HttpViolation, failure_of
from .webhook_messages import DOCUMENT_BYTES_MAX, MEDIA_BYTES_MAX, Purpose, is_audio, media_type
from .webhook_options import Options
from .webhook_pools import CLOSE_S, Pools
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
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> Answer:
    """One request over a connection of the origin's pool.

    A kept connection may have been closed by the server while it was idle. The request then failed without a byte
    of an answer and goes out again on another connection, which counts as no attempt; the idempotency token is
    the same, so a server that did see it can tell.
    """
    # Waiting for the whole is bounded already; a second scope for each read is made only where it says more.
    read = options.read_s if options.read_s < options.total_s else None
    timeouts = {"connect": options.connect_s, "read": read, "write": read, "pool": None}
    for _ in range(REUSE_TRIES_MAX):
        attempt = Attempt()
        ATTEMPT.set(attempt)
        request = httpcore2.Request(
            method,
            httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
            headers=headers,
            content=body,
            extensions={"timeout": timeouts},
        )
        try:
            with pools.use(target, sni=options.sni) as pool:
                response = await pool.handle_async_request(request)
                try:
                    answer = await _read(purpose, response)
                finally:
                    with trio.move_on_after(CLOSE_S) as scope:
                        scope.shield = True
                        await response.aclose()
            # Some servers say 408 to a connection that was idle for too long: that answers nothing we asked.
            if answer.status != 408 or attempt.connected:
                return answer
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            if attempt.connected or attempt.answered or not _lost(error):
                if not attempt.answered and isinstance(error, httpcore2.RemoteProtocolError):
                    failure = ConnectionBroke("the server closed the connection without an answer")
                if failure is error:
                    raise
                raise failure from error
    raise ConnectionBroke("every kept connection had been closed by the server")


async def _read(purpose: Purpose, response: httpcore2.Response) -> Answer:
    """Head and body, as much of it as the purpose has a use for."""
    headers = tuple((name.decode("ascii").lower(), value.decode("latin-1")) for name, value in response.headers)
    if response.status < 200:
        raise HttpViolation(f"the server answered {response.status}")
    known = dict(headers)
    if known.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise HttpViolation(f"an encoding nobody asked for: {known['content-encoding']}")
    large = purpose is Purpose.MEDIA or is_audio(media_type(known.get("content-type")) or "")
    bound = MEDIA_BYTES_MAX if large and 200 <= response.status < 300 else DOCUMENT_BYTES_MAX
    length = known.get("content-length", "")
    if length.isdigit() and len(length) < 16 and int(length) > bound:
        return Answer(response.status, headers, b"", False)
    parts: list[bytes] = []
    size = 0
    async with aclosing(response.aiter_stream()) as chunks:
        async for chunk in chunks:
            size += len(chunk)
            if size > bound:
                return Answer(response.status, headers, b"".join(parts), False)
            parts.append(chunk)
    return Answer(response.status, headers, b"".join(parts), True)


def _lost(error: Exception) -> bool:
    """Whether a connection ended, as opposed to a server that answers nonsense or not at all."""
    return isinstance(error, (httpcore2.RemoteProtocolError, httpcore2.ReadError, httpcore2.WriteError))
