"""Services: what every call shares, put together once by the supervisor."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Protocol

import attrs
import structlog
import trio

from ..media.plane import MediaIds, MediaPlane
from ..sip.ids import Ids
from ..sip.timers import Timers
from ..store.recordings import RecordingFiles
from ..twiml.codes import Level, describe
from .announcer import Announcer
from .bus import Bus
from .courier import Courier
from .guard import Nest
from .journal import Journal
from .linger import Linger
from .mailbox import Ref
from .messages.events import AlertRaised
from .messages.registrar import RegistrarMessage
from .registry import Registry
from .settings import Settings
from .speaker import Offload
from .webhooks import Webhooks

log = structlog.get_logger("offhook.alerts")


class SidSource(Ids, Protocol):
    """Identifiers of SIP and of the public dialect."""

    def sid(self, prefix: str) -> str:
        """Two letters and 32 lower-case hexadecimal digits, such as `CA…`."""
        ...


@attrs.define(eq=False, kw_only=True)
class Services:
    """Plain objects with single-flight methods, refs of services, and the nests that calls live in."""

    settings: Settings
    ids: SidSource
    now_utc: Callable[[], datetime.datetime]
    bus: Bus
    registry: Registry
    courier: Courier
    linger: Linger
    registrar: Ref[RegistrarMessage]
    plane: MediaPlane
    media_ids: MediaIds
    announcer: Announcer
    webhooks: Webhooks
    journal: Journal
    recordings: RecordingFiles
    calls: Nest
    notifiers: Nest
    offload: Offload = trio.to_thread.run_sync
    """How disk work leaves the event loop."""
    timers: Timers = attrs.field(factory=Timers)

    def alert(
        self,
        code: int,
        detail: str,
        *,
        call_sid: str | None = None,
        domain: str | None = None,
        account: str | None = None,
    ) -> None:
        """Raise an entry of the public catalogue: an event on the bus and a log line."""
        entry = describe(code)
        name, level = entry.name, entry.level.value
        write = log.error if entry.level is Level.ERROR else log.warning
        write("alert", code=code, name=name, detail=detail, call_sid=call_sid, domain=domain)
        self.bus.publish(
            AlertRaised(
                at=self.now_utc(),
                account=self.settings.account if account is None else account,
                code=code,
                name=name,
                level=level,
                detail=detail,
                call_sid=call_sid,
                domain=domain,
            )
        )
