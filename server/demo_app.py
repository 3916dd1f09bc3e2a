"""The web application of `offhook demo`: plain HTTP on loopback, real TwiML, every signature checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from ..media.tones import tone
from ..sip.errors import SipError
from ..sip.uri import Uri
from ..testing.speech import wav
from ..testing.web import Answer, Asked, CustomerApp, twiml
from ..twiml.signature import HEADER, check

MELODY: Final = b"".join(tone(hz, length_ms=300) for hz in (523, 659, 784, 1047))
"""What `<Play>` plays: four notes, 1.2 s."""
PRESSED: Final = "42"
"""What alice presses, before the finishing key."""
SUFFIX: Final = "sip.offhook.test"
DOMAIN: Final = f"demo.{SUFFIX}"
USERS: Final = ("alice", "bob")
PROGRESS: Final = ("initiated", "ringing", "in-progress", "completed")
"""What the status callbacks of `<Client>` say of a call that goes well, in order."""


@attrs.define(eq=False)
class DemoApp:
    """Answers `/voice`, `/menu`, `/dialed` and `/melody.wav`; takes the callbacks. Notes what it does not like.

    Who calls a user is connected with that user; who calls anything else is greeted, and after a key with bob.
    """

    tell: Callable[[Asked, Answer], None]
    """Told of every request and its answer."""
    token: str = ""
    secure: bool = False
    """Whether it has users called over TLS with encrypted media, which `<Client>` does not."""
    web: CustomerApp = attrs.field(factory=CustomerApp)
    complaints: list[str] = attrs.field(factory=list)
    digits: str | None = None
    """What arrived in the action of `<Gather>`."""
    dialed: dict[str, str] = attrs.field(factory=dict)
    """Parameters of the action of `<Dial>`."""
    progress: list[str] = attrs.field(factory=list)
    """`CallStatus` of the dialled call, callback by callback."""
    recording_url: str | None = None
    final_status: str | None = None

    def __attrs_post_init__(self) -> None:
        pages: dict[str, Callable[[Asked], Answer]] = {
            "/voice": self._voice,
            "/menu": self._menu,
            "/dialed": self._dialed,
            "/progress": self._progress,
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
        user = user_of(asked.params.get("To", ""))
        if user in USERS:
            return twiml(f'\n  <Dial answerOnBridge="true" action="/dialed">{self._party(user)}</Dial>\n')
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
        bob = self._party(
            "bob", ' statusCallback="/progress" statusCallbackEvent="initiated ringing answered completed"'
        )
        return twiml(
            "\n  <Say>I call bob.</Say>"
            '\n  <Dial action="/dialed" record="record-from-answer-dual" recordingStatusCallback="/recorded">'
            f"\n    {bob}"
            "\n  </Dial>\n"
        )

    def _party(self, user: str, attributes: str = "") -> str:
        """The noun of `<Dial>` that reaches a user."""
        if self.secure:
            return f"<Sip{attributes}>sip:{user}@{DOMAIN};secure=true</Sip>"
        return f"<Client{attributes}>{user}</Client>"

    def _dialed(self, asked: Asked) -> Answer:
        self.dialed = asked.params
        return twiml("\n  <Say>Goodbye.</Say>\n")

    def _progress(self, asked: Asked) -> Answer:
        self.progress.append(asked.params.get("CallStatus", ""))
        return Answer(status=204, content_type=None)

    def _recorded(self, asked: Asked) -> Answer:
        self.recording_url = asked.params.get("RecordingUrl")
        return Answer(status=204, content_type=None)

    def _status(self, asked: Asked) -> Answer:
        self.final_status = asked.params.get("CallStatus")
        return Answer(status=204, content_type=None)


def user_of(address: str) -> str | None:
    """The user of a SIP address; None when it has none, or is no such address."""
    try:
        return Uri.parse(address).user
    except SipError:
        return None
