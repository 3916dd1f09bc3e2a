"""Mailbox, Ref and Reply: the three verbs and what full or gone means for each."""

from __future__ import annotations

import math

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from offhook.actors.mailbox import ActorGone, Mailbox, MailboxFull, NoReply, Reply


@attrs.frozen
class Question:
    reply: Reply[int]


def question(reply: Reply[int]) -> Question:
    return Question(reply)


async def test_a_post_to_a_full_mailbox_raises() -> None:
    box: Mailbox[int] = Mailbox("box", 1)
    box.ref.post(1)
    with pytest.raises(MailboxFull):
        box.ref.post(2)


async def test_an_offer_to_a_full_mailbox_is_refused() -> None:
    box: Mailbox[int] = Mailbox("box", 1)
    assert box.ref.offer(1)
    assert not box.ref.offer(2)


async def test_a_send_waits_for_room() -> None:
    box: Mailbox[int] = Mailbox("box", 1)
    box.ref.post(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.ref.send, 2)
        await trio.testing.wait_all_tasks_blocked()
        assert await box.receive() == 1
        assert await box.receive() == 2


async def test_all_verbs_know_that_the_actor_is_gone() -> None:
    box: Mailbox[int] = Mailbox("box", 1)
    box.close()
    with pytest.raises(ActorGone):
        box.ref.post(1)
    with pytest.raises(ActorGone):
        await box.ref.send(1)
    assert not box.ref.offer(1)


async def test_a_question_left_in_a_closed_mailbox_fails_at_once() -> None:
    box: Mailbox[Question] = Mailbox("box", 4)

    async def close() -> None:
        await trio.testing.wait_all_tasks_blocked()
        box.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(close)
        with pytest.raises(ActorGone):
            await box.ref.ask(question, within=math.inf)


async def test_an_unanswered_question_gives_up_at_its_second(autojump_clock: MockClock) -> None:
    box: Mailbox[Question] = Mailbox("box", 4)
    started = trio.current_time()
    with pytest.raises(NoReply):
        await box.ref.ask(question, within=2.0)
    assert trio.current_time() - started == pytest.approx(2.0)


async def test_only_the_first_answer_counts() -> None:
    reply: Reply[int] = Reply()
    reply.set(1)
    reply.set(2)
    reply.fail(ValueError())
    assert await reply.wait() == 1


async def test_receive_gives_none_when_the_time_has_come(autojump_clock: MockClock) -> None:
    box: Mailbox[int] = Mailbox("box", 4)
    started = trio.current_time()
    assert await box.receive(until=started + 3.0) is None
    assert trio.current_time() - started == pytest.approx(3.0)


async def test_a_due_timer_goes_before_waiting_messages(autojump_clock: MockClock) -> None:
    box: Mailbox[int] = Mailbox("box", 4)
    box.ref.post(1)
    assert await box.receive(until=trio.current_time()) is None
    assert await box.receive(until=trio.current_time() + 1) == 1
