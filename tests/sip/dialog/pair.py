"""A caller's leg and a callee's, and the network between them: virtual time, real bytes, accidents from a seed."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from offhook.sip.address import NameAddr
from offhook.sip.build import respond
from offhook.sip.dialog.config import LegConfig
from offhook.sip.dialog.events import (
    Credentials,
    Invite,
    LegCommand,
    LegEnded,
    LegFact,
    LegOutput,
    LegParted,
    LegRefused,
    SendRequest,
    SendResponse,
)
from offhook.sip.dialog.leg import Leg
from offhook.sip.message import Message, Request, Response
from offhook.sip.parse import parse_datagram
from offhook.sip.render import render
from offhook.sip.transaction.events import Adopt, Lingering, TransactionOutput
from offhook.sip.transaction.key import client_key, server_key
from offhook.sip.uri import Uri
from offhook.sip.validate import validate_request, validate_response
from offhook.testing.ids import CountingIds

OFFER, ANSWER = b"v=0 offer\r\n", b"v=0 answer\r\n"
CALLEE = Uri.parse("sip:bob@callee.test:5060")
CALLER = NameAddr.parse('"Ann" <sip:ann@caller.test>')


@attrs.frozen(eq=False)
class Path:
    """A flow that goes nowhere: the simulator knows the way."""

    transport: str = "UDP"
    reliable: bool = False


UDP, TCP = Path(), Path("TCP", True)


def config_of(host: str, **changes: Any) -> LegConfig:
    made = LegConfig(NameAddr.parse(f"<sip:{host}:5060>"), server="offhook/test")
    return attrs.evolve(made, **changes)


def caller_leg(name: str = "a", config: LegConfig | None = None) -> Leg:
    return Leg.calling(config or config_of("caller.test"), CountingIds(name))


def callee_leg(invite: Request, name: str = "b", config: LegConfig | None = None) -> Leg:
    return Leg.called(invite, config or config_of("callee.test"), CountingIds(name))


def invite_command(
    body: bytes | None = OFFER,
    *,
    auth: Credentials | None = None,
    via: Path | None = None,
    routes: tuple[NameAddr, ...] = (),
) -> Invite:
    return Invite(CALLEE, CALLER, body, auth=auth, via=via, routes=routes)


def requests(outputs: list[LegOutput], method: str | None = None) -> list[Request]:
    """The requests among outputs."""
    sent = [output.request for output in outputs if isinstance(output, SendRequest)]
    return [request for request in sent if method is None or request.method == method]


def responses(outputs: Sequence[LegOutput | TransactionOutput]) -> list[Response]:
    """The responses among outputs."""
    return [output.response for output in outputs if isinstance(output, SendResponse)]


def facts(outputs: list[LegOutput]) -> list[LegFact]:
    """What the call is told."""
    return [output for output in outputs if not isinstance(output, SendRequest | SendResponse)]


def over_the_wire(message: Message) -> Request | Response:
    """The message as the other side reads it."""
    assert isinstance(message, Request | Response)
    read = parse_datagram(render(message))
    if isinstance(read, Request):
        validate_request(read)
    else:
        validate_response(read)
    return read


Reaction = Callable[["Side", LegFact], list[LegCommand]]


@attrs.define(eq=False)
class Side:
    """One leg with the call above it (a reaction to each fact) and the lingering transactions beside it."""

    name: str
    react: Reaction
    flow: Path = UDP
    leg: Leg | None = None
    config: LegConfig | None = None
    """Of the leg that an INVITE makes; None: the usual one."""

    now: float = 0.0
    facts: list[LegFact] = attrs.field(factory=list)
    sent: list[tuple[float, Request | Response]] = attrs.field(factory=list)
    lingering: dict[tuple[object, ...], Lingering] = attrs.field(factory=dict)
    gone: bool = False
    parted: bool = False
    """Whether the answer to its BYE was reported, which may come after the end."""
    _box: list[Request | Response] = attrs.field(factory=list)

    @property
    def end(self) -> LegFact | None:
        """The fact that ended the leg; fails when there are two."""
        ends = [fact for fact in self.facts if isinstance(fact, LegEnded | LegRefused)]
        assert len(ends) <= 1, ends
        return ends[0] if ends else None

    def take_sent(self) -> list[Request | Response]:
        box, self._box = self._box, []
        return box

    def do(self, command: LegCommand) -> None:
        assert self.leg is not None
        self._carry_out(self.leg.handle(command, self.now))

    def deliver(self, message: Request | Response) -> None:
        """As the switchboard does: by lingering transaction, else to the leg, else nobody knows it."""
        if self.gone:
            return
        key = client_key(message) if isinstance(message, Response) else server_key(message)
        kept = None if key is None else self.lingering.get(key)
        if kept is not None:
            self._linger(kept.receive(message, self.flow, self.now))
        elif self.leg is None and isinstance(message, Request) and message.method == "INVITE":
            self.leg = callee_leg(message, self.name, self.config)
            self._carry_out(self.leg.receive(message, self.flow, self.now))
        elif self.leg is not None and not self.leg.finished:
            self._carry_out(self.leg.receive(message, self.flow, self.now))
        elif isinstance(message, Request) and message.method != "ACK":
            self._send(respond(message, 481))

    def wake_at(self) -> float:
        if self.gone:
            return math.inf
        dates = [kept.wake_at() for kept in self.lingering.values()]
        if self.leg is not None and not self.leg.finished:
            dates.append(self.leg.wake_at())
        return min(dates, default=math.inf)

    def wake(self) -> None:
        if self.gone:
            return
        if self.leg is not None and not self.leg.finished and self.leg.wake_at() <= self.now:
            self._carry_out(self.leg.wake(self.now))
        for kept in list(self.lingering.values()):
            if kept.wake_at() <= self.now:
                self._linger(kept.wake(self.now))

    def vanish(self) -> None:
        """The machine is gone, and nobody says so."""
        self.gone = True

    def crash(self) -> None:
        """The actor ends, as after an exception in it."""
        assert self.leg is not None
        self._carry_out(self.leg.last_words(self.now))

    def _carry_out(self, outputs: list[LegOutput]) -> None:
        assert self.leg is not None
        commands: list[LegCommand] = []
        for output in outputs:
            if isinstance(output, SendRequest):
                self._send(output.request)
            elif isinstance(output, SendResponse):
                self._send(output.response)
            elif isinstance(output, LegParted):
                assert isinstance(self.end, LegEnded), "the answer to a BYE that was never sent"
                assert not self.parted, "two answers to a BYE"
                self.parted = True
            else:
                assert self.end is None, f"{output} after the end"
                self.facts.append(output)
                commands += self.react(self, output)
        for command in commands:
            self._carry_out(self.leg.handle(command, self.now))
        if self.leg.finished:
            for kept in self.leg.linger():
                self.lingering[kept.key] = kept

    def _linger(self, outputs: list[TransactionOutput]) -> None:
        for output in outputs:
            if isinstance(output, SendRequest):
                self._send(output.request)
            elif isinstance(output, SendResponse):
                self._send(output.response)
            elif isinstance(output, Adopt):
                self.lingering[output.transaction.key] = output.transaction
        self.lingering = {key: kept for key, kept in self.lingering.items() if not kept.finished}

    def _send(self, message: Request | Response) -> None:
        self.sent.append((self.now, message))
        self._box.append(message)


@attrs.frozen
class Weather:
    """What the network does to a datagram; shares of 1."""

    loss: float = 0.0
    duplication: float = 0.0
    delay_s: tuple[float, float] = (0.01, 0.01)


@attrs.define(eq=False)
class Pair:
    """Two sides, and what is under way between them."""

    caller: Side
    callee: Side
    weather: Weather = Weather()
    seed: int = 0
    now: float = 0.0
    _dice: random.Random = attrs.field(init=False)
    _events: list[tuple[float, int, Callable[[], None]]] = attrs.field(factory=list)
    _order: itertools.count[int] = attrs.field(factory=itertools.count)

    def __attrs_post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), action))

    def run(self, until: float = 400.0) -> None:
        """Until nothing is under way or waited for, or until that date."""
        self._collect()
        for _ in range(20_000):
            due = min(self._events[0][0] if self._events else math.inf, self.caller.wake_at(), self.callee.wake_at())
            if due > until:
                self._at(until if due < math.inf else self.now)
                return
            self._at(max(due, self.now))
            if self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            else:
                self.caller.wake()
                self.callee.wake()
            self._collect()
        raise AssertionError("the legs never come to rest")

    def _at(self, now: float) -> None:
        self.now = self.caller.now = self.callee.now = now

    def _collect(self) -> None:
        for sender, receiver in ((self.caller, self.callee), (self.callee, self.caller)):
            for message in sender.take_sent():
                self._post(message, receiver)

    def _post(self, message: Request | Response, receiver: Side) -> None:
        if self._dice.random() < self.weather.loss:
            return
        read = over_the_wire(message)
        for _ in range(2 if self._dice.random() < self.weather.duplication else 1):
            delay = self._dice.uniform(*self.weather.delay_s)
            self.at(self.now + delay, lambda: receiver.deliver(read))


def agree(pair: Pair) -> None:
    """When both sides were up and nothing was open at the end, each has what the other one described."""
    dialogs = [None if side.leg is None else side.leg._line.dialog for side in (pair.caller, pair.callee)]
    ours, theirs = [None if dialog is None or not dialog.confirmed else dialog.offers for dialog in dialogs]
    if ours is not None and theirs is not None and ours.settled and theirs.settled:
        assert ours.agreed
        assert (ours.local, ours.remote) == (theirs.remote, theirs.local)


def silent(side: Side, fact: LegFact) -> list[LegCommand]:
    """A call that does nothing by itself."""
    return []
