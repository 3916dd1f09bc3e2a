"""Fifty live calls and a fault in one part: that call ends as a failure, and the others lose not one frame."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.media import MediaActor
from offhook.actors.messages.events import ActorCrashed, CallEnded
from offhook.actors.messages.registrar import Locate, Located, RegisterReceived
from offhook.media.events import Play
from offhook.media.sources import Clip, Reader
from offhook.testing.speech import FakeSpeech
from offhook.testing.web import twiml
from offhook.transport.flow import Malformed, Received

from .crowd import CALLS, VICTIM, Crowd, break_one
from .kit import POISON, World, leg_of, poison_call, poison_leg, world


@attrs.define(eq=False)
class BrokenEngine:
    """A speech engine with a bug: one text makes it raise what nobody expects."""

    good: FakeSpeech = attrs.field(factory=FakeSpeech)

    async def synthesize(self, text: str, *, ssml: bool = False, voice: str = "", language: str = "") -> Clip:
        if text == "poison":
            raise ZeroDivisionError("a bug in the engine")
        return await self.good.synthesize(text, ssml=ssml, voice=voice, language=language)


class BrokenSource:
    """A source whose reader raises on the beat."""

    def open(self) -> Reader:
        return self

    def read(self, size: int) -> bytes:
        raise ZeroDivisionError("a bug in a source")


def poison_media(it: World, sid: str) -> None:
    actor = leg_of(it.server.tree.services.plane, f"media of {sid}").listener
    assert isinstance(actor, MediaActor)
    actor.mailbox.ref.post(POISON)


def poison_beat(it: World, sid: str) -> None:
    call = it.server.tree.services.registry.calls[sid].ref
    call.post(Play("poison", BrokenSource()))  # type: ignore[arg-type]  # it takes more than the registry lets others say
    leg_of(it.server.tree.services.plane, f"media of {sid}").session.apply(
        Play("at once", BrokenSource()), trio.current_time()
    )


@pytest.mark.parametrize(
    ("how", "actor"),
    [(poison_leg, "leg of"), (poison_media, "media of"), (poison_call, "call"), (poison_beat, "media of")],
)
async def test_a_fault_in_one_part_of_a_call_costs_the_other_forty_nine_no_frame(
    autojump_clock: MockClock, tmp_path: Path, how: Callable[[World, str], None], actor: str
) -> None:
    async with world(tmp_path) as it:
        crowd = Crowd(it)
        await break_one(it, crowd, how)
        await crowd.judge(VICTIM)
        [crash] = it.of(ActorCrashed)
        assert (crash.call_sid, crash.actor.startswith(actor)) == (crowd.victim_sid, True)
        assert [event.cause for event in it.of(CallEnded) if event.status == "failed"] == ["crash"]
        await it.idle()


async def test_a_fault_in_one_program_costs_the_other_forty_nine_no_frame(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path, speech=BrokenEngine()) as it:
        crowd = Crowd(it, victim_document="<Say>half a second long</Say><Say>poison</Say>")
        await crowd.gather()
        await crowd.judge(VICTIM)
        [crash] = it.of(ActorCrashed)
        assert crash.actor == f"program of {crowd.victim_sid}"
        await it.idle()


@attrs.define
class BrokenInput:
    """Looks like something the network brought until it is read."""

    @property
    def message(self) -> None:
        raise ZeroDivisionError("a bug in a parser")


def poison_input(it: World) -> None:
    it.server.tree.switchboard.ref.post(POISON)


def poison_received(it: World) -> None:
    it.server.tree.switchboard.ref.post(Received(cast(Any, BrokenInput()), POISON, 0.0))


def poison_malformed(it: World) -> None:
    it.server.tree.switchboard.ref.post(Malformed(b"", POISON, POISON))


def poison_request(it: World) -> None:
    """A good request on a flow that nothing can be sent on: even the 500 cannot be answered."""
    invite = next(seen.message for seen in it.phone.ladder if seen.sent)
    it.server.tree.switchboard.ref.post(Received(invite.with_headers(invite.headers.with_("Call-ID", "x")), POISON, 0))


async def test_poison_for_the_switchboard_ends_no_call_and_not_the_switchboard(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        crowd = Crowd(it)
        await crowd.gather()
        for poison in (poison_input, poison_received, poison_malformed, poison_request):
            for _ in range(7):  # a restart limit of 5 in a minute must never come near
                poison(it)
                await trio.sleep(0.01)
        crashes = len(it.of(ActorCrashed))
        await crowd.judge()
        assert crashes == 28
        it.web.on("/voice", twiml("<Reject/>"))
        later = await it.call()
        assert not await later.answered()
        assert later.status == 404


def poison_registrar(it: World) -> None:
    it.server.tree.services.registrar.offer(POISON)


def poison_register(it: World) -> None:
    """A REGISTER that is none, on a flow that is none."""
    invite = next(seen.message for seen in it.phone.ladder if seen.sent)
    it.server.tree.services.registrar.offer(RegisterReceived(cast(Any, invite), POISON))


async def test_poison_for_the_registrar_ends_no_call_and_not_the_registrar(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        crowd = Crowd(it)
        await crowd.gather()
        for poison in (poison_registrar, poison_register):
            for _ in range(7):
                poison(it)
                await trio.sleep(0.01)
        crashes = len(it.of(ActorCrashed))
        await crowd.judge()
        assert crashes == 14
        registrar = it.server.tree.services.registrar
        located: Located = await registrar.ask(lambda reply: Locate("sip:alice@acme", reply), within=1)
        assert located == Located("sip:alice@acme", ())


async def test_fault_after_fault_in_one_server_still_costs_the_others_nothing(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """As they would come in life; calls that are recorded among them, whose files are closed all the same."""
    async with world(tmp_path) as it:
        crowd = Crowd(it)
        await crowd.gather()
        await trio.sleep(0.5)
        broken = range(10, 18)
        faults = (poison_leg, poison_media, poison_call, poison_beat)
        for number, fault in zip(broken, (*faults, *faults), strict=True):
            # An even number and an odd one for each: one that listens and one that is recorded.
            fault(it, crowd.sids[number if number < 14 else number + 1])
            poison_input(it)
            poison_registrar(it)
            await trio.sleep(0.05)
        numbers = [number if number < 14 else number + 1 for number in broken]
        await crowd.judge(*numbers)
        assert len(it.of(CallEnded)) == CALLS
        await it.idle()
        # What a crashed call was recording is kept by the next start (server/recover.py): a whole file, closed.
        [draft] = it.server.tree.services.recordings.drafts()
        with wave.open(str(draft)) as file:
            assert file.getnframes() >= 8000 * 0.5
