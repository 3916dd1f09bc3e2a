"""The webhook client: asks customers' applications over HTTP and gives back plain replies or errors with public codes.

One `WebhookClient` serves the process. It sits directly on httpcore2 (docs/decisions/0002-webhook-client.md): one
pool of connections for each origin, opened through `Network`. What belongs to a call (cookies, credentials) lives in
the `CallSession` that each delivery is given.
"""

from __future__ import annotations

import datetime
import enum
import secrets
from collections.abc import Callable, Iterable
from contextlib import aclosing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs
import httpcore2
import trio

from .network import Network
from .webhook_auth import parse_challenges
from .webhook_backend import ATTEMPT, Attempt
from .webhook_cache import Cache, Entry
from .webhook_errors import (
    BadContentType,
    BadRedirect,
    BadStatus,
    BadUrl,
    ConnectionBroke,
    HttpViolation,
    MediaTooLarge,
    TooLarge,
    TooManyRedirects,
    TotalTimeExceeded,
    WebhookError,
    failure_of,
)
from .webhook_guard import AddressGuard, IpNetwork, guard_of
from .webhook_options import DEFAULT, Options, parse_options
from .webhook_pools import CLOSE_S, Pools
from .webhook_session import CallSession
from .webhook_target import Params, Target, clean, encode, parse_target, resolve

