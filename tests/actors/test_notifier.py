"""Notifier: callbacks in order, whatever the application does, and after the end of their call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio
import trio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from offhook.actors.guard import open_nest
from offhook.actors.mailbox import ActorGone, Ref
from offhook.actors.messages.lifecycle import Stop
from offhook.actors.notifier import CAPACITY, Callback, Deliver, Notifier, NotifierInput, Outbox
from offhook.testing.network import FakeNetwork
from offhook.testing.web import Answer, CustomerApp, Silent
from offhook.transport.webhook import CallSession, Purpose, Reply, WebhookClient, WebhookRequest

SERVER = "93.184.216.34"
GOOD = Answer(b"", 204, None)


def callback(number: int, *, final: bool = False, path: str = "/status") -> Callback:
    params = (("SequenceNumber", str(number)),)
    return Callback(target=f"http://{SERVER}{path}", params=params, final=final)


def over_http(client: WebhookClient, session: CallSession) -> Deliver:
    """Deliver callbacks with the webhook client, with the cookies of one call; targets must be URLs."""

    async def deliver(callback: Callback) -> Reply:
        if not isinstance(callback.target, str):
            raise TypeError("a function cannot be called over HTTP")
        request = WebhookRequest(callback.target, callback.method, callback.params, purpose=Purpose.CALLBACK)
        return await client.fetch(request, session)

    return deliver


@attrs.define(eq=False)
class World:
    network: FakeNetwork
    app: CustomerApp
    ref: Ref[NotifierInput]
    alerts: list[tuple[int, str]]
    ended: trio.Event

    @property
    def heard(self) -> list[int]:
        return [int(asked.params["SequenceNumber"]) for asked in self.app.requests]


@asynccontextmanager
async def open_world(deliver: Deliver | None = None) -> AsyncIterator[World]:
    network, app = FakeNetwork(), CustomerApp()
    client = WebhookClient(network.host("192.0.2.1"))
    mailbox = Notifier.new_mailbox("CA1")
    world = World(network, app, mailbox.ref, [], trio.Event())
    notifier = Notifier(
        mailbox,
        deliver or over_http(client, CallSession()),
        lambda code, detail: world.alerts.append((code, detail)),
    )
    async with app.serving(network.host(SERVER), (SERVER, 80)), client, open_nest("notifiers") as nest:
        nest.start(notifier, lambda down: world.ended.set())
        yield world


async def test_callbacks_arrive_in_order_although_the_application_is_slow(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/status", Answer(b"", 204, None, delay_s=3), GOOD)
        for number in range(5):
            world.ref.post(callback(number, final=number == 4))
        world.ref.post(Stop("the call has ended"))
        await world.ended.wait()
        assert world.heard == [0, 1, 2, 3, 4]
        assert world.alerts == []
        assert all(asked.method == "POST" for asked in world.app.requests)


async def test_it_ends_after_the_last_delivery_and_takes_nothing_more(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/status", Answer(b"", 204, None, delay_s=3))
        world.ref.post(callback(1, final=True))
        world.ref.post(Stop("over"))
        await trio.sleep(1)
        assert not world.ended.is_set()
        gone = False
        try:
            world.ref.post(callback(2))
        except ActorGone:
            gone = True
        assert gone
        await world.ended.wait()
        assert world.heard == [1]


async def test_an_answer_of_4xx_or_5xx_is_the_warning_15003(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/status", Answer(b"", 500), Answer(b"", 404), GOOD)
        for number in range(3):
            world.ref.post(callback(number))
        await world.app.wait_for(3)
        await trio.lowlevel.checkpoint()
        assert [code for code, _ in world.alerts] == [15003, 15003]
        assert "status-callback" in world.alerts[0][1]


async def test_an_application_that_cannot_be_reached_is_an_alert_and_the_next_one_follows(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        world.app.on("/silent", Silent())
        world.app.on("/status", GOOD)
        started = trio.current_time()
        world.ref.post(callback(1, path="/silent"))
        world.ref.post(Callback(target="http://10.0.0.1/", params=()))
        world.ref.post(callback(2))
        world.ref.post(Stop("over"))
        await world.ended.wait()
        assert [code for code, _ in world.alerts] == [11203, 11210]
        assert world.heard == [1, 2]
        assert round(trio.current_time() - started, 6) == 15


async def test_a_host_that_was_away_is_tried_again(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/status", GOOD)
        world.network.blackhole((SERVER, 80))
        world.ref.post(callback(1))
        await trio.sleep(3)
        world.network.restore((SERVER, 80))
        await world.app.wait_for(1)
        assert world.alerts == []


async def test_a_hanging_application_loses_the_oldest_progress_and_never_a_final(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/status", Answer(b"", 204, None, delay_s=10), GOOD)
        for number in range(200):
            world.ref.post(callback(number, final=number in (5, 199)))
            await trio.testing.wait_all_tasks_blocked()
        world.ref.post(Stop("over"))
        await world.ended.wait()
        assert world.heard[0] == 0
        assert world.heard[1] == 5
        assert world.heard[2:] == list(range(200 - CAPACITY + 1, 200))


async def test_a_fault_in_one_delivery_does_not_cost_the_next(autojump_clock: MockClock) -> None:
    delivered: list[Callback] = []

    async def deliver(given: Callback) -> Reply:
        await trio.lowlevel.checkpoint()
        if not given.final:
            raise ZeroDivisionError("a bug")
        delivered.append(given)
        return Reply(200, (), b"", "")

    async with open_world(deliver) as world:
        world.ref.post(callback(1))
        world.ref.post(callback(2, final=True))
        world.ref.post(Stop("over"))
        await world.ended.wait()
    assert [given.final for given in delivered] == [True]


@settings(max_examples=50)
@given(st.lists(st.booleans(), max_size=40), st.integers(1, 8))
def test_the_outbox_keeps_every_final_and_the_order(finals: list[bool], capacity: int) -> None:
    outbox = Outbox(capacity)
    for number, final in enumerate(finals):
        outbox.put(callback(number, final=final))
    kept = []
    while (waiting := outbox.take()) is not None:
        kept.append(waiting)
    numbers = [int(dict(waiting.params)["SequenceNumber"]) for waiting in kept]
    assert numbers == sorted(numbers)
    assert [number for number, final in enumerate(finals) if final] == [number for number in numbers if finals[number]]
    assert len(kept) + outbox.dropped == len(finals)
    assert len(kept) <= max(capacity, sum(finals))
