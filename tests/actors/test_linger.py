"""Linger: what is left of legs that have ended is driven to its end, outside every call."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.courier import Courier
from offhook.actors.guard import open_nest
from offhook.actors.linger import Held, Linger, LingerMessage
from offhook.actors.mailbox import Mailbox
from offhook.actors.messages.leg import Incoming, TransmitFailed
from offhook.actors.registry import Registry
from offhook.sip.message import Message
from offhook.sip.transaction.events import Flow, TransactionOutput
from offhook.testing.network import FakeNetwork
from offhook.transport.connections import Connections
from offhook.transport.errors import Unreachable
from offhook.transport.resolve import Resolver


@attrs.define(eq=False)
class Ticking:
    """A lingering exchange that is due `times` more times, one second apart."""

    key: tuple[object, ...]
    times: int
    due: float
    woken: list[float] = attrs.field(factory=list)
    failures: int = 0
    queued_at: float = math.inf
    poison: bool = False

    @property
    def finished(self) -> bool:
        return self.times <= 0

    def receive(self, message: Message, flow: Flow, now: float) -> list[TransactionOutput]:
        return []

    def wake_at(self) -> float:
        return self.due if not self.finished else math.inf

    def wake(self, now: float) -> list[TransactionOutput]:
        if self.poison:
            raise ValueError("a bug in a transaction")
        self.woken.append(now)
        self.times -= 1
        self.due = now + 1
        return []

    def transport_failed(self, now: float) -> list[TransactionOutput]:
        self.failures += 1
        self.times = 0
        return []


async def nobody_listens(message: object) -> None:
    """Takes what connections deliver."""


async def started(nursery: trio.Nursery, registry: Registry) -> Courier:
    network = FakeNetwork(seed=1).host("10.0.0.1")
    connections = Connections(network, nobody_listens)
    return Courier(network, connections, Resolver(network), nursery)


async def test_every_transaction_is_woken_at_its_seconds_and_then_forgotten(autojump_clock: MockClock) -> None:
    registry = Registry()
    box: Mailbox[LingerMessage] = Mailbox("linger", 8)
    async with trio.open_nursery() as nursery, open_nest("nest") as nest:
        linger = Linger(box, await started(nursery, registry), registry, Held())
        nest.start(linger)
        now = trio.current_time()
        one, two = Ticking(("a", "BYE"), 2, now + 5), Ticking(("b", "BYE", "s"), 1, now + 2)
        linger.adopt([one, two])
        assert set(registry.transactions) == {("a", "BYE"), ("b", "BYE", "s")}
        await trio.sleep(10)
        assert one.woken == [pytest.approx(now + 5), pytest.approx(now + 6)]
        assert two.woken == [pytest.approx(now + 2)]
        assert len(linger) == 0
        assert registry.transactions == {}


async def test_a_failed_transmission_reaches_the_transaction_by_its_branch(autojump_clock: MockClock) -> None:
    registry = Registry()
    box: Mailbox[LingerMessage] = Mailbox("linger", 8)
    async with trio.open_nursery() as nursery, open_nest("nest") as nest:
        linger = Linger(box, await started(nursery, registry), registry, Held())
        nest.start(linger)
        bye = Ticking(("z9hG4bK1", "BYE"), 3, trio.current_time() + 5)
        linger.adopt([bye])
        box.ref.post(TransmitFailed("z9hG4bK1", Unreachable("10.0.0.9", "no route")))
        await trio.sleep(1)
        assert bye.failures == 1
        assert len(linger) == 0


async def test_a_transaction_that_raises_goes_and_the_others_stay(autojump_clock: MockClock) -> None:
    registry = Registry()
    box: Mailbox[LingerMessage] = Mailbox("linger", 8)
    held = Held()
    async with trio.open_nursery() as nursery, open_nest("nest") as nest:
        courier = await started(nursery, registry)
        linger = Linger(box, courier, registry, held)
        nest.start_made(box, lambda: Linger(box, courier, registry, held))
        now = trio.current_time()
        # More than a service may crash in a minute: none of them counts.
        bad = [Ticking((f"a{index}", "BYE"), 1, now + 1, poison=True) for index in range(10)]
        good = Ticking(("b", "BYE"), 1, now + 2)
        linger.adopt([*bad, good])
        await trio.sleep(5)
        assert good.woken == [pytest.approx(now + 2)]
        assert len(linger) == 0


async def test_a_message_that_cannot_be_read_ends_nothing(autojump_clock: MockClock) -> None:
    registry = Registry()
    box: Mailbox[LingerMessage] = Mailbox("linger", 64)
    held = Held()
    async with trio.open_nursery() as nursery, open_nest("nest") as nest:
        courier = await started(nursery, registry)
        linger = Linger(box, courier, registry, held)
        nest.start_made(box, lambda: Linger(box, courier, registry, held))
        good = Ticking(("b", "BYE"), 1, trio.current_time() + 2)
        linger.adopt([good])
        poison: Any = object()
        for _ in range(10):
            box.ref.post(Incoming(poison, poison, 0.0))
            box.ref.post(poison)
        await trio.sleep(5)
        assert len(good.woken) == 1
        assert len(linger) == 0


async def test_what_is_finished_already_is_not_kept(autojump_clock: MockClock) -> None:
    registry = Registry()
    async with trio.open_nursery() as nursery:
        linger = Linger(Mailbox("linger", 8), await started(nursery, registry), registry, Held())
        linger.adopt([Ticking(("a", "BYE"), 0, 0.0)])
        assert len(linger) == 0
        assert registry.transactions == {}
