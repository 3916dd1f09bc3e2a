"""Services: what every call shares, put together once by the supervisor."""

from __future__ import annotations

from typing import Protocol

import attrs
import trio

from ..media.plane import MediaIds, MediaPlane
from ..sip.address import NameAddr
from ..sip.dialog.config import LegConfig
from ..sip.ids import Ids
from ..sip.timers import Timers
from ..store.recordings import RecordingFiles
from .announcer import Announcer
from .captures import Captures
from .courier import Courier
from .dialling import Dialling
from .gateways import Gateways
from .guard import Nest
from .herald import Herald
from .journal import Journal
from .linger import Linger
from .mailbox import Ref
from .messages.registrar import RegistrarMessage
from .registry import Registry
from .speaker import Offload
from .webhooks import Webhooks


class SidSource(Ids, Protocol):
    """Identifiers of SIP and of the public dialect."""

    def sid(self, prefix: str) -> str:
        """Two letters and 32 lower-case hexadecimal digits, such as `CA…`."""
        ...


@attrs.define(eq=False, kw_only=True)
class Services(Herald):
    """Plain objects with single-flight methods, refs of services, and the nests that calls live in."""

    ids: SidSource
    registry: Registry
    courier: Courier
    linger: Linger
    registrar: Ref[RegistrarMessage]
    dialling: Dialling
    gateways: Gateways
    plane: MediaPlane
    media_ids: MediaIds
    announcer: Announcer
    webhooks: Webhooks
    journal: Journal
    captures: Captures
    recordings: RecordingFiles
    calls: Nest
    notifiers: Nest
    offload: Offload = trio.to_thread.run_sync
    """How disk work leaves the event loop."""
    timers: Timers = attrs.field(factory=Timers)

    def leg_config(self, contact: NameAddr) -> LegConfig:
        """What a leg that is reached at `contact` has in common with all others."""
        settings = self.settings
        return LegConfig(
            contact=contact,
            timers=self.timers,
            server=settings.server_header,
            session_s=settings.session_s,
            min_session_s=settings.min_session_s,
        )
