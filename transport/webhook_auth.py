"""Answers to a 401: Basic (RFC 7617) and Digest (RFC 7616), given only when asked for and then kept for the call."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import attrs

from ..sip import digest
from .webhook_target import Target

# token68 and auth-param of RFC 9110 section 11.2, 11.3; quoted-string with its escapes
PARAM = re.compile(r'[ \t]*,?[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t,"]*))')
SCHEME = re.compile(r"[ \t,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?=[ \t]|,|$)(?![ \t]*=)")
TOKEN68 = re.compile(r"[ \t]+[0-9A-Za-z._~+/-]+=*(?=[ \t]*(?:,|$))")


@attrs.frozen
class Challenge:
    """One challenge of a `WWW-Authenticate` header."""

    scheme: str
    """Lower case."""
    params: Mapping[str, str]
    """Names in lower case, values without their quotes."""

    @property
    def realm(self) -> str | None:
        return self.params.get("realm")

    @property
    def as_digest(self) -> digest.Challenge | None:
        """What a Digest challenge asks for; None when it cannot be answered here (algorithm, qop, no nonce)."""
        if self.scheme != "digest" or self.realm is None or "nonce" not in self.params:
            return None
        algorithm = self.params.get("algorithm", digest.MD5).upper()
        offered = [part.strip().lower() for part in self.params.get("qop", "").split(",") if part.strip()]
        qop = next((name for name in ("auth", "auth-int") if name in offered), None)
        if algorithm not in digest.ALGORITHMS or (offered and qop is None):
            return None
        return digest.Challenge(
            self.realm,
            self.params["nonce"],
            algorithm,
            "algorithm" in self.params,
            qop or "",
            self.params.get("opaque"),
            self.params.get("stale", "").lower() == "true",
        )


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """All challenges of the `WWW-Authenticate` lines; what does not follow the grammar ends its line."""
    challenges: list[Challenge] = []
    for value in values:
        at = 0
        while scheme := SCHEME.match(value, at):
            at = scheme.end()
            params: dict[str, str] = {}
            while param := PARAM.match(value, at):
                text = param[2] if param[2] is not None else param[3]
                params.setdefault(param[1].lower(), re.sub(r"\\(.)", r"\1", text))
                at = param.end()
            if not params and (token := TOKEN68.match(value, at)):
                at = token.end()
            challenges.append(Challenge(scheme[1].lower(), params))
    return challenges


def choose(challenges: Iterable[Challenge]) -> digest.Challenge | Literal["basic"] | None:
    """The strongest challenge that can be answered: Digest before Basic, SHA-256 before MD5; None: there is none."""
    known = list(challenges)
    digests = [asked for challenge in known if (asked := challenge.as_digest) is not None]
    if digests:
        return min(digests, key=lambda asked: digest.ALGORITHMS.index(asked.algorithm))
    if any(challenge.scheme == "basic" and challenge.realm is not None for challenge in known):
        return "basic"
    return None


@attrs.define(eq=False)
class Answerer:
    """Answers one server's challenge for one user, with a nonce count that goes on over requests."""

    user: str
    password: str
    challenge: digest.Challenge | Literal["basic"]
    count: int = 0

    def header(self, method: str, target: Target, body: bytes, cnonce: str) -> str:
        """The `Authorization` value of one request."""
        if self.challenge == "basic":
            raw = f"{self.user}:{self.password}".encode()
            return f"Basic {base64.b64encode(raw).decode('ascii')}"
        self.count += 1
        return self.challenge.answer(
            method, target.path, self.user, self.password, body=body, nc=self.count, cnonce=cnonce
        )


@attrs.define(eq=False)
class Credentials:
    """Who we are for which server: filled by 401 answers, asked before each request."""

    _answerers: dict[tuple[str, str, int], Answerer] = attrs.field(factory=dict)

    def header(self, method: str, target: Target, body: bytes, cnonce: Callable[[], str]) -> str | None:
        """`Authorization` for a server that has asked before in this call; None for all others."""
        if not self._answerers:
            return None
        answerer = self._answerers.get(target.origin)
        if answerer is None or (target.user is not None and (target.user, target.password) != self._who(answerer)):
            return None
        return answerer.header(method, target, body, cnonce())

    def learn(self, challenges: list[Challenge], target: Target, *, answered: bool) -> bool:
        """Take the challenge of a 401; whether repeating the request with `header` makes sense.

        `answered`: the refused request carried an answer already, which only a stale nonce excuses.
        """
        challenge = choose(challenges)
        known = self._answerers.get(target.origin)
        if target.user is not None:
            user, password = target.user, target.password
        elif known is not None:
            user, password = self._who(known)
        else:
            return False
        stale = challenge is not None and challenge != "basic" and challenge.stale
        if challenge is None or (answered and not stale):
            self._answerers.pop(target.origin, None)
            return False
        self._answerers[target.origin] = Answerer(user, password, challenge)
        return True

    @staticmethod
    def _who(answerer: Answerer) -> tuple[str, str]:
        return (answerer.user, answerer.password)
