"""One HTTP/1.1 connection to an application: h11 reads and writes the messages, a stream carries them."""

from __future__ import annotations

from contextlib import suppress

import h11
import trio

from .webhook_errors import BadUrl, ConnectionBroke, HttpViolation, ReadTimedOut

Fields = list[tuple[bytes, bytes]]
"""Header names and values, in order."""

HEAD_BYTES_MAX = 100 * 1024
"""Of a response's status line and headers, and of its trailers."""
READ_BYTES = 64 * 1024


class HttpConnection:
    """Carries one exchange after the other: `ask`, then `piece` until it gives None, then `reusable`.

    Every failure of the connection or the server is raised as a `WebhookError`.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
        self.fresh = True
        """No exchange has been finished on it: it was opened for the one that runs."""
        self.answered = False
        """Some byte of an answer to the present request has come."""
        self.idle_until = 0.0
        """trio seconds; the pool's alone."""

    async def ask(
        self, method: str, target: str, headers: Fields, body: bytes, *, read_s: float | None = None
    ) -> h11.Response:
        """Send a request whole and read the head of its answer; `read_s` bounds each wait for the server."""
        self.answered = False
        http = self._http
        try:
            data = http.send(h11.Request(method=method, target=target, headers=headers))
            if body:
                data = (data or b"") + (http.send(h11.Data(data=body)) or b"")
            data = (data or b"") + (http.send(h11.EndOfMessage()) or b"")
        except h11.LocalProtocolError as error:
            raise BadUrl(str(error)) from error
        while True:
            event = self._next_event()
            if event is h11.NEED_DATA:
                await self._read(read_s, data)
                data = b""
            elif isinstance(event, h11.Response):
                return event
            elif not isinstance(event, h11.InformationalResponse):
                raise HttpViolation("no response where one was due")
            elif event.status_code == 101:
                raise HttpViolation("the server answered 101")

    async def piece(self, *, read_s: float | None = None) -> bytes | None:
        """The next piece of the answer's body; None after the last."""
        while True:
            event = self._next_event()
            if event is h11.NEED_DATA:
                await self._read(read_s)
            elif isinstance(event, h11.Data):
                return bytes(event.data)
            else:
                return None

    def reusable(self) -> bool:
        """Whether the exchange ended so that another may follow on this connection."""
        http = self._http
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            return False
        http.start_next_cycle()
        self.fresh = False
        return True

    async def aclose(self) -> None:
        """Close without ceremony."""
        await trio.aclose_forcefully(self._stream)

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise HttpViolation(str(error)) from error

    async def _read(self, read_s: float | None, unsent: bytes = b"") -> None:
        """Send what is unsent, then read once."""
        try:
            if read_s is None:
                data = await self._turn(unsent)
            else:
                with trio.fail_after(read_s):
                    data = await self._turn(unsent)
        except trio.TooSlowError:
            raise ReadTimedOut(f"nothing came for {read_s:g} s") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionBroke(_reason(error)) from error
        if data:
            self.answered = True
        elif self._http.their_state is h11.SEND_RESPONSE:
            if not self.answered:
                raise ConnectionBroke("the server closed the connection without an answer")
            raise HttpViolation("the server closed the connection before its answer was whole")
        self._http.receive_data(bytes(data))

    async def _turn(self, unsent: bytes) -> bytes | bytearray:
        if unsent:
            # What goes wrong in sending is left to the reading to find out: the server may have answered before it
            # closed.
            with suppress(trio.BrokenResourceError):
                await self._stream.send_all(unsent)
        return await self._stream.receive_some(READ_BYTES)


def _reason(error: BaseException) -> str:
    cause = error.__cause__
    return str(cause) if cause is not None else str(error) or type(error).__name__
