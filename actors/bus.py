"""Bus: facts for the outside. Publishing never waits; a slow subscriber loses the oldest and is told how many."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import attrs
import trio

from .messages.events import BusEvent


@attrs.frozen
class Gap:
    """In a subscriber's stream: this many events were lost because it was too slow."""

    missed: int


Heard: TypeAlias = BusEvent | Gap


@attrs.define(eq=False)
class Subscription:
    """A bounded ring of events for one reader; iterate it to receive them."""

    capacity: int
    kinds: tuple[type[BusEvent], ...] | None = None
    """Only events of these classes; None: all."""
    _ring: deque[BusEvent] = attrs.field(factory=deque)
    _missed: int = 0
    _wakeup: trio.Event | None = None
    _closed: bool = False

    def put(self, event: BusEvent) -> None:
        if self.kinds is not None and not isinstance(event, self.kinds):
            return
        if len(self._ring) >= self.capacity:
            self._ring.popleft()
            self._missed += 1
        self._ring.append(event)
        if self._wakeup is not None:
            self._wakeup.set()

    def close(self) -> None:
        self._closed = True
        if self._wakeup is not None:
            self._wakeup.set()

    def take_nowait(self) -> Heard | None:
        if self._missed:
            missed, self._missed = self._missed, 0
            return Gap(missed)
        return self._ring.popleft() if self._ring else None

    async def take(self) -> Heard:
        """The next event (or the gap before it). Raises `trio.EndOfChannel` when the bus has closed."""
        while True:
            heard = self.take_nowait()
            if heard is not None:
                await trio.lowlevel.checkpoint_if_cancelled()
                return heard
            if self._closed:
                raise trio.EndOfChannel
            self._wakeup = trio.Event()
            await self._wakeup.wait()
            self._wakeup = None

    async def __aiter__(self) -> AsyncIterator[Heard]:
        while True:
            try:
                heard = await self.take()
            except trio.EndOfChannel:
                return
            yield heard


@attrs.define(eq=False)
class Bus:
    """Publishes to bounded subscribers and to plain listeners (metrics, log) that must be quick and never raise."""

    _subscriptions: list[Subscription] = attrs.field(factory=list)
    _listeners: list[Callable[[BusEvent], None]] = attrs.field(factory=list)

    def publish(self, event: BusEvent) -> None:
        for listener in self._listeners:
            listener(event)
        for subscription in self._subscriptions:
            subscription.put(event)

    def listen(self, listener: Callable[[BusEvent], None]) -> None:
        """Call `listener` inside each `publish`: for counters and log lines of our own."""
        self._listeners.append(listener)

    def wants(self, kind: type[BusEvent]) -> bool:
        """Whether any subscriber would get an event of this class: dear ones are not even made otherwise."""
        return any(s.kinds is None or kind in s.kinds for s in self._subscriptions)

    @contextmanager
    def subscribe(
        self, kinds: tuple[type[BusEvent], ...] | None = None, capacity: int = 1000
    ) -> Iterator[Subscription]:
        subscription = Subscription(capacity, kinds)
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)

    def close(self) -> None:
        for subscription in self._subscriptions:
            subscription.close()
