"""Linger: the open transactions of legs that have ended, in one task with one heap, outside every call.

A task for each of them would cost 5 KiB and a place in every garbage collection; a busy server has 16,000 of them.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import TypeAlias, assert_never

import attrs
import structlog
import trio

from ..sip.message import Request, Response
from ..sip.transaction.events import Adopt, Lingering, SendRequest, SendResponse, TransactionOutput
from ..sip.transaction.key import client_key, server_key
from .actor import Actor
from .courier import Courier
from .messages.leg import Incoming, LegMessage, LegOrder, TransmitFailed
from .registry import Registry

CAPACITY = 1024

log = structlog.get_logger(__name__)


@attrs.frozen
class Wake:
    """To itself: something was adopted that is due earlier than what the task waits for."""


LingerMessage: TypeAlias = LegMessage | Wake


def transaction_key(message: Request | Response) -> Hashable:
    """Where a message that belongs to no living leg may still be expected."""
    return server_key(message) if isinstance(message, Request) else client_key(message)


def branch_of(transaction: Lingering) -> str | None:
    """The branch of a client transaction, under which a failed transmission is reported; None for a server one."""
    key = transaction.key
    return key[0] if len(key) == 2 and isinstance(key[0], str) else None


@attrs.define(eq=False)
class Held:
    """What outlives a restart of the task: the transactions themselves."""

    by_key: dict[Hashable, Lingering] = attrs.field(factory=dict)
    by_branch: dict[str, set[Hashable]] = attrs.field(factory=dict)
    """Client transactions by the branch that a failed transmission is reported with; INVITE and CANCEL share one."""
    heap: list[tuple[float, int, Hashable]] = attrs.field(factory=list)
    """(when, tie breaker, key); an entry may be stale, its transaction knows the real time."""
    counter: itertools.count[int] = attrs.field(factory=itertools.count)


@attrs.define(eq=False)
class Linger(Actor[LingerMessage]):
    """Drives transactions to their end. `adopt` is called by legs, in their last step, and never waits."""

    courier: Courier
    registry: Registry
    held: Held = attrs.field(factory=Held)

    def adopt(self, transactions: Iterable[Lingering]) -> None:
        """Take over open transactions; the switchboard finds them here from now on."""
        earliest = self.wake_at()
        for transaction in transactions:
            self._keep(transaction)
        if self.wake_at() < earliest:
            # The task may sleep until a later time, or for ever. When its mailbox is full it is awake anyway.
            self.mailbox.ref.offer(Wake())

    def __len__(self) -> int:
        return len(self.held.by_key)

    async def handle(self, message: LingerMessage) -> None:
        # What comes from the network must not count as a crash, or a few packets could end the server.
        try:
            self._take(message, trio.current_time())
        except Exception as error:
            log.error("message could not be handled", actor=self.mailbox.name, exc_info=error)

    def _take(self, message: LingerMessage, now: float) -> None:
        match message:
            case Incoming():
                transaction = self.held.by_key.get(transaction_key(message.message))
                if transaction is not None:
                    self._drive(transaction, partial(transaction.receive, message.message, message.flow, now))
            case TransmitFailed():
                for key in tuple(self.held.by_branch.get(message.branch, ())):
                    transaction = self.held.by_key[key]
                    self._drive(transaction, partial(transaction.transport_failed, now))
            case Wake():
                pass
            case LegOrder():
                raise TypeError("no call owns a lingering transaction")
            case _:
                assert_never(message)

    def wake_at(self) -> float:
        return self.held.heap[0][0] if self.held.heap else math.inf

    async def wake(self, now: float) -> None:
        heap = self.held.heap
        while heap and heap[0][0] <= now:
            _, _, key = heapq.heappop(heap)
            transaction = self.held.by_key.get(key)
            if transaction is None:
                continue
            if transaction.wake_at() > now:
                self._schedule(transaction)
                continue
            self._drive(transaction, partial(transaction.wake, now))

    def _drive(self, transaction: Lingering, act: Callable[[], Iterable[TransactionOutput]]) -> None:
        """One step of a transaction. One that raises goes, the others stay: this task serves every call that ended."""
        try:
            self._step(transaction, act())
        except Exception as error:
            log.error("a lingering transaction is dropped", key=str(transaction.key), exc_info=error)
            self._forget(transaction)

    def _keep(self, transaction: Lingering) -> None:
        if transaction.finished:
            return
        self.held.by_key[transaction.key] = transaction
        self.registry.transactions[transaction.key] = self.mailbox.ref
        branch = branch_of(transaction)
        if branch is not None:
            self.held.by_branch.setdefault(branch, set()).add(transaction.key)
        self._schedule(transaction)

    def _schedule(self, transaction: Lingering) -> None:
        when = transaction.wake_at()
        if when < math.inf:
            heapq.heappush(self.held.heap, (when, next(self.held.counter), transaction.key))

    def _forget(self, transaction: Lingering) -> None:
        self.held.by_key.pop(transaction.key, None)
        self.registry.transactions.pop(transaction.key, None)
        branch = branch_of(transaction)
        if branch is not None:
            keys = self.held.by_branch.get(branch, set())
            keys.discard(transaction.key)
            if not keys:
                self.held.by_branch.pop(branch, None)

    def _step(self, transaction: Lingering, outputs: Iterable[TransactionOutput]) -> None:
        for output in outputs:
            match output:
                case SendResponse():
                    self.courier.respond(output)
                case SendRequest():
                    self.courier.request(output, self.mailbox.ref)
                case Adopt():
                    self._keep(output.transaction)
                case _:
                    pass  # facts: nobody is left who would want to know
        if transaction.finished:
            self._forget(transaction)
        else:
            self._schedule(transaction)
