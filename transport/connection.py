"""One stream connection that speaks SIP: reads through a framer, writes from a bounded queue, ends in order.

Time limits (StreamSettings): an accepted connection must bring its first message soon, a message that has begun must
end soon, and a connection on which nothing moves is closed, unless somebody holds it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import assert_never

import attrs
import structlog
import trio

from ..sip.build import respond_to_malformed
from ..sip.errors import SipError
from ..sip.framing import PONG, KeepAlive, StreamFramer
from ..sip.framing import Malformed as BadBytes
from ..sip.message import Request, Response
from ..sip.parse import Limits
from ..sip.render import render
from .arrivals import admit, refuse
from .errors import ConnectionLost, TransportError, WriterStuck
from .flow import Flow, FlowClosed, LossListener, Malformed, Received
from .network import Address, Stream, show

log = structlog.get_logger(__name__)

READ_BYTES = 16_384
PIECE_BYTES = 16_384
"""Written at a time; the stall limit applies to each piece."""
BURST_BYTES = 1 << 20
"""Most that is written in one turn of the event loop, when the kernel takes it. A turn may last a second when the
machine has too much to do, and the one connection of a proxy carries all its calls."""
WATCHED_S = 32.0
"""64 T1: how long a sender is told of a loss. Later its transaction's own timers have ruled (17.1.1.2, 17.1.2.2)."""
LAST_ANSWERS_S = 0.5
"""How long messages that came before rubbish on the same connection may still be answered on it."""
FAREWELL_S = 2.0
"""How long a peer gets to read the last answer before the connection is torn down behind it."""
FAREWELL_BYTES = 1 << 20

Arrival = Received | Malformed | FlowClosed
DeliverAsync = Callable[[Arrival], Awaitable[None]]
"""Takes what arrived, and waits while there is no room: reading stops meanwhile, so TCP holds the peer back."""


@attrs.frozen
class StreamSettings:
    """Bounds of stream connections. Times in seconds, sizes in bytes."""

    idle_s: float = 3600.0
    """Nothing read or written for so long: closed. Phones behind NAT ping every 2 minutes, but many peers never do
    and expect a call's BYE on their old connection, so this is long; `max_connections` is what bounds the number."""
    first_message_s: float = 30.0
    """From accepting to the first whole message or keep-alive."""
    message_s: float = 20.0
    """From the first byte of a message to its last."""
    stall_s: float = 10.0
    """To get 16 KiB written."""
    max_queue: int = 4 * 1024 * 1024
    """Bytes waiting to be written."""
    max_connections: int = 4096
    """Open at once, accepted and opened; the longest idle one makes room for a new one."""
    max_per_host: int = 2048
    """Of them from one address, so that one peer cannot push out all the others."""
    connect_s: float = 5.0
    """For one TCP connect."""
    limits: Limits = attrs.field(factory=Limits)
    answer_headers: tuple[tuple[str, str], ...] = ()
    """Of the answers that the transport gives by itself, such as Server."""


@attrs.define(eq=False)
class StreamCounts:
    """What the stream connections of one process have seen."""

    messages: int = 0
    keepalives: int = 0
    malformed: int = 0
    faults: int = 0
    """Messages that made our own code fail; each is in the log."""
    refused: int = 0
    """Accepted and closed at once, for want of room."""
    evicted: int = 0
    timed_out: int = 0
    """Closed for being idle or slow to finish a message."""
    stuck: int = 0
    """Closed because the peer did not read."""
    handshakes_failed: int = 0
    """Accepted, but no TLS connection came of it."""


