"""Streams of a fake network: two pipes, one each way, with delay, a window and the three ways to end."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from ..transport.network import Address, Listener, Stream

if TYPE_CHECKING:
    from .network import FakeNetwork

END = b""


class Pipe:
    """One direction of a stream: bytes with their due times; an empty piece marks the orderly end."""

    def __init__(self, network: FakeNetwork, source: Address, target: Address, delay_s: float) -> None:
        self._network = network
        self._source, self._target = source, target
        self._delay_s = delay_s
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._held = 0
        self._moved = trio.lowlevel.ParkingLot()
        self.ended = False
        """The writer has said that nothing more comes."""
        self.broken = False
        """The connection was reset: both sides fail at once."""
        self.unread = False
        """The reader is gone: who writes gets a reset."""

    def wake(self) -> None:
        """Let both sides look again."""
        self._moved.unpark_all()

    def end(self) -> None:
        """No more bytes will come."""
        if not self.ended:
            self.ended = True
            self._pieces.append((trio.current_time() + self._delay_s, END))
            self.wake()

    async def write(self, data: memoryview, closed: FakeStream) -> None:
        """Put bytes in as the window lets us."""
        while data:
            while self._held >= self._network.stream_window and not (self.broken or self.unread or closed.is_closed):
                await self._moved.park()
            self.check(closed)
            room = self._network.stream_window - self._held
            piece = bytes(data[:room])
            data = data[len(piece) :]
            self._held += len(piece)
            self._pieces.append((trio.current_time() + self._delay_s, piece))
            self.wake()

    def check(self, closed: FakeStream) -> None:
        """Raise when nothing can be written any more."""
        if closed.is_closed or self.ended:
            raise trio.ClosedResourceError("this end of the stream is closed")
        if self.broken or self.unread:
            raise trio.BrokenResourceError("connection reset by peer")

    async def wait_room(self, closed: FakeStream) -> None:
        """Return when `write` might not have to wait."""
        while self._held >= self._network.stream_window and not (self.broken or self.unread or closed.is_closed):
            await self._moved.park()
        self.check(closed)

    async def read(self, max_bytes: int, closed: FakeStream) -> bytes:
        """The next bytes that have arrived; empty at the end."""
        while True:
            if closed.is_closed:
                raise trio.ClosedResourceError("this end of the stream is closed")
            if self.broken:
                raise trio.BrokenResourceError("connection reset by peer")
            if not self._pieces:
                await self._moved.park()
            elif self._pieces[0][0] > trio.current_time():
                with trio.move_on_at(self._pieces[0][0]):
                    await self._moved.park()
            elif self._network.is_cut(self._source[0], self._target[0]):
                await self._network.wait_healed(self._source[0], self._target[0])
            else:
                return self._take(max_bytes)

    def _take(self, max_bytes: int) -> bytes:
        """Up to `max_bytes` of what is due: like TCP, it keeps no borders between what was sent apart."""
        now = trio.current_time()
        taken: list[bytes] = []
        room = max_bytes
        while room and self._pieces and self._pieces[0][0] <= now and self._pieces[0][1]:
            due, piece = self._pieces.popleft()
            if len(piece) > room:
                self._pieces.appendleft((due, piece[room:]))
                piece = piece[:room]
            room -= len(piece)
            taken.append(piece)
        self._held -= max_bytes - room
        self.wake()
        return taken[0] if len(taken) == 1 else b"".join(taken)


class FakeStream(Stream):
    """One end of a stream."""

    def __init__(self, local: Address, remote: Address, *, reading: Pipe, writing: Pipe) -> None:
        self.local, self.remote = local, remote
        self._reading, self._writing = reading, writing
        self._sending = trio.Lock()
        self.is_closed = False

    @property
    def over(self) -> bool:
        """Whether this end has nothing left to do."""
        return self.is_closed or self._reading.broken

    def break_both_ways(self) -> None:
        """What a RST does."""
        for pipe in (self._reading, self._writing):
            pipe.broken = True
            pipe.wake()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        if self._sending.locked():
            raise trio.BusyResourceError("another task is sending on this stream")
        async with self._sending:
            self._writing.check(self)
            await self._writing.write(memoryview(bytes(data)), self)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()
        await self._writing.wait_room(self)

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.is_closed:
            raise trio.ClosedResourceError("this end of the stream is closed")
        self._writing.end()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        limit = self._reading._network.stream_chunk or 65_536
        return await self._reading.read(min(limit, max_bytes or limit), self)

    async def aclose(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._writing.end()
            self._reading.unread = True
            self._reading.wake()
            self._writing.wake()
        await trio.lowlevel.checkpoint()


class FakeListener(Listener):
    """Accepts the streams that other hosts open to its address."""

    def __init__(self, table: dict[Address, FakeListener], local: Address) -> None:
        self.local = local
        self._table = table
        self._waiting: deque[FakeStream] = deque()
        self._arrived = trio.lowlevel.ParkingLot()
        self._closed = False

    def arrive(self, stream: FakeStream) -> None:
        """A peer has connected."""
        self._waiting.append(stream)
        self._arrived.unpark_all()

    async def accept(self) -> FakeStream:
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            if self._closed:
                raise trio.ClosedResourceError("this listener is closed")
            await self._arrived.park()
        return self._waiting.popleft()

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._table.pop(self.local, None)
            for stream in self._waiting:
                stream.break_both_ways()
            self._waiting.clear()
            self._arrived.unpark_all()
        await trio.lowlevel.checkpoint()
