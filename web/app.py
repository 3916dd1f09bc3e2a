"""The ASGI application: health, metrics and the media of recordings. Everything it shows is handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .auth import Credentials
from .rest.errors import ApiError, not_found, render
from .rest.recordings import RecordingMedia

log = structlog.get_logger(__name__)

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PEM_TYPE = "application/x-pem-file"
NO_STORE = {"Cache-Control": "no-store"}
MESSAGES = {400: (20400, "Bad request"), 503: (20503, "Service unavailable")}


@attrs.frozen
class Health:
    """How the server is."""

    status: str
    """`starting`, `ready` or `draining`."""
    listeners: Mapping[str, str]
    """Name of each listener (`udp 127.0.0.1:5060`) to its state: `up`, or what is the matter."""

    @property
    def ready(self) -> bool:
        return self.status == "ready" and all(state == "up" for state in self.listeners.values())


def make_app(
    *,
    credentials: Credentials,
    exposed: bool,
    health: Callable[[], Health],
    metrics: Callable[[], bytes],
    recordings: RecordingMedia,
    authority: Callable[[], bytes | None] | None = None,
) -> Starlette:
    """`exposed`: others than this machine can reach us, so /metrics asks for `credentials`; recordings always do.

    /healthz never does: load balancers have none, and it tells nothing about calls. Neither does /ca.pem, the
    certificate of our `authority`: phones fetch it themselves, and every TLS client is shown it anyway.
    """

    async def healthz(request: Request) -> Response:
        now = health()
        status = "starting" if now.status == "ready" and not now.ready else now.status
        body = msgspec.json.encode({"status": status, "listeners": dict(now.listeners)})
        return Response(body, 200 if now.ready else 503, NO_STORE, media_type="application/json")

    async def prometheus(request: Request) -> Response:
        if exposed:
            credentials.check(request)
        return Response(metrics(), 200, {**NO_STORE, "Content-Type": METRICS_TYPE})

    async def ca_pem(request: Request) -> Response:
        pem = None if authority is None else authority()
        if pem is None:
            raise not_found(request)
        named = {"Content-Disposition": 'attachment; filename="offhook-ca.pem"'}
        return Response(pem, 200, {**NO_STORE, **named}, media_type=PEM_TYPE)

    media = "/2010-04-01/Accounts/{account_sid}/Recordings/{name}"
    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/metrics", prometheus),
            Route("/ca.pem", ca_pem),
            Route(media, recordings.get),
        ],
        exception_handlers={ApiError: on_api_error, HTTPException: on_http_error, Exception: on_bug},
    )


async def on_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return render(request, error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: unknown paths, wrong methods, broken requests."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return render(request, not_found(request))
    if error.status_code == 405:
        text = f"The method {request.method} is not allowed for {request.url.path}"
        return render(request, ApiError(405, 20004, text, headers=error.headers or {}))
    code, text = MESSAGES.get(error.status_code, (20000 + error.status_code, error.detail))
    return render(request, ApiError(error.status_code, code, text, headers=error.headers or {}))


async def on_bug(request: Request, error: Exception) -> Response:
    """A bug of ours: the caller gets a plain 500, the log everything. Starlette raises it again; `quiet` stops that."""
    log.error("request failed", path=request.url.path, exc_info=error)
    return render(request, ApiError(500, 20500, "An internal error has occurred"))
