"""Stage: what the procedure of a verb may ask of its call, and wait for."""

from __future__ import annotations

import itertools
import math
from typing import Final

import attrs

from ...media.events import Play, Played, StopPlaying
from ...media.sources import Source
from ...store.records import WebhookTarget
from ...twiml.params import CallFacts, CallStatus
from ..call_identity import Identity
from ..mailbox import ActorGone, Mailbox, Ref, Reply
from ..messages.call import CallHungUp, DialRequest, ProgramFact
from ..messages.call_requests import AnswerCall, CallOver, ProgramRequest
from ..notifications import Notifications
from ..services import Services

FACTS: Final = 64
"""Capacity of a program's mailbox."""


class CallerLeft(Exception):
    """The call is over; raised once, where the procedure waits. Facts about its media may still be waited for."""


@attrs.define(eq=False)
class Stage:
    """One for each program, handed to every procedure. It reads the program's mailbox and nobody else does."""

    services: Services
    identity: Identity
    call: Ref[ProgramRequest]
    mailbox: Mailbox[ProgramFact]
    notifications: Notifications
    dialler: Ref[DialRequest] | None
    """The call, when it is one that may dial; a screening document may not."""
    functions: dict[str, WebhookTarget]
    """Host names that stand for functions of an embedding program."""
    answered: bool = False
    over: bool = False
    """Whether the call is known to have ended."""
    _ids: itertools.count[int] = attrs.field(factory=itertools.count)

    # --- the call --------------------------------------------------------------------------------------------

    def facts(self) -> CallFacts:
        """The call as its application is told of it now."""
        status: CallStatus = "completed" if self.over else "in-progress" if self.answered else "ringing"
        return self.identity.facts(status)

    def alert(self, code: int, detail: str) -> None:
        """Raise an entry of the public catalogue about this call."""
        self.services.alert(code, detail, call_sid=self.identity.sid, domain=self.identity.domain_name)

    async def tell(self, request: ProgramRequest) -> None:
        """Give the call an order. Raises CallerLeft when there is no call any more."""
        try:
            await self.call.send(request)
        except ActorGone:
            self._left()

    async def ask_dial(self, request: DialRequest) -> None:
        """Have the call do what a dial needs. Raises CallerLeft when there is no call any more."""
        if self.dialler is None:
            raise RuntimeError("a screening document dials: the parser refuses that")
        try:
            await self.dialler.send(request)
        except ActorGone:
            self._left()

    async def answer(self) -> None:
        """Make sure that the call is answered. Raises CallerLeft when it ends first."""
        if not (self.answered or self.over):
            await self.has_answered(await self.begin_answer())

    async def begin_answer(self) -> Reply[None]:
        """Have the call answered, without waiting for that: `has_answered` does."""
        reply: Reply[None] = Reply("answer")
        await self.tell(AnswerCall(reply))
        return reply

    async def has_answered(self, reply: Reply[None]) -> None:
        """Wait until the answer has arrived. Raises CallerLeft when the call ends first."""
        try:
            await reply.wait()
        except (CallOver, ActorGone):
            self._left()
        self.answered = True

    # --- what happens ----------------------------------------------------------------------------------------

    async def fact(self, until: float = math.inf) -> ProgramFact | None:
        """The next fact, or None at `until` (trio seconds). Raises CallerLeft instead of giving `CallHungUp`."""
        fact = await self.mailbox.receive(until)
        if isinstance(fact, CallHungUp):
            self._left()
        return fact

    def catch_up(self) -> None:
        """Read what came while nobody waited: only the end of the call matters then."""
        while (fact := self.mailbox.receive_nowait()) is not None:
            if isinstance(fact, CallHungUp):
                self.over = True

    async def wait_until(self, when: float) -> None:
        """Let time pass. Raises CallerLeft."""
        while await self.fact(when) is not None:
            pass

    # --- sound -----------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        return str(next(self._ids))

    async def play(self, source: Source) -> None:
        """Play to the end. Raises CallerLeft, after stopping what plays."""
        playing = Play(self.new_id(), source)
        await self.tell(playing)
        await self.played(playing.id)

    async def played(self, order_id: str) -> None:
        """Wait until what was queued under that id is over. Raises CallerLeft."""
        while True:
            fact = await self.fact()
            if isinstance(fact, Played) and fact.id == order_id:
                return

    async def silence(self) -> None:
        """Stop everything that plays."""
        await self.tell(StopPlaying())

    def _left(self) -> None:
        self.over = True
        raise CallerLeft
