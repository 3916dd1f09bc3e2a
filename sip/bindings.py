"""Where each address of record is reachable (RFC 3261 10.3): the registrar's table, and what changes it."""

from __future__ import annotations

import enum
import heapq
import itertools
import math
from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import attrs

from .address import NameAddr
from .lazy import lazy
from .message import Request
from .pace import Pace
from .registration import Bounds, OutOfOrder, TooManyBindings, TooManyRegisters, Wish, Wishes, read_wishes
from .routing import hop_of
from .transaction.events import Flow
from .uri import Uri

K = TypeVar("K")

STALE_KEPT = 1024
"""Outdated dates that may stand in the heap whatever its size."""


# Not slotted: what is made of it is kept in the instance's dictionary.
@attrs.frozen(eq=False, slots=False)
class Binding:
    """One way to one device of a user. A refresh makes a new one."""

    aor: str
    contact: NameAddr
    """As registered, without its expires parameter."""
    q: float
    """Preference, 0 to 1."""
    until: float
    """When it lapses, in trio seconds."""
    call_id: str
    cseq: int
    flow: Flow | None
    """The way the phone's REGISTER came by, which calls go back by; None when a proxy stands between."""
    path: tuple[NameAddr, ...] = ()
    """Routes of a request to the contact, the next one first (RFC 3327)."""
    instance: str | None = None
    reg_id: int | None = None
    agent: str | None = None
    """What the phone calls itself."""

    @property
    def target(self) -> Uri:
        """The Request-URI of a request to this contact."""
        return self.contact.uri.without_headers().without_params("method")

    @lazy
    def contact_text(self) -> str:
        return str(self.contact)

    @lazy
    def uri_text(self) -> str:
        return str(self.contact.uri)

    @lazy
    def key(self) -> str:
        """What no other binding of the address of record has at the same time. A refresh may bring another key: a URI
        can be written in more than one way."""
        if self.instance is not None:
            return f"{self.reg_id or ''} {self.instance}"
        return self.uri_text

    @property
    def secure(self) -> bool:
        """Whether the next hop of a request to this contact is reached over TLS."""
        if self.flow is not None:
            return self.flow.transport in ("TLS", "WSS")
        return hop_of(self.path[0].uri if self.path else self.target).secure

    def matches(self, wish: Wish) -> bool:
        """Whether the wish is about this binding: the same flow of the same device, or the same URI (19.1.4)."""
        if wish.instance is not None or self.instance is not None:
            return (wish.instance, wish.reg_id) == (self.instance, self.reg_id)
        return wish.contact.uri == self.contact.uri

    def shown(self, now: float) -> str:
        """The Contact value of an answer, with the seconds that are left."""
        return f"{self.contact_text};expires={self.seconds_left(now)}"

    def seconds_left(self, now: float) -> int:
        return max(0, math.ceil(self.until - now))


class Why(enum.Enum):
    """Why a binding is gone."""

    REMOVED = "removed"
    """The user said so."""
    EXPIRED = "expired"
    FLOW_CLOSED = "connection-closed"
    EVICTED = "evicted"
    """The house said so."""


@attrs.frozen
class Bound:
    """A binding is there."""

    binding: Binding
    replaced: Binding | None
    """The one that it refreshes, which is gone; None: it is new."""


@attrs.frozen
class Unbound:
    """A binding is gone."""

    binding: Binding
    why: Why


Change: TypeAlias = Bound | Unbound


@attrs.frozen
class Granted:
    """A REGISTER was carried out."""

    bindings: tuple[Binding, ...]
    """All that the address of record now has, in the order of `Bindings.find`."""
    changes: tuple[Change, ...]
    outbound: bool
    """Whether the answer must say that a flow is kept (RFC 5626)."""


