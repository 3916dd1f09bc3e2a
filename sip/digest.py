"""Digest authentication, both sides (RFC 3261 section 22, RFC 7616, RFC 8760): MD5 and SHA-256 with qop auth."""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import attrs

from .errors import BadHeader, NoUsableChallenge, SipError
from .grammar import QUOTED, TOKEN_CHARS, quote, unquote
from .uri import Uri

MD5: Final = "MD5"
SHA_256: Final = "SHA-256"
ALGORITHMS: Final = (SHA_256, MD5)
"""What can be computed, best first."""

Secret = str | Mapping[str, str]
"""A user's plain password, or HA1 by algorithm name (`ha1`)."""
Lookup = Callable[[str], Secret | None]
"""From a username to its secret; `None` when there is no such user."""

# credentials = "Digest" LWS dig-resp *(COMMA dig-resp), dig-resp = token EQUAL ( token / quoted-string )
# (an unquoted value may hold more than a token: phones leave the quotes off a uri)
_SCHEME = re.compile(rf"([{TOKEN_CHARS}]++)(?:[ \t]++(.*+))?", re.DOTALL)
_PARAM = re.compile(rf'[ \t]*+([{TOKEN_CHARS}]++)[ \t]*+=[ \t]*+({QUOTED}|[^\s,"]++)[ \t]*+(?:,|$)')
_PARAMS = re.compile(f"(?:{_PARAM.pattern})*+")
_NC = re.compile(r"[0-9a-fA-F]{8}")
# Our own nonces: 12 digits of milliseconds, 6 of a counter, 30 of the HMAC over both.
_NONCE = re.compile(r"([0-9a-f]{12})([0-9a-f]{6})([0-9a-f]{30})")
_LEGACY_NC: Final = 2**32  # a nonce used without qop is used up


def ha1(algorithm: str, username: str, realm: str, password: str) -> str:
    """H(username:realm:password), which is what to keep instead of a password."""
    return _hash(algorithm, f"{username}:{realm}:{password}")


def digest_response(
    algorithm: str, ha1_hex: str, method: str, uri: str, nonce: str, nc: str = "", cnonce: str = "", qop: str = ""
) -> str:
    """The `response` of qop auth, or of RFC 2069 when `qop` is empty (RFC 7616 3.4.1)."""
    return _response(algorithm, ha1_hex, _hash(algorithm, f"{method}:{uri}"), nonce, nc, cnonce, qop)


def _response(algorithm: str, ha1_hex: str, ha2: str, nonce: str, nc: str, cnonce: str, qop: str) -> str:
    middle = f"{nonce}:{nc}:{cnonce}:{qop}" if qop else nonce
    return _hash(algorithm, f"{ha1_hex}:{middle}:{ha2}")


def _hash(algorithm: str, text: str | bytes) -> str:
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    if algorithm == SHA_256:
        return hashlib.sha256(data).hexdigest()
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _algorithm(name: str | None) -> str | None:
    """The algorithm of that name, MD5 when none is named; `None` for one that is not known."""
    wanted = (name or MD5).upper()
    return wanted if wanted in ALGORITHMS else None


class Outcome(enum.Enum):
    """What `DigestServer.check` found."""

    ACCEPTED = "accepted"
    MISSING = "missing"
    """No Digest credentials for our realm: challenge."""
    WRONG = "wrong"
    """No such user, or not its password; which of the two is not told."""
    STALE = "stale"
    """The right password with a nonce that is too old or not ours: challenge again with stale=true."""
    REPLAYED = "replayed"
    """The right password with an nc that was used before: the same challenge as for `STALE`."""
    MALFORMED = "malformed"
    """The credentials break the grammar, lack a part, or are about another URI, algorithm or qop than asked for."""


@attrs.frozen
class Verdict:
    """Outcome of a check, with the username that was claimed; only `ACCEPTED` proves it."""

    outcome: Outcome
    username: str | None = None


