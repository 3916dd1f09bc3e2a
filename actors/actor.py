"""Actor: one task that owns some state and reads one mailbox."""

from __future__ import annotations

import abc
import math
from typing import Generic, TypeVar

import attrs
import trio

from .mailbox import ActorGone, Mailbox

M = TypeVar("M")


@attrs.define(eq=False)
class Actor(abc.ABC, Generic[M]):
    """The run loop: messages in order, one timer, last words whatever happens.

    Subclasses write `handle`; those with timers also `wake` and `wake_at`; those that end by themselves `finished`.
    The mailbox stays open when `run` ends by a fault, so that a restart can go on with it (see `guard`).
    """

    mailbox: Mailbox[M]

    async def run(self) -> None:
        try:
            await self.started()
            while not self.finished():
                message = await self.mailbox.receive(until=self.wake_at())
                if message is None:
                    await self.wake(trio.current_time())
                    if self.wake_at() <= trio.current_time():
                        # More is due at once: others get their turn, and a stuck timer cannot hang the process.
                        await trio.lowlevel.checkpoint()
                else:
                    # After a fault it stays in hand: the guard fails its question and names it in the log.
                    self.mailbox.in_hand = message
                    await self.handle(message)
                    self.mailbox.in_hand = None
            # The decision to end and the closing happen without an await between them: whoever posts later gets
            # ActorGone, and nobody's message disappears in a mailbox that is never read.
            self.mailbox.close()
        finally:
            self.last_words()

    async def started(self) -> None:
        """Runs once before the first message."""

    @abc.abstractmethod
    async def handle(self, message: M) -> None:
        """Deal with one message. Whatever it raises ends the actor."""

    async def wake(self, now: float) -> None:
        """The timer is due: `now` (trio seconds) has reached `wake_at()`."""

    def wake_at(self) -> float:
        """When `wake` next has work, in trio seconds."""
        return math.inf

    def finished(self) -> bool:
        return False

    def last_words(self) -> None:
        """Must not await: runs on a normal end, on a crash and on cancellation."""


__all__ = ["Actor", "ActorGone"]
