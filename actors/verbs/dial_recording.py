"""The recording of a `<Dial>`: makes it, keeps it, tells the application of it. When is the core's to say."""

from __future__ import annotations

from typing import Final

import attrs

from ...media.events import Record, RecordingDone, StopRecording, Track
from ...twiml.forking_steps import StartRecording
from ...twiml.params import rfc2822
from ...twiml.recording import RecordingFacts, recording_parameters
from ...twiml.steps import Parameters
from ...twiml.verbs import Dial
from ..recordings import keep_recording, tell_recording
from .stage import Stage

TRACKS: Final = {
    ("inbound", 1): Track.INBOUND,
    ("outbound", 1): Track.OUTBOUND,
    ("both", 1): Track.BOTH,
    ("both", 2): Track.DUAL,
}
"""Which of the caller's sound a recording holds; two channels are the caller on the first, the callee on the second."""


@attrs.define(eq=False)
class DialRecording:
    """One for each `<Dial>`, whether it records or not."""

    stage: Stage
    verb: Dial
    facts: RecordingFacts | None = None
    """Of the recording, once it is begun."""
    kept: Parameters = ()
    """What requests say of the recording, once it is a file that can be fetched."""
    _step: StartRecording | None = None
    _over: bool = False

    @property
    def under_way(self) -> bool:
        """Whether it is begun, and what becomes of it not known yet."""
        return self.facts is not None and not self._over

    async def start(self, step: StartRecording) -> None:
        services, self._step = self.stage.services, step
        sid = services.ids.sid("RE")
        self.facts = RecordingFacts(
            sid=sid, url=services.settings.recording_url(sid), started=rfc2822(services.now_utc())
        )
        draft = services.recordings.draft(sid)
        await self.stage.tell(Record(sid, draft, TRACKS[step.track, step.channels], trim=step.trim))
        self._tell(self.facts, step, "in-progress", None)

    async def stop(self) -> bool:
        """Whether there is a recording that can be stopped; `RecordingDone` follows then."""
        if self.facts is None:
            return False
        await self.stage.tell(StopRecording(self.facts.sid))
        return True

    def concerns(self, fact: RecordingDone) -> bool:
        return self.facts is not None and fact.id == self.facts.sid

    async def written(self, fact: RecordingDone) -> bool:
        """Keep the file of our recording, or discard it; whether it is kept."""
        services = self.stage.services
        step, facts = self._step, self.facts
        assert facts is not None, "asked by `concerns`"
        assert step is not None, "it made the facts"
        self._over = True
        if fact.error is not None or fact.kept_s <= 0:
            services.recordings.discard(fact.id)
            self._tell(facts, step, "absent", 0.0)
            return False
        await keep_recording(services, self.stage.identity, fact.id, fact.kept_s)
        self.kept = recording_parameters(facts, fact.duration_s)
        self._tell(facts, step, "completed", fact.duration_s)
        return True

    def _tell(self, facts: RecordingFacts, step: StartRecording, status: str, duration_s: float | None) -> None:
        tell_recording(
            self.stage.notifications,
            self.verb,
            facts,
            status,
            duration_s,
            source="DialVerb",
            track=step.track,
            channels=step.channels,
        )
