"""Asking the application: over HTTP, or by calling the function that an embedding program gave in a URL's place."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Final

import attrs
import structlog
import trio

from ..store.records import WebhookFunction, WebhookTarget
from ..transport.errors import WebhookFailed
from ..transport.webhook import CallSession, Purpose, Reply, WebhookClient, WebhookRequest
from ..transport.webhook_errors import BadUrl
from ..transport.webhook_target import Params, parse_target
from .bus import Bus
from .messages.events import WebhookFailed as FailureReported
from .messages.events import WebhookRequested

IN_PROCESS: Final = "offhook:function"
"""What stands for the URL of a document that a function gave; relative URLs in it resolve to nothing."""
FUNCTION_TIMEOUT_S: Final = 15.0
"""A function has as long as a request over HTTP."""
BODY_SHOWN: Final = 64 * 1024

log = structlog.get_logger(__name__)


@attrs.frozen(kw_only=True)
class Asked:
    """One request to an application."""

    call_sid: str
    account: str
    target: WebhookTarget
    method: str
    purpose: str
    """For people: `voice`, `fallback`, `action`, `redirect`, `status-callback` …"""
    params: Params
    verb_params: Params = ()
    kind: Purpose = Purpose.DOCUMENT


@attrs.define(eq=False)
class Webhooks:
    """One for the process. Every request is told on the bus, whatever became of it."""

    client: WebhookClient
    bus: Bus
    now_utc: Callable[[], datetime.datetime]

    async def ask(self, asked: Asked, session: CallSession) -> Reply:
        """The application's answer. Raises WebhookFailed with the public code."""
        started = trio.current_time()
        try:
            if isinstance(asked.target, str):
                reply = await self._over_http(asked, asked.target, session)
            else:
                reply = await self._in_process(asked, asked.target)
        except WebhookFailed as error:
            self.bus.publish(
                FailureReported(
                    at=self.now_utc(),
                    account=asked.account,
                    call_sid=asked.call_sid,
                    url=error.url,
                    code=error.code,
                    detail=error.detail,
                )
            )
            raise
        self.bus.publish(
            WebhookRequested(
                at=self.now_utc(),
                account=asked.account,
                call_sid=asked.call_sid,
                method=asked.method,
                url=shown(asked.target),
                purpose=asked.purpose,
                params=(*asked.params, *asked.verb_params),
                status=reply.status,
                body=reply.body[:BODY_SHOWN].decode("utf-8", "replace") if not is_sound(reply) else "",
                duration_ms=(trio.current_time() - started) * 1000,
            )
        )
        return reply

    async def _over_http(self, asked: Asked, url: str, session: CallSession) -> Reply:
        request = WebhookRequest(url, asked.method, asked.params, asked.verb_params, asked.kind)
        return await self.client.fetch(request, session)

    async def _in_process(self, asked: Asked, function: WebhookFunction) -> Reply:
        params = dict((*asked.params, *asked.verb_params))
        name = shown(function)
        body: str | None = None
        try:
            with trio.move_on_after(FUNCTION_TIMEOUT_S):
                body = await function(params) or ""
        except Exception as error:
            log.exception("a webhook function failed", function=name, call_sid=asked.call_sid)
            raise WebhookFailed(11200, name, f"{type(error).__name__}: {error}") from error
        if body is None:
            raise WebhookFailed(11203, name, f"no answer within {FUNCTION_TIMEOUT_S:g} s")
        return Reply(200, (("content-type", "text/xml; charset=utf-8"),), body.encode(), IN_PROCESS)


def shown(target: WebhookTarget) -> str:
    """A target as text for logs and parameters: without user, password and fragment."""
    if isinstance(target, str):
        try:
            return parse_target(target).url
        except BadUrl:
            return target
    return f"{IN_PROCESS}/{getattr(target, '__qualname__', type(target).__name__)}"


def is_sound(reply: Reply) -> bool:
    return (reply.content_type or "").startswith("audio/")
