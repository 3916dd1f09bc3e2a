"""Answers to a 401: Basic (RFC 7617) and Digest (RFC 7616), given only when asked for and then kept for the call."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping

import attrs

from .webhook_target import Target

# token68 and auth-param of RFC 9110 section 11.2, 11.3; quoted-string with its escapes
PARAM = re.compile(r'[ \t]*,?[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t,"]*))')
SCHEME = re.compile(r"[ \t,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?=[ \t]|,|$)(?![ \t]*=)")
TOKEN68 = re.compile(r"[ \t]+[0-9A-Za-z._~+/-]+=*(?=[ \t]*(?:,|$))")

HASHES: Mapping[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}
STRENGTH = ("SHA-256", "MD5")
"""Digest algorithms in the order they are preferred."""


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
    def stale(self) -> bool:
        return self.params.get("stale", "").lower() == "true"

    @property
    def algorithm(self) -> str:
        """`MD5` or `SHA-256`, upper case, without `-sess`."""
        return self.params.get("algorithm", "MD5").upper().removesuffix("-SESS")

    @property
    def session_variant(self) -> bool:
        return self.params.get("algorithm", "").upper().endswith("-SESS")

    @property
    def qops(self) -> frozenset[str]:
        return frozenset(part.strip().lower() for part in self.params.get("qop", "").split(",") if part.strip())

    @property
    def usable(self) -> bool:
        """Whether it can be answered here: a realm is there, and for Digest a nonce, an algorithm and a qop we know."""
        if self.realm is None:
            return False
        if self.scheme == "basic":
            return True
        if self.scheme != "digest" or "nonce" not in self.params or self.algorithm not in HASHES:
            return False
        return not self.qops or "auth" in self.qops


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


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The strongest challenge that can be answered: Digest before Basic, SHA-256 before MD5."""
    usable = [challenge for challenge in challenges if challenge.usable]
    digests = [challenge for challenge in usable if challenge.scheme == "digest"]
    digests.sort(key=lambda challenge: STRENGTH.index(challenge.algorithm))
    return next(iter(digests or usable), None)


@attrs.define(eq=False)
class Answerer:
    """Answers one server's challenge for one user, with a nonce count that goes on over requests."""

    user: str
    password: str
    challenge: Challenge
    count: int = 0

    def header(self, method: str, target: Target, cnonce: str) -> str:
        """The `Authorization` value of one request."""
        if self.challenge.scheme == "basic":
            raw = f"{self.user}:{self.password}".encode()
            return f"Basic {base64.b64encode(raw).decode('ascii')}"
        return self._digest(method, target.path, cnonce)

    def _digest(self, method: str, uri: str, cnonce: str) -> str:
        """RFC 7616 section 3.4; without qop the older form of RFC 2617."""
        given = self.challenge.params
        digest = HASHES[self.challenge.algorithm]
        nonce, realm = given["nonce"], self.challenge.realm or ""
        self.count += 1
        nc = f"{self.count:08x}"
        secret = digest(f"{self.user}:{realm}:{self.password}".encode())
        if self.challenge.session_variant:
            secret = digest(f"{secret}:{nonce}:{cnonce}".encode())
        request = digest(f"{method}:{uri}".encode())
        middle = f"{nonce}:{nc}:{cnonce}:auth" if self.challenge.qops else nonce
        parts = [
            f"username={quoted(self.user)}",
            f"realm={quoted(realm)}",
            f"nonce={quoted(nonce)}",
            f"uri={quoted(uri)}",
            f'response="{digest(f"{secret}:{middle}:{request}".encode())}"',
        ]
        if "algorithm" in given:
            parts.append(f"algorithm={given['algorithm']}")
        if "opaque" in given:
            parts.append(f"opaque={quoted(given['opaque'])}")
        if self.challenge.qops:
            parts += ["qop=auth", f"nc={nc}", f'cnonce="{cnonce}"']
        elif self.challenge.session_variant:
            parts.append(f'cnonce="{cnonce}"')
        return f"Digest {', '.join(parts)}"


def quoted(text: str) -> str:
    """A quoted-string (RFC 9110 section 5.6.4)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@attrs.define(eq=False)
class Credentials:
    """Who we are for which server: filled by 401 answers, asked before each request."""

    _answerers: dict[tuple[str, str, int], Answerer] = attrs.field(factory=dict)

    def header(self, method: str, target: Target, cnonce: Callable[[], str]) -> str | None:
        """`Authorization` for a server that has asked before in this call; None for all others."""
        if not self._answerers:
            return None
        answerer = self._answerers.get(target.origin)
        if answerer is None or (target.user is not None and (target.user, target.password) != self._who(answerer)):
            return None
        return answerer.header(method, target, cnonce())

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
        if challenge is None or (answered and not challenge.stale):
            self._answerers.pop(target.origin, None)
            return False
        self._answerers[target.origin] = Answerer(user, password, challenge)
        return True

    @staticmethod
    def _who(answerer: Answerer) -> tuple[str, str]:
        return (answerer.user, answerer.password)
