"""How a bridge ends when nobody hangs up: a peer that vanishes, silence, a crash; and what the other side is told."""

from __future__ import annotations

from pathlib import Path

import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallStarted

from .kit import poison_call
from .talk import talk


async def test_a_call_that_crashes_has_lasted_until_then_on_both_sides(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path) as here:
        parent, child = here.it.of(CallStarted)
        await trio.sleep(4.5)
        poison_call(here.it, parent.call_sid)
        here.carol.respond(await here.carol.asked("BYE"))
        await here.alice.over()
        ends = {end.call_sid: end for end in await here.it.ends(2)}
        assert {(end.status, end.duration_s) for end in ends.values()} == {("failed", 5)}
        await here.it.idle()
        for sid in (parent.call_sid, child.call_sid):
            record = await here.it.server.repository.call(sid)
            assert record is not None
            assert (record.status, record.duration_s) == ("failed", 5)