__all__ = [
    "DOCUMENT_TYPES",
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
DOCUMENT_BYTES_MAX = 64 * 1024
MEDIA_BYTES_MAX = 100 * 1024 * 1024
"""Well above 40 minutes of MP3, or of uncompressed telephone audio."""
MEDIA_TOTAL_S = 60.0
"""Media may take longer than a document, as long as something arrives within the read timeout."""
DOCUMENT_TYPES = frozenset({"text/xml", "application/xml", "text/html", "text/plain"})
"""Content types of documents; audio may come in a document's place too."""
REUSE_TRIES_MAX = 65
"""A request is repeated at most so often because an idle connection turned out to be dead: one more than a pool has."""

Sign = Callable[[str, Params], str]
"""Makes the signature of a request from its URL and its form parameters (none for GET)."""


class Purpose(enum.Enum):
    """What a request is for: decides which answers are good, and how large they may be."""

    DOCUMENT = "document"
    """2xx with a content type that can be a document; 64 KiB, audio as much as media."""
    CALLBACK = "callback"
    """Any 2xx; the body does not matter."""
    MEDIA = "media"
    """Any 2xx; 100 MiB."""


@attrs.frozen
class WebhookRequest:
    """One delivery to an application."""

    url: str
    """As configured, absolute, with user and connection overrides if it has them."""
    method: str = "POST"
    params: Params = ()
    """The standard parameters; they are sent again after a redirect."""
    verb_params: Params = ()
    """What the finished verb adds (`Digits` …); not sent again after a redirect."""
    purpose: Purpose = Purpose.DOCUMENT


@attrs.frozen
class Reply:
    """A good answer (2xx)."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")
    url: str
    """Where it came from after redirects: relative URLs in it resolve against this; has the user, no fragment."""
    elapsed_s: float = 0.0
    attempts: int = 1
    """How many the delivery took, as the retry policy counts: redirects, and requests that were repeated because a kept
    connection had been closed, belong to one attempt."""
    version: int | None = None
    """Set when the answer is cached: equal as long as the body is the same one."""

    def header(self, name: str) -> str | None:
        """The first header of that name (lower case)."""
        return next((value for known, value in self.headers if known == name), None)

    @property
    def content_type(self) -> str | None:
        """`type/subtype` in lower case, without parameters; None when there is none."""
        return media_type(self.header("content-type"))

    @property
    def charset(self) -> str | None:
        """The `charset` parameter of the content type, in lower case."""
        _, *params = (self.header("content-type") or "").split(";")
        for param in params:
            name, _, value = param.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip('"').lower() or None
        return None


@attrs.define(eq=False)
class _Answer:
    """A response as it came, read as far as its purpose allows."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool
    """False: the body was longer than its bound and the rest was left."""
    entry: Entry | None = None

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]


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
        guard: AddressGuard = guard_of(self.allowed_networks)
        self._pools = Pools(self.network, guard, self.ca_file)

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

    def _judge(self, delivery: _Delivery, target: Target, answer: _Answer) -> Reply:
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

    async def _attempts(self, delivery: _Delivery, method: str, target: Target, form: Params) -> _Answer:
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

    async def _authorized(self, delivery: _Delivery, method: str, target: Target, form: Params) -> _Answer:
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
    ) -> _Answer:
        """One request and its answer; from the cache where that may be."""
        now = trio.current_time()
        session = delivery.session
        cookie = session.cookies.header(target, now)
        # What is answered to somebody in particular is nobody else's (RFC 9111 section 3.5).
        shared = method == "GET" and authorization is None and cookie is None
        entry = self.cache.find(target.url) if shared else None
        if entry is not None and entry.fresh_until > now:
            return _Answer(entry.status, entry.headers, entry.body, True, entry)
        headers = [*self._headers(delivery, target, authorization, cookie), *self._about(method, target, form, body)]
        if entry is not None:
            headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in entry.conditions()]
        answer = await self._exchange(delivery, method, target, headers, body)
        utc, now = self.now_utc(), trio.current_time()
        for value in answer.all("set-cookie"):
            session.cookies.store(value, target, now=now, utc=utc)
        if entry is not None and answer.status == 304:
            self.cache.refresh(target.url, entry, answer.headers, now=now, utc=utc)
            return _Answer(entry.status, entry.headers, entry.body, True, entry)
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

    async def _exchange(
        self, delivery: _Delivery, method: str, target: Target, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> _Answer:
        """One request over a connection of the origin's pool.

        A kept connection may have been closed by the server while it was idle. The request then failed without a byte
        of an answer and goes out again on another connection, which counts as no attempt; the idempotency token is
        the same, so a server that did see it can tell.
        """
        options = delivery.options
        # Waiting for the whole is bounded already; a second scope for each read is made only where it says more.
        read = options.read_s if options.read_s < options.total_s else None
        timeouts = {"connect": options.connect_s, "read": read, "write": read, "pool": None}
        for _ in range(REUSE_TRIES_MAX):
            attempt = Attempt()
            ATTEMPT.set(attempt)
            request = httpcore2.Request(
                method,
                httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
                headers=headers,
                content=body,
                extensions={"timeout": timeouts},
            )
            try:
                with self._pools.use(target, sni=options.sni) as pool:
                    response = await pool.handle_async_request(request)
                    try:
                        answer = await self._read(delivery.request.purpose, response)
                    finally:
                        with trio.move_on_after(CLOSE_S) as scope:
                            scope.shield = True
                            await response.aclose()
                # Some servers say 408 to a connection that was idle for too long: that answers nothing we asked.
                if answer.status != 408 or attempt.connected:
                    return answer
            except Exception as error:
                failure = failure_of(error)
                if failure is None:
                    raise
                if attempt.connected or attempt.answered or not _lost(error):
                    if not attempt.answered and isinstance(error, httpcore2.RemoteProtocolError):
                        failure = ConnectionBroke("the server closed the connection without an answer")
                    if failure is error:
                        raise
                    raise failure from error
        raise ConnectionBroke("every kept connection had been closed by the server")

    async def _read(self, purpose: Purpose, response: httpcore2.Response) -> _Answer:
        """Head and body, as much of it as the purpose has a use for."""
        headers = tuple((name.decode("ascii").lower(), value.decode("latin-1")) for name, value in response.headers)
        if response.status < 200:
            raise HttpViolation(f"the server answered {response.status}")
        known = dict(headers)
        if known.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise HttpViolation(f"an encoding nobody asked for: {known['content-encoding']}")
        large = purpose is Purpose.MEDIA or is_audio(media_type(known.get("content-type")) or "")
        bound = MEDIA_BYTES_MAX if large and 200 <= response.status < 300 else DOCUMENT_BYTES_MAX
        length = known.get("content-length", "")
        if length.isdigit() and len(length) < 16 and int(length) > bound:
            return _Answer(response.status, headers, b"", False)
        parts: list[bytes] = []
        size = 0
        async with aclosing(response.aiter_stream()) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if size > bound:
                    return _Answer(response.status, headers, b"".join(parts), False)
                parts.append(chunk)
        return _Answer(response.status, headers, b"".join(parts), True)


def is_audio(content_type: str) -> bool:
    """Whether a content type (`type/subtype`) is one of sound."""
    return content_type.startswith("audio/")


def media_type(value: str | None) -> str | None:
    """`type/subtype` of a Content-Type value, in lower case; None when there is none."""
    kind = (value or "").partition(";")[0].strip().lower()
    return kind or None


def _lost(error: Exception) -> bool:
    """Whether a connection ended, as opposed to a server that answers nonsense or not at all."""
    return isinstance(error, (httpcore2.RemoteProtocolError, httpcore2.ReadError, httpcore2.WriteError))


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
