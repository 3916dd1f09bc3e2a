"""Guard and Nest: a crash stays where it happened."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from offhook.actors.actor import Actor
from offhook.actors.guard import Allowance, CrashCount, Policy, RestartLimit, guard, open_nest
from offhook.actors.mailbox import ActorGone, Mailbox, Reply
from offhook.actors.messages.lifecycle import Down


@attrs.frozen
class Ask:
    number: int
    reply: Reply[int]


@attrs.define(eq=False)
class Doubler(Actor[Ask | str]):
    """Doubles numbers; dies of any text but `end`."""

    ended: bool = False
    said: list[str] = attrs.field(factory=list)

    async def handle(self, message: Ask | str) -> None:
        if message == "end":
            self.ended = True
        elif isinstance(message, str):
            raise ValueError(message)
        elif message.number < 0:
            raise ValueError("negative")
        else:
            message.reply.set(2 * message.number)

    def finished(self) -> bool:
        return self.ended

    def last_words(self) -> None:
        self.said.append("last words")


def asking(number: int) -> Callable[[Reply[int]], Ask]:
    """Makes the question once the reply is there."""

    def make(reply: Reply[int]) -> Ask:
        return Ask(number, reply)

    return make


def doubler(name: str = "doubler") -> Doubler:
    return Doubler(Mailbox(name, 8))


async def test_a_sibling_lives_on_while_one_crashes() -> None:
    downs: list[Down] = []
    async with open_nest("nest") as nest:
        bad, good = doubler("bad"), doubler("good")
        nest.start(bad, downs.append)
        nest.start(good, downs.append)
        bad.mailbox.ref.post("poison")
        assert await good.mailbox.ref.ask(asking(4), within=math.inf) == 8
        good.mailbox.ref.post("end")
        assert await nest.wait_empty()
    assert {(down.name, type(down.error)) for down in downs} == {("bad", ValueError), ("good", type(None))}
    assert bad.said == good.said == ["last words"]


async def test_the_question_in_hand_fails_when_its_actor_crashes() -> None:
    async with open_nest("nest") as nest:
        actor = doubler()
        nest.start(actor)
        with pytest.raises(ActorGone):
            await actor.mailbox.ref.ask(asking(-1), within=math.inf)
        assert await nest.wait_empty()


async def test_a_restarted_service_keeps_its_mailbox_and_loses_only_the_poison(autojump_clock: MockClock) -> None:
    box: Mailbox[Ask | str] = Mailbox("service", 8)
    started = trio.current_time()
    async with open_nest("nest") as nest:
        nest.start_made(box, lambda: Doubler(box), policy=Policy.RESTART)
        box.ref.post("poison")
        assert await box.ref.ask(asking(21), within=math.inf) == 42
        assert trio.current_time() - started == pytest.approx(0.1)


async def test_too_many_crashes_end_the_server(autojump_clock: MockClock) -> None:
    box: Mailbox[Ask | str] = Mailbox("service", 8)
    started = trio.current_time()
    for _ in range(6):
        box.ref.post("poison")
    with pytest.raises(RestartLimit):
        await guard(box, lambda: Doubler(box), policy=Policy.RESTART)
    assert trio.current_time() - started == pytest.approx(0.1 + 0.2 + 0.4 + 0.8 + 1.6)


def test_crashes_outside_the_window_are_forgotten() -> None:
    count = CrashCount(Allowance(crashes=1, within_s=60.0))
    assert count.crashed(0.0) == pytest.approx(0.1)
    assert count.crashed(60.0) == pytest.approx(0.1)
    assert count.crashed(61.0) is None


@attrs.define(eq=False)
class Clumsy(Actor[str]):
    """Stumbles over its last words."""

    async def handle(self, message: str) -> None:
        raise AssertionError("never told anything")

    def last_words(self) -> None:
        raise ValueError("stumbled while being cancelled")


async def test_a_crash_inside_cancellation_still_cancels() -> None:
    with trio.CancelScope() as scope:
        async with open_nest("nest") as nest:
            nest.start(Clumsy(Mailbox("clumsy", 1)))
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
            await trio.Event().wait()
    assert scope.cancelled_caught


async def test_whoever_posts_after_the_end_learns_that_the_actor_is_gone() -> None:
    async with open_nest("nest") as nest:
        actor = doubler()
        nest.start(actor)
        actor.mailbox.ref.post("end")
        assert await nest.wait_empty()
        with pytest.raises(ActorGone):
            actor.mailbox.ref.post("too late")


@attrs.define(eq=False)
class Stuck(Actor[str]):
    """Its timer is always due."""

    wakes: int = 0

    async def handle(self, message: str) -> None:
        raise AssertionError

    async def wake(self, now: float) -> None:
        self.wakes += 1

    def wake_at(self) -> float:
        return -math.inf

    def finished(self) -> bool:
        return self.wakes > 1000


async def test_a_timer_that_never_moves_does_not_hang_the_others() -> None:
    async with open_nest("nest") as nest:
        stuck, good = Stuck(Mailbox("stuck", 1)), doubler()
        nest.start(stuck)
        nest.start(good)
        assert await good.mailbox.ref.ask(asking(1), within=math.inf) == 2
        assert stuck.wakes < 100
