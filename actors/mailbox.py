"""Mailboxes and handles: how one actor talks to another (docs/architecture.md, "The actor model").

A `Mailbox` is the receiving end and belongs to one actor. Others hold its `Ref`. Three verbs answer the question
"what if it is full?": `post` raises, `send` waits, `offer` drops. `ask` is a `send` with a one-shot `Reply`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
import trio

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)
T = TypeVar("T")


class ActorError(Exception):
    """Something about talking to an actor failed."""


class ActorGone(ActorError):
    """The actor asked or told has ended, and nobody will read its mailbox again."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has ended")
        self.name = name


class MailboxFull(ActorError):
    """A `post` found the mailbox full: its owner is stuck or flooded."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the mailbox of {name} is full")
        self.name = name


class NoReply(ActorError):
    """A question was not answered in time."""

    def __init__(self, name: str, within: float) -> None:
        super().__init__(f"{name} gave no answer within {within:g} s")
        self.name = name


@attrs.define(eq=False)
class Reply(Generic[T]):
    """A one-shot answer. Whoever asked waits; whoever was asked calls `set` or `fail` once; later calls are ignored."""

    name: str = "reply"
    _event: trio.Event = attrs.field(factory=trio.Event)
    _value: T | None = None
    _error: BaseException | None = None

    def set(self, value: T) -> None:
        if not self._event.is_set():
            self._value = value
            self._event.set()

    def fail(self, error: BaseException) -> None:
        if not self._event.is_set():
            self._error = error
            self._event.set()

    @property
    def done(self) -> bool:
        return self._event.is_set()

    async def wait(self, within: float = math.inf) -> T:
        """The answer; raises what the asked actor failed with, or `NoReply` after `within` seconds."""
        if within == math.inf:
            await self._event.wait()
        else:
            with trio.move_on_after(within):
                await self._event.wait()
        if not self._event.is_set():
            raise NoReply(self.name, within)
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # set() stored a T, and None only when T allows it


def replies_of(message: object) -> list[Reply[object]]:
    """The replies a message carries (its field named `reply`, when it has one)."""
    reply = getattr(message, "reply", None)
    return [reply] if isinstance(reply, Reply) else []


class Ref(Generic[M_contra]):
    """A handle on an actor's mailbox. Cheap to copy, safe to keep after the actor has ended."""

    __slots__ = ("_channel", "name")

    def __init__(self, channel: trio.MemorySendChannel[M_contra], name: str) -> None:
        self._channel = channel
        self.name = name

    def __repr__(self) -> str:
        return f"<Ref {self.name}>"

    def post(self, message: M_contra) -> None:
        """Tell a fact upward, never waiting. Raises `MailboxFull` or `ActorGone`."""
        try:
            self._channel.send_nowait(message)
        except trio.WouldBlock:
            raise MailboxFull(self.name) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ActorGone(self.name) from None

    async def send(self, message: M_contra) -> None:
        """Give a command to what one owns, waiting for room. Raises `ActorGone`."""
        try:
            self._channel.send_nowait(message)  # five times cheaper than the checkpoint of send()
        except trio.WouldBlock:
            try:
                await self._channel.send(message)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise ActorGone(self.name) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ActorGone(self.name) from None

    def offer(self, message: M_contra) -> bool:
        """Hand over what may be lost; False when it was (full, or the actor is gone)."""
        try:
            self._channel.send_nowait(message)
        except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return True

    async def ask(self, make: Callable[[Reply[T]], M_contra], within: float) -> T:
        """`send` a question and wait for its answer.

        Raises `ActorGone` at once when the asked actor ends first, `NoReply` after `within` seconds.
        """
        reply: Reply[T] = Reply(self.name)
        await self.send(make(reply))
        return await reply.wait(within)


class Mailbox(Generic[M]):
    """The receiving end of an actor: bounded, with a name for logs.

    A restarted actor gets the same mailbox again, so every `Ref` stays good.
    """

    __slots__ = ("_receive", "_send", "capacity", "closed", "in_hand", "name", "ref")

    def __init__(self, name: str, capacity: int) -> None:
        self.name = name
        self.capacity = capacity
        # Not open_memory_channel[M](capacity): each call of a subscripted function costs more than the channel.
        channel: tuple[trio.MemorySendChannel[M], trio.MemoryReceiveChannel[M]] = trio.open_memory_channel(capacity)
        self._send, self._receive = channel
        self.ref: Ref[M] = Ref(self._send, name)
        self.in_hand: M | None = None
        """The message being handled; its question fails when the handler raises."""
        self.closed = False

    def __len__(self) -> int:
        return self._receive.statistics().current_buffer_used

    def receive_nowait(self) -> M | None:
        try:
            return self._receive.receive_nowait()
        except trio.WouldBlock:
            return None

    async def receive(self, until: float = math.inf) -> M | None:
        """The next message, or None once the clock reads `until` (trio seconds).

        The message that is there wins over a timer that is due, but a full mailbox cannot starve the timer: the
        caller's `wake_at` is looked at after each message.
        """
        if until != math.inf and until <= trio.current_time():
            # A due timer goes first: inputs can then never postpone it for ever.
            return None
        try:
            return self._receive.receive_nowait()
        except trio.WouldBlock:
            pass
        if until == math.inf:
            return await self._receive.receive()
        message: M | None = None
        with trio.move_on_at(until):
            message = await self._receive.receive()
        return message

    def close(self) -> None:
        """End the mailbox: later posts raise `ActorGone`, questions waiting inside fail with it at once."""
        if self.closed:
            return
        self.closed = True
        waiting: list[M] = []
        while True:
            try:
                waiting.append(self._receive.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        self._receive.close()
        for message in waiting:
            fail_question(message, ActorGone(self.name))

    def drop_in_hand(self, error: BaseException) -> M | None:
        """Forget the message being handled, failing its question; gives the message back for the log."""
        message, self.in_hand = self.in_hand, None
        if message is not None:
            fail_question(message, error)
        return message


def fail_question(message: object, error: BaseException) -> None:
    """Fail the reply that `message` carries, if it carries one."""
    for reply in replies_of(message):
        reply.fail(error)
