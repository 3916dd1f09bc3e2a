"""Dialled calls in numbers, SIPp on both sides: each goes as told, is told once, and leaves nothing behind."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import trio
import trio.testing

from offhook.actors.messages.events import ActorCrashed, AlertRaised, CallEnded, Event
from offhook.server.server import Parts, open_server

from .application import open_application
from .callees import Callee, Registration, credentials
from .house import DOMAIN, PHONES, QUICK, TOKEN, configuration
from .kinds import KINDS
from .programs import free_port, tasks_alive, until
from .scenarios import Caller
from .sipp import Transport, media_sink, open_callee, run_sipp

pytestmark = pytest.mark.peers

CALLS = 100
RATE = 50
REGISTERED = 20


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("name", ["dial", "dialled-ends", "phones", "given-up"])
async def test_dialled_calls_go_as_told_and_leave_nothing_behind(
    tmp_path: Path, name: str, transport: Transport
) -> None:
    kind = KINDS[name]
    assert kind.callee is not None
    seen: list[Event] = []
    callee_port = free_port()
    documents = kind.documents(name, callee_port, transport)
    async with open_application(tmp_path / "application", TOKEN, documents) as application:
        config = configuration(
            tmp_path,
            f"{application.base}/{name}",
            status_callback_url=f"{application.base}/status-{name}",
            phones=REGISTERED if kind.to_phones else 0,
        )
        async with open_server(config, Parts(timers=QUICK)) as server:
            server.bus.listen(seen.append)
            sip = server.addresses[transport.lower()][0]
            if kind.to_phones:
                # Their calls come down the way they registered by, which over TCP would have to be the same SIPp.
                rows = [f"{phone.username};{credentials(phone.username, phone.password)}" for phone in PHONES]
                registered = await run_sipp(
                    Registration(DOMAIN, callee_port),
                    server.addresses["udp"][0],
                    tmp_path / "registration",
                    transport="UDP",
                    calls=REGISTERED,
                    rate=100,
                    port=callee_port,
                    table=rows[:REGISTERED],
                )
                registered.all_succeeded(REGISTERED)
            await trio.testing.wait_all_tasks_blocked()
            idle = tasks_alive()
            with media_sink() as media_port:
                async with open_callee(
                    kind.callee(Callee(media_port)),
                    tmp_path / "callee",
                    port=callee_port,
                    transport="UDP" if kind.to_phones else transport,
                    calls=CALLS,
                ) as callee:
                    run = await run_sipp(
                        kind.caller(Caller(f"sip:{kind.target}@{DOMAIN}", media_port)),
                        sip,
                        tmp_path / "caller",
                        transport=transport,
                        calls=CALLS,
                        rate=RATE,
                        table=[phone.username for phone in PHONES[:REGISTERED]] if kind.to_phones else (),
                    )
                    run.all_succeeded(CALLS)
                    (await callee.finished()).all_succeeded(CALLS)
            registry, linger = server.tree.services.registry, server.tree.linger

            def empty() -> bool:
                return not (server.calls or registry.legs or registry.transactions or registry.invites or len(linger))

            await until(empty, 20, "registry and linger are empty")
            await until(lambda: tasks_alive() <= idle, 10, "no task is left of the calls")
            report = await application.report()
    assert report.told == kind.requests(name, CALLS)
    assert (report.repeated, report.forged) == (0, 0)
    ends = [event for event in seen if isinstance(event, CallEnded)]
    assert Counter(end.status for end in ends) == kind.ends(CALLS)
    assert len({end.call_sid for end in ends}) == len(ends)
    assert [event for event in seen if isinstance(event, AlertRaised | ActorCrashed)] == []
