"""SIP over TCP: accepts connections on a listener and carries each in its own task."""

from __future__ import annotations

import attrs
import structlog
import trio

from .connections import Connections
from .network import Listener, Stream, show

log = structlog.get_logger(__name__)

PAUSE_AFTER_FAULT_S = 0.1
"""When no descriptor is left for a new connection, others get this long to end."""


@attrs.define(eq=False)
class StreamTransport:
    """Serves listeners; the connections it accepts are entered into the shared table."""

    connections: Connections

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
        if connections.make_room(stream.remote[0]):
            await connections.carry(connections.adopt(stream, accepted=True))
        else:
            connections.counts.refused += 1
            await trio.aclose_forcefully(stream)