@attrs.define(eq=False)
class DigestServer:
    """Challenges and checks for one realm.

    A nonce proves by its HMAC that it is ours and how old it is, so a challenge costs no memory. Only a nonce that
    somebody used with the right password is remembered, with its highest nc, among at most `max_nonces`; whatever
    is forgotten early counts as stale, so forgetting opens no way for replays.
    """

    secret: bytes
    """Key of the HMAC: at least 16 random bytes, made anew whenever a server starts, as the counters begin anew."""
    realm: str
    algorithms: tuple[str, ...] = (MD5,)
    """In the order they are offered, one challenge each (RFC 8760 2.4)."""
    nonce_age_s: float = 300.0
    """How long a nonce is good for, in seconds."""
    max_nonces: int = 10_000
    _issued: int = attrs.field(default=0, init=False)
    _highest: OrderedDict[str, int] = attrs.field(factory=OrderedDict, init=False)
    _forgotten_ms: int = attrs.field(default=-1, init=False)
    """When the youngest forgotten nonce was made: none so old is good any more unless it is remembered."""
    _opaque: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        unknown = [name for name in self.algorithms if name not in ALGORITHMS]
        if unknown or not self.algorithms:
            raise ValueError(f"digest algorithms {self.algorithms!r}: known are {', '.join(ALGORITHMS)}")
        self._opaque = hmac.digest(self.secret, f"opaque\0{self.realm}".encode(), "sha256").hex()[:32]

    def challenge(self, now: float, stale: bool = False) -> tuple[str, ...]:
        """Header values to challenge with, one for each algorithm; all share a fresh nonce.

        MD5 alone is not named, as some clients take no challenge that names an algorithm.
        """
        nonce = self._make_nonce(now)
        common = f'Digest realm={quote(self.realm)}, qop="auth", nonce="{nonce}", opaque="{self._opaque}"'
        if stale:
            common += ", stale=true"
        if self.algorithms == (MD5,):
            return (common,)
        return tuple(f"{common}, algorithm={algorithm}" for algorithm in self.algorithms)

    def check(
        self, credentials: str | Iterable[str] | None, method: str, uri: str, lookup: Lookup, now: float
    ) -> Verdict:
        """Judge the values of Authorization or Proxy-Authorization of a request with this method and Request-URI.

        Those for other realms are passed over. Unknown users cost the same work as wrong passwords.
        """
        values = () if credentials is None else (credentials,) if isinstance(credentials, str) else credentials
        for value in values:
            try:
                given = parse_auth_params(value)
            except BadHeader:
                return Verdict(Outcome.MALFORMED)
            if given is not None and given.get("realm") == self.realm:
                return self._judge(given, method, uri, lookup, now)
        return Verdict(Outcome.MISSING)

    def _judge(self, given: dict[str, str], method: str, uri: str, lookup: Lookup, now: float) -> Verdict:
        username = given.get("username")
        algorithm = _algorithm(given.get("algorithm"))
        qop, nc, cnonce = given.get("qop", ""), given.get("nc", ""), given.get("cnonce", "")
        nonce, signed_uri, response = (given.get(name) for name in ("nonce", "uri", "response"))
        if username is None or nonce is None or signed_uri is None or response is None:
            return Verdict(Outcome.MALFORMED, username)
        if algorithm not in self.algorithms or not _may_be_signed(signed_uri, uri):
            return Verdict(Outcome.MALFORMED, username)
        if qop and (qop.lower() != "auth" or _NC.fullmatch(nc) is None or not cnonce):
            return Verdict(Outcome.MALFORMED, username)
        secret = lookup(username)
        computed = ha1(algorithm, username, self.realm, secret if isinstance(secret, str) else "")
        stored = secret.get(algorithm) if isinstance(secret, Mapping) else None
        known = isinstance(secret, str) or stored is not None
        expected = digest_response(algorithm, stored or computed, method, signed_uri, nonce, nc, cnonce, qop)
        right = hmac.compare_digest(_bytes(expected), _bytes(response.lower()))
        if not (known and right):
            return Verdict(Outcome.WRONG, username)
        return Verdict(self._use(nonce, int(nc, 16) if qop else _LEGACY_NC, now), username)

    def _use(self, nonce: str, count: int, now: float) -> Outcome:
        """Whether a nonce that came with the right password may be used for the `count`th time."""
        made_ms = self._made_ms(nonce)
        age_ms = -1 if made_ms is None else _ms(now) - made_ms
        if made_ms is None or not 0 <= age_ms <= self.nonce_age_s * 1000:
            return Outcome.STALE
        highest = self._highest.get(nonce)
        if highest is None and made_ms <= self._forgotten_ms:
            return Outcome.STALE
        if count <= (highest or 0):
            return Outcome.REPLAYED
        self._highest[nonce] = count
        self._highest.move_to_end(nonce)
        while len(self._highest) > self.max_nonces:
            forgotten, _ = self._highest.popitem(last=False)
            self._forgotten_ms = max(self._forgotten_ms, int(forgotten[:12], 16))
        return Outcome.ACCEPTED

    def _make_nonce(self, now: float) -> str:
        self._issued = (self._issued + 1) % 0x1000000
        start = f"{_ms(now):012x}{self._issued:06x}"
        return start + self._sign(start)

    def _made_ms(self, nonce: str) -> int | None:
        """When the nonce was made, in ms; `None` when it is not ours."""
        match = _NONCE.fullmatch(nonce)
        if match is None or not hmac.compare_digest(match[3], self._sign(match[1] + match[2])):
            return None
        return int(match[1], 16)

    def _sign(self, start: str) -> str:
        return hmac.digest(self.secret, f"nonce\0{self.realm}\0{start}".encode(), "sha256").hex()[:30]


