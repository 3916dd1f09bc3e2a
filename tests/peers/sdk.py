"""The official Python SDK as the judge of our signatures."""

from __future__ import annotations

from collections.abc import Iterable

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK ships no types

from offhook.testing.web import Asked

SIGNATURE = "x-twilio-signature"


class Form:
    """Form parameters as web frameworks hand them to the SDK: a name may have several values."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = list(pairs)

    def __iter__(self) -> Iterable[str]:
        return iter([name for name, _ in self._pairs])

    def __len__(self) -> int:
        return len(self._pairs)

    def getlist(self, name: str) -> list[str]:
        return [value for known, value in self._pairs if known == name]


def accepts(asked: Asked, token: str) -> bool:
    """Whether the SDK, given the request as a web framework sees it, takes it as the platform's."""
    parameters = Form(asked.form) if asked.method == "POST" else Form([])
    verdict = RequestValidator(token).validate(asked.url, parameters, asked.header(SIGNATURE) or "")
    return bool(verdict)
