"""Sharing work: one maker for many, errors and cancellations included; a shelf with a bound."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.flights import Flights, Shelf
from offhook.media.sources import Clip

CLIP = Clip(bytes(160))


async def test_many_who_ask_at_once_share_one_result(autojump_clock: MockClock) -> None:
    flights: Flights[str] = Flights()
    made: list[str] = []
    got: list[Clip] = []

    async def make() -> Clip:
        made.append("made")
        await trio.sleep(1)
        return CLIP

    async def ask(key: str) -> None:
        got.append(await flights.share(key, make))

    async with trio.open_nursery() as nursery:
        for key in "aaab":
            nursery.start_soon(ask, key)
    assert (len(made), got, len(flights)) == (2, [CLIP] * 4, 0)
    await ask("a")
    assert len(made) == 3


async def test_an_error_reaches_all_who_waited_and_nobody_after(autojump_clock: MockClock) -> None:
    flights: Flights[str] = Flights()
    errors: list[str] = []

    async def fail() -> Clip:
        await trio.sleep(1)
        raise LookupError("no such file")

    async def ask() -> None:
        try:
            await flights.share("a", fail)
        except LookupError as error:
            errors.append(str(error))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
    assert errors == ["no such file"] * 3

    async def make() -> Clip:
        return CLIP

    assert await flights.share("a", make) is CLIP


async def test_when_the_maker_is_cancelled_another_who_waits_makes_it(autojump_clock: MockClock) -> None:
    flights: Flights[str] = Flights()
    started: list[float] = []
    got: list[Clip] = []

    async def make() -> Clip:
        started.append(trio.current_time())
        await trio.sleep(2)
        return CLIP

    async def ask() -> None:
        got.append(await flights.share("a", make))

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1):
            async with trio.open_nursery() as hurried:
                hurried.start_soon(ask)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(ask)
                nursery.start_soon(ask)
    assert len(got) == 2
    assert [at - started[0] for at in started] == [0, pytest.approx(1)]


def test_the_shelf_forgets_the_least_used() -> None:
    shelf: Shelf[str] = Shelf(1000)
    for key in "abc":
        shelf.put(key, Clip(bytes(300)))
    shelf.find("a")
    shelf.put("d", Clip(bytes(300)))
    assert [key for key in "abcd" if shelf.find(key) is not None] == ["a", "c", "d"]
    shelf.put("e", Clip(bytes(1002)))
    assert shelf.find("e") is None
    shelf.put("d", Clip(bytes(100)))
    assert (len(shelf), shelf.size) == (3, 700)
