"""A server ends, another begins on the same store: who was registered still is, if a call could reach the phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from offhook.actors.messages.registrar import Evict
from offhook.server.config import Config
from offhook.server.server import Server, open_server
from offhook.sip.message import Request
from offhook.store.memory import MemoryRepository
from offhook.testing.clock import WallClock
from offhook.testing.network import FakeNetwork
from offhook.testing.phone import Phone
from offhook.transport.flow import Flow

from .kit import HOST, OFFICE, PASSWORD, SERVER, config_for, locate, parts_at, phone_at, users

ALICE = f"sip:alice@{HOST}"
PROXY = f"sip:{SERVER}:5060"


@attrs.define(eq=False)
class House:
    """One machine with a store that outlives its servers, and phones that outlive them too."""

    tmp_path: Path
    network: FakeNetwork = attrs.field(factory=FakeNetwork)
    store: MemoryRepository = attrs.field(factory=MemoryRepository)
    clock: WallClock = attrs.field(factory=WallClock)

    def config(self, *names: str, **domain: Any) -> Config:
        settings = OFFICE if not names else {**OFFICE, "credentials": users(*names)}
        config = config_for(self.tmp_path, **settings, **domain)
        return attrs.evolve(config, now_utc=self.clock)

    @asynccontextmanager
    async def serving(self, config: Config | None = None) -> AsyncIterator[Server]:
        parts = parts_at(self.network, SERVER, repository=self.store)
        async with open_server(config or self.config(), parts) as server:
            yield server

    def phone(self, host: str = "10.0.0.2", name: str = "alice") -> AbstractAsyncContextManager[Phone]:
        return phone_at(self.network, host, name)


async def register(phone: Phone, **settings: Any) -> None:
    line = await phone.register(HOST, password=PASSWORD, via=PROXY, **settings)
    assert line.status == 200


async def test_a_phone_on_udp_stays_registered_and_reachable(autojump_clock: MockClock, tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.phone() as phone:
        async with house.serving():
            await register(phone, params=";q=0.7", headers=(("User-Agent", "Desk 9"),))
        await trio.sleep(600)
        async with house.serving() as server:
            [binding] = await locate(server, ALICE)
            assert (binding.q, binding.agent) == (0.7, "Desk 9")
            left = binding.seconds_left(trio.current_time())
            assert 2990 < left <= 3000
            assert isinstance(binding.flow, Flow)
            binding.flow.send(
                b"OPTIONS sip:alice@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;"
                b"tag=1\r\nTo: <sip:alice@10.0.0.2>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n"
            )
            await trio.sleep(1)
            [asked] = [seen.message for seen in phone.ladder if isinstance(seen.message, Request) and not seen.sent]
            assert asked.method == "OPTIONS"
            await trio.sleep(left - 3)
            assert len(await locate(server, ALICE)) == 1
            await trio.sleep(3)
            assert await locate(server, ALICE) == ()
    assert await house.store.bindings() == []


async def test_the_order_of_registers_is_kept(autojump_clock: MockClock, tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.phone() as phone:
        async with house.serving():
            line = await phone.register(HOST, password=PASSWORD, via=PROXY)
        async with house.serving() as server:
            line.cseq -= 2
            assert (await line.refresh()).reason == "CSeq out of order"
            line.cseq += 2
            assert (await line.refresh()).status == 200
            assert len(await locate(server, ALICE)) == 1


async def test_a_phone_on_tcp_registers_again(autojump_clock: MockClock, tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.phone() as phone:
        async with house.serving():
            await register(phone, transport="tcp")
            await trio.sleep(1)
            assert [row.transport for row in await house.store.bindings()] == ["TCP"]
        async with house.serving() as server:
            assert await locate(server, ALICE) == ()
            await register(phone, transport="tcp")
            assert len(await locate(server, ALICE)) == 1


async def test_who_was_taken_from_the_configuration_is_gone(autojump_clock: MockClock, tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.phone() as phone, house.phone("10.0.0.4", "bob") as other:
        async with house.serving():
            await register(phone)
            await register(other)
        async with house.serving(house.config("bob")) as server:
            assert await locate(server, ALICE) == ()
            assert len(await locate(server, f"sip:bob@{HOST}")) == 1
    assert [row.aor for row in await house.store.bindings()] == [f"sip:bob@{HOST}"]


async def test_what_ends_and_what_changes_is_written_too(autojump_clock: MockClock, tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.phone() as phone, house.phone("10.0.0.4", "bob") as other, house.serving() as server:
        line = await phone.register(HOST, password=PASSWORD, via=PROXY)
        await register(other)
        # The same URI (RFC 3261 19.1.4), written in another way, has another row.
        await line.send(contact="<sip:%61lice@10.0.0.2:5060>")
        await trio.sleep(1)
        assert [row.contact for row in await house.store.bindings()] == [
            "<sip:bob@10.0.0.4:5060>",
            "<sip:%61lice@10.0.0.2:5060>",
        ]
        await line.end()
        server.tree.services.registrar.post(Evict(f"sip:bob@{HOST}"))
        await trio.sleep(1)
        assert await house.store.bindings() == []


async def test_the_last_answers_before_the_end_are_kept(autojump_clock: MockClock, tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.phone() as phone:
        async with house.serving():
            await register(phone)
        assert len(await house.store.bindings()) == 1
