"""Gather: drives the core of `twiml/gather.py` with what the caller does while prompts play."""

from __future__ import annotations

import trio

from ...media.events import DigitHeard, Play, Played
from ...twiml.gather import Gathered, Gathering, StopPrompts, gather_parameters
from ...twiml.steps import HungUp, Performed
from ...twiml.verbs import Gather
from ..messages.call_requests import Listen
from .speak import source_of
from .stage import CallerLeft, Stage


async def gather(stage: Stage, verb: Gather) -> Performed | HungUp:
    """Collect keys. All prompts are fetched before the first one starts."""
    prompts = [Play(stage.new_id(), await source_of(stage, prompt)) for prompt in verb.prompts]
    core = Gathering.begin(verb, trio.current_time())
    try:
        await stage.tell(Listen(True))
        for prompt in prompts:
            await stage.tell(prompt)
        result = await _collect(stage, core, prompts[-1].id if prompts else None)
    except CallerLeft:
        # The caller may leave in the very step in which the input was complete: what was gathered then counts.
        core.hung_up(trio.current_time())
        result = core.result or Gathered(digits=core.digits, hung_up=True)
        return HungUp(parameters=gather_parameters(verb, result))
    await stage.tell(Listen(False))
    return Performed(parameters=gather_parameters(verb, result))


async def _collect(stage: Stage, core: Gathering, last_prompt: str | None) -> Gathered:
    """Feed the core until it has the end. Raises CallerLeft."""
    while True:
        fact = await stage.fact(core.wake_at())
        now = trio.current_time()
        match fact:
            case None:
                steps = core.wake(now)
            case DigitHeard():
                steps = core.key(fact.digit, now)
            case Played() if fact.id == last_prompt:
                steps = core.prompts_ended(now)
            case _:
                continue
        for step in steps:
            match step:
                case StopPrompts():
                    await stage.silence()
                case Gathered():
                    return step
