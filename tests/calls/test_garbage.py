"""A call that is over leaves no cycles behind: the collector is seldom asked (`COLLECTIONS`), and memory would grow."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.testing.web import twiml

from .office import DIAL_BOB, Office, dial, office

LINGERS_S = 60.0
"""After it the last transaction is over."""


@contextmanager
def cycles() -> Iterator[Counter[str]]:
    """What the collector alone would find of all that was let go in the block: types, filled in at its end."""
    found: Counter[str] = Counter()
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found.update(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        if enabled:
            gc.enable()


async def speaks(here: Office) -> None:
    alice = await here.alice_dials("<Say>bye</Say>")
    await alice.over()


async def callee_hangs_up(here: Office) -> None:
    alice = await here.alice_dials(DIAL_BOB)
    bob = await here.bob.called()
    await bob.ring()
    await bob.pick_up()
    await trio.sleep(1)
    await bob.hang_up()
    await alice.over()


async def caller_hangs_up(here: Office) -> None:
    alice = await here.alice_dials(dial('answerOnBridge="true"'))
    bob = await here.bob.called()
    await bob.pick_up()
    assert await alice.answered()
    await alice.hang_up()
    await bob.over()


async def callee_refuses(here: Office) -> None:
    alice = await here.alice_dials(DIAL_BOB)
    bob = await here.bob.called()
    await bob.decline(486)
    await alice.over()


async def nobody_answers(here: Office) -> None:
    alice = await here.alice_dials(dial('timeout="5"'))
    bob = await here.bob.called()
    await bob.ring()
    await bob.over()
    await alice.over()


async def caller_gives_up(here: Office) -> None:
    alice = await here.alice_dials(dial('answerOnBridge="true"'))
    bob = await here.bob.called()
    await bob.ring()
    await trio.sleep(1)
    await alice.cancel()
    await bob.over()


async def is_recorded_and_screened(here: Office) -> None:
    here.it.web.on("/screen", twiml("<Pause/>"))
    noun = f'<Sip url="/screen">{DIAL_BOB.partition("<Sip>")[2].partition("<")[0]}</Sip>'
    alice = await here.alice_dials(dial('record="record-from-answer-dual"', noun))
    bob = await here.bob.called()
    await bob.pick_up()
    await trio.sleep(3)
    await bob.hang_up()
    await alice.over()


@pytest.mark.parametrize(
    "call",
    [
        speaks,
        callee_hangs_up,
        caller_hangs_up,
        callee_refuses,
        nobody_answers,
        caller_gives_up,
        is_recorded_and_screened,
    ],
)
async def test_a_call_leaves_nothing_to_the_garbage_collector(
    autojump_clock: MockClock, tmp_path: Path, call: Callable[[Office], Awaitable[None]]
) -> None:
    async with office(tmp_path) as here:
        await call(here)  # what is made once, at the first call
        await trio.sleep(LINGERS_S)
        with cycles() as found:
            await call(here)
            await trio.sleep(LINGERS_S)
    assert found == {}
