"""Error answers of the REST API: code, message, more_info and status, as JSON or, where a client prefers it, XML."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

import attrs
import msgspec
from starlette.requests import Request
from starlette.responses import Response

MORE_INFO = "https://www.twilio.com/docs/errors/{code}"

XML_HEAD = "<?xml version='1.0' encoding='UTF-8'?>\n"


@attrs.define(eq=False)
class ApiError(Exception):
    """A request that is answered with an error body."""

    status: int
    code: int
    message: str
    detail: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.message}"


def not_found(request: Request) -> ApiError:
    return ApiError(404, 20404, f"The requested resource {request.url.path} was not found")


def render(request: Request, error: ApiError) -> Response:
    """The answer to `request`."""
    body: dict[str, object] = {
        "code": error.code,
        "message": error.message,
        "more_info": MORE_INFO.format(code=error.code),
        "status": error.status,
    }
    if error.detail is not None:
        body["detail"] = error.detail
    if prefers_xml(request):
        names = {"code": "Code", "detail": "Detail", "message": "Message", "more_info": "MoreInfo", "status": "Status"}
        inner = "".join(f"<{names[key]}>{escape(str(body[key]))}</{names[key]}>" for key in names if key in body)
        xml = f"{XML_HEAD}<TwilioResponse><RestException>{inner}</RestException></TwilioResponse>"
        return Response(xml, error.status, error.headers, media_type="application/xml")
    return Response(msgspec.json.encode(body), error.status, error.headers, media_type="application/json")


def prefers_xml(request: Request) -> bool:
    """`.xml` always, `.json` never; without either what Accept names first."""
    path, accept = request.url.path, request.headers.get("accept", "")
    if path.endswith((".xml", ".json")):
        return path.endswith(".xml")
    kinds = [kind.partition(";")[0].strip().lower() for kind in accept.split(",")]
    named = [kind for kind in kinds if kind in ("application/json", "application/xml", "text/xml")]
    return bool(named) and named[0] != "application/json"
