"""Runs the ASGI application under Trio as a service that no stranger's bytes can end.

anycorn speaks HTTP; should it crash all the same, it is started again on the same listening socket, for ever: input
from outside must not count towards a restart limit, or a few packets would be a remote "hang up every call".
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from typing import Any

import anycorn
import structlog
import trio
from starlette.types import ASGIApp, Receive, Scope, Send

from ..transport.errors import AddressInUse, AddressUnavailable
from ..transport.network import Address, family_of

log = structlog.get_logger(__name__)

BACKLOG = 100
FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0
IDLE_S = 15.0  # until the head of a (next) request is whole
READ_S = 60  # between two pieces of a body
HEAD_BYTES = 16 * 1024
MESSAGE_BYTES = 64 * 1024  # of a websocket


async def serve(
    app: ASGIApp, bind: Address, *, task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve `app` on `bind` until cancelled; reports the address with its real port once it listens.

    Raises AddressInUse or AddressUnavailable before that, nothing after.
    """
    with listen(bind) as listening:
        host, port = listening.getsockname()[:2]
        delay = FIRST_DELAY_S
        reported = False
        while True:
            started = trio.current_time()
            try:
                async with trio.open_nursery() as nursery:
                    # anycorn closes what it is given, so each run gets a duplicate of the socket.
                    await nursery.start(run_once, app, os.dup(listening.fileno()))
                    if not reported:
                        task_status.started((host, port))
                        reported = True
            except* Exception as group:
                if not reported:
                    raise
                log.error("http service crashed", exc_info=group)
            delay = FIRST_DELAY_S if trio.current_time() - started > 60 else min(delay * 2, LONGEST_DELAY_S)
            await trio.sleep(delay)


async def run_once(
    app: ASGIApp, descriptor: int, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
) -> None:
    """anycorn on one listening descriptor, which it closes in the end."""
    await anycorn.serve(quiet(app), settings(descriptor), mode="asgi", task_status=task_status)


def listen(bind: Address) -> socket.socket:
    """A listening TCP socket. Raises AddressInUse or AddressUnavailable."""
    made = socket.socket(family_of(bind[0]), socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(bind)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse("HTTP", bind) from error
        raise AddressUnavailable("HTTP", bind, error.strerror or str(error)) from error
    return made


def settings(descriptor: int) -> anycorn.Config:
    config = anycorn.Config()
    config.bind = [f"fd://{descriptor}"]
    config.include_server_header = False
    config.errorlog = logging.getLogger("offhook.http")
    config.errorlog.setLevel(logging.WARNING)
    config.accesslog = None
    config.keep_alive_timeout = IDLE_S
    config.read_timeout = READ_S
    config.h11_max_incomplete_size = HEAD_BYTES
    config.websocket_max_message_size = MESSAGE_BYTES
    return config


def quiet(app: ASGIApp) -> Any:
    """The application as anycorn sees it: it starts and ends at once, and its bugs stay inside.

    Starlette raises a bug again after it has answered 500 and logged it; that much is enough.
    """

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for _ in ("startup", "shutdown"):
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
            return
        try:
            await app(scope, receive, send)
        except Exception as error:
            log.debug("request ended with an error", error=repr(error))

    return inner