@attrs.define(eq=False)
class Bindings:
    """All bindings. `now` and all dates are trio seconds. Flows are only compared, and asked whether they are reliable.

    A REGISTER is carried out whole or not at all.
    """

    bounds: Bounds = attrs.field(factory=Bounds)
    _by_aor: dict[str, list[Binding]] = attrs.field(factory=dict, init=False)
    _by_flow: dict[Flow, list[Binding]] = attrs.field(factory=dict, init=False)
    """Those that end with their connection."""
    _heap: list[tuple[float, int, Binding]] = attrs.field(factory=list, init=False)
    """Dates, soonest first; those of bindings that are gone are passed over."""
    _order: itertools.count[int] = attrs.field(factory=itertools.count, init=False)
    _size: int = attrs.field(default=0, init=False)
    _pace: Pace = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pace = Pace(self.bounds.registers_per_second)

    def __len__(self) -> int:
        """Bindings, over all addresses of record."""
        return self._size

    def register(self, aor: str, request: Request, flow: Flow, now: float) -> Granted:
        """Carry out an authenticated REGISTER for `aor` that came by `flow`. Raises SipError when it is refused."""
        wait_s = self._pace.wait_for(aor, now)
        if wait_s > 0:
            raise TooManyRegisters(aor, self.bounds.registers_per_second, wait_s)
        wishes = read_wishes(request, self.bounds)
        if len(wishes.wishes) > 2 * self.bounds.bindings_per_aor:
            # More than to take all back and bind as many anew; each is looked for among all others.
            raise TooManyBindings(aor, self.bounds.bindings_per_aor)
        live = self.find(aor, now)
        after = self._fulfil(aor, wishes, live, flow, now)
        if len(after) > max(len(live), self.bounds.bindings_per_aor):
            raise TooManyBindings(aor, self.bounds.bindings_per_aor)
        changes = _changes(live, after)
        for change in changes:
            if isinstance(change, Unbound):
                self._drop(change.binding)
            else:
                if change.replaced is not None:
                    self._drop(change.replaced)
                self._add(change.binding)
        return Granted(self.find(aor, now), changes, wishes.outbound)

    def restore(self, binding: Binding) -> Bound | None:
        """Take a binding of an earlier process; None when the phone has registered since, which counts more."""
        if any(each.key == binding.key for each in self._by_aor.get(binding.aor, ())):
            return None
        self._add(binding)
        return Bound(binding, None)

    def find(self, aor: str, now: float) -> tuple[Binding, ...]:
        """The bindings of an address of record that are still good, the one refreshed last at the end."""
        return tuple(binding for binding in self._by_aor.get(aor, ()) if binding.until > now)

    def flow_closed(self, flow: Flow) -> list[Unbound]:
        """A connection is gone, and with it the bindings whose phones were at its other end (RFC 5626)."""
        return self._end(self._by_flow.get(flow, ()), Why.FLOW_CLOSED)

    def evict(self, aor: str) -> list[Unbound]:
        """End all bindings of an address of record."""
        return self._end(self._by_aor.get(aor, ()), Why.EVICTED)

    def wake_at(self) -> float:
        """When `lapse` next has work; infinity when nothing is bound."""
        heap = self._heap
        while heap and not self._has(heap[0][2]):
            heapq.heappop(heap)
        return heap[0][0] if heap else math.inf

    def lapse(self, now: float) -> list[Unbound]:
        """End the bindings whose time has come."""
        lapsed: list[Unbound] = []
        while self.wake_at() <= now:
            _, _, binding = heapq.heappop(self._heap)
            lapsed += self._end((binding,), Why.EXPIRED)
        return lapsed

    def _fulfil(
        self, aor: str, wishes: Wishes, live: tuple[Binding, ...], flow: Flow, now: float
    ) -> list[tuple[Binding, Binding | None]]:
        """The bindings afterwards, each with the one it refreshes (itself when it is left alone, None when new)."""
        after: list[tuple[Binding, Binding | None]] = [(binding, binding) for binding in live]
        if wishes.everything:
            for binding in live:
                _check_order(binding, wishes)
            return []
        for wish in wishes.wishes:
            at = next((at for at, (binding, _) in enumerate(after) if binding.matches(wish)), None)
            old = None if at is None else after[at][1]
            if old is not None:
                _check_order(old, wishes)
            if wish.expires:
                binding = _bind(aor, wish, wishes, flow, now)
                if at is None:
                    after.append((binding, None))
                else:
                    after[at] = (binding, old)
            elif at is not None:
                del after[at]
        return after

    def _end(self, bindings: Sequence[Binding], why: Why) -> list[Unbound]:
        ended = [Unbound(binding, why) for binding in bindings]
        for unbound in ended:
            self._drop(unbound.binding)
        return ended

    def _has(self, binding: Binding) -> bool:
        return binding in self._by_aor.get(binding.aor, ())

    def _add(self, binding: Binding) -> None:
        self._by_aor.setdefault(binding.aor, []).append(binding)
        if binding.flow is not None and binding.flow.reliable:
            self._by_flow.setdefault(binding.flow, []).append(binding)
        self._size += 1
        heapq.heappush(self._heap, (binding.until, next(self._order), binding))
        if len(self._heap) > 2 * self._size + STALE_KEPT:
            self._heap = [entry for entry in self._heap if self._has(entry[2])]
            heapq.heapify(self._heap)

    def _drop(self, binding: Binding) -> None:
        _remove(self._by_aor, binding.aor, binding)
        if binding.flow is not None and binding.flow.reliable:
            _remove(self._by_flow, binding.flow, binding)
        self._size -= 1


def in_order(bindings: tuple[Binding, ...]) -> tuple[Binding, ...]:
    """Bindings as a caller should try them: by preference, then the latest first."""
    latest_first = list(reversed(bindings))
    latest_first.sort(key=lambda binding: -binding.q)  # which keeps that order among equals
    return tuple(latest_first)


def _check_order(binding: Binding, wishes: Wishes) -> None:
    if binding.call_id == wishes.call_id and wishes.cseq <= binding.cseq:
        raise OutOfOrder(wishes.call_id, wishes.cseq, binding.cseq)


def _bind(aor: str, wish: Wish, wishes: Wishes, flow: Flow, now: float) -> Binding:
    return Binding(
        aor=aor,
        contact=wish.contact,
        q=wish.q,
        until=now + wish.expires,
        call_id=wishes.call_id,
        cseq=wishes.cseq,
        flow=flow if wishes.direct else None,
        path=wishes.path,
        instance=wish.instance,
        reg_id=wish.reg_id,
        agent=wishes.agent,
    )


def _changes(live: tuple[Binding, ...], after: list[tuple[Binding, Binding | None]]) -> tuple[Change, ...]:
    kept = {origin for _, origin in after}
    gone = [Unbound(binding, Why.REMOVED) for binding in live if binding not in kept]
    made = [Bound(binding, origin) for binding, origin in after if binding is not origin]
    return (*gone, *made)


def _remove(table: dict[K, list[Binding]], key: K, binding: Binding) -> None:
    """Take a binding out of its list, and an empty list out of the table."""
    bindings = table[key]
    bindings.remove(binding)
    if not bindings:
        del table[key]
