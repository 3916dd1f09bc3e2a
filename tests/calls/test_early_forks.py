"""A callee behind a forking proxy: several phones ring in one INVITE of ours, each in an early dialog of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from offhook.media.sources import Clip
from offhook.sip.message import Request, Response
from offhook.testing.listen import match
from offhook.testing.network import Conditions
from offhook.testing.phone import PhoneCall
from offhook.testing.speech import tone

from .kit import PHONE, World, world
from .peer import PORT, Peer, udp_peer
from .voice import Voice, media_of, sdp, voice

DIAL = f'<Dial answerOnBridge="true" action="/after"><Sip>sip:carol@{PHONE}:{PORT}</Sip></Dial>'
RELIABLE = ("Require", "100rel")
HIGH, LOW = tone(600, 900), tone(600, 500)


@attrs.frozen
class Forked:
    """Alice calls; the INVITE to Carol is with a proxy, behind which `one` and `two` have their media."""

    it: World
    alice: PhoneCall
    proxy: Peer
    invite: Request
    one: Voice
    two: Voice

    def says(self, tag: str, status: int, media: Voice | None = None, *headers: tuple[str, str]) -> None:
        """A fork responds to the INVITE, with a description of its media."""
        body = b"" if media is None else sdp(media.address)
        self.proxy.respond(self.invite, status, tag=tag, body=body, headers=headers)

    async def heard_by_alice(self, media: Voice, samples: bytes) -> bool:
        """Whether Alice hears what is said there now."""
        before = len(self.alice.heard())
        await media.say(samples, media_of(self.invite))
        await trio.sleep(0.3)
        return match(self.alice.heard()[before:], samples) > 0.95

    async def requests_to(self, tag: str, count: int) -> list[Request]:
        """The next requests of the server, which are all to that fork."""
        found = [await self.proxy.asked_any() for _ in range(count)]
        assert {request.to_tag for request in found} == {tag}
        return found

    async def prack(self, tag: str) -> Request:
        """The next request is the PRACK of that fork; it is answered."""
        [prack] = await self.requests_to(tag, 1)
        assert prack.method == "PRACK"
        self.proxy.respond(prack)
        return prack

    async def parts(self, tag: str) -> None:
        """Alice hangs up, and the fork that is left gets the BYE."""
        await self.alice.hang_up()
        [bye] = await self.requests_to(tag, 1)
        assert bye.method == "BYE"
        self.proxy.respond(bye)
        [after] = await self.it.web.wait_for(1, "/after")
        assert after.params["DialCallStatus"] == "completed"
        await self.it.idle()


@asynccontextmanager
async def forked(tmp_path: Path, **settings: Any) -> AsyncIterator[Forked]:
    async with (
        world(tmp_path, conditions=Conditions(delay_s=0.005), **settings) as it,
        udp_peer(it.network) as proxy,
        voice(it.network, "10.4.0.1", 30_000) as one,
        voice(it.network, "10.4.0.2", 30_000) as two,
    ):
        alice = await it.dials(DIAL)
        invite = await proxy.asked("INVITE")
        proxy.respond(invite, 100)
        yield Forked(it, alice, proxy, invite, one, two)


async def test_the_early_media_of_the_newest_fork_is_heard_and_a_repetition_changes_nothing(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with forked(tmp_path) as here:
        here.says("a", 183, here.one)
        await trio.sleep(0.1)
        assert await here.heard_by_alice(here.one, LOW)
        here.says("b", 180)
        await trio.sleep(0.1)
        assert await here.heard_by_alice(here.one, HIGH)
        here.says("b", 183, here.two)
        await trio.sleep(0.1)
        assert await here.heard_by_alice(here.two, LOW)
        here.says("a", 183, here.one)
        await trio.sleep(0.1)
        assert await here.heard_by_alice(here.two, HIGH)
        assert not await here.heard_by_alice(here.one, LOW)
        here.says("b", 200, here.two)
        assert await here.alice.answered()
        [ack] = await here.requests_to("b", 1)
        assert ack.method == "ACK"
        assert await here.heard_by_alice(here.two, LOW)
        await here.parts("b")


async def test_a_fork_that_answers_is_heard_whichever_was_heard_before(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with forked(tmp_path) as here:
        here.says("a", 183, here.one)
        here.says("b", 183, here.two)
        await trio.sleep(0.1)
        assert await here.heard_by_alice(here.two, LOW)
        here.says("a", 200, here.one)
        assert await here.alice.answered()
        assert await here.heard_by_alice(here.one, HIGH)
        assert not await here.heard_by_alice(here.two, LOW)
        started = trio.current_time()
        await here.alice.say(Clip(LOW))
        assert match(here.one.heard(started), LOW) > 0.95
        assert here.two.since(started + 0.1) == []
        [ack] = await here.requests_to("a", 1)
        assert ack.method == "ACK"
        await here.parts("a")


async def test_a_fork_that_settled_its_session_early_is_heard_when_it_answers_after_another_was_heard(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with forked(tmp_path) as here:
        here.says("a", 183, here.one, RELIABLE, ("RSeq", "1"))
        await here.prack("a")
        here.says("b", 183, here.two, RELIABLE, ("RSeq", "70"))
        assert (await here.prack("b")).headers.get("RAck") == "70 1 INVITE"
        assert await here.heard_by_alice(here.two, LOW)
        here.says("a", 200)
        assert await here.alice.answered()
        assert await here.heard_by_alice(here.one, HIGH)
        assert not await here.heard_by_alice(here.two, LOW)
        [ack] = await here.requests_to("a", 1)
        assert ack.method == "ACK"
        await here.parts("a")


async def test_forks_may_change_their_early_sessions_by_update_and_the_one_that_answers_counts(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with forked(tmp_path) as here:
        here.says("a", 183, here.one, RELIABLE, ("RSeq", "1"), ("Allow", "INVITE, ACK, BYE, UPDATE, PRACK"))
        await here.prack("a")
        here.says("b", 183, here.one, RELIABLE, ("RSeq", "1"), ("Allow", "INVITE, ACK, BYE, UPDATE, PRACK"))
        await here.prack("b")
        # Each moves its media: a to the other endpoint and b to a port of its own.
        answers: dict[str, Response] = {}
        for tag, media in (("a", here.two.address), ("b", ("10.4.0.9", 30_000))):
            here.proxy.request(
                "UPDATE",
                call_id=here.invite.call_id,
                branch=f"z9hG4bK-u{tag}",
                tag=tag,
                to_tag=here.invite.from_tag,
                body=sdp(media, version=2),
            )
            answers[tag] = await here.proxy.response(200, "UPDATE")
        assert all(answer.body for answer in answers.values())
        here.says("a", 200)
        assert await here.alice.answered()
        assert await here.heard_by_alice(here.two, HIGH)
        assert not await here.heard_by_alice(here.one, LOW)
        [ack] = await here.requests_to("a", 1)
        assert ack.method == "ACK"
        await here.parts("a")


async def test_a_second_fork_that_answers_too_is_acknowledged_and_hung_up(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with forked(tmp_path) as here:
        for tag, media in (("a", here.one), ("b", here.two)):
            here.says(tag, 183, media)
        here.says("b", 200, here.two)
        here.says("a", 200, here.one)
        here.says("late", 200, here.one)
        assert await here.alice.answered()
        seen = [await here.proxy.asked_any() for _ in range(5)]
        assert [(request.method, request.to_tag) for request in seen] == [
            ("ACK", "b"),
            ("ACK", "a"),
            ("BYE", "a"),
            ("ACK", "late"),
            ("BYE", "late"),
        ]
        for bye in (seen[2], seen[4]):
            here.proxy.respond(bye)
        assert await here.heard_by_alice(here.two, HIGH)
        await here.parts("b")


async def test_more_forks_than_anybody_has_phones_do_not_fill_our_memory(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with forked(tmp_path) as here:
        for number in range(200):
            here.proxy.respond(here.invite, 100)
            here.says(f"f{number}", 183, here.one)
        await trio.sleep(0.5)
        here.says("f199", 200, here.two)
        assert await here.alice.answered()
        assert await here.heard_by_alice(here.two, LOW)
        [ack] = await here.requests_to("f199", 1)
        assert ack.method == "ACK"
        await here.parts("f199")
