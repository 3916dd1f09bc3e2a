"""Bus: publishing never waits; who is too slow is told what was missed."""

from __future__ import annotations

import datetime

import pytest
import trio

from offhook.actors.bus import Bus, Gap
from offhook.actors.messages.events import CallAnswered, CallRinging

AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
RINGING = CallRinging(at=AT, account="AC1", call_sid="CA1")
ANSWERED = CallAnswered(at=AT, account="AC1", call_sid="CA1")


async def test_every_subscriber_hears_every_event_in_order() -> None:
    bus = Bus()
    with bus.subscribe() as one, bus.subscribe() as two:
        bus.publish(RINGING)
        bus.publish(ANSWERED)
        assert [await one.take(), await one.take()] == [RINGING, ANSWERED]
        assert [await two.take(), await two.take()] == [RINGING, ANSWERED]


async def test_a_slow_subscriber_loses_the_oldest_and_is_told_how_many() -> None:
    bus = Bus()
    with bus.subscribe(capacity=2) as viewer:
        for _ in range(4):
            bus.publish(RINGING)
        bus.publish(ANSWERED)
        assert await viewer.take() == Gap(3)
        assert await viewer.take() == RINGING
        assert await viewer.take() == ANSWERED


async def test_a_subscription_to_some_kinds_hears_only_those() -> None:
    bus = Bus()
    with bus.subscribe((CallAnswered,)) as answers:
        bus.publish(RINGING)
        bus.publish(ANSWERED)
        assert await answers.take() == ANSWERED
        assert not bus.wants(CallRinging)


async def test_closing_the_bus_ends_the_iteration() -> None:
    bus = Bus()
    with bus.subscribe() as viewer:
        bus.publish(ANSWERED)
        bus.close()
        assert [event async for event in viewer] == [ANSWERED]
        with pytest.raises(trio.EndOfChannel):
            await viewer.take()
