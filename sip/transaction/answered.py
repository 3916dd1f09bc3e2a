"""Answered requests: what is left of non-INVITE server transactions (RFC 3261 17.2.2) whose user answers at once.

Such a transaction is completed in the step that begins it, so it has one state and one timer (J), the same for all of
them. Nothing has to be kept but the bytes of the answer: a registrar has tens of thousands of these at any time.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import attrs

from ..message import Request, Response
from ..parse import parse_datagram
from ..render import render
from ..timers import Timers
from .events import Flow
from .key import ServerKey, merge_key, server_key


@attrs.frozen
class _Answer:
    until: float
    data: bytes
    origin: tuple[object, ...]


@attrs.define(eq=False)
class AnsweredRequests:
    """The answers of the last 64 T1, by transaction. `now` and all dates are trio seconds."""

    timers: Timers
    capacity: int = 100_000
    """The oldest go before their time when there are more; copies of their requests are taken for new ones."""
    _kept: OrderedDict[ServerKey, _Answer] = attrs.field(factory=OrderedDict, init=False)
    """In the order they end, as timer J is the same for all."""
    _origins: dict[tuple[object, ...], ServerKey] = attrs.field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, request: Request, response: Response, flow: Flow, now: float) -> None:
        """`response` is the final answer to `request`. Streams bring no copies, so nothing is kept for them."""
        delay = self.timers.j(flow.reliable)
        if delay <= 0:
            return
        key, origin = server_key(request), merge_key(request)
        self._kept[key] = _Answer(now + delay, render(response), origin)
        self._kept.move_to_end(key)
        self._origins[origin] = key
        while len(self._kept) > self.capacity:
            self._forget_oldest()

    def find(self, request: Request) -> Response | None:
        """The answer to an earlier copy of the request; None when there was none."""
        kept = self._kept.get(server_key(request))
        if kept is None:
            return None
        response = parse_datagram(kept.data)
        assert isinstance(response, Response)
        return response

    def is_merged(self, request: Request) -> bool:
        """Whether the same request has come on another way, and been answered there (8.2.2.2)."""
        if request.to_tag is not None:
            return False
        key = server_key(request)
        return self._origins.get(merge_key(request), key) != key

    def wake_at(self) -> float:
        """When `wake` next has work; infinity when nothing is kept."""
        return next(iter(self._kept.values())).until if self._kept else math.inf

    def wake(self, now: float) -> None:
        """Forget what is over."""
        while self.wake_at() <= now:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        key, answer = self._kept.popitem(last=False)
        if self._origins.get(answer.origin) == key:
            del self._origins[answer.origin]