@attrs.frozen
class Challenge:
    """One Digest challenge that can be answered."""

    realm: str
    nonce: str
    algorithm: str
    named: bool
    """Whether it named its algorithm; the answer does as the challenge did."""
    qop: str
    """`auth`, else `auth-int`, else "" for a server of RFC 2069 that offers none."""
    opaque: str | None = None
    stale: bool = False
    """Whether only the nonce was at fault, so that the same password is worth another try."""

    @classmethod
    def parse(cls, value: str) -> Challenge | None:
        """Read a challenge; `None` when its scheme, algorithm or qop is none that we do. Raises `BadHeader`."""
        given = parse_auth_params(value)
        if given is None:
            return None
        realm, nonce = given.get("realm"), given.get("nonce")
        if realm is None or nonce is None:
            raise BadHeader("WWW-Authenticate", value)
        algorithm = _algorithm(given.get("algorithm"))
        offered = [qop.strip().lower() for qop in given.get("qop", "").split(",") if qop.strip()]
        qop = next((name for name in ("auth", "auth-int") if name in offered), None)
        if algorithm is None or (offered and qop is None):
            return None
        stale = given.get("stale", "").lower() == "true"
        return cls(realm, nonce, algorithm, "algorithm" in given, qop or "", given.get("opaque"), stale)

    def answer(
        self, method: str, uri: str, username: str, password: str, *, body: bytes = b"", nc: int = 1, cnonce: str
    ) -> str:
        """Credentials for a request with this method and Request-URI; `nc` counts the uses of this nonce from 1."""
        a2 = f"{method}:{uri}" if self.qop != "auth-int" else f"{method}:{uri}:{_hash(self.algorithm, body)}"
        count = f"{nc:08x}"
        secret = ha1(self.algorithm, username, self.realm, password)
        response = _response(self.algorithm, secret, _hash(self.algorithm, a2), self.nonce, count, cnonce, self.qop)
        parts = [
            f"username={quote(username)}, realm={quote(self.realm)}, nonce={quote(self.nonce)}, uri={quote(uri)}",
            f'response="{response}"',
        ]
        if self.named:
            parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append(f"cnonce={quote(cnonce)}, qop={self.qop}, nc={count}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        return "Digest " + ", ".join(parts)


def choose_challenge(values: Iterable[str]) -> Challenge:
    """The first of the challenges that can be answered (RFC 8760 2.4). Raises `NoUsableChallenge`."""
    for value in values:
        try:
            challenge = Challenge.parse(value)
        except BadHeader:
            continue  # a malformed challenge is no reason to leave a good one beside it unanswered
        if challenge is not None:
            return challenge
    raise NoUsableChallenge("no challenge that can be answered")


def answer_challenge(
    values: Iterable[str],
    method: str,
    uri: str,
    username: str,
    password: str,
    *,
    body: bytes = b"",
    nc: int = 1,
    cnonce: str,
) -> str:
    """Value of Authorization (after 401) or Proxy-Authorization (after 407) for the challenges of a response.

    `uri` is the Request-URI as it is sent. Raises `NoUsableChallenge`.
    """
    return choose_challenge(values).answer(method, uri, username, password, body=body, nc=nc, cnonce=cnonce)


def parse_auth_params(value: str) -> dict[str, str] | None:
    """The parameters of a Digest challenge or of Digest credentials, names in lower case, values unquoted.

    `None` for another scheme. Raises `BadHeader` when the grammar is broken or a name occurs twice.
    """
    match = _SCHEME.fullmatch(value.strip(" \t"))
    if match is None:
        raise BadHeader("Authorization", value)
    if match[1].lower() != "digest":
        return None
    text = match[2] or ""
    if _PARAMS.fullmatch(text) is None:
        raise BadHeader("Authorization", value)
    found = _PARAM.findall(text)
    params = {name.lower(): unquote(written) for name, written in found}
    if len(params) != len(found):
        raise BadHeader("Authorization", value)
    return params


def _may_be_signed(signed: str, actual: str) -> bool:
    """Whether a request with this Request-URI may carry the signature of that URI.

    In SIP the two need not be equivalent (RFC 3261 section 22.4): a phone signs the URI it dialled or the proxy it
    sends to, and proxies rewrite. What is signed is bound to the nonce and its count all the same.
    """
    if signed == actual:
        return True
    try:
        one, other = Uri.parse(signed), Uri.parse(actual)
    except SipError:
        return False
    return (one.is_sip and other.is_sip) or one == other


def _ms(now: float) -> int:
    return max(0, int(now * 1000)) % 2**48


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
