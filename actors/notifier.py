"""Notifier: the status callbacks of one call, delivered in order while the call goes on, and after its end.

The mailbox is emptied at once into an outbox, so that a slow application never makes the call wait or fail: when the
outbox is full its oldest progress report is dropped, never a final one. The actor ends when it has been told `Stop`
and everything is delivered; it lives beside the calls, so that a call that crashed still sends its last word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import attrs
import structlog
import trio

from ..store.records import WebhookTarget
from ..transport.errors import WebhookFailed
from ..transport.webhook import Reply
from ..transport.webhook_errors import BadStatus
from .actor import Actor
from .mailbox import Mailbox
from .messages.lifecycle import Stop

log = structlog.get_logger(__name__)

CAPACITY: Final = 64
CALLBACK_ANSWERED_WRONG: Final = 15003
"""The warning for a callback answered with 4xx or 5xx."""


@attrs.frozen(kw_only=True)
class Callback:
    """Call to notifier: tell the application this."""

    target: WebhookTarget
    """URL, or the function that stands in for one."""
    method: str = "POST"
    params: tuple[tuple[str, str], ...]
    purpose: str = "status-callback"
    """For people: `status-callback`, `recording-status-callback` …"""
    final: bool = False
    """Never dropped: the last word on a call or a recording."""


NotifierInput: TypeAlias = Callback | Stop

Deliver: TypeAlias = Callable[[Callback], Awaitable[Reply]]
"""Carries out one callback; raises WebhookFailed."""
Alert: TypeAlias = Callable[[int, str], None]
"""Told the public code and a detail; must not raise nor wait."""


@attrs.define(eq=False)
class Outbox:
    """What is still to be delivered, in order; pure."""

    capacity: int = CAPACITY
    dropped: int = 0
    """Progress reports lost so far."""
    _waiting: deque[Callback] = attrs.field(factory=deque)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, callback: Callback) -> None:
        """Add one; the oldest that is not final makes room. Finals alone may go beyond the capacity."""
        self._waiting.append(callback)
        if len(self._waiting) <= self.capacity:
            return
        for index, waiting in enumerate(self._waiting):
            if not waiting.final:
                del self._waiting[index]
                self.dropped += 1
                return

    def take(self) -> Callback | None:
        return self._waiting.popleft() if self._waiting else None


@attrs.define(eq=False)
class Notifier(Actor[NotifierInput]):
    """Delivers the callbacks of one call."""

    deliver: Deliver
    alert: Alert = attrs.field(default=lambda code, detail: None)
    outbox: Outbox = attrs.field(factory=Outbox)
    _stopped: bool = False
    _changed: trio.Event = attrs.field(factory=trio.Event)

    @staticmethod
    def new_mailbox(call_sid: str) -> Mailbox[NotifierInput]:
        return Mailbox(f"notifier {call_sid}", CAPACITY)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deliver_all)
            await super().run()

    async def handle(self, message: NotifierInput) -> None:
        match message:
            case Callback():
                dropped = self.outbox.dropped
                self.outbox.put(message)
                if self.outbox.dropped > dropped:
                    log.warning("a status callback was dropped", actor=self.mailbox.name, dropped=self.outbox.dropped)
            case Stop():
                self._stopped = True
        self._wake_deliverer()

    def finished(self) -> bool:
        return self._stopped

    def last_words(self) -> None:
        # No more will come; the deliverer ends when it has emptied the outbox.
        self._stopped = True
        self._wake_deliverer()

    def _wake_deliverer(self) -> None:
        self._changed.set()

    async def _deliver_all(self) -> None:
        while True:
            callback = self.outbox.take()
            if callback is not None:
                await self._deliver(callback)
            elif self._stopped:
                return
            else:
                self._changed = trio.Event()
                await self._changed.wait()

    async def _deliver(self, callback: Callback) -> None:
        """One callback; what goes wrong is told as an alert, and the next one follows."""
        try:
            await self.deliver(callback)
        except BadStatus as error:
            self.alert(CALLBACK_ANSWERED_WRONG, f"{callback.purpose} to {error.url}: {error.detail}")
        except WebhookFailed as error:
            self.alert(error.code, f"{callback.purpose} to {error.url}: {error.detail}")
        except Exception:
            # A fault of ours in one delivery must not cost the call its final callback.
            log.exception("a status callback could not be delivered", actor=self.mailbox.name, purpose=callback.purpose)
