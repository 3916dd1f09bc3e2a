"""Requests, responses and drivers for the tests of the transactions."""

from __future__ import annotations

import math

from offhook.sip.address import NameAddr
from offhook.sip.build import request as build_request
from offhook.sip.build import respond
from offhook.sip.headers import Headers
from offhook.sip.message import Request, Response
from offhook.sip.params import Params
from offhook.sip.routing import Hop
from offhook.sip.transaction.events import Lingering, SendRequest, SendResponse, TransactionOutput
from offhook.sip.uri import Uri
from offhook.sip.via import Via
from tests.sip.dialog.pair import Path

UDP, TCP = Path(), Path("TCP", True)
BOB = Uri.parse("sip:bob@callee.test")


def a_request(
    method: str,
    *,
    branch: str | None = "z9hG4bK-1",
    host: str = "caller.test",
    cseq: int = 1,
    to_tag: str | None = None,
    uri: Uri = BOB,
) -> Request:
    """A request from ann to bob."""
    to = NameAddr(BOB)
    return build_request(
        method,
        uri,
        via=Via("UDP", host, None, Params(() if branch is None else (("branch", branch),))),
        from_=NameAddr.parse("<sip:ann@caller.test>;tag=ann"),
        to=to if to_tag is None else to.with_tag(to_tag),
        call_id="call-1",
        cseq=cseq,
        contact="<sip:ann@caller.test>",
    )


def sending(method: str, *, reliable: bool = False) -> SendRequest:
    """A request as a transaction sends it."""
    return SendRequest(a_request(method), Hop("callee.test", None, "TCP" if reliable else "UDP"), None, "z9hG4bK-1")


def response_to(request: Request, status: int, tag: str = "bob") -> Response:
    return respond(request, status, to_tag=tag)


def without_branch(request: Request) -> Request:
    """As a client of RFC 2543 sends it."""
    headers = Headers((name, value.partition(";")[0] if name == "Via" else value) for name, value in request.headers)
    return request.with_headers(headers)


def sent_at(transaction: Lingering, until: float = math.inf) -> list[float]:
    """When a transaction that is left alone sends something, until it ends or that date."""
    dates: list[float] = []
    while (now := transaction.wake_at()) <= until and now < math.inf:
        dates += [now for output in transaction.wake(now) if isinstance(output, SendRequest | SendResponse)]
    return dates


def kinds(outputs: list[TransactionOutput]) -> list[str]:
    return [type(output).__name__ for output in outputs]
