"""Sharing work between calls: one maker for all who want the same thing now, and a shelf for what was made."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import attrs
import trio

from ..media.sources import Clip

K = TypeVar("K", bound=Hashable)


@attrs.define(eq=False)
class _Flight:
    landed: trio.Event = attrs.field(factory=trio.Event)
    clip: Clip | None = None
    error: Exception | None = None


@attrs.define(eq=False)
class Flights(Generic[K]):
    """Single flight: whoever asks first makes it, the others wait for the same result or the same error.

    There is no task of its own: when the one who makes it is cancelled, one of the others starts again.
    """

    _flying: dict[K, _Flight] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._flying)

    async def share(self, key: K, make: Callable[[], Awaitable[Clip]]) -> Clip:
        """The result of `make`, which runs once for all who ask with the same key meanwhile."""
        while (flight := self._flying.get(key)) is not None:
            await flight.landed.wait()
            if flight.error is not None:
                raise flight.error.with_traceback(None)
            if flight.clip is not None:
                return flight.clip
        flight = self._flying[key] = _Flight()
        try:
            flight.clip = await make()
        except Exception as error:
            flight.error = error
            raise
        finally:
            del self._flying[key]
            flight.landed.set()
        return flight.clip


@attrs.define(eq=False)
class Shelf(Generic[K]):
    """Clips that were made, by key; the least recently used go when there are too many bytes."""

    capacity_bytes: int
    _clips: OrderedDict[K, Clip] = attrs.field(factory=OrderedDict)
    _size: int = 0

    def __len__(self) -> int:
        return len(self._clips)

    @property
    def size(self) -> int:
        """Bytes of samples held."""
        return self._size

    def find(self, key: K) -> Clip | None:
        clip = self._clips.get(key)
        if clip is not None:
            self._clips.move_to_end(key)
        return clip

    def put(self, key: K, clip: Clip) -> None:
        """Keep a clip; one that is larger than the whole shelf is not kept."""
        old = self._clips.pop(key, None)
        if old is not None:
            self._size -= len(old.samples)
        if len(clip.samples) > self.capacity_bytes:
            return
        self._clips[key] = clip
        self._size += len(clip.samples)
        while self._size > self.capacity_bytes:
            _, oldest = self._clips.popitem(last=False)
            self._size -= len(oldest.samples)
