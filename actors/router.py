"""Routing of SIP messages to living legs, and answers to strays; what a switchboard and a scripted phone share.

A fault that one message causes is contained here: it is logged and counted, a request is answered 500 where possible,
and the next message is read. It never counts as a crash, or a handful of packets could end the server.
"""

from __future__ import annotations

import abc
import contextlib
from typing import Final, TypeAlias, assert_never

import attrs
import structlog

from ..sip.build import respond, respond_to_malformed
from ..sip.message import Request, Response
from ..sip.tokens import Method
from ..sip.transaction.events import SendResponse
from ..sip.transaction.key import cancelled_key, client_key, server_key
from ..transport.flow import Flow, FlowClosed, Malformed, Received
from .actor import Actor
from .courier import Courier
from .mailbox import ActorGone, Ref
from .messages.leg import Incoming, LegMessage
from .registry import Registry

CAPACITY: Final = 1024

NetworkInput: TypeAlias = Received | Malformed | FlowClosed

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class Router(Actor[NetworkInput]):
    """One task; whatever a leg's mailbox cannot take, the peer repeats (UDP) or waits for (streams)."""

    registry: Registry
    courier: Courier
    server_header: str
    """Value of Server on answers given here; empty: none."""

    @abc.abstractmethod
    async def outside_dialog(self, request: Request, received: Received) -> None:
        """A request that belongs to no living leg and to no transaction, and asks for something new."""

    def heard(self, received: Received) -> None:
        """A message has come, before anything is made of it."""

    def unread(self, message: Malformed, answer: Response) -> None:
        """A request that could not be read; `answer` is what it is going to get."""

    async def flow_closed(self, closed: FlowClosed) -> None:
        """A connection is gone. Legs need not be told: they learn of it when they next send."""

    def contained(self, error: Exception) -> None:
        """A message could not be handled; it is in the log already."""

    async def handle(self, message: NetworkInput) -> None:
        try:
            await self._route(message)
        except Exception as error:
            log.error("message could not be handled", message=type(message).__name__, exc_info=error)
            self.contained(error)
            self._answer_fault(message)

    def _answer_fault(self, message: NetworkInput) -> None:
        """500 to a request that could not be handled. What broke the handling may break the answer too."""
        if not isinstance(message, Received):
            return
        try:
            request = message.message
            if isinstance(request, Request) and request.method != Method.ACK:
                self.answer(request, message.flow, 500)
        except Exception as error:
            log.error("message could not be answered", message=type(message).__name__, exc_info=error)

    async def _route(self, message: NetworkInput) -> None:
        match message:
            case Received():
                self.heard(message)
                if isinstance(message.message, Request):
                    await self._request(message.message, message)
                else:
                    await self._response(message.message, message)
            case Malformed():
                self._malformed(message)
            case FlowClosed():
                await self.flow_closed(message)
            case _:
                assert_never(message)

    async def _request(self, request: Request, received: Received) -> None:
        leg = self._find(request)
        if leg is not None:
            await self._forward(leg, received)
        elif request.method == Method.ACK:
            pass  # of a refusal that was answered statelessly, or of a dialog long gone
        elif request.method == Method.REGISTER:
            await self.outside_dialog(request, received)  # whatever its To says: some phones keep an answer's tag there
        elif request.to_tag is not None or request.method in (Method.CANCEL, Method.BYE):
            self.answer(request, received.flow, 481)
        else:
            await self.outside_dialog(request, received)

    def _find(self, request: Request) -> Ref[LegMessage] | None:
        """The leg, or the linger, that a request belongs to."""
        tag = request.to_tag
        if tag is not None:
            leg = self.registry.legs.get((request.call_id, tag))
            if leg is not None:
                return leg
        transactions = self.registry.transactions
        if request.method == Method.CANCEL:
            # A copy of a CANCEL that has been answered, or the INVITE that it is about.
            return transactions.get(server_key(request)) or transactions.get(cancelled_key(request))
        return transactions.get(server_key(request))

    async def _response(self, response: Response, received: Received) -> None:
        leg = self.registry.legs.get((response.call_id, response.from_tag or ""))
        if leg is None:
            leg = self.registry.transactions.get(client_key(response))
        if leg is not None:
            await self._forward(leg, received)

    async def _forward(self, leg: Ref[LegMessage], received: Received) -> None:
        message = Incoming(received.message, received.flow, received.at)
        if not received.flow.reliable:
            leg.offer(message)  # what is lost is repeated
            return
        # Nobody repeats what came by a stream: wait for room, and TCP holds the peer back meanwhile.
        with contextlib.suppress(ActorGone):
            await leg.send(message)

    def _malformed(self, message: Malformed) -> None:
        log.info("malformed message", source=str(message.flow), error=str(message.error), status=message.error.status)
        response = None if message.answered else respond_to_malformed(message.error, self._own_headers)
        if response is not None:
            self.unread(message, response)
            self._send(response, message.flow)

    def answer(
        self,
        request: Request,
        flow: Flow,
        status: int,
        reason: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answer statelessly: every copy of the request gets the same answer, and no task is started."""
        self._send(respond(request, status, reason, headers=(*headers, *self._own_headers)), flow)

    @property
    def _own_headers(self) -> tuple[tuple[str, str], ...]:
        return (("Server", self.server_header),) if self.server_header else ()

    def _send(self, response: Response, flow: Flow) -> None:
        self.courier.respond(SendResponse(response, flow))