class StreamConnection:
    """One open connection (a `Connection`, see there). `run` carries it until it ends; everything else never waits."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        *,
        transport: str,
        local: Address,
        remote: Address,
        settings: StreamSettings,
        counts: StreamCounts,
        deliver: DeliverAsync,
        accepted: bool,
        name: str = "",
    ) -> None:
        self.flow = Flow(transport, local, remote, connection=self, reliable=True)
        self.name = name
        """Of the server that we called, as its certificate proved it; empty without TLS and for who called us."""
        self.accepted = accepted
        """Whether the peer opened it."""
        self.useful = False
        """Whether a whole message or keep-alive has come."""
        self.opened_at = self.active_at = trio.current_time()
        self._stream = stream
        self._settings = settings
        self._counts = counts
        self._deliver = deliver
        self._held = 0
        self._closed = False
        self._error: TransportError | None = None
        self._why = "the peer closed the connection"
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._wake = trio.lowlevel.ParkingLot()
        self._watching: deque[tuple[float, LossListener]] = deque()
        self._scope = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._message_since: float | None = None

    # --- for senders -----------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def held(self) -> bool:
        """Whether somebody needs it even when it is idle."""
        return self._held > 0

    @property
    def stopped(self) -> bool:
        """Whether it ends at once; a closed one that is not may still be flushing its queue or its last answer."""
        return self._scope.cancel_called

    @property
    def queued(self) -> int:
        """Bytes waiting to be written."""
        return self._queued

    def send(self, data: bytes, lost: LossListener | None = None) -> None:
        if self._closed:
            raise ConnectionLost(show(self.flow.remote), "the connection is closed")
        if self._queued + len(data) > self._settings.max_queue:
            stuck = WriterStuck(show(self.flow.remote), f"{self._queued} bytes are waiting and the peer does not read")
            self._counts.stuck += 1
            self._stop(stuck)
            raise stuck
        self._put(data)
        if lost is not None:
            now = trio.current_time()
            while self._watching and self._watching[0][0] <= now:
                self._watching.popleft()
            self._watching.append((now + WATCHED_S, lost))

    def close(self) -> None:
        self._why = "the connection was closed from our side"
        self._stop(None)

    def hold(self) -> None:
        self._held += 1
        self._reading.deadline = self._due()

    def release(self) -> None:
        self._held -= 1
        self._reading.deadline = self._due()

    # --- for the task that carries it ------------------------------------------------------------------------

    async def run(self) -> None:
        """Read and write until the connection ends; then close it and tell those who wait for something on it.

        Raises nothing but cancellation: one bad peer ends one connection.
        """
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    farewell = await self._read()
                    if farewell and self.useful:
                        await trio.sleep(LAST_ANSWERS_S)
                    self._closed = True  # what is queued still goes out, nothing new is taken
                    self._wake.unpark_all()
                if farewell:
                    await self._say_farewell()
        finally:
            self._closed = True
            await trio.aclose_forcefully(self._stream)
            self._tell_watchers()
        if self.useful or not self.accepted:
            await self._hand_over(FlowClosed(self.flow, self._error))

    async def _read(self) -> bool:
        """Read until the end; True when the last answer must reach the peer before we close."""
        framer = StreamFramer(self._settings.limits)
        while True:
            try:
                data = await self._receive()
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._stop(ConnectionLost(show(self.flow.remote), str(error) or "connection reset"))
                return False
            if data is None:
                self._counts.timed_out += 1
                self._note_lateness()
                return False
            if not data:
                return False
            self.active_at = trio.current_time()
            await self._feed(framer, data)
            if framer.broken:
                return True

    async def _receive(self) -> bytes | None:
        """The next bytes; empty at the end of the stream, None when the peer has had its time."""
        while True:
            with trio.CancelScope(deadline=self._due()) as self._reading:
                return bytes(await self._stream.receive_some(READ_BYTES))
            # Meanwhile we may have written, or somebody may have come to hold the connection.
            if self._due() <= trio.current_time():
                return None

    async def _feed(self, framer: StreamFramer, data: bytes) -> None:
        items = framer.feed_whole(data)
        pinged = False
        for item, whole in items:
            self.useful = self.useful or not isinstance(item, BadBytes)
            if isinstance(item, KeepAlive):
                self._counts.keepalives += 1
                pinged = True
            else:
                await self._hand_over(self._arrival(item, whole, framer.broken and item is items[-1][0]))
        if pinged and not self._closed:
            self._put(PONG)  # one for all pings of one read
        if items or self._message_since is None:
            # Now, not when the bytes came: the time that our own house took is not the peer's.
            self._message_since = trio.current_time() if framer.mid_message else None

    def _arrival(self, item: Request | Response | BadBytes, whole: bytes, last: bool) -> Received | Malformed:
        """What an item means to the house. The answer to the last one of a broken stream goes out from here."""
        match item:
            case Request() | Response():
                self._counts.messages += 1
                arrival = admit(item, self.flow, self.active_at, whole)
                if isinstance(arrival, Malformed):
                    self._counts.malformed += 1
                return arrival
            case BadBytes():
                self._counts.malformed += 1
                malformed = refuse(item.data, self.flow, item.error)
                return attrs.evolve(malformed, answered=self._answer(malformed.error)) if last else malformed
            case _:
                assert_never(item)

    def _answer(self, error: SipError) -> bool:
        try:
            response = respond_to_malformed(error, self._settings.answer_headers)
            if response is not None and not self._closed:
                self._put(render(response))
        except SipError as unrenderable:
            log.info("no answer can be made", remote=show(self.flow.remote), error=str(unrenderable))
        return True

    async def _hand_over(self, arrival: Arrival) -> None:
        try:
            await self._deliver(arrival)
        except Exception as error:
            self._counts.faults += 1
            log.error("message could not be handed over", remote=show(self.flow.remote), exc_info=error)

    async def _write(self) -> None:
        with trio.CancelScope() as scope:
            while not (self._closed and not self._queue):
                if not self._queue:
                    scope.deadline = math.inf
                    await self._wake.park()
                    continue
                try:
                    if self._write_now():
                        scope.deadline = math.inf
                        await trio.lowlevel.checkpoint()
                        continue
                    piece = self._next_piece()
                    scope.deadline = trio.current_time() + self._settings.stall_s
                    await self._stream.send_all(piece)
                except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    self._stop(ConnectionLost(show(self.flow.remote), str(error) or "connection reset"))
                    return
                self._queued -= len(piece)
                self.active_at = trio.current_time()
        if scope.cancelled_caught:
            self._counts.stuck += 1
            self._stop(WriterStuck(show(self.flow.remote), f"nothing moved for {self._settings.stall_s:g} s"))

    def _write_now(self) -> bool:
        """Write what goes without waiting; whether anything did."""
        if not isinstance(self._stream, Stream):
            return False
        written = 0
        while self._queue and written < BURST_BYTES:
            piece = self._next_piece()
            taken = self._stream.send_nowait(piece)
            written += taken
            self._queued -= taken
            if taken < len(piece):
                self._queue.appendleft(piece[taken:])
                break
        if written:
            self.active_at = trio.current_time()
        return written > 0

    def _next_piece(self) -> bytes:
        """Up to `PIECE_BYTES` off the queue: many small messages in one write, a large one in several."""
        piece = self._queue.popleft()
        if len(piece) > PIECE_BYTES:
            self._queue.appendleft(piece[PIECE_BYTES:])
            return piece[:PIECE_BYTES]
        if self._queue and len(piece) + len(self._queue[0]) <= PIECE_BYTES:
            pieces, size = [piece], len(piece)
            while self._queue and size + len(self._queue[0]) <= PIECE_BYTES:
                size += len(self._queue[0])
                pieces.append(self._queue.popleft())
            piece = b"".join(pieces)
        return piece

    def _put(self, data: bytes) -> None:
        self._queue.append(data)
        self._queued += len(data)
        self._wake.unpark_all()

    async def _say_farewell(self) -> None:
        """Close so that the last answer arrives: unread bytes at close would make the kernel send a reset after it."""
        stream = self._stream
        if isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream  # what is said below TLS is enough: nobody reads the rest
        if not isinstance(stream, trio.abc.HalfCloseableStream):
            return
        with trio.move_on_after(FAREWELL_S):
            try:
                await stream.send_eof()
                left = FAREWELL_BYTES
                while left > 0 and (data := await stream.receive_some(READ_BYTES)):
                    left -= len(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the peer has closed already

    def _due(self) -> float:
        """When the reader has waited long enough, in trio seconds."""
        if self._message_since is not None:
            return self._message_since + self._settings.message_s
        if self.accepted and not self.useful:
            return self.opened_at + self._settings.first_message_s
        return math.inf if self._held > 0 else self.active_at + self._settings.idle_s

    def _note_lateness(self) -> None:
        """Say why the reader has waited long enough."""
        if self._message_since is not None:
            took = f"a message took more than {self._settings.message_s:g} s"
            self._error = ConnectionLost(show(self.flow.remote), took)
        else:
            self._why = "the connection was idle"

    def _stop(self, error: TransportError | None) -> None:
        if not self._closed or self._error is None:
            self._error = error
        self._closed = True
        self._scope.cancel()

    def _tell_watchers(self) -> None:
        error = self._error or ConnectionLost(show(self.flow.remote), self._why)
        now = trio.current_time()
        watching, self._watching = self._watching, deque()
        for until, lost in watching:
            if until > now:
                try:
                    lost(error)
                except Exception as fault:
                    log.error("a loss could not be reported", remote=show(self.flow.remote), exc_info=fault)
