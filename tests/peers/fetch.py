"""A plain HTTP GET, by a client that is none of ours."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request

import attrs
import trio

TIMEOUT_S = 5.0


@attrs.frozen
class Page:
    """What came back."""

    status: int
    content_type: str
    body: bytes


class Unanswered(Exception):
    """Nobody listens there, or nobody answers."""


async def get(url: str, login: tuple[str, str] | None = None) -> Page:
    """GET `url`, with Basic authentication when `login` (user, password) is given. Raises Unanswered."""
    return await trio.to_thread.run_sync(_get, url, login)


def _get(url: str, login: tuple[str, str] | None) -> Page:
    request = urllib.request.Request(url)
    if login is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
    # No proxy of the environment's may stand between two ends of loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_S) as reply:
            return Page(reply.status, reply.headers.get("Content-Type", ""), reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return Page(error.code, error.headers.get("Content-Type", ""), error.read())
    except (urllib.error.URLError, OSError) as error:
        raise Unanswered(str(error)) from error
