"""What calls find out about the gateways of trunks, and how the outside hears of it. Shared by all calls that dial."""

from __future__ import annotations

import attrs
import structlog

from ..sip.trunks import Trunks
from ..sip.uri import Uri
from .herald import Herald
from .messages.events import GatewayRecovered, GatewayUnavailable

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class Gateways:
    """One for the process; nothing here waits."""

    trunks: Trunks
    herald: Herald

    def failed(self, trunk: str, gateway: Uri, status: int, now: float, retry_after_s: float | None = None) -> None:
        """A gateway gave no response (408), could not be reached or answered 503: others are tried before it."""
        if self.trunks.failed(trunk, gateway, now, retry_after_s):
            log.warning(
                "gateway is away", trunk=trunk, gateway=str(gateway), status=status, retry_after_s=retry_after_s
            )
            self.herald.bus.publish(
                GatewayUnavailable(
                    at=self.herald.now_utc(),
                    account=self.herald.settings.account,
                    trunk=trunk,
                    gateway=str(gateway),
                    status=status,
                )
            )

    def answered(self, trunk: str, gateway: Uri, now: float) -> None:
        """A gateway has responded with anything but 503."""
        if self.trunks.answered(trunk, gateway, now):
            log.info("gateway is back", trunk=trunk, gateway=str(gateway))
            self.herald.bus.publish(
                GatewayRecovered(
                    at=self.herald.now_utc(),
                    account=self.herald.settings.account,
                    trunk=trunk,
                    gateway=str(gateway),
                )
            )
