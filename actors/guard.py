"""Guard: contains the crash of one actor, tells its owner or restarts it. Nest: a nursery of guarded actors."""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import attrs
import structlog
import trio

from .actor import Actor
from .mailbox import ActorGone, Mailbox
from .messages.lifecycle import Down

M = TypeVar("M")

log = structlog.get_logger(__name__)


class Policy(enum.Enum):
    """What follows a crash."""

    REPORT = "report"
    """Tell the owner once; never restarted. For what belongs to one call."""
    RESTART = "restart"
    """A fresh actor on the same mailbox, after a growing delay. For services that all calls share."""


class RestartLimit(Exception):
    """A service crashed too often in a short time; the server ends, as half a switch is worse than a restart."""

    def __init__(self, name: str, crashes: int, within_s: float) -> None:
        super().__init__(f"{name} crashed {crashes} times within {within_s:g} s")
        self.name = name


@attrs.frozen
class Allowance:
    """How often a service may crash before that ends the server."""

    crashes: int = 5
    within_s: float = 60.0
    first_delay_s: float = 0.1
    longest_delay_s: float = 5.0


DEFAULT_ALLOWANCE = Allowance()


@attrs.define(eq=False)
class CrashCount:
    """Crashes of one service inside a sliding window; pure."""

    allowance: Allowance
    _times: deque[float] = attrs.field(factory=deque)
    _delay: float = 0.0

    def crashed(self, now: float) -> float | None:
        """Count a crash at `now`; the seconds to wait before the restart, or None when it was one too many."""
        while self._times and self._times[0] <= now - self.allowance.within_s:
            self._times.popleft()
        if not self._times:
            self._delay = 0.0
        self._times.append(now)
        if len(self._times) > self.allowance.crashes:
            return None
        self._delay = min(max(self._delay * 2, self.allowance.first_delay_s), self.allowance.longest_delay_s)
        return self._delay


async def guard(
    mailbox: Mailbox[M],
    make: Callable[[], Actor[M]],
    on_down: Callable[[Down], None] | None = None,
    policy: Policy = Policy.REPORT,
    allowance: Allowance = DEFAULT_ALLOWANCE,
) -> None:
    """Run the actor that `make` gives, on `mailbox`, so that no crash leaves this function but `RestartLimit`.

    Cancellation passes through. With REPORT `on_down` is called exactly once, with the error or None after a normal
    end; with RESTART it is called once after a normal end.
    """
    count: CrashCount | None = None
    while True:
        error: Exception | None = None
        try:
            try:
                await make().run()
            except* Exception as group:
                error = single(group)
        except BaseException:
            # Cancelled (or cancelled together with a bug, which was logged in the group's place by except*).
            mailbox.drop_in_hand(ActorGone(mailbox.name))
            mailbox.close()
            raise
        if error is None:
            mailbox.close()
            if on_down is not None:
                on_down(Down(mailbox.name, None))
            return
        message = mailbox.drop_in_hand(ActorGone(mailbox.name))
        log.error("actor crashed", actor=mailbox.name, message=type(message).__name__, exc_info=error)
        if policy is Policy.REPORT:
            mailbox.close()
            if on_down is not None:
                on_down(Down(mailbox.name, error))
            return
        count = count or CrashCount(allowance)
        delay = count.crashed(trio.current_time())
        if delay is None:
            mailbox.close()
            raise RestartLimit(mailbox.name, allowance.crashes + 1, allowance.within_s) from error
        await trio.sleep(delay)


def single(group: BaseExceptionGroup[Exception]) -> Exception:
    """The one exception inside nested groups of one, else the group itself."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, Exception) else group  # type: ignore[return-value]  # a group of Exceptions is one


@attrs.define(eq=False)
class Nest:
    """A nursery whose children are guarded actors: none of them can bring the nursery down but by `RestartLimit`."""

    name: str
    nursery: trio.Nursery
    size: int = 0
    """Actors running now."""
    _empty: trio.Event = attrs.field(factory=trio.Event)

    def start(
        self,
        actor: Actor[M],
        on_down: Callable[[Down], None] | None = None,
    ) -> None:
        """Run an actor that belongs to one call (REPORT)."""
        self.start_made(actor.mailbox, lambda: actor, on_down, Policy.REPORT)

    def start_made(
        self,
        mailbox: Mailbox[M],
        make: Callable[[], Actor[M]],
        on_down: Callable[[Down], None] | None = None,
        policy: Policy = Policy.RESTART,
        allowance: Allowance = DEFAULT_ALLOWANCE,
    ) -> None:
        self.size += 1
        self.nursery.start_soon(self._child, mailbox, make, on_down, policy, allowance, name=mailbox.name)

    async def _child(
        self,
        mailbox: Mailbox[M],
        make: Callable[[], Actor[M]],
        on_down: Callable[[Down], None] | None,
        policy: Policy,
        allowance: Allowance,
    ) -> None:
        try:
            await guard(mailbox, make, on_down, policy, allowance)
        finally:
            self.size -= 1
            if not self.size:
                self._empty.set()
                self._empty = trio.Event()

    async def wait_empty(self, until: float = math.inf) -> bool:
        """Whether all actors have ended by `until` (trio seconds)."""
        with trio.move_on_at(until):
            while self.size:
                await self._empty.wait()
        return not self.size

    def cancel(self) -> None:
        """End every actor at once; each still says its last words."""
        self.nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_nest(name: str) -> AsyncIterator[Nest]:
    """A nest whose actors are cancelled when the block is left."""
    async with trio.open_nursery() as nursery:
        nest = Nest(name, nursery)
        try:
            yield nest
        finally:
            nursery.cancel_scope.cancel()
