"""What is left of an answered INVITE once its leg has ended: copies of it are absorbed until timer L (RFC 6026 7.1)."""

import math

import attrs

from ..message import Message
from .events import Flow, TransactionOutput
from .key import ServerKey


@attrs.define(eq=False)
class Absorber:
    """Stands in for an InviteServer in its Accepted state that nobody can give another 2xx.

    It holds no message: a server at 100 calls a second has more than 3,000 of these at any time, and an INVITE with
    its 200 takes 9 KiB.
    """

    key: ServerKey
    until: float
    """When timer L fires, in trio seconds."""
    queued_at: float = attrs.field(default=math.inf, init=False)
    finished: bool = attrs.field(default=False, init=False)

    def receive(self, message: Message, flow: Flow, now: float) -> list[TransactionOutput]:
        """A late copy of the INVITE, or an ACK with its branch: nothing is due for either."""
        return []

    def wake_at(self) -> float:
        return math.inf if self.finished else self.until

    def wake(self, now: float) -> list[TransactionOutput]:
        self.finished = self.finished or self.until <= now
        return []

    def transport_failed(self, now: float) -> list[TransactionOutput]:
        """Nothing is ever sent."""
        return []
