"""An INVITE of ours whose leg is gone: cancelled when it may be, and any answer to it acknowledged and hung up."""

import math
from collections.abc import Mapping

import attrs

from ..build import cancel_for
from ..message import Message, Response
from ..transaction.client import NonInviteClient
from ..transaction.events import Adopt, Flow, Responded, SendRequest, TransactionOutput
from ..transaction.invite_client import InviteClient, State
from ..transaction.key import Key
from .config import HeaderItems
from .state import Dialog


@attrs.define(eq=False)
class OrphanInvite:
    """Drives an INVITE client transaction to its end, as a transaction among others (13.2.2.4, 9.1).

    A leg that crashed or was cancelled before the callee answered leaves its INVITE here, which goes on to wait for
    what has to be waited for. So does a leg that ended soon after an answer, as another fork may answer yet.
    """

    client: InviteClient
    dialog: Dialog
    """What the INVITE was made of."""

    cancel_headers: HeaderItems = ()
    cancelled: bool = False
    """The CANCEL is under way already, or is not wanted because the INVITE was answered."""

    early: Mapping[str, Dialog] = attrs.field(factory=dict)
    """Its early dialogs by tag, which have counted the PRACKs they got."""

    queued_at: float = math.inf
    """The driver's, as with every transaction."""

    @property
    def key(self) -> Key:
        return self.client.key

    @property
    def finished(self) -> bool:
        return self.client.finished

    def receive(self, message: Message, flow: Flow, now: float) -> list[TransactionOutput]:
        """Take a response to the INVITE."""
        outputs: list[TransactionOutput] = []
        for output in self.client.receive(message, flow, now):
            if isinstance(output, Responded):
                outputs += self._responded(output.response, now)
            else:
                outputs.append(output)
        return outputs

    def wake_at(self) -> float:
        return self.client.wake_at()

    def wake(self, now: float) -> list[TransactionOutput]:
        return self.client.wake(now)

    def transport_failed(self, now: float) -> list[TransactionOutput]:
        return self.client.transport_failed(now)

    def _responded(self, response: Response, now: float) -> list[TransactionOutput]:
        if response.status < 200:
            if self.cancelled:
                if self.client.wake_at() == math.inf:
                    self.client.expire(now + self.client.timers.patience)
                return []
            self.cancelled = True
            sent = self.client.sending
            cancel = cancel_for(self.client.request, self.cancel_headers)
            # 9.1: an INVITE that stays unanswered for 64*T1 after its CANCEL is done.
            self.client.expire(now + self.client.timers.patience)
            return self._start(SendRequest(cancel, sent.hop, sent.flow, sent.branch), now)
        if response.status >= 300:
            return []
        known = None if response.to_tag is None else self.early.get(response.to_tag)
        dialog = self.dialog.forked(response) if known is None else known
        ack = dialog.ack(self.client.request)
        self.client.acknowledge(response.to_tag, ack)
        return [ack, *self._start(dialog.request("BYE"), now)]

    def _start(self, sending: SendRequest, now: float) -> list[TransactionOutput]:
        return [sending, Adopt(NonInviteClient.start(sending, self.client.timers, now))]


def orphaned(client: InviteClient) -> bool:
    """Whether a client transaction may still get answers that ask for more than itself."""
    return client.state in (State.CALLING, State.PROCEEDING, State.ACCEPTED)
