"""The transactions of one Call-ID (or of a registrar): which one a message belongs to, and when one of them is due."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, Final

import attrs

from ..build import respond
from ..message import Message, Request, Response
from ..timers import Timers
from .client import NonInviteClient
from .events import Flow, Requested, SendRequest, SendResponse, Stray, TransactionOutput
from .invite_client import InviteClient
from .invite_server import InviteServer
from .key import ClientKey, ServerKey, cancelled_key, client_key, merge_key, server_key
from .server import NonInviteServer

if TYPE_CHECKING:
    from .events import Client, Server, Transaction

_ORDER: Final = itertools.count()
_ENDING: Final = frozenset({"BYE", "CANCEL"})
"""What ends something is carried out even by a layer that is full."""

_RETRY_AFTER: Final = ("Retry-After", "10")


@attrs.define(eq=False)
class Transactions:
    """Client and server transactions under their keys, with one date to wake at.

    Outputs are what the machines give, and `Requested` for a request that starts a transaction, `Stray` for a message
    that belongs to none and starts none. Finished transactions are forgotten.
    """

    timers: Timers
    local_tag: str
    """To tag of responses that the layer makes itself (8.2.6.2)."""

    headers: tuple[tuple[str, str], ...] = ()
    """Header fields of responses that the layer makes itself, such as Server."""

    limit: int | None = None
    """Open server transactions beyond which a request is answered 503 without one, BYE and CANCEL excepted."""

    _clients: dict[ClientKey, Client] = attrs.field(factory=dict, init=False)
    _servers: dict[ServerKey, Server] = attrs.field(factory=dict, init=False)
    _origins: dict[tuple[object, ...], Server] = attrs.field(factory=dict, init=False)
    # Dates and transactions, soonest first. An entry may be older than its transaction's present date: `_due` puts
    # that right before anybody believes it.
    _heap: list[tuple[float, int, Transaction]] = attrs.field(factory=list, init=False)

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    def send(self, sending: SendRequest, now: float) -> tuple[Client, SendRequest]:
        """Start a client transaction for a request other than ACK; its first copy is the second value."""
        method = sending.request.method
        client: Client
        if method == "INVITE":
            client = InviteClient.start(sending, self.timers, now)
        else:
            client = NonInviteClient.start(sending, self.timers, now)
        self._clients[(sending.branch, method)] = client
        self._queue(client)
        return client, sending

    def respond(self, server: Server, response: Response, now: float) -> list[TransactionOutput]:
        """Answer a request. Raises OutOfTurn after its final response (another 2xx to INVITE excepted)."""
        return self._settle(server, server.respond(response, now))

    def receive(self, message: Message, flow: Flow, now: float) -> list[TransactionOutput]:
        """Take any message: to its transaction, or as the start of one."""
        if isinstance(message, Response):
            return self._receive_response(message, flow, now)
        assert isinstance(message, Request)
        key = server_key(message)
        server = self._servers.get(key)
        if server is not None:
            return self._settle(server, server.receive(message, flow, now))
        if message.method == "ACK":
            return [Stray(message, flow)]
        if self.limit is not None and len(self._servers) >= self.limit and message.method not in _ENDING:
            refusal = respond(message, 503, to_tag=self.local_tag, headers=(_RETRY_AFTER, *self.headers))
            return [SendResponse(refusal, flow)]
        return self._open(key, message, flow, now)

    def cancelled(self, cancel: Request) -> InviteServer | None:
        """The INVITE that a CANCEL is about; None when there is none (any more)."""
        server = self._servers.get(cancelled_key(cancel))
        return server if isinstance(server, InviteServer) else None

    def expire(self, client: InviteClient, at: float) -> None:
        """Let a cancelled INVITE end at `at` unless a final response comes before (9.1)."""
        client.expire(at)
        self._queue(client)

    def transport_failed(self, branch: str, now: float) -> list[TransactionOutput]:
        """A request of this branch could not be sent: an INVITE, the ACK of its refusal, its CANCEL, or another."""
        failed = [client for (sent, _), client in self._clients.items() if sent == branch]
        return [output for client in failed for output in self._settle(client, client.transport_failed(now))]

    def wake_at(self) -> float:
        """When `wake` next has work; infinity when no transaction waits for the clock."""
        heap = self._heap
        while heap:
            due, _, transaction = heap[0]
            actual = transaction.wake_at()
            if actual == due:
                return due
            heapq.heappop(heap)
            transaction.queued_at = math.inf
            self._queue(transaction)
        return math.inf

    def wake(self, now: float) -> list[TransactionOutput]:
        """Fire every timer that is due."""
        outputs: list[TransactionOutput] = []
        while self.wake_at() <= now:
            _, _, transaction = heapq.heappop(self._heap)
            transaction.queued_at = math.inf
            outputs += self._settle(transaction, transaction.wake(now))
        return outputs

    def unanswered(self) -> list[Server]:
        """The requests that have had no final response yet."""
        return [server for server in self._servers.values() if not server.answered]

    def take_all(self) -> list[Transaction]:
        """Hand every open transaction over; the layer is empty afterwards."""
        taken: list[Transaction] = [*self._clients.values(), *self._servers.values()]
        self._clients.clear()
        self._servers.clear()
        self._origins.clear()
        self._heap.clear()
        for transaction in taken:
            transaction.queued_at = math.inf
        return taken

    def _receive_response(self, response: Response, flow: Flow, now: float) -> list[TransactionOutput]:
        key = client_key(response)
        client = None if key is None else self._clients.get(key)
        if client is None:
            return [Stray(response, flow)]
        return self._settle(client, client.receive(response, flow, now))

    def _open(self, key: ServerKey, request: Request, flow: Flow, now: float) -> list[TransactionOutput]:
        server: Server
        if request.method == "INVITE":
            server = InviteServer.start(key, request, flow, self.timers, now, self.headers)
        else:
            server = NonInviteServer.start(key, request, flow, self.timers)
        self._servers[key] = server
        self._queue(server)
        # 8.2.2.2: without a To tag, a copy that took another way is told that it has been here already.
        if request.to_tag is None and request.method != "CANCEL":
            origin = merge_key(request)
            if origin in self._origins:
                return self.respond(server, respond(request, 482, to_tag=self.local_tag, headers=self.headers), now)
            self._origins[origin] = server
        return [Requested(server)]

    def _settle(self, transaction: Transaction, outputs: list[TransactionOutput]) -> list[TransactionOutput]:
        """After every step: the date in the heap, and the end."""
        if transaction.finished:
            self._forget(transaction)
        else:
            self._queue(transaction)
        return outputs

    def _forget(self, transaction: Transaction) -> None:
        if isinstance(transaction, InviteServer | NonInviteServer):
            self._servers.pop(transaction.key, None)
            request = transaction.request
            if request.to_tag is None and self._origins.get(origin := merge_key(request)) is transaction:
                del self._origins[origin]
        else:
            sending = transaction.sending
            self._clients.pop((sending.branch, sending.request.method), None)

    def _queue(self, transaction: Transaction) -> None:
        """See that the heap has an entry no later than the transaction's date."""
        due = transaction.wake_at()
        if due < transaction.queued_at:
            transaction.queued_at = due
            heapq.heappush(self._heap, (due, next(_ORDER), transaction))
