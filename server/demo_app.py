"""The web application of `offhook demo`: plain HTTP on loopback, real TwiML, every signature checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from ..media.tones import tone
from ..testing.speech import wav
from ..testing.web import Answer, Asked, CustomerApp, twiml
from ..twiml.signature import HEADER, check

MELODY: Final = b"".join(tone(hz, length_ms=300) for hz in (523, 659, 784, 1047))
"""What `<Play>` plays: four notes, 1.2 s."""
PRESSED: Final = "42"
"""What the phone presses, before the finishing key."""


@attrs.define(eq=False)
class DemoApp:
    """Answers `/voice`, `/menu`, `/recorded` and `/melody.wav`; takes `/status`. Notes what it does not like."""

    token: str
    tell: Callable[[Asked, Answer], None]
    """Told of every request and its answer."""
    web: CustomerApp = attrs.field(factory=CustomerApp)
    complaints: list[str] = attrs.field(factory=list)
    digits: str | None = None
    """What arrived in the action of `<Gather>`."""
    recording_url: str | None = None
    final_status: str | None = None

    def __attrs_post_init__(self) -> None:
        pages: dict[str, Callable[[Asked], Answer]] = {
            "/voice": self._voice,
            "/menu": self._menu,
            "/recorded": self._recorded,
            "/status": self._status,
        }
        for path, page in pages.items():
            self.web.on(path, self._checked(page))
        self.web.on("/melody.wav", lambda asked: self._answer(asked, Answer(wav(MELODY), content_type="audio/wav")))

    def _checked(self, page: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
        def answer(asked: Asked) -> Answer:
            if not check(self.token, asked.url, asked.header(HEADER.lower()) or "", asked.form):
                self.complaints.append(f"{asked.path} came without a valid signature")
            return self._answer(asked, page(asked))

        return answer

    def _answer(self, asked: Asked, answer: Answer) -> Answer:
        self.tell(asked, answer)
        return answer

    def _voice(self, asked: Asked) -> Answer:
        return twiml(
            "\n  <Say>Welcome to off hook.</Say>"
            '\n  <Gather action="/menu" numDigits="4" timeout="8">'
            "\n    <Play>/melody.wav</Play>"
            "\n    <Say>Press four two, then the hash key.</Say>"
            "\n  </Gather>"
            "\n  <Say>You pressed nothing.</Say>\n"
        )

    def _menu(self, asked: Asked) -> Answer:
        self.digits = asked.params.get("Digits")
        spoken = " ".join(self.digits or "nothing")
        return twiml(
            f"\n  <Say>You pressed {spoken}. Say something after the beep.</Say>"
            '\n  <Record action="/recorded" maxLength="10" timeout="2"/>\n'
        )

    def _recorded(self, asked: Asked) -> Answer:
        self.recording_url = asked.params.get("RecordingUrl")
        return twiml("\n  <Say>Thank you, and goodbye.</Say>\n  <Pause length='60'/>\n")

    def _status(self, asked: Asked) -> Answer:
        self.final_status = asked.params.get("CallStatus")
        return Answer(status=204, content_type=None)
