"""`offhook serve`: runs a server until it is told to stop. The first signal drains it, the second ends it at once."""

from __future__ import annotations

import gc
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import structlog
import trio

from ..store.errors import StoreError
from ..transport.errors import AddressUnavailable
from .config import Config
from .data_dir import DataDirInUse
from .problems import ConfigError

log = structlog.get_logger(__name__)

Drain = Callable[[], Awaitable[object]]

OK, FAILED, MISCONFIGURED = 0, 1, 2
"""Exit statuses."""
KNOWN = (AddressUnavailable, ConfigError, DataDirInUse, StoreError)
"""What an operator can mend; each says how in one line."""
FILES = 65_536
"""Descriptors asked for: a bridged call takes four sockets."""
COLLECTIONS = 5_000, 5, 200
"""When cyclic garbage is looked for (`gc.set_threshold`). Seldom: a call that ends leaves no cycles, while a search
through everything that lives stops the beat, 0.1 s when many calls do. By Python's defaults it took a tenth of the CPU
(docs/performance.md)."""


async def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT (or until the server gives up), take certificates anew on SIGHUP; the exit
    status."""
    from .server import open_server  # the whole house: not needed to print a help text

    raise_file_limit()
    try:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async with open_server(config) as server, trio.open_nursery() as nursery:
                gc.collect()
                gc.set_threshold(*COLLECTIONS)
                gc.freeze()  # what is there now stays: later collections need not look at it again
                nursery.start_soon(obey, signals, server.drain, nursery.cancel_scope, server.reload)
                await server.wait()
                nursery.cancel_scope.cancel()
    except BaseException as error:
        return explain(error)
    return OK


class ToldTwice(Exception):
    """A second signal: the server is to end at once. Leaving its block by an error, not by cancellation from outside,
    keeps what carries the BYEs of the calls running to the last of them."""


async def obey(
    signals: AsyncIterator[int], drain: Drain, done: trio.CancelScope, reload: Callable[[], None] = lambda: None
) -> None:
    """First signal: `drain`, then cancel `done`. Second: raise `ToldTwice`, without waiting for anything.

    SIGHUP is none of these: it calls `reload`.
    """

    async def drain_and_end() -> None:
        await drain()
        done.cancel()

    async with trio.open_nursery() as nursery:
        draining = False
        async for number in signals:
            name = signal.Signals(number).name
            if number == signal.SIGHUP:
                log.info("taking certificates anew", signal=name)
                reload()
                continue
            if draining:
                log.warning("ending at once", signal=name)
                raise ToldTwice
            draining = True
            log.info("draining; a second signal ends at once", signal=name)
            nursery.start_soon(drain_and_end)


def explain(error: BaseException) -> int:
    """One clear line for what an operator can mend; everything else goes on as the crash it is."""
    reasons = [reason for reason in leaves(error) if not isinstance(reason, trio.Cancelled)]
    if reasons and all(isinstance(reason, ToldTwice) for reason in reasons):
        return OK
    known = [reason for reason in reasons if isinstance(reason, KNOWN)]
    if not known or len(known) < len(reasons):
        raise error
    for text in dict.fromkeys(map(str, known)):
        print(f"offhook: {text}", file=sys.stderr)
    return MISCONFIGURED if all(isinstance(reason, ConfigError) for reason in known) else FAILED


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions inside nested groups."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def raise_file_limit() -> None:
    """Allow this process as many descriptors as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
