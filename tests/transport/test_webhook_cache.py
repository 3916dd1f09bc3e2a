"""What the webhook client keeps of GET answers, and for whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio
from trio.testing import MockClock

from offhook.testing.network import FakeNetwork
from offhook.testing.web import Answer, Asked, CustomerApp
from offhook.transport.webhook import CallSession, Purpose, Reply, WebhookClient, WebhookRequest

SERVER = "93.184.216.34"


@attrs.define(eq=False)
class World:
    app: CustomerApp
    client: WebhookClient

    async def get(self, path: str, session: CallSession | None = None, method: str = "GET") -> Reply:
        request = WebhookRequest(f"http://{SERVER}{path}", method, purpose=Purpose.MEDIA)
        return await self.client.fetch(request, session)


@asynccontextmanager
async def open_world() -> AsyncIterator[World]:
    network = FakeNetwork()
    app = CustomerApp()
    client = WebhookClient(network.host("192.0.2.1"))
    async with app.serving(network.host(SERVER), (SERVER, 80)), client:
        yield World(app, client)


def cacheable(body: bytes, *headers: tuple[str, str]) -> Answer:
    return Answer(body, content_type="audio/wav", headers=headers)


async def test_a_fresh_answer_is_not_asked_for_again_until_it_is_old(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/a", cacheable(b"1", ("Cache-Control", "max-age=60")), cacheable(b"2"))
        first = await world.get("/a")
        await trio.sleep(59)
        second = await world.get("/a")
        assert (first.body, second.body, second.version) == (b"1", b"1", first.version)
        assert len(world.app.requests) == 1
        await trio.sleep(2)
        third = await world.get("/a")
        assert (third.body, third.version) == (b"2", None)


async def test_a_stale_answer_is_validated_and_304_keeps_it(autojump_clock: MockClock) -> None:
    async with open_world() as world:

        def answer(asked: Asked) -> Answer:
            if asked.header("if-none-match") == '"v1"':
                return Answer(b"", 304, None, (("ETag", '"v1"'),))
            return cacheable(b"sound", ("ETag", '"v1"'), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"))

        world.app.on("/a", answer)
        replies = [await world.get("/a") for _ in range(3)]
        assert {reply.body for reply in replies} == {b"sound"}
        assert len({reply.version for reply in replies}) == 1
        assert [asked.header("if-none-match") for asked in world.app.requests] == [None, '"v1"', '"v1"']
        assert world.app.requests[1].header("if-modified-since") == "Thu, 01 Jan 2026 00:00:00 GMT"


async def test_a_changed_file_gets_another_version(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/a", cacheable(b"1", ("ETag", "a")), cacheable(b"2", ("ETag", "b")))
        first, second = await world.get("/a"), await world.get("/a")
        assert (first.body, second.body) == (b"1", b"2")
        assert first.version != second.version


async def test_posts_and_no_store_are_never_kept(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/a", cacheable(b"1", ("Cache-Control", "max-age=60")))
        world.app.on("/b", cacheable(b"1", ("Cache-Control", "no-store, max-age=60")))
        for _ in range(2):
            await world.get("/a", method="POST")
            await world.get("/b")
        assert len(world.app.requests) == 4


async def test_what_one_call_got_for_its_cookies_or_password_is_not_given_to_another(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        fresh = ("Cache-Control", "max-age=60")

        def personal(asked: Asked) -> Answer:
            who = asked.header("cookie") or asked.header("authorization")
            if who is None and asked.path == "/secret":
                return Answer(b"", 401, None, (("WWW-Authenticate", 'Basic realm="r"'),))
            return cacheable((who or "nobody").encode(), fresh)

        world.app.on("*", personal)
        world.app.on("/login", cacheable(b"", ("Set-Cookie", "id=7; Path=/")))
        session = CallSession()
        await world.get("/login", session)
        assert (await world.get("/page", session)).body == b"id=7"
        assert (await world.get("/page")).body == b"nobody"
        # and the other way round: what is kept for everybody is not given to who has cookies
        assert (await world.get("/page", session)).body == b"id=7"
        await world.client.fetch(WebhookRequest(f"http://a:b@{SERVER}/secret", "GET", purpose=Purpose.MEDIA))
        await world.client.fetch(WebhookRequest(f"http://a:b@{SERVER}/secret", "GET", purpose=Purpose.MEDIA))
        assert len(world.app.asked("/secret")) == 4
