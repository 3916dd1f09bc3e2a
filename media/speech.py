"""The speech seam: text to sound, whoever speaks it. An embedding application may bring its own voice."""

from __future__ import annotations

from typing import Protocol

from .errors import MediaError
from .sources import Clip


class SpeechError(MediaError):
    """A text could not be spoken: the engine failed, or knows neither voice nor language."""


class Speech(Protocol):
    """A speech engine. Calls may run side by side; cancelling one must free what it holds."""

    async def synthesize(self, text: str, *, ssml: bool = False, voice: str = "", language: str = "") -> Clip:
        """Speak `text`, or an SSML document when `ssml` is set.

        `voice` and `language` (BCP 47, such as `en-GB`) are wishes as TwiML spells them; empty means the engine's
        default, and an unknown one is mapped to the nearest the engine has. Raises `SpeechError`.
        """
        ...
