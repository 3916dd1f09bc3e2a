"""Herald: how any actor tells the outside what happened, without knowing the services that calls share."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import attrs
import structlog

from ..twiml.codes import Level, describe
from .bus import Bus
from .messages.events import ActorCrashed, AlertRaised
from .settings import Settings

log = structlog.get_logger("offhook.alerts")


@attrs.define(eq=False, kw_only=True)
class Herald:
    """The bus, and what each of its events carries."""

    settings: Settings
    now_utc: Callable[[], datetime.datetime]
    bus: Bus

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

    def contained(self, actor: str, error: Exception) -> None:
        """Count a fault that a shared actor contained; it is in the log already."""
        self.bus.publish(
            ActorCrashed(
                at=self.now_utc(),
                account=self.settings.account,
                actor=actor,
                error=f"{type(error).__name__}: {error}",
            )
        )
