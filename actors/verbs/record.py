"""Record: drives the core of `twiml/recording.py`, makes the file, tells the application."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs
import trio

from ...media.events import (
    AudioArrived,
    AudioLost,
    DigitHeard,
    Play,
    Played,
    RecordingDone,
    SpeechStarted,
    SpeechStopped,
    StopRecording,
    WatchSpeech,
)
from ...media.events import Record as RecordOrder
from ...media.sources import Clip
from ...media.tones import beep
from ...twiml.params import rfc2822
from ...twiml.recording import (
    Cause,
    Outcome,
    PlayBeep,
    Recorded,
    Recording,
    RecordingFacts,
    RecordStep,
    StartRecording,
    record_parameters,
)
from ...twiml.recording import StopRecording as StopStep
from ...twiml.steps import HungUp, Performed
from ...twiml.verbs import Record
from ..messages.call import ProgramFact
from ..messages.call_requests import Listen
from ..recordings import keep_recording, tell_recording
from .stage import CallerLeft, Stage

BEEP: Final = Clip(beep())


async def record(stage: Stage, verb: Record) -> Performed | HungUp:
    """Beep, record, report. A caller who hangs up ends the recording, and the application still hears of it."""
    return await _Session(stage, verb).run()


@attrs.define(eq=False)
class _Session:
    """One `<Record>` under way."""

    stage: Stage
    verb: Record
    sid: str = ""
    started: str = ""
    core: Recording = attrs.field(init=False)
    beep: str | None = None
    """Id of the playing beep."""
    kept_s: float = 0.0
    """Length of the file, silence cut off."""

    def __attrs_post_init__(self) -> None:
        self.core = Recording(self.verb)
        self.sid = self.stage.services.ids.sid("RE")

    async def run(self) -> Performed | HungUp:
        left = False
        steps: Iterable[RecordStep] = self.core.begin(trio.current_time())
        while True:
            try:
                result = await self._carry_out(steps)
                if result is not None:
                    break
                steps = self._feed(await self.stage.fact(self.core.wake_at()))
            except CallerLeft:
                if left:
                    # Even the media is gone: there will be no word about the file.
                    self.core.lost(trio.current_time())
                    result = self.core.result or Recorded(outcome=Outcome.FAILED, cause=Cause.HANGUP)
                    break
                left = True
                steps = self.core.hung_up(trio.current_time())
        parameters = await self._report(result)
        return HungUp(parameters=parameters) if left else Performed(parameters=parameters)

    def _feed(self, fact: ProgramFact | None) -> Iterable[RecordStep]:
        now, core = trio.current_time(), self.core
        match fact:
            case None:
                return core.wake(now)
            case Played() if fact.id == self.beep:
                return core.beep_ended(now)
            case DigitHeard():
                return core.key(fact.digit, now)
            case SpeechStarted():
                core.voice_started(now)
            case SpeechStopped():
                core.voice_stopped(now, fact.silent_ms / 1000)
            case AudioLost():
                core.audio_lost(now)
            case AudioArrived():
                core.audio_arrived(now)
            case RecordingDone() if fact.id == self.sid:
                self.kept_s = fact.kept_s
                return core.lost(now) if fact.error is not None else core.written(fact.duration_s, now)
            case _:
                pass
        return ()

    async def _carry_out(self, steps: Iterable[RecordStep]) -> Recorded | None:
        """The end, when it is among the steps."""
        stage = self.stage
        for step in steps:
            match step:
                case PlayBeep():
                    self.beep = stage.new_id()
                    await stage.tell(Play(self.beep, BEEP))
                case StartRecording():
                    self.started = rfc2822(stage.services.now_utc())
                    await stage.tell(RecordOrder(self.sid, stage.services.recordings.draft(self.sid), trim=step.trim))
                    await stage.tell(WatchSpeech(True))
                    await stage.tell(Listen(True))
                    self._notify("in-progress")
                case StopStep():
                    await stage.tell(StopRecording(self.sid))
                    await stage.tell(WatchSpeech(False))
                    await stage.tell(Listen(False))
                case Recorded():
                    return step
        return None

    async def _report(self, result: Recorded) -> tuple[tuple[str, str], ...]:
        """Keep the file, tell the status callback; gives what the action request says."""
        services = self.stage.services
        if result.outcome is Outcome.COMPLETED:
            await keep_recording(services, self.stage.identity, self.sid, self.kept_s)
        else:
            services.recordings.discard(self.sid)
        self._notify(result.outcome.value, result.duration_s)
        return record_parameters(result, self._facts())

    def _facts(self) -> RecordingFacts:
        settings = self.stage.services.settings
        started = self.started or rfc2822(self.stage.services.now_utc())
        return RecordingFacts(sid=self.sid, url=settings.recording_url(self.sid), started=started)

    def _notify(self, status: str, duration_s: float | None = None) -> None:
        tell_recording(self.stage.notifications, self.verb, self._facts(), status, duration_s)
