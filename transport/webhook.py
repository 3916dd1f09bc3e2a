"""The webhook client: asks customers' applications over HTTP and gives back plain replies or errors with public codes.

One `WebhookClient` serves the process. It sits on h11 (docs/decisions/0002-webhook-client.md): one pool of connections
for each origin, opened through `Network`. What belongs to a call (cookies, credentials) lives in the `CallSession` that
each delivery is given.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs
import trio

from .network import Network
from .policy import IpNetwork
from .webhook_auth import parse_challenges
from .webhook_cache import Cache
from .webhook_errors import (
    BadContentType,
    BadRedirect,
    BadStatus,
    BadUrl,
    HttpViolation,
    MediaTooLarge,
    TooLarge,
    TooManyRedirects,
    TotalTimeExceeded,
    WebhookError,
)
from .webhook_exchange import Answer, exchange
from .webhook_guard import guard_of
from .webhook_messages import (
    DOCUMENT_BYTES_MAX,
    DOCUMENT_TYPES,
    MEDIA_BYTES_MAX,
    Purpose,
    Reply,
    WebhookRequest,
    is_audio,
)
from .webhook_options import DEFAULT, Options, parse_options
from .webhook_pools import Pools
from .webhook_session import CallSession
from .webhook_target import Params, Target, clean, encode, parse_target, resolve

__all__ = [
    "DOCUMENT_TYPES",
    "MEDIA_BYTES_MAX",
    "CallSession",
    "Purpose",
    "Reply",
    "WebhookClient",
    "WebhookError",
    "WebhookRequest",
    "is_audio",
    "resolve",
]

REDIRECTS_MAX = 10
FOLLOWED = frozenset({301, 302, 303, 307})
MEDIA_TOTAL_S = 60.0
"""Media may take longer than a document, as long as something arrives within the read timeout."""
Sign = Callable[[str, Params], str]
"""Makes the signature of a request from its URL and its form parameters (none for GET)."""


@attrs.define(eq=False)
class _Delivery:
    """One request on its way through redirects and attempts."""

    request: WebhookRequest
    session: CallSession
    options: Options
    token: str
    """The idempotency token: the same for every attempt."""
    retries_left: int

    @property
    def attempts(self) -> int:
        """Begun so far; redirects and answers to a 401 belong to theirs."""
        return 1 + self.options.retries - self.retries_left


@attrs.define(eq=False)
class WebhookClient:
    """The process's HTTP client. Use it as `async with`, or `aclose` it."""

    network: Network
    sign: Sign | None = None
    """Gives the value of `X-Twilio-Signature`; None: requests are not signed."""
    allowed_networks: Iterable[str | IpNetwork] = ()
    """Networks that may be reached although they are not public."""
    ca_file: str | Path | None = None
    """PEM file with authorities that are trusted beside the public ones."""
    options: Options = DEFAULT
    """What a URL without overrides gets."""
    user_agent: str = attrs.field(factory=lambda: f"offhook/{_version()}")
    now_utc: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC)
    new_token: Callable[[], str] = lambda: secrets.token_hex(16)
    """Makes idempotency tokens and the nonces of digest answers."""
    cache: Cache = attrs.field(factory=Cache)
    _pools: Pools = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pools = Pools(self.network, guard_of(self.allowed_networks), self.ca_file)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; requests under way fail."""
        await self._pools.aclose()

    async def fetch(self, request: WebhookRequest, session: CallSession | None = None) -> Reply:
        """Carry out one delivery; without `session` it has cookies and credentials of its own.

        Raises a `WebhookError`, whose `code` says why, when there is no good answer within the total time.
        """
        started = trio.current_time()
        await self._pools.sweep()
        shown = _shown(request.url)
        delivery: _Delivery | None = None
        try:
            target = parse_target(request.url)
            shown = target.url
            if request.purpose is Purpose.CALLBACK and "_" in target.host:
                raise BadUrl(f"an underscore in the host name {target.host!r}")
            options = parse_options(target.fragment, self._default_for(request.purpose))
            delivery = _Delivery(request, session or CallSession(), options, self.new_token(), options.retries)
            with trio.move_on_at(started + options.total_s):
                reply = await self._follow(delivery, target)
                return attrs.evolve(reply, elapsed_s=trio.current_time() - started, attempts=delivery.attempts)
            raise TotalTimeExceeded(f"no answer within {options.total_s:g} s")
        except WebhookError as error:
            error.url = shown
            error.attempts = 1 if delivery is None else delivery.attempts
            raise

    def _default_for(self, purpose: Purpose) -> Options:
        if purpose is Purpose.MEDIA and self.options.total_s < MEDIA_TOTAL_S:
            return attrs.evolve(self.options, total_s=MEDIA_TOTAL_S)
        return self.options

    async def _follow(self, delivery: _Delivery, target: Target) -> Reply:
        """Ask, and follow redirects (RFC 9110 section 15.4) until something else comes."""
        request = delivery.request
        method, params = request.method.upper(), clean((*request.params, *request.verb_params))
        for _ in range(REDIRECTS_MAX + 1):
            asked = target.with_query(params) if method == "GET" else target
            answer = await self._attempts(delivery, method, asked, () if method == "GET" else params)
            if not 300 <= answer.status < 400:
                return self._judge(delivery, asked, answer)
            locations = answer.all("location")
            if answer.status not in FOLLOWED or not locations or not locations[0].strip():
                raise BadRedirect(f"{answer.status} with {'a' if locations else 'no'} Location")
            try:
                target = target.follow(locations[0])
            except BadUrl as error:
                raise BadRedirect(f"{answer.status} to a bad Location: {error.detail}") from error
            if answer.status != 307:
                method = "GET"
            params = clean(request.params)
        raise TooManyRedirects(f"more than {REDIRECTS_MAX} redirects")

    def _judge(self, delivery: _Delivery, target: Target, answer: Answer) -> Reply:
        """A reply from a final answer, or the error that it is for this purpose."""
        purpose = delivery.request.purpose
        if not 200 <= answer.status < 300:
            if answer.status < 400:
                raise HttpViolation(f"the server answered {answer.status}")
            raise BadStatus(f"the server answered {answer.status}", status=answer.status, body=answer.body)
        if not answer.whole and purpose is Purpose.MEDIA:
            raise MediaTooLarge(f"media of more than {MEDIA_BYTES_MAX} bytes")
        if not answer.whole and purpose is Purpose.DOCUMENT:
            raise TooLarge(f"a body of more than {DOCUMENT_BYTES_MAX} bytes")
        reply = Reply(
            answer.status,
            answer.headers,
            answer.body,
            target.base,
            version=answer.entry.version if answer.entry is not None else None,
        )
        if purpose is Purpose.DOCUMENT and reply.body:
            kind = reply.content_type
            if kind is None:
                raise BadContentType("the answer has no Content-Type")
            if kind not in DOCUMENT_TYPES and not is_audio(kind):
                raise BadContentType(f"a document cannot be {kind}")
        return reply

    async def _attempts(self, delivery: _Delivery, method: str, target: Target, form: Params) -> Answer:
        """One request with as many attempts as the retry policy gives."""
        while True:
            try:
                answer = await self._authorized(delivery, method, target, form)
            except WebhookError as error:
                if delivery.retries_left <= 0 or not delivery.options.retries_error(error):
                    raise
            else:
                if answer.status < 400 or delivery.retries_left <= 0:
                    return answer
                if not delivery.options.retries_status(answer.status):
                    return answer
            delivery.retries_left -= 1

    async def _authorized(self, delivery: _Delivery, method: str, target: Target, form: Params) -> Answer:
        """One attempt; a 401 is answered with the credentials of the URL, or of the call so far."""
        credentials = delivery.session.credentials
        body = encode(form).encode("ascii") if method != "GET" else b""
        challenged = 0
        while True:  # unasked, asked, asked again because the nonce is stale
            answer_given = credentials.header(method, target, body, self.new_token)
            answer = await self._ask(delivery, method, target, form, body, answer_given)
            challenged += 1
            if answer.status != 401 or challenged == 3:
                return answer
            challenges = parse_challenges(answer.all("www-authenticate"))
            if not credentials.learn(challenges, target, answered=answer_given is not None):
                return answer

    async def _ask(
        self,
        delivery: _Delivery,
        method: str,
        target: Target,
        form: Params,
        body: bytes,
        authorization: str | None,
    ) -> Answer:
        """One request and its answer; from the cache where that may be."""
        now = trio.current_time()
        session = delivery.session
        cookie = session.cookies.header(target, now)
        # What is answered to somebody in particular is nobody else's (RFC 9111 section 3.5).
        shared = method == "GET" and authorization is None and cookie is None
        entry = self.cache.find(target.url) if shared else None
        if entry is not None and entry.fresh_until > now:
            return Answer(entry.status, entry.headers, entry.body, True, entry)
        headers = [*self._headers(delivery, target, authorization, cookie), *self._about(method, target, form, body)]
        if entry is not None:
            headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in entry.conditions()]
        purpose = delivery.request.purpose
        answer = await exchange(self._pools, delivery.options, purpose, method, target, headers, body)
        utc, now = self.now_utc(), trio.current_time()
        for value in answer.all("set-cookie"):
            session.cookies.store(value, target, now=now, utc=utc)
        if entry is not None and answer.status == 304:
            self.cache.refresh(target.url, entry, answer.headers, now=now, utc=utc)
            return Answer(entry.status, entry.headers, entry.body, True, entry)
        if shared and answer.whole:
            answer.entry = self.cache.store(target.url, answer.status, answer.headers, answer.body, now=now, utc=utc)
        return answer

    def _headers(
        self, delivery: _Delivery, target: Target, authorization: str | None, cookie: str | None
    ) -> list[tuple[bytes, bytes]]:
        """Who asks, and whom."""
        headers = [
            (b"Host", target.authority.encode("ascii")),
            (b"User-Agent", self.user_agent.encode("latin-1")),
            (b"Accept", b"*/*"),
            (b"Accept-Encoding", b"identity"),
            (b"I-Twilio-Idempotency-Token", delivery.token.encode("ascii")),
        ]
        if authorization is not None:
            headers.append((b"Authorization", authorization.encode("utf-8")))
        if cookie is not None:
            headers.append((b"Cookie", cookie.encode("latin-1")))
        return headers

    def _about(self, method: str, target: Target, form: Params, body: bytes) -> list[tuple[bytes, bytes]]:
        """What describes the body and vouches for it."""
        headers = []
        if method != "GET":
            headers.append((b"Content-Type", b"application/x-www-form-urlencoded; charset=UTF-8"))
            headers.append((b"Content-Length", b"%d" % len(body)))
        if self.sign is not None:
            headers.append((b"X-Twilio-Signature", self.sign(target.url, form).encode("ascii")))
        return headers


def _shown(url: str) -> str:
    """A URL that could not be read, without what could be a password or a fragment."""
    head, _, _ = url.strip().partition("#")
    scheme, separator, rest = head.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"[:512]


def _version() -> str:
    try:
        return version("offhook")
    except PackageNotFoundError:
        return "0"
