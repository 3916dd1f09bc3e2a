"""SIP over TCP and TLS: accepts connections on a listener and carries each in its own task."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import structlog
import trio

from .connections import Connections
from .errors import TlsFailed, TlsTooOld
from .handshakes import Handshakes
from .network import Listener, Stream, show
from .tls import TlsServer
from .tls_stream import TlsStream, accept_tls

log = structlog.get_logger(__name__)

PAUSE_AFTER_FAULT_S = 0.1
"""When no descriptor is left for a new connection, others get this long to end."""


@attrs.define(eq=False)
class StreamTransport:
    """Serves listeners; the connections it accepts are entered into the shared table."""

    connections: Connections
    tls: TlsServer | None = None
    """Our side of TLS; None: the streams are plain TCP."""
    too_old: Callable[[TlsTooOld], None] | None = None
    """Told of clients that are refused for their version of TLS. Must not wait nor raise."""
    _handshakes: Handshakes = attrs.field(factory=Handshakes, init=False)

    async def serve(self, listener: Listener) -> None:
        """Accept until the listener is closed or the task cancelled; then its connections end too.

        No peer ends it: a connection's faults stay in the connection, and a failing accept is tried again.
        """
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    stream = await listener.accept()
                except trio.ClosedResourceError:
                    break
                except OSError as error:
                    log.error("cannot accept", local=show(listener.local), error=str(error))
                    await trio.sleep(PAUSE_AFTER_FAULT_S)
                    continue
                nursery.start_soon(self._serve_one, stream)
            nursery.cancel_scope.cancel()

    async def _serve_one(self, stream: Stream) -> None:
        connections = self.connections
        if not connections.make_room(stream.remote[0]):
            connections.counts.refused += 1
            await trio.aclose_forcefully(stream)
        elif self.tls is None:
            await connections.carry(connections.adopt(stream, accepted=True))
        else:
            await self._serve_secured(stream, self.tls)

    async def _serve_secured(self, stream: Stream, server: TlsServer) -> None:
        """Shake hands first: what has no TLS connection yet is in no table, so it is counted here."""
        connections = self.connections
        secured: TlsStream | None = None
        try:
            with self._handshakes.place(stream.remote[0]) as place, place:
                secured = await accept_tls(stream, server)
        except TlsFailed as error:
            connections.counts.handshakes_failed += 1
            log.info("no TLS connection", remote=show(stream.remote), error=str(error))
            if isinstance(error, TlsTooOld) and self.too_old is not None:
                self.too_old(error)
            return
        except Exception as error:
            connections.counts.faults += 1
            log.error("TLS handshake failed in an unforeseen way", remote=show(stream.remote), exc_info=error)
            return
        if secured is None:  # its place went to another
            connections.counts.refused += 1
        else:
            await connections.carry(connections.adopt_secured(secured, stream.local, stream.remote))
