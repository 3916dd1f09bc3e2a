"""One SIP leg as an actor: a pump around the `Leg` core, which decides everything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable
from typing import assert_never

import attrs
import trio

from ..sip.dialog.events import LegCommand, LegFact, LegOutput, SendRequest, SendResponse
from ..sip.dialog.leg import Leg
from ..transport.errors import TransportError
from ..transport.flow import Connection, Flow
from .actor import Actor
from .courier import Courier
from .linger import Linger
from .mailbox import ActorGone, Mailbox
from .messages.leg import Incoming, LegMessage, LegOrder, TransmitFailed
from .registry import Registry

CAPACITY = 64


@attrs.define(eq=False)
class LegActor(Actor[LegMessage]):
    """Carries out what its `Leg` says: messages to the courier, facts to the call.

    When it ends, in whatever way, the transactions still open go to `linger`, so that a BYE is retransmitted and a late
    copy of an INVITE is answered although this task is gone.
    """

    leg: Leg
    tell: Callable[[LegFact], None]
    """Takes what the leg has to say to its call; never waits."""
    courier: Courier
    registry: Registry
    linger: Linger
    keys: tuple[Hashable, ...] = ()
    """Server transactions under which the switchboard has registered this leg."""
    invite: tuple[str, str, int] | None = None
    """The INVITE it serves, as `Registry.invites` knows it."""
    unsent: TransportError | None = attrs.field(default=None, init=False)
    """Why the last request that reached nobody did not; the fact that the leg is over says only that it did not."""
    heard_from: str | None = None
    """Host that the last message came from."""
    _held: Connection | None = None

    async def handle(self, message: LegMessage) -> None:
        now = trio.current_time()
        match message:
            case Incoming():
                self._hold(message.flow)
                self.heard_from = message.flow.remote[0]
                outputs = self.leg.receive(message.message, message.flow, now)
            case LegOrder():
                outputs = self.leg.handle(message.command, now)
            case TransmitFailed():
                self.unsent = message.error
                outputs = self.leg.transport_failed(message.branch, now)
            case _:
                assert_never(message)
        self._carry_out(outputs)

    async def order(self, command: LegCommand) -> None:
        """For its call: have the leg do this. One that has just ended takes no orders; the news is on its way."""
        with contextlib.suppress(ActorGone):
            await self.mailbox.ref.send(LegOrder(command))

    def wake_at(self) -> float:
        return self.leg.wake_at()

    async def wake(self, now: float) -> None:
        self._carry_out(self.leg.wake(now))

    def finished(self) -> bool:
        return self.leg.finished

    def last_words(self) -> None:
        now = trio.current_time()
        if not self.leg.finished:
            self._transmit(self.leg.last_words(now))
        self.forget()
        self.linger.adopt(self.leg.linger())
        if self._held is not None:
            self._held.release()

    def forget(self) -> None:
        """Take the leg out of the registry; also for one that never ran. Safe to call twice."""
        self.registry.drop_leg(self.leg.call_id, self.leg.local_tag)
        for key in self.keys:
            if self.registry.transactions.get(key) is self.mailbox.ref:
                del self.registry.transactions[key]
        if self.invite is not None:
            self.registry.invites.pop(self.invite, None)
            self.invite = None

    def _hold(self, flow: Flow) -> None:
        """Keep the connection a dialog runs over, however long nothing is said on it."""
        connection = flow.connection
        if connection is not None and connection is not self._held:
            connection.hold()
            if self._held is not None:
                self._held.release()
            self._held = connection

    def _carry_out(self, outputs: Iterable[LegOutput]) -> None:
        for fact in self._transmit(outputs):
            self.tell(fact)

    def _transmit(self, outputs: Iterable[LegOutput]) -> list[LegFact]:
        """Send what is to be sent, in order; what is left are the facts."""
        facts: list[LegFact] = []
        for output in outputs:
            match output:
                case SendResponse():
                    self.courier.respond(output)
                case SendRequest():
                    self.courier.request(output, self.mailbox.ref)
                case _:
                    facts.append(output)
        return facts


def leg_mailbox(call_sid: str) -> Mailbox[LegMessage]:
    return Mailbox(f"leg of {call_sid}", CAPACITY)
