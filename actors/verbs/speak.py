"""Say, Play, Pause, and the error notice: what is heard."""

from __future__ import annotations

import trio

from ...media.events import SendDigits
from ...media.sources import Repeat, Silence, Source
from ...twiml.steps import Performed
from ...twiml.verbs import ErrorNotice, Pause, Play, PlayAudio, Say
from .stage import Stage


async def say(stage: Stage, verb: Say) -> Performed:
    await stage.play(await source_of(stage, verb))
    return Performed()


async def play(stage: Stage, verb: Play) -> Performed:
    """A file, or digits when the verb has them."""
    if verb.digits:
        for _ in range(verb.times):
            sending = SendDigits(stage.new_id(), verb.digits)
            await stage.tell(sending)
            await stage.played(sending.id)
    else:
        await stage.play(await source_of(stage, verb))
    return Performed()


async def play_audio(stage: Stage, verb: PlayAudio) -> Performed:
    """Audio that came in a document's place."""
    await stage.play(await stage.services.announcer.decode(verb.audio, verb.content_type))
    return Performed()


async def error_notice(stage: Stage, verb: ErrorNotice) -> Performed:
    await stage.play(stage.services.announcer.error_notice)
    return Performed()


async def pause(stage: Stage, verb: Pause) -> Performed:
    """Silence; before the answer the call rings on."""
    await stage.wait_until(trio.current_time() + verb.length)
    return Performed()


async def source_of(stage: Stage, verb: Say | Play | Pause) -> Source:
    """What a prompt sounds like, loops included. Raises `PromptFailed`."""
    announcer = stage.services.announcer
    match verb:
        case Pause():
            return Silence(verb.length * 1000)
        case Say():
            clip = await announcer.say(verb.text, verb.ssml, voice=verb.voice, language=verb.language)
        case Play():
            clip = await announcer.fetch(verb.url)
    return clip if verb.times == 1 else Repeat(clip, verb.times)
