"""Trunks: keeps us registered with the gateways that want it. Nothing else depends on it.

A fault that one gateway causes is contained here, and that gateway is tried again later. What is known of the
registrations outlives a restart of the task.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias, assert_never

import attrs
import structlog
import trio

from ..sip.build import respond
from ..sip.dialog.events import Credentials
from ..sip.ids import Ids
from ..sip.message import Request
from ..sip.timers import Timers
from ..sip.tokens import Method
from ..sip.transaction.events import SendRequest, SendResponse
from ..sip.trunk_registration import Ended, Failed, GatewayRegistration, Output, Registered
from ..sip.trunks import Trunk
from ..transport.errors import TransportError
from .actor import Actor
from .courier import Courier
from .herald import Herald
from .mailbox import Mailbox
from .messages.events import TrunkRegistered, TrunkUnavailable, TrunkUnregistered
from .messages.leg import Incoming, LegMessage, LegOrder, TransmitFailed
from .messages.lifecycle import Stop
from .registry import Registry

CAPACITY: Final = 256
LEAVING_S: Final = 2.0
"""How long the gateways get to acknowledge that we are going."""
FAILURE: Final = 32011
"""The alert when a gateway that worked stops doing so."""

TrunkMessage: TypeAlias = LegMessage | Stop

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class TrunkRegistrations(Actor[TrunkMessage]):
    """One task for all gateways. It waits for nobody."""

    herald: Herald
    courier: Courier
    registry: Registry
    held: tuple[GatewayRegistration, ...]
    """One for each gateway; they outlive a restart."""
    _leave_at: float = math.inf
    """When no acknowledgement is waited for any more."""

    async def started(self) -> None:
        for one in self.held:
            # Responses find their way as those of a leg do.
            self.registry.add_leg(one.call_id, one.tag, self.mailbox.ref)

    def last_words(self) -> None:
        for one in self.held:
            self.registry.drop_leg(one.call_id, one.tag)

    def finished(self) -> bool:
        if self._leave_at == math.inf:
            return False
        return trio.current_time() >= self._leave_at or all(one.finished for one in self.held)

    def wake_at(self) -> float:
        return min((self._leave_at, *(one.wake_at() for one in self.held)))

    async def wake(self, now: float) -> None:
        for one in self.held:
            if one.wake_at() <= now:
                self._do(one, lambda each: self._wake(each, now), now)

    async def handle(self, message: TrunkMessage) -> None:
        now = trio.current_time()
        match message:
            case Incoming():
                self._incoming(message, now)
            case TransmitFailed():
                for one in self.held:
                    self._do(one, lambda each: each.transport_failed(message.branch, now), now)
            case Stop():
                self._leave_at = now + LEAVING_S
                for one in self.held:
                    self._do(one, lambda each: each.withdraw(now), now)
            case LegOrder():
                raise TypeError("a registration takes no orders of a call")
            case _:
                assert_never(message)

    # --- gateways --------------------------------------------------------------------------------------------

    def _incoming(self, incoming: Incoming, now: float) -> None:
        message = incoming.message
        if isinstance(message, Request):
            if message.method != Method.ACK:  # there is no dialog here that it could belong to
                self.courier.respond(SendResponse(respond(message, 481), incoming.flow))
            return
        for one in self.held:
            if (message.call_id, message.from_tag) == (one.call_id, one.tag):
                self._do(one, lambda each: each.receive(message, incoming.flow, now), now)

    def _wake(self, one: GatewayRegistration, now: float) -> list[Output]:
        try:
            one.contact = self.courier.contact_for(one.hop, one.user)
        except TransportError as error:
            log.info("no way back from a gateway", trunk=one.trunk, gateway=str(one.gateway), why=str(error))
            one.contact = None
        return one.wake(now)

    def _do(self, one: GatewayRegistration, act: Callable[[GatewayRegistration], Iterable[Output]], now: float) -> None:
        """Let a registration take one input, and carry out what it says; a fault is that registration's alone."""
        try:
            self._carry_out(one, act(one))
        except Exception as error:
            log.error("registration with a gateway", trunk=one.trunk, gateway=str(one.gateway), exc_info=error)
            self.herald.contained(self.mailbox.name, error)
            one.failed("a fault of ours", now)

    def _carry_out(self, one: GatewayRegistration, outputs: Iterable[Output]) -> None:
        herald, gateway = self.herald, str(one.gateway)
        at, account = herald.now_utc(), herald.settings.account
        for output in outputs:
            match output:
                case SendRequest():
                    self.courier.request(output, self.mailbox.ref)
                case Registered():
                    herald.bus.publish(
                        TrunkRegistered(
                            at=at,
                            account=account,
                            trunk=one.trunk,
                            gateway=gateway,
                            expires_s=output.expires_s,
                            refreshed=output.refreshed,
                        )
                    )
                case Failed():
                    if output.first:
                        herald.alert(FAILURE, f"registration of trunk {one.trunk} with {gateway}: {output.detail}")
                    herald.bus.publish(
                        TrunkUnavailable(
                            at=at,
                            account=account,
                            trunk=one.trunk,
                            gateway=gateway,
                            status=output.status,
                            detail=output.detail,
                            retry_s=output.retry_s,
                        )
                    )
                case Ended():
                    herald.bus.publish(
                        TrunkUnregistered(
                            at=at, account=account, trunk=one.trunk, gateway=gateway, reason=output.reason
                        )
                    )
                case _:
                    assert_never(output)


def registrations_of(
    trunks: Iterable[Trunk], ids: Ids, timers: Timers, agent: str, now: float
) -> tuple[GatewayRegistration, ...]:
    """One for each gateway of these trunks; the first REGISTERs follow soon."""
    made = tuple(
        GatewayRegistration(
            trunk=trunk.name,
            gateway=gateway,
            credentials=Credentials(trunk.username, trunk.password or ""),
            ids=ids,
            timers=timers,
            agent=agent,
        )
        for trunk in trunks
        if trunk.username is not None
        for gateway in trunk.uris
    )
    for one in made:
        one.begin(now)
    return made


def trunks_mailbox() -> Mailbox[TrunkMessage]:
    return Mailbox("trunks", CAPACITY)
